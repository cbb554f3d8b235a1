//! Hours, limits per person, priority by kind, earning before asking.

use super::series::{EDUCATION, REVIEW};
use crate::story::{CAMERA, LENS, POLICY, Story, catalog};

fn series(id: &str, kind: &str, family: &str, after: &str, at: &str) -> String {
    format!(
        r#"
format = 1
id = "{id}"
kind = "{kind}"
title = "{id}"
from = "aya"
[start]
on = "item.delivered"
where = 'item.family == "{family}"'
per = "customer, item.family"
[[step]]
id = "one"
after = "{after}"
at = "{at}"
mail = "a/b"
"#
    )
}

fn both() -> Story {
    Story::new()
        .order("1", "ann", "2026-03-01T09:00:00Z", &[CAMERA, LENS])
        .delivered("1", "A", "2026-03-03T15:00:00Z", &[1, 2])
}

#[test]
fn the_kind_that_goes_first_keeps_the_day_though_it_is_due_later() {
    let policy = format!("{POLICY}\n[limits]\nper_day = 1\nwhen_over = \"5d\"\n");
    let offer = series("offer", "offer", "lens", "start + 2d", "09:00");
    let help = series("help", "education", "dslr", "start + 2d", "17:00");
    let shop = catalog(&policy, &[&offer, &help]);
    assert_eq!(
        both().trace(&shop, "2026-04-01T00:00:00Z"),
        [
            "2026-03-05T16:00 ann help/one accepted",
            "2026-03-06T08:00 ann offer/one accepted",
        ]
    );
}

#[test]
fn a_limit_delays_and_then_skips() {
    let policy = format!("{POLICY}\n[limits]\nper_week = 1\nwhen_over = \"3d\"\n");
    let offer = series("offer", "offer", "lens", "start + 2d", "09:00");
    let help = series("help", "education", "dslr", "start + 2d", "08:00");
    let shop = catalog(&policy, &[&offer, &help]);
    assert_eq!(
        both().trace(&shop, "2026-04-01T00:00:00Z"),
        [
            "2026-03-05T07:00 ann help/one accepted",
            "2026-03-08T08:00 ann offer/one skipped limit",
        ]
    );
}

#[test]
fn outside_the_hours_waits_for_the_opening_and_fulfilment_does_not() {
    let policy = format!(
        "{POLICY}\n[hours]\nopen = \"08:00\"\nclose = \"20:00\"\ndays = \"Mon-Sat\"\nexcept = [\"fulfilment\"]\n"
    );
    let help = series("help", "education", "dslr", "start + 4d", "10:00");
    let placed = r#"
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
"#;
    let shop = catalog(&policy, &[&help, placed]);
    let story = Story::new()
        .order("1", "ann", "2026-03-01T02:00:00Z", &[CAMERA])
        .delivered("1", "A", "2026-03-04T15:00:00Z", &[1]);
    assert_eq!(
        story.trace(&shop, "2026-04-01T00:00:00Z"),
        [
            "2026-03-01T02:00 ann order/placed accepted",
            // The 8th is a Sunday.
            "2026-03-09T07:00 ann help/one accepted",
        ]
    );
}

#[test]
fn an_ask_waits_until_it_is_earned_and_is_dropped_when_it_never_is() {
    let policy = format!("{POLICY}\n[earn]\nreview = 2\n");
    let shop = catalog(&policy, &[EDUCATION, REVIEW]);
    let story = Story::new()
        .order("1", "ann", "2026-03-01T09:00:00Z", &[CAMERA])
        .delivered("1", "A", "2026-03-04T15:00:00Z", &[1]);
    let trace = story.trace(&shop, "2026-05-01T00:00:00Z");
    assert!(
        trace.contains(&"2026-03-21T09:00 ann review/ask accepted".to_owned()),
        "{trace:?}"
    );

    let dear = format!("{POLICY}\n[earn]\nreview = 3\n");
    let shop = catalog(&dear, &[EDUCATION, REVIEW]);
    let trace = story.trace(&shop, "2026-05-01T00:00:00Z");
    let ask = trace.iter().find(|line| line.contains("review/ask"));
    assert_eq!(
        ask.map(String::as_str),
        Some("2026-03-31T09:00 ann review/ask skipped not_earned"),
        "{trace:?}"
    );
}

#[test]
fn one_series_never_sends_twice_on_a_day() {
    let quick = r#"
format = 1
id = "quick"
kind = "education"
title = "Quick"
from = "aya"
[start]
on = "item.delivered"
per = "customer, item.family"
[[step]]
id = "one"
after = "start + 1h"
mail = "a/b"
[[step]]
id = "two"
after = "start + 2h"
mail = "a/b"
"#;
    let shop = catalog(POLICY, &[quick]);
    let story = Story::new()
        .order("1", "ann", "2026-03-01T09:00:00Z", &[CAMERA])
        .delivered("1", "A", "2026-03-04T10:00:00Z", &[1]);
    assert_eq!(
        story.trace(&shop, "2026-04-01T00:00:00Z"),
        [
            "2026-03-04T11:00 ann quick/one accepted",
            "2026-03-05T12:00 ann quick/two accepted",
        ]
    );
}
