//! Who enters. An event may open enrolments once: what an earlier plan has considered
//! opens nothing any more, so a newly deployed sequence does not reach back.

use super::{Decision, Mind, assign, awaiting, elapsed, lets, subject, timing};
use crate::model::enrolment::{Ending, Enrolment, EnrolmentState, Start};
use crate::model::event::{DerivedKind, EventKind, FactKind, IngestMode, LineKind};
use crate::model::history::History;
use crate::model::ids::{EnrolmentId, EventSeq};
use crate::model::kind::Kind;
use crate::model::names::Names;
use crate::model::policy::Policy;
use crate::model::send::SendState;
use crate::model::time::{self, Length, Timestamp};
use crate::sequence::catalog::{Anchor, Per, Sequence, Timed};
use crate::state::{Fact, Line, Order, Subject};

/// Learnt within this many hours, a fact anchors when it happened; later, the anchor
/// shifts so that the first step is not in the past (A5).
pub const PROMPT_HOURS: i64 = 48;

/// Days by which a shifted anchor is moved on to meet `at` or `slot`, at most.
const MAX_SHIFT_DAYS: usize = 8;

/// Opens and joins enrolments for every fact that no plan has considered, and for what
/// time has brought since the last plan.
pub fn open(mind: &mut Mind) {
    let facts = fresh_facts(mind);
    let catalog = mind.catalog;
    for sequence in catalog.sequences.iter() {
        let (come, next) = elapsed::moments(mind, sequence);
        if let Some(next) = next {
            mind.wake(next);
        }
        for moment in come {
            consider(
                mind,
                sequence,
                &moment.fact,
                None,
                moment.occurrence.as_deref(),
            );
        }
    }
    for (fact, send) in &facts {
        for sequence in catalog.sequences.iter() {
            if sequence.start.on == fact.kind && matches_of(sequence, send.as_ref()) {
                consider(mind, sequence, fact, send.as_ref(), None);
            }
        }
    }
}

/// What of a send matters to a start on its acceptance.
pub(super) struct Sent {
    name: String,
    id: crate::model::ids::SendId,
    items: Vec<subject::Item>,
    /// Which of a kit's families the mail was about.
    family: Option<String>,
}

/// Facts that may open something, in the order in which they happened, with the send
/// for those that are acceptances.
fn fresh_facts(mind: &Mind) -> Vec<(Fact, Option<Sent>)> {
    let mut facts: Vec<(Fact, Option<Sent>)> = mind
        .state
        .facts
        .iter()
        .filter(|fact| fact.fresh && !fact.history_only)
        .map(|fact| (fact.clone(), None))
        .collect();
    for send in &mind.history.sends {
        let SendState::Accepted { .. } = send.state else {
            continue;
        };
        if send.considered {
            continue;
        }
        let Some(enrolment) = mind.history.enrolment(send.enrolment) else {
            continue;
        };
        let order = enrolment
            .starts
            .first()
            .and_then(|start| start.order.clone());
        let fact = Fact {
            kind: FactKind::Derived(DerivedKind::StepSent),
            time: send.at,
            learnt: send.at,
            order,
            line: None,
            shipment: None,
            evidence: send.evidence.clone(),
            fresh: true,
            inferred: false,
            history_only: false,
            test: enrolment.test,
        };
        let sent = Sent {
            name: send.name(),
            id: send.id,
            items: subject::kept_items(&mind.state, enrolment),
            family: enrolment
                .starts
                .first()
                .and_then(|start| start.family.clone()),
        };
        facts.push((fact, Some(sent)));
    }
    facts.sort_by_key(|(fact, _)| fact.time);
    facts
}

/// Whether what is told by these events was told again on purpose ([`IngestMode::Replay`]).
pub(super) fn is_replayed(history: &History, evidence: &[EventSeq]) -> bool {
    history
        .events
        .iter()
        .any(|event| event.mode == IngestMode::Replay && evidence.contains(&event.seq))
}

fn matches_of(sequence: &Sequence, sent: Option<&Sent>) -> bool {
    match (&sequence.start.of, sent) {
        (Some(of), Some(sent)) => *of == sent.name,
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// How old a fact may be, when it is learnt, to enrol anybody (A5).
pub(super) fn oldest(policy: &Policy, kind: Kind) -> time::Length {
    match kind {
        Kind::Fulfilment => policy.enrol_max_age.fulfilment,
        Kind::Education | Kind::Survey | Kind::Review | Kind::Offer => policy.enrol_max_age.others,
    }
}

fn consider(
    mind: &mut Mind,
    sequence: &Sequence,
    fact: &Fact,
    sent: Option<&Sent>,
    occurrence: Option<&str>,
) {
    let oldest = oldest(&mind.catalog.policy, sequence.kind);
    if timing::is_over(oldest, fact.time, fact.learnt) {
        return;
    }
    // Catching up is never for mails about the order itself (rule 27).
    if sequence.kind == Kind::Fulfilment && is_replayed(&mind.history, &fact.evidence) {
        return;
    }
    for about in candidates(mind, sequence, fact, sent) {
        // What time brings follows from goods that are known.
        let told = sent.is_none() && sequence.start.timed.is_none();
        if told && awaiting::begin(mind, sequence, fact, &about) {
            continue;
        }
        for about in subject::views(&mind.state, about) {
            consider_subject(mind, sequence, fact, sent, occurrence, about);
        }
    }
}

/// What a fact is looked at as: itself, or item by item where the key names an item.
pub(super) fn candidates(
    mind: &Mind,
    sequence: &Sequence,
    fact: &Fact,
    sent: Option<&Sent>,
) -> Vec<Subject> {
    let whole = Subject {
        order: fact.order.clone(),
        line: fact.line.clone(),
        shipment: fact.shipment.clone(),
        event: fact.evidence.first().copied(),
        family: None,
        variant: None,
        items: Vec::new(),
    };
    if let Some(sent) = sent {
        let one = |(order, line): &subject::Item| Subject {
            order: Some(order.clone()),
            line: Some(line.clone()),
            family: sent.family.clone(),
            ..whole.clone()
        };
        return if subject::names_item(sequence) {
            sent.items.iter().map(one).collect()
        } else {
            vec![sent.items.first().map_or(whole.clone(), one)]
        };
    }
    if !subject::names_item(sequence) || fact.line.is_some() {
        return vec![whole];
    }
    let Some(order) = fact.order.as_deref().and_then(|key| mind.state.order(key)) else {
        return Vec::new();
    };
    let in_parcel = fact
        .shipment
        .as_deref()
        .and_then(|id| mind.state.shipment(&order.key, id));
    order
        .lines
        .iter()
        .filter(|line| {
            in_parcel
                .is_none_or(|parcel| parcel.items.iter().any(|(id, _)| *id == line.item.line_id))
        })
        .map(|line| Subject {
            line: Some(line.item.line_id.clone()),
            ..whole.clone()
        })
        .collect()
}

/// Opens or joins an enrolment for a fact about one subject.
pub(super) fn consider_subject(
    mind: &mut Mind,
    sequence: &Sequence,
    fact: &Fact,
    sent: Option<&Sent>,
    occurrence: Option<&str>,
    about: Subject,
) {
    let order = about.order.as_deref().and_then(|key| mind.state.order(key));
    let line = about
        .order
        .as_deref()
        .zip(about.line.as_deref())
        .and_then(|(order, line)| mind.state.line(order, line));
    if first_seen_cancelled(fact, order) || is_exempt(sequence, order, line) {
        return;
    }
    let opens = opens(sequence, order);
    let names = mind.names(&about);
    if let Some(condition) = &sequence.start.where_
        && lets(condition, &names, true).is_err()
    {
        return;
    }
    let Some(key) = key(sequence, &about, &names) else {
        return;
    };
    let start = Start {
        kind: fact.kind,
        time: fact.time,
        order: about.order.clone(),
        line: about.line.clone(),
        shipment: about.shipment.clone(),
        family: about.family.clone(),
        send: sent.map(|sent| sent.id),
        occurrence: occurrence.map(str::to_owned),
        evidence: fact.evidence.clone(),
    };
    if sequence.start.timed.is_some() && elapsed::is_known(&mind.history, sequence, &key, &start) {
        return;
    }
    let test = fact.test || order.is_some_and(|order| order.test);
    let last = last_run(mind, sequence, &key).cloned();
    match last {
        Some(last) if last.is_open() => join(mind, last, start, None),
        // Goods that came back to life under the same key: the run goes on where it was.
        Some(last)
            if !may_open_again(sequence, &last, fact)
                && lost_its_goods(&last)
                && is_there(mind, &about) =>
        {
            let anchor = anchor(mind, sequence, fact);
            join(mind, last, start, Some(anchor));
        }
        Some(last) if !may_open_again(sequence, &last, fact) => {}
        last if opens => {
            let n = last.map_or(1, |last| last.n + 1);
            assign::at_enrolment(mind, sequence);
            let anchor = anchor(mind, sequence, fact);
            let enrolment = Enrolment {
                id: EnrolmentId::derive(
                    sequence.first_id(),
                    &format!("{}|{key}", mind.history.customer),
                    n,
                ),
                sequence: sequence.id.clone(),
                key,
                n,
                opened_at: mind.now,
                anchor,
                starts: vec![start],
                state: EnrolmentState::Active,
                resumed_at: None,
                test,
                version: mind.catalog.version.clone(),
            };
            mind.decide(Decision::Enrol(enrolment));
        }
        _ => {}
    }
}

fn join(mind: &mut Mind, mut enrolment: Enrolment, start: Start, revive: Option<Timestamp>) {
    let known = enrolment.starts.iter().any(|had| {
        had.order == start.order
            && had.line == start.line
            && had.shipment == start.shipment
            && had.send == start.send
    });
    if let Some(anchor) = revive {
        enrolment.state = EnrolmentState::Active;
        enrolment.anchor = anchor;
    } else if known {
        return;
    }
    if !known {
        enrolment.starts.push(start);
    }
    mind.update(enrolment);
}

/// The newest run of a sequence under one key, where it was not merged into another.
pub(super) fn last_run<'m>(
    mind: &'m Mind,
    sequence: &Sequence,
    key: &str,
) -> Option<&'m Enrolment> {
    let runs = mind.history.enrolments.iter();
    runs.filter(|run| run.sequence == sequence.id && run.key == key && !is_merged_away(run))
        .max_by_key(|run| run.n)
}

fn is_merged_away(enrolment: &Enrolment) -> bool {
    matches!(
        &enrolment.state,
        EnrolmentState::Ended {
            how: Ending::Stopped {
                because: crate::model::reason::Reason::Merged
            },
            ..
        }
    )
}

fn lost_its_goods(enrolment: &Enrolment) -> bool {
    use crate::model::reason::Reason;
    matches!(
        &enrolment.state,
        EnrolmentState::Ended {
            how: Ending::Stopped {
                because: Reason::Refunded | Reason::Returned | Reason::Cancelled
            },
            ..
        }
    )
}

/// Whether the goods that a subject names are with the customer or on their way.
fn is_there(mind: &Mind, about: &Subject) -> bool {
    let Some(order) = about.order.as_deref().and_then(|key| mind.state.order(key)) else {
        return false;
    };
    order.lines.iter().any(|line| {
        about
            .line
            .as_ref()
            .is_none_or(|id| *id == line.item.line_id)
            && subject::supports(order, line)
    })
}

pub(super) fn may_open_again(sequence: &Sequence, last: &Enrolment, fact: &Fact) -> bool {
    sequence
        .start
        .again
        .is_some_and(|again| fact.time > time::saturating_add(last.anchor, again.roughly()))
}

/// An order first seen as cancelled sends nothing (rule 7), whatever starts on it.
pub(super) fn first_seen_cancelled(fact: &Fact, order: Option<&Order>) -> bool {
    matches!(
        fact.kind,
        FactKind::Event(EventKind::OrderPlaced | EventKind::OrderPaid)
    ) && order.is_some_and(|order| order.cancelled_at.is_some())
}

/// Whether what concerns an order may open a run: a replacement only joins one, but for
/// fulfilment.
pub(super) fn opens(sequence: &Sequence, order: Option<&Order>) -> bool {
    !order.is_some_and(|order| order.replacement) || sequence.kind == Kind::Fulfilment
}

/// What never starts anything but fulfilment, unless the file says otherwise: gifts
/// (their buyer cannot use the help; a `where` that names `order.gift` opts in), later
/// deliveries of a subscription (which may be used up like any other), gift cards
/// (rules 15, 17, 18).
pub(super) fn is_exempt(sequence: &Sequence, order: Option<&Order>, line: Option<&Line>) -> bool {
    if sequence.kind == Kind::Fulfilment {
        return false;
    }
    let speaks_of_gifts = sequence
        .start
        .where_
        .as_ref()
        .is_some_and(|condition| condition.uses("order.gift"));
    order.is_some_and(|order| {
        (order.gift && !speaks_of_gifts)
            || (order.subscription_sequence.is_some_and(|n| n > 1)
                && !matches!(sequence.start.timed, Some(Timed::Replenish))
                && (sequence.kind == Kind::Education || sequence.kind.is_ask()))
    }) || line.is_some_and(|line| line.item.kind == LineKind::GiftCard)
}

/// The enrolment key of a subject, or `None` where a part of it is not known.
pub(super) fn key(sequence: &Sequence, about: &Subject, names: &Names) -> Option<String> {
    let mut parts = Vec::new();
    for per in &sequence.start.per {
        parts.push(match per {
            Per::Customer => "customer".to_owned(),
            Per::Order => format!("order={}", about.order.as_deref()?),
            Per::Shipment => format!("shipment={}", about.shipment.as_deref()?),
            Per::Item => {
                format!(
                    "item={}/{}",
                    about.order.as_deref()?,
                    about.line.as_deref()?
                )
            }
            Per::ItemField(field) => {
                let value = names.values.get("item")?.get(field)?;
                let text = match value {
                    serde_json::Value::Null => return None,
                    serde_json::Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                format!("item.{field}={text}")
            }
        });
    }
    Some(parts.join(","))
}

/// What `start` means for an enrolment opened by `fact`.
pub(super) fn anchor(mind: &Mind, sequence: &Sequence, fact: &Fact) -> Timestamp {
    let zone = &mind.state.person.zone;
    let days = mind.workdays();
    let prompt = jiff::SignedDuration::from_hours(PROMPT_HOURS);
    if fact.learnt <= time::saturating_add(fact.time, prompt) {
        return fact.time;
    }
    let first = |anchor: Timestamp| {
        assign::course(&mind.history, sequence)
            .iter()
            .filter(|step| step.anchor == Anchor::Start)
            .map(|step| timing::due(step, anchor, zone, &days))
            .min()
            .unwrap_or(anchor)
    };
    let due = first(fact.time);
    if due >= fact.learnt {
        return fact.time;
    }
    let mut anchor = time::saturating_add(fact.time, fact.learnt.duration_since(due));
    // `at` and `slot` may still fall before the moment of learning that day.
    for _ in 0..MAX_SHIFT_DAYS {
        if first(anchor) >= fact.learnt {
            break;
        }
        anchor = Length::Days(1).after(anchor, zone);
    }
    anchor
}
