//! Kill -9 at random moments, again and again, while events come in and mails go out.
//! The server's journal and the acknowledgements are the truth; the ledger must agree.

use super::events::{self, Wanted};
use super::install::{self, Database, Install, Row, START};
use super::relay::Relay;
use super::{Dice, until};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Kills in a run, where `AFTERCARE_TEST_KILLS` says nothing.
const KILLS: usize = 10;
/// Events posted for every kill, about.
const EVENTS_A_KILL: usize = 16;
/// Longest life between two kills once the service is ready, in milliseconds.
const LIFE_MS: usize = 350;
/// Longest life where it is killed before it is ready.
const EARLY_MS: usize = 120;
/// Virtual seconds that may pass while events still come in: less than what makes an
/// event too old to enrol anybody.
const NEWS_SECONDS: usize = 2 * 86_400;
/// Virtual seconds that should pass in the other half of the kills: most of a series.
const SERIES_SECONDS: usize = 45 * 86_400;
/// Real seconds from one kill to the next, about.
const KILL_SECONDS: usize = 2;
/// Clock speed afterwards.
const DRAIN_SPEED: u32 = 1_000_000;
/// By then every series that began has ended.
const LAST_DAY: i64 = 75;
/// Connections to the relay: so many mails may be past their dot when the process dies.
const CONNECTIONS: usize = 8;
/// Most copies of a mail that is sent again after doubts: itself and two tries more.
const COPIES: usize = 3;

fn kills_wanted() -> usize {
    std::env::var("AFTERCARE_TEST_KILLS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(KILLS)
}

/// Posts what is in the queue, in pieces of one to four, and keeps what was acknowledged.
struct Poster {
    queue: Arc<Mutex<VecDeque<Value>>>,
    acknowledged: Arc<Mutex<Vec<Value>>>,
    address: Arc<Mutex<Option<SocketAddr>>>,
    done: Arc<AtomicBool>,
}

impl Poster {
    fn run(&self, mut dice: Dice) {
        while !self.done.load(Ordering::Acquire) {
            let address = *self.address.lock().unwrap();
            let mut piece = Vec::new();
            if address.is_some() {
                let mut queue = self.queue.lock().unwrap();
                let size = queue.len().min(1 + dice.below(4));
                piece.extend(queue.drain(..size));
            }
            let (Some(address), false) = (address, piece.is_empty()) else {
                std::thread::sleep(super::LOOK);
                continue;
            };
            // One in three deliveries also repeats something old.
            let mut body = piece.clone();
            if dice.one_in(3) {
                let known = self.acknowledged.lock().unwrap();
                if !known.is_empty() {
                    body.push(dice.pick(&known).clone());
                }
            }
            match install::post(address, &body) {
                Ok(_) => self.acknowledged.lock().unwrap().extend(piece),
                // Killed: whether they were stored nobody can tell, so they come again.
                Err(_) => self.queue.lock().unwrap().extend(piece),
            }
        }
    }
}

#[test]
fn nothing_is_lost_or_doubled_when_the_process_is_killed_again_and_again() {
    for database in Database::all() {
        killed_again_and_again(database);
    }
}

fn killed_again_and_again(database: Database) {
    let mut dice = Dice::seeded(20_260_302);
    let (seed, kills) = (dice.0, kills_wanted());
    let relay = Relay::start();
    let mut install = Install::new(database.clone(), &relay.url());

    let orders = (kills * EVENTS_A_KILL / 4).max(20);
    // Everything has happened by the time the clock starts, and is told in any order.
    let from = events::later(START.parse().unwrap(), -180);
    let wanted = Wanted {
        customers: orders * 2 / 3,
        orders,
        from,
        within: 120,
        slow: false,
    };
    let mut history = events::history(&mut dice, &wanted);
    dice.shuffle(&mut history);
    let total = history.len();

    let poster = Poster {
        queue: Arc::default(),
        acknowledged: Arc::default(),
        address: Arc::default(),
        done: Arc::default(),
    };
    let (queue, acknowledged) = (Arc::clone(&poster.queue), Arc::clone(&poster.acknowledged));
    let (address, done) = (Arc::clone(&poster.address), Arc::clone(&poster.done));
    let posting = {
        let dice = Dice(dice.next());
        std::thread::spawn(move || poster.run(dice))
    };
    // In the first half of the kills events come in, in the second the series run.
    let half = kills.div_ceil(2);
    let mut pieces = history.chunks(total.div_ceil(half));
    for kill in 0..kills {
        let seconds = if kill < half {
            NEWS_SECONDS
        } else {
            SERIES_SECONDS
        };
        install.speed = (seconds / (half * KILL_SECONDS)) as u32;
        if dice.one_in(5) {
            let service = install.spawn();
            // The random life of the process is what is tested, not something waited for.
            std::thread::sleep(Duration::from_millis(dice.below(EARLY_MS) as u64));
            service.kill();
        }
        let service = install.start();
        let news = pieces.next().unwrap_or_default();
        queue.lock().unwrap().extend(news.iter().cloned());
        *address.lock().unwrap() = Some(service.address);
        std::thread::sleep(Duration::from_millis(dice.below(LIFE_MS) as u64));
        service.kill();
        *address.lock().unwrap() = None;
        if kill + 1 == half {
            // What was not taken yet is, before the clock runs faster.
            let service = install.start();
            *address.lock().unwrap() = Some(service.address);
            until("every event is acknowledged", || {
                (acknowledged.lock().unwrap().len() == total).then_some(())
            });
            service.kill();
        }
    }
    done.store(true, Ordering::Release);
    posting.join().unwrap();

    install.speed = DRAIN_SPEED;
    let service = install.start();
    service.until_day(LAST_DAY);
    let ledger = until("every send is settled", || {
        let ledger = install.sends();
        ledger.iter().all(Row::is_final).then_some(ledger)
    });

    let acknowledged = acknowledged.lock().unwrap().clone();
    for known in acknowledged.chunks(50) {
        let answer = service.post(known);
        assert_eq!(
            (answer.accepted, answer.quarantined),
            (0, 0),
            "an acknowledged event was not stored (seed {seed})"
        );
        assert_eq!(answer.duplicate, known.len());
    }
    assert_eq!(service.terminate().code(), Some(0));
    relay.assert_proper();
    let counts = check(&ledger, &relay, &acknowledged, kills);
    println!(
        "{database:?}: seed {seed}, {kills} kills, {total} events, {} sends, {} mails received, {counts:?}",
        ledger.len(),
        relay.count()
    );
}

/// What the run came to.
#[derive(Debug, Default)]
#[expect(dead_code, reason = "printed")]
struct Counts {
    accepted: usize,
    sent_again_after_doubt: usize,
    unknown: usize,
    skipped: usize,
    cancelled: usize,
    doubles: usize,
    lost: usize,
}

/// Holds the ledger against the journal of the server.
fn check(ledger: &[Row], relay: &Relay, acknowledged: &[Value], kills: usize) -> Counts {
    let received = relay.by_id();
    let rows: BTreeMap<&str, &Row> = ledger.iter().map(|row| (row.message_id(), row)).collect();
    assert_eq!(rows.len(), ledger.len(), "two sends share a Message-ID");
    // Two products of one order have an ask each, told apart by their runs; of those, one
    // mail goes at most.
    let went: Vec<&Row> = ledger.iter().filter(|row| row.state != "skipped").collect();
    let keys: BTreeSet<String> = went.iter().map(|row| row.key()).collect();
    assert_eq!(keys.len(), went.len(), "the same mail is owed twice");

    let mut counts = Counts::default();
    for (id, mails) in &received {
        let Some(row) = rows.get(id.as_str()) else {
            panic!("the server has {id}, which the ledger does not know")
        };
        assert!(
            row.may_be_out(),
            "the server has it and the ledger says otherwise: {row:?}"
        );
        assert_eq!(
            mails[0].to,
            row.email.clone().unwrap_or_default(),
            "{row:?}"
        );
        if mails.len() > 1 {
            assert_eq!(
                row.reason.as_deref(),
                Some("resent_after_uncertain"),
                "sent twice without a doubt: {row:?}"
            );
            assert_eq!(
                row.kind, "fulfilment",
                "sent again although it is held when in doubt: {row:?}"
            );
            assert!(mails.len() <= COPIES, "{} copies: {row:?}", mails.len());
            assert!(
                mails.iter().all(|mail| mail == &mails[0]),
                "a copy differs: {row:?}"
            );
        }
    }
    for row in ledger {
        match row.state.as_str() {
            "accepted" => {
                assert!(
                    received.contains_key(row.message_id()),
                    "accepted, and the server has nothing: {row:?}"
                );
                counts.accepted += 1;
                counts.sent_again_after_doubt +=
                    usize::from(row.reason.as_deref() == Some("resent_after_uncertain"));
            }
            "unknown" => counts.unknown += 1,
            "skipped" => counts.skipped += 1,
            "cancelled" => counts.cancelled += 1,
            state => panic!("{state}: {row:?}"),
        }
    }
    let doubts = counts.sent_again_after_doubt + counts.unknown;
    assert!(
        doubts <= kills * CONNECTIONS,
        "{doubts} doubts after {kills} kills"
    );
    // An order that was first heard of as cancelled is passed over in silence.
    let of_kind = |kind: &'static str, part: &'static str| {
        acknowledged
            .iter()
            .filter(move |event| event["type"] == kind)
            .map(move |event| event["data"][part]["order_id"].as_str())
    };
    let cancelled: BTreeSet<_> = of_kind("order.cancelled", "order_ref").collect();
    for order in of_kind("order.placed", "order").filter(|order| !cancelled.contains(order)) {
        let told = ledger
            .iter()
            .any(|row| row.order.as_deref() == order && row.name() == "fulfilment/placed");
        assert!(told, "nothing was decided about order {order:?}");
    }
    counts
}
