//! What can go wrong with the database, told apart by what a caller can do about it.

use std::path::PathBuf;
use std::sync::Arc;

/// Why the store did not do what was asked. Nothing was acknowledged and nothing was
/// kept, unless a variant says otherwise.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, or went away. Trying again later may help.
    #[error("the database is out of reach")]
    Unavailable(#[source] Arc<sqlx::Error>),
    /// The disk is full. Trying again helps once there is room.
    #[error("the disk of the database is full")]
    Full(#[source] Arc<sqlx::Error>),
    /// Somebody else held a lock for too long. Trying again soon may help.
    #[error("the database is locked by another process")]
    Locked(#[source] Arc<sqlx::Error>),
    /// The database itself is damaged, or is no database of this sort.
    #[error("the database is damaged or is no database\nhint: `doctor` checks it")]
    Damaged(#[source] Arc<sqlx::Error>),
    /// A row does not say what it should.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    /// A later release has changed the schema.
    #[error(
        "expected schema version {known} or older, found {found}\nhint: this database was opened by a newer release, which has to go on with it"
    )]
    NewerSchema { known: i64, found: i64 },
    /// Migrating failed.
    #[error("the schema cannot be brought up to date")]
    Migration(#[source] Arc<sqlx::migrate::MigrateError>),
    /// Another `serve` has the file.
    #[error("expected {} to be free, found it in use by another `serve`\nhint: one process owns a SQLite file; stop the other one, or use PostgreSQL", path.display())]
    Owned { path: PathBuf },
    /// SQLite before 3.51.3 can lose commits.
    #[error("expected SQLite 3.51.3 or newer, found {found}")]
    OldSqlite { found: String },
    /// The text is no address of a database that we know.
    #[error("expected sqlite:PATH or postgres://…, found {found}")]
    Url { found: String },
    /// The folder or file cannot be made or opened.
    #[error("cannot open {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: Arc<std::io::Error>,
    },
    /// This process may not do that: claims are the owner's, and a reader writes nothing.
    #[error("expected access as {wanted}, found {found}")]
    Access {
        wanted: &'static str,
        found: &'static str,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// There is no source of random numbers, so no secret can be made.
    #[error("the system gives no random numbers")]
    NoRandomness,
    /// A statement was given another number of values than it has places for.
    #[error("statement {statement}: expected {expected} values, found {found}")]
    Values {
        statement: &'static str,
        expected: usize,
        found: usize,
    },
    /// A value cannot be written as JSON.
    #[error("a value cannot be written as JSON")]
    Json(#[source] Arc<serde_json::Error>),
    /// The database refused a statement: a mistake of ours.
    #[error("the database refused a statement")]
    Refused(#[source] Arc<sqlx::Error>),
}

/// A row that does not parse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "table {table}, column {column}, row {id}: expected what this release wrote, found {found}"
)]
pub struct Corrupt {
    pub table: &'static str,
    pub column: &'static str,
    /// Key of the row.
    pub id: String,
    /// What the parser said; never the value.
    pub found: String,
}

impl StoreError {
    /// Whether the same call may succeed later without anybody mending a row or a
    /// program: what a door answers with 503.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            StoreError::Unavailable(_)
                | StoreError::Full(_)
                | StoreError::Locked(_)
                | StoreError::Closed
        )
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let error = Arc::new(error);
        match &*error {
            sqlx::Error::Database(from) => {
                let code = from.code().unwrap_or_default();
                sort_of(&code)(error.clone())
            }
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => StoreError::Unavailable(error),
            _ => StoreError::Refused(error),
        }
    }
}

/// Sorts the codes: SQLite's are (extended) numbers, PostgreSQL's have five characters.
fn sort_of(code: &str) -> fn(Arc<sqlx::Error>) -> StoreError {
    if code.len() == 5 {
        return match code {
            "53100" => StoreError::Full,
            "40001" | "40P01" | "55P03" => StoreError::Locked,
            "XX001" | "XX002" => StoreError::Damaged,
            // Connection trouble, lack of means, an operator's hand, a system's error.
            _ if ["08", "53", "57", "58"]
                .iter()
                .any(|class| code.starts_with(class)) =>
            {
                StoreError::Unavailable
            }
            _ => StoreError::Refused,
        };
    }
    match code.parse::<i64>().unwrap_or(0) & 0xff {
        13 => StoreError::Full,
        5 | 6 => StoreError::Locked,
        11 | 26 => StoreError::Damaged,
        // Out of memory, read-only, input/output, cannot open, protocol.
        7 | 8 | 10 | 14 | 15 => StoreError::Unavailable,
        _ => StoreError::Refused,
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        StoreError::Json(Arc::new(error))
    }
}
