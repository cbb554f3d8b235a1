//! The rules of the fold, one story each. Facts are given in disorder on purpose: every
//! story is folded in several orders and with repetitions, and must come out the same.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

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
        consent: ConsentTable::default(),
        ticket_cool_down: Length::Days(3),
        people: BTreeMap::new(),
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

fn refund(id: &str, time: &str, amount: i64, items: &[(&str, i64, &str)]) -> Event {
    let items: Vec<Value> = items
        .iter()
        .map(|(line, quantity, restock)| json!({"line_id": line, "quantity": quantity, "restock": restock}))
        .collect();
    let body = json!({"order_ref": {"order_id": "1"},
        "refund": {"refund_id": id, "amount": eur(amount), "scope": "unknown", "items": items}});
    tell(SHOP, "refund.issued", &format!("refund/{id}"), time, body)
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

#[test]
fn an_order_paid_at_once_is_paid_when_placed_and_one_paid_later_is_not() {
    let state = as_of("2026-02-02T10:00", &[placed(&[camera()])]);
    assert_eq!(state.orders[0].paid_at, Some(at("2026-02-02T09:00")));
    assert_eq!(times(&state, "order.paid"), ["2026-02-02T09:00:00Z"]);

    let pending = order_of("1", "2026-02-02T09:00", "pending", &[camera()]);
    let paid = order_of("1", "2026-02-05T09:00", "paid", &[camera()]);
    let who = buyer("ann@example.com");
    let events = [
        tell(
            SHOP,
            "order.placed",
            "p",
            "2026-02-02T09:00",
            json!({"order": pending, "customer": who}),
        ),
        tell(
            SHOP,
            "order.paid",
            "q",
            "2026-02-05T09:00",
            json!({"order": paid, "customer": who}),
        ),
    ];
    let state = as_of("2026-02-06", &events);
    assert_eq!(times(&state, "order.paid"), ["2026-02-05T09:00:00Z"]);
    assert_eq!(as_of("2026-02-03", &events[..1]).orders[0].paid_at, None);
    // The same fact told again, newer: it was paid when its source changed it.
    let mut again = events[0].clone();
    again.body = Arc::new(
        serde_json::from_value(
            json!({"order": order_of("1", "2026-02-05T09:00", "paid", &[camera()]),
            "customer": who}),
        )
        .unwrap(),
    );
    let state = as_of("2026-02-06", &[events[0].clone(), again]);
    assert_eq!(times(&state, "order.paid"), ["2026-02-05T09:00:00Z"]);
    assert_eq!(times(&state, "order.placed").len(), 1);
}

#[test]
fn two_sources_describing_one_parcel_are_one_shipment_and_one_delivery() {
    let state = as_of(
        "2026-02-10",
        &[
            placed(&[camera()]),
            parcel(
                SHOP,
                "dispatched",
                "S1",
                "2026-02-03T09:00",
                &[("1", 1)],
                "AA 11-22",
            ),
            parcel(TRACK, "in_transit", "T1", "2026-02-04T09:00", &[], "aa1122"),
            parcel(TRACK, "delivered", "T1", "2026-02-05T09:00", &[], "aa1122"),
            parcel(
                SHOP,
                "delivered",
                "S1",
                "2026-02-05T11:00",
                &[("1", 1)],
                "AA1122",
            ),
            // Late news of an earlier stage takes nothing back.
            parcel(
                TRACK,
                "out_for_delivery",
                "T1",
                "2026-02-05T12:00",
                &[],
                "aa1122",
            ),
        ],
    );
    let shipments = &state.orders[0].shipments;
    assert_eq!(shipments.len(), 1);
    assert_eq!(
        (shipments[0].id.as_str(), shipments[0].ids.len()),
        ("S1", 2)
    );
    assert_eq!(shipments[0].status, "delivered");
    assert_eq!(shipments[0].delivery_basis, Some(DeliveryBasis::Carrier));
    assert_eq!(
        times(&state, "shipment.delivered"),
        ["2026-02-05T09:00:00Z"]
    );
    assert_eq!(
        facts(&state, "item.delivered"),
        [("2026-02-05T09:00:00Z".into(), Some("1".into()))]
    );
    assert_eq!(times(&state, "order.delivered"), ["2026-02-05T09:00:00Z"]);
    assert!(
        state
            .facts
            .iter()
            .all(|fact| fact.order.as_deref() == Some("1"))
    );
}

#[test]
fn partial_shipments_deliver_line_by_line_and_the_order_with_the_last() {
    let events = [
        placed(&[
            camera(),
            tripod(),
            line("3", "PRE", 1, 1, "digital"),
            line("4", "GC", 1, 1, "gift_card"),
        ]),
        parcel(
            SHOP,
            "dispatched",
            "S1",
            "2026-02-03T09:00",
            &[("1", 1)],
            "A",
        ),
        parcel(TRACK, "delivered", "T1", "2026-02-05T09:00", &[], "A"),
        parcel(
            SHOP,
            "dispatched",
            "S2",
            "2026-02-10T09:00",
            &[("2", 1)],
            "B",
        ),
        parcel(TRACK, "delivered", "T2", "2026-02-12T09:00", &[], "B"),
    ];
    let state = as_of("2026-02-06", &events[..3]);
    let order = &state.orders[0];
    assert_eq!(order.delivered_at, None);
    let to_come: Vec<i64> = order
        .lines
        .iter()
        .map(|l| l.owed_quantity - l.dispatched_quantity)
        .collect();
    assert_eq!(to_come, [0, 1, 0, 0]);
    let state = as_of("2026-02-13", &events);
    assert_eq!(
        facts(&state, "item.delivered"),
        [
            ("2026-02-02T09:00:00Z".into(), Some("3".into())),
            ("2026-02-05T09:00:00Z".into(), Some("1".into())),
            ("2026-02-12T09:00:00Z".into(), Some("2".into())),
        ]
    );
    assert_eq!(times(&state, "order.delivered"), ["2026-02-12T09:00:00Z"]);
    assert_eq!(state.orders[0].dispatched_at, Some(at("2026-02-03T09:00")));
}

#[test]
fn the_line_is_delivered_with_its_last_unit() {
    let events = [
        placed(&[line("1", "CAM", 3, 3, "physical")]),
        parcel(
            SHOP,
            "dispatched",
            "S1",
            "2026-02-03T09:00",
            &[("1", 2)],
            "A",
        ),
        parcel(TRACK, "delivered", "T1", "2026-02-05T09:00", &[], "A"),
        parcel(
            SHOP,
            "dispatched",
            "S2",
            "2026-02-04T09:00",
            &[("1", 1)],
            "B",
        ),
        parcel(TRACK, "delivered", "T2", "2026-02-06T09:00", &[], "B"),
    ];
    assert_eq!(
        times(&as_of("2026-02-07", &events), "item.delivered"),
        ["2026-02-06T09:00:00Z"]
    );
    assert!(
        as_of("2026-02-05T10:00", &events[..4]).orders[0].lines[0]
            .delivered_at
            .is_none()
    );
}

#[test]
fn parcels_of_unknown_content_take_the_rest() {
    let lines = [camera(), tripod()];
    // The only parcel: everything.
    let state = as_of(
        "2026-02-06",
        &[
            placed(&lines),
            parcel(SHOP, "dispatched", "S1", "2026-02-03T09:00", &[], "A"),
            parcel(TRACK, "delivered", "T1", "2026-02-05T09:00", &[], "A"),
        ],
    );
    assert_eq!(
        state.orders[0].shipments[0].items,
        [("1".to_owned(), 1), ("2".to_owned(), 1)]
    );
    assert_eq!(times(&state, "order.delivered"), ["2026-02-05T09:00:00Z"]);
    // Beside an itemised one: the rest.
    let state = as_of(
        "2026-02-06",
        &[
            placed(&lines),
            parcel(
                SHOP,
                "dispatched",
                "S1",
                "2026-02-03T09:00",
                &[("2", 1)],
                "A",
            ),
            parcel(SHOP, "delivered", "S2", "2026-02-05T09:00", &[], "B"),
        ],
    );
    assert_eq!(
        facts(&state, "item.delivered"),
        [("2026-02-05T09:00:00Z".into(), Some("1".into()))]
    );
    // Several unknown: only when all came, and the storefront calls it fulfilled.
    let two = |fulfilled: bool, both: bool| {
        let mut order = order_of("1", "2026-02-04T09:00", "paid", &lines);
        order["fulfilment_status"] = json!(if fulfilled { "fulfilled" } else { "partial" });
        let mut events = vec![
            placed(&lines),
            tell(
                SHOP,
                "order.updated",
                "u",
                "2026-02-04T09:00",
                json!({"order": order}),
            ),
            parcel(SHOP, "delivered", "S1", "2026-02-05T09:00", &[], "A"),
            parcel(SHOP, "dispatched", "S2", "2026-02-03T09:00", &[], "B"),
        ];
        if both {
            events.push(parcel(
                SHOP,
                "delivered",
                "S2",
                "2026-02-06T08:00",
                &[],
                "B",
            ));
        }
        times(&as_of("2026-02-06T09:00", &events), "order.delivered")
    };
    assert_eq!(two(true, true), ["2026-02-06T08:00:00Z"]);
    assert!(two(true, false).is_empty() && two(false, true).is_empty());
}

#[test]
fn a_line_called_off_before_its_dispatch_is_not_waited_for() {
    let state = as_of(
        "2026-02-06",
        &[
            placed(&[camera(), tripod()]),
            refund("R", "2026-02-02T12:00", 100, &[("2", 1, "cancel")]),
            parcel(
                SHOP,
                "dispatched",
                "S1",
                "2026-02-03T09:00",
                &[("1", 1)],
                "A",
            ),
            parcel(
                SHOP,
                "delivered",
                "S1",
                "2026-02-05T09:00",
                &[("1", 1)],
                "A",
            ),
        ],
    );
    assert_eq!(times(&state, "order.delivered"), ["2026-02-05T09:00:00Z"]);
    assert_eq!(
        facts(&state, "item.refunded"),
        [("2026-02-02T12:00:00Z".into(), Some("2".into()))]
    );
    assert!(times(&state, "order.refunded").is_empty());
    // A snapshot that already leaves it out does not take it off twice.
    let later = order_of(
        "1",
        "2026-02-02T13:00",
        "paid",
        &[camera(), line("2", "TRI", 2, 1, "physical")],
    );
    let state = as_of(
        "2026-02-06",
        &[
            placed(&[camera(), line("2", "TRI", 2, 2, "physical")]),
            refund("R", "2026-02-02T12:00", 100, &[("2", 1, "cancel")]),
            tell(
                SHOP,
                "order.updated",
                "u",
                "2026-02-02T13:00",
                json!({"order": later}),
            ),
        ],
    );
    assert_eq!(
        (
            state.orders[0].lines[1].owed_quantity,
            state.orders[0].lines[1].kept_quantity
        ),
        (1, 1)
    );
}

#[test]
fn nothing_heard_is_assumed_delivered_where_the_policy_says_so() {
    let events = [
        placed(&[camera()]),
        parcel(
            SHOP,
            "dispatched",
            "S1",
            "2026-02-05T09:00",
            &[("1", 1)],
            "A",
        ),
    ];
    // Thursday plus four working days is Wednesday.
    let before = as_of("2026-02-11T08:59", &events);
    assert_eq!(before.changes_at, Some(at("2026-02-11T09:00")));
    assert_eq!(before.orders[0].delivered_at, None);
    let after = as_of("2026-02-11T09:00", &events);
    assert_eq!(after.changes_at, None);
    assert_eq!(
        after.orders[0].lines[0].delivery_basis,
        Some(DeliveryBasis::Inferred)
    );
    assert_eq!(after.orders[0].delivered_at, Some(at("2026-02-11T09:00")));
    assert_eq!(after.orders[0].shipments[0].delivered_at, None);
    let inferred: Vec<&str> = after
        .facts
        .iter()
        .filter(|f| f.inferred)
        .map(|f| f.kind.as_str())
        .collect();
    assert_eq!(inferred, ["item.delivered", "order.delivered"]);
    // A real delivery replaces it, whenever it is learnt.
    let real = parcel(TRACK, "delivered", "T1", "2026-02-09T10:00", &[], "A");
    let state = as_of("2026-02-20", &[&events[..], &[real]].concat());
    assert_eq!(times(&state, "item.delivered"), ["2026-02-09T10:00:00Z"]);
    assert!(!state.facts.iter().any(|fact| fact.inferred));
    // What waits at a pickup point is not silent.
    let pickup = parcel(
        TRACK,
        "available_for_pickup",
        "T1",
        "2026-02-09T10:00",
        &[],
        "A",
    );
    let state = as_of("2026-03-20", &[&events[..], &[pickup]].concat());
    assert_eq!(
        (state.orders[0].delivered_at, state.changes_at),
        (None, None)
    );
}

#[test]
fn without_an_assumption_the_order_is_capped_and_its_lines_are_not() {
    let mut order = order_of("1", "2026-02-02T09:00", "paid", &[camera()]);
    order["ship_to"] = json!({"country": "FR"});
    let events = [
        tell(
            SHOP,
            "order.placed",
            "p",
            "2026-02-02T09:00",
            json!({"order": order, "customer": {
            "email": "ann@example.com", "country": "FR", "time_zone": "Europe/Paris"}}),
        ),
        parcel(
            SHOP,
            "dispatched",
            "S1",
            "2026-02-05T09:00",
            &[("1", 1)],
            "A",
        ),
    ];
    assert_eq!(
        as_of("2026-02-18", &events).changes_at,
        Some(at("2026-02-19T09:00"))
    );
    let state = as_of("2026-02-20", &events);
    assert_eq!(times(&state, "order.delivered"), ["2026-02-19T09:00:00Z"]);
    assert!(times(&state, "item.delivered").is_empty());
    let back = parcel(
        SHOP,
        "returned_to_sender",
        "S1",
        "2026-02-10T09:00",
        &[("1", 1)],
        "A",
    );
    let state = as_of("2026-03-20", &[&events[..], &[back]].concat());
    assert!(times(&state, "order.delivered").is_empty());
}

#[test]
fn what_came_back_was_not_delivered_or_is_kept_no_longer() {
    let sent = [
        placed(&[camera()]),
        parcel(
            SHOP,
            "dispatched",
            "S1",
            "2026-02-03T09:00",
            &[("1", 1)],
            "A",
        ),
        parcel(TRACK, "delivery_failed", "T1", "2026-02-04T09:00", &[], "A"),
    ];
    let returned = parcel(
        TRACK,
        "returned_to_sender",
        "T1",
        "2026-02-08T09:00",
        &[],
        "A",
    );
    let to_sender = parcel(TRACK, "delivered", "T1", "2026-02-12T09:00", &[], "A");
    let state = as_of(
        "2026-03-01",
        &[&sent[..], &[returned.clone(), to_sender]].concat(),
    );
    assert!(state.orders[0].shipments[0].gone);
    assert_eq!(state.orders[0].shipments[0].status, "returned_to_sender");
    assert!(
        times(&state, "item.delivered").is_empty()
            && times(&state, "shipment.delivered").is_empty()
    );
    let to_customer = parcel(TRACK, "delivered", "T1", "2026-02-05T09:00", &[], "A");
    let state = as_of(
        "2026-03-01",
        &[&sent[..], &[returned, to_customer]].concat(),
    );
    assert_eq!(times(&state, "item.delivered").len(), 1);
    assert!(!state.orders[0].lines[0].kept());
    // A delivery crosses over what was called lost.
    let lost = parcel(TRACK, "lost", "T1", "2026-02-06T09:00", &[], "A");
    let found = parcel(TRACK, "delivered", "T1", "2026-02-20T09:00", &[], "A");
    let state = as_of("2026-03-01", &[&sent[..], &[lost.clone(), found]].concat());
    assert!(!state.orders[0].shipments[0].gone);
    assert!(as_of("2026-03-01", &[&sent[..], &[lost]].concat()).orders[0].shipments[0].gone);
}

#[test]
fn refunds_count_by_line_or_by_sum_and_goodwill_counts_for_nothing() {
    let order = placed(&[camera(), tripod()]);
    let kept = |events: &[Event]| -> Vec<i64> {
        let state = as_of("2026-03-01", events);
        state.orders[0]
            .lines
            .iter()
            .map(|line| line.kept_quantity)
            .collect()
    };
    let goodwill = refund("G", "2026-02-10", 300, &[]);
    assert_eq!(kept(&[order.clone(), goodwill.clone()]), [1, 1]);
    let tripod = refund("T", "2026-02-11", 200, &[("2", 1, "return")]);
    assert_eq!(
        kept(&[order.clone(), goodwill.clone(), tripod.clone()]),
        [1, 0]
    );
    let rest = refund("X", "2026-02-12", 500, &[]);
    let all = [order, goodwill, tripod, rest];
    assert_eq!(kept(&all), [0, 0]);
    let state = as_of("2026-03-01", &all);
    assert_eq!(times(&state, "order.refunded"), ["2026-02-12T00:00:00Z"]);
    assert_eq!(
        facts(&state, "item.refunded"),
        [
            ("2026-02-11T00:00:00Z".into(), Some("2".into())),
            ("2026-02-12T00:00:00Z".into(), Some("1".into())),
        ]
    );
}

#[test]
fn a_return_holds_while_open_stops_when_received_and_releases_after_a_cool_down() {
    let told = |status: &str, time: &str| {
        let kind = if status == "requested" {
            "return.requested"
        } else {
            "return.updated"
        };
        let body = json!({"order_ref": if status == "requested" { json!({"order_id": "1"}) } else { Value::Null },
            "return": {"return_id": "RT", "status": status, "items": [{"line_id": "2", "quantity": 1}]}});
        tell(SHOP, kind, &format!("return/{status}"), time, body)
    };
    let requested = [
        placed(&[camera(), tripod()]),
        told("requested", "2026-02-10"),
    ];
    let open = |now: &str, more: &[Event]| {
        let state = as_of(now, &[&requested[..], more].concat());
        let line = &state.orders[0].lines[1];
        assert!(!state.orders[0].lines[0].return_open);
        (
            line.return_open,
            line.returned,
            line.kept(),
            state.changes_at,
        )
    };
    assert_eq!(open("2026-02-11", &[]), (true, false, true, None));
    assert_eq!(
        open("2026-02-12", &[told("approved", "2026-02-11")]),
        (true, false, true, None)
    );
    assert_eq!(
        open("2026-02-15", &[told("received", "2026-02-14")]),
        (false, true, false, None)
    );
    let declined = [told("declined", "2026-02-14")];
    assert_eq!(
        open("2026-02-15", &declined),
        (true, false, true, Some(at("2026-02-17")))
    );
    assert_eq!(open("2026-02-17", &declined), (false, false, true, None));
    let refunded = [refund("R", "2026-02-14", 100, &[("2", 1, "return")])];
    assert_eq!(open("2026-02-15", &refunded), (false, false, false, None));
    let state = as_of(
        "2026-02-15",
        &[&requested[..], &[told("received", "2026-02-14")]].concat(),
    );
    assert_eq!(
        facts(&state, "item.returned"),
        [("2026-02-14T00:00:00Z".into(), Some("2".into()))]
    );
}

#[test]
fn edits_change_what_is_owed_and_kept_and_are_a_fact_when_something_was_added() {
    let after = [
        camera(),
        line("2", "TRI", 1, 0, "physical"),
        line("3", "PRE", 1, 1, "digital"),
    ];
    let state = as_of(
        "2026-02-10",
        &[
            placed(&[camera(), tripod()]),
            tell(
                SHOP,
                "order.updated",
                "u1",
                "2026-02-02T10:00",
                json!({"order": order_of("1", "2026-02-02T10:00", "paid", &after)}),
            ),
            // A change without a snapshot, newer than any.
            tell(
                SHOP,
                "order.updated",
                "u2",
                "2026-02-02T11:00",
                json!({"order_ref": {"order_id": "1"}, "changes": {"added": [], "removed": [{"line_id": "3", "quantity": 1}]}}),
            ),
        ],
    );
    assert_eq!(times(&state, "order.edited"), ["2026-02-02T10:00:00Z"]);
    let kept: Vec<bool> = state.orders[0].lines.iter().map(Line::kept).collect();
    assert_eq!(kept, [true, false, false]);
    // A line that a snapshot no longer names is gone, but its runs must find it.
    let state = as_of(
        "2026-02-10",
        &[
            placed(&[camera(), tripod()]),
            tell(
                SHOP,
                "order.updated",
                "u1",
                "2026-02-02T10:00",
                json!({"order": order_of("1", "2026-02-02T10:00", "paid", &[camera()])}),
            ),
        ],
    );
    assert!(times(&state, "order.edited").is_empty());
    assert!(!state.line("1", "2").unwrap().kept());
}

#[test]
fn a_cancelled_order_keeps_nothing_unless_it_is_fulfilled_again() {
    let cancelled = tell(
        SHOP,
        "order.cancelled",
        "c",
        "2026-02-02T12:00",
        json!({"order_ref": {"order_id": "1"}, "cancel": {"reason": "customer", "cancelled_at": "2026-02-02T12:00:00Z"}}),
    );
    let state = as_of("2026-02-03", &[placed(&[camera()]), cancelled.clone()]);
    assert!(state.orders[0].cancelled_at.is_some() && !state.orders[0].lines[0].kept());
    assert_eq!(state.orders[0].lines[0].owed_quantity, 0);
    let again = parcel(
        SHOP,
        "dispatched",
        "S1",
        "2026-02-04T09:00",
        &[("1", 1)],
        "A",
    );
    let state = as_of(
        "2026-02-05",
        &[placed(&[camera()]), cancelled.clone(), again],
    );
    assert!(state.orders[0].cancelled_at.is_none() && state.orders[0].lines[0].kept());
    // A cancellation of an order not heard of yet is a tombstone.
    let state = as_of("2026-02-03", &[cancelled]);
    assert!(state.orders.is_empty());
    assert_eq!(state.facts[0].order, None);
}

#[test]
fn replacements_gifts_and_subscriptions_are_told_apart() {
    let with = |change: &dyn Fn(&mut Value)| {
        let mut order = order_of("1", "2026-02-02T09:00", "paid", &[camera()]);
        change(&mut order);
        let body = json!({"order": order, "customer": buyer("ann@example.com")});
        let state = as_of(
            "2026-02-03",
            &[tell(SHOP, "order.placed", "p", "2026-02-02T09:00", body)],
        );
        let order = &state.orders[0];
        (order.replacement, order.gift, order.subscription_sequence)
    };
    assert_eq!(with(&|_| {}), (false, false, None));
    assert_eq!(with(&|o| o["replaces"] = json!("7")), (true, false, None));
    assert_eq!(
        with(&|o| o["tags"] = json!(["Replacement"])),
        (true, false, None)
    );
    assert_eq!(with(&|o| o["total"] = eur(0)), (true, false, None));
    assert_eq!(with(&|o| o["gift"] = json!(true)), (false, true, None));
    assert_eq!(
        with(&|o| o["ship_to"] = json!({"country": "FR"})),
        (false, true, None)
    );
    assert_eq!(
        with(&|o| o["ship_to"] = json!({"name": "Bo Karlsson"})),
        (false, true, None)
    );
    assert_eq!(
        with(&|o| o["ship_to"] = json!({"name": "LEE, Ann M."})),
        (false, false, None)
    );
    assert_eq!(
        with(&|o| o["subscription"] = json!({"id": "s", "sequence": 2})),
        (false, false, Some(2))
    );
}

fn ticket(what: &str, status: &str, time: &str) -> Event {
    let body = json!({"ticket": {"ticket_id": "T", "status": status},
        "customer_ref": {"customer_id": null, "email": "ann@example.com"}});
    tell(
        "/desk",
        &format!("ticket.{what}"),
        &format!("ticket/{what}@{time}"),
        time,
        body,
    )
}

#[test]
fn a_ticket_holds_while_open_and_for_a_while_after() {
    let held = |now: &str, events: &[Event]| {
        let state = as_of(now, events);
        (state.person.open_ticket, state.changes_at)
    };
    let opened = ticket("opened", "open", "2026-02-02");
    let solved = ticket("closed", "solved", "2026-02-10");
    let reopened = ticket("opened", "pending", "2026-02-11");
    assert_eq!(held("2026-02-03", &[opened.clone()]), (true, None));
    let closed = [opened.clone(), solved.clone()];
    assert_eq!(held("2026-02-11", &closed), (true, Some(at("2026-02-13"))));
    assert_eq!(held("2026-02-13", &closed), (false, None));
    assert_eq!(
        held("2026-03-01", &[opened.clone(), solved, reopened]),
        (true, None)
    );
    // Told closed before it was told open: by its time, it is closed.
    let early = ticket("closed", "closed", "2026-02-05");
    assert_eq!(held("2026-02-20", &[early, opened]), (false, None));
}

#[test]
fn a_dispute_holds_until_it_is_closed_without_loss() {
    let told = |what: &str, outcome: Option<&str>, time: &str| {
        let body = json!({"dispute": {"dispute_id": "D", "outcome": outcome}, "order_ref": {"order_id": "1"}});
        tell(SHOP, &format!("dispute.{what}"), what, time, body)
    };
    let opened = told("opened", None, "2026-02-05");
    let order = placed(&[camera()]);
    let open = |more: &[Event]| {
        as_of(
            "2026-03-01",
            &[&[order.clone(), opened.clone()], more].concat(),
        )
        .person
        .open_dispute
    };
    assert!(open(&[]));
    assert!(!open(&[told("closed", Some("won"), "2026-02-20")]));
    assert!(open(&[told("closed", Some("lost"), "2026-02-20")]));
}

#[test]
fn reviews_end_what_they_are_about() {
    let review = |product: Option<&str>, order: Option<&str>| {
        let body = json!({"review": {"review_id": "V", "platform": "p", "product_id": product},
            "customer_ref": {"email": "ann@example.com"},
            "order_ref": order.map(|id| json!({"order_id": id}))});
        tell(
            "/reviews",
            "review.received",
            "review/V",
            "2026-02-10",
            body,
        )
    };
    let second = {
        let mut order = order_of("2", "2026-02-08T09:00", "paid", &[camera()]);
        order["placed_at"] = json!("2026-02-08T09:00:00Z");
        let body = json!({"order": order, "customer": buyer("ann@example.com")});
        tell(
            SHOP,
            "order.placed",
            "order/2/placed",
            "2026-02-08T09:00",
            body,
        )
    };
    let base = [
        placed(&[camera(), tripod()]),
        parcel(
            SHOP,
            "delivered",
            "S1",
            "2026-02-05T09:00",
            &[("1", 1), ("2", 1)],
            "A",
        ),
        second,
    ];
    let reviewed = |event: Event| -> Vec<Vec<bool>> {
        let state = as_of("2026-03-01", &[&base[..], &[event]].concat());
        let orders = state.orders.iter();
        orders
            .map(|order| order.lines.iter().map(|line| line.reviewed).collect())
            .collect()
    };
    // By product: the latest delivered order that has it, not the latest placed.
    assert_eq!(
        reviewed(review(Some("P-CAM"), None)),
        [vec![true, false], vec![false]]
    );
    assert_eq!(
        reviewed(review(Some("P-TRI"), Some("1"))),
        [vec![false, true], vec![false]]
    );
    assert_eq!(
        reviewed(review(None, Some("1"))),
        [vec![true, true], vec![false]]
    );
    assert_eq!(
        reviewed(review(Some("P-NONE"), None)),
        [vec![false, false], vec![false]]
    );
}

fn consent(state: &str, scope: Option<&str>, time: &str) -> Event {
    let mut consent = json!({"channel": "email", "state": state, "basis": "none", "source": "x",
        "updated_at": at(time).to_string()});
    if let Some(scope) = scope {
        consent["scope"] = json!(scope);
    }
    let body = json!({"customer_ref": {"email": "ann@example.com"}, "consent": consent});
    tell(
        "/aftercare",
        "consent.changed",
        &format!("consent/{state}/{scope:?}@{time}"),
        time,
        body,
    )
}

/// An order of its own whose buyer says something about consent.
fn agreeing(id: &str, state: &str, time: &str, updated: Option<&str>) -> Event {
    let mut who = buyer("ann@example.com");
    who["marketing_consent"] = json!({"channel": "email", "state": state, "basis": "explicit",
        "source": "box", "updated_at": updated.map(|at_| at(at_).to_string())});
    let body = json!({"order": order_of(id, time, "paid", &[camera()]), "customer": who});
    tell(
        SHOP,
        "order.placed",
        &format!("order/{id}/placed"),
        time,
        body,
    )
}

#[test]
fn the_newest_word_on_consent_counts_and_a_refusal_wins_ties() {
    let state = |events: &[Event]| as_of("2026-06-01", events).person.consent.state;
    let yes = agreeing("1", "subscribed", "2026-02-02", Some("2025-10-01"));
    assert_eq!(state(&[yes.clone()]), ConsentState::Subscribed);
    assert_eq!(
        state(&[yes.clone(), agreeing("2", "unknown", "2026-03-01", None)]),
        ConsentState::Subscribed
    );
    let no = agreeing("2", "not_subscribed", "2026-03-01", Some("2026-03-01"));
    assert_eq!(state(&[yes.clone(), no]), ConsentState::NotSubscribed);
    let tie = consent("unsubscribed", None, "2025-10-01");
    assert_eq!(state(&[yes.clone(), tie]), ConsentState::Unsubscribed);
}

#[test]
fn an_opt_out_is_lifted_only_by_a_later_yes_of_its_scope_or_a_wider_one() {
    let out = |events: &[Event]| as_of("2026-06-01", events).person.opt_outs;
    let order = placed(&[camera()]);
    let no = consent("unsubscribed", None, "2026-03-01");
    let base = [order.clone(), no.clone()];
    let with = |more: Event| out(&[&base[..], &[more]].concat());
    assert_eq!(out(&base), [Scope::AllMarketing]);
    assert_eq!(
        with(consent("subscribed", None, "2026-02-01")),
        [Scope::AllMarketing]
    );
    assert_eq!(
        with(consent("subscribed", Some("review"), "2026-04-01")),
        [Scope::AllMarketing]
    );
    assert!(with(consent("subscribed", None, "2026-04-01")).is_empty());
    assert!(with(consent("subscribed", Some("all"), "2026-04-01")).is_empty());
    // A newsletter box on an order: only if ticked after, and dated.
    assert_eq!(
        with(agreeing(
            "2",
            "subscribed",
            "2026-04-01",
            Some("2026-02-01")
        )),
        [Scope::AllMarketing]
    );
    assert_eq!(
        with(agreeing("2", "subscribed", "2026-04-01", None)),
        [Scope::AllMarketing]
    );
    assert!(
        with(agreeing(
            "2",
            "subscribed",
            "2026-04-01",
            Some("2026-04-01")
        ))
        .is_empty()
    );
    let help = consent("unsubscribed", Some("education"), "2026-03-01");
    let events = [
        order.clone(),
        help.clone(),
        consent("subscribed", None, "2026-04-01"),
    ];
    assert_eq!(out(&events), [Scope::Kind(Kind::Education)]);
    assert_eq!(
        out(&[
            order,
            help,
            consent("subscribed", Some("education"), "2026-04-01")
        ]),
        []
    );
}

fn updated(id: &str, email: &str, before: Option<&str>, time: &str) -> Event {
    let body = json!({"customer": {"customer_id": id, "email": email, "account": "registered",
        "locale": "fr-FR"}, "previous": {"email": before}});
    tell(
        SHOP,
        "customer.updated",
        &format!("customer/{id}@{time}"),
        time,
        body,
    )
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

#[test]
fn unsent_mail_follows_the_address_but_an_order_keeps_one_of_its_own() {
    let address = |state: &State| state.person.email.as_ref().map(|a| a.as_typed().to_owned());
    let contacts = |state: &State| -> Vec<Option<String>> {
        let orders = state.orders.iter();
        orders
            .map(|o| o.contact.as_ref().map(|a| a.as_typed().to_owned()))
            .collect()
    };
    let first = bought("1", Some("C1"), "Ann@Example.com", "2026-02-01");
    let other = bought("2", Some("C1"), "work@example.com", "2026-02-05");
    let moved = updated(
        "C1",
        "new@example.com",
        Some("ann@example.com"),
        "2026-03-01",
    );
    let state = as_of("2026-04-01", &[first.clone(), other.clone()]);
    assert_eq!(address(&state).as_deref(), Some("Ann@Example.com"));
    assert_eq!(
        contacts(&state),
        [None, Some("work@example.com".to_owned())]
    );
    let state = as_of("2026-04-01", &[first.clone(), other, moved]);
    assert_eq!(address(&state).as_deref(), Some("new@example.com"));
    assert_eq!(
        contacts(&state),
        [None, Some("work@example.com".to_owned())]
    );
    assert_eq!(state.person.locale, "fr-FR");
    // A guest who registers, then another person's record merged into theirs.
    let guest = bought("3", None, "jules@example.org", "2026-01-10");
    let merged = tell(
        SHOP,
        "customer.merged",
        "m",
        "2026-03-02",
        json!({"survivor": {"customer_id": "C1", "email": null},
            "absorbed": [{"customer_id": null, "email": "jules@example.org"}]}),
    );
    let state = as_of("2026-04-01", &[first, guest, merged]);
    assert_eq!(address(&state).as_deref(), Some("Ann@Example.com"));
    assert_eq!(contacts(&state), [None, None]);
}

#[test]
fn where_two_people_become_one_the_stricter_consent_stands() {
    let agree = |email: &str, state: &str, time: &str, id: &str| {
        let mut who = buyer(email);
        who["customer_id"] = json!(id);
        who["marketing_consent"] = json!({"channel": "email", "state": state, "basis": "explicit",
            "source": "box", "updated_at": at(time).to_string()});
        let body = json!({"order": order_of(id, time, "paid", &[camera()]), "customer": who});
        tell(
            SHOP,
            "order.placed",
            &format!("order/{id}/placed"),
            time,
            body,
        )
    };
    let no = agree("a@example.com", "unsubscribed", "2026-02-01", "C1");
    let yes = agree("b@example.com", "subscribed", "2026-02-10", "C2");
    let merged = tell(
        SHOP,
        "customer.merged",
        "m",
        "2026-03-01",
        json!({"survivor": {"customer_id": "C2", "email": null}, "absorbed": [{"customer_id": "C1", "email": null}]}),
    );
    let person = as_of("2026-04-01", &[no.clone(), yes.clone(), merged.clone()]).person;
    assert_eq!(person.consent.state, ConsentState::Unsubscribed);
    assert_eq!(person.opt_outs, [Scope::AllMarketing]);
    let later = agree("b@example.com", "subscribed", "2026-03-10", "C3");
    let person = as_of("2026-04-01", &[no, yes, merged, later]).person;
    assert_eq!(
        (person.consent.state, person.opt_outs.len()),
        (ConsentState::Subscribed, 0)
    );
}

#[test]
fn a_dead_address_blocks_itself_and_not_the_one_that_followed() {
    let dead = consent("unsubscribed", Some("dead"), "2026-02-10");
    let first = bought("1", Some("C1"), "ann@example.com", "2026-02-01");
    let state = as_of("2026-04-01", &[first.clone(), dead.clone()]);
    assert_eq!(state.person.opt_outs, [Scope::Dead]);
    let moved = updated(
        "C1",
        "new@example.com",
        Some("ann@example.com"),
        "2026-03-01",
    );
    assert!(
        as_of("2026-04-01", &[first, dead, moved])
            .person
            .opt_outs
            .is_empty()
    );
}

#[test]
fn zone_and_language_come_from_the_nearest_word() {
    let person = |customer: Value, to: Value| {
        let mut order = order_of("1", "2026-02-02", "paid", &[camera()]);
        order["ship_to"] = to;
        let body = json!({"order": order, "customer": customer});
        let person = as_of(
            "2026-03-01",
            &[tell(SHOP, "order.placed", "p", "2026-02-02", body)],
        )
        .person;
        (person.zone_name, person.zone_source, person.locale)
    };
    let check = |customer: Value, to: Value, expected: (&str, &'static str, &str)| {
        let (zone, source, locale) = person(customer, to);
        assert_eq!((zone.as_str(), source, locale.as_str()), expected);
    };
    let named = json!({"email": "a@x.example", "time_zone": "Asia/Tokyo", "locale": "ja-JP"});
    check(
        named,
        json!({"country": "DE"}),
        ("Asia/Tokyo", "event", "ja-JP"),
    );
    let bare = json!({"email": "a@x.example", "country": "US", "region": "CA"});
    check(
        bare.clone(),
        json!({"country": "US", "region": "NY"}),
        ("America/New_York", "region", "en"),
    );
    // A gift goes elsewhere: zone and language follow the buyer.
    check(
        bare,
        json!({"country": "DE"}),
        ("America/Los_Angeles", "region", "en"),
    );
    let odd = json!({"email": "a@x.example", "time_zone": "Mars/Olympus", "country": "JP"});
    check(
        odd,
        json!({"country": "JP"}),
        ("Asia/Tokyo", "country", "ja"),
    );
    let wide = json!({"email": "a@x.example", "country": "US"});
    check(
        wide,
        json!({"country": "US"}),
        ("Europe/Berlin", "shop", "en"),
    );
    let swiss = json!({"email": "a@x.example", "country": "CH"});
    check(
        swiss,
        json!({"country": "CH"}),
        ("Europe/Zurich", "country", "en"),
    );
}

#[test]
fn families_kits_and_first_times() {
    let kit = line("9", "KIT", 1, 1, "physical");
    let state = as_of(
        "2026-03-01",
        &[
            bought("1", None, "ann@example.com", "2026-02-01"),
            bought("2", None, "ann@example.com", "2026-02-05"),
            {
                let mut order = order_of("3", "2026-02-06", "paid", &[kit]);
                order["placed_at"] = json!("2026-02-06T00:00:00Z");
                let body = json!({"order": order, "customer": buyer("ann@example.com")});
                tell(SHOP, "order.placed", "order/3/placed", "2026-02-06", body)
            },
        ],
    );
    let first: Vec<bool> = state
        .orders
        .iter()
        .map(|o| o.lines[0].first_in_family)
        .collect();
    assert_eq!(first, [true, false, false]);
    assert_eq!(state.orders[2].lines[0].family.as_deref(), Some("dslr"));
    let names = state.names(
        &policy(),
        &products(),
        &history(&[]),
        &Subject::default(),
        at("2026-03-01"),
    );
    for owned in ["dslr", "tripod", "CAM", "TRI", "KIT", "P-CAM", "P-KIT"] {
        assert!(
            names.owned.contains(owned) && names.bought.contains(owned),
            "{owned}"
        );
    }
}

#[test]
fn erased_test_and_early_facts_are_marked() {
    let erased = tell(
        SHOP,
        "privacy.erasure_requested",
        "e",
        "2026-02-10",
        json!({"customer_ref": {"email": "ann@example.com"}, "erasure": {"scope": "customer"}}),
    );
    let state = as_of("2026-03-01", &[placed(&[camera()]), erased]);
    assert!(state.person.erased && !state.person.test);
    let mut test = placed(&[camera()]);
    test.body = Arc::new(Body {
        test: true,
        ..(*test.body).clone()
    });
    let state = as_of("2026-03-01", &[test]);
    assert!(state.person.test && state.orders[0].test && state.facts.iter().all(|fact| fact.test));
    let mut backfill = placed(&[camera()]);
    backfill.mode = IngestMode::Backfill;
    assert!(
        as_of("2026-03-01", &[backfill])
            .facts
            .iter()
            .all(|fact| fact.history_only)
    );
    let early = bought("1", None, "ann@example.com", "2025-12-31");
    assert!(
        as_of("2026-03-01", &[early])
            .facts
            .iter()
            .all(|fact| fact.history_only)
    );
    assert!(
        as_of("2026-03-01", &[placed(&[camera()])])
            .facts
            .iter()
            .all(|fact| !fact.history_only)
    );
}

/// The kinds of the facts that no plan has seen.
fn fresh(events: &[(Event, bool)], considered_at: Option<&str>, now: &str) -> Vec<&'static str> {
    let mut told = history(
        &events
            .iter()
            .map(|(event, _)| event.clone())
            .collect::<Vec<_>>(),
    );
    for (event, (_, considered)) in told.events.iter_mut().zip(events) {
        event.considered = *considered;
    }
    told.considered_at = considered_at.map(at);
    let state = fold(&policy(), &products(), &told, at(now));
    let fresh = state.facts.iter().filter(|fact| fact.fresh);
    fresh.map(|fact| fact.kind.as_str()).collect()
}

#[test]
fn a_fact_is_fresh_until_a_plan_has_seen_it_and_never_again() {
    let order = placed(&[camera()]);
    let sent = parcel(
        SHOP,
        "dispatched",
        "S1",
        "2026-02-05T09:00",
        &[("1", 1)],
        "A",
    );
    let came = parcel(TRACK, "delivered", "T1", "2026-02-09T09:00", &[], "A");
    assert_eq!(
        fresh(&[(order.clone(), false)], None, "2026-02-03"),
        ["order.placed", "order.paid"]
    );
    let seen = [(order.clone(), true), (sent.clone(), true)];
    assert!(fresh(&seen, Some("2026-02-06"), "2026-02-07").is_empty());
    // By itself: the assumption, once.
    let inferred = ["item.delivered", "order.delivered"];
    assert_eq!(fresh(&seen, Some("2026-02-06"), "2026-02-12"), inferred);
    assert!(fresh(&seen, Some("2026-02-12"), "2026-02-13").is_empty());
    // A real delivery: fresh where nothing was assumed, else only the event itself.
    let real = [seen[0].clone(), seen[1].clone(), (came.clone(), false)];
    let concluded = ["shipment.delivered", "item.delivered", "order.delivered"];
    assert_eq!(fresh(&real, Some("2026-02-06"), "2026-02-10"), concluded);
    assert_eq!(
        fresh(&real, Some("2026-02-12"), "2026-02-13"),
        ["shipment.delivered"]
    );
    // A cancellation that came before its order is news when the order comes.
    let cancelled = tell(
        SHOP,
        "order.cancelled",
        "c",
        "2026-02-02T12:00",
        json!({"order_ref": {"order_id": "1"}, "customer": buyer("ann@example.com"),
            "cancel": {"reason": "x", "cancelled_at": "2026-02-02T12:00:00Z"}}),
    );
    let kinds = fresh(
        &[(cancelled, true), (order.clone(), false)],
        Some("2026-02-03"),
        "2026-02-03",
    );
    assert_eq!(kinds, ["order.placed", "order.paid", "order.cancelled"]);
    // A newer telling of a known fact is no news.
    let mut again = order.clone();
    let newer = order_of("1", "2026-02-04T09:00", "paid", &[camera()]);
    again.body = Arc::new(
        serde_json::from_value(json!({"order": newer, "customer": buyer("ann@example.com")}))
            .unwrap(),
    );
    assert!(
        fresh(
            &[(order, true), (again, false)],
            Some("2026-02-03"),
            "2026-02-05"
        )
        .is_empty()
    );
}

#[test]
fn every_name_that_must_be_there_is_there() {
    use crate::model::names::{self, Field, Type};
    fn check(fields: &'static [Field], value: &Value, path: &str) {
        let map = value
            .as_object()
            .unwrap_or_else(|| panic!("{path} is no object"));
        for field in fields {
            let path = format!("{path}.{}", field.name);
            let value = map
                .get(field.name)
                .unwrap_or_else(|| panic!("{path} is missing"));
            if value.is_null() {
                assert!(field.optional, "{path} is null");
                continue;
            }
            let fits = match field.of {
                Type::Text => value.is_string(),
                Type::Int => value.is_i64(),
                Type::Bool => value.is_boolean(),
                Type::Instant => value
                    .as_str()
                    .is_some_and(|text| text.parse::<Timestamp>().is_ok()),
                Type::Money => value["amount"].is_i64() && value["currency"].is_string(),
                Type::List(_) => value.is_array(),
                Type::Object(_) | Type::Any => true,
            };
            assert!(fits, "{path}: {value}");
            match field.of {
                Type::Object(inner) => check(inner, value, &path),
                Type::List(Type::Object(inner)) => {
                    for (place, item) in value.as_array().into_iter().flatten().enumerate() {
                        check(inner, item, &format!("{path}[{place}]"));
                    }
                }
                _ => {}
            }
        }
        assert_eq!(map.len(), fields.len(), "{path} holds nothing unlisted");
    }
    let failed = {
        let mut event = parcel(
            SHOP,
            "delivery_failed",
            "S1",
            "2026-02-04T09:00",
            &[("1", 1)],
            "A",
        );
        let body = Body {
            failure: Some(json!({"attempt": 2, "reason": "absent"})),
            ..(*event.body).clone()
        };
        event.body = Arc::new(body);
        event
    };
    let everything = tell(
        SHOP,
        "refund.issued",
        "all",
        "2026-02-06",
        json!({
        "order_ref": {"order_id": "1"},
        "refund": {"refund_id": "R", "amount": eur(1)},
        "cancel": {"reason": null, "cancelled_at": "2026-02-06T00:00:00Z"},
        "return": {"return_id": "RT", "status": "requested"},
        "dispute": {"dispute_id": "D"}, "review": {"review_id": "V", "platform": "p"},
        "ticket": {"ticket_id": "T", "status": "open"},
        "shipment": {"shipment_id": "S1", "pickup": {"name": "Shop", "until": "2026-02-20"}}}),
    );
    let told = history(&[placed(&[camera(), tripod()]), failed, everything]);
    let (policy, products, now) = (policy(), products(), at("2026-02-07"));
    let state = fold(&policy, &products, &told, now);
    let subject = Subject {
        order: Some("1".into()),
        line: Some("1".into()),
        shipment: Some("S1".into()),
        event: Some(EventSeq(3)),
        items: vec![("1".into(), "1".into())],
    };
    let names = state.names(&policy, &products, &told, &subject, now);
    for field in names::SHARED {
        let Type::Object(fields) = field.of else {
            continue;
        };
        check(
            fields,
            names.values.get(field.name).unwrap_or(&Value::Null),
            field.name,
        );
    }
    assert_eq!(names.values["item"]["title"], "P-CAM auf Deutsch");
    assert_eq!(names.values["product"]["price"], eur(100));
    assert_eq!(
        names.values["order"]["items_to_come"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(names.values["shipment"]["items"][0]["quantity"], 1);
    assert_eq!(
        names.values["enrolment"]["items"].as_array().unwrap().len(),
        1
    );
    assert_eq!(names.values["pickup"]["name"], "Shop");
    let nobody = state.names(&policy, &products, &told, &Subject::default(), now);
    assert_eq!(
        nobody.values.keys().collect::<Vec<_>>(),
        ["customer", "enrolment"]
    );
    assert_eq!(EventKind::ALL.len(), 27);
}
