//! How long parcels took: read from many people's facts, and from that what to expect of
//! those that nobody hears of (`docs/events.md` §3: nine of ten, in working days, plus one).
//!
//! Pure: the same facts as of the same instant teach the same. Nothing here says what is
//! assumed of a parcel; that is [`super::delivery`]'s.

use super::orders::Book;
use super::{parcels, people, telling};
use crate::model::event::{DeliveryBasis, Precision};
use crate::model::history::History;
use crate::model::policy::Policy;
use crate::model::time::{self, Date, Timestamp};
use crate::model::transit::{Known, Route, Transits};
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};

/// Parcels that must have gone a way before anything is learnt of it: with fewer, one
/// parcel in ten is no more than chance.
pub const LEAST_PARCELS: usize = 20;
/// How far back parcels teach, in days: carriers change.
pub const WINDOW_DAYS: i64 = 365;
/// How long ago a parcel must have left, in days. Of later ones the slow are still under
/// way, and the quick alone would make the carrier look quicker than it is.
pub const RIPE_DAYS: i64 = 14;
/// Parcels that teach at most, the latest: more teach nothing new.
pub const MOST_PARCELS: usize = 20_000;
/// Between two lessons.
pub const EVERY: SignedDuration = SignedDuration::from_hours(24);
/// What took longer, in working days, was lost and found, or its dates are wrong.
const LONGEST: i64 = 60;

/// The last instant at or before `now` at which a lesson is due: every day at midnight UTC,
/// so that whoever learns from the same facts learns the same.
pub fn lesson(now: Timestamp) -> Timestamp {
    let every = EVERY.as_secs();
    Timestamp::from_second(now.as_second().div_euclid(every) * every).unwrap_or(now)
}

/// One parcel that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Every name of its carrier, in one form.
    carriers: BTreeSet<String>,
    /// The carrier, as a source calls it.
    name: String,
    service: Option<String>,
    origin: String,
    to: String,
    dispatched: Timestamp,
    delivered: Timestamp,
    /// Working days of the destination between the two.
    days: i64,
}

/// The parcels of one person of which a carrier or a storefront said both that they left
/// and that they arrived, as known before `as_of`.
pub fn observe(policy: &Policy, history: &History, as_of: Timestamp) -> Vec<Observation> {
    let known = history.events.iter().filter(|event| event.recorded < as_of);
    let tellings = telling::gather(known);
    let mut book = Book::open(&tellings);
    let parcels = parcels::join(&tellings, &mut book);
    let portrait = people::portrait(&tellings, &book, policy, history.erased, as_of);
    let zone = &portrait.person.zone;
    let mut seen = Vec::new();
    for parcel in &parcels {
        let shipment = &parcel.shipment;
        let Some(dossier) = parcel.order.map(|order| &book.dossiers[order]) else {
            continue;
        };
        let order = dossier.newest().order;
        let to = order.ship_to.as_ref();
        let (Some(to), Some(dispatched), Some(delivered), Some(basis)) = (
            to,
            shipment.dispatched_at,
            shipment.delivered_at,
            shipment.delivery_basis,
        ) else {
            continue;
        };
        let Some(country) = to.country.as_deref() else {
            continue;
        };
        // A merchant's click says when somebody clicked.
        let told = matches!(basis, DeliveryBasis::Carrier | DeliveryBasis::Storefront)
            && parcel.precision != Some(Precision::Approximate);
        if !told || !shipment.outbound || parcel.came_back || dossier.test {
            continue;
        }
        let works = policy.workdays(Some(country), to.region.as_deref());
        let (left, came) = (time::day(dispatched, zone), time::day(delivered, zone));
        let Some(days) = working_days(left, came, |day| works.includes(day)) else {
            continue;
        };
        let name = shipment
            .tracking
            .iter()
            .find_map(|entry| entry.carrier_name.clone().or_else(|| entry.carrier.clone()));
        let Some(name) = name else { continue };
        seen.push(Observation {
            carriers: parcel.carriers.clone(),
            name,
            service: order.shipping_method.as_deref().map(str::to_lowercase),
            origin: dossier.source.to_owned(),
            to: country.to_owned(),
            dispatched,
            delivered,
            days,
        });
    }
    seen
}

/// Working days from one day to a later one; a day of rest at the end counts as the next
/// working day. `None` where they cannot be those of one parcel.
fn working_days(left: Date, came: Date, works: impl Fn(Date) -> bool) -> Option<i64> {
    if came < left {
        return None;
    }
    let (mut day, mut days) = (left, 0);
    while day < came {
        day = time::add_days(day, 1);
        if works(day) {
            days += 1;
        }
        if days > LONGEST || day == Date::MAX {
            return None;
        }
    }
    if came > left && !works(came) {
        days += 1;
    }
    Some(days)
}

/// Takes in what parcels teach as of an instant; it holds from `from` on. Says whether
/// anything is new.
pub fn learn(
    table: &mut Transits,
    observations: &[&Observation],
    as_of: Timestamp,
    from: Timestamp,
) -> bool {
    let ago = |days: i64| time::saturating_add(as_of, SignedDuration::from_hours(-24 * days));
    let (oldest, ripe) = (ago(WINDOW_DAYS), ago(RIPE_DAYS));
    let mut latest: Vec<&Observation> = observations
        .iter()
        .copied()
        .filter(|seen| (oldest..=ripe).contains(&seen.dispatched))
        .collect();
    // By everything, so that the order of arrival does not choose who teaches.
    latest.sort_by(|a, b| {
        let key = |seen: &Observation| (seen.delivered, seen.dispatched, seen.days);
        (key(b), &b.name, &b.to).cmp(&(key(a), &a.name, &a.to))
    });
    latest.truncate(MOST_PARCELS);
    let mut ways: BTreeMap<Route, (Vec<i64>, &str)> = BTreeMap::new();
    for seen in latest {
        // Each teaches of its service, and of its carrier as a whole.
        let mut levels = vec![None];
        levels.extend(seen.service.clone().map(Some));
        for carrier in &seen.carriers {
            for service in &levels {
                let route = Route {
                    carrier: carrier.clone(),
                    service: service.clone(),
                    origin: seen.origin.clone(),
                    to: seen.to.clone(),
                };
                let way = ways.entry(route).or_insert((Vec::new(), &seen.name));
                way.0.push(seen.days);
            }
        }
    }
    let mut news = false;
    for (route, (mut days, name)) in ways {
        if days.len() < LEAST_PARCELS {
            continue;
        }
        days.sort_unstable();
        let Some(nine_of_ten) = days.get((days.len() * 9).div_ceil(10) - 1) else {
            continue;
        };
        let known = Known {
            from,
            days: *nine_of_ten,
            parcels: u32::try_from(days.len()).unwrap_or(u32::MAX),
            name: name.to_owned(),
        };
        news |= table.learn(route, known);
    }
    news
}
