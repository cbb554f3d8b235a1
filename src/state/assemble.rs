//! Puts the parts together: one person's state as of an instant.

use super::delivery::{self, Frame, Way};
use super::derived::{self, Account};
use super::lines::{self, Tallies};
use super::orders::{self, Book, Dossier};
use super::parcels::{self, Parcel};
use super::people;
use super::telling::{self, Telling};
use super::{Line, Order, State};
use crate::model::event::{Event, EventKind, LineItem};
use crate::model::history::History;
use crate::model::policy::Policy;
use crate::model::product::{Products, Track};
use crate::model::time::{self, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Tags by which shops mark orders that replace goods (rule 15).
const REPLACING: &[&str] = &["replacement", "exchange", "warranty"];

/// Folds some rows of a history. Whether facts are fresh is not said here.
pub(super) fn assemble<'a>(
    policy: &Policy,
    products: &Products,
    history: &History,
    rows: impl Iterator<Item = &'a Event>,
    now: Timestamp,
) -> State {
    let tellings = telling::gather(rows);
    let mut book = Book::open(&tellings);
    let mut parcels = parcels::join(&tellings, &mut book);
    let portrait = people::portrait(&tellings, &book, policy, history.erased, now);
    let mut awaits = portrait.changes_at;
    let mut accounts: Vec<Account> = Vec::with_capacity(book.dossiers.len());
    let mut orders: Vec<Order> = Vec::with_capacity(book.dossiers.len());
    for (place, dossier) in book.dossiers.iter().enumerate() {
        let zone = &portrait.person.zone;
        let tallies = lines::count(dossier, &tellings, policy, products, zone, now);
        let paid = orders::paid(dossier, &tellings);
        let cancelled = orders::cancelled(dossier, &tellings);
        let newest = dossier.newest().order;
        let country = newest.ship_to.as_ref().and_then(|to| to.country.as_deref());
        let frame = Frame {
            policy,
            origin: dossier.source,
            service: newest.shipping_method.as_deref(),
            zone,
            country,
            region: newest.ship_to.as_ref().and_then(|to| to.region.as_deref()),
            fulfilled: newest.fulfilment_status.as_deref() == Some("fulfilled"),
            paid,
            cancelled: cancelled.is_some(),
            now,
        };
        let mut own: Vec<&mut Parcel> = parcels
            .iter_mut()
            .filter(|parcel| parcel.order == Some(place))
            .collect();
        let way = delivery::trace(&tallies, &mut own, &frame);
        awaits.extend(&way.awaits);
        awaits.extend(&tallies.cool_downs);
        orders.push(order(
            dossier,
            &tallies,
            &way,
            &own,
            products,
            portrait.contacts[place].clone(),
            portrait.gifts[place],
            paid,
            cancelled,
            now,
        ));
        let placed = orders.last().into_iter().flat_map(|order| &order.lines);
        awaits.extend(placed.filter_map(|line| line.waits_until));
        accounts.push(Account { tallies, way, paid });
    }
    first_in_family(&mut orders);
    let reviews = reviews(&tellings, &book, &mut orders, products);
    let facts = derived::facts(&derived::Sources {
        policy,
        tellings: &tellings,
        book: &book,
        parcels: &parcels,
        accounts: &accounts,
        reviews: &reviews,
    });
    State {
        person: portrait.person,
        orders,
        facts,
        changes_at: awaits.into_iter().filter(|at| *at > now).min(),
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "the parts of one order, put together once"
)]
fn order(
    dossier: &Dossier<'_>,
    tallies: &Tallies,
    way: &Way,
    parcels: &[&mut Parcel],
    products: &Products,
    contact: Option<crate::model::email::Address>,
    gift: bool,
    paid: Option<(Timestamp, usize)>,
    cancelled: Option<(Timestamp, usize)>,
    now: Timestamp,
) -> Order {
    let snapshot = dossier.newest().order.clone();
    let off = cancelled.is_some() || tallies.refunded_by.is_some();
    let lines = tallies
        .lines
        .iter()
        .zip(&way.lines)
        .map(|(tally, way)| {
            let (tracks, waits_until) = tracks(dossier, &tally.item, products, now);
            (tally, way, tracks, waits_until)
        })
        .map(|(tally, way, tracks, waits_until)| Line {
            family: tracks.first().map(|track| track.family.clone()),
            tracks,
            waits_until,
            kept_quantity: if off {
                0
            } else {
                (tally.kept() - way.back).max(0)
            },
            owed_quantity: way.owed,
            dispatched_quantity: way.dispatched,
            dispatched_at: way.dispatched_at,
            delivered_at: way.arrival.map(|arrival| arrival.time),
            delivery_basis: way.arrival.map(|arrival| arrival.basis),
            refunded: tally.refunded_by.is_some(),
            returned: tally.returned_by.is_some(),
            return_open: tally.return_open,
            reviewed: false,
            first_in_family: false,
            item: tally.item.clone(),
        })
        .collect();
    let tagged = |tag: &String| REPLACING.contains(&tag.to_lowercase().as_str());
    let replacement = snapshot.replaces.is_some()
        || snapshot.tags.iter().any(tagged)
        || (snapshot.total.amount == 0 && !snapshot.line_items.is_empty());
    Order {
        key: dossier.key.clone(),
        source: dossier.source.to_owned(),
        contact,
        lines,
        shipments: parcels
            .iter()
            .map(|parcel| parcel.shipment.clone())
            .collect(),
        paid_at: paid.map(|(time, _)| time),
        cancelled_at: cancelled.map(|(time, _)| time),
        refunded_at: tallies.refunded_by.map(|(time, _)| time),
        dispatched_at: parcels
            .iter()
            .filter(|parcel| parcel.shipment.outbound && parcel.shipment.status != "cancelled")
            .filter_map(|parcel| parcel.shipment.dispatched_at)
            .min(),
        delivered_at: way.order.map(|arrival| arrival.time),
        gift,
        test: dossier.test,
        replacement,
        subscription_sequence: snapshot.subscription.as_ref().and_then(|s| s.sequence),
        snapshot,
    }
}

/// The families of a line, and until when what starts by them waits, where the catalogue
/// does not know the product yet: so long after it was first heard of, and then the
/// shop's default family stands in.
fn tracks(
    dossier: &Dossier<'_>,
    item: &LineItem,
    products: &Products,
    now: Timestamp,
) -> (Vec<Track>, Option<Timestamp>) {
    let found = products.tracks(item);
    if !found.is_empty() {
        return (found, None);
    }
    let default = products.default_family().map(|family| Track {
        family: family.to_owned(),
        part: None,
        first: false,
    });
    let Some(wait) = products.wait().filter(|_| !products.knows(item)) else {
        return (default.into_iter().collect(), None);
    };
    let heard = dossier
        .sightings
        .iter()
        .filter(|seen| {
            let mut lines = seen.order.line_items.iter();
            lines.any(|line| line.line_id == item.line_id)
        })
        .map(|seen| seen.row.recorded)
        .min()
        .unwrap_or(now);
    let until = time::saturating_add(heard, wait.roughly());
    if until > now {
        (Vec::new(), Some(until))
    } else {
        (default.into_iter().collect(), None)
    }
}

/// Marks the lines of the first order that brought something of their family; orders
/// that were cancelled taught nobody anything.
fn first_in_family(orders: &mut [Order]) {
    let mut had: BTreeSet<String> = BTreeSet::new();
    for order in orders {
        let mut now: BTreeSet<String> = BTreeSet::new();
        for line in &mut order.lines {
            for track in &mut line.tracks {
                track.first = !had.contains(&track.family);
                now.insert(track.family.clone());
            }
            line.first_in_family = line.tracks.first().is_some_and(|track| track.first);
        }
        if order.cancelled_at.is_none() {
            had.append(&mut now);
        }
    }
}

/// Whether a line is of a product, itself or by one of its parts.
fn is_of(item: &LineItem, product: &str, products: &Products) -> bool {
    if item.product_id.as_deref() == Some(product) {
        return true;
    }
    let (own, sku) = (item.product_id.as_deref(), item.sku.as_deref());
    let is = |sku: &str| {
        products
            .variant(sku)
            .is_some_and(|(of, _)| of.product_id == product)
    };
    sku.is_some_and(is)
        || products
            .components_of(own, sku)
            .iter()
            .any(|part| is(&part.sku))
}

/// Marks what was reviewed (rule 22): the product in the order that the review names,
/// all of that order where no product fits; without an order, the latest delivered one
/// that has the product. Gives for each review the order and, if only one, the line.
fn reviews(
    tellings: &[Telling<'_>],
    book: &Book<'_>,
    orders: &mut [Order],
    products: &Products,
) -> BTreeMap<usize, (usize, Option<String>)> {
    let mut found = BTreeMap::new();
    for (place, telling) in tellings.iter().enumerate() {
        if telling.kind() != EventKind::ReviewReceived {
            continue;
        }
        let Some(review) = &telling.body().review else {
            continue;
        };
        let product = review.product_id.as_deref();
        let has = |order: &Order| {
            let of = |product| move |line: &Line| is_of(&line.item, product, products);
            product.is_some_and(|product| order.lines.iter().any(of(product)))
        };
        let meant = book.of_telling[place].or_else(|| {
            let before = |order: &Order| {
                let came = order
                    .lines
                    .iter()
                    .filter_map(|line| line.delivered_at)
                    .max();
                let came = came.filter(|at| *at <= telling.time());
                (came, order.snapshot.placed_at)
            };
            (0..orders.len())
                .filter(|order| has(&orders[*order]))
                .max_by_key(|order| before(&orders[*order]))
        });
        let Some(meant) = meant else {
            continue;
        };
        let whole = !has(&orders[meant]);
        let mut lines = Vec::new();
        for line in &mut orders[meant].lines {
            let this = product.is_some_and(|product| is_of(&line.item, product, products));
            if whole || this {
                line.reviewed = true;
                lines.push(line.item.line_id.clone());
            }
        }
        let line = if lines.len() == 1 { lines.pop() } else { None };
        found.insert(place, (meant, line));
    }
    found
}
