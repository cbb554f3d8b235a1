//! `check`: every problem of the shop's files, in one run.

use super::context::Shop;
use super::{Exit, Global, Out, prove, report};
use crate::engine::reload;
use crate::model::diagnostic::Severity;
use crate::plan::prove::Bounds;
use std::path::PathBuf;

/// What `check` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Live every story that the sequences can tell apart, and prove the shop's promises on them
    #[arg(long)]
    prove: bool,
    /// Write the story of each broken promise as a scenario into this folder
    #[arg(long, value_name = "DIR", requires = "prove")]
    scenarios: Option<PathBuf>,
    /// Events in one story, at most
    #[arg(long, value_name = "N", requires = "prove", default_value_t = crate::plan::prove::MAX_EVENTS)]
    events: usize,
    /// Plans made in all, at most: what a proof may cost
    #[arg(long, value_name = "N", requires = "prove", default_value_t = crate::plan::prove::MAX_PLANS)]
    plans: u64,
}

/// Reads and checks the folder, and proves it where asked to; 1 where there are errors.
pub fn run(global: &Global, args: &Args, out: &mut Out) -> anyhow::Result<Exit> {
    let shop = Shop::open(global)?;
    let read = reload::read(&shop.folder);
    report::print(out, &read.problems, &read.files)?;
    let count = |severity| {
        read.problems
            .iter()
            .filter(|one| one.severity() == severity)
            .count()
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if !out.is_json() {
        match &read.live {
            Some(live) => {
                let steps: usize = live
                    .catalog
                    .sequences
                    .iter()
                    .map(|one| one.steps.len())
                    .sum();
                out.line(format_args!(
                    "{} sequences with {steps} mails in {} languages: {warnings} warnings, no errors",
                    live.catalog.sequences.len(),
                    live.catalog.policy.locales.len(),
                ))?;
            }
            None => out.line(format_args!("{errors} errors, {warnings} warnings"))?,
        }
    }
    if let (Some(live), true) = (&read.live, args.prove) {
        let bounds = Bounds {
            events: args.events,
            plans: args.plans,
        };
        return prove::run(live, &read.files, bounds, args.scenarios.as_deref(), out);
    }
    Ok(if read.live.is_some() {
        Exit::Fine
    } else {
        Exit::Problems
    })
}
