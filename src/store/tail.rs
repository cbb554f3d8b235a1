//! Events in the order in which they came: the newest for whoever watches, and when each
//! source was heard, for whoever notices that it falls silent. The clock on the wire
//! plays no part here.

use super::Store;
use super::db::statements;
use super::error::{Corrupt, StoreError};
use super::rows::event as read_event;
use crate::model::event::Event;
use crate::model::ids::CustomerId;
use crate::model::time::{Timestamp, from_ms};

/// How far back the newest are looked for, in events: a filter that nothing meets must
/// not read the whole table.
const LOOK_BACK: i64 = 200_000;

/// Which events to watch. Everything that is named must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TailFilter {
    /// The `source` of events.
    pub source: Option<String>,
    /// The name of a kind.
    pub kind: Option<String>,
}

/// When an event of a source came in live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    pub seq: i64,
    pub source: String,
    pub kind: String,
    pub recorded: Timestamp,
}

statements! {
    LAST = "SELECT value FROM counters WHERE name = 'event'";
    NEWEST = "SELECT e.seq, e.customer, e.source, e.id, e.kind, e.time, e.recorded, e.considered, e.mode, e.misdated, e.sequence,
            e.partition, e.subject, e.body
        FROM events e WHERE e.seq > $1 AND (CAST($2 AS TEXT) IS NULL OR e.source = $2) AND (CAST($3 AS TEXT) IS NULL OR e.kind = $3)
        ORDER BY e.seq DESC LIMIT $4";
    NEWER = "SELECT e.seq, e.customer, e.source, e.id, e.kind, e.time, e.recorded, e.considered, e.mode, e.misdated, e.sequence,
            e.partition, e.subject, e.body
        FROM events e WHERE e.seq > $1 AND (CAST($2 AS TEXT) IS NULL OR e.source = $2) AND (CAST($3 AS TEXT) IS NULL OR e.kind = $3)
        ORDER BY e.seq LIMIT $4";
    HEARD = "SELECT e.seq, e.source, e.kind, e.recorded FROM events e
        WHERE e.seq > $1 AND e.mode = 'live' AND e.revision = 0 ORDER BY e.seq LIMIT $2";
}

/// An event with whom it concerns, if anybody; or a row that does not parse.
pub type Told = (Option<CustomerId>, Result<Event, Corrupt>);

impl Store {
    /// The number of the newest event; 0 where there is none.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn last_event(&self) -> Result<i64, StoreError> {
        let mut tx = self.shared.pools.read().await?;
        let row = tx.fetch_one(&LAST, vec![]).await?;
        tx.rollback().await;
        row.map_or(Ok(0), |row| row.int(0))
    }

    /// The newest events, oldest first, among the last of all.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn newest_events(
        &self,
        filter: &TailFilter,
        limit: usize,
    ) -> Result<Vec<Told>, StoreError> {
        let after = self.last_event().await?.saturating_sub(LOOK_BACK).max(0);
        let mut found = self.tail(&NEWEST, filter, after, limit).await?;
        found.reverse();
        Ok(found)
    }

    /// Events after a number, in the order in which they came.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn events_after(
        &self,
        filter: &TailFilter,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Told>, StoreError> {
        self.tail(&NEWER, filter, after, limit).await
    }

    async fn tail(
        &self,
        statement: &'static super::db::Statement,
        filter: &TailFilter,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Told>, StoreError> {
        let values = vec![
            after.into(),
            filter.source.clone().into(),
            filter.kind.clone().into(),
            i64::try_from(limit).unwrap_or(i64::MAX).into(),
        ];
        let mut tx = self.shared.pools.read().await?;
        let found = tx.fetch(statement, values).await?;
        tx.rollback().await;
        found
            .iter()
            .map(|row| {
                let (customer, event) = read_event(row)?;
                Ok(((customer.0 != 0).then_some(customer), event))
            })
            .collect()
    }

    /// When facts came in live, first tellings alone, after a number.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn heard(&self, after: i64, limit: usize) -> Result<Vec<Heard>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut tx = self.shared.pools.read().await?;
        let found = tx.fetch(&HEARD, vec![after.into(), limit.into()]).await?;
        tx.rollback().await;
        found
            .iter()
            .map(|row| {
                Ok(Heard {
                    seq: row.int(0)?,
                    source: row.text(1)?,
                    kind: row.text(2)?,
                    recorded: from_ms(row.int(3)?),
                })
            })
            .collect()
    }
}
