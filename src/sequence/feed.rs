//! The feed: the shop's products as its platform exports them, one row a variant. The
//! file is written by machines, so a row that cannot be read is named by its number and
//! unknown keys are warnings.

mod places;
mod sound;

use super::keys::FEED;
use super::syntax::Sheet;
use crate::model::nearest::nearest;
use crate::model::product::{Component, Product, Variant};
use serde::Deserialize;
use serde_json::Value;
use sound::Feed;
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

/// Most rows of a feed.
pub const MAX_ROWS: usize = 500_000;

/// What exports of other tools call ours.
const SYNONYMS: [(&str, &str); 18] = [
    ("id", "product_id"),
    ("name", "title"),
    ("names", "titles"),
    ("type", "kind"),
    ("product_type", "categories"),
    ("category", "categories"),
    ("collections", "categories"),
    ("tag", "tags"),
    ("brand", "vendor"),
    ("price", "prices"),
    ("image", "image_url"),
    ("image_link", "image_url"),
    ("url", "product_url"),
    ("link", "product_url"),
    ("stock", "inventory_quantity"),
    ("quantity", "inventory_quantity"),
    ("in_stock", "available"),
    ("parts", "components"),
];

#[derive(Debug, Deserialize)]
struct Row {
    product_id: String,
    sku: Option<String>,
    variant_id: Option<String>,
    variant_title: Option<String>,
    title: Option<String>,
    titles: Option<BTreeMap<String, String>>,
    kind: Option<String>,
    tags: Option<Vec<String>>,
    categories: Option<Vec<String>>,
    vendor: Option<String>,
    prices: Option<BTreeMap<String, i64>>,
    image_url: Option<String>,
    product_url: Option<String>,
    related: Option<Vec<String>>,
    components: Option<Vec<Component>>,
    status: Option<String>,
    replenish_days: Option<i64>,
    inventory_quantity: Option<i64>,
    available: Option<bool>,
}

/// Reads the feed. `locales` are the shop's, best first: they choose the title that
/// stands in where a language has none.
pub(crate) fn read(sheet: &Sheet<'_>, locales: &[String]) -> Vec<Product> {
    let rows: Vec<Value> = match serde_json::from_str(sheet.text) {
        Ok(rows) => rows,
        Err(error) => {
            let at = offset(sheet.text, error.line(), error.column());
            sheet.report(
                sheet
                    .problem(
                        "E160",
                        at..at,
                        format!("this is no list of products: {}", plain(&error)),
                    )
                    .help("a feed is a JSON list with one object for each variant"),
            );
            return Vec::new();
        }
    };
    if rows.len() > MAX_ROWS {
        sheet.report(sheet.problem("E160", 0..0, format!("a feed has {MAX_ROWS} rows at most")));
        return Vec::new();
    }
    let mut products: Vec<Product> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut skus: BTreeSet<String> = BTreeSet::new();
    let mut unknown: BTreeSet<String> = BTreeSet::new();
    let known: Vec<&str> = FEED.keys.iter().map(|key| key.name).collect();
    let feed = Feed {
        sheet,
        parts: OnceCell::new(),
    };
    for (index, row) in rows.into_iter().enumerate() {
        let number = index + 1;
        if let Value::Object(fields) = &row {
            unknown.extend(
                fields
                    .keys()
                    .filter(|key| !known.contains(&key.as_str()))
                    .cloned(),
            );
        }
        if !feed.is_sound(index, &row) {
            continue;
        }
        let row: Row = match serde_json::from_value(row) {
            Ok(row) => row,
            Err(error) => {
                feed.report(index, "", format!("row {number}: {}", plain(&error)), &[]);
                continue;
            }
        };
        if let Some(sku) = &row.sku
            && !skus.insert(sku.clone())
        {
            let message = format!("row {number}: SKU \"{}\" comes twice", sku.escape_debug());
            let help = "one row is one variant, and a SKU names one variant";
            feed.report(index, "sku", message, &[help]);
            continue;
        }
        let is_new = !places.contains_key(&row.product_id);
        let place = *places.entry(row.product_id.clone()).or_insert_with(|| {
            products.push(product(&row, locales));
            products.len() - 1
        });
        if is_new && products[place].title.trim().is_empty() {
            let key = ["title", "titles"]
                .into_iter()
                .find(|key| match *key {
                    "title" => row.title.is_some(),
                    _ => row.titles.is_some(),
                })
                .unwrap_or("product_id");
            let message = format!(
                "row {number}: product \"{}\" has no title",
                row.product_id.escape_debug()
            );
            let why = "mails would have a blank where its name belongs";
            feed.report(
                index,
                key,
                message,
                &[why, "write \"titles\": {\"en\": \"…\"}"],
            );
        }
        products[place].variants.push(Variant {
            variant_id: row.variant_id,
            sku: row.sku,
            title: row.variant_title,
            prices: row.prices.unwrap_or_default(),
            price: None,
            inventory_quantity: row.inventory_quantity,
            available: row.available,
            kind: row.kind,
            components: row.components.unwrap_or_default(),
            replenish_days: row.replenish_days,
        });
    }
    for key in unknown {
        let written = format!("\"{key}\"");
        let place = sheet
            .text
            .match_indices(&written)
            .map(|(at, _)| at..at + written.len())
            .find(|at| sheet.text[at.end..].trim_start().starts_with(':'));
        let mut problem = sheet.problem(
            "W162",
            place.unwrap_or(0..0),
            format!(
                "nothing reads \"{}\" in the feed's rows",
                key.escape_debug()
            ),
        );
        let synonym = |(other, _): &&(&str, &str)| *other == key.to_ascii_lowercase();
        let ours = SYNONYMS.iter().find(synonym).map(|(_, ours)| *ours);
        problem = match ours.or_else(|| nearest(&key, known.iter().copied())) {
            Some(near) => problem.help(format!("did you mean \"{near}\"?")),
            None => problem.help(format!("a row has {}", known.join(", "))),
        };
        sheet.report(problem);
    }
    products
}

fn product(row: &Row, locales: &[String]) -> Product {
    let titles = row.titles.clone().unwrap_or_default();
    let title = row.title.clone().or_else(|| {
        let first = locales.iter().find_map(|locale| titles.get(locale));
        first.or_else(|| titles.values().next()).cloned()
    });
    Product {
        product_id: row.product_id.clone(),
        title: title.unwrap_or_default(),
        titles,
        vendor: row.vendor.clone(),
        tags: row.tags.clone().unwrap_or_default(),
        categories: row.categories.clone().unwrap_or_default(),
        image_url: row.image_url.clone(),
        product_url: row.product_url.clone(),
        status: row.status.clone(),
        related: row.related.clone().unwrap_or_default(),
        replenish_days: row.replenish_days,
        variants: Vec::new(),
    }
}

/// The error without the place, which is given beside it.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ")
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    let at = (before + column.saturating_sub(1)).min(text.len());
    (0..=at)
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0)
}
