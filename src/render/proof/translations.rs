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
    let model_links = links(model, &tags);
    let model_names = names(model);
    for (own_locale, sheet) in by_locale {
        if own_locale == first_locale {
            continue;
        }
        let start = sheet.body.start.min(sheet.source.len());
        let line = sheet.source[start..]
            .find('\n')
            .map_or(sheet.source.len(), |end| start + end);
        let own = links(sheet, &tags);
        for (_, (href, _)) in model_links
            .iter()
            .filter(|(key, _)| !own.contains_key(*key))
        {
            problems.push(
                Diagnostic::new(
                    "W255",
                    sheet.path,
                    start..line,
                    format!(
                        "this translation does not lead to {href}, and {} does",
                        model.path
                    ),
                )
                .help("readers of one language would miss what others get")
                .help("add the link, or take it out of both"),
            );
        }
        for (_, (href, span)) in own
            .iter()
            .filter(|(key, _)| !model_links.contains_key(*key))
        {
            problems.push(
                Diagnostic::new(
                    "W255",
                    sheet.path,
                    span.clone(),
                    format!("{} does not lead to {href}", model.path),
                )
                .help("readers of one language would get what others miss")
                .help("write the same address in both, or add it there"),
            );
        }
        let own = names(sheet);
        for (name, _) in model_names
            .iter()
            .filter(|(name, _)| !own.contains_key(*name))
        {
            problems.push(
                Diagnostic::new(
                    "W256",
                    sheet.path,
                    start..line,
                    format!(
                        "this translation does not name `{name}`, and {} does",
                        model.path
                    ),
                )
                .help("readers of one language would not be told what others are"),
            );
        }
        for (name, span) in own
            .iter()
            .filter(|(name, _)| !model_names.contains_key(*name))
        {
            problems.push(
                Diagnostic::new(
                    "W256",
                    sheet.path,
                    span.clone(),
                    format!("{} does not name `{name}`", model.path),
                )
                .help("readers of one language would be told what others are not"),
            );
        }
    }
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

/// The names of the shop that a mail prints or asks for, with their first place.
fn names(sheet: &Sheet<'_>) -> BTreeMap<String, std::ops::Range<usize>> {
    let mut found = BTreeMap::new();
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
            found
                .entry(word.to_owned())
                .or_insert(hole.start + at..hole.start + at + word.len());
        }
    }
    found
}
