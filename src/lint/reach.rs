//! Steps that nobody can receive: conditions that contradict each other, anchors that
//! never come, sequences that wait for one another.

use super::Shop;
use super::moments::{self, Because, Must};
use super::possible::{self, Conflict};
use super::source::{At, in_sequence};
use crate::model::diagnostic::{Diagnostic, position};
use crate::model::event::{DerivedKind, EventKind, FactKind};
use crate::model::kind::Kind;
use crate::sequence::catalog::{Anchor, Each, Sequence, Step, Stop};
use crate::sequence::condition::claim::Claim;
use std::collections::{BTreeMap, BTreeSet};

pub fn look(shop: &Shop<'_>, found: &mut Vec<Diagnostic>) {
    let circling = cycles(shop, found);
    for sequence in shop.catalog.sequences.iter() {
        if circling.contains(sequence.id.as_str()) {
            continue;
        }
        rules(shop, sequence, found);
        if let Some(problem) = never_enters(shop, sequence) {
            found.push(problem);
            continue;
        }
        if let Some(problem) = ended(shop, sequence, None, sequence.start.on) {
            found.push(problem);
            continue;
        }
        for step in &sequence.steps {
            found.extend(
                never_comes(shop, sequence, step).or_else(|| never_goes(shop, sequence, step)),
            );
        }
    }
}

/// Sequences that each wait for a send of the next: none of them can be the first.
fn cycles<'s>(shop: &Shop<'s>, found: &mut Vec<Diagnostic>) -> BTreeSet<&'s str> {
    let opener: BTreeMap<&str, &str> = shop
        .catalog
        .sequences
        .iter()
        .filter_map(|sequence| {
            let (id, _) = sequence.start.of.as_deref()?.split_once('/')?;
            Some((sequence.id.as_str(), id))
        })
        .collect();
    let mut circling = BTreeSet::new();
    for sequence in shop.catalog.sequences.iter() {
        let mut way = vec![sequence.id.as_str()];
        while let Some(next) = way.last().and_then(|last| opener.get(last)) {
            if *next == sequence.id {
                let first = way.iter().min() == Some(&sequence.id.as_str());
                circling.extend(way.iter().copied());
                if first {
                    way.push(&sequence.id);
                    let span = shop.source.key(sequence, At::Start, "of");
                    found.push(
                        in_sequence(
                            "E145",
                            sequence,
                            span,
                            "these sequences start each other, so none of them ever starts",
                        )
                        .label("waits for a mail that waits for this sequence")
                        .help(format!(
                            "each waits for the one after it: {}",
                            way.join(" → ")
                        ))
                        .help("no customer ever gets a mail of any of them")
                        .help("let one of them start on a fact, such as \"item.delivered\""),
                    );
                }
                break;
            }
            if way.contains(next) {
                break;
            }
            way.push(next);
        }
    }
    circling
}

fn never_enters(shop: &Shop<'_>, sequence: &Sequence) -> Option<Diagnostic> {
    let on = sequence.start.on;
    let never = || {
        let span = shop.source.key(sequence, At::Start, "on");
        let message = format!("nobody can ever get a mail of \"{}\"", sequence.id);
        in_sequence("E141", sequence, span, message)
    };
    if on == FactKind::Event(EventKind::ErasureRequested) {
        return Some(never().label("nothing is sent after this").help(FORGOTTEN));
    }
    if takes_all(on) && sequence.kind != Kind::Fulfilment {
        return Some(
            never()
                .label("after this, nothing is kept")
                .help(kept(sequence.kind))
                .help("what must be said then belongs into a sequence of kind \"fulfilment\""),
        );
    }
    let moment = moments::entering(shop.catalog, sequence);
    let conflict = possible::conflict(&moments::premises(&moment))?;
    let message = format!("nobody can ever enter \"{}\"", sequence.id);
    let problem = in_sequence(
        "E140",
        sequence,
        shop.source.key(sequence, At::Start, ""),
        message,
    );
    let problem = explain(shop, sequence, None, problem, &moment, &conflict);
    Some(followers(shop, sequence, None, problem))
}

fn never_goes(shop: &Shop<'_>, sequence: &Sequence, step: &Step) -> Option<Diagnostic> {
    if step.when.is_none() && step.unless.is_none() {
        return None;
    }
    let moment = moments::going(shop.catalog, sequence, step);
    let conflict = possible::conflict(&moments::premises(&moment))?;
    let problem = in_sequence(
        "E140",
        sequence,
        shop.source.key(sequence, At::Step(&step.id), ""),
        format!("nobody can ever receive \"{}\"", step.id),
    );
    let problem = explain(shop, sequence, Some(step), problem, &moment, &conflict);
    Some(followers(shop, sequence, Some(step), problem))
}

/// Adds both places and the reason in words.
fn explain(
    shop: &Shop<'_>,
    sequence: &Sequence,
    step: Option<&Step>,
    mut problem: Diagnostic,
    moment: &[Must<'_>],
    conflict: &Conflict,
) -> Diagnostic {
    let (one, other) = &conflict.words;
    let alone = conflict.first == conflict.second;
    problem = if one == other {
        problem.help(format!("it needs `{one}`, which is never so"))
    } else {
        problem.help(format!("it needs `{one}` and `{other}` at the same moment"))
    };
    let mut lines = Vec::new();
    let text = shop.source.text(&sequence.place.file).unwrap_or_default();
    for (nth, (from, part)) in [&conflict.first, &conflict.second].into_iter().enumerate() {
        if nth == 1 && alone {
            break;
        }
        let Some(must) = moment.get(*from) else {
            continue;
        };
        let at = step.map_or(At::Start, |step| At::Step(&step.id));
        let words = if nth == 0 { one } else { other };
        let (span, label) = match &must.because {
            Because::Where => {
                let Some(condition) = &sequence.start.where_ else {
                    continue;
                };
                let span = shop
                    .source
                    .inside(sequence, At::Start, "where", condition, part);
                (span, format!("needs `{words}`"))
            }
            Because::When => {
                let Some(condition) = step.and_then(|step| step.when.as_ref()) else {
                    continue;
                };
                let span = shop.source.inside(sequence, at, "when", condition, part);
                (span, format!("needs `{words}`"))
            }
            Because::Unless => {
                let Some(condition) = step.and_then(|step| step.unless.as_ref()) else {
                    continue;
                };
                let span = shop.source.inside(sequence, at, "unless", condition, part);
                (span, format!("needs `{words}`"))
            }
            Because::Start(fact) => (
                shop.source.key(sequence, At::Start, "on"),
                format!("once \"{fact}\" has happened, `{words}`"),
            ),
            Because::Anchor(fact) => (
                shop.source.key(sequence, at, "after"),
                format!("once \"{fact}\" has happened, `{words}`"),
            ),
            Because::Before(opener) => {
                problem = problem.help(format!(
                    "it starts on a mail of \"{opener}\", where `{words}` holds already"
                ));
                continue;
            }
            Because::Rule(rule) => {
                problem = problem.help(*rule);
                continue;
            }
        };
        if span.is_empty() {
            continue;
        }
        let line = position(text, span.start).0;
        if !lines.contains(&line) {
            lines.push(line);
        }
        problem = problem.related(span, label);
    }
    lines.sort_unstable();
    match lines.as_slice() {
        [a, b] => problem.help(format!(
            "the contradicting conditions are on lines {a} and {b}"
        )),
        [a] => problem.help(format!(
            "see line {a}: leave one of them out, or turn it round"
        )),
        _ => problem,
    }
}

/// Says which sequences wait in vain.
fn followers(
    shop: &Shop<'_>,
    sequence: &Sequence,
    step: Option<&Step>,
    problem: Diagnostic,
) -> Diagnostic {
    let waiting: Vec<&str> = shop
        .catalog
        .sequences
        .iter()
        .filter(|other| {
            other
                .start
                .of
                .as_deref()
                .and_then(|of| of.split_once('/'))
                .is_some_and(|(of, id)| of == sequence.id && step.is_none_or(|step| step.id == id))
        })
        .map(|other| other.id.as_str())
        .collect();
    if waiting.is_empty() {
        problem
    } else {
        problem.help(format!("so nobody enters {} either", waiting.join(", ")))
    }
}

/// A stop on the very fact that a step, or the start, is on.
fn ended(
    shop: &Shop<'_>,
    sequence: &Sequence,
    step: Option<&Step>,
    fact: FactKind,
) -> Option<Diagnostic> {
    let (nth, _) = sequence
        .stops
        .iter()
        .enumerate()
        .find(|(_, stop)| ends_at(sequence, step, stop, fact))?;
    let (at, key, message) = match step {
        Some(step) => (
            At::Step(&step.id),
            "after",
            format!("step \"{}\" can never go out", step.id),
        ),
        None => (
            At::Start,
            "on",
            format!("\"{}\" ends the moment it starts", sequence.id),
        ),
    };
    let span = shop.source.key(sequence, at, key);
    let stop = shop.source.key(sequence, At::Stop(nth), "on");
    Some(
        in_sequence("E142", sequence, span, message)
            .label(format!("waits for \"{fact}\""))
            .related(stop, format!("\"{fact}\" ends the sequence"))
            .help("a stop comes first: whoever it concerns is out before any mail is due")
            .help(match step {
                Some(_) => "leave the fact out of [[stop]], or put the step into a sequence of its own that starts on it",
                None => "leave the fact out of [[stop]], or start on another",
            }),
    )
}

/// Facts after which nothing of a sequence about goods is kept.
fn takes_all(fact: FactKind) -> bool {
    matches!(
        fact,
        FactKind::Event(EventKind::OrderCancelled)
            | FactKind::Derived(DerivedKind::OrderRefunded | DerivedKind::ItemRefunded)
    )
}

/// Anchors that never come for anybody who is in the sequence.
fn never_comes(shop: &Shop<'_>, sequence: &Sequence, step: &Step) -> Option<Diagnostic> {
    let Anchor::Fact(fact) = step.anchor else {
        return None;
    };
    if let Some(problem) = ended(shop, sequence, Some(step), fact) {
        return Some(problem);
    }
    let never = |label: String| {
        in_sequence(
            "E141",
            sequence,
            shop.source.key(sequence, At::Step(&step.id), "after"),
            format!("step \"{}\" can never go out", step.id),
        )
        .label(label)
    };
    if fact == FactKind::Event(EventKind::ErasureRequested) {
        return Some(never("nothing is sent after this".to_owned()).help(FORGOTTEN));
    }
    let ends = sequence.kind != Kind::Fulfilment && moments::has_goods(sequence);
    (takes_all(fact) && ends && step.each.is_none()).then(|| {
        never(format!("\"{fact}\" ends this sequence"))
            .help(kept(sequence.kind))
            .help("what must be said then belongs into a sequence of kind \"fulfilment\"")
    })
}

const FORGOTTEN: &str =
    "whoever asks to be forgotten gets no mail any more, and no record is kept of them";

fn kept(kind: Kind) -> String {
    format!("a sequence of kind \"{kind}\" ends when nothing that started it is kept")
}

/// Whether a stop surely ends the sequence at the fact that a step waits for.
fn ends_at(sequence: &Sequence, step: Option<&Step>, stop: &Stop, fact: FactKind) -> bool {
    if stop.when.is_some() || !stop.on.contains(&fact) {
        return false;
    }
    // A stop on a fact about parcels or items may be about another one than the step is.
    let of_other = match step.and_then(|step| step.each) {
        Some(Each::Shipment) => fact.is_of_shipment(),
        Some(Each::Item) => fact.is_of_item(),
        None => false,
    } && (sequence.start.on.is_of_shipment() || sequence.start.on.is_of_item());
    if of_other {
        return false;
    }
    // What takes goods away ends a sequence only when nothing of it is kept.
    match fact {
        FactKind::Event(
            EventKind::RefundIssued
            | EventKind::ReturnUpdated
            | EventKind::ShipmentReturnedToSender
            | EventKind::ShipmentLost
            | EventKind::ShipmentCancelled,
        )
        | FactKind::Derived(DerivedKind::ItemReturned | DerivedKind::ItemRefunded) => false,
        FactKind::Event(EventKind::OrderCancelled)
        | FactKind::Derived(DerivedKind::OrderRefunded) => moments::has_goods(sequence),
        FactKind::Event(_) | FactKind::Derived(_) => true,
    }
}

/// Pauses that never end, and rules that never apply.
fn rules(shop: &Shop<'_>, sequence: &Sequence, found: &mut Vec<Diagnostic>) {
    let asked = |claim: &Claim, holds: bool| {
        possible::conflict(&[possible::Premise {
            claim,
            holds,
            from: 0,
        }])
        .is_some()
    };
    let bound = sequence
        .steps
        .iter()
        .any(|step| step.kind != Kind::Fulfilment);
    for (nth, pause) in sequence.pauses.iter().enumerate() {
        let claim = pause.while_.claim();
        if bound && asked(claim, false) {
            let span = shop.source.key(sequence, At::Pause(nth), "while");
            found.push(
                in_sequence("E148", sequence, span, "this pause never ends")
                    .label("always true")
                    .help("everybody in this sequence is held back until their mails are too late, and gets none")
                    .help("say what is waited for: while = \"customer.open_ticket\""),
            );
        } else if asked(claim, true) {
            let span = shop.source.key(sequence, At::Pause(nth), "while");
            found.push(idle(sequence, span, "this pause never holds anybody back"));
        }
    }
    for (nth, stop) in sequence.stops.iter().enumerate() {
        if let Some(when) = &stop.when
            && asked(when.claim(), true)
        {
            let span = shop.source.key(sequence, At::Stop(nth), "when");
            found.push(idle(sequence, span, "this stop never ends anything"));
        }
    }
    for step in &sequence.steps {
        for (key, condition, always) in
            [("when", &step.when, true), ("unless", &step.unless, false)]
        {
            // `when` that is always true and `unless` that is never true say nothing.
            if let Some(condition) = condition
                && asked(condition.claim(), !always)
            {
                let span = shop.source.key(sequence, At::Step(&step.id), key);
                let words = if always {
                    "this condition is always true"
                } else {
                    "this condition is never true"
                };
                found.push(idle(sequence, span, words));
            }
        }
    }
}

fn idle(sequence: &Sequence, span: std::ops::Range<usize>, message: &str) -> Diagnostic {
    in_sequence("W515", sequence, span, message)
        .help("customers get the same mails with it and without it, so something else was meant")
        .help("mend it, or leave it out")
}
