//! Who leaves and who waits: erasure, merges, stops, lost goods, opt-outs, pauses, and
//! runs that are through.

use super::{Decision, Mind, assign, elapsed, lets, permit, subject};
use crate::model::enrolment::{Ending, Enrolment, EnrolmentState};
use crate::model::ids::EnrolmentId;
use crate::model::kind::Kind;
use crate::model::reason::Reason;
use crate::model::send::{Send, SendState};
use crate::model::time::{self, Timestamp};
use crate::sequence::catalog::Sequence;
use crate::state::{State, Subject};

/// A forgotten person: everything waiting is cancelled, every run ends.
pub fn forget(mind: &mut Mind) {
    for enrolment in open_enrolments(mind) {
        stop(mind, enrolment, Reason::Erased);
    }
    let left: Vec<Send> = mind
        .history
        .sends
        .iter()
        .filter(|send| send.state.is_withdrawable())
        .cloned()
        .collect();
    for send in left {
        cancel(mind, send, Reason::Erased);
    }
}

fn open_enrolments(mind: &Mind) -> Vec<Enrolment> {
    mind.history
        .enrolments
        .iter()
        .filter(|e| e.is_open())
        .cloned()
        .collect()
}

/// Two runs of one key, brought together by a merge of people: the older goes on.
pub fn merge(mind: &mut Mind) {
    let mut open = open_enrolments(mind);
    open.sort_by_key(|e| (e.opened_at, e.id));
    for at in 1..open.len() {
        let twin = &open[at];
        let older = open[..at]
            .iter()
            .any(|first| first.sequence == twin.sequence && first.key == twin.key);
        if older {
            stop(mind, twin.clone(), Reason::Merged);
        }
    }
}

/// Ends every run that a rule ends now.
pub fn end(mind: &mut Mind) {
    for enrolment in open_enrolments(mind) {
        let Some(sequence) = mind.catalog.sequence(&enrolment.sequence) else {
            continue;
        };
        if let Some(because) = reason_to_end(mind, sequence, &enrolment) {
            stop(mind, enrolment, because);
        }
    }
    remove_steps(mind);
}

/// Sends that wait for a step that is no longer in the files are withdrawn (F4).
fn remove_steps(mind: &mut Mind) {
    let gone: Vec<Send> = mind
        .history
        .sends
        .iter()
        .filter(|send| send.state.is_withdrawable())
        .filter(|send| {
            assign::find(mind.catalog, &mind.history, &send.sequence, &send.step).is_none()
        })
        .cloned()
        .collect();
    for send in gone {
        let because = assign::missing(mind.catalog, &mind.history, &send.sequence, &send.step);
        cancel(mind, send, because);
    }
}

fn reason_to_end(mind: &Mind, sequence: &Sequence, enrolment: &Enrolment) -> Option<Reason> {
    let about = subject::of_enrolment(&mind.state, &mind.history, sequence, enrolment);
    let items = subject::items(&mind.state, enrolment);
    let gone = lost(&mind.state, enrolment);
    let lost = gone.is_some();
    if sequence.kind != Kind::Fulfilment && lost {
        return gone;
    }
    if sequence.kind == Kind::Review && all_reviewed(mind, &about) {
        return Some(Reason::Reviewed);
    }
    if let Some(on) = elapsed::undone(mind, sequence, enrolment) {
        return Some(Reason::Stopped { on: on.to_string() });
    }
    let since = enrolment.starts.iter().map(|start| start.time).min();
    for rule in &sequence.stops {
        let hit = rule.on.iter().copied().find(|kind| {
            let takes_away = subject::takes_away(*kind);
            if takes_away && !items.is_empty() && !lost {
                return false;
            }
            let whole = Subject {
                line: about.line.clone().filter(|_| !takes_away),
                ..about.clone()
            };
            let mut facts = mind.state.facts.iter().filter(|fact| {
                fact.kind == *kind
                    && since.is_some_and(|since| fact.time >= since)
                    && subject::concerns(fact, &whole)
            });
            // `when` speaks of the fact that stops: each is asked with its own parts.
            facts.any(|fact| {
                rule.when.as_ref().is_none_or(|condition| {
                    let told = Subject {
                        event: fact.evidence.first().copied().or(about.event),
                        ..about.clone()
                    };
                    lets(condition, &mind.names(&told), true).is_ok()
                })
            })
        });
        if let Some(kind) = hit {
            return Some(Reason::Stopped {
                on: kind.to_string(),
            });
        }
    }
    opted_out_of_all(mind, sequence)
}

/// The opt-out that stops every step of a sequence, if one does.
fn opted_out_of_all(mind: &Mind, sequence: &Sequence) -> Option<Reason> {
    let mut because = None;
    for step in assign::course(&mind.history, sequence) {
        because = Some(permit::is_stopped(
            &mind.state.person,
            step.kind,
            &sequence.id,
        )?);
    }
    because
}

/// Why nothing that an enrolment is about is with the customer any more, where that is so:
/// then nothing but fulfilment goes out in it (C2), whatever the kind of its sequence.
pub(super) fn lost(state: &State, enrolment: &Enrolment) -> Option<Reason> {
    let items = subject::items(state, enrolment);
    let lost = !items.is_empty() && subject::kept_items(state, enrolment).is_empty();
    lost.then(|| why_lost(state, &items))
}

fn why_lost(state: &State, items: &[subject::Item]) -> Reason {
    let (mut cancelled, mut returned, mut gone) = (false, false, None);
    for (key, line) in items {
        let Some(order) = state.order(key) else {
            continue;
        };
        cancelled |= order.cancelled_at.is_some();
        if let Some(line) = state.line(key, line) {
            returned |= line.returned;
            if line.kept() {
                gone = order.shipments.iter().find(|s| s.gone).map(|s| s.status);
            }
        }
    }
    match gone {
        Some(status) => Reason::ParcelGone {
            status: status.into(),
        },
        None if cancelled => Reason::Cancelled,
        None if returned => Reason::Returned,
        None => Reason::Refunded,
    }
}

fn all_reviewed(mind: &Mind, about: &Subject) -> bool {
    !about.items.is_empty()
        && about.items.iter().all(|(order, line)| {
            mind.state
                .line(order, line)
                .is_some_and(|line| line.reviewed)
        })
}

fn stop(mind: &mut Mind, mut enrolment: Enrolment, because: Reason) {
    let waiting: Vec<Send> = mind
        .history
        .sends
        .iter()
        .filter(|send| send.enrolment == enrolment.id && send.state.is_withdrawable())
        .cloned()
        .collect();
    enrolment.state = EnrolmentState::Ended {
        at: mind.now,
        how: Ending::Stopped {
            because: because.clone(),
        },
    };
    mind.update(enrolment);
    for send in waiting {
        cancel(mind, send, because.clone());
    }
}

/// Withdraws a send; one that was ever in doubt may have gone out, and says so.
pub fn cancel(mind: &mut Mind, mut send: Send, because: Reason) {
    send.end(SendState::Cancelled, because, mind.now);
    mind.decide(Decision::Revise(send));
}

/// Pauses and resumes runs. The instant of resuming is kept: nothing that fell due
/// meanwhile goes before it.
pub fn pause(mind: &mut Mind) {
    for mut enrolment in open_enrolments(mind) {
        let Some(sequence) = mind.catalog.sequence(&enrolment.sequence) else {
            continue;
        };
        let because = reason_to_pause(mind, sequence, &enrolment);
        match (&enrolment.state, because) {
            (EnrolmentState::Active, Some(by)) => {
                enrolment.state = EnrolmentState::Paused {
                    since: mind.now,
                    by,
                };
                mind.update(enrolment);
            }
            (EnrolmentState::Paused { .. }, None) => {
                enrolment.state = EnrolmentState::Active;
                enrolment.resumed_at = Some(mind.now);
                mind.update(enrolment);
            }
            (EnrolmentState::Active, None)
            | (EnrolmentState::Paused { .. } | EnrolmentState::Ended { .. }, _) => {}
        }
    }
}

fn reason_to_pause(mind: &mut Mind, sequence: &Sequence, enrolment: &Enrolment) -> Option<String> {
    let about = subject::of_enrolment(&mind.state, &mind.history, sequence, enrolment);
    if let Some(by) = held_by_shop_rule(mind, sequence.kind, &about) {
        return Some(by.to_owned());
    }
    if sequence.pauses.is_empty() {
        return None;
    }
    let names = mind.names(&about);
    for pause in &sequence.pauses {
        // A condition that cannot be evaluated counts as true: it never lets a mail go.
        if lets(&pause.while_, &names, false).is_err() {
            if pause.while_.moves_with_time() {
                let today = time::day(mind.now, &mind.state.person.zone);
                mind.wake(time::next_midnight(today, &mind.state.person.zone));
            }
            return Some(pause.while_.text().to_owned());
        }
    }
    None
}

/// What holds mail of a kind back in every shop: an announced return of all that it is
/// about (rule 20), a dispute (everything but fulfilment), an open ticket (asks and
/// offers: rule 21, C7).
pub fn held_by_shop_rule(mind: &Mind, kind: Kind, about: &Subject) -> Option<&'static str> {
    held(&mind.state, kind, about)
}

/// As [`held_by_shop_rule`], over a state alone.
pub fn held(state: &State, kind: Kind, about: &Subject) -> Option<&'static str> {
    if kind == Kind::Fulfilment {
        return None;
    }
    let returning = !about.items.is_empty()
        && about
            .items
            .iter()
            .all(|(order, line)| state.line(order, line).is_some_and(|line| line.return_open));
    if returning {
        Some("a return is announced")
    } else if state.person.open_dispute {
        Some("a charge is disputed")
    } else if state.person.open_ticket && (kind.is_ask() || kind == Kind::Offer) {
        Some("a ticket is open")
    } else {
        None
    }
}

/// How long a pause may last where the file does not say: then due steps are skipped.
pub const PAUSE_AT_MOST_DAYS: i64 = 14;

/// When the pause of an enrolment has lasted too long.
pub fn pause_ends(sequence: &Sequence, since: Timestamp) -> Timestamp {
    let at_most = sequence
        .pauses
        .iter()
        .filter_map(|pause| pause.at_most)
        .map(time::Length::roughly)
        .max()
        .unwrap_or(jiff::SignedDuration::from_hours(24 * PAUSE_AT_MOST_DAYS));
    time::saturating_add(since, at_most)
}

/// Ends runs in which every step is decided. Steps on parcels, items or facts that may
/// still come keep a run open; it costs nothing while it waits.
pub fn complete(mind: &mut Mind) {
    for mut enrolment in open_enrolments(mind) {
        let Some(sequence) = mind.catalog.sequence(&enrolment.sequence) else {
            continue;
        };
        if assign::course(&mind.history, sequence)
            .iter()
            .all(|step| is_through(mind, sequence, &enrolment.id, step))
        {
            enrolment.state = EnrolmentState::Ended {
                at: mind.now,
                how: Ending::Completed,
            };
            mind.update(enrolment);
        }
    }
}

fn is_through(
    mind: &Mind,
    sequence: &Sequence,
    enrolment: &EnrolmentId,
    step: &crate::sequence::catalog::Step,
) -> bool {
    use crate::sequence::catalog::Anchor;
    if step.each.is_some() {
        return false;
    }
    let decided = |id: &str| {
        mind.history
            .sends
            .iter()
            .find(|send| send.enrolment == *enrolment && send.step == id)
    };
    if decided(&step.id).is_some_and(|send| send.state.is_terminal()) {
        return true;
    }
    // A step after one that was withdrawn can never come.
    match &step.anchor {
        Anchor::Step(earlier) => {
            assign::step(&mind.history, sequence, earlier).is_none()
                || decided(earlier).is_some_and(|send| matches!(send.state, SendState::Cancelled))
        }
        Anchor::Start | Anchor::Fact(_) => false,
    }
}
