//! A send as one line of JSON: the fields of `sends`, `upcoming`, `simulate` and `why`,
//! always all of them, null where unknown.

use crate::engine::preview::Press;
use crate::mail::Mailbox;
use crate::model::ids::{CustomerId, SendId};
use crate::model::send::Send;
use crate::model::time::{TimeZone, Timestamp};
use crate::sequence::catalog::Catalog;
use serde::Serialize;

/// A step that is foreseen and that no ledger knows yet.
pub const PLANNED: &str = "planned";

/// One send.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub id: String,
    /// Without angle brackets; null without the install's key.
    pub message_id: Option<String>,
    /// Our own id of the person.
    pub customer: String,
    pub email: Option<String>,
    /// The shop's id of the order.
    pub order: Option<String>,
    pub order_number: Option<String>,
    pub sequence: String,
    pub step: String,
    /// The parcel or item of `each`.
    pub occurrence: Option<String>,
    pub kind: &'static str,
    pub mail: String,
    pub locale: Option<String>,
    pub state: &'static str,
    /// When it should go.
    pub due: Timestamp,
    pub zone: Option<String>,
    /// Its last change of state.
    pub at: Option<Timestamp>,
    pub attempts: u32,
    pub reason: Option<&'static str>,
    pub because: Option<String>,
}

/// What rows need besides the send.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    pub catalog: &'a Catalog,
    /// The install's own, of which Message-IDs are made.
    pub press: Option<&'a Press<'a>>,
}

impl Rows<'_> {
    /// The row of a send that stands in a ledger, or stood in a simulated one.
    pub fn of(&self, send: &Send, customer: CustomerId, email: Option<String>) -> Row {
        let prepared = send.prepared.as_ref();
        Row {
            id: send.id.to_string(),
            message_id: self.message_id(send.id, &send.sequence),
            customer: customer.to_string(),
            email: email.or_else(|| prepared.map(|prepared| prepared.to.clone())),
            order: send.order.clone(),
            order_number: send.order_number.clone(),
            sequence: send.sequence.clone(),
            step: send.step.clone(),
            occurrence: some(&send.occurrence),
            kind: send.kind.as_str(),
            mail: send.mail.clone(),
            locale: Some(
                prepared
                    .map_or(&send.locale, |prepared| &prepared.locale)
                    .clone(),
            ),
            state: send.state.as_str(),
            due: send.due,
            zone: Some(send.zone.clone()),
            at: Some(send.at),
            attempts: send.attempts,
            reason: send.reason.as_ref().map(|reason| reason.code()),
            because: send.reason.as_ref().map(|reason| reason.sentence()),
        }
    }

    /// The Message-ID that a send has or will have.
    pub fn message_id(&self, send: SendId, sequence: &str) -> Option<String> {
        let press = self.press?;
        let sequence = self.catalog.sequence(sequence)?;
        let sender = self.catalog.policy.people.get(&sequence.from)?;
        let from = Mailbox::new(Some(&sender.name), &sender.email).ok()?;
        let id = press.message_id(send, &from);
        Some(id.trim_start_matches('<').trim_end_matches('>').to_owned())
    }
}

/// `None` for an empty text.
pub fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

impl Row {
    /// `sequence/step`, with the parcel or item.
    pub fn name(&self) -> String {
        match &self.occurrence {
            Some(occurrence) => format!("{}/{} ({occurrence})", self.sequence, self.step),
            None => format!("{}/{}", self.sequence, self.step),
        }
    }

    /// The order as people name it.
    pub fn order_shown(&self) -> String {
        self.order_number
            .as_ref()
            .or(self.order.as_ref())
            .cloned()
            .unwrap_or_default()
    }

    /// To whom, as people name them.
    pub fn whom(&self) -> String {
        self.email.clone().unwrap_or_else(|| self.customer.clone())
    }
}

/// An instant as its reader's clock shows it.
pub fn local(instant: Timestamp, zone: Option<&str>) -> String {
    let zone = zone
        .and_then(|zone| TimeZone::get(zone).ok())
        .unwrap_or(TimeZone::UTC);
    instant
        .to_zoned(zone)
        .strftime("%a %Y-%m-%d %H:%M")
        .to_string()
}

/// State and reason in one cell.
pub fn state_shown(row: &Row) -> String {
    match row.reason {
        Some(reason) => format!("{} ({reason})", row.state),
        None => row.state.to_owned(),
    }
}
