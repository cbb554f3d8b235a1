//! The sample log, in any order of arrival and with repetitions: the same people in the
//! same state, at every instant.

use aftercare::ingest::canonical::{Learnt, Limits, parse_line};
use aftercare::ingest::identity::{Directory, Placement};
use aftercare::model::event::{Event, EventKind};
use aftercare::model::history::History;
use aftercare::model::ids::{CustomerId, EventSeq};
use aftercare::model::time::Timestamp;
use aftercare::sequence::catalog::Catalog;
use aftercare::state::{self, State};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// Instants at which people are compared: among them, in the middle of things.
const INSTANTS: &[&str] = &[
    "2026-01-17T00:00:00Z",
    "2026-02-01T12:00:00Z",
    "2026-02-20T09:00:00Z",
    "2026-03-14T14:38:20Z",
    "2026-03-31T23:00:00Z",
    "2026-05-03T00:00:00Z",
    "2026-09-01T00:00:00Z",
];

static LOG: LazyLock<Vec<Event>> = LazyLock::new(|| {
    include_str!("fixtures/events/history.ndjson")
        .lines()
        .flat_map(|line| {
            let learnt = Learnt::AsTold(Timestamp::UNIX_EPOCH);
            let parsed = parse_line(line.as_bytes(), learnt, Limits::default()).unwrap();
            assert!(parsed.poison.is_empty(), "{:?}", parsed.poison);
            parsed.events
        })
        .collect()
});

static CATALOG: LazyLock<Catalog> =
    LazyLock::new(|| crate::story::catalog(crate::story::POLICY, &[]));

/// Everybody's history, events in the given order of arrival.
fn people(events: &[Event]) -> Vec<History> {
    let mut directory = Directory::default();
    let mut of: BTreeMap<EventSeq, CustomerId> = BTreeMap::new();
    let mut events = events.to_vec();
    for (place, event) in events.iter_mut().enumerate() {
        event.seq = EventSeq(i64::try_from(place).unwrap() + 1);
        for (seq, placement) in directory.place(event).placements {
            if let Placement::Customer(customer) = placement {
                of.insert(seq, customer);
            }
        }
    }
    let mut people: BTreeMap<CustomerId, History> = BTreeMap::new();
    for event in events {
        let Some(customer) = of.get(&event.seq) else {
            continue;
        };
        let customer = directory.current(*customer);
        let history = people
            .entry(customer)
            .or_insert_with(|| History::new(customer));
        history.events.push(event);
    }
    people.into_values().collect()
}

/// What must not depend on the order of arrival; addresses, which debug output hides,
/// are told beside it.
fn digest(state: &State, history: &History) -> String {
    let name = |seq: &EventSeq| {
        let event = state::event(history, *seq).expect("evidence");
        format!("{} {}", event.source, event.id)
    };
    let facts: Vec<String> = state
        .facts
        .iter()
        .map(|fact| {
            let evidence: BTreeSet<String> = fact.evidence.iter().map(name).collect();
            format!(
                "{} {} {} {:?} {:?} {:?} {evidence:?} {} {}",
                fact.kind,
                fact.time,
                fact.learnt,
                fact.order,
                fact.line,
                fact.shipment,
                fact.inferred,
                fact.history_only,
            )
        })
        .collect();
    let email = state.person.email.as_ref().map(|email| email.as_typed());
    let contacts: Vec<_> = state
        .orders
        .iter()
        .map(|order| order.contact.as_ref().map(|email| email.as_typed()))
        .collect();
    format!(
        "{email:?} {contacts:?} {:?} {:?} {facts:#?} {:?}",
        state.person, state.orders, state.changes_at
    )
}

/// Everybody's state at every instant.
fn digests(events: &[Event]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for instant in INSTANTS {
        let now: Timestamp = instant.parse().unwrap();
        let known: Vec<Event> = events
            .iter()
            .filter(|e| e.recorded <= now)
            .cloned()
            .collect();
        for history in people(&known) {
            let state = state::fold(&CATALOG.policy, &CATALOG.products, &history, now);
            all.insert(format!("{instant} {}", digest(&state, &history)));
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_order_and_any_repetition_gives_the_same_state(
        shuffled in Just(LOG.clone()).prop_shuffle(),
        again in prop::collection::vec(0usize..308, 0..60),
    ) {
        let mut events = shuffled;
        for place in again {
            let copy = events[place].clone();
            events.push(copy);
        }
        static EXPECTED: LazyLock<BTreeSet<String>> = LazyLock::new(|| digests(&LOG));
        let got = digests(&events);
        let differing: Vec<_> = got.symmetric_difference(&EXPECTED).take(2).collect();
        prop_assert!(differing.is_empty(), "{differing:#?}");
    }
}

/// The state at the end of whoever placed an order, and that order's key.
fn owner(order: &str) -> (State, String) {
    let now: Timestamp = "2026-09-01T00:00:00Z".parse().unwrap();
    people(&LOG)
        .iter()
        .map(|history| state::fold(&CATALOG.policy, &CATALOG.products, history, now))
        .find(|state| state.order(order).is_some())
        .map(|state| (state, order.to_owned()))
        .unwrap_or_else(|| panic!("nobody has order {order}"))
}

/// The situations of `history.scenarios.json`, by their orders.
#[test]
fn the_named_situations_come_out_as_described() {
    let order = |id: &str| {
        let (state, key) = owner(id);
        state.order(&key).cloned().unwrap()
    };
    // Two parcels a week apart, one reported twice; presets are digital.
    let partial = order("6210444044511");
    assert_eq!(partial.shipments.len(), 2);
    let delivered: Vec<_> = partial.lines.iter().map(|line| line.delivered_at).collect();
    assert!(delivered.iter().all(Option::is_some) && delivered[0] < delivered[1]);
    assert_eq!(partial.delivered_at, delivered[1]);
    // One line called off before shipping.
    assert!(order("6210444044770").delivered_at.is_some());
    // Refunds: one line, everything, goodwill.
    let kept = |id: &str| -> Vec<bool> { order(id).lines.iter().map(state::Line::kept).collect() };
    assert_eq!(kept("5111"), [true, false]);
    assert!(order("6210444044733").refunded_at.is_some());
    assert!(kept("5112").iter().all(|kept| *kept));
    assert!(order("5112").refunded_at.is_none());
    // Cancelled, once before the order was heard of.
    for id in ["5113", "6210444044807"] {
        assert!(order(id).cancelled_at.is_some(), "{id}");
    }
    // All kinds of disorder end well.
    for id in ["6210444044844", "5114", "6210444044881", "5115"] {
        assert!(order(id).delivered_at.is_some(), "{id}");
        assert_eq!(order(id).shipments.len(), 1, "{id}");
    }
    let back = order("6210444044918");
    assert!(back.shipments[0].gone && back.lines[0].delivered_at.is_none());
    assert!(back.delivered_at.is_none());
    // A download, a gift card, a gift abroad, a replacement, a test.
    assert!(order("6210444044955").delivered_at.is_some());
    assert!(order("6210444044992").delivered_at.is_none());
    assert!(order("6210444045029").gift && !order("6210444044511").gift);
    assert_eq!(owner("6210444045029").0.person.zone_name, "Asia/Tokyo");
    let replaced = ["6210444045510", "6210444045547"].map(|id| order(id).replacement);
    assert_eq!(replaced.iter().filter(|yes| **yes).count(), 1);
    assert!(order("6210444045473").test);
    // Edited: presets out, tripod in.
    assert_eq!(kept("6210444045584"), [true, false, true]);
    // A bank transfer that came, and one that never did.
    assert!(order("5123").paid_at > order("5123").snapshot.placed_at);
    assert_eq!(order("5124").paid_at, None);
    // People.
    let (guest, _) = owner("6210444045066");
    assert!(guest.order("6210444045103").is_some());
    let (isla, _) = owner("6210444045621");
    assert_eq!(
        isla.person.email.as_ref().map(|e| e.as_typed()),
        Some("isla.g@example.org")
    );
    assert_eq!(isla.person.locale, "de-DE");
    let (merged, _) = owner("5121");
    assert!(merged.order("5122").is_some());
    assert_eq!(
        merged.person.email.as_ref().map(|e| e.as_typed()),
        Some("tom.chevalier@example.com")
    );
    assert!(owner("5116").0.person.erased);
    let (nadia, _) = owner("6210444045140");
    assert_eq!(
        nadia.person.opt_outs,
        [aftercare::model::kind::Scope::AllMarketing]
    );
    let held = |id: &str| owner(id).0.person.open_ticket;
    assert!(!held("5117") && held("6210444045214") && !held("6210444045251"));
    assert!(!owner("6210444045436").0.person.open_dispute);
    assert!(
        order("6210444045288")
            .lines
            .iter()
            .any(|line| line.reviewed)
    );
    // Five deliveries of one subscription, and the first of its family.
    let first: Vec<bool> = ["5102", "5103", "5104"]
        .map(|id| order(id).subscription_sequence == Some(1))
        .into();
    assert_eq!(first, [true, false, false]);
}

#[test]
fn whatever_kind_a_fact_has_it_names_events_that_are_there() {
    for history in people(&LOG) {
        let now = "2026-09-01T00:00:00Z".parse().unwrap();
        let state = state::fold(&CATALOG.policy, &CATALOG.products, &history, now);
        for fact in &state.facts {
            assert!(!fact.evidence.is_empty());
            for seq in &fact.evidence {
                let event = state::event(&history, *seq).expect("evidence");
                assert!(event.kind != EventKind::ProductUpdated);
            }
            if let Some(order) = &fact.order {
                assert!(state.order(order).is_some(), "{order}");
            }
        }
    }
}
