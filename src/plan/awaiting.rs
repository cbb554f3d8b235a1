//! What starts by an item's family, while the catalogue does not know the product: it
//! waits until the product is known, or for as long as the shop says. Whoever plans
//! later, or twice, opens the same runs.

use super::{Decision, Mind, enrol, subject, timing};
use crate::model::time::Timestamp;
use crate::model::waiting::Waiting;
use crate::sequence::catalog::{Per, Sequence};
use crate::state::{Fact, Subject};

/// Names of an item that only the catalogue can say.
const BY_CATALOGUE: [&str; 6] = [
    "item.family",
    "item.families",
    "item.first_in_family",
    "item.complements",
    "item.tags",
    "item.categories",
];

/// Whether a start hangs on what the catalogue says of an item.
pub(super) fn is_by_family(sequence: &Sequence) -> bool {
    let start = &sequence.start;
    let of_key = start
        .per
        .iter()
        .any(|per| matches!(per, Per::ItemField(field) if field == "family"));
    of_key
        || start.where_.as_ref().is_some_and(|condition| {
            condition.uses("product") || BY_CATALOGUE.iter().any(|name| condition.uses(name))
        })
}

/// Lets a fact wait for the catalogue, where the start needs it and the product is not
/// known; whether it does.
pub(super) fn begin(mind: &mut Mind, sequence: &Sequence, fact: &Fact, about: &Subject) -> bool {
    let (Some(order), Some(line)) = (&about.order, &about.line) else {
        return false;
    };
    let Some(known) = mind.state.line(order, line) else {
        return false;
    };
    let Some(until) = known.waits_until.filter(|_| is_by_family(sequence)) else {
        return false;
    };
    let item = &known.item;
    let waiting = Waiting {
        kind: fact.kind,
        order: order.clone(),
        line: line.clone(),
        shipment: about.shipment.clone(),
        product: item
            .sku
            .clone()
            .or_else(|| item.product_id.clone())
            .unwrap_or_else(|| item.title.clone()),
        since: mind.now,
        until,
        customer: mind.history.customer,
    };
    if !mind.history.waiting.iter().any(|had| had.is_same(&waiting)) {
        mind.decide(Decision::Await(waiting));
    }
    mind.wake(until);
    true
}

/// Looks at the facts that wait: those whose product is known by now, or was waited for
/// long enough, are considered as if they had been learnt now.
pub(super) fn settle(mind: &mut Mind) {
    let mut seen: Vec<Waiting> = Vec::new();
    for waiting in mind.history.waiting.clone() {
        if seen.iter().any(|had| had.is_same(&waiting)) {
            continue;
        }
        seen.push(waiting.clone());
        let line = mind.state.line(&waiting.order, &waiting.line);
        if let Some(until) = line.and_then(|line| line.waits_until) {
            mind.wake(until);
            continue;
        }
        let there = line.is_some();
        let since = mind.now.min(waiting.until);
        mind.decide(Decision::Settle(waiting.clone()));
        if there && let Some(fact) = fact_of(mind, &waiting) {
            reconsider(mind, &waiting, fact, since);
        }
    }
}

fn fact_of(mind: &Mind, waiting: &Waiting) -> Option<Fact> {
    // Parcels may have turned out to be one since, and have one id now.
    let parcel = |id: &String| {
        let found = mind.state.shipment(&waiting.order, id);
        found.map_or_else(|| id.clone(), |parcel| parcel.id.clone())
    };
    let shipment = waiting.shipment.as_ref().map(parcel);
    let same = |fact: &&Fact| {
        fact.kind == waiting.kind
            && fact.order.as_deref() == Some(&waiting.order)
            && fact.line.as_ref().is_none_or(|line| *line == waiting.line)
            && fact.shipment == shipment
    };
    mind.state.facts.iter().find(same).cloned()
}

/// Considers a fact about one line as learnt at `known`, when its family was.
fn reconsider(mind: &mut Mind, waiting: &Waiting, fact: Fact, known: Timestamp) {
    let catalog = mind.catalog;
    for sequence in catalog.sequences.iter() {
        let timed = sequence.start.timed.is_some();
        if sequence.start.on != fact.kind || timed || !is_by_family(sequence) {
            continue;
        }
        let oldest = enrol::oldest(&catalog.policy, sequence.kind);
        if timing::is_over(oldest, fact.time, fact.learnt) {
            continue;
        }
        let late = Fact {
            learnt: fact.learnt.max(known),
            ..fact.clone()
        };
        let about = Subject {
            order: Some(waiting.order.clone()),
            line: Some(waiting.line.clone()),
            shipment: fact.shipment.clone(),
            event: fact.evidence.first().copied(),
            ..Subject::default()
        };
        for about in subject::views(&mind.state, about) {
            enrol::consider_subject(mind, sequence, &late, None, None, about);
        }
    }
}
