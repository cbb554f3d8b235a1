//! The seam: the one file that knows how two databases differ. Everything else hands a
//! [`Statement`] and values to a [`Tx`] and reads [`Row`]s.
//!
//! Statements are written once, in the dialect that both databases share; a list of rows
//! travels as one JSON parameter, written `rows($1: id TEXT, at BIGINT)` where a table
//! may stand, or value by value where much is to be done in SQLite ([`Tx::each`]). Pairs of texts are for row locks and clocks only. Values are always bound,
//! never pasted into a text.

use super::error::{Corrupt, StoreError};
use serde::Serialize;
use sqlx::AssertSqlSafe;
use sqlx::{PgPool, Postgres, Row as _, Sqlite, SqlitePool, Transaction};
use std::sync::{Arc, OnceLock};

/// Values that one statement takes at most where a list is bound value by value; SQLite
/// takes 32,766.
const MOST_VALUES: usize = 4096;
/// How many numbers of rows have a text of their own: the powers of two.
const SIZES: usize = MOST_VALUES.ilog2() as usize + 1;
/// The smallest of them, as a power: fewer rows are made up to that.
const LEAST: u32 = 3;

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Db {
    Sqlite,
    Postgres,
}

/// One statement, known by its name, in both dialects.
#[derive(Debug)]
pub struct Statement {
    pub name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
    ready: [OnceLock<Arc<str>>; 2],
    /// For SQLite, by the power of two that is the number of rows bound.
    sized: [OnceLock<Arc<str>>; SIZES],
}

impl Statement {
    /// A statement of one text for both databases.
    pub const fn same(name: &'static str, text: &'static str) -> Self {
        Self::pair(name, text, text)
    }

    /// A statement that needs a text for each.
    pub const fn pair(name: &'static str, sqlite: &'static str, postgres: &'static str) -> Self {
        Statement {
            name,
            sqlite,
            postgres,
            ready: [const { OnceLock::new() }; 2],
            sized: [const { OnceLock::new() }; SIZES],
        }
    }

    /// The text for one database, with lists written out.
    pub fn text(&self, db: Db) -> Arc<str> {
        let (text, place) = match db {
            Db::Sqlite => (self.sqlite, &self.ready[0]),
            Db::Postgres => (self.postgres, &self.ready[1]),
        };
        Arc::clone(place.get_or_init(|| with_lists(text, |list| list.as_json(db)).into()))
    }

    /// The text for SQLite in which the list is `1 << size` rows of values.
    fn bound(&self, size: u32) -> Arc<str> {
        let text = || with_lists(self.sqlite, |list| list.as_values(1 << size)).into();
        match self.sized.get(size as usize) {
            Some(place) => Arc::clone(place.get_or_init(text)),
            None => text(),
        }
    }

    /// How many values it takes: the highest `$n`.
    pub fn places(&self, db: Db) -> usize {
        self.text(db)
            .split('$')
            .skip(1)
            .filter_map(|rest| {
                let end = rest
                    .find(|c: char| !c.is_ascii_digit())
                    .unwrap_or(rest.len());
                rest[..end].parse().ok()
            })
            .max()
            .unwrap_or(0)
    }
}

/// A list of rows as a statement names it: `rows($n: name TYPE, …)`.
struct List<'t> {
    /// `$n`
    place: &'t str,
    /// Name and type of each column.
    columns: Vec<(&'t str, &'t str)>,
}

impl List<'_> {
    /// As a table over a JSON list of lists.
    fn as_json(&self, db: Db) -> String {
        let place = self.place;
        let columns = self.columns.iter().enumerate();
        let columns = columns.map(|(n, (name, sort))| match db {
            Db::Sqlite => format!("value->>{n} AS {name}"),
            Db::Postgres => format!("(value->>{n})::{sort} AS {name}"),
        });
        let columns: Vec<String> = columns.collect();
        let source = match db {
            // Rows as JSONB: as text, each would be written out and read again for its columns.
            Db::Sqlite => format!("jsonb_each({place})"),
            Db::Postgres => format!("json_array_elements({place}::json)"),
        };
        format!("(SELECT {} FROM {source})", columns.join(", "))
    }

    /// As so many rows, each value a place of its own. A row that is not filled is none: its
    /// first value is NULL.
    fn as_values(&self, rows: usize) -> String {
        let names = self.columns.iter().enumerate();
        let names = names.map(|(n, (name, _))| format!("column{} AS {name}", n + 1));
        let names: Vec<String> = names.collect();
        let row = format!("({})", vec!["?"; self.columns.len()].join(", "));
        let rows = vec![row; rows].join(", ");
        let names = names.join(", ");
        format!("(SELECT {names} FROM (VALUES {rows}) WHERE column1 IS NOT NULL)")
    }
}

/// Writes out each list that a text names.
fn with_lists(text: &str, written: impl Fn(&List<'_>) -> String) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, list)) = rest.split_once("rows(") {
        let Some((inside, after)) = list.split_once(')') else {
            break;
        };
        let Some((place, columns)) = inside.split_once(':') else {
            break;
        };
        let columns = columns.split(',');
        let columns = columns.filter_map(|column| column.trim().split_once(' '));
        let list = List {
            place,
            columns: columns.collect(),
        };
        out.push_str(before);
        out.push_str(&written(&list));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Declares the statements of a module, and lists them as `ALL` so that a test can
/// prepare every one on both databases.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $text:tt;)*) => {
        $($(#[$doc])* pub(super) static $name: $crate::store::db::Statement =
            $crate::store::db::statements!(@one $name $text);)*
        /// Every statement of this module.
        pub(super) static ALL: &[&$crate::store::db::Statement] = &[$(&$name),*];
    };
    (@one $name:ident { sqlite: $sqlite:expr, postgres: $postgres:expr $(,)? }) => {
        $crate::store::db::Statement::pair(stringify!($name), $sqlite, $postgres)
    };
    (@one $name:ident $text:expr) => {
        $crate::store::db::Statement::same(stringify!($name), $text)
    };
}
pub(super) use statements;

/// A bound value.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Value {
    Int(Option<i64>),
    Text(Option<String>),
    /// A text that is held elsewhere too, and holds no NUL.
    Shared(Arc<str>),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Int(Some(value))
    }
}
impl From<Option<i64>> for Value {
    fn from(value: Option<i64>) -> Self {
        Value::Int(value)
    }
}
impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::Text(Some(value.to_owned()))
    }
}
impl From<String> for Value {
    fn from(value: String) -> Self {
        Value::Text(Some(value))
    }
}
impl From<Arc<str>> for Value {
    fn from(value: Arc<str>) -> Self {
        Value::Shared(value)
    }
}
impl From<Option<String>> for Value {
    fn from(value: Option<String>) -> Self {
        Value::Text(value)
    }
}

/// A list of rows (tuples, in the order of the columns) for `rows($n: …)`.
///
/// # Errors
/// Where a row cannot be written as JSON.
pub fn rows<T: Serialize>(of: &[T]) -> Result<Value, StoreError> {
    let mut text = Vec::with_capacity(of.len() * 64);
    let mut to = serde_json::Serializer::with_formatter(&mut text, NoNul);
    of.serialize(&mut to)?;
    // serde_json writes UTF-8 only.
    let text = String::from_utf8(text)
        .unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into_owned());
    Ok(Value::Text(Some(text)))
}

/// A text as it comes back from the database (see [`rows`]).
pub fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Writes the character NUL, which PostgreSQL cannot keep in a text, as U+FFFD.
struct NoNul;

impl serde_json::ser::Formatter for NoNul {
    fn write_char_escape<W: ?Sized + std::io::Write>(
        &mut self,
        to: &mut W,
        escape: serde_json::ser::CharEscape,
    ) -> std::io::Result<()> {
        use serde_json::ser::{CharEscape, CompactFormatter};
        match escape {
            CharEscape::AsciiControl(0) => to.write_all("\u{fffd}".as_bytes()),
            other => CompactFormatter.write_char_escape(to, other),
        }
    }
}

/// A row of either database.
#[derive(Debug)]
pub enum Row {
    Sqlite(sqlx::sqlite::SqliteRow),
    Postgres(sqlx::postgres::PgRow),
}

macro_rules! readers {
    ($($(#[$doc:meta])* $name:ident -> $sort:ty;)*) => {
        $($(#[$doc])*
        ///
        /// # Errors
        /// Where the column is missing or holds something else.
        pub fn $name(&self, place: usize) -> Result<$sort, StoreError> {
            let got = match self {
                Row::Sqlite(row) => row.try_get::<$sort, _>(place),
                Row::Postgres(row) => row.try_get::<$sort, _>(place),
            };
            got.map_err(|error| StoreError::Corrupt(Corrupt {
                table: "a result",
                column: stringify!($name),
                id: place.to_string(),
                found: error.to_string(),
            }))
        })*
    };
}

impl Row {
    readers! {
        /// A whole number that is always there. SQLite reads NULL as 0: for columns that
        /// are NOT NULL only.
        int -> i64;
        /// A whole number that may be missing.
        maybe_int -> Option<i64>;
        /// A text that is always there.
        text -> String;
        /// A text that may be missing.
        maybe_text -> Option<String>;
    }
}

/// A transaction on either database. Dropped without [`Tx::commit`], it never was.
#[derive(Debug)]
pub enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// Binds the values to a text.
macro_rules! bound {
    ($text:expr, $values:expr) => {{
        let mut query = sqlx::query(AssertSqlSafe($text));
        for value in $values {
            query = match value {
                Value::Int(value) => query.bind(value),
                Value::Text(Some(text)) if text.contains('\0') => {
                    query.bind(Some(text.replace('\0', "\u{fffd}")))
                }
                Value::Text(value) => query.bind(value),
                Value::Shared(text) => query.bind(text),
            };
        }
        query
    }};
}

impl Tx {
    /// Which database.
    pub fn db(&self) -> Db {
        match self {
            Tx::Sqlite(_) => Db::Sqlite,
            Tx::Postgres(_) => Db::Postgres,
        }
    }

    fn check(&self, statement: &Statement, values: &[Value]) -> Result<Arc<str>, StoreError> {
        let expected = statement.places(self.db());
        // SQLite would take a missing value for NULL.
        if expected != values.len() {
            return Err(StoreError::Values {
                statement: statement.name,
                expected,
                found: values.len(),
            });
        }
        Ok(statement.text(self.db()))
    }

    /// Runs a statement and gives its rows.
    ///
    /// # Errors
    /// What the database says; see [`StoreError`].
    pub async fn fetch(
        &mut self,
        statement: &Statement,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        let text = self.check(statement, &values)?;
        Ok(match self {
            Tx::Sqlite(tx) => bound!(text, values)
                .fetch_all(&mut **tx)
                .await?
                .into_iter()
                .map(Row::Sqlite)
                .collect(),
            Tx::Postgres(tx) => bound!(text, values)
                .fetch_all(&mut **tx)
                .await?
                .into_iter()
                .map(Row::Postgres)
                .collect(),
        })
    }

    /// Runs a statement that gives one row at most.
    ///
    /// # Errors
    /// As [`Tx::fetch`].
    pub async fn fetch_one(
        &mut self,
        statement: &Statement,
        values: Vec<Value>,
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.fetch(statement, values).await?.into_iter().next())
    }

    /// Runs a statement and gives the number of rows that it changed.
    ///
    /// # Errors
    /// As [`Tx::fetch`].
    pub async fn run(
        &mut self,
        statement: &Statement,
        values: Vec<Value>,
    ) -> Result<u64, StoreError> {
        let text = self.check(statement, &values)?;
        Ok(match self {
            Tx::Sqlite(tx) => bound!(text, values)
                .execute(&mut **tx)
                .await?
                .rows_affected(),
            Tx::Postgres(tx) => bound!(text, values)
                .execute(&mut **tx)
                .await?
                .rows_affected(),
        })
    }

    /// Runs a statement whose one value is a list of rows, and that does to each row what
    /// it would do to it alone; gives what came of each. An order that the statement asks
    /// for holds among what came of one row. The first value of a row is never missing.
    ///
    /// # Errors
    /// As [`Tx::fetch`].
    pub async fn each(
        &mut self,
        statement: &Statement,
        list: Vec<Vec<Value>>,
    ) -> Result<Vec<Row>, StoreError> {
        if list.is_empty() {
            return Ok(Vec::new());
        }
        let Tx::Sqlite(tx) = self else {
            return self.fetch(statement, vec![rows(&list)?]).await;
        };
        let most = list.first().map_or(1, |row| MOST_VALUES / row.len().max(1));
        let mut list = list.into_iter();
        let mut found = Vec::new();
        while list.len() > 0 {
            let fits = most.checked_ilog2().unwrap_or(0);
            let size = list.len().next_power_of_two().ilog2().max(LEAST).min(fits);
            let text = statement.bound(size);
            // What is not bound is NULL.
            let values = list.by_ref().take(1 << size).flatten();
            let rows = bound!(text, values).fetch_all(&mut **tx).await?;
            found.extend(rows.into_iter().map(Row::Sqlite));
        }
        Ok(found)
    }

    /// Has the database read a statement without running it.
    ///
    /// # Errors
    /// Where it does not fit the schema.
    pub async fn prepare(&mut self, statement: &Statement) -> Result<(), StoreError> {
        use sqlx::{Executor, SqlSafeStr};
        let text = AssertSqlSafe(statement.text(self.db())).into_sql_str();
        match self {
            Tx::Sqlite(tx) => drop((&mut **tx).prepare(text).await?),
            Tx::Postgres(tx) => drop((&mut **tx).prepare(text).await?),
        }
        Ok(())
    }

    /// Makes what was done durable.
    ///
    /// # Errors
    /// On PostgreSQL the outcome is unknown where the connection was lost.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self {
            Tx::Sqlite(tx) => tx.commit().await?,
            Tx::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }

    /// Undoes what was done. A failure to say so does not matter: it will never commit.
    pub async fn rollback(self) {
        let _ = match self {
            Tx::Sqlite(tx) => tx.rollback().await,
            Tx::Postgres(tx) => tx.rollback().await,
        };
    }
}

/// Connections to one of the databases: one that writes, some that read.
#[derive(Debug, Clone)]
pub enum Pools {
    Sqlite {
        write: Option<SqlitePool>,
        read: SqlitePool,
    },
    Postgres(PgPool),
}

impl Pools {
    /// Which database.
    pub fn db(&self) -> Db {
        match self {
            Pools::Sqlite { .. } => Db::Sqlite,
            Pools::Postgres(_) => Db::Postgres,
        }
    }

    /// Begins to write. On SQLite this takes the write lock at once, since taking it
    /// after a read may fail.
    ///
    /// # Errors
    /// Where the database is out of reach or locked, or was opened for reading.
    pub async fn write(&self) -> Result<Tx, StoreError> {
        match self {
            Pools::Sqlite {
                write: Some(pool), ..
            } => Ok(Tx::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?)),
            Pools::Sqlite { write: None, .. } => Err(StoreError::Access {
                wanted: "writer",
                found: "reader",
            }),
            Pools::Postgres(pool) => Ok(Tx::Postgres(pool.begin().await?)),
        }
    }

    /// Begins to read one state of everything.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        Ok(match self {
            Pools::Sqlite { read, .. } => Tx::Sqlite(read.begin().await?),
            Pools::Postgres(pool) => Tx::Postgres(
                pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    .await?,
            ),
        })
    }

    /// Closes all connections.
    pub async fn close(&self) {
        match self {
            Pools::Sqlite { write, read } => {
                read.close().await;
                if let Some(write) = write {
                    write.close().await;
                }
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_written_out_and_places_counted() {
        static ONE: Statement = Statement::same(
            "ONE",
            "SELECT r.id FROM rows($2: id TEXT, at BIGINT) AS r WHERE r.at < $1",
        );
        assert_eq!(
            &*ONE.text(Db::Sqlite),
            "SELECT r.id FROM (SELECT value->>0 AS id, value->>1 AS at FROM jsonb_each($2)) AS r WHERE r.at < $1"
        );
        assert_eq!(
            &*ONE.text(Db::Postgres),
            "SELECT r.id FROM (SELECT (value->>0)::TEXT AS id, (value->>1)::BIGINT AS at FROM json_array_elements($2::json)) AS r WHERE r.at < $1"
        );
        assert_eq!(ONE.places(Db::Sqlite), 2);
    }

    #[test]
    fn lists_are_bound_value_by_value() {
        static ONE: Statement = Statement::same(
            "ONE",
            "INSERT INTO t (id, at) SELECT r.id, r.at FROM rows($1: id TEXT, at BIGINT) AS r WHERE 1 = 1",
        );
        assert_eq!(
            &*ONE.bound(1),
            "INSERT INTO t (id, at) SELECT r.id, r.at FROM (SELECT column1 AS id, column2 AS at \
             FROM (VALUES (?, ?), (?, ?)) WHERE column1 IS NOT NULL) AS r WHERE 1 = 1"
        );
        assert_eq!(ONE.bound(0).matches('?').count(), 2);
        assert_eq!(ONE.bound(7).matches('?').count(), 2 * 128);
    }

    #[test]
    fn nul_never_reaches_the_database() {
        let Ok(Value::Text(Some(text))) = rows(&[("a\0b", "{\"x\":\"\\u0000\"}", 1)]) else {
            unreachable!("a list")
        };
        assert_eq!(
            text,
            "[[\"a\u{fffd}b\",\"{\\\"x\\\":\\\"\\\\u0000\\\"}\",1]]"
        );
    }
}
