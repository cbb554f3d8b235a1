//! Everything that must outlive the process: events, people, enrolments, sends and the
//! due queue, on SQLite or PostgreSQL.
//!
//! The store writes values as they are and decides nothing about people. It never reads
//! a clock (instants are arguments; leases on PostgreSQL run by the database's clock)
//! and never keeps an address as a key in readable form. All writes of a process go
//! through one task that commits in groups ([`writer`]); reads have connections of their
//! own. Start reading at [`Store`], then [`accept`], [`plans`] and [`sends`], which are
//! the three writes of an event's way to a mail.

mod accept;
mod assignments;
mod checkpoint;
mod claims;
mod db;
mod erase;
mod error;
mod lists;
mod merge;
mod open;
mod place;
mod plans;
mod polls;
mod privacy;
mod quarantine;
mod reads;
mod record;
mod rows;
mod secret;
mod sends;
mod sift;
mod tail;
mod upkeep;
mod wake;
mod writer;

pub use accept::{Accepted, Incoming};
pub use assignments::{Awaited, Drawn};
pub use claims::{Claim, Recovered};
pub use db::Db;
pub use error::{Corrupt, StoreError};
pub use lists::{Counts, Foreseen, Listed, SendFilter, Who};
pub use open::{Access, Bounds};
pub use plans::{Saved, Saving};
pub use polls::{Polled, Step};
pub use privacy::{DataRequest, EXPIRED, Naming};
pub use quarantine::{Poison, Quarantined};
pub use sends::{Barrier, Passed, Settle, Settled};
pub use tail::{Heard, TailFilter, Told};

use std::sync::Arc;
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinHandle;
use tokio_util::sync::DropGuard;

/// An open database. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    shared: Arc<Shared>,
    writes: Option<tokio::sync::mpsc::Sender<writer::Job>>,
    tasks: Arc<Mutex<Vec<JoinHandle<()>>>>,
    /// Cancelled by [`Store::close`], or when the last clone goes.
    closing: Arc<DropGuard>,
}

/// What the writer task and the readers both need.
#[derive(Debug)]
struct Shared {
    pools: db::Pools,
    /// Told of every commit.
    committed: Arc<Notify>,
    access: Access,
    worker: open::Worker,
    /// Key of the HMAC over alias keys.
    secret: secret::Secret,
    /// On SQLite: what this process has handed out.
    claims: Mutex<claims::Claimed>,
    /// Held while this process owns a SQLite file.
    lock: std::sync::Mutex<Option<std::fs::File>>,
}

impl Store {
    /// Which database this is.
    pub fn db(&self) -> Db {
        self.shared.pools.db()
    }

    /// Lets waiting writes finish, then closes everything. Later calls fail.
    pub async fn close(self) {
        let Store {
            shared,
            writes,
            tasks,
            closing,
        } = self;
        if let Some(writes) = writes {
            let (answer, done) = tokio::sync::oneshot::channel();
            if writes.send(writer::Job::Stop(answer)).await.is_ok() {
                let _ = done.await;
            }
        }
        closing.token().cancel();
        for task in tasks.lock().await.drain(..) {
            let _ = task.await;
        }
        shared.pools.close().await;
        // Clones may live on; the file is free all the same.
        if let Ok(mut lock) = shared.lock.lock() {
            lock.take();
        }
    }

    /// Has the database read every statement that this module can run: what `doctor`
    /// and the tests use to see that statements and schema agree. Gives their number.
    ///
    /// # Errors
    /// The first statement that does not fit.
    pub async fn prepare_all(&self) -> Result<usize, StoreError> {
        let mut tx = self.shared.pools.read().await?;
        let mut prepared = 0;
        for statement in statements() {
            if !statement.text(tx.db()).is_empty() {
                tx.prepare(statement).await?;
                prepared += 1;
            }
        }
        tx.rollback().await;
        Ok(prepared)
    }
}

/// Every statement of every module.
fn statements() -> impl Iterator<Item = &'static db::Statement> {
    [
        accept::ALL,
        assignments::ALL,
        claims::ALL,
        erase::ALL,
        lists::ALL,
        merge::ALL,
        open::ALL,
        place::ALL,
        plans::ALL,
        polls::ALL,
        privacy::ALL,
        quarantine::ALL,
        reads::ALL,
        record::ALL,
        secret::ALL,
        sends::ALL,
        sift::ALL,
        tail::ALL,
        upkeep::ALL,
        wake::ALL,
        writer::ALL,
    ]
    .into_iter()
    .flatten()
    .copied()
}
