//! The translations of one mail beside each other: each should lead where the first one
//! leads, and name what it names. What differs was often forgotten in an edit.

use super::sheet::Sheet;
use crate::model::diagnostic::Diagnostic;
use crate::model::locale;
use crate::model::names::{IN_MAILS, SHARED};
use std::collections::{BTreeMap, BTreeSet};

/// Compares each translation with that of the shop's first language, or with the first.
pub fn check(
    by_locale: &BTreeMap<&str, &Sheet<'_>>,
    locales: &[String],
    problems: &mut Vec<Diagnostic>,
) {
    let first = locales
        .iter()
        .find_map(|locale| by_locale.get_key_value(locale.as_str()))
        .or_else(|| by_locale.iter().next());
    let Some((first_locale, model)) = first else {
        return;
    };
    if by_locale.len() < 2 {
        return;
    }
    let tags: Vec<String> = by_locale
        .keys()
        .flat_map(|tag| [tag.to_lowercase(), locale::language(tag)])
        .collect();
    let others: Vec<&&Sheet<'_>> = (by_locale.iter())
        .filter(|(locale, _)| *locale != first_locale)
        .map(|(_, sheet)| sheet)
        .collect();
    let own: Vec<Places> = others.iter().map(|sheet| links(sheet, &tags)).collect();
    compare(&LINKS, model, &links(model, &tags), &others, &own, problems);
    let own: Vec<Places> = others.iter().map(|sheet| names(sheet)).collect();
    compare(&NAMES, model, &names(model), &others, &own, problems);
}

/// What translations are compared by, and how it is said.
struct Said {
    code: &'static str,
    /// "lead to", "name"
    does: &'static str,
    does_one: &'static str,
    missed: &'static str,
    more: &'static str,
    add: &'static str,
}

const LINKS: Said = Said {
    code: "W255",
    does: "lead to",
    does_one: "leads to",
    missed: "readers of one language would miss what others get",
    more: "readers of one language would get what others miss",
    add: "write the same address in all of them, or take it out",
};

const NAMES: Said = Said {
    code: "W256",
    does: "name",
    does_one: "names",
    missed: "readers of one language would not be told what others are",
    more: "readers of one language would be told what others are not",
    add: "write the same in all of them, or take it out",
};

/// Compares the mail in the first language with its translations. Where all of those agree
/// against it, it is the first that was changed: that is said once, and there.
fn compare(
    said: &Said,
    model: &Sheet<'_>,
    of_model: &Places,
    others: &[&&Sheet<'_>],
    own: &[Places],
    problems: &mut Vec<Diagnostic>,
) {
    let agree = others.len() > 1;
    let Said { does, does_one, .. } = said;
    for (key, (shown, span)) in of_model {
        let lacks = |of: &&Places| !of.contains_key(key);
        if agree && own.iter().all(|of| lacks(&of)) {
            problems.push(
                Diagnostic::new(
                    said.code,
                    model.path,
                    span.clone(),
                    format!("no translation of this mail {does_one} {shown}"),
                )
                .help(said.more)
                .help(said.add),
            );
            continue;
        }
        for (sheet, _) in others.iter().zip(own).filter(|(_, of)| lacks(of)) {
            let message = format!(
                "this translation does not {does} {shown}, and {} does",
                model.path
            );
            problems.push(
                Diagnostic::new(said.code, sheet.path, first_line(sheet), message)
                    .help(said.missed)
                    .help(said.add),
            );
        }
    }
    let strange: BTreeSet<&String> = (own.iter())
        .flat_map(Places::keys)
        .filter(|key| !of_model.contains_key(*key))
        .collect();
    for key in strange {
        let found = || own.iter().filter_map(|of| of.get(key));
        if agree
            && found().count() == others.len()
            && let Some((shown, _)) = found().next()
        {
            let message = format!("this mail does not {does} {shown}, and all its translations do");
            problems.push(
                Diagnostic::new(said.code, model.path, first_line(model), message)
                    .help(said.missed)
                    .help(said.add),
            );
            continue;
        }
        for (sheet, of) in others.iter().zip(own) {
            let Some((shown, span)) = of.get(key) else {
                continue;
            };
            problems.push(
                Diagnostic::new(
                    said.code,
                    sheet.path,
                    span.clone(),
                    format!("{} does not {does} {shown}", model.path),
                )
                .help(said.more)
                .help(said.add),
            );
        }
    }
}

/// The first line of a mail's words.
fn first_line(sheet: &Sheet<'_>) -> std::ops::Range<usize> {
    let start = sheet.body.start.min(sheet.source.len());
    let line = sheet.source[start..]
        .find('\n')
        .map_or(sheet.source.len(), |end| start + end);
    start..line
}

type Places = BTreeMap<String, (String, std::ops::Range<usize>)>;

/// The links of a mail by what is the same in every language: the address without its
/// host and without the language in its path.
fn links(sheet: &Sheet<'_>, tags: &[String]) -> Places {
    let mut found = Places::new();
    for link in &sheet.seen.links {
        let href = sheet.at(&link.href).trim();
        let path = href.split_once("//").map_or(href, |(_, rest)| {
            rest.split_once('/').map_or("", |(_, path)| path)
        });
        let key: Vec<&str> = path
            .split(['/', '?', '&', '='])
            .filter(|part| !part.is_empty() && !tags.contains(&part.to_lowercase()))
            .collect();
        found
            .entry(key.join("/"))
            .or_insert((href.to_owned(), link.href.clone()));
    }
    found
}

/// The names of the shop that a mail prints or asks for, as shown, with their first place.
fn names(sheet: &Sheet<'_>) -> Places {
    let mut found = Places::new();
    let tops: BTreeSet<&str> = IN_MAILS
        .iter()
        .chain(SHARED)
        .map(|field| field.name)
        .collect();
    for hole in &sheet.masked.holes {
        if hole.start < sheet.body.start {
            continue;
        }
        let tag = sheet.at(hole);
        let mut from = 0;
        for word in
            tag.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '"')))
        {
            let at = from;
            from += word.len() + 1;
            let top = word.split('.').next().unwrap_or_default();
            // How people are called, and how a shop names itself, differs by custom.
            if matches!(top, "customer" | "shop" | "sender" | "mail")
                || !word.contains('.')
                || !tops.contains(top)
            {
                continue;
            }
            found.entry(word.to_owned()).or_insert_with(|| {
                let start = hole.start + at;
                (format!("`{word}`"), start..start + word.len())
            });
        }
    }
    found
}
