//! Experiments in force, held against what was drawn: arms and shares must not change
//! while people are in, or what is measured is a mixture. The files alone cannot know.

use super::EngineError;
use crate::sequence::catalog::{Catalog, Experiment};
use crate::store::{Drawn, Store};
use std::collections::BTreeMap;

/// Under which key the database remembers how each experiment was split when it first
/// drew somebody.
const SPLITS_SEEN: &str = "experiments_seen";

/// What is wrong with an experiment, as a sentence without personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub experiment: String,
    pub message: String,
}

/// Looks at every experiment of the files. Only the service itself should have it
/// `remember` splits that are new.
///
/// # Errors
/// The store's.
pub async fn look(
    store: &Store,
    catalog: &Catalog,
    remember: bool,
) -> Result<Vec<Fault>, EngineError> {
    let experiments: BTreeMap<&str, &Experiment> = catalog
        .sequences
        .iter()
        .filter_map(|sequence| sequence.experiment.as_ref())
        .map(|experiment| (experiment.id.as_str(), experiment))
        .collect();
    if experiments.is_empty() {
        return Ok(Vec::new());
    }
    let drawn = store.drawn().await?;
    let text = store.meta(SPLITS_SEEN).await?;
    let before: BTreeMap<String, String> = text
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let mut seen = before.clone();
    let mut faults = Vec::new();
    for experiment in experiments.into_values() {
        let people: Vec<&Drawn> = drawn
            .iter()
            .filter(|one| one.experiment == experiment.id)
            .collect();
        faults.extend(faults_of(experiment, &people, seen.get(&experiment.id)));
        if people.is_empty() || !seen.contains_key(&experiment.id) {
            seen.insert(experiment.id.clone(), experiment.split());
        }
    }
    if remember && seen != before {
        let text = serde_json::to_string(&seen).unwrap_or_default();
        store.set_meta(SPLITS_SEEN, &text).await?;
    }
    Ok(faults)
}

fn faults_of(experiment: &Experiment, drawn: &[&Drawn], seen: Option<&String>) -> Vec<Fault> {
    let fault = |message: String| Fault {
        experiment: experiment.id.clone(),
        message,
    };
    let mut faults = Vec::new();
    let people: i64 = drawn.iter().map(|one| one.people).sum();
    let split = experiment.split();
    if let Some(seen) = seen.filter(|seen| people > 0 && **seen != split) {
        faults.push(fault(format!(
            "experiment {} was split {seen} and is now {split}, with {people} people in it; a new split wants a new id",
            experiment.id
        )));
    }
    for one in drawn {
        let known = experiment.arm(&one.arm).is_some();
        if !known && one.arm != crate::model::assignment::HOLDOUT {
            faults.push(fault(format!(
                "{} people are in arm {} of experiment {}, which the files no longer have; they go the way of the first arm",
                one.people, one.arm, experiment.id
            )));
        }
    }
    faults
}
