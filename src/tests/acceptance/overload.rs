//! Deliveries of platforms while the process is killed and its database is taken from it:
//! whatever was answered 2xx is stored in the end, once.

use super::install::{Database, Install, Service, ask};
use super::{Dice, LOOK, until};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// How often the process is killed.
const KILLS: usize = 6;
/// Deliveries of all sources together that are acknowledged before the next kill.
const LIFE: usize = 30;
/// What the service may hold in memory, whatever comes: its bound on deliveries (64 MiB),
/// what they are read into, the database's cache and the program, built without
/// optimisation.
const MEMORY_MIB: u64 = 512;

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sender {
    Shopify,
    WooCommerce,
    Stripe,
    Lantern,
    Canonical,
}

const SENDERS: [Sender; 5] = [
    Sender::Shopify,
    Sender::WooCommerce,
    Sender::Stripe,
    Sender::Lantern,
    Sender::Canonical,
];

/// The secrets with which the fixtures are signed.
const SECRETS: [(&str, &str); 4] = [
    ("SHOPIFY", "test-secret-shopify"),
    ("WOOCOMMERCE", "test-secret-woocommerce"),
    ("STRIPE", "whsec_test_secret_stripe"),
    ("LANTERN", "test-secret-of-lantern"),
];

fn fixture(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/fixtures");
    fs::read_to_string(root.join(path)).unwrap()
}

fn hmac(of: usize, text: &str) -> Vec<u8> {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRETS[of].1.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Sender {
    /// The recorded delivery that its deliveries are copies of, and the number in it that
    /// stands for the order.
    fn pattern(self) -> (String, &'static str) {
        match self {
            Sender::Shopify => (
                fixture("platforms/shopify/orders_create.json"),
                "6210443985011",
            ),
            Sender::WooCommerce => (fixture("platforms/woocommerce/order_created.json"), "5021"),
            Sender::Stripe => (
                fixture("platforms/stripe/checkout.session.completed.json"),
                "CMD-2087",
            ),
            Sender::Lantern => (fixture("platforms/generic/order_new.json"), "7001"),
            Sender::Canonical => (fixture("events/canonical/order.placed.json"), "SO-88001"),
        }
    }

    /// Where and how it sends a body, signed now.
    fn request(self, body: &str) -> (&'static str, Vec<(String, String)>) {
        let now = jiff::Timestamp::now().as_second();
        let (path, headers): (_, Vec<(&str, String)>) = match self {
            Sender::Shopify => (
                "/hooks/shopify",
                vec![
                    ("X-Shopify-Topic", "orders/create".into()),
                    (
                        "X-Shopify-Shop-Domain",
                        "harborpine-example.myshopify.com".into(),
                    ),
                    ("X-Shopify-Hmac-Sha256", STANDARD.encode(hmac(0, body))),
                ],
            ),
            Sender::WooCommerce => (
                "/hooks/woocommerce",
                vec![
                    ("X-WC-Webhook-Topic", "order.created".into()),
                    ("X-WC-Webhook-Source", "https://store.example.net/".into()),
                    ("X-WC-Webhook-Signature", STANDARD.encode(hmac(1, body))),
                ],
            ),
            Sender::Stripe => {
                let tag = hex(&hmac(2, &format!("{now}.{body}")));
                let signature = format!("t={now},v1={tag}");
                ("/hooks/stripe", vec![("Stripe-Signature", signature)])
            }
            Sender::Lantern => {
                let tag = hex(&hmac(3, &format!("{now}.{body}")));
                (
                    "/hooks/lantern",
                    vec![
                        ("X-Lantern-Delivery", hex(&hmac(3, body))),
                        ("X-Lantern-Time", now.to_string()),
                        ("X-Lantern-Signature", format!("sha256={tag}")),
                    ],
                )
            }
            Sender::Canonical => ("/events", Vec::new()),
        };
        let kind = ("Content-Type".to_owned(), "application/json".to_owned());
        let headers = headers
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .chain([kind])
            .collect();
        (path, headers)
    }

    /// Sends a body; whether it was taken, and how: `None` where nobody can tell.
    fn send(self, to: SocketAddr, body: &str) -> Option<Value> {
        let (path, headers) = self.request(body);
        let (status, answer) = ask(to, "POST", path, &headers, body).ok()?;
        match status {
            200 | 202 => Some(serde_json::from_str(&answer).unwrap()),
            429 | 500 | 503 => None,
            _ => panic!("{self:?}: {status}: {answer}"),
        }
    }
}

/// An install that hears all senders.
fn install(database: Database) -> Install {
    let mut install = Install::new(database, "capture");
    let mapping = install.shop.join("config/lantern.toml");
    fs::write(mapping, fixture("platforms/generic/mapping.toml")).unwrap();
    for (name, secret) in SECRETS {
        let variable = format!("AFTERCARE_INTAKE__SOURCES__{name}__SECRETS");
        install.environment.push((variable, secret.to_owned()));
    }
    for (key, value) in [("PLATFORM", "generic"), ("MAPPING", "config/lantern.toml")] {
        let variable = format!("AFTERCARE_INTAKE__SOURCES__LANTERN__{key}");
        install.environment.push((variable, value.to_owned()));
    }
    install
}

/// Sends one delivery after another, each until it is taken, and counts them.
#[derive(Default)]
struct Posting {
    address: Mutex<Option<SocketAddr>>,
    done: AtomicBool,
    taken: AtomicUsize,
    by_journal: AtomicUsize,
}

impl Posting {
    fn run(&self, sender: Sender) -> usize {
        let (pattern, number) = sender.pattern();
        assert!(pattern.contains(number), "{sender:?}");
        let mut taken = 0;
        while !self.done.load(Ordering::Acquire) {
            let body = pattern
                .replace(number, &format!("{number}{taken:04}"))
                // Stripe names the delivery in its body.
                .replace("\"evt_", &format!("\"evt_{taken}_"));
            let address = *self.address.lock().unwrap();
            let answer = address.and_then(|address| sender.send(address, &body));
            let Some(answer) = answer else {
                std::thread::sleep(LOOK);
                continue;
            };
            assert_eq!(answer["quarantined"], 0, "{sender:?}: {answer}");
            taken += 1;
            self.taken.fetch_add(1, Ordering::AcqRel);
            if answer["journal"] == true {
                self.by_journal.fetch_add(1, Ordering::AcqRel);
            }
        }
        taken
    }

    /// Waits until so many more were taken.
    fn more(&self, what: &str, count: usize) {
        let wanted = self.taken.load(Ordering::Acquire) + count;
        until(what, || {
            (self.taken.load(Ordering::Acquire) >= wanted).then_some(())
        });
    }
}

/// Stands between the service and PostgreSQL, and can be taken away.
struct Between {
    address: SocketAddr,
    cut: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Between {
    fn new(server: SocketAddr) -> Between {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let between = Between {
            address: listener.local_addr().unwrap(),
            cut: Arc::default(),
            open: Arc::default(),
        };
        let (cut, open) = (Arc::clone(&between.cut), Arc::clone(&between.open));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                // Held while it is decided, so that a cut leaves none behind.
                let mut open = open.lock().unwrap();
                if cut.load(Ordering::Acquire) {
                    continue;
                }
                let Ok(server) = TcpStream::connect(server) else {
                    continue;
                };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    open.push(from.try_clone().unwrap());
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    std::thread::spawn(move || pass(from, to));
                }
            }
        });
        between
    }

    fn cut(&self) {
        let mut open = self.open.lock().unwrap();
        self.cut.store(true, Ordering::Release);
        for one in open.drain(..) {
            let _ = one.shutdown(Shutdown::Both);
        }
    }

    fn mend(&self) {
        self.cut.store(false, Ordering::Release);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(read) = from.read(&mut bytes) {
        if read == 0 || to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// What takes the database away.
enum Taking {
    /// Another program's lock on the file.
    Lock(std::path::PathBuf),
    Cut(Between),
}

/// Gives the database back when it goes.
enum Taken<'t> {
    Lock(
        #[expect(dead_code, reason = "held")] tokio::runtime::Runtime,
        #[expect(dead_code, reason = "held")] sqlx::SqliteConnection,
    ),
    Cut(&'t Between),
}

impl Taking {
    fn take(&self) -> Taken<'_> {
        match self {
            Taking::Cut(between) => {
                between.cut();
                Taken::Cut(between)
            }
            Taking::Lock(path) => {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                let url = format!("sqlite:{}", path.display());
                let connection = runtime.block_on(async {
                    use sqlx::Connection;
                    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
                    sqlx::raw_sql("BEGIN IMMEDIATE")
                        .execute(&mut connection)
                        .await
                        .unwrap();
                    connection
                });
                Taken::Lock(runtime, connection)
            }
        }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Taken::Cut(between) = self {
            between.mend();
        }
    }
}

#[test]
fn whatever_was_answered_2xx_is_stored_once_though_process_and_database_go() {
    for database in Database::all() {
        let (database, taking) = match database {
            Database::Sqlite => (Database::Sqlite, None),
            Database::Postgres(url) => {
                let mut url = url::Url::parse(&url).unwrap();
                let server = url.socket_addrs(|| Some(5432)).unwrap()[0];
                let between = Between::new(server);
                url.set_host(Some("127.0.0.1")).unwrap();
                url.set_port(Some(between.address.port())).unwrap();
                (
                    Database::Postgres(url.to_string()),
                    Some(Taking::Cut(between)),
                )
            }
        };
        let install = install(database);
        let taking = taking.unwrap_or_else(|| Taking::Lock(install.sqlite_file()));
        gone_again_and_again(&install, &taking);
    }
}

fn gone_again_and_again(install: &Install, taking: &Taking) {
    let mut dice = Dice::seeded(20_260_304);
    let posting = Arc::new(Posting::default());
    let threads: Vec<_> = SENDERS
        .iter()
        .map(|sender| {
            let (sender, posting) = (*sender, Arc::clone(&posting));
            std::thread::spawn(move || (sender, posting.run(sender)))
        })
        .collect();
    for kill in 0..KILLS {
        let service = install.start();
        *posting.address.lock().unwrap() = Some(service.address);
        posting.more("deliveries are taken", 1 + dice.below(LIFE));
        if kill % 2 == 1 {
            let gone = taking.take();
            posting.more(
                "deliveries are taken without the database",
                1 + dice.below(LIFE),
            );
            if dice.one_in(2) {
                // It comes back, and goes with the process in the midst of what follows.
                drop(gone);
                posting.more("deliveries are taken again", 1 + dice.below(LIFE));
                service.kill();
            } else {
                service.kill();
                drop(gone);
            }
        } else {
            service.kill();
        }
        *posting.address.lock().unwrap() = None;
    }
    let service = install.start();
    *posting.address.lock().unwrap() = Some(service.address);
    posting.more("deliveries are taken at the end", LIFE);
    posting.done.store(true, Ordering::Release);
    let taken: Vec<(Sender, usize)> = threads.into_iter().map(|one| one.join().unwrap()).collect();
    until("the journal is empty", || {
        is_drained(&service).then_some(())
    });
    assert_eq!(service.terminate().code(), Some(0));
    let spilled = fs::read_dir(install.data.join("spill")).unwrap();
    assert_eq!(spilled.count(), 0, "nothing is left in the journal");
    let by_journal = posting.by_journal.load(Ordering::Acquire);
    assert!(by_journal > 0, "the journal was never needed");
    let listed = install.run(&["events", "tail", "-n", "100000", "--json"]);
    let mut facts: Vec<(String, String)> = listed
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|event| (event["source"].to_string(), event["id"].to_string()))
        .collect();
    for (sender, count) in &taken {
        let (_, number) = sender.pattern();
        for n in 0..*count {
            let placed = format!("\"order/{number}{n:04}/placed\"");
            assert!(
                facts.iter().any(|(_, id)| *id == placed),
                "an acknowledged delivery of {sender:?} was not stored: {placed}"
            );
        }
    }
    // Each once.
    let all = facts.len();
    facts.sort();
    facts.dedup();
    assert_eq!(facts.len(), all, "a fact was stored twice");
    println!(
        "{:?}: {KILLS} kills, {} deliveries taken, {by_journal} of them by the journal, {all} facts",
        install.database,
        taken.iter().map(|(_, count)| count).sum::<usize>()
    );
}

fn is_drained(service: &Service) -> bool {
    let metrics = service.request("GET", "/metrics", "", "");
    let (_, metrics) = metrics.unwrap_or_default();
    metrics
        .lines()
        .any(|line| line == "aftercare_spill_records 0")
}

/// The order of somebody else.
fn another(event: &Value, name: &str) -> Value {
    let mut other = event.clone();
    other["id"] = format!("order/{name}/placed").into();
    other["subject"] = format!("order/{name}").into();
    other["partitionkey"] = other["subject"].clone();
    other["data"]["order"]["order_id"] = name.into();
    other["data"]["order"]["order_number"] = name.into();
    other["data"]["customer"]["customer_id"] = format!("C-{name}").into();
    other["data"]["customer"]["email"] = format!("{name}@example.org").into();
    other
}

/// Ten times what can be stored, with a database that takes nothing: what is taken is kept,
/// what is not is refused, and memory stays within its bound.
#[test]
#[cfg(target_os = "linux")]
fn a_flood_is_taken_or_refused_and_memory_stays_bounded() {
    const THREADS: usize = 32;
    const EACH: usize = 4;
    const EVENTS: usize = 60;
    let install = install(Database::Sqlite);
    let service = install.start();
    let address = service.address;
    let gone = Taking::Lock(install.sqlite_file());
    let gone = gone.take();
    let event: Value =
        serde_json::from_str(&fixture("events/canonical/order.placed.json")).unwrap();
    let bomb = format!("{}1{}", "[".repeat(400_000), "]".repeat(400_000));
    let (taken, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (event, bomb, taken, refused) = (&event, &bomb, &taken, &refused);
            scope.spawn(move || {
                for round in 0..EACH {
                    let batch: Vec<Value> = (0..EVENTS)
                        .map(|n| another(event, &format!("{thread}-{round}-{n}")))
                        .collect();
                    let body = Value::Array(batch).to_string();
                    let batch = [(
                        "Content-Type".to_owned(),
                        "application/cloudevents-batch+json".to_owned(),
                    )];
                    match ask(address, "POST", "/events", &batch, &body) {
                        Ok((202, _)) => taken.fetch_add(1, Ordering::AcqRel),
                        // A refusal may come before all was sent.
                        Ok((429 | 503, _)) | Err(_) => refused.fetch_add(1, Ordering::AcqRel),
                        Ok((status, answer)) => panic!("{status}: {answer}"),
                    };
                    if round == 0 {
                        // What nobody can read is kept, and read no further than it has to be.
                        Sender::WooCommerce.send(address, bomb);
                    }
                }
            });
        }
    });
    let peak = service.peak_mib();
    assert!(peak < MEMORY_MIB, "{peak} MiB");
    let taken = taken.load(Ordering::Acquire);
    assert!(taken > 0);
    drop(gone);
    until("the journal is empty", || {
        is_drained(&service).then_some(())
    });
    let peak_after = service.peak_mib();
    assert!(
        peak_after < MEMORY_MIB,
        "{peak_after} MiB after all was stored"
    );
    println!(
        "{taken} batches taken, {} refused, {peak} MiB at most, {peak_after} MiB after",
        refused.load(Ordering::Acquire)
    );
    assert_eq!(service.terminate().code(), Some(0));
}
