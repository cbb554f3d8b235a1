//! The guards on the core, over random timelines: planning twice changes nothing; nothing
//! happens before a wake-up; the order of arrival does not matter; no invariant is broken.

use crate::plan::elapsed::{MONTHLY, REFILL, WIN_BACK};
use crate::plan::experiments::compared;
use crate::plan::series::REVIEW;
use crate::story::{POLICY, catalog};
use crate::timeline::{Chance, timeline};
use aftercare::model::event::{Event, EventKind};
use aftercare::model::history::History;
use aftercare::model::ids::{CustomerId, EventSeq};
use aftercare::model::kind::Kind;
use aftercare::model::send::Send;
use aftercare::model::time::{self, Timestamp};
use aftercare::plan::simulate::{Simulated, simulate};
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

/// Per cent of the people of the strict shop who are held out.
const HELD_OUT: u32 = 20;

/// Short courses for two more families: a kit's part, and whatever matches nothing.
fn course(family: &str) -> String {
    format!(
        "format = 1\nid = \"{family}\"\nkind = \"education\"\ntitle = \"t\"\nfrom = \"aya\"\n\
         [start]\non = \"item.delivered\"\nwhere = 'item.family == \"{family}\"'\n\
         per = \"customer, item.family\"\n[[step]]\nid = \"care\"\nafter = \"start + 1d\"\n\
         at = \"12:00\"\nmail = \"a/b\"\n"
    )
}

pub fn strict_shop() -> Catalog {
    let education = compared(HELD_OUT);
    let pausing =
        format!("{education}\n[[pause]]\nwhile = \"customer.open_ticket\"\nat_most = \"10d\"\n");
    catalog(
        &format!("{POLICY}{STRICT}"),
        &[
            ORDER,
            &pausing,
            REVIEW,
            WIN_BACK,
            MONTHLY,
            REFILL,
            &course("memory"),
            &course("general"),
        ],
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
    let (mut held_out, mut extra) = (0, 0);
    let mut courses: BTreeMap<String, u32> = BTreeMap::new();
    for seed in 0..timelines() * 4 {
        let events = timeline(seed);
        // Before they were known to be one, two people had their own limits.
        let merged = events
            .iter()
            .any(|event| event.kind == EventKind::CustomerMerged);
        let sends = simulate(&shop, events, None, Some(end()));
        let code = |one: &Simulated| one.send.reason.as_ref().map_or("", |reason| reason.code());
        held_out += sends.iter().filter(|one| code(one) == "held_out").count();
        for one in &sends {
            *courses.entry(one.send.sequence.clone()).or_default() += 1;
        }
        extra += sends.iter().filter(|one| one.send.step == "extra").count();
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
    for course in ["memory", "general"] {
        assert!(
            courses.get(course).is_some_and(|count| *count > 10),
            "{courses:?}: too little of {course}"
        );
    }
    assert!(
        held_out > 20 && extra > 20,
        "the experiment drew nobody: {held_out} held out, {extra} of one arm"
    );
}

fn check_invariants(shop: &Catalog, merged: bool, sends: &[(CustomerId, &Send)], seed: u64) {
    let mut seen = BTreeSet::new();
    let mut places: BTreeMap<CustomerId, Vec<&Send>> = BTreeMap::new();
    let mut held_out: BTreeMap<CustomerId, Timestamp> = BTreeMap::new();
    for (customer, send) in sends {
        if send.reason.as_ref().map(|reason| reason.code()) == Some("held_out") {
            held_out.entry(*customer).or_insert(send.at);
        }
    }
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
        assert!(
            held_out.get(customer).is_none_or(|since| send.at < *since),
            "seed {seed}: {} went to {customer}, who is held out",
            send.name()
        );
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
        places.entry(*customer).or_default().push(send);
    }
    // Days are the customer's at the moment of the later mail: people move.
    // Before they were known to be one, two people had their own limits.
    for (customer, sends) in places.iter().filter(|_| !merged) {
        for last in sends {
            let zone = time::TimeZone::get(&last.zone).expect("a zone");
            let today = time::day(last.at, &zone);
            let within = |days: i64| {
                let first = time::add_days(today, 1 - days);
                let before = sends.iter().filter(|send| send.at <= last.at);
                before
                    .filter(|send| time::day(send.at, &zone) >= first)
                    .count()
            };
            let all = || essences(sends.iter().copied());
            assert!(
                within(1) <= 1 && within(7) <= 3,
                "seed {seed}: I23: {} mails to {customer} on {today}, {} in the week to it: {:#?}",
                within(1),
                within(7),
                all()
            );
        }
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
                assert!(
                    wake.is_none_or(|wake| first.wake_at.is_some_and(|first| first <= wake)),
                    "seed {seed} at {now}: {:?} would be slept through, woken at {:?}",
                    wake,
                    first.wake_at
                );
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
