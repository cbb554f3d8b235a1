//! The guards on the core, over random timelines: planning twice changes nothing; nothing
//! happens before a wake-up; the order of arrival does not matter; no invariant is broken.

use crate::plan::elapsed::{MONTHLY, REFILL, WIN_BACK};
use crate::plan::series::{EDUCATION, REVIEW};
use crate::story::{POLICY, catalog};
use crate::timeline::{Chance, timeline};
use aftercare::model::event::{Event, EventKind};
use aftercare::model::history::History;
use aftercare::model::ids::{CustomerId, EventSeq};
use aftercare::model::kind::Kind;
use aftercare::model::send::Send;
use aftercare::model::time::{self, Timestamp};
use aftercare::plan::simulate::simulate;
use aftercare::plan::{self, walk};
use aftercare::sequence::catalog::Catalog;
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};

/// Timelines by default; `AFTERCARE_TEST_TIMELINES` sets another number.
const TIMELINES: u64 = 60;

pub fn timelines() -> u64 {
    std::env::var("AFTERCARE_TEST_TIMELINES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(TIMELINES)
}

const STRICT: &str = r#"
[hours]
open = "08:00"
close = "20:00"
days = "Mon-Sat"
except = ["fulfilment"]
[limits]
per_day = 1
per_week = 3
asks = { at_most = 2, within = "30d" }
when_over = "5d"
[earn]
review = 1
[[delivery.assume]]
to = "DE"
after = "4bd"
"#;

const ORDER: &str = r#"
format = 1
id = "order"
kind = "fulfilment"
title = "Your order"
from = "aya"
[start]
on = "order.placed"
[[step]]
id = "placed"
mail = "a/b"
unless = "order.cancelled"
[[step]]
id = "dispatched"
after = "shipment.dispatched"
each = "shipment"
gather = "30min"
mail = "a/b"
[[step]]
id = "delivered"
after = "shipment.delivered"
each = "shipment"
mail = "a/b"
[[step]]
id = "cancelled"
after = "order.cancelled"
mail = "a/b"
when = 'sent("order/placed")'
"#;

pub fn strict_shop() -> Catalog {
    let pausing =
        format!("{EDUCATION}\n[[pause]]\nwhile = \"customer.open_ticket\"\nat_most = \"10d\"\n");
    catalog(
        &format!("{POLICY}{STRICT}"),
        &[ORDER, &pausing, REVIEW, WIN_BACK, MONTHLY, REFILL],
    )
}

pub fn end() -> Timestamp {
    "2026-08-01T00:00:00Z".parse().expect("an instant")
}

/// What must agree: everything but numbers of our own.
fn essence(send: &Send) -> String {
    let reason = send.reason.as_ref().map_or("", |reason| reason.code());
    format!(
        "{} {} {}[{}] {:?} due {} {} {reason}",
        send.at,
        send.kind,
        send.name(),
        send.occurrence,
        send.order,
        send.due,
        send.state.as_str()
    )
}

pub fn essences<'s>(sends: impl IntoIterator<Item = &'s Send>) -> BTreeSet<String> {
    sends.into_iter().map(essence).collect()
}

#[test]
fn invariants_hold_on_every_timeline() {
    let shop = strict_shop();
    for seed in 0..timelines() * 4 {
        let events = timeline(seed);
        // Before they were known to be one, two people had their own limits.
        let merged = events
            .iter()
            .any(|event| event.kind == EventKind::CustomerMerged);
        let sends = simulate(&shop, events, None, Some(end()));
        check_invariants(
            &shop,
            merged,
            &sends
                .iter()
                .map(|one| (one.customer, &one.send))
                .collect::<Vec<_>>(),
            seed,
        );
    }
}

fn check_invariants(shop: &Catalog, merged: bool, sends: &[(CustomerId, &Send)], seed: u64) {
    let mut seen = BTreeSet::new();
    let mut bound: Vec<(CustomerId, &Send)> = Vec::new();
    for (customer, send) in sends {
        assert!(
            seen.insert((send.enrolment, send.step.clone(), send.occurrence.clone())),
            "seed {seed}: I3: {} twice",
            send.name()
        );
        if send.state.as_str() != "accepted" {
            continue;
        }
        assert!(
            send.at >= send.due,
            "seed {seed}: I16: {} at {} before {}",
            send.name(),
            send.at,
            send.due
        );
        if send.kind == Kind::Fulfilment {
            continue;
        }
        let zone = time::TimeZone::get(&send.zone).expect("a zone");
        let local = zone.to_datetime(send.at);
        let hours = shop.policy.hours.as_ref().expect("hours");
        assert!(
            local.time() >= hours.open
                && local.time() < hours.close
                && hours.days.contains(&local.weekday()),
            "seed {seed}: I16: {} at {local} is outside the hours",
            send.name()
        );
        // Days are those of the customer's zone as it is known when a mail goes.
        let back = |other: &Send| {
            let day = time::day(other.at, &zone);
            local.date().since(day).map_or(0, |span| span.get_days())
        };
        let before = bound.iter().filter(|(who, _)| who == customer);
        let days: Vec<i32> = before.map(|(_, other)| back(other)).collect();
        let at = send.at;
        if !merged {
            assert!(
                !days.contains(&0),
                "seed {seed}: I23: another mail to {customer} on the day of {at}"
            );
            let week = days.iter().filter(|days| (0..7).contains(*days)).count();
            assert!(
                week < 3,
                "seed {seed}: I23: {week} mails to {customer} in the week before {at}"
            );
        }
        bound.push((*customer, send));
    }
}

/// One person's history after all events of one timeline, none of them considered.
fn histories(events: &[Event]) -> Vec<History> {
    let mut directory = aftercare::ingest::identity::Directory::default();
    let mut people: BTreeMap<CustomerId, History> = BTreeMap::new();
    let mut waiting: BTreeMap<EventSeq, Event> = BTreeMap::new();
    let mut told = BTreeSet::new();
    for (at, event) in events.iter().enumerate() {
        if !told.insert((event.source.clone(), event.id.clone())) {
            continue;
        }
        let mut event = event.clone();
        event.seq = EventSeq(at as i64 + 1);
        let placed = directory.place(&event);
        waiting.insert(event.seq, event);
        for (from, into) in placed.merges {
            if let Some(gone) = people.remove(&from) {
                people
                    .entry(into)
                    .or_insert_with(|| History::new(into))
                    .absorb(gone);
            }
        }
        for (seq, placement) in placed.placements {
            if let aftercare::ingest::identity::Placement::Customer(customer) = placement
                && let Some(event) = waiting.remove(&seq)
            {
                people
                    .entry(customer)
                    .or_insert_with(|| History::new(customer))
                    .events
                    .push(event);
            }
        }
    }
    people.into_values().collect()
}

#[test]
fn planning_twice_changes_nothing_and_nothing_happens_before_the_wake_up() {
    let shop = strict_shop();
    for seed in 0..timelines() * 2 {
        let mut chance = Chance::new(seed ^ 0xABCD);
        for mut history in histories(&timeline(seed)) {
            let mut now = history
                .events
                .iter()
                .map(|event| event.recorded)
                .max()
                .expect("events");
            for _ in 0..40 {
                let first = plan::plan(&shop, &history, now);
                first.apply(&mut history, now);
                let again = plan::plan(&shop, &history, now);
                assert!(
                    again.decisions.is_empty(),
                    "seed {seed} at {now}: {:?}",
                    again.decisions
                );
                let wake = again.wake_at;
                let open = history.sends.iter().any(|send| !send.state.is_terminal());
                if !open {
                    let until = wake.unwrap_or_else(end);
                    let span = until.duration_since(now).as_millis().max(2) as u64;
                    let between =
                        now + SignedDuration::from_millis(1 + chance.below(span - 1) as i64);
                    if between < until {
                        let early = plan::plan(&shop, &history, between);
                        assert!(
                            early.decisions.is_empty(),
                            "seed {seed}: at {between}, before {until}: {:?}",
                            early.decisions
                        );
                    }
                }
                let next = walk::live(&shop, &mut history, now, now);
                match next.filter(|next| *next < end()) {
                    Some(next) => now = next,
                    None => break,
                }
            }
        }
    }
}

#[test]
fn arrival_order_and_repetition_do_not_change_the_plan() {
    let shop = strict_shop();
    let plans = |events: &[Event], now: Timestamp| -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        for mut history in histories(events) {
            walk::live(&shop, &mut history, now, end());
            all.extend(essences(&history.sends));
        }
        all
    };
    for seed in 0..timelines() * 2 {
        let mut events = timeline(seed);
        let now = events.last().map(|event| event.recorded).expect("events");
        // When a fact was learnt is part of it; what may not matter is the order.
        for event in &mut events {
            event.recorded = event.time;
        }
        let wanted = plans(&events, now);
        let mut chance = Chance::new(seed);
        for _ in 0..5 {
            let mut shuffled = events.clone();
            let again: Vec<Event> = shuffled
                .iter()
                .filter(|_| chance.percent(30))
                .cloned()
                .collect();
            shuffled.extend(again);
            chance.shuffle(&mut shuffled);
            assert_eq!(plans(&shuffled, now), wanted, "seed {seed}");
        }
    }
}
