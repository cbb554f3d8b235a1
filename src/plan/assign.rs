//! Who is in which arm of an experiment, and who is held out: a hash of (experiment,
//! person), drawn when somebody first enters a sequence with the experiment, recorded,
//! and kept over orders, edits of the files and merges of people.
//!
//! Nothing here is random: the same person and the same files give the same arm in a
//! simulation, a forecast and the service. What was recorded always wins over the hash.

use super::{Decision, Mind};
use crate::model::assignment::{Assignment, HOLDOUT};
use crate::model::history::History;
use crate::model::kind::Kind;
use crate::model::reason::Reason;
use crate::sequence::catalog::{Catalog, Experiment, Sequence, Step};
use crate::state::Person;
use sha2::{Digest, Sha256};

/// Draws are made out of so many: hundredths of a per cent.
const OUT_OF: u64 = 10_000;
/// Draws that are one per cent.
const PER_CENT: u64 = OUT_OF / 100;

/// The arm that a person falls into; [`HOLDOUT`] comes first, the arms share the rest.
pub fn draw<'e>(experiment: &'e Experiment, person: &str) -> &'e str {
    let mut hash = Sha256::new();
    for part in [experiment.id.as_str(), person] {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hash.finalize();
    // Two draws, so that the size of the hold-out does not move anybody between arms.
    let number = |from: usize| {
        let bytes = digest[from..].iter().take(size_of::<u64>());
        bytes.fold(0_u64, |number, byte| number << 8 | u64::from(*byte)) % OUT_OF
    };
    if number(0) < u64::from(experiment.holdout) * PER_CENT {
        return HOLDOUT;
    }
    let drawn = number(size_of::<u64>());
    // By name, so that the order of the file is no part of the draw.
    let mut arms: Vec<_> = experiment.arms.iter().collect();
    arms.sort_by(|a, b| a.name.cmp(&b.name));
    let mut end = 0;
    for arm in &arms {
        end += u64::from(arm.share) * PER_CENT;
        if drawn < end {
            return &arm.name;
        }
    }
    arms.last().map_or(HOLDOUT, |arm| &arm.name)
}

/// What a person is hashed by: their address as it is compared, which guest and account
/// share, and which is the same in a simulation; else the shop's id, else our number.
fn person(person: &Person, history: &History) -> String {
    match (&person.email, person.customer_ids.first()) {
        (Some(email), _) => email.key().to_owned(),
        (None, Some(id)) => format!("id {id}"),
        (None, None) => history.customer.to_string(),
    }
}

/// Records the arm of somebody who enters a sequence, where none is recorded yet.
pub(super) fn at_enrolment(mind: &mut Mind, sequence: &Sequence) {
    let Some(experiment) = &sequence.experiment else {
        return;
    };
    if mind.history.assignment(&experiment.id).is_some() {
        return;
    }
    let arm = draw(experiment, &person(&mind.state.person, &mind.history));
    let assignment = Assignment {
        experiment: experiment.id.clone(),
        arm: arm.to_owned(),
        at: mind.now,
        customer: mind.history.customer,
        version: mind.catalog.version.clone(),
    };
    mind.decide(Decision::Assign(assignment));
}

/// The arm that somebody is in, as far as a sequence asks: as recorded, where the file
/// still has it, else the first of the file.
pub fn variant<'h>(history: &'h History, sequence: &'h Sequence) -> Option<&'h str> {
    let experiment = sequence.experiment.as_ref()?;
    let recorded = history
        .assignment(&experiment.id)
        .map(|assignment| assignment.arm.as_str())
        .filter(|arm| *arm == HOLDOUT || experiment.arm(arm).is_some());
    recorded.or_else(|| experiment.arms.first().map(|arm| arm.name.as_str()))
}

/// The steps of a sequence as somebody has them.
pub fn course<'c>(history: &History, sequence: &'c Sequence) -> &'c [Step] {
    sequence.course(variant(history, sequence))
}

/// One of [`course`].
pub fn step<'c>(history: &History, sequence: &'c Sequence, id: &str) -> Option<&'c Step> {
    course(history, sequence).iter().find(|step| step.id == id)
}

/// The sequence and the step of a send, as somebody has them.
pub fn find<'c>(
    catalog: &'c Catalog,
    history: &History,
    sequence: &str,
    id: &str,
) -> Option<(&'c Sequence, &'c Step)> {
    let sequence = catalog.sequence(sequence)?;
    Some((sequence, step(history, sequence, id)?))
}

/// Why a send's step is not there for somebody: another arm has it, or no file does.
pub fn missing(catalog: &Catalog, history: &History, sequence: &str, id: &str) -> Reason {
    let found = catalog
        .sequence(sequence)
        .filter(|found| found.step(id).is_some())
        .and_then(|found| variant(history, found));
    match found {
        Some(variant) => Reason::OtherVariant {
            variant: variant.to_owned(),
        },
        None => Reason::StepRemoved,
    }
}

/// The experiment that keeps mail of a kind from somebody. It does as long as a file has
/// the experiment, from whichever sequence the mail is.
pub fn held_out(catalog: &Catalog, history: &History, kind: Kind) -> Option<Reason> {
    if kind == Kind::Fulfilment || history.assignments.is_empty() {
        return None;
    }
    let experiments = catalog
        .sequences
        .iter()
        .filter_map(|sequence| sequence.experiment.as_ref());
    experiments
        .filter(|experiment| {
            history
                .assignment(&experiment.id)
                .is_some_and(Assignment::is_held_out)
        })
        .map(|experiment| Reason::HeldOut {
            experiment: experiment.id.clone(),
        })
        .next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sequence::catalog::{Arm, Place};
    use std::collections::BTreeMap;

    fn experiment(id: &str, split: &[(&str, u32)], holdout: u32) -> Experiment {
        let arm = |(name, share): &(&str, u32)| Arm {
            name: (*name).to_owned(),
            share: *share,
            steps: Vec::new(),
        };
        Experiment {
            id: id.to_owned(),
            arms: split.iter().map(arm).collect(),
            holdout,
            judge: None,
            watch: Vec::new(),
            decide: None,
            place: Place::default(),
        }
    }

    fn shares(experiment: &Experiment, people: u32) -> BTreeMap<String, f64> {
        let mut counts = BTreeMap::new();
        for n in 0..people {
            let arm = draw(experiment, &format!("person{n}@example.com"));
            *counts.entry(arm.to_owned()).or_insert(0.0) += 1.0;
        }
        counts
    }

    #[test]
    fn shares_are_as_written_within_what_chance_allows() {
        const PEOPLE: u32 = 10_000;
        for (id, split, holdout) in [
            ("cadence-2026", vec![("weekly", 50), ("fortnightly", 50)], 5),
            ("three", vec![("a", 20), ("b", 30), ("c", 50)], 0),
            ("most", vec![("new", 1), ("old", 99)], 50),
        ] {
            let experiment = experiment(id, &split, holdout);
            let counts = shares(&experiment, PEOPLE);
            let rest = 1.0 - f64::from(holdout) / 100.0;
            let mut wanted: Vec<(&str, f64)> = split
                .iter()
                .map(|(name, share)| (*name, rest * f64::from(*share) / 100.0))
                .collect();
            wanted.push((HOLDOUT, f64::from(holdout) / 100.0));
            for (name, share) in wanted {
                let people = f64::from(PEOPLE);
                let had = counts.get(name).copied().unwrap_or_default();
                // Four standard deviations: one draw in fifteen thousand lies beyond.
                let bound = 4.0 * (people * share * (1.0 - share)).sqrt();
                assert!(
                    (had - people * share).abs() <= bound,
                    "{id}: {name} has {had} of {people}, wanted {share} ± {bound}"
                );
            }
        }
    }

    #[test]
    fn a_draw_hangs_on_the_experiment_and_the_person_alone() {
        let one = experiment("one", &[("a", 50), ("b", 50)], 5);
        let turned = experiment("one", &[("b", 50), ("a", 50)], 5);
        let wider = experiment("one", &[("a", 50), ("b", 50)], 20);
        let other = experiment("other", &[("a", 50), ("b", 50)], 5);
        let mut moved = 0;
        for n in 0..1_000 {
            let who = format!("{n}@example.com");
            let arm = draw(&one, &who);
            assert_eq!(arm, draw(&one, &who));
            assert_eq!(
                arm,
                draw(&turned, &who),
                "the order of the file is no part of it"
            );
            let in_wider = draw(&wider, &who);
            assert!(in_wider == arm || in_wider == HOLDOUT, "{who} changed arms");
            moved += usize::from(arm != draw(&other, &who));
        }
        assert!((400..620).contains(&moved), "{moved} of 1000 differ");
        // Fixed for ever: whoever was drawn by an earlier release is drawn so by this one.
        let first: Vec<&str> = (0..8)
            .map(|n| draw(&one, &format!("{n}@example.com")))
            .collect();
        assert_eq!(first.join(" "), "b a b a a b b a");
    }
}
