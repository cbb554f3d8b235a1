//! `POST /events`.

use super::*;
use aftercare::web::{MAX_BODY, MAX_DEPTH};
use futures_util::stream;
use std::convert::Infallible;

const STRUCTURED: (&str, &str) = ("content-type", "application/cloudevents+json");
const BATCH: (&str, &str) = ("content-type", "application/cloudevents-batch+json");
const JSON: (&str, &str) = ("content-type", "application/json; charset=UTF-8");

fn totals(accepted: u64, duplicate: u64, quarantined: u64) -> String {
    format!(r#"{{"accepted":{accepted},"duplicate":{duplicate},"quarantined":{quarantined}}}"#)
}

#[tokio::test]
async fn every_mode_is_taken_and_repetitions_are_counted() {
    let doors = Doors::unsigned().await;
    let one = order_placed("order/A/placed");
    let two = order_placed("order/B/placed");
    let both = format!("[{one},{two}]");
    let poison = format!(r#"[{one},{{"specversion":"1.0","type":"no.such"}}]"#);
    for (kind, body, expected) in [
        (STRUCTURED, &one, totals(1, 0, 0)),
        (STRUCTURED, &one, totals(0, 1, 0)),
        (BATCH, &both, totals(1, 1, 0)),
        (JSON, &two, totals(0, 1, 0)),
        (JSON, &both, totals(0, 2, 0)),
        (BATCH, &poison, totals(0, 1, 1)),
    ] {
        let answer = doors.post("/events", &[kind], body).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
        assert_eq!(answer.body, expected);
    }
    let binary = "binary_mode.shipment.delivered";
    let answer = doors.ask(recorded(binary, binary)).await;
    assert_eq!(answer.body, totals(1, 0, 0), "binary mode");
}

#[tokio::test]
async fn recorded_signatures_hold_and_broken_ones_do_not() {
    let doors = Doors::open(with(Intake {
        signature_window: ANY_TIME,
        ..signed()
    }))
    .await;
    let binary = "binary_mode.shipment.delivered";
    for (headers, body, status) in [
        ("order.placed", "order.placed", 202),
        ("order.placed.rotated_secret", "order.placed", 202),
        ("order.placed.bad_signature", "order.placed", 401),
        ("order.placed", "batch", 401),
        ("batch", "batch", 202),
        (binary, binary, 202),
    ] {
        let answer = doors.ask(recorded(headers, body)).await;
        assert_eq!(answer.status.as_u16(), status, "{headers}: {}", answer.body);
        assert!(
            status == 202 || !answer.body.contains("detail"),
            "a 401 explains nothing: {}",
            answer.body
        );
    }
}

#[tokio::test]
async fn signatures_count_for_their_secret_body_id_and_time_alone() {
    let old_and_new = Intake::signed(vec![secret(b"another-secret-of-24-byt"), secret(KEY)]);
    let body = order_placed("order/A/placed");
    let now = jiff::Timestamp::now().as_second();
    let good = signature(KEY, "m1", now, body.as_bytes());
    let at = now.to_string();
    let late = (now - 301).to_string();
    let early = (now + 310).to_string();
    let check = async |headers: &[(&str, &str)], body: &str, status: u16| {
        let doors = Doors::open(with(old_and_new.clone())).await;
        let mut all = vec![STRUCTURED];
        all.extend(headers);
        let answer = doors.post("/events", &all, body).await;
        assert_eq!(answer.status.as_u16(), status, "{headers:?}");
        if status == 401 {
            assert_eq!(
                state(&doors.engine).await,
                state(&engine(true).await.0).await
            );
        }
    };
    let (id, time, sign) = ("webhook-id", "webhook-timestamp", "webhook-signature");
    check(&[(id, "m1"), (time, &at), (sign, &good)], &body, 202).await;
    check(
        &[
            ("svix-id", "m1"),
            ("svix-timestamp", &at),
            ("svix-signature", &good),
        ],
        &body,
        202,
    )
    .await;
    check(&[], &body, 401).await;
    check(&[(id, "m1"), (time, &at)], &body, 401).await;
    check(&[(id, ""), (time, &at), (sign, &good)], &body, 401).await;
    check(&[(id, "m2"), (time, &at), (sign, &good)], &body, 401).await;
    check(&[(id, "m1"), (time, "soon"), (sign, &good)], &body, 401).await;
    check(&[(id, "m1"), (time, &at), (sign, "v1,")], &body, 401).await;
    check(&[(id, "m1"), (time, &at), (sign, &good)], "{}", 401).await;
    let twice = [
        (id, "m1"),
        (time, &at[..]),
        (sign, &good[..]),
        (sign, &good[..]),
    ];
    check(&twice, &body, 401).await;
    for (time_text, moment) in [(&late, now - 301), (&early, now + 310)] {
        let stale = signature(KEY, "m1", moment, body.as_bytes());
        check(&[(id, "m1"), (time, time_text), (sign, &stale)], &body, 401).await;
    }
    // The signature comes before the content: who is not known learns nothing about it.
    check(
        &[(id, "m1"), (time, &at), (sign, "v1,AAAA")],
        "no json",
        401,
    )
    .await;
    let nonsense = signature(KEY, "m1", now, b"no json");
    check(
        &[(id, "m1"), (time, &at), (sign, &nonsense)],
        "no json",
        400,
    )
    .await;
}

#[tokio::test]
async fn what_is_refused_is_not_stored_and_says_why() {
    let doors = Doors::unsigned().await;
    let before = state(&doors.engine).await;
    let event = order_placed("order/A/placed");
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_BODY));
    let deep = format!("{}{}", "[".repeat(MAX_DEPTH + 1), "]".repeat(MAX_DEPTH + 1));
    let very_deep = "[".repeat(500_000);
    for (headers, body, status) in [
        (vec![STRUCTURED], "", 400),
        (vec![STRUCTURED], "{", 400),
        (vec![BATCH], "{}", 400),
        (vec![STRUCTURED], "\u{0}", 400),
        (vec![BATCH], &deep, 400),
        (vec![BATCH], &very_deep, 400),
        (vec![STRUCTURED], &large, 413),
        (vec![], &event, 415),
        (vec![("content-type", "text/plain")], &event, 415),
        (vec![("content-type", "application/xml")], &event, 415),
        (
            vec![("content-type", "application/json; charset=utf-16")],
            &event,
            415,
        ),
        (
            vec![STRUCTURED, ("content-type", "text/plain")],
            &event,
            415,
        ),
        (vec![STRUCTURED, ("content-encoding", "gzip")], &event, 415),
        (vec![STRUCTURED, ("content-length", "99999999")], "{}", 413),
        (vec![JSON, ("ce-id", "a"), ("ce-id", "b")], &event, 400),
        (vec![JSON, ("ce-id", "%ff")], &event, 400),
    ] {
        let answer = doors.post("/events", &headers, body).await;
        assert_eq!(
            answer.status.as_u16(),
            status,
            "{headers:?}: {}",
            answer.body
        );
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert!(answer.body.contains("\"detail\""), "{}", answer.body);
        assert!(answer.body.len() < 500, "{}", answer.body);
    }
    assert_eq!(state(&doors.engine).await, before);
}

#[tokio::test]
async fn a_body_that_never_ends_is_cut_by_time_and_by_size() {
    let doors = Doors::unsigned().await;
    tokio::time::pause();
    let slow = Body::from_stream(stream::pending::<Result<&'static str, Infallible>>());
    let answer = doors
        .ask(request(Method::POST, "/events", &[STRUCTURED], slow))
        .await;
    assert_eq!(answer.status, StatusCode::REQUEST_TIMEOUT);
    assert_eq!(answer.header("connection"), "close");
    let endless = Body::from_stream(stream::repeat_with(|| {
        Ok::<_, Infallible>(" ".repeat(4096))
    }));
    let answer = doors
        .ask(request(Method::POST, "/events", &[STRUCTURED], endless))
        .await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.header("connection"), "close");
}

#[tokio::test]
async fn overload_is_told_before_anything_is_accepted() {
    let doors = Doors::open(Settings {
        in_flight: 0,
        ..with(Intake::unsigned())
    })
    .await;
    let before = state(&doors.engine).await;
    let answer = doors
        .post("/events", &[STRUCTURED], &order_placed("order/A/placed"))
        .await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.header("retry-after").parse::<u64>().is_ok());
    assert_eq!(state(&doors.engine).await, before);
}

#[tokio::test]
async fn a_place_is_given_back_after_every_outcome() {
    let doors = Doors::open(Settings {
        in_flight: 1,
        ..with(Intake::unsigned())
    })
    .await;
    for number in 0..3 {
        let event = order_placed(&format!("order/{number}/placed"));
        for (body, status) in [(event.as_str(), 202), ("{", 400), ("{}", 202)] {
            let answer = doors.post("/events", &[STRUCTURED], body).await;
            assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
        }
    }
}

#[tokio::test]
async fn without_configuration_there_is_no_such_door() {
    let doors = Doors::open(Settings::default()).await;
    let answer = doors.post("/events", &[STRUCTURED], "{}").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}
