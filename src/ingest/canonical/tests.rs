#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::ingest::fixtures;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-06-01T00:00:00Z")
}

fn live(value: &Value) -> Parsed {
    parse_structured(value.to_string().as_bytes(), now(), Limits::default()).unwrap()
}

fn sample(name: &str) -> Value {
    serde_json::from_slice(fixtures::delivery(name).body).unwrap()
}

#[test]
fn every_sample_delivery_is_read() {
    for delivery in fixtures::deliveries() {
        let content = delivery.header("content-type");
        let limits = Limits::default();
        let parsed = if content.contains("batch") {
            parse_batch(delivery.body, now(), limits)
        } else if content.contains("cloudevents") {
            parse_structured(delivery.body, now(), limits)
        } else {
            parse_binary(&delivery.attributes(), delivery.body, now(), limits)
        };
        let parsed = parsed.unwrap();
        assert!(
            parsed.poison.is_empty(),
            "{}: {:?}",
            delivery.name,
            parsed.poison
        );
        assert!(!parsed.events.is_empty(), "{}", delivery.name);
    }
}

#[test]
fn every_line_of_the_log_and_every_golden_mapping_is_read() {
    let lines = fixtures::HISTORY.lines();
    let mut read = 0;
    for line in lines {
        let parsed = parse_line(line.as_bytes(), Learnt::AsTold(now()), Limits::default());
        let parsed = parsed.unwrap();
        assert!(parsed.poison.is_empty(), "{:?}", parsed.poison);
        read += parsed.events.len();
    }
    assert_eq!(read, 308);
    for list in fixtures::GOLDEN.lines() {
        let parsed = parse_batch(list.as_bytes(), now(), Limits::default()).unwrap();
        assert!(parsed.poison.is_empty(), "{:?}", parsed.poison);
    }
    assert_eq!(fixtures::GOLDEN.lines().count(), 60);
}

#[test]
fn binary_and_structured_mode_read_the_same_event() {
    let delivery = fixtures::delivery("binary_mode.shipment.delivered");
    let binary = parse_binary(
        &delivery.attributes(),
        delivery.body,
        now(),
        Limits::default(),
    );
    let structured = live(&sample("shipment.delivered"));
    assert_eq!(binary.unwrap().events[0].body, structured.events[0].body);
}

#[test]
fn what_is_no_json_is_refused_whole() {
    let read = |body: &[u8]| parse_structured(body, now(), Limits::default());
    for body in [
        &b""[..],
        b"{",
        b"{} {}",
        b"{\"id\": 1, \"id\": 2}",
        b"{\"data\": {\"a\": {\"b\": 1, \"b\": 1}}}",
        b"\xff\xfe",
        b"nonsense",
    ] {
        let refused = read(body);
        assert!(
            matches!(refused, Err(Malformed::Json(BadJson::Syntax(_)))),
            "{body:?}"
        );
    }
    let deep = [b"[".repeat(MAX_DEPTH + 1), b"]".repeat(MAX_DEPTH + 1)].concat();
    assert_eq!(read(&deep), Err(BadJson::Deep(MAX_DEPTH).into()));
    let abyss = b"[".repeat(1_000_000);
    assert_eq!(read(&abyss), Err(BadJson::Deep(MAX_DEPTH).into()));
    // Brackets in texts are no nesting.
    let text = format!("{{\"id\": \"{}\"}}", "[{\\\"".repeat(100));
    assert_eq!(read(text.as_bytes()).unwrap().poison.len(), 1);
    assert_eq!(
        parse_batch(b"{}", now(), Limits::default()),
        Err(Malformed::NoList)
    );
}

/// Puts a value at a path like `data.order.total`.
fn with(name: &str, path: &str, value: Option<Value>) -> Value {
    let mut event = sample(name);
    let mut parts: Vec<&str> = path.split('.').collect();
    let last = parts.pop().unwrap();
    let mut at = &mut event;
    for part in parts {
        at = match part.parse::<usize>() {
            Ok(place) => &mut at[place],
            Err(_) => &mut at[part],
        };
    }
    let map = at.as_object_mut().unwrap();
    match value {
        Some(value) => map.insert(last.to_owned(), value),
        None => map.shift_remove(last),
    };
    event
}

#[test]
fn what_is_no_event_we_know_is_poison_with_a_reason_and_a_place() {
    use serde_json::json;
    let long = "x".repeat(MAX_NAME + 1);
    let cases: Vec<(&str, &str, Option<Value>, &str, &str)> = vec![
        (
            "order.placed",
            "specversion",
            Some(json!("0.3")),
            "not_cloudevents",
            "specversion",
        ),
        ("order.placed", "id", None, "missing", "id is missing"),
        (
            "order.placed",
            "id",
            Some(json!("")),
            "missing",
            "id is empty",
        ),
        ("order.placed", "id", Some(json!(long)), "too_long", "id"),
        (
            "order.placed",
            "source",
            Some(json!(7)),
            "wrong_type",
            "source",
        ),
        (
            "order.placed",
            "source",
            Some(json!("a\nb")),
            "wrong_type",
            "control",
        ),
        (
            "order.placed",
            "type",
            Some(json!("order.eaten")),
            "unknown_type",
            "order.eaten",
        ),
        (
            "order.placed",
            "Odd-Name",
            Some(json!(1)),
            "unknown_attribute",
            "Odd-Name",
        ),
        (
            "order.placed",
            "time",
            Some(json!("yesterday")),
            "bad_time",
            "time",
        ),
        (
            "order.placed",
            "time",
            Some(json!("2026-03-01")),
            "bad_time",
            "time",
        ),
        ("order.placed", "data", None, "missing", "data is missing"),
        (
            "order.placed",
            "data",
            Some(json!([])),
            "wrong_type",
            "data",
        ),
        ("order.placed", "data.order", None, "missing", "data.order"),
        (
            "order.placed",
            "data.customer",
            Some(Value::Null),
            "missing",
            "data.customer",
        ),
        (
            "order.placed",
            "data.order.total",
            None,
            "missing",
            "data.order.total",
        ),
        (
            "order.placed",
            "data.order.total.amount",
            Some(json!(1.5)),
            "wrong_type",
            "fraction",
        ),
        (
            "order.placed",
            "data.order.total.amount",
            Some(json!(u64::MAX)),
            "wrong_type",
            "amount",
        ),
        (
            "order.placed",
            "data.order.total.currency",
            Some(json!("eur")),
            "wrong_type",
            "currency",
        ),
        (
            "order.placed",
            "data.order.line_items",
            Some(json!({})),
            "wrong_type",
            "line_items",
        ),
        (
            "order.placed",
            "data.order.line_items.0.quantity",
            Some(json!(-1)),
            "out_of_range",
            "data.order.line_items[0].quantity",
        ),
        (
            "order.placed",
            "data.order.line_items.0.kind",
            Some(json!("x")),
            "wrong_type",
            "kind",
        ),
        (
            "order.placed",
            "data.customer.email",
            Some(json!("a@x.example\r\nRCPT TO:<b@y>")),
            "bad_address",
            "data.customer.email",
        ),
        (
            "shipment.delivered",
            "data.delivery",
            None,
            "missing",
            "data.delivery",
        ),
        (
            "shipment.delivered",
            "data.shipment.tracking",
            Some(json!("x")),
            "wrong_type",
            "tracking",
        ),
        (
            "refund.issued.partial",
            "data.refund.amount",
            None,
            "missing",
            "amount",
        ),
        (
            "review.received",
            "data.review.rating",
            Some(json!(6)),
            "out_of_range",
            "1 to 5",
        ),
        (
            "customer.merged",
            "data.absorbed",
            Some(json!([])),
            "missing",
            "data.absorbed",
        ),
        (
            "consent.changed.unsubscribed",
            "data.consent.state",
            Some(json!("maybe")),
            "wrong_type",
            "state",
        ),
        (
            "product.updated",
            "data.product.title",
            None,
            "missing",
            "title",
        ),
    ];
    for (name, path, value, reason, because) in cases {
        let parsed = live(&with(name, path, value));
        assert!(parsed.events.is_empty(), "{name} {path}");
        let poison = &parsed.poison[0];
        assert_eq!(poison.reason, reason, "{name} {path}: {}", poison.because);
        assert!(
            poison.because.contains(because),
            "{path}: {}",
            poison.because
        );
        assert!(
            !poison.because.contains("RCPT"),
            "nothing personal is repeated"
        );
        // Kept whole, so that it can be replayed.
        assert!(serde_json::from_str::<Value>(&poison.body).is_ok());
    }
    for odd in ["7", "null", "\"text\"", "[]"] {
        let parsed = parse_structured(odd.as_bytes(), now(), Limits::default()).unwrap();
        assert_eq!(parsed.poison[0].reason, "not_cloudevents");
    }
}

#[test]
fn a_batch_keeps_its_good_events_beside_the_bad() {
    let list = Value::Array(vec![
        sample("order.placed"),
        with("order.paid", "data.order", None),
        sample("order.updated"),
    ]);
    let parsed = parse_batch(list.to_string().as_bytes(), now(), Limits::default()).unwrap();
    assert_eq!((parsed.events.len(), parsed.poison.len()), (2, 1));
    assert_eq!(parsed.poison[0].kind.as_deref(), Some("order.paid"));
}

#[test]
fn what_may_be_null_may_be_absent() {
    for (name, path) in [
        ("order.placed", "data.customer.locale"),
        ("order.placed", "data.order.shop_total"),
        ("order.placed", "data.order.line_items.0.tags"),
        ("order.placed", "data.test"),
        ("shipment.dispatched", "data.shipment.direction"),
        ("order.cancelled", "data.cancel.cancelled_at"),
    ] {
        for value in [None, Some(Value::Null)] {
            let parsed = live(&with(name, path, value));
            assert_eq!(parsed.poison, [], "{path}");
        }
    }
}

#[test]
fn the_future_is_not_believed_and_live_intake_stamps_its_own_clock() {
    let dated = |time: Option<&str>| {
        let mut event = sample("order.placed");
        let map = event.as_object_mut().unwrap();
        map.insert("recordedtime".into(), Value::from("2020-01-01T00:00:00Z"));
        match time {
            Some(time) => map.insert("time".into(), Value::from(time)),
            None => map.shift_remove("time"),
        };
        event
    };
    let ahead = live(&dated(Some("2026-06-01T00:05:01Z"))).events.remove(0);
    assert!(ahead.misdated && ahead.time == now() && ahead.recorded == now());
    let nearly = live(&dated(Some("2026-06-01T00:05:00Z"))).events.remove(0);
    assert!(!nearly.misdated && nearly.time == at("2026-06-01T00:05:00Z"));
    let unknown = live(&dated(None)).events.remove(0);
    assert!(!unknown.misdated && unknown.time == now());
    let line = dated(Some("2019-12-31T23:59:59.123456789Z")).to_string();
    let told = parse_line(line.as_bytes(), Learnt::AsTold(now()), Limits::default());
    let told = told.unwrap().events.remove(0);
    assert_eq!(told.recorded, at("2020-01-01T00:00:00Z"));
    assert_eq!(told.time, at("2019-12-31T23:59:59.123Z"));
}
