//! One mail owed by one step, and the states it passes through.

use super::ids::{EnrolmentId, EventSeq, SendId};
use super::kind::Kind;
use super::reason::Reason;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A send: decided once per (enrolment, step, occurrence), for good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Send {
    pub id: SendId,
    pub enrolment: EnrolmentId,
    pub sequence: String,
    pub step: String,
    /// The parcel or item of `each`, else empty.
    pub occurrence: String,
    /// Occurrences, or other enrolments' ids, told in the same mail.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gathered: Vec<String>,
    pub kind: Kind,
    /// The mail's name, such as `dslr/basics`.
    pub mail: String,
    /// When it should go.
    pub due: Timestamp,
    /// IANA name of the customer's zone when decided.
    pub zone: String,
    /// The customer's locale when decided.
    pub locale: String,
    /// The shop's id of the order it is about.
    #[serde(default)]
    pub order: Option<String>,
    #[serde(default)]
    pub order_number: Option<String>,
    pub state: SendState,
    /// Last change of state.
    pub at: Timestamp,
    /// Tries at SMTP that got past the connection.
    #[serde(default)]
    pub attempts: u32,
    /// When the first try was made: five days later one gives up.
    #[serde(default)]
    pub first_tried: Option<Timestamp>,
    /// How often it was in doubt.
    #[serde(default)]
    pub doubts: u32,
    #[serde(default)]
    pub reason: Option<Reason>,
    /// The rule that decided: file, line, column and version of the files.
    pub rule: RuleRef,
    /// The events that the decision read.
    #[serde(default)]
    pub evidence: Vec<EventSeq>,
    /// What makes its bytes again.
    #[serde(default)]
    pub prepared: Option<Prepared>,
    /// Whether a plan has seen its acceptance (starts on `step.sent`).
    #[serde(default)]
    pub considered: bool,
}

/// Where a rule stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RuleRef {
    pub file: String,
    pub line: u32,
    pub column: u32,
    pub version: String,
}

/// The inputs of a mail's bytes: rendering again from them gives the same hash.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prepared {
    /// SHA-256 of the bytes, hex.
    pub hash: String,
    /// Version of the files that rendered it.
    pub version: String,
    /// The Date header.
    pub date: Timestamp,
    /// Envelope recipient as typed.
    pub to: String,
    /// The locale that was rendered.
    pub locale: String,
    /// The values that the templates saw.
    pub values: serde_json::Value,
}

/// The state of a send (`docs/architecture.md`, the send protocol).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum SendState {
    /// Decided and due, or waiting for its retry.
    Queued { not_before: Timestamp },
    /// A worker has it. Only the barrier's commit makes the phase `Dot`.
    Sending { phase: Phase, fence: i64 },
    /// Due, but something must be mended or released first.
    Held { since: Timestamp },
    /// The relay's 250 was seen, or evidence came.
    Accepted { reply: String },
    /// A 5xx, or five days of 4xx.
    Refused { reply: String },
    /// At its moment a rule said no.
    Skipped,
    /// Withdrawn before its moment.
    Cancelled,
    /// The dot may have gone out.
    Uncertain { since: Timestamp },
    /// For good, under `hold`.
    Unknown,
}

/// How far a worker got with a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Claimed or prepared: nothing irrevocable was said.
    Prepared,
    /// Past the barrier.
    Dot,
}

impl SendState {
    /// The name in `sends` and in the database.
    pub fn as_str(&self) -> &'static str {
        match self {
            SendState::Queued { .. } => "queued",
            SendState::Sending { .. } => "sending",
            SendState::Held { .. } => "held",
            SendState::Accepted { .. } => "accepted",
            SendState::Refused { .. } => "refused",
            SendState::Skipped => "skipped",
            SendState::Cancelled => "cancelled",
            SendState::Uncertain { .. } => "uncertain",
            SendState::Unknown => "unknown",
        }
    }

    /// All names, for the command line.
    pub const NAMES: [&'static str; 9] = [
        "queued",
        "sending",
        "held",
        "accepted",
        "refused",
        "skipped",
        "cancelled",
        "uncertain",
        "unknown",
    ];

    /// Whether nothing but evidence can still change it.
    pub fn is_terminal(&self) -> bool {
        match self {
            SendState::Accepted { .. }
            | SendState::Refused { .. }
            | SendState::Skipped
            | SendState::Cancelled
            | SendState::Unknown => true,
            SendState::Queued { .. }
            | SendState::Sending { .. }
            | SendState::Held { .. }
            | SendState::Uncertain { .. } => false,
        }
    }

    /// Whether it counts against the limits per person: it went out, may have, or will.
    pub fn counts(&self) -> bool {
        match self {
            SendState::Queued { .. }
            | SendState::Sending { .. }
            | SendState::Accepted { .. }
            | SendState::Uncertain { .. }
            | SendState::Unknown => true,
            SendState::Held { .. }
            | SendState::Refused { .. }
            | SendState::Skipped
            | SendState::Cancelled => false,
        }
    }

    /// Whether it may still be withdrawn: it has not passed its barrier.
    pub fn is_withdrawable(&self) -> bool {
        matches!(
            self,
            SendState::Queued { .. }
                | SendState::Held { .. }
                | SendState::Sending {
                    phase: Phase::Prepared,
                    ..
                }
        )
    }
}

impl Send {
    /// The instant that stands for this send in limits: when it went, else when it should.
    pub fn counted_at(&self) -> Timestamp {
        match self.state {
            SendState::Accepted { .. } | SendState::Uncertain { .. } | SendState::Unknown => {
                self.at
            }
            SendState::Queued { not_before } => not_before.max(self.due),
            SendState::Sending { .. }
            | SendState::Held { .. }
            | SendState::Refused { .. }
            | SendState::Skipped
            | SendState::Cancelled => self.at.max(self.due),
        }
    }

    /// Ends it in `state`, for a reason. One that was ever in doubt may have gone out,
    /// whatever came after the doubt: it ends as unknown, and the doubt stays its reason.
    pub fn end(&mut self, state: SendState, because: Reason, now: Timestamp) {
        (self.state, self.reason) = match self.doubts {
            0 => (state, Some(because)),
            1 => (SendState::Unknown, Some(Reason::UncertainOnHold)),
            // After the first doubt it was sent again, so there may be two of it.
            _ => (SendState::Unknown, Some(Reason::ResentAfterUncertain)),
        };
        self.at = now;
    }

    /// `sequence/step`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.sequence, self.step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubted(doubts: u32) -> Send {
        Send {
            id: SendId([1; 16]),
            enrolment: EnrolmentId([2; 16]),
            sequence: "fulfilment".into(),
            step: "placed".into(),
            occurrence: String::new(),
            gathered: Vec::new(),
            kind: Kind::Fulfilment,
            mail: "fulfilment/placed".into(),
            due: Timestamp::UNIX_EPOCH,
            zone: "UTC".into(),
            locale: "en".into(),
            order: None,
            order_number: None,
            state: SendState::Queued {
                not_before: Timestamp::UNIX_EPOCH,
            },
            at: Timestamp::UNIX_EPOCH,
            attempts: doubts,
            first_tried: None,
            doubts,
            reason: None,
            rule: RuleRef::default(),
            evidence: Vec::new(),
            prepared: None,
            considered: false,
        }
    }

    #[test]
    fn a_doubt_outlives_whatever_ends_the_send() {
        for (doubts, state, code) in [
            (0, "cancelled", "refunded"),
            (1, "unknown", "uncertain_on_hold"),
            (2, "unknown", "resent_after_uncertain"),
        ] {
            let mut send = doubted(doubts);
            send.end(
                SendState::Cancelled,
                Reason::Refunded,
                Timestamp::UNIX_EPOCH,
            );
            let reason = send.reason.as_ref().map(Reason::code);
            assert_eq!((send.state.as_str(), reason), (state, Some(code)));
        }
    }
}
