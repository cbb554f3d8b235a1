//! The planner in virtual time: what will happen to one person if no news comes.
//! Queued mail counts as accepted when it is due; relay weather is not promised.

use super::{Clearance, Ready, clear, plan};
use crate::model::history::History;
use crate::model::reason::Reason;
use crate::model::send::{Prepared, Send, SendState};
use crate::model::time::{self, Timestamp};
use crate::sequence::catalog::{Anchor, Catalog};

/// How many plans one walk makes for one person at most: a guard against a planner
/// that never rests.
pub const MAX_PLANS: usize = 20_000;

/// A send that is foreseen.
#[derive(Debug, Clone)]
pub struct Foreseen {
    /// As it will stand in the ledger.
    pub send: Send,
    /// Its state now; `None` where the ledger does not know it yet.
    pub now: Option<SendState>,
    /// What may still stop or move it.
    pub depends_on: Vec<String>,
}

/// Everything that will be decided about one person from `now` until `until`, if no
/// further event comes.
pub fn forecast(
    catalog: &Catalog,
    history: &History,
    now: Timestamp,
    until: Timestamp,
) -> Vec<Foreseen> {
    let mut future = history.clone();
    live(catalog, &mut future, now, until);
    future
        .sends
        .iter()
        .filter(|send| match history.send(send.id) {
            Some(had) => !had.state.is_terminal(),
            None => true,
        })
        .map(|send| Foreseen {
            send: send.clone(),
            now: history.send(send.id).map(|had| had.state.clone()),
            depends_on: depends_on(catalog, send),
        })
        .collect()
}

/// Lets one person's future happen: plans at every wake-up from `now` to `until`, and
/// sends what is queued when it is due. Returns the instant of the next wake-up after
/// `until`, if there is one.
pub fn live(
    catalog: &Catalog,
    history: &mut History,
    now: Timestamp,
    until: Timestamp,
) -> Option<Timestamp> {
    live_making(catalog, history, now, until, &mut foreseen)
}

/// Makes a mail that may go: in which language it went, or the reason for which it has
/// to be held. Forecasts make none; tests of a shop make each.
pub type Make<'m> =
    dyn FnMut(&Catalog, &Send, Box<Ready>, Timestamp) -> Result<Prepared, Reason> + 'm;

/// As [`live`], making each mail by `make`.
pub fn live_making(
    catalog: &Catalog,
    history: &mut History,
    now: Timestamp,
    until: Timestamp,
    make: &mut Make<'_>,
) -> Option<Timestamp> {
    let mut at = now;
    for _ in 0..MAX_PLANS {
        let plan = plan(catalog, history, at);
        plan.apply(history, at);
        if send_due(catalog, history, at, make) {
            continue;
        }
        let retry = history.sends.iter().filter_map(|send| match send.state {
            SendState::Queued { not_before } => Some(not_before),
            _ => None,
        });
        let next = retry.chain(plan.wake_at).min()?;
        if next > until {
            return Some(next);
        }
        at = next.max(time::saturating_add(
            at,
            jiff::SignedDuration::from_millis(1),
        ));
    }
    None
}

/// A mail that is not made, since nobody gets it.
pub(super) fn foreseen(
    catalog: &Catalog,
    _: &Send,
    ready: Box<Ready>,
    now: Timestamp,
) -> Result<Prepared, Reason> {
    Ok(Prepared {
        hash: String::new(),
        version: catalog.version.clone(),
        date: now,
        to: ready.to.as_typed().to_owned(),
        locale: ready.locales.first().cloned().unwrap_or_default(),
        values: serde_json::Value::Null,
    })
}

/// Sends what is queued and due; whether anything changed.
fn send_due(catalog: &Catalog, history: &mut History, now: Timestamp, make: &mut Make<'_>) -> bool {
    let due: Vec<Send> = history
        .sends
        .iter()
        .filter(|send| matches!(send.state, SendState::Queued { not_before } if not_before <= now))
        .cloned()
        .collect();
    let mut changed = false;
    for mut send in due {
        let (state, reason) = match clear(catalog, history, &send, now) {
            Clearance::Go(ready) => match make(catalog, &send, ready, now) {
                Ok(prepared) => {
                    send.prepared = Some(prepared);
                    let reply = "foreseen".into();
                    (SendState::Accepted { reply }, send.reason.take())
                }
                Err(reason) => (SendState::Held { since: now }, Some(reason)),
            },
            Clearance::Skip(reason) => {
                send.end(SendState::Skipped, reason, now);
                (send.state.clone(), send.reason.take())
            }
            Clearance::Hold(reason) => (SendState::Held { since: now }, Some(reason)),
            Clearance::Wait(until) => (SendState::Queued { not_before: until }, send.reason.take()),
            Clearance::Gone => continue,
        };
        changed |= !matches!(state, SendState::Queued { .. });
        send.state = state;
        send.reason = reason;
        send.at = now;
        if let Some(had) = history.sends.iter_mut().find(|had| had.id == send.id) {
            *had = send;
        }
    }
    changed
}

/// What may still stop or move a send, as sentences.
pub fn depends_on(catalog: &Catalog, send: &Send) -> Vec<String> {
    let mut all = Vec::new();
    let Some((sequence, step)) = catalog
        .sequence(&send.sequence)
        .and_then(|sequence| Some((sequence, sequence.step(&send.step)?)))
    else {
        return all;
    };
    if let Anchor::Step(earlier) = &step.anchor {
        all.push(format!(
            "it counts from the sending of `{earlier}`, and moves with it"
        ));
    }
    if let Some(when) = &step.when {
        all.push(format!("when: {}", when.text()));
    }
    if let Some(unless) = &step.unless {
        all.push(format!("unless: {}", unless.text()));
    }
    for pause in &sequence.pauses {
        all.push(format!("paused while: {}", pause.while_.text()));
    }
    for stop in &sequence.stops {
        let on: Vec<&str> = stop.on.iter().map(|kind| kind.as_str()).collect();
        all.push(format!("stops on {}", on.join(", ")));
    }
    if step.kind.is_bound() {
        all.push(
            "an opt-out, the consent on the day, opening hours and the limits per person".into(),
        );
    } else {
        all.push("nothing but a dead address or erasure".into());
    }
    if step.kind.is_ask()
        && catalog
            .policy
            .earn
            .get(&step.kind)
            .is_some_and(|cost| *cost > 0)
    {
        all.push("help must have been sent first ([earn])".into());
    }
    all
}
