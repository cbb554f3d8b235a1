//! Which problems only follow from another one: a slip in a layout makes each of its mails
//! lack an address, a misspelt name makes a translation differ. One mistake must not look
//! like many. It must never take away the last error of a set of files.

use crate::model::diagnostic::{Diagnostic, Severity};
use std::collections::BTreeSet;

const MAILS: &str = "templates/mail/";
const STRINGS: &str = "/strings/";
const SHARED: [&str; 3] = ["/layouts/", "/partials/", STRINGS];
const CATALOG: &str = "config/catalog.toml";
/// How messages on what is not there begin.
const NO_LAYOUT: &str = "there is no layout ";
const NO_PARTIAL: &str = "there is no partial ";
const SEQUENCES: &str = "config/sequences/";

/// What is wrong with an allowance: no cause of anything.
const ALLOWANCES: [&str; 3] = ["E163", "E164", "E165"];
/// What keeps a file of words, or a part of it, from being read.
const WORDS_UNREAD: [&str; 5] = ["E109", "E260", "E261", "E266", "E268"];

/// Takes out what follows from errors elsewhere. What files allow must be out already: an
/// error that is allowed explains nothing.
pub fn settle(problems: &mut Vec<Diagnostic>) {
    let causes: Vec<&Diagnostic> = problems
        .iter()
        .filter(|one| one.severity() == Severity::Error && !is_lack(one))
        .filter(|one| !ALLOWANCES.contains(&one.code))
        .collect();
    let shared = causes.iter().any(|one| {
        one.file.starts_with("templates/") && SHARED.iter().any(|part| one.file.contains(part))
    });
    let mails: BTreeSet<String> = causes
        .iter()
        .filter_map(|one| mail(&one.file).map(str::to_owned))
        .collect();
    let unread: BTreeSet<String> = causes
        .iter()
        .filter(|one| one.code == "E109")
        .map(|one| one.file.clone())
        .collect();
    let unworded = causes.iter().any(|one| {
        one.file.starts_with("templates/")
            && one.file.contains(STRINGS)
            && WORDS_UNREAD.contains(&one.code)
    });
    let is_unread = |part: &str| unread.iter().any(|file| file.contains(part));
    let catalogue = unread
        .iter()
        .any(|file| file == CATALOG || file.starts_with("config/") && file.ends_with(".json"));
    // What a template prints that cannot be read, nobody knows.
    let silent = causes
        .iter()
        .any(|one| one.file.starts_with("templates/") && !one.file.contains(STRINGS));
    let sequences = causes.iter().any(|one| one.file.starts_with(SEQUENCES));
    problems.retain(|one| {
        let own = mail(&one.file).is_some_and(|mail| mails.contains(mail));
        match one.code {
            // The translations of a mail are compared when each can be read.
            "W255" | "W256" => !(own || shared),
            // A file that cannot be read is not missing.
            "E210" | "E262" => !unread.contains(&one.file),
            "E107" => !unread.iter().any(|file| one.message.contains(file)),
            "E212" => !(is_unread("/layouts/") && one.message.starts_with(NO_LAYOUT)),
            "E206" => !(is_unread("/partials/") && one.message.starts_with(NO_PARTIAL)),
            "W135" => !catalogue,
            "W261" => !silent,
            // Nor is wording that cannot be read.
            "E211" => !unworded,
            "W503" | "W504" => !sequences,
            _ if is_lack(one) => !(own || shared),
            _ => true,
        }
    });
}

/// Whether it says of a mail and all that it is laid in that something is not there.
fn is_lack(one: &Diagnostic) -> bool {
    matches!(one.code, "E208" | "E310" | "E311") && one.span == (0..0)
}

/// The mail of a file, without its language.
fn mail(file: &str) -> Option<&str> {
    let (_, name) = file.split_once(MAILS.trim_start_matches("templates/"))?;
    name.split('.').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(found: &[(&'static str, &str, usize)]) -> Vec<&'static str> {
        let mut problems: Vec<Diagnostic> = found
            .iter()
            .map(|(code, file, at)| Diagnostic::new(code, *file, *at..*at, "x"))
            .collect();
        settle(&mut problems);
        problems.iter().map(|one| one.code).collect()
    }

    #[test]
    fn what_follows_from_a_slip_is_not_told() {
        let mail = "templates/mail/a/b.en.md";
        let other = "templates/mail/a/b.de.md";
        assert_eq!(
            left(&[
                ("E203", "templates/layouts/default.mjml", 9),
                ("E208", mail, 0),
                ("E310", mail, 0)
            ]),
            ["E203"]
        );
        assert_eq!(left(&[("E203", mail, 9), ("W256", other, 5)]), ["E203"]);
        assert_eq!(
            left(&[("E104", "config/sequences/a.toml", 9), ("W503", mail, 0)]),
            ["E104"]
        );
    }

    #[test]
    fn words_that_cannot_be_read_are_not_missing() {
        let words = "templates/strings/en.ftl";
        let layout = "templates/layouts/default.mjml";
        assert_eq!(
            left(&[("E260", words, 3), ("E211", layout, 9)]),
            ["E260"],
            "the line that cannot be read may hold them"
        );
        assert_eq!(
            left(&[("E262", words, 0), ("E211", layout, 9)]),
            ["E262", "E211"]
        );
    }

    #[test]
    fn what_is_wrong_with_an_allowance_explains_nothing() {
        let mail = "templates/mail/a/b.en.md";
        assert_eq!(
            left(&[("E163", mail, 4), ("E208", mail, 0), ("W256", mail, 5)]),
            ["E163", "E208", "W256"]
        );
    }

    #[test]
    fn what_stands_alone_is_told() {
        let mail = "templates/mail/a/b.en.md";
        assert_eq!(
            left(&[("E208", mail, 0), ("W256", mail, 5), ("W503", mail, 0)]),
            ["E208", "W256", "W503"]
        );
        // A link in a fulfilment mail is a mistake of its own.
        assert_eq!(
            left(&[("E203", mail, 3), ("E208", mail, 20)]),
            ["E203", "E208"]
        );
        let other = "templates/mail/a/c.en.md";
        assert_eq!(
            left(&[("E203", other, 3), ("W256", mail, 5)]),
            ["E203", "W256"]
        );
    }
}
