//! Snapshots: what each mail says to a sample customer, kept in the shop's folder
//! (`config/snapshots/GROUP/NAME.LOCALE.STORY.txt`), so that a review of a change sees
//! what customers will see. This module makes and compares them; it must not decide what
//! a mail says.

use crate::config::Config;
use crate::engine::preview::{Made, Press, make};
use crate::engine::reload::Live;
use crate::engine::sample;
use crate::links::Links;
use crate::model::send::Prepared;
use anyhow::Context as _;
use sha2::{Digest, Sha256};
use similar::TextDiff;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// Where snapshots stand in a shop's folder.
pub const FOLDER: &str = "config/snapshots/";
/// The key of samples: their links lead nowhere.
pub const SAMPLE_KEY: [u8; 32] = [0; 32];
/// Where the links of samples lead, wherever the shop runs.
pub const SAMPLE_URL: &str = "https://mail.example.com";
/// Lines shown around each difference.
const AROUND: usize = 2;
/// Digits of the HTML's hash that are kept: enough for no two to meet by chance.
const DIGITS: usize = 16;

/// One snapshot and what became of it.
#[derive(Debug)]
pub struct Compared {
    /// `dslr/basics.en.delivered`.
    pub name: String,
    pub difference: Difference,
}

/// How a mail differs from its snapshot.
#[derive(Debug)]
pub enum Difference {
    Same,
    /// A diff of the two texts.
    Changed(String),
    /// There is no snapshot of this mail yet.
    New,
    /// No mail is like this any more.
    Orphaned,
    /// The mail could not be made.
    Held(String),
}

/// Everything that a sample customer would read, by name; an error in place of a mail
/// that could not be made.
type Taken = BTreeMap<String, Result<String, String>>;

/// Makes the mails of the samples and compares them with the snapshots among `files`.
/// What is to `bless`, by name, is brought up to date in the folder.
///
/// # Errors
/// A sample event is none; a snapshot cannot be written.
pub fn compare(
    live: &Live,
    files: &[(String, String)],
    shop: &Path,
    bless: &dyn Fn(&str) -> bool,
) -> anyhow::Result<Vec<Compared>> {
    let taken = take(live)?;
    let kept: BTreeMap<&str, &str> = files
        .iter()
        .filter_map(|(path, text)| {
            let name = path.strip_prefix(FOLDER)?.strip_suffix(".txt")?;
            Some((name, text.as_str()))
        })
        .collect();
    let mut all = Vec::new();
    for (name, made) in &taken {
        let difference = match (made, kept.get(name.as_str())) {
            (Err(because), _) => Difference::Held(because.clone()),
            (Ok(text), Some(had)) if *had == text.as_str() => Difference::Same,
            (Ok(text), had) => {
                if bless(name) {
                    write(shop, name, text)?;
                }
                match had {
                    Some(had) => Difference::Changed(diff(had, text)),
                    None => Difference::New,
                }
            }
        };
        all.push(Compared {
            name: name.clone(),
            difference,
        });
    }
    for name in kept.keys().filter(|name| !taken.contains_key(**name)) {
        if bless(name) {
            let path = shop.join(FOLDER).join(format!("{name}.txt"));
            std::fs::remove_file(&path)
                .with_context(|| format!("cannot remove {}", path.display()))?;
        }
        all.push(Compared {
            name: (*name).to_owned(),
            difference: Difference::Orphaned,
        });
    }
    Ok(all)
}

fn take(live: &Live) -> anyhow::Result<Taken> {
    let links = Links::new(&SAMPLE_KEY, &live.catalog.policy.id, SAMPLE_URL);
    let config = Config::default();
    let press = Press::new(&links, &config);
    let mut taken = Taken::new();
    let mut stories: BTreeMap<(String, String), &'static str> = BTreeMap::new();
    let locales = &live.catalog.policy.locales;
    sample::every(
        &live.catalog,
        locales,
        &mut |story, catalog, send, ready, now| {
            let wanted = ready.locales.first().cloned().unwrap_or_default();
            let prepared = Prepared {
                hash: String::new(),
                version: catalog.version.clone(),
                date: now,
                to: ready.to.as_typed().to_owned(),
                locale: wanted.clone(),
                values: serde_json::Value::Null,
            };
            // A mail is kept as the first story that sends it has it.
            let first = stories.entry((send.mail.clone(), wanted.clone()));
            let first = *first.or_insert(story);
            let name = format!("{}.{wanted}.{story}", send.mail);
            if first != story || taken.contains_key(&name) {
                return Ok(prepared);
            }
            match make(&press, live, send, *ready, now) {
                Ok(made) => {
                    taken.insert(name, Ok(text(&made)));
                    Ok(prepared)
                }
                Err(reason) => {
                    taken.insert(name, Err(reason.sentence()));
                    Err(reason)
                }
            }
        },
    )?;
    Ok(taken)
}

/// A mail as people review it. The HTML stands as a hash: its words are those of the
/// text part, and its links and pictures are listed.
fn text(made: &Made) -> String {
    let mut text = format!(
        "Subject:   {}\nPreheader: {}\nLanguage:  {}\nHTML:      {}\n",
        made.subject,
        made.preheader,
        made.prepared.locale,
        hash(&made.html)
    );
    for link in attributes(&made.html, "a", "href") {
        let _ = writeln!(text, "Link:      {link}");
    }
    for image in attributes(&made.html, "img", "src") {
        let _ = writeln!(text, "Picture:   {image}");
    }
    let body = made.text.replace("\r\n", "\n");
    let _ = write!(text, "\n{}\n", body.trim_end());
    text
}

/// What an attribute of the tags of a name says, each once, in order of appearance.
fn attributes(html: &str, tag: &str, attribute: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let (open, wanted) = (format!("<{tag} "), format!(" {attribute}=\""));
    for rest in html.split(&open).skip(1) {
        let inside = rest.split('>').next().unwrap_or_default();
        let inside = format!(" {inside}");
        let Some((_, value)) = inside.split_once(&wanted) else {
            continue;
        };
        let value = value.split('"').next().unwrap_or_default();
        let value = value.replace("&amp;", "&");
        if !found.contains(&value) {
            found.push(value);
        }
    }
    found
}

/// A hash of the HTML that white space between tags does not change.
fn hash(html: &str) -> String {
    let words: Vec<&str> = html.split_whitespace().collect();
    let plain = words.join(" ").replace("> <", "><");
    let mut digits = String::new();
    for byte in Sha256::digest(plain.as_bytes()) {
        let _ = write!(digits, "{byte:02x}");
    }
    digits.truncate(DIGITS);
    digits
}

/// What changed, line by line.
fn diff(had: &str, now: &str) -> String {
    TextDiff::from_lines(had, now)
        .unified_diff()
        .context_radius(AROUND)
        .header("as it was blessed", "as it is now")
        .to_string()
}

fn write(shop: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let path = shop.join(FOLDER).join(format!("{name}.txt"));
    let told = || format!("cannot write {}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(told)?;
    }
    std::fs::write(&path, text).with_context(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_between_tags_changes_no_hash_and_words_do() {
        assert_eq!(hash("<p>a b</p>\n  <p>c</p>"), hash("<p>a b</p><p>c</p>\n"));
        assert_ne!(hash("<p>a b</p>"), hash("<p>a c</p>"));
    }

    #[test]
    fn links_and_pictures_are_listed_once() {
        let html = r#"<a class="x" href="https://x.example/?a=1&amp;b=2">x</a><a href="https://x.example/?a=1&amp;b=2"></a><img alt="" src="y.png">"#;
        assert_eq!(
            attributes(html, "a", "href"),
            ["https://x.example/?a=1&b=2"]
        );
        assert_eq!(attributes(html, "img", "src"), ["y.png"]);
    }
}
