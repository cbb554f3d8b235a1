//! `map`: what a platform's delivery says, without taking it in: the canonical events of a
//! body in a file, or why it cannot be read, in words.

use super::context::Shop;
use super::exit::{misuse, not_found};
use super::{Exit, Global, Out, sources};
use crate::clock;
use crate::ingest::adapters::{Beside, Headers, Recorded, Said, Source, canonical, hear};
use crate::model::platform::Platform;
use crate::model::time::Timestamp;
use std::path::{Path, PathBuf};

/// The largest file, in bytes.
const MAX_FILE: u64 = 64 << 20;

/// Which delivery, of which source.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The body of a delivery, or what `quarantine show` prints of one
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The source that it comes from: a name of the configuration, or of a platform
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// A header of the delivery: "X-Shopify-Topic: orders/create"; several times for several
    #[arg(long = "header", value_name = "NAME: VALUE")]
    pub headers: Vec<String>,
    /// A file of headers, one a line; unset: FILE with the ending `.headers`, where there is one
    #[arg(long, value_name = "FILE")]
    pub headers_file: Option<PathBuf>,
    /// Check the signature as well, at the time that it names
    #[arg(long)]
    pub verify: bool,
}

/// Maps it; 1 where a part of it cannot be read.
pub fn run(global: &Global, args: &Args, out: &mut Out) -> anyhow::Result<Exit> {
    let text = read(&args.file)?;
    // `quarantine show` prints the reason on a line before it.
    let recorded = std::str::from_utf8(&text)
        .ok()
        .and_then(|text| text.lines().rev().find_map(Recorded::read));
    let (name, headers, body) = match recorded {
        Some(kept) => {
            let name = args.source.clone().unwrap_or(kept.source);
            (name, kept.headers, kept.body.into_bytes())
        }
        None => {
            let name = args.source.clone().ok_or_else(|| {
                misuse("--source: expected the name of a source\nhint: a name under [intake.sources], or of a platform: shopify")
            })?;
            (name, headers(args)?, text)
        }
    };
    let source = source(global, &name)?;
    let now = global.at.unwrap_or_else(clock::real);
    if args.verify {
        verify(&source, &headers, &body, now)?;
    }
    let said = canonical(&source, &headers, &body, &Beside::default(), now);
    match said {
        Err(because) => {
            out.line(because)?;
            return Ok(Exit::Problems);
        }
        Ok(Said::Unused(topic)) => {
            out.line(format_args!("unused: we have no use for \"{topic}\""))?;
            return Ok(Exit::Fine);
        }
        Ok(Said::ToFetch(because)) => {
            out.line(format_args!("to_fetch: {because}"))?;
            return Ok(Exit::Problems);
        }
        Ok(Said::Facts(facts)) => {
            for fact in &facts {
                if out.is_json() {
                    out.object(fact)?;
                } else {
                    out.line(serde_json::to_string_pretty(fact)?)?;
                }
            }
        }
    }
    // What is told may still be no event that we know.
    let taken = hear(&source, &headers, &body, &Beside::default(), now);
    match taken.poison {
        Some(bad) => {
            out.line(format_args!("{}: {}", bad.reason, bad.because))?;
            Ok(Exit::Problems)
        }
        None => {
            if !out.is_json() {
                out.line(format_args!(
                    "{} events, all of them fine",
                    taken.events.len()
                ))?;
            }
            Ok(Exit::Fine)
        }
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let tell = |error: &dyn std::fmt::Display| misuse(format!("{}: {error}", path.display()));
    let size = std::fs::metadata(path).map_err(|error| tell(&error))?.len();
    if size > MAX_FILE {
        return Err(tell(&"it is too large"));
    }
    std::fs::read(path).map_err(|error| tell(&error))
}

fn headers(args: &Args) -> anyhow::Result<Headers> {
    let mut text = args.headers.join("\n");
    let beside = args.file.with_extension("headers");
    let file = args
        .headers_file
        .clone()
        .or_else(|| beside.is_file().then_some(beside));
    if let Some(file) = file {
        text.push('\n');
        text.push_str(&String::from_utf8_lossy(&read(&file)?));
    }
    Ok(Headers::read(&text))
}

/// The configured source, or a platform's without any configuration.
fn source(global: &Global, name: &str) -> anyhow::Result<Source> {
    let shop = Shop::open(global)?;
    if let Some(told) = shop.config.sources.iter().find(|told| told.name == name) {
        return sources::source(told);
    }
    match name.parse::<Platform>() {
        Ok(platform) if platform != Platform::Generic => Ok(Source::new(name, platform)),
        _ => {
            let known: Vec<&str> = (shop.config.sources.iter())
                .map(|told| told.name.as_str())
                .chain(Platform::NAMES.iter().copied())
                .collect();
            Err(not_found(format!(
                "no source is called {name}\nhint: there are {}",
                known.join(", ")
            )))
        }
    }
}

fn verify(source: &Source, headers: &Headers, body: &[u8], now: Timestamp) -> anyhow::Result<()> {
    // A recorded delivery was signed when it was sent.
    let mut patient = source.clone();
    patient.window = std::time::Duration::from_secs(100 * 365 * 24 * 3600);
    patient
        .verify(headers, None, body, now)
        .map_err(|error| not_found(format!("who sent it is not proved: {error}")))
}
