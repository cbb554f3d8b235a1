//! A million customers who wait, written into the tables directly: one real customer is
//! taken in and planned by the engine, and their rows are copied under other numbers and
//! ids. Each has an enrolment, an outlook, a wake-up and a queued send far ahead. Their
//! events are left out, which nothing that is measured reads.

use crate::{mails, shop};
use aftercare::clock::Clock;
use aftercare::engine::Engine;
use aftercare::mail::{Memory, Transport};
use aftercare::model::event::Event;
use aftercare::model::time::to_ms;
use anyhow::{Context, Result};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection, SqliteConnection};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use tempfile::TempDir;

/// Days in ms.
const DAY: i64 = 24 * 3600 * 1000;
/// Where the engine keeps for which files everybody was woken.
const WOKEN: &str = "woken_for";
/// The number of the customer who is copied; measured customers have numbers beyond
/// those of the copies.
const MODEL: i64 = 1;

/// How many wait, where `BENCH_PENDING` does not say.
pub fn million() -> usize {
    mails::number("BENCH_PENDING", 1_000_000)
}

/// A database file in which many wait.
#[derive(Debug)]
pub struct Pending {
    pub database: PathBuf,
    /// When the first of them wakes, in ms.
    pub first: i64,
    _scratch: TempDir,
}

impl Pending {
    /// Makes one.
    pub async fn make(count: usize) -> Result<Pending> {
        let scratch = shop::scratch()?;
        let database = scratch.path().join("bench.db");
        let live = shop::files(&shop::folder())?;
        let memory = Transport::Memory(Memory::new());
        let engine = shop::engine(&database, live, memory, 1).await?;
        let now = Clock::System.now();
        let model: Vec<Result<Event>> = vec![
            shop::read(&shop::order(1, shop::ago(now, 2 * DAY))?, now),
            shop::read(&shop::delivery(1, shop::ago(now, DAY / 2))?, now),
        ];
        shop::accept(&engine, model).await?;
        // Nobody is to be woken for these files at the next start.
        engine.catch_up().await?;
        while engine.plan_due().await? > 0 {}
        engine.store.close().await;
        let first = to_ms(now) + DAY;
        copy(&database, i64::try_from(count)?, first).await?;
        Ok(Pending {
            database,
            first,
            _scratch: scratch,
        })
    }

    /// The engine over it, with files that are as if they had long been in force: nobody is
    /// to be woken for them.
    pub async fn engine(
        &self,
        files: &Path,
        transport: Transport,
        connections: usize,
    ) -> Result<Engine> {
        let scratch = shop::scratch()?;
        let database = scratch.path().join("bench.db");
        let memory = Transport::Memory(Memory::new());
        let fresh = shop::engine(&database, shop::files(files)?, memory, 1).await?;
        fresh.catch_up().await?;
        let woken = fresh.store.meta(WOKEN).await?;
        fresh.store.close().await;
        let live = shop::files(files)?;
        let engine = shop::engine(&self.database, live, transport, connections).await?;
        let woken = woken.with_context(|| format!("nothing is kept as {WOKEN}"))?;
        engine.store.set_meta(WOKEN, &woken).await?;
        Ok(engine)
    }
}

/// Opens the file beside the store's own ways.
pub async fn connect(database: &Path) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::from_str(&format!("sqlite:{}", database.display()))?
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Off)
        .pragma("cache_size", "-400000");
    Ok(SqliteConnection::connect_with(&options).await?)
}

/// Copies the model's rows; wake-ups lie 100 a second apart from `first` on, sends after them.
async fn copy(database: &Path, count: i64, first: i64) -> Result<()> {
    let mut connection = connect(database).await?;
    let numbers = "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i <= ?1)";
    let hex = "printf('%032x', n.i * 2654435761)";
    let statements = [
        format!("{numbers} INSERT INTO customers (id, version, wake_at, considered_at, absorbed)
            SELECT n.i, t.version, ?2 + n.i * 10, t.considered_at, t.absorbed FROM n, customers t WHERE t.id = ?3"),
        format!("{numbers} INSERT INTO due (what, at, customer, id)
            SELECT 'c', ?2 + n.i * 10, n.i, '' FROM n WHERE ?3 > 0"),
        format!("{numbers} INSERT INTO enrolments (customer, id, sequence, state, detail)
            SELECT n.i, {hex}, t.sequence, t.state, replace(t.detail, t.id, {hex})
            FROM n, (SELECT * FROM enrolments WHERE customer = ?3 AND state = 'active' AND sequence LIKE 'education%' LIMIT 1) t
            WHERE ?2 > 0"),
        format!("{numbers} INSERT INTO outlooks (customer, detail)
            SELECT n.i, replace(t.detail, e.id, {hex}) FROM n, outlooks t,
            (SELECT id FROM enrolments WHERE customer = ?3 AND state = 'active' AND sequence LIKE 'education%' LIMIT 1) e
            WHERE t.customer = ?3 AND ?2 > 0"),
        format!("{numbers} INSERT INTO sends (id, customer, enrolment, sequence, step, kind, state, due, at, not_before, considered, detail)
            SELECT {hex}, n.i, t.enrolment, t.sequence, t.step, t.kind, t.state, ?2 + n.i * 10, t.at, ?2 + n.i * 10, 0,
                replace(t.detail, t.id, {hex})
            FROM n, (SELECT * FROM sends WHERE customer = ?3 AND state = 'queued' LIMIT 1) t"),
        format!("{numbers} INSERT INTO due (what, at, customer, id)
            SELECT 's', ?2 + n.i * 10, n.i, {hex} FROM n WHERE ?3 > 0"),
    ];
    for statement in statements {
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(count)
            .bind(first)
            .bind(MODEL)
            .execute(&mut connection)
            .await?;
    }
    // The model itself is done with: nothing of theirs is due during a measurement.
    for statement in [
        "DELETE FROM due WHERE customer = 1",
        "UPDATE customers SET wake_at = NULL WHERE id = 1",
        "DELETE FROM sends WHERE customer = 1",
        "UPDATE counters SET value = (SELECT MAX(id) FROM customers) WHERE name = 'customer'",
        "PRAGMA wal_checkpoint(TRUNCATE)",
    ] {
        sqlx::query(statement)
            .execute(&mut connection)
            .await
            .with_context(|| statement.to_owned())?;
    }
    connection.close().await?;
    Ok(())
}
