//! Says in words on what an assumed delivery rests, for `why`. Nothing is decided here.

use crate::model::event::{DerivedKind, FactKind};
use crate::model::history::History;
use crate::model::send::Send;
use crate::model::time::{self, TimeZone, Timestamp};
use crate::sequence::catalog::{Anchor, Catalog, Sequence};
use crate::state::{Assumed, Assumption, Order, State};
use std::collections::BTreeSet;

/// On which assumed deliveries a send rests, or would: sentences, none where its sequence
/// asks for no delivery or every parcel was heard of.
pub fn of_send(catalog: &Catalog, history: &History, send: &Send, now: Timestamp) -> Vec<String> {
    let Some(sequence) = catalog.sequence(&send.sequence) else {
        return Vec::new();
    };
    let settled = history
        .send(send.id)
        .is_some_and(|had| had.state.is_terminal());
    // What was known when it was decided; of what is to come, what is known now.
    let at = if settled { send.at } else { now.max(send.due) };
    let starts = history.enrolment(send.enrolment).map(|run| {
        let keys = run.starts.iter().filter_map(|start| start.order.as_deref());
        keys.collect::<BTreeSet<&str>>()
    });
    told(catalog, history, sequence, at, |order| match &starts {
        Some(keys) => keys.contains(order.key.as_str()),
        None => send
            .order
            .as_deref()
            .is_none_or(|id| id == order.snapshot.order_id),
    })
}

/// As [`of_send`], where there is no send: about one order, by its key, or any.
pub fn of_absence(
    catalog: &Catalog,
    history: &History,
    sequence: &Sequence,
    order: Option<&str>,
    now: Timestamp,
) -> Vec<String> {
    told(catalog, history, sequence, now, |one| {
        order.is_none_or(|key| key == one.key)
    })
}

fn told(
    catalog: &Catalog,
    history: &History,
    sequence: &Sequence,
    at: Timestamp,
    meant: impl Fn(&Order) -> bool,
) -> Vec<String> {
    if !asks_for_delivery(sequence) {
        return Vec::new();
    }
    let mut known = history.clone();
    known.events.retain(|event| event.recorded <= at);
    let state = super::fold(catalog, &known, at);
    let orders = state.orders.iter().filter(|order| meant(order));
    let mut sentences: Vec<String> = Vec::new();
    for order in orders {
        let zone = &state.person.zone;
        let parcels = order.shipments.iter().filter(|parcel| parcel.outbound);
        let assumed = parcels.clone().filter_map(|parcel| parcel.assumed.as_ref());
        sentences.extend(assumed.map(|one| sentence(one, zone)));
        let silent = parcels
            .clone()
            .any(|parcel| parcel.delivered_at.is_none() && parcel.assumed.is_none());
        if silent && capped(&state, order) {
            let day = order.delivered_at.map(|at| shown(at, zone));
            sentences.push(format!(
                "delivered is assumed for {}: nothing was heard for 14 days after the last parcel left, and nothing else says how long parcels take",
                day.unwrap_or_default()
            ));
        }
    }
    let mut had = BTreeSet::new();
    sentences.retain(|sentence| had.insert(sentence.clone()));
    sentences
}

fn capped(state: &State, order: &Order) -> bool {
    state.facts.iter().any(|fact| {
        fact.kind == FactKind::Derived(DerivedKind::OrderDelivered)
            && fact.order.as_deref() == Some(order.key.as_str())
            && fact.inferred
    })
}

fn asks_for_delivery(sequence: &Sequence) -> bool {
    let delivery = |kind: FactKind| {
        matches!(
            kind,
            FactKind::Derived(DerivedKind::ItemDelivered | DerivedKind::OrderDelivered)
        )
    };
    delivery(sequence.start.on)
        || sequence
            .all_forms()
            .any(|step| matches!(step.anchor, Anchor::Fact(kind) if delivery(kind)))
}

fn shown(at: Timestamp, zone: &TimeZone) -> String {
    time::day(at, zone).strftime("%-d %b %Y").to_string()
}

fn sentence(assumed: &Assumed, zone: &TimeZone) -> String {
    let day = shown(assumed.at, zone);
    let to = assumed.to.as_deref().unwrap_or("anywhere");
    match &assumed.by {
        Assumption::Files { after } => format!(
            "delivered is assumed for {day}: config/store.toml takes a parcel to {to} that nobody hears of to arrive within {after} ([[delivery.assume]])"
        ),
        Assumption::Learnt(known) => format!(
            "delivered is assumed for {day}: {} to {to} takes {} working day{} for 9 of 10 of your {} parcels, plus one",
            known.name,
            known.days,
            if known.days == 1 { "" } else { "s" },
            known.parcels
        ),
    }
}
