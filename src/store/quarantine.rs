//! What could not be read as events: listed, read for a replay, and dropped. What an
//! operator drops leaves its line with the reason; the body goes, because it may be
//! anybody's data.

use super::Store;
use super::db::{Row, Tx, clean, rows, statements};
use super::error::StoreError;
use super::sift::DELIVER;
use super::writer::{Write, Written};
use crate::ingest::canonical;
use crate::model::time::{Timestamp, from_ms, to_ms};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashSet};

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

/// Under what keys of deliveries in quarantine stand among those of events: what was kept
/// once must not keep its mended repetition out.
const OF_QUARANTINE: &str = "quarantine:";

statements! {
    QUARANTINE = "INSERT INTO quarantine (id, source, event_id, kind, body, reason, because, recorded)
        SELECT r.id, r.source, r.event_id, r.kind, r.body, r.reason, r.because, r.recorded
        FROM rows($1: id BIGINT, source TEXT, event_id TEXT, kind TEXT, body TEXT, reason TEXT, because TEXT, recorded BIGINT) AS r";
    LIST = "SELECT id, source, event_id, kind, body, reason, because, recorded, tries FROM quarantine
        WHERE id > $1 AND state = $3 ORDER BY id LIMIT $2";
    GET = "SELECT id, source, event_id, kind, body, reason, because, recorded, tries FROM quarantine WHERE id = $1 AND state = 'held'";
    REMOVE = "DELETE FROM quarantine WHERE id = $1";
    DISMISS = "UPDATE quarantine SET state = 'dropped', body = '', because = $2 WHERE id = $1 AND state = 'held'";
    TRIED = "UPDATE quarantine SET tries = tries + 1 WHERE id = $1";
}

/// A body that is no event that we can take, kept for a replay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Poison {
    pub source: Option<String>,
    pub id: Option<String>,
    pub kind: Option<String>,
    pub body: String,
    /// A stable code.
    pub reason: String,
    /// A sentence.
    pub because: String,
    pub recorded: Timestamp,
    /// The delivery's own key: the same one is kept once, however often it comes. `None`
    /// where the way has none.
    pub transport: Option<String>,
}

impl From<canonical::Poison> for Poison {
    fn from(bad: canonical::Poison) -> Poison {
        Poison {
            source: bad.source,
            id: bad.id,
            kind: bad.kind,
            body: bad.body,
            reason: bad.reason,
            because: bad.because,
            recorded: bad.recorded,
            transport: None,
        }
    }
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

/// Keeps what is no event, each delivery once; gives the last number used. A delivery
/// without a key of its own is known by what it holds and when it came: it may come by the
/// journal as well.
pub(super) async fn keep(
    tx: &mut Tx,
    poison: &[&Poison],
    mut last: i64,
) -> Result<i64, StoreError> {
    let place = |one: &Poison| {
        let key = one.transport.clone().unwrap_or_else(|| key_of(one));
        let source = format!("{OF_QUARANTINE}{}", source_of(one));
        (clean(&source), clean(&key))
    };
    let deliveries: BTreeMap<(String, String), i64> = poison
        .iter()
        .map(|one| (place(one), to_ms(one.recorded)))
        .collect();
    let rows_of: Vec<(&String, &String, i64)> = deliveries
        .iter()
        .map(|((source, key), at)| (source, key, *at))
        .collect();
    let mut new: HashSet<(String, String)> = HashSet::new();
    for row in tx.fetch(&DELIVER, vec![rows(&rows_of)?]).await? {
        new.insert((row.text(0)?, row.text(1)?));
    }
    let mut list = Vec::with_capacity(poison.len());
    for one in poison {
        // Once taken out, a repetition in the same batch finds nothing.
        if !new.remove(&place(one)) {
            continue;
        }
        last += 1;
        list.push((
            last,
            &one.source,
            &one.id,
            &one.kind,
            &one.body,
            &one.reason,
            &one.because,
            to_ms(one.recorded),
        ));
    }
    if !list.is_empty() {
        tx.run(&QUARANTINE, vec![rows(&list)?]).await?;
    }
    Ok(last)
}

fn source_of(one: &Poison) -> &str {
    one.source.as_deref().unwrap_or_default()
}

/// The key of a delivery that could not be read, by what it holds and when it came.
fn key_of(one: &Poison) -> String {
    let mut hash = Sha256::new();
    hash.update(to_ms(one.recorded).to_le_bytes());
    for part in [source_of(one), &one.reason, &one.body] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    format!(
        "poison:{:x}",
        u128::from_be_bytes(first_half(&hash.finalize()))
    )
}

fn first_half(hash: &[u8]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    half
}
