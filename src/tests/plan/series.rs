//! One series: anchors, lengths, branches, goods that come and go.

use crate::story::{CAMERA, LENS, POLICY, Story, TRIPOD, catalog};
use serde_json::json;

pub const EDUCATION: &str = r#"
format = 1
id = "education"
kind = "education"
title = "Your camera"
from = "aya"
[start]
on = "item.delivered"
where = 'item.family == "dslr"'
per = "customer, item.family"
[[step]]
id = "basics"
after = "start + 2d"
at = "10:00"
mail = "dslr/basics"
[[step]]
id = "manual"
after = "basics + 1w"
at = "10:00"
mail = "dslr/manual"
[[step]]
id = "tripod"
kind = "offer"
after = "manual + 1w"
slot = "0 0 10 * * Tue-Thu"
mail = "dslr/tripod"
unless = 'owns("tripod")'
[[stop]]
on = ["item.refunded", "item.returned", "order.cancelled"]
"#;

pub const REVIEW: &str = r#"
format = 1
id = "review"
kind = "review"
title = "Your review"
from = "aya"
[start]
on = "step.sent"
of = "education/manual"
per = "customer, item.product_id"
[[step]]
id = "ask"
after = "start + 8d"
at = "10:00"
mail = "review/dslr"
[[stop]]
on = ["item.refunded"]
"#;

fn bought() -> Story {
    Story::new()
        .order("1", "ann", "2026-03-01T09:00:00Z", &[CAMERA])
        .dispatched("1", "A", "2026-03-02T09:00:00Z", &[1])
        .delivered("1", "A", "2026-03-04T15:00:00Z", &[1])
}

#[test]
fn a_series_runs_at_local_times_over_the_change_of_clocks() {
    let shop = catalog(POLICY, &[EDUCATION, REVIEW]);
    assert_eq!(
        bought().trace(&shop, "2026-05-01T00:00:00Z"),
        [
            "2026-03-06T09:00 ann education/basics accepted",
            "2026-03-13T09:00 ann education/manual accepted",
            // Friday the 20th: the first slot is Tuesday.
            "2026-03-21T09:00 ann review/ask accepted",
            "2026-03-24T09:00 ann education/tripod accepted",
        ]
    );
}

#[test]
fn a_refund_ends_it_and_what_was_refunded_is_not_asked_about() {
    let shop = catalog(POLICY, &[EDUCATION, REVIEW]);
    let story = bought().refunded("1", "2026-03-15T09:00:00Z", &[1]);
    assert_eq!(
        story.trace(&shop, "2026-05-01T00:00:00Z"),
        [
            "2026-03-06T09:00 ann education/basics accepted",
            "2026-03-13T09:00 ann education/manual accepted",
        ]
    );
}

#[test]
fn a_second_camera_joins_and_keeps_it_going_when_the_first_goes_back() {
    let shop = catalog(POLICY, &[EDUCATION]);
    let story = bought()
        .order("2", "ann", "2026-03-05T09:00:00Z", &[CAMERA])
        .delivered("2", "B", "2026-03-08T09:00:00Z", &[1])
        .refunded("1", "2026-03-10T09:00:00Z", &[1]);
    assert_eq!(
        story.trace(&shop, "2026-05-01T00:00:00Z"),
        [
            "2026-03-06T09:00 ann education/basics accepted",
            "2026-03-13T09:00 ann education/manual accepted",
            "2026-03-24T09:00 ann education/tripod accepted",
        ]
    );
}

#[test]
fn again_opens_another_run_only_after_its_time() {
    let again = EDUCATION.replace(
        "per = \"customer, item.family\"",
        "per = \"customer, item.family\"\nagain = \"30d\"",
    );
    let shop = catalog(POLICY, &[&again]);
    let story = bought()
        .order("2", "ann", "2026-05-01T09:00:00Z", &[CAMERA])
        .delivered("2", "B", "2026-05-04T09:00:00Z", &[1]);
    let basics = story
        .trace(&shop, "2026-08-01T00:00:00Z")
        .into_iter()
        .filter(|line| line.contains("basics"))
        .collect::<Vec<_>>();
    assert_eq!(
        basics,
        [
            "2026-03-06T09:00 ann education/basics accepted",
            "2026-05-06T08:00 ann education/basics accepted",
        ]
    );
}

#[test]
fn a_condition_is_asked_at_its_moment() {
    let shop = catalog(POLICY, &[EDUCATION]);
    let story = bought().order("2", "ann", "2026-03-20T09:00:00Z", &[TRIPOD]);
    assert_eq!(
        story
            .trace(&shop, "2026-05-01T00:00:00Z")
            .last()
            .map(String::as_str),
        Some("2026-03-24T09:00 ann education/tripod skipped unless")
    );
}

#[test]
fn what_is_learnt_late_moves_the_start_so_that_no_step_is_past() {
    let shop = catalog(POLICY, &[EDUCATION]);
    let story = Story::new()
        .order("1", "ann", "2026-03-01T09:00:00Z", &[CAMERA])
        .delivered_late(
            "1",
            "A",
            "2026-03-04T15:00:00Z",
            "2026-03-10T15:00:00Z",
            &[1],
        );
    assert_eq!(
        story.trace(&shop, "2026-03-25T00:00:00Z"),
        [
            // Learnt on the 10th at four in the afternoon: the next ten o'clock.
            "2026-03-11T09:00 ann education/basics accepted",
            "2026-03-18T09:00 ann education/manual accepted",
        ]
    );
}

#[test]
fn older_than_the_shop_allows_enrols_nobody() {
    let shop = catalog(POLICY, &[EDUCATION]);
    let story = Story::new()
        .order("1", "ann", "2026-03-01T09:00:00Z", &[CAMERA])
        .delivered_late(
            "1",
            "A",
            "2026-03-04T15:00:00Z",
            "2026-04-10T15:00:00Z",
            &[1],
        );
    assert!(story.trace(&shop, "2026-06-01T00:00:00Z").is_empty());
}

#[test]
fn gifts_replacements_and_later_deliveries_of_a_subscription_start_no_lessons() {
    let shop = catalog(POLICY, &[EDUCATION]);
    for order in [
        json!({"gift": true}),
        json!({"replaces": "0"}),
        json!({"subscription": {"id": "S", "sequence": 2}}),
    ] {
        let story = Story::new()
            .order_with(
                "1",
                "ann",
                "2026-03-01T09:00:00Z",
                &[CAMERA],
                order.clone(),
                json!({}),
            )
            .delivered("1", "A", "2026-03-04T15:00:00Z", &[1]);
        assert!(
            story.trace(&shop, "2026-06-01T00:00:00Z").is_empty(),
            "{order}"
        );
    }
}

#[test]
fn a_delivery_is_assumed_where_nothing_is_heard() {
    let policy = format!("{POLICY}\n[[delivery.assume]]\nto = \"DE\"\nafter = \"4bd\"\n");
    let shop = catalog(&policy, &[EDUCATION]);
    let story = Story::new()
        .order("1", "ann", "2026-03-01T09:00:00Z", &[CAMERA])
        .dispatched("1", "A", "2026-03-02T09:00:00Z", &[1]);
    assert_eq!(
        story.trace(&shop, "2026-03-12T00:00:00Z"),
        // Monday and four working days is Friday; two days on, Sunday at ten.
        ["2026-03-08T09:00 ann education/basics accepted"]
    );
}

#[test]
fn other_goods_start_nothing() {
    let shop = catalog(POLICY, &[EDUCATION]);
    let story = Story::new()
        .order("1", "ann", "2026-03-01T09:00:00Z", &[LENS])
        .delivered("1", "A", "2026-03-04T15:00:00Z", &[1]);
    assert!(story.trace(&shop, "2026-06-01T00:00:00Z").is_empty());
}
