//! The last steps of a send: the barrier before the final dot, and the outcome after it.
//!
//! A barrier holds only for a claim that still stands and for the very customer that was
//! cleared; once it is committed, the send is past recall until its outcome is written.

use super::db::{Db, Tx, rows, statements};
use super::error::StoreError;
use super::rows::{json, send_row};
use super::wake::{self, Wakes};
use super::writer::{After, Write, expect_written};
use super::{Shared, Store};
use crate::model::ids::{CustomerId, SendId};
use crate::model::send::{Prepared, Send, SendState};
use crate::model::time::{Timestamp, to_ms};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Lease from the barrier on: ten minutes for the reply to the dot, one for the commit,
/// one for clocks.
pub(super) const DOT_LEASE_MS: i64 = 12 * 60 * 1000;

/// A send at its barrier.
#[derive(Debug, Clone)]
pub struct Barrier {
    pub send: SendId,
    pub customer: CustomerId,
    /// Of the history that was cleared.
    pub version: i64,
    /// Of the claim.
    pub fence: i64,
    /// What makes its bytes again.
    pub prepared: Arc<Prepared>,
    pub now: Timestamp,
}

/// Whether the dot may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    /// It is committed: the dot may go out.
    Yes,
    /// The customer has moved, to this version: clear again.
    Moved(i64),
    /// The claim no longer stands: close without the dot.
    Lost,
}

/// The outcome of a claim.
#[derive(Debug, Clone)]
pub struct Settle {
    pub customer: CustomerId,
    /// The whole new value. Its `prepared` is not written: the barrier has done that.
    pub send: Send,
    /// Of the claim.
    pub fence: i64,
    pub now: Timestamp,
}

/// Whether it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    Done,
    /// The claim no longer stands, and the outcome is no evidence: nothing was written.
    Lost,
}

statements! {
    /// Marks the sends of which nothing but the reply can be learnt from now on.
    BARRIER = {
        sqlite: "UPDATE sends SET state = 'sending', phase = 'dot', fence = r.fence, at = r.at
            FROM rows($1: id TEXT, customer BIGINT, version BIGINT, fence BIGINT, at BIGINT) AS r, customers AS c
            WHERE sends.id = r.id AND sends.customer = r.customer AND c.id = r.customer AND c.version = r.version
                AND sends.state = 'queued' RETURNING sends.id",
        postgres: "UPDATE sends SET state = 'sending', phase = 'dot', at = r.at,
                lease_until = (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT + $2
            FROM rows($1: id TEXT, customer BIGINT, version BIGINT, fence BIGINT, at BIGINT) AS r, customers AS c
            WHERE sends.id = r.id AND sends.customer = r.customer AND c.id = r.customer AND c.version = r.version
                AND sends.state = 'sending' AND sends.phase = 'prepared' AND sends.fence = r.fence AND sends.owner = $3
                AND sends.lease_until > (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT
            RETURNING sends.id",
    };
    PREPARE = "INSERT INTO prepared (send, recipient, detail)
        SELECT r.send, r.recipient, r.detail FROM rows($1: send TEXT, recipient TEXT, detail TEXT) AS r
        WHERE 1 = 1 ON CONFLICT (send) DO UPDATE SET recipient = excluded.recipient, detail = excluded.detail";
    VERSIONS = "SELECT c.id, c.version FROM rows($1: id BIGINT) AS r JOIN customers c ON c.id = r.id";
    /// An outcome is written where the claim stands; acceptance also as evidence, where
    /// the claim once stood (the fence says so) and nothing final was written since.
    SETTLE = "UPDATE sends SET state = r.state, due = r.due, at = r.at, not_before = r.not_before, considered = r.considered,
            detail = r.detail, phase = NULL, owner = NULL, lease_until = NULL
        FROM rows($1: id TEXT, customer BIGINT, enrolment TEXT, sequence TEXT, step TEXT, kind TEXT, state TEXT, due BIGINT,
            at BIGINT, not_before BIGINT, considered BIGINT, detail TEXT, fence BIGINT, in_memory BIGINT) AS r
        WHERE sends.id = r.id AND (
            sends.state = 'sending' AND sends.fence = r.fence
            OR sends.state = 'queued' AND r.in_memory = 1
            OR r.state = 'accepted' AND sends.fence >= r.fence AND (
                sends.state IN ('uncertain', 'unknown', 'queued', 'held')
                OR sends.state = 'sending' AND sends.phase = 'prepared'))
        RETURNING sends.id, sends.customer";
}

impl Store {
    /// Marks sends as past recall, in one commit for all: each only while its claim
    /// stands and the customer is at the version that was cleared.
    ///
    /// # Errors
    /// Then no barrier was passed, and no dot may follow.
    pub async fn barrier(&self, at: Vec<Barrier>) -> Result<Vec<Passed>, StoreError> {
        if at.is_empty() {
            return Ok(Vec::new());
        }
        expect_written!(self.write(Write::Barrier(at)).await?, Passed)
    }

    /// Writes outcomes: accepted, refused, skipped, held, uncertain, or queued again.
    /// Wakes the customers and raises their versions.
    ///
    /// # Errors
    /// Then nothing is known to be written: keep the outcome and settle again.
    pub async fn settle(&self, done: Vec<Settle>) -> Result<Vec<Settled>, StoreError> {
        if done.is_empty() {
            return Ok(Vec::new());
        }
        expect_written!(self.write(Write::Settle(done)).await?, Settled)
    }
}

pub(super) async fn barrier(
    shared: &Shared,
    tx: &mut Tx,
    at: &[&Barrier],
    after: &mut After,
) -> Result<Vec<Passed>, StoreError> {
    let mut seen: HashSet<SendId> = HashSet::new();
    let held: Vec<bool> = {
        let claims = shared.claims.lock().await;
        at.iter()
            .map(|one| {
                // Once a transaction, and on SQLite only what is claimed and was not
                // taken away by a plan beside us.
                seen.insert(one.send)
                    && match tx.db() {
                        Db::Sqlite => {
                            one.fence == shared.worker.fence
                                && claims.sends.contains_key(&one.send)
                                && !after.sends.contains(&one.send)
                        }
                        Db::Postgres => true,
                    }
            })
            .collect()
    };
    let list: Vec<(String, i64, i64, i64, i64)> = at
        .iter()
        .zip(&held)
        .filter(|(_, held)| **held)
        .map(|(one, _)| {
            (
                one.send.to_string(),
                one.customer.0,
                one.version,
                one.fence,
                to_ms(one.now),
            )
        })
        .collect();
    let mut values = vec![rows(&list)?];
    if tx.db() == Db::Postgres {
        values.push(DOT_LEASE_MS.into());
        values.push(shared.worker.id.as_str().into());
    }
    let passed: HashSet<String> = tx
        .fetch(&BARRIER, values)
        .await?
        .iter()
        .map(|row| row.text(0))
        .collect::<Result<_, _>>()?;
    let mut answers = Vec::with_capacity(at.len());
    let (mut prepared, mut open) = (vec![], vec![]);
    for (one, held) in at.iter().zip(held) {
        if held && passed.contains(&one.send.to_string()) {
            prepared.push((
                one.send.to_string(),
                one.prepared.to.as_str(),
                json(&*one.prepared)?,
            ));
            answers.push(Passed::Yes);
        } else {
            if held {
                open.push((one.customer.0,));
            }
            answers.push(Passed::Lost);
        }
    }
    if !prepared.is_empty() {
        tx.run(&PREPARE, vec![rows(&prepared)?]).await?;
    }
    if !open.is_empty() {
        let mut versions = HashMap::new();
        for row in tx.fetch(&VERSIONS, vec![rows(&open)?]).await? {
            versions.insert(row.int(0)?, row.int(1)?);
        }
        for (one, answer) in at.iter().zip(&mut answers) {
            let found = versions.get(&one.customer.0).copied();
            if *answer == Passed::Lost && found.is_some_and(|version| version != one.version) {
                *answer = Passed::Moved(found.unwrap_or_default());
            }
        }
    }
    Ok(answers)
}

pub(super) async fn settle(
    shared: &Shared,
    tx: &mut Tx,
    done: &[&Settle],
    after: &mut After,
) -> Result<Vec<Settled>, StoreError> {
    let mut seen: HashSet<SendId> = HashSet::new();
    let mut list = Vec::with_capacity(done.len());
    let (mut places, mut others) = (vec![], vec![]);
    {
        let claims = shared.claims.lock().await;
        for one in done {
            // `Sending` is no outcome.
            if matches!(one.send.state, SendState::Sending { .. }) || !seen.insert(one.send.id) {
                continue;
            }
            let claimed = (one.fence == shared.worker.fence)
                .then(|| claims.sends.get(&one.send.id))
                .flatten();
            let in_memory = claimed.is_some();
            let row = send_row(one.customer, &one.send)?;
            match claimed {
                Some(at) => places.push((*at, one.customer.0, row.0.clone())),
                None => others.push((row.0.clone(),)),
            }
            list.push(Outcome(row, one.fence, i64::from(in_memory)));
        }
    }
    if wake::unqueue_places(tx, &places).await? < places.len() as u64 {
        // Somebody was merged since the claim, and their places moved with them.
        others.extend(places.into_iter().map(|(_, _, id)| (id,)));
    }
    wake::unqueue_sends(tx, &others).await?;
    let mut written: HashMap<String, i64> = HashMap::new();
    for row in tx.fetch(&SETTLE, vec![rows(&list)?]).await? {
        written.insert(row.text(0)?, row.int(1)?);
    }
    // Those that wait for a retry, and those that were not ours to settle.
    let queued: Vec<(String,)> = list
        .iter()
        .filter(|one| one.0.6 == "queued" || !written.contains_key(&one.0.0))
        .map(|one| (one.0.0.clone(),))
        .collect();
    wake::queue_sends(tx, &queued).await?;
    let mut wakes = Wakes::default();
    let mut answers = Vec::with_capacity(done.len());
    let mut told: HashSet<SendId> = HashSet::new();
    for one in done {
        match written.get(&one.send.id.to_string()) {
            Some(customer) if told.insert(one.send.id) => {
                // A merge may have given the send to another number meanwhile.
                wakes.add(CustomerId(*customer), one.now);
                answers.push(Settled::Done);
            }
            _ => answers.push(Settled::Lost),
        }
        // A claim of a former start is not the one in memory.
        if one.fence == shared.worker.fence {
            after.sends.push(one.send.id);
        }
    }
    wakes.wake(tx).await?;
    Ok(answers)
}

/// A send's row with what its claim says; one list of columns for the statement.
#[derive(Debug)]
struct Outcome(super::rows::SendRow, i64, i64);

impl serde::Serialize for Outcome {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let (
            id,
            customer,
            enrolment,
            sequence,
            step,
            kind,
            state,
            due,
            at,
            not_before,
            considered,
            detail,
        ) = &self.0;
        (
            id, customer, enrolment, sequence, step, kind, state, due, at, not_before, considered,
            detail, self.1, self.2,
        )
            .serialize(to)
    }
}
