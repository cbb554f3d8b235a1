//! The mailbox, health, metrics, and what is not there.

use super::*;
use aftercare::mail::Capture;

const MAIL: &str = "From: Aya <aya@shop.example.com>\r\nTo: Kim <kim@example.org>\r\n\
    Subject: Your parcel <b>left</b>\r\nDate: Tue, 10 Mar 2026 09:00:00 +0000\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/alternative; boundary=b7\r\n\r\n\
    --b7\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nIt left us.\r\n\
    --b7\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\
    <html><head><title>x</title></head><body><script>alert(1)</script><p>It left us.</p></body></html>\r\n\
    --b7--\r\n";

fn keep(capture: &Capture) {
    std::fs::write(capture.folder().join("20260310-one.eml"), MAIL).unwrap();
}

#[tokio::test]
async fn captured_mails_are_listed_shown_and_handed_out() {
    let doors = Doors::unsigned().await;
    let empty = doors.get("/mailbox").await;
    assert!(empty.body.contains("No mails yet"), "{}", empty.body);
    keep(&doors.engine.mailbox().unwrap());

    let list = doors.get("/mailbox").await;
    assert_eq!(list.status, StatusCode::OK);
    assert!(
        list.body.contains("Your parcel &lt;b&gt;left"),
        "{}",
        list.body
    );
    assert!(list.body.contains("mailbox/20260310-one"), "{}", list.body);

    let mail = doors.get("/mailbox/20260310-one").await;
    assert!(mail.body.contains("It left us."), "{}", mail.body);
    assert!(mail.body.contains("sandbox="), "{}", mail.body);
    assert!(!mail.body.contains("<script"), "{}", mail.body);

    let html = doors.get("/mailbox/20260310-one/html").await;
    let policy = html.header("content-security-policy");
    assert!(policy.starts_with("sandbox "), "{policy}");
    assert!(
        !policy.contains("allow-scripts") && !policy.contains("allow-same-origin"),
        "{policy}"
    );
    assert!(
        html.body.contains("<base target=\"_blank\">"),
        "{}",
        html.body
    );

    let file = doors.get("/mailbox/20260310-one/eml").await;
    assert_eq!(file.body, MAIL);
    assert_eq!(file.header("content-type"), "message/rfc822");
    assert!(
        file.header("content-disposition")
            .contains("20260310-one.eml")
    );
}

#[tokio::test]
async fn no_path_leads_out_of_the_folder() {
    let doors = Doors::unsigned().await;
    keep(&doors.engine.mailbox().unwrap());
    for id in [
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e",
        "20260310-one.eml",
        "two",
        "%00",
        "%ff",
    ] {
        for tail in ["", "/html", "/eml"] {
            let answer = doors.get(&format!("/mailbox/{id}{tail}")).await;
            assert!(
                answer.status.is_client_error(),
                "{id}{tail}: {}",
                answer.status
            );
        }
    }
}

#[tokio::test]
async fn without_the_capture_transport_there_is_no_mailbox() {
    let (engine, _folder) = engine(false).await;
    let router = router(engine, Settings::default());
    for path in ["/", "/mailbox", "/mailbox/one", "/mailbox/one/html"] {
        let answer = router
            .clone()
            .oneshot(request(Method::GET, path, &[], ""))
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn the_service_tells_how_it_is() {
    aftercare::telemetry::start_metrics();
    let doors = Doors::unsigned().await;
    assert_eq!(doors.get("/healthz").await.body, "ok\n");
    let ready = doors.get("/readyz").await;
    assert_eq!(ready.status, StatusCode::OK, "{}", ready.body);
    assert!(
        ready.body.contains("\"database\":{\"state\":\"fine\"}"),
        "{}",
        ready.body
    );
    doors
        .post(
            "/events",
            &[("content-type", "application/cloudevents+json")],
            &order_placed("order/metrics/placed"),
        )
        .await;
    let metrics = doors.get("/metrics").await;
    assert_eq!(metrics.status, StatusCode::OK);
    for name in [
        "aftercare_events_accepted_total",
        "aftercare_stored{what=\"events\"}",
    ] {
        assert!(
            metrics.body.contains(name),
            "{name} is not in\n{}",
            metrics.body
        );
    }
}

#[tokio::test]
async fn every_door_takes_its_methods_and_no_others() {
    let doors = Doors::unsigned().await;
    let before = state(&doors.engine).await;
    let all = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
        Method::TRACE,
        Method::CONNECT,
    ];
    let read: &[Method] = &[Method::GET, Method::HEAD];
    for (path, methods) in [
        ("/events", &[Method::POST][..]),
        ("/healthz", read),
        ("/readyz", read),
        ("/metrics", read),
        ("/mailbox", read),
        ("/mailbox/one", read),
        ("/mailbox/one/html", read),
        ("/mailbox/one/eml", read),
        ("/", read),
    ] {
        for method in &all {
            let answer = doors.ask(request(method.clone(), path, &[], "")).await;
            let refused = answer.status == StatusCode::METHOD_NOT_ALLOWED;
            assert_eq!(
                refused,
                !methods.contains(method),
                "{method} {path}: {}",
                answer.status
            );
            for (name, value) in [
                ("x-content-type-options", "nosniff"),
                ("cache-control", "no-store"),
            ] {
                assert_eq!(answer.header(name), value, "{method} {path}");
            }
        }
    }
    for path in [
        "/nothing",
        "/u",
        "/u/",
        "/u/a/b",
        "/events/",
        "/hooks/shopify",
        "//",
        "/%2e%2e/",
    ] {
        let answer = doors.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(state(&doors.engine).await, before);
}
