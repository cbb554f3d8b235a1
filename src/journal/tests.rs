#![expect(clippy::unwrap_used, reason = "tests")]
use super::*;
use std::fs;
use tempfile::TempDir;

/// Everything at once.
const ALL: usize = 1 << 20;

fn open(folder: &Path, bounds: Bounds) -> Journal {
    Journal::open(folder, bounds).unwrap()
}

async fn texts(journal: &Journal) -> Vec<String> {
    let batch = journal.read(ALL, ALL).await.unwrap();
    let of = |record: &Record| String::from_utf8(record.bytes.clone()).unwrap();
    batch.records.iter().map(of).collect()
}

/// Reads and removes everything, in pieces.
async fn drain(journal: &Journal, records: usize, bytes: usize) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let batch = journal.read(records, bytes).await.unwrap();
        if batch.is_empty() {
            return all;
        }
        assert!(batch.records.len() <= records);
        for record in &batch.records {
            all.push(String::from_utf8(record.bytes.clone()).unwrap());
        }
        journal.remove(batch).await.unwrap();
    }
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
        Err(_) => Vec::new(),
    };
    all.retain(|path| path.extension().is_some_and(|found| found == ending));
    all.sort();
    all
}

/// What a crash leaves: the files, without their locks.
fn crashed(folder: &Path) -> TempDir {
    let left = tempfile::tempdir().unwrap();
    for path in files(folder, ENDING) {
        fs::copy(&path, left.path().join(path.file_name().unwrap())).unwrap();
    }
    left
}

#[tokio::test]
async fn records_come_back_in_order_and_their_files_go() {
    let folder = tempfile::tempdir().unwrap();
    let spill = folder.path().join("spill");
    let bounds = Bounds {
        segment: 200,
        ..Bounds::default()
    };
    let journal = open(&spill, bounds);
    assert!(!spill.exists(), "nothing is made before it is needed");
    let sent: Vec<String> = (0..40).map(|n| format!("record {n}")).collect();
    for (at, text) in (1_000..).zip(&sent) {
        journal.append(at, text.as_bytes()).await.unwrap();
    }
    assert!(files(&spill, ENDING).len() > 3);
    let held = journal.held();
    assert_eq!((held.records, held.oldest), (40, Some(1_000)));
    // Reading removes nothing.
    assert_eq!(texts(&journal).await, texts(&journal).await);
    assert_eq!(drain(&journal, 3, ALL).await, sent);
    assert_eq!(journal.held(), Held::default());
    assert_eq!(files(&spill, ENDING), Vec::<PathBuf>::new());
    // It can be used again.
    journal.append(2_000, b"again").await.unwrap();
    assert_eq!(drain(&journal, 3, 1).await, ["again"]);
}

#[tokio::test]
async fn records_larger_than_a_look_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), Bounds::default());
    let sent = ["a".repeat(70_000), "b".to_owned(), "c".repeat(9_000)];
    for text in &sent {
        journal.append(1, text.as_bytes()).await.unwrap();
    }
    assert_eq!(drain(&journal, 10, 16).await, sent);
}

#[tokio::test]
async fn what_a_dead_process_left_is_taken_over_and_what_a_living_one_has_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let living = open(folder.path(), Bounds::default());
    living.append(1, b"mine").await.unwrap();
    let other = open(folder.path(), Bounds::default());
    assert!(!other.has_adopted());
    assert_eq!(texts(&other).await, Vec::<String>::new());
    let left = crashed(folder.path());
    let next = open(left.path(), Bounds::default());
    assert!(next.has_adopted());
    next.append(2, b"new").await.unwrap();
    assert_eq!(look(left.path()).unwrap().records, 2);
    assert_eq!(drain(&next, 10, ALL).await, ["mine", "new"]);
    assert_eq!(files(left.path(), ENDING), Vec::<PathBuf>::new());
    // A file that appears later is found by a later look.
    for path in files(folder.path(), ENDING) {
        fs::copy(&path, left.path().join(path.file_name().unwrap())).unwrap();
    }
    assert_eq!(next.adopt().unwrap(), 1);
    assert_eq!(next.adopt().unwrap(), 0);
    assert_eq!(drain(&next, 10, ALL).await, ["mine"]);
}

#[tokio::test]
async fn a_torn_end_is_no_record_wherever_it_was_torn() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), Bounds::default());
    for text in ["one", "two"] {
        journal.append(1, text.as_bytes()).await.unwrap();
    }
    let path = files(folder.path(), ENDING).remove(0);
    let whole = fs::read(&path).unwrap();
    let second = whole.len() / 2;
    for cut in 0..whole.len() {
        let left = tempfile::tempdir().unwrap();
        fs::write(left.path().join("1.journal"), &whole[..cut]).unwrap();
        let expected: &[&str] = if cut < second { &[] } else { &["one"] };
        let next = open(left.path(), Bounds::default());
        assert_eq!(drain(&next, 10, ALL).await, expected, "cut at {cut}");
        assert_eq!(fs::read_dir(left.path()).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn behind_bytes_that_went_bad_records_are_still_found_and_the_file_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), Bounds::default());
    for text in ["one", "two", "three"] {
        journal.append(1, text.as_bytes()).await.unwrap();
    }
    let path = files(folder.path(), ENDING).remove(0);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.windows(3).position(|three| three == b"two").unwrap();
    bytes[middle] ^= 4;
    let left = tempfile::tempdir().unwrap();
    fs::write(left.path().join("1.journal"), bytes).unwrap();
    let next = open(left.path(), Bounds::default());
    assert_eq!(drain(&next, 10, ALL).await, ["one", "three"]);
    assert_eq!(files(left.path(), DAMAGED).len(), 1);
    assert_eq!(look(left.path()).unwrap().damaged, 1);
}

#[tokio::test]
async fn no_record_goes_beyond_the_bound_and_there_is_room_again_after() {
    let folder = tempfile::tempdir().unwrap();
    let bounds = Bounds {
        most: 400,
        segment: 100,
    };
    let journal = open(folder.path(), bounds);
    let mut kept = 0;
    let refused = loop {
        match journal.append(1, b"thirty bytes of something more").await {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 20);
    };
    assert!(matches!(refused, JournalError::Full { most: 400 }));
    assert!(journal.held().bytes <= 400);
    assert_eq!(drain(&journal, 1, ALL).await.len(), kept);
    journal.append(1, b"more").await.unwrap();
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_keeps_nothing_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let in_the_way = folder.path().join("file");
    fs::write(&in_the_way, "").unwrap();
    let journal = open(&in_the_way.join("spill"), Bounds::default());
    let refused = journal.append(1, b"x").await;
    assert!(matches!(refused, Err(JournalError::Io(_))), "{refused:?}");
    assert_eq!(journal.held(), Held::default());
}

#[tokio::test]
async fn many_who_wait_are_all_kept_while_others_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let bounds = Bounds {
        segment: 1_000,
        ..Bounds::default()
    };
    let journal = open(folder.path(), bounds);
    let writing: Vec<_> = (0..300)
        .map(|n| {
            let journal = journal.clone();
            tokio::spawn(async move { journal.append(n, format!("{n}").as_bytes()).await })
        })
        .collect();
    let mut found = Vec::new();
    for task in writing {
        found.extend(drain(&journal, 7, ALL).await);
        task.await.unwrap().unwrap();
    }
    found.extend(drain(&journal, 7, ALL).await);
    let mut numbers: Vec<u32> = found.iter().map(|text| text.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..300).collect::<Vec<u32>>());
    assert_eq!(files(folder.path(), ENDING), Vec::<PathBuf>::new());
}
