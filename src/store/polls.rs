//! How far each source was asked, and what is to be fetched: the rows behind the loops
//! that ask platforms. A step of a poll holds a lease, so that of several processes one
//! asks a source at a time; a step that outlives its lease writes nothing.

use super::Store;
use super::db::{Row, Tx, statements};
use super::error::StoreError;
use super::open::Worker;
use super::quarantine::{Quarantined, read as read_quarantined};
use super::writer::{Write, expect_written};
use crate::model::time::{Timestamp, from_ms, to_ms};
use std::time::Duration;

/// How far a source was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Polled {
    /// Its name in the configuration.
    pub source: String,
    /// Where to go on, in words of the engine's.
    pub cursor: String,
    /// When it is asked again.
    pub due_at: Timestamp,
    /// When it was last asked.
    pub asked_at: Option<Timestamp>,
    /// When it was last asked to the end.
    pub fine_at: Option<Timestamp>,
    /// How often in a row asking failed.
    pub failures: i64,
    /// Why the last time failed, in words; `None` where it did not.
    pub because: Option<String>,
    /// Facts that came by asking and were not known.
    pub found: i64,
    /// Facts that were known already.
    pub known: i64,
}

/// What a step of a poll came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Where to go on.
    pub cursor: String,
    /// When.
    pub due_at: Timestamp,
    pub now: Timestamp,
    /// Whether everything there was is taken in.
    pub is_end: bool,
    pub failures: i64,
    pub because: Option<String>,
    /// Facts that were not known, and that were.
    pub found: usize,
    pub known: usize,
}

/// What may be written about asking platforms.
#[derive(Debug)]
pub(super) enum Asking {
    Claim {
        source: String,
        now: Timestamp,
        lease: Duration,
    },
    Step {
        source: String,
        step: Step,
    },
    Hasten {
        source: String,
        by: Timestamp,
    },
    ClaimFetches {
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    },
    FetchAfresh,
    PutOff {
        id: i64,
        because: String,
        at: Timestamp,
    },
    GiveUp {
        id: i64,
        reason: &'static str,
        because: String,
    },
    Covered {
        source: String,
        about: String,
        until: Timestamp,
    },
}

/// What comes of it.
#[derive(Debug)]
pub(super) enum Asked {
    Poll(Option<Polled>),
    Fetches(Vec<Quarantined>),
    Rows(u64),
}

statements! {
    ENTER = "INSERT INTO polls (source, due_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    CLAIM = {
        sqlite: "UPDATE polls SET holder = $3, lease_until = $2 + $4 WHERE source = $1 AND due_at <= $2
            RETURNING source, cursor, due_at, asked_at, fine_at, failures, because, found, known",
        postgres: "UPDATE polls SET holder = $3, lease_until = (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT + $4
            WHERE source = $1 AND due_at <= $2 AND (holder IS NULL OR holder = $3 OR lease_until IS NULL
                OR lease_until < (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT)
            RETURNING source, cursor, due_at, asked_at, fine_at, failures, because, found, known",
    };
    STEP = "UPDATE polls SET cursor = $3, due_at = $4, asked_at = $5, fine_at = COALESCE($6, fine_at), failures = $7,
            because = $8, found = found + $9, known = known + $10, holder = NULL, lease_until = NULL
        WHERE source = $1 AND holder = $2";
    HASTEN = "UPDATE polls SET due_at = $2 WHERE source = $1 AND due_at > $2";
    POLLS = "SELECT source, cursor, due_at, asked_at, fine_at, failures, because, found, known FROM polls ORDER BY source";
    CLAIM_FETCHES = "UPDATE quarantine SET fetch_at = $2
        WHERE reason = 'to_fetch' AND state = 'held' AND COALESCE(fetch_at, 0) <= $1
            AND id IN (SELECT q.id FROM quarantine q WHERE q.reason = 'to_fetch' AND q.state = 'held' AND COALESCE(q.fetch_at, 0) <= $1
                ORDER BY q.id LIMIT $3)
        RETURNING id, source, event_id, kind, body, reason, because, recorded, tries";
    IS_TO_FETCH = "SELECT id FROM quarantine WHERE reason = 'to_fetch' AND state = 'held' AND COALESCE(fetch_at, 0) <= $1 LIMIT 1";
    TO_FETCH = "SELECT COUNT(*) FROM quarantine WHERE reason = 'to_fetch' AND state = 'held'";
    FETCH_AFRESH = "UPDATE quarantine SET fetch_at = NULL WHERE reason = 'to_fetch' AND state = 'held' AND fetch_at IS NOT NULL";
    PUT_OFF = "UPDATE quarantine SET tries = tries + 1, because = $2, fetch_at = $3 WHERE id = $1 AND state = 'held'";
    GIVE_UP = "UPDATE quarantine SET tries = tries + 1, reason = $2, because = $3, fetch_at = NULL WHERE id = $1 AND state = 'held'";
    COVERED = "DELETE FROM quarantine WHERE reason = 'to_fetch' AND state = 'held' AND source = $1 AND event_id = $2 AND recorded <= $3";
    /// The next source in order: the index is skipped through, never read whole.
    NEXT_SOURCE = "SELECT source FROM events WHERE source > $1 ORDER BY source LIMIT 1";
}

/// Most sources that are looked at.
const MAX_SOURCES: usize = 256;

impl Store {
    /// Begins a step of a poll, where one is due and nobody else has it.
    ///
    /// # Errors
    /// Where the database refuses or is out of reach.
    pub async fn claim_poll(
        &self,
        source: &str,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Option<Polled>, StoreError> {
        let source = source.to_owned();
        match self.asking(Asking::Claim { source, now, lease }).await? {
            Asked::Poll(polled) => Ok(polled),
            Asked::Fetches(_) | Asked::Rows(_) => Ok(None),
        }
    }

    /// Ends a step of a poll. Says whether the lease still held: else nothing was written.
    ///
    /// # Errors
    /// Where the database refuses or is out of reach.
    pub async fn end_poll_step(&self, source: &str, step: Step) -> Result<bool, StoreError> {
        let source = source.to_owned();
        Ok(self.rows(Asking::Step { source, step }).await? > 0)
    }

    /// Asks a source again by an instant at the latest: its interval may have changed.
    ///
    /// # Errors
    /// Where the database refuses or is out of reach.
    pub async fn hasten_poll(&self, source: &str, by: Timestamp) -> Result<(), StoreError> {
        let source = source.to_owned();
        self.rows(Asking::Hasten { source, by }).await?;
        Ok(())
    }

    /// How far every source was asked.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn polls(&self) -> Result<Vec<Polled>, StoreError> {
        let mut tx = self.shared.pools.read().await?;
        let found = tx.fetch(&POLLS, vec![]).await?;
        tx.rollback().await;
        found.iter().map(read).collect()
    }

    /// Whether anything is to be fetched now; cheaper than asking for it.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn is_to_fetch(&self, now: Timestamp) -> Result<bool, StoreError> {
        let mut tx = self.shared.pools.read().await?;
        let row = tx.fetch_one(&IS_TO_FETCH, vec![to_ms(now).into()]).await?;
        tx.rollback().await;
        Ok(row.is_some())
    }

    /// How many thin deliveries wait to be fetched.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn to_fetch(&self) -> Result<i64, StoreError> {
        let mut tx = self.shared.pools.read().await?;
        let row = tx.fetch_one(&TO_FETCH, vec![]).await?;
        tx.rollback().await;
        row.map_or(Ok(0), |row| row.int(0))
    }

    /// Thin deliveries that are to be fetched now, oldest first; none again before
    /// `until`, whoever asks.
    ///
    /// # Errors
    /// Where the database refuses or is out of reach.
    pub async fn claim_fetches(
        &self,
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<Quarantined>, StoreError> {
        let asking = Asking::ClaimFetches { now, until, limit };
        match self.asking(asking).await? {
            Asked::Fetches(mut rows) => {
                rows.sort_by_key(|row| row.id);
                Ok(rows)
            }
            Asked::Poll(_) | Asked::Rows(_) => Ok(Vec::new()),
        }
    }

    /// Everything that is to be fetched is due again: the configuration may be another.
    ///
    /// # Errors
    /// Where the database refuses or is out of reach.
    pub async fn fetch_afresh(&self) -> Result<(), StoreError> {
        self.rows(Asking::FetchAfresh).await?;
        Ok(())
    }

    /// Fetches one later, and keeps why.
    ///
    /// # Errors
    /// Where the database refuses or is out of reach.
    pub async fn put_off_fetch(
        &self,
        id: i64,
        because: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let because = because.to_owned();
        self.rows(Asking::PutOff { id, because, at }).await?;
        Ok(())
    }

    /// Fetches one no more, and keeps it with why.
    ///
    /// # Errors
    /// Where the database refuses or is out of reach.
    pub async fn give_up_fetch(
        &self,
        id: i64,
        reason: &'static str,
        because: &str,
    ) -> Result<(), StoreError> {
        let because = because.to_owned();
        self.rows(Asking::GiveUp {
            id,
            reason,
            because,
        })
        .await?;
        Ok(())
    }

    /// Takes away every thin delivery about something that was fetched whole after it came.
    /// Says how many.
    ///
    /// # Errors
    /// Where the database refuses or is out of reach.
    pub async fn covered_by_fetch(
        &self,
        source: &str,
        about: &str,
        until: Timestamp,
    ) -> Result<u64, StoreError> {
        let (source, about) = (source.to_owned(), about.to_owned());
        self.rows(Asking::Covered {
            source,
            about,
            until,
        })
        .await
    }

    /// Every `source` of events so far, as many as anybody may have.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn sources(&self) -> Result<Vec<String>, StoreError> {
        let mut found: Vec<String> = Vec::new();
        let mut tx = self.shared.pools.read().await?;
        while found.len() < MAX_SOURCES {
            let from = found.last().map_or("", String::as_str);
            let Some(row) = tx.fetch_one(&NEXT_SOURCE, vec![from.into()]).await? else {
                break;
            };
            found.push(row.text(0)?);
        }
        tx.rollback().await;
        Ok(found)
    }

    async fn asking(&self, asking: Asking) -> Result<Asked, StoreError> {
        expect_written!(self.write(Write::Asking(asking)).await?, Asked)
    }

    async fn rows(&self, asking: Asking) -> Result<u64, StoreError> {
        Ok(match self.asking(asking).await? {
            Asked::Rows(rows) => rows,
            Asked::Poll(_) | Asked::Fetches(_) => 0,
        })
    }
}

fn read(row: &Row) -> Result<Polled, StoreError> {
    Ok(Polled {
        source: row.text(0)?,
        cursor: row.text(1)?,
        due_at: from_ms(row.int(2)?),
        asked_at: row.maybe_int(3)?.map(from_ms),
        fine_at: row.maybe_int(4)?.map(from_ms),
        failures: row.int(5)?,
        because: row.maybe_text(6)?,
        found: row.int(7)?,
        known: row.int(8)?,
    })
}

fn many(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) async fn write(
    tx: &mut Tx,
    worker: &Worker,
    asking: &Asking,
) -> Result<Asked, StoreError> {
    let rows = match asking {
        Asking::Claim { source, now, lease } => {
            let now = to_ms(*now);
            tx.run(&ENTER, vec![source.as_str().into(), now.into()])
                .await?;
            let lease = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
            let values = vec![
                source.as_str().into(),
                now.into(),
                worker.id.as_str().into(),
                lease.into(),
            ];
            let row = tx.fetch_one(&CLAIM, values).await?;
            return Ok(Asked::Poll(row.as_ref().map(read).transpose()?));
        }
        Asking::Step { source, step } => {
            let values = vec![
                source.as_str().into(),
                worker.id.as_str().into(),
                step.cursor.as_str().into(),
                to_ms(step.due_at).into(),
                to_ms(step.now).into(),
                step.is_end.then(|| to_ms(step.now)).into(),
                step.failures.into(),
                step.because.clone().into(),
                many(step.found).into(),
                many(step.known).into(),
            ];
            tx.run(&STEP, values).await?
        }
        Asking::Hasten { source, by } => {
            let values = vec![source.as_str().into(), to_ms(*by).into()];
            tx.run(&HASTEN, values).await?
        }
        Asking::ClaimFetches { now, until, limit } => {
            let values = vec![
                to_ms(*now).into(),
                to_ms(*until).into(),
                many(*limit).into(),
            ];
            let rows = tx.fetch(&CLAIM_FETCHES, values).await?;
            let rows: Result<_, _> = rows.iter().map(read_quarantined).collect();
            return Ok(Asked::Fetches(rows?));
        }
        Asking::FetchAfresh => tx.run(&FETCH_AFRESH, vec![]).await?,
        Asking::PutOff { id, because, at } => {
            let values = vec![(*id).into(), because.as_str().into(), to_ms(*at).into()];
            tx.run(&PUT_OFF, values).await?
        }
        Asking::GiveUp {
            id,
            reason,
            because,
        } => {
            let values = vec![(*id).into(), (*reason).into(), because.as_str().into()];
            tx.run(&GIVE_UP, values).await?
        }
        Asking::Covered {
            source,
            about,
            until,
        } => {
            let values = vec![
                source.as_str().into(),
                about.as_str().into(),
                to_ms(*until).into(),
            ];
            tx.run(&COVERED, values).await?
        }
    };
    Ok(Asked::Rows(rows))
}
