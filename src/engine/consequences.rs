//! Which problems only follow from another one: a slip in a layout makes each of its mails
//! lack an address, a misspelt name makes a translation differ. One mistake must not look
//! like many. It must never take away the last error of a set of files.

use crate::model::diagnostic::{Diagnostic, Severity};
use std::collections::BTreeSet;

const MAILS: &str = "templates/mail/";
const SHARED: [&str; 3] = ["/layouts/", "/partials/", "/strings/"];
const SEQUENCES: &str = "config/sequences/";

/// Takes out what follows from errors elsewhere.
pub fn settle(problems: &mut Vec<Diagnostic>) {
    let causes: Vec<&Diagnostic> = problems
        .iter()
        .filter(|one| one.severity() == Severity::Error && !is_lack(one))
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
    let feed = causes.iter().any(|one| matches!(one.code, "E160" | "E161"));
    let sequences = causes.iter().any(|one| one.file.starts_with(SEQUENCES));
    problems.retain(|one| {
        let own = mail(&one.file).is_some_and(|mail| mails.contains(mail));
        match one.code {
            // The translations of a mail are compared when each can be read.
            "W255" | "W256" => !(own || shared),
            // A file that cannot be read is not missing.
            "E210" => !unread.contains(&one.file),
            // Nor are products that stand in a feed that cannot be read.
            "W135" | "W136" => !feed,
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
