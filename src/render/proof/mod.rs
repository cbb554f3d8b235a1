//! Proofreading: what readers would stumble over in a mail that is otherwise fine. Every
//! file is read once as it was written, with its tags masked, so that both sides of an
//! `{{#if}}` are seen, each problem stands in its place, and a part that many mails share
//! is told about once. It never renders and never decides what is sent.

mod addresses;
mod clients;
mod optout;
mod sheet;
mod style;
mod subjects;
mod translations;
mod words;

use super::markup::Masked;
use crate::model::cores;
use crate::model::diagnostic::Diagnostic;
use sheet::{Sheet, Sort};
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use subjects::Subject;

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
    Proofreader::default().read(files, policy)
}

/// Proofreads a shop again and again, and does not read again what is as it was. What it
/// says never depends on what it read before.
#[derive(Debug, Default)]
pub struct Proofreader {
    /// By mail, or by path where it is no mail.
    read: HashMap<String, Proof>,
}

/// What was said of one mail in all its languages, or of one other template.
#[derive(Debug)]
struct Proof {
    /// Of everything that it depends on.
    fingerprint: u64,
    problems: Vec<Diagnostic>,
    subjects: Vec<Subject>,
}

impl Proofreader {
    /// As [`proofread`].
    pub fn read(&mut self, files: &[(String, String)], policy: &ProofPolicy) -> Vec<Diagnostic> {
        let demo = policy
            .url
            .as_deref()
            .is_none_or(|url| addresses::host(url).is_some_and(addresses::is_nowhere));
        let groups: Vec<(&str, Vec<&(String, String)>)> = grouped(files).into_iter().collect();
        let before = &self.read;
        let proofs = cores::each(&groups, |(name, files)| {
            let mut hasher = DefaultHasher::new();
            (demo, &policy.locales, files).hash(&mut hasher);
            let fingerprint = hasher.finish();
            let kept = (before.get(*name)).is_some_and(|had| had.fingerprint == fingerprint);
            (!kept).then(|| proof(files, fingerprint, demo, &policy.locales))
        });
        let mut now = HashMap::with_capacity(groups.len());
        for ((name, _), fresh) in groups.into_iter().zip(proofs) {
            if let Some(proof) = fresh.or_else(|| self.read.remove(name)) {
                now.insert(name.to_owned(), proof);
            }
        }
        self.read = now;
        let mut problems: Vec<Diagnostic> = (self.read.values())
            .flat_map(|proof| proof.problems.iter().cloned())
            .collect();
        let subjects_of = |mail: &str| {
            let proof = self.read.get(mail);
            proof.map_or(&[][..], |proof| &proof.subjects)
        };
        subjects::courses(&subjects_of, &policy.courses, &mut problems);
        problems
    }
}

/// Templates that are read together: mails by name, all else by path.
fn grouped(files: &[(String, String)]) -> BTreeMap<&str, Vec<&(String, String)>> {
    let mut groups: BTreeMap<&str, Vec<&(String, String)>> = BTreeMap::new();
    for file in files {
        let (path, _) = file;
        let Some(rest) = path.strip_prefix("templates/") else {
            continue;
        };
        let mail = (rest.strip_prefix("mail/"))
            .and_then(|name| name.rsplit_once('.'))
            .and_then(|(stem, _)| stem.rsplit_once('.'))
            .map(|(name, _)| name);
        groups.entry(mail.unwrap_or(path)).or_default().push(file);
    }
    groups
}

fn proof(files: &[&(String, String)], fingerprint: u64, demo: bool, locales: &[String]) -> Proof {
    let sheets: Vec<Sheet<'_>> = (files.iter())
        .filter_map(|(path, text)| Sheet::of(path, text))
        .collect();
    let mut problems = Vec::new();
    for (path, text) in files {
        optout::check(path, text, &mut problems);
    }
    let mut by_locale = BTreeMap::new();
    let mut texts = BTreeMap::new();
    for sheet in &sheets {
        let locale = sheet.mail.map(|(_, locale)| locale);
        if sheet.sort == Sort::Text {
            texts.extend(locale.map(|locale| (locale, sheet)));
            continue;
        }
        let seen = &sheet.seen;
        addresses::links(sheet, seen, demo, &mut problems);
        addresses::pictures(sheet, seen, &mut problems);
        clients::check(sheet, seen, &mut problems);
        style::torn(sheet, seen, &mut problems);
        if sheet.page {
            style::dark(sheet, seen, &mut problems);
        }
        by_locale.extend(locale.map(|locale| (locale, sheet)));
    }
    for sheet in by_locale.values() {
        subjects::check(sheet, &mut problems);
    }
    words::check(&by_locale, &texts, &mut problems);
    translations::check(&by_locale, locales, &mut problems);
    Proof {
        fingerprint,
        problems,
        subjects: subjects::of(&by_locale),
    }
}

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
