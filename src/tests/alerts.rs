//! What an operator hears without asking: by mail and by webhook, once, whatever breaks in
//! between, and nothing of any customer.

#![expect(clippy::unwrap_used, reason = "tests")]

use crate::harness::Harness;
use crate::story::{CAMERA, POLICY, Story, catalog};
use aftercare::config::{Alerts, Secret};
use aftercare::engine::alerts::{BETWEEN_MAILS, standing};
use aftercare::engine::silence::Listener;
use aftercare::ingest::signature;
use aftercare::model::event::Event;
use aftercare::model::time::{Timestamp, saturating_add};
use aftercare::store::{Incoming, Poison};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const KEY: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn later(of: Timestamp, hours: i64) -> Timestamp {
    saturating_add(of, SignedDuration::from_hours(hours))
}

async fn harness(now: &str, alerts: Alerts) -> Harness {
    let live = crate::shop::with_mail(&catalog(POLICY, &[]), "a/b");
    let mut harness = Harness::new(live, at(now)).await;
    Arc::get_mut(&mut harness.engine).unwrap().config.alerts = alerts;
    harness
}

fn by_mail() -> Alerts {
    Alerts {
        mail: Some("ops@shop.example.com".into()),
        ..Alerts::default()
    }
}

/// Products, every two hours of five weeks: enough to know a rhythm.
fn rhythm(from: Timestamp, hours: i64) -> Vec<Incoming> {
    (0..hours / 2)
        .map(|nth| {
            let time = later(from, nth * 2).to_string();
            let id = format!("P-{nth}-{}", from.as_second());
            let story = Story::new().product(&id, &id, &time, &[]);
            let event = story.events.into_iter().next().unwrap();
            Incoming {
                event,
                transport: None,
            }
        })
        .collect()
}

fn mails(harness: &Harness) -> Vec<String> {
    let all = harness.memory.outbox();
    let text = |mail: &aftercare::mail::Composed| String::from_utf8(mail.eml()).unwrap();
    all.iter().map(text).collect()
}

#[tokio::test]
async fn a_silence_is_told_once_and_so_is_its_end() {
    let start = at("2026-03-01T00:00:00Z");
    let harness = harness("2026-03-01T00:00:00Z", by_mail()).await;
    let engine = &harness.engine;
    let weeks = 24 * 7 * 5;
    engine.clock.set(later(start, weeks));
    let batch = rhythm(start, weeks);
    engine
        .store
        .accept(batch, vec![], engine.now())
        .await
        .unwrap();
    let look = async |listener: &mut Listener| {
        engine.look_for_silence(listener).await.unwrap();
        engine.look_for_alerts().await.unwrap();
        engine.tell_alerts().await.unwrap();
    };
    let mut listener = Listener::default();
    look(&mut listener).await;
    assert!(mails(&harness).is_empty());

    engine.clock.set(later(start, weeks + 72));
    look(&mut listener).await;
    look(&mut listener).await;
    // A restart: nothing is known but what the database has.
    look(&mut Listener::default()).await;
    let told = mails(&harness);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("To: ops@shop.example.com"), "{}", told[0]);
    assert!(
        told[0].contains("Subject: [aftercare] Test shop: /shop/test has fallen silent"),
        "{}",
        told[0]
    );
    assert!(
        told[0].contains("List-Id: <operator-alerts.shop.example.com>"),
        "{}",
        told[0]
    );
    assert!(
        told[0].contains("Auto-Submitted: auto-generated"),
        "{}",
        told[0]
    );
    assert_eq!(standing(&engine.store).await.unwrap().silent.len(), 1);
    // Of the ledger it is no part.
    assert!(harness.ledger().await.is_empty());

    // It speaks again.
    let again = rhythm(later(start, weeks + 73), 4);
    engine
        .store
        .accept(again, vec![], engine.now())
        .await
        .unwrap();
    engine.clock.set(later(start, weeks + 78));
    look(&mut listener).await;
    look(&mut Listener::default()).await;
    let told = mails(&harness);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[1].contains("is heard again"), "{}", told[1]);
    assert!(standing(&engine.store).await.unwrap().silent.is_empty());
}

fn poison(nth: i64) -> Poison {
    Poison {
        source: Some("/broken".into()),
        id: None,
        kind: None,
        body: format!("{{\"to\": \"ann@example.com\", \"nth\": {nth}}}"),
        reason: "json".into(),
        because: "broken".into(),
        recorded: at("2026-03-01T00:00:00Z"),
        transport: None,
    }
}

fn asks(who: &str, time: &str) -> Event {
    let data = json!({
        "customer_ref": {"customer_id": null, "email": format!("{who}@example.com")},
        "request": {"request_id": who, "orders": [], "due_at": null},
    });
    let story = Story::new().event("privacy.data_requested", who, time, time, data);
    story.events.into_iter().next().unwrap()
}

#[tokio::test]
async fn what_comes_together_goes_in_one_mail_that_names_nobody() {
    let now = "2026-03-02T09:00:00Z";
    let harness = harness(now, by_mail()).await;
    let engine = &harness.engine;
    let order = Story::new().order("1", "ann", now, &[CAMERA]);
    harness.arrive(order.events[0].clone()).await;
    let nine = (0..9).map(poison).collect();
    engine.store.accept(vec![], nine, at(now)).await.unwrap();
    engine.look_for_alerts().await.unwrap();
    engine.tell_alerts().await.unwrap();
    assert!(mails(&harness).is_empty(), "nine are too few");
    engine
        .store
        .accept(vec![], vec![poison(9)], at(now))
        .await
        .unwrap();
    harness.arrive(asks("ann", now)).await;
    harness.accept(asks("bob", now)).await;
    for _ in 0..2 {
        engine.look_for_alerts().await.unwrap();
        engine.tell_alerts().await.unwrap();
    }
    let told = mails(&harness);
    assert_eq!(told.len(), 1, "{told:?}");
    let text = told[0].replace("=\r\n", "");
    assert!(text.contains("2 alerts"), "{text}");
    assert!(
        text.contains("10 more deliveries could not be used"),
        "{text}"
    );
    assert!(
        text.contains("2 customers ask") && text.contains("2026-04-01"),
        "{text}"
    );
    assert!(text.contains("aftercare export-person"), "{text}");
    assert!(!text.contains("ann@") && !text.contains("bob"), "{text}");
    // The next waits for its turn.
    harness.accept(asks("eve", now)).await;
    engine.look_for_alerts().await.unwrap();
    engine.tell_alerts().await.unwrap();
    assert_eq!(mails(&harness).len(), 1);
    engine.clock.set(saturating_add(at(now), BETWEEN_MAILS));
    engine.tell_alerts().await.unwrap();
    assert_eq!(mails(&harness).len(), 2);
    // A copy of the database tells nobody.
    engine.observe();
    harness.accept(asks("kim", now)).await;
    engine.clock.set(later(at(now), 24));
    engine.look_for_alerts().await.unwrap();
    engine.tell_alerts().await.unwrap();
    assert_eq!(mails(&harness).len(), 2);
}

/// Answers with each status in turn, and keeps what was asked.
async fn server(statuses: &'static [u16]) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    tokio::spawn(async move {
        for status in statuses {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let mut text = Vec::new();
            let mut chunk = [0_u8; 4096];
            loop {
                let read = tcp.read(&mut chunk).await.unwrap();
                text.extend_from_slice(&chunk[..read]);
                let whole = String::from_utf8_lossy(&text);
                let Some((head, body)) = whole.split_once("\r\n\r\n") else {
                    continue;
                };
                let length = head.lines().find_map(|line| {
                    line.to_lowercase()
                        .strip_prefix("content-length: ")
                        .map(str::to_owned)
                });
                if length.is_some_and(|length| body.len() >= length.trim().parse().unwrap()) {
                    break;
                }
            }
            heard.lock().unwrap().push(String::from_utf8(text).unwrap());
            let answer =
                format!("HTTP/1.1 {status} OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            tcp.write_all(answer.as_bytes()).await.unwrap();
            tcp.shutdown().await.unwrap();
        }
    });
    (format!("http://{address}/hook?shop=1"), asked)
}

#[tokio::test]
async fn a_webhook_is_signed_and_tried_until_it_is_taken() {
    let (url, asked) = server(&[503, 204]).await;
    let alerts = Alerts {
        webhook: Some(url),
        webhook_secret: Some(Secret::new(KEY)),
        ..Alerts::default()
    };
    let now = "2026-03-02T09:00:00Z";
    let harness = harness(now, alerts).await;
    let engine = &harness.engine;
    harness.accept(asks("bob", now)).await;
    engine.look_for_alerts().await.unwrap();
    engine.tell_alerts().await.unwrap();
    // Not at once again.
    engine.tell_alerts().await.unwrap();
    assert_eq!(asked.lock().unwrap().len(), 1);
    engine.clock.set(later(at(now), 1));
    engine.tell_alerts().await.unwrap();
    engine.clock.set(later(at(now), 24));
    engine.tell_alerts().await.unwrap();
    assert!(standing(&engine.store).await.unwrap().waiting.is_empty());
    let asked = asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 2);
    let mut ids = Vec::new();
    for one in &asked {
        assert!(one.starts_with("POST /hook?shop=1 "), "{one}");
        let (head, body) = one.split_once("\r\n\r\n").unwrap();
        let header = |name: &str| {
            let line = head
                .lines()
                .find(|line| line.to_lowercase().starts_with(name));
            line.unwrap().split_once(": ").unwrap().1.to_owned()
        };
        let (id, stamp) = (header("webhook-id:"), header("webhook-timestamp:"));
        signature::verify(
            &[signature::Secret::parse(KEY).unwrap()],
            &id,
            &stamp,
            &header("webhook-signature:"),
            body.as_bytes(),
            Timestamp::from_second(stamp.parse().unwrap()).unwrap(),
            Duration::from_secs(1),
        )
        .unwrap();
        ids.push(id);
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["type"], "data.requested");
        assert_eq!(body["timestamp"], "2026-03-02T09:00:00Z");
        assert_eq!(body["data"]["requests"], 1);
        assert_eq!(body["data"]["due"], "2026-04-01T09:00:00Z");
        assert!(!body.to_string().contains("bob"));
    }
    assert_eq!(ids[0], ids[1], "whoever gets it twice can tell");
}

#[test]
fn where_alerts_go_is_checked_with_the_rest_of_the_configuration() {
    let read = |text: &str, variables: &[(&str, &str)]| {
        let open = |_: &Path| Err("no such file".to_owned());
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let file = Some(("config/aftercare.toml", text));
        let (config, problems) = aftercare::config::read(Path::new("."), file, variables, open);
        let codes: Vec<&str> = problems.iter().map(|one| one.code).collect();
        (config, codes.join(" "))
    };
    let hook = "[alerts]\nwebhook = \"https://hooks.example.com/a\"\n";
    assert_eq!(read(hook, &[]).1, "E102");
    let secret = [("AFTERCARE_ALERTS__WEBHOOK_SECRET", KEY)];
    let (config, codes) = read(hook, &secret);
    assert_eq!(codes, "");
    let alerts = config.unwrap().alerts;
    assert_eq!(alerts.quarantine, 10);
    assert!(
        aftercare::engine::alerts::Hook::of(&alerts)
            .unwrap()
            .is_some()
    );
    assert!(!format!("{alerts:?}").contains("MDEy"), "{alerts:?}");
    let clear = "[alerts]\nwebhook = \"http://hooks.example.com/a\"\n";
    assert_eq!(read(clear, &secret).1, "E186");
    assert_eq!(
        read("[alerts]\nmail = \"nobody\"\nquarantine = 0\n", &[]).1,
        "E186 E186"
    );
    let told = format!("{hook}webhook_secret = \"{KEY}\"\n");
    assert_eq!(read(&told, &[]).1, "E180");
}
