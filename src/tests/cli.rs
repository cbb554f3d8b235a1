//! The commands as somebody types them: exit codes, field names, and that what they say
//! agrees with what they do. Each runs the real program against a database of its own.

#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const SEND: [&str; 19] = [
    "id",
    "message_id",
    "customer",
    "email",
    "order",
    "order_number",
    "sequence",
    "step",
    "occurrence",
    "kind",
    "mail",
    "locale",
    "state",
    "due",
    "zone",
    "at",
    "attempts",
    "reason",
    "because",
];

/// The repository's own shop, with a data folder of its own.
pub struct Install {
    pub data: TempDir,
    pub shop: PathBuf,
}

impl Install {
    pub fn new() -> Self {
        Install {
            data: tempfile::tempdir().unwrap(),
            shop: PathBuf::from(env!("CARGO_MANIFEST_DIR")),
        }
    }

    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aftercare"));
        command
            .args(line.split(' '))
            .arg("--shop")
            .arg(&self.shop)
            .env_clear()
            .env("AFTERCARE_DATA_DIR", self.data.path())
            .env(
                "AFTERCARE_DATABASE__URL",
                format!("sqlite:{}", self.data.path().join("a.db").display()),
            )
            .env("AFTERCARE_CLOCK__START", "2026-03-02T10:00:00Z")
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, line: &str) -> (i32, String) {
        told(&self.command(line).output().unwrap())
    }

    pub fn feed(&self, line: &str, events: &str) -> (i32, String) {
        let mut child = self
            .command(line)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(events.as_bytes())
            .unwrap();
        told(&child.wait_with_output().unwrap())
    }

    pub fn rows(&self, line: &str) -> Vec<Value> {
        let (code, text) = self.run(line);
        assert_eq!(code, 0, "{line}: {text}");
        objects(&text)
    }
}

pub fn told(output: &Output) -> (i32, String) {
    let text = if output.stdout.is_empty() {
        &output.stderr
    } else {
        &output.stdout
    };
    (
        output.status.code().unwrap(),
        String::from_utf8_lossy(text).into_owned(),
    )
}

pub fn objects(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn fields(row: &Value) -> Vec<&str> {
    row.as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

/// An order for one camera, placed and paid.
pub fn order_placed() -> Value {
    let price = json!({"amount": 94900, "currency": "EUR"});
    json!({
        "specversion": "1.0", "id": "order/17/placed", "source": "/test", "type": "order.placed",
        "subject": "order/17", "time": "2026-03-02T09:59:00Z", "recordedtime": "2026-03-02T09:59:30Z",
        "data": {
            "test": false,
            "order": {
                "order_id": "17", "order_number": "#17", "version": "2026-03-02T09:59:00Z",
                "placed_at": "2026-03-02T09:59:00Z", "currency": "EUR", "total": price,
                "payment_status": "paid", "ship_to": {"country": "DE"},
                "line_items": [{
                    "line_id": "1", "product_id": "P-AUR-D80", "sku": "AUR-D80-BODY",
                    "title": "Aurora D80", "quantity": 1, "current_quantity": 1,
                    "unit_price": price, "total": price, "kind": "physical",
                    "tags": ["dslr"], "categories": [], "catalog_resolved": true,
                }],
            },
            "customer": {
                "customer_id": "7", "account": "registered", "email": "ann@example.com",
                "name": "Ann", "locale": "de-DE", "time_zone": null, "country": "DE",
                "marketing_consent": {
                    "channel": "email", "state": "subscribed", "basis": "explicit",
                    "source": "checkout", "updated_at": "2026-03-02T09:59:00Z",
                },
            },
        },
    })
}

#[test]
fn wrong_use_missing_data_and_strangers_have_codes_of_their_own() {
    let install = Install::new();
    assert_eq!(install.run("upcoming").0, 3, "there is no database yet");
    assert_eq!(install.run("sends --state nowhere").0, 2);
    assert_eq!(install.run("preview no/such-mail").0, 2);
    let (code, words) = install
        .command("check")
        .args(["--shop", "/nowhere"])
        .output()
        .map(|output| told(&output))
        .unwrap();
    assert_eq!(code, 2, "{words}");
    assert_eq!(install.feed("ingest -", "").0, 0);
    assert_eq!(
        install
            .run("why nobody@example.com education-dslr/basics")
            .0,
        1
    );
}

#[test]
fn the_shop_of_the_repository_is_without_errors() {
    let install = Install::new();
    assert_eq!(install.run("check").0, 0);
    assert!(
        install
            .rows("check --json")
            .iter()
            .all(|one| one["severity"] == "warning")
    );
}

#[test]
fn problems_of_files_end_with_1_and_have_their_fields() {
    let folder = tempfile::tempdir().unwrap();
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    copy(&config, &folder.path().join("config"));
    let broken = folder.path().join("config/sequences/refund.toml");
    std::fs::write(&broken, "format = 1\nid = \"refund\"\nuntill = 3\n").unwrap();
    let install = Install {
        shop: folder.path().to_owned(),
        ..Install::new()
    };
    let (code, text) = install.run("check --json");
    assert_eq!(code, 1, "{text}");
    let problems = objects(&text);
    let problem = problems
        .iter()
        .find(|one| one["file"] == "config/sequences/refund.toml")
        .unwrap();
    assert_eq!(
        fields(problem),
        [
            "file", "line", "column", "end", "code", "severity", "message", "help"
        ]
    );
    assert_eq!(
        install.run("simulate --events /dev/null").0,
        2,
        "broken files serve nobody"
    );
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), &to).unwrap();
        }
    }
}

#[test]
fn events_are_taken_in_once_and_poison_is_kept() {
    let install = Install::new();
    let event = order_placed();
    let (code, text) = install.feed(
        "ingest - --json",
        &format!("{event}\nnonsense\n\n{event}\n"),
    );
    assert_eq!(code, 1, "{text}");
    let totals = &objects(&text)[0];
    assert_eq!(
        totals,
        &json!({"accepted": 1, "duplicate": 1, "quarantined": 1})
    );
    let kept = install.rows("quarantine list --json");
    assert_eq!(
        fields(&kept[0]),
        [
            "id",
            "source",
            "type",
            "recordedtime",
            "reason",
            "because",
            "tries",
            "cause"
        ]
    );
    assert_eq!(
        install.run("quarantine replay --all").0,
        1,
        "it is still nonsense"
    );
    assert_eq!(install.rows("quarantine list --json")[0]["tries"], 1);
    let by = &install.rows("quarantine list --by cause --json")[0];
    assert_eq!(
        (&by["count"], &by["reason"]),
        (&json!(1), &json!("not_json"))
    );
    let cause = by["cause"].as_str().unwrap();
    let replay = |cause: &str| install.run(&format!("quarantine replay --cause {cause} --json"));
    assert_eq!(objects(&replay(cause).1)[0]["left"], 1);
    assert_eq!(objects(&replay("00000000").1)[0]["left"], 0);
    assert_eq!(install.run("quarantine drop --all").0, 2, "why?");
    let line = format!("quarantine drop --cause {cause} --reason typo");
    assert_eq!(install.run(&line).0, 0);
    assert!(install.rows("quarantine list --json").is_empty());
    let dropped = &install.rows("quarantine list --dropped --json")[0];
    assert_eq!(dropped["because"], "typo");
    assert_eq!(install.run("quarantine show 1").0, 1, "its body is gone");
}

#[test]
fn what_is_in_quarantine_is_shown_with_whoever_it_is_about_covered() {
    let install = Install::new();
    let mut event = order_placed();
    event["type"] = json!("order.plced");
    assert_eq!(install.feed("ingest -", &format!("{event}\n")).0, 1);
    let shown = install.rows("quarantine show 1 --json")[0]["body"].to_string();
    assert!(
        !shown.contains("ann@example.com") && !shown.contains("Ann"),
        "{shown}"
    );
    assert!(shown.contains("order.plced"), "{shown}");
    let whole = install.rows("quarantine show 1 --unmasked --json")[0]["body"].to_string();
    assert!(whole.contains("ann@example.com"), "{whole}");
}

#[test]
fn the_dry_run_foretells_what_an_event_brings_and_history_brings_nothing() {
    let install = Install::new();
    assert_eq!(install.feed("ingest -", &order_placed().to_string()).0, 0);
    let upcoming = install.rows("upcoming --json --days 60");
    let mut names = SEND.to_vec();
    names.push("depends_on");
    assert_eq!(fields(&upcoming[0]), names);
    let first = &upcoming[0];
    assert_eq!(first["sequence"], "fulfilment");
    assert_eq!(first["step"], "placed");
    assert_eq!(first["state"], "planned");
    assert_eq!(first["email"], "ann@example.com");
    assert_eq!(first["order"], "17");
    assert!(
        first["message_id"]
            .as_str()
            .unwrap()
            .ends_with("@shop.example.com")
    );
    assert!(
        install
            .rows("upcoming --json --days 60 --order 999 --customer 7")
            .is_empty()
    );

    let past = Install::new();
    assert_eq!(past.feed("import -", &order_placed().to_string()).0, 0);
    assert!(past.rows("upcoming --json --days 400").is_empty());
    let why = past.rows("why ann@example.com fulfilment/placed --json");
    assert_eq!(why[0]["reason"], "history_only");
}

#[test]
fn why_tells_rule_evidence_and_what_was_needed() {
    let install = Install::new();
    assert_eq!(install.feed("ingest -", &order_placed().to_string()).0, 0);
    let mut names = SEND.to_vec();
    names.extend(["rule", "evidence", "assumed", "needed"]);
    for (step, state) in [
        ("fulfilment/placed", json!("planned")),
        ("refund/refunded", Value::Null),
    ] {
        let rows = install.rows(&format!("why 7 {step} --order 17 --json"));
        assert_eq!(fields(&rows[0]), names);
        assert_eq!(rows[0]["state"], state);
        assert!(rows[0]["rule"]["line"].as_u64().unwrap() > 0);
        assert!(rows[0]["needed"].is_string());
    }
    let rows = install.rows("why ann@example.com fulfilment/placed --json");
    assert_eq!(rows[0]["evidence"][0]["id"], "order/17/placed");
}

#[test]
fn a_suppressed_address_is_owed_no_help() {
    let install = Install::new();
    let delivered = json!({
        "specversion": "1.0", "id": "shipment/1/delivered", "source": "/test",
        "type": "shipment.delivered", "subject": "order/17", "time": "2026-03-02T09:59:40Z",
        "data": {
            "test": false,
            "order_ref": {"order_id": "17", "order_number": "#17"},
            "shipment": {"shipment_id": "1", "direction": "outbound", "tracking": [], "items": []},
            "delivery": {"delivered_at": "2026-03-02T09:59:40Z", "precision": "second", "basis": "carrier"},
        },
    });
    assert_eq!(
        install
            .feed("ingest -", &format!("{}\n{delivered}\n", order_placed()))
            .0,
        0
    );
    let help = || {
        let rows = install.rows("upcoming --json --days 30 --kind education");
        rows.len()
    };
    assert!(help() > 0);
    assert_eq!(
        install
            .run("suppress ann@example.com --scope education --reason asked")
            .0,
        0
    );
    assert_eq!(help(), 0);
    assert_eq!(
        install
            .run("unsuppress ann@example.com --scope education --reason asked")
            .0,
        0
    );
    assert!(help() > 0);
}

#[test]
fn a_simulation_of_the_same_file_gives_the_same_lines() {
    let install = Install::new();
    let events = install.data.path().join("events.ndjson");
    std::fs::write(&events, order_placed().to_string()).unwrap();
    let line = format!("simulate --events {} --json", events.display());
    let once = install.run(&line);
    assert_eq!(once, install.run(&line));
    let rows = objects(&once.1);
    assert_eq!(fields(&rows[0]), SEND);
    assert_eq!(rows[0]["message_id"], Value::Null);
    assert!(
        !install.data.path().join("a.db").exists(),
        "no database is opened"
    );
}

#[test]
fn every_mail_can_be_previewed_for_a_sample_customer() {
    let install = Install::new();
    for mail in [
        "fulfilment/placed",
        "fulfilment/paid",
        "fulfilment/slow",
        "fulfilment/cancelled",
        "refund/refunded",
        "education-dslr/tripod",
        "review/pour-over",
    ] {
        let rows = install.rows(&format!("preview {mail} --json --locale ja"));
        assert_eq!(rows[0]["locale"], "ja", "{mail}");
        assert!(!rows[0]["text"].as_str().unwrap().is_empty());
    }
    let eml = install.data.path().join("mail.eml");
    assert_eq!(
        install
            .run(&format!("preview dslr/basics --eml {}", eml.display()))
            .0,
        0
    );
    let bytes = std::fs::read_to_string(&eml).unwrap();
    assert!(bytes.contains("\r\nList-Unsubscribe: <http"), "{bytes}");
}

#[test]
fn a_contact_sheet_holds_everything_and_needs_no_network() {
    let install = Install::new();
    let folder = install.data.path().join("sheet");
    let line = format!(
        "preview --all dslr --locale en,ja --sample plain,minimal,long --html {} --json",
        folder.display()
    );
    let rows = install.rows(&line);
    assert_eq!(
        rows.len(),
        4 * 2 * 3,
        "four mails, two languages, three customers"
    );
    for row in &rows {
        assert_ne!(row["state"], "held", "{row}");
    }
    let index = std::fs::read_to_string(folder.join("index.html")).unwrap();
    let mut frames = 0;
    for rest in index.split(" src=\"").skip(1) {
        let file = rest.split('"').next().unwrap();
        assert!(folder.join(file).is_file(), "{file}");
        frames += 1;
    }
    let made = rows.iter().filter(|row| row["state"] == "made").count();
    assert_eq!(frames, made * 4, "two widths, two sets of colours");
    assert!(!index.contains("<script") && !index.contains("<link"));
    assert!(index.contains("Content-Security-Policy"));
    assert_eq!(install.run("preview --all nowhere").0, 2);
    assert_eq!(install.run("preview dslr/basics --sample nobody").0, 2);
    assert_eq!(install.run("preview --all --locale xx").0, 2);
}

#[test]
fn a_closed_pipe_ends_a_command_quietly() {
    let install = Install::new();
    let mut child = install
        .command("preview dslr/basics --eml -")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_database_without_its_key_is_told_by_doctor_and_armed_again() {
    let install = Install::new();
    assert_eq!(install.feed("ingest -", &order_placed().to_string()).0, 0);
    let key = install.data.path().join("arming.key");
    assert!(
        key.exists(),
        "an empty database becomes an install with its first event"
    );
    assert_eq!(install.run("doctor").0, 0);
    std::fs::remove_file(&key).unwrap();
    let (code, text) = install.run("doctor --json");
    assert_eq!(code, 1);
    assert!(
        objects(&text)
            .iter()
            .any(|one| one["check"] == "key" && one["state"] == "bad")
    );
    assert_eq!(install.run("arm").0, 0);
    assert_eq!(install.run("doctor").0, 0);
}

/// A recorded delivery, mapped by hand, and one in quarantine that a configuration mends.
#[test]
fn deliveries_are_mapped_by_hand_and_replayed() {
    let install = Install::new();
    let folder = "src/tests/fixtures/platforms";
    let line = format!("map {folder}/shopify/orders_create.json --source shopify --json");
    let rows = install.rows(&line);
    let kinds: Vec<&str> = rows
        .iter()
        .map(|row| row["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["order.placed", "order.paid"]);
    let line = format!("map {folder}/shopify/orders_create.json --source woocommerce");
    let (code, text) = install.run(&line);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("X-WC-Webhook-Topic is missing"), "{text}");
    let (code, text) = install.run(&format!("map {folder}/shopify/orders_create.json"));
    assert_eq!(code, 2, "{text}");
    let (code, text) = install.run(&format!(
        "map {folder}/shopify/shop_redact.json --source ebay"
    ));
    assert!(code > 0 && text.contains("there are shopify"), "{text}");
    let thin = format!("map {folder}/bigcommerce/order_created.json --source bigcommerce");
    let (code, text) = install.run(&thin);
    assert!(code == 1 && text.contains("/v2/orders/2250"), "{text}");

    let configured = |line: &str, key: &str, value: &str| {
        let mut command = install.command(line);
        command.env("AFTERCARE_INTAKE__SOURCES__SHOP__PLATFORM", "shopify");
        command.env(
            "AFTERCARE_INTAKE__SOURCES__SHOP__SECRETS",
            "test-secret-shopify",
        );
        command.env(key, value);
        told(&command.output().unwrap())
    };
    let source = "AFTERCARE_INTAKE__SOURCES__SHOP__SOURCE";
    let line = format!("map {folder}/shopify/orders_create.json --source shop --verify --json");
    let (code, text) = configured(&line, source, "/shopify/mine");
    assert_eq!(code, 0, "{text}");
    assert_eq!(objects(&text)[0]["source"], "/shopify/mine");
    let (code, _) = configured(
        &line,
        "AFTERCARE_INTAKE__SOURCES__SHOP__SECRETS",
        "another-secret",
    );
    assert!(code > 0, "the signature does not hold");
}
