//! Planning what is due: one batch of people, each planned alone, saved together.

use super::{Engine, EngineError};
use crate::model::event::EventKind;
use crate::model::history::History;
use crate::model::ids::CustomerId;
use crate::model::send::SendState;
use crate::plan::{self, Decision, Plan};
use crate::store::{Saved, Saving};
use std::sync::Arc;
use std::time::Instant;

/// People planned in one batch.
pub const PLAN_BATCH: usize = 256;

impl Engine {
    /// Plans one batch of people whose wake-up is due. Returns how many there were.
    ///
    /// # Errors
    /// The store's; nothing is lost, the wake-ups are still due.
    pub async fn plan_due(&self) -> Result<usize, EngineError> {
        if self.is_observing() {
            return Ok(0);
        }
        let now = self.now();
        let due = self.store.claim_customers(now, PLAN_BATCH).await?;
        if due.is_empty() {
            return Ok(0);
        }
        let began = Instant::now();
        let live = self.live();
        let mut saving = Vec::with_capacity(due.len());
        let mut erased: Vec<CustomerId> = Vec::new();
        for (customer, history) in due.iter().zip(self.store.histories(&due).await?) {
            let history = match history {
                Ok(history) => history,
                Err(corrupt) => {
                    tracing::error!(customer = %customer, error = %corrupt, "set aside: a row does not parse");
                    self.store
                        .set_aside(*customer, &corrupt.to_string(), None, now)
                        .await?;
                    crate::telemetry::set_aside();
                    continue;
                }
            };
            let plan = plan::plan(&live.catalog, &history, now);
            if is_erasure(&history) {
                erased.push(*customer);
            }
            saving.push(Saving {
                customer: *customer,
                version: history.version,
                now,
                plan,
            });
        }
        let waits = saving.iter().any(|one| waits(&one.plan));
        let queued = saving.iter().any(|one| queues(&one.plan));
        let saved = self.store.save(saving).await?;
        for (customer, saved) in due.iter().zip(&saved) {
            if matches!(saved, Saved::Stale) {
                tracing::debug!(customer = %customer, "news came while planning; planned again");
            }
        }
        if waits && !Arc::ptr_eq(&live.catalog.products, &self.live().catalog.products) {
            // What they wait for may have come between planning and saving.
            self.store.wake_waiting(now).await?;
        }
        for customer in erased {
            self.store.erase(customer, now).await?;
            tracing::info!(customer = %customer, "forgotten: personal data removed");
        }
        crate::telemetry::planned(due.len() as u64, began.elapsed());
        if queued {
            self.to_send.notify_one();
        }
        Ok(due.len())
    }
}

/// Whether somebody asked to be forgotten, and is not yet.
fn is_erasure(history: &History) -> bool {
    !history.erased
        && history
            .events
            .iter()
            .any(|event| event.kind == EventKind::ErasureRequested)
}

/// Whether something begins to wait for the catalogue.
fn waits(plan: &Plan) -> bool {
    let mut decisions = plan.decisions.iter();
    decisions.any(|decision| matches!(decision, Decision::Await(_)))
}

fn queues(plan: &Plan) -> bool {
    plan.decisions.iter().any(|decision| match decision {
        Decision::Decide(send) | Decision::Revise(send) => {
            matches!(send.state, SendState::Queued { .. })
        }
        Decision::Assign(_)
        | Decision::Await(_)
        | Decision::Settle(_)
        | Decision::Enrol(_)
        | Decision::Update(_) => false,
    })
}
