//! The planner in virtual time over a file of events: what would have gone out, had
//! they come in as recorded. Nothing is stored, so people get numbers of their own.

use super::walk::{self, Make};
use crate::ingest::identity::{Directory, Placement};
use crate::model::event::{Event, EventKind};
use crate::model::history::History;
use crate::model::ids::{CustomerId, EventSeq};
use crate::model::policy::Policy;
use crate::model::send::Send;
use crate::model::time::{self, Timestamp};
use crate::sequence::catalog::Catalog;
use crate::state;
use crate::state::transit::{self, Observation};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// How long after the last event a simulation without an end runs, in days.
pub const RUN_ON_DAYS: i64 = 400;

/// How long after the last event there are lessons in transit times: longer than anything
/// that is learnt may concern a parcel that has left before.
const LAST_LESSONS: jiff::SignedDuration = jiff::SignedDuration::from_hours(24 * 15);

/// A send that was decided in the period.
#[derive(Debug, Clone)]
pub struct Simulated {
    pub send: Send,
    pub customer: CustomerId,
    /// Where it went, or would have gone.
    pub email: Option<String>,
}

/// Everything that is decided from `from` to `to`, skipped sends too, by instant of
/// decision. Events count as learnt at their `recorded` instant; those before `from`
/// are history that was lived through. Without `to`, the simulation runs on for
/// [`RUN_ON_DAYS`] after the last event.
pub fn simulate(
    catalog: &Catalog,
    events: Vec<Event>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Vec<Simulated> {
    live_through(catalog, events, from, to, &mut walk::foreseen).decided
}

/// What became of everybody.
#[derive(Debug)]
pub struct Lived {
    /// Everything that was decided, as [`simulate`] tells it.
    pub decided: Vec<Simulated>,
    /// Each person, as of `until`.
    pub histories: Vec<History>,
    /// The files, with what product events said.
    pub catalog: Catalog,
    /// The end of the simulation.
    pub until: Timestamp,
}

/// As [`simulate`], with all that is known at the end. Mails are made by `make`.
pub fn live_through(
    catalog: &Catalog,
    mut events: Vec<Event>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    make: &mut Make<'_>,
) -> Lived {
    events.sort_by_key(|event| event.recorded);
    let run_on = jiff::SignedDuration::from_hours(24 * RUN_ON_DAYS);
    let last = events
        .last()
        .map_or(Timestamp::UNIX_EPOCH, |event| event.recorded);
    let until = to.unwrap_or_else(|| time::saturating_add(last, run_on));
    let mut world = World::new(catalog.clone(), make);
    for event in events {
        if event.recorded > until {
            break;
        }
        world.learn_to(event.recorded);
        world.arrive(event);
    }
    // What is learnt later concerns nobody: all parcels left before.
    world.learn_to(until.min(time::saturating_add(last, LAST_LESSONS)));
    world.run_to(until);
    Lived {
        decided: world.decided(from.unwrap_or(Timestamp::MIN), until),
        histories: world
            .people
            .into_values()
            .map(|person| person.history)
            .collect(),
        catalog: world.catalog,
        until,
    }
}

/// People and their histories, each at the last instant at which anything happened.
struct World<'w, 'm> {
    make: &'w mut Make<'m>,
    catalog: Catalog,
    directory: Directory,
    people: BTreeMap<CustomerId, Person>,
    /// Events that wait for somebody to turn up.
    parked: HashMap<EventSeq, Event>,
    /// The versions told under a fact's name, and when it happened.
    told: HashMap<(String, String), (BTreeSet<i64>, Timestamp)>,
    next_seq: i64,
    /// When the next lesson in transit times is due.
    lesson: Option<Timestamp>,
    /// What each person's parcels teach; none of those who heard anything since.
    observed: BTreeMap<CustomerId, Vec<Observation>>,
}

struct Person {
    history: History,
    wake_at: Option<Timestamp>,
}

impl<'w, 'm> World<'w, 'm> {
    fn new(catalog: Catalog, make: &'w mut Make<'m>) -> Self {
        World {
            make,
            catalog,
            directory: Directory::default(),
            people: BTreeMap::new(),
            parked: HashMap::new(),
            told: HashMap::new(),
            next_seq: 1,
            lesson: None,
            observed: BTreeMap::new(),
        }
    }

    /// Learns how long parcels take, as the service does every day, from what was told
    /// before. What is learnt holds from then on, so nobody need have lived until then.
    fn learn_to(&mut self, until: Timestamp) {
        if !self.catalog.policy.learn {
            return;
        }
        let after = |at| time::saturating_add(transit::lesson(at), transit::EVERY);
        let mut due = self.lesson.unwrap_or_else(|| after(until));
        while due <= until {
            let policy = &self.catalog.policy;
            for (customer, person) in &self.people {
                self.observed
                    .entry(*customer)
                    .or_insert_with(|| transit::observe(policy, &person.history, due));
            }
            let all: Vec<&Observation> = self.observed.values().flatten().collect();
            let mut table = (*policy.transits).clone();
            if transit::learn(&mut table, &all, due, due) {
                self.catalog.policy = Arc::new(Policy {
                    transits: Arc::new(table),
                    ..(**policy).clone()
                });
                for person in self.people.values_mut() {
                    let open = person.history.enrolments.iter().any(|run| run.is_open());
                    if person.wake_at.is_some() || open {
                        person.history.version += 1;
                        person.wake_at = Some(person.wake_at.map_or(due, |at| at.min(due)));
                    }
                }
            }
            due = time::saturating_add(due, transit::EVERY);
        }
        self.lesson = Some(due);
    }

    /// One event comes in: what happened to its people before is lived through first.
    fn arrive(&mut self, mut event: Event) {
        let name = (event.source.clone(), event.id.clone());
        let known = self.told.get(&name).map(|(_, at)| *at);
        if let Some(anew) = known.and_then(|known| event.anew(known)) {
            event.id = anew;
        }
        if !self.is_news(&event) {
            return;
        }
        let now = event.recorded;
        event.seq = EventSeq(self.next_seq);
        self.next_seq += 1;
        if let Some(product) = event.body.product.clone()
            && event.kind == EventKind::ProductUpdated
        {
            self.run_to(just_before(now));
            let mut products = (*self.catalog.products).clone();
            products.update(&product);
            let moved = products.used_up() != self.catalog.products.used_up();
            self.catalog.products = Arc::new(products);
            if moved && self.catalog.replenishes() {
                self.wake_all(now);
            }
            // As the service does: those of whom something waits for the catalogue.
            let waiting = self
                .people
                .iter_mut()
                .filter(|(_, person)| !person.history.waiting.is_empty());
            for (_, person) in waiting {
                person.history.version += 1;
                person.wake_at = Some(person.wake_at.map_or(now, |at| at.min(now)));
            }
            self.run_to(now);
            return;
        }
        let seq = event.seq;
        let placed = self.directory.place(&event);
        self.parked.insert(seq, event);
        for (from, into) in placed.merges {
            self.merge(from, into, now);
        }
        let mut touched = Vec::new();
        for (seq, placement) in placed.placements {
            let Placement::Customer(customer) = placement else {
                continue;
            };
            let Some(event) = self.parked.remove(&seq) else {
                continue;
            };
            self.live(customer, just_before(now));
            let person = self.people.entry(customer).or_insert_with(|| Person {
                history: History::new(customer),
                wake_at: None,
            });
            person.history.events.push(event);
            person.history.version += 1;
            touched.push(customer);
            self.observed.remove(&customer);
        }
        touched.sort_unstable();
        touched.dedup();
        for customer in touched {
            if let Some(person) = self.people.get_mut(&customer) {
                person.wake_at = Some(now);
            }
            self.live(customer, now);
        }
    }

    /// Whether an event says anything new: the name of its fact is new, or it says more of
    /// it than was told under that name.
    fn is_news(&mut self, event: &Event) -> bool {
        let name = (event.source.clone(), event.id.clone());
        match self.told.get_mut(&name) {
            None => {
                let told = (BTreeSet::from([event.version()]), event.time);
                self.told.insert(name, told);
                true
            }
            Some((told, _)) if event.says_more(told) => told.insert(event.version()),
            Some(_) => false,
        }
    }

    fn merge(&mut self, from: CustomerId, into: CustomerId, now: Timestamp) {
        for customer in [from, into] {
            self.live(customer, just_before(now));
        }
        let Some(absorbed) = self.people.remove(&from) else {
            return;
        };
        let person = self.people.entry(into).or_insert_with(|| Person {
            history: History::new(into),
            wake_at: None,
        });
        person.history.absorb(absorbed.history);
        self.observed.remove(&from);
        self.observed.remove(&into);
        person.wake_at = Some(now);
    }

    /// Lives one person's time through until `until`.
    fn live(&mut self, customer: CustomerId, until: Timestamp) {
        let Some(person) = self.people.get_mut(&customer) else {
            return;
        };
        if let Some(at) = person.wake_at.filter(|at| *at <= until) {
            person.wake_at =
                walk::live_making(&self.catalog, &mut person.history, at, until, self.make);
        }
    }

    /// Looks at everybody anew: something is used up sooner or later than was known.
    fn wake_all(&mut self, now: Timestamp) {
        for person in self.people.values_mut() {
            person.wake_at = Some(now);
        }
        self.run_to(now);
    }

    fn run_to(&mut self, until: Timestamp) {
        let people: Vec<CustomerId> = self.people.keys().copied().collect();
        for customer in people {
            self.live(customer, until);
        }
    }

    fn decided(&self, from: Timestamp, to: Timestamp) -> Vec<Simulated> {
        let mut all: Vec<Simulated> = self
            .people
            .values()
            .flat_map(|person| {
                let policy = &self.catalog.policy;
                let state = state::fold(policy, &self.catalog.products, &person.history, to);
                let address = state.person.email.map(|email| email.as_typed().to_owned());
                person
                    .history
                    .sends
                    .iter()
                    .filter(move |send| send.at >= from && send.at <= to)
                    .map(move |send| Simulated {
                        send: send.clone(),
                        customer: person.history.customer,
                        email: send
                            .prepared
                            .as_ref()
                            .map(|p| p.to.clone())
                            .or_else(|| address.clone()),
                    })
            })
            .collect();
        all.sort_by(|a, b| {
            (a.send.at, a.send.due, a.send.id).cmp(&(b.send.at, b.send.due, b.send.id))
        });
        all
    }
}

fn just_before(instant: Timestamp) -> Timestamp {
    time::saturating_add(instant, jiff::SignedDuration::from_millis(-1))
}
