//! A relay that is away, and one that hangs up after the final dot.

use super::events;
use super::install::{Install, Row, START};
use super::relay::{Relay, Verdict};
use super::until;
use serde_json::Value;

const ORDERS: usize = 12;
/// A day in two seconds: what is sent again after a doubt must not be late by then.
const SPEED: u32 = 43_200;
/// Clock speed once that is over.
const SERIES_SPEED: u32 = 150_000;
/// By then the second lesson has gone.
const LAST_DAY: i64 = 14;

#[test]
fn a_relay_that_is_away_costs_time_and_nothing_else() {
    let relay = Relay::start();
    let (address, url) = (relay.address, relay.url());
    drop(relay);
    let install = Install::sqlite(&url);
    let service = install.start();
    let at = events::later(START.parse().unwrap(), -5);
    let orders: Vec<Value> = (0..ORDERS)
        .map(|n| {
            events::order(
                &format!("{n}"),
                &format!("c{n}@example.com"),
                "COF-NORD-250",
                at,
            )
            .placed()
        })
        .collect();
    assert_eq!(service.post(&orders).accepted, ORDERS);
    until("the relay was found away", || {
        service.log().contains("relay is in trouble").then_some(())
    });
    let waiting = install.sends_of("fulfilment/placed");
    assert_eq!(waiting.len(), ORDERS);
    assert!(
        waiting.iter().all(|row| !row.is_final()),
        "given up: {waiting:#?}"
    );

    let relay = Relay::at(address);
    let ledger = until("all go when it is back", || {
        let ledger = install.sends_of("fulfilment/placed");
        ledger
            .iter()
            .all(|row| row.state == "accepted")
            .then_some(ledger)
    });
    assert_eq!(relay.count(), ORDERS);
    for row in &ledger {
        assert_eq!(
            row.attempts,
            Some(1),
            "the relay's trouble was counted as a try: {row:?}"
        );
        assert_eq!(row.reason, None, "{row:?}");
    }
    relay.assert_proper();
}

#[test]
fn after_a_lost_answer_order_mails_go_again_unchanged_and_others_never() {
    let relay = Relay::start();
    relay.judge(|mail, before| {
        let doubtful = matches!(
            mail.step().as_str(),
            "fulfilment/placed" | "education-pour-over/first-cup"
        );
        if doubtful && before == 0 {
            Verdict::HangUp
        } else {
            Verdict::Accept
        }
    });
    let mut install = Install::sqlite(&relay.url());
    install.speed = SPEED;
    let service = install.start();
    let at = events::later(START.parse().unwrap(), -240);
    let order = events::order("1", "ann@example.com", "DRP-HAND-01", at);
    let out = events::later(at, 30);
    let all = [
        order.placed(),
        order.dispatched("1-0", &[0], out),
        order.delivered("1-0", out, events::later(out, 60), 1),
    ];
    assert_eq!(service.post(&all).accepted, 3);
    until("the order mail was sent again", || {
        let placed = install.sends_of("fulfilment/placed");
        placed
            .iter()
            .all(|row| row.state == "accepted")
            .then_some(())
    });
    assert_eq!(service.terminate().code(), Some(0));
    install.speed = SERIES_SPEED;
    let service = install.start();
    service.until_day(LAST_DAY);
    let ledger = until("every send is settled", || {
        let ledger = install.sends();
        ledger.iter().all(Row::is_final).then_some(ledger)
    });
    assert_eq!(service.terminate().code(), Some(0));
    let received = relay.by_id();
    let find = |name: &str| {
        ledger
            .iter()
            .find(|row| row.name() == name)
            .unwrap_or_else(|| panic!("no {name}"))
    };

    let placed = find("fulfilment/placed");
    assert_eq!(
        (placed.state.as_str(), placed.reason.as_deref()),
        ("accepted", Some("resent_after_uncertain"))
    );
    let copies = &received[placed.message_id()];
    assert_eq!(copies.len(), 2);
    assert_eq!(copies[0], copies[1], "the same bytes again");

    let lesson = find("education-pour-over/first-cup");
    assert_eq!(
        (lesson.state.as_str(), lesson.reason.as_deref()),
        ("unknown", Some("uncertain_on_hold"))
    );
    assert_eq!(received[lesson.message_id()].len(), 1);
    // What is not known does not stop the rest.
    assert!(
        received
            .values()
            .flatten()
            .any(|mail| mail.step() == "education-pour-over/grind"),
        "{ledger:#?}"
    );
    assert!(
        received
            .values()
            .all(|copies| copies.len() == 1 || copies[0].id == placed.message_id())
    );
    relay.assert_proper();
}
