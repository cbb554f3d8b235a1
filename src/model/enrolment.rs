//! One customer going through one sequence for one key.

use super::event::FactKind;
use super::ids::{EnrolmentId, EventSeq, SendId};
use super::reason::Reason;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};

/// An enrolment. It has no cursor: every step stands by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Enrolment {
    pub id: EnrolmentId,
    /// The sequence's id.
    pub sequence: String,
    /// What it is about, as `per` says: `customer=c1,item.family=dslr` or `order=17`.
    pub key: String,
    /// Counts the enrolments of one key, from 1.
    pub n: u32,
    /// When it was opened, by the engine's clock.
    pub opened_at: Timestamp,
    /// What `start` means for its steps: the time of the fact that opened it, shifted
    /// where that was learnt so late that the first step would lie in the past.
    pub anchor: Timestamp,
    /// The facts that started or joined it, in order of joining.
    pub starts: Vec<Start>,
    pub state: EnrolmentState,
    /// The last instant at which a pause ended: nothing due before it goes before it.
    #[serde(default)]
    pub resumed_at: Option<Timestamp>,
    /// Started by a test order.
    #[serde(default)]
    pub test: bool,
    /// Version (content hash) of the files that opened it.
    pub version: String,
}

/// A fact that supports an enrolment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Start {
    pub kind: FactKind,
    pub time: Timestamp,
    /// The order it names (our key of it, see `state`).
    #[serde(default)]
    pub order: Option<String>,
    /// The line of that order.
    #[serde(default)]
    pub line: Option<String>,
    /// The parcel.
    #[serde(default)]
    pub shipment: Option<String>,
    /// Which of a kit's families it started, where the item has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// The send whose acceptance it is, for starts on `step.sent`.
    #[serde(default)]
    pub send: Option<SendId>,
    /// The local date of a schedule, for starts that a schedule brings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurrence: Option<String>,
    /// The events that it follows from; the first carries its payload.
    #[serde(default)]
    pub evidence: Vec<EventSeq>,
}

/// Where an enrolment is in its life.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum EnrolmentState {
    Active,
    Paused { since: Timestamp, by: String },
    Ended { at: Timestamp, how: Ending },
}

/// How an enrolment ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum Ending {
    /// Every step is decided.
    Completed,
    /// A rule or a person ended it.
    Stopped { because: Reason },
    /// Its plan failed too often.
    GaveUp { error: String },
}

impl Enrolment {
    /// Whether steps may still be decided.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, EnrolmentState::Ended { .. })
    }
}
