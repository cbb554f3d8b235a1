//! What time brings: silence that has lasted, a day of the calendar, goods that are used
//! up. It must never reach back: an instant starts something only if it passed while this
//! install had the sequence, knew the person and knew the facts that it follows from; and
//! of a schedule's days that passed while nobody looked, only the last.

use super::{Mind, enrol, timing};
use crate::model::enrolment::{Enrolment, Start};
use crate::model::event::{DerivedKind, FactKind};
use crate::model::history::History;
use crate::model::product::Products;
use crate::model::time::{self, Length, TimeZone, Timestamp};
use crate::sequence::catalog::{Sequence, Slot, Timed};
use crate::state::{Fact, Line, Order, State};
use jiff::SignedDuration;

/// How far back a schedule's day is looked for, besides the age at which it would enrol
/// nobody: a day to each side for zones.
const SLACK_HOURS: i64 = 48;

/// Something that time brought, or will bring.
#[derive(Debug, Clone)]
pub struct Moment {
    pub fact: Fact,
    /// The local date, for a schedule.
    pub occurrence: Option<String>,
}

/// What time brought since this person was last planned, for one sequence, oldest first;
/// and the next instant at which it will bring something, if no news comes.
pub fn moments(mind: &Mind, sequence: &Sequence) -> (Vec<Moment>, Option<Timestamp>) {
    let Some(timed) = &sequence.start.timed else {
        return (Vec::new(), None);
    };
    let Some(from) = known_since(mind, sequence) else {
        return (Vec::new(), None);
    };
    let all = match timed {
        Timed::Absence { of, length } => absence(mind, *of, *length),
        Timed::Schedule(slot) => return schedule(mind, sequence, slot, from),
        Timed::Replenish => replenish(mind),
    };
    let next = all
        .iter()
        .map(|one| one.fact.time)
        .filter(|at| *at > mind.now)
        .min();
    let mut come: Vec<Moment> = all
        .into_iter()
        .filter(|one| one.fact.time > from && one.fact.time <= mind.now)
        .filter(|one| one.fact.time > one.fact.learnt)
        .map(|mut one| {
            // From here on it is time that tells it, and time tells it now.
            one.fact.learnt = mind.now;
            one
        })
        .collect();
    come.sort_by(|a, b| {
        (a.fact.time, &a.fact.order, &a.fact.line).cmp(&(b.fact.time, &b.fact.order, &b.fact.line))
    });
    (come, next)
}

/// The instant up to which everything is past for this person and sequence: the last
/// plan, or else [`there_since`].
fn known_since(mind: &Mind, sequence: &Sequence) -> Option<Timestamp> {
    let there = there_since(mind, sequence)?;
    Some(mind.history.considered_at.map_or(there, |at| at.max(there)))
}

/// The instant before which nothing could start for this person: the first news of them,
/// the day of deployment, the day on which the shop went live.
pub(super) fn there_since(mind: &Mind, sequence: &Sequence) -> Option<Timestamp> {
    let first = mind
        .history
        .events
        .iter()
        .map(|event| event.recorded)
        .min()?;
    let bounds = [sequence.start.since, mind.catalog.policy.live_since];
    Some(bounds.into_iter().flatten().fold(first, Timestamp::max))
}

/// Everything that time brings for one sequence, past and to come, whatever was made of
/// it; of a schedule's days the last after `from`. For explanations.
pub(super) fn all(mind: &Mind, sequence: &Sequence, from: Timestamp) -> Vec<Moment> {
    match &sequence.start.timed {
        None => Vec::new(),
        Some(Timed::Absence { of, length }) => absence(mind, *of, *length),
        Some(Timed::Schedule(slot)) => {
            let mut come = schedule(mind, sequence, slot, from).0;
            for one in &mut come {
                one.fact.learnt = from;
            }
            come
        }
        Some(Timed::Replenish) => replenish(mind),
    }
}

fn kind_of(timed: &Timed) -> DerivedKind {
    match timed {
        Timed::Absence { .. } => DerivedKind::Absence,
        Timed::Schedule(_) => DerivedKind::Schedule,
        Timed::Replenish => DerivedKind::Replenish,
    }
}

/// A fact that time brings, about the person alone. `learnt` is when the last of what it
/// follows from was learnt.
fn brought(timed: DerivedKind, at: Timestamp, learnt: Timestamp, test: bool) -> Fact {
    Fact {
        kind: FactKind::Derived(timed),
        time: at,
        learnt,
        order: None,
        line: None,
        shipment: None,
        evidence: Vec::new(),
        fresh: true,
        inferred: false,
        history_only: false,
        test,
    }
}

/// The last fact of a kind about the person. Tests break no silence, unless there are
/// only tests.
pub fn last_of(state: &State, of: FactKind) -> Option<&Fact> {
    let all = || state.facts.iter().filter(move |fact| fact.kind == of);
    all()
        .filter(|fact| !fact.test)
        .max_by_key(|fact| fact.time)
        .or_else(|| all().max_by_key(|fact| fact.time))
}

fn absence(mind: &Mind, of: FactKind, length: Length) -> Vec<Moment> {
    let Some(last) = last_of(&mind.state, of) else {
        return Vec::new();
    };
    let days = mind.workdays();
    let zone = &mind.state.person.zone;
    let at = length.after_working(last.time, zone, |day| days.includes(day));
    let fact = Fact {
        evidence: last.evidence.clone(),
        ..brought(DerivedKind::Absence, at, last.learnt, last.test)
    };
    vec![Moment {
        fact,
        occurrence: None,
    }]
}

fn schedule(
    mind: &Mind,
    sequence: &Sequence,
    slot: &Slot,
    from: Timestamp,
) -> (Vec<Moment>, Option<Timestamp>) {
    let zone = &mind.state.person.zone;
    let oldest = enrol::oldest(&mind.catalog.policy, sequence.kind).roughly();
    let too_old = time::saturating_add(mind.now, -oldest);
    let too_old = time::saturating_add(too_old, SignedDuration::from_hours(-SLACK_HOURS));
    let mut last = None;
    let mut next = after(slot, from.max(too_old), zone);
    while let Some(at) = next.filter(|at| *at <= mind.now) {
        last = Some(at);
        next = after(slot, at, zone);
    }
    let come = last.map(|at| Moment {
        fact: brought(DerivedKind::Schedule, at, mind.now, mind.state.person.test),
        occurrence: Some(time::day(at, zone).to_string()),
    });
    (come.into_iter().collect(), next)
}

/// The first match of a schedule after an instant.
fn after(slot: &Slot, instant: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let from = time::saturating_add(instant, SignedDuration::from_millis(1));
    timing::first_slot(slot, from, zone)
}

/// What a person bought of one product in one order.
struct Purchase<'s> {
    order: &'s Order,
    /// Its first line that arrived and is kept, else its first line that is kept.
    line: &'s Line,
    product: &'s str,
    /// How many days the units last that are kept and have arrived.
    days: i64,
    /// When the last of them arrived.
    arrived: Option<Timestamp>,
}

/// Purchases of products that are used up, by order, kept ones alone. Replacements are
/// no purchases.
fn purchases<'s>(state: &'s State, products: &'s Products) -> Vec<Purchase<'s>> {
    let mut all: Vec<Purchase> = Vec::new();
    for order in state.orders.iter().filter(|order| !order.replacement) {
        let first = all.len();
        for line in order.lines.iter().filter(|line| line.kept()) {
            let Some((product, days)) = used_up(products, line) else {
                continue;
            };
            let units = line.delivered_at.map_or(0, |_| line.kept_quantity);
            let days = days.saturating_mul(units);
            match all[first..].iter_mut().find(|one| one.product == product) {
                Some(one) => {
                    if one.arrived.is_none() && line.delivered_at.is_some() {
                        one.line = line;
                    }
                    one.days = one.days.saturating_add(days);
                    one.arrived = one.arrived.max(line.delivered_at);
                }
                None => all.push(Purchase {
                    order,
                    line,
                    product,
                    days,
                    arrived: line.delivered_at,
                }),
            }
        }
    }
    all
}

/// The product of a line, and after how many days one unit of it is used up.
fn used_up<'s>(products: &'s Products, line: &'s Line) -> Option<(&'s str, i64)> {
    let item = &line.item;
    let (product, days) = products.lasts(item.product_id.as_deref(), item.sku.as_deref())?;
    (days > 0).then_some((product.product_id.as_str(), days))
}

/// Whether a purchase comes after another: it was made later.
fn is_newer(one: &Order, than: &Order) -> bool {
    let placed = |order: &Order| order.snapshot.placed_at.unwrap_or(order.snapshot.version);
    (placed(one), &one.key) > (placed(than), &than.key)
}

/// When each product's newest purchase is used up. What was bought again is not asked
/// about, whether or not it has arrived.
fn replenish(mind: &Mind) -> Vec<Moment> {
    let all = purchases(&mind.state, &mind.catalog.products);
    let newest = |one: &Purchase| {
        !all.iter()
            .any(|other| other.product == one.product && is_newer(other.order, one.order))
    };
    all.iter()
        .filter(|one| newest(one))
        .filter_map(|one| {
            let days = Length::Days(one.days.min(time::MAX_DAYS));
            let at = days.after(one.arrived?, &mind.state.person.zone);
            let delivered = mind.state.facts.iter().filter(|fact| {
                fact.kind == FactKind::Derived(DerivedKind::ItemDelivered)
                    && fact.order.as_deref() == Some(one.order.key.as_str())
            });
            let of_line = delivered
                .filter(|fact| fact.line.as_deref() == Some(one.line.item.line_id.as_str()));
            let of_line: Vec<&Fact> = of_line.collect();
            let learnt = of_line.iter().map(|fact| fact.learnt).max()?;
            Some(Moment {
                fact: Fact {
                    order: Some(one.order.key.clone()),
                    line: Some(one.line.item.line_id.clone()),
                    evidence: of_line.first()?.evidence.clone(),
                    ..brought(DerivedKind::Replenish, at, learnt, one.order.test)
                },
                occurrence: None,
            })
        })
        .collect()
}

/// Whether an earlier enrolment of the same key was brought by the very same: a customer
/// who moves to another zone passes a day twice, and what was refunded and bought back
/// is used up once.
pub fn is_known(history: &History, sequence: &Sequence, key: &str, start: &Start) -> bool {
    let same = |had: &Start| {
        had.kind == start.kind
            && had.order == start.order
            && had.line == start.line
            && match &start.occurrence {
                Some(date) => had.occurrence.as_ref() == Some(date),
                None => start.evidence.iter().any(|seq| had.evidence.contains(seq)),
            }
    };
    history
        .enrolments
        .iter()
        .filter(|run| run.sequence == sequence.id && run.key == key)
        .flat_map(|run| &run.starts)
        .any(same)
}

/// The fact that took away what time had brought: the silence is broken, the product was
/// bought again.
pub fn undone(mind: &Mind, sequence: &Sequence, run: &Enrolment) -> Option<FactKind> {
    let timed = sequence.start.timed.as_ref()?;
    let mut starts = run
        .starts
        .iter()
        .filter(|start| start.kind == FactKind::Derived(kind_of(timed)))
        .peekable();
    starts.peek()?;
    match timed {
        Timed::Schedule(_) => None,
        Timed::Absence { of, .. } => {
            let last = last_of(&mind.state, *of)?;
            let counted_from = |start: &Start| {
                let mut evidence = last.evidence.iter();
                evidence.any(|seq| start.evidence.contains(seq))
            };
            (!starts.any(counted_from)).then_some(*of)
        }
        Timed::Replenish => {
            let all = purchases(&mind.state, &mind.catalog.products);
            let bought_again = |start: &Start| {
                let (Some(key), Some(line)) = (start.order.as_deref(), start.line.as_deref())
                else {
                    return false;
                };
                let line = mind.state.line(key, line);
                let of = line.and_then(|line| used_up(&mind.catalog.products, line));
                mind.state
                    .order(key)
                    .zip(of)
                    .is_some_and(|(order, (product, _))| {
                        all.iter()
                            .any(|other| other.product == product && is_newer(other.order, order))
                    })
            };
            let again = FactKind::Event(crate::model::event::EventKind::OrderPlaced);
            starts.all(bought_again).then_some(again)
        }
    }
}

/// When time will bring what a sequence starts on, as things stand: for explanations.
pub fn foreseen(mind: &Mind, sequence: &Sequence) -> Option<Timestamp> {
    moments(mind, sequence).1
}
