//! What the planner says when asked about one mail: to whom it goes, what it is made
//! of, and why there is none. For `why`, `preview` and listings; nothing is decided
//! here, and nothing here is read by [`super::plan`].

use super::refused::{self, Passed};
use super::{Mind, assign, awaiting, clear, elapsed, enrol, names, subject, timing};
use crate::model::email::Address;
use crate::model::enrolment::{Ending, Enrolment, EnrolmentState};
use crate::model::event::{DerivedKind, FactKind};
use crate::model::history::History;
use crate::model::ids::EventSeq;
use crate::model::kind::Kind;
use crate::model::reason::Reason;
use crate::model::send::{RuleRef, Send, SendState};
use crate::model::time::Timestamp;
use crate::sequence::catalog::{Anchor, Catalog, Place, Sequence, Step, Timed};
use crate::state::{Fact, State};

/// Where one person's mail goes, as of one instant.
#[derive(Debug, Clone)]
pub struct Addressees {
    state: State,
}

impl Addressees {
    /// Looks at one person.
    pub fn new(catalog: &Catalog, history: &History, now: Timestamp) -> Self {
        Addressees {
            state: super::fold(catalog, history, now),
        }
    }

    /// The address that a send is for, whether or not it may go: that of its order for
    /// fulfilment, else the person's.
    pub fn of(&self, send: &Send) -> Option<&Address> {
        let contact = send
            .order
            .as_deref()
            .and_then(|key| self.state.order(key))
            .and_then(|order| order.contact.as_ref())
            .filter(|_| send.kind == Kind::Fulfilment);
        contact.or(self.state.person.email.as_ref())
    }

    /// The key of the order that a number (with or without `#`) or an id names.
    pub fn order(&self, text: &str) -> Option<&str> {
        let bare = |text: &str| text.trim_start_matches('#').to_owned();
        self.state
            .orders
            .iter()
            .find(|order| {
                order.key == text
                    || order.snapshot.order_id == text
                    || order
                        .snapshot
                        .order_number
                        .as_deref()
                        .is_some_and(|number| bare(number) == bare(text))
            })
            .map(|order| order.key.as_str())
    }
}

/// What a mail would be made of now, whatever the rules say about its going.
///
/// # Errors
/// What is missing: the step, the run, an address, a sender.
pub fn draft(
    catalog: &Catalog,
    history: &History,
    send: &Send,
    now: Timestamp,
) -> Result<clear::Ready, Reason> {
    let (sequence, step) = assign::find(catalog, history, &send.sequence, &send.step)
        .or_else(|| {
            // Another arm's step can be looked at too.
            let sequence = catalog.sequence(&send.sequence)?;
            Some((sequence, sequence.step(&send.step)?))
        })
        .ok_or(Reason::StepRemoved)?;
    let enrolment = history
        .enrolment(send.enrolment)
        .ok_or(Reason::StepRemoved)?;
    let looked = Addressees::new(catalog, history, now);
    let to = looked.of(send).cloned().ok_or_else(|| Reason::NoAddress {
        why: "no event brought one".into(),
    })?;
    let state = &looked.state;
    let about = clear::about(state, history, sequence, step, send, enrolment);
    let names = names(catalog, state, history, &about, now);
    let sender = catalog
        .policy
        .sender(&sequence.from, now)
        .ok_or_else(|| Reason::Render {
            message: format!("nobody called `{}` is in config/people.toml", sequence.from),
        })?;
    Ok(clear::ready(
        catalog, state, sequence, step, names, &about, to, sender,
    ))
}

/// The send that a step of a run would be, were it decided at `now`: for previews of
/// what no rule has let go yet.
pub fn imagined(
    catalog: &Catalog,
    history: &History,
    enrolment: &Enrolment,
    step: &Step,
    now: Timestamp,
) -> Option<Send> {
    let sequence = catalog.sequence(&enrolment.sequence)?;
    let state = super::fold(catalog, history, now);
    let run = subject::of_enrolment(&state, history, sequence, enrolment);
    let (occurrence, about) = subject::occurrences(&state, &run, step.each)
        .into_iter()
        .next()?;
    let order = about.order.as_deref().and_then(|key| state.order(key));
    Some(Send {
        id: crate::model::ids::SendId::derive(enrolment.id, step.first_id(), &occurrence),
        enrolment: enrolment.id,
        sequence: sequence.id.clone(),
        step: step.id.clone(),
        occurrence,
        gathered: Vec::new(),
        kind: step.kind,
        mail: step.mail.clone(),
        due: now,
        zone: state.person.zone_name.clone(),
        locale: state.person.locale.clone(),
        order: order.map(|order| order.snapshot.order_id.clone()),
        order_number: order.and_then(|order| order.snapshot.order_number.clone()),
        state: SendState::Queued { not_before: now },
        at: now,
        attempts: 0,
        first_tried: None,
        doubts: 0,
        reason: None,
        rule: rule(catalog, &step.place),
        evidence: enrolment
            .starts
            .first()
            .map(|start| start.evidence.clone())
            .unwrap_or_default(),
        prepared: None,
        considered: false,
    })
}

/// Why a step sends nothing to somebody, neither now nor foreseeably.
#[derive(Debug, Clone, PartialEq)]
pub struct Absence {
    /// Stable: `not_enrolled`, `history_only`, `too_old`, `condition`, `ended`, `waiting`,
    /// `other_variant`, `unknown_product`.
    pub code: &'static str,
    pub because: String,
    /// What would have had to be different.
    pub needed: String,
    /// The rule that says so.
    pub rule: RuleRef,
    /// The events that were looked at.
    pub evidence: Vec<EventSeq>,
}

/// Says why a step of a sequence owes somebody nothing, about one order or any.
pub fn absence(
    catalog: &Catalog,
    history: &History,
    sequence: &Sequence,
    step: &Step,
    order: Option<&str>,
    now: Timestamp,
) -> Absence {
    let mind = Mind::new(catalog, history, now);
    let run = mind
        .history
        .enrolments
        .iter()
        .filter(|run| run.sequence == sequence.id)
        .filter(|run| {
            order.is_none()
                || run
                    .starts
                    .iter()
                    .any(|start| start.order.as_deref() == order)
        })
        .max_by_key(|run| (run.is_open(), run.anchor));
    match run {
        Some(run) => of_run(&mind, sequence, step, run),
        None => of_start(&mind, sequence, order),
    }
}

fn rule(catalog: &Catalog, place: &Place) -> RuleRef {
    RuleRef {
        file: place.file.clone(),
        line: place.line,
        column: place.column,
        version: catalog.version.clone(),
    }
}

/// There is a run: it ended, or the step still waits for something.
fn of_run(mind: &Mind, sequence: &Sequence, step: &Step, run: &Enrolment) -> Absence {
    let say = |code, because: String, needed: String| Absence {
        code,
        because,
        needed,
        rule: rule(mind.catalog, &step.place),
        evidence: run
            .starts
            .iter()
            .flat_map(|start| start.evidence.clone())
            .collect(),
    };
    let mine = assign::step(&mind.history, sequence, &step.id);
    let Some(step) = mine else {
        let arm = assign::variant(&mind.history, sequence).unwrap_or_default();
        return say(
            "other_variant",
            Reason::OtherVariant {
                variant: arm.to_owned(),
            }
            .sentence(),
            "the customer would have had to be drawn into an arm that has it".to_owned(),
        );
    };
    if let EnrolmentState::Ended { at, how } = &run.state {
        let (because, needed) = match how {
            Ending::Stopped { because } => (
                format!("the series ended on {at}: {}", because.sentence()),
                "the series would have had to go on".to_owned(),
            ),
            Ending::Completed => (
                format!("the series was complete on {at}, before this step was in it"),
                "the step would have had to be in the files while the series ran".to_owned(),
            ),
            Ending::GaveUp { error } => (
                format!("planning this series failed on {at}: {error}"),
                "the failure has to be mended".to_owned(),
            ),
        };
        return say("ended", because, needed);
    }
    let about = subject::of_enrolment(&mind.state, &mind.history, sequence, run);
    if subject::occurrences(&mind.state, &about, step.each).is_empty() {
        return say(
            "waiting",
            "there is no parcel or item yet that it could be about".to_owned(),
            "a parcel has to leave".to_owned(),
        );
    }
    match &step.anchor {
        Anchor::Fact(kind) if subject::fact(&mind.state, *kind, &about).is_none() => say(
            "waiting",
            format!("it waits for `{kind}`, of which nothing was heard"),
            format!("`{kind}` has to happen"),
        ),
        Anchor::Step(earlier) => say(
            "waiting",
            format!("it counts from `{earlier}`, which is not decided yet or was withdrawn"),
            format!("`{earlier}` has to be sent or skipped"),
        ),
        Anchor::Start | Anchor::Fact(_) => say(
            "waiting",
            "its moment lies further ahead than was looked".to_owned(),
            "time has to pass".to_owned(),
        ),
    }
}

/// There is no run: no fact started one.
fn of_start(mind: &Mind, sequence: &Sequence, order: Option<&str>) -> Absence {
    let say = |code, because: String, needed: String, evidence: &[EventSeq]| Absence {
        code,
        because,
        needed,
        rule: rule(mind.catalog, &sequence.start.place),
        evidence: evidence.to_vec(),
    };
    let on = sequence.start.on;
    let waits = mind
        .history
        .waiting
        .iter()
        .find(|one| one.kind == on && order.is_none_or(|order| one.order == order))
        .filter(|_| awaiting::is_by_family(sequence));
    if let Some(waits) = waits {
        return say(
            "unknown_product",
            format!(
                "the catalogue does not know `{}` yet, so nobody knows which family it belongs to; it waits until {}",
                waits.product, waits.until
            ),
            "the feed or a `product.updated` event has to bring the product, or config/catalog.toml has to match it".to_owned(),
            &[],
        );
    }
    if let Some(timed) = &sequence.start.timed {
        let (because, needed, evidence) = of_time(mind, sequence, timed, order);
        return say("not_enrolled", because, needed, &evidence);
    }
    if on == FactKind::Derived(DerivedKind::StepSent) {
        let of = sequence.start.of.as_deref().unwrap_or_default();
        let sent = mind
            .history
            .sends
            .iter()
            .find(|send| send.name() == of && matches!(send.state, SendState::Accepted { .. }));
        return match sent {
            None => say(
                "not_enrolled",
                format!("it starts when `{of}` has gone out, and that has not"),
                format!("`{of}` has to be sent"),
                &[],
            ),
            Some(send) => say(
                "not_enrolled",
                format!(
                    "`{of}` went out on {}, and the start's `where`, `again` or what is kept of the goods says no",
                    send.at
                ),
                condition_needed(sequence),
                &send.evidence,
            ),
        };
    }
    let facts: Vec<&Fact> = mind
        .state
        .facts
        .iter()
        .filter(|fact| fact.kind == on && (order.is_none() || fact.order.as_deref() == order))
        .collect();
    let Some(last) = facts.last() else {
        return say(
            "not_enrolled",
            format!("it starts on `{on}`, of which nothing was heard"),
            format!("an event has to say so: `{on}`"),
            &[],
        );
    };
    let told: Vec<&&Fact> = facts.iter().filter(|fact| !fact.history_only).collect();
    let Some(last_told) = told.last() else {
        return say(
            "history_only",
            format!(
                "`{on}` of {} is history only: it was imported, or lies before `live_since`",
                last.time
            ),
            "the event would have had to come in live, after `live_since`".to_owned(),
            &last.evidence,
        );
    };
    let oldest = enrol::oldest(&mind.catalog.policy, sequence.kind);
    let Some(fact) = told
        .iter()
        .rev()
        .find(|fact| !timing::is_over(oldest, fact.time, fact.learnt))
    else {
        return say(
            "too_old",
            format!(
                "`{on}` happened on {} and was learnt on {}: more than {oldest} later enrols nobody",
                last_told.time, last_told.learnt
            ),
            "the event would have had to come in sooner (`enrol_max_age`)".to_owned(),
            &last_told.evidence,
        );
    };
    let because = format!(
        "`{on}` of {} starts nothing: {}",
        fact.time,
        refused::because(mind, sequence, fact).unwrap_or_else(|| NOTHING_NOW.to_owned())
    );
    say(
        "not_enrolled",
        because,
        condition_needed(sequence),
        &fact.evidence,
    )
}

/// Where every rule lets a fact start something that started nothing.
const NOTHING_NOW: &str = "it was considered before this sequence was in the files, it is not considered yet, or the start's `where` did not hold at that moment";

/// Why time has brought somebody nothing: what it brought last and why that started
/// nothing, or what is counted from, until when; and what would have to hold.
fn of_time(
    mind: &Mind,
    sequence: &Sequence,
    timed: &Timed,
    order: Option<&str>,
) -> (String, String, Vec<EventSeq>) {
    let next = elapsed::foreseen(mind, sequence);
    let mut evidence = Vec::new();
    let (over, to_come) = match timed {
        Timed::Absence { of, length } => {
            let Some(last) = elapsed::last_of(&mind.state, *of) else {
                return (
                    format!("it starts {length} after the last `{of}`, of which nothing was heard"),
                    format!("an event has to say so: `{of}`"),
                    evidence,
                );
            };
            evidence.clone_from(&last.evidence);
            let last = format!(
                "the last `{of}` was on {}; {length} without another",
                last.time
            );
            (format!("{last} were over"), format!("{last} are over"))
        }
        Timed::Schedule(slot) => (
            format!("its schedule \"{}\" came last", slot.text),
            format!("its schedule \"{}\" comes next", slot.text),
        ),
        Timed::Replenish => (
            "what they bought was used up".to_owned(),
            "what they bought is used up".to_owned(),
        ),
    };
    let because = match (refused::passed(mind, sequence, order), next) {
        (Some(Passed::Come(fact)), _) => {
            evidence.clone_from(&fact.evidence);
            let why = refused::because(mind, sequence, &fact);
            format!(
                "{over} on {}, and that starts nothing: {}",
                fact.time,
                why.as_deref().unwrap_or(NOTHING_NOW)
            )
        }
        (_, Some(at)) => format!("{to_come} on {at}"),
        (Some(Passed::Before(at)), None) => format!(
            "{over} on {at}: before this customer, that news or this sequence was here"
        ),
        (None, None) => match timed {
            Timed::Replenish => "nothing that they keep, that has arrived and that has `replenish_days` is there to be used up".to_owned(),
            Timed::Schedule(slot) => format!("its schedule \"{}\" never comes again", slot.text),
            Timed::Absence { .. } => to_come,
        },
    };
    let needed = match (&sequence.start.where_, next) {
        (Some(condition), Some(_)) => {
            format!(
                "time has to pass, and this has to hold then: {}",
                condition.text()
            )
        }
        (Some(condition), None) => format!("this would have had to hold: {}", condition.text()),
        (None, Some(_)) => "time has to pass".to_owned(),
        (None, None) => "something has to happen from which time counts".to_owned(),
    };
    (because, needed, evidence)
}

fn condition_needed(sequence: &Sequence) -> String {
    match &sequence.start.where_ {
        Some(condition) => format!("this would have had to hold: {}", condition.text()),
        None => "the order would have had to be an ordinary one".to_owned(),
    }
}
