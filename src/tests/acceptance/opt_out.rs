//! Opting out by one click, while a mail for that person waits: nothing bound by the
//! opt-out goes after the 2xx. Order mails still go.

use super::events;
use super::install::{Install, START};
use super::relay::Relay;
use super::until;

/// A day in a second: the waiting mail must not grow too old while we look.
const SPEED: u32 = 86_400;
/// Clock speed while nothing may happen any more.
const QUIET_SPEED: u32 = 1_000_000;
/// By then the series would have ended.
const LAST_DAY: i64 = 60;

#[test]
fn nothing_bound_goes_after_the_answer_to_one_click() {
    let relay = Relay::start();
    let mut install = Install::sqlite(&relay.url());
    install.speed = SPEED;
    let at = events::later(START.parse().unwrap(), -240);
    let order = events::order("1", "ann@example.com", "AUR-D80-KIT", at);
    let out = events::later(at, 30);
    let all = [
        order.placed(),
        order.dispatched("1-0", &[0], out),
        order.delivered("1-0", out, events::later(out, 60), 1),
    ];
    let service = install.start();
    assert_eq!(service.post(&all).accepted, 3);
    let basics = until("the first lesson arrives", || {
        relay
            .mails()
            .into_iter()
            .find(|mail| mail.step() == "education-dslr/basics")
    });
    assert_eq!(
        basics.header("List-Unsubscribe-Post").as_deref(),
        Some("List-Unsubscribe=One-Click")
    );
    let link = basics.header("List-Unsubscribe").unwrap();
    let link = url::Url::parse(link.trim_matches(['<', '>'])).unwrap();

    // The relay goes, and the next lesson waits for it.
    let address = relay.address;
    drop(relay);
    until("the second lesson is queued", || {
        let waits = |state: &str| matches!(state, "queued" | "sending");
        install
            .sends()
            .into_iter()
            .find(|row| row.name() == "education-dslr/manual" && waits(&row.state))
    });
    // Looking changes nothing.
    let (status, _) = service.request("GET", link.path(), "", "").unwrap();
    assert_eq!(status, 200);
    assert!(
        install
            .sends()
            .iter()
            .all(|row| row.reason.as_deref() != Some("opted_out"))
    );
    let form = "application/x-www-form-urlencoded";
    let (status, _) = service
        .request("POST", link.path(), form, "List-Unsubscribe=One-Click")
        .unwrap();
    assert_eq!(status, 200);
    let relay = Relay::at(address);
    until("the waiting lesson is withdrawn", || {
        let manual = install.sends_of("education-dslr/manual");
        manual[0].is_final().then_some(())
    });
    // Order mails are not bound by it.
    let second = events::order("2", "ann@example.com", "COF-NORD-250", service.now());
    assert_eq!(service.post(&[second.placed()]).accepted, 1);
    until("the order mail arrives", || {
        relay
            .mails()
            .into_iter()
            .find(|mail| mail.step() == "fulfilment/placed")
    });
    assert_eq!(service.terminate().code(), Some(0));
    install.speed = QUIET_SPEED;
    let service = install.start();
    service.until_day(LAST_DAY);
    let after: Vec<String> = relay.mails().iter().map(super::relay::Mail::step).collect();
    // One click in a lesson stops lessons (M8). The series ends in an offer, which is bound
    // by other opt-outs.
    let bound = |step: &String| !step.starts_with("fulfilment/") && step != "education-dslr/tripod";
    assert!(
        !after.iter().any(bound),
        "sent after the opt-out: {after:?}"
    );
    let manual = install.sends_of("education-dslr/manual").remove(0);
    assert!(
        matches!(manual.state.as_str(), "cancelled" | "skipped"),
        "{manual:?}"
    );
    assert_eq!(manual.reason.as_deref(), Some("opted_out"), "{manual:?}");
    relay.assert_proper();
}
