//! Who orders what: the customer, the baskets, the country and language of a story, and
//! what the shop's sources leave out.

use super::literals::Comparison;
use crate::model::ids::CustomerId;
use crate::model::policy::Policy;
use crate::model::product::{Product, Products};
use crate::model::time::{self, Timestamp};
use crate::sequence::catalog::Catalog;
use jiff::SignedDuration;
use serde_json::Value;
use std::collections::BTreeSet;

/// When stories begin: a Monday morning in spring, unless the shop goes live later.
const BEGINS: i64 = 1_772_442_720; // 2026-03-02T09:12:00Z
/// Products tried for one sequence, at most.
const MAX_PRODUCTS: usize = 40;

/// What a customer agreed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Agreed {
    Subscribed,
    SoftOptIn,
    /// Nobody knows.
    Unknown,
}

/// What a source does not tell.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Absent {
    Nothing,
    /// Everything that may be absent.
    All,
    /// One value, by its path in the event's data.
    One(&'static str),
}

/// A line of an order: a product of the catalogue by its id, and one of its variants.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Piece {
    pub(super) product: String,
    pub(super) variant: usize,
}

/// Everything about a story but what happens.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Setting {
    pub(super) customer: CustomerId,
    pub(super) locale: String,
    pub(super) country: String,
    pub(super) agreed: Agreed,
    /// The lines of the first and of the second order.
    pub(super) baskets: [Vec<Piece>; 2],
    /// The first line travels in a parcel of its own.
    pub(super) splits: bool,
    /// Units of each line.
    pub(super) quantity: i64,
    /// Values at paths of the data, taken from conditions.
    pub(super) set: Vec<Comparison>,
    pub(super) absent: Absent,
    /// The products in the baskets are not in the catalogue.
    pub(super) unknown_products: bool,
    pub(super) begins: Timestamp,
}

impl Setting {
    /// The plainest setting in which a product is bought.
    pub(super) fn of(catalog: &Catalog, piece: Option<Piece>) -> Setting {
        let policy = &catalog.policy;
        let basket: Vec<Piece> = piece.into_iter().collect();
        Setting {
            customer: CustomerId(1),
            locale: policy.locales.first().cloned().unwrap_or_default(),
            country: countries(policy).into_iter().next().unwrap_or_default(),
            agreed: Agreed::Subscribed,
            baskets: [basket.clone(), basket],
            splits: false,
            quantity: 1,
            set: Vec::new(),
            absent: Absent::Nothing,
            unknown_products: false,
            begins: begins(policy),
        }
    }

    /// In words, for what was tried.
    pub(super) fn words(&self) -> String {
        let basket: Vec<&str> = self.baskets[0]
            .iter()
            .map(|piece| piece.product.as_str())
            .collect();
        let mut words = format!("{} to {}", basket.join(" and "), self.country);
        for one in &self.set {
            words.push_str(&format!(", {} = {}", one.path, one.value));
        }
        words
    }
}

fn begins(policy: &Policy) -> Timestamp {
    let usual = Timestamp::from_second(BEGINS).unwrap_or(Timestamp::UNIX_EPOCH);
    match policy.live_since {
        Some(since) if since >= usual => {
            let day = 24 * 3600;
            let days = (since.as_second() - usual.as_second()) / day + 1;
            // Whole weeks keep the weekday.
            time::saturating_add(usual, SignedDuration::from_hours(24 * 7 * (days / 7 + 1)))
        }
        _ => usual,
    }
}

/// Countries that the policy treats each in its own way, the one of the shop's rules for
/// all others first.
pub(super) fn countries(policy: &Policy) -> Vec<String> {
    let mut named: Vec<String> = policy
        .assume
        .iter()
        .map(|row| row.to.clone())
        .chain(policy.consent.by_country.keys().cloned())
        .filter(|country| country != "*")
        .collect();
    let mut seen = BTreeSet::new();
    named.retain(|country| seen.insert(country.clone()));
    if named.is_empty() {
        named.push("DE".to_owned());
    }
    named
}

/// Products that differ in what sequences can see of them: one for each family, kind and
/// tag that a condition names, those that a condition names first.
pub(super) fn representatives(products: &Products, named: &[Comparison]) -> Vec<Piece> {
    let mut all: Vec<(bool, String, Piece)> = Vec::new();
    for product in products.iter() {
        for (number, variant) in product.variants.iter().enumerate() {
            let family = products
                .family_of(
                    Some(&product.product_id),
                    variant.sku.as_deref(),
                    &product.tags,
                    &product.categories,
                    product.vendor.as_deref(),
                )
                .unwrap_or_default();
            let texts: Vec<&str> = [
                family,
                product.product_id.as_str(),
                variant.sku.as_deref().unwrap_or_default(),
                variant.kind.as_deref().unwrap_or_default(),
                product.vendor.as_deref().unwrap_or_default(),
            ]
            .into_iter()
            .chain(product.tags.iter().map(String::as_str))
            .chain(product.categories.iter().map(String::as_str))
            .collect();
            let hits: Vec<&str> = named
                .iter()
                .filter(|one| one.path.starts_with("item.") || one.path.starts_with("product."))
                .filter_map(|one| one.value.as_str())
                .filter(|text| texts.contains(text))
                .collect();
            let kit = !variant.components.is_empty();
            let runs_out = variant.replenish_days.or(product.replenish_days).is_some();
            let like = format!(
                "{family}|{}|{kit}|{runs_out}|{}",
                variant.kind.as_deref().unwrap_or_default(),
                hits.join("|")
            );
            let piece = Piece {
                product: product.product_id.clone(),
                variant: number,
            };
            if !all.iter().any(|(_, had, _)| *had == like) {
                all.push((hits.is_empty(), like, piece));
            }
        }
    }
    all.sort_by(|a, b| (a.0, &a.2).cmp(&(b.0, &b.2)));
    all.truncate(MAX_PRODUCTS);
    all.into_iter().map(|(_, _, piece)| piece).collect()
}

/// What events may leave out, by path in their data. Lists are walked through.
pub(super) const OPTIONAL: &[&str] = &[
    "customer.customer_id",
    "customer.first_name",
    "customer.last_name",
    "customer.name",
    "customer.phone",
    "customer.locale",
    "customer.region",
    "order.order_number",
    "order_ref.order_number",
    "order.placed_at",
    "order.channel",
    "order.subtotal",
    "order.discount",
    "order.shipping",
    "order.tax",
    "order.fulfilment_status",
    "order.status_url",
    "order.shipping_method",
    "order.ship_to.name",
    "order.ship_to.city",
    "order.ship_to.postal_code",
    "order.line_items.variant_id",
    "order.line_items.variant_title",
    "order.line_items.sku",
    "order.line_items.discount",
    "order.line_items.vendor",
    "order.line_items.requires_shipping",
    "order.line_items.image_url",
    "order.line_items.product_url",
    "shipment.tracking",
    "shipment.tracking.url",
    "shipment.tracking.carrier",
    "shipment.tracking.carrier_name",
    "shipment.items",
    "shipment.shipped_at",
    "refund.refunded_total",
    "refund.reason",
    "refund.items",
    "cancel.reason",
    "return.name",
    "return.reason",
    "ticket.channel",
    "review.rating",
    "review.product_id",
    "dispute.reason",
    "dispute.amount",
];

/// Takes a value away, wherever the path leads.
pub(super) fn remove(data: &mut Value, path: &str) {
    let (first, rest) = match path.split_once('.') {
        Some((first, rest)) => (first, Some(rest)),
        None => (path, None),
    };
    match (data, rest) {
        (Value::Object(map), None) => {
            map.shift_remove(first);
        }
        (Value::Object(map), Some(rest)) => match map.get_mut(first) {
            Some(Value::Array(list)) => list.iter_mut().for_each(|one| remove(one, rest)),
            Some(inner) => remove(inner, rest),
            None => {}
        },
        _ => {}
    }
}

/// Sets a value that a condition compares with where the data has its name.
pub fn set(data: &mut Value, one: &Comparison) {
    let (root, rest) = one.path.split_once('.').unwrap_or((&one.path, ""));
    let target = match root {
        "item" => match data.pointer_mut("/order/line_items") {
            Some(Value::Array(lines)) => {
                for line in lines {
                    put(line, rest, &one.value);
                }
                return;
            }
            _ => return,
        },
        other => data.get_mut(other),
    };
    if let Some(target) = target {
        put(target, rest, &one.value);
    }
}

/// Puts a value of the same sort where one may stand; a list gets it as a member.
fn put(target: &mut Value, path: &str, value: &Value) {
    let Value::Object(map) = target else { return };
    match path.split_once('.') {
        Some((first, rest)) => {
            let inner = map.entry(first).or_insert(Value::Null);
            if inner.is_null() {
                *inner = Value::Object(serde_json::Map::new());
            }
            put(inner, rest, value);
        }
        None => match map.get_mut(path) {
            Some(Value::Array(list)) => {
                if !list.contains(value) {
                    list.push(value.clone());
                }
            }
            Some(had) if had.is_object() => {}
            _ => {
                map.insert(path.to_owned(), value.clone());
            }
        },
    }
}

/// The product of a piece.
pub(super) fn product_of<'c>(catalog: &'c Catalog, piece: &Piece) -> Option<&'c Product> {
    catalog.products.product(&piece.product)
}
