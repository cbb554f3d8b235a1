//! `doctor`: looks after an install. Files, database, key, relay, zones, what waits for
//! a human, and the invariants of delivery that the ledger itself can show.

mod brokers;
mod sources;

use super::context::{Open, Shop};
use super::{Exit, Global, Out, key};
use crate::engine::{alerts, privacy, reload, spill};
use crate::journal;
use crate::mail::Transport;
use crate::model::diagnostic::Severity;
use crate::model::holidays;
use crate::model::ids::{CustomerId, EnrolmentId};
use crate::model::kind::OnUncertain;
use crate::model::send::{Send, SendState};
use crate::model::time::{self, TimeZone, Timestamp};
use crate::store::{Access, SendFilter, Store};
use jiff::SignedDuration;
use owo_colors::OwoColorize;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::BufRead as _;
use std::time::Duration;

/// How long the relay may take to greet.
const RELAY: Duration = Duration::from_secs(20);
/// Odd ones told by name, of each sort.
const TOLD: usize = 10;
/// How long after its decision a send that is due is expected to have moved (I15): the
/// longest wait between two tries, and an hour.
const STUCK_HOURS: i64 = 6;
/// Where the system keeps its zones.
const ZONES: [&str; 2] = [
    "/usr/share/zoneinfo/tzdata.zi",
    "/usr/share/zoneinfo/+VERSION",
];

/// What to look at.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this; unset: everything
    #[arg(value_name = "WHAT")]
    pub what: Option<What>,
}

/// One part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum What {
    /// The relay: whether it greets
    Smtp,
    /// What came in, what is parked or in quarantine
    Events,
    /// The rules of delivery that must always hold
    Invariants,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Fine,
    /// Worth knowing; nothing is broken.
    Note,
    Bad,
}

/// Finds, prints, counts.
struct Findings<'o> {
    out: &'o mut Out,
    bad: usize,
}

impl Findings<'_> {
    fn tell(&mut self, how: How, check: &str, words: &str) -> anyhow::Result<()> {
        if how == How::Bad {
            self.bad += 1;
        }
        let state = match how {
            How::Fine => "fine",
            How::Note => "note",
            How::Bad => "bad",
        };
        if self.out.is_json() {
            return self
                .out
                .object(&serde_json::json!({"check": check, "state": state, "message": words}));
        }
        let shown = match how {
            How::Fine => state.green().to_string(),
            How::Note => state.yellow().to_string(),
            How::Bad => state.red().bold().to_string(),
        };
        // Padded by hand: escapes have no width.
        self.out.line(format_args!(
            "{shown}{} {check:12}{words}",
            " ".repeat(5 - state.len())
        ))
    }
}

/// Looks; 1 where something is bad.
pub async fn run(global: &Global, args: &Args, out: &mut Out) -> anyhow::Result<Exit> {
    let shop = Shop::open(global)?;
    let mut findings = Findings { out, bad: 0 };
    let all = args.what.is_none();
    if all {
        files(&shop, &mut findings)?;
        zones(&mut findings)?;
        holidays(&mut findings)?;
    }
    if all || args.what == Some(What::Smtp) {
        relay(&shop, &mut findings).await?;
    }
    if args.what != Some(What::Smtp) {
        let store = shop.store(Access::Reader).await?;
        if all {
            database(&shop, &store, &mut findings).await?;
        }
        if all || args.what == Some(What::Events) {
            journal(&shop, &mut findings)?;
            let now = shop.clock(&store).await?.now();
            events(&store, now, &mut findings).await?;
            sources::look(&shop, &store, &mut findings).await?;
            brokers::look(&shop, &mut findings).await?;
        }
        store.close().await;
        // Without good files the ledger has no rules to be held against.
        if reload::read(&shop.folder).live.is_some() {
            let open = shop.open_all(Access::Reader).await?;
            if all {
                waiting(&open, &mut findings).await?;
                awaited(&open, &mut findings).await?;
                experiments(&open, &mut findings).await?;
            }
            if all || args.what == Some(What::Invariants) {
                invariants(&open, &mut findings).await?;
            }
            open.store.close().await;
        }
    }
    Ok(if findings.bad == 0 {
        Exit::Fine
    } else {
        Exit::Problems
    })
}

fn files(shop: &Shop, to: &mut Findings<'_>) -> anyhow::Result<()> {
    let read = reload::read(&shop.folder);
    let count = |severity| {
        read.problems
            .iter()
            .filter(|one| one.severity() == severity)
            .count()
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    match &read.live {
        Some(live) => to.tell(
            How::Fine,
            "files",
            &format!(
                "{} sequences, {warnings} warnings",
                live.catalog.sequences.len()
            ),
        ),
        None => to.tell(
            How::Bad,
            "files",
            &format!("{errors} errors: see `aftercare check`"),
        ),
    }
}

/// Whether the holidays that `bd` counts reach far enough ahead.
fn holidays(to: &mut Findings<'_>) -> anyhow::Result<()> {
    let (_, last) = holidays::years();
    let today = time::day(crate::clock::real(), &TimeZone::UTC);
    let told = format!("public holidays for `bd` are known until the end of {last}");
    if today.year() >= last {
        to.tell(
            How::Note,
            "holidays",
            &format!("{told}: then only weekends and `closed` days count; install a newer version"),
        )
    } else {
        to.tell(How::Fine, "holidays", &told)
    }
}

fn zones(to: &mut Findings<'_>) -> anyhow::Result<()> {
    let version = ZONES.iter().find_map(|path| {
        let mut line = String::new();
        std::io::BufReader::new(std::fs::File::open(path).ok()?)
            .read_line(&mut line)
            .ok()?;
        Some(
            line.trim()
                .trim_start_matches("# version")
                .trim()
                .to_owned(),
        )
    });
    let told = match version {
        Some(version) => format!("zone data of the system, version {version}"),
        None => "zone data from this program".to_owned(),
    };
    match TimeZone::get("Asia/Tokyo") {
        Ok(_) => to.tell(How::Fine, "zones", &told),
        Err(error) => to.tell(How::Bad, "zones", &format!("no zone can be read: {error}")),
    }
}

async fn relay(shop: &Shop, to: &mut Findings<'_>) -> anyhow::Result<()> {
    let transport = shop.transport()?;
    if matches!(transport, Transport::Capture(_)) {
        return to.tell(
            How::Note,
            "relay",
            "mail is captured and shown at /mailbox; none leaves",
        );
    }
    match tokio::time::timeout(RELAY, transport.open()).await {
        Ok(Ok(connection)) => {
            connection.quit().await;
            to.tell(How::Fine, "relay", &format!("{transport} greets"))
        }
        Ok(Err(trouble)) => to.tell(How::Bad, "relay", &format!("{transport}: {trouble}")),
        Err(_) => to.tell(
            How::Bad,
            "relay",
            &format!("{transport}: no greeting within {} s", RELAY.as_secs()),
        ),
    }
}

async fn database(shop: &Shop, store: &Store, to: &mut Findings<'_>) -> anyhow::Result<()> {
    store.health().await?;
    let statements = store.prepare_all().await?;
    let faults = store.integrity().await?;
    match faults.first() {
        None => to.tell(
            How::Fine,
            "database",
            &format!("sound; all {statements} statements fit its schema"),
        )?,
        Some(first) => {
            to.tell(
                How::Bad,
                "database",
                &format!("{} faults, the first: {first}", faults.len()),
            )?;
        }
    }
    match key::look(store, &shop.config.arming_key_file).await? {
        key::Arming::Armed => to.tell(How::Fine, "key", "this install may send"),
        key::Arming::Observing(because) => to.tell(
            How::Bad,
            "key",
            &format!("this install only observes: {because}; `aftercare arm` allows it to send"),
        ),
    }
}

/// What waits for the database beside it.
fn journal(shop: &Shop, to: &mut Findings<'_>) -> anyhow::Result<()> {
    let folder = shop.config.data_dir.join(spill::FOLDER);
    let held = journal::look(&folder)?;
    if held.damaged > 0 {
        to.tell(
            How::Bad,
            "journal",
            &format!(
                "bytes of {} files went bad, and what they held may be lost: look at {} for *.damaged, reconcile with the sources, then delete them",
                held.damaged,
                folder.display()
            ),
        )?;
    }
    if held.records > 0 {
        to.tell(
            How::Note,
            "journal",
            &format!(
                "{} deliveries, {} bytes, the oldest {} s old, wait until the database takes them; `serve` stores them",
                held.records,
                held.bytes,
                spill::age(&held).as_secs()
            ),
        )?;
    }
    Ok(())
}

async fn events(store: &Store, now: Timestamp, to: &mut Findings<'_>) -> anyhow::Result<()> {
    let counts = store.counts().await?;
    to.tell(
        How::Fine,
        "events",
        &format!("{} events about {} people", counts.events, counts.people),
    )?;
    if counts.parked > 0 {
        to.tell(
            How::Note,
            "parked",
            &format!(
                "{} events wait for somebody to turn up whom they concern",
                counts.parked
            ),
        )?;
    }
    if counts.quarantined > 0 {
        to.tell(
            How::Bad,
            "quarantine",
            &format!(
                "{} events could not be used: `aftercare quarantine list`",
                counts.quarantined
            ),
        )?;
    }
    for one in alerts::standing(store).await?.silent {
        let words = format!(
            "open since {}: {} tells no {} any more",
            one.since, one.source, one.kind
        );
        to.tell(How::Note, "alert", &words)?;
    }
    for one in privacy::open_requests(store).await? {
        let (how, words) = if one.due < now {
            (How::Bad, "was due")
        } else {
            (How::Note, "is due")
        };
        let words = format!(
            "a request for data {words} on {}: `aftercare export-person` says whose",
            one.due
        );
        to.tell(how, "privacy", &words)?;
    }
    if counts.failing > 0 {
        to.tell(
            How::Bad,
            "planning",
            &format!(
                "{} people are set aside, because planning them failed",
                counts.failing
            ),
        )?;
    }
    Ok(())
}

/// What waits for a human, or may.
async fn waiting(open: &Open, to: &mut Findings<'_>) -> anyhow::Result<()> {
    for (state, how, hint) in [
        (
            "held",
            How::Bad,
            "they go once that is mended, or by `aftercare release`",
        ),
        (
            "uncertain",
            How::Note,
            "settled by policy half an hour after the doubt",
        ),
        (
            "unknown",
            How::Note,
            "they may or may not have arrived, and are not sent again",
        ),
        ("refused", How::Note, "the relay will not have them"),
    ] {
        let filter = SendFilter {
            state: Some(state.to_owned()),
            ..SendFilter::default()
        };
        let mut causes: BTreeMap<String, (usize, Vec<String>)> = BTreeMap::new();
        let mut after = None;
        loop {
            let (page, last) = open.sends(&filter, after).await?;
            for (_, _, send) in page {
                let because = send
                    .reason
                    .as_ref()
                    .map(|reason| reason.sentence())
                    .unwrap_or_default();
                let (count, ids) = causes
                    .entry(format!("{}: {because}", send.name()))
                    .or_default();
                *count += 1;
                if ids.len() < TOLD {
                    ids.push(send.id.to_string());
                }
            }
            after = last;
            if after.is_none() {
                break;
            }
        }
        for (cause, (count, ids)) in causes {
            to.tell(
                how,
                state,
                &format!("{count} × {cause} ({hint}): {}", ids.join(" ")),
            )?;
        }
    }
    Ok(())
}

/// Products that orders name and the catalogue does not know yet.
async fn awaited(open: &Open, to: &mut Findings<'_>) -> anyhow::Result<()> {
    let awaited = open.store.awaited().await?;
    for one in awaited.iter().take(TOLD) {
        to.tell(
            How::Note,
            "catalogue",
            &format!(
                "{} is not known yet: {} deliveries or orders wait for it, the first until {} (the feed or a product.updated event brings it)",
                one.product, one.facts, one.until
            ),
        )?;
    }
    if awaited.len() > TOLD {
        let more = awaited.len() - TOLD;
        to.tell(How::Note, "catalogue", &format!("and {more} products more"))?;
    }
    Ok(())
}

/// Who is in which arm, and what was changed that must not be.
async fn experiments(open: &Open, to: &mut Findings<'_>) -> anyhow::Result<()> {
    let catalog = &open.live.catalog;
    for fault in crate::engine::experiments::look(&open.store, catalog, false).await? {
        to.tell(How::Bad, "experiments", &fault.message)?;
    }
    let drawn = open.store.drawn().await?;
    let today = time::day(open.clock.now(), &catalog.policy.zone);
    let mut told: HashSet<&str> = HashSet::new();
    let all = catalog.sequences.iter();
    for experiment in all.filter_map(|sequence| sequence.experiment.as_ref()) {
        if !told.insert(&experiment.id) {
            continue;
        }
        let arms: Vec<String> = drawn
            .iter()
            .filter(|one| one.experiment == experiment.id)
            .map(|one| format!("{} in {}", one.people, one.arm))
            .collect();
        let people = if arms.is_empty() {
            "nobody is in it yet".to_owned()
        } else {
            arms.join(", ")
        };
        let (how, day) = match experiment.decide {
            Some(decide) if decide.on <= today => (
                How::Note,
                format!("; it was to be decided on {}", decide.on),
            ),
            Some(decide) => (How::Fine, format!("; decided on {}", decide.on)),
            None => (How::Note, "; it has no day of decision".to_owned()),
        };
        to.tell(
            how,
            "experiments",
            &format!("{}: {people}{day}", experiment.id),
        )?;
    }
    Ok(())
}

/// What a ledger is held against while it is read through once.
#[derive(Default)]
struct Ledger {
    owed: HashSet<(EnrolmentId, String, String)>,
    broken: BTreeMap<&'static str, Vec<String>>,
    places: HashMap<CustomerId, Vec<Send>>,
    /// Accepted, with nothing that a barrier wrote: broken, unless the person was forgotten.
    unprepared: Vec<(CustomerId, Send)>,
    read: usize,
}

impl Ledger {
    fn breaks(&mut self, invariant: &'static str, send: &Send) {
        self.broken
            .entry(invariant)
            .or_default()
            .push(send.id.to_string());
    }

    fn hold(&mut self, open: &Open, customer: CustomerId, send: Send) {
        self.read += 1;
        if !self
            .owed
            .insert((send.enrolment, send.step.clone(), send.occurrence.clone()))
        {
            self.breaks("I3 one send per run, step and parcel or item", &send);
        }
        let accepted = matches!(send.state, SendState::Accepted { .. });
        if accepted && send.prepared.is_none() {
            self.unprepared.push((customer, send.clone()));
        }
        let policy = open
            .live
            .catalog
            .sequence(&send.sequence)
            .and_then(|sequence| sequence.step(&send.step))
            .map_or(send.kind.on_uncertain(), |step| step.on_uncertain);
        if policy == OnUncertain::Hold && send.doubts > 1 {
            self.breaks("I8 what is held in doubt is not sent again", &send);
        }
        if accepted && send.at < send.due {
            self.breaks("I16 nothing before its due time", &send);
        }
        let now = open.clock.now();
        let stuck = time::saturating_add(now, SignedDuration::from_hours(-STUCK_HOURS));
        if matches!(send.state, SendState::Queued { not_before } if not_before < stuck) {
            self.breaks(
                "I15 what is due moves on (is `aftercare serve` running?)",
                &send,
            );
        }
        if send.kind.is_bound() && accepted {
            self.places.entry(customer).or_default().push(send);
        }
    }

    /// I23: no more than so many a local day.
    fn hold_limits(&mut self, open: &Open) {
        let Some(most) = open.live.catalog.policy.limits.per_day else {
            return;
        };
        let people = std::mem::take(&mut self.places);
        for sends in people.into_values() {
            let mut days: BTreeMap<time::Date, u32> = BTreeMap::new();
            for send in &sends {
                let zone = TimeZone::get(&send.zone).unwrap_or(TimeZone::UTC);
                let count = days.entry(time::day(send.at, &zone)).or_default();
                *count += 1;
                if *count > most {
                    self.breaks(
                        "I23 no more mails a day to one person than [limits] says",
                        send,
                    );
                }
            }
        }
    }
}

async fn invariants(open: &Open, to: &mut Findings<'_>) -> anyhow::Result<()> {
    let mut ledger = Ledger::default();
    let mut after = None;
    loop {
        let (page, last) = open.sends(&SendFilter::default(), after).await?;
        for (customer, _, send) in page {
            ledger.hold(open, customer, send);
        }
        after = last;
        if after.is_none() {
            break;
        }
    }
    ledger.hold_limits(open);
    for (customer, send) in std::mem::take(&mut ledger.unprepared) {
        let history = open.store.histories(&[customer]).await?.pop();
        if !history.is_some_and(|history| history.is_ok_and(|history| history.erased)) {
            ledger.breaks("I5 no dot without its barrier", &send);
        }
    }
    if ledger.broken.is_empty() {
        to.tell(
            How::Fine,
            "invariants",
            &format!("hold for all {} sends", ledger.read),
        )?;
    }
    for (invariant, mut ids) in ledger.broken {
        let count = ids.len();
        ids.truncate(TOLD);
        to.tell(
            How::Bad,
            "invariants",
            &format!("{invariant}: broken {count} times: {}", ids.join(" ")),
        )?;
    }
    Ok(())
}
