//! The loop that reads brokers, held against a broker in a box that can fail at any point:
//! whatever fails, nothing is acknowledged before it is stored, nothing is lost, and
//! nothing is there twice.

use crate::harness::Harness;
use aftercare::config::{self, BrokerKind};
use aftercare::consume::{self, Broker, Delivery, Finding, Most, Session, Settings, Trouble};
use aftercare::engine::reload;
use aftercare::ingest::adapters::Headers;
use aftercare::ingest::canonical::MAX_DEPTH;
use aftercare::ingest::message::{Message, Reading};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What goes wrong once, and then no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Connect,
    Fetch,
    Acknowledge,
    /// The broker hears of it, and its answer is lost.
    Acknowledged,
    Unread,
}

/// What the broker has.
#[derive(Default)]
struct Shelf {
    bodies: Vec<String>,
    /// Who has what in hand: the number of the session.
    in_hand: BTreeMap<usize, usize>,
    acknowledged: BTreeSet<usize>,
    delivered: Vec<usize>,
    /// What fails, each once, in order.
    faults: Vec<Fault>,
    sessions: usize,
    held: usize,
    released: usize,
}

/// A broker in memory.
#[derive(Clone, Default)]
struct Chest {
    shelf: Arc<Mutex<Shelf>>,
    changed: Arc<Notify>,
}

struct Hand {
    of: Chest,
    number: usize,
}

impl Chest {
    fn fails(&self, fault: Fault) -> Result<(), Trouble> {
        let mut shelf = self.shelf.lock().unwrap();
        if shelf.faults.first() == Some(&fault) {
            shelf.faults.remove(0);
            // What a session that failed had in hand goes to the next one.
            shelf.in_hand.clear();
            return Err(Trouble::plain(format!("{fault:?} failed")));
        }
        Ok(())
    }

    /// Waits until something is true of it.
    async fn until(&self, what: &str, look: impl Fn(&Shelf) -> bool) {
        let waiting = async {
            loop {
                let changed = self.changed.notified();
                if look(&self.shelf.lock().unwrap()) {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(90), waiting)
            .await
            .unwrap_or_else(|_| panic!("this did not come true: {what}"));
    }
}

impl Broker for Chest {
    type Session = Hand;

    async fn connect(&self) -> Result<Hand, Trouble> {
        self.fails(Fault::Connect)?;
        let mut shelf = self.shelf.lock().unwrap();
        shelf.sessions += 1;
        Ok(Hand {
            of: self.clone(),
            number: shelf.sessions,
        })
    }

    async fn inspect(&self) -> Result<Vec<Finding>, Trouble> {
        Ok(vec![Finding::new("it forgets", "remember")])
    }
}

impl Session for Hand {
    type Receipt = usize;

    async fn fetch(&mut self, most: Most) -> Result<Vec<Delivery<usize>>, Trouble> {
        self.of.fails(Fault::Fetch)?;
        let found: Vec<Delivery<usize>> = {
            let mut shelf = self.of.shelf.lock().unwrap();
            let mut found = Vec::new();
            for place in 0..shelf.bodies.len() {
                let is_free =
                    !shelf.acknowledged.contains(&place) && !shelf.in_hand.contains_key(&place);
                if found.len() == most.messages || !is_free {
                    continue;
                }
                shelf.in_hand.insert(place, self.number);
                let redelivered = shelf.delivered.contains(&place);
                shelf.delivered.push(place);
                found.push(Delivery {
                    message: Message {
                        headers: Headers::default(),
                        body: shelf.bodies[place].clone().into_bytes(),
                        id: None,
                        position: Some(format!("box/{place}")),
                    },
                    receipt: place,
                    redelivered,
                });
            }
            found
        };
        self.of.changed.notify_waiters();
        if found.is_empty() && !most.wait.is_zero() {
            let _ = tokio::time::timeout(most.wait, self.of.changed.notified()).await;
        }
        Ok(found)
    }

    async fn hold(&mut self, receipts: &[usize]) -> Result<(), Trouble> {
        self.of.shelf.lock().unwrap().held += receipts.len();
        self.of.changed.notify_waiters();
        Ok(())
    }

    async fn acknowledge(&mut self, receipts: Vec<usize>) -> Result<(), Trouble> {
        self.of.fails(Fault::Acknowledge)?;
        {
            let mut shelf = self.of.shelf.lock().unwrap();
            assert!(receipts.is_sorted(), "out of order: {receipts:?}");
            for receipt in receipts {
                assert_eq!(shelf.in_hand.remove(&receipt), Some(self.number));
                assert!(shelf.acknowledged.insert(receipt), "{receipt} twice");
            }
        }
        let heard = self.of.fails(Fault::Acknowledged);
        self.of.changed.notify_waiters();
        heard
    }

    async fn release(&mut self, receipts: Vec<usize>) -> Result<(), Trouble> {
        self.of.shelf.lock().unwrap().released += receipts.len();
        Ok(())
    }

    async fn unread(&mut self) -> Result<Option<u64>, Trouble> {
        self.of.fails(Fault::Unread)?;
        let shelf = self.of.shelf.lock().unwrap();
        Ok(Some((shelf.bodies.len() - shelf.acknowledged.len()) as u64))
    }

    async fn close(self) {}
}

fn settings(batch: usize, redeliver_after: Duration) -> Settings {
    Settings {
        broker: config::Broker {
            batch,
            redeliver_after,
            ..config::Broker::new("box", BrokerKind::Nats, Vec::new(), "box")
        },
        reading: Reading {
            broker: "box".to_owned(),
            source: None,
            max_body: 1 << 20,
            depth: MAX_DEPTH,
        },
    }
}

async fn harness() -> Harness {
    let read = reload::read(Path::new(env!("CARGO_MANIFEST_DIR")));
    let now = "2026-03-10T09:00:00Z".parse().unwrap();
    Harness::new(read.live.unwrap(), now).await
}

/// An event as it stands on the wire.
fn cancelled(number: usize) -> String {
    json!({
        "specversion": "1.0", "id": format!("order/{number}/cancelled"), "source": "/shop/test",
        "type": "order.cancelled", "subject": format!("order/{number}"), "time": "2026-03-10T08:59:00Z",
        "data": {
            "order_ref": {"order_id": number.to_string()},
            "cancel": {"reason": "customer", "cancelled_at": "2026-03-10T08:59:00Z"},
        },
    })
    .to_string()
}

async fn counts(harness: &Harness) -> (i64, i64) {
    let counts = harness.engine.counts().await.unwrap();
    (counts.events, counts.quarantined)
}

/// Reads a box until everything is acknowledged, and stops.
async fn read_all(harness: &Harness, of: &Chest, batch: usize) {
    let stop = CancellationToken::new();
    let reading = tokio::spawn(consume::run(
        of.clone(),
        settings(batch, Duration::from_secs(30)),
        Arc::clone(&harness.engine),
        stop.clone(),
    ));
    of.until("everything is acknowledged", |shelf| {
        shelf.acknowledged.len() == shelf.bodies.len() && shelf.faults.is_empty()
    })
    .await;
    stop.cancel();
    of.changed.notify_waiters();
    reading.await.unwrap();
}

#[tokio::test]
async fn whatever_fails_everything_is_stored_once_and_acknowledged_after() {
    use Fault::{Acknowledge, Acknowledged, Connect, Fetch, Unread};
    for faults in [
        vec![],
        vec![Connect, Connect],
        vec![Fetch],
        vec![Acknowledge],
        vec![Acknowledged],
        vec![Unread],
        vec![Acknowledge, Connect, Fetch, Acknowledge, Acknowledged],
    ] {
        let harness = harness().await;
        let of = Chest::default();
        {
            let mut shelf = of.shelf.lock().unwrap();
            shelf.bodies = (0..20).map(cancelled).collect();
            shelf.bodies.insert(7, "no json".to_owned());
            shelf.faults = faults.clone();
        }
        read_all(&harness, &of, 4).await;
        assert_eq!(counts(&harness).await, (20, 1), "{faults:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_stored_now_is_held_and_given_back_at_the_end() {
    let harness = harness().await;
    let of = Chest::default();
    of.shelf.lock().unwrap().bodies = (0..12).map(cancelled).collect();
    harness.engine.store.clone().close().await;
    let stop = CancellationToken::new();
    let reading = tokio::spawn(consume::run(
        of.clone(),
        settings(3, Duration::from_millis(30)),
        Arc::clone(&harness.engine),
        stop.clone(),
    ));
    // Three batches are in hand, and no fourth.
    of.until("all in hand are held on to", |shelf| shelf.held >= 18)
        .await;
    assert_eq!(of.shelf.lock().unwrap().in_hand.len(), 9);
    stop.cancel();
    of.changed.notify_waiters();
    reading.await.unwrap();
    let shelf = of.shelf.lock().unwrap();
    assert_eq!((shelf.acknowledged.len(), shelf.released), (0, 9));
    assert_eq!(shelf.sessions, 1);
}
