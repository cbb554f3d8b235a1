//! The rules of the fold, one story each. Facts are given in disorder on purpose: every
//! story is folded in several orders and with repetitions, and must come out the same.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod facts;
mod goods;
mod people;

use super::*;
use crate::model::event::{Body, ConsentState, EventKind, IngestMode};
use crate::model::ids::CustomerId;
use crate::model::kind::Kind;
use crate::model::policy::{Assume, ConsentTable, EnrolMaxAge, Limits};
use crate::model::product::{Component, Family, Product, Variant};
use crate::model::time::Length;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const SHOP: &str = "/shop/example";
const TRACK: &str = "/track/main";

fn at(text: &str) -> Timestamp {
    let full = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        16 => format!("{text}:00Z"),
        _ => text.to_owned(),
    };
    full.parse().expect("an instant")
}

fn policy() -> Policy {
    Policy {
        id: "shop".into(),
        name: "Shop".into(),
        url: "https://shop.example.com".into(),
        address: String::new(),
        zone: TimeZone::get("Europe/Berlin").unwrap(),
        zone_name: "Europe/Berlin".into(),
        locales: vec!["en".into(), "de".into(), "fr".into(), "ja".into()],
        fallback: Some("en".into()),
        live_since: Some(at("2026-01-01")),
        enrol_max_age: EnrolMaxAge {
            fulfilment: Length::Days(7),
            others: Length::Days(30),
        },
        test_recipients: vec![],
        hours: None,
        limits: Limits::default(),
        earn: BTreeMap::new(),
        assume: vec![Assume {
            to: "DE".into(),
            after: Length::BusinessDays(4),
        }],
        learn: false,
        transits: Default::default(),
        consent: ConsentTable::default(),
        brand: None,
        campaign: Default::default(),
        ticket_cool_down: Length::Days(3),
        people: BTreeMap::new(),
        country: None,
        closed: std::collections::BTreeSet::new(),
    }
}

fn products() -> Products {
    let product = |id: &str, skus: &[(&str, &[&str])], tags: &[&str]| Product {
        product_id: id.into(),
        title: format!("{id} in English"),
        titles: [("de".to_owned(), format!("{id} auf Deutsch"))].into(),
        vendor: None,
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        categories: vec![],
        image_url: None,
        product_url: None,
        status: None,
        related: vec![],
        replenish_days: None,
        variants: skus
            .iter()
            .map(|(sku, parts)| Variant {
                sku: Some((*sku).to_owned()),
                prices: [("EUR".to_owned(), 100)].into(),
                components: parts
                    .iter()
                    .map(|part| Component {
                        sku: (*part).to_owned(),
                        quantity: 1,
                    })
                    .collect(),
                ..Variant::default()
            })
            .collect(),
    };
    let family = |id: &str| Family {
        id: id.into(),
        tags: vec![id.into()],
        ..Family::default()
    };
    Products::new(
        vec![
            product("P-CAM", &[("CAM", &[])], &["dslr"]),
            product("P-TRI", &[("TRI", &[])], &["tripod"]),
            product("P-KIT", &[("KIT", &["CAM", "TRI"])], &["kit"]),
        ],
        vec![family("dslr"), family("tripod")],
    )
}

/// An event: `source kind id`, at a time, saying something.
fn tell(source: &str, kind: &str, id: &str, time: &str, body: Value) -> Event {
    Event {
        seq: EventSeq(0),
        id: id.to_owned(),
        source: source.to_owned(),
        kind: kind.parse().expect("a kind"),
        subject: String::new(),
        time: at(time),
        recorded: at(time),
        sequence: None,
        partition: None,
        mode: IngestMode::Live,
        misdated: false,
        body: Arc::new(serde_json::from_value::<Body>(body).expect("a body")),
        considered: false,
    }
}

fn eur(amount: i64) -> Value {
    json!({"amount": amount, "currency": "EUR"})
}

/// A line: id, SKU, quantity, current quantity, kind.
fn line(id: &str, sku: &str, quantity: i64, current: i64, kind: &str) -> Value {
    json!({"line_id": id, "sku": sku, "product_id": format!("P-{sku}"), "title": sku,
        "quantity": quantity, "current_quantity": current, "unit_price": eur(100),
        "total": eur(100 * quantity), "kind": kind})
}

fn buyer(email: &str) -> Value {
    json!({"email": email, "account": "guest", "country": "DE", "time_zone": "Europe/Berlin",
        "name": "Ann Lee", "locale": "de-DE"})
}

fn order_of(id: &str, version: &str, status: &str, lines: &[Value]) -> Value {
    json!({"order_id": id, "order_number": format!("#{id}"), "version": at(version).to_string(),
        "placed_at": "2026-02-02T09:00:00Z", "currency": "EUR", "total": eur(1000),
        "payment_status": status, "fulfilment_status": "unfulfilled", "line_items": lines,
        "ship_to": {"country": "DE"}})
}

/// Order 1, placed and paid on Monday 2 February 2026 at 09:00 UTC.
fn placed(lines: &[Value]) -> Event {
    let order = order_of("1", "2026-02-02T09:00", "paid", lines);
    let body = json!({"order": order, "customer": buyer("ann@example.com")});
    tell(
        SHOP,
        "order.placed",
        "order/1/placed",
        "2026-02-02T09:00",
        body,
    )
}

/// A fact about a parcel: its items as (line, quantity).
fn parcel(
    source: &str,
    what: &str,
    id: &str,
    time: &str,
    items: &[(&str, i64)],
    number: &str,
) -> Event {
    let items: Vec<Value> = items
        .iter()
        .map(|(line, quantity)| json!({"line_id": line, "quantity": quantity}))
        .collect();
    let mut body = json!({"shipment": {"shipment_id": id, "direction": "outbound",
        "tracking": [{"carrier": "c", "number": number}], "items": items}});
    if source == SHOP {
        body["order_ref"] = json!({"order_id": "1"});
    }
    if what == "delivered" {
        let basis = if source == SHOP {
            "storefront"
        } else {
            "carrier"
        };
        body["delivery"] = json!({"delivered_at": at(time).to_string(), "precision": "second",
            "basis": basis, "reported_by": "x"});
    }
    let fact = format!("shipment/{id}/{what}@{time}");
    tell(source, &format!("shipment.{what}"), &fact, time, body)
}

fn history(events: &[Event]) -> History {
    let mut history = History::new(CustomerId(1));
    for event in events {
        let mut event = event.clone();
        event.seq = EventSeq(i64::try_from(history.events.len()).unwrap() + 1);
        history.events.push(event);
    }
    history
}

/// What must not depend on the order of arrival.
fn digest(state: &State, history: &History) -> String {
    let facts: Vec<String> = state
        .facts
        .iter()
        .map(|fact| {
            let first = event(history, fact.evidence[0]).expect("evidence");
            format!(
                "{} {} {:?} {:?} {:?} by {} inferred={} history={}",
                fact.kind,
                fact.time,
                fact.order,
                fact.line,
                fact.shipment,
                first.id,
                fact.inferred,
                fact.history_only
            )
        })
        .collect();
    format!(
        "{:?}\n{:#?}\n{}\n{:?}",
        state.person,
        state.orders,
        facts.join("\n"),
        state.changes_at
    )
}

/// Folds as of an instant, in several orders and with repetitions, which must not matter.
fn as_of(now: &str, events: &[Event]) -> State {
    let (policy, products, now) = (policy(), products(), at(now));
    let told = history(events);
    let state = fold(&policy, &products, &told, now);
    let expected = digest(&state, &told);
    let mut other: Vec<Event> = events.to_vec();
    for turn in 0..4 {
        other.reverse();
        let middle = other.len() / 2;
        if turn > 1 {
            other.rotate_left(middle);
        }
        let mut again = other.clone();
        again.extend(other.iter().take(turn).cloned());
        let told = history(&again);
        assert_eq!(
            digest(&fold(&policy, &products, &told, now), &told),
            expected
        );
    }
    state
}

fn facts(state: &State, kind: &str) -> Vec<(String, Option<String>)> {
    state
        .facts
        .iter()
        .filter(|fact| fact.kind.as_str() == kind)
        .map(|fact| (fact.time.to_string(), fact.line.clone()))
        .collect()
}

fn times(state: &State, kind: &str) -> Vec<String> {
    facts(state, kind)
        .into_iter()
        .map(|(time, _)| time)
        .collect()
}

fn camera() -> Value {
    line("1", "CAM", 1, 1, "physical")
}

fn tripod() -> Value {
    line("2", "TRI", 1, 1, "physical")
}

fn bought(order: &str, id: Option<&str>, email: &str, time: &str) -> Event {
    let mut who = buyer(email);
    who["customer_id"] = json!(id);
    let mut snapshot = order_of(order, time, "paid", &[camera()]);
    snapshot["placed_at"] = json!(at(time).to_string());
    let body = json!({"order": snapshot, "customer": who});
    tell(
        SHOP,
        "order.placed",
        &format!("order/{order}/placed"),
        time,
        body,
    )
}
