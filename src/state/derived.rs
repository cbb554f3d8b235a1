//! The list of facts: what was told, once each, and what follows from it.

use super::assemble::assemble;
use super::delivery::{Arrival, Way};
use super::lines::Tallies;
use super::orders::Book;
use super::parcels::Parcel;
use super::telling::Telling;
use super::{Fact, State};
use crate::model::event::{DerivedKind, EventKind, FactKind, IngestMode};
use crate::model::history::History;
use crate::model::ids::EventSeq;
use crate::model::policy::Policy;
use crate::model::product::Products;
use crate::model::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What was worked out about one order.
pub(super) struct Account {
    pub(super) tallies: Tallies,
    pub(super) way: Way,
    pub(super) paid: Option<(Timestamp, usize)>,
}

/// Everything that facts are read from.
pub(super) struct Sources<'s, 'a> {
    pub(super) policy: &'s Policy,
    pub(super) tellings: &'s [Telling<'a>],
    pub(super) book: &'s Book<'a>,
    pub(super) parcels: &'s [Parcel],
    pub(super) accounts: &'s [Account],
    /// By telling: the order and the one line that a review is about.
    pub(super) reviews: &'s BTreeMap<usize, (usize, Option<String>)>,
}

/// A fact before it is known whether it is fresh.
struct Draft {
    kind: FactKind,
    time: Timestamp,
    order: Option<usize>,
    line: Option<String>,
    shipment: Option<String>,
    /// Tellings; the first completes it.
    by: Vec<usize>,
    inferred: bool,
}

impl Sources<'_, '_> {
    /// When a telling could be understood: it was there, and so was its order, and what
    /// leads from its parcel to that order. News that had to wait is learnt late.
    fn learnt(&self, place: usize, order: Option<usize>) -> Timestamp {
        let telling = &self.tellings[place];
        let recorded = |telling: &Telling<'_>| {
            let rows = telling.rows().iter().map(|row| row.recorded);
            rows.min().unwrap_or(telling.time())
        };
        let own = recorded(telling);
        let Some(order) = order else {
            return own;
        };
        let sightings = &self.book.dossiers[order].sightings;
        let known = sightings.iter().map(|seen| seen.row.recorded).min();
        let lost = telling.body().shipment.is_some() && telling.body().order_ref.is_none();
        let led = lost
            .then(|| {
                let parcel = self.parcels.iter().find(|p| p.tellings.contains(&place))?;
                let leading = parcel.tellings.iter().map(|place| &self.tellings[*place]);
                leading
                    .filter(|telling| telling.body().order_ref.is_some())
                    .map(recorded)
                    .min()
            })
            .flatten();
        own.max(known.unwrap_or(own)).max(led.unwrap_or(own))
    }

    fn fact(&self, draft: Draft) -> Fact {
        let completing = &self.tellings[draft.by[0]];
        let dossier = draft.order.map(|order| &self.book.dossiers[order]);
        let early = self
            .policy
            .live_since
            .is_some_and(|since| draft.time < since)
            // What is told again on purpose is to act.
            && !completing.is_replayed();
        let backfill = completing
            .rows()
            .iter()
            .all(|row| row.mode == IngestMode::Backfill);
        let learnt = self.learnt(draft.by[0], draft.order);
        Fact {
            kind: draft.kind,
            time: draft.time,
            // What is concluded is learnt at its own instant.
            learnt: if draft.inferred {
                learnt.max(draft.time)
            } else {
                learnt
            },
            order: dossier.map(|dossier| dossier.key.clone()),
            line: draft.line,
            shipment: draft.shipment,
            evidence: draft
                .by
                .iter()
                .flat_map(|place| self.tellings[*place].evidence())
                .collect(),
            fresh: true,
            inferred: draft.inferred,
            history_only: early || backfill,
            test: completing.is_test() || dossier.is_some_and(|dossier| dossier.test),
        }
    }
}

/// Lists all facts by (time, source sequence, id), what is concluded after what it is
/// concluded from.
pub(super) fn facts(from: &Sources<'_, '_>) -> Vec<Fact> {
    let mut drafts = told(from);
    for (order, account) in from.accounts.iter().enumerate() {
        concluded(from, order, account, &mut drafts);
    }
    drafts.sort_by(|a, b| {
        let rank = |d: &Draft| {
            let derived = matches!(d.kind, FactKind::Derived(_));
            (d.time, derived, d.by[0], d.kind)
        };
        rank(a)
            .cmp(&rank(b))
            .then_with(|| (a.order, &a.line).cmp(&(b.order, &b.line)))
    });
    drafts.into_iter().map(|draft| from.fact(draft)).collect()
}

/// Facts as told. Of what several sources tell about one parcel there is one fact a
/// kind; attempts to deliver count one by one.
fn told(from: &Sources<'_, '_>) -> Vec<Draft> {
    let mut of_parcel: BTreeMap<usize, usize> = BTreeMap::new();
    for (number, parcel) in from.parcels.iter().enumerate() {
        of_parcel.extend(parcel.tellings.iter().map(|place| (*place, number)));
    }
    let mut drafts: Vec<Draft> = Vec::new();
    let mut at: BTreeMap<(usize, EventKind), usize> = BTreeMap::new();
    for (place, telling) in from.tellings.iter().enumerate() {
        let kind = telling.kind();
        if kind == EventKind::OrderPaid && from.book.of_telling[place].is_some() {
            // Concluded per order, with what snapshots say.
            continue;
        }
        let review = from.reviews.get(&place);
        let draft = Draft {
            kind: FactKind::Event(kind),
            time: telling.time(),
            order: review
                .map(|(order, _)| *order)
                .or(from.book.of_telling[place]),
            line: review.and_then(|(_, line)| line.clone()),
            shipment: None,
            by: vec![place],
            inferred: false,
        };
        let Some(number) = of_parcel.get(&place).copied() else {
            drafts.push(draft);
            continue;
        };
        let parcel = &from.parcels[number];
        let shipment = Some(parcel.shipment.id.clone());
        let same = (kind != EventKind::ShipmentDeliveryFailed)
            .then(|| at.get(&(number, kind)).copied())
            .flatten();
        if let Some(same) = same {
            drafts[same].by.push(place);
            continue;
        }
        at.insert((number, kind), drafts.len());
        drafts.push(Draft { shipment, ..draft });
    }
    // The delivery that counts completes the fact, whichever was told first.
    for ((number, kind), draft) in at {
        let parcel = &from.parcels[number];
        if kind == EventKind::ShipmentDelivered
            && let (Some(best), Some(time)) = (parcel.delivered_by, parcel.shipment.delivered_at)
        {
            let draft = &mut drafts[draft];
            draft.by.retain(|place| *place != best);
            draft.by.insert(0, best);
            draft.time = time;
        }
    }
    // A delivery that is none (to the sender, after the parcel turned back) is no fact.
    drafts.retain(|draft| {
        let delivered = draft.kind == FactKind::Event(EventKind::ShipmentDelivered);
        let parcel = of_parcel
            .get(&draft.by[0])
            .map(|number| &from.parcels[*number]);
        !delivered || parcel.is_none_or(|parcel| parcel.delivered_by.is_some())
    });
    drafts
}

fn concluded(from: &Sources<'_, '_>, order: usize, account: &Account, drafts: &mut Vec<Draft>) {
    let mut put =
        |kind: FactKind, line: Option<&str>, time: Timestamp, by: Vec<usize>, inferred| {
            drafts.push(Draft {
                kind,
                time,
                order: Some(order),
                line: line.map(str::to_owned),
                shipment: None,
                by,
                inferred,
            });
        };
    if let Some((time, by)) = account.paid {
        let mut evidence = vec![by];
        let events = from.book.dossiers[order].tellings.iter().copied();
        evidence.extend(
            events.filter(|place| {
                *place != by && from.tellings[*place].kind() == EventKind::OrderPaid
            }),
        );
        put(
            FactKind::Event(EventKind::OrderPaid),
            None,
            time,
            evidence,
            false,
        );
    }
    let arrived = |arrival: &Arrival| (arrival.time, vec![arrival.by], arrival.inferred);
    for (tally, way) in account.tallies.lines.iter().zip(&account.way.lines) {
        let line = Some(tally.item.line_id.as_str());
        if let Some((time, by, inferred)) = way.arrival.as_ref().map(arrived) {
            let kind = FactKind::Derived(DerivedKind::ItemDelivered);
            put(kind, line, time, by, inferred);
        }
        if let Some((time, by)) = tally.refunded_by {
            let kind = FactKind::Derived(DerivedKind::ItemRefunded);
            put(kind, line, time, vec![by], false);
        }
        if let Some((time, by)) = tally.returned_by {
            let kind = FactKind::Derived(DerivedKind::ItemReturned);
            put(kind, line, time, vec![by], false);
        }
    }
    if let Some((time, by, inferred)) = account.way.order.as_ref().map(arrived) {
        let kind = FactKind::Derived(DerivedKind::OrderDelivered);
        put(kind, None, time, by, inferred);
    }
    if let Some((time, by)) = account.tallies.refunded_by {
        let kind = FactKind::Derived(DerivedKind::OrderRefunded);
        put(kind, None, time, vec![by], false);
    }
    for by in edits(from, order) {
        let kind = FactKind::Derived(DerivedKind::OrderEdited);
        put(kind, None, from.tellings[by].time(), vec![by], false);
    }
}

/// The `order.updated` facts that add a line or raise a quantity, against the newest
/// snapshot before them.
fn edits(from: &Sources<'_, '_>, order: usize) -> Vec<usize> {
    let dossier = &from.book.dossiers[order];
    let mut found = BTreeSet::new();
    for place in &dossier.tellings {
        let telling = &from.tellings[*place];
        if telling.kind() != EventKind::OrderUpdated {
            continue;
        }
        let body = telling.body();
        let named = body
            .changes
            .as_ref()
            .is_some_and(|changes| !changes.added.is_empty());
        let grown = body.order.as_ref().is_some_and(|after| {
            let before = dossier
                .sightings
                .iter()
                .rev()
                .find(|seen| seen.order.version < after.version);
            before.is_some_and(|before| {
                after.line_items.iter().any(|line| {
                    let had = before
                        .order
                        .line_items
                        .iter()
                        .find(|had| had.line_id == line.line_id);
                    line.current_quantity > had.map_or(0, |had| had.current_quantity)
                })
            })
        });
        if named || grown {
            found.insert(*place);
        }
    }
    found.into_iter().collect()
}

/// What makes two facts the same over time.
type Identity<'a> = (FactKind, Option<&'a str>, Option<&'a str>);

fn identity(fact: &Fact) -> Identity<'_> {
    (fact.kind, fact.order.as_deref(), fact.line.as_deref())
}

/// Whether there is one such fact per order or line, whatever it follows from.
fn is_single(kind: FactKind) -> bool {
    match kind {
        FactKind::Derived(DerivedKind::OrderEdited) => false,
        FactKind::Derived(_) => true,
        FactKind::Event(kind) => kind == EventKind::OrderPaid,
    }
}

/// Marks the facts that no plan has seen: those that did not follow from what the last
/// plan saw. A fact whose order has only now become known counts as unseen.
pub(super) fn mark_fresh(
    policy: &Policy,
    products: &Products,
    history: &History,
    state: &mut State,
) {
    if !history.events.iter().any(|event| event.considered) {
        return;
    }
    let considered_at = history.considered_at.unwrap_or(Timestamp::MIN);
    if history.events.iter().all(|event| event.considered) {
        for fact in &mut state.facts {
            fact.fresh = fact.inferred && fact.time > considered_at;
        }
        return;
    }
    let seen = history.events.iter().filter(|event| event.considered);
    let before = assemble(policy, products, history, seen, considered_at);
    let single: BTreeSet<Identity<'_>> = before
        .facts
        .iter()
        .filter(|fact| is_single(fact.kind))
        .map(identity)
        .collect();
    let told: BTreeSet<(FactKind, bool, EventSeq)> = before
        .facts
        .iter()
        .flat_map(|fact| {
            let known = fact.order.is_some();
            fact.evidence
                .iter()
                .map(move |seq| (fact.kind, known, *seq))
        })
        .collect();
    for fact in &mut state.facts {
        let known = fact.order.is_some();
        let seen_before = if is_single(fact.kind) {
            single.contains(&identity(fact))
        } else {
            let told_before = |seq: &EventSeq| {
                told.contains(&(fact.kind, known, *seq))
                    || (!known && told.contains(&(fact.kind, true, *seq)))
            };
            fact.evidence.iter().any(told_before)
        };
        fact.fresh = !seen_before;
    }
}
