//! Messages that wait in queues and topics, read by the door for brokers from real
//! servers: each is taken once, whatever breaks on the way.
//!
//! Where a server is not told of (`scripts/brokers` starts them), its tests have nothing
//! to do and say so.

#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "amqp")]
mod proxy;
#[cfg(feature = "amqp")]
mod rabbitmq;

use crate::harness::Harness;
use aftercare::config::{Broker, BrokerKind};
use aftercare::consume::{self, Settings};
use aftercare::ingest::canonical::MAX_DEPTH;
use aftercare::ingest::message::Reading;
use aftercare::store::TailFilter;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long a condition may take to come true before a test gives up. A RabbitMQ that was
/// killed needs a while to come back on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// The pause between two looks at a condition.
const LOOK: Duration = Duration::from_millis(10);
/// Largest body that the tests take, in bytes.
const MAX_BODY: usize = 4096;

/// Waits until `look` finds something.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "this did not come true: {what}");
        tokio::time::sleep(LOOK).await;
    }
}

/// A cancelled order, as a canonical event all in one body.
fn event(number: usize) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"order/{number}/cancelled","source":"/shop/a","type":"order.cancelled",
            "subject":"order/{number}","time":"2026-03-01T10:00:00Z","data":{}}}"#,
        data(number)
    )
}

/// The data of it alone.
fn data(number: usize) -> String {
    format!(
        r#"{{"order_ref":{{"order_id":"{number}"}},"cancel":{{"cancelled_at":"2026-03-01T10:00:00Z"}}}}"#
    )
}

/// Its attributes, for headers.
fn attributes(number: usize) -> Vec<(&'static str, String)> {
    vec![
        ("specversion", "1.0".to_owned()),
        ("id", format!("order/{number}/cancelled")),
        ("source", "/shop/a".to_owned()),
        ("type", "order.cancelled".to_owned()),
        ("subject", format!("order/{number}")),
        ("time", "2026-03-01T10:00:00Z".to_owned()),
    ]
}

/// How to read from a server.
fn settings(kind: BrokerKind, server: &str, reads: &str) -> Settings {
    Settings {
        broker: Broker {
            batch: 50,
            ..Broker::new("orders", kind, vec![server.to_owned()], reads)
        },
        reading: Reading {
            broker: "orders".to_owned(),
            source: None,
            max_body: MAX_BODY,
            depth: MAX_DEPTH,
        },
    }
}

/// A name that no other test has.
fn unique(what: &str) -> String {
    let stamp = jiff::Timestamp::now().as_nanosecond();
    format!("{what}-{}-{stamp}", std::process::id())
}

/// A shop with an empty database.
struct Shop {
    harness: Harness,
}

impl Shop {
    async fn new() -> Shop {
        let catalog = crate::story::catalog(crate::story::POLICY, &[]);
        let live = crate::shop::with_mail(&catalog, "");
        let now = "2026-03-01T10:00:05Z".parse().unwrap();
        Shop {
            harness: Harness::new(live, now).await,
        }
    }

    /// Begins to read a broker.
    fn read(&self, settings: Settings) -> Consumer {
        let stop = CancellationToken::new();
        let engine = Arc::clone(&self.harness.engine);
        let reading = consume::consume(vec![settings], engine, stop.clone());
        Consumer {
            task: tokio::spawn(reading),
            stop,
        }
    }

    /// How many events it has.
    async fn events(&self) -> usize {
        let counts = self.harness.engine.store.counts().await.unwrap();
        usize::try_from(counts.events).unwrap()
    }

    async fn quarantined(&self) -> usize {
        let counts = self.harness.engine.store.counts().await.unwrap();
        usize::try_from(counts.quarantined).unwrap()
    }

    /// The numbers of the orders that its events are about.
    async fn numbers(&self) -> Vec<usize> {
        let store = &self.harness.engine.store;
        let all = store
            .events_after(&TailFilter::default(), 0, 100_000)
            .await
            .unwrap();
        all.into_iter()
            .map(|(_, event)| {
                let subject = event.unwrap().subject;
                subject.trim_start_matches("order/").parse().unwrap()
            })
            .collect()
    }

    async fn until_it_has(&self, events: usize) {
        until(&format!("{events} events are stored"), async || {
            (self.events().await >= events).then_some(())
        })
        .await;
        assert_eq!(self.events().await, events);
    }
}

/// A broker that is being read.
struct Consumer {
    task: JoinHandle<Result<(), consume::Unbuilt>>,
    stop: CancellationToken,
}

impl Consumer {
    /// Ends in good order.
    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}
