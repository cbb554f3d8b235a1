//! Waking people whom new files or new products concern. Who waits for nothing has no
//! wake-up, and would sleep through a start that time brings: so when such a start is
//! new, everybody is woken once, some at a time, and what was done is written down, so
//! that a process that ends in the middle begins again.

use super::{Engine, EngineError};
use crate::sequence::catalog::Catalog;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

/// Under which key the database remembers for which files people were woken.
const WOKEN: &str = "woken_for";

/// For what everybody was woken.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Woken {
    /// Of the files.
    version: String,
    /// The starts that time brings.
    timed: BTreeSet<String>,
    /// Which products are used up when.
    used_up: String,
}

impl Woken {
    fn of(catalog: &Catalog) -> Self {
        Woken {
            version: catalog.version.clone(),
            timed: catalog
                .sequences
                .iter()
                .filter_map(|sequence| sequence.timed_name())
                .collect(),
            used_up: used_up(catalog),
        }
    }
}

/// A hash of what is used up when; empty where no sequence asks.
pub(super) fn used_up(catalog: &Catalog) -> String {
    if !catalog.replenishes() {
        return String::new();
    }
    let mut hash = Sha256::new();
    for ((product, sku), days) in catalog.products.used_up() {
        for part in [product, sku.unwrap_or_default()] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        hash.update(days.to_be_bytes());
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

impl Engine {
    /// Wakes everybody whom the files in force may concern and who was not woken for them
    /// yet: after a reload, and after a start with other files than before.
    ///
    /// # Errors
    /// The store's; then it is done again at the next start.
    pub async fn catch_up(&self) -> Result<(), EngineError> {
        let wanted = Woken::of(&self.live().catalog);
        let text = self.store.meta(WOKEN).await?;
        let had: Woken = text
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        if had == wanted {
            return Ok(());
        }
        if !wanted.timed.is_subset(&had.timed) || had.used_up != wanted.used_up {
            self.wake_everybody().await?;
        } else {
            self.store.wake_all(self.now()).await?;
        }
        let text = serde_json::to_string(&wanted).unwrap_or_default();
        self.store.set_meta(WOKEN, &text).await?;
        self.to_plan.notify_one();
        Ok(())
    }

    /// As [`Engine::catch_up`], where product events have said since the last look that
    /// something is used up sooner or later.
    ///
    /// # Errors
    /// The store's; then it is done again at the next look.
    pub async fn catch_up_with_products(&self) -> Result<(), EngineError> {
        if !self.used_up_changed.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let done = self.catch_up().await;
        if done.is_err() {
            self.used_up_changed.store(true, Ordering::Release);
        }
        done
    }

    async fn wake_everybody(&self) -> Result<(), EngineError> {
        let now = self.now();
        let mut last = None;
        while let Some(next) = self.store.wake_some(last, now).await? {
            last = Some(next);
            self.to_plan.notify_one();
        }
        Ok(())
    }
}
