//! People: opt-outs, consent, erasure, tickets, tests, merges.

use super::series::EDUCATION;
use crate::story::{CAMERA, POLICY, Story, catalog};
use serde_json::json;

fn bought() -> Story {
    Story::new()
        .order("1", "ann", "2026-03-01T09:00:00Z", &[CAMERA])
        .delivered("1", "A", "2026-03-04T15:00:00Z", &[1])
}

#[test]
fn an_opt_out_stops_what_its_scope_says() {
    let shop = catalog(POLICY, &[EDUCATION]);
    let all = bought().opts_out("ann", "all", "2026-03-07T09:00:00Z");
    assert_eq!(
        all.trace(&shop, "2026-05-01T00:00:00Z"),
        ["2026-03-06T09:00 ann education/basics accepted"]
    );
    let marketing = bought().opts_out("ann", "all_marketing", "2026-03-07T09:00:00Z");
    assert_eq!(
        marketing.trace(&shop, "2026-05-01T00:00:00Z"),
        [
            "2026-03-06T09:00 ann education/basics accepted",
            "2026-03-13T09:00 ann education/manual accepted",
            "2026-03-24T09:00 ann education/tripod skipped opted_out",
        ]
    );
}

#[test]
fn an_older_opt_in_does_not_lift_an_opt_out() {
    let shop = catalog(POLICY, &[EDUCATION]);
    let story = bought().opts_out("ann", "all", "2026-03-05T09:00:00Z").order_with(
        "2",
        "ann",
        "2026-03-06T08:00:00Z",
        &[CAMERA],
        json!({}),
        json!({"marketing_consent": {"channel": "email", "state": "subscribed", "basis": "explicit",
            "source": "checkout", "updated_at": "2026-01-01T00:00:00Z"}}),
    );
    assert!(story.trace(&shop, "2026-05-01T00:00:00Z").is_empty());
}

#[test]
fn the_country_says_what_consent_an_offer_needs() {
    let shop = catalog(POLICY, &[EDUCATION]);
    let consent = |state: &str, basis: &str| {
        json!({"marketing_consent": {"channel": "email", "state": state, "basis": basis, "source": "t",
               "updated_at": "2026-03-01T00:00:00Z"}})
    };
    for (customer, end) in [
        (
            consent("unknown", "none"),
            "education/tripod skipped no_consent",
        ),
        (
            consent("not_subscribed", "soft_opt_in"),
            "education/tripod accepted",
        ),
        (
            consent("unsubscribed", "none"),
            "education/tripod skipped opted_out",
        ),
    ] {
        let story = Story::new()
            .order_with(
                "1",
                "ann",
                "2026-03-01T09:00:00Z",
                &[CAMERA],
                json!({}),
                customer,
            )
            .delivered("1", "A", "2026-03-04T15:00:00Z", &[1]);
        let trace = story.trace(&shop, "2026-05-01T00:00:00Z");
        assert!(
            trace.last().is_some_and(|line| line.ends_with(end)),
            "{end}: {trace:?}"
        );
    }
}

#[test]
fn the_forgotten_hear_nothing_and_do_not_come_back() {
    let shop = catalog(POLICY, &[EDUCATION]);
    let story = bought()
        .erased("ann", "2026-03-07T09:00:00Z")
        .order("2", "ann", "2026-03-20T09:00:00Z", &[CAMERA])
        .delivered("2", "B", "2026-03-23T09:00:00Z", &[1]);
    let trace = story.trace(&shop, "2026-05-01T00:00:00Z");
    assert_eq!(trace.len(), 1, "{trace:?}");
}

#[test]
fn a_ticket_pauses_and_its_end_resumes_at_the_next_time_of_day() {
    let pausing =
        format!("{EDUCATION}\n[[pause]]\nwhile = \"customer.open_ticket\"\nat_most = \"14d\"\n");
    let shop = catalog(POLICY, &[&pausing]);
    let story = bought()
        .ticket("ann", "T1", "open", "2026-03-12T09:00:00Z")
        .ticket("ann", "T1", "solved", "2026-03-16T12:00:00Z");
    assert_eq!(
        story.trace(&shop, "2026-04-20T00:00:00Z"),
        [
            "2026-03-06T09:00 ann education/basics accepted",
            // Solved on the 16th, three days of calm, then the next ten o'clock.
            "2026-03-20T09:00 ann education/manual accepted",
            "2026-03-31T08:00 ann education/tripod accepted",
        ]
    );
    let never = bought().ticket("ann", "T1", "open", "2026-03-12T09:00:00Z");
    let trace = never.trace(&shop, "2026-06-01T00:00:00Z");
    assert_eq!(
        trace.get(1).map(String::as_str),
        Some("2026-03-26T09:00 ann education/manual skipped paused_too_long"),
        "{trace:?}"
    );
}

#[test]
fn a_test_order_mails_the_allow_list_only() {
    let shop = catalog(POLICY, &[EDUCATION]);
    let tested = |shop| {
        let mut story = bought();
        let mut order = crate::story::order_data(
            "1",
            "ann",
            "2026-03-01T09:00:00Z",
            &[CAMERA],
            json!({}),
            json!({}),
        );
        order["test"] = json!(true);
        story.events.remove(0);
        story
            .event(
                "order.placed",
                "order/1/placed",
                "2026-03-01T09:00:00Z",
                "2026-03-01T09:00:00Z",
                order,
            )
            .trace(shop, "2026-03-10T00:00:00Z")
    };
    assert_eq!(
        tested(&shop),
        ["2026-03-06T09:00 ann education/basics skipped test"]
    );
    let policy = POLICY.replace(
        "locales =",
        "test_recipients = [\"Ann@example.com\"]\nlocales =",
    );
    let shop = catalog(&policy, &[EDUCATION]);
    assert_eq!(
        tested(&shop),
        ["2026-03-06T09:00 ann education/basics accepted"]
    );
}

#[test]
fn merged_people_have_one_series() {
    let shop = catalog(POLICY, &[EDUCATION]);
    let story = bought()
        .order("2", "bob", "2026-03-02T09:00:00Z", &[CAMERA])
        .delivered("2", "B", "2026-03-08T15:00:00Z", &[1])
        .event(
            "customer.merged",
            "customer/merged",
            "2026-03-09T09:00:00Z",
            "2026-03-09T09:00:00Z",
            json!({
                "survivor": {"customer_id": null, "email": "ann@example.com"},
                "absorbed": [{"customer_id": null, "email": "bob@example.com"}],
            }),
        );
    let trace = story.trace(&shop, "2026-05-01T00:00:00Z");
    let basics = trace
        .iter()
        .filter(|line| line.contains("basics") && line.contains("accepted"))
        .count();
    let manual = trace.iter().filter(|line| line.contains("manual")).count();
    assert_eq!((basics, manual), (1, 1), "{trace:?}");
}
