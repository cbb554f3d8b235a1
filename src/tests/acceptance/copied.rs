//! A database that was copied without its key file takes events and shows what it would
//! send, and sends nothing until somebody arms it.

use super::events;
use super::install::{Install, START};
use super::relay::Relay;
use super::until;

/// A day in a second: what comes next must not be too late by the time it is allowed.
const SPEED: u32 = 86_400;
/// An order mail would have gone by then, and the second lesson would not.
const QUIET_DAYS: i64 = 7;

#[test]
fn a_copied_database_only_observes() {
    let relay = Relay::start();
    let mut original = Install::sqlite(&relay.url());
    original.speed = SPEED;
    let at = events::later(START.parse().unwrap(), -240);
    let order = events::order("1", "ann@example.com", "AUR-D80-KIT", at);
    let out = events::later(at, 30);
    let all = [
        order.placed(),
        order.dispatched("1-0", &[0], out),
        order.delivered("1-0", out, events::later(out, 60), 1),
    ];
    let service = original.start();
    assert_eq!(service.post(&all).accepted, 3);
    until("the first lesson arrives", || {
        relay
            .mails()
            .into_iter()
            .find(|mail| mail.step() == "education-dslr/basics")
    });
    assert_eq!(service.terminate().code(), Some(0));

    let quiet = Relay::start();
    let mut copy = Install::sqlite(&quiet.url());
    copy.speed = SPEED;
    std::fs::copy(original.sqlite_file(), copy.sqlite_file()).unwrap();
    let before = copy.sends().len();
    let service = copy.start();
    let news = events::order("2", "bob@example.com", "COF-NORD-250", service.now());
    assert_eq!(service.post(&[news.placed()]).accepted, 1);
    let upcoming = copy.rows(&["upcoming", "--days", "60", "--json"]);
    assert!(
        upcoming
            .iter()
            .any(|row| row.name() == "education-dslr/manual"),
        "it shows what it would send: {upcoming:#?}"
    );
    service.until_day(QUIET_DAYS);
    assert_eq!(quiet.count(), 0, "a copy sent mail");
    assert_eq!(copy.sends().len(), before, "a copy decided something");
    assert_eq!(service.terminate().code(), Some(0));

    copy.run(&["arm"]);
    let service = copy.start();
    until("armed, it sends", || (quiet.count() > 0).then_some(()));
    assert_eq!(service.terminate().code(), Some(0));
    // What the original sent does not go again.
    let sent: Vec<String> = relay.by_id().into_keys().collect();
    assert!(quiet.by_id().keys().all(|id| !sent.contains(id)));
}
