//! A step's rule in one short sentence: what it waits for, how long, and until what
//! time of day.

use crate::model::event::{DerivedKind, FactKind};
use crate::sequence::catalog::{Anchor, Catalog, Sequence, Step, Timed};

/// Why the mail of `sequence/step` goes when it goes; `None` where the files have no
/// such step.
pub fn sentence(catalog: &Catalog, sequence: &str, step: &str) -> Option<String> {
    let sequence = catalog.sequence(sequence)?;
    let step = sequence.step(step)?;
    let anchor = anchor(sequence, step);
    let mut said = if step.length.is_zero() {
        format!("as soon as {anchor}")
    } else {
        format!("{} after {anchor}", step.length)
    };
    if let Some(at) = step.at {
        said.push_str(&format!(", at {:02}:{:02}", at.hour(), at.minute()));
    }
    if let Some(slot) = &step.slot {
        said.push_str(&format!(", next \"{}\"", slot.text));
    }
    Some(said)
}

fn anchor(sequence: &Sequence, step: &Step) -> String {
    match &step.anchor {
        Anchor::Start => match (&sequence.start.on, &sequence.start.of) {
            (FactKind::Derived(DerivedKind::StepSent), Some(of)) => format!("{of} was sent"),
            (on, _) => match &sequence.start.timed {
                Some(Timed::Absence { of, length }) => format!("{length} without {of}"),
                Some(Timed::Schedule(slot)) => format!("\"{}\"", slot.text),
                Some(Timed::Replenish) => "the product was used up".to_owned(),
                None => on.to_string(),
            },
        },
        Anchor::Fact(fact) => fact.to_string(),
        Anchor::Step(earlier) => format!("{earlier} was sent"),
    }
}
