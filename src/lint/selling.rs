//! Selling where it must not be: in mail about an order, and in surveys.

use super::Shop;
use super::wording;
use crate::model::diagnostic::Diagnostic;
use crate::model::kind::Kind;
use crate::render::survey::{Printed, Spot, Survey, To};
use std::collections::{BTreeMap, BTreeSet};

/// Names that tell of the order that a mail is about.
const ORDER_FACTS: [&str; 7] = [
    "order.",
    "shipment.",
    "item.",
    "refund.",
    "return.",
    "cancel.",
    "enrolment.",
];

/// Something in a mail that sells.
struct Sale {
    what: String,
    place: Spot,
    /// Its place along the page; none where only its words are known.
    order: Option<usize>,
    /// Whether it is a link to a product that a name holds, of which the check of the
    /// mail by itself speaks already.
    told: bool,
}

pub fn look(shop: &Shop<'_>, surveys: &[&Survey], found: &mut Vec<Diagnostic>) {
    let mut kinds: BTreeMap<&str, BTreeSet<Kind>> = BTreeMap::new();
    for (_, step) in shop.forms() {
        kinds.entry(&step.mail).or_default().insert(step.kind);
    }
    let addresses: BTreeSet<&str> = shop
        .catalog
        .products
        .iter()
        .filter_map(|product| product.product_url.as_deref())
        .collect();
    let mut seen = BTreeSet::new();
    for survey in surveys {
        let Some(kinds) = kinds.get(survey.mail.as_str()) else {
            continue;
        };
        let (order, asks) = (
            kinds.contains(&Kind::Fulfilment),
            kinds.contains(&Kind::Survey),
        );
        if !order && !asks {
            continue;
        }
        let sales = sales(shop, survey, &addresses, asks);
        let mut report = |sale: &Sale, code: &'static str, message: String| {
            let once = seen.insert((code, sale.place.file.clone(), sale.place.span.start));
            once.then(|| {
                Diagnostic::new(
                    code,
                    sale.place.file.clone(),
                    sale.place.span.clone(),
                    message,
                )
            })
        };
        if asks && let Some(sale) = sales.first() {
            let problem = report(sale, "E307", format!("a survey mail {}", sale.what));
            found.extend(problem.map(|problem| {
                problem
                    .help("surveys that end in a pitch are answered less and trusted less")
                    .help("ask here, and sell in a step of kind \"offer\"")
            }));
        }
        if order {
            in_fulfilment(survey, &sales, &mut report, found);
        }
    }
}

fn in_fulfilment(
    survey: &Survey,
    sales: &[Sale],
    report: &mut impl FnMut(&Sale, &'static str, String) -> Option<Diagnostic>,
    found: &mut Vec<Diagnostic>,
) {
    let first_fact = survey
        .prints
        .iter()
        .filter(|printed| !sells(&printed.of))
        .filter(|printed| {
            ORDER_FACTS
                .iter()
                .any(|start| printed.of.starts_with(start))
        })
        .map(|printed| printed.order)
        .min();
    // The address of what was ordered tells of the order itself.
    let Some(sale) = sales.iter().find(|sale| !sale.told) else {
        return;
    };
    let before = sale
        .order
        .is_some_and(|at| first_fact.is_some_and(|fact| at < fact));
    if before {
        let message = format!("this mail {} before it says what it is about", sale.what);
        found.extend(report(sale, "W531", message).map(|problem| {
            problem
                .help("where selling comes first, a mail about an order counts as advertising (16 CFR 316.3), and this one carries no opt-out")
                .help("begin with the order, or sell in a step of kind \"offer\"")
        }));
        return;
    }
    let message = format!("a fulfilment mail {}", sale.what);
    found.extend(report(sale, "W530", message).map(|problem| {
        problem
            .help("mail about an order needs no consent only while it sells nothing; with this it may reach people who never agreed to any")
            .help("leave it to a step of kind \"offer\"")
    }));
}

/// Everything in a mail that sells, in the order of the page.
fn sales(shop: &Shop<'_>, survey: &Survey, addresses: &BTreeSet<&str>, asks: bool) -> Vec<Sale> {
    let mut found: Vec<Sale> = Vec::new();
    for printed in survey.prints.iter().filter(|printed| sells(&printed.of)) {
        if asks && is_scale(survey, printed) {
            continue;
        }
        let is_link = printed.of.ends_with("product_url");
        found.push(Sale {
            what: if printed.of.starts_with("complement") {
                "offers something else to buy".to_owned()
            } else if is_link {
                "links to a product".to_owned()
            } else {
                "names a price to buy at".to_owned()
            },
            place: printed.place.clone(),
            order: Some(printed.order),
            told: is_link && !printed.of.starts_with("complement"),
        });
    }
    for link in &survey.links {
        let To::Address(address) = &link.to else {
            continue;
        };
        let plain = address.split(['?', '#']).next().unwrap_or(address);
        if addresses.contains(plain) {
            found.push(Sale {
                what: "links to a product".to_owned(),
                place: written(shop, survey, address),
                order: Some(link.order),
                told: false,
            });
        }
    }
    found.sort_by_key(|sale| sale.order);
    // In a survey, a reward for answering is judged as one.
    if !asks && let Some(words) = wording::reward(&survey.words) {
        found.push(Sale {
            what: format!("promises \"{words}\""),
            place: written(shop, survey, words),
            order: None,
            told: false,
        });
    }
    found
}

/// Whether a name is only where the stars of a rating lead: they are the survey's answer,
/// and what stands behind them takes it.
fn is_scale(survey: &Survey, printed: &Printed) -> bool {
    survey.links.iter().any(|link| {
        matches!(&link.to, To::Stars(of) if *of == printed.of)
            && link.place.as_ref() == Some(&printed.place)
    })
}

/// Names that are there to sell.
fn sells(of: &str) -> bool {
    of.starts_with("complement") || of.ends_with("product_url") || of.starts_with("product.price")
}

/// Where a mail says something: in its own file, else in a partial, else as a whole.
pub(super) fn written(shop: &Shop<'_>, survey: &Survey, words: &str) -> Spot {
    let own = [survey.file.as_str()];
    let partials = shop
        .source
        .paths()
        .filter(|path| path.starts_with("templates/partials/"));
    own.into_iter()
        .chain(partials)
        .find_map(|path| {
            let at = shop.source.text(path)?.find(words)?;
            Some(Spot {
                file: path.to_owned(),
                span: at..at + words.len(),
            })
        })
        .unwrap_or_else(|| Spot {
            file: survey.file.clone(),
            span: 0..0,
        })
}
