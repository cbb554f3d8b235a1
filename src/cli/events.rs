//! `events tail`: what comes in, newest last, live with `--follow`. Whoever an event is
//! about is covered.

use super::context::Shop;
use super::exit::misuse;
use super::{Exit, Global, Out};
use crate::ingest::mask;
use crate::model::event::{Event, EventKind};
use crate::model::ids::CustomerId;
use crate::model::nearest::nearest;
use crate::model::time::Timestamp;
use crate::store::{Access, Store, TailFilter, Told};
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;

/// How often the database is asked for what is new.
const EVERY: Duration = Duration::from_millis(500);
/// Events that are read at once.
const PAGE: usize = 500;
/// The most that can be asked for from the past.
const MOST: usize = 10_000;

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// The newest events that were accepted
    Tail(Args),
}

/// Which of them.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only from this source, such as /shopify/shop.example.com
    #[arg(long, value_name = "SOURCE")]
    pub source: Option<String>,
    /// Only of this kind, such as order.placed
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,
    /// How many to begin with
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
    pub lines: usize,
    /// Go on with what comes in, until it is stopped
    #[arg(long, short)]
    pub follow: bool,
}

#[derive(Debug, Serialize)]
struct Row<'e> {
    seq: i64,
    recordedtime: Timestamp,
    time: Timestamp,
    source: &'e str,
    #[serde(rename = "type")]
    kind: EventKind,
    id: String,
    subject: String,
    customer: Option<CustomerId>,
    ingestmode: crate::model::event::IngestMode,
    data: Value,
}

/// Prints them.
pub async fn run(global: &Global, what: &Command, out: &mut Out) -> anyhow::Result<Exit> {
    let Command::Tail(args) = what;
    if let Some(kind) = &args.kind
        && kind.parse::<EventKind>().is_err()
    {
        let kinds: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
        let hint = match nearest(kind, kinds.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("events are called {}", kinds.join(", ")),
        };
        return Err(misuse(format!(
            "--kind: no event is called {kind:?}\nhint: {hint}"
        )));
    }
    let shop = Shop::open(global)?;
    let store = shop.store(Access::Reader).await?;
    let filter = TailFilter {
        source: args.source.clone(),
        kind: args.kind.clone(),
    };
    // What comes in meanwhile is newer than this, and not lost.
    let mut last = store.last_event().await?;
    let newest = store.newest_events(&filter, args.lines.min(MOST)).await?;
    for told in &newest {
        last = last.max(tell(told, out)?);
    }
    out.flush()?;
    if args.follow {
        follow(&store, &filter, last, out).await?;
    }
    store.close().await;
    Ok(Exit::Fine)
}

/// Until whoever reads has gone, or the command is stopped.
async fn follow(
    store: &Store,
    filter: &TailFilter,
    mut last: i64,
    out: &mut Out,
) -> anyhow::Result<()> {
    loop {
        let newest = store.last_event().await?;
        let page = store.events_after(filter, last, PAGE).await?;
        let full = page.len() == PAGE;
        for told in &page {
            last = last.max(tell(told, out)?);
        }
        out.flush()?;
        if !full {
            // Nothing up to there meets the filter.
            last = last.max(newest);
            tokio::select! {
                _ = tokio::signal::ctrl_c() => return Ok(()),
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }
}

/// Prints one; its number.
fn tell((customer, event): &Told, out: &mut Out) -> anyhow::Result<i64> {
    let event = match event {
        Ok(event) => event,
        Err(corrupt) => {
            tracing::error!(error = %corrupt, "an event is left out: its row does not parse");
            return Ok(corrupt.id.parse().unwrap_or_default());
        }
    };
    if out.is_json() {
        out.object(&row(*customer, event)?)?;
    } else {
        let mode = match event.mode {
            crate::model::event::IngestMode::Live => "",
            crate::model::event::IngestMode::Backfill => " (history)",
            crate::model::event::IngestMode::Replay => " (replayed)",
        };
        let whom = match customer {
            Some(customer) => format!("customer {customer}"),
            None if event.kind == EventKind::ProductUpdated => "the shop".to_owned(),
            None => "waits for its customer".to_owned(),
        };
        out.line(format_args!(
            "{}  {:32} {}  {}  {whom}{mode}",
            event.recorded,
            event.kind.as_str(),
            event.source,
            mask::free(&event.subject),
        ))?;
    }
    Ok(event.seq.0)
}

fn row(customer: Option<CustomerId>, event: &Event) -> anyhow::Result<Row<'_>> {
    Ok(Row {
        seq: event.seq.0,
        recordedtime: event.recorded,
        time: event.time,
        source: &event.source,
        kind: event.kind,
        id: mask::free(&event.id),
        subject: mask::free(&event.subject),
        customer,
        ingestmode: event.mode,
        data: mask::value(serde_json::to_value(&*event.body)?),
    })
}
