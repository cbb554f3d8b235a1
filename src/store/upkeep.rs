//! Single values, the root secret, and what keeps a store in order.

use super::Store;
use super::db::{Db, Statement, Tx, rows, statements};
use super::error::StoreError;
use super::writer::{Write, Written};
use crate::model::ids::CustomerId;
use crate::model::time::{Timestamp, from_ms, to_ms};

statements! {
    META = "SELECT value FROM meta WHERE key = $1";
    SET_META = "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    LAST_INSTANT = "SELECT MAX(instant) FROM workers";
    TO_WAKE = "SELECT id FROM customers WHERE erased = 0 AND (wake_at IS NOT NULL
            OR EXISTS (SELECT 1 FROM enrolments e WHERE e.customer = customers.id AND e.state <> 'ended'))";
    /// Everybody, some at a time.
    NEXT_PEOPLE = "SELECT id FROM customers WHERE erased = 0 AND id > $1 ORDER BY id LIMIT $2";
    ALIVE = "SELECT CAST(1 AS BIGINT)";
    INTEGRITY = { sqlite: "PRAGMA integrity_check(20)", postgres: "" };
}

impl Store {
    /// A value kept under a key.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        let mut tx = self.shared.pools.read().await?;
        let row = tx.fetch_one(&META, vec![key.into()]).await?;
        tx.rollback().await;
        row.map(|row| row.text(0)).transpose()
    }

    /// Keeps a value under a key.
    ///
    /// # Errors
    /// Where the database refuses or is out of reach.
    pub async fn set_meta(&self, key: &str, value: &str) -> Result<(), StoreError> {
        let (key, value) = (key.to_owned(), value.to_owned());
        self.write(Write::Meta { key, value }).await?;
        Ok(())
    }

    /// The secret of this install, made at its first start. Keys by purpose are derived
    /// from it.
    ///
    /// # Errors
    /// Where this process only reads and nobody has made it yet.
    pub async fn root_secret(&self) -> Result<[u8; 32], StoreError> {
        if self.shared.secret.root == [0; 32] {
            return Err(StoreError::Access {
                wanted: "writer, which makes the secret at the first start",
                found: self.shared.access.as_str(),
            });
        }
        Ok(self.shared.secret.root)
    }

    /// The latest instant at which anything was written: where a rehearsal clock goes on.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn last_instant(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut tx = self.shared.pools.read().await?;
        let row = tx.fetch_one(&LAST_INSTANT, vec![]).await?;
        tx.rollback().await;
        Ok(row
            .map(|row| row.maybe_int(0))
            .transpose()?
            .flatten()
            .map(from_ms))
    }

    /// Wakes everybody who waits for anything, after the files have changed. Gives their
    /// number.
    ///
    /// # Errors
    /// Where the database refuses or is out of reach.
    pub async fn wake_all(&self, now: Timestamp) -> Result<u64, StoreError> {
        match self.write(Write::WakeAll { now }).await? {
            Written::Count(count) => Ok(count),
            _ => Ok(0),
        }
    }

    /// Wakes some people, whether or not they wait for anything: those whose numbers come
    /// after `after`. Gives the number of the last of them; `None` where there are no more.
    /// One short transaction, so that a million people are woken while mail goes on.
    ///
    /// # Errors
    /// Where the database refuses or is out of reach.
    pub async fn wake_some(
        &self,
        after: Option<CustomerId>,
        now: Timestamp,
    ) -> Result<Option<CustomerId>, StoreError> {
        match self.write(Write::WakeSome { after, now }).await? {
            Written::Last(last) => Ok(last),
            _ => Ok(None),
        }
    }

    /// Whether the database answers, and takes writes where this process may write.
    ///
    /// # Errors
    /// What is wrong.
    pub async fn health(&self) -> Result<(), StoreError> {
        let mut tx = self.shared.pools.read().await?;
        tx.fetch_one(&ALIVE, vec![]).await?;
        tx.rollback().await;
        if self.writes.is_some() {
            self.write(Write::Nothing).await?;
        }
        Ok(())
    }

    /// What a look at every page of a SQLite file finds wrong with it; nothing where it is
    /// sound. PostgreSQL looks after its own. Takes as long as reading the whole file.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn integrity(&self) -> Result<Vec<String>, StoreError> {
        if self.db() == Db::Postgres {
            return Ok(Vec::new());
        }
        let mut tx = self.shared.pools.read().await?;
        let found = tx.fetch(&INTEGRITY, vec![]).await?;
        tx.rollback().await;
        let mut faults = Vec::new();
        for row in &found {
            let text = row.text(0)?;
            if text != "ok" {
                faults.push(text);
            }
        }
        Ok(faults)
    }
}

pub(super) async fn write_meta(tx: &mut Tx, key: &str, value: &str) -> Result<(), StoreError> {
    tx.run(&SET_META, vec![key.into(), value.into()]).await?;
    Ok(())
}

/// People woken by one statement.
const WAKE_BATCH: usize = 10_000;

pub(super) async fn wake_all(tx: &mut Tx, now: Timestamp) -> Result<u64, StoreError> {
    wake_found(tx, &TO_WAKE, now).await
}

/// Wakes the customers that a statement without arguments finds.
pub(super) async fn wake_found(
    tx: &mut Tx,
    who: &Statement,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let found = tx.fetch(who, vec![]).await?;
    let mut people: Vec<(i64, i64)> = Vec::with_capacity(found.len());
    for row in &found {
        people.push((row.int(0)?, to_ms(now)));
    }
    for some in people.chunks(WAKE_BATCH) {
        super::wake::wake_rows(tx, rows(some)?).await?;
    }
    Ok(people.len() as u64)
}

pub(super) async fn wake_some(
    tx: &mut Tx,
    after: Option<CustomerId>,
    now: Timestamp,
) -> Result<Option<CustomerId>, StoreError> {
    let after = after.map_or(i64::MIN, |after| after.0);
    let limit = i64::try_from(WAKE_BATCH).unwrap_or(i64::MAX);
    let found = tx
        .fetch(&NEXT_PEOPLE, vec![after.into(), limit.into()])
        .await?;
    let mut people: Vec<(i64, i64)> = Vec::with_capacity(found.len());
    for row in &found {
        people.push((row.int(0)?, to_ms(now)));
    }
    if people.is_empty() {
        return Ok(None);
    }
    super::wake::wake_rows(tx, rows(&people)?).await?;
    Ok(people.last().map(|(id, _)| CustomerId(*id)))
}
