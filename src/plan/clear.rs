//! The last look before a mail goes: the same rules, over the newest history.

use super::{assign, exit, lets, names, permit, step, subject, timing};
use crate::model::email::Address;
use crate::model::enrolment::EnrolmentState;
use crate::model::history::History;
use crate::model::kind::Kind;
use crate::model::locale;
use crate::model::names::Names;
use crate::model::policy::Sender;
use crate::model::reason::Reason;
use crate::model::send::{Phase, Send, SendState};
use crate::model::time::{self, Timestamp};
use crate::sequence::catalog::{Anchor, Catalog, Sequence, Step};
use crate::state::{State, Subject};

/// What may be done with a send that is due.
#[derive(Debug)]
pub enum Clearance {
    /// It may go, to this person, with these values.
    Go(Box<Ready>),
    /// A rule says no, for good.
    Skip(Reason),
    /// Not now: something must end first, of which the planner will hear.
    Hold(Reason),
    /// Not before this instant.
    Wait(Timestamp),
    /// It is no longer waiting to be sent.
    Gone,
}

/// Everything that a mail is made of, templates apart.
#[derive(Debug, Clone)]
pub struct Ready {
    pub to: Address,
    /// The person's name, for the To header.
    pub to_name: Option<String>,
    pub names: Names,
    pub sender: Sender,
    /// Locales to try, best first.
    pub locales: Vec<String>,
    /// The currency of the order, for prices of complements.
    pub currency: Option<String>,
    pub sequence: String,
    pub step: String,
    pub title: String,
    /// From then on it may not go without another look: hours close, or it is too late.
    pub until: Option<Timestamp>,
}

/// Looks once more at a send, over the newest history.
pub fn clear(catalog: &Catalog, history: &History, send: &Send, now: Timestamp) -> Clearance {
    let waiting = match send.state {
        SendState::Queued { .. } => true,
        SendState::Sending { phase, .. } => phase == Phase::Prepared,
        _ => false,
    };
    if !waiting {
        return Clearance::Gone;
    }
    let Some((sequence, step)) = assign::find(catalog, history, &send.sequence, &send.step) else {
        let because = assign::missing(catalog, history, &send.sequence, &send.step);
        return Clearance::Skip(because);
    };
    let Some(enrolment) = history.enrolment(send.enrolment) else {
        return Clearance::Gone;
    };
    if let EnrolmentState::Ended { how, .. } = &enrolment.state {
        use crate::model::enrolment::Ending;
        return match how {
            Ending::Stopped { because } => Clearance::Skip(because.clone()),
            Ending::Completed | Ending::GaveUp { .. } => Clearance::Gone,
        };
    }
    let state = super::fold(catalog, history, now);
    let about = about(&state, history, sequence, step, send, enrolment);
    if timing::is_over(step.late, send.due, now) {
        return Clearance::Skip(Reason::Late {
            due: send.due,
            late: step.late.to_string(),
            held: None,
        });
    }
    if let Some(reason) = overtaken(&state, step, &about) {
        return Clearance::Skip(reason);
    }
    if step.kind.is_bound()
        && let Some(reason) = exit::lost(&state, enrolment)
    {
        return Clearance::Skip(reason);
    }
    let to = match permit::recipient(
        &catalog.policy,
        &state,
        step.kind,
        &sequence.id,
        about.order.as_deref(),
        enrolment.test,
    ) {
        Ok(to) => to,
        Err(reason) => return Clearance::Skip(reason),
    };
    if let Some(reason) = assign::held_out(catalog, history, step.kind) {
        return Clearance::Skip(reason);
    }
    if step.kind != Kind::Fulfilment {
        if let EnrolmentState::Paused { by, .. } = &enrolment.state {
            return Clearance::Hold(Reason::Paused { by: by.clone() });
        }
        if let Some(by) = exit::held(&state, step.kind, &about) {
            return Clearance::Hold(Reason::Paused { by: by.into() });
        }
    }
    let names = names(catalog, &state, history, &about, now);
    if let Some(reason) = conditions(step, &names) {
        return Clearance::Skip(reason);
    }
    let hours = timing::hours_for(&catalog.policy, step.kind);
    let open = timing::within_hours(hours, now, &state.person.zone);
    if open > now {
        return Clearance::Wait(open);
    }
    let Some(sender) = catalog.policy.sender(&sequence.from, now) else {
        return Clearance::Hold(Reason::Render {
            message: format!("nobody called `{}` is in config/people.toml", sequence.from),
        });
    };
    let mut ready = ready(catalog, &state, sequence, step, names, &about, to, sender);
    let too_late = time::saturating_add(send.due, step.late.roughly());
    let closes = timing::closes(hours, now, &state.person.zone);
    ready.until = Some(closes.map_or(too_late, |closes| closes.min(too_late)));
    Clearance::Go(Box::new(ready))
}

/// What a mail of a step would be made of for a subject, whatever the rules say: for
/// previews.
#[expect(
    clippy::too_many_arguments,
    reason = "a mail is made of that many things"
)]
pub(super) fn ready(
    catalog: &Catalog,
    state: &State,
    sequence: &Sequence,
    step: &Step,
    names: Names,
    about: &Subject,
    to: Address,
    sender: Sender,
) -> Ready {
    let policy = &catalog.policy;
    let mut locales = locale::chain(&state.person.locale, None);
    let spoken = locales.iter().any(|locale| policy.locales.contains(locale));
    let last = if spoken {
        policy.fallback.as_ref()
    } else {
        policy.locales.first()
    };
    for more in last.into_iter().chain(policy.fallback.as_ref()) {
        if !locales.contains(more) {
            locales.push(more.clone());
        }
    }
    Ready {
        to,
        to_name: state.person.name.clone(),
        names,
        sender,
        locales,
        currency: about
            .order
            .as_deref()
            .and_then(|key| state.order(key))
            .map(|order| order.snapshot.currency.clone()),
        sequence: sequence.id.clone(),
        step: step.id.clone(),
        title: sequence.title.clone(),
        until: None,
    }
}

/// What a send's names mean: its run's, narrowed to its parcel or item, with the items
/// of other runs that are asked for in the same mail.
pub(super) fn about(
    state: &State,
    history: &History,
    sequence: &Sequence,
    step: &Step,
    send: &Send,
    enrolment: &crate::model::enrolment::Enrolment,
) -> Subject {
    let run = subject::of_enrolment(state, history, sequence, enrolment);
    let mut about = subject::occurrences(state, &run, step.each)
        .into_iter()
        .find(|(occurrence, about)| {
            *occurrence == send.occurrence
                || about
                    .order
                    .as_deref()
                    .and_then(|order| state.shipment(order, &send.occurrence))
                    .is_some_and(|parcel| parcel.id == *occurrence)
        })
        .map_or(run, |(_, about)| about);
    if let Anchor::Fact(kind) = &step.anchor
        && let Some(fact) = subject::fact(state, *kind, &about)
    {
        about.event = fact.evidence.first().copied();
    }
    for id in &send.gathered {
        let Some(other) = id.parse().ok().and_then(|id| history.enrolment(id)) else {
            continue;
        };
        for item in subject::kept_items(state, other) {
            if about.items.len() < step::MAX_GATHERED_ASKS && !about.items.contains(&item) {
                about.items.push(item);
            }
        }
    }
    about
}

/// Why the conditions of a step say no, if they do.
pub(super) fn conditions(step: &Step, names: &Names) -> Option<Reason> {
    if let Some(when) = &step.when
        && let Err(warning) = lets(when, names, true)
    {
        return Some(Reason::Condition {
            text: when.text().into(),
            warning,
        });
    }
    if let Some(unless) = &step.unless
        && let Err(warning) = lets(unless, names, false)
    {
        return Some(Reason::Unless {
            text: unless.text().into(),
            warning,
        });
    }
    None
}

/// A parcel's progress that later progress has overtaken (A3), or that never will be
/// completed.
pub(super) fn overtaken(state: &State, step: &Step, about: &Subject) -> Option<Reason> {
    let Anchor::Fact(kind) = step.anchor else {
        return None;
    };
    if !step::is_transit(kind) {
        return None;
    }
    let order = about.order.as_deref()?;
    let parcel = state.shipment(order, about.shipment.as_deref()?)?;
    if parcel.delivered_at.is_some() {
        Some(Reason::Overtaken {
            by: "its delivery".into(),
        })
    } else if parcel.gone {
        Some(Reason::ParcelGone {
            status: parcel.status.into(),
        })
    } else {
        None
    }
}
