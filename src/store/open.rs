//! Opening: which database, with which guarantees, by whom. A SQLite file has one owner,
//! which holds a lock file while it lives; PostgreSQL has many, each with an advisory
//! lock of its own by which the others see that it lives.

use super::checkpoint;
use super::claims::Claimed;
use super::db::{Db, Pools, Tx, statements};
use super::error::StoreError;
use super::secret::Secret;
use super::{Shared, Store, writer};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, PgConnection, SqlitePool};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;

/// How long a statement waits for another process's lock on a SQLite file, by default.
const BUSY: Duration = Duration::from_secs(5);
/// How long one waits for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Connections that read a SQLite file.
const READERS: u32 = 4;
/// Connections to PostgreSQL, writer and readers together.
const POSTGRES_CONNECTIONS: u32 = 10;
/// Prepared statements kept a connection: all of ours.
const STATEMENTS: usize = 256;
/// Bytes of a page of a new SQLite file. On half of it, an order of the usual size would
/// have a page to itself and fill little more than half of that.
const PAGE: u32 = 8192;
/// How often a worker on PostgreSQL looks after the connection that holds its lock.
const PULSE: Duration = Duration::from_secs(5);
/// The first SQLite without the race that could lose commits in WAL mode.
const OLDEST_SQLITE: [u32; 3] = [3, 51, 3];

static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("./migrations/sqlite");
static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("./migrations/postgres");

/// What a process wants with the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// `serve`: plans and sends. On SQLite only one, with an exclusive lock beside the file.
    Owner,
    /// Another command that writes. On SQLite it waits for the owner's commits.
    Writer,
    /// Reads, and makes nothing.
    Reader,
}

impl Access {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Access::Owner => "owner",
            Access::Writer => "writer",
            Access::Reader => "reader",
        }
    }
}

/// Bounds on a SQLite file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// How long a write waits for another process's lock.
    pub busy: Duration,
    /// The file does not grow beyond so many pages of 4 KiB; then it is as if the disk
    /// were full.
    pub pages: Option<u32>,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            busy: BUSY,
            pages: None,
        }
    }
}

/// This process among those that write.
#[derive(Debug, Clone)]
pub(super) struct Worker {
    /// On PostgreSQL the number of the advisory lock that it holds, as text.
    pub id: String,
    /// The number of this start; on SQLite the fence of every claim.
    pub fence: i64,
}

statements! {
    /// A start of the service: its number only rises.
    START = "UPDATE counters SET value = value + 1 WHERE name = 'start' RETURNING value";
    /// Enters a worker; what it wrote before under the same id stays counted.
    ENTER = "INSERT INTO workers (id, fence, commits, instant) VALUES ($1, $2, 0, NULL)
        ON CONFLICT (id) DO UPDATE SET fence = excluded.fence";
    /// Leaves: its instant lives on in the row of all that left.
    LEAVE_NOTE = "INSERT INTO workers (id, fence, commits, instant)
        SELECT 'gone', 0, 0, MAX(instant) FROM workers WHERE id IN ($1, 'gone')
        ON CONFLICT (id) DO UPDATE SET instant = excluded.instant";
    LEAVE = "DELETE FROM workers WHERE id = $1";
    /// The newest migration that was applied.
    SCHEMA = "SELECT CAST(COALESCE(MAX(version), 0) AS BIGINT) FROM _sqlx_migrations";
    SQLITE_VERSION = { sqlite: "SELECT sqlite_version()", postgres: "" };
}

impl Store {
    /// Opens `sqlite:PATH` or `postgres://…`; brings the schema up to date unless only
    /// reading.
    ///
    /// # Errors
    /// Where the database is out of reach, owned by another `serve`, newer than this
    /// release, or not what the text says.
    pub async fn open(url: &str, access: Access) -> Result<Store, StoreError> {
        Store::open_within(url, access, &Bounds::default()).await
    }

    /// As [`Store::open`], with other bounds than the usual ones.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_within(
        url: &str,
        access: Access,
        bounds: &Bounds,
    ) -> Result<Store, StoreError> {
        let (pools, lock, aside) = if url.starts_with("sqlite:") {
            open_sqlite(url, access, bounds).await?
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            (open_postgres(url, access).await?, None, None)
        } else {
            return Err(StoreError::Url {
                found: url.split(':').next().unwrap_or_default().to_owned() + ":…",
            });
        };
        let (worker, secret) = if access == Access::Reader {
            let mut tx = pools.read().await?;
            let found = tx
                .fetch_one(&SCHEMA, vec![])
                .await?
                .map_or(Ok(0), |row| row.int(0))?;
            let known = newest(&SQLITE_MIGRATIONS);
            if found > known {
                return Err(StoreError::NewerSchema { known, found });
            }
            let secret = Secret::read(&mut tx).await?.unwrap_or(Secret::none());
            tx.rollback().await;
            (
                Worker {
                    id: String::new(),
                    fence: 0,
                },
                secret,
            )
        } else {
            let mut tx = pools.write().await?;
            let secret = Secret::make(&mut tx).await?;
            let worker = enter(&mut tx, access).await?;
            tx.commit().await?;
            (worker, secret)
        };
        let mut tasks = Vec::new();
        let closing = CancellationToken::new();
        if let (Pools::Postgres(_), true) = (&pools, access == Access::Owner) {
            let held = hold(url, &worker.id).await?;
            tasks.push(tokio::spawn(keep_holding(
                url.to_owned(),
                worker.id.clone(),
                held,
                closing.clone(),
            )));
        }
        let committed = Arc::new(Notify::new());
        if let Some(aside) = aside {
            let keeping = checkpoint::keep(aside, Arc::clone(&committed), closing.clone());
            tasks.push(tokio::spawn(keeping));
        }
        let shared = Arc::new(Shared {
            pools,
            committed,
            access,
            worker,
            secret,
            claims: Mutex::new(Claimed::default()),
            lock: std::sync::Mutex::new(lock),
        });
        let writes = (access != Access::Reader).then(|| {
            let (to, from) = tokio::sync::mpsc::channel(writer::WAITING);
            tasks.push(tokio::spawn(writer::write_all(Arc::clone(&shared), from)));
            to
        });
        Ok(Store {
            shared,
            writes,
            tasks: Arc::new(Mutex::new(tasks)),
            closing: Arc::new(closing.drop_guard()),
        })
    }
}

async fn enter(tx: &mut Tx, access: Access) -> Result<Worker, StoreError> {
    let (id, fence) = match (tx.db(), access) {
        (Db::Sqlite, Access::Owner) | (Db::Postgres, _) => {
            let row = tx.fetch_one(&START, vec![]).await?;
            let fence = row.map_or(Ok(1), |row| row.int(0))?;
            let id = match tx.db() {
                Db::Sqlite => "owner".to_owned(),
                Db::Postgres => {
                    let mut bytes = [0; 8];
                    getrandom::fill(&mut bytes).map_err(|_| StoreError::NoRandomness)?;
                    (i64::from_be_bytes(bytes) & i64::MAX).to_string()
                }
            };
            (id, fence)
        }
        (Db::Sqlite, _) => ("command".to_owned(), 0),
    };
    tx.run(&ENTER, vec![id.as_str().into(), fence.into()])
        .await?;
    Ok(Worker { id, fence })
}

/// Takes a worker's row out, keeping the instant that it knew.
pub(super) async fn leave(tx: &mut Tx, id: &str) -> Result<(), StoreError> {
    tx.run(&LEAVE_NOTE, vec![id.into()]).await?;
    tx.run(&LEAVE, vec![id.into()]).await?;
    Ok(())
}

// --- SQLite ---------------------------------------------------------------------------

/// Gives the pools, what shows that the file is ours, and connections for the log.
async fn open_sqlite(
    url: &str,
    access: Access,
    bounds: &Bounds,
) -> Result<(Pools, Option<File>, Option<SqlitePool>), StoreError> {
    let options = SqliteConnectOptions::from_str(url).map_err(|_| StoreError::Url {
        found: url.to_owned(),
    })?;
    let path = options.get_filename().to_owned();
    if path.as_os_str().is_empty() || url.contains(":memory:") || url.contains("mode=memory") {
        return Err(StoreError::Url {
            found: format!("{url}, which would be forgotten at once"),
        });
    }
    let mut lock = None;
    if access != Access::Reader {
        make_file(&path)?;
    }
    if access == Access::Owner {
        lock = Some(own(&path)?);
    }
    let options = options
        .busy_timeout(bounds.busy)
        .foreign_keys(true)
        .statement_cache_capacity(STATEMENTS)
        .row_buffer_size(1024)
        .pragma("temp_store", "MEMORY")
        .pragma("cache_size", "-16000")
        .disable_statement_logging();
    let write = if access == Access::Reader {
        None
    } else {
        let mut options = options
            .clone()
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .page_size(PAGE)
            .pragma("wal_autocheckpoint", checkpoint::LONGEST.to_string())
            // Freed pages are overwritten, so that what was erased is gone.
            .pragma("secure_delete", "ON");
        if let Some(pages) = bounds.pages {
            options = options.pragma("max_page_count", pages.to_string());
        }
        let pool = SqlitePoolOptions::new()
            .min_connections(1)
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(CONNECT)
            .test_before_acquire(false)
            .connect_with(options)
            .await?;
        Some(pool)
    };
    let lazy = |connections: u32, options: SqliteConnectOptions| {
        SqlitePoolOptions::new()
            .max_connections(connections)
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(CONNECT)
            .test_before_acquire(false)
            .connect_lazy_with(options)
    };
    let aside = write.is_some().then(|| {
        let options = options.clone().synchronous(SqliteSynchronous::Full);
        lazy(1, options.pragma("wal_autocheckpoint", "0"))
    });
    let read = lazy(READERS, options.read_only(true));
    if let Some(write) = &write {
        migrate(SQLITE_MIGRATIONS.run(write).await, &SQLITE_MIGRATIONS)?;
    }
    let pools = Pools::Sqlite { write, read };
    let mut tx = pools.read().await?;
    let found = match tx.fetch_one(&SQLITE_VERSION, vec![]).await? {
        Some(row) => row.text(0)?,
        None => String::new(),
    };
    tx.rollback().await;
    if !is_recent(&found) {
        return Err(StoreError::OldSqlite { found });
    }
    Ok((pools, lock, aside))
}

/// Whether a version of SQLite keeps every commit.
fn is_recent(version: &str) -> bool {
    let parts: Vec<u32> = version
        .split('.')
        .map_while(|part| part.parse().ok())
        .collect();
    parts.as_slice() >= OLDEST_SQLITE.as_slice()
}

/// Makes folder and file where they are missing; the file is its owner's alone.
fn make_file(path: &Path) -> Result<(), StoreError> {
    let failed = |source: std::io::Error| StoreError::File {
        path: path.to_owned(),
        source: Arc::new(source),
    };
    if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    match private(OpenOptions::new().write(true).create_new(true)).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Takes the lock beside the file; it lasts until the handle is dropped, also by kill -9.
fn own(path: &Path) -> Result<File, StoreError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let beside = PathBuf::from(beside);
    let failed = |source: std::io::Error| StoreError::File {
        path: beside.clone(),
        source: Arc::new(source),
    };
    let file = private(OpenOptions::new().write(true).create(true).truncate(false))
        .open(&beside)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Owned {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

// --- PostgreSQL -----------------------------------------------------------------------

fn postgres_options(url: &str) -> Result<PgConnectOptions, StoreError> {
    let options = PgConnectOptions::from_str(url).map_err(|_| StoreError::Url {
        found: "postgres:…, which does not parse".to_owned(),
    })?;
    Ok(options
        .application_name("aftercare")
        .statement_cache_capacity(STATEMENTS)
        .disable_statement_logging())
}

async fn open_postgres(url: &str, access: Access) -> Result<Pools, StoreError> {
    let pool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(CONNECT)
        .test_before_acquire(false)
        .after_connect(|connection, _| {
            Box::pin(async move {
                // Whatever the server's default: acknowledged means on disk. A server
                // that waits for replicas as well may go on doing so.
                sqlx::query("SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN ('off', 'local')")
                    .execute(&mut *connection)
                    .await?;
                Ok(())
            })
        })
        .connect_with(postgres_options(url)?)
        .await?;
    if access != Access::Reader {
        // The migrator holds an advisory lock meanwhile.
        migrate(POSTGRES_MIGRATIONS.run(&pool).await, &POSTGRES_MIGRATIONS)?;
    }
    Ok(Pools::Postgres(pool))
}

fn migrate(outcome: Result<(), MigrateError>, all: &Migrator) -> Result<(), StoreError> {
    match outcome {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(found)) => Err(StoreError::NewerSchema {
            known: newest(all),
            found,
        }),
        Err(MigrateError::Execute(error)) => Err(error.into()),
        Err(other) => Err(StoreError::Migration(Arc::new(other))),
    }
}

/// The newest migration that this release knows; the same for both databases.
fn newest(all: &Migrator) -> i64 {
    all.iter().map(|one| one.version).max().unwrap_or(0)
}

/// A connection that holds the worker's advisory lock as long as it lives.
async fn hold(url: &str, id: &str) -> Result<PgConnection, StoreError> {
    let mut connection = postgres_options(url)?.connect().await?;
    sqlx::query("SELECT pg_advisory_lock($1)")
        .bind(id.parse::<i64>().unwrap_or_default())
        .execute(&mut connection)
        .await?;
    Ok(connection)
}

/// Looks after that connection: where it is lost, others may think this worker dead and
/// recover its claims, which its fences make harmless; it takes the lock again.
async fn keep_holding(url: String, id: String, mut held: PgConnection, closing: CancellationToken) {
    loop {
        tokio::select! {
            () = closing.cancelled() => break,
            () = tokio::time::sleep(PULSE) => {}
        }
        if held.ping().await.is_err() {
            tracing::warn!("the connection that holds this worker's lock was lost");
            // The server may still think that the old connection lives.
            if let Ok(Ok(again)) = tokio::time::timeout(PULSE, hold(&url, &id)).await {
                held = again;
            }
        }
    }
    // Said aloud, since the server notices a closed connection a little later.
    let unlocked = sqlx::query("SELECT pg_advisory_unlock_all()")
        .execute(&mut held)
        .await;
    if unlocked.is_ok() {
        let _ = held.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_of_sqlite_are_known() {
        for (version, recent) in [
            ("3.51.3", true),
            ("3.52.0", true),
            ("4.0.0", true),
            ("3.51.2", false),
            ("3.9.99", false),
            ("", false),
        ] {
            assert_eq!(is_recent(version), recent, "{version}");
        }
    }
}
