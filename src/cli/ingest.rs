//! `ingest`: live events from a file or a pipe, stored durably, then acted on by the
//! service. History is taken in by [`super::import`].

use super::batches::{Batches, Complaints, Kept, Piece, Storing, What};
use super::context::Shop;
use super::lines::{self, Lines};
use super::{Exit, Global, Out, key};
use crate::clock::Clock;
use crate::engine::intake::Totals;
use crate::ingest::canonical::Learnt;
use crate::store::{Access, Store};

/// What to read.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Canonical events (CloudEvents), one JSON object a line; `-` reads standard input
    #[arg(value_name = "FILE")]
    pub file: String,
}

/// Reads all events; 1 where some could not be used.
pub async fn run(global: &Global, args: &Args, out: &mut Out) -> anyhow::Result<Exit> {
    let shop = Shop::open(global)?;
    let lines = Lines::open(&args.file)?;
    let store = shop.store(Access::Writer).await?;
    // An empty database becomes an install of its own by the first thing that writes to it.
    key::arming(&store, &shop.config.arming_key_file).await?;
    let clock = shop.clock(&store).await?;
    let outcome = take(&store, &clock, lines).await;
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

async fn take(to: &Store, clock: &Clock, lines: Lines) -> anyhow::Result<Totals> {
    let reading = clock.clone();
    let pieces = lines.map(move |line| {
        let line = line?;
        let what = match lines::event(&line, Learnt::Now(reading.now()), false) {
            Ok(event) => What::Events(vec![event]),
            Err(poison) => What::Poison(poison),
        };
        Ok(Piece {
            place: format!("line {}", line.number),
            what,
        })
    });
    let mut storing = Storing::to(to);
    let taken = take_all(to, clock, Batches::of(pieces), &mut storing).await;
    let ended = storing.end().await;
    let known = taken?;
    ended?;
    let mut totals = storing.totals();
    totals.quarantined += known;
    Ok(totals)
}

/// Gives how many bodies were in quarantine before.
async fn take_all(
    to: &Store,
    clock: &Clock,
    mut batches: Batches,
    storing: &mut Storing,
) -> anyhow::Result<usize> {
    let mut known = 0;
    let mut complaints = Complaints::default();
    let mut kept = Kept::default();
    while let Some(batch) = batches.next().await? {
        let (mut events, mut poison) = (Vec::new(), Vec::new());
        // What was read ahead is learnt when it is stored.
        let now = clock.now();
        for piece in batch {
            match piece.what {
                What::Events(mut all) => {
                    for event in &mut all {
                        event.recorded = event.recorded.min(now);
                    }
                    events.extend(all);
                }
                What::Poison(bad) => {
                    complaints.tell("", &piece.place, &bad.reason, &bad.because);
                    if kept.is_new(to, &bad).await? {
                        poison.push(*bad);
                    } else {
                        known += 1;
                    }
                }
                // Lines of events are never rejected.
                What::Rejected { .. } => {}
            }
        }
        storing.put(events, poison, now).await?;
    }
    Ok(known)
}
