//! Parcels: what several sources say of one box, joined by id or by tracking number
//! (`docs/events.md`, rules 5, 6, 8). Progress only rises, and only a delivery crosses
//! over what the merchant declared.

use super::Shipment;
use super::orders::Book;
use super::telling::Telling;
use crate::model::event::{
    Delivery, DeliveryBasis, Direction, EventKind, FUTURE_TOLERANCE_SECONDS, NUMBER_LIFE,
    Precision, Tracking,
};
use crate::model::time::Timestamp;
use crate::model::transit::carrier;
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};

/// A parcel with the tellings that describe it.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) shipment: Shipment,
    /// Dossier of the order it belongs to.
    pub(super) order: Option<usize>,
    /// What the sources named: (line id, SKU, quantity). Empty: not known.
    pub(super) named: Vec<(Option<String>, Option<String>, i64)>,
    /// By time.
    pub(super) tellings: Vec<usize>,
    /// The telling of the delivery that counts.
    pub(super) delivered_by: Option<usize>,
    /// The telling of its dispatch, or of the first progress that proves it.
    pub(super) dispatched_by: Option<usize>,
    /// The carrier tried in vain or keeps it for collection: no silence to read from.
    pub(super) stuck: bool,
    /// Every name that a source gives its carrier, in one form.
    pub(super) carriers: BTreeSet<String>,
    /// How exactly the delivery that counts is dated.
    pub(super) precision: Option<Precision>,
    /// Came back after it had arrived.
    pub(super) came_back: bool,
    pub(super) gone_at: Option<Timestamp>,
}

struct Node<'a> {
    source: &'a str,
    id: &'a str,
    numbers: BTreeSet<String>,
    tellings: Vec<usize>,
    order: Option<usize>,
    first: Timestamp,
}

/// The form under which two spellings of a tracking number are one.
pub(crate) fn normal_number(number: &str) -> String {
    number
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '\u{2010}'..='\u{2015}'))
        .flat_map(char::to_uppercase)
        .collect()
}

/// Joins what was told of parcels, and attaches those of unnamed orders to an order
/// (also in `book`).
pub(super) fn join<'a>(tellings: &[Telling<'a>], book: &mut Book<'a>) -> Vec<Parcel> {
    let mut nodes = nodes(tellings, book);
    attach(&mut nodes);
    for node in &nodes {
        for place in &node.tellings {
            if book.of_telling[*place].is_none()
                && let Some(order) = node.order
            {
                book.of_telling[*place] = Some(order);
                let list = &mut book.dossiers[order].tellings;
                let at = list.partition_point(|had| had < place);
                list.insert(at, *place);
            }
        }
    }
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut of_number: BTreeMap<(Option<usize>, &str), usize> = BTreeMap::new();
    for (place, node) in nodes.iter().enumerate() {
        let mut into: Option<usize> = None;
        for number in &node.numbers {
            let found = of_number.get(&(node.order, number.as_str())).copied();
            match (into, found) {
                (None, Some(group)) => into = Some(group),
                (Some(kept), Some(other)) if kept != other => {
                    let moved = std::mem::take(&mut groups[other]);
                    groups[kept].extend(moved);
                    for group in of_number.values_mut().filter(|group| **group == other) {
                        *group = kept;
                    }
                }
                _ => {}
            }
        }
        let into = into.unwrap_or_else(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[into].push(place);
        for number in &node.numbers {
            of_number.insert((node.order, number), into);
        }
    }
    let mut parcels: Vec<Parcel> = groups
        .iter()
        .filter(|group| !group.is_empty())
        .map(|group| {
            let of: Vec<&Node<'_>> = group.iter().map(|place| &nodes[*place]).collect();
            describe(&of, tellings)
        })
        .collect();
    parcels.sort_by(|a, b| a.tellings.first().cmp(&b.tellings.first()));
    parcels
}

fn nodes<'a>(tellings: &[Telling<'a>], book: &Book<'a>) -> Vec<Node<'a>> {
    let mut nodes: BTreeMap<(&str, &str), Node<'a>> = BTreeMap::new();
    for (place, telling) in tellings.iter().enumerate() {
        let Some(shipment) = &telling.body().shipment else {
            continue;
        };
        let node = nodes
            .entry((telling.source(), shipment.shipment_id.as_str()))
            .or_insert_with(|| Node {
                source: telling.source(),
                id: &shipment.shipment_id,
                numbers: BTreeSet::new(),
                tellings: Vec::new(),
                order: None,
                first: telling.time(),
            });
        node.tellings.push(place);
        node.order = node.order.or(book.of_telling[place]);
        for row in telling.rows() {
            let tracking = row.body.shipment.iter().flat_map(|s| &s.tracking);
            node.numbers.extend(
                tracking
                    .map(|tracking| normal_number(&tracking.number))
                    .filter(|number| !number.is_empty()),
            );
        }
    }
    let mut nodes: Vec<Node<'a>> = nodes.into_values().collect();
    nodes.sort_by(|a, b| (&a.tellings, a.source, a.id).cmp(&(&b.tellings, b.source, b.id)));
    nodes
}

/// Finds the order of parcels whose source knows only a tracking number: that of the
/// latest parcel with this number, within [`NUMBER_LIFE`].
fn attach(nodes: &mut [Node<'_>]) {
    for place in 0..nodes.len() {
        if nodes[place].order.is_some() {
            continue;
        }
        let lost = &nodes[place];
        let near = |other: &Node<'_>| {
            let apart = lost.first.duration_since(other.first);
            apart.abs() <= NUMBER_LIFE && !lost.numbers.is_disjoint(&other.numbers)
        };
        let found = nodes
            .iter()
            .filter(|other| other.order.is_some() && near(other))
            .max_by_key(|other| other.first)
            .and_then(|other| other.order);
        nodes[place].order = found;
    }
}

/// How far a kind of fact brings a parcel.
fn rank(kind: EventKind) -> u8 {
    match kind {
        EventKind::ShipmentDispatched => 1,
        EventKind::ShipmentInTransit => 2,
        EventKind::ShipmentOutForDelivery => 3,
        EventKind::ShipmentDeliveryFailed | EventKind::ShipmentAvailableForPickup => 4,
        _ => 0,
    }
}

/// When a report says that the parcel arrived. A source that dates it into the future
/// is not believed.
fn arrival(telling: &Telling<'_>) -> (Timestamp, Delivery) {
    let row = telling.first();
    let delivery = row.body.delivery.clone().unwrap_or(Delivery {
        delivered_at: row.time,
        precision: Precision::default(),
        basis: DeliveryBasis::default(),
        reported_by: None,
    });
    let ahead = delivery.delivered_at.duration_since(row.recorded);
    let time = if row.misdated || ahead > SignedDuration::from_secs(FUTURE_TOLERANCE_SECONDS) {
        row.time
    } else {
        delivery.delivered_at
    };
    (time, delivery)
}

fn describe(nodes: &[&Node<'_>], tellings: &[Telling<'_>]) -> Parcel {
    let mut places: Vec<usize> = nodes.iter().flat_map(|n| n.tellings.clone()).collect();
    places.sort_unstable();
    let told = || places.iter().map(|place| (&tellings[*place], *place));
    let of_kind = |kind: EventKind| told().filter(move |(telling, _)| telling.kind() == kind);

    let mut ids: Vec<String> = Vec::new();
    let mut tracking: Vec<Tracking> = Vec::new();
    let mut carriers: BTreeSet<String> = BTreeSet::new();
    let mut outbound = true;
    let mut named: Vec<(Option<String>, Option<String>, i64)> = Vec::new();
    let mut shipped_at = None;
    let mut estimated_delivery = None;
    for (telling, _) in told() {
        for shipment in telling
            .rows()
            .iter()
            .filter_map(|r| r.body.shipment.as_ref())
        {
            if !ids.contains(&shipment.shipment_id) {
                ids.push(shipment.shipment_id.clone());
            }
            outbound &= shipment.direction == Direction::Outbound;
            for entry in &shipment.tracking {
                let names = [&entry.carrier, &entry.carrier_name];
                carriers.extend(names.into_iter().flatten().filter_map(|one| carrier(one)));
                let number = normal_number(&entry.number);
                if !tracking
                    .iter()
                    .any(|had| normal_number(&had.number) == number)
                {
                    tracking.push(entry.clone());
                }
            }
            // The latest word on what is inside counts.
            if !shipment.items.is_empty() {
                named = shipment
                    .items
                    .iter()
                    .map(|item| (item.line_id.clone(), item.sku.clone(), item.quantity))
                    .collect();
            }
            shipped_at = shipped_at.or(shipment.shipped_at);
            if shipment.estimated_delivery.is_some() {
                estimated_delivery.clone_from(&shipment.estimated_delivery);
            }
        }
    }

    let returned = of_kind(EventKind::ShipmentReturnedToSender).next();
    // A delivery after the parcel turned back is one to the sender.
    let best = of_kind(EventKind::ShipmentDelivered)
        .map(|(telling, place)| {
            let (time, delivery) = arrival(telling);
            (delivery.basis, delivery.precision, time, place)
        })
        .filter(|(_, _, time, _)| returned.is_none_or(|(back, _)| *time <= back.time()))
        .min();
    let ended = of_kind(EventKind::ShipmentCancelled)
        .chain(of_kind(EventKind::ShipmentLost))
        .min_by_key(|(_, place)| *place);
    let furthest = told().max_by_key(|(telling, place)| (rank(telling.kind()), *place));
    let (status, gone_at) = match (returned, best, ended) {
        (Some((back, _)), _, _) => ("returned_to_sender", Some(back.time())),
        (None, Some(_), _) => ("delivered", None),
        (None, None, Some((end, _))) => (last_part(end.kind()), Some(end.time())),
        (None, None, None) => (
            furthest.map_or("dispatched", |(telling, _)| last_part(telling.kind())),
            None,
        ),
    };
    let progress = told().filter(|(telling, _)| {
        rank(telling.kind()) > 0 || telling.kind() == EventKind::ShipmentDelivered
    });
    let dispatch = of_kind(EventKind::ShipmentDispatched)
        .next()
        .map(|(telling, place)| (telling.time(), place))
        .or_else(|| {
            let (telling, place) = progress.into_iter().next()?;
            let time = shipped_at.map_or(telling.time(), |at: Timestamp| at.min(telling.time()));
            Some((time, place))
        });
    let id = ids.first().cloned().unwrap_or_default();
    Parcel {
        order: nodes.iter().find_map(|node| node.order),
        named,
        delivered_by: best.map(|(_, _, _, place)| place),
        dispatched_by: dispatch.map(|(_, place)| place),
        stuck: matches!(status, "delivery_failed" | "available_for_pickup"),
        carriers,
        precision: best.map(|(_, precision, _, _)| precision),
        came_back: returned.is_some() && best.is_some(),
        gone_at,
        shipment: Shipment {
            id,
            ids,
            outbound,
            tracking,
            items: Vec::new(),
            shipped_at,
            dispatched_at: dispatch.map(|(time, _)| time),
            estimated_delivery,
            status,
            delivered_at: best.map(|(_, _, time, _)| time),
            delivery_basis: best.map(|(basis, _, _, _)| basis),
            assumed: None,
            gone: gone_at.is_some(),
        },
        tellings: places,
    }
}

/// `delivered` of `shipment.delivered`.
fn last_part(kind: EventKind) -> &'static str {
    kind.as_str().rsplit('.').next().unwrap_or_default()
}
