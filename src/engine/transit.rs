//! Has the shop's own parcels teach how long parcels take, once a day, and lays what they
//! taught before whoever plans. What is learnt is kept in the database, so that every
//! process, preview and explanation goes by the same.

use super::reload::Live;
use super::{Engine, EngineError};
use crate::model::time::{self, Timestamp};
use crate::model::transit::Transits;
use crate::state::transit::{self, MOST_PARCELS, Observation, WINDOW_DAYS};
use crate::store::{Store, StoreError};
use jiff::SignedDuration;
use std::sync::Arc;
use std::time::Duration;

/// How often it is looked whether a lesson is due, in real time.
pub const EVERY: Duration = Duration::from_secs(300);
/// People whose histories are read at once.
const AT_ONCE: usize = 256;
/// Under which key the database keeps what was learnt.
const TRANSITS: &str = "transits";
/// Under which key, how often anything was: another number, another table.
const EDITION: &str = "transits_edition";
/// Under which key, for which instant it was last learnt.
const LESSON: &str = "transits_lesson";

/// What was learnt, and its number; nothing where nothing was.
pub(super) async fn learnt(store: &Store) -> Result<(Transits, i64), StoreError> {
    let edition = store.meta(EDITION).await?;
    let edition = edition.and_then(|text| text.parse().ok()).unwrap_or(0);
    let text = store.meta(TRANSITS).await?;
    let table = text.as_deref().map(serde_json::from_str);
    match table.transpose() {
        Ok(table) => Ok((table.unwrap_or_default(), edition)),
        Err(error) => {
            tracing::error!(%error, "what was learnt of transit times cannot be read; it is learnt anew");
            Ok((Transits::default(), edition))
        }
    }
}

/// Has the next look learn at once: much history came in.
///
/// # Errors
/// The database refuses or is out of reach.
pub async fn learn_anew(store: &Store) -> Result<(), StoreError> {
    store.set_meta(LESSON, "").await
}

impl Engine {
    /// Learns, where a lesson is due and the files want it; else takes in what another
    /// process learnt. Says whether anything is new.
    ///
    /// # Errors
    /// The store's; then it is done again at the next look.
    pub async fn learn_transits(&self) -> Result<bool, EngineError> {
        let live = self.live();
        if !live.catalog.policy.learn {
            return Ok(false);
        }
        let now = self.now();
        let as_of = transit::lesson(now);
        let done = self.store.meta(LESSON).await?;
        if done.as_deref() == Some(as_of.to_string().as_str()) {
            return self.look_for_transits().await;
        }
        let observed = self.lessons(&live, as_of).await?;
        let (mut table, edition) = learnt(&self.store).await?;
        let news = transit::learn(&mut table, &observed.iter().collect::<Vec<_>>(), as_of, now);
        if news {
            let text = serde_json::to_string(&table).unwrap_or_default();
            self.store.set_meta(TRANSITS, &text).await?;
            let edition = (edition + 1).to_string();
            self.store.set_meta(EDITION, &edition).await?;
            self.look_for_transits().await?;
        }
        self.store.set_meta(LESSON, &as_of.to_string()).await?;
        tracing::info!(
            parcels = observed.len(),
            ways = table.newest().count(),
            news,
            "transit times were learnt"
        );
        Ok(news)
    }

    /// What everybody's parcels teach, as known before an instant.
    async fn lessons(
        &self,
        live: &Arc<Live>,
        as_of: Timestamp,
    ) -> Result<Vec<Observation>, EngineError> {
        let window = SignedDuration::from_hours(-24 * WINDOW_DAYS);
        let since = time::saturating_add(as_of, window);
        let people = self.store.delivered_to(since, MOST_PARCELS).await?;
        let mut observed = Vec::new();
        for some in people.chunks(AT_ONCE) {
            let histories = self.store.histories(some).await?;
            let live = Arc::clone(live);
            let work = tokio::task::spawn_blocking(move || -> Vec<Observation> {
                let policy = &live.catalog.policy;
                // A row that does not parse is told where people are planned.
                let readable = histories.into_iter().flatten();
                readable
                    .flat_map(|history| transit::observe(policy, &history, as_of))
                    .collect()
            });
            match work.await {
                Ok(some) => observed.extend(some),
                Err(error) => {
                    tracing::error!(%error, "some people's parcels teach nothing");
                }
            }
        }
        Ok(observed)
    }

    /// Takes in what was learnt since the files were put in force, here or in another
    /// process, and wakes whom it may concern.
    ///
    /// # Errors
    /// The store's.
    pub async fn look_for_transits(&self) -> Result<bool, EngineError> {
        let edition = self.store.meta(EDITION).await?;
        let edition = edition.and_then(|text| text.parse().ok()).unwrap_or(0);
        if edition == self.live().taught {
            return Ok(false);
        }
        let (table, edition) = learnt(&self.store).await?;
        self.live
            .rcu(|live| (**live).clone().with_transits(table.clone(), edition));
        self.store.wake_all(self.now()).await?;
        self.to_plan.notify_one();
        Ok(true)
    }
}
