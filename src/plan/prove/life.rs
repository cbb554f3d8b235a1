//! One customer's life in a story: events told one after the other, and the real planner
//! living the time between them. Everything that goes out is looked at on its way.

use super::checks::{self, Violation};
use super::moves::Move;
use super::print::Printing;
use super::setting::Setting;
use super::telling;
use crate::model::enrolment::EnrolmentState;
use crate::model::history::History;
use crate::model::ids::EventSeq;
use crate::model::send::{Send, SendState};
use crate::model::time::{self, Timestamp};
use crate::plan::Ready;
use crate::plan::walk;
use crate::sequence::catalog::Catalog;
use crate::state;
use jiff::SignedDuration;
use std::hash::{DefaultHasher, Hash, Hasher};

/// How long a story goes on after its last event, in days.
pub(super) const HORIZON_DAYS: i64 = 430;

/// A move that happened.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    pub(super) what: Move,
    pub(super) at: Timestamp,
}

/// A mail that goes out.
#[derive(Debug)]
pub(super) struct Going {
    /// As it was looked at last, still waiting.
    pub(super) send: Send,
    pub(super) ready: Ready,
    pub(super) at: Timestamp,
}

/// The world in which lives are lived, and what was found in it.
pub(super) struct World<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) setting: &'a Setting,
    pub(super) printing: &'a Printing<'a>,
    /// Plans made in it.
    pub(super) plans: u64,
}

/// A customer at an instant.
#[derive(Debug, Clone)]
pub(super) struct Life {
    pub(super) history: History,
    pub(super) told: Vec<Told>,
    /// The last instant lived through.
    pub(super) now: Timestamp,
    next: Option<Timestamp>,
    /// What is wrong in it so far.
    pub(super) wrong: Vec<Violation>,
}

impl Life {
    pub(super) fn new(setting: &Setting) -> Life {
        Life {
            history: History::new(setting.customer),
            told: Vec::new(),
            now: setting.begins,
            next: None,
            wrong: Vec::new(),
        }
    }

    /// When the planner wants to look again.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.next
    }

    /// The instant up to which nothing more is lived through.
    pub(super) fn horizon(&self) -> Timestamp {
        let last = self.told.last().map_or(self.now, |told| told.at);
        time::saturating_add(last, SignedDuration::from_hours(24 * HORIZON_DAYS))
    }

    /// Lives until the ledger changes or an instant passes; whether it changed.
    pub(super) fn until_news(&mut self, world: &mut World<'_>, until: Timestamp) -> bool {
        let before = self.ledger();
        while let Some(at) = self.next.filter(|at| *at <= until) {
            self.live(world, at);
            if self.ledger() != before {
                return true;
            }
        }
        self.now = self.now.max(until);
        false
    }

    /// Lives through all time up to an instant.
    pub(super) fn live_until(&mut self, world: &mut World<'_>, until: Timestamp) {
        while let Some(at) = self.next.filter(|at| *at <= until) {
            self.live(world, at);
        }
        self.now = self.now.max(until);
    }

    /// Lives until nothing will happen any more.
    pub(super) fn live_out(&mut self, world: &mut World<'_>) {
        let end = self.horizon();
        self.live_until(world, end);
    }

    /// Tells an event at an instant, after what comes before it.
    pub(super) fn tell(&mut self, world: &mut World<'_>, what: &Move, at: Timestamp) {
        let before = time::saturating_add(at, SignedDuration::from_millis(-1));
        self.live_until(world, before);
        let Some(mut event) = telling::event(world.catalog, world.setting, what, at) else {
            return;
        };
        event.seq = EventSeq(self.history.events.len() as i64 + 1);
        self.history.events.push(event);
        self.history.version += 1;
        self.told.push(Told {
            what: what.clone(),
            at,
        });
        self.live(world, at);
    }

    /// Plans and sends what is due at one instant.
    fn live(&mut self, world: &mut World<'_>, at: Timestamp) {
        let mut going: Vec<Going> = Vec::new();
        let mut make = |catalog: &Catalog, send: &Send, ready: Box<Ready>, now: Timestamp| {
            going.push(Going {
                send: send.clone(),
                ready: (*ready).clone(),
                at: now,
            });
            walk::foreseen(catalog, send, ready, now)
        };
        let before = self.history.version;
        self.next = walk::live_making(world.catalog, &mut self.history, at, at, &mut make);
        // Every plan that is applied raises the version by one.
        world.plans += self.history.version.abs_diff(before);
        self.now = at;
        for one in &going {
            checks::going(world, self, one)
                .into_iter()
                .for_each(|wrong| self.note(wrong));
        }
        for one in going {
            if let Some(wrong) = world.printing.print(world, one) {
                self.note(wrong);
            }
        }
    }

    fn note(&mut self, wrong: Violation) {
        if !self.wrong.iter().any(|had| had.same(&wrong)) {
            self.wrong.push(wrong);
        }
    }

    /// The mails that went out.
    pub(super) fn accepted(&self) -> impl Iterator<Item = &Send> {
        self.history
            .sends
            .iter()
            .filter(|send| matches!(send.state, SendState::Accepted { .. }))
    }

    /// A number that changes with every entry of the ledger.
    fn ledger(&self) -> u64 {
        let mut hash = DefaultHasher::new();
        for send in &self.history.sends {
            (send.id.0, send.state.as_str()).hash(&mut hash);
        }
        for enrolment in &self.history.enrolments {
            (enrolment.id.0, standing(&enrolment.state)).hash(&mut hash);
            enrolment.starts.len().hash(&mut hash);
        }
        hash.finish()
    }

    /// What two lives have in common that go on alike: the same told, in whatever order,
    /// the same state, the same ledger, on the same days.
    pub(super) fn likeness(&self, world: &World<'_>) -> u64 {
        let zone = &world.catalog.policy.zone;
        let begun = time::day(world.setting.begins, zone);
        let days = |at: Timestamp| {
            begun
                .until(time::day(at, zone))
                .map_or(i32::MAX, |span| span.get_days())
        };
        let mut hash = DefaultHasher::new();
        let mut told: Vec<&Move> = self.told.iter().map(|told| &told.what).collect();
        told.sort();
        told.hash(&mut hash);
        days(self.now).hash(&mut hash);
        let mut sends: Vec<_> = self
            .history
            .sends
            .iter()
            .map(|send| {
                (
                    send.name(),
                    &send.occurrence,
                    send.state.as_str(),
                    days(send.at),
                )
            })
            .collect();
        sends.sort();
        sends.hash(&mut hash);
        let mut runs: Vec<_> = self
            .history
            .enrolments
            .iter()
            .map(|run| {
                (
                    &run.sequence,
                    &run.key,
                    run.n,
                    standing(&run.state),
                    run.starts.len(),
                    days(run.anchor),
                )
            })
            .collect();
        runs.sort();
        runs.hash(&mut hash);
        let catalog = world.catalog;
        let state = state::fold(&catalog.policy, &catalog.products, &self.history, self.now);
        for order in &state.orders {
            (
                &order.key,
                order.paid_at.is_some(),
                order.cancelled_at.is_some(),
                order.refunded_at.is_some(),
                order.delivered_at.map(days),
                order.dispatched_at.map(days),
            )
                .hash(&mut hash);
            for line in &order.lines {
                (
                    line.kept_quantity,
                    line.refunded,
                    line.returned,
                    line.return_open,
                    line.reviewed,
                )
                    .hash(&mut hash);
                line.delivered_at.map(days).hash(&mut hash);
            }
            for parcel in &order.shipments {
                (&parcel.id, parcel.status, parcel.gone).hash(&mut hash);
            }
        }
        let person = &state.person;
        (person.open_ticket, person.open_dispute, &person.opt_outs).hash(&mut hash);
        state.changes_at.map(days).hash(&mut hash);
        hash.finish()
    }
}

fn standing(state: &EnrolmentState) -> u8 {
    match state {
        EnrolmentState::Active => 0,
        EnrolmentState::Paused { .. } => 1,
        EnrolmentState::Ended { .. } => 2,
    }
}
