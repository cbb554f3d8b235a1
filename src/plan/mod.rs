//! The one place where anything is decided: what to mail, to whom, when and why.
//!
//! [`plan`] is a pure function of the files, one person's history and the instant.
//! The scheduler, `upcoming`, `simulate` and the tests call it and nothing else, so
//! that a preview cannot drift from what is sent. It must never read a clock, do I/O
//! or look anything up that is not in its arguments. Read [`plan`] for the order of
//! thoughts, then `enrol`, `exit`, `step`, `timing` and `permit`; [`clear`] is the last
//! look before a mail goes, [`walk`] the same planner in virtual time.

pub mod assign;
pub mod assumed;
mod awaiting;
mod clear;
mod correct;
pub mod decision;
mod elapsed;
mod enrol;
mod exit;
pub mod explain;
mod permit;
pub mod prove;
mod refused;
mod renamed;
pub mod scenario;
pub mod simulate;
mod step;
mod subject;
mod timing;
pub mod values;
pub mod walk;

pub use clear::{Clearance, Ready, clear};
pub use decision::{Decision, Outlook, Plan};

use crate::model::enrolment::Enrolment;
use crate::model::history::History;
use crate::model::names::Names;
use crate::model::send::Send;
use crate::model::time::Timestamp;
use crate::sequence::catalog::Catalog;
use crate::sequence::condition::Condition;
use crate::state::{self, State, Subject};
use std::cell::RefCell;
use std::rc::Rc;

/// How many subjects' names are kept at hand while nothing is decided.
const NAMES_AT_HAND: usize = 32;

/// What to do about one person now, and when to look again. Planning the planned
/// history again at the same instant decides nothing; nor does planning at any instant
/// before `wake_at`, unless a fact has come in.
pub fn plan(catalog: &Catalog, history: &History, now: Timestamp) -> Plan {
    let mut mind = Mind::new(catalog, history, now);
    if history.erased || mind.state.person.erased {
        exit::forget(&mut mind);
        return mind.into_plan();
    }
    enrol::open(&mut mind);
    correct::starts(&mut mind);
    awaiting::settle(&mut mind);
    exit::merge(&mut mind);
    exit::end(&mut mind);
    exit::pause(&mut mind);
    step::mend(&mut mind);
    step::decide(&mut mind);
    exit::complete(&mut mind);
    mind.into_plan()
}

/// The planner's working copy: every decision is applied to it at once, so that later
/// thoughts see earlier ones.
struct Mind<'a> {
    catalog: &'a Catalog,
    now: Timestamp,
    history: History,
    state: State,
    decisions: Vec<Decision>,
    outlook: Vec<Outlook>,
    wake_at: Option<Timestamp>,
    /// Names that were asked for since the last decision: many sequences ask for those of
    /// one subject, one after another.
    named: RefCell<Vec<(Subject, Rc<Names>)>>,
}

impl<'a> Mind<'a> {
    fn new(catalog: &'a Catalog, history: &History, now: Timestamp) -> Self {
        let state = fold(catalog, history, now);
        let mut history = history.clone();
        renamed::history(catalog, &mut history);
        let mut mind = Mind {
            catalog,
            now,
            history,
            state,
            decisions: Vec::new(),
            outlook: Vec::new(),
            wake_at: None,
            named: RefCell::default(),
        };
        if let Some(at) = mind.state.changes_at {
            mind.wake(at);
        }
        mind
    }

    /// Asks to be woken at `at`, unless something earlier does. An instant that is not
    /// ahead would be a planner that never rests: it is set to the next millisecond.
    fn wake(&mut self, at: Timestamp) {
        let soonest =
            crate::model::time::saturating_add(self.now, jiff::SignedDuration::from_millis(1));
        let at = at.max(soonest);
        self.wake_at = Some(self.wake_at.map_or(at, |had| had.min(at)));
    }

    /// The working days where this person lives.
    fn workdays(&self) -> crate::model::holidays::Workdays<'_> {
        let person = &self.state.person;
        self.catalog
            .policy
            .workdays(person.country.as_deref(), person.region.as_deref())
    }

    fn decide(&mut self, decision: Decision) {
        // Names tell what was sent, among other things.
        self.named.get_mut().clear();
        decision.apply(&mut self.history);
        self.decisions.push(decision);
    }

    fn update(&mut self, enrolment: Enrolment) {
        self.decide(Decision::Update(enrolment));
    }

    fn revise(&mut self, send: Send) {
        self.decide(Decision::Revise(send));
    }

    fn names(&self, subject: &Subject) -> Rc<Names> {
        let mut named = self.named.borrow_mut();
        if let Some((_, names)) = named.iter().find(|(had, _)| had == subject) {
            return Rc::clone(names);
        }
        let names = Rc::new(names(
            self.catalog,
            &self.state,
            &self.history,
            subject,
            self.now,
        ));
        if named.len() >= NAMES_AT_HAND {
            named.clear();
        }
        named.push((subject.clone(), Rc::clone(&names)));
        names
    }

    fn into_plan(mut self) -> Plan {
        self.outlook.sort_by(|a, b| {
            (a.go, a.kind, a.enrolment, &a.step).cmp(&(b.go, b.kind, b.enrolment, &b.step))
        });
        Plan {
            decisions: self.decisions,
            outlook: self.outlook,
            wake_at: self.wake_at,
        }
    }
}

fn names(
    catalog: &Catalog,
    state: &State,
    history: &History,
    subject: &Subject,
    now: Timestamp,
) -> Names {
    let mut names = state.names(&catalog.policy, &catalog.products, history, subject, now);
    renamed::sent(catalog, &mut names);
    names
}

/// What stands at an instant, under the names that are in the files.
fn fold(catalog: &Catalog, history: &History, now: Timestamp) -> State {
    let mut state = state::fold(&catalog.policy, &catalog.products, history, now);
    renamed::opt_outs(catalog, &mut state);
    state
}

/// Whether a condition lets something go, and the warning where it could not be
/// evaluated: that never lets anything go. `wanted` is the value that lets it go.
fn lets(condition: &Condition, names: &Names, wanted: bool) -> Result<(), Option<String>> {
    match condition.holds(names) {
        Ok(value) if value == wanted => Ok(()),
        Ok(_) => Err(None),
        Err(warning) => Err(Some(warning)),
    }
}
