//! All facts about one customer, as read at one version. It never holds the future.

use super::assignment::Assignment;
use super::enrolment::Enrolment;
use super::event::Event;
use super::ids::{CustomerId, EnrolmentId, SendId};
use super::send::Send;
use super::time::Timestamp;
use super::waiting::Waiting;

/// What the planner reads about one person.
#[derive(Debug, Clone)]
pub struct History {
    pub customer: CustomerId,
    /// Numbers of people merged into this one; keys of their enrolments count as ours.
    pub absorbed: Vec<CustomerId>,
    /// Raised by every write that concerns this person.
    pub version: i64,
    /// Every event about this person, in order of arrival.
    pub events: Vec<Event>,
    pub enrolments: Vec<Enrolment>,
    pub sends: Vec<Send>,
    /// Arms of experiments; after a merge of people there may be two of one experiment.
    pub assignments: Vec<Assignment>,
    /// Facts about items that the catalogue does not know yet.
    pub waiting: Vec<Waiting>,
    /// The instant of the last plan: inferred facts up to it have been considered.
    pub considered_at: Option<Timestamp>,
    /// The person was forgotten: nothing personal is left, and nothing may come back.
    pub erased: bool,
}

impl History {
    /// A person of whom nothing is known yet.
    pub fn new(customer: CustomerId) -> Self {
        History {
            customer,
            absorbed: Vec::new(),
            version: 0,
            events: Vec::new(),
            enrolments: Vec::new(),
            sends: Vec::new(),
            assignments: Vec::new(),
            waiting: Vec::new(),
            considered_at: None,
            erased: false,
        }
    }

    /// The send with this id.
    pub fn send(&self, id: SendId) -> Option<&Send> {
        self.sends.iter().find(|send| send.id == id)
    }

    /// Takes in everything of a person who turned out to be this one.
    pub fn absorb(&mut self, other: History) {
        self.absorbed.push(other.customer);
        self.absorbed.extend(other.absorbed);
        self.version = self.version.max(other.version) + 1;
        self.events.extend(other.events);
        self.events.sort_by_key(|event| event.seq);
        self.enrolments.extend(other.enrolments);
        self.sends.extend(other.sends);
        self.assignments.extend(other.assignments);
        self.waiting.extend(other.waiting);
        // Who was never planned has nothing that was considered, and says nothing of when.
        self.considered_at = match (self.considered_at, other.considered_at) {
            (Some(own), Some(other)) => Some(own.min(other)),
            (own, other) => own.or(other),
        };
        self.erased |= other.erased;
    }

    /// The arm that somebody is in: of two, the earlier one stays.
    pub fn assignment(&self, experiment: &str) -> Option<&Assignment> {
        self.assignments
            .iter()
            .filter(|one| one.experiment == experiment)
            .min_by_key(|one| (one.at, one.customer))
    }

    /// The enrolment with this id.
    pub fn enrolment(&self, id: EnrolmentId) -> Option<&Enrolment> {
        self.enrolments.iter().find(|enrolment| enrolment.id == id)
    }
}
