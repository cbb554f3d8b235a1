//! From facts to state: the fold. Customers, orders, lines, parcels, refunds,
//! tickets and consent as they stand at an instant, whatever the order in which
//! the facts arrived and however often (`docs/events.md`, rules 5–28).
//!
//! Pure: the same events, policy, catalogue and instant give the same state. Read on in
//! the order of thought: [`telling`] (rows to facts), [`orders`] (which orders, which
//! fact concerns which), [`parcels`], [`people`], [`lines`], [`delivery`], [`assemble`]
//! (all of it as [`State`]), [`derived`] (the list of facts), [`names`]. Beside it,
//! [`transit`] reads from many people's facts how long parcels take.

mod assemble;
mod consent;
mod delivery;
mod derived;
mod lines;
mod names;
mod orders;
mod parcels;
mod people;
mod telling;
#[cfg(test)]
mod tests;
pub mod transit;

pub use crate::model::zones::of as zone_of;

use crate::model::email::Address;
use crate::model::event::{
    Consent, DeliveryBasis, Event, FactKind, LineItem, Order as OrderSnapshot, Tracking,
};
use crate::model::history::History;
use crate::model::ids::EventSeq;
use crate::model::kind::Scope;
use crate::model::policy::Policy;
use crate::model::product::{Products, Track};
use crate::model::time::{Length, TimeZone, Timestamp};
use crate::model::transit::Known;

/// Everything that is known about one person at one instant.
#[derive(Debug, Clone)]
pub struct State {
    pub person: Person,
    /// By (placed_at, key).
    pub orders: Vec<Order>,
    /// All facts, events and derived ones, by (time, source sequence, id).
    pub facts: Vec<Fact>,
    /// The first instant after `now` at which this state changes by itself: an assumed
    /// delivery, the end of a ticket's cool-down.
    pub changes_at: Option<Timestamp>,
}

/// Who somebody is, as the newest facts say.
#[derive(Debug, Clone)]
pub struct Person {
    pub customer_ids: Vec<String>,
    pub account: String,
    /// The address for everything but orders that keep a contact of their own.
    pub email: Option<Address>,
    /// Why there is no usable address, where there is a text.
    pub bad_email: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub name: Option<String>,
    /// BCP 47; the shop's first where nobody said.
    pub locale: String,
    pub zone: TimeZone,
    /// IANA name of `zone`.
    pub zone_name: String,
    /// `event`, `country`, `region` or `shop`.
    pub zone_source: &'static str,
    pub country: Option<String>,
    pub region: Option<String>,
    pub tags: Vec<String>,
    /// E-mail marketing consent, newest by its own time; unknown never overwrites.
    pub consent: Consent,
    /// Scopes that the person (or an operator) opted out of, in force now.
    pub opt_outs: Vec<Scope>,
    pub open_ticket: bool,
    pub open_dispute: bool,
    pub erased: bool,
    /// Every order so far is a test.
    pub test: bool,
}

/// One order.
#[derive(Debug, Clone)]
pub struct Order {
    /// Our key of it: the shop's order id, made unique over sources where two clash.
    pub key: String,
    pub source: String,
    /// The newest snapshot (by version).
    pub snapshot: OrderSnapshot,
    /// The address given with this order, where it is not the person's.
    pub contact: Option<Address>,
    pub lines: Vec<Line>,
    pub shipments: Vec<Shipment>,
    pub paid_at: Option<Timestamp>,
    pub cancelled_at: Option<Timestamp>,
    /// Wholly refunded.
    pub refunded_at: Option<Timestamp>,
    pub dispatched_at: Option<Timestamp>,
    /// Every line owed is delivered.
    pub delivered_at: Option<Timestamp>,
    pub gift: bool,
    pub test: bool,
    /// A free replacement or exchange: fulfilment mails only (rule 15).
    pub replacement: bool,
    /// Which delivery of a subscription, from 1.
    pub subscription_sequence: Option<i64>,
}

/// One line of one order.
#[derive(Debug, Clone)]
pub struct Line {
    pub item: LineItem,
    /// Its family: the first of `tracks`.
    pub family: Option<String>,
    /// Its family, or those of a kit's parts.
    pub tracks: Vec<Track>,
    /// The catalogue does not know the product: until then what starts by family waits.
    pub waits_until: Option<Timestamp>,
    /// Units neither refunded, returned, edited away nor cancelled.
    pub kept_quantity: i64,
    /// Units that have to be delivered (rule 13).
    pub owed_quantity: i64,
    pub dispatched_quantity: i64,
    pub dispatched_at: Option<Timestamp>,
    pub delivered_at: Option<Timestamp>,
    pub delivery_basis: Option<DeliveryBasis>,
    pub refunded: bool,
    pub returned: bool,
    /// A return is announced and not settled.
    pub return_open: bool,
    pub reviewed: bool,
    pub first_in_family: bool,
}

impl Line {
    /// One of its tracks, by family; the first where none is named.
    pub fn track(&self, family: Option<&str>) -> Option<&Track> {
        let named = |track: &&Track| family.is_some_and(|family| track.family == family);
        self.tracks.iter().find(named).or(self.tracks.first())
    }

    /// Whether the customer keeps any of it.
    pub fn kept(&self) -> bool {
        self.kept_quantity > 0
    }
}

/// One parcel, joined over the sources that describe it.
#[derive(Debug, Clone)]
pub struct Shipment {
    /// The id of its earliest fact by time.
    pub id: String,
    /// Every id that sources gave it, `id` included.
    pub ids: Vec<String>,
    pub outbound: bool,
    pub tracking: Vec<Tracking>,
    /// (line id, quantity); what the source named, or all that are owed.
    pub items: Vec<(String, i64)>,
    pub shipped_at: Option<Timestamp>,
    pub dispatched_at: Option<Timestamp>,
    pub estimated_delivery: Option<serde_json::Value>,
    /// Last part of its furthest event kind: `dispatched`, `in_transit`, `delivered` …
    pub status: &'static str,
    pub delivered_at: Option<Timestamp>,
    pub delivery_basis: Option<DeliveryBasis>,
    /// Nothing was heard of its arrival: when it counts as delivered, now or then.
    pub assumed: Option<Assumed>,
    /// Cancelled, lost or back at the sender: nothing more will come of it.
    pub gone: bool,
}

/// That a parcel of which nothing is heard counts as delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assumed {
    pub at: Timestamp,
    /// Country of destination, where it is known.
    pub to: Option<String>,
    pub by: Assumption,
}

/// What an assumption rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assumption {
    /// A row of `[[delivery.assume]]`.
    Files { after: Length },
    /// What the shop's own parcels took on this way.
    Learnt(Known),
}

/// Something that happened to this person, told or concluded.
#[derive(Debug, Clone)]
pub struct Fact {
    pub kind: FactKind,
    /// That of the fact that completes it.
    pub time: Timestamp,
    /// When we learnt it.
    pub learnt: Timestamp,
    /// Key of the order it concerns.
    pub order: Option<String>,
    /// The line of that order.
    pub line: Option<String>,
    /// Id (as in [`Shipment::id`]) of the parcel.
    pub shipment: Option<String>,
    /// The events it follows from; the first is the one that completes it.
    pub evidence: Vec<EventSeq>,
    /// No plan has considered it yet.
    pub fresh: bool,
    /// Concluded from a delivery assumption.
    pub inferred: bool,
    /// Builds state, enrols nobody: backfill, or before the shop went live.
    pub history_only: bool,
    pub test: bool,
}

/// Who and what a condition or a mail is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// Key of the order.
    pub order: Option<String>,
    /// Line of that order.
    pub line: Option<String>,
    /// Id of the parcel.
    pub shipment: Option<String>,
    /// The event whose parts (`refund`, `cancel`, `ticket` …) are named.
    pub event: Option<EventSeq>,
    /// Which of the item's families is meant, where a kit has several.
    pub family: Option<String>,
    /// The arm of the sequence's experiment.
    pub variant: Option<String>,
    /// (order key, line id) of the items that support the enrolment.
    pub items: Vec<(String, String)>,
}

/// Folds all facts of one person as of `now`. Facts recorded later than `now` do not
/// occur in a history; facts that happen by themselves (assumed deliveries) do at
/// their instant.
pub fn fold(policy: &Policy, products: &Products, history: &History, now: Timestamp) -> State {
    let mut state = assemble::assemble(policy, products, history, history.events.iter(), now);
    derived::mark_fresh(policy, products, history, &mut state);
    state
}

impl State {
    /// The order with this key.
    pub fn order(&self, key: &str) -> Option<&Order> {
        self.orders.iter().find(|order| order.key == key)
    }

    /// The line of an order.
    pub fn line(&self, order: &str, line: &str) -> Option<&Line> {
        self.order(order)?
            .lines
            .iter()
            .find(|l| l.item.line_id == line)
    }

    /// The parcel, by any of its ids.
    pub fn shipment(&self, order: &str, id: &str) -> Option<&Shipment> {
        self.order(order)?
            .shipments
            .iter()
            .find(|s| s.ids.iter().any(|had| had == id))
    }
}

/// The event with this number.
pub fn event(history: &History, seq: EventSeq) -> Option<&Event> {
    history.events.iter().find(|event| event.seq == seq)
}
