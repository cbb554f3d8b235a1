//! Notices when a source falls silent, and says so once: in the log and as a metric. What
//! silence is, [`crate::ingest::silence`] judges; here its facts are listened to.

use super::alerts::Found;
use super::{Engine, EngineError};
use crate::ingest::silence::{Sources, Standing};
use crate::store::{Store, StoreError};
use std::collections::BTreeSet;
use std::time::Duration;

/// How often it is looked, in real time.
pub const EVERY: Duration = Duration::from_secs(300);
/// How many of the newest events a rhythm is first learnt from.
const LOOK_BACK: i64 = 300_000;
/// Events read at once.
const PAGE: usize = 5000;
/// Under which key the database keeps who is known to be silent, so that a restart does
/// not tell it again.
const SILENT: &str = "silent_sources";

/// What was heard, as far as it was read.
#[derive(Debug, Default)]
pub struct Listener {
    pub sources: Sources,
    /// The newest event that was read; 0 before the first look.
    last: i64,
}

impl Listener {
    /// Reads on.
    ///
    /// # Errors
    /// The database is out of reach; what was read stays read.
    pub async fn listen(&mut self, store: &Store) -> Result<(), StoreError> {
        if self.last == 0 {
            self.last = store.last_event().await?.saturating_sub(LOOK_BACK).max(0);
        }
        loop {
            let page = store.heard(self.last, PAGE).await?;
            for one in &page {
                self.last = one.seq;
                self.sources.note(&one.source, &one.kind, one.recorded);
            }
            if page.len() < PAGE {
                return Ok(());
            }
        }
    }
}

impl Engine {
    /// Looks once; tells who fell silent since the last look, and who is back.
    ///
    /// # Errors
    /// The database is out of reach.
    pub async fn look_for_silence(&self, listener: &mut Listener) -> Result<(), EngineError> {
        listener.listen(&self.store).await?;
        let text = self.store.meta(SILENT).await?;
        let before: BTreeSet<(String, String)> = text
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let mut silent = BTreeSet::new();
        let (mut found, mut heard) = (Found::new(), Vec::new());
        let live = self.live();
        for (source, kind, _, standing) in listener
            .sources
            .judged(self.now(), &live.catalog.policy.zone)
        {
            let key = (source.to_owned(), kind.to_owned());
            match standing {
                Standing::Silent {
                    since,
                    weekly,
                    missed,
                } => {
                    crate::telemetry::source_silent(source, kind, true);
                    if !before.contains(&key) {
                        tracing::error!(
                            source,
                            kind,
                            %since,
                            weekly,
                            missed,
                            "a source has fallen silent: see `aftercare doctor events`"
                        );
                    }
                    found.insert(key.clone(), (since, weekly));
                    silent.insert(key);
                }
                Standing::Heard { .. } => {
                    crate::telemetry::source_silent(source, kind, false);
                    if before.contains(&key) {
                        tracing::info!(source, kind, "a source that was silent is heard again");
                    }
                    heard.push(key);
                }
                // Nobody waits for it any more, or not yet.
                Standing::Unknown | Standing::Gone { .. } => {}
            }
        }
        // First: what is known to be silent is not told again.
        self.tell_silence(&found, &heard).await?;
        if silent != before {
            let text = serde_json::to_string(&silent).unwrap_or_default();
            self.store.set_meta(SILENT, &text).await?;
        }
        Ok(())
    }
}
