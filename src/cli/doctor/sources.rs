//! `doctor events`: which sources are heard, which have fallen silent, and which kinds of
//! event the files live on and nobody tells.

use super::{Findings, How};
use crate::cli::context::Shop;
use crate::cli::sources;
use crate::engine::platforms::{self, poll};
use crate::engine::reload;
use crate::engine::silence::Listener;
use crate::engine::traces::trace;
use crate::ingest::silence::{Standing, WEEKS};
use crate::ingest::switches;
use crate::model::event::EventKind;
use crate::model::time::{self, TimeZone, Timestamp};
use crate::sequence::needed::{For, needed};
use crate::store::Store;
use jiff::SignedDuration;
use std::collections::BTreeSet;

/// What comes in every few weeks wherever anything is sold; a shop may well have had no
/// refund for so long.
const EVERY_SHOP: &[EventKind] = &[
    EventKind::OrderPlaced,
    EventKind::OrderPaid,
    EventKind::ShipmentDispatched,
    EventKind::ShipmentDelivered,
];

/// After how many intervals without an end asking is late, and after how long at least.
const LATE: u32 = 6;
const LEAST_LATE: SignedDuration = SignedDuration::from_hours(1);

/// Looks at every source that was heard, and at every kind that is needed.
pub(super) async fn look(shop: &Shop, store: &Store, to: &mut Findings<'_>) -> anyhow::Result<()> {
    let live = reload::read(&shop.folder).live;
    let zone = match &live {
        Some(live) => live.catalog.policy.zone.clone(),
        None => TimeZone::UTC,
    };
    let now = shop.clock(store).await?.now();
    let mut listener = Listener::default();
    listener.listen(store).await?;
    let mut lately: BTreeSet<EventKind> = BTreeSet::new();
    // Whether any rhythm is known: a shop that is only beginning lacks nothing yet.
    let mut established = false;
    let weeks = SignedDuration::from_hours(24 * 7 * WEEKS);
    for (source, kind, last, standing) in listener.sources.judged(now, &zone) {
        if let (Ok(kind), Some(last)) = (kind.parse(), last)
            && time::saturating_add(last, weeks) >= now
        {
            lately.insert(kind);
        }
        established |= matches!(standing, Standing::Heard { .. } | Standing::Silent { .. });
        let (how, words) = match standing {
            Standing::Heard { weekly } => (How::Fine, format!("about {weekly:.0} a week")),
            Standing::Unknown => (How::Fine, "too few yet to know its rhythm".to_owned()),
            Standing::Gone { since } => (How::Note, format!("silent since {since}, given up")),
            Standing::Silent {
                since,
                weekly,
                missed,
            } => (
                How::Bad,
                format!(
                    "silent since {since}: at about {weekly:.0} a week, {missed:.0} should have come; look whether the platform has switched the webhook off"
                ),
            ),
        };
        to.tell(how, "source", &format!("{source} {kind}: {words}"))?;
    }
    asked(shop, store, now, to).await?;
    doors(shop, store, to).await?;
    let Some(live) = live else {
        return Ok(());
    };
    let platforms: Vec<&str> = shop
        .config
        .sources
        .iter()
        .map(|source| source.platform.as_str())
        .collect();
    for (kind, needs) in needed(&live.catalog) {
        if lately.contains(&kind) {
            continue;
        }
        let starts = needs.iter().any(|(what, _)| *what == For::Starting);
        let names: Vec<&str> = needs
            .iter()
            .filter(|(what, _)| !starts || *what == For::Starting)
            .map(|(_, sequence)| *sequence)
            .collect();
        let how = if starts && established && EVERY_SHOP.contains(&kind) {
            How::Bad
        } else {
            How::Note
        };
        let what = if starts {
            "lives on it"
        } else {
            "stops or pauses on it"
        };
        let where_to: Vec<String> = switches::where_to(kind, &platforms)
            .into_iter()
            .map(|(platform, words)| format!("{platform}: {words}"))
            .collect();
        let where_to = if where_to.is_empty() {
            "no platform says it by itself: send it to POST /events".to_owned()
        } else {
            where_to.join("; ")
        };
        to.tell(
            how,
            "needed",
            &format!(
                "no {} in the last {WEEKS} weeks; {} {what}. Switch it on: {where_to}",
                kind.as_str(),
                names.join(", ")
            ),
        )?;
    }
    Ok(())
}

/// How asking platforms goes: for what deliveries lost, and for what thin ones leave out.
async fn asked(
    shop: &Shop,
    store: &Store,
    now: Timestamp,
    to: &mut Findings<'_>,
) -> anyhow::Result<()> {
    let polls = store.polls().await?;
    let known = store.sources().await?;
    let all = sources::asked(&shop.config)?;
    for told in &shop.config.sources {
        let name = told.name.as_str();
        let Some(of) = all.get(name) else {
            if platforms::can_poll(told.platform) {
                let words = format!(
                    "{name} is not asked for what its deliveries lose: it has no api_token"
                );
                to.tell(How::Note, "poll", &words)?;
            }
            continue;
        };
        let others = poll::other_names(of, &known);
        if of.poll.is_some() && !others.is_empty() {
            let words = format!(
                "{name} is not asked: its deliveries call themselves {}, and what is asked would be called {}; set intake.sources.{name}.source",
                others.join(" or "),
                of.origin()
            );
            to.tell(How::Bad, "poll", &words)?;
            continue;
        }
        let Some(every) = of.poll else { continue };
        let Some(row) = polls.iter().find(|row| row.source == name) else {
            to.tell(How::Note, "poll", &format!("{name} was never asked yet"))?;
            continue;
        };
        let reached = row.fine_at.map_or_else(
            || "never asked to the end yet".to_owned(),
            |at| format!("last asked to the end at {at}"),
        );
        let came = format!(
            "{} facts came by asking alone, {} were known",
            row.found, row.known
        );
        let late = row.fine_at.is_some_and(|at| {
            let patience =
                SignedDuration::try_from(every.saturating_mul(LATE)).unwrap_or(SignedDuration::MAX);
            time::saturating_add(at, patience.max(LEAST_LATE)) < now
        });
        let (how, words) = match &row.because {
            Some(because) => (
                How::Bad,
                format!(
                    "{name}: {because} ({} times in a row), again at {}; {reached}; {came}",
                    row.failures, row.due_at
                ),
            ),
            None if late => (
                How::Bad,
                format!("{name}: {reached}, which is long ago: does serve run with intake? {came}"),
            ),
            None => (How::Fine, format!("{name}: {reached}; {came}")),
        };
        to.tell(how, "poll", &words)?;
    }
    let waiting = store.to_fetch().await?;
    if waiting > 0 {
        let words = format!(
            "{waiting} deliveries name something that has to be fetched: aftercare quarantine list --by cause says what they wait for"
        );
        to.tell(How::Note, "fetch", &words)?;
    }
    Ok(())
}

/// What the doors saw of the sources that are configured: whether any delivers at all, and
/// whether what comes is refused. Anybody may send what is refused, so that is a note.
async fn doors(shop: &Shop, store: &Store, to: &mut Findings<'_>) -> anyhow::Result<()> {
    let config = &shop.config;
    let at_doors = |source: &&crate::config::Source| !config.comes_by_broker(&source.name);
    for source in config.sources.iter().filter(at_doors) {
        let seen = trace(store, &source.name).await?;
        let connect = format!(
            "aftercare connect {} --name {}",
            source.platform, source.name
        );
        match (seen.last, &seen.refused) {
            (last, Some(refused)) if last.is_none_or(|last| last < refused.at) => to.tell(
                How::Note,
                "doors",
                &format!(
                    "{}: a delivery was refused at {:.0}, and none was proved since; {} were in all. Where it is the platform who calls, `{connect} --wait` says why",
                    source.name, refused.at, refused.count
                ),
            )?,
            (None, _) => to.tell(
                How::Note,
                "doors",
                &format!("{}: nothing came yet: `{connect}`", source.name),
            )?,
            (Some(_), _) => {}
        }
    }
    Ok(())
}
