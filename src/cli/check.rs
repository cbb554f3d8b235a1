//! `check`: every problem of the shop's files, in one run.

use super::context::Shop;
use super::{Exit, Global, Out, report};
use crate::engine::reload;
use crate::model::diagnostic::Severity;

/// Reads and checks the folder; 1 where there are errors.
pub fn run(global: &Global, out: &mut Out) -> anyhow::Result<Exit> {
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
    Ok(if read.live.is_some() {
        Exit::Fine
    } else {
        Exit::Problems
    })
}
