//! One file of a journal: made, locked, found again, read, put away.

use super::frame::{self, HEAD, Record};
use super::{DAMAGED, ENDING, Held};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// How often a name that is taken is followed by another.
const NAMES: usize = 16;

/// A file that this process holds the lock of.
#[derive(Debug)]
pub(super) struct Segment {
    pub path: PathBuf,
    /// The lock is on it, and ends with it.
    pub file: File,
    /// Whether this process writes it.
    pub own: bool,
    /// Nothing more is put into it.
    pub sealed: bool,
    /// Some of its bytes went bad.
    pub damaged: bool,
    /// Where what is on disk ends.
    pub length: u64,
    /// Up to here everything is kept elsewhere.
    pub read: u64,
    /// Records between the two.
    pub records: u64,
    /// When the first of them came.
    pub oldest: Option<i64>,
}

impl Segment {
    /// Makes a new one, and makes sure that its name is on disk too.
    pub fn make(folder: &Path, at: i64) -> io::Result<Segment> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        make_folder(folder)?;
        for _ in 0..NAMES {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("{at:014}-{:08}-{count:06}.{ENDING}", std::process::id());
            let path = folder.join(name);
            let file = match private(OpenOptions::new().read(true).write(true).create_new(true))
                .open(&path)
            {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            };
            if file.try_lock().is_err() {
                // Somebody who looked for what is left was quicker, and will remove it.
                continue;
            }
            File::open(folder)?.sync_all()?;
            return Ok(Segment {
                path,
                file,
                own: true,
                sealed: false,
                damaged: false,
                length: 0,
                read: 0,
                records: 0,
                oldest: None,
            });
        }
        Err(io::Error::other("every name for a new file is taken"))
    }

    /// Removes it, or keeps it for a human where bytes of it went bad.
    pub fn dispose(self) -> io::Result<()> {
        if self.damaged {
            fs::rename(&self.path, self.path.with_extension(DAMAGED))
        } else {
            fs::remove_file(&self.path)
        }
    }
}

fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    match folder
        .parent()
        .filter(|above| !above.as_os_str().is_empty())
    {
        Some(above) => File::open(above)?.sync_all(),
        None => Ok(()),
    }
}

/// For the service's user alone: records hold what customers bought.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Puts bytes at a place, and waits until they are on disk.
pub(super) fn put(file: &mut File, place: u64, bytes: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(place))?;
    file.write_all(bytes)?;
    file.sync_data()
}

/// The files of a folder with our ending, oldest first; none where there is no folder.
fn all(folder: &Path, ending: &str) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == ending) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Locks the files that nobody else has the lock of.
pub(super) fn left(folder: &Path, known: impl Fn(&Path) -> bool) -> io::Result<Vec<Segment>> {
    let mut left = Vec::new();
    for path in all(folder, ENDING)? {
        if known(&path) {
            continue;
        }
        let file = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            // Its owner has just removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        // Somebody who lives has it, or it was removed between opening and locking.
        if file.try_lock().is_err() || !path.exists() {
            continue;
        }
        let length = file.metadata()?.len();
        let (records, oldest) = count(&file, length)?;
        left.push(Segment {
            path,
            file,
            own: false,
            sealed: true,
            damaged: false,
            length,
            read: 0,
            records,
            oldest,
        });
    }
    Ok(left)
}

/// How many records a file seems to hold, and when the first came, by the heads alone.
fn count(mut file: &File, length: u64) -> io::Result<(u64, Option<i64>)> {
    let (mut place, mut records, mut oldest) = (0, 0, None);
    while place + HEAD as u64 <= length {
        file.seek(SeekFrom::Start(place))?;
        let mut bytes = [0; HEAD];
        file.read_exact(&mut bytes)?;
        let Some(head) = frame::head(&bytes) else {
            break;
        };
        place += (HEAD + head.length) as u64;
        if place > length {
            break;
        }
        records += 1;
        oldest = oldest.or(Some(head.at));
    }
    Ok((records, oldest))
}

/// What all files hold, without a lock: a reader's look.
pub(super) fn look(folder: &Path) -> io::Result<Held> {
    let mut held = Held {
        damaged: all(folder, DAMAGED)?.len() as u64,
        ..Held::default()
    };
    for path in all(folder, ENDING)? {
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let length = file.metadata()?.len();
        let (records, oldest) = count(&file, length)?;
        held.records += records;
        held.bytes += length;
        held.oldest = held.oldest.or(oldest);
    }
    Ok(held)
}

/// What was found in a part of a file.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub records: Vec<Record>,
    /// Up to where it was read.
    pub place: u64,
    /// Bytes between records are none.
    pub damaged: bool,
    /// The file ends in the midst of a record.
    pub torn: bool,
}

/// Reads records from a place on, so many and so many bytes at most, one record apart.
pub(super) fn read(
    path: &Path,
    from: u64,
    to: u64,
    records: usize,
    bytes: usize,
) -> io::Result<Found> {
    let mut file = File::open(path)?;
    let rest = to.saturating_sub(from);
    let mut window = rest.min(bytes as u64);
    loop {
        let whole = window == rest;
        let mut buffer = vec![0; usize::try_from(window).map_err(io::Error::other)?];
        file.seek(SeekFrom::Start(from))?;
        file.read_exact(&mut buffer)?;
        let found = records_in(&buffer, records, whole);
        match found {
            Some(mut found) => {
                found.place += from;
                return Ok(found);
            }
            // The first record, or the end of damage, lies beyond: look at more.
            None => window = (window * 2).max(HEAD as u64).min(rest),
        }
    }
}

/// The records in a buffer; `None` where nothing can be said without more of the file.
fn records_in(buffer: &[u8], most: usize, whole: bool) -> Option<Found> {
    let mut found = Found::default();
    let mut place = 0;
    while found.records.len() < most && place < buffer.len() {
        if let Some((record, length)) = frame::unframe(&buffer[place..]) {
            found.records.push(record);
            place += length;
            continue;
        }
        if !whole && !found.records.is_empty() {
            // The next time begins here, with more in sight.
            break;
        }
        if !whole {
            return None;
        }
        match frame::next(buffer, place) {
            Some(next) => {
                found.damaged = true;
                place = next;
            }
            None => {
                found.torn = true;
                place = buffer.len();
            }
        }
    }
    found.place = place as u64;
    Some(found)
}
