//! `quarantine`: events that could not be used, kept whole with the reason: a work list
//! by cause, to look at with whoever they are about covered, to try again once the mapping
//! is mended, or to drop with a reason. Nothing goes by itself.

use super::context::{PAGE, Shop};
use super::exit::{misuse, not_found};
use super::lines::{self, Line};
use super::{Exit, Global, Out, brokers, sources};
use crate::ingest::adapters::{Beside, Recorded, hear};
use crate::ingest::canonical::Learnt;
use crate::ingest::cause::Cause;
use crate::ingest::mask;
use crate::ingest::message::{Kept, understand};
use crate::model::event::Event;
use crate::model::time::Timestamp;
use crate::store::{Accepted, Access, Incoming, Quarantined, Store};
use serde::Serialize;
use std::collections::BTreeMap;

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// What is there
    List(Listing),
    /// One of them, whole, with whoever it is about covered
    Show {
        /// Its number, from the list
        id: i64,
        /// Cover nothing: addresses, names and phone numbers are shown
        #[arg(long)]
        unmasked: bool,
    },
    /// Try again: after an update, or once its source can be read
    Replay(Which),
    /// Throw away
    Drop {
        #[command(flatten)]
        which: Which,
        /// Why: it is kept where the event was
        #[arg(long, value_name = "WORDS")]
        reason: String,
    },
}

/// How to list.
#[derive(Debug, clap::Args)]
pub struct Listing {
    /// One line for all that failed alike
    #[arg(long, value_name = "WHAT")]
    pub by: Option<By>,
    /// Only this cause, by its name from `--by cause`
    #[arg(long, value_name = "CAUSE")]
    pub cause: Option<String>,
    /// What was dropped, and why
    #[arg(long, conflicts_with = "by")]
    pub dropped: bool,
}

/// What lines are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum By {
    /// Source, kind and error
    Cause,
}

/// Which of them.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub struct Which {
    /// Its number, from the list
    #[arg(group = "which")]
    pub id: Option<i64>,
    /// Those of one cause, by its name from `list --by cause`
    #[arg(long, value_name = "CAUSE", group = "which")]
    pub cause: Option<String>,
    /// Every one
    #[arg(long, group = "which")]
    pub all: bool,
}

#[derive(Debug, Serialize)]
struct Row<'q> {
    id: i64,
    source: Option<&'q str>,
    #[serde(rename = "type")]
    kind: Option<&'q str>,
    recordedtime: Timestamp,
    reason: &'q str,
    because: String,
    tries: i64,
    cause: String,
}

impl<'q> From<&'q Quarantined> for Row<'q> {
    fn from(one: &'q Quarantined) -> Self {
        Row {
            id: one.id,
            source: one.source.as_deref(),
            kind: one.kind.as_deref(),
            recordedtime: one.recorded,
            reason: &one.reason,
            because: mask::free(&one.because),
            tries: one.tries,
            cause: cause(one).name(),
        }
    }
}

/// All that failed alike.
#[derive(Debug, Serialize)]
struct Group {
    cause: String,
    count: usize,
    source: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    reason: String,
    because: String,
    first: Timestamp,
    last: Timestamp,
    /// How often the one that was tried most was tried again.
    tries: i64,
    /// The newest, to look at.
    example: i64,
}

fn cause(one: &Quarantined) -> Cause {
    Cause::of(
        one.source.as_deref(),
        one.kind.as_deref(),
        &one.reason,
        &one.because,
    )
}

/// What is in quarantine, page by page.
#[derive(Debug, Default)]
pub struct Pages {
    after: i64,
    dropped: bool,
}

impl Pages {
    /// The next page; `None` at the end.
    ///
    /// # Errors
    /// The store's.
    pub async fn next(&mut self, store: &Store) -> anyhow::Result<Option<Vec<Quarantined>>> {
        let page = if self.dropped {
            store.dropped(self.after, PAGE).await?
        } else {
            store.quarantined(self.after, PAGE).await?
        };
        let Some(last) = page.last() else {
            return Ok(None);
        };
        self.after = last.id;
        Ok(Some(page))
    }
}

/// Does it.
pub async fn run(global: &Global, what: &Command, out: &mut Out) -> anyhow::Result<Exit> {
    let shop = Shop::open(global)?;
    let access = match what {
        Command::List(_) | Command::Show { .. } => Access::Reader,
        Command::Replay(_) | Command::Drop { .. } => Access::Writer,
    };
    let store = shop.store(access).await?;
    let exit = match what {
        Command::List(how) if how.by.is_some() => groups(&store, how, out).await?,
        Command::List(how) => list(&store, how, out).await?,
        Command::Show { id, unmasked } => show(&store, *id, *unmasked, out).await?,
        Command::Replay(which) => replay(&shop, &store, which, out).await?,
        Command::Drop { which, reason } => drop_some(&store, which, reason, out).await?,
    };
    store.close().await;
    Ok(exit)
}

async fn list(store: &Store, how: &Listing, out: &mut Out) -> anyhow::Result<Exit> {
    let mut table = out.table(&[
        "id", "learnt", "source", "type", "reason", "because", "tries", "cause",
    ]);
    let mut count = 0_usize;
    let mut pages = Pages {
        dropped: how.dropped,
        ..Pages::default()
    };
    while let Some(page) = pages.next(store).await? {
        for one in &page {
            let row = Row::from(one);
            if how.cause.as_ref().is_some_and(|cause| *cause != row.cause) {
                continue;
            }
            count += 1;
            if out.is_json() {
                out.object(&row)?;
                continue;
            }
            table.add_row(vec![
                row.id.to_string(),
                row.recordedtime.to_string(),
                row.source.unwrap_or_default().to_owned(),
                row.kind.unwrap_or_default().to_owned(),
                row.reason.to_owned(),
                row.because,
                row.tries.to_string(),
                row.cause,
            ]);
        }
    }
    if !out.is_json() {
        if count > 0 {
            out.show(&table)?;
        }
        let what = if how.dropped {
            "dropped"
        } else {
            "in quarantine"
        };
        out.line(format_args!("{count} {what}"))?;
    }
    Ok(Exit::Fine)
}

async fn groups(store: &Store, how: &Listing, out: &mut Out) -> anyhow::Result<Exit> {
    let mut groups: BTreeMap<Cause, Group> = BTreeMap::new();
    let mut pages = Pages::default();
    while let Some(page) = pages.next(store).await? {
        for one in page {
            let of = cause(&one);
            let group = groups.entry(of).or_insert_with_key(|of| Group {
                cause: of.name(),
                count: 0,
                source: of.source.clone(),
                kind: of.kind.clone(),
                reason: of.reason.clone(),
                because: mask::free(&of.words),
                first: one.recorded,
                last: one.recorded,
                tries: 0,
                example: one.id,
            });
            group.count += 1;
            group.first = group.first.min(one.recorded);
            group.last = group.last.max(one.recorded);
            group.tries = group.tries.max(one.tries);
            group.example = one.id;
        }
    }
    let mut groups: Vec<Group> = groups
        .into_values()
        .filter(|group| how.cause.as_ref().is_none_or(|cause| *cause == group.cause))
        .collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    let mut table = out.table(&[
        "cause", "count", "source", "type", "reason", "because", "last", "example",
    ]);
    let mut count = 0;
    for group in &groups {
        count += group.count;
        if out.is_json() {
            out.object(group)?;
            continue;
        }
        table.add_row(vec![
            group.cause.clone(),
            group.count.to_string(),
            group.source.clone().unwrap_or_default(),
            group.kind.clone().unwrap_or_default(),
            group.reason.clone(),
            group.because.clone(),
            group.last.to_string(),
            group.example.to_string(),
        ]);
    }
    if !out.is_json() {
        if count > 0 {
            out.show(&table)?;
        }
        out.line(format_args!(
            "{count} in quarantine, {} causes",
            groups.len()
        ))?;
    }
    Ok(Exit::Fine)
}

async fn show(store: &Store, id: i64, unmasked: bool, out: &mut Out) -> anyhow::Result<Exit> {
    let one = get(store, id).await?;
    let body = if unmasked {
        one.body.clone()
    } else {
        mask::body(&one.body)
    };
    if out.is_json() {
        let mut whole = serde_json::to_value(Row::from(&one))?;
        whole["body"] = serde_json::Value::String(body);
        out.object(&whole)?;
    } else {
        out.line(format_args!("{}: {}", one.reason, mask::free(&one.because)))?;
        out.line(&body)?;
    }
    Ok(Exit::Fine)
}

async fn drop_some(
    store: &Store,
    which: &Which,
    reason: &str,
    out: &mut Out,
) -> anyhow::Result<Exit> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(misuse("--reason: say why nobody needs it"));
    }
    let mut dropped = 0;
    let mut chosen = Chosen::of(store, which).await?;
    while let Some(page) = chosen.next(store).await? {
        for one in page {
            if store.dismiss_quarantined(one.id, reason).await? {
                dropped += 1;
            }
        }
    }
    say(out, "dropped", dropped, 0)
}

async fn replay(shop: &Shop, store: &Store, which: &Which, out: &mut Out) -> anyhow::Result<Exit> {
    let clock = shop.clock(store).await?;
    let (mut used, mut left) = (0, 0);
    let mut chosen = Chosen::of(store, which).await?;
    let mut page = Vec::new().into_iter();
    loop {
        let Some(one) = page.next() else {
            match chosen.next(store).await? {
                Some(more) => page = more.into_iter(),
                None => break,
            }
            continue;
        };
        let one: Quarantined = one;
        let now = clock.now();
        let heard = if let Some(delivery) = Recorded::read(&one.body) {
            Some(hear_again(shop, &delivery, now)?)
        } else {
            Kept::read(&one.body)
                .map(|kept| understand_again(shop, &kept, now))
                .transpose()?
        };
        if let Some(heard) = heard {
            match again(store, heard, now).await? {
                Ok(known) => {
                    store.drop_quarantined(one.id).await?;
                    used += 1;
                    if known && !out.is_json() {
                        out.line(format_args!("{}: known already", one.id))?;
                    }
                }
                Err(because) => {
                    store.tried_quarantined(one.id).await?;
                    left += 1;
                    if !out.is_json() {
                        out.line(format_args!("{}: {because}", one.id))?;
                    }
                }
            }
            continue;
        }
        let line = Line {
            number: 0,
            text: one.body.clone().into_bytes(),
            cut: false,
        };
        match lines::event(&line, Learnt::Now(now), false) {
            Ok(event) => {
                let batch = vec![Incoming {
                    event,
                    transport: None,
                }];
                let answers = store.accept(batch, Vec::new(), now).await?;
                store.drop_quarantined(one.id).await?;
                used += 1;
                if answers.iter().any(|one| matches!(one, Accepted::Duplicate)) && !out.is_json() {
                    out.line(format_args!("{}: known already", one.id))?;
                }
            }
            Err(bad) => {
                store.tried_quarantined(one.id).await?;
                left += 1;
                if !out.is_json() {
                    out.line(format_args!("{}: {}: {}", one.id, bad.reason, bad.because))?;
                }
            }
        }
    }
    say(out, "replayed", used, left)
}

/// What a delivery says now, or why it still cannot be read.
type Heard = Result<Vec<Event>, String>;

/// Maps a platform's delivery anew; who sent it was proved when it came.
fn hear_again(shop: &Shop, delivery: &Recorded, now: Timestamp) -> anyhow::Result<Heard> {
    let named = |told: &&crate::config::Source| told.name == delivery.source;
    let Some(told) = shop.config.sources.iter().find(named) else {
        return Ok(Err(format!(
            "no source is called {}: it was taken out of the configuration",
            delivery.source
        )));
    };
    let source = sources::source(told)?;
    let body = delivery.body.as_bytes();
    let taken = hear(&source, &delivery.headers, body, &Beside::default(), now);
    Ok(match taken.poison {
        Some(bad) => Err(format!("{}: {}", bad.reason, bad.because)),
        None => Ok(taken.events),
    })
}

/// Reads a broker's message anew, as its broker is configured now.
fn understand_again(shop: &Shop, kept: &Kept, now: Timestamp) -> anyhow::Result<Heard> {
    let named = |told: &&crate::config::Broker| told.name == kept.broker;
    let Some(told) = shop.config.brokers.iter().find(named) else {
        return Ok(Err(format!(
            "no broker is called {}: it was taken out of the configuration",
            kept.broker
        )));
    };
    let reading = brokers::reading(&shop.config, told)?;
    let parsed = understand(&reading, &kept.message, now).parsed;
    Ok(match parsed.poison.into_iter().next() {
        Some(bad) => Err(format!("{}: {}", bad.reason, bad.because)),
        None => Ok(parsed.events),
    })
}

/// Stores what is read now. Whether all of it was known already, or why it still cannot
/// be read.
async fn again(
    store: &Store,
    heard: Heard,
    now: Timestamp,
) -> anyhow::Result<Result<bool, String>> {
    let events = match heard {
        Ok(events) => events,
        Err(because) => return Ok(Err(because)),
    };
    let batch: Vec<Incoming> = events
        .into_iter()
        .map(|event| Incoming {
            event,
            transport: None,
        })
        .collect();
    let answers = store.accept(batch, Vec::new(), now).await?;
    let known = answers.iter().all(|one| matches!(one, Accepted::Duplicate));
    Ok(Ok(known && !answers.is_empty()))
}

fn say(out: &mut Out, what: &str, done: usize, left: usize) -> anyhow::Result<Exit> {
    if out.is_json() {
        out.object(&serde_json::json!({ what: done, "left": left }))?;
    } else {
        out.line(format_args!("{done} {what}, {left} left"))?;
    }
    Ok(if left == 0 {
        Exit::Fine
    } else {
        Exit::Problems
    })
}

async fn get(store: &Store, id: i64) -> anyhow::Result<Quarantined> {
    store
        .quarantined_one(id)
        .await?
        .ok_or_else(|| not_found(format!("nothing in quarantine has the number {id}")))
}

/// Those that are chosen, page by page.
struct Chosen {
    one: Option<Quarantined>,
    pages: Option<Pages>,
    cause: Option<String>,
}

impl Chosen {
    async fn of(store: &Store, which: &Which) -> anyhow::Result<Chosen> {
        Ok(match which.id {
            Some(id) => Chosen {
                one: Some(get(store, id).await?),
                pages: None,
                cause: None,
            },
            None => Chosen {
                one: None,
                pages: Some(Pages::default()),
                cause: which.cause.clone(),
            },
        })
    }

    async fn next(&mut self, store: &Store) -> anyhow::Result<Option<Vec<Quarantined>>> {
        if let Some(one) = self.one.take() {
            return Ok(Some(vec![one]));
        }
        let Some(pages) = &mut self.pages else {
            return Ok(None);
        };
        let Some(mut page) = pages.next(store).await? else {
            return Ok(None);
        };
        if let Some(wanted) = &self.cause {
            page.retain(|one| cause(one).name() == *wanted);
        }
        Ok(Some(page))
    }
}
