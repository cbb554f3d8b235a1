//! What happens to sample orders: the events, as a storefront would tell them, read by the
//! reader that reads anybody's.

use super::NoSample;
use super::cast::Cast;
use super::shop::{ORDER, Shop};
use super::suit::Suit;
use crate::ingest::canonical::{self, Limits};
use crate::model::event::Event;
use crate::model::ids::EventSeq;
use crate::model::product::Product;
use crate::model::time::{self, Timestamp};
use crate::plan::prove::set;
use crate::sequence::catalog::Catalog;
use jiff::SignedDuration;
use serde_json::{Value, json};

/// When the sample order was placed: a Monday morning.
const PLACED: &str = "2026-03-02T09:12:00Z";

/// Days between the orders of somebody who placed several.
const DAYS_BETWEEN: i64 = 20;

/// What happens to the sample order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Story {
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
    pub(super) fn name(self) -> &'static str {
        match self {
            Story::Delivered => "delivered",
            Story::PaidLater => "paid-later",
            Story::Slow => "slow",
            Story::Cancelled => "cancelled",
            Story::Refunded => "refunded",
        }
    }

    pub(super) const ALL: [Story; 5] = [
        Story::Delivered,
        Story::PaidLater,
        Story::Slow,
        Story::Cancelled,
        Story::Refunded,
    ];
}

/// What a story is told about, and to whom.
pub(super) struct Tale<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) product: &'a Product,
    pub(super) locale: &'a str,
    pub(super) cast: Cast,
    pub(super) suit: &'a Suit,
}

/// The story's events, as a storefront would tell them.
pub(super) fn events(tale: &Tale<'_>, story: Story) -> Result<Vec<Event>, NoSample> {
    let placed: Timestamp = PLACED
        .parse()
        .map_err(|_| NoSample::Broken("its date is none".into()))?;
    let after = |hours: i64| time::saturating_add(placed, SignedDuration::from_hours(hours));
    let shop = Shop {
        catalog: tale.catalog,
        product: tale.product,
        locale: tale.locale,
        cast: tale.cast,
        placed,
    };
    let paid_at_once = story != Story::PaidLater;
    let mut told = earlier(&shop, tale.suit.orders.unwrap_or(1));
    told.push(shop.event(
        "order.placed",
        "placed",
        placed,
        json!({
            "order": shop.order(if paid_at_once { "paid" } else { "pending" }, placed),
            "customer": shop.customer(),
        }),
    ));
    if !paid_at_once {
        told.push(shop.event(
            "order.paid",
            "paid",
            after(46),
            json!({"order": shop.order("paid", after(46)), "customer": shop.customer()}),
        ));
    }
    let order_ref = json!({"order_id": ORDER, "order_number": shop.number()});
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
        let items: Vec<Value> = shop
            .lines()
            .iter()
            .map(|line| {
                json!({
                    "line_id": line["line_id"],
                    "sku": line["sku"],
                    "quantity": line["quantity"],
                })
            })
            .collect();
        let tracking = if shop.cast == Cast::Minimal {
            json!([])
        } else {
            json!([{
                "carrier": "dhl",
                "carrier_name": "DHL",
                "number": "00340434161094042557",
                "url": "https://track.example.com/00340434161094042557",
            }])
        };
        let shipment = json!({
            "shipment_id": "SAMPLE-1",
            "direction": "outbound",
            "tracking": tracking,
            "items": items,
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
            let lines = shop.lines();
            let items: Vec<Value> = lines
                .iter()
                .map(|line| {
                    json!({
                        "line_id": line["line_id"],
                        "sku": line["sku"],
                        "quantity": line["quantity"],
                        "amount": line["total"],
                        "restock": "return",
                    })
                })
                .collect();
            told.push(shop.event(
                "refund.issued",
                "refund",
                after(240),
                json!({
                    "order_ref": order_ref,
                    "refund": {
                        "refund_id": "SAMPLE-REFUND",
                        "amount": shop.total(&lines),
                        "refunded_total": shop.total(&lines),
                        "scope": "full",
                        "reason": "other",
                        "items": items,
                        "return_id": null,
                    },
                }),
            ));
        }
    }
    for event in &mut told {
        for one in &tale.suit.set {
            set(&mut event["data"], one);
        }
    }
    told.iter()
        .zip(1..)
        .map(|(told, seq)| read(told, seq))
        .collect()
}

/// The orders before the one that the story is about.
fn earlier(shop: &Shop<'_>, orders: i64) -> Vec<Value> {
    let before = (1..orders).rev().map(|back| {
        let at = SignedDuration::from_hours(-24 * DAYS_BETWEEN * back);
        let at = time::saturating_add(shop.placed, at);
        let (id, number) = (format!("{ORDER}-{back}"), format!("#{}", 1042 - back));
        let mut order = shop.order("paid", at);
        order["order_id"] = json!(id);
        order["order_number"] = json!(number);
        order["placed_at"] = json!(at);
        let data = json!({"order": order, "customer": shop.customer()});
        let mut event = shop.event("order.placed", &format!("placed-{back}"), at, data);
        event["subject"] = json!(format!("order/{id}"));
        event["partitionkey"] = json!(format!("order/{id}"));
        event
    });
    before.collect()
}

fn read(told: &Value, seq: i64) -> Result<Event, NoSample> {
    let broken = |why: String| NoSample::Broken(why);
    let at: Timestamp = told["recordedtime"]
        .as_str()
        .unwrap_or(PLACED)
        .parse()
        .map_err(|_| broken("its date is none".into()))?;
    let parsed = canonical::parse_structured(told.to_string().as_bytes(), at, Limits::default())
        .map_err(|error| broken(error.to_string()))?;
    if let Some(poison) = parsed.poison.first() {
        return Err(broken(poison.because.to_string()));
    }
    let mut event = parsed
        .events
        .into_iter()
        .next()
        .ok_or_else(|| broken("it is empty".into()))?;
    event.seq = EventSeq(seq);
    Ok(event)
}
