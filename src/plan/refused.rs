//! Why a fact starts nothing for somebody: the rules of [`super::enrol`] asked one after
//! the other, as things stand now. For explanations alone: nothing is decided here, and
//! it must never say that a rule stood in the way which did not.

use super::{Mind, elapsed, enrol, lets, subject};
use crate::model::time::Timestamp;
use crate::sequence::catalog::{Sequence, Timed};
use crate::state::{Fact, Subject};

/// What time brought last, for one sequence that starts on it.
pub(super) enum Passed {
    /// It came while this install had the sequence and knew the person and the facts.
    Come(Fact),
    /// It lies before that.
    Before(Timestamp),
}

/// What time brought last, whatever was made of it; about one order, or any.
pub(super) fn passed(mind: &Mind, sequence: &Sequence, order: Option<&str>) -> Option<Passed> {
    let from = elapsed::there_since(mind, sequence)?;
    let last = elapsed::all(mind, sequence, from)
        .into_iter()
        .map(|moment| moment.fact)
        .filter(|fact| fact.time <= mind.now)
        .filter(|fact| order.is_none() || fact.order.is_none() || fact.order.as_deref() == order)
        .max_by_key(|fact| fact.time)?;
    Some(if last.time > from && last.time > last.learnt {
        Passed::Come(last)
    } else {
        Passed::Before(last.time)
    })
}

/// Why a fact that was told in time starts nothing, as the end of a sentence; nothing
/// where no rule stands against it now.
pub(super) fn because(mind: &Mind, sequence: &Sequence, fact: &Fact) -> Option<String> {
    let mut first = None;
    for about in enrol::candidates(mind, sequence, fact, None) {
        for about in subject::views(&mind.state, about) {
            // One item that may start it is enough.
            let refusal = of(mind, sequence, fact, &about)?;
            // What an author wrote says more than what always holds.
            if first.is_none() || matches!(refusal, Refusal::Where(_)) {
                first = Some(refusal);
            }
        }
    }
    Some(first.map_or_else(
        || "there is no item that it could be about".to_owned(),
        |refusal| refusal.words(),
    ))
}

enum Refusal {
    Cancelled,
    Exempt { timed: bool },
    Where(String),
    Key,
    Again(Option<String>),
    Replacement,
}

impl Refusal {
    fn words(self) -> String {
        match self {
            Refusal::Cancelled => "the order was first seen as cancelled".to_owned(),
            Refusal::Exempt { timed: false } => {
                "gifts, gift cards and later deliveries of a subscription start nothing but fulfilment".to_owned()
            }
            Refusal::Exempt { timed: true } => {
                "gifts and gift cards start nothing but fulfilment".to_owned()
            }
            Refusal::Where(text) => format!("the start's `where` does not hold: {text}"),
            Refusal::Key => "a part of its key (`per`) is not known".to_owned(),
            Refusal::Again(None) => {
                "the series ran for it before, and it has no `again`".to_owned()
            }
            Refusal::Again(Some(again)) => {
                format!("the series ran for it less than {again} before (`again`)")
            }
            Refusal::Replacement => "a replacement starts nothing but fulfilment".to_owned(),
        }
    }
}

/// The first rule that stands against a fact about one subject.
fn of(mind: &Mind, sequence: &Sequence, fact: &Fact, about: &Subject) -> Option<Refusal> {
    let order = about.order.as_deref().and_then(|key| mind.state.order(key));
    let line = about
        .order
        .as_deref()
        .zip(about.line.as_deref())
        .and_then(|(order, line)| mind.state.line(order, line));
    if enrol::first_seen_cancelled(fact, order) {
        return Some(Refusal::Cancelled);
    }
    if enrol::is_exempt(sequence, order, line) {
        return Some(Refusal::Exempt {
            timed: matches!(sequence.start.timed, Some(Timed::Replenish)),
        });
    }
    let names = mind.names(about);
    if let Some(condition) = &sequence.start.where_
        && lets(condition, &names, true).is_err()
    {
        return Some(Refusal::Where(condition.text().to_owned()));
    }
    let Some(key) = enrol::key(sequence, about, &names) else {
        return Some(Refusal::Key);
    };
    match enrol::last_run(mind, sequence, &key) {
        Some(last) if !enrol::may_open_again(sequence, last, fact) => Some(Refusal::Again(
            sequence.start.again.map(|again| again.to_string()),
        )),
        None if !enrol::opens(sequence, order) => Some(Refusal::Replacement),
        _ => None,
    }
}
