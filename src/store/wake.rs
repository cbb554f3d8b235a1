//! Waking: raising somebody's version and moving their wake-up forward, in the row and in
//! the due queue alike. The two never disagree.

use super::db::{Tx, Value, rows, statements};
use super::error::StoreError;
use crate::model::ids::CustomerId;
use crate::model::time::{Timestamp, to_ms};
use std::collections::BTreeMap;

statements! {
    /// Takes out of the queue those whose wake-up is going to move.
    WAKE_UNQUEUE = "DELETE FROM due WHERE what = 'c' AND id = '' AND (at, customer) IN (
            SELECT c.wake_at, c.id FROM rows($1: id BIGINT, at BIGINT) AS r
            JOIN customers c ON c.id = r.id WHERE c.wake_at > r.at)";
    WAKE = "UPDATE customers SET version = version + 1,
            wake_at = CASE WHEN wake_at IS NULL OR wake_at > r.at THEN r.at ELSE wake_at END
        FROM rows($1: id BIGINT, at BIGINT) AS r WHERE customers.id = r.id";
    WAKE_QUEUE = "INSERT INTO due (what, at, customer, id)
        SELECT 'c', c.wake_at, c.id, '' FROM rows($1: id BIGINT, at BIGINT) AS r
        JOIN customers c ON c.id = r.id WHERE c.wake_at IS NOT NULL
        ON CONFLICT DO NOTHING";
    UNQUEUE_CUSTOMERS = "DELETE FROM due WHERE what = 'c' AND id = '' AND (at, customer) IN (
            SELECT c.wake_at, c.id FROM rows($1: id BIGINT) AS r
            JOIN customers c ON c.id = r.id WHERE c.wake_at IS NOT NULL)";
    UNQUEUE_SENDS = "DELETE FROM due WHERE what = 's' AND (at, customer, id) IN (
            SELECT s.not_before, s.customer, s.id FROM rows($1: id TEXT) AS r
            JOIN sends s ON s.id = r.id WHERE s.not_before IS NOT NULL)";
    UNQUEUE_PLACES = "DELETE FROM due WHERE what = 's' AND (at, customer, id) IN (
            SELECT r.at, r.customer, r.id FROM rows($1: at BIGINT, customer BIGINT, id TEXT) AS r)";
    QUEUE_SENDS = "INSERT INTO due (what, at, customer, id)
        SELECT 's', s.not_before, s.customer, s.id FROM rows($1: id TEXT) AS r
        JOIN sends s ON s.id = r.id WHERE s.state = 'queued' AND s.not_before IS NOT NULL
        ON CONFLICT DO NOTHING";
}

/// Whom to wake when: each once, at the earliest instant named.
#[derive(Debug, Default)]
pub(super) struct Wakes(BTreeMap<CustomerId, Timestamp>);

impl Wakes {
    pub(super) fn add(&mut self, customer: CustomerId, at: Timestamp) {
        let earliest = self.0.entry(customer).or_insert(at);
        *earliest = at.min(*earliest);
    }

    /// Raises the versions and moves the wake-ups.
    pub(super) async fn wake(self, tx: &mut Tx) -> Result<(), StoreError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let list: Vec<(i64, i64)> = self.0.iter().map(|(who, at)| (who.0, to_ms(*at))).collect();
        wake_rows(tx, rows(&list)?).await
    }
}

/// Wakes a list of (customer, instant), each customer once.
pub(super) async fn wake_rows(tx: &mut Tx, list: Value) -> Result<(), StoreError> {
    tx.run(&WAKE_UNQUEUE, vec![list.clone()]).await?;
    tx.run(&WAKE, vec![list.clone()]).await?;
    tx.run(&WAKE_QUEUE, vec![list]).await?;
    Ok(())
}

/// Takes the wake-ups of these people out of the queue; their rows follow.
pub(super) async fn unqueue_customers(tx: &mut Tx, of: &[(i64,)]) -> Result<(), StoreError> {
    if !of.is_empty() {
        tx.run(&UNQUEUE_CUSTOMERS, vec![rows(of)?]).await?;
    }
    Ok(())
}

/// Takes these sends out of the queue, before their rows change.
pub(super) async fn unqueue_sends(tx: &mut Tx, of: &[(String,)]) -> Result<(), StoreError> {
    if !of.is_empty() {
        tx.run(&UNQUEUE_SENDS, vec![rows(of)?]).await?;
    }
    Ok(())
}

/// Takes sends out of the queue whose places are known; gives how many were there.
pub(super) async fn unqueue_places(
    tx: &mut Tx,
    of: &[(i64, i64, String)],
) -> Result<u64, StoreError> {
    if of.is_empty() {
        return Ok(0);
    }
    tx.run(&UNQUEUE_PLACES, vec![rows(of)?]).await
}

/// Puts those of these sends into the queue whose rows say that they are queued.
pub(super) async fn queue_sends(tx: &mut Tx, of: &[(String,)]) -> Result<(), StoreError> {
    if !of.is_empty() {
        tx.run(&QUEUE_SENDS, vec![rows(of)?]).await?;
    }
    Ok(())
}
