//! Events that wait for somebody to turn up wait for 30 days (rule 9). Then they are moved
//! into quarantine, counted and told: a human may still make something of them.
//!
//! How long they wait is counted by this install's clock, not by what events say of
//! themselves: what is imported today waits from today. So it is noted each day how far
//! events had come.

use super::{Engine, EngineError};
use crate::model::time::{self, Timestamp, from_ms, to_ms};
use jiff::SignedDuration;

/// How long events wait for somebody to turn up.
pub const WAIT_DAYS: i64 = 30;
/// Under which key the database keeps how far events had come, by day.
const MARKS: &str = "parked_marks";
/// The least time between two marks.
const BETWEEN: SignedDuration = SignedDuration::from_hours(24);
/// What stands beside them in quarantine.
const BECAUSE: &str = "it waited 30 days for the order, parcel or person that it is about, which never came: replay it once that is there, or drop it";

impl Engine {
    /// Moves what has waited too long; gives how many.
    ///
    /// # Errors
    /// The store's; the rest is moved at the next look.
    pub async fn expire_parked(&self) -> Result<u64, EngineError> {
        let now = self.now();
        let text = self.store.meta(MARKS).await?;
        // (when, the newest event at that time)
        let mut marks: Vec<(i64, i64)> = text
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let before = marks.len();
        let next = |at: &(i64, i64)| time::saturating_add(from_ms(at.0), BETWEEN);
        if marks.last().is_none_or(|last| next(last) <= now) {
            marks.push((to_ms(now), self.store.last_event().await?));
        }
        let oldest = oldest(now);
        let ripe = marks.iter().rposition(|(at, _)| from_ms(*at) <= oldest);
        let mut moved = 0;
        if let Some(ripe) = ripe {
            let (_, up_to) = marks[ripe];
            loop {
                let some = self.store.expire_parked(up_to, BECAUSE, now).await?;
                if some == 0 {
                    break;
                }
                moved += some;
            }
            // What is not parked any more never is again.
            marks.drain(..=ripe);
        }
        if moved > 0 {
            crate::telemetry::parked_expired(moved);
            self.tell_expired(moved).await?;
            tracing::warn!(
                events = moved,
                "events waited too long for what they are about and are in quarantine: see `aftercare quarantine list --by cause`"
            );
        }
        if marks.len() != before || ripe.is_some() {
            let text = serde_json::to_string(&marks).unwrap_or_default();
            self.store.set_meta(MARKS, &text).await?;
        }
        Ok(moved)
    }
}

fn oldest(now: Timestamp) -> Timestamp {
    time::saturating_add(now, SignedDuration::from_hours(-24 * WAIT_DAYS))
}
