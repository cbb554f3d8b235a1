//! `explain`: what a code means, why it matters to customers, a wrong and a right file.

use super::{Exit, Global, Out, misuse};
use crate::model::codes::{self, Page};
use crate::model::nearest::nearest;
use owo_colors::OwoColorize;
use serde::Serialize;

/// Which code.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The code of a problem, such as E104; all are listed without
    #[arg(value_name = "CODE")]
    pub code: Option<String>,
}

/// A page for programs.
#[derive(Debug, Serialize)]
struct Row<'a> {
    code: &'a str,
    severity: &'a str,
    title: &'a str,
    /// Whether a file may turn it off.
    allow: bool,
    /// The whole page, as Markdown.
    text: &'a str,
}

/// Prints one page, or all titles.
pub fn run(_: &Global, args: &Args, out: &mut Out) -> anyhow::Result<Exit> {
    let pages = match &args.code {
        Some(code) => vec![codes::page(code).ok_or_else(|| unknown(code))?],
        None => codes::all(),
    };
    for page in &pages {
        if out.is_json() {
            out.object(&Row {
                code: &page.code,
                severity: page.severity().as_str(),
                title: &page.title,
                allow: page.allowed().is_some(),
                text: &page.text,
            })?;
        } else if args.code.is_some() {
            show(page, out)?;
        } else {
            out.line(format_args!("{}  {}", page.code.bold(), page.title))?;
        }
    }
    Ok(Exit::Fine)
}

fn unknown(code: &str) -> anyhow::Error {
    let pages = codes::all();
    let all = || pages.iter().map(|page| page.code.as_str());
    // The number alone is as good as the code.
    let by_number = all().find(|known| known[1..] == *code);
    let near = by_number.or_else(|| nearest(code, all()));
    misuse(match near {
        Some(near) => format!("there is no code \"{code}\"\nhint: did you mean {near}?"),
        None => format!("there is no code \"{code}\"\nhint: `aftercare explain` lists all of them"),
    })
}

/// The page as it is written, with its headings set off where colours are shown.
fn show(page: &Page, out: &mut Out) -> anyhow::Result<()> {
    let mut fenced = false;
    for line in page.text.trim_end().lines() {
        if line.starts_with("```") {
            fenced = !fenced;
            out.line(line.dimmed())?;
        } else if line.starts_with('#') && !fenced {
            out.line(line.bold())?;
        } else {
            out.line(line)?;
        }
    }
    Ok(())
}
