//! Steps and sequences under new names (`was`): what happened under an old name is read
//! as having happened under the new one, so that sent is sent.

use crate::model::history::History;
use crate::model::kind::Scope;
use crate::model::names::Names;
use crate::sequence::catalog::{Catalog, Sequence};
use crate::state::State;

fn renames(catalog: &Catalog) -> bool {
    catalog.sequences.iter().any(|sequence| {
        !sequence.was.is_empty() || sequence.steps.iter().any(|step| !step.was.is_empty())
    })
}

fn rename(to: &str, name: &mut String) {
    if name.as_str() != to {
        to.clone_into(name);
    }
}

/// Reads a history under the names that are in the files now.
pub fn history(catalog: &Catalog, history: &mut History) {
    if !renames(catalog) {
        return;
    }
    for run in &mut history.enrolments {
        if let Some(sequence) = catalog.sequence(&run.sequence) {
            rename(&sequence.id, &mut run.sequence);
        }
    }
    for send in &mut history.sends {
        let Some(sequence) = catalog.sequence(&send.sequence) else {
            continue;
        };
        rename(&sequence.id, &mut send.sequence);
        if let Some(step) = sequence.step(&send.step) {
            rename(&step.id, &mut send.step);
        }
    }
}

/// Reads opt-outs of one sequence under its name of now.
pub fn opt_outs(catalog: &Catalog, state: &mut State) {
    for scope in &mut state.person.opt_outs {
        if let Scope::Sequence(id) = scope
            && let Some(sequence) = catalog.sequence(id)
        {
            rename(&sequence.id, id);
        }
    }
}

/// Says of what was sent under an old name that it was sent under the new one as well.
pub fn sent(catalog: &Catalog, names: &mut Names) {
    if !renames(catalog) {
        return;
    }
    let new_name = |old: &String| {
        let (sequence, step) = old.split_once('/')?;
        let sequence: &Sequence = catalog.sequence(sequence)?;
        let step = sequence.step(step)?;
        Some(format!("{}/{}", sequence.id, step.id))
    };
    let new: Vec<String> = names.sent.iter().filter_map(new_name).collect();
    names.sent.extend(new);
}
