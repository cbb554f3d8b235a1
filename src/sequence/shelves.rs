//! `catalog.toml`, as meant: families, kits, what stands in where nothing matches, and
//! how long an unknown product is waited for.

use super::keys;
use super::syntax::{Section, Sheet, Spanned};
use crate::model::nearest::nearest;
use crate::model::product::{Component, Family, Kit, KitTrack};
use crate::model::time::Length;
use toml_edit::Document;

/// How long what starts by family waits for an unknown product, where the file does not
/// say.
pub(crate) const WAIT: Length = Length::Days(3);
/// The longest such wait, in days: what comes later is no help with a new thing.
pub const MAX_WAIT_DAYS: i64 = 30;
/// Most parts of a kit.
pub const MAX_PARTS: i64 = 1_000;

/// What `catalog.toml` says.
#[derive(Debug)]
pub(crate) struct Shelves {
    pub(crate) feed: Option<Spanned<String>>,
    pub(crate) families: Vec<Family>,
    pub(crate) kits: Vec<Kit>,
    /// The family of what matches none.
    pub(crate) default: Option<String>,
    pub(crate) wait: Length,
    /// What is to be checked against the feed: complements, with their places.
    pub(crate) complements: Vec<Spanned<String>>,
    /// SKUs of parts of kits, with their places.
    pub(crate) parts: Vec<Spanned<String>>,
    /// Families that could match something, each with the place of what it matches.
    pub(crate) matches: Vec<Spanned<String>>,
}

impl Default for Shelves {
    fn default() -> Self {
        Shelves {
            feed: None,
            families: Vec::new(),
            kits: Vec::new(),
            default: None,
            wait: WAIT,
            complements: Vec::new(),
            parts: Vec::new(),
            matches: Vec::new(),
        }
    }
}

/// Reads `catalog.toml`.
pub(crate) fn catalog(sheet: &Sheet<'_>, document: &Document<&str>) -> Shelves {
    let root = Section::root(sheet, document);
    root.only(&keys::CATALOG, &[("guide", "guides")]);
    let mut shelves = Shelves {
        feed: root.need_if_there("feed", "\"catalog.json\""),
        ..Shelves::default()
    };
    let default = root.need_if_there("default", "\"general\"");
    if let Some(unresolved) = root.table("unresolved") {
        wait(&unresolved, &mut shelves);
    }
    if let Some(all) = root.table("family") {
        for key in all.keys() {
            let is_default = default.as_ref().is_some_and(|one| one.value == key.value);
            if let Some(section) = all.table(&key.value) {
                family(section, key.value, is_default, &mut shelves);
            }
        }
    }
    if let Some(all) = root.table("kit") {
        for key in all.keys() {
            if let Some(section) = all.table(&key.value) {
                kit(section, &key, &mut shelves);
            }
        }
    }
    if let Some(default) = default {
        let known = shelves.families.iter().any(|one| one.id == default.value);
        if known {
            shelves.default = Some(default.value);
        } else {
            let families = shelves.families.iter().map(|one| one.id.as_str());
            let mut problem = sheet.problem(
                "E105",
                default.span.clone(),
                format!("no family is called \"{}\"", default.value.escape_debug()),
            );
            if let Some(near) = nearest(&default.value, families) {
                problem = problem.help(format!("did you mean \"{near}\"?"));
            }
            sheet.report(
                problem
                    .help("whatever matches no family would get no help at all")
                    .help(format!(
                        "write [family.{}], which needs no `match`",
                        default.value
                    )),
            );
        }
    }
    shelves
}

fn wait(unresolved: &Section<'_, '_>, shelves: &mut Shelves) {
    unresolved.only(&keys::UNRESOLVED, &[]);
    if unresolved.has("wait").is_none() {
        unresolved.missing("wait", "\"3d\"");
    }
    let Some(wait) = unresolved.length("wait") else {
        return;
    };
    let most = jiff::SignedDuration::from_hours(24 * MAX_WAIT_DAYS);
    if wait.value.roughly() > most {
        unresolved.sheet.report(
            unresolved
                .sheet
                .problem(
                    "E105",
                    wait.span,
                    format!("an unknown product is waited for {MAX_WAIT_DAYS} days at most"),
                )
                .help("help that comes after weeks is no help with a new thing")
                .help("write wait = \"3d\", and `default` for what stays unknown"),
        );
    } else {
        shelves.wait = wait.value;
    }
}

fn family(mut section: Section<'_, '_>, id: String, is_default: bool, shelves: &mut Shelves) {
    let shown = id.escape_debug().to_string();
    section.what = format!("[family.{shown}]");
    section.only(&keys::FAMILY, &[]);
    let mut family = Family {
        id,
        ..Family::default()
    };
    if section.has("match").is_none() && !is_default {
        section.missing("match", "{ tags = [\"dslr\"] }");
    }
    if let Some(matching) = section.table("match") {
        matching.only(&keys::MATCH, &[]);
        family.skus = list(&matching, "skus");
        family.products = list(&matching, "products");
        family.tags = list(&matching, "tags");
        family.categories = list(&matching, "categories");
        family.vendors = list(&matching, "vendors");
        let empty = [
            &family.skus,
            &family.products,
            &family.tags,
            &family.categories,
            &family.vendors,
        ]
        .iter()
        .all(|list| list.is_empty());
        if !empty {
            shelves
                .matches
                .push(Spanned::new(family.id.clone(), matching.span.clone()));
        } else if !is_default {
            section.sheet.report(
                section
                    .sheet
                    .problem(
                        "W136",
                        matching.span.clone(),
                        format!("no product can belong to family \"{shown}\""),
                    )
                    .help("write match = { tags = [\"dslr\"] }, or skus, products, categories, vendors"),
            );
        }
    }
    family.complements = complements(&section, shelves);
    shelves.families.push(family);
}

fn list(section: &Section<'_, '_>, name: &str) -> Vec<String> {
    let texts = section.texts(name, false).unwrap_or_default();
    texts.into_iter().map(|text| text.value).collect()
}

fn complements(section: &Section<'_, '_>, shelves: &mut Shelves) -> Vec<String> {
    let texts = section.texts("complements", false).unwrap_or_default();
    let names = texts.iter().map(|text| text.value.clone()).collect();
    shelves.complements.extend(texts);
    names
}

fn kit(mut section: Section<'_, '_>, id: &Spanned<String>, shelves: &mut Shelves) {
    let sheet = section.sheet;
    let shown = id.value.escape_debug().to_string();
    section.what = format!("[kit.{shown}]");
    section.only(&keys::KIT, &[]);
    let same = |family: &Family| family.id == id.value;
    if shelves.families.iter().any(same) {
        sheet.report(
            sheet
                .problem(
                    "E101",
                    id.span.clone(),
                    format!("a family is called \"{shown}\" too"),
                )
                .help("sequences ask for both by item.family; give the kit its own name"),
        );
    }
    let mut kit = Kit {
        id: id.value.clone(),
        ..Kit::default()
    };
    if section.has("match").is_none() {
        section.missing("match", "{ skus = [\"KIT-1\"] }");
    }
    if let Some(matching) = section.table("match") {
        matching.only(&keys::KIT_MATCH, &[]);
        kit.skus = list(&matching, "skus");
        kit.products = list(&matching, "products");
        if kit.skus.is_empty() && kit.products.is_empty() {
            sheet.report(
                sheet
                    .problem(
                        "W136",
                        matching.span.clone(),
                        format!("no product can be kit \"{shown}\""),
                    )
                    .help("write match = { skus = [\"KIT-1\"] }, or products"),
            );
        }
    }
    let track = section.parsed("track", |sheet, text| {
        super::syntax::one_of(
            sheet,
            text,
            "what a kit teaches",
            &["parts", "kit"],
            |text| match text {
                "parts" => Some(KitTrack::Parts),
                "kit" => Some(KitTrack::Kit),
                _ => None,
            },
        )
    });
    kit.track = track.map(|track| track.value).unwrap_or_default();
    if let Some(parts) = section.table("components") {
        parts.is_empty("write how many of each part are in it: { \"DRP-01\" = 1 }");
        for key in parts.keys() {
            if kit.skus.contains(&key.value) {
                sheet.report(
                    sheet
                        .problem(
                            "E132",
                            key.span.clone(),
                            format!("kit \"{shown}\" would be a part of itself"),
                        )
                        .help("whoever buys it would be helped with nothing that is in it")
                        .help("name the SKUs of the parts"),
                );
                continue;
            }
            if let Some(quantity) = parts.number(&key.value, 1, MAX_PARTS) {
                kit.components.push(Component {
                    sku: key.value.clone(),
                    quantity,
                });
            }
            shelves.parts.push(key);
        }
    }
    kit.complements = complements(&section, shelves);
    shelves.kits.push(kit);
}
