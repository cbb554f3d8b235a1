//! Every way of saying no, each with a stable code and a plain sentence.

use super::kind::{Kind, Scope};
use super::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Why a mail does not go, does not go yet, or went in a way worth telling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Reason {
    /// `when` was false, or could not be evaluated (`warning`).
    Condition {
        text: String,
        warning: Option<String>,
    },
    /// `unless` was true, or could not be evaluated (`warning`).
    Unless {
        text: String,
        warning: Option<String>,
    },
    /// Its moment passed by more than `late`; while it was `held`, in a sentence why.
    Late {
        due: Timestamp,
        late: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held: Option<String>,
    },
    /// A limit per person put it off for longer than `when_over`.
    Limit { which: String },
    /// A `[[pause]]` lasted longer than its `at_most`.
    PausedTooLong { by: String },
    /// An ask that education mails had not earned in time.
    NotEarned {
        kind: Kind,
        earned: u32,
        needed: u32,
    },
    /// The person opted out.
    OptedOut { scope: Scope },
    /// The law of the country asks for a consent that is not there.
    NoConsent {
        kind: Kind,
        country: Option<String>,
        needed: String,
    },
    /// The address is known to be dead.
    DeadAddress,
    /// There is no address, or none that mail can be tried on.
    NoAddress { why: String },
    /// A test order, and the address is not among `test_recipients`.
    Test,
    /// What it would tell has been overtaken: delivered is known before shipped went out.
    Overtaken { by: String },
    /// Held out by an experiment: fulfilment mails only, so that the others can be
    /// measured by it.
    HeldOut { experiment: String },
    /// The step is for other arms of the experiment than the customer's.
    OtherVariant { variant: String },
    /// Told together with another send.
    Gathered { into: String },
    /// Nothing of what it is about is still kept.
    Refunded,
    /// The goods went back.
    Returned,
    /// The order was cancelled.
    Cancelled,
    /// The customer reviewed it already.
    Reviewed,
    /// A `[[stop]]` of the sequence.
    Stopped { on: String },
    /// The person was forgotten.
    Erased,
    /// The person was merged with another who has the same run.
    Merged,
    /// The step or sequence is no longer in the files.
    StepRemoved,
    /// The step was added to the files after its moment for this person.
    AddedLater,
    /// It was due before the person was enrolled, by an import on purpose.
    Past { due: Timestamp },
    /// The parcel went back, was lost or was withdrawn.
    ParcelGone { status: String },
    /// A template would have printed a blank, looped or grew too large; its owner is told.
    Render { message: String },
    /// Paused now.
    Paused { by: String },
    /// Outside the shop's hours for the customer.
    Hours,
    /// The relay is in trouble; nobody's attempts are burnt.
    RelayTrouble { message: String },
    /// The relay said not now.
    Deferred { reply: String },
    /// The relay said never.
    Refused { reply: String },
    /// Sent again after a doubt, under the same Message-ID.
    ResentAfterUncertain,
    /// In doubt, and not sent again.
    UncertainOnHold,
    /// In doubt since the connection or the process was lost after the final dot.
    InDoubt { cause: String },
    /// The bytes cannot be made again, so nothing is re-sent after the doubt.
    BytesChanged,
    /// An operator said so.
    Operator { what: String, why: String },
}

impl Reason {
    /// Every code, for files and command lines that name one.
    pub const CODES: [&'static str; 35] = [
        "condition",
        "unless",
        "late",
        "limit",
        "paused_too_long",
        "not_earned",
        "opted_out",
        "no_consent",
        "dead_address",
        "no_address",
        "test",
        "overtaken",
        "gathered",
        "refunded",
        "returned",
        "cancelled",
        "reviewed",
        "stopped",
        "erased",
        "merged",
        "step_removed",
        "added_later",
        "past",
        "parcel_gone",
        "render",
        "paused",
        "hours",
        "relay_trouble",
        "deferred",
        "refused",
        "resent_after_uncertain",
        "uncertain_on_hold",
        "in_doubt",
        "bytes_changed",
        "operator",
    ];

    /// The stable code in `--json`.
    pub fn code(&self) -> &'static str {
        match self {
            Reason::Condition { .. } => "condition",
            Reason::Unless { .. } => "unless",
            Reason::Late { .. } => "late",
            Reason::Limit { .. } => "limit",
            Reason::PausedTooLong { .. } => "paused_too_long",
            Reason::NotEarned { .. } => "not_earned",
            Reason::OptedOut { .. } => "opted_out",
            Reason::NoConsent { .. } => "no_consent",
            Reason::DeadAddress => "dead_address",
            Reason::NoAddress { .. } => "no_address",
            Reason::Test => "test",
            Reason::Overtaken { .. } => "overtaken",
            Reason::HeldOut { .. } => "held_out",
            Reason::OtherVariant { .. } => "other_variant",
            Reason::Gathered { .. } => "gathered",
            Reason::Refunded => "refunded",
            Reason::Returned => "returned",
            Reason::Cancelled => "cancelled",
            Reason::Reviewed => "reviewed",
            Reason::Stopped { .. } => "stopped",
            Reason::Erased => "erased",
            Reason::Merged => "merged",
            Reason::StepRemoved => "step_removed",
            Reason::AddedLater => "added_later",
            Reason::Past { .. } => "past",
            Reason::ParcelGone { .. } => "parcel_gone",
            Reason::Render { .. } => "render",
            Reason::Paused { .. } => "paused",
            Reason::Hours => "hours",
            Reason::RelayTrouble { .. } => "relay_trouble",
            Reason::Deferred { .. } => "deferred",
            Reason::Refused { .. } => "refused",
            Reason::ResentAfterUncertain => "resent_after_uncertain",
            Reason::UncertainOnHold => "uncertain_on_hold",
            Reason::InDoubt { .. } => "in_doubt",
            Reason::BytesChanged => "bytes_changed",
            Reason::Operator { .. } => "operator",
        }
    }

    /// One plain sentence, without personal data.
    pub fn sentence(&self) -> String {
        let warned = |text: &str, warning: &Option<String>| match warning {
            Some(warning) => {
                format!("`{text}` could not be evaluated ({warning}), so the mail does not go")
            }
            None => String::new(),
        };
        match self {
            Reason::Condition { text, warning } if warning.is_some() => warned(text, warning),
            Reason::Condition { text, .. } => format!("its condition `{text}` does not hold"),
            Reason::Unless { text, warning } if warning.is_some() => warned(text, warning),
            Reason::Unless { text, .. } => format!("`unless` holds: {text}"),
            Reason::Late {
                due,
                late,
                held: None,
            } => format!(
                "it was due at {due} and more than {late} passed, which is too late to be of use"
            ),
            Reason::Late {
                due,
                late,
                held: Some(held),
            } => format!(
                "it was due at {due} and was held until more than {late} had passed, which is too late to be of use; it was held because {held}"
            ),
            Reason::Limit { which } => {
                format!("the limit {which} put it off for longer than `when_over` allows")
            }
            Reason::PausedTooLong { by } => {
                format!("it was paused ({by}) for longer than the pause may last")
            }
            Reason::NotEarned {
                kind,
                earned,
                needed,
            } => format!(
                "a {kind} request costs {needed} helpful mails, and only {earned} had been sent"
            ),
            Reason::OptedOut { scope } => format!("the customer opted out ({scope})"),
            Reason::NoConsent {
                kind,
                country,
                needed,
            } => format!(
                "mail of kind {kind} to {} needs {needed}, which is not there",
                country.as_deref().unwrap_or("an unknown country")
            ),
            Reason::DeadAddress => "the address is dead".into(),
            Reason::NoAddress { why } => {
                format!("there is no address that mail can be tried on: {why}")
            }
            Reason::Test => {
                "a test order, and the address is not one of the test recipients".into()
            }
            Reason::Overtaken { by } => format!("overtaken: {by} is known already"),
            Reason::HeldOut { experiment } => format!(
                "the customer is held out by the experiment {experiment} and gets fulfilment mails only"
            ),
            Reason::OtherVariant { variant } => format!(
                "the customer is in the arm {variant} of the experiment, which does not have this step"
            ),
            Reason::Gathered { into } => format!("told together with another mail ({into})"),
            Reason::Refunded => "everything that it is about was refunded".into(),
            Reason::Returned => "everything that it is about was returned".into(),
            Reason::Cancelled => "the order was cancelled".into(),
            Reason::Reviewed => "the customer has already written a review".into(),
            Reason::Stopped { on } => format!("the series ended on {on}"),
            Reason::Erased => "the customer asked to be forgotten".into(),
            Reason::Merged => "the customer was merged with another who has the same series".into(),
            Reason::StepRemoved => "the step is no longer in the files".into(),
            Reason::Past { due } => format!(
                "it was due at {due}, before an import enrolled the person: what is past is not sent"
            ),
            Reason::AddedLater => {
                "the step was added to the files after its moment had passed".into()
            }
            Reason::ParcelGone { status } => format!("the parcel will not come: {status}"),
            Reason::Render { message } => format!("the mail cannot be rendered: {message}"),
            Reason::Paused { by } => format!("paused: {by}"),
            Reason::Hours => "outside the shop's hours for this customer".into(),
            Reason::RelayTrouble { message } => format!("the mail relay is in trouble: {message}"),
            Reason::Deferred { reply } => format!("the relay asked to try again later: {reply}"),
            Reason::Refused { reply } => format!("the relay refused it for good: {reply}"),
            Reason::ResentAfterUncertain => {
                "it was in doubt whether it had gone out, and the same mail was sent again".into()
            }
            Reason::UncertainOnHold => {
                "it is in doubt whether it went out, and it is not sent again".into()
            }
            Reason::InDoubt { cause } => format!("it may have gone out, nobody can tell: {cause}"),
            Reason::BytesChanged => {
                "the same bytes cannot be made again, so it is not sent again after the doubt"
                    .into()
            }
            Reason::Operator { what, why } => format!("an operator chose {what}: {why}"),
        }
    }
}
