//! What the files say, as meant: sequences, steps, anchors, policy, people, products.

use super::condition::Condition;
use crate::model::event::FactKind;
use crate::model::kind::{Kind, OnUncertain};
use crate::model::names::Known;
use crate::model::policy::Policy;
use crate::model::product::Products;
use crate::model::time::{Length, Time, Timestamp};
use std::sync::Arc;

/// One complete, valid set of files.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// Content hash of all files that make it, hex.
    pub version: String,
    pub policy: Arc<Policy>,
    /// The feed with `product.updated` events laid over it.
    pub products: Arc<Products>,
    /// By id.
    pub sequences: Arc<Vec<Sequence>>,
}

impl Catalog {
    /// The sequence with this id.
    pub fn sequence(&self, id: &str) -> Option<&Sequence> {
        self.sequences.iter().find(|sequence| sequence.id == id)
    }
}

/// A place in a file, for rules that are quoted in explanations.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    pub file: String,
    pub line: u32,
    pub column: u32,
}

#[derive(Debug, Clone)]
pub struct Sequence {
    pub id: String,
    pub kind: Kind,
    pub title: String,
    /// Id of the person who signs.
    pub from: String,
    pub start: Start,
    pub steps: Vec<Step>,
    pub pauses: Vec<Pause>,
    pub stops: Vec<Stop>,
    pub place: Place,
}

impl Sequence {
    /// The step with this id.
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == id)
    }
}

#[derive(Debug, Clone)]
pub struct Start {
    pub on: FactKind,
    /// `sequence/step`, for starts on `step.sent`.
    pub of: Option<String>,
    pub where_: Option<Condition>,
    pub per: Vec<Per>,
    /// How long after an enrolment of one key the next may open; `None`: never.
    pub again: Option<Length>,
    pub place: Place,
}

/// A part of the enrolment key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Per {
    Customer,
    Order,
    Shipment,
    /// One line of one order.
    Item,
    /// A name of an item: `family`, `product_id`, `sku` …
    ItemField(String),
}

#[derive(Debug, Clone)]
pub struct Step {
    pub id: String,
    /// The step's own kind, or its sequence's.
    pub kind: Kind,
    pub anchor: Anchor,
    pub length: Length,
    pub at: Option<Time>,
    pub slot: Option<Slot>,
    pub each: Option<Each>,
    pub gather: Option<Length>,
    pub when: Option<Condition>,
    pub unless: Option<Condition>,
    /// `group/name` of the mail.
    pub mail: String,
    /// The step's own lateness, or its kind's.
    pub late: Length,
    pub on_uncertain: OnUncertain,
    /// What the file says of a reward that comes with an ask.
    pub incentive: Option<Incentive>,
    /// Names that its conditions and its mail may use.
    pub known: Known,
    /// When this install first had the step in its files: a step reaches only people
    /// whose moment for it was still ahead then. `None`: always had it.
    pub since: Option<Timestamp>,
    pub place: Place,
}

/// A reward that a survey or a review comes with (16 CFR 255 and 465).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incentive {
    /// Everybody who is asked gets it, whatever they answer, and whether or not.
    pub unconditional: bool,
    /// The mail says so, and asks that the review says so.
    pub disclosed: bool,
}

/// What a step counts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Fact(FactKind),
    /// An earlier step of the same sequence, by its actual send.
    Step(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Each {
    Shipment,
    Item,
}

/// A cron expression, evaluated over wall-clock time.
#[derive(Debug, Clone)]
pub struct Slot {
    pub text: String,
    pub schedule: Arc<cron::Schedule>,
}

#[derive(Debug, Clone)]
pub struct Pause {
    pub while_: Condition,
    pub at_most: Option<Length>,
    pub place: Place,
}

#[derive(Debug, Clone)]
pub struct Stop {
    pub on: Vec<FactKind>,
    pub when: Option<Condition>,
    pub place: Place,
}
