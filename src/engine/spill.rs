//! Deliveries and opt-outs that the database cannot take now: kept in a journal beside it,
//! answered as taken, and handed to [`Engine::accept`] and [`Engine::opt_out`] in their order
//! once it is back, also by the next process after a crash.
//!
//! What is kept is what a delivery came to (events and what could not be read), in the JSON
//! that the tables of events and quarantine keep too, and not the delivery itself: so what
//! is kept can be stored whatever has become of its source's configuration meanwhile, and
//! every release that reads the tables reads it. Who sent it was proved before.
//!
//! Order: what comes through a door behind which something waits goes behind it. That is
//! kindness (people get "shipped" before "delivered"), not need: facts come to the same in
//! any order, and each counts once, by its delivery's key and by its own name. Therefore
//! nothing has to be removed in the same instant in which it is stored, and a crash between
//! the two, or a write that was given up and succeeded, does no harm.

use super::consent::OptOut;
use super::{Engine, EngineError};
use crate::clock;
use crate::journal::{Batch, Bounds, Held, Journal, JournalError};
use crate::model::time::to_ms;
use crate::store::{Incoming, Poison, StoreError};
use crate::telemetry;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Folder of the journal inside the data folder.
pub const FOLDER: &str = "spill";
/// How long a delivery waits for its durable commit before it is kept in the journal:
/// short enough for a platform that wants its answer within five seconds.
pub const SPILL_AFTER: Duration = Duration::from_secs(2);
/// Deliveries handed to the database at once. They share its commits with what comes in
/// meanwhile, so a flood that was kept delays nobody by more than one such batch.
const DRAINED_AT_ONCE: usize = 256;
/// Bytes of them.
const DRAINED_BYTES: usize = 4 << 20;
/// How long such a batch may take before it is tried again.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(60);
/// How long to wait before the database is tried again.
const REST: Duration = Duration::from_millis(500);
/// How often to look for what dead processes left.
const LOOK: Duration = Duration::from_secs(10);
/// The form in which deliveries are kept now.
const FORM: u32 = 1;
/// The form of opt-outs. Releases that know only the first put them into quarantine.
const OPT_OUT: u32 = 2;

/// Why a delivery, or an opt-out, goes into the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// The database did not take it.
    Away,
    /// The database takes too long.
    Slow,
    /// As many are being committed as may be at once.
    Crowded,
    /// Its source sends faster than it may, to a platform that a refusal would do harm.
    Fast,
    /// Others of its source wait before it.
    Behind,
}

impl Because {
    /// The name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Because::Away => "away",
            Because::Slow => "slow",
            Because::Crowded => "crowded",
            Because::Fast => "fast",
            Because::Behind => "behind",
        }
    }
}

/// A delivery as it is kept; `E` and `P` borrow on the way in and own on the way out.
#[derive(Debug, Serialize, Deserialize)]
struct Kept<D, E, P> {
    form: u32,
    /// The door through which it came.
    door: D,
    events: E,
    poison: P,
}

/// An opt-out as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct KeptOptOut<O> {
    form: u32,
    opt_out: O,
}

/// What is read back.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Own {
    Delivery(Kept<String, Vec<Incoming>, Vec<Poison>>),
    OptOut(KeptOptOut<OptOut>),
}

/// The journal of a process that takes deliveries in.
#[derive(Debug)]
pub struct Spill {
    folder: PathBuf,
    most: u64,
    journal: Journal,
    /// By door, how many of this process wait.
    waiting: Mutex<BTreeMap<String, u64>>,
    /// The database did not take the last batch.
    away: AtomicBool,
    /// The journal did not take the last delivery.
    failing: AtomicBool,
    /// Something was kept, and that was told.
    told: AtomicBool,
    news: Notify,
}

/// How the journal is, for whoever looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    pub held: Held,
    /// Whether it takes deliveries: it is not full, and the last one was kept.
    pub takes: bool,
    /// Whether the database refused what was last handed to it.
    pub away: bool,
}

impl Spill {
    /// The journal in the shop's data folder.
    ///
    /// # Errors
    /// The folder is there and cannot be read.
    pub fn open(data_dir: &Path, bounds: Bounds) -> Result<Spill, JournalError> {
        let folder = data_dir.join(FOLDER);
        let journal = Journal::open(&folder, bounds)?;
        let held = journal.held();
        if held.records > 0 {
            tracing::warn!(
                records = held.records,
                bytes = held.bytes,
                "what an ended process kept in the journal is stored now"
            );
        }
        Ok(Spill {
            folder,
            most: bounds.most,
            journal,
            waiting: Mutex::default(),
            away: AtomicBool::new(false),
            failing: AtomicBool::new(false),
            told: AtomicBool::new(false),
            news: Notify::new(),
        })
    }

    /// Why a delivery through this door should not even try the database now.
    pub fn before(&self, door: &str) -> Option<Because> {
        if self.away.load(Ordering::Acquire) {
            return Some(Because::Away);
        }
        let waits = self.lock().get(door).is_some_and(|count| *count > 0);
        (waits || self.journal.has_adopted()).then_some(Because::Behind)
    }

    /// Keeps a delivery; on disk when it returns.
    ///
    /// # Errors
    /// It is not kept, and must not be acknowledged.
    pub async fn keep(
        &self,
        door: &str,
        events: &[Incoming],
        poison: &[Poison],
        because: Because,
    ) -> Result<(), JournalError> {
        let form = FORM;
        let kept = Kept {
            form,
            door,
            events,
            poison,
        };
        self.append(&kept, because).await?;
        *self.lock().entry(door.to_owned()).or_default() += 1;
        Ok(())
    }

    /// Keeps an opt-out; on disk when it returns.
    ///
    /// # Errors
    /// It is not kept, and must not be confirmed.
    pub async fn keep_opt_out(
        &self,
        opt_out: &OptOut,
        because: Because,
    ) -> Result<(), JournalError> {
        let form = OPT_OUT;
        self.append(&KeptOptOut { form, opt_out }, because).await
    }

    async fn append(&self, kept: &impl Serialize, because: Because) -> Result<(), JournalError> {
        let bytes = serde_json::to_vec(kept).map_err(std::io::Error::other)?;
        let appended = self.journal.append(to_ms(clock::real()), &bytes).await;
        self.failing.store(appended.is_err(), Ordering::Release);
        if let Err(error) = appended {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "what came in could not be kept in the journal"
            );
            return Err(error);
        }
        if !self.told.swap(true, Ordering::AcqRel) {
            tracing::warn!(
                because = because.as_str(),
                folder = %self.folder.display(),
                "what comes in is kept in the journal until the database takes it"
            );
        }
        telemetry::spilled(because.as_str());
        self.news.notify_one();
        Ok(())
    }

    /// How it is.
    pub fn state(&self) -> State {
        let held = self.journal.held();
        State {
            takes: !self.failing.load(Ordering::Acquire) && held.bytes < self.most,
            away: self.away.load(Ordering::Acquire),
            held,
        }
    }

    /// Brings the gauges up to date.
    pub fn show(&self) {
        let held = self.journal.held();
        telemetry::spill(held.records, held.bytes, age(&held));
    }

    /// Stores what is kept, in its order, until `stop`. What is left then stays on disk.
    pub async fn run(&self, engine: &Engine, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let wait = match self.drain_some(engine).await {
                Ok(0) => {
                    if self.told.swap(false, Ordering::AcqRel) {
                        tracing::info!("everything that the journal kept is stored");
                    }
                    if let Err(error) = self.journal.adopt() {
                        tracing::warn!(%error, "what ended processes left cannot be looked for");
                    }
                    if self.journal.has_adopted() {
                        continue;
                    }
                    LOOK
                }
                Ok(_) => continue,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the journal waits for the database"
                    );
                    REST
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.news.notified(), if wait == LOOK => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Stores a batch of what was kept first; gives how many records were done with.
    ///
    /// # Errors
    /// They stay: the database does not take them now, or the journal cannot be read.
    pub async fn drain_some(&self, engine: &Engine) -> Result<usize, DrainError> {
        loop {
            let batch = self.journal.read(DRAINED_AT_ONCE, DRAINED_BYTES).await?;
            if batch.is_empty() {
                self.away.store(false, Ordering::Release);
                self.show();
                return Ok(0);
            }
            let count = batch.records.len();
            let stored = tokio::time::timeout(DRAIN_TIMEOUT, store_all(engine, &batch)).await;
            let stored = stored.unwrap_or(Err(DrainError::Slow));
            self.away.store(stored.is_err(), Ordering::Release);
            let doors = stored?;
            // Removed only now: what is given twice is known the second time.
            self.journal.remove(batch).await?;
            let mut waiting = self.lock();
            for door in doors {
                if let Some(count) = waiting.get_mut(&door) {
                    *count = count.saturating_sub(1);
                }
            }
            waiting.retain(|_, count| *count > 0);
            drop(waiting);
            telemetry::drained(count as u64);
            self.show();
            // A file that held no whole record is passed over.
            if count > 0 {
                return Ok(count);
            }
        }
    }

    /// A panic elsewhere leaves counts that are whole.
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, u64>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long the oldest of what is held has waited.
pub fn age(held: &Held) -> Duration {
    let since = held
        .oldest
        .map_or(0, |oldest| to_ms(clock::real()).saturating_sub(oldest));
    Duration::from_millis(u64::try_from(since).unwrap_or(0))
}

/// Why what is kept could not be stored now.
#[derive(Debug, thiserror::Error)]
pub enum DrainError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The database.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// It took too long.
    #[error("the database did not take a batch of the journal in time")]
    Slow,
}

/// Hands the records to the engine, each a delivery of its own, in their order; they share
/// a commit. Gives the doors through which they came.
async fn store_all(engine: &Engine, batch: &Batch) -> Result<Vec<String>, DrainError> {
    let storing = batch
        .records
        .iter()
        .map(|record| one(engine, &record.bytes));
    let outcomes = join_all(storing).await;
    Ok(outcomes.into_iter().collect::<Result<_, EngineError>>()?)
}

async fn one(engine: &Engine, bytes: &[u8]) -> Result<String, EngineError> {
    let (door, stored) = match serde_json::from_slice::<Own>(bytes) {
        Ok(Own::Delivery(kept)) if kept.form == FORM => {
            let stored = engine.accept(kept.events, kept.poison).await;
            (kept.door, stored.map(drop))
        }
        Ok(Own::OptOut(kept)) if kept.form == OPT_OUT => {
            let stored = engine.opt_out(&kept.opt_out).await;
            (String::new(), stored.map(drop))
        }
        // A later release wrote it.
        _ => {
            let because =
                "what was kept in the journal is in a form that this release does not know";
            quarantine(engine, bytes, "spill_unreadable", because).await?;
            return Ok(String::new());
        }
    };
    match stored {
        Ok(()) => {}
        Err(EngineError::Store(error)) if is_of_one(&error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "something in the journal cannot be stored and goes to quarantine"
            );
            quarantine(engine, bytes, "unstorable", &error.to_string()).await?;
        }
        Err(error) => return Err(error),
    }
    Ok(door)
}

/// Keeps whole what cannot be stored as events, for a human.
async fn quarantine(
    engine: &Engine,
    bytes: &[u8],
    reason: &str,
    because: &str,
) -> Result<(), EngineError> {
    let poison = Poison {
        source: None,
        id: None,
        kind: None,
        body: String::from_utf8_lossy(bytes).into_owned(),
        reason: reason.to_owned(),
        because: because.to_owned(),
        recorded: engine.now(),
        transport: None,
    };
    engine.accept(Vec::new(), vec![poison]).await?;
    Ok(())
}

/// Whether the failure concerns what was to be stored, or whom, and not the database.
fn is_of_one(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Refused(_)
            | StoreError::Json(_)
            | StoreError::Values { .. }
            | StoreError::Corrupt(_)
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// What a release of today keeps is read by every later one: these texts are never edited.
    #[test]
    fn the_first_forms_are_still_read() {
        let text = r#"{"form":1,"door":"shop","events":[{"event":{"seq":0,"id":"order/1/placed","source":"/shop/1","kind":"order.placed","subject":"order/1","time":"2026-03-01T10:00:00Z","recorded":"2026-03-01T10:00:01Z","partition":"order/1","sequence":null,"mode":"live","misdated":false,"considered":false,"body":{"order_ref":{"order_id":"1"}}},"transport":"key-1"}],"poison":[{"source":"/shop/1","id":null,"kind":"orders/create","body":"{","reason":"not_json","because":"the body: it ends early","recorded":"2026-03-01T10:00:01Z"}]}"#;
        let Own::Delivery(kept) = serde_json::from_str(text).unwrap() else {
            panic!()
        };
        assert_eq!((kept.form, kept.door.as_str()), (FORM, "shop"));
        assert_eq!(kept.events[0].transport.as_deref(), Some("key-1"));
        assert_eq!(kept.events[0].event.id, "order/1/placed");
        assert_eq!(kept.poison[0].reason, "not_json");
        // And written, it is read back the same.
        let again = serde_json::to_string(&kept).unwrap();
        let Own::Delivery(back) = serde_json::from_str(&again).unwrap() else {
            panic!()
        };
        assert_eq!((back.events, back.poison), (kept.events, kept.poison));
        let text = r#"{"form":2,"opt_out":{"send":"00000000000000000000000000000007","scope":"education","at":"2026-03-01T10:00:00Z"}}"#;
        let Own::OptOut(kept) = serde_json::from_str(text).unwrap() else {
            panic!()
        };
        assert_eq!(kept.form, OPT_OUT);
        assert_eq!(serde_json::to_string(&kept).unwrap(), text);
    }
}
