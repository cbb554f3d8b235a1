//! What could not be read as events: listed, read for a replay, and dropped. What an
//! operator drops leaves its line with the reason; the body goes, because it may be
//! anybody's data.

use super::Store;
use super::db::{Row, Tx, statements};
use super::error::StoreError;
use super::writer::{Write, Written};
use crate::model::time::{Timestamp, from_ms};

/// A body in quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    pub id: i64,
    pub source: Option<String>,
    pub event_id: Option<String>,
    pub kind: Option<String>,
    pub body: String,
    /// A stable code.
    pub reason: String,
    /// A sentence.
    pub because: String,
    pub recorded: Timestamp,
    /// How often it was tried again.
    pub tries: i64,
}

statements! {
    LIST = "SELECT id, source, event_id, kind, body, reason, because, recorded, tries FROM quarantine
        WHERE id > $1 AND state = $3 ORDER BY id LIMIT $2";
    GET = "SELECT id, source, event_id, kind, body, reason, because, recorded, tries FROM quarantine WHERE id = $1 AND state = 'held'";
    REMOVE = "DELETE FROM quarantine WHERE id = $1";
    DISMISS = "UPDATE quarantine SET state = 'dropped', body = '', because = $2 WHERE id = $1 AND state = 'held'";
    TRIED = "UPDATE quarantine SET tries = tries + 1 WHERE id = $1";
}

impl Store {
    /// What is in quarantine, oldest first, after a number (0 for all).
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn quarantined(
        &self,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Quarantined>, StoreError> {
        self.in_quarantine(after, limit, "held").await
    }

    /// What an operator has dropped: without its body, and with the operator's reason.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn dropped(&self, after: i64, limit: usize) -> Result<Vec<Quarantined>, StoreError> {
        self.in_quarantine(after, limit, "dropped").await
    }

    async fn in_quarantine(
        &self,
        after: i64,
        limit: usize,
        state: &str,
    ) -> Result<Vec<Quarantined>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = vec![after.into(), limit.into(), state.into()];
        let mut tx = self.shared.pools.read().await?;
        let found = tx.fetch(&LIST, values).await?;
        tx.rollback().await;
        found.iter().map(read).collect()
    }

    /// One body in quarantine.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn quarantined_one(&self, id: i64) -> Result<Option<Quarantined>, StoreError> {
        let mut tx = self.shared.pools.read().await?;
        let found = tx.fetch_one(&GET, vec![id.into()]).await?;
        tx.rollback().await;
        found.as_ref().map(read).transpose()
    }

    /// Lets one go that nobody wants, and keeps why. Says whether it was there.
    ///
    /// # Errors
    /// Where the database refuses or is out of reach.
    pub async fn dismiss_quarantined(&self, id: i64, why: &str) -> Result<bool, StoreError> {
        let because = why.to_owned();
        Ok(matches!(
            self.write(Write::DismissQuarantined { id, because })
                .await?,
            Written::Count(1..)
        ))
    }

    /// Takes one away that was replayed. Says whether it was there.
    ///
    /// # Errors
    /// Where the database refuses or is out of reach.
    pub async fn drop_quarantined(&self, id: i64) -> Result<bool, StoreError> {
        Ok(matches!(
            self.write(Write::DropQuarantined { id }).await?,
            Written::Count(1..)
        ))
    }

    /// Notes that a replay was tried and failed again.
    ///
    /// # Errors
    /// Where the database refuses or is out of reach.
    pub async fn tried_quarantined(&self, id: i64) -> Result<(), StoreError> {
        self.write(Write::TriedQuarantined { id }).await?;
        Ok(())
    }
}

pub(super) fn read(row: &Row) -> Result<Quarantined, StoreError> {
    Ok(Quarantined {
        id: row.int(0)?,
        source: row.maybe_text(1)?,
        event_id: row.maybe_text(2)?,
        kind: row.maybe_text(3)?,
        body: row.text(4)?,
        reason: row.text(5)?,
        because: row.text(6)?,
        recorded: from_ms(row.int(7)?),
        tries: row.int(8)?,
    })
}

pub(super) async fn remove(tx: &mut Tx, id: i64) -> Result<u64, StoreError> {
    tx.run(&REMOVE, vec![id.into()]).await
}

pub(super) async fn dismiss(tx: &mut Tx, id: i64, because: &str) -> Result<u64, StoreError> {
    tx.run(&DISMISS, vec![id.into(), because.into()]).await
}

pub(super) async fn tried(tx: &mut Tx, id: i64) -> Result<u64, StoreError> {
    tx.run(&TRIED, vec![id.into()]).await
}
