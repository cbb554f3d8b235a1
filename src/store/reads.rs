//! Histories: everything about some people, read as it stood at one moment, in a handful
//! of statements for the whole batch.

use super::Store;
use super::assignments::{self, ASSIGNMENTS, WAITING};
use super::db::{rows, statements};
use super::error::{Corrupt, StoreError};
use super::rows::{enrolment as read_enrolment, event as read_event, send as read_send};
use crate::model::event::Event;
use crate::model::history::History;
use crate::model::ids::{CustomerId, SendId};
use crate::model::send::Send;
use crate::model::time::{Timestamp, from_ms, to_ms};
use crate::model::waiting::Waiting;
use std::collections::HashMap;

statements! {
    CUSTOMERS = "SELECT c.id, c.version, c.considered_at, c.erased, c.absorbed
        FROM rows($1: id BIGINT) AS r JOIN customers c ON c.id = r.id";
    EVENTS = "SELECT e.seq, e.customer, e.source, e.id, e.kind, e.time, e.recorded, e.considered, e.mode, e.misdated, e.sequence,
            e.partition, e.subject, e.body
        FROM rows($1: id BIGINT) AS r JOIN events e ON e.customer = r.id";
    ENROLMENTS = "SELECT e.customer, e.id, e.detail
        FROM rows($1: id BIGINT) AS r JOIN enrolments e ON e.customer = r.id";
    /// What makes the bytes again is read for those only that may still be sent again.
    SENDS = "SELECT s.customer, s.id, s.state, s.at, s.phase, s.fence, s.considered, s.detail, p.detail
        FROM rows($1: id BIGINT) AS r JOIN sends s ON s.customer = r.id
        LEFT JOIN prepared p ON p.send = s.id AND s.state IN ('queued', 'sending', 'held', 'uncertain')";
    SEND = "SELECT s.customer, s.id, s.state, s.at, s.phase, s.fence, s.considered, s.detail, p.detail
        FROM sends s LEFT JOIN prepared p ON p.send = s.id WHERE s.id = $1";
    PRODUCTS = "SELECT e.seq, e.customer, e.source, e.id, e.kind, e.time, e.recorded, e.considered, e.mode, e.misdated, e.sequence,
            e.partition, e.subject, e.body
        FROM events e WHERE e.customer = 0 AND e.kind = 'product.updated' ORDER BY e.seq";
    /// Whose parcels arrived, the latest first.
    DELIVERED = "SELECT e.customer, MAX(e.seq) FROM events e WHERE e.kind = 'shipment.delivered' AND e.customer <> 0 AND e.recorded >= $1
        GROUP BY e.customer ORDER BY 2 DESC LIMIT $2";
    PRODUCTS_SEEN = "SELECT CAST(COALESCE(MAX(seq), 0) AS BIGINT) FROM events WHERE customer = 0 AND kind = 'product.updated'";
}

impl Store {
    /// The histories of some people, in the order asked for. A row that does not parse
    /// concerns its own person only; somebody unknown has an empty history.
    ///
    /// Sends that are settled for good come without what makes their bytes
    /// ([`Store::send`] has it).
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn histories(
        &self,
        of: &[CustomerId],
    ) -> Result<Vec<Result<History, Corrupt>>, StoreError> {
        if of.is_empty() {
            return Ok(Vec::new());
        }
        let mut people: Vec<(i64,)> = of.iter().map(|one| (one.0,)).collect();
        people.sort_unstable();
        people.dedup();
        let once = people.len() == of.len();
        let people = rows(&people)?;
        let mut tx = self.shared.pools.read().await?;
        let customers = tx.fetch(&CUSTOMERS, vec![people.clone()]).await?;
        let events = tx.fetch(&EVENTS, vec![people.clone()]).await?;
        let enrolments = tx.fetch(&ENROLMENTS, vec![people.clone()]).await?;
        let sends = tx.fetch(&SENDS, vec![people.clone()]).await?;
        let assigned = tx.fetch(&ASSIGNMENTS, vec![people.clone()]).await?;
        let waiting = tx.fetch(&WAITING, vec![people]).await?;
        tx.rollback().await;

        let mut found: HashMap<CustomerId, Result<History, Corrupt>> =
            HashMap::with_capacity(of.len());
        for row in &customers {
            let customer = CustomerId(row.int(0)?);
            let absorbed = row.text(4)?;
            let history = History {
                version: row.int(1)?,
                considered_at: row.maybe_int(2)?.map(from_ms),
                erased: row.int(3)? != 0,
                ..History::new(customer)
            };
            let history = match serde_json::from_str(&absorbed) {
                Ok(absorbed) => Ok(History {
                    absorbed,
                    ..history
                }),
                Err(_) => Err(Corrupt {
                    table: "customers",
                    column: "absorbed",
                    id: customer.to_string(),
                    found: "no list of numbers".to_owned(),
                }),
            };
            found.insert(customer, history);
        }
        for row in &events {
            let (customer, event) = read_event(row)?;
            add(&mut found, customer, event, |history, event| {
                history.events.push(event)
            });
        }
        for row in &enrolments {
            let (customer, enrolment) = read_enrolment(row)?;
            add(&mut found, customer, enrolment, |history, one| {
                history.enrolments.push(one)
            });
        }
        for row in &sends {
            let (customer, send) = read_send(row)?;
            add(&mut found, customer, send, |history, send| {
                history.sends.push(send)
            });
        }
        for row in &assigned {
            let (customer, one) = assignments::assignment(row)?;
            add(&mut found, customer, one, |history, one| {
                history.assignments.push(one)
            });
        }
        for row in &waiting {
            let (customer, one) = assignments::waiting(row)?;
            add(&mut found, customer, one, |history, one| {
                history.waiting.push(one)
            });
        }
        // Sorted here: a database would copy every body to do it.
        for history in found.values_mut().flatten() {
            history.events.sort_unstable_by_key(|event| event.seq);
            history
                .enrolments
                .sort_unstable_by_key(|enrolment| enrolment.id);
            history.sends.sort_unstable_by_key(|send| send.id);
            history
                .assignments
                .sort_unstable_by_key(|one| (one.at, one.customer));
            history.waiting.sort_unstable_by_key(Waiting::id);
        }
        // Only who is asked for twice is copied.
        Ok(of
            .iter()
            .map(|one| {
                let history = if once {
                    found.remove(one)
                } else {
                    found.get(one).cloned()
                };
                history.unwrap_or_else(|| Ok(History::new(*one)))
            })
            .collect())
    }

    /// One send, whole, with its customer.
    ///
    /// # Errors
    /// Where its row does not parse, or the database is out of reach.
    pub async fn send(&self, id: SendId) -> Result<Option<(CustomerId, Send)>, StoreError> {
        let mut tx = self.shared.pools.read().await?;
        let row = tx.fetch_one(&SEND, vec![id.to_string().into()]).await?;
        tx.rollback().await;
        let Some(row) = row else { return Ok(None) };
        let (customer, send) = read_send(&row)?;
        Ok(Some((customer, send?)))
    }

    /// Events about the catalogue, in order of arrival. Rows that do not parse are left
    /// out and logged.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn product_events(&self) -> Result<Vec<Event>, StoreError> {
        let mut tx = self.shared.pools.read().await?;
        let found = tx.fetch(&PRODUCTS, vec![]).await?;
        tx.rollback().await;
        let mut events = Vec::with_capacity(found.len());
        for row in &found {
            match read_event(row)?.1 {
                Ok(event) => events.push(event),
                Err(corrupt) => {
                    tracing::error!(error = %corrupt, "an event about the catalogue is left out")
                }
            }
        }
        Ok(events)
    }

    /// The people of whom a parcel is known to have arrived, learnt since an instant: those
    /// of the latest arrivals, at most `limit`.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn delivered_to(
        &self,
        since: Timestamp,
        limit: usize,
    ) -> Result<Vec<CustomerId>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut tx = self.shared.pools.read().await?;
        let found = tx
            .fetch(&DELIVERED, vec![to_ms(since).into(), limit.into()])
            .await?;
        tx.rollback().await;
        found
            .iter()
            .map(|row| Ok(CustomerId(row.int(0)?)))
            .collect()
    }

    /// The number of the newest event about the catalogue, to see whether any came; 0
    /// where there is none.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn product_events_seen(&self) -> Result<i64, StoreError> {
        let mut tx = self.shared.pools.read().await?;
        let row = tx.fetch_one(&PRODUCTS_SEEN, vec![]).await?;
        tx.rollback().await;
        row.map_or(Ok(0), |row| row.int(0))
    }
}

/// Adds a part to somebody's history, or lets its fault stand for the whole.
fn add<T>(
    found: &mut HashMap<CustomerId, Result<History, Corrupt>>,
    customer: CustomerId,
    part: Result<T, Corrupt>,
    put: impl FnOnce(&mut History, T),
) {
    if let Some(history) = found.get_mut(&customer) {
        match (history.as_mut(), part) {
            (Ok(history), Ok(part)) => put(history, part),
            (Ok(_), Err(corrupt)) => *history = Err(corrupt),
            (Err(_), _) => {}
        }
    }
}
