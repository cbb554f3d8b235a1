//! Two sequences that reach the same person on the same day, by their own timetables.

use super::hours;
use super::moments::{self, Must};
use super::possible;
use super::source::{At, in_sequence};
use super::{MAX_OF_ONE_CODE, Shop};
use crate::model::cores;
use crate::model::diagnostic::Diagnostic;
use crate::model::event::FactKind;
use crate::model::time::Length;
use crate::sequence::catalog::{Anchor, Catalog, Sequence, Step};
use std::collections::{BTreeMap, BTreeSet};

/// Most pairs of sequences that are compared: all of a shop of 200 sequences that start
/// on one fact.
const MAX_PAIRS: usize = 25_000;

/// A step's days after the fact that everything began with, first and last.
type Days = (i64, i64);

struct Timetable<'s> {
    sequence: &'s Sequence,
    /// The sequence whose start began it all: itself, or the one whose mail opened it.
    root: &'s str,
    steps: Vec<(&'s Step, Days)>,
    /// What must be so when somebody enters.
    entering: Vec<Must<'s>>,
    /// The families that it is about, where its start names them: most pairs are told
    /// apart by them alone.
    families: Option<BTreeSet<String>>,
}

pub fn look(shop: &Shop<'_>, found: &mut Vec<Diagnostic>) {
    let mut by_fact: BTreeMap<FactKind, Vec<Timetable<'_>>> = BTreeMap::new();
    for sequence in shop.catalog.sequences.iter() {
        if let Some((fact, timetable)) = timetable(shop, sequence)
            && !timetable.steps.is_empty()
            && !moments::is_of_time(fact)
        {
            by_fact.entry(fact).or_default().push(timetable);
        }
    }
    let pairs: Vec<_> = by_fact
        .values()
        .flat_map(|timetables| {
            timetables
                .iter()
                .enumerate()
                .flat_map(|(at, one)| timetables[at + 1..].iter().map(move |other| (one, other)))
        })
        .take(MAX_PAIRS)
        .collect();
    let catalog = shop.catalog;
    let met = cores::each(&pairs, |(one, other)| meeting(catalog, one, other));
    // Whoever has to move a step has to know it once, whatever number of others it meets.
    let mut by_step: BTreeMap<(&str, &str), (Meeting<'_, '_>, usize)> = BTreeMap::new();
    for ((one, other), met) in pairs.into_iter().zip(met) {
        let Some(met) = met else { continue };
        let meeting = Meeting::of(one, other, met);
        let (sequence, step) = meeting.later;
        let counted = by_step
            .entry((&sequence.id, &step.id))
            .or_insert((meeting, 0));
        counted.1 += 1;
    }
    let more = by_step.len().saturating_sub(MAX_OF_ONE_CODE);
    let told = by_step.into_values().take(MAX_OF_ONE_CODE);
    found.extend(told.map(|(meeting, count)| meeting.told(shop, count)));
    if let Some(last) = found.last_mut().filter(|_| more > 0) {
        last.help.push(format!("and {more} more like this"));
    }
}

/// The steps that go on one day, and the first such day; `None` where no person can be
/// in both sequences then.
type Met<'s> = (&'s Step, &'s Step, i64);

fn meeting<'s>(catalog: &Catalog, one: &Timetable<'s>, other: &Timetable<'s>) -> Option<Met<'s>> {
    if let (Some(one), Some(other)) = (&one.families, &other.families)
        && one.is_disjoint(other)
    {
        return None;
    }
    let (first, second, day) = one.steps.iter().find_map(|(first, (from, to))| {
        other.steps.iter().find_map(|(second, (begin, end))| {
            let meets = from <= end && begin <= to;
            meets.then_some((*first, *second, (*from).max(*begin)))
        })
    })?;
    // Different starts concern the same thing only where both let it in.
    let mut both = moments::premises(&one.entering);
    both.extend(moments::premises(&other.entering));
    if possible::conflict(&both).is_some() {
        return None;
    }
    let mut steps = moments::going(catalog, one.sequence, first);
    steps.extend(moments::going(catalog, other.sequence, second));
    if possible::conflict(&moments::premises(&steps)).is_some() {
        return None;
    }
    Some((first, second, day))
}

/// Two steps that can go on one day.
struct Meeting<'t, 's> {
    one: &'t Timetable<'s>,
    first: &'s Step,
    other: &'t Timetable<'s>,
    second: &'s Step,
    day: i64,
    /// The one that waits: the kind that goes first keeps its day.
    later: (&'s Sequence, &'s Step),
}

impl<'t, 's> Meeting<'t, 's> {
    fn of(one: &'t Timetable<'s>, other: &'t Timetable<'s>, met: Met<'s>) -> Self {
        let (first, second, day) = met;
        let is_first = (first.kind, &one.sequence.id) <= (second.kind, &other.sequence.id);
        let later = if is_first {
            (other.sequence, second)
        } else {
            (one.sequence, first)
        };
        Meeting {
            one,
            first,
            other,
            second,
            day,
            later,
        }
    }

    /// As the first of `count` meetings of the step that waits.
    fn told(&self, shop: &Shop<'_>, count: usize) -> Diagnostic {
        let (sequence, step) = self.later;
        let limits = &shop.catalog.policy.limits;
        let outcome = match (limits.per_day, limits.when_over) {
            (Some(1), Some(over)) => format!(
                "[limits] will delay {}/{} by up to {over}, and then skip it",
                sequence.id, step.id
            ),
            (Some(1), None) => format!("[limits] will delay {}/{}", sequence.id, step.id),
            _ => "both go out that day".to_owned(),
        };
        let span = shop.source.key(sequence, At::Step(&step.id), "after");
        let problem = in_sequence(
            "W510",
            sequence,
            span,
            "two sequences can reach the same person on the same day",
        )
        .help(format!(
            "{}/{} and {}/{}, on day {} after \"{}\"",
            self.one.sequence.id,
            self.first.id,
            self.other.sequence.id,
            self.second.id,
            self.day,
            root_fact(shop, self.one)
        ));
        let problem = match count - 1 {
            0 => problem,
            1 => problem.help("one more sequence can do so on the day of this step"),
            more => problem.help(format!(
                "{more} more sequences can do so on the day of this step"
            )),
        };
        problem.help(outcome).help("move one of them by a few days")
    }
}

fn root_fact(shop: &Shop<'_>, of: &Timetable<'_>) -> String {
    shop.catalog
        .sequence(of.root)
        .map_or_else(String::new, |root| root.start.on.to_string())
}

/// When the steps of a sequence that limits bind go, as far as files tell.
fn timetable<'s>(shop: &Shop<'s>, sequence: &'s Sequence) -> Option<(FactKind, Timetable<'s>)> {
    // Up to the sequence that starts on a fact, and the steps that lead down from it.
    let mut way: Vec<(&Sequence, &str)> = Vec::new();
    let mut root = sequence;
    while let Some((id, step)) = root.start.of.as_deref().and_then(|of| of.split_once('/')) {
        root = shop.catalog.sequence(id)?;
        if way.len() > shop.catalog.sequences.len() {
            return None;
        }
        way.push((root, step));
    }
    let mut begin: Days = (0, 0);
    for (sequence, step) in way.iter().rev() {
        let all = days_of(sequence, begin);
        let (_, days) = all.into_iter().find(|(one, _)| one.id == *step)?;
        begin = days;
    }
    let steps = days_of(sequence, begin)
        .into_iter()
        .filter(|(step, _)| step.kind.is_bound() && step.each.is_none())
        .collect();
    Some((
        root.start.on,
        Timetable {
            sequence,
            root: &root.id,
            steps,
            entering: moments::entering(shop.catalog, sequence),
            families: moments::families(shop.catalog, sequence),
        },
    ))
}

fn days_of(sequence: &Sequence, begin: Days) -> Vec<(&Step, Days)> {
    let mut found: Vec<(&Step, Days)> = Vec::new();
    for step in &sequence.steps {
        let from = match &step.anchor {
            Anchor::Start => begin,
            Anchor::Step(earlier) => match found.iter().find(|(one, _)| one.id == *earlier) {
                Some((_, days)) => *days,
                None => continue,
            },
            Anchor::Fact(_) => continue,
        };
        let wait = match step.length {
            Length::Days(days) => (days, days),
            // Elapsed time may pass a midnight more or less.
            Length::Minutes(0) => (0, 0),
            Length::Minutes(minutes) => {
                let days = minutes / (24 * 60);
                (days, days + i64::from(minutes % (24 * 60) != 0))
            }
            Length::BusinessDays(0) => (0, 0),
            Length::BusinessDays(n) => (n + 2 * ((n - 1) / 5), n + 2 * ((n + 4) / 5)),
        };
        let slot = match &step.slot {
            Some(slot) => match hours::longest_gap(slot) {
                Some(gap) => gap,
                None => continue,
            },
            None => 0,
        };
        found.push((step, (from.0 + wait.0, from.1 + wait.1 + slot)));
    }
    found
}
