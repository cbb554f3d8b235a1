//! What was left in words by other services and by haste: merge tags in their brackets, and
//! the two sides of a merge that nobody settled. A customer would read them. It only reads
//! texts between tags, and lets alone what could be meant.

use super::foreign::{FOREIGN, Refusal};
use crate::model::diagnostic::Diagnostic;
use std::ops::Range;

/// Brackets of merge tags, and whether the name must be in capitals: `%NAME%` is one, and
/// `100%` of a thing and 50% of another are none.
const BRACKETS: [(&str, &str, bool); 4] = [
    ("%%", "%%", false),
    ("%", "%", true),
    ("[[", "]]", false),
    ("<<", ">>", false),
];
/// Longest name of a merge tag, in bytes.
const LONGEST: usize = 40;

/// Names that are asked for in all services, by parts of their words, and ours.
const NAMES: [(&str, &str); 10] = [
    ("fname", "{{default customer.first_name \"…\"}}"),
    ("firstname", "{{default customer.first_name \"…\"}}"),
    ("lname", "{{default customer.last_name \"…\"}}"),
    ("lastname", "{{default customer.last_name \"…\"}}"),
    ("email", "{{customer.email}}"),
    ("unsub", "{{links.unsubscribe}}"),
    (
        "ordernumber",
        "{{#if order.order_number}}{{order.order_number}}{{/if}}",
    ),
    (
        "ordername",
        "{{#if order.order_number}}{{order.order_number}}{{/if}}",
    ),
    ("shopname", "{{shop.name}}"),
    ("name", "{{default customer.first_name \"…\"}}"),
];

/// Merge tags of other services in a text between tags.
pub fn merge_tags(text: &str) -> Vec<(Range<usize>, Refusal)> {
    let mut found: Vec<(Range<usize>, Refusal)> = Vec::new();
    for (open, close, capitals) in BRACKETS {
        for (at, _) in text.match_indices(open) {
            let from = at + open.len();
            let rest = text.get(from..).unwrap_or_default();
            let Some(length) = rest.find(close).filter(|length| *length <= LONGEST) else {
                continue;
            };
            let name = &rest[..length];
            let span = at..from + length + close.len();
            let apart = found
                .iter()
                .all(|(had, _)| had.end <= at || had.start >= span.end);
            if apart && is_name(name, capitals) {
                found.push((span.clone(), refused(&text[span], name)));
            }
        }
    }
    found.extend(in_braces(text));
    found.extend(in_capitals(text));
    found
}

/// `{first_name}`, which is no name of ours: it would be printed with its brace.
fn in_braces(text: &str) -> Vec<(Range<usize>, Refusal)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices('{') {
        let rest = &text[at + 1..];
        let around = text[..at].ends_with('{') || rest.starts_with('{');
        let Some(length) = rest.find('}').filter(|length| *length <= LONGEST) else {
            continue;
        };
        let name = &rest[..length];
        let span = at..at + length + 2;
        let known = NAMES.iter().any(|(word, _)| flat(name).contains(word));
        let closed = !text[span.end..].starts_with('}');
        if !around && closed && is_name(name, false) && known {
            found.push((span.clone(), refused(&text[span], name)));
        }
    }
    found
}

/// `[FIRST NAME]`, which is no link.
fn in_capitals(text: &str) -> Vec<(Range<usize>, Refusal)> {
    /// Shortest such name: `[A]` may be a key on a keyboard.
    const SHORTEST: usize = 4;
    let mut found = Vec::new();
    for (at, _) in text.match_indices('[') {
        let rest = &text[at + 1..];
        let Some(length) = rest.find(']').filter(|length| *length <= LONGEST) else {
            continue;
        };
        let name = &rest[..length];
        let after = &rest[length + 1..];
        let capitals = name.len() >= SHORTEST
            && name
                .bytes()
                .all(|b| b.is_ascii_uppercase() || matches!(b, b' ' | b'_'))
            && name.bytes().any(|b| b.is_ascii_uppercase());
        let known = NAMES.iter().any(|(word, _)| flat(name).contains(word));
        let is_link =
            after.starts_with(['(', '[', ':', ']']) || text[..at].ends_with(['[', '!', ']']);
        if capitals && known && !is_link {
            let span = at..at + length + 2;
            found.push((span.clone(), refused(&text[span], name)));
        }
    }
    found
}

fn flat(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

fn is_name(name: &str, capitals: bool) -> bool {
    let fits = |b: u8| match capitals {
        true => b.is_ascii_uppercase() || b == b'_',
        false => b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'),
    };
    name.len() > 1
        && name.bytes().all(fits)
        && name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
}

fn refused(written: &str, name: &str) -> Refusal {
    let flat = flat(name);
    let ours = NAMES.iter().find(|(word, _)| flat.contains(word));
    Refusal {
        code: FOREIGN,
        message: format!("{written} is a merge tag of another service"),
        help: Some(match ours {
            Some((_, ours)) => format!("readers would see it as it is; write {ours}"),
            None => {
                "readers would see it as it is; write {{name}}, with a name that mails know".into()
            }
        }),
    }
}

/// The first mark of a merge that nobody settled, in a template.
pub fn unsettled(path: &str, text: &str) -> Option<Diagnostic> {
    let mut at = 0;
    let mut first = None;
    for line in text.split_inclusive('\n') {
        let mark = ["<<<<<<< ", ">>>>>>> "]
            .iter()
            .any(|mark| line.starts_with(mark));
        if mark {
            first.get_or_insert(at..at + line.trim_end().len());
        }
        at += line.len();
    }
    let span = first?;
    Some(
        Diagnostic::new(
            "E200",
            path,
            span,
            "two versions of this file were merged and not settled",
        )
        .help("customers would read both versions, and these marks between them")
        .help(
            "keep one version, and take out the lines that begin with <<<<<<<, ======= and >>>>>>>",
        ),
    )
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn merge_tags_of_other_services_are_told_with_what_to_write() {
        for (text, words, help) in [
            ("Hi %FIRSTNAME%!", "%FIRSTNAME%", "customer.first_name"),
            (
                "Hi %%first_name%%!",
                "%%first_name%%",
                "customer.first_name",
            ),
            (
                "Hi [[first-name]]!",
                "[[first-name]]",
                "customer.first_name",
            ),
            ("Hi <<FirstName>>!", "<<FirstName>>", "customer.first_name"),
            ("Hi {first_name}!", "{first_name}", "customer.first_name"),
            ("Hi [FIRST NAME]!", "[FIRST NAME]", "customer.first_name"),
            ("Bye [[UNSUB_LINK]]", "[[UNSUB_LINK]]", "links.unsubscribe"),
        ] {
            let found = merge_tags(text);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert_eq!(&text[found[0].0.clone()], words);
            assert!(found[0].1.help.as_deref().unwrap().contains(help), "{text}");
        }
        for fine in [
            "100% cotton, 50% off",
            "a [link](x), [NAMES](x), [ref][a], ![NAMES]",
            ".a { color: red } .b{margin:0}",
            "press [OK] or [ESC]",
            "1 << 2, a >> b",
            "{n} of {x}",
        ] {
            assert_eq!(merge_tags(fine), [], "{fine}");
        }
    }

    #[test]
    fn a_merge_that_nobody_settled_is_told_once() {
        let text = "Hello\n<<<<<<< HEAD\nA\n=======\nB\n>>>>>>> other\n";
        let one = unsettled("a.md", text).unwrap();
        assert_eq!(&text[one.span], "<<<<<<< HEAD");
        assert_eq!(unsettled("a.md", "Title\n=======\n> quote\n"), None);
    }
}
