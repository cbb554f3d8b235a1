//! `fmt`: one form for the TOML files of a shop and the heads of its mails. What a file
//! means is never changed, and a file that is no TOML is left alone.

use super::context::Shop;
use super::exit::misuse;
use super::{Exit, Global, Out, report};
use crate::files;
use crate::model::cores;
use crate::model::diagnostic::Diagnostic;
use crate::sequence::format::{format, problem};
use anyhow::Context as _;
use similar::TextDiff;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Lines shown around each difference.
const AROUND: usize = 1;

/// Which files.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only these; `-` reads standard input and prints the result. None named: all
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Change nothing; show what would change, and end with 1 where something would
    #[arg(long)]
    pub check: bool,
    /// What standard input is called in the shop, for the order of its keys
    #[arg(long, value_name = "PATH", default_value = "config/sequences/x.toml")]
    pub path: String,
}

/// Formats; 1 where a file is no TOML, or with `--check` would change.
pub fn run(global: &Global, args: &Args, out: &mut Out) -> anyhow::Result<Exit> {
    if args.files.iter().any(|file| file.as_os_str() == "-") {
        if args.files.len() > 1 {
            return Err(misuse("`-` stands alone: standard input is one file"));
        }
        return stdin(args, out);
    }
    let folder = Shop::folder(global)?;
    let mut problems: Vec<Diagnostic> = Vec::new();
    let files = if args.files.is_empty() {
        let (files, found) = files::read(&folder);
        problems.extend(found);
        files
    } else {
        args.files
            .iter()
            .map(|file| named(&folder, file))
            .collect::<anyhow::Result<Vec<_>>>()?
    };
    let mut changed = 0_usize;
    let formatted = cores::each(&files, |(path, text)| match problem(path, text) {
        Some(problem) => Err(Box::new(problem)),
        None => Ok(format(path, text)),
    });
    for ((path, text), formatted) in files.iter().zip(formatted) {
        let formatted = match formatted {
            Ok(formatted) => formatted,
            Err(problem) => {
                problems.push(*problem);
                continue;
            }
        };
        if formatted == *text {
            continue;
        }
        changed += 1;
        if out.is_json() {
            out.object(&serde_json::json!({"file": path, "changed": !args.check}))?;
        } else if args.check {
            let diff = TextDiff::from_lines(text.as_str(), formatted.as_str());
            let mut diff = diff.unified_diff();
            let diff = diff.context_radius(AROUND).header(path, "as fmt has it");
            out.line(diff.to_string().trim_end_matches('\n'))?;
        } else {
            out.line(path)?;
        }
        if !args.check {
            let whole = folder.join(path);
            std::fs::write(&whole, formatted)
                .with_context(|| format!("cannot write {}", whole.display()))?;
        }
    }
    report::print(out, &problems, &files)?;
    if !out.is_json() {
        let what = match (args.check, changed) {
            (_, 0) => "nothing to change".to_owned(),
            (true, n) => format!("{n} files are not in the form of aftercare fmt"),
            (false, n) => format!("{n} files put into form"),
        };
        out.line(what)?;
    }
    let fine = problems.is_empty() && (changed == 0 || !args.check);
    Ok(if fine { Exit::Fine } else { Exit::Problems })
}

/// A file that somebody named, by its path in the shop's folder.
fn named(folder: &Path, file: &Path) -> anyhow::Result<(String, String)> {
    let cannot = || format!("cannot read {}", file.display());
    let root = folder.canonicalize().with_context(cannot)?;
    let here = file
        .canonicalize()
        .or_else(|_| folder.join(file).canonicalize())
        .map_err(|error| misuse(format!("{}: {error}", cannot())))?;
    let inside = here.strip_prefix(&root).map_err(|_| {
        misuse(format!(
            "{} is not in the shop's folder\nhint: --shop DIR",
            file.display()
        ))
    })?;
    let parts: Vec<_> = inside
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    let text = std::fs::read_to_string(&here).with_context(cannot)?;
    Ok((parts.join("/"), text))
}

/// For editors: one text in, one out; what is no TOML comes back as it was.
fn stdin(args: &Args, out: &mut Out) -> anyhow::Result<Exit> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .context("standard input cannot be read")?;
    if let Some(problem) = problem(&args.path, &text) {
        let path = args.path.clone();
        report::complain(&[problem], &[(path, text.clone())]);
        if !args.check {
            out.bytes(text.as_bytes())?;
        }
        return Ok(Exit::Problems);
    }
    let formatted = format(&args.path, &text);
    if args.check {
        return Ok(if formatted == text {
            Exit::Fine
        } else {
            Exit::Problems
        });
    }
    out.bytes(formatted.as_bytes())?;
    Ok(Exit::Fine)
}
