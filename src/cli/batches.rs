//! What files and pipes are read as: pieces (a line, or the rows of an order), gathered
//! into batches that are stored together. Read ahead by a thread of its own, because
//! standard input may block for ever; memory is bounded however large the file is.

use super::exit::out_of_reach;
use super::quarantine::Pages;
use crate::engine::intake::Totals;
use crate::model::event::Event;
use crate::model::time::Timestamp;
use crate::store::{Incoming, Poison, Store, StoreError};
use sha2::{Digest, Sha256};
use std::collections::{HashSet, VecDeque};
use std::io::Write as _;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Events stored in one commit, about: a piece is not torn.
pub const BATCH: usize = 1000;
/// Pieces read ahead of the database.
const AHEAD: usize = 2 * BATCH;
/// Pieces that are taken over at once.
const AT_ONCE: usize = 64;
/// How long an event may wait for others to be stored with, where a pipe is slow.
const LINGER: Duration = Duration::from_millis(50);
/// Pieces that are told about one by one.
const TOLD: u64 = 20;

/// A part of a file that is taken whole, or not at all.
#[derive(Debug)]
pub struct Piece {
    /// Where it stands, such as `line 7`.
    pub place: String,
    pub what: What,
}

/// What a piece holds.
#[derive(Debug)]
pub enum What {
    Events(Vec<Event>),
    /// Kept in quarantine, whole.
    Poison(Box<Poison>),
    /// Written to the file of rejected rows, because only there it can be mended.
    Rejected {
        reason: String,
        because: String,
        /// The rows as they stood, the header apart.
        rows: Vec<Vec<String>>,
    },
}

/// The pieces of a file, in batches.
#[derive(Debug)]
pub struct Batches {
    from: mpsc::Receiver<anyhow::Result<Piece>>,
}

impl Batches {
    /// Starts reading.
    pub fn of(pieces: impl Iterator<Item = anyhow::Result<Piece>> + Send + 'static) -> Batches {
        let (to, from) = mpsc::channel(AHEAD);
        std::thread::spawn(move || {
            for piece in pieces {
                let failed = piece.is_err();
                if to.blocking_send(piece).is_err() || failed {
                    return;
                }
            }
        });
        Batches { from }
    }

    /// The next batch; `None` at the end.
    ///
    /// # Errors
    /// The file cannot be read on.
    pub async fn next(&mut self) -> anyhow::Result<Option<Vec<Piece>>> {
        let mut batch = Vec::new();
        let mut events = 0;
        while events < BATCH {
            let from = batch.len();
            // Pieces of several events each make a batch a little larger.
            let more = self.from.recv_many(&mut batch, AT_ONCE);
            let came = if from == 0 {
                more.await
            } else {
                tokio::time::timeout(LINGER, more).await.unwrap_or(0)
            };
            if came == 0 {
                break;
            }
            for piece in &batch[from..] {
                let Ok(piece) = piece else { break };
                events += match &piece.what {
                    What::Events(all) => all.len().max(1),
                    What::Poison(_) | What::Rejected { .. } => 1,
                };
            }
        }
        let batch: Vec<Piece> = batch.into_iter().collect::<anyhow::Result<_>>()?;
        Ok((!batch.is_empty()).then_some(batch))
    }
}

/// Says what could not be used, the first ones by name.
#[derive(Debug, Default)]
pub struct Complaints {
    told: u64,
}

impl Complaints {
    /// Tells one on standard error.
    pub fn tell(&mut self, file: &str, place: &str, reason: &str, because: &str) {
        self.told += 1;
        let mut to = anstream::stderr();
        // Whoever closed standard error does not want to know.
        let _ = match self.told.cmp(&TOLD) {
            std::cmp::Ordering::Greater => Ok(()),
            std::cmp::Ordering::Equal => writeln!(
                to,
                "{file}{place}: {reason}: {because}\nfurther ones are not told one by one"
            ),
            std::cmp::Ordering::Less => writeln!(to, "{file}{place}: {reason}: {because}"),
        };
    }
}

/// Bodies that are in quarantine, so that a file that is read again after a failure does
/// not put them there twice.
#[derive(Debug, Default)]
pub struct Kept {
    /// Read from the database when the first is asked about.
    known: Option<HashSet<[u8; 32]>>,
}

impl Kept {
    /// Whether a body is new to the quarantine; from now on it is not.
    ///
    /// # Errors
    /// The store's.
    pub async fn is_new(&mut self, store: &Store, poison: &Poison) -> anyhow::Result<bool> {
        let known = match &mut self.known {
            Some(known) => known,
            none => {
                let mut hashes = HashSet::new();
                let mut pages = Pages::default();
                while let Some(page) = pages.next(store).await? {
                    hashes.extend(page.iter().map(|one| hash(&one.body)));
                }
                none.insert(hashes)
            }
        };
        Ok(known.insert(hash(&poison.body)))
    }
}

fn hash(body: &str) -> [u8; 32] {
    Sha256::digest(body.as_bytes()).into()
}

/// Batches on their way into the store: one is written, others are made ready meanwhile
/// and share the next commit.
const IN_FLIGHT: usize = 3;

/// Stores batches, each whole or not at all.
#[derive(Debug)]
pub struct Storing {
    store: Store,
    flying: VecDeque<JoinHandle<Result<Totals, StoreError>>>,
    totals: Totals,
}

impl Storing {
    /// Into this store.
    pub fn to(store: &Store) -> Storing {
        Storing {
            store: store.clone(),
            flying: VecDeque::new(),
            totals: Totals::default(),
        }
    }

    /// What became of the batches that are through.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// Hands a batch over, once there is room for it.
    ///
    /// # Errors
    /// Nothing of an earlier batch is stored; this one was not handed over.
    pub async fn put(
        &mut self,
        events: Vec<Event>,
        poison: Vec<Poison>,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        while self.flying.len() >= IN_FLIGHT {
            self.count().await?;
        }
        let this = store(self.store.clone(), events, poison, now);
        self.flying.push_back(tokio::spawn(this));
        Ok(())
    }

    /// Waits for all that are on their way.
    ///
    /// # Errors
    /// Nothing of one of them is stored.
    pub async fn end(&mut self) -> anyhow::Result<()> {
        let mut outcome = Ok(());
        while !self.flying.is_empty() {
            outcome = outcome.and(self.count().await);
        }
        outcome
    }

    /// Waits for the oldest.
    async fn count(&mut self) -> anyhow::Result<()> {
        let Some(oldest) = self.flying.pop_front() else {
            return Ok(());
        };
        let totals = oldest.await.unwrap_or(Err(StoreError::Closed));
        let totals = totals.map_err(|error| {
            anyhow::Error::from(error).context(out_of_reach(format!(
                "the events could not be stored; {} before them were\nhint: take the whole file in again, what is stored counts as duplicate",
                self.totals.accepted + self.totals.duplicate
            )))
        })?;
        self.totals += totals;
        Ok(())
    }
}

async fn store(
    store: Store,
    events: Vec<Event>,
    poison: Vec<Poison>,
    now: Timestamp,
) -> Result<Totals, StoreError> {
    let quarantined = poison.len();
    let events = events.into_iter().map(|event| Incoming {
        event,
        transport: None,
    });
    let answers = store.accept(events.collect(), poison, now).await?;
    Ok(Totals::of(&answers, quarantined))
}
