//! What an enrolment, a fact or a step is about: which order, item and parcel its
//! names mean, and which items support it.

use super::assign;
use crate::model::enrolment::{Enrolment, Start};
use crate::model::event::{DerivedKind, FactKind};
use crate::model::history::History;
use crate::sequence::catalog::{Each, Per, Sequence};
use crate::state::{Fact, Line, Order, State, Subject};

/// An item: its order's key and its line's id.
pub type Item = (String, String);

/// Whether a line still supports what was started by it: some of it is kept, and not
/// every parcel with it went back or was lost.
pub fn supports(order: &Order, line: &Line) -> bool {
    if !line.kept() {
        return false;
    }
    let mut parcels = order
        .shipments
        .iter()
        .filter(|s| s.outbound && s.items.iter().any(|(id, _)| *id == line.item.line_id))
        .peekable();
    parcels.peek().is_none() || parcels.any(|parcel| !parcel.gone)
}

/// The items that a start names: its line, those of its parcel, or those of its order.
fn items_of_start(state: &State, start: &Start) -> Vec<Item> {
    let Some(key) = &start.order else {
        return Vec::new();
    };
    if let Some(line) = &start.line {
        return vec![(key.clone(), line.clone())];
    }
    let Some(order) = state.order(key) else {
        return Vec::new();
    };
    match start
        .shipment
        .as_deref()
        .and_then(|id| state.shipment(key, id))
    {
        Some(parcel) => parcel
            .items
            .iter()
            .map(|(line, _)| (key.clone(), line.clone()))
            .collect(),
        None => order
            .lines
            .iter()
            .map(|l| (key.clone(), l.item.line_id.clone()))
            .collect(),
    }
}

/// Every item that started or joined an enrolment, earliest first.
pub fn items(state: &State, enrolment: &Enrolment) -> Vec<Item> {
    let mut starts: Vec<&Start> = enrolment.starts.iter().collect();
    starts.sort_by_key(|start| start.time);
    let mut all: Vec<Item> = Vec::new();
    for item in starts
        .into_iter()
        .flat_map(|start| items_of_start(state, start))
    {
        if !all.contains(&item) {
            all.push(item);
        }
    }
    all
}

/// Those of [`items`] that still support it.
pub fn kept_items(state: &State, enrolment: &Enrolment) -> Vec<Item> {
    items(state, enrolment)
        .into_iter()
        .filter(|(order, line)| {
            state
                .order(order)
                .zip(state.line(order, line))
                .is_some_and(|(order, line)| supports(order, line))
        })
        .collect()
}

/// What the names mean inside an enrolment: `item` is the earliest item that supports
/// it and is still kept, `order` that item's order.
pub fn of_enrolment(
    state: &State,
    history: &History,
    sequence: &Sequence,
    enrolment: &Enrolment,
) -> Subject {
    let kept = kept_items(state, enrolment);
    let first = enrolment.starts.first();
    let item = kept
        .first()
        .cloned()
        .or_else(|| items(state, enrolment).into_iter().next());
    let order = item
        .as_ref()
        .map(|(order, _)| order.clone())
        .or_else(|| first.and_then(|start| start.order.clone()));
    let by_item = names_item(sequence) || first.is_some_and(|start| start.line.is_some());
    let family = enrolment
        .starts
        .iter()
        .find(|start| {
            item.as_ref().is_some_and(|(order, line)| {
                start.order.as_ref() == Some(order) && start.line.as_ref() == Some(line)
            })
        })
        .and_then(|start| start.family.clone());
    Subject {
        order,
        family,
        line: item.filter(|_| by_item).map(|(_, line)| line),
        shipment: first.and_then(|start| start.shipment.clone()),
        event: first.and_then(|start| payload(history, start)),
        variant: assign::variant(history, sequence).map(str::to_owned),
        items: kept,
    }
}

/// The event whose parts a start on a fact that carries some may name.
fn payload(history: &History, start: &Start) -> Option<crate::model::ids::EventSeq> {
    start
        .evidence
        .iter()
        .copied()
        .find(|seq| crate::state::event(history, *seq).is_some())
}

/// Whether the key of a sequence names an item.
pub fn names_item(sequence: &Sequence) -> bool {
    sequence
        .start
        .per
        .iter()
        .any(|per| matches!(per, Per::Item | Per::ItemField(_)))
}

/// An item as each of its families looks at it: a kit may have several.
pub fn views(state: &State, about: Subject) -> Vec<Subject> {
    let line = about
        .order
        .as_deref()
        .zip(about.line.as_deref())
        .and_then(|(order, line)| state.line(order, line));
    match line {
        Some(line) if about.family.is_none() && line.tracks.len() > 1 => line
            .tracks
            .iter()
            .map(|track| Subject {
                family: Some(track.family.clone()),
                ..about.clone()
            })
            .collect(),
        _ => vec![about],
    }
}

/// The occurrences of a step: one empty one, or one for every parcel or item of the
/// enrolment, with what its names mean then.
pub fn occurrences(state: &State, subject: &Subject, each: Option<Each>) -> Vec<(String, Subject)> {
    let Some(each) = each else {
        return vec![(String::new(), subject.clone())];
    };
    let Some(order) = subject.order.as_deref().and_then(|key| state.order(key)) else {
        return Vec::new();
    };
    match each {
        Each::Shipment => order
            .shipments
            .iter()
            .filter(|parcel| parcel.outbound)
            .map(|parcel| {
                let about = Subject {
                    shipment: Some(parcel.id.clone()),
                    ..subject.clone()
                };
                (parcel.id.clone(), about)
            })
            .collect(),
        Each::Item => order
            .lines
            .iter()
            .map(|line| {
                let id = line.item.line_id.clone();
                (
                    id.clone(),
                    Subject {
                        line: Some(id),
                        ..subject.clone()
                    },
                )
            })
            .collect(),
    }
}

/// The first fact of a kind that concerns a subject.
pub fn fact<'s>(state: &'s State, kind: FactKind, subject: &Subject) -> Option<&'s Fact> {
    state
        .facts
        .iter()
        .find(|fact| fact.kind == kind && concerns(fact, subject))
}

/// Whether a fact is about the same thing as a subject. A fact that names no order
/// concerns the person, and so everything of theirs.
pub fn concerns(fact: &Fact, subject: &Subject) -> bool {
    fn same(fact: &Option<String>, subject: &Option<String>) -> bool {
        match (fact, subject) {
            (Some(fact), Some(subject)) => fact == subject,
            _ => true,
        }
    }
    let of_items = fact.kind.is_of_item();
    same(&fact.order, &subject.order)
        && same(&fact.shipment, &subject.shipment)
        && (!of_items || same(&fact.line, &subject.line))
}

/// Whether a kind of fact takes goods away: such a stop ends a run only when nothing
/// that started it is still kept.
pub fn takes_away(kind: FactKind) -> bool {
    use crate::model::event::EventKind as E;
    matches!(
        kind,
        FactKind::Derived(
            DerivedKind::ItemRefunded | DerivedKind::ItemReturned | DerivedKind::OrderRefunded
        ) | FactKind::Event(
            E::OrderCancelled
                | E::RefundIssued
                | E::ReturnUpdated
                | E::ShipmentReturnedToSender
                | E::ShipmentLost
                | E::ShipmentCancelled
        )
    )
}
