//! `import --dry-run`: what would come of it. The files are taken into a database of their
//! own that is thrown away, and the planner itself looks at everybody in it; nothing of
//! the shop's own database is written. What that one knows already starts nothing.

use super::{Since, progress, read, sorted};
use crate::cli::batches::{Batches, Complaints, What};
use crate::cli::context::{PAGE, Shop, sqlite_path};
use crate::cli::{Exit, Out};
use crate::clock::Clock;
use crate::engine::reload::{self, Live};
use crate::model::event::{Event, EventKind, IngestMode};
use crate::model::send::SendState;
use crate::model::time::{self, Timestamp};
use crate::plan::{self, Decision};
use crate::store::{Accepted, Access, Incoming, Store};
use jiff::SignedDuration;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// How far ahead mails are counted, in days.
const AHEAD_DAYS: i64 = 7;
/// What folders of thrown-away databases are called.
const SCRATCH: &str = "dry-run-";

/// Events of one kind.
#[derive(Debug, Default, Serialize)]
struct Count {
    new: usize,
    /// In the shop's database.
    known: usize,
    /// Told before in these files.
    repeated: usize,
}

/// What would come of it.
#[derive(Debug, Default, Serialize)]
struct Summary {
    orders: usize,
    people: i64,
    /// Events that wait for somebody to turn up whom they concern.
    parked: i64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    events: BTreeMap<&'static str, Count>,
    /// New events that build history only.
    history_only: usize,
    /// New events that may enrol.
    may_enrol: usize,
    unusable: usize,
    /// By sequence: people's runs that would open.
    enrol: BTreeMap<String, usize>,
    /// Deliveries or orders that would wait for the catalogue.
    awaiting_products: usize,
    /// By mail: what would go within a week.
    mails: BTreeMap<String, usize>,
}

/// Reads the files and says what would come of them; 1 where something cannot be used.
pub async fn run(
    shop: &Shop,
    inputs: Vec<read::Input>,
    since: Since,
    out: &mut Out,
) -> anyhow::Result<Exit> {
    let live = shop.files()?;
    let own = match sqlite_path(&shop.config.database.url) {
        Some(path) if !path.exists() => None,
        Some(_) | None => Some(shop.store(Access::Reader).await?),
    };
    let scratch = Scratch::make(&shop.config.data_dir)?;
    let store = Store::open(&scratch.url(), Access::Writer).await?;
    let clock = match &own {
        Some(own) => shop.clock(own).await?,
        None => shop.clock(&store).await?,
    };
    let mut summary = Summary::default();
    for input in inputs {
        take(&store, own.as_ref(), &clock, input, since, &mut summary).await?;
    }
    let live = match &own {
        // What the shop's own database knows of products, and these files on top.
        Some(own) => {
            let mut products = own.product_events().await?;
            products.extend(store.product_events().await?);
            reload::dress(own, live, clock.now(), false)
                .await?
                .with_products(products)
        }
        None => live.with_products(store.product_events().await?),
    };
    look(&store, &live, clock.now(), &mut summary).await?;
    store.close().await;
    if let Some(own) = own {
        own.close().await;
    }
    tell(&summary, since, live.catalog.policy.live_since, out)?;
    Ok(if summary.unusable > 0 {
        Exit::Problems
    } else {
        Exit::Fine
    })
}

async fn take(
    store: &Store,
    own: Option<&Store>,
    clock: &Clock,
    input: read::Input,
    since: Since,
    summary: &mut Summary,
) -> anyhow::Result<()> {
    let file = format!("{}: ", input.name());
    let bar = progress(input.bytes());
    let mut batches = Batches::of(input.pieces(clock.clone(), since, &bar));
    let mut complaints = Complaints::default();
    while let Some(batch) = batches.next().await? {
        let (mut events, bad) = sorted(batch);
        for piece in bad {
            summary.unusable += 1;
            let (reason, because) = match &piece.what {
                What::Poison(bad) => (&bad.reason, &bad.because),
                What::Rejected {
                    reason, because, ..
                } => (reason, because),
                What::Events(_) => continue,
            };
            bar.suspend(|| complaints.tell(&file, &piece.place, reason, because));
        }
        let known = match own {
            None => Default::default(),
            Some(own) => {
                let names: BTreeSet<(&str, &str)> = events
                    .iter()
                    .map(|event| (event.source.as_str(), event.id.as_str()))
                    .collect();
                own.known(&names).await?
            }
        };
        for event in &mut events {
            event.considered = known.contains_key(&(event.source.clone(), event.id.clone()));
        }
        let notes: Vec<Note> = events.iter().map(Note::of).collect();
        let batch = events
            .into_iter()
            .map(|event| Incoming {
                event,
                transport: None,
            })
            .collect();
        let answers = store.accept(batch, Vec::new(), clock.now()).await?;
        for (note, answer) in notes.into_iter().zip(answers) {
            summary.note(&note, matches!(answer, Accepted::Duplicate));
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// What is counted of an event.
struct Note {
    kind: EventKind,
    time: Timestamp,
    mode: IngestMode,
    known: bool,
}

impl Note {
    fn of(event: &Event) -> Note {
        Note {
            kind: event.kind,
            time: event.time,
            mode: event.mode,
            known: event.considered,
        }
    }
}

impl Summary {
    fn note(&mut self, note: &Note, repeated: bool) {
        let count = self.events.entry(note.kind.as_str()).or_default();
        if repeated {
            count.repeated += 1;
            return;
        }
        self.first = Some(self.first.map_or(note.time, |first| first.min(note.time)));
        self.last = Some(self.last.map_or(note.time, |last| last.max(note.time)));
        if note.kind == EventKind::OrderPlaced {
            self.orders += 1;
        }
        if note.known {
            count.known += 1;
            return;
        }
        count.new += 1;
        match note.mode {
            IngestMode::Backfill => self.history_only += 1,
            IngestMode::Live | IngestMode::Replay => self.may_enrol += 1,
        }
    }
}

/// Has the planner look at everybody.
async fn look(
    store: &Store,
    live: &Live,
    now: Timestamp,
    summary: &mut Summary,
) -> anyhow::Result<()> {
    let counts = store.counts().await?;
    summary.people = counts.people;
    summary.parked = counts.parked;
    let ahead = time::saturating_add(now, SignedDuration::from_hours(24 * AHEAD_DAYS));
    let mut after = None;
    loop {
        let page = store.active_customers(after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some(*last);
        for history in store.histories(&page).await? {
            // It was written by this process; a row that does not parse is told by `doctor`.
            let Ok(history) = history else { continue };
            let plan = plan::plan(&live.catalog, &history, now);
            for decision in &plan.decisions {
                match decision {
                    Decision::Enrol(run) => {
                        *summary.enrol.entry(run.sequence.clone()).or_default() += 1;
                    }
                    Decision::Await(_) => summary.awaiting_products += 1,
                    Decision::Decide(send) if matches!(send.state, SendState::Queued { .. }) => {
                        *summary.mails.entry(send.name()).or_default() += 1;
                    }
                    Decision::Assign(_)
                    | Decision::Settle(_)
                    | Decision::Update(_)
                    | Decision::Decide(_)
                    | Decision::Revise(_) => {}
                }
            }
            for next in plan.outlook.iter().filter(|next| next.go <= ahead) {
                let name = format!("{}/{}", next.sequence, next.step);
                *summary.mails.entry(name).or_default() += 1;
            }
        }
    }
}

fn tell(
    summary: &Summary,
    since: Since,
    live_since: Option<Timestamp>,
    out: &mut Out,
) -> anyhow::Result<()> {
    if out.is_json() {
        return out.object(summary);
    }
    out.line("dry run: nothing is stored")?;
    let span = match (summary.first, summary.last) {
        (Some(first), Some(last)) => format!(", from {first} to {last}"),
        _ => String::new(),
    };
    out.line(format_args!(
        "{} orders, {} people{span}",
        summary.orders, summary.people
    ))?;
    let mut table = out.table(&["event", "new", "known already", "repeated"]);
    for (kind, count) in &summary.events {
        table.add_row(vec![
            (*kind).to_owned(),
            count.new.to_string(),
            count.known.to_string(),
            count.repeated.to_string(),
        ]);
    }
    out.show(&table)?;
    out.line(format_args!(
        "{} events are history only: they start nothing",
        summary.history_only
    ))?;
    match since.0 {
        None => out.line("nobody is enrolled without --enrol-since DATE")?,
        Some(at) => {
            out.line(format_args!(
                "{} events since {at} may enrol",
                summary.may_enrol
            ))?;
            if live_since.is_some_and(|live| at < live) {
                out.line("that is before `live_since`: this import acts on them all the same")?;
            }
        }
    }
    for (sequence, runs) in &summary.enrol {
        out.line(format_args!("  {sequence}: {runs} would enrol now"))?;
    }
    for (mail, count) in &summary.mails {
        out.line(format_args!("  {mail}: {count} within {AHEAD_DAYS} days"))?;
    }
    if summary.awaiting_products > 0 {
        out.line(format_args!(
            "{} deliveries or orders would wait for products that the catalogue does not know",
            summary.awaiting_products
        ))?;
    }
    if summary.parked > 0 {
        out.line(format_args!(
            "{} events would wait for somebody to turn up whom they concern",
            summary.parked
        ))?;
    }
    if summary.unusable > 0 {
        out.line(format_args!(
            "{} cannot be used, see above",
            summary.unusable
        ))?;
    }
    Ok(())
}

/// A folder that goes with everything in it: it holds people's data.
struct Scratch(PathBuf);

impl Scratch {
    fn make(data: &Path) -> anyhow::Result<Scratch> {
        sweep(data);
        let folder = data.join(format!("{SCRATCH}{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Scratch(folder))
    }

    fn url(&self) -> String {
        format!("sqlite:{}", self.0.join("events.db").display())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be taken away now is taken away by the next dry run.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Takes away what dry runs left that were killed.
fn sweep(data: &Path) {
    let Ok(entries) = std::fs::read_dir(data) else {
        return;
    };
    let processes = Path::new("/proc");
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(id) = name.to_str().and_then(|name| name.strip_prefix(SCRATCH)) else {
            continue;
        };
        if processes.is_dir() && !processes.join(id).exists() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
