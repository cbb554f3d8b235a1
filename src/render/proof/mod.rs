//! Proofreading: what readers would stumble over in a mail that is otherwise fine. Every
//! file is read once as it was written, with its tags masked, so that both sides of an
//! `{{#if}}` are seen, each problem stands in its place, and a part that many mails share
//! is told about once. It never renders and never decides what is sent.

mod addresses;
mod clients;
mod sheet;
mod style;
mod subjects;
mod translations;
mod words;

use super::markup::Masked;
use crate::model::cores;
use crate::model::diagnostic::Diagnostic;
use sheet::{Sheet, Sort};
use std::collections::BTreeMap;

/// What proofreading needs to know of the shop.
#[derive(Debug, Clone, Default)]
pub struct ProofPolicy {
    /// The shop's languages, the first one first.
    pub locales: Vec<String>,
    /// Where the shop is, if that is known; addresses that lead nowhere are fine in a
    /// shop that is an example itself.
    pub url: Option<String>,
    /// The mails of each sequence in the order of its steps.
    pub courses: Vec<(String, Vec<String>)>,
}

/// Reads all templates of a shop's files and says what readers would stumble over.
pub fn proofread(files: &[(String, String)], policy: &ProofPolicy) -> Vec<Diagnostic> {
    let sheets: Vec<Sheet<'_>> = cores::each(files, |(path, text)| Sheet::of(path, text))
        .into_iter()
        .flatten()
        .collect();
    let demo = policy
        .url
        .as_deref()
        .is_none_or(|url| addresses::host(url).is_some_and(addresses::is_nowhere));
    let of_sheets = cores::each(&sheets, |sheet| {
        let mut problems = Vec::new();
        let seen = &sheet.seen;
        if sheet.sort != Sort::Text {
            addresses::links(sheet, seen, demo, &mut problems);
            addresses::pictures(sheet, seen, &mut problems);
            clients::check(sheet, seen, &mut problems);
            if sheet.page {
                style::dark(sheet, seen, &mut problems);
            }
        }
        problems
    });
    let mails = by_name(&sheets);
    let texts: BTreeMap<_, _> = sheets
        .iter()
        .filter(|sheet| sheet.sort == Sort::Text)
        .map(|sheet| (sheet.mail, sheet))
        .collect();
    let groups: Vec<_> = mails.values().collect();
    let of_mails = cores::each(&groups, |by_locale| {
        let mut problems = Vec::new();
        for sheet in by_locale.values() {
            subjects::check(sheet, &mut problems);
        }
        words::check(by_locale, &texts, &mut problems);
        translations::check(by_locale, &policy.locales, &mut problems);
        problems
    });
    let mut problems: Vec<Diagnostic> = of_sheets.into_iter().chain(of_mails).flatten().collect();
    subjects::courses(&mails, &policy.courses, &mut problems);
    problems
}

/// Mails by name, then by language.
fn by_name<'s, 't>(sheets: &'s [Sheet<'t>]) -> Mails<'s, 't> {
    let mut mails: Mails<'s, 't> = BTreeMap::new();
    for sheet in sheets.iter().filter(|sheet| sheet.sort != Sort::Text) {
        if let Some((name, locale)) = sheet.mail {
            mails.entry(name).or_default().insert(locale, sheet);
        }
    }
    mails
}

type Mails<'s, 't> = BTreeMap<&'t str, BTreeMap<&'t str, &'s Sheet<'t>>>;

/// A text without its tags, for a look at its words alone.
fn without_tags(masked: &Masked, span: std::ops::Range<usize>) -> String {
    let mut out = String::with_capacity(span.len());
    let mut at = span.start;
    for hole in masked.holes_in(&span) {
        out.push_str(masked.text.get(at..hole.start.max(at)).unwrap_or_default());
        at = hole.end;
    }
    out.push_str(masked.text.get(at..span.end.max(at)).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests;
