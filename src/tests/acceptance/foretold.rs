//! What is said beforehand is what comes: `upcoming` names the mails that will arrive,
//! and `simulate` gives the sends of the live run.

use super::events::{self, Wanted};
use super::install::{Install, Row, START};
use super::relay::Relay;
use super::{Dice, until};
use serde_json::Value;
use std::collections::BTreeSet;

/// Days over which the events are spread: they are told at their own times.
const DAYS_OF_NEWS: i64 = 12;
/// Clock speed while they are told.
const SPEED: u32 = 100_000;
/// Clock speed while nothing new happens.
const QUIET_SPEED: u32 = 200_000;
/// By then every series that began has ended.
const LAST_DAY: i64 = 85;

#[test]
fn upcoming_and_simulate_say_what_then_happens() {
    let mut dice = Dice::seeded(7);
    let relay = Relay::start();
    let mut install = Install::sqlite(&relay.url());
    install.speed = SPEED;
    let from = events::later(START.parse().unwrap(), 60);
    let wanted = Wanted {
        customers: 10,
        orders: 14,
        from,
        within: 2 * 24 * 60,
        slow: true,
    };
    let history = events::history(&mut dice, &wanted);

    // As it happens, each event when it is learnt.
    let service = install.start();
    let mut told = Vec::with_capacity(history.len());
    for event in &history {
        let when: jiff::Timestamp = event["recordedtime"].as_str().unwrap().parse().unwrap();
        let now = until("the event's moment", || {
            Some(service.now()).filter(|now| *now >= when)
        });
        assert_eq!(service.post(std::slice::from_ref(event)).accepted, 1);
        let mut learnt = event.clone();
        learnt["recordedtime"] = Value::from(now.to_string());
        told.push(learnt);
    }
    service.until_day(DAYS_OF_NEWS);
    until("what is due has gone", || {
        install.sends().iter().all(Row::is_final).then_some(())
    });
    assert_eq!(service.terminate().code(), Some(0));

    // Nothing runs now, so nothing moves while we ask.
    let before: BTreeSet<String> = relay.by_id().into_keys().collect();
    let upcoming = install.rows(&["upcoming", "--days", "120", "--json"]);
    let foretold: BTreeSet<String> = upcoming
        .iter()
        .filter(|row| !matches!(row.state.as_str(), "skipped" | "cancelled"))
        .map(|row| row.message_id().to_owned())
        .collect();
    assert!(
        foretold.len() >= 10,
        "there is too little to foretell: {upcoming:#?}"
    );

    install.speed = QUIET_SPEED;
    let service = install.start();
    service.until_day(LAST_DAY);
    let ledger = until("every send is settled", || {
        let ledger = install.sends();
        ledger.iter().all(Row::is_final).then_some(ledger)
    });
    let open = install.rows(&["upcoming", "--days", "400", "--json"]);
    assert_eq!(open, [], "something is still to come");
    assert_eq!(service.terminate().code(), Some(0));
    relay.assert_proper();

    let arrived: BTreeSet<String> = relay
        .by_id()
        .into_keys()
        .filter(|id| !before.contains(id))
        .collect();
    let name = |ids: Vec<&String>| -> Vec<String> {
        let all = upcoming.iter().chain(&ledger);
        all.filter(|row| ids.contains(&&row.message_id().to_owned()))
            .map(|row| format!("{} {} {:?}", row.key(), row.state, row.reason))
            .collect()
    };
    let missing = name(foretold.difference(&arrived).collect());
    let unforeseen = name(arrived.difference(&foretold).collect());
    assert!(missing.is_empty(), "foretold and not sent: {missing:#?}");
    assert!(
        unforeseen.is_empty(),
        "sent and not foretold: {unforeseen:#?}"
    );
    for row in &upcoming {
        let same = ledger
            .iter()
            .any(|send| send.id == row.id && send.message_id == row.message_id);
        assert!(same, "foretold under another id: {row:?}");
    }

    // Time travel over the same events comes to the same sends.
    let file = install.data.join("events.ndjson");
    let text: String = told.iter().map(|event| format!("{event}\n")).collect();
    std::fs::write(&file, text).unwrap();
    let file = file.to_string_lossy();
    let to = events::later(START.parse().unwrap(), LAST_DAY * 24 * 60).to_string();
    let arguments = [
        "simulate", "--events", &file, "--from", START, "--to", &to, "--json",
    ];
    let simulated = install.rows(&arguments);
    assert_eq!(
        simulated,
        install.rows(&arguments),
        "a simulation repeats itself"
    );
    let keys = |rows: &[Row], sent: bool| -> BTreeSet<String> {
        rows.iter()
            .filter(|row| row.may_be_out() == sent)
            .map(Row::key)
            .collect()
    };
    for sent in [true, false] {
        let (live, said) = (keys(&ledger, sent), keys(&simulated, sent));
        let only_live: Vec<&String> = live.difference(&said).collect();
        let only_said: Vec<&String> = said.difference(&live).collect();
        assert!(
            only_live.is_empty() && only_said.is_empty(),
            "sent {sent}: live alone {only_live:#?}, simulated alone {only_said:#?}"
        );
    }
}
