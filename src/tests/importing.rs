//! `import` as somebody types it: forms, rejects, dry runs, who is enrolled, and that a
//! run that was killed is gone on with by running it again.

use crate::cli::{Install, objects, told};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;

/// The day after the sample log ends.
const AFTER: &str = "2026-05-03T00:00:00Z";

fn file(install: &Install, name: &str, text: &str) -> String {
    let path = install.data.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn history() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/tests/fixtures/events/history.ndjson")
}

/// Runs a command as of an instant.
fn at(install: &Install, now: &str, line: &str) -> (i32, String) {
    let mut command = install.command(line);
    told(&command.env("AFTERCARE_CLOCK__START", now).output().unwrap())
}

fn rows_at(install: &Install, now: &str, line: &str) -> Vec<Value> {
    let (code, text) = at(install, now, line);
    assert_eq!(code, 0, "{line}: {text}");
    objects(&text)
}

const SHOPIFY: &str = "Name,Email,Financial Status,Paid at,Fulfilled at,Currency,Total,Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,Lineitem fulfillment status,Id
#1,ann@example.com,paid,2026-01-02 10:00:00 +0100,2026-01-03 10:00:00 +0100,EUR,30.00,2026-01-02 10:00:00 +0100,1,\"Filter, paper\",10.00,F-1,fulfilled,9001
#1,ann@example.com,,,,,,2026-01-02 10:00:00 +0100,2,Cup,10.00,C-1,fulfilled,
#2,bob@example.com,paid,2026-01-05 10:00:00 +0100,,EUR,much,2026-01-05 10:00:00 +0100,1,Cup,10.00,C-1,,9002
#3,cem@example.com,pending,,,EUR,10.00,2026-01-06 10:00:00 +0100,1,Cup,10.00,C-1,,9003
";

#[test]
fn an_export_is_taken_in_once_and_what_cannot_be_used_is_kept_for_mending() {
    let install = Install::new();
    let path = file(&install, "orders.csv", SHOPIFY);
    let line = format!("import {path} --source /shopify/s.example.com --json");
    let (code, text) = install.run(&line);
    assert_eq!(code, 1, "{text}");
    let sums = |accepted, duplicate| json!({"accepted": accepted, "duplicate": duplicate, "quarantined": 0, "rejected": 1});
    assert_eq!(objects(&text)[0], sums(4, 0));
    assert_eq!(objects(&install.run(&line).1)[0], sums(0, 4), "again");
    assert!(install.rows("upcoming --json --days 400").is_empty());

    let rejected = std::fs::read_to_string(format!("{path}.rejected.csv")).unwrap();
    assert_eq!(rejected.lines().count(), 2, "{rejected}");
    assert!(rejected.starts_with("Name,Email,"), "{rejected}");
    let mended = file(&install, "mended.csv", &rejected.replace("much", "10.00"));
    let (code, text) = install.run(&format!(
        "import {mended} --source /shopify/s.example.com --json"
    ));
    assert_eq!(code, 0, "{text}");
    assert_eq!(objects(&text)[0]["accepted"], 2);
}

#[test]
fn whose_orders_they_are_has_to_be_said_and_rows_of_one_order_stand_together() {
    let install = Install::new();
    let path = file(&install, "orders.csv", SHOPIFY);
    let (code, text) = install.run(&format!("import {path}"));
    assert_eq!(code, 2);
    assert!(text.contains("--source /shopify/"), "{text}");

    let torn = format!("{SHOPIFY}#1,ann@example.com,,,,,,,1,Spoon,1.00,S-1,,\n");
    let torn = file(&install, "torn.csv", &torn);
    let run = install
        .command(&format!("import {torn} --source /s"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(
        said.contains("line 6: torn: order #1 stands on line 2"),
        "{said}"
    );

    let (code, text) = install.run(&format!(
        "import {} --source /s",
        file(&install, "x.csv", "a,b\n1,2\n")
    ));
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("--map FILE"), "{text}");
}

#[test]
fn a_dry_run_says_what_would_come_and_stores_nothing() {
    let install = Install::new();
    let line = format!("import {} --dry-run --json", history().display());
    let told = &rows_at(&install, AFTER, &line)[0];
    assert_eq!(told["orders"], 90);
    assert_eq!(told["may_enrol"], 0);
    assert_eq!(told["enrol"], json!({}));
    assert_eq!(told["events"]["order.placed"]["known"], 0);
    let left: Vec<_> = std::fs::read_dir(install.data.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");

    let line = format!("{line} --enrol-since 2026-04-01");
    let told = &rows_at(&install, AFTER, &line)[0];
    let sequences: BTreeSet<&String> = told["enrol"].as_object().unwrap().keys().collect();
    assert!(!sequences.is_empty());
    assert!(
        !sequences.contains(&"fulfilment".to_owned()),
        "{sequences:?}"
    );

    // What the database knows starts nothing.
    at(&install, AFTER, &format!("import {}", history().display()));
    let told = &rows_at(&install, AFTER, &line)[0];
    assert_eq!(told["events"]["order.placed"]["new"], 0);
    assert_eq!(told["enrol"], json!({}));
}

#[test]
fn who_is_enrolled_on_purpose_gets_what_is_ahead_and_nothing_that_is_past() {
    let install = Install::new();
    let line = format!("import {} --enrol-since 2026-04-01", history().display());
    assert_eq!(at(&install, AFTER, &line).0, 0);
    let upcoming = rows_at(&install, AFTER, "upcoming --json --days 200");
    assert!(!upcoming.is_empty());
    for mail in &upcoming {
        assert_ne!(mail["sequence"], "fulfilment", "{mail}");
        assert!(mail["due"].as_str().unwrap() >= AFTER, "{mail}");
    }
    let plain = Install::new();
    let line = format!("import {}", history().display());
    assert_eq!(at(&plain, AFTER, &line).0, 0);
    assert!(rows_at(&plain, AFTER, "upcoming --json --days 200").is_empty());
}

/// An event about an order of its own.
fn order(number: usize) -> String {
    json!({
        "specversion": "1.0", "id": format!("order/{number}/placed"), "source": "/test/shop",
        "type": "order.placed", "subject": format!("order/{number}"),
        "time": "2026-01-02T10:00:00Z",
        "data": {
            "order": {
                "order_id": number.to_string(), "version": "2026-01-02T10:00:00Z",
                "currency": "EUR", "total": {"amount": 1000, "currency": "EUR"},
                "payment_status": "paid", "fulfilment_status": "unknown",
                "tags": [], "discount_codes": [], "line_items": [],
            },
            "customer": {"email": format!("c{number}@example.com"), "tags": []},
        },
    })
    .to_string()
}

#[test]
fn a_run_that_was_killed_is_gone_on_with_by_running_it_again() {
    let install = Install::new();
    let mut text: String = (1..=3000).map(|number| order(number) + "\n").collect();
    text.push_str("nonsense\n");
    let (first, _) = text.split_at(text.len() / 2);
    let mut child = install
        .command("import -")
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // It is somewhere in the middle whenever it dies: the end never comes.
    let mut to = child.stdin.take().unwrap();
    to.write_all(first.as_bytes()).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    drop(to);

    let path = file(&install, "past.ndjson", &text);
    let line = format!("import {path} --json");
    let sums = &objects(&install.run(&line).1)[0];
    let both = sums["accepted"].as_u64().unwrap() + sums["duplicate"].as_u64().unwrap();
    assert_eq!((both, &sums["quarantined"]), (3000, &json!(1)), "{sums}");
    let again = &objects(&install.run(&line).1)[0];
    assert_eq!(again["duplicate"], 3000, "{again}");
    assert_eq!(install.rows("quarantine list --json").len(), 1, "kept once");
}
