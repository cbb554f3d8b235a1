//! Whose fact is it, when several platforms tell of one customer: recorded deliveries
//! through the adapters into the database, in any order, with repetitions.

#![expect(clippy::unwrap_used, reason = "tests")]

use crate::harness::Harness;
use crate::story::{CAMERA, POLICY, Story, catalog};
use crate::timeline::Chance;
use aftercare::ingest::adapters::{Beside, Headers, Source, hear};
use aftercare::ingest::canonical::{Learnt, Limits, parse_line};
use aftercare::ingest::identity::{Directory, Placement};
use aftercare::model::event::Event;
use aftercare::model::history::History;
use aftercare::model::ids::{CustomerId, EventSeq};
use aftercare::model::platform::Platform;
use aftercare::model::time::Timestamp;
use aftercare::sequence::catalog::Catalog;
use aftercare::state;
use aftercare::store::Incoming;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Orders of arrival that are tried.
const SHUFFLES: u64 = 16;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/fixtures/platforms")
}

fn now() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

/// What a recorded delivery says, with some of its words replaced.
fn told(platform: Platform, file: &str, changes: &[(&str, &str)]) -> Vec<Event> {
    let path = folder().join(platform.as_str());
    let mut body = fs::read_to_string(path.join(format!("{file}.json"))).unwrap();
    for (from, to) in changes {
        assert!(body.contains(from), "{file}: {from}");
        body = body.replace(from, to);
    }
    let headers = fs::read_to_string(path.join(format!("{file}.headers"))).unwrap_or_default();
    let headers = headers.lines().filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let source = Source::new(platform.as_str(), platform);
    let taken = hear(
        &source,
        &Headers::new(headers),
        body.as_bytes(),
        &Beside::default(),
        now(),
    );
    assert_eq!(taken.poison, None, "{file}");
    taken.events
}

/// What is known of everybody at the end, whatever numbers they have: who has which facts
/// and how they stand; and which facts wait.
type World = (BTreeSet<(BTreeSet<String>, String)>, BTreeSet<String>);

fn name(event: &Event) -> String {
    format!("{} {}", event.source, event.id)
}

fn stands(shop: &Catalog, history: &History) -> (BTreeSet<String>, String) {
    let state = state::fold(&shop.policy, &shop.products, history, now());
    // When they were learnt hangs on which telling came first.
    let facts: Vec<String> = state
        .facts
        .iter()
        .map(|fact| {
            format!(
                "{} {} {:?} {:?} {:?}",
                fact.kind, fact.time, fact.order, fact.line, fact.shipment
            )
        })
        .collect();
    let names = history.events.iter().map(name).collect();
    (
        names,
        format!("{:#?}\n{:#?}\n{facts:#?}", state.person, state.orders),
    )
}

/// As the planner in memory has it.
fn in_memory(shop: &Catalog, events: &[Event]) -> World {
    let mut directory = Directory::default();
    let mut of: BTreeMap<EventSeq, CustomerId> = BTreeMap::new();
    let mut known: BTreeMap<EventSeq, Event> = BTreeMap::new();
    let mut names: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    for event in events {
        match names.get_mut(&name(event)) {
            Some(told) if !event.says_more(told) => continue,
            Some(told) => told.insert(event.version()),
            None => names
                .insert(name(event), [event.version()].into())
                .is_none(),
        };
        let mut event = event.clone();
        event.seq = EventSeq(i64::try_from(known.len()).unwrap() + 1);
        for (seq, placement) in directory.place(&event).placements {
            if let Placement::Customer(customer) = placement {
                of.insert(seq, customer);
            }
        }
        known.insert(event.seq, event);
    }
    let mut people: BTreeMap<CustomerId, History> = BTreeMap::new();
    for (seq, customer) in &of {
        let customer = directory.current(*customer);
        let history = people
            .entry(customer)
            .or_insert_with(|| History::new(customer));
        history.events.push(known[seq].clone());
    }
    let waiting = directory.waiting().map(|seq| name(&known[&seq])).collect();
    (
        people
            .values()
            .map(|history| stands(shop, history))
            .collect(),
        waiting,
    )
}

/// As the service has it, in its database.
async fn in_store(shop: &Catalog, events: &[Event]) -> (World, i64) {
    let live = crate::shop::with_mail(shop, "a/b");
    let harness = Harness::new(live, now()).await;
    for event in events {
        let incoming = Incoming {
            event: event.clone(),
            transport: None,
        };
        harness
            .engine
            .store
            .accept(vec![incoming], vec![], now())
            .await
            .unwrap();
    }
    let numbers: Vec<CustomerId> = (1..100).map(CustomerId).collect();
    let histories = harness.engine.store.histories(&numbers).await.unwrap();
    let people = histories
        .into_iter()
        .map(Result::unwrap)
        .filter(|history| !history.events.is_empty())
        .map(|history| stands(shop, &history))
        .collect();
    let parked = harness.engine.store.counts().await.unwrap().parked;
    ((people, BTreeSet::new()), parked)
}

/// The same, shuffled, with some of them twice.
fn shuffled(events: &[Event], seed: u64) -> Vec<Event> {
    let mut chance = Chance::new(seed);
    let mut all = events.to_vec();
    for _ in 0..events.len() / 3 {
        all.push(chance.pick(events).clone());
    }
    chance.shuffle(&mut all);
    all
}

/// An order at Shopify, its parcel at AfterShip, a dispute at Stripe, a ticket at Zendesk
/// and a review at Judge.me: one customer, one order, one parcel.
#[tokio::test]
async fn five_platforms_tell_of_one_customer_in_any_order() {
    // The shop notes its order with the charge.
    let order = [(
        "\"metadata\": {}",
        "\"metadata\": {\"order_id\": \"6210443985011\"}",
    )];
    // The tracking service knows nothing of the order but the number, spelt its own way.
    let lost = [
        ("\"6210443985011\"", "null"),
        ("\"#1042\"", "null"),
        ("1Z999AA10123456784", "1z999aa1 0123-456784"),
    ];
    let mut events = told(Platform::Shopify, "orders_create", &[]);
    events.extend(told(Platform::Shopify, "fulfillments_create", &[]));
    events.extend(told(
        Platform::AfterShip,
        "tracking_update.in_transit",
        &lost,
    ));
    events.extend(told(
        Platform::AfterShip,
        "tracking_update.delivered",
        &lost,
    ));
    events.extend(told(
        Platform::Shopify,
        "fulfillment_events_create.delivered",
        &[],
    ));
    events.extend(told(Platform::Stripe, "charge.dispute.created", &order));
    events.extend(told(Platform::Zendesk, "ticket_created", &[]));
    events.extend(told(Platform::JudgeMe, "review_created", &[]));
    let shop = catalog(POLICY, &[]);
    let expected = in_memory(&shop, &events);
    assert_eq!(expected.0.len(), 1, "one person");
    assert!(expected.1.is_empty(), "{:?}", expected.1);
    let (names, stands) = expected.0.first().unwrap();
    assert_eq!(names.len(), events.len());
    // One order; of its parcels one, told by two sources: the carrier's word counts.
    assert_eq!(stands.matches("Shipment {\n").count(), 1, "{stands}");
    assert!(stands.contains("Carrier"), "{stands}");
    assert!(stands.contains("open_ticket: true") && stands.contains("open_dispute: true"));
    assert!(stands.contains("reviewed: true"));
    for seed in 0..SHUFFLES {
        let arrived = shuffled(&events, seed);
        assert_eq!(in_memory(&shop, &arrived), expected, "seed {seed}");
        if seed < 6 {
            let (stored, parked) = in_store(&shop, &arrived).await;
            assert_eq!((stored.0, parked), (expected.0.clone(), 0), "seed {seed}");
        }
    }
}

/// A checkout of Stripe's, its payments, refunds and disputes: told by session, payment
/// intent and charge, which only the order's own number brings together.
#[test]
fn sessions_intents_and_charges_lead_to_their_order() {
    let mut events = told(Platform::Stripe, "checkout.session.completed", &[]);
    for file in ["charge.dispute.created", "charge.refunded.partial"] {
        events.extend(told(Platform::Stripe, file, &[]));
    }
    let shop = catalog(POLICY, &[]);
    let expected = in_memory(&shop, &events);
    assert_eq!(
        (expected.0.len(), expected.1.len()),
        (1, 0),
        "{:?}",
        expected.1
    );
    for seed in 0..SHUFFLES {
        assert_eq!(
            in_memory(&shop, &shuffled(&events, seed)),
            expected,
            "seed {seed}"
        );
    }
}

/// Every fixture of a platform, in any order, with any repetition, stands alike.
#[test]
fn the_deliveries_of_each_platform_stand_alike_in_any_order() {
    let shop = catalog(POLICY, &[]);
    let mut heard = 0;
    for platform in Platform::ALL {
        let mut events = Vec::new();
        let Ok(files) = fs::read_dir(folder().join(platform.as_str())) else {
            continue;
        };
        let mut names: Vec<String> = files
            .filter_map(|file| file.unwrap().file_name().into_string().ok())
            .filter_map(|name| name.strip_suffix(".headers").map(str::to_owned))
            // The same fact in the words of an older version of the interface.
            .filter(|name| !name.contains(".api_"))
            .filter(|name| {
                folder()
                    .join(platform.as_str())
                    .join(format!("{name}.json"))
                    .exists()
            })
            .collect();
        names.sort();
        for file in names {
            let path = folder().join(platform.as_str());
            let body = fs::read(path.join(format!("{file}.json"))).unwrap();
            let headers = fs::read_to_string(path.join(format!("{file}.headers"))).unwrap();
            let headers = headers.lines().filter_map(|line| line.split_once(": "));
            let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let source = Source::new(platform.as_str(), *platform);
            let taken = hear(
                &source,
                &Headers::new(headers),
                &body,
                &Beside::default(),
                now(),
            );
            // Forgetting is a matter of its own: what came before it is gone.
            events.extend(
                taken
                    .events
                    .into_iter()
                    .filter(|event| event.body.erasure.is_none()),
            );
        }
        heard += events.len();
        let expected = in_memory(&shop, &events);
        for seed in 0..SHUFFLES {
            let arrived = in_memory(&shop, &shuffled(&events, seed));
            assert_eq!(arrived.1, expected.1, "{platform} {seed}");
            for (one, other) in arrived.0.iter().zip(&expected.0) {
                assert_eq!(one, other, "{platform} {seed}");
            }
            assert_eq!(arrived.0.len(), expected.0.len(), "{platform} {seed}");
        }
    }
    assert!(heard > 60, "{heard}");
}

/// The 120 days of the log: the same people, orders and facts in any order.
#[test]
fn the_log_stands_alike_in_any_order_with_any_repetition() {
    let shop = catalog(POLICY, &[]);
    let text = include_str!("fixtures/events/history.ndjson");
    let events: Vec<Event> = text
        .lines()
        .flat_map(|line| {
            let told = Learnt::AsTold(now());
            parse_line(line.as_bytes(), told, Limits::default())
                .unwrap()
                .events
        })
        .collect();
    let expected = in_memory(&shop, &events);
    assert_eq!(expected.0.len(), 59);
    for seed in 0..SHUFFLES {
        let arrived = in_memory(&shop, &shuffled(&events, seed));
        assert_eq!(arrived.1, expected.1, "{seed}");
        for (one, other) in arrived.0.iter().zip(&expected.0) {
            assert_eq!(one, other, "{seed}");
        }
    }
}

/// What a carrier says of a number, by a service that knows parcels by number alone.
fn scanned(kind: &str, number: &str, time: &str) -> Event {
    let parcel = format!("tracking:dhl:{number}");
    let mut data = json!({
        "order_ref": null,
        "shipment": {"shipment_id": parcel, "direction": "outbound", "items": [],
            "tracking": [{"carrier": "dhl", "carrier_name": "DHL", "number": number, "url": null}]},
    });
    if kind == "delivered" {
        data["delivery"] = json!({"delivered_at": time, "precision": "second", "basis": "carrier", "reported_by": "dhl"});
    }
    let story = Story::new().event(
        &format!("shipment.{kind}"),
        &format!("shipment/{parcel}/{kind}"),
        time,
        time,
        data,
    );
    let mut event = story.events.into_iter().next().unwrap();
    event.source = "/tracking".into();
    event
}

/// A number that was Ann's in January is Bob's in August: what the carrier says then is
/// Bob's, whichever came in first, and though its name was told before.
#[tokio::test]
async fn a_number_that_is_used_again_means_the_later_parcel() {
    let shop = catalog(POLICY, &[]);
    let january = Story::new()
        .order("1", "ann", "2025-01-10T09:00:00Z", &[CAMERA])
        .dispatched("1", "A", "2025-01-11T09:00:00Z", &[1])
        .events;
    let august = Story::new()
        .order("2", "bob", "2025-08-10T09:00:00Z", &[CAMERA])
        .dispatched("2", "A", "2025-08-11T09:00:00Z", &[1])
        .events;
    let mut august: Vec<Event> = august;
    // Another source, so that the parcel's own id does not lead to Ann.
    for event in &mut august {
        event.source = "/shop/other".into();
    }
    let mut events = january;
    events.push(scanned("in_transit", "nr-a", "2025-01-12T09:00:00Z"));
    events.push(scanned("delivered", "NRA", "2025-01-13T09:00:00Z"));
    events.extend(august);
    events.push(scanned("in_transit", "NRA", "2025-08-12T09:00:00Z"));
    events.push(scanned("delivered", "NRA", "2025-08-13T09:00:00Z"));
    for seed in 0..6 {
        let arrived = shuffled(&events, seed);
        let live = crate::shop::with_mail(&shop, "a/b");
        let harness = Harness::new(live, now()).await;
        for event in &arrived {
            harness.accept(event.clone()).await;
        }
        let store = &harness.engine.store;
        assert_eq!(store.counts().await.unwrap().parked, 0, "seed {seed}");
        let numbers = [CustomerId(1), CustomerId(2)];
        let mut seen = BTreeSet::new();
        for history in store.histories(&numbers).await.unwrap() {
            let history = history.unwrap();
            let state = state::fold(&shop.policy, &shop.products, &history, now());
            let who = state.person.email.unwrap().as_typed().to_owned();
            let came = state.orders[0].shipments[0].delivered_at.unwrap();
            assert_eq!(state.orders[0].shipments.len(), 1, "seed {seed} {who}");
            seen.insert((who, came.to_string()));
        }
        let expected = [
            (
                "ann@example.com".to_owned(),
                "2025-01-13T09:00:00Z".to_owned(),
            ),
            (
                "bob@example.com".to_owned(),
                "2025-08-13T09:00:00Z".to_owned(),
            ),
        ];
        assert_eq!(seen, BTreeSet::from(expected), "seed {seed}");
    }
}

const CONFIRMED: &str = r#"
format = 1
id = "order"
kind = "fulfilment"
title = "Your order"
from = "aya"
[start]
on = "order.placed"
[[step]]
id = "placed"
after = "start"
mail = "a/b"
[[step]]
id = "delivered"
after = "shipment.delivered"
each = "shipment"
mail = "a/b"
"#;

/// A fact that is told better before any plan has seen it is news all the same; after, it
/// is not news again.
#[tokio::test]
async fn what_is_told_better_starts_what_it_would_have_started_and_no_more() {
    let shop = catalog(POLICY, &[CONFIRMED]);
    let time = "2026-03-02T09:00:00Z";
    let first = Story::new()
        .order("1", "ann", time, &[CAMERA])
        .events
        .remove(0);
    let newer = |version: &str| {
        let order = json!({"version": version});
        let story = Story::new().order_with("1", "ann", time, &[CAMERA], order, json!({}));
        story.events.into_iter().next().unwrap()
    };
    for rushed in [true, false] {
        let live = crate::shop::with_mail(&shop, "a/b");
        let harness = Harness::new(live, time.parse().unwrap()).await;
        harness.accept(first.clone()).await;
        if !rushed {
            harness.settle().await;
        }
        harness.accept(newer("2026-03-02T09:00:05Z")).await;
        harness.settle().await;
        harness.accept(newer("2026-03-02T09:00:09Z")).await;
        harness.settle().await;
        assert_eq!(harness.memory.outbox().len(), 1, "rushed: {rushed}");
        // The storefront says roughly when it arrived, the carrier's scan by it exactly.
        let parcel = |precision: &str, at: &str| {
            let data = json!({
                "order_ref": {"order_id": "1", "order_number": null},
                "shipment": {"shipment_id": "A", "direction": "outbound", "items": [],
                    "tracking": [{"carrier": "dhl", "number": "N"}]},
                "delivery": {"delivered_at": at, "precision": precision, "basis": "storefront", "reported_by": "shop"},
            });
            let id = "shipment/A/delivered";
            let story =
                Story::new().event("shipment.delivered", id, at, "2026-03-02T09:00:00Z", data);
            story.events.into_iter().next().unwrap()
        };
        harness
            .accept(parcel("approximate", "2026-03-02T08:59:00Z"))
            .await;
        if !rushed {
            harness.settle().await;
        }
        harness
            .accept(parcel("second", "2026-03-02T08:40:00Z"))
            .await;
        harness.settle().await;
        // Worse: nothing.
        harness.accept(parcel("date", "2026-03-02T08:00:00Z")).await;
        harness.settle().await;
        assert_eq!(harness.memory.outbox().len(), 2, "rushed: {rushed}");
        let histories = harness
            .engine
            .store
            .histories(&[CustomerId(1)])
            .await
            .unwrap();
        let history = histories[0].as_ref().unwrap();
        let state = state::fold(&shop.policy, &shop.products, history, now());
        let came = state.orders[0].delivered_at.unwrap();
        assert_eq!(came.to_string(), "2026-03-02T08:40:00Z", "rushed: {rushed}");
    }
}
