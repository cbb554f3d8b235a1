//! Which arm of an experiment somebody is in, and which facts wait for the catalogue:
//! rows written as the planner decided them, read with the rest of a history, and counted
//! for people who look.

use super::Store;
use super::db::{Row, Tx, rows, statements};
use super::error::{Corrupt, StoreError};
use super::rows::{Read, corrupt, json, place};
use super::writer::{Write, Written};
use crate::model::assignment::Assignment;
use crate::model::ids::CustomerId;
use crate::model::time::{Timestamp, from_ms, to_ms};
use crate::model::waiting::Waiting;

statements! {
    /// The first one stays, whoever plans twice.
    ASSIGN = "INSERT INTO assignments (customer, experiment, drawn_for, arm, at, version)
        SELECT r.customer, r.experiment, r.drawn_for, r.arm, r.at, r.version
        FROM rows($1: customer BIGINT, experiment TEXT, drawn_for BIGINT, arm TEXT, at BIGINT, version TEXT) AS r
        WHERE 1 = 1 ON CONFLICT DO NOTHING";
    AWAIT = "INSERT INTO waiting (customer, id, began_for, product, until, detail)
        SELECT r.customer, r.id, r.began_for, r.product, r.until, r.detail
        FROM rows($1: customer BIGINT, id TEXT, began_for BIGINT, product TEXT, until BIGINT, detail TEXT) AS r
        WHERE 1 = 1 ON CONFLICT DO NOTHING";
    SETTLE = "DELETE FROM waiting WHERE (customer, id) IN (
            SELECT r.customer, r.id FROM rows($1: customer BIGINT, id TEXT) AS r)";
    ASSIGNMENTS = "SELECT a.customer, a.experiment, a.drawn_for, a.arm, a.at, a.version
        FROM rows($1: id BIGINT) AS r JOIN assignments a ON a.customer = r.id";
    WAITING = "SELECT w.customer, w.id, w.detail
        FROM rows($1: id BIGINT) AS r JOIN waiting w ON w.customer = r.id";
    MERGE_ASSIGNMENTS = "UPDATE assignments SET customer = $2 WHERE customer = $1";
    MERGE_WAITING = "UPDATE waiting SET customer = $2 WHERE customer = $1";
    FORGET_WAITING = "DELETE FROM waiting WHERE customer = $1";
    ARMS = "SELECT experiment, arm, COUNT(*) FROM assignments GROUP BY experiment, arm ORDER BY experiment, arm";
    AWAITED = "SELECT product, COUNT(*), CAST(MIN(until) AS BIGINT) FROM waiting GROUP BY product ORDER BY product";
    WHO_WAITS = "SELECT DISTINCT customer FROM waiting";
}

/// How many draws an arm of an experiment has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    pub experiment: String,
    /// The arm, or `holdout`.
    pub arm: String,
    pub people: i64,
}

/// A product that facts wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    /// As the order calls it: a SKU or a product id.
    pub product: String,
    pub facts: i64,
    /// When the first of them stops waiting.
    pub until: Timestamp,
}

impl Store {
    /// How many people each arm of each experiment has; both draws of merged people count.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn drawn(&self) -> Result<Vec<Drawn>, StoreError> {
        let mut tx = self.shared.pools.read().await?;
        let found = tx.fetch(&ARMS, vec![]).await?;
        tx.rollback().await;
        found
            .iter()
            .map(|row| {
                Ok(Drawn {
                    experiment: row.text(0)?,
                    arm: row.text(1)?,
                    people: row.int(2)?,
                })
            })
            .collect()
    }

    /// The products that facts wait for.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn awaited(&self) -> Result<Vec<Awaited>, StoreError> {
        let mut tx = self.shared.pools.read().await?;
        let found = tx.fetch(&AWAITED, vec![]).await?;
        tx.rollback().await;
        found
            .iter()
            .map(|row| {
                Ok(Awaited {
                    product: row.text(0)?,
                    facts: row.int(1)?,
                    until: from_ms(row.int(2)?),
                })
            })
            .collect()
    }

    /// Wakes everybody of whom something waits for the catalogue; gives how many.
    ///
    /// # Errors
    /// Where the database refuses or is out of reach.
    pub async fn wake_waiting(&self, now: Timestamp) -> Result<u64, StoreError> {
        match self.write(Write::WakeWaiting { now }).await? {
            Written::Count(count) => Ok(count),
            _ => Ok(0),
        }
    }
}

/// What one batch of plans says of arms and of waiting.
#[derive(Debug, Default)]
pub(super) struct Lines {
    assigned: Vec<(i64, String, i64, String, i64, String)>,
    begun: Vec<(i64, String, i64, String, i64, String)>,
    settled: Vec<(i64, String)>,
}

impl Lines {
    pub(super) fn assign(&mut self, customer: CustomerId, of: &Assignment) {
        self.assigned.push((
            customer.0,
            of.experiment.clone(),
            of.customer.0,
            of.arm.clone(),
            to_ms(of.at),
            of.version.clone(),
        ));
    }

    pub(super) fn begin(&mut self, customer: CustomerId, of: &Waiting) -> Result<(), StoreError> {
        self.begun.push((
            customer.0,
            of.id(),
            of.customer.0,
            of.product.clone(),
            to_ms(of.until),
            json(of)?,
        ));
        Ok(())
    }

    pub(super) fn settle(&mut self, customer: CustomerId, of: &Waiting) {
        self.settled.push((customer.0, of.id()));
    }

    pub(super) async fn write(self, tx: &mut Tx) -> Result<(), StoreError> {
        if !self.assigned.is_empty() {
            tx.run(&ASSIGN, vec![rows(&self.assigned)?]).await?;
        }
        if !self.begun.is_empty() {
            tx.run(&AWAIT, vec![rows(&self.begun)?]).await?;
        }
        if !self.settled.is_empty() {
            tx.run(&SETTLE, vec![rows(&self.settled)?]).await?;
        }
        Ok(())
    }
}

/// Moves everything of one person to another.
pub(super) async fn merge(
    tx: &mut Tx,
    from: CustomerId,
    into: CustomerId,
) -> Result<(), StoreError> {
    let pair = vec![from.0.into(), into.0.into()];
    tx.run(&MERGE_ASSIGNMENTS, pair.clone()).await?;
    tx.run(&MERGE_WAITING, pair).await?;
    Ok(())
}

/// Nothing more starts for who was forgotten. The arm stays: it names nobody.
pub(super) async fn forget(tx: &mut Tx, customer: CustomerId) -> Result<(), StoreError> {
    tx.run(&FORGET_WAITING, vec![customer.0.into()]).await?;
    Ok(())
}

/// Reads a row of [`ASSIGNMENTS`].
pub(super) fn assignment(row: &Row) -> Result<(CustomerId, Read<Assignment>), StoreError> {
    let read = Ok(Assignment {
        experiment: row.text(1)?,
        customer: CustomerId(row.int(2)?),
        arm: row.text(3)?,
        at: from_ms(row.int(4)?),
        version: row.text(5)?,
    });
    Ok((CustomerId(row.int(0)?), read))
}

/// Reads a row of [`WAITING`].
pub(super) fn waiting(row: &Row) -> Result<(CustomerId, Read<Waiting>), StoreError> {
    let id = row.text(1)?;
    let detail = row.text(2)?;
    let read: Result<Waiting, Corrupt> = serde_json::from_str(&detail)
        .map_err(|error| corrupt("waiting", "detail", &id, place(&error)));
    Ok((CustomerId(row.int(0)?), read))
}
