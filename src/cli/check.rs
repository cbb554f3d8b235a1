//! `check`: every problem of the shop's files, in one run.

use super::context::Shop;
use super::{Exit, Global, Out, misuse, report, sarif};
use crate::engine::reload;
use crate::files;
use crate::model::diagnostic::{Diagnostic, Severity};
use std::collections::BTreeSet;

/// How to tell what is found.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print one SARIF 2.1.0 document, for code review
    #[arg(long)]
    pub sarif: bool,
}

/// Reads and checks the folder, `config/aftercare.toml` too; 1 where there are errors.
pub fn run(global: &Global, args: &Args, out: &mut Out) -> anyhow::Result<Exit> {
    if args.sarif && out.is_json() {
        return Err(misuse("--sarif and --json: choose one"));
    }
    let folder = Shop::folder(global)?;
    let mut read = reload::read(&folder);
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
