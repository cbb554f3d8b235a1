//! The lines of `config/aftercare.toml`: what they are, and putting them there. They go
//! below everything that stands there, so comments and order are kept; what is there is
//! never changed.

use super::{Args, Connection};
use crate::cli::Out;
use crate::cli::exit::misuse;
use crate::ingest::setup::Hidden;
use crate::model::event::EventKind;
use crate::model::platform::Platform;
use anyhow::Context as _;
use similar::TextDiff;
use std::fmt::Write as _;
use std::path::Path;
use toml_edit::{DocumentMut, Value};

/// The service's own configuration.
pub const FILE: &str = "config/aftercare.toml";
/// What stands where nobody said what the shop is called at the platform.
const NOBODY: &str = "YOUR-SHOP.example.com";
/// Lines shown around each difference.
const AROUND: usize = 1;

/// The table of a source.
pub fn lines(connection: &Connection<'_>, args: &Args) -> String {
    let Connection {
        platform,
        name,
        setup,
        ..
    } = connection;
    let mut text = format!("[intake.sources.{name}]\n");
    let mut set = |key: &str, value: &str| {
        // Writing to a text does not fail.
        let _ = writeln!(text, "{key} = {}", Value::from(value).decorated("", ""));
    };
    if name.as_str() != platform.as_str() {
        set("platform", platform.as_str());
    }
    if *platform == Platform::Generic {
        set("mapping", &format!("config/sources/{name}.toml"));
    }
    if let Some(kept) = &connection.secret {
        set("secrets_file", &kept.shown);
    }
    if let (Hidden::Keys, Some(url)) = (setup.secret, &setup.keys_url) {
        let account = args.account.as_deref().unwrap_or(NOBODY);
        set("keys_url", &url.replace("{account}", account));
    }
    let policy = connection.live.as_ref().map(|live| &live.catalog.policy);
    if let Some(policy) = policy {
        if setup.storefront {
            set("storefront", policy.url.trim_end_matches('/'));
        } else if setup.kinds().contains(&EventKind::ShipmentDelivered) {
            set("time_zone", &policy.zone_name);
        }
    }
    text
}

/// Adds them, and shows the difference.
///
/// # Errors
/// The file cannot be read or written, or leaves no place for them.
pub fn add(
    connection: &Connection<'_>,
    lines: &str,
    dry_run: bool,
    out: &mut Out,
) -> anyhow::Result<()> {
    if lines.contains(NOBODY) {
        return Err(misuse(format!(
            "--write: expected --account as well\nhint: {}",
            connection.setup.account.as_deref().unwrap_or_default()
        )));
    }
    let mapping = format!("config/sources/{}.toml", connection.name);
    if connection.platform == Platform::Generic && !connection.shop.folder.join(&mapping).is_file()
    {
        return Err(misuse(format!(
            "--write: there is no {mapping} yet\nhint: write it first: a configuration that names it without it cannot be read"
        )));
    }
    let path = connection.shop.folder.join(FILE);
    let before = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(misuse(format!("{}: {error}", path.display()))),
    };
    let after = added(&before, &connection.name, lines)?;
    if !dry_run {
        replace(&path, &after)?;
    }
    if out.is_json() {
        return out.object(&serde_json::json!({"file": FILE, "written": !dry_run, "added": lines}));
    }
    let diff = TextDiff::from_lines(before.as_str(), after.as_str());
    let mut diff = diff.unified_diff();
    let diff = diff.context_radius(AROUND).header(FILE, "with the source");
    out.line(diff.to_string().trim_end_matches('\n'))?;
    out.line("")?;
    match dry_run {
        true => out.line("Nothing was written: --dry-run."),
        false => out.line(format_args!(
            "{FILE} is written. Restart `aftercare serve`, so that it knows the source."
        )),
    }
}

/// The text with the table below everything else.
fn added(before: &str, name: &str, lines: &str) -> anyhow::Result<String> {
    let by_hand = || {
        misuse(format!(
            "{FILE}: it cannot be added to\nhint: add these lines by hand:\n{lines}"
        ))
    };
    let had: DocumentMut = before.parse().map_err(|_| by_hand())?;
    let at = |document: &DocumentMut, name: &str| {
        let sources = document
            .get("intake")
            .and_then(|intake| intake.get("sources"));
        sources.and_then(|sources| sources.get(name)).is_some()
    };
    if at(&had, name) {
        return Err(misuse(format!(
            "{FILE}: intake.sources.{name} stands there already"
        )));
    }
    let mut after = before.trim_end().to_owned();
    if !after.is_empty() {
        after.push_str("\n\n");
    }
    after.push_str(lines);
    let has: DocumentMut = after.parse().map_err(|_| by_hand())?;
    match at(&has, name) {
        true => Ok(after),
        false => Err(by_hand()),
    }
}

/// The new text stands there whole, or the old one does.
fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let told = || format!("cannot write {}", path.display());
    let folder = path.parent().unwrap_or(Path::new("."));
    // A name that is not read as a file of the shop.
    let beside = folder.join(".aftercare.toml.new");
    std::fs::write(&beside, text).with_context(told)?;
    if let Ok(had) = std::fs::metadata(path) {
        std::fs::set_permissions(&beside, had.permissions()).with_context(told)?;
    }
    std::fs::rename(&beside, path).with_context(told)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_added_below_and_nothing_else_is_touched() {
        let before = "# ours\n[http]\nlisten = \"127.0.0.1:1\" # here\n\n# [clock]\n";
        let table = "[intake.sources.shop]\nsecrets_file = \"x\"\n";
        let after = added(before, "shop", table).unwrap();
        assert_eq!(after, format!("{}\n\n{table}", before.trim_end()));
        assert!(added(&after, "shop", table).is_err());
        // Beside another one, and into nothing.
        assert!(added(&after, "till", "[intake.sources.till]\n").is_ok());
        assert_eq!(added("", "shop", table).unwrap(), table);
        // Where no table can follow, it is said and not forced.
        for closed in [
            "intake = { sources = {} }\n",
            "not toml",
            "[intake]\nsources = 1\n",
        ] {
            assert!(added(closed, "shop", table).is_err(), "{closed}");
        }
    }
}
