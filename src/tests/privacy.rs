//! What privacy law asks, by whatever way it comes in and whatever breaks in between; and
//! what waits for somebody who never comes.

#![expect(clippy::unwrap_used, reason = "tests")]

use crate::cli::Install;
use crate::harness::Harness;
use crate::story::{CAMERA, POLICY, Story, catalog};
use aftercare::engine::parked::WAIT_DAYS;
use aftercare::engine::privacy::{self, ANSWER_DAYS};
use aftercare::ingest::canonical;
use aftercare::model::event::Event;
use aftercare::model::ids::CustomerId;
use aftercare::model::time::{Timestamp, saturating_add};
use aftercare::store::{EXPIRED, Incoming};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::fs;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

async fn harness(now: &str) -> Harness {
    let live = crate::shop::with_mail(&catalog(POLICY, &[]), "a/b");
    Harness::new(live, at(now)).await
}

fn shop_leaves(time: &str) -> Event {
    let data = json!({"erasure": {"scope": "shop", "orders": [], "due_at": null}});
    let story = Story::new().event(
        "privacy.erasure_requested",
        "erasure/shop",
        time,
        time,
        data,
    );
    story.events.into_iter().next().unwrap()
}

async fn kept(harness: &Harness, address: &str) -> bool {
    let people: Vec<CustomerId> = (1..50).map(CustomerId).collect();
    let all = harness.engine.store.histories(&people).await.unwrap();
    format!("{all:?}").contains(address)
}

/// As `ingest`, `import` and a replay take it in: straight into the database. Whoever
/// looks next carries it out.
#[tokio::test]
async fn a_shop_is_forgotten_whatever_way_its_word_came() {
    let harness = harness("2026-03-01T00:00:00Z").await;
    for event in Story::new()
        .order("1", "ann", "2026-03-01T09:00:00Z", &[CAMERA])
        .order("2", "bob", "2026-03-01T10:00:00Z", &[CAMERA])
        .events
    {
        harness.arrive(event).await;
    }
    let event = shop_leaves("2026-03-02T09:00:00Z");
    let incoming = Incoming {
        event,
        transport: None,
    };
    let store = &harness.engine.store;
    let now = at("2026-03-02T09:00:00Z");
    store.accept(vec![incoming], vec![], now).await.unwrap();
    harness.settle().await;
    assert!(kept(&harness, "ann@example.com").await);
    // Whoever joins later is not the old shop's.
    let eve = Story::new().order("3", "eve", "2026-03-02T10:00:00Z", &[CAMERA]);
    harness.arrive(eve.events[0].clone()).await;

    harness.engine.forget_shops().await.unwrap();
    harness.settle().await;
    assert!(!kept(&harness, "ann@example.com").await);
    assert!(!kept(&harness, "bob@example.com").await);
    assert!(kept(&harness, "eve@example.com").await);
    // It is done once, also after a restart.
    let events = store.counts().await.unwrap().events;
    harness.engine.forget_shops().await.unwrap();
    assert_eq!(store.counts().await.unwrap().events, events);
}

/// Killed after some of its people were asked for: the next look goes on.
#[tokio::test]
async fn forgetting_a_shop_goes_on_where_it_broke_off() {
    let harness = harness("2026-03-01T00:00:00Z").await;
    for event in Story::new()
        .order("1", "ann", "2026-03-01T09:00:00Z", &[CAMERA])
        .order("2", "bob", "2026-03-01T10:00:00Z", &[CAMERA])
        .events
    {
        harness.arrive(event).await;
    }
    harness.accept(shop_leaves("2026-03-02T09:00:00Z")).await;
    let store = &harness.engine.store;
    let whole = store.counts().await.unwrap().events;
    // As if it had died before the note that it was done.
    store.set_meta("shops_forgotten", "0").await.unwrap();
    harness.engine.forget_shops().await.unwrap();
    harness.settle().await;
    assert_eq!(store.counts().await.unwrap().events, whole);
    assert!(!kept(&harness, "ann@example.com").await);
    assert!(!kept(&harness, "bob@example.com").await);
}

#[tokio::test]
async fn what_waits_in_vain_ends_in_quarantine_and_can_be_replayed() {
    let harness = harness("2026-03-01T00:00:00Z").await;
    let engine = &harness.engine;
    let lost = Story::new().dispatched("1", "A", "2026-03-01T09:00:00Z", &[1]);
    let lost = lost.events.into_iter().next().unwrap();
    harness.arrive(lost.clone()).await;
    // What was recorded long ago, and came in today, waits from today.
    let old = Story::new().dispatched("9", "Z", "2025-01-01T09:00:00Z", &[1]);
    harness.accept(old.events[0].clone()).await;
    assert_eq!(engine.expire_parked().await.unwrap(), 0);
    let days = |days: i64| {
        let first = at("2026-03-01T09:00:00Z");
        saturating_add(first, SignedDuration::from_hours(24 * days))
    };
    for day in 1..WAIT_DAYS {
        engine.clock.set(days(day));
        // Each day brings one that is younger.
        let id = format!("{day}");
        let young = Story::new().dispatched(&id, &id, &days(day).to_string(), &[1]);
        harness.accept(young.events[0].clone()).await;
        assert_eq!(engine.expire_parked().await.unwrap(), 0, "day {day}");
    }
    engine.clock.set(days(WAIT_DAYS));
    assert_eq!(engine.expire_parked().await.unwrap(), 2);
    assert_eq!(engine.expire_parked().await.unwrap(), 0);
    let store = &engine.store;
    let kept = store.quarantined(0, 10).await.unwrap();
    assert_eq!(kept.len(), 2);
    assert_eq!(kept[0].reason, EXPIRED);
    assert_eq!(kept[0].event_id.as_deref(), Some("shipment/A/dispatched"));
    assert_eq!(store.counts().await.unwrap().parked, WAIT_DAYS - 1);
    // The order comes after all, and a replay brings the parcel back.
    let order = Story::new().order("1", "ann", "2026-03-31T10:00:00Z", &[CAMERA]);
    harness.arrive(order.events[0].clone()).await;
    let told = canonical::Learnt::AsTold(lost.recorded);
    let read = canonical::parse_line(kept[0].body.as_bytes(), told, canonical::Limits::default());
    let read = read.unwrap().events.remove(0);
    assert_eq!(read.body, lost.body);
    harness.accept(read).await;
    let history = store
        .histories(&[CustomerId(1)])
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    assert_eq!(history.events.len(), 2 + 1, "and what day 1 brought");
}

#[tokio::test]
async fn a_request_for_data_waits_until_it_is_answered() {
    let harness = harness("2026-03-01T00:00:00Z").await;
    let order = Story::new().order("1", "ann", "2026-03-01T09:00:00Z", &[CAMERA]);
    harness.arrive(order.events[0].clone()).await;
    let asks = |who: &str, id: &str, due: Value| {
        let data = json!({
            "customer_ref": {"customer_id": null, "email": format!("{who}@example.com")},
            "request": {"request_id": id, "orders": [], "due_at": due},
        });
        let time = "2026-03-02T09:00:00Z";
        let story = Story::new().event("privacy.data_requested", id, time, time, data);
        story.events.into_iter().next().unwrap()
    };
    harness.arrive(asks("ann", "r1", Value::Null)).await;
    // Of somebody whom nobody knows: an answer is owed all the same.
    harness
        .accept(asks("bob", "r2", json!("2026-03-10T00:00:00Z")))
        .await;
    let store = &harness.engine.store;
    let open = privacy::open_requests(store).await.unwrap();
    let due: Vec<String> = open.iter().map(|one| one.due.to_string()).collect();
    let law = saturating_add(
        at("2026-03-02T09:00:00Z"),
        SignedDuration::from_hours(24 * ANSWER_DAYS),
    );
    assert_eq!(due, ["2026-03-10T00:00:00Z", &law.to_string()]);
    assert_eq!(open[0].request.customer, None);
    assert_eq!(open[1].request.customer, Some(CustomerId(1)));
    // It never expires.
    harness.engine.expire_parked().await.unwrap();
    harness.engine.clock.set(at("2027-03-02T09:00:00Z"));
    assert_eq!(harness.engine.expire_parked().await.unwrap(), 0);

    privacy::answer(store, &[open[0].request.seq])
        .await
        .unwrap();
    assert_eq!(privacy::open_requests(store).await.unwrap().len(), 1);
    // Of whom is nothing left, nothing can be told.
    let gone = Story::new().erased("ann", "2027-03-03T09:00:00Z");
    harness.arrive(gone.events[0].clone()).await;
    assert!(privacy::open_requests(store).await.unwrap().is_empty());
}

fn lines(events: &[Event]) -> String {
    events
        .iter()
        .map(|event| canonical::written(event).to_string() + "\n")
        .collect()
}

/// As an operator does it: listed, answered with a file, erased.
#[test]
fn an_operator_answers_and_forgets() {
    let install = Install::new();
    let data = json!({
        "customer_ref": {"customer_id": "C-1", "email": "ann@example.com"},
        "request": {"request_id": "R-77", "orders": [], "due_at": null},
    });
    let time = "2026-03-02T09:30:00Z";
    let events = Story::new()
        .order("1", "ann", "2026-03-02T09:00:00Z", &[CAMERA])
        .event("privacy.data_requested", "R-77", time, time, data)
        .order("2", "bob", "2026-03-02T09:00:00Z", &[CAMERA])
        .events;
    let broken = "{\"who\": \"Ann@Example.com\", \"oops\": 1}\n";
    let (_, told) = install.feed("ingest -", &(lines(&events) + broken));
    assert!(told.contains("3 accepted"), "{told}");

    let (code, told) = install.run("export-person");
    assert_eq!(code, 0, "{told}");
    assert!(
        told.contains("R-77") && told.contains("ann@example.com"),
        "{told}"
    );
    let file = install.data.path().join("ann.json");
    let export = format!("export-person ann@example.com --out {}", file.display());
    let (code, told) = install.run(&export);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("1 requests answered"), "{told}");
    let whole: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(whole["people"][0]["email"], "ann@example.com");
    assert_eq!(whole["people"][0]["events"].as_array().unwrap().len(), 2);
    assert_eq!(whole["not_understood"].as_array().unwrap().len(), 1);
    assert!(!whole.to_string().contains("bob"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let (_, told) = install.run("export-person");
    assert!(told.contains("nobody waits"), "{told}");
    let (code, told) = install.run(&export);
    assert_ne!(
        code, 0,
        "an answer that is there is not written over: {told}"
    );

    let (code, told) = install.run("erase ann@example.com --dry-run");
    assert_eq!(code, 0, "{told}");
    assert!(
        told.contains("2 events") && told.contains("1 bodies"),
        "{told}"
    );
    let (_, told) = install.run("erase ann@example.com");
    assert!(told.contains("is forgotten"), "{told}");
    let (_, told) = install.run("--json erase ann@example.com --dry-run");
    let held: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        (held["people"].as_i64(), held["quarantined"].as_i64()),
        (Some(1), Some(0))
    );
    // Nothing of her is left in the file, and bob is.
    let bytes = fs::read(install.data.path().join("a.db")).unwrap();
    let has = |word: &[u8]| bytes.windows(word.len()).any(|some| some == word);
    assert!(!has(b"ann@example.com") && has(b"bob@example.com"));
    // A straggler brings nothing back.
    let later = Story::new().order("3", "ann", "2026-03-02T09:50:00Z", &[CAMERA]);
    install.feed("ingest -", &lines(&later.events));
    let bytes = fs::read(install.data.path().join("a.db")).unwrap();
    assert!(!bytes.windows(15).any(|some| some == b"ann@example.com"));
}
