//! `check --prove`: what was explored, what is broken, and the stories as scenarios.

use super::{Exit, Out, report};
use crate::engine::reload::Live;
use crate::plan::prove::{self, Bounds, Explored, Failure, Proof, Shop};
use anyhow::Context as _;
use serde_json::json;
use std::path::Path;

/// Proves a set of files without errors; 1 where a promise is broken.
pub fn run(
    live: &Live,
    files: &[(String, String)],
    bounds: Bounds,
    scenarios: Option<&Path>,
    out: &mut Out,
) -> anyhow::Result<Exit> {
    let shop = Shop {
        catalog: &live.catalog,
        templates: &live.templates,
        files,
    };
    let proof = prove::prove(&shop, bounds);
    for one in &proof.explored {
        if out.is_json() {
            out.object(&row(one))?;
        } else {
            out.line(words(one))?;
        }
    }
    if out.is_json() {
        out.object(&json!({
            "pairs": proof.pairs.pairs, "stories": proof.pairs.stories, "plans": proof.pairs.plans,
            "left_out": proof.pairs.left_out,
        }))?;
    } else {
        out.line(pairs(&proof))?;
    }
    for failure in &proof.failures {
        report::print(out, std::slice::from_ref(&failure.diagnostic), files)?;
        keep(failure, scenarios, out)?;
    }
    if !out.is_json() {
        let stories: u64 = proof.explored.iter().map(|one| one.stories).sum();
        let stories = stories + proof.pairs.stories;
        let end = match proof.failures.len() {
            0 => "nothing goes wrong in any of them".to_owned(),
            1 => "1 promise is broken".to_owned(),
            many => format!("{many} promises are broken"),
        };
        out.line(format_args!(
            "{stories} stories, {} mails made in every language: {end}",
            proof.mails
        ))?;
    }
    Ok(if proof.failures.is_empty() {
        Exit::Fine
    } else {
        Exit::Problems
    })
}

fn words(one: &Explored) -> String {
    let bound = match (one.longer, one.left_out) {
        (false, _) => "nothing longer can happen".to_owned(),
        (true, 0) => "longer ones were not looked at".to_owned(),
        (true, left_out) => format!("{left_out} branches of longer ones left out"),
    };
    format!(
        "{}: {} of {} steps reached; {} stories, {} plans; all with up to {} events, {bound}",
        one.sequence, one.reached, one.steps, one.stories, one.plans, one.events
    )
}

fn row(one: &Explored) -> serde_json::Value {
    json!({
        "sequence": one.sequence, "steps": one.steps, "reached": one.reached, "stories": one.stories,
        "plans": one.plans, "events": one.events, "longer": one.longer, "left_out": one.left_out,
    })
}

fn pairs(proof: &Proof) -> String {
    let pairs = proof.pairs;
    let left_out = match pairs.left_out {
        0 => String::new(),
        more => format!(", {more} pairs left out"),
    };
    format!(
        "{} pairs of sequences under one set of limits: {} stories, {} plans{left_out}",
        pairs.pairs, pairs.stories, pairs.plans
    )
}

/// Writes the story of a failure where asked to, else says how to get it.
fn keep(failure: &Failure, folder: Option<&Path>, out: &mut Out) -> anyhow::Result<()> {
    let Some(scenario) = &failure.scenario else {
        return Ok(());
    };
    match folder {
        Some(folder) => {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("{} cannot be made", folder.display()))?;
            let path = folder.join(&scenario.file_name);
            std::fs::write(&path, &scenario.text)
                .with_context(|| format!("{} cannot be written", path.display()))?;
            if !out.is_json() {
                out.line(format_args!("   = the story is in {}\n", path.display()))?;
            }
        }
        None if !out.is_json() => out.line(format_args!(
            "   = `check --prove --scenarios config/scenarios` keeps this story as {}\n",
            scenario.file_name
        ))?,
        None => {}
    }
    Ok(())
}
