//! A shop that is read again and again while somebody edits it: what is said of its files
//! is what is said of them when they are read for the first time.

use aftercare::engine::reload::{self, Reader};
use aftercare::files;
use std::path::Path;

/// How often the shop is edited.
const EDITS: usize = 40;

type Files = Vec<(String, String)>;

/// Numbers that look random and are the same on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

/// One save of somebody who writes, tries out and takes back.
fn edit(files: &mut Files, shipped: &Files, dice: &mut Dice) -> String {
    let at = dice.below(files.len());
    let (path, text) = &mut files[at];
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let line = dice.below(lines.len().max(1));
    let joined = |lines: Vec<String>| lines.join("\n") + "\n";
    let told = match dice.below(8) {
        0 => {
            let gone = files.remove(at).0;
            return format!("{gone} deleted");
        }
        1 => {
            *files = shipped.clone();
            return "everything taken back".to_owned();
        }
        2 => {
            let copy = (path.replacen('.', "-copy.", 1), text.clone());
            let told = format!("{} written", copy.0);
            files.push(copy);
            files.sort();
            return told;
        }
        3 => {
            let mut lines = lines;
            if line < lines.len() {
                lines.remove(line);
            }
            *text = joined(lines);
            "without a line"
        }
        4 => {
            let mut lines = lines;
            lines.insert(line, lines.get(line).cloned().unwrap_or_default());
            *text = joined(lines);
            "with a line twice"
        }
        5 => {
            *text = text.replacen("customer", "customers", 1);
            "with a name misspelt"
        }
        6 => {
            *text = text.replace("subject", "subjekt");
            "with a key misspelt"
        }
        _ => {
            let original = shipped.iter().find(|(had, _)| had == path);
            *text = original.map_or_else(String::new, |(_, text)| text.clone());
            "as it was"
        }
    };
    format!("{path} {told}")
}

#[test]
fn reading_again_says_what_reading_for_the_first_time_says() {
    let (shipped, problems) = files::read(Path::new(env!("CARGO_MANIFEST_DIR")));
    assert!(problems.is_empty(), "{problems:#?}");
    let mut files = shipped.clone();
    let mut reader = Reader::default();
    let mut dice = Dice(20_261_122);
    let mut story = Vec::new();
    let (mut good, mut bad) = (0, 0);
    for _ in 0..EDITS {
        story.push(edit(&mut files, &shipped, &mut dice));
        let again = reader.check(files.clone(), Vec::new());
        let first = reload::check(files.clone(), Vec::new());
        assert_eq!(again.problems, first.problems, "{story:#?}");
        assert_eq!(again.allowances, first.allowances, "{story:#?}");
        match (again.live, first.live) {
            (Some(again), Some(first)) => {
                good += 1;
                assert_eq!(again.catalog.version, first.catalog.version);
                assert_eq!(
                    format!("{:?}", again.catalog.sequences),
                    format!("{:?}", first.catalog.sequences),
                    "{story:#?}"
                );
            }
            (None, None) => bad += 1,
            (again, first) => panic!(
                "again {}, for the first time {}: {story:#?}",
                again.is_some(),
                first.is_some()
            ),
        }
    }
    assert!(good > 5 && bad > 5, "{good} good, {bad} bad: {story:#?}");
}
