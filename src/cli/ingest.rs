//! `ingest`: live events from a file or a pipe, stored durably, then acted on by the
//! service. `import`: the same as history, of which nothing is ever sent.

use super::context::Shop;
use super::exit::out_of_reach;
use super::lines::{self, Line, Lines};
use super::{Exit, Global, Out, key};
use crate::clock::Clock;
use crate::engine::intake::Totals;
use crate::ingest::canonical::Learnt;
use crate::store::{Accepted, Access, Incoming, Poison, Store};
use std::io::Write as _;
use std::time::Duration;
use tokio::sync::mpsc;

/// Events stored in one commit, at most.
const BATCH: usize = 500;
/// Lines read ahead of the database.
const AHEAD: usize = 2 * BATCH;
/// How long an event may wait for others to be stored with, where a pipe is slow.
const LINGER: Duration = Duration::from_millis(50);
/// Lines that are told about one by one; the rest is in the quarantine anyway.
const TOLD: u64 = 20;

/// What to read.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Canonical events (CloudEvents), one JSON object a line; `-` reads standard input
    #[arg(value_name = "FILE")]
    pub file: String,
}

/// What events count as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum As {
    Live,
    History,
}

/// Reads all events; 1 where some could not be used.
pub async fn run(global: &Global, args: &Args, how: As, out: &mut Out) -> anyhow::Result<Exit> {
    let shop = Shop::open(global)?;
    let lines = Lines::open(&args.file)?;
    let store = shop.store(Access::Writer).await?;
    // An empty database becomes an install of its own by the first thing that writes to it.
    key::arming(&store, &shop.config.arming_key_file).await?;
    let clock = shop.clock(&store).await?;
    let outcome = take(&store, &clock, lines, how).await;
    store.close().await;
    let totals = outcome?;
    if out.is_json() {
        out.object(&totals)?;
    } else {
        out.line(format_args!(
            "{} accepted, {} duplicate, {} quarantined",
            totals.accepted, totals.duplicate, totals.quarantined
        ))?;
        if totals.quarantined > 0 {
            out.line("see `aftercare quarantine list`")?;
        }
    }
    Ok(if totals.quarantined > 0 {
        Exit::Problems
    } else {
        Exit::Fine
    })
}

async fn take(store: &Store, clock: &Clock, lines: Lines, how: As) -> anyhow::Result<Totals> {
    let (to, mut from) = mpsc::channel::<anyhow::Result<Line>>(AHEAD);
    // A thread of its own: standard input may block for ever, and nobody waits for it then.
    std::thread::spawn(move || {
        for line in lines {
            let failed = line.is_err();
            if to.blocking_send(line).is_err() || failed {
                return;
            }
        }
    });
    let mut totals = Totals::default();
    let mut told = 0;
    let mut open = true;
    while open {
        let mut batch: Vec<Incoming> = Vec::new();
        let mut poison: Vec<Poison> = Vec::new();
        while batch.len() + poison.len() < BATCH {
            let waiting = !(batch.is_empty() && poison.is_empty());
            let next = if waiting {
                match tokio::time::timeout(LINGER, from.recv()).await {
                    Ok(next) => next,
                    Err(_) => break,
                }
            } else {
                from.recv().await
            };
            let Some(line) = next else {
                open = false;
                break;
            };
            let line = line?;
            let learnt = match how {
                As::Live => Learnt::Now(clock.now()),
                As::History => Learnt::AsTold(clock.now()),
            };
            match lines::event(&line, learnt, how == As::History) {
                Ok(mut event) => {
                    // A file may say when it learnt something, but not that it will.
                    event.recorded = event.recorded.min(clock.now());
                    batch.push(Incoming {
                        event,
                        transport: None,
                    });
                }
                Err(bad) => {
                    told += 1;
                    tell(told, &line, &bad);
                    poison.push(bad);
                }
            }
        }
        if !(batch.is_empty() && poison.is_empty()) {
            store_batch(store, clock, batch, poison, &mut totals).await?;
        }
    }
    Ok(totals)
}

async fn store_batch(
    store: &Store,
    clock: &Clock,
    batch: Vec<Incoming>,
    poison: Vec<Poison>,
    totals: &mut Totals,
) -> anyhow::Result<()> {
    let quarantined = poison.len();
    let answers = store.accept(batch, poison, clock.now()).await.map_err(|error| {
        anyhow::Error::from(error).context(out_of_reach(format!(
            "the events could not be stored; {} before them were\nhint: take the whole file in again, what is stored counts as duplicate",
            totals.accepted + totals.duplicate
        )))
    })?;
    let duplicate = answers
        .iter()
        .filter(|one| matches!(one, Accepted::Duplicate))
        .count();
    totals.accepted += answers.len() - duplicate;
    totals.duplicate += duplicate;
    totals.quarantined += quarantined;
    Ok(())
}

fn tell(nth: u64, line: &Line, bad: &Poison) {
    let mut to = anstream::stderr();
    // Whoever closed standard error does not want to know.
    let _ = match nth.cmp(&TOLD) {
        std::cmp::Ordering::Greater => Ok(()),
        std::cmp::Ordering::Equal => writeln!(
            to,
            "line {}: {}: {}\nfurther lines are not told one by one",
            line.number, bad.reason, bad.because
        ),
        std::cmp::Ordering::Less => {
            writeln!(to, "line {}: {}: {}", line.number, bad.reason, bad.because)
        }
    };
}
