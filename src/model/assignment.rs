//! Which arm of an experiment somebody is in, recorded at the first use and kept.

use super::ids::CustomerId;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The arm of those who are held out: they get fulfilment mails only, and are what the
/// others are measured by. No arm of a file may be called so.
pub const HOLDOUT: &str = "holdout";

/// One person in one arm of one experiment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The experiment's id.
    pub experiment: String,
    /// The arm's name, or [`HOLDOUT`].
    pub arm: String,
    /// When it was drawn, by the engine's clock.
    pub at: Timestamp,
    /// For whom it was drawn; after a merge of people, the earlier one of two counts.
    pub customer: CustomerId,
    /// Version (content hash) of the files that it was drawn by.
    pub version: String,
}

impl Assignment {
    /// Whether they get fulfilment mails only.
    pub fn is_held_out(&self) -> bool {
        self.arm == HOLDOUT
    }
}
