//! Brokers, with the real program and real servers (`scripts/brokers`). What every broker
//! has to keep to is written once, here, and run for each; a broker is a [`Server`]. A
//! test whose server is not there says so and is passed over, like those of PostgreSQL.

#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "amqp")]
mod rabbitmq;
#[cfg(feature = "redis")]
mod redis;

use super::events;
use super::install::{Install, Service};
use super::until;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::atomic::{AtomicU32, Ordering};

/// How many events a test publishes where something happens in mid-batch.
const MANY: usize = 3000;
/// Messages in one commit there.
const BATCH: usize = 100;

/// A message to publish: headers and a body.
type Letter = (Vec<(&'static str, &'static str)>, Vec<u8>);

/// A broker with a stream (queue, topic) of this test's own.
trait Server: Sized {
    /// The one that `scripts/brokers` started; `None`, with a line, where it did not.
    fn shared() -> Option<Self>;

    /// One of this test's own, that it can kill.
    fn own() -> Option<Self>;

    /// Its address.
    fn url(&self) -> String;

    /// The stream, as a key of the configuration and a value.
    fn reads(&self) -> (&'static str, String);

    /// Publishes messages, each with headers and a body; they are there when it returns.
    fn publish(&self, messages: &[Letter]);

    /// What the group has not acknowledged.
    fn unread(&self) -> u64;

    /// `kill -9`.
    fn kill(&mut self);

    /// Starts it again, on the same port with the same data.
    fn restart(&mut self);
}

/// A name that no other test of this run has.
fn unique(name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{name}-{}-{count}", std::process::id())
}

/// The value of a variable of `scripts/brokers`, or a line that says what is passed over.
fn told(variable: &str) -> Option<String> {
    let told = std::env::var(variable).ok();
    if told.is_none() {
        println!("passed over: {variable} is not set (scripts/brokers sets it)");
    }
    told
}

/// A port of this machine that nobody listens on.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Waits until somebody listens on a port.
fn until_it_listens(port: u16, process: &mut Child) {
    until("the broker listens", || {
        assert!(
            process.try_wait().unwrap().is_none(),
            "the broker ended by itself"
        );
        std::net::TcpStream::connect(("127.0.0.1", port)).ok()
    });
}

/// An install that takes events in and does no more, from one broker under each name.
fn install(server: &impl Server, names: &[&str], keys: &[(&str, &str)]) -> Install {
    let mut install = Install::sqlite("capture");
    install.arguments = vec!["--role".to_owned(), "intake".to_owned()];
    let (key, stream) = server.reads();
    for name in names {
        let mut set = |key: &str, value: &str| {
            let name = format!("intake__brokers__{name}__{key}").to_uppercase();
            let name = format!("AFTERCARE_{name}");
            install.environment.push((name, value.to_owned()));
        };
        set("url", &server.url());
        set(key, &stream);
        set("redeliver_after", "2s");
        set("batch", &BATCH.to_string());
        for (key, value) in keys {
            set(key, value);
        }
    }
    install
}

/// Orders as messages.
fn orders(from: usize, count: usize) -> Vec<Letter> {
    let at = events::later(super::install::START.parse().unwrap(), -5);
    (from..from + count)
        .map(|n| {
            let email = format!("c{}@example.com", n % 500);
            let order = events::order(&format!("B{n}"), &email, "COF-NORD-250", at);
            (Vec::new(), order.placed().to_string().into_bytes())
        })
        .collect()
}

/// What the database says to a question with a number for an answer.
fn count(install: &Install, question: &str) -> i64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        use sqlx::Connection;
        let url = format!("sqlite:{}", install.sqlite_file().display());
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        let found: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(question.to_owned()))
            .fetch_one(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        found
    })
}

fn stored(install: &Install) -> i64 {
    count(install, "SELECT COUNT(*) FROM events")
}

fn quarantined(install: &Install) -> i64 {
    count(install, "SELECT COUNT(*) FROM quarantine")
}

/// A metric of the service, by its name and labels as they are printed.
fn metric(service: &Service, name: &str) -> Option<f64> {
    let (_, text) = service.request("GET", "/metrics", "", "").ok()?;
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

fn counted(service: &Service, broker: &str, outcome: &str) -> f64 {
    let name =
        format!("aftercare_broker_messages_total{{broker=\"{broker}\",outcome=\"{outcome}\"}}");
    metric(service, &name).unwrap_or(0.0)
}

fn lag(service: &Service, broker: &str) -> Option<f64> {
    metric(
        service,
        &format!("aftercare_broker_lag{{broker=\"{broker}\"}}"),
    )
}

fn until_connected(service: &Service, broker: &str) {
    let name = format!("aftercare_broker_connected{{broker=\"{broker}\"}}");
    until("the broker is read", || {
        (metric(service, &name) == Some(1.0)).then_some(())
    });
}

/// A certificate for `localhost` that nobody knows, and its key, as files.
struct Certificate {
    chain: PathBuf,
    key: PathBuf,
}

fn certificate(folder: &Path) -> Certificate {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (chain, key) = (folder.join("chain.pem"), folder.join("key.pem"));
    std::fs::write(&chain, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    Certificate { chain, key }
}

fn until_drained(server: &impl Server) {
    until("everything is acknowledged", || {
        (server.unread() == 0).then_some(())
    });
}

/// Everything is there once, and nothing else is.
fn assert_whole(install: &Install, events: usize) {
    let distinct = count(
        install,
        "SELECT COUNT(*) FROM (SELECT DISTINCT source, id FROM events)",
    );
    assert_eq!(
        (stored(install), distinct),
        (events as i64, events as i64),
        "stored, and of those different ones"
    );
}

/// A stream is read to its end; what cannot be used is kept and holds nobody up.
fn drains<S: Server>() {
    let Some(server) = S::shared() else { return };
    let mut messages = orders(0, 150);
    messages.insert(30, (Vec::new(), b"no json".to_vec()));
    messages.insert(60, (Vec::new(), b"\xff\xfe\x00 no text".to_vec()));
    messages.insert(90, (Vec::new(), vec![b' '; 9000]));
    messages.insert(120, (Vec::new(), b"{\"specversion\":\"1.0\"}".to_vec()));
    server.publish(&messages);
    let install = install(&server, &["test"], &[("max_body", "8192")]);
    let service = install.start();
    until_drained(&server);
    assert_whole(&install, 150);
    assert_eq!(quarantined(&install), 4);
    until("it is counted", || {
        (counted(&service, "test", "acknowledged") == 154.0).then_some(())
    });
    assert_eq!(counted(&service, "test", "poison"), 4.0);
    until("nothing is left to read", || {
        (lag(&service, "test") == Some(0.0)).then_some(())
    });
    // What comes later is heard of at once, and a repetition is one.
    server.publish(&orders(150, 1));
    server.publish(&orders(0, 10));
    until("news is stored", || (stored(&install) == 151).then_some(()));
    until_drained(&server);
    assert_whole(&install, 151);
    assert_eq!(quarantined(&install), 4);
    assert_eq!(service.terminate().code(), Some(0));
    let list = install.run(&["quarantine", "list", "--json"]);
    for reason in ["not_json", "too_large", "missing"] {
        assert!(list.contains(reason), "{reason} is not in\n{list}");
    }
}

/// `kill -9` in mid-batch, again and again: nothing is lost, nothing is there twice, and
/// what was kept in quarantine neither.
fn outlives_kills<S: Server>() {
    let Some(server) = S::shared() else { return };
    let mut messages = orders(0, MANY);
    for place in 0..10 {
        messages.insert(place * 290, (Vec::new(), b"no json".to_vec()));
    }
    server.publish(&messages);
    let install = install(&server, &["test"], &[]);
    for kill in 1..=4 {
        let service = install.start();
        until("some are stored", || {
            (stored(&install) >= kill * 600).then_some(())
        });
        service.kill();
    }
    assert!(server.unread() > 0, "the kills came too late to be a test");
    let service = install.start();
    until_drained(&server);
    assert_whole(&install, MANY);
    assert_eq!(quarantined(&install), 10);
    assert_eq!(service.terminate().code(), Some(0));
}

/// The broker is killed in mid-batch and comes back.
fn outlives_its_broker<S: Server>() {
    let Some(mut server) = S::own() else { return };
    server.publish(&orders(0, MANY));
    let install = install(&server, &["test"], &[]);
    let service = install.start();
    for kill in 1..=2 {
        until("some are stored", || {
            (stored(&install) >= kill * 700).then_some(())
        });
        server.kill();
        until("it is missed", || {
            let log = service.log();
            (log.matches("the broker cannot be read").count() >= kill as usize).then_some(())
        });
        assert_eq!(
            metric(&service, "aftercare_broker_connected{broker=\"test\"}"),
            Some(0.0)
        );
        server.restart();
        // A client may have fetched so much ahead that it is in the middle without its broker.
        until("it is read again", || {
            let log = service.log();
            (log.matches("the broker is read").count() > kill as usize).then_some(())
        });
    }
    until("everything is stored", || {
        (stored(&install) == MANY as i64).then_some(())
    });
    until_drained(&server);
    assert_whole(&install, MANY);
    let log = service.log();
    assert_eq!(service.terminate().code(), Some(0));
    // Each change is told once, however often it was tried.
    assert_eq!(
        log.matches("the broker cannot be read;").count(),
        2,
        "{log}"
    );
    assert_eq!(log.matches("the broker is read").count(), 3, "{log}");
}

/// While the database is away nothing is acknowledged, and the lag says so.
fn waits_for_the_database<S: Server>() {
    let Some(server) = S::shared() else { return };
    let install = install(&server, &["test"], &[]);
    let service = install.start();
    server.publish(&orders(0, 1));
    until("it is read", || (stored(&install) == 1).then_some(()));
    until_drained(&server);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut lock = runtime.block_on(async {
        use sqlx::Connection;
        let url = format!("sqlite:{}", install.sqlite_file().display());
        let mut lock = sqlx::SqliteConnection::connect(&url).await.unwrap();
        sqlx::raw_sql("BEGIN IMMEDIATE")
            .execute(&mut lock)
            .await
            .unwrap();
        lock
    });
    server.publish(&orders(1, 300));
    until("it is missed", || {
        service
            .log()
            .contains("messages cannot be stored now")
            .then_some(())
    });
    until("the lag shows", || {
        (lag(&service, "test") == Some(300.0)).then_some(())
    });
    assert_eq!(counted(&service, "test", "acknowledged"), 1.0);
    assert_eq!(server.unread(), 300);
    runtime.block_on(async {
        sqlx::raw_sql("ROLLBACK").execute(&mut lock).await.unwrap();
    });
    until_drained(&server);
    assert_whole(&install, 301);
    assert_eq!(service.terminate().code(), Some(0));
}

/// Two members of one group have each their part, and nothing is read twice.
fn shares<S: Server>() {
    let Some(server) = S::shared() else { return };
    let install = install(
        &server,
        &["one", "two"],
        &[("batch", "20"), ("redeliver_after", "60s")],
    );
    let service = install.start();
    until("both read", || {
        let connected = |name: &str| {
            metric(
                &service,
                &format!("aftercare_broker_connected{{broker=\"{name}\"}}"),
            )
        };
        (connected("one") == Some(1.0) && connected("two") == Some(1.0)).then_some(())
    });
    server.publish(&orders(0, MANY));
    until_drained(&server);
    assert_whole(&install, MANY);
    until("it is counted", || {
        let of = |name| counted(&service, name, "acknowledged");
        (of("one") + of("two") == MANY as f64).then_some(())
    });
    for name in ["one", "two"] {
        assert!(
            counted(&service, name, "acknowledged") > 0.0,
            "{name} had nothing"
        );
        assert_eq!(counted(&service, name, "redelivered"), 0.0);
    }
    assert_eq!(
        metric(&service, "aftercare_events_duplicate_total"),
        Some(0.0)
    );
    assert_eq!(service.terminate().code(), Some(0));
}

/// SIGTERM in mid-stream: what is in hand is finished, the rest waits.
fn stops_in_good_order<S: Server>() {
    let Some(server) = S::shared() else { return };
    server.publish(&orders(0, MANY));
    let install = install(&server, &["test"], &[]);
    let service = install.start();
    until("some are stored", || {
        (stored(&install) >= 300).then_some(())
    });
    assert_eq!(service.terminate().code(), Some(0));
    let (stored, unread) = (stored(&install), server.unread());
    assert!(unread > 0, "the stop came too late to be a test");
    assert_eq!(
        stored as u64 + unread,
        MANY as u64,
        "what was stored was acknowledged"
    );
    let service = install.start();
    until_drained(&server);
    assert_whole(&install, MANY);
    assert_eq!(service.terminate().code(), Some(0));
}

/// A platform's own delivery goes through the adapter of its source, without a signature,
/// and has no door over HTTP.
fn speaks_for_a_platform<S: Server>() {
    let Some(server) = S::shared() else { return };
    let fixture = include_str!("../../fixtures/platforms/shopify/orders_create.json");
    let headers = vec![
        ("x-shopify-topic", "orders/create"),
        ("x-shopify-shop-domain", "harbor-pine.myshopify.com"),
        ("x-shopify-webhook-id", "w-1"),
    ];
    server.publish(&[(headers.clone(), fixture.as_bytes().to_vec())]);
    let mut install = install(&server, &["test"], &[("source", "shopify")]);
    install.environment.push((
        "AFTERCARE_INTAKE__SOURCES__SHOPIFY__PLATFORM".to_owned(),
        "shopify".to_owned(),
    ));
    let service = install.start();
    until_drained(&server);
    assert_eq!(quarantined(&install), 0, "{}", service.log());
    assert_eq!(
        count(
            &install,
            "SELECT COUNT(*) FROM events WHERE kind = 'order.placed'"
        ),
        1
    );
    let (status, _) = service
        .request("POST", "/hooks/shopify", "application/json", fixture)
        .unwrap();
    assert_eq!(status, 404);
    assert_eq!(service.terminate().code(), Some(0));
}
