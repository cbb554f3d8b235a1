//! Parcels: one mail each, gathered, overtaken, gone.

use crate::story::{CAMERA, POLICY, Story, TRIPOD, catalog};

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

fn placed() -> Story {
    Story::new().order("1", "ann", "2026-03-01T09:00:00Z", &[CAMERA, TRIPOD])
}

#[test]
fn each_parcel_is_told_of_and_those_that_leave_together_in_one_mail() {
    let shop = catalog(POLICY, &[ORDER]);
    let story = placed()
        .dispatched("1", "A", "2026-03-02T09:00:00Z", &[1])
        .dispatched("1", "B", "2026-03-02T09:10:00Z", &[2])
        .delivered("1", "A", "2026-03-04T09:00:00Z", &[1])
        .delivered("1", "B", "2026-03-05T09:00:00Z", &[2]);
    assert_eq!(
        story.trace(&shop, "2026-04-01T00:00:00Z"),
        [
            "2026-03-01T09:00 ann order/placed accepted",
            "2026-03-02T09:30 ann order/dispatched[A] accepted",
            "2026-03-02T09:30 ann order/dispatched[B] skipped gathered",
            "2026-03-04T09:00 ann order/delivered[A] accepted",
            "2026-03-05T09:00 ann order/delivered[B] accepted",
        ]
    );
}

#[test]
fn what_was_delivered_is_no_longer_told_to_be_on_its_way() {
    let shop = catalog(POLICY, &[ORDER]);
    let story = placed()
        .delivered("1", "A", "2026-03-04T09:00:00Z", &[1, 2])
        .event(
            "shipment.dispatched",
            "shipment/A/dispatched",
            "2026-03-02T09:00:00Z",
            "2026-03-04T10:00:00Z",
            serde_json::json!({
                "order_ref": {"order_id": "1", "order_number": null},
                "shipment": {"shipment_id": "A", "direction": "outbound",
                    "tracking": [{"carrier": "dhl", "number": "NRA"}],
                    "items": [{"line_id": "1", "sku": null, "quantity": 1}, {"line_id": "2", "sku": null, "quantity": 1}]},
            }),
        );
    let trace = story.trace(&shop, "2026-04-01T00:00:00Z");
    let told: Vec<&String> = trace.iter().filter(|line| line.contains("[A]")).collect();
    assert_eq!(told.len(), 2, "{trace:?}");
    assert!(
        told.iter()
            .any(|line| line.ends_with("order/delivered[A] accepted")),
        "{trace:?}"
    );
    assert!(
        told.iter()
            .any(|line| line.ends_with("order/dispatched[A] skipped overtaken")),
        "{trace:?}"
    );
}

#[test]
fn an_order_first_seen_as_cancelled_sends_nothing() {
    let shop = catalog(POLICY, &[ORDER]);
    let mut story = Story::new().cancelled("1", "2026-03-01T10:00:00Z").order(
        "1",
        "ann",
        "2026-03-01T09:00:00Z",
        &[CAMERA],
    );
    story.events[1].recorded = "2026-03-01T10:05:00Z".parse().expect("an instant");
    assert!(story.trace(&shop, "2026-04-01T00:00:00Z").is_empty());

    let story = Story::new()
        .order("1", "ann", "2026-03-01T09:00:00Z", &[CAMERA])
        .cancelled("1", "2026-03-01T10:00:00Z");
    assert_eq!(
        story.trace(&shop, "2026-04-01T00:00:00Z"),
        [
            "2026-03-01T09:00 ann order/placed accepted",
            "2026-03-01T10:00 ann order/cancelled accepted",
        ]
    );
}

#[test]
fn facts_that_arrive_before_their_order_wait_for_it() {
    let shop = catalog(POLICY, &[ORDER]);
    let mut story = Story::new()
        .dispatched("1", "A", "2026-03-02T09:00:00Z", &[1])
        .order("1", "ann", "2026-03-01T09:00:00Z", &[CAMERA]);
    story.events[1].recorded = "2026-03-02T10:00:00Z".parse().expect("an instant");
    assert_eq!(
        story.trace(&shop, "2026-04-01T00:00:00Z"),
        [
            "2026-03-02T10:00 ann order/placed accepted",
            "2026-03-02T10:00 ann order/dispatched[A] accepted",
        ]
    );
}
