//! What kinds of orders there are, and what each starts: several of one thing, gifts,
//! later deliveries of a subscription, products whose stock the shop's system tells.

use super::series::{EDUCATION, REVIEW};
use crate::story::{CAMERA, Line, POLICY, Story, TRIPOD, catalog};
use serde_json::{Value, json};

const PAIR: Line = Line("AUR-D80-BODY", "P-AUR-D80", &["camera", "dslr"], 2);

fn bought(line: Line, order: Value) -> Story {
    let items = json!([{"line_id": "1", "sku": null, "quantity": line.3}]);
    Story::new()
        .order_with("1", "ann", "2026-03-01T09:00:00Z", &[line], order, json!({}))
        .event(
            "shipment.delivered",
            "shipment/A/delivered",
            "2026-03-04T15:00:00Z",
            "2026-03-04T15:00:00Z",
            json!({
                "order_ref": {"order_id": "1", "order_number": null},
                "shipment": {"shipment_id": "A", "direction": "outbound", "tracking": [], "items": items},
                "delivery": {"delivered_at": "2026-03-04T15:00:00Z", "precision": "second",
                             "basis": "carrier", "reported_by": "test"},
            }),
        )
}

#[test]
fn two_of_one_thing_are_one_course_that_ends_with_the_last_of_them() {
    let shop = catalog(POLICY, &[EDUCATION, REVIEW]);
    let both = bought(PAIR, json!({}));
    let all = both.trace(&shop, "2026-05-01T00:00:00Z");
    assert_eq!(all.len(), 4, "{all:?}");
    let one_back = both.clone().refunded("1", "2026-03-08T09:00:00Z", &[1]);
    assert_eq!(
        one_back.trace(&shop, "2026-05-01T00:00:00Z"),
        all,
        "one is kept"
    );
    let none = one_back.refunded("1", "2026-03-09T09:00:00Z", &[1]);
    assert_eq!(
        none.trace(&shop, "2026-05-01T00:00:00Z"),
        ["2026-03-06T09:00 ann education/basics accepted"],
        "none is kept"
    );
}

#[test]
fn half_a_delivery_starts_nothing() {
    let shop = catalog(POLICY, &[EDUCATION]);
    let story = Story::new()
        .order("1", "ann", "2026-03-01T09:00:00Z", &[PAIR])
        .delivered("1", "A", "2026-03-04T15:00:00Z", &[1]);
    assert!(story.trace(&shop, "2026-05-01T00:00:00Z").is_empty());
    let whole = story.delivered("1", "B", "2026-03-06T15:00:00Z", &[1]);
    assert_eq!(
        whole.trace(&shop, "2026-03-10T00:00:00Z"),
        ["2026-03-08T09:00 ann education/basics accepted"]
    );
}

#[test]
fn a_condition_that_names_gifts_takes_them_in() {
    let gifts = EDUCATION.replace(
        "where = 'item.family == \"dslr\"'",
        "where = 'item.family == \"dslr\" && order.gift'",
    );
    let shop = catalog(POLICY, &[&gifts]);
    let gift = bought(CAMERA, json!({"gift": true}));
    assert!(!gift.trace(&shop, "2026-05-01T00:00:00Z").is_empty());
    let own = bought(CAMERA, json!({}));
    assert!(own.trace(&shop, "2026-05-01T00:00:00Z").is_empty());
}

#[test]
fn the_first_delivery_of_a_subscription_is_helped_and_asked_about_the_second_is_not() {
    let asking = REVIEW.replace(
        "on = \"step.sent\"\nof = \"education/manual\"",
        "on = \"item.delivered\"",
    );
    let shop = catalog(POLICY, &[EDUCATION, &asking]);
    let told = |sequence: i64| {
        bought(
            CAMERA,
            json!({"subscription": {"id": "S", "sequence": sequence}}),
        )
        .trace(&shop, "2026-05-01T00:00:00Z")
        .len()
    };
    assert_eq!(told(1), 4);
    assert_eq!(told(2), 0);
}

#[test]
fn what_the_shops_system_says_of_stock_wins_over_the_feed() {
    let stocked = EDUCATION.replace(
        "unless = 'owns(\"tripod\")'",
        "unless = 'owns(\"tripod\") || !in_stock(\"TRP-TRAIL-CF\")'",
    );
    let shop = catalog(POLICY, &[&stocked]);
    let story = bought(CAMERA, json!({}));
    let last = |story: &Story| story.trace(&shop, "2026-05-01T00:00:00Z").pop();
    assert_eq!(
        last(&story).as_deref(),
        Some("2026-03-24T09:00 ann education/tripod accepted")
    );
    let out = story.event(
        "product.updated",
        "product/P-TRP@1",
        "2026-03-20T09:00:00Z",
        "2026-03-20T09:00:00Z",
        json!({"product": {"product_id": "P-TRP", "title": "Tripod",
            "variants": [{"variant_id": "V-TRP", "sku": TRIPOD.0, "available": false, "inventory_quantity": 0}]}}),
    );
    assert_eq!(
        last(&out).as_deref(),
        Some("2026-03-24T09:00 ann education/tripod skipped unless")
    );
}
