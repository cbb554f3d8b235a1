//! Taking events in: recorded durably, customers woken, and only then answered. Intake
//! never plans.

use super::{Engine, EngineError, privacy};
use crate::model::event::EventKind;
use crate::store::{Accepted, Incoming, Poison};

/// What became of one delivery.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Totals {
    pub accepted: usize,
    pub duplicate: usize,
    pub quarantined: usize,
}

impl Totals {
    /// By the answers to a batch, and how much of it was kept in quarantine.
    pub fn of(answers: &[Accepted], quarantined: usize) -> Totals {
        let duplicate = answers.iter().filter(|one| **one == Accepted::Duplicate);
        let duplicate = duplicate.count();
        Totals {
            accepted: answers.len() - duplicate,
            duplicate,
            quarantined,
        }
    }
}

impl std::ops::AddAssign for Totals {
    fn add_assign(&mut self, more: Totals) {
        self.accepted += more.accepted;
        self.duplicate += more.duplicate;
        self.quarantined += more.quarantined;
    }
}

impl Engine {
    /// Records events and what could not be read as such. Durable when it returns.
    ///
    /// # Errors
    /// Nothing was recorded: the caller must not acknowledge.
    pub async fn accept(
        &self,
        batch: Vec<Incoming>,
        poison: Vec<Poison>,
    ) -> Result<Totals, EngineError> {
        let quarantined = poison.len();
        let products = batch
            .iter()
            .any(|one| one.event.kind == EventKind::ProductUpdated);
        let leaves = batch
            .iter()
            .any(|one| privacy::is_of_whole_shop(&one.event));
        let answers = self.store.accept(batch, poison, self.now()).await?;
        if leaves {
            // Here only so that nobody waits for the next look.
            self.forget_shops().await?;
        }
        if products {
            self.refresh_products().await?;
        }
        self.to_plan.notify_one();
        let totals = Totals::of(&answers, quarantined);
        crate::telemetry::events_accepted(totals.accepted as u64);
        crate::telemetry::events_duplicate(totals.duplicate as u64);
        crate::telemetry::events_quarantined(totals.quarantined as u64);
        Ok(totals)
    }
}
