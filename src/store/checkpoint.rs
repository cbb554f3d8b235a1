//! SQLite's write-ahead log: what is committed is taken over into the file beside the
//! writer, who would otherwise stand still for it.
//!
//! Beside a writer that never rests this never gets to the end of the log, and the log
//! begins anew only from its end. So the writer still takes it over itself once it has
//! grown long ([`LONGEST`]), and has little left to do then.

use sqlx::SqlitePool;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Pages of the log after which the writer takes it over (80 MB).
pub(super) const LONGEST: u32 = 10_000;
/// Pages that are taken over at once: with fewer, pages that change again and again would
/// be written again and again.
const ENOUGH: i64 = 2_000;
/// How long after a look at the log the next may follow.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Until told to stop: looks after each commit whether enough is in the log.
pub(super) async fn keep(pool: SqlitePool, committed: Arc<Notify>, closing: CancellationToken) {
    let looking = async {
        loop {
            committed.notified().await;
            match look(&pool).await {
                Ok(()) => {}
                // The writer does it in the end.
                Err(error) => tracing::debug!(%error, "the log stays as it is for now"),
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    // A look that is cut short is finished by SQLite's own thread before the pool closes.
    closing.run_until_cancelled(looking).await;
    pool.close().await;
}

async fn look(pool: &SqlitePool) -> Result<(), sqlx::Error> {
    // (whether it was kept from it, pages in the log, pages taken over)
    let (_, pages, taken): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(NOOP)")
        .fetch_one(pool)
        .await?;
    if pages - taken >= ENOUGH {
        sqlx::query("PRAGMA wal_checkpoint(PASSIVE)")
            .execute(pool)
            .await?;
    }
    Ok(())
}
