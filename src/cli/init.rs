//! `init`: a new shop from what the program carries: policy, sequences, mails, scenarios
//! and snapshots, in working order. It writes into an empty folder or not at all.

use super::exit::misuse;
use super::{Exit, Out, snapshot};
use crate::engine::reload;
use anyhow::Context as _;
use rust_embed::RustEmbed;
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use toml_edit::{Array, DocumentMut, value};

#[derive(RustEmbed)]
#[folder = "config/"]
struct Config;

#[derive(RustEmbed)]
#[folder = "templates/"]
struct Templates;

/// Half a year of a shop: orders, parcels, refunds and opt-outs of sixty people.
const HISTORY: &[u8] = include_bytes!("../tests/fixtures/events/history.ndjson");
/// Where sample events are written.
const EVENTS: &str = "events/sample.ndjson";
/// What git leaves out.
const IGNORED: &str = "/data\n";

/// What the new shop is.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder: empty, or not there yet
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// What the shop is called
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Where the shop is on the web
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// The zone of customers whose own nobody knows
    #[arg(long, value_name = "ZONE")]
    pub zone: Option<String>,
    /// Languages of its mails, the first for everybody else: en,de
    #[arg(long, value_name = "LOCALES", value_delimiter = ',')]
    pub locales: Vec<String>,
}

/// Writes the shop and says what to do next.
pub fn run(args: &Args, out: &mut Out) -> anyhow::Result<Exit> {
    let folder = &args.folder;
    if let Ok(mut entries) = std::fs::read_dir(folder)
        && entries.next().is_some()
    {
        return Err(misuse(format!(
            "{} is not empty, and nothing in it is overwritten\nhint: name a folder that is not there yet",
            folder.display()
        )));
    }
    let carried = carried();
    let spoken = spoken(args, &carried)?;
    let changed = args.name.is_some()
        || args.url.is_some()
        || args.zone.is_some()
        || !args.locales.is_empty();
    let mut written = 0;
    for (path, bytes) in &carried {
        let dropped = language(path).is_some_and(|own| !spoken.iter().any(|one| one == own));
        if dropped || (changed && path.starts_with(snapshot::FOLDER)) {
            continue;
        }
        let bytes = if path == "config/store.toml" && changed {
            Cow::Owned(store(bytes, args, &spoken)?.into_bytes())
        } else {
            bytes.clone()
        };
        write(folder, path, &bytes)?;
        written += 1;
    }
    write(folder, ".gitignore", IGNORED.as_bytes())?;
    let read = reload::read(folder);
    let Some(live) = &read.live else {
        super::report::complain(&read.problems, &read.files);
        return Err(misuse(
            "the new shop has problems: they come from what was given to init",
        ));
    };
    if changed {
        snapshot::compare(live, &read.files, folder, &|_| true)?;
    }
    if out.is_json() {
        out.object(&serde_json::json!({"folder": folder.display().to_string(), "files": written}))?;
        return Ok(Exit::Fine);
    }
    let shop = folder.display();
    out.line(format_args!(
        "{written} files in {shop}: a shop for cameras and coffee, in working order. Next:"
    ))?;
    out.line("")?;
    for (what, why) in [
        ("check", "every problem of the files"),
        ("test", "the scenarios and the mails"),
        (
            "demo",
            "the whole service, on a fast clock, with a mailbox to look into",
        ),
    ] {
        out.line(format_args!("  aftercare --shop {shop} {what:6}  {why}"))?;
    }
    out.line("")?;
    out.line("Then change config/store.toml and config/people.toml: who you are and who signs.")?;
    Ok(Exit::Fine)
}

/// Everything that the program carries, by its path in a shop.
fn carried() -> Vec<(String, Cow<'static, [u8]>)> {
    let config = Config::iter().filter_map(|name| {
        let file = Config::get(&name)?;
        Some((format!("config/{name}"), file.data))
    });
    let templates = Templates::iter().filter_map(|name| {
        let file = Templates::get(&name)?;
        Some((format!("templates/{name}"), file.data))
    });
    let events = (EVENTS.to_owned(), Cow::Borrowed(HISTORY));
    let mut all: Vec<_> = config.chain(templates).chain([events]).collect();
    all.sort();
    all
}

/// The language of a file of one language: `de` of `templates/mail/x/y.de.md`.
fn language(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("templates/")?;
    let name = rest.rsplit('/').next()?;
    let mut parts = name.split('.');
    let first = parts.next()?;
    if rest.starts_with("strings/") {
        return Some(first);
    }
    let own = parts.next()?;
    parts.next().is_some().then_some(own)
}

/// The languages of the new shop: those asked for, which must be carried.
fn spoken(args: &Args, carried: &[(String, Cow<'static, [u8]>)]) -> anyhow::Result<Vec<String>> {
    let mut all: Vec<&str> = carried
        .iter()
        .filter_map(|(path, _)| language(path))
        .collect();
    all.sort_unstable();
    all.dedup();
    if args.locales.is_empty() {
        return Ok(all.into_iter().map(str::to_owned).collect());
    }
    for locale in &args.locales {
        if !all.contains(&locale.as_str()) {
            return Err(misuse(format!(
                "the shop that aftercare carries has no mails in `{locale}`\nhint: there are {}; others are added as files, see docs/mails.md",
                all.join(", ")
            )));
        }
    }
    Ok(args.locales.clone())
}

/// The policy with what was given on the command line.
fn store(bytes: &[u8], args: &Args, spoken: &[String]) -> anyhow::Result<String> {
    let text = std::str::from_utf8(bytes)?;
    let mut document: DocumentMut = text.parse().context("config/store.toml")?;
    let mut set = |key: &str, new: toml_edit::Item| {
        if let Some(item) = document.get_mut(key) {
            let decor = item.as_value().map(|value| value.decor().clone());
            *item = new;
            if let (Some(value), Some(decor)) = (item.as_value_mut(), decor) {
                *value.decor_mut() = decor;
            }
        }
    };
    for (key, given) in [
        ("name", &args.name),
        ("url", &args.url),
        ("zone", &args.zone),
    ] {
        if let Some(given) = given {
            set(key, value(given));
        }
    }
    if !args.locales.is_empty() {
        set("locales", value(spoken.iter().collect::<Array>()));
        if let Some(first) = spoken.first() {
            set("fallback", value(first));
        }
    }
    Ok(crate::sequence::format::format(
        "config/store.toml",
        &document.to_string(),
    ))
}

fn write(folder: &Path, path: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let whole = folder.join(path);
    let cannot = || format!("cannot write {}", whole.display());
    if let Some(parent) = whole.parent() {
        std::fs::create_dir_all(parent).with_context(cannot)?;
    }
    std::fs::write(&whole, bytes).with_context(cannot)
}
