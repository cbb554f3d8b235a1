//! The words of a mail, in the page and in the text part: that there are any, that a text
//! part written by hand holds no markup and leads to the same places.

use super::super::markup::{Part, parts};
use super::sheet::Sheet;
use crate::model::diagnostic::Diagnostic;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Longest line of a mail, in bytes, without its end (RFC 5322, 2.1.1).
const LONGEST_LINE: usize = 998;

/// Looks at one mail in all its languages; `texts` holds the text parts, by language.
pub fn check(
    by_locale: &BTreeMap<&str, &Sheet<'_>>,
    texts: &BTreeMap<&str, &Sheet<'_>>,
    problems: &mut Vec<Diagnostic>,
) {
    for (locale, sheet) in by_locale {
        let seen = &sheet.seen;
        if !seen.says {
            let place = sheet.body.start..sheet.body.start;
            problems.push(
                Diagnostic::new("E257", sheet.path, place, "this mail says nothing")
                    .help("customers would get an empty page")
                    .help("write it below the head"),
            );
            continue;
        }
        let Some(own) = texts.get(locale) else {
            continue;
        };
        if own.source.trim().is_empty() {
            problems.push(
                Diagnostic::new("E257", own.path, 0..0, "this text part says nothing")
                    .help("readers whose program shows text alone would get an empty mail")
                    .help(format!(
                        "write it, or delete the file: then it is made from {}",
                        sheet.path
                    )),
            );
            continue;
        }
        leftovers(own, problems);
        long_lines(own, problems);
        let missing: BTreeSet<&str> = seen
            .links
            .iter()
            .map(|link| sheet.at(&link.href).trim())
            .filter(|href| !href.is_empty())
            .filter(|href| {
                let name = href.trim_matches(['{', '}', '~', ' ']);
                let bare = href
                    .trim_start_matches("mailto:")
                    .trim_start_matches("tel:");
                !own.source.contains(bare)
                    && !own.source.contains(name.rsplit(' ').next().unwrap_or(name))
            })
            .collect();
        for href in missing {
            problems.push(
                Diagnostic::new(
                    "W258",
                    own.path,
                    0..0,
                    format!(
                        "this text part does not lead to {href}, and the page in \"{locale}\" does"
                    ),
                )
                .help("who reads the text alone could not go there")
                .help("write the address into the text"),
            );
        }
    }
}

/// Markup that would be read as words.
fn leftovers(own: &Sheet<'_>, problems: &mut Vec<Diagnostic>) {
    let mut told = |span: Range<usize>, what: &str| {
        problems.push(
            Diagnostic::new(
                "W257",
                own.path,
                span,
                format!("{what} would be read as words"),
            )
            .help("a text part is shown as it is")
            .help("write plain words"),
        );
    };
    for part in parts(&own.masked.text, 0..own.source.len()) {
        if let Part::Tag(tag) = part
            && !tag.name.contains(':')
        {
            told(tag.span, "this tag");
        }
    }
    let mut at = 0;
    for line in own.masked.text.split_inclusive('\n') {
        let words = line.trim_start();
        let lead = at + line.len() - words.len();
        if words.starts_with('#') && words.trim_start_matches('#').starts_with(' ') {
            told(lead..lead + words.trim_end().len(), "this Markdown heading");
        }
        if let Some(hit) = line.find("](") {
            let end = line[hit..]
                .find(')')
                .map_or(line.len(), |end| hit + end + 1);
            let start = line[..hit].rfind('[').unwrap_or(hit);
            told(at + start..at + end, "this Markdown link");
        }
        if let Some(hit) = line.find("**") {
            told(at + hit..at + hit + 2, "this Markdown emphasis");
        }
        at += line.len();
    }
}

fn long_lines(own: &Sheet<'_>, problems: &mut Vec<Diagnostic>) {
    let mut at = 0;
    for line in own.source.split_inclusive('\n') {
        // Lines are folded at spaces; a word is not.
        if let Some(word) = line
            .split_whitespace()
            .find(|word| word.len() > LONGEST_LINE)
        {
            let start = at + line.find(word).unwrap_or(0);
            problems.push(
                Diagnostic::new("W257", own.path, start..start + word.len(), format!("this word is longer than the {LONGEST_LINE} bytes that a line of mail may have"))
                    .help("mail programs would show signs of encoding in it"),
            );
        }
        at += line.len();
    }
}
