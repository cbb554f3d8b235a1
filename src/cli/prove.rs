//! `check --prove`: how far the proof came, and the stories of what is broken as
//! scenarios to keep.

use super::Out;
use crate::engine::reload::Live;
use crate::model::diagnostic::Diagnostic;
use crate::plan::prove::{self, Bounds, Explored, Proof, Shop};
use anyhow::Context as _;
use serde_json::json;
use std::path::Path;

/// Proves a set of files without errors.
pub fn prove(live: &Live, files: &[(String, String)], bounds: Bounds) -> Proof {
    let shop = Shop {
        catalog: &live.catalog,
        templates: &live.templates,
        files,
    };
    prove::prove(&shop, bounds)
}

/// The broken promises, as problems of the files.
pub fn problems(proof: &Proof) -> impl Iterator<Item = Diagnostic> {
    proof
        .failures
        .iter()
        .map(|failure| match &failure.scenario {
            Some(scenario) => failure.diagnostic.clone().help(format!(
                "keep the story: check --prove --scenarios config/scenarios writes {}",
                scenario.file_name
            )),
            None => failure.diagnostic.clone(),
        })
}

/// Writes the stories of what is broken into a folder, where one was named.
///
/// # Errors
/// The folder or a file cannot be written.
pub fn keep(
    proof: &Proof,
    folder: Option<&Path>,
    out: &mut Out,
    quiet: bool,
) -> anyhow::Result<()> {
    let Some(folder) = folder else { return Ok(()) };
    for scenario in proof
        .failures
        .iter()
        .filter_map(|one| one.scenario.as_ref())
    {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("{} cannot be made", folder.display()))?;
        let path = folder.join(&scenario.file_name);
        std::fs::write(&path, &scenario.text)
            .with_context(|| format!("{} cannot be written", path.display()))?;
        if !quiet && !out.is_json() {
            out.line(format_args!("wrote {}", path.display()))?;
        }
    }
    Ok(())
}

/// Prints how far the proof came: a line for each sequence, one for pairs, and the end.
///
/// # Errors
/// Standard output is closed.
pub fn tell(proof: &Proof, out: &mut Out) -> anyhow::Result<()> {
    let pairs = proof.pairs;
    if out.is_json() {
        for one in &proof.explored {
            out.object(&row(one))?;
        }
        return out.object(&json!({
            "pairs": pairs.pairs, "stories": pairs.stories, "plans": pairs.plans, "left_out": pairs.left_out,
        }));
    }
    for one in &proof.explored {
        out.line(words(one))?;
    }
    let left_out = match pairs.left_out {
        0 => String::new(),
        more => format!("; {more} pairs left out"),
    };
    out.line(format_args!(
        "{} pairs of sequences under one set of limits: {} stories, {} plans{left_out}",
        pairs.pairs, pairs.stories, pairs.plans
    ))?;
    let stories: u64 = proof.explored.iter().map(|one| one.stories).sum();
    let end = match proof.failures.len() {
        0 => "nothing goes wrong in any of them".to_owned(),
        1 => "1 promise is broken".to_owned(),
        many => format!("{many} promises are broken"),
    };
    out.line(format_args!(
        "{} stories, {} mails really made: {end}",
        stories + pairs.stories,
        proof.mails
    ))
}

fn words(one: &Explored) -> String {
    let bound = match (one.longer, one.left_out) {
        (false, _) => "and nothing longer can happen".to_owned(),
        (true, 0) => "longer ones were not looked at".to_owned(),
        (true, left_out) => format!("{left_out} branches of longer ones left out"),
    };
    let people = match one.people_left_out {
        0 => String::new(),
        left_out => format!("; {left_out} other customers in them left out"),
    };
    format!(
        "{}: {} of {} steps reached; {} stories, {} plans; every story of up to {} events, {bound}{people}",
        one.sequence, one.reached, one.steps, one.stories, one.plans, one.events
    )
}

fn row(one: &Explored) -> serde_json::Value {
    json!({
        "sequence": one.sequence, "steps": one.steps, "reached": one.reached, "stories": one.stories,
        "plans": one.plans, "events": one.events, "longer": one.longer, "left_out": one.left_out,
        "people_left_out": one.people_left_out,
    })
}
