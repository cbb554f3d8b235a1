//! `quarantine`: events that could not be used, kept whole with the reason: to look at,
//! to try again, to drop.

use super::context::{PAGE, Shop};
use super::exit::not_found;
use super::lines::{self, Line};
use super::{Exit, Global, Out, sources};
use crate::ingest::adapters::{Beside, Recorded, hear};
use crate::ingest::canonical::Learnt;
use crate::store::{Accepted, Access, Incoming, Quarantined, Store};
use serde::Serialize;

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// What is there
    List,
    /// One of them, whole
    Show {
        /// Its number, from the list
        id: i64,
    },
    /// Try again: after an update, or once its source can be read
    Replay(Which),
    /// Throw away
    Drop(Which),
}

/// Which of them.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub struct Which {
    /// Its number, from the list
    #[arg(group = "which")]
    pub id: Option<i64>,
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
    recordedtime: crate::model::time::Timestamp,
    reason: &'q str,
    because: &'q str,
    tries: i64,
}

impl<'q> From<&'q Quarantined> for Row<'q> {
    fn from(one: &'q Quarantined) -> Self {
        Row {
            id: one.id,
            source: one.source.as_deref(),
            kind: one.kind.as_deref(),
            recordedtime: one.recorded,
            reason: &one.reason,
            because: &one.because,
            tries: one.tries,
        }
    }
}

/// Does it.
pub async fn run(global: &Global, what: &Command, out: &mut Out) -> anyhow::Result<Exit> {
    let shop = Shop::open(global)?;
    let access = match what {
        Command::List | Command::Show { .. } => Access::Reader,
        Command::Replay(_) | Command::Drop(_) => Access::Writer,
    };
    let store = shop.store(access).await?;
    let exit = match what {
        Command::List => list(&store, out).await?,
        Command::Show { id } => show(&store, *id, out).await?,
        Command::Replay(which) => replay(&shop, &store, which, out).await?,
        Command::Drop(which) => {
            let all = chosen(&store, which).await?;
            for one in &all {
                store.drop_quarantined(one.id).await?;
            }
            say(out, "dropped", all.len(), 0)?
        }
    };
    store.close().await;
    Ok(exit)
}

async fn list(store: &Store, out: &mut Out) -> anyhow::Result<Exit> {
    let all = every(store).await?;
    let mut table = out.table(&[
        "id", "learnt", "source", "type", "reason", "because", "tries",
    ]);
    for one in &all {
        let row = Row::from(one);
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
            row.because.to_owned(),
            row.tries.to_string(),
        ]);
    }
    if !out.is_json() {
        if !all.is_empty() {
            out.show(&table)?;
        }
        out.line(format_args!("{} in quarantine", all.len()))?;
    }
    Ok(Exit::Fine)
}

async fn show(store: &Store, id: i64, out: &mut Out) -> anyhow::Result<Exit> {
    let one = get(store, id).await?;
    if out.is_json() {
        let mut whole = serde_json::to_value(Row::from(&one))?;
        whole["body"] = serde_json::Value::String(one.body);
        out.object(&whole)?;
    } else {
        out.line(format_args!("{}: {}", one.reason, one.because))?;
        out.line(&one.body)?;
    }
    Ok(Exit::Fine)
}

async fn replay(shop: &Shop, store: &Store, which: &Which, out: &mut Out) -> anyhow::Result<Exit> {
    let clock = shop.clock(store).await?;
    let (mut used, mut left) = (0, 0);
    for one in chosen(store, which).await? {
        let now = clock.now();
        if let Some(delivery) = Recorded::read(&one.body) {
            match again(shop, store, &delivery, now).await? {
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

/// Maps a platform's delivery anew; who sent it was proved when it came. Whether all of
/// it was known already, or why it still cannot be read.
async fn again(
    shop: &Shop,
    store: &Store,
    delivery: &Recorded,
    now: crate::model::time::Timestamp,
) -> anyhow::Result<Result<bool, String>> {
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
    if let Some(bad) = taken.poison {
        return Ok(Err(format!("{}: {}", bad.reason, bad.because)));
    }
    let batch: Vec<Incoming> = taken
        .events
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

async fn chosen(store: &Store, which: &Which) -> anyhow::Result<Vec<Quarantined>> {
    match which.id {
        Some(id) => Ok(vec![get(store, id).await?]),
        None => every(store).await,
    }
}

pub async fn every(store: &Store) -> anyhow::Result<Vec<Quarantined>> {
    let mut all: Vec<Quarantined> = Vec::new();
    loop {
        let page = store
            .quarantined(all.last().map_or(0, |last| last.id), PAGE)
            .await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}
