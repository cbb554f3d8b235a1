//! `check`: every problem of the shop's files, in one run.

use super::context::Shop;
use super::{Exit, Global, Out, misuse, prove, report, sarif};
use crate::engine::reload;
use crate::files;
use crate::model::diagnostic::{Diagnostic, Severity};
use crate::plan::prove::Bounds;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// How to tell what is found, and how far to look.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print one SARIF 2.1.0 document, for code review
    #[arg(long)]
    pub sarif: bool,
    /// Live every story that the sequences can tell apart, and try the shop's promises on it
    #[arg(long)]
    pub prove: bool,
    /// Write the story of each broken promise as a scenario into this folder
    #[arg(long, value_name = "DIR", requires = "prove")]
    pub scenarios: Option<PathBuf>,
    /// Events in one story, at most
    #[arg(long, value_name = "N", requires = "prove", default_value_t = Bounds::default().events)]
    pub events: usize,
    /// Plans made in all, at most: what a proof may cost
    #[arg(long, value_name = "N", requires = "prove", default_value_t = Bounds::default().plans)]
    pub plans: u64,
}

/// Reads and checks the folder, `config/aftercare.toml` too, and proves it where asked
/// to; 1 where there are errors.
pub fn run(global: &Global, args: &Args, out: &mut Out) -> anyhow::Result<Exit> {
    if args.sarif && out.is_json() {
        return Err(misuse("--sarif and --json: choose one"));
    }
    let folder = Shop::folder(global)?;
    let mut read = reload::read_all(&folder);
    match files::configuration(&folder, Shop::environment()) {
        Ok((_, warnings)) => read.problems.extend(warnings),
        Err(bad) => {
            read.problems.extend(bad.problems);
            for file in bad.files {
                if !read.files.contains(&file) {
                    read.files.push(file);
                }
            }
        }
    }
    // What cannot be read as text is shown as far as it can be, so that its line is found.
    let read_files: BTreeSet<&String> = read.files.iter().map(|(name, _)| name).collect();
    let unread: BTreeSet<&String> = (read.problems.iter())
        .filter(|one| one.code == "E109" && !one.span.is_empty())
        .map(|one| &one.file)
        .filter(|name| !read_files.contains(name))
        .collect();
    let unread: Vec<(String, String)> = (unread.into_iter())
        .filter_map(|name| Some((name.clone(), files::shown(&folder, name)?)))
        .collect();
    read.files.extend(unread);
    let sound = read
        .problems
        .iter()
        .all(|one| one.severity() == Severity::Warning);
    let proof = match &read.live {
        Some(live) if args.prove && sound => {
            let bounds = Bounds {
                events: args.events,
                plans: args.plans,
            };
            Some(prove::prove(live, &read.files, bounds))
        }
        _ => None,
    };
    if let Some(proof) = &proof {
        read.problems.extend(prove::problems(proof));
    }
    Diagnostic::order(&mut read.problems);
    if args.sarif {
        out.object(&sarif::log(&read.problems, &read.files))?;
    } else {
        report::print(out, &read.problems, &read.files)?;
    }
    let count = |severity| {
        read.problems
            .iter()
            .filter(|one| one.severity() == severity)
            .count()
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if !out.is_json() && !args.sarif {
        match &read.live {
            Some(live) if errors == 0 => {
                let steps: usize = live
                    .catalog
                    .sequences
                    .iter()
                    .map(|one| one.steps.len())
                    .sum();
                out.line(format_args!(
                    "{} with {} in {}: {}, no errors",
                    counted(live.catalog.sequences.len(), "sequence"),
                    counted(steps, "mail"),
                    counted(live.catalog.policy.locales.len(), "language"),
                    counted(warnings, "warning"),
                ))?;
            }
            _ => {
                let in_files: BTreeSet<&str> =
                    read.problems.iter().map(|one| one.file.as_str()).collect();
                out.line(format_args!(
                    "{}, {} in {}",
                    counted(errors, "error"),
                    counted(warnings, "warning"),
                    counted(in_files.len(), "file"),
                ))?;
                let first = read
                    .problems
                    .iter()
                    .find(|one| one.severity() == Severity::Error);
                if let Some(first) = first {
                    out.line(format_args!("aftercare explain {} tells more", first.code))?;
                }
            }
        }
    }
    if let Some(proof) = &proof {
        let folder = args.scenarios.as_deref();
        prove::keep(proof, folder, out, args.sarif)?;
        if !args.sarif {
            prove::tell(proof, out)?;
        }
    }
    Ok(if errors == 0 {
        Exit::Fine
    } else {
        Exit::Problems
    })
}

/// A number of things, as it is said.
fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
