//! A sample customer for previews without a database: real events about a small order,
//! taken in by the same reader and planned by the same planner as anybody's.

use super::exit::misuse;
use crate::ingest::canonical::{self, Limits};
use crate::model::event::Event;
use crate::model::history::History;
use crate::model::ids::{CustomerId, EventSeq};
use crate::model::product::{Product, Variant};
use crate::model::reason::Reason;
use crate::model::send::{Prepared, Send, SendState};
use crate::model::time::{self, Timestamp};
use crate::plan::Ready;
use crate::plan::simulate::live_through;
use crate::plan::walk::{self, Make};
use crate::sequence::catalog::Catalog;
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// When the sample order was placed: a Monday morning.
const PLACED: &str = "2026-03-02T09:12:00Z";
/// How long the sample lives on, in days: longer than any sequence of a year's course.
const LIVES_DAYS: i64 = 400;
/// Who says so.
const SOURCE: &str = "/sample";

/// What happens to the sample order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Story {
    /// Paid, shipped, delivered.
    Delivered,
    /// Placed unpaid, paid two days later, then shipped and delivered.
    PaidLater,
    /// Shipped, and then nothing is heard.
    Slow,
    /// Cancelled before it left.
    Cancelled,
    /// Delivered, and then given back.
    Refunded,
}

impl Story {
    /// What snapshots call it.
    fn name(self) -> &'static str {
        match self {
            Story::Delivered => "delivered",
            Story::PaidLater => "paid-later",
            Story::Slow => "slow",
            Story::Cancelled => "cancelled",
            Story::Refunded => "refunded",
        }
    }

    const ALL: [Story; 5] = [
        Story::Delivered,
        Story::PaidLater,
        Story::Slow,
        Story::Cancelled,
        Story::Refunded,
    ];
}

/// A send of a step, and the history at its moment.
#[derive(Debug)]
pub struct Sample {
    pub history: History,
    pub send: Send,
    pub at: Timestamp,
}

/// The first send of one of `steps` that any story about any product brings about: one
/// that goes out before one that a rule stops.
///
/// # Errors
/// The catalogue holds nothing to order, or no story leads there.
pub fn find(catalog: &Catalog, steps: &[(String, String)], locale: &str) -> anyhow::Result<Sample> {
    let mut stopped = None;
    for product in catalog
        .products
        .iter()
        .filter(|product| !product.variants.is_empty())
    {
        for story in Story::ALL {
            let Some(sample) = live(catalog, product, story, steps, locale)? else {
                continue;
            };
            if matches!(sample.send.state, SendState::Accepted { .. }) {
                return Ok(sample);
            }
            stopped.get_or_insert(sample);
        }
    }
    stopped.ok_or_else(|| {
        let names: Vec<String> = steps
            .iter()
            .map(|(sequence, step)| format!("{sequence}/{step}"))
            .collect();
        misuse(format!(
            "no sample order leads to {}\nhint: --order N or --customer C shows it for a real one",
            names.join(", ")
        ))
    })
}

fn live(
    catalog: &Catalog,
    product: &Product,
    story: Story,
    steps: &[(String, String)],
    locale: &str,
) -> anyhow::Result<Option<Sample>> {
    let events = events(catalog, product, story, locale)?;
    let history = lived(catalog, &events, None);
    let is_meant = |send: &&Send| {
        steps
            .iter()
            .any(|(sequence, step)| send.sequence == *sequence && send.step == *step)
    };
    let mut meant: Vec<&Send> = history.sends.iter().filter(is_meant).collect();
    meant.sort_by_key(|send| (!matches!(send.state, SendState::Accepted { .. }), send.at));
    let Some(send) = meant.first().copied().cloned() else {
        return Ok(None);
    };
    let at = send.at;
    let history = lived(catalog, &events, Some(at));
    Ok(Some(Sample { history, send, at }))
}

/// A mail of a sample order as it is made.
pub type Taken<'t> = dyn FnMut(&'static str, &Catalog, &Send, Box<Ready>, Timestamp) -> Result<Prepared, Reason>
    + 't;

/// Lets sample orders happen until every mail of the files has gone out in every
/// language, or no story is left; `take` makes each and is told the story's name. One
/// product of each family is enough: sequences are about families.
///
/// # Errors
/// A sample event is none, which is our mistake.
pub fn every(catalog: &Catalog, locales: &[String], take: &mut Taken<'_>) -> anyhow::Result<()> {
    let mut wanted: BTreeSet<&str> = catalog
        .sequences
        .iter()
        .flat_map(|sequence| &sequence.steps)
        .map(|step| step.mail.as_str())
        .collect();
    let mut chosen = Vec::new();
    let Some(first) = locales.first() else {
        return Ok(());
    };
    let mut families = BTreeSet::new();
    for product in catalog.products.iter() {
        let variant = product.variants.first();
        let family = catalog.products.family_of(
            Some(&product.product_id),
            variant.and_then(|variant| variant.sku.as_deref()),
            &product.tags,
            &product.categories,
            product.vendor.as_deref(),
        );
        if variant.is_none() || !families.insert(family) {
            continue;
        }
        for story in Story::ALL {
            if wanted.is_empty() {
                break;
            }
            let mut gave = false;
            lived_making(
                catalog,
                product,
                story,
                first,
                &mut |catalog, send, ready, now| {
                    gave |= wanted.remove(send.mail.as_str());
                    take(story.name(), catalog, send, ready, now)
                },
            )?;
            if gave {
                chosen.push((product, story));
            }
        }
    }
    for locale in &locales[1..] {
        for (product, story) in &chosen {
            lived_making(
                catalog,
                product,
                *story,
                locale,
                &mut |catalog, send, ready, now| take(story.name(), catalog, send, ready, now),
            )?;
        }
    }
    Ok(())
}

fn lived_making(
    catalog: &Catalog,
    product: &Product,
    story: Story,
    locale: &str,
    make: &mut Make<'_>,
) -> anyhow::Result<()> {
    let events = events(catalog, product, story, locale)?;
    let run_on = SignedDuration::from_hours(24 * LIVES_DAYS);
    let end = events
        .first()
        .map(|first| time::saturating_add(first.recorded, run_on));
    live_through(catalog, events, None, end, make);
    Ok(())
}

/// Lives the events through, up to an instant or to the sample's end.
fn lived(catalog: &Catalog, events: &[Event], until: Option<Timestamp>) -> History {
    let mut history = History::new(CustomerId(1));
    let Some(first) = events.first() else {
        return history;
    };
    let end = time::saturating_add(first.recorded, SignedDuration::from_hours(24 * LIVES_DAYS));
    let until = until.unwrap_or(end);
    let mut now = first.recorded;
    for event in events.iter().take_while(|event| event.recorded <= until) {
        let before = time::saturating_add(event.recorded, SignedDuration::from_millis(-1));
        if before > now && !history.events.is_empty() {
            walk::live(catalog, &mut history, now, before);
        }
        history.events.push(event.clone());
        history.version += 1;
        now = event.recorded;
    }
    walk::live(catalog, &mut history, now, until);
    history
}

/// The story's events, as a storefront would tell them.
fn events(
    catalog: &Catalog,
    product: &Product,
    story: Story,
    locale: &str,
) -> anyhow::Result<Vec<Event>> {
    let placed: Timestamp = PLACED.parse()?;
    let after = |hours: i64| time::saturating_add(placed, SignedDuration::from_hours(hours));
    let shop = Shop {
        catalog,
        product,
        locale,
        placed,
    };
    let paid_at_once = story != Story::PaidLater;
    let mut told = vec![shop.event(
        "order.placed",
        "placed",
        placed,
        json!({
            "order": shop.order(if paid_at_once { "paid" } else { "pending" }, placed),
            "customer": shop.customer(),
        }),
    )];
    if !paid_at_once {
        told.push(shop.event(
            "order.paid",
            "paid",
            after(46),
            json!({"order": shop.order("paid", after(46)), "customer": shop.customer()}),
        ));
    }
    let order_ref = json!({"order_id": ORDER, "order_number": NUMBER});
    if story == Story::Cancelled {
        told.push(shop.event(
            "order.cancelled",
            "cancelled",
            after(5),
            json!({
                "order_ref": order_ref,
                "cancel": {"reason": "customer", "cancelled_at": after(5)},
            }),
        ));
    } else {
        let shipment = json!({
            "shipment_id": "SAMPLE-1",
            "direction": "outbound",
            "tracking": [{
                "carrier": "dhl",
                "carrier_name": "DHL",
                "number": "00340434161094042557",
                "url": "https://track.example.com/00340434161094042557",
            }],
            "items": [{"line_id": "1", "sku": shop.variant().sku, "quantity": 1}],
            "shipped_at": after(54),
        });
        told.push(shop.event(
            "shipment.dispatched",
            "dispatched",
            after(54),
            json!({"order_ref": order_ref, "shipment": shipment}),
        ));
        if story != Story::Slow {
            told.push(shop.event(
                "shipment.delivered",
                "delivered",
                after(100),
                json!({
                    "order_ref": order_ref,
                    "shipment": shipment,
                    "delivery": {"delivered_at": after(100), "precision": "second", "basis": "carrier"},
                }),
            ));
        }
        if story == Story::Refunded {
            let price = shop.price();
            told.push(shop.event(
                "refund.issued",
                "refund",
                after(240),
                json!({
                    "order_ref": order_ref,
                    "refund": {
                        "refund_id": "SAMPLE-REFUND",
                        "amount": price,
                        "refunded_total": price,
                        "scope": "full",
                        "reason": "other",
                        "items": [{
                            "line_id": "1",
                            "sku": shop.variant().sku,
                            "quantity": 1,
                            "amount": price,
                            "restock": "return",
                        }],
                        "return_id": null,
                    },
                }),
            ));
        }
    }
    told.iter()
        .zip(1..)
        .map(|(told, seq)| read(told, seq))
        .collect()
}

const ORDER: &str = "sample-1042";
const NUMBER: &str = "#1042";

/// What the events of one sample share.
struct Shop<'a> {
    catalog: &'a Catalog,
    product: &'a Product,
    locale: &'a str,
    placed: Timestamp,
}

impl Shop<'_> {
    fn variant(&self) -> Variant {
        self.product.variants.first().cloned().unwrap_or_default()
    }

    /// The price in the currency that the sample's readers pay in, else in any.
    fn price(&self) -> Value {
        let variant = self.variant();
        let wanted = match crate::model::locale::language(self.locale).as_str() {
            "ja" => "JPY",
            "de" | "fr" => "EUR",
            _ => "USD",
        };
        let money = variant.price_in(wanted).or_else(|| {
            let (currency, _) = variant.prices.iter().next()?;
            variant.price_in(currency)
        });
        match money.or(variant.price) {
            Some(money) => json!({"amount": money.amount, "currency": money.currency}),
            None => json!({"amount": 4900, "currency": "EUR"}),
        }
    }

    fn country(&self) -> &'static str {
        match crate::model::locale::language(self.locale).as_str() {
            "ja" => "JP",
            "fr" => "FR",
            "de" => "DE",
            _ => "US",
        }
    }

    fn customer(&self) -> Value {
        let (first, last, email) = match crate::model::locale::language(self.locale).as_str() {
            "ja" => ("陽菜", "佐藤", "hina.sato@example.com"),
            "fr" => ("Camille", "Durand", "camille.durand@example.com"),
            "de" => ("Anna", "Becker", "anna.becker@example.com"),
            _ => ("Alex", "Morgan", "alex.morgan@example.com"),
        };
        json!({
            "customer_id": "sample-7",
            "account": "registered",
            "email": email,
            "first_name": first,
            "last_name": last,
            "name": if self.country() == "JP" { format!("{last} {first}") } else { format!("{first} {last}") },
            "phone": null,
            "locale": self.locale,
            "time_zone": null,
            "country": self.country(),
            "region": null,
            "tags": [],
            "marketing_consent": {
                "channel": "email",
                "state": "subscribed",
                "opt_in_level": "single_opt_in",
                "basis": "explicit",
                "source": "checkout",
                "updated_at": self.placed,
            },
        })
    }

    fn order(&self, payment: &str, version: Timestamp) -> Value {
        let variant = self.variant();
        let price = self.price();
        let currency = price["currency"].clone();
        let nothing = json!({"amount": 0, "currency": currency});
        let locales = crate::model::locale::chain(self.locale, None);
        let kind = variant.kind.as_deref().unwrap_or("physical");
        json!({
            "order_id": ORDER,
            "order_number": NUMBER,
            "version": version,
            "placed_at": self.placed,
            "channel": "web",
            "currency": currency,
            "subtotal": price,
            "discount": nothing,
            "shipping": nothing,
            "tax": nothing,
            "total": price,
            "shop_total": null,
            "payment_status": payment,
            "fulfilment_status": "unfulfilled",
            "status_url": format!("{}/orders/{ORDER}", self.catalog.policy.url.trim_end_matches('/')),
            "tags": [],
            "discount_codes": [],
            "shipping_method": "Standard",
            "ship_to": {"country": self.country(), "region": null, "postal_code": null, "city": null},
            "line_items": [{
                "line_id": "1",
                "product_id": self.product.product_id,
                "variant_id": variant.variant_id,
                "sku": variant.sku,
                "title": self.product.title_in(&locales),
                "variant_title": variant.title,
                "quantity": 1,
                "current_quantity": 1,
                "unit_price": price,
                "discount": nothing,
                "total": price,
                "vendor": self.product.vendor,
                "kind": kind,
                "requires_shipping": kind == "physical",
                "tags": self.product.tags,
                "categories": self.product.categories,
                "image_url": self.product.image_url,
                "product_url": self.product.product_url,
                "catalog_resolved": true,
            }],
        })
    }

    fn event(&self, kind: &str, id: &str, at: Timestamp, mut data: Value) -> Value {
        data["test"] = Value::Bool(false);
        json!({
            "specversion": "1.0",
            "id": format!("sample/{id}"),
            "source": SOURCE,
            "type": kind,
            "subject": format!("order/{ORDER}"),
            "time": at,
            "recordedtime": at,
            "datacontenttype": "application/json",
            "partitionkey": format!("order/{ORDER}"),
            "data": data,
        })
    }
}

fn read(told: &Value, seq: i64) -> anyhow::Result<Event> {
    let at: Timestamp = told["recordedtime"].as_str().unwrap_or(PLACED).parse()?;
    let parsed = canonical::parse_structured(told.to_string().as_bytes(), at, Limits::default())?;
    if let Some(poison) = parsed.poison.first() {
        anyhow::bail!("the sample order is no order: {}", poison.because);
    }
    let mut event = parsed
        .events
        .into_iter()
        .next()
        .ok_or_else(|| misuse("the sample is empty"))?;
    event.seq = EventSeq(seq);
    Ok(event)
}
