//! `preview --all`: every mail in every language for every sample customer asked for, as a
//! list, or as a folder whose `index.html` shows them all without a network.

use super::{Args, open_in_browser};
use crate::cli::context::Shop;
use crate::cli::exit::misuse;
use crate::cli::{Exit, Out, report};
use crate::engine::reload;
use crate::engine::sample::Cast;
use crate::engine::sheet::{self, CLIP, Card, Outcome, Wanted, in_colours, links_of};
use crate::web::contact::{self, Frames, Sheet};
use anyhow::Context as _;
use owo_colors::OwoColorize;
use serde_json::json;
use std::path::Path;

/// What a page may load when it is opened from a folder: frames beside it, its style.
const POLICY: &str = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; frame-src 'self' file:; base-uri 'none'\">";

/// Makes everything, writes it, lists it; 1 where a mail would be held.
pub fn run(shop: &Shop, args: &Args, casts: &[Cast], out: &mut Out) -> anyhow::Result<Exit> {
    let read = reload::read(&shop.folder);
    let Some(live) = read.live else {
        report::complain(&read.problems, &read.files);
        return Err(misuse(format!(
            "the files in {} hold errors",
            shop.folder.display()
        )));
    };
    for locale in &args.locale {
        if !live.catalog.policy.locales.contains(locale) {
            return Err(misuse(format!(
                "--locale: \"{locale}\" is not one of the shop's languages\nhint: they are {}",
                live.catalog.policy.locales.join(", ")
            )));
        }
    }
    let wanted = Wanted {
        mails: args.mail.clone().into_iter().collect(),
        locales: args.locale.clone(),
        casts: casts.to_vec(),
    };
    let cards = sheet::cards(&live, &shop.config, &wanted);
    if cards.is_empty() {
        return Err(misuse(format!(
            "there is no mail and no group \"{}\"\nhint: aftercare preview --all lists all",
            args.mail.as_deref().unwrap_or_default()
        )));
    }
    if let Some(folder) = &args.html {
        for card in &cards {
            let Outcome::Made(made) = &card.outcome else {
                continue;
            };
            for dark in [false, true] {
                let path = folder.join(file(card, if dark { "dark.html" } else { "light.html" }));
                write(&path, in_colours(&made.html, dark).as_bytes())?;
            }
            write(&folder.join(file(card, "txt")), made.text.as_bytes())?;
            write(&folder.join(file(card, "eml")), &made.composed.eml())?;
        }
        let index = folder.join("index.html");
        let page = contact::page(
            &Sheet {
                shop: &live.catalog.policy.name,
                cards: &cards,
                problems: &read.problems,
                files: &read.files,
                stale: false,
                head: POLICY,
                above: "",
            },
            &Beside,
        );
        write(&index, page.as_bytes())?;
        if args.open {
            open_in_browser(&index)?;
        }
    } else if args.open {
        return Err(misuse(
            "--open: --all wants a folder to open\nhint: --html DIR",
        ));
    }
    if let Some(folder) = &args.eml {
        for card in &cards {
            if let Outcome::Made(made) = &card.outcome {
                write(&folder.join(file(card, "eml")), &made.composed.eml())?;
            }
        }
    }
    list(&cards, out)?;
    if !out.is_json()
        && let Some(folder) = &args.html
    {
        out.line(format_args!(
            "\nopen {}",
            folder.join("index.html").display()
        ))?;
    }
    let held = cards
        .iter()
        .any(|card| matches!(card.outcome, Outcome::Held(_)));
    Ok(if held { Exit::Problems } else { Exit::Fine })
}

/// Frames in files beside the page.
struct Beside;

impl Frames for Beside {
    fn html(&self, card: &Card, dark: bool) -> String {
        file(card, if dark { "dark.html" } else { "light.html" })
    }
    fn eml(&self, card: &Card) -> Option<String> {
        Some(file(card, "eml"))
    }
}

/// Where a card's file stands in the folder.
fn file(card: &Card, ending: &str) -> String {
    let plain = |text: &str| -> String {
        text.chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') {
                    c
                } else {
                    '_'
                }
            })
            .collect()
    };
    let mail = card
        .mail
        .split('/')
        .map(plain)
        .collect::<Vec<_>>()
        .join("/");
    format!(
        "mails/{mail}/{}.{}.{ending}",
        plain(&card.locale),
        card.cast.as_str()
    )
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

fn list(cards: &[Card], out: &mut Out) -> anyhow::Result<()> {
    if out.is_json() {
        for card in cards {
            let (state, because, made) = match &card.outcome {
                Outcome::Made(made) => ("made", None, Some(made)),
                Outcome::Held(why) => ("held", Some(why), None),
                Outcome::NotForThem(why) => ("not_for_them", Some(why), None),
            };
            out.object(&json!({
                "mail": card.mail,
                "locale": card.locale,
                "sample": card.cast.as_str(),
                "steps": card.steps,
                "state": state,
                "because": because,
                "subject": made.map(|made| &made.subject),
                "preheader": made.map(|made| &made.preheader),
                "text": made.map(|made| &made.text),
                "html_bytes": made.map(|made| made.html.len()),
                "eml_bytes": made.map(|made| made.composed.eml().len()),
                "clipped": made.map(|made| made.html.len() > CLIP),
                "sha256": made.map(|made| &made.prepared.hash),
                "links": made.map(|made| links_of(&made.html)),
            }))?;
        }
        return Ok(());
    }
    let mut mail = "";
    for card in cards {
        if card.mail != mail {
            mail = &card.mail;
            out.line(mail.bold())?;
        }
        let who = format!("  {:8} {:8}", card.locale, card.cast.as_str());
        match &card.outcome {
            Outcome::Made(made) => out.line(format_args!(
                "{} {:>6} kB  {}",
                who.dimmed(),
                made.html.len().div_ceil(1024),
                made.subject
            ))?,
            Outcome::Held(why) => out.line(format_args!("{} held: {why}", who.dimmed()))?,
            Outcome::NotForThem(why) => {
                out.line(format_args!("{} {}", who.dimmed(), why.dimmed()))?
            }
        }
    }
    Ok(())
}
