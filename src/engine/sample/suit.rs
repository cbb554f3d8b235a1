//! What a sample is made to be so that the conditions of one mail hold: tests of single
//! names, joined by and, or and not. Whatever is beyond that form is left as it is; then
//! it turns out whether the mail goes, and nothing here claims that it does.

use crate::model::locale;
use crate::model::product::{Product, Products};
use crate::plan::prove::{Comparison, comparisons};
use crate::sequence::catalog::{Catalog, Sequence, Step};
use crate::sequence::condition::claim::{Claim, Is, Test};
use serde_json::Value;
use std::collections::BTreeSet;

/// Most ways in which conditions may hold that are looked at for one mail.
const MAX_SUITS: usize = 24;
/// How far back a series that follows a mail, which follows a mail, is looked at.
const MAX_BACK: usize = 3;
/// Orders that one sample customer placed, at most.
const MAX_ORDERS: i64 = 12;
/// Countries for somebody who must not live in another.
const COUNTRIES: [&str; 2] = ["DE", "US"];

/// What differs from the usual sample.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Suit {
    /// Values at paths of the events' data.
    pub(super) set: Vec<Comparison>,
    /// Orders that the customer placed in all.
    pub(super) orders: Option<i64>,
    /// Families, products or SKUs of which the item must be one; each list is asked for.
    products: Vec<String>,
}

impl Suit {
    /// Whether an order of a product can be what is asked for.
    pub(super) fn takes(&self, products: &Products, product: &Product) -> bool {
        let of = |variant: Option<&str>| {
            products.family_of(
                Some(&product.product_id),
                variant,
                &product.tags,
                &product.categories,
                product.vendor.as_deref(),
            )
        };
        let first = product.variants.first().and_then(|one| one.sku.as_deref());
        self.products.iter().all(|wanted| {
            product.product_id == *wanted
                || first == Some(wanted.as_str())
                || of(first) == Some(wanted.as_str())
                || products
                    .kit(Some(&product.product_id), first)
                    .is_some_and(|kit| kit.id == *wanted)
        })
    }

    /// With one value more; nothing where it must be another already.
    fn with(mut self, path: &str, value: Value) -> Option<Suit> {
        match self.set.iter().find(|had| had.path == path) {
            Some(had) if had.value != value => return None,
            Some(_) => {}
            None => self.set.push(Comparison {
                path: path.to_owned(),
                value,
            }),
        }
        Some(self)
    }
}

/// The ways in which the conditions of a step could hold, as far as they are understood.
pub(super) fn suits(catalog: &Catalog, sequence: &Sequence, step: &Step) -> Vec<Suit> {
    let mut all = vec![Suit::default()];
    let (mut sequence, mut step) = (sequence, step);
    for _ in 0..MAX_BACK {
        let claims = [
            sequence
                .start
                .where_
                .as_ref()
                .map(|one| (one.claim(), true)),
            step.when.as_ref().map(|one| (one.claim(), true)),
            step.unless.as_ref().map(|one| (one.claim(), false)),
        ];
        for (claim, holds) in claims.into_iter().flatten() {
            all = meet(catalog, all, claim, holds);
        }
        let before = sequence
            .start
            .of
            .as_deref()
            .and_then(|of| of.split_once('/'));
        let Some((earlier, sent)) = before.and_then(|(earlier, sent)| {
            let earlier = catalog.sequence(earlier)?;
            Some((earlier, earlier.step(sent)?))
        }) else {
            break;
        };
        (sequence, step) = (earlier, sent);
    }
    all.retain(|suit| *suit != Suit::default());
    let mut seen: Vec<Suit> = Vec::new();
    for suit in all {
        if !seen.contains(&suit) {
            seen.push(suit);
        }
    }
    seen
}

/// What has to be added to each of some suits so that a claim comes out as wanted.
fn meet(catalog: &Catalog, suits: Vec<Suit>, claim: &Claim, holds: bool) -> Vec<Suit> {
    let mut found: Vec<Suit> = match claim {
        Claim::Always(value) if *value == holds => suits,
        Claim::Always(_) => Vec::new(),
        Claim::Not(of) => meet(catalog, suits, of, !holds),
        Claim::All(parts) | Claim::Any(parts) => {
            if matches!(claim, Claim::All(_)) == holds {
                parts
                    .iter()
                    .fold(suits, |suits, part| meet(catalog, suits, part, holds))
            } else {
                parts
                    .iter()
                    .flat_map(|part| meet(catalog, suits.clone(), part, holds))
                    .collect()
            }
        }
        Claim::Test(test) => match &test.is {
            Is::Loop(inside) => meet(catalog, suits, inside, holds),
            _ => suits
                .into_iter()
                .filter_map(|suit| fit(catalog, suit, test, holds))
                .collect(),
        },
    };
    found.truncate(MAX_SUITS);
    found
}

/// A suit in which one test comes out as wanted, as far as that is understood.
fn fit(catalog: &Catalog, mut suit: Suit, test: &Test, holds: bool) -> Option<Suit> {
    let is_path = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '[' | ']');
    if !test.of.chars().all(is_path) {
        // `"vip" in customer.tags` and its like.
        for one in comparisons(&test.of).into_iter().filter(|_| holds) {
            if suit.set.iter().all(|had| had.path != one.path) {
                suit.set.push(one);
            }
        }
        return Some(suit);
    }
    let path = match test.of.split_once("items[].") {
        Some((_, rest)) => format!("item.{rest}"),
        None => test.of.clone(),
    };
    match (path.as_str(), &test.is, holds) {
        ("customer.orders", Is::Between(low, high), _) => {
            let orders = match holds {
                true => (*low).max(1),
                false if *low > 1 => low - 1,
                false => high.saturating_add(1),
            };
            let fits = (1..=MAX_ORDERS).contains(&orders) && (!holds || orders <= *high);
            if !fits || suit.orders.is_some_and(|had| had != orders) {
                return None;
            }
            suit.orders = Some(orders);
            Some(suit)
        }
        ("customer.language", Is::Text(language), _) => {
            let mut locales = catalog.policy.locales.iter();
            let found = locales.find(|one| (locale::language(one) == *language) == holds);
            let locale = match (found, holds) {
                (Some(locale), _) => locale.clone(),
                (None, true) => language.clone(),
                (None, false) => return Some(suit),
            };
            suit.with("customer.locale", locale.into())
        }
        (
            "item.family" | "item.product_id" | "item.sku" | "product.product_id",
            Is::Text(wanted),
            true,
        ) => {
            suit.products.push(wanted.clone());
            Some(suit)
        }
        (_, Is::Text(text), true) => suit.with(&path, text.clone().into()),
        ("customer.country" | "order.ship_to.country", Is::Text(text), false) => {
            let other = COUNTRIES.iter().find(|other| *other != text)?;
            let free = suit.set.iter().all(|had| had.path != path);
            if free {
                suit.with(&path, (*other).into())
            } else {
                Some(suit)
            }
        }
        (_, Is::Text(_), false) | (_, Is::Loop(_), _) => Some(suit),
        (_, Is::True, _) => suit.with(&path, holds.into()),
        (_, Is::Null, true) => suit.with(&path, Value::Null),
        // Whatever it is, it must be there.
        (_, Is::Null, false) => {
            if suit.set.iter().any(|had| had.path == path) {
                return Some(suit);
            }
            let known = ["customer.region", "order.shipping_method", "order.channel"];
            if known.contains(&path.as_str()) {
                return suit.with(&path, "sample".into());
            }
            Some(suit)
        }
        (_, Is::Between(low, high), _) => {
            let value = match (holds, *low == i64::MIN) {
                (true, false) => *low,
                (true, true) => *high,
                (false, false) => low.saturating_sub(1),
                (false, true) => high.saturating_add(1),
            };
            suit.with(&path, value.into())
        }
    }
}

/// Products that differ in what sequences usually ask for, in the catalogue's order: one
/// of each family and kind, of kits, and of what is used up.
pub(super) fn kinds(products: &Products) -> impl Iterator<Item = &Product> {
    let mut seen = BTreeSet::new();
    products.iter().filter(move |product| {
        let Some(variant) = product.variants.first() else {
            return false;
        };
        let family = products.family_of(
            Some(&product.product_id),
            variant.sku.as_deref(),
            &product.tags,
            &product.categories,
            product.vendor.as_deref(),
        );
        seen.insert((
            family.map(str::to_owned),
            variant.kind.clone(),
            !variant.components.is_empty(),
            variant.replenish_days.or(product.replenish_days).is_some(),
        ))
    })
}
