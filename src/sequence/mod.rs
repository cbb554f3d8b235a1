//! The authoring language: text to [`catalog::Catalog`], with every problem named.
//! Files come as paths and texts; nothing here opens one.

mod allow;
mod campaign;
pub mod catalog;
mod compile;
pub mod condition;
mod elsewhere;
mod feed;
pub mod format;
pub mod keys;
pub mod needed;
mod policy;
pub mod schema;
mod shelves;
pub(crate) mod syntax;
pub(crate) mod value;

pub use allow::allowances;

use crate::model::diagnostic::{Diagnostic, Severity};
use crate::model::nearest::nearest;
use crate::model::policy::{CampaignParameters, Policy};
use crate::model::product::Products;
use catalog::{Catalog, Sequence};
use sha2::{Digest, Sha256};
use std::ops::Range;
use std::sync::Arc;
use syntax::Sheet;

const STORE: &str = "config/store.toml";
const PEOPLE: &str = "config/people.toml";
const CATALOG: &str = "config/catalog.toml";
const SEQUENCES: &str = "config/sequences/";
/// Files in `config/` that others read.
const OTHERS: [&str; 2] = ["config/aftercare.toml", "config/scenarios/"];

/// What could be read of a shop, whatever else is wrong with it: enough to look for
/// problems elsewhere in the same run, never enough to send by.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// The sequences that could be read; of those, the steps that could be.
    pub sequences: Vec<Sequence>,
    /// The languages of the shop, with the one that stands in, where they could be read.
    pub languages: Option<(Vec<String>, Option<String>)>,
    /// Whose layouts, partials and words mails use before the common ones.
    pub brand: Option<String>,
    /// What links in mails say about where their reader came from.
    pub campaign: CampaignParameters,
    /// The whole, where nothing is wrong; warnings do not keep it back.
    pub catalog: Option<Catalog>,
}

/// Reads a shop: `config/store.toml`, `people.toml`, `catalog.toml`, the feed it names and
/// `config/sequences/*.toml`, as paths under the shop's folder and texts. There is a
/// catalogue only where nothing is wrong; warnings do not keep it back.
pub fn read(files: &[(String, String)]) -> (Option<Catalog>, Vec<Diagnostic>) {
    let (draft, found) = draft(files);
    (draft.catalog, found)
}

/// As [`read`], with what could be read beside what is wrong.
pub fn draft(files: &[(String, String)]) -> (Draft, Vec<Diagnostic>) {
    let mut found = Vec::new();
    let text = |path: &str| {
        files
            .iter()
            .find(|(had, _)| had == path)
            .map(|(_, text)| text.as_str())
    };
    let people = match text(PEOPLE) {
        Some(text) => read_file(PEOPLE, text, &mut found, policy::people),
        None => {
            found.push(missing(PEOPLE, "it names who signs mails"));
            None
        }
    };
    let policy = match text(STORE) {
        Some(text) => read_file(STORE, text, &mut found, policy::store).flatten(),
        None => {
            found.push(missing(STORE, "it holds the shop's policy"));
            None
        }
    };
    let languages = match &policy {
        Some(policy) => Some((policy.locales.clone(), policy.fallback.clone())),
        None => text(STORE).and_then(|text| policy::languages(&Sheet::new(STORE, text))),
    };
    let locales = languages
        .as_ref()
        .map_or(&[][..], |(locales, _)| locales.as_slice());
    let before = found.len();
    let (products, feed) = products(files, locales, &mut found);
    let whole = found[before..]
        .iter()
        .all(|one| one.severity() == Severity::Warning);
    let sequences: Vec<(&str, &str)> = files
        .iter()
        .filter(|(path, _)| {
            path.strip_prefix(SEQUENCES)
                .is_some_and(|name| name.ends_with(".toml") && !name.contains('/'))
        })
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    unread(files, feed.as_deref(), &mut found);
    let around = compile::Around {
        hours: policy.as_ref().and_then(|policy| policy.hours.as_ref()),
        // Where nobody could be read, whoever signs is not asked for.
        people: people
            .as_ref()
            .map(|people| people.ids.as_slice())
            .filter(|ids| !ids.is_empty()),
        // A product may be missing because its file cannot be read.
        products: whole.then_some(&products),
    };
    let (sequences, problems) = compile::sequences(&sequences, around);
    found.extend(problems);
    found.sort_by(|a, b| (&a.file, a.span.start).cmp(&(&b.file, b.span.start)));
    let clean = found.iter().all(|one| one.severity() == Severity::Warning);
    let brand = policy.as_ref().and_then(|policy| policy.brand.clone());
    let campaign = policy
        .as_ref()
        .map(|policy| policy.campaign.clone())
        .unwrap_or_default();
    let catalog = policy
        .zip(people)
        .filter(|_| clean)
        .map(|(policy, people)| Catalog {
            version: version(files),
            policy: Arc::new(Policy {
                people: people.by_id,
                ..policy
            }),
            products: Arc::new(products),
            sequences: Arc::new(sequences.clone()),
        });
    let draft = Draft {
        sequences,
        languages,
        brand,
        campaign,
        catalog,
    };
    (draft, found)
}

/// Where a sequence file names a mail; silent where it cannot be read.
pub fn place_of_mail(text: &str, mail: &str) -> Option<Range<usize>> {
    fn within(table: &dyn toml_edit::TableLike, mail: &str) -> Option<Range<usize>> {
        table.iter().find_map(|(key, item)| {
            if key == "mail" && item.as_str() == Some(mail) {
                return item.span();
            }
            match item {
                toml_edit::Item::ArrayOfTables(all) => {
                    all.iter().find_map(|table| within(table, mail))
                }
                toml_edit::Item::Value(toml_edit::Value::Array(all)) => all
                    .iter()
                    .filter_map(toml_edit::Value::as_inline_table)
                    .find_map(|table| within(table, mail)),
                _ => within(item.as_table_like()?, mail),
            }
        })
    }
    let document = toml_edit::Document::parse(text).ok()?;
    within(document.as_table(), mail)
}

/// Folders of files that no mail depends on: a story that was added changes nothing for
/// anybody.
const BESIDE: [&str; 3] = ["config/scenarios/", "config/snapshots/", "config/schemas/"];

/// SHA-256 over all paths and texts, hex: the same files have the same version, whatever
/// the order they come in. What no mail depends on is left out.
pub fn version(files: &[(String, String)]) -> String {
    let mut sorted: Vec<&(String, String)> = files
        .iter()
        .filter(|(path, _)| !BESIDE.iter().any(|folder| path.starts_with(folder)))
        .collect();
    sorted.sort();
    let mut hash = Sha256::new();
    for (path, text) in sorted {
        for part in [path, text] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part.as_bytes());
        }
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn missing(path: &str, why: &str) -> Diagnostic {
    Diagnostic::new("E107", path, 0..0, "this file is missing")
        .help(why)
        .help("copy config/ and templates/ of the shop that aftercare comes with, and change them")
}

fn read_file<T>(
    path: &str,
    text: &str,
    found: &mut Vec<Diagnostic>,
    read: impl FnOnce(&Sheet<'_>, &toml_edit::Document<&str>) -> T,
) -> Option<T> {
    let sheet = Sheet::new(path, text);
    let value = sheet.parse().map(|document| read(&sheet, &document));
    found.extend(sheet.found());
    value
}

/// The products, and the path of the feed.
fn products(
    files: &[(String, String)],
    locales: &[String],
    found: &mut Vec<Diagnostic>,
) -> (Products, Option<String>) {
    let Some((_, text)) = files.iter().find(|(path, _)| path == CATALOG) else {
        return (Products::default(), None);
    };
    let Some(shelves) = read_file(CATALOG, text, found, shelves::catalog) else {
        return (Products::default(), None);
    };
    let mut rows = Vec::new();
    let path = shelves
        .feed
        .as_ref()
        .map(|feed| format!("config/{}", feed.value));
    if let (Some(feed), Some(path)) = (&shelves.feed, &path) {
        match files.iter().find(|(had, _)| had == path) {
            Some((path, text)) => {
                let sheet = Sheet::new(path, text);
                rows = feed::read(&sheet, locales);
                found.extend(sheet.found());
            }
            None => found.push(
                Diagnostic::new(
                    "E107",
                    CATALOG,
                    feed.span.clone(),
                    format!("there is no {path}"),
                )
                .help("`feed` is a file in config/; leave it out where products come as events"),
            ),
        }
    }
    let with_feed = path.is_some();
    // Rows that cannot be read would look like products that are missing.
    let torn = path.as_ref().is_some_and(|path| {
        let read = files.iter().any(|(had, _)| had == path);
        let broken = |one: &Diagnostic| one.file == *path && one.severity() == Severity::Error;
        !read || found.iter().any(broken)
    });
    let fed = !rows.is_empty() && !torn;
    let products = Products::new(rows, shelves.families)
        .with_kits(shelves.kits)
        .with_default(shelves.default, shelves.wait);
    for part in shelves.parts.iter().filter(|_| with_feed && !torn) {
        if products.variant(&part.value).is_none() {
            found.push(
                Diagnostic::new(
                    "W192",
                    CATALOG,
                    part.span.clone(),
                    format!("the feed has no SKU \"{}\"", part.value.escape_debug()),
                )
                .help("whoever buys the kit learns nothing about a part that nobody knows")
                .help("write the SKU of the part as the feed has it"),
            );
        }
    }
    for family in shelves.matches.iter().filter(|_| fed) {
        if products.members(&family.value).next().is_none() {
            found.push(
                Diagnostic::new(
                    "W136",
                    CATALOG,
                    family.span.clone(),
                    format!("no product of the feed belongs to family \"{}\"", family.value),
                )
                .help("sequences that run for it start for nobody, and nobody owns any of it")
                .help("compare the names here with those in the feed; a stronger match of another family wins"),
            );
        }
    }
    for complement in shelves.complements.iter().filter(|_| !torn) {
        let name = &complement.value;
        if !products.has(name) {
            let ids = products.families().iter().map(|family| family.id.as_str());
            let mut problem = Diagnostic::new(
                "W135",
                CATALOG,
                complement.span.clone(),
                format!(
                    "neither a family nor a product is called \"{}\"",
                    name.escape_debug()
                ),
            );
            if let Some(near) = nearest(name, ids) {
                problem = problem.help(format!("did you mean \"{near}\"?"));
            }
            found.push(problem);
        }
    }
    (products, path)
}

/// Warns of files in `config/` that nobody reads: most likely a slip in the name.
fn unread(files: &[(String, String)], feed: Option<&str>, found: &mut Vec<Diagnostic>) {
    for (path, _) in files {
        let inside = path.starts_with("config/") && path.ends_with(".toml");
        let read = [STORE, PEOPLE, CATALOG].contains(&path.as_str())
            || Some(path.as_str()) == feed
            || OTHERS.iter().any(|other| path.starts_with(other))
            || path
                .strip_prefix(SEQUENCES)
                .is_some_and(|name| !name.contains('/'));
        if inside && !read {
            let mut problem =
                Diagnostic::new("W108", path.as_str(), 0..0, "nothing reads this file");
            if let Some(near) = nearest(path, [STORE, PEOPLE, CATALOG, OTHERS[0]]) {
                problem = problem.help(format!("did you mean {near}?"));
            } else {
                problem = problem.help("sequences stand in config/sequences/");
            }
            found.push(problem);
        }
    }
}

#[cfg(test)]
mod tests;
