//! `connect` beside the running service: from the steps to the first delivery that is
//! proved, and everything that may go wrong on the way.

use super::install::{Database, Install, Service};
use super::until;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};
use std::{fs, io};

/// Where the service is said to be reached.
const URL: &str = "https://hooks.shop.example.com";

fn fixtures(platform: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("src/tests/fixtures/platforms").join(platform)
}

/// A `connect` that waits, and what it says line by line.
struct Waiting {
    child: Child,
    lines: io::Lines<BufReader<ChildStdout>>,
}

impl Waiting {
    fn start(install: &Install, platform: &str) -> Waiting {
        let arguments = ["connect", platform, "--url", URL, "--json", "--for", "5min"];
        let mut child = install
            .command(&arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut waiting = Waiting { child, lines };
        waiting.until("waiting");
        waiting
    }

    /// Reads on until something of this sort was seen.
    fn until(&mut self, seen: &str) -> Value {
        loop {
            let line = self.lines.next().expect("more to say").unwrap();
            let said: Value = serde_json::from_str(&line).unwrap();
            if said["seen"] == seen {
                return said;
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Delivers something with these headers; the status.
fn deliver(service: &Service, path: &str, headers: &str, body: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(service.address).unwrap();
    let mut head = format!("POST {path} HTTP/1.1\r\nHost: {}\r\n", service.address);
    for line in headers.lines().filter(|line| !line.is_empty()) {
        head.push_str(&format!("{line}\r\n"));
    }
    head.push_str(&format!(
        "Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    ));
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer[9..12].parse().unwrap()
}

fn recorded(platform: &str, headers: &str, body: &str) -> (String, Vec<u8>) {
    let folder = fixtures(platform);
    (
        fs::read_to_string(folder.join(format!("{headers}.headers"))).unwrap(),
        fs::read(folder.join(body)).unwrap(),
    )
}

fn secret_file(install: &Install, name: &str) -> PathBuf {
    install.data.join("secrets").join(name)
}

/// What is written for a platform, and its secret in its place.
fn written(install: &Install, platform: &str) {
    install.run(&["connect", platform, "--url", URL, "--write", "--no-wait"]);
}

#[test]
fn a_platform_is_connected_from_the_steps_to_its_first_delivery() {
    for database in Database::all() {
        let install = Install::new(database, "capture");
        let file = install.shop.join("config/aftercare.toml");
        let before = fs::read_to_string(&file).unwrap();
        for platform in ["shopify", "woocommerce", "gorgias"] {
            written(&install, platform);
        }
        // What stood there stands there still, and twice is once.
        let after = fs::read_to_string(&file).unwrap();
        assert!(after.starts_with(before.trim_end()), "{after}");
        written(&install, "shopify");
        assert_eq!(fs::read_to_string(&file).unwrap(), after);
        install.run(&["check"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            for name in ["shopify", "woocommerce", "gorgias"] {
                let mode = fs::metadata(secret_file(&install, name))
                    .unwrap()
                    .permissions()
                    .mode();
                assert_eq!(mode & 0o777, 0o600, "{name}");
            }
        }
        // Theirs is pasted below the comment.
        let secret = secret_file(&install, "shopify");
        let text = fs::read_to_string(&secret).unwrap();
        assert!(text.lines().all(|line| line.starts_with('#')), "{text}");
        fs::write(&secret, format!("{text}test-secret-shopify\n")).unwrap();
        let service = install.start();

        let mut shopify = Waiting::start(&install, "shopify");
        let mut woo = Waiting::start(&install, "woocommerce");
        let mut gorgias = Waiting::start(&install, "gorgias");

        let (headers, body) = recorded("woocommerce", "ping", "ping.txt");
        assert_eq!(
            deliver(&service, "/hooks/woocommerce", &headers, &body),
            200
        );
        let ping = woo.until("ping");
        assert!(
            ping["message"]
                .as_str()
                .unwrap()
                .contains("no delivery yet"),
            "{ping}"
        );

        let wrong = "Content-Type: application/json\nAuthorization: Bearer not-the-secret-of-ours";
        assert_eq!(deliver(&service, "/hooks/gorgias", wrong, b"{}"), 401);
        let refused = gorgias.until("refused");
        let message = refused["message"].as_str().unwrap();
        assert!(
            message.contains("their signature does not fit: the secret"),
            "{message}"
        );
        assert!(message.contains("secrets/gorgias"), "{message}");

        let (headers, body) = recorded("shopify", "orders_create", "orders_create.json");
        assert_eq!(deliver(&service, "/hooks/shopify", &headers, &body), 202);
        let told = shopify.until("delivery");
        assert_eq!(told["version"], "2026-07", "{told}");
        assert_eq!(told["topics"]["orders/create"]["outcome"], "understood");
        assert_eq!(told["learnt"]["with_email"], told["learnt"]["customers"]);
        let lacking: Vec<&str> = told["lacking"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["kind"].as_str().unwrap())
            .collect();
        assert!(lacking.contains(&"shipment.dispatched"), "{lacking:?}");
        assert!(!lacking.contains(&"order.placed"), "{lacking:?}");
        let status = until("connect ends", || shopify.child.try_wait().unwrap());
        assert!(status.success());
        // What came already is told without waiting.
        let again = install.run(&["connect", "shopify", "--url", URL]);
        assert!(
            again.contains("Shopify delivers, and its signature holds"),
            "{again}"
        );
        assert!(again.contains("orders/create"), "{again}");
        assert!(!again.contains("test-secret-shopify"), "{again}");
        let doctor = install.command(&["doctor", "events"]).output().unwrap();
        let doctor = String::from_utf8_lossy(&doctor.stdout).into_owned();
        assert!(
            doctor.contains("gorgias: a delivery was refused"),
            "{doctor}"
        );
        assert!(doctor.contains("woocommerce: nothing came yet"), "{doctor}");
        assert!(!doctor.contains("shopify: nothing"), "{doctor}");
        service.terminate();
    }
}

#[test]
fn silence_has_an_end_and_its_usual_causes() {
    let install = Install::sqlite("capture");
    written(&install, "judgeme");
    let said = |arguments: &[&str]| {
        let output = install.command(arguments).output().unwrap();
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        (output.status.code().unwrap(), text)
    };
    // Without a database nobody listens: it says what to start.
    let (code, text) = said(&["connect", "judgeme", "--url", URL, "--for", "0s"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("start `aftercare serve`"), "{text}");
    fs::write(secret_file(&install, "judgeme"), "test-secret-judgeme\n").unwrap();
    let service = install.start();
    let (code, text) = said(&["connect", "judgeme", "--url", URL, "--for", "0s"]);
    assert_eq!(code, 1, "{text}");
    for cause in [
        "nothing came from Judge.me",
        "firewall",
        "topic",
        "the free plan",
    ] {
        assert!(text.contains(cause), "{cause}: {text}");
    }
    service.terminate();
}

#[test]
fn what_no_platform_can_reach_is_refused_with_a_way_to_try() {
    let install = Install::sqlite("capture");
    for url in [
        "http://127.0.0.1:8025",
        "https://192.168.0.7",
        "http://shop.example.com",
    ] {
        let output = install
            .command(&["connect", "shopify", "--url", url])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{url}");
        let text = String::from_utf8_lossy(&output.stderr);
        for word in ["cannot reach it", "--no-wait", "aftercare map"] {
            assert!(text.contains(word), "{url}: {word}: {text}");
        }
        assert!(!secret_file(&install, "shopify").exists());
    }
    let text = install.run(&[
        "connect",
        "shopify",
        "--url",
        "http://127.0.0.1:8025",
        "--no-wait",
    ]);
    assert!(
        text.contains("No platform can deliver to http://127.0.0.1:8025"),
        "{text}"
    );
    assert!(text.contains("orders/create"), "{text}");
}

#[test]
fn a_shop_that_asks_for_no_reviews_is_told_to_switch_none_on() {
    let install = Install::sqlite("capture");
    let with = install.run(&["connect", "judgeme", "--url", URL, "--no-wait", "--dry-run"]);
    assert!(with.contains("review/created"), "{with}");
    let sequences = install.shop.join("config/sequences");
    let mut kept = 0;
    for entry in fs::read_dir(&sequences).unwrap() {
        let path = entry.unwrap().path();
        if fs::read_to_string(&path).unwrap().contains("review") {
            fs::remove_file(path).unwrap();
        } else {
            kept += 1;
        }
    }
    assert!(kept > 0);
    for folder in ["scenarios", "snapshots"] {
        let _ = fs::remove_dir_all(install.shop.join("config").join(folder));
    }
    let without = install.run(&["connect", "judgeme", "--url", URL, "--no-wait"]);
    assert!(
        without.contains("there is nothing to connect yet"),
        "{without}"
    );
    assert!(!without.contains("review/created"), "{without}");
    assert!(!secret_file(&install, "judgeme").exists());
}

#[test]
fn nothing_is_written_that_could_not_be_read() {
    let install = Install::sqlite("capture");
    let file = install.shop.join("config/aftercare.toml");
    let before = fs::read_to_string(&file).unwrap();
    for (platform, hint) in [
        ("saleor", "--account"),
        ("generic", "config/sources/generic.toml"),
    ] {
        let output = install
            .command(&["connect", platform, "--url", URL, "--write", "--no-wait"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{platform}");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains(hint), "{platform}: {text}");
        assert_eq!(fs::read_to_string(&file).unwrap(), before);
    }
    install.run(&[
        "connect",
        "saleor",
        "--url",
        URL,
        "--write",
        "--no-wait",
        "--account",
        "lamp.saleor.cloud",
    ]);
    let after = fs::read_to_string(&file).unwrap();
    let keys = "keys_url = \"https://lamp.saleor.cloud/.well-known/jwks.json\"";
    assert!(after.contains(keys), "{after}");
    install.run(&["check"]);
}
