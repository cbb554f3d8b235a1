//! The house is what its picture says: arrows go down only, trades and hands know
//! nothing of each other, and below the waterline nothing reads the world.

use std::path::{Path, PathBuf};

/// Floors from the ground up; the modules of one floor do not use each other.
const FLOORS: [&[&str]; 8] = [
    &["model"],
    &["sequence", "state", "ingest", "render", "links", "config"],
    &["plan", "lint"],
    &["trust"],
    &[
        "store",
        "mail",
        "client",
        "journal",
        "files",
        "clock",
        "telemetry",
    ],
    &["engine"],
    &["web", "consume"],
    &["cli"],
];
/// The first floor above the waterline.
const WATERLINE: usize = 3;
/// What reads the world.
const WORLD: [&str; 9] = [
    "tokio::",
    "sqlx::",
    "std::fs",
    "std::env",
    "TcpStream",
    "getrandom",
    "Timestamp::now",
    "SystemTime",
    "Instant::now",
];

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The part of a file before its tests, without comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split("#[cfg(test)]")
        .next()
        .unwrap_or_default()
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
}

/// Modules named after `crate::` in a line.
fn named(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::").skip(1).map(|rest| {
        let end = rest
            .find(|c: char| !c.is_ascii_lowercase() && c != '_')
            .unwrap_or(rest.len());
        &rest[..end]
    })
}

#[test]
fn arrows_go_down_only_and_nothing_below_the_waterline_reads_the_world() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let (mut wrong, mut arrows) = (Vec::new(), 0);
    for path in files {
        let place = path
            .strip_prefix(&root)
            .expect("inside")
            .to_string_lossy()
            .into_owned();
        let module = place.split(['/', '.']).next().unwrap_or_default();
        let is_test = place.contains("tests") || place.ends_with("fixtures.rs");
        let Some(own) = floor(module).filter(|_| !is_test) else {
            continue;
        };
        let text = std::fs::read_to_string(&path).expect("a text");
        for (number, line) in code(&text).enumerate() {
            for other in named(line) {
                let Some(its) = floor(other).filter(|_| other != module) else {
                    continue;
                };
                arrows += 1;
                if its >= own {
                    wrong.push(format!("{place}:{}: {module} uses {other}", number + 1));
                }
            }
            if own < WATERLINE && WORLD.iter().any(|word| line.contains(word)) {
                wrong.push(format!(
                    "{place}:{}: reads the world: {}",
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    assert!(arrows > 200, "only {arrows} arrows were seen");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
