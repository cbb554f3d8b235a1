//! What a plan says: whole values, which the store writes as they are.

use crate::model::assignment::Assignment;
use crate::model::enrolment::Enrolment;
use crate::model::history::History;
use crate::model::ids::EnrolmentId;
use crate::model::kind::Kind;
use crate::model::reason::Reason;
use crate::model::send::Send;
use crate::model::time::Timestamp;
use crate::model::waiting::Waiting;
use serde::{Deserialize, Serialize};

/// What to do about one person now, and when to look again.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    pub decisions: Vec<Decision>,
    /// The open steps of active enrolments whose instant is known.
    pub outlook: Vec<Outlook>,
    /// The first instant at which planning again could say anything new.
    pub wake_at: Option<Timestamp>,
}

/// One decision. Applying or saving it twice changes nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Puts the person into an arm of an experiment, once and for good.
    Assign(Assignment),
    /// Lets a fact about an item wait for the catalogue.
    Await(Waiting),
    /// What a fact waited for is known, or was waited for long enough.
    Settle(Waiting),
    /// Opens an enrolment.
    Enrol(Enrolment),
    /// A new value of one that is open: joined, paused, resumed or ended.
    Update(Enrolment),
    /// A new send: queued, or skipped at its moment.
    Decide(Send),
    /// A new value of a send that no worker holds past its barrier: cancelled, queued
    /// again after a hold or a doubt, or unknown for good.
    Revise(Send),
}

/// A step that is waited for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outlook {
    pub enrolment: EnrolmentId,
    pub sequence: String,
    pub step: String,
    pub occurrence: String,
    pub kind: Kind,
    pub mail: String,
    /// When it should go.
    pub due: Timestamp,
    /// When it is foreseen to go, with hours, limits and pauses.
    pub go: Timestamp,
    pub order: Option<String>,
    pub order_number: Option<String>,
    /// Why `go` is later than `due`.
    pub because: Option<Reason>,
}

impl Plan {
    /// Applies every decision to a history, as saving and loading it would.
    pub fn apply(&self, history: &mut History, now: Timestamp) {
        for decision in &self.decisions {
            decision.apply(history);
        }
        for event in &mut history.events {
            event.considered = true;
        }
        for send in &mut history.sends {
            if matches!(send.state, crate::model::send::SendState::Accepted { .. }) {
                send.considered = true;
            }
        }
        history.considered_at = Some(now);
        history.version += 1;
    }
}

impl Decision {
    /// Applies one decision to a history.
    pub fn apply(&self, history: &mut History) {
        match self {
            Decision::Assign(assignment) => {
                if history.assignment(&assignment.experiment).is_none() {
                    history.assignments.push(assignment.clone());
                }
            }
            Decision::Await(waiting) => {
                if !history.waiting.iter().any(|had| had.is_same(waiting)) {
                    history.waiting.push(waiting.clone());
                }
            }
            Decision::Settle(waiting) => history.waiting.retain(|had| !had.is_same(waiting)),
            Decision::Enrol(enrolment) => {
                if history.enrolment(enrolment.id).is_none() {
                    history.enrolments.push(enrolment.clone());
                }
            }
            Decision::Update(enrolment) => {
                if let Some(had) = history.enrolments.iter_mut().find(|e| e.id == enrolment.id) {
                    *had = enrolment.clone();
                }
            }
            Decision::Decide(send) => {
                if history.send(send.id).is_none() {
                    history.sends.push(send.clone());
                }
            }
            Decision::Revise(send) => {
                if let Some(had) = history.sends.iter_mut().find(|s| s.id == send.id) {
                    *had = send.clone();
                }
            }
        }
    }
}
