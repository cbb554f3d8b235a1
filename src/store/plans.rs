//! Saving plans: the decisions exactly as planned, where the customer is still as the
//! planner saw them. Nothing is computed here.

use super::Store;
use super::assignments::Lines;
use super::db::{Row, Tx, rows, statements};
use super::error::StoreError;
use super::rows::{enrolment_row, json, send_row};
use super::wake;
use super::writer::{After, Write, expect_written};
use crate::model::ids::{CustomerId, SendId};
use crate::model::time::{Timestamp, to_ms};
use crate::plan::decision::{Decision, Plan};
use std::collections::HashSet;

/// A plan to save.
#[derive(Debug, Clone)]
pub struct Saving {
    pub customer: CustomerId,
    /// Of the history that was planned.
    pub version: i64,
    /// The instant that was planned at.
    pub now: Timestamp,
    pub plan: Plan,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    Done,
    /// The customer has moved since: read and plan again. Nothing was written.
    Stale,
}

statements! {
    /// Those whose wake-up goes, where the version stands.
    SAVE_UNQUEUE = "DELETE FROM due WHERE what = 'c' AND id = '' AND (at, customer) IN (
            SELECT c.wake_at, c.id FROM rows($1: id BIGINT, version BIGINT, now BIGINT, wake_at BIGINT) AS r
            JOIN customers c ON c.id = r.id AND c.version = r.version WHERE c.wake_at IS NOT NULL)";
    SAVE_CUSTOMERS = "UPDATE customers SET version = customers.version + 1, considered_at = r.now, wake_at = r.wake_at,
            failures = 0, failed_because = NULL
        FROM rows($1: id BIGINT, version BIGINT, now BIGINT, wake_at BIGINT) AS r
        WHERE customers.id = r.id AND customers.version = r.version RETURNING customers.id";
    SAVE_QUEUE = "INSERT INTO due (what, at, customer, id)
        SELECT 'c', c.wake_at, c.id, '' FROM rows($1: id BIGINT) AS r
        JOIN customers c ON c.id = r.id WHERE c.wake_at IS NOT NULL ON CONFLICT DO NOTHING";
    CONSIDER_EVENTS = "UPDATE events SET considered = 1
        WHERE considered = 0 AND customer IN (SELECT r.id FROM rows($1: id BIGINT) AS r)";
    CONSIDER_SENDS = "UPDATE sends SET considered = 1
        WHERE state = 'accepted' AND considered = 0 AND customer IN (SELECT r.id FROM rows($1: id BIGINT) AS r)";
    ENROL = "INSERT INTO enrolments (customer, id, sequence, state, detail)
        SELECT r.customer, r.id, r.sequence, r.state, r.detail
        FROM rows($1: customer BIGINT, id TEXT, sequence TEXT, state TEXT, detail TEXT) AS r
        WHERE 1 = 1 ON CONFLICT (customer, id) DO NOTHING";
    UPDATE_ENROLMENTS = "UPDATE enrolments SET sequence = r.sequence, state = r.state, detail = r.detail
        FROM rows($1: customer BIGINT, id TEXT, sequence TEXT, state TEXT, detail TEXT) AS r
        WHERE enrolments.customer = r.customer AND enrolments.id = r.id";
    /// Ids are derived, so a second time is a no-op.
    DECIDE = "INSERT INTO sends (id, customer, enrolment, sequence, step, kind, state, due, at, not_before, considered, detail)
        SELECT r.id, r.customer, r.enrolment, r.sequence, r.step, r.kind, r.state, r.due, r.at, r.not_before, r.considered, r.detail
        FROM rows($1: id TEXT, customer BIGINT, enrolment TEXT, sequence TEXT, step TEXT, kind TEXT, state TEXT, due BIGINT,
            at BIGINT, not_before BIGINT, considered BIGINT, detail TEXT) AS r
        WHERE 1 = 1 ON CONFLICT (id) DO NOTHING RETURNING id";
    /// Never one that is past its barrier, and none that is settled for good. A worker
    /// that holds it before the barrier loses it.
    REVISE = "UPDATE sends SET sequence = r.sequence, step = r.step, state = r.state, due = r.due, at = r.at, not_before = r.not_before, considered = r.considered,
            detail = r.detail, phase = NULL, owner = NULL, lease_until = NULL
        FROM rows($1: id TEXT, customer BIGINT, enrolment TEXT, sequence TEXT, step TEXT, kind TEXT, state TEXT, due BIGINT,
            at BIGINT, not_before BIGINT, considered BIGINT, detail TEXT) AS r
        WHERE sends.id = r.id AND sends.customer = r.customer
            AND (sends.state IN ('queued', 'held', 'uncertain') OR sends.state = 'sending' AND sends.phase = 'prepared')
        RETURNING sends.id";
    SAVE_OUTLOOKS = "INSERT INTO outlooks (customer, detail)
        SELECT r.customer, r.detail FROM rows($1: customer BIGINT, detail TEXT) AS r
        WHERE 1 = 1 ON CONFLICT (customer) DO UPDATE SET detail = excluded.detail";
    CLEAR_OUTLOOKS = "DELETE FROM outlooks WHERE customer IN (SELECT r.id FROM rows($1: id BIGINT) AS r)";
    SET_ASIDE = "UPDATE customers SET failures = failures + 1, failed_because = $2, wake_at = $3 WHERE id = $1";
    AWAKEN = "INSERT INTO due (what, at, customer, id)
        SELECT 'c', wake_at, id, '' FROM customers WHERE id = $1 AND wake_at IS NOT NULL ON CONFLICT DO NOTHING";
    FAILURES = "SELECT failures FROM customers WHERE id = $1";
}

impl Store {
    /// Writes plans, each where the version that it was made from still stands: its
    /// decisions, its outlook, its wake-up; and marks what it has considered.
    ///
    /// # Errors
    /// Where the database refuses or is out of reach; then none was saved.
    pub async fn save(&self, plans: Vec<Saving>) -> Result<Vec<Saved>, StoreError> {
        if plans.is_empty() {
            return Ok(Vec::new());
        }
        let customers: Vec<CustomerId> = plans.iter().map(|one| one.customer).collect();
        let written = self.write(Write::Save(plans)).await;
        if written.is_err() {
            self.release_customers(&customers).await;
        }
        expect_written!(written?, Saved)
    }

    /// Sets somebody aside whose rows do not parse or whose plan failed: counts the
    /// failure and looks again at `again_at`, or only when something new happens.
    ///
    /// # Errors
    /// Where the database refuses or is out of reach.
    pub async fn set_aside(
        &self,
        customer: CustomerId,
        because: &str,
        again_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let because = because.to_owned();
        self.write(Write::SetAside {
            customer,
            because,
            again_at,
            now,
        })
        .await?;
        Ok(())
    }

    /// How often in a row planning somebody failed.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn failures(&self, customer: CustomerId) -> Result<i64, StoreError> {
        let mut tx = self.shared.pools.read().await?;
        let row = tx.fetch_one(&FAILURES, vec![customer.0.into()]).await?;
        tx.rollback().await;
        row.map_or(Ok(0), |row| row.int(0))
    }
}

/// Saves plans inside a transaction; the answers are in their order.
pub(super) async fn save(
    tx: &mut Tx,
    plans: &[&Saving],
    after: &mut After,
) -> Result<Vec<Saved>, StoreError> {
    // One plan a person: a second one was made from the same version, so it is stale.
    let mut seen = HashSet::new();
    let first: Vec<bool> = plans.iter().map(|one| seen.insert(one.customer)).collect();
    let people: Vec<(i64, i64, i64, Option<i64>)> = plans
        .iter()
        .zip(&first)
        .filter(|(_, first)| **first)
        .map(|(one, _)| {
            (
                one.customer.0,
                one.version,
                to_ms(one.now),
                one.plan.wake_at.map(to_ms),
            )
        })
        .collect();
    let people = rows(&people)?;
    tx.run(&SAVE_UNQUEUE, vec![people.clone()]).await?;
    let standing: HashSet<i64> = tx
        .fetch(&SAVE_CUSTOMERS, vec![people])
        .await?
        .iter()
        .map(|row| row.int(0))
        .collect::<Result<_, _>>()?;
    let saved: Vec<Saved> = plans
        .iter()
        .zip(first)
        .map(|(one, first)| {
            if first && standing.contains(&one.customer.0) {
                Saved::Done
            } else {
                Saved::Stale
            }
        })
        .collect();
    after.customers.extend(plans.iter().map(|one| one.customer));
    let done: Vec<&Saving> = plans
        .iter()
        .zip(&saved)
        .filter(|(_, saved)| **saved == Saved::Done)
        .map(|(one, _)| *one)
        .collect();
    if !done.is_empty() {
        write_decisions(tx, &done, after).await?;
    }
    Ok(saved)
}

async fn write_decisions(
    tx: &mut Tx,
    plans: &[&Saving],
    after: &mut After,
) -> Result<(), StoreError> {
    let people: Vec<(i64,)> = plans.iter().map(|one| (one.customer.0,)).collect();
    let people = rows(&people)?;
    tx.run(&SAVE_QUEUE, vec![people.clone()]).await?;
    tx.run(&CONSIDER_EVENTS, vec![people.clone()]).await?;
    tx.run(&CONSIDER_SENDS, vec![people]).await?;
    let (mut enrol, mut update, mut decide, mut revise) = (vec![], vec![], vec![], vec![]);
    let (mut outlooks, mut none) = (vec![], vec![]);
    let mut lines = Lines::default();
    for one in plans {
        for decision in &one.plan.decisions {
            match decision {
                Decision::Assign(of) => lines.assign(one.customer, of),
                Decision::Await(of) => lines.begin(one.customer, of)?,
                Decision::Settle(of) => lines.settle(one.customer, of),
                Decision::Enrol(of) => enrol.push(enrolment_row(one.customer, of)?),
                Decision::Update(of) => update.push(enrolment_row(one.customer, of)?),
                Decision::Decide(send) => decide.push(send_row(one.customer, send)?),
                Decision::Revise(send) => {
                    // The last word of a plan about one send counts.
                    let row = send_row(one.customer, send)?;
                    revise.retain(|had: &super::rows::SendRow| had.0 != row.0);
                    revise.push(row);
                }
            }
        }
        if one.plan.outlook.is_empty() {
            none.push((one.customer.0,));
        } else {
            outlooks.push((one.customer.0, json(&one.plan.outlook)?));
        }
    }
    lines.write(tx).await?;
    if !enrol.is_empty() {
        tx.run(&ENROL, vec![rows(&enrol)?]).await?;
    }
    if !update.is_empty() {
        // A later update of the same enrolment wins.
        let mut seen = HashSet::new();
        update.reverse();
        update.retain(|row| seen.insert(row.1.clone()));
        tx.run(&UPDATE_ENROLMENTS, vec![rows(&update)?]).await?;
    }
    if !decide.is_empty() {
        let inserted = tx.fetch(&DECIDE, vec![rows(&decide)?]).await?;
        wake::queue_sends(tx, &ids(&inserted)?).await?;
    }
    if !revise.is_empty() {
        let all: Vec<(String,)> = revise.iter().map(|row| (row.0.clone(),)).collect();
        wake::unqueue_sends(tx, &all).await?;
        let revised = tx.fetch(&REVISE, vec![rows(&revise)?]).await?;
        // Also those that could not be revised: their rows say whether they are queued.
        wake::queue_sends(tx, &all).await?;
        for (id,) in ids(&revised)? {
            after.sends.extend(id.parse::<SendId>().ok());
        }
    }
    if !outlooks.is_empty() {
        tx.run(&SAVE_OUTLOOKS, vec![rows(&outlooks)?]).await?;
    }
    if !none.is_empty() {
        tx.run(&CLEAR_OUTLOOKS, vec![rows(&none)?]).await?;
    }
    Ok(())
}

/// The first column of each row, as a list of one column.
pub(super) fn ids(of: &[Row]) -> Result<Vec<(String,)>, StoreError> {
    of.iter().map(|row| Ok((row.text(0)?,))).collect()
}

/// Sets somebody aside inside a transaction.
pub(super) async fn set_aside(
    tx: &mut Tx,
    customer: CustomerId,
    because: &str,
    again_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    wake::unqueue_customers(tx, &[(customer.0,)]).await?;
    tx.run(
        &SET_ASIDE,
        vec![
            customer.0.into(),
            because.into(),
            again_at.map(to_ms).into(),
        ],
    )
    .await?;
    tx.run(&AWAKEN, vec![customer.0.into()]).await?;
    Ok(())
}
