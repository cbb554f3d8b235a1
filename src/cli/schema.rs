//! `schema`: JSON Schemas of the files that people write, for editors, and the reference
//! of keys that is made from the same tables.

use super::exit::misuse;
use super::{Exit, Out};
use crate::sequence::keys::KINDS_OF_FILE;
use crate::sequence::schema;
use anyhow::Context as _;
use std::path::{Path, PathBuf};

/// Which schema.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Of which kind of file: sequence, store, people, catalog, feed, scenario, mail, aftercare
    #[arg(value_name = "KIND")]
    pub kind: Option<String>,
    /// Write all of them into this folder
    #[arg(long, value_name = "DIR", conflicts_with = "kind")]
    pub all: Option<PathBuf>,
    /// Print the reference of keys, as Markdown
    #[arg(long, conflicts_with_all = ["kind", "all"])]
    pub markdown: bool,
}

/// Prints one, or writes all.
pub fn run(args: &Args, out: &mut Out) -> anyhow::Result<Exit> {
    if args.markdown {
        out.bytes(schema::reference(&KINDS_OF_FILE).as_bytes())?;
        return Ok(Exit::Fine);
    }
    if let Some(folder) = &args.all {
        for path in write(folder)? {
            out.line(path.display())?;
        }
        return Ok(Exit::Fine);
    }
    let names = || {
        let names: Vec<&str> = KINDS_OF_FILE.iter().map(|(name, _)| *name).collect();
        names.join(", ")
    };
    let Some(kind) = &args.kind else {
        return Err(misuse(format!("which kind of file?\nhint: {}", names())));
    };
    let (_, table) = KINDS_OF_FILE
        .iter()
        .find(|(name, _)| name == kind)
        .ok_or_else(|| {
            misuse(format!(
                "no file is a `{kind}`\nhint: there are {}",
                names()
            ))
        })?;
    out.line(text(table)?)?;
    Ok(Exit::Fine)
}

/// Writes every schema into a folder.
pub fn write(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut written = Vec::new();
    for (name, table) in &KINDS_OF_FILE {
        let path = folder.join(format!("{name}.json"));
        std::fs::write(&path, text(table)? + "\n")
            .with_context(|| format!("cannot write {}", path.display()))?;
        written.push(path);
    }
    Ok(written)
}

fn text(table: &crate::sequence::keys::Table) -> anyhow::Result<String> {
    serde_json::to_string_pretty(&schema::of(table)).context("a schema is no JSON")
}
