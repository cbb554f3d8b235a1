//! What arrived: parcels laid over lines, with assumptions where nothing was heard
//! (`docs/events.md`, rules 13, 14; `delivery.assume`).

use super::lines::{Sort, Tallies, Tally};
use super::parcels::Parcel;
use super::{Assumed, Assumption};
use crate::model::event::DeliveryBasis;
use crate::model::policy::Policy;
use crate::model::time::{Date, Length, TimeZone, Timestamp};
use crate::model::transit::{Asked, Found, Known};

/// How long after the last dispatch an order counts as delivered where no
/// `[[delivery.assume]]` row matches and parcels stay unheard of (rule 14).
pub(super) const CAP: Length = Length::Days(14);

/// Working days that are added to what nine of ten parcels took.
pub(super) const MARGIN_DAYS: i64 = 1;

/// That a line, or an order, has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arrival {
    pub(super) time: Timestamp,
    pub(super) basis: DeliveryBasis,
    /// The telling that completes it.
    pub(super) by: usize,
    pub(super) inferred: bool,
}

/// What is known of the way of one order's goods.
#[derive(Debug, Default)]
pub(super) struct Way {
    /// By line.
    pub(super) lines: Vec<LineWay>,
    pub(super) order: Option<Arrival>,
    /// Instants later than now at which an assumption would change this.
    pub(super) awaits: Vec<Timestamp>,
}

#[derive(Debug, Default, Clone)]
pub(super) struct LineWay {
    pub(super) owed: i64,
    pub(super) dispatched: i64,
    pub(super) dispatched_at: Option<Timestamp>,
    pub(super) arrival: Option<Arrival>,
    /// Units in parcels that came back after they had arrived.
    pub(super) back: i64,
}

/// What the order itself says.
pub(super) struct Frame<'a> {
    pub(super) policy: &'a Policy,
    /// Where the order was placed.
    pub(super) origin: &'a str,
    /// How the order says that it is sent.
    pub(super) service: Option<&'a str>,
    pub(super) zone: &'a TimeZone,
    pub(super) country: Option<&'a str>,
    pub(super) region: Option<&'a str>,
    pub(super) fulfilled: bool,
    pub(super) paid: Option<(Timestamp, usize)>,
    pub(super) cancelled: bool,
    pub(super) now: Timestamp,
}

/// Units of each line in a parcel; `None` where the source names nothing.
fn named(parcel: &Parcel, lines: &[Tally]) -> Option<Vec<i64>> {
    if parcel.named.is_empty() {
        return None;
    }
    let mut units = vec![0i64; lines.len()];
    for (line_id, sku, quantity) in &parcel.named {
        let place = lines.iter().position(|line| match line_id {
            Some(id) => line.item.line_id == *id,
            None => sku.is_some() && line.item.sku == *sku,
        });
        if let Some(place) = place {
            units[place] = units[place].saturating_add((*quantity).max(0));
        }
    }
    Some(units)
}

/// Lays the parcels of an order over its lines and names what is inside each.
pub(super) fn trace(tallies: &Tallies, parcels: &mut [&mut Parcel], frame: &Frame<'_>) -> Way {
    let lines = &tallies.lines;
    let contents: Vec<Option<Vec<i64>>> = parcels.iter().map(|p| named(p, lines)).collect();
    // What is gone before it arrived is not on its way any more.
    let travels =
        |p: &Parcel| p.shipment.outbound && (!p.shipment.gone || p.shipment.delivered_at.is_some());
    let moving: Vec<bool> = parcels.iter().map(|p| travels(p)).collect();
    let itemised = |line: usize| -> i64 {
        contents
            .iter()
            .zip(&moving)
            .filter(|(_, moving)| **moving)
            .filter_map(|(units, _)| units.as_ref().map(|units| units[line]))
            .fold(0, i64::saturating_add)
    };
    let mut way = Way {
        lines: vec![LineWay::default(); lines.len()],
        ..Way::default()
    };
    let mut rest = vec![0i64; lines.len()];
    for (place, tally) in lines.iter().enumerate() {
        let sent = itemised(place);
        let owed = tally.owed(sent);
        way.lines[place].owed = if frame.cancelled {
            owed.min(sent)
        } else {
            owed
        };
        rest[place] = (way.lines[place].owed - sent).max(0);
    }
    let vague = contents
        .iter()
        .zip(&moving)
        .filter(|(units, moving)| units.is_none() && **moving)
        .count();

    for (place, parcel) in parcels.iter_mut().enumerate() {
        let units = contents[place].as_ref().unwrap_or(&rest);
        parcel.shipment.items = lines
            .iter()
            .zip(units)
            .filter(|(_, units)| **units > 0)
            .map(|(line, units)| (line.item.line_id.clone(), *units))
            .collect();
    }
    let arrivals: Vec<Option<Arrival>> = parcels
        .iter_mut()
        .zip(&moving)
        .map(|(parcel, moving)| {
            moving
                .then(|| arrival(parcel, frame, &mut way.awaits))
                .flatten()
        })
        .collect();

    for line in 0..lines.len() {
        let inside = |place: usize| contents[place].as_ref().map_or(rest[line], |u| u[line]);
        let of: Vec<usize> = (0..parcels.len())
            .filter(|place| moving[*place] && inside(*place) > 0)
            .collect();
        let traced = &mut way.lines[line];
        let dispatch = |place: &&usize| !parcels[**place].shipment.gone;
        traced.dispatched_at = of
            .iter()
            .filter(dispatch)
            .filter_map(|place| parcels[*place].shipment.dispatched_at)
            .min();
        // Several parcels of unknown content share the same rest.
        let vague_units = if vague > 0 { rest[line] } else { 0 };
        traced.dispatched = of
            .iter()
            .filter(|place| contents[**place].is_some())
            .filter(dispatch)
            .map(|place| inside(*place))
            .fold(0, i64::saturating_add)
            .saturating_add(vague_units);
        traced.back = of
            .iter()
            .filter(|place| parcels[**place].came_back)
            .map(|place| {
                let again = of.iter().any(|later| {
                    let sent = parcels[*later].shipment.dispatched_at;
                    !parcels[*later].shipment.gone && sent >= parcels[*place].gone_at
                });
                if again { 0 } else { inside(*place) }
            })
            .fold(0, i64::saturating_add);
        traced.arrival = if lines[line].sort == Sort::Digital {
            digital(&lines[line], frame)
        } else {
            let mut came: Vec<(Arrival, i64, bool)> = of
                .iter()
                .filter_map(|place| {
                    let shared = contents[*place].is_none() && vague > 1;
                    Some((arrivals[*place]?, inside(*place), shared))
                })
                .collect();
            came.sort_by_key(|(arrival, _, _)| (arrival.time, arrival.by));
            let all_came = came.iter().filter(|(_, _, shared)| *shared).count() == vague;
            reached(traced.owed, &came, all_came && frame.fulfilled)
        };
    }
    way.order = whole(tallies, &way, frame).or_else(|| capped(&mut way, parcels, &moving, frame));
    way
}

/// When the units that arrived reach what is owed. Shared parcels count only when all
/// of them came and the storefront calls the order fulfilled.
fn reached(owed: i64, came: &[(Arrival, i64, bool)], shared_count: bool) -> Option<Arrival> {
    if owed <= 0 {
        return None;
    }
    let mut sum: i64 = 0;
    let last_shared = came.iter().rposition(|(_, _, shared)| *shared);
    for (place, (arrival, units, shared)) in came.iter().enumerate() {
        if *shared && (!shared_count || last_shared != Some(place)) {
            continue;
        }
        sum = sum.saturating_add(*units);
        if sum >= owed {
            return Some(*arrival);
        }
    }
    None
}

fn digital(line: &Tally, frame: &Frame<'_>) -> Option<Arrival> {
    let (time, by) = frame.paid?;
    (line.current > 0 && !frame.cancelled).then_some(Arrival {
        time,
        basis: DeliveryBasis::Digital,
        by,
        inferred: false,
    })
}

/// The row of the files for where the order goes.
fn row(frame: &Frame<'_>) -> Option<Length> {
    frame
        .policy
        .assume
        .iter()
        .find(|row| row.to == "*" || Some(row.to.as_str()) == frame.country)
        .map(|row| row.after)
}

/// When a silent parcel counts as delivered, and why: by what the shop's own parcels have
/// taught, where they have and the files want it, else by the files.
///
/// What is learnt never says that something has happened before it was learnt: of a parcel
/// that was under way by then, only an arrival still to come is assumed, and only where
/// neither a row nor the cap had spoken yet.
fn assumed(parcel: &Parcel, frame: &Frame<'_>, awaits: &mut Vec<Timestamp>) -> Option<Assumed> {
    let dispatched = parcel.shipment.dispatched_at?;
    let days = frame.policy.workdays(frame.country, frame.region);
    let after = |length: Length| {
        length.after_working(dispatched, frame.zone, |day: Date| days.includes(day))
    };
    let assumed = |at, by| Assumed {
        at,
        to: frame.country.map(str::to_owned),
        by,
    };
    let by_files = row(frame).map(|length| {
        let by = Assumption::Files { after: length };
        assumed(after(length), by)
    });
    if !frame.policy.learn {
        return by_files;
    }
    let learnt = |known: &Known| {
        let at = after(Length::BusinessDays(known.days.saturating_add(MARGIN_DAYS)));
        assumed(at, Assumption::Learnt(known.clone()))
    };
    let found = frame.country.and_then(|to| {
        frame.policy.transits.find(Asked {
            carriers: &parcel.carriers,
            service: frame.service,
            origin: frame.origin,
            to,
            dispatched,
        })
    });
    match found {
        Some(Found::Held(known)) => Some(learnt(known)),
        Some(Found::Later(known)) if known.from > frame.now => {
            awaits.push(known.from);
            by_files
        }
        Some(Found::Later(known)) => {
            let by_then = |at: Timestamp| at <= known.from;
            let spoken = by_files.as_ref().is_some_and(|files| by_then(files.at))
                || by_then(CAP.after(dispatched, frame.zone));
            let new = learnt(known);
            if spoken || by_then(new.at) {
                by_files
            } else {
                Some(new)
            }
        }
        None => by_files,
    }
}

/// When a parcel arrived: as reported, else as assumed. One that the carrier tried in
/// vain to hand over, or keeps for collection, is not silent: nothing is assumed of it.
fn arrival(parcel: &mut Parcel, frame: &Frame<'_>, awaits: &mut Vec<Timestamp>) -> Option<Arrival> {
    let shipment = &parcel.shipment;
    if let (Some(time), Some(by)) = (shipment.delivered_at, parcel.delivered_by) {
        return Some(Arrival {
            time,
            basis: shipment.delivery_basis.unwrap_or_default(),
            by,
            inferred: false,
        });
    }
    if parcel.stuck {
        return None;
    }
    let assumed = assumed(parcel, frame, awaits)?;
    let time = assumed.at;
    parcel.shipment.assumed = Some(assumed);
    if time > frame.now {
        awaits.push(time);
        return None;
    }
    Some(Arrival {
        time,
        basis: DeliveryBasis::Inferred,
        by: parcel.dispatched_by?,
        inferred: true,
    })
}

/// The order as a whole: when the last line owed arrived; a purely digital one, when
/// its lines did.
fn whole(tallies: &Tallies, way: &Way, frame: &Frame<'_>) -> Option<Arrival> {
    let owed: Vec<&LineWay> = way.lines.iter().filter(|line| line.owed > 0).collect();
    if owed.is_empty() {
        let shippable = tallies.lines.iter().any(|line| line.sort == Sort::Shipped);
        if shippable || frame.cancelled {
            return None;
        }
        return way
            .lines
            .iter()
            .filter_map(|line| line.arrival)
            .max_by_key(|a| a.time);
    }
    let arrivals: Option<Vec<Arrival>> = owed.iter().map(|line| line.arrival).collect();
    arrivals?
        .into_iter()
        .max_by_key(|arrival| (arrival.time, arrival.by))
}

/// Rule 14: an order of which parcels are never heard counts as delivered some time
/// after its last dispatch, where nothing is assumed of a parcel that is still silent.
fn capped(
    way: &mut Way,
    parcels: &[&mut Parcel],
    moving: &[bool],
    frame: &Frame<'_>,
) -> Option<Arrival> {
    if row(frame).is_some() || frame.cancelled {
        return None;
    }
    let outbound = || parcels.iter().filter(|parcel| parcel.shipment.outbound);
    let assumed = outbound()
        .filter_map(|parcel| parcel.shipment.assumed.as_ref())
        .map(|assumed| assumed.at)
        .max();
    let silent = |parcel: &&mut Parcel| {
        parcel.shipment.delivered_at.is_none() && parcel.shipment.assumed.is_none()
    };
    if assumed.is_some() && !outbound().any(silent) {
        return None;
    }
    let mut last: Option<(Timestamp, usize)> = None;
    for (parcel, moving) in parcels.iter().zip(moving) {
        if !parcel.shipment.outbound {
            continue;
        }
        if parcel.stuck || parcel.shipment.gone || !moving {
            return None;
        }
        let sent = parcel.shipment.dispatched_at.zip(parcel.dispatched_by);
        last = last.max(sent);
    }
    let (sent, by) = last?;
    let time = CAP.after(sent, frame.zone);
    let time = assumed.map_or(time, |assumed| time.max(assumed));
    if time > frame.now {
        way.awaits.push(time);
        return None;
    }
    Some(Arrival {
        time,
        basis: DeliveryBasis::Inferred,
        by,
        inferred: true,
    })
}
