//! A delivery that was assumed, or told roughly, is told better: what counts from it moves,
//! as long as nothing that counts from it went (rule 6). Nothing begins again and nothing
//! ends here.

use super::{Mind, enrol};
use crate::model::enrolment::{Enrolment, Start};
use crate::model::event::{DerivedKind, EventKind, FactKind};
use crate::model::send::SendState;
use crate::state::{Fact, State};

/// Moves the start of each run that counts from a delivery to where the delivery is now
/// known to lie.
pub(super) fn starts(mind: &mut Mind) {
    let catalog = mind.catalog;
    let open: Vec<Enrolment> = mind
        .history
        .enrolments
        .iter()
        .filter(|run| run.is_open() && !has_begun(mind, run))
        .cloned()
        .collect();
    for mut run in open {
        let Some(sequence) = catalog.sequence(&run.sequence) else {
            continue;
        };
        // Of what joined later nothing is counted.
        let Some(start) = run.starts.first().filter(|start| counts(start.kind)) else {
            continue;
        };
        let better = mind
            .state
            .facts
            .iter()
            .find(|fact| !fact.inferred && is_same(&mind.state, fact, start))
            .filter(|fact| fact.time != start.time || fact.evidence != start.evidence)
            .cloned();
        let Some(fact) = better else { continue };
        if fact.time != start.time {
            run.anchor = enrol::anchor(mind, sequence, &fact);
        }
        if let Some(start) = run.starts.first_mut() {
            start.time = fact.time;
            start.evidence = fact.evidence;
        }
        mind.update(run);
    }
}

fn counts(kind: FactKind) -> bool {
    matches!(
        kind,
        FactKind::Derived(DerivedKind::ItemDelivered | DerivedKind::OrderDelivered)
            | FactKind::Event(EventKind::ShipmentDelivered)
    )
}

/// Whether a step of a run was decided in a way that reached, or may reach, the customer.
fn has_begun(mind: &Mind, run: &Enrolment) -> bool {
    let mut sends = mind.history.sends.iter();
    sends.any(|send| {
        send.enrolment == run.id && !matches!(send.state, SendState::Cancelled | SendState::Skipped)
    })
}

fn is_same(state: &State, fact: &Fact, start: &Start) -> bool {
    let parcel = |id: &Option<String>| {
        let (order, id) = (start.order.as_deref()?, id.as_deref()?);
        Some(state.shipment(order, id)?.id.as_str())
    };
    let same_parcel = match fact.kind {
        FactKind::Event(_) => parcel(&fact.shipment) == parcel(&start.shipment),
        FactKind::Derived(_) => true,
    };
    fact.kind == start.kind && fact.order == start.order && fact.line == start.line && same_parcel
}
