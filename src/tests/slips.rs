//! Slips of the pen in the shipped shop's templates: names misspelt, braces lost, blocks
//! left open, wherever they stand. Each must be told on its own line of its own file.

use aftercare::engine::reload;
use aftercare::files;
use aftercare::model::diagnostic::position;
use std::collections::BTreeSet;
use std::path::Path;

/// The tags of a text, as byte ranges.
fn tags(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find("{{").map(|hit| at + hit) {
        let Some(end) = text[start..].find("}}").map(|hit| start + hit + 2) else {
            break;
        };
        let end = if text[end..].starts_with('}') {
            end + 1
        } else {
            end
        };
        found.push(start..end);
        at = end;
    }
    found
}

/// What may happen to a tag while somebody types.
fn slips(tag: &str) -> Vec<(&'static str, String)> {
    let mut found = vec![
        ("an opening brace lost", tag.replacen("{{", "{", 1)),
        ("a closing brace lost", tag[..tag.len() - 1].to_owned()),
        (
            "both opening braces lost",
            tag.trim_start_matches('{').to_owned(),
        ),
    ];
    // A letter lost in each name.
    let mut from = 0;
    let mut quoted = false;
    for word in
        tag.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '@')))
    {
        let name = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        if !quoted && name.contains('.') {
            let start = from + name.rfind('.').unwrap_or(0) + 2;
            if start < from + name.len() {
                found.push((
                    "a letter lost",
                    format!("{}{}", &tag[..start], &tag[start + 1..]),
                ));
            }
        }
        quoted ^= word.ends_with('"');
        from += word.len();
    }
    found
}

/// Most problems that a file may look like that was cut off or cannot be read.
const FEW: usize = 2;

/// Files that many mails share, and one of each other sort.
fn is_shared(path: &str) -> bool {
    path.starts_with("templates/layouts")
        || path.starts_with("templates/partials") && path.contains(".en.")
        || path == "templates/strings/en.ftl"
        || path == "templates/mail/fulfilment/placed.en.md"
}

#[test]
fn a_file_that_is_cut_off_looks_like_one_slip() {
    let (shop, _) = files::read(Path::new(env!("CARGO_MANIFEST_DIR")));
    let mut wrong = Vec::new();
    let mut told = 0;
    for (at, (path, text)) in shop.iter().enumerate() {
        if !is_shared(path) {
            continue;
        }
        for (part, of) in [(1, 2), (4, 5)] {
            let mut cut = text.len() * part / of;
            while !text.is_char_boundary(cut) {
                cut -= 1;
            }
            let mut files = shop.clone();
            files[at].1.truncate(cut);
            let problems = reload::check(files, Vec::new()).problems;
            told += usize::from(!problems.is_empty());
            let elsewhere = problems.first().is_some_and(|first| first.file != *path);
            if problems.len() > FEW || elsewhere {
                wrong.push(format!("{path} at {cut}: {problems:#?}"));
            }
        }
    }
    assert!(told > 10, "{told}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_file_in_another_encoding_is_one_problem_that_says_so() {
    let (shop, _) = files::read(Path::new(env!("CARGO_MANIFEST_DIR")));
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in &shop {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let units = |text: &str, big: bool, mark: bool| -> Vec<u8> {
        let mark = mark.then_some(0xfeff);
        let all = mark.into_iter().chain(text.encode_utf16());
        all.flat_map(|unit| {
            if big {
                unit.to_be_bytes()
            } else {
                unit.to_le_bytes()
            }
        })
        .collect()
    };
    let sorts = [
        "config/store.toml",
        "config/people.toml",
        "config/catalog.toml",
        "config/catalog.json",
        "config/sequences/refund.toml",
        "templates/layouts/default.mjml",
        "templates/partials/greeting.en.hbs",
        "templates/strings/en.ftl",
        "templates/mail/dslr/basics.en.md",
        "templates/mail/dslr/basics.ja.md",
    ];
    let mut reader = reload::Reader::default();
    for (number, name) in sorts.iter().enumerate() {
        let (_, text) = shop.iter().find(|(path, _)| path == name).unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, units(text, number % 2 == 0, number % 3 == 0)).unwrap();
        let problems = reader.read(folder.path()).problems;
        assert_eq!(problems.len(), 1, "{name}: {problems:#?}");
        assert_eq!(problems[0].code, "E109");
        assert_eq!(problems[0].file, *name);
        assert!(problems[0].message.contains("UTF-16"), "{problems:#?}");
        assert!(problems[0].help.iter().any(|help| help.contains("UTF-8")));
        std::fs::write(&path, text).unwrap();
    }
}

#[test]
fn every_slip_in_a_tag_is_told_on_its_line() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (shop, _) = files::read(root);
    let mut seen = BTreeSet::new();
    let (mut tried, mut missed) = (0, Vec::new());
    for (at, (path, text)) in shop.iter().enumerate() {
        let mine = path.starts_with("templates/layouts/default")
            || (path.starts_with("templates/partials") || path.starts_with("templates/mail"))
                && path.contains(".en.");
        if !mine {
            continue;
        }
        for span in tags(text) {
            let tag = &text[span.clone()];
            // Each sort of tag once in heads and once in bodies.
            let place = text[span.end..].matches("\n+++").count();
            if !seen.insert((tag.to_owned(), place, path.ends_with("mjml"))) {
                continue;
            }
            for (what, slip) in slips(tag) {
                let mut files = shop.clone();
                files[at].1 = format!("{}{slip}{}", &text[..span.start], &text[span.end..]);
                let (line, _) = position(&files[at].1, span.start);
                let problems = reload::check(files.clone(), Vec::new()).problems;
                tried += 1;
                let told = problems.iter().any(|one| {
                    one.file == *path && position(&files[at].1, one.span.start).0 == line
                });
                if !told {
                    let said: Vec<String> =
                        problems.iter().take(3).map(ToString::to_string).collect();
                    missed.push(format!("{path}:{line}: {what}: {slip}: {said:?}"));
                }
            }
        }
    }
    assert!(tried > 200, "only {tried} slips were tried");
    assert!(
        missed.is_empty(),
        "{} of {tried}:\n{}",
        missed.len(),
        missed.join("\n")
    );
}
