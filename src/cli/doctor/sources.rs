//! `doctor events`: which sources are heard, which have fallen silent, and which kinds of
//! event the files live on and nobody tells.

use super::{Findings, How};
use crate::cli::context::Shop;
use crate::engine::reload;
use crate::engine::silence::Listener;
use crate::engine::traces::trace;
use crate::ingest::silence::{Standing, WEEKS};
use crate::ingest::switches;
use crate::model::event::EventKind;
use crate::model::time::{self, TimeZone};
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
