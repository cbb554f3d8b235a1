//! SIGTERM: what is in hand is finished, nothing is left in doubt, and the rest waits.

use super::events;
use super::install::{Install, Row, START};
use super::relay::{Relay, Verdict};
use super::until;
use serde_json::Value;
use std::time::Duration;

/// How long the server thinks about each mail, so that some are in hand at the stop.
const THINKS: Duration = Duration::from_millis(40);
const ORDERS: usize = 60;

#[test]
fn a_stop_leaves_nothing_in_doubt() {
    let relay = Relay::start();
    relay.judge(|_, _| {
        std::thread::sleep(THINKS);
        Verdict::Accept
    });
    let install = Install::sqlite(&relay.url());
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
    until("the first mails are out", || {
        (relay.count() > 0).then_some(())
    });
    assert_eq!(service.terminate().code(), Some(0), "a stop is no failure");
    let received = relay.count();
    let ledger = install.sends();
    let accepted = ledger.iter().filter(|row| row.state == "accepted").count();
    assert_eq!(accepted, received, "what the server took is recorded");
    assert!(accepted < ORDERS, "the stop came too late to be a test");
    let odd: Vec<&Row> = ledger
        .iter()
        .filter(|row| !matches!(row.state.as_str(), "accepted" | "queued"))
        .collect();
    assert!(odd.is_empty(), "neither sent nor waiting: {odd:#?}");

    let service = install.start();
    until("the rest goes", || {
        (relay.by_id().len() == ORDERS).then_some(())
    });
    until("the rest is recorded", || {
        install
            .sends()
            .iter()
            .all(|row| row.state == "accepted")
            .then_some(())
    });
    assert_eq!(service.terminate().code(), Some(0));
    assert_eq!(relay.count(), ORDERS, "none goes twice");
    relay.assert_proper();
}
