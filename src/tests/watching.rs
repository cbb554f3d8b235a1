//! What operators watch: `events tail`, `doctor events`, and that a source which falls
//! silent is told once.

use crate::cli::{Install, objects, order_placed, told};
use crate::harness::Harness;
use crate::story::{COFFEE, POLICY, Story, catalog};
use aftercare::engine::silence::Listener;
use aftercare::model::time::Timestamp;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

fn numbered(number: usize) -> Value {
    let mut event = order_placed();
    event["id"] = json!(format!("order/{number}/placed"));
    event["data"]["order"]["order_id"] = json!(number.to_string());
    event
}

#[test]
fn the_tail_shows_what_came_with_whoever_it_is_about_covered() {
    let install = Install::new();
    for number in 1..=3 {
        assert_eq!(install.feed("ingest -", &numbered(number).to_string()).0, 0);
    }
    let rows = install.rows("events tail -n 2 --json");
    let ids: Vec<&Value> = rows.iter().map(|row| &row["id"]).collect();
    assert_eq!(ids, ["order/2/placed", "order/3/placed"]);
    assert_eq!(rows[0]["data"]["customer"]["email"], "***@***.com");
    assert_eq!(rows[0]["data"]["customer"]["name"], "***");
    assert!(
        install
            .rows("events tail --json --kind refund.issued")
            .is_empty()
    );
    assert!(
        install
            .rows("events tail --json --source /nobody")
            .is_empty()
    );
    let (code, text) = install.run("events tail --kind order.plced");
    assert_eq!(code, 2);
    assert!(text.contains("did you mean order.placed?"), "{text}");

    let mut following = install
        .command("events tail -n 1 --json --follow")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut next = || objects(&lines.next().unwrap().unwrap())[0]["id"].clone();
    assert_eq!(next(), "order/3/placed");
    assert_eq!(install.feed("ingest -", &numbered(4).to_string()).0, 0);
    assert_eq!(next(), "order/4/placed");
    following.kill().unwrap();
    following.wait().unwrap();
}

#[test]
fn doctor_says_who_is_silent_and_what_the_files_miss() {
    let install = Install::new();
    // One order every second day, for four weeks.
    for number in 1..=14 {
        let line = format!("ingest - --at 2026-03-{:02}T10:00:00Z", 2 * number);
        assert_eq!(install.feed(&line, &numbered(number).to_string()).0, 0);
    }
    let doctor = |now: &str| {
        let mut command = install.command("doctor events --json");
        objects(&told(&command.env("AFTERCARE_CLOCK__START", now).output().unwrap()).1)
    };
    let state = |rows: &[Value], check: &str, words: &str| -> String {
        let found = rows
            .iter()
            .find(|row| row["check"] == check && row["message"].as_str().unwrap().contains(words));
        found.unwrap_or_else(|| panic!("{check} {words} in {rows:?}"))["state"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let soon = doctor("2026-03-30T00:00:00Z");
    assert_eq!(state(&soon, "source", "order.placed: about"), "fine");
    assert_eq!(state(&soon, "needed", "no shipment.delivered in"), "bad");
    assert_eq!(state(&soon, "needed", "aftership: Tracking"), "bad");
    assert_eq!(state(&soon, "needed", "no ticket.opened in"), "note");
    let later = doctor("2026-05-20T00:00:00Z");
    assert_eq!(
        state(&later, "source", "order.placed: silent since 2026-03-28"),
        "bad"
    );
}

#[tokio::test]
async fn doctor_says_what_waits_in_the_journal() {
    use aftercare::journal::{Bounds, Journal};
    let install = Install::new();
    let line = "ingest - --at 2026-03-02T10:00:00Z";
    assert_eq!(install.feed(line, &numbered(1).to_string()).0, 0);
    let told = || {
        let (_, text) = install.run("doctor events --json");
        let rows = objects(&text).into_iter();
        rows.filter(|row| row["check"] == "journal")
            .map(|row| format!("{}: {}", row["state"], row["message"]))
            .collect::<Vec<String>>()
    };
    assert_eq!(told(), Vec::<String>::new());
    let folder = install.data.path().join("spill");
    let journal = Journal::open(&folder, Bounds::default()).unwrap();
    for n in 0..3 {
        journal.append(n, b"a delivery").await.unwrap();
    }
    let found = told();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains("note") && found[0].contains("3 deliveries"),
        "{found:?}"
    );
    std::fs::write(folder.join("1.damaged"), "").unwrap();
    let found = told();
    assert!(found[0].contains("bad"), "{found:?}");
}

#[tokio::test]
async fn a_silence_is_told_once_and_ends_with_the_next_event() {
    let ts = |text: &str| text.parse::<Timestamp>().unwrap();
    let live = crate::shop::with_mail(&catalog(POLICY, &[]), "");
    let harness = Harness::new(live, ts("2026-03-01T09:00:00Z")).await;
    let mut story = Story::new();
    for day in 1..=28 {
        let at = format!("2026-03-{day:02}T09:00:00Z");
        story = story.order(&day.to_string(), "ann", &at, &[COFFEE]);
    }
    let last = Story::new().order("99", "ann", "2026-05-01T09:00:00Z", &[COFFEE]);
    for event in story.events {
        harness.arrive(event).await;
    }
    let mut listener = Listener::default();
    let silent = async |listener: &mut Listener| -> Vec<(String, String)> {
        harness.engine.look_for_silence(listener).await.unwrap();
        let text = harness.engine.store.meta("silent_sources").await.unwrap();
        text.map(|text| serde_json::from_str(&text).unwrap())
            .unwrap_or_default()
    };
    assert!(silent(&mut listener).await.is_empty());
    harness.run_to(ts("2026-04-30T00:00:00Z")).await;
    let told = silent(&mut listener).await;
    assert!(
        told.iter().any(|(_, kind)| kind == "order.placed"),
        "{told:?}"
    );
    // A restart remembers it.
    assert_eq!(silent(&mut Listener::default()).await, told);
    for event in last.events {
        harness.arrive(event).await;
    }
    let after = silent(&mut listener).await;
    assert!(
        !after.iter().any(|(_, kind)| kind == "order.placed"),
        "{after:?}"
    );
}
