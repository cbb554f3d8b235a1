//! What is to be done, in words: the steps with everything filled in, what is spared,
//! and what goes into the configuration.

use super::{Args, Connection};
use crate::cli::Out;
use crate::ingest::setup::{Hidden, Topic};
use crate::model::platform::Platform;
use serde_json::json;

/// What stands for a secret that is not printed.
const HIDDEN: &str = "SECRET";

/// Prints them.
pub fn steps(
    connection: &Connection<'_>,
    args: &Args,
    lines: &str,
    out: &mut Out,
) -> anyhow::Result<()> {
    let setup = connection.setup;
    let texts = Texts::new(connection, args);
    let spared = match connection.platform {
        Platform::Generic => Vec::new(),
        _ => setup.spared(&connection.needed),
    };
    if out.is_json() {
        let topics: Vec<_> = connection.topics.iter().map(|topic| json!({
            "topic": topic.name, "called": topic.called, "brings": topic.brings, "always": topic.always,
        })).collect();
        let steps: Vec<String> = setup
            .steps
            .iter()
            .map(|step| texts.fill(step, false))
            .collect();
        return out.object(&json!({
            "platform": connection.platform.as_str(),
            "name": connection.name,
            "url": texts.url,
            "unreachable": connection.address.unreachable(),
            "secret_file": connection.secret.as_ref().map(|kept| &kept.shown),
            "secret_ours": setup.secret.is_ours(),
            "topics": topics,
            "spared": spared,
            "steps": steps,
            "configuration": lines,
            "configured": connection.known.is_some(),
        }));
    }
    let called = connection.platform.called();
    out.line(format_args!(
        "{called}, as intake.sources.{}",
        connection.name
    ))?;
    out.line("")?;
    if let Some(because) = connection.address.unreachable() {
        out.line(format_args!(
            "No platform can deliver to {}: {because}.",
            connection.address.base()
        ))?;
        out.line("")?;
    }
    if connection.live.is_none() {
        out.line(
            "The shop's files hold errors (`aftercare check`), so every topic is named here.",
        )?;
        out.line("")?;
    }
    let useful = |topic: &Topic| !topic.brings.is_empty() || topic.always.is_some();
    if !connection.topics.iter().any(useful) {
        out.line(format_args!(
            "Nothing in your files lives on what {called} tells: there is nothing to connect yet."
        ))?;
        return Ok(());
    }
    for (number, step) in (1..).zip(&setup.steps) {
        out.line(format_args!("{number:>3}. {}", texts.fill(step, true)))?;
        if step.contains("{topics}") {
            topics(connection, out)?;
        }
    }
    out.line("")?;
    texts.of_secret(connection, args, out)?;
    if !spared.is_empty() {
        out.line(format_args!(
            "Not needed, because nothing in your files lives on it: {}.",
            spared.join(", ")
        ))?;
    }
    for one in &setup.learn {
        out.line(one)?;
    }
    out.line("")?;
    if connection.known.is_some() {
        out.line(format_args!(
            "The configuration has intake.sources.{} already.",
            connection.name
        ))?;
    } else if !args.write {
        out.line(
            "Add this to config/aftercare.toml (--write does it), and restart `aftercare serve`:",
        )?;
        out.line("")?;
        for line in lines.lines() {
            out.line(format_args!("  {line}"))?;
        }
    }
    out.line("")
}

/// A row for each: its name, what the admin calls it, and what it is for, said once for
/// all that are for the same.
fn topics(connection: &Connection<'_>, out: &mut Out) -> anyhow::Result<()> {
    let topics = &connection.topics;
    let widest = |of: fn(&Topic) -> usize| topics.iter().map(of).max().unwrap_or(0);
    let called = |topic: &Topic| {
        topic
            .called
            .as_ref()
            .map_or(String::new(), |called| format!("\"{called}\""))
    };
    let wide = widest(|topic| topic.name.len());
    let broad = topics
        .iter()
        .map(|topic| called(topic).len())
        .max()
        .unwrap_or(0);
    let mut before: Option<&Topic> = None;
    for topic in topics {
        let kinds: Vec<&str> = topic.brings.iter().map(|kind| kind.as_str()).collect();
        let same =
            before.is_some_and(|one| one.brings == topic.brings && one.always == topic.always);
        let what = match (&topic.always, kinds.is_empty()) {
            _ if same || connection.platform == Platform::Generic => String::new(),
            (_, false) => kinds.join(", "),
            (Some(always), true) => always.clone(),
            (None, true) => String::new(),
        };
        let line = format!(
            "       {:wide$}  {:broad$}  {what}",
            topic.name,
            called(topic)
        );
        out.line(line.trim_end())?;
        before = Some(topic);
    }
    Ok(())
}

/// What stands in the places that steps leave open.
struct Texts<'t> {
    /// The address, with a token where it takes one.
    pub url: String,
    secret: &'t str,
    place: String,
    name: &'t str,
}

impl<'t> Texts<'t> {
    fn new(connection: &'t Connection<'_>, args: &Args) -> Texts<'t> {
        let setup = connection.setup;
        let kept = connection.secret.as_ref();
        let shown = kept
            .filter(|_| args.show_secret)
            .and_then(|kept| kept.secrets.last())
            .map_or(HIDDEN, |secret| secret.reveal());
        let url = match setup.secret {
            Hidden::Token => format!("{}?token={shown}", connection.address.url),
            _ => connection.address.url.clone(),
        };
        let place = match (&setup.keys_url, &args.account) {
            (Some(url), Some(account)) => url.replace("{account}", account),
            _ => setup.place.clone(),
        };
        Texts {
            url,
            secret: kept.map_or("", |kept| kept.shown.as_str()),
            place,
            name: &connection.name,
        }
    }

    fn fill(&self, step: &str, listed: bool) -> String {
        let step = match listed {
            // They follow on lines of their own.
            true => step.replace(": {topics}", ":"),
            false => step.replace("{topics}", "the topics below"),
        };
        step.replace("{where}", &self.place)
            .replace("{url}", &self.url)
            .replace("{secret}", self.secret)
            .replace("{name}", self.name)
    }

    fn of_secret(
        &self,
        connection: &Connection<'_>,
        args: &Args,
        out: &mut Out,
    ) -> anyhow::Result<()> {
        let Some(kept) = &connection.secret else {
            return Ok(());
        };
        let ours = connection.setup.secret.is_ours();
        if kept.elsewhere {
            return out.line(
                "The configuration gives its secret from elsewhere (another file, or the environment): that one counts.",
            );
        }
        match (ours, kept.secrets.last()) {
            (true, Some(secret)) if args.show_secret => {
                out.line(format_args!("The secret: {}", secret.reveal()))
            }
            (true, Some(_)) => out.line(format_args!(
                "{}The secret is the last line of {} (readable by you alone); --show-secret prints it.",
                if connection.setup.secret == Hidden::Token { "SECRET stands for it in the address. " } else { "" },
                kept.shown
            )),
            (true, None) => out.line(format_args!("The secret would be made in {}.", kept.shown)),
            (false, Some(_)) => out.line(format_args!("{} holds a secret already.", kept.shown)),
            (false, None) if args.dry_run => Ok(()),
            (false, None) => out.line(format_args!(
                "{} is made, readable by you alone: paste the secret below its comment.",
                kept.shown
            )),
        }
    }
}

/// What makes a first delivery come.
pub fn attempt(connection: &Connection<'_>, args: &Args) -> String {
    Texts::new(connection, args).fill(&connection.setup.attempt, true)
}
