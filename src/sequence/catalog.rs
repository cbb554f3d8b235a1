//! What the files say, as meant: sequences, steps, anchors, policy, people, products.

use super::condition::Condition;
use crate::model::event::FactKind;
use crate::model::kind::{Kind, OnUncertain};
use crate::model::names::Known;
use crate::model::policy::Policy;
use crate::model::product::Products;
use crate::model::time::{Date, Length, Time, Timestamp};
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
    /// The sequence with this id, or that once had it.
    pub fn sequence(&self, id: &str) -> Option<&Sequence> {
        let all = || self.sequences.iter();
        all()
            .find(|sequence| sequence.id == id)
            .or_else(|| all().find(|sequence| sequence.was.iter().any(|was| was == id)))
    }

    /// Whether anything starts when a product is used up.
    pub fn replenishes(&self) -> bool {
        self.sequences
            .iter()
            .any(|sequence| matches!(sequence.start.timed, Some(Timed::Replenish)))
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
    /// Ids that it had before, newest first.
    pub was: Vec<String>,
    pub kind: Kind,
    pub title: String,
    /// Id of the person who signs.
    pub from: String,
    pub start: Start,
    /// Every step once, as the first arm that has it has it.
    pub steps: Vec<Step>,
    pub pauses: Vec<Pause>,
    pub stops: Vec<Stop>,
    pub experiment: Option<Experiment>,
    pub place: Place,
}

impl Sequence {
    /// The steps that somebody in an arm goes through. Who is in none (they were inside
    /// before the experiment was, or their arm is no longer in the file), and who is held
    /// out and gets fulfilment only, goes the way of the first arm.
    pub fn course(&self, variant: Option<&str>) -> &[Step] {
        let Some(experiment) = &self.experiment else {
            return &self.steps;
        };
        variant
            .and_then(|name| experiment.arm(name))
            .or(experiment.arms.first())
            .map_or(&self.steps, |arm| &arm.steps)
    }

    /// The step with this id as somebody in an arm has it.
    pub fn step_in(&self, variant: Option<&str>, id: &str) -> Option<&Step> {
        self.course(variant).iter().find(|step| step.id == id)
    }

    /// Every step in every form that it takes.
    pub fn all_forms(&self) -> impl Iterator<Item = &Step> {
        let arms = self.experiment.iter().flat_map(|one| &one.arms);
        self.steps.iter().chain(arms.flat_map(|arm| &arm.steps))
    }

    /// The step with this id, or that once had it.
    pub fn step(&self, id: &str) -> Option<&Step> {
        let all = || self.steps.iter();
        all()
            .find(|step| step.id == id)
            .or_else(|| all().find(|step| step.was.iter().any(|was| was == id)))
    }

    /// The first id that it had: ids of enrolments are made of it, so that a new name
    /// enrols nobody again.
    pub fn first_id(&self) -> &str {
        self.was.last().unwrap_or(&self.id)
    }

    /// All ids that it had, the newest first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.id.as_str()).chain(self.was.iter().map(String::as_str))
    }
}

impl Sequence {
    /// Under which name an install remembers since when it has this start, where time
    /// brings it.
    pub fn timed_name(&self) -> Option<String> {
        let timed = self.start.timed.as_ref()?;
        Some(format!("{}@{}", self.first_id(), timed.signature()))
    }
}

/// A comparison of arms: who gets which is drawn once for each person and kept.
#[derive(Debug, Clone)]
pub struct Experiment {
    pub id: String,
    /// In the order of the file; the first is the one that everybody else follows.
    pub arms: Vec<Arm>,
    /// Per cent of people who get fulfilment mails only; drawn before the arms are.
    pub holdout: u32,
    /// What decides which arm did better.
    pub judge: Option<Judge>,
    /// What must not get worse meanwhile.
    pub watch: Vec<Guard>,
    pub decide: Option<Decide>,
    pub place: Place,
}

impl Experiment {
    /// The arm with this name.
    pub fn arm(&self, name: &str) -> Option<&Arm> {
        self.arms.iter().find(|arm| arm.name == name)
    }

    /// Arms, shares and hold-out in one line: what may not change while people are in.
    pub fn split(&self) -> String {
        let mut arms: Vec<String> = self
            .arms
            .iter()
            .map(|arm| format!("{} = {}", arm.name, arm.share))
            .collect();
        arms.sort();
        format!("{}; holdout = {}", arms.join(", "), self.holdout)
    }
}

/// One alternative.
#[derive(Debug, Clone)]
pub struct Arm {
    pub name: String,
    /// Per cent of those who are not held out.
    pub share: u32,
    /// The sequence's steps as this arm has them.
    pub steps: Vec<Step>,
}

/// What an arm is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judge {
    /// The share of people who placed another order within so long of being drawn.
    BoughtAgain { within: Length },
}

/// What an experiment is stopped for, if it gets worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Guard {
    OptedOut,
    Complained,
    Refunded,
    Returned,
    OpenedATicket,
}

impl Guard {
    /// All of them.
    pub const ALL: [Guard; 5] = [
        Guard::OptedOut,
        Guard::Complained,
        Guard::Refunded,
        Guard::Returned,
        Guard::OpenedATicket,
    ];

    /// Its name in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Guard::OptedOut => "opted out",
            Guard::Complained => "complained",
            Guard::Refunded => "refunded",
            Guard::Returned => "returned",
            Guard::OpenedATicket => "opened a ticket",
        }
    }
}

/// When an experiment is decided; nobody looks before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decide {
    /// The day, in the shop's zone.
    pub on: Date,
    /// People in each arm, at least.
    pub at_least: Option<u32>,
}

#[derive(Debug, Clone)]
pub struct Start {
    pub on: FactKind,
    /// `sequence/step`, for starts on `step.sent`.
    pub of: Option<String>,
    /// What time has to bring, for starts on silence, on a schedule and on goods that are
    /// used up.
    pub timed: Option<Timed>,
    /// When this install first had this start in its files, where time brings it: what
    /// time brought before then starts nothing. `None`: always had it.
    pub since: Option<Timestamp>,
    pub where_: Option<Condition>,
    pub per: Vec<Per>,
    /// How long after an enrolment of one key the next may open; `None`: never.
    pub again: Option<Length>,
    pub place: Place,
}

/// What time brings.
#[derive(Debug, Clone)]
pub enum Timed {
    /// So long no fact of this kind about the person.
    Absence { of: FactKind, length: Length },
    /// A date of the calendar, in the customer's zone; once a day at most.
    Schedule(Slot),
    /// A product with `replenish_days` is used up.
    Replenish,
}

impl Timed {
    /// What tells one from another, for the memory of what this install had when.
    pub fn signature(&self) -> String {
        match self {
            Timed::Absence { of, length } => format!("absence of {of} for {length}"),
            Timed::Schedule(slot) => format!("schedule {}", slot.text),
            Timed::Replenish => "replenish".to_owned(),
        }
    }
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

impl Step {
    /// The first id that it had: ids of sends are made of it, so that a new name sends
    /// nothing again.
    pub fn first_id(&self) -> &str {
        self.was.last().unwrap_or(&self.id)
    }

    /// All ids that it had, the newest first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.id.as_str()).chain(self.was.iter().map(String::as_str))
    }
}

#[derive(Debug, Clone)]
pub struct Step {
    pub id: String,
    /// Ids that it had before, newest first.
    pub was: Vec<String>,
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
