//! `import`: past orders from files. They build history, of which nothing is sent, unless
//! `--enrol-since` says from when on they may enrol. Reading on after a failure is reading
//! again: every fact has a name, and is stored once.

mod dry;
mod read;
mod rejects;

use super::batches::{Batches, Complaints, Kept, Piece, Storing, What};
use super::context::Shop;
use super::exit::misuse;
use super::{Exit, Global, Out, key};
use crate::clock::Clock;
use crate::engine::intake::Totals;
use crate::engine::transit;
use crate::model::event::{Event, IngestMode};
use crate::model::time::{TimeZone, Timestamp};
use crate::store::{Access, Poison, Store};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::civil::Date;
use rejects::Rejects;
use serde::Serialize;
use std::path::PathBuf;

/// What to read, and as what.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Events (one JSON object a line) or CSV; `-` reads events from standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<String>,
    /// What the files are; unset, by their first line
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Which column of a CSV is which (TOML)
    #[arg(long, value_name = "FILE")]
    pub map: Option<PathBuf>,
    /// Whose orders a CSV holds: a source of the configuration, or the `source` of its
    /// events, such as /shopify/shop.example.com
    #[arg(long, value_name = "SOURCE")]
    pub source: Option<String>,
    /// The zone of times in a CSV that name none
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,
    /// Let what happened since then enrol people: a day, or an instant (RFC 3339)
    #[arg(long, value_name = "DATE")]
    pub enrol_since: Option<String>,
    /// Only say what would come of it
    #[arg(long)]
    pub dry_run: bool,
    /// Where rows of a CSV go that cannot be used; unset, beside it
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Canonical events, one JSON object a line
    Ndjson,
    /// CSV with our names of columns, or a mapping
    Csv,
    /// The orders export of Shopify
    Shopify,
    /// The orders export of WooCommerce's export plugins
    Woocommerce,
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Sums {
    #[serde(flatten)]
    totals: Totals,
    /// Orders of a CSV whose rows could not be used.
    rejected: usize,
}

/// Whether an event is history, or may enrol.
#[derive(Debug, Clone, Copy)]
pub struct Since(Option<Timestamp>);

impl Since {
    fn mode(self, time: Timestamp) -> IngestMode {
        match self.0 {
            Some(since) if time >= since => IngestMode::Replay,
            Some(_) | None => IngestMode::Backfill,
        }
    }
}

/// Reads all files; 1 where something could not be used.
pub async fn run(global: &Global, args: &Args, out: &mut Out) -> anyhow::Result<Exit> {
    let shop = Shop::open(global)?;
    let since = Since(
        args.enrol_since
            .as_deref()
            .map(|text| instant(&shop, text))
            .transpose()?,
    );
    let inputs = args
        .files
        .iter()
        .map(|file| read::Input::open(file, args, &shop))
        .collect::<anyhow::Result<Vec<_>>>()?;
    if args.dry_run {
        return dry::run(&shop, inputs, since, out).await;
    }
    let store = shop.store(Access::Writer).await?;
    // An empty database becomes an install of its own by the first thing that writes to it.
    key::arming(&store, &shop.config.arming_key_file).await?;
    let clock = shop.clock(&store).await?;
    let mut sums = Sums::default();
    let mut written = Vec::new();
    let mut outcome = Ok(());
    for input in inputs {
        let mut rejects = Rejects::beside(input.name(), input.header(), args.rejects.as_deref())?;
        let mut storing = Storing::to(&store);
        outcome = take(
            &store,
            &clock,
            input,
            since,
            &mut rejects,
            &mut sums,
            &mut storing,
        )
        .await;
        let ended = storing.end().await;
        outcome = outcome.and(ended);
        sums.totals += storing.totals();
        written.extend(rejects.close()?);
        if outcome.is_err() {
            break;
        }
    }
    if sums.totals.accepted > 0 {
        // The service need not wait for tomorrow to learn from it.
        transit::learn_anew(&store).await?;
    }
    store.close().await;
    outcome?;
    tell(out, &sums, &written)?;
    Ok(if sums.totals.quarantined + sums.rejected > 0 {
        Exit::Problems
    } else {
        Exit::Fine
    })
}

fn tell(out: &mut Out, sums: &Sums, written: &[PathBuf]) -> anyhow::Result<()> {
    if out.is_json() {
        return out.object(sums);
    }
    let Sums { totals, rejected } = sums;
    out.line(format_args!(
        "{} accepted, {} duplicate, {} quarantined, {rejected} rejected",
        totals.accepted, totals.duplicate, totals.quarantined
    ))?;
    if totals.quarantined > 0 {
        out.line("see `aftercare quarantine list`")?;
    }
    for path in written {
        out.line(format_args!(
            "orders that could not be used: {}; mend them there and import that file",
            path.display()
        ))?;
    }
    Ok(())
}

/// Takes one file in.
async fn take(
    to: &Store,
    clock: &Clock,
    input: read::Input,
    since: Since,
    rejects: &mut Rejects,
    sums: &mut Sums,
    storing: &mut Storing,
) -> anyhow::Result<()> {
    let name = input.name().to_owned();
    let bar = progress(input.bytes());
    let mut batches = Batches::of(input.pieces(clock.clone(), since, &bar));
    let mut complaints = Complaints::default();
    let mut kept = Kept::default();
    while let Some(batch) = batches.next().await? {
        let (events, bad) = sorted(batch);
        let mut poison: Vec<Poison> = Vec::new();
        for piece in bad {
            let (reason, because) = match &piece.what {
                What::Poison(bad) => (&bad.reason, &bad.because),
                What::Rejected {
                    reason, because, ..
                } => (reason, because),
                What::Events(_) => continue,
            };
            let file = format!("{name}: ");
            bar.suspend(|| complaints.tell(&file, &piece.place, reason, because));
            match piece.what {
                What::Events(_) => {}
                What::Poison(bad) if kept.is_new(to, &bad).await? => poison.push(*bad),
                // It is there since an earlier try.
                What::Poison(_) => sums.totals.quarantined += 1,
                What::Rejected { rows, .. } => {
                    sums.rejected += 1;
                    rejects.write(&rows)?;
                }
            }
        }
        storing.put(events, poison, clock.now()).await?;
        let stored = storing.totals();
        bar.set_message(format!(
            "{} accepted, {} duplicate",
            stored.accepted, stored.duplicate
        ));
    }
    bar.finish_and_clear();
    Ok(())
}

/// The events of a batch, and what is none.
fn sorted(batch: Vec<Piece>) -> (Vec<Event>, Vec<Piece>) {
    let (mut events, mut bad) = (Vec::new(), Vec::new());
    for piece in batch {
        match piece.what {
            What::Events(all) => events.extend(all),
            What::Poison(_) | What::Rejected { .. } => bad.push(piece),
        }
    }
    (events, bad)
}

/// A bar on standard error, where that is a terminal.
fn progress(bytes: Option<u64>) -> ProgressBar {
    let bar = match bytes {
        Some(bytes) => ProgressBar::new(bytes),
        None => ProgressBar::new_spinner(),
    };
    // The words are constants; a bar without them is a bar all the same.
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {percent:>3} % {eta:>4} {msg}") {
        bar.set_style(style);
    }
    bar
}

/// A day (its beginning where the shop is) or an instant.
fn instant(shop: &Shop, text: &str) -> anyhow::Result<Timestamp> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let day: Date = text.parse().map_err(|_| {
        misuse(format!(
            "--enrol-since: expected a day such as 2026-10-01, found {text:?}"
        ))
    })?;
    let zone: TimeZone = shop.files()?.catalog.policy.zone.clone();
    let start = zone.to_ambiguous_timestamp(day.at(0, 0, 0, 0));
    start
        .compatible()
        .map_err(|error| misuse(format!("--enrol-since: {error}")))
}
