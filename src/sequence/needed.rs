//! Which kinds of event the files live on: without them something never starts, never
//! goes out, or never stops.

use super::catalog::{Anchor, Catalog, Sequence, Timed};
use crate::model::event::{DerivedKind, EventKind, FactKind};
use crate::model::kind::{Class, Kind};
use std::collections::{BTreeMap, BTreeSet};

/// What for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum For {
    /// Without it nothing goes out.
    Starting,
    /// Without it something goes out that should not.
    Stopping,
}

/// By kind of event: the sequences that need it, and what for.
pub fn needed(catalog: &Catalog) -> BTreeMap<EventKind, BTreeSet<(For, &str)>> {
    let mut needs: BTreeMap<EventKind, BTreeSet<(For, &str)>> = BTreeMap::new();
    let assumed = !catalog.policy.assume.is_empty();
    for sequence in catalog.sequences.iter() {
        for (what, fact) in facts(sequence) {
            if let Some(kind) = event_of(fact, assumed) {
                needs.entry(kind).or_default().insert((what, &sequence.id));
            }
        }
        let stopping = (For::Stopping, sequence.id.as_str());
        // Whoever wrote a review is asked for none, whatever the file says.
        if sequence.kind == Kind::Review {
            let kind = EventKind::ReviewReceived;
            needs.entry(kind).or_default().insert(stopping);
        }
        // Who has opted out at the storefront is not advertised to.
        if sequence
            .all_forms()
            .any(|step| step.kind.class() == Class::Marketing)
        {
            let kind = EventKind::ConsentChanged;
            needs.entry(kind).or_default().insert(stopping);
        }
        for pause in &sequence.pauses {
            for (name, kind) in HOLDING {
                if pause.while_.uses(name) {
                    needs.entry(*kind).or_default().insert(stopping);
                }
            }
        }
    }
    needs
}

/// Names that pauses ask for, and the kind of event that brings them about.
const HOLDING: &[(&str, EventKind)] = &[
    ("customer.open_ticket", EventKind::TicketOpened),
    ("customer.open_dispute", EventKind::DisputeOpened),
    ("item.return_open", EventKind::ReturnRequested),
];

fn facts(sequence: &Sequence) -> Vec<(For, FactKind)> {
    let mut facts = vec![(For::Starting, sequence.start.on)];
    if let Some(Timed::Absence { of, .. }) = &sequence.start.timed {
        facts.push((For::Starting, *of));
    }
    for step in sequence.all_forms() {
        if let Anchor::Fact(fact) = step.anchor {
            facts.push((For::Starting, fact));
        }
    }
    let stops = sequence.stops.iter().flat_map(|stop| &stop.on);
    facts.extend(stops.map(|fact| (For::Stopping, *fact)));
    facts
}

/// The kind of event that a fact comes from; `None` where time or we ourselves bring it.
fn event_of(fact: FactKind, assumed: bool) -> Option<EventKind> {
    Some(match fact {
        FactKind::Event(kind) => kind,
        FactKind::Derived(kind) => match kind {
            // Where deliveries are assumed, the dispatch is enough.
            DerivedKind::ItemDelivered | DerivedKind::OrderDelivered if assumed => {
                EventKind::ShipmentDispatched
            }
            DerivedKind::ItemDelivered | DerivedKind::OrderDelivered => {
                EventKind::ShipmentDelivered
            }
            DerivedKind::ItemRefunded | DerivedKind::OrderRefunded => EventKind::RefundIssued,
            DerivedKind::ItemReturned => EventKind::ReturnUpdated,
            DerivedKind::OrderEdited => EventKind::OrderUpdated,
            DerivedKind::StepSent
            | DerivedKind::Absence
            | DerivedKind::Schedule
            | DerivedKind::Replenish => return None,
        },
    })
}
