//! The one task that writes. It takes all requests that wait, runs those of one sort as
//! one, commits once for all, and only then answers each. Where a group fails, its
//! requests are run again one by one, so that a failure is its own.
//!
//! An answer means durable. Nobody is answered before the commit, and an unknown outcome
//! of COMMIT on PostgreSQL is looked up, never assumed.

use super::accept::{self, Accepted};
use super::assignments;
use super::claims::{self, Claim, Recovered};
use super::db::{Db, Row, Statement, Tx, rows, statements};
use super::erase;
use super::error::StoreError;
use super::plans::{self, Saved, Saving};
use super::polls::{self, Asked, Asking};
use super::privacy;
use super::quarantine::{self, Poison};
use super::sends::{self, Barrier, Passed, Settle, Settled};
use super::sift::Ready;
use super::{Shared, Store, open, upkeep};
use crate::model::ids::{CustomerId, EventSeq, SendId};
use crate::model::time::{Timestamp, to_ms};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Requests that may wait before callers do.
pub(super) const WAITING: usize = 1024;
/// Requests that share one commit at most.
const GROUP: usize = 512;
/// Events that share one commit, one request apart: a source that delivers in heaps delays
/// what comes beside it by no more than this.
const GROUP_EVENTS: usize = 4096;
/// How often a group is begun again after a deadlock with another process.
const TRIES: u32 = 4;
/// How often, and how long apart, the outcome of a lost COMMIT is asked for.
const ASKS: u32 = 5;
const ASK_AGAIN: Duration = Duration::from_millis(300);

/// What can be asked of the writer.
#[derive(Debug)]
pub(super) enum Write {
    Accept {
        batch: Arc<Vec<Ready>>,
        poison: Vec<Poison>,
        now: Timestamp,
    },
    Save(Vec<Saving>),
    Barrier(Vec<Barrier>),
    Settle(Vec<Settle>),
    /// Claims on PostgreSQL; on SQLite they write nothing.
    ClaimCustomers {
        now: Timestamp,
        limit: usize,
    },
    ClaimSends {
        now: Timestamp,
        limit: usize,
    },
    Release(Vec<Claim>),
    Renew(Vec<Claim>),
    Recover {
        now: Timestamp,
    },
    SetAside {
        customer: CustomerId,
        because: String,
        again_at: Option<Timestamp>,
        now: Timestamp,
    },
    Meta {
        key: String,
        value: String,
    },
    WakeAll {
        now: Timestamp,
    },
    WakeWaiting {
        now: Timestamp,
    },
    WakeSome {
        after: Option<CustomerId>,
        now: Timestamp,
    },
    Erase {
        customer: CustomerId,
        now: Timestamp,
    },
    /// Up to a number: what came later is not the old shop's.
    ForgetSource {
        source: String,
        up_to: EventSeq,
    },
    ExpireParked {
        up_to: i64,
        because: String,
        now: Timestamp,
    },
    DropQuarantined {
        id: i64,
    },
    DismissQuarantined {
        id: i64,
        because: String,
    },
    TriedQuarantined {
        id: i64,
    },
    /// How far platforms were asked.
    Asking(Asking),
    Leave,
    /// Nothing but the stamp: whether a commit succeeds.
    Nothing,
}

/// What the writer answers.
#[derive(Debug)]
pub(super) enum Written {
    Accepted(Vec<Accepted>),
    Saved(Vec<Saved>),
    Last(Option<CustomerId>),
    Passed(Vec<Passed>),
    Settled(Vec<Settled>),
    Customers(Vec<CustomerId>),
    Claims(Vec<Claim>),
    Renewed(Vec<bool>),
    Recovered(Recovered),
    Asked(Asked),
    Count(u64),
}

/// A request on its way to the writer.
#[derive(Debug)]
pub(super) enum Job {
    Write(Write, oneshot::Sender<Result<Written, StoreError>>),
    /// Everything sent before is written; then the task ends.
    Stop(oneshot::Sender<()>),
}

/// What to do to the claims in memory once the commit stands.
#[derive(Debug, Default)]
pub(super) struct After {
    pub sends: Vec<SendId>,
    pub customers: Vec<CustomerId>,
}

statements! {
    /// Stamps the transaction: its number settles an unknown COMMIT, its instant tells a
    /// rehearsal clock where to go on. No row: another owner has started since.
    STAMP = "UPDATE workers SET commits = commits + 1,
            instant = CASE WHEN instant IS NULL OR instant < $3 THEN COALESCE($3, instant) ELSE instant END
        WHERE id = $1 AND fence = $2 RETURNING commits";
    /// Waits for the lost transaction to end, and tells how many stand.
    COMMITS = { sqlite: "", postgres: "SELECT commits FROM workers WHERE id = $1 FOR UPDATE" };
    SAVEPOINT = "SAVEPOINT request";
    ROLLBACK_TO = "ROLLBACK TO SAVEPOINT request";
    RELEASE = "RELEASE SAVEPOINT request";
    /// Several processes agree on who is who by taking turns.
    TAKE_TURN = { sqlite: "", postgres: "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' intake', 0))" };
    LOCK_FOR_WRITE = { sqlite: "", postgres: "SELECT c.id FROM customers c WHERE c.id IN (SELECT r.id FROM rows($1: id BIGINT) AS r)
        ORDER BY c.id FOR NO KEY UPDATE" };
    LOCK_FOR_BARRIER = { sqlite: "", postgres: "SELECT c.id FROM customers c WHERE c.id IN (SELECT r.id FROM rows($1: id BIGINT) AS r)
        ORDER BY c.id FOR SHARE" };
}

impl Store {
    /// Hands a request to the writer and waits for its commit.
    pub(super) async fn write(&self, write: Write) -> Result<Written, StoreError> {
        let Some(writes) = &self.writes else {
            return Err(StoreError::Access {
                wanted: "writer",
                found: self.shared.access.as_str(),
            });
        };
        let (answer, written) = oneshot::channel();
        writes
            .send(Job::Write(write, answer))
            .await
            .map_err(|_| StoreError::Closed)?;
        written.await.map_err(|_| StoreError::Closed)?
    }
}

/// Takes what a call expects out of [`Written`].
macro_rules! expect_written {
    ($written:expr, $sort:ident) => {
        match $written {
            $crate::store::writer::Written::$sort(value) => Ok(value),
            _ => Err($crate::store::error::StoreError::Closed),
        }
    };
}
pub(super) use expect_written;

/// The writer task: until told to stop, or until nobody can ask any more.
pub(super) async fn write_all(shared: Arc<Shared>, mut from: mpsc::Receiver<Job>) {
    let mut stop = None;
    while stop.is_none() {
        let Some(first) = from.recv().await else {
            break;
        };
        // Those who were woken by the last commit get a chance to come along.
        tokio::task::yield_now().await;
        let mut writes = Vec::new();
        let mut answers = Vec::new();
        let mut weight = 0;
        let mut next = Some(first);
        while let Some(job) = next {
            match job {
                // Who gave a delivery up has kept it elsewhere, or its sender has.
                Job::Write(Write::Accept { .. }, answer) if answer.is_closed() => {}
                Job::Write(write, answer) => {
                    weight += write.weight();
                    writes.push(write);
                    answers.push(answer);
                }
                Job::Stop(done) => {
                    stop = Some(done);
                    break;
                }
            }
            next = if writes.len() < GROUP && weight < GROUP_EVENTS {
                from.try_recv().ok()
            } else {
                None
            };
        }
        let written = write_group(&shared, &writes).await;
        drop(writes);
        for (answer, written) in answers.into_iter().zip(written) {
            // A caller who went away is no matter: what was asked stands.
            let _ = answer.send(written);
        }
    }
    // Nobody waits for this worker's claims any longer than needed.
    for outcome in write_group(&shared, &[Write::Leave]).await {
        if let Err(error) = outcome {
            tracing::debug!(error = %error, "this worker's row stays behind");
        }
    }
    if let Some(done) = stop {
        let _ = done.send(());
    }
}

async fn write_group(shared: &Shared, writes: &[Write]) -> Vec<Result<Written, StoreError>> {
    if writes.is_empty() {
        return Vec::new();
    }
    let mut tries = 0;
    let outcome = loop {
        match together(shared, writes).await {
            Err(StoreError::Locked(_)) if shared.pools.db() == Db::Postgres && tries < TRIES => {
                tries += 1
            }
            other => break other,
        }
    };
    match outcome {
        Ok(written) => written.into_iter().map(Ok).collect(),
        // The database itself is in trouble: one by one would fare no better.
        Err(error) if error.is_passing() => writes.iter().map(|_| Err(error.clone())).collect(),
        Err(error) if writes.len() == 1 => vec![Err(error)],
        Err(_) => match one_by_one(shared, writes).await {
            Ok(outcomes) => outcomes,
            Err(error) => writes.iter().map(|_| Err(error.clone())).collect(),
        },
    }
}

/// All requests in one transaction, those of one sort as one.
async fn together(shared: &Shared, writes: &[Write]) -> Result<Vec<Written>, StoreError> {
    let (mut tx, number) = begin(shared, writes).await?;
    let mut after = After::default();
    let mut written: Vec<Option<Written>> = writes.iter().map(|_| None).collect();
    let outcome = run_sorts(shared, &mut tx, writes, &mut written, &mut after).await;
    if let Err(error) = outcome {
        tx.rollback().await;
        return Err(error);
    }
    commit(shared, tx, number).await?;
    settle_memory(shared, writes, after).await;
    written
        .into_iter()
        .map(|one| one.ok_or(StoreError::Closed))
        .collect()
}

/// Each request under a savepoint: the fallback that gives each failure to its owner.
async fn one_by_one(
    shared: &Shared,
    writes: &[Write],
) -> Result<Vec<Result<Written, StoreError>>, StoreError> {
    let (mut tx, number) = begin(shared, writes).await?;
    let mut all_after = After::default();
    let mut outcomes = Vec::with_capacity(writes.len());
    for write in writes {
        tx.run(&SAVEPOINT, vec![]).await?;
        let mut after = After::default();
        let mut written = vec![None];
        let one = std::slice::from_ref(write);
        match run_sorts(shared, &mut tx, one, &mut written, &mut after).await {
            Ok(()) => {
                tx.run(&RELEASE, vec![]).await?;
                all_after.sends.append(&mut after.sends);
                all_after.customers.append(&mut after.customers);
                outcomes.push(written.pop().flatten().ok_or(StoreError::Closed));
            }
            // Such errors may have ended the whole transaction.
            Err(error) if error.is_passing() => {
                tx.rollback().await;
                return Err(error);
            }
            Err(error) => {
                tx.run(&ROLLBACK_TO, vec![]).await?;
                tx.run(&RELEASE, vec![]).await?;
                outcomes.push(Err(error));
            }
        }
    }
    commit(shared, tx, number).await?;
    settle_memory(shared, writes, all_after).await;
    Ok(outcomes)
}

/// Begins, stamps, and on PostgreSQL locks the people concerned in order of number.
async fn begin(shared: &Shared, writes: &[Write]) -> Result<(Tx, i64), StoreError> {
    // A stale connection fails here, where nothing was done yet: once more is safe.
    let mut tx = match shared.pools.write().await {
        Err(StoreError::Unavailable(_)) if shared.pools.db() == Db::Postgres => {
            shared.pools.write().await?
        }
        other => other?,
    };
    let instant = writes.iter().filter_map(Write::instant).max().map(to_ms);
    let worker = &shared.worker;
    let stamp = vec![
        worker.id.as_str().into(),
        worker.fence.into(),
        instant.into(),
    ];
    let Some(row) = tx.fetch_one(&STAMP, stamp).await? else {
        tx.rollback().await;
        return Err(StoreError::Access {
            wanted: "owner",
            found: "an owner that another has replaced",
        });
    };
    let number = row.int(0)?;
    if tx.db() == Db::Postgres
        && writes
            .iter()
            .any(|write| matches!(write, Write::Accept { .. } | Write::ExpireParked { .. }))
    {
        // Before any row, so that nobody who waits for rows holds it.
        tx.run(&TAKE_TURN, vec![]).await?;
    }
    let only_barriers = writes
        .iter()
        .all(|write| matches!(write, Write::Barrier(_)));
    let lock = if only_barriers {
        &LOCK_FOR_BARRIER
    } else {
        &LOCK_FOR_WRITE
    };
    lock_people(&mut tx, writes.iter().flat_map(Write::customers), lock).await?;
    Ok((tx, number))
}

/// On PostgreSQL, locks the rows of people in order of number; SQLite has one writer.
pub(super) async fn lock_people(
    tx: &mut Tx,
    people: impl Iterator<Item = CustomerId>,
    lock: &Statement,
) -> Result<(), StoreError> {
    if tx.db() == Db::Postgres {
        let people: BTreeSet<(i64,)> = people.map(|of| (of.0,)).collect();
        if !people.is_empty() {
            let people: Vec<(i64,)> = people.into_iter().collect();
            tx.fetch(lock, vec![rows(&people)?]).await?;
        }
    }
    Ok(())
}

/// Commits; where the connection was lost meanwhile, finds out what became of it.
async fn commit(shared: &Shared, tx: Tx, number: i64) -> Result<(), StoreError> {
    let error = match tx.commit().await {
        Ok(()) => return Ok(()),
        Err(error @ StoreError::Unavailable(_)) if shared.pools.db() == Db::Postgres => error,
        Err(error) => return Err(error),
    };
    for _ in 0..ASKS {
        if let Ok(mut tx) = shared.pools.write().await {
            let asked = tx
                .fetch_one(&COMMITS, vec![shared.worker.id.as_str().into()])
                .await;
            tx.rollback().await;
            if let Ok(row) = asked {
                let stands = row.map_or(Ok(0), |row: Row| row.int(0))?;
                return if stands >= number { Ok(()) } else { Err(error) };
            }
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
    Err(error)
}

async fn settle_memory(shared: &Shared, writes: &[Write], after: After) {
    shared.committed.notify_one();
    {
        let mut claims = shared.claims.lock().await;
        for send in &after.sends {
            claims.sends.remove(send);
        }
        for customer in &after.customers {
            claims.customers.remove(customer);
        }
    }
    if writes
        .iter()
        .any(|write| matches!(write, Write::Erase { .. } | Write::ForgetSource { .. }))
    {
        erase::shake_out(&shared.pools).await;
    }
}

/// Runs the sorts in an order that decides for safety: what came in first, so that an
/// opt-out moves the version under the barriers beside it.
async fn run_sorts(
    shared: &Shared,
    tx: &mut Tx,
    writes: &[Write],
    written: &mut [Option<Written>],
    after: &mut After,
) -> Result<(), StoreError> {
    accept_all(shared, tx, writes, written).await?;
    let done = gather(writes, settles);
    if !done.is_empty() {
        let answers = sends::settle(shared, tx, &done, after).await?;
        hand_out(writes, written, settles, answers, Written::Settled);
    }
    let plans = gather(writes, saves);
    if !plans.is_empty() {
        let answers = plans::save(tx, &plans, after).await?;
        hand_out(writes, written, saves, answers, Written::Saved);
    }
    let at = gather(writes, barriers);
    if !at.is_empty() {
        let answers = sends::barrier(shared, tx, &at, after).await?;
        hand_out(writes, written, barriers, answers, Written::Passed);
    }
    for (write, place) in writes.iter().zip(written.iter_mut()) {
        if place.is_none() {
            *place = Some(run_other(shared, tx, write, after).await?);
        }
    }
    Ok(())
}

fn settles(write: &Write) -> Option<&[Settle]> {
    match write {
        Write::Settle(done) => Some(done),
        _ => None,
    }
}

fn saves(write: &Write) -> Option<&[Saving]> {
    match write {
        Write::Save(plans) => Some(plans),
        _ => None,
    }
}

fn barriers(write: &Write) -> Option<&[Barrier]> {
    match write {
        Write::Barrier(at) => Some(at),
        _ => None,
    }
}

/// All requests of one sort as one list.
fn gather<T>(writes: &[Write], part: fn(&Write) -> Option<&[T]>) -> Vec<&T> {
    writes.iter().filter_map(part).flatten().collect()
}

/// Gives each request of the sort its part of the answers.
fn hand_out<T, A>(
    writes: &[Write],
    written: &mut [Option<Written>],
    part: fn(&Write) -> Option<&[T]>,
    answers: Vec<A>,
    wrap: fn(Vec<A>) -> Written,
) {
    let mut answers = answers.into_iter();
    for (write, place) in writes.iter().zip(written) {
        if let Some(mine) = part(write) {
            *place = Some(wrap(answers.by_ref().take(mine.len()).collect()));
        }
    }
}

async fn accept_all(
    shared: &Shared,
    tx: &mut Tx,
    writes: &[Write],
    written: &mut [Option<Written>],
) -> Result<(), StoreError> {
    let mut events = Vec::new();
    let mut bad = Vec::new();
    for write in writes {
        if let Write::Accept { batch, poison, now } = write {
            events.extend(batch.iter().map(|one| (one, *now)));
            bad.extend(poison.iter());
        }
    }
    let mut answers = if events.is_empty() && bad.is_empty() {
        Vec::new().into_iter()
    } else {
        accept::accept(&shared.secret, tx, &events, &bad)
            .await?
            .into_iter()
    };
    for (write, place) in writes.iter().zip(written) {
        if let Write::Accept { batch, .. } = write {
            *place = Some(Written::Accepted(
                answers.by_ref().take(batch.len()).collect(),
            ));
        }
    }
    Ok(())
}

async fn run_other(
    shared: &Shared,
    tx: &mut Tx,
    write: &Write,
    after: &mut After,
) -> Result<Written, StoreError> {
    Ok(match write {
        Write::ClaimCustomers { now, limit } => {
            Written::Customers(claims::claim_customers_in_rows(tx, *now, *limit).await?)
        }
        Write::ClaimSends { now, limit } => {
            Written::Claims(claims::claim_sends_in_rows(tx, &shared.worker, *now, *limit).await?)
        }
        Write::Release(of) => {
            claims::release_rows(tx, of).await?;
            Written::Count(of.len() as u64)
        }
        Write::Renew(of) => Written::Renewed(claims::renew_rows(tx, of).await?),
        Write::Recover { now } => {
            Written::Recovered(claims::recover(tx, &shared.worker, *now).await?)
        }
        Write::SetAside {
            customer,
            because,
            again_at,
            now: _,
        } => {
            plans::set_aside(tx, *customer, because, *again_at).await?;
            after.customers.push(*customer);
            Written::Count(1)
        }
        Write::Meta { key, value } => {
            upkeep::write_meta(tx, key, value).await?;
            Written::Count(1)
        }
        Write::WakeAll { now } => Written::Count(upkeep::wake_all(tx, *now).await?),
        Write::WakeWaiting { now } => {
            Written::Count(upkeep::wake_found(tx, &assignments::WHO_WAITS, *now).await?)
        }
        Write::WakeSome { after, now } => Written::Last(upkeep::wake_some(tx, *after, *now).await?),
        Write::Erase { customer, now } => {
            erase::erase(tx, &shared.secret, *customer, *now).await?;
            Written::Count(1)
        }
        Write::ForgetSource { source, up_to } => {
            Written::Count(privacy::forget_source(tx, &shared.secret, source, *up_to).await?)
        }
        Write::ExpireParked {
            up_to,
            because,
            now,
        } => Written::Count(privacy::expire(tx, *up_to, because, *now).await?),
        Write::DropQuarantined { id } => Written::Count(quarantine::remove(tx, *id).await?),
        Write::DismissQuarantined { id, because } => {
            Written::Count(quarantine::dismiss(tx, *id, because).await?)
        }
        Write::TriedQuarantined { id } => Written::Count(quarantine::tried(tx, *id).await?),
        Write::Asking(asking) => Written::Asked(polls::write(tx, &shared.worker, asking).await?),
        Write::Leave => {
            // On SQLite the rows are those of roles, not of processes.
            if tx.db() == Db::Postgres {
                open::leave(tx, &shared.worker.id).await?;
            }
            Written::Count(0)
        }
        Write::Nothing
        | Write::Accept { .. }
        | Write::Save(_)
        | Write::Barrier(_)
        | Write::Settle(_) => Written::Count(0),
    })
}

impl Write {
    /// How much of a commit it takes.
    fn weight(&self) -> usize {
        match self {
            Write::Accept { batch, poison, .. } => batch.len() + poison.len(),
            _ => 1,
        }
    }

    /// The instant at which it writes.
    fn instant(&self) -> Option<Timestamp> {
        match self {
            Write::Accept { now, .. }
            | Write::ClaimCustomers { now, .. }
            | Write::ClaimSends { now, .. }
            | Write::Recover { now }
            | Write::SetAside { now, .. }
            | Write::WakeAll { now }
            | Write::WakeWaiting { now }
            | Write::WakeSome { now, .. }
            | Write::ExpireParked { now, .. }
            | Write::Erase { now, .. } => Some(*now),
            Write::Save(plans) => plans.iter().map(|one| one.now).max(),
            Write::Barrier(at) => at.iter().map(|one| one.now).max(),
            Write::Settle(done) => done.iter().map(|one| one.now).max(),
            Write::Release(_)
            | Write::Renew(_)
            | Write::Meta { .. }
            | Write::ForgetSource { .. }
            | Write::DropQuarantined { .. }
            | Write::DismissQuarantined { .. }
            | Write::TriedQuarantined { .. }
            | Write::Asking(_)
            | Write::Leave
            | Write::Nothing => None,
        }
    }

    /// The people whom it is known to concern.
    fn customers(&self) -> Vec<CustomerId> {
        match self {
            Write::Save(plans) => plans.iter().map(|one| one.customer).collect(),
            Write::Barrier(at) => at.iter().map(|one| one.customer).collect(),
            Write::Settle(done) => done.iter().map(|one| one.customer).collect(),
            Write::SetAside { customer, .. } | Write::Erase { customer, .. } => vec![*customer],
            // Intake finds out itself, under a lock of its own.
            Write::Accept { .. }
            | Write::ClaimCustomers { .. }
            | Write::ClaimSends { .. }
            | Write::Release(_)
            | Write::Renew(_)
            | Write::Recover { .. }
            | Write::Meta { .. }
            | Write::WakeAll { .. }
            | Write::WakeWaiting { .. }
            | Write::WakeSome { .. }
            | Write::ForgetSource { .. }
            | Write::ExpireParked { .. }
            | Write::DropQuarantined { .. }
            | Write::DismissQuarantined { .. }
            | Write::TriedQuarantined { .. }
            | Write::Asking(_)
            | Write::Leave
            | Write::Nothing => Vec::new(),
        }
    }
}
