//! What is next: each step of each run, decided once, at its moment.

use super::{Decision, Mind, Outlook, assign, enrol, exit, permit, subject, timing};
use crate::model::enrolment::{Enrolment, EnrolmentState};
use crate::model::event::{EventKind, FactKind};
use crate::model::ids::{EventSeq, SendId};
use crate::model::kind::{Kind, OnUncertain};
use crate::model::reason::Reason;
use crate::model::send::{RuleRef, Send, SendState};
use crate::model::time::{self, Timestamp};
use crate::sequence::catalog::{Anchor, Each, Sequence, Step};
use crate::state::Subject;

/// How long evidence is waited for before a doubt is settled by policy (M1), in minutes.
pub const DOUBT_MINUTES: i64 = 30;
/// How often a doubtful mail of a kind that may be doubled is sent again, at most (M1).
pub const MAX_RESENDS: u32 = 2;
/// Products in one gathered ask, at most (B1).
pub const MAX_GATHERED_ASKS: usize = 3;

/// Doubts that are old enough are settled by policy; held sends go again when what
/// held them may have been mended, or are given up when it is too late.
pub fn mend(mind: &mut Mind) {
    let waiting: Vec<Send> = mind
        .history
        .sends
        .iter()
        .filter(|send| {
            matches!(
                send.state,
                SendState::Uncertain { .. } | SendState::Held { .. } | SendState::Queued { .. }
            )
        })
        .cloned()
        .collect();
    for send in waiting {
        match send.state {
            SendState::Uncertain { since } => settle_doubt(mind, send, since),
            SendState::Held { since } => try_again(mind, send, since),
            SendState::Queued { .. } => hold_back(mind, send),
            SendState::Sending { .. }
            | SendState::Accepted { .. }
            | SendState::Refused { .. }
            | SendState::Skipped
            | SendState::Cancelled
            | SendState::Unknown => {}
        }
    }
}

fn settle_doubt(mind: &mut Mind, mut send: Send, since: Timestamp) {
    let settled = time::saturating_add(since, jiff::SignedDuration::from_mins(DOUBT_MINUTES));
    if settled > mind.now {
        mind.wake(settled);
        return;
    }
    let policy = step_of(mind, &send).map_or(send.kind.on_uncertain(), |step| step.on_uncertain);
    if policy == OnUncertain::Resend && send.doubts <= MAX_RESENDS {
        send.state = SendState::Queued {
            not_before: mind.now,
        };
        send.reason = Some(Reason::ResentAfterUncertain);
        send.at = mind.now;
    } else {
        send.end(SendState::Unknown, Reason::UncertainOnHold, mind.now);
    }
    mind.revise(send);
}

fn step_of<'m>(mind: &Mind<'m>, send: &Send) -> Option<&'m Step> {
    let found = assign::find(mind.catalog, &mind.history, &send.sequence, &send.step);
    found.map(|(_, step)| step)
}

fn try_again(mind: &mut Mind, mut send: Send, since: Timestamp) {
    let late = step_of(mind, &send).map_or(send.kind.late_hours(), |step| {
        step.late.roughly().as_hours()
    });
    let too_late = time::saturating_add(send.due, jiff::SignedDuration::from_hours(late));
    let paused = is_paused(mind, &send);
    let mended = match &send.reason {
        Some(Reason::Paused { .. }) => !paused,
        Some(Reason::BytesChanged) => false,
        _ => {
            !paused
                && (send.rule.version != mind.catalog.version
                    || mind
                        .history
                        .events
                        .iter()
                        .any(|event| !event.considered && event.recorded >= since))
        }
    };
    if mended {
        send.state = SendState::Queued {
            not_before: mind.now,
        };
        send.rule.version.clone_from(&mind.catalog.version);
        send.at = mind.now;
        mind.revise(send);
    } else if mind.now > too_late {
        let late = format!("{late}h");
        let because = Reason::Late {
            due: send.due,
            late,
            held: send.reason.as_ref().map(Reason::sentence),
        };
        send.end(SendState::Skipped, because, mind.now);
        mind.revise(send);
    } else {
        mind.wake(time::saturating_add(
            too_late,
            jiff::SignedDuration::from_millis(1),
        ));
    }
}

fn is_paused(mind: &Mind, send: &Send) -> bool {
    if send.kind == Kind::Fulfilment {
        return false;
    }
    let Some(enrolment) = mind.history.enrolment(send.enrolment) else {
        return false;
    };
    let Some(sequence) = mind.catalog.sequence(&send.sequence) else {
        return false;
    };
    let about = subject::of_enrolment(&mind.state, &mind.history, sequence, enrolment);
    matches!(enrolment.state, EnrolmentState::Paused { .. })
        || exit::held(&mind.state, send.kind, &about).is_some()
}

/// A queued send whose run was paused after it was decided waits for the resume.
fn hold_back(mind: &mut Mind, mut send: Send) {
    if is_paused(mind, &send) {
        send.state = SendState::Held { since: mind.now };
        send.reason = Some(Reason::Paused {
            by: "the series is paused".into(),
        });
        send.at = mind.now;
        mind.revise(send);
    }
}

/// One step of one run for one parcel or item, whose moment is known and not decided.
struct Candidate<'a> {
    enrolment: Enrolment,
    sequence: &'a Sequence,
    step: &'a Step,
    about: Subject,
    occurrence: String,
    /// Other occurrences told in the same mail.
    gathered: Vec<String>,
    /// When it should go.
    due: Timestamp,
    /// Nothing that fell due during a pause goes before its end.
    ready: Timestamp,
    evidence: Vec<EventSeq>,
}

/// What may become of a candidate now.
enum Verdict {
    Go {
        due: Timestamp,
    },
    Skip(Reason),
    Wait {
        until: Timestamp,
        because: Option<Reason>,
    },
}

/// Decides every step whose moment has come, the oldest claim of the first kind first.
/// What follows a skipped step counts from now, so it is looked at again after a skip.
pub fn decide(mind: &mut Mind) {
    loop {
        mind.outlook.clear();
        if !decide_once(mind) {
            return;
        }
    }
}

/// One look at every candidate; whether any was skipped.
fn decide_once(mind: &mut Mind) -> bool {
    let mut skipped = false;
    let mut candidates = candidates(mind);
    candidates.sort_by(|a, b| {
        (
            a.step.kind,
            a.ready,
            &a.sequence.id,
            &a.enrolment.key,
            a.enrolment.id,
            &a.step.id,
            &a.occurrence,
        )
            .cmp(&(
                b.step.kind,
                b.ready,
                &b.sequence.id,
                &b.enrolment.key,
                b.enrolment.id,
                &b.step.id,
                &b.occurrence,
            ))
    });
    let mut told: Vec<SendId> = Vec::new();
    for at in 0..candidates.len() {
        let candidate = &candidates[at];
        if told.contains(&send_id(candidate)) {
            continue;
        }
        match judge(mind, candidate, &candidates) {
            Verdict::Skip(because) => {
                skipped = true;
                let send = send(
                    mind,
                    candidate,
                    candidate.due,
                    SendState::Skipped,
                    Some(because),
                );
                mind.decide(Decision::Decide(send));
            }
            Verdict::Go { due } => {
                let others = gathered_asks(mind, candidate, &candidates);
                skipped |= !others.is_empty() || !candidate.gathered.is_empty();
                let queued = SendState::Queued {
                    not_before: mind.now,
                };
                let mut mail = send(mind, candidate, due, queued, None);
                mail.gathered.extend(candidate.gathered.iter().cloned());
                mail.gathered
                    .extend(others.iter().map(|other| other.enrolment.id.to_string()));
                let into = mail.id;
                mind.decide(Decision::Decide(mail));
                for occurrence in &candidate.gathered {
                    let because = Reason::Gathered {
                        into: into.to_string(),
                    };
                    let mut also = send(mind, candidate, due, SendState::Skipped, Some(because));
                    also.occurrence.clone_from(occurrence);
                    also.id = SendId::derive(
                        candidate.enrolment.id,
                        candidate.step.first_id(),
                        occurrence,
                    );
                    mind.decide(Decision::Decide(also));
                }
                for other in others {
                    let because = Reason::Gathered {
                        into: into.to_string(),
                    };
                    let also = send(mind, other, other.due, SendState::Skipped, Some(because));
                    told.push(also.id);
                    mind.decide(Decision::Decide(also));
                }
            }
            Verdict::Wait { until, because } => {
                mind.wake(until);
                // Who is held out is decided like everybody, and foreseen to get nothing.
                let kind = candidate.step.kind;
                if assign::held_out(mind.catalog, &mind.history, kind).is_none() {
                    let outlook = outlook(mind, candidate, until, because);
                    mind.outlook.push(outlook);
                }
            }
        }
    }
    skipped
}

fn candidates<'a>(mind: &Mind<'a>) -> Vec<Candidate<'a>> {
    let catalog = mind.catalog;
    let mut found = Vec::new();
    for enrolment in mind.history.enrolments.iter().filter(|e| e.is_open()) {
        let Some(sequence) = catalog.sequence(&enrolment.sequence) else {
            continue;
        };
        let about = subject::of_enrolment(&mind.state, &mind.history, sequence, enrolment);
        for step in assign::course(&mind.history, sequence) {
            let mut of_step: Vec<Candidate> = subject::occurrences(&mind.state, &about, step.each)
                .into_iter()
                .filter(|(occurrence, about)| !is_decided(mind, enrolment, step, occurrence, about))
                .filter_map(|(occurrence, about)| {
                    candidate(mind, sequence, enrolment, step, occurrence, about)
                })
                .collect();
            if let Some(window) = step.gather {
                of_step = gather(mind, of_step, window.roughly());
            }
            found.append(&mut of_step);
        }
    }
    found
}

/// Whether a step is decided for an occurrence, here or in a run of the same key that a
/// merge of people ended; for a parcel, under any of its ids.
fn is_decided(
    mind: &Mind,
    enrolment: &Enrolment,
    step: &Step,
    occurrence: &str,
    about: &Subject,
) -> bool {
    let ids: Vec<&str> = match (step.each, about.order.as_deref()) {
        (Some(Each::Shipment), Some(order)) => mind
            .state
            .shipment(order, occurrence)
            .map(|parcel| parcel.ids.iter().map(String::as_str).collect())
            .unwrap_or_default(),
        _ => Vec::new(),
    };
    mind.history.sends.iter().any(|send| {
        send.sequence == enrolment.sequence
            && send.step == step.id
            && (send.occurrence == occurrence || ids.contains(&send.occurrence.as_str()))
            && (send.enrolment == enrolment.id || is_twin(mind, enrolment, send))
    })
}

fn is_twin(mind: &Mind, enrolment: &Enrolment, send: &Send) -> bool {
    use crate::model::enrolment::Ending;
    mind.history.enrolment(send.enrolment).is_some_and(|other| {
        other.key == enrolment.key
            && matches!(
                &other.state,
                EnrolmentState::Ended {
                    how: Ending::Stopped {
                        because: Reason::Merged
                    },
                    ..
                }
            )
            && !matches!(send.state, SendState::Cancelled)
    })
}

fn candidate<'a>(
    mind: &Mind,
    sequence: &'a Sequence,
    enrolment: &Enrolment,
    step: &'a Step,
    occurrence: String,
    mut about: Subject,
) -> Option<Candidate<'a>> {
    let mut evidence: Vec<EventSeq> = enrolment
        .starts
        .first()
        .map(|start| start.evidence.clone())
        .unwrap_or_default();
    let zone = &mind.state.person.zone;
    let anchor = match &step.anchor {
        Anchor::Start => enrolment.anchor,
        Anchor::Fact(kind) => {
            let fact = subject::fact(&mind.state, *kind, &about)?;
            evidence.extend(fact.evidence.iter().copied());
            about.event = fact.evidence.first().copied();
            fact.time
        }
        Anchor::Step(earlier) => reached(mind, enrolment, earlier, &occurrence)?,
    };
    evidence.dedup();
    let due = timing::due(step, anchor, zone, &mind.workdays());
    let ready = match enrolment.resumed_at {
        Some(resumed) if resumed > due && step.kind != Kind::Fulfilment => match step.at {
            Some(at) => timing::next_at(at, resumed, zone),
            None => resumed,
        },
        _ => due,
    };
    Some(Candidate {
        enrolment: enrolment.clone(),
        sequence,
        step,
        about,
        occurrence,
        gathered: Vec::new(),
        due,
        ready,
        evidence,
    })
}

/// When an earlier step went out. A step that was skipped counts from the moment at
/// which that was decided, so that one tip missed does not cost the rest of a series;
/// one that was withdrawn never comes.
fn reached(mind: &Mind, enrolment: &Enrolment, step: &str, occurrence: &str) -> Option<Timestamp> {
    let of_step = || {
        mind.history
            .sends
            .iter()
            .filter(move |send| send.enrolment == enrolment.id && send.step == step)
    };
    let send = of_step()
        .find(|send| send.occurrence == occurrence)
        .or_else(|| of_step().max_by_key(|send| send.at))?;
    match send.state {
        SendState::Accepted { .. }
        | SendState::Refused { .. }
        | SendState::Skipped
        | SendState::Unknown => Some(send.at),
        SendState::Queued { .. }
        | SendState::Sending { .. }
        | SendState::Held { .. }
        | SendState::Uncertain { .. }
        | SendState::Cancelled => None,
    }
}

/// Merges candidates of one step that fall due within `window` of the first. The mail
/// waits for the end of the window, so that what comes together is told together.
fn gather<'a>(
    mind: &Mind,
    all: Vec<Candidate<'a>>,
    window: jiff::SignedDuration,
) -> Vec<Candidate<'a>> {
    // What a rule skips anyway gathers nothing.
    let (mut telling, mut apart): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|one| overtaken(mind, one).is_none());
    telling.sort_by(|a, b| (a.due, &a.occurrence).cmp(&(b.due, &b.occurrence)));
    let mut groups: Vec<Candidate> = Vec::new();
    for one in telling {
        match groups.last_mut() {
            Some(first) if one.due <= first.due => {
                first.gathered.push(one.occurrence);
                first.evidence.extend(one.evidence);
            }
            _ => {
                let end = time::saturating_add(one.due, window);
                groups.push(Candidate {
                    due: end,
                    ready: one.ready.max(end),
                    ..one
                });
            }
        }
    }
    groups.append(&mut apart);
    groups
}

/// Other runs of the same sequence whose ask is due as well: one mail asks for at most
/// [`MAX_GATHERED_ASKS`] products (B1).
fn gathered_asks<'c, 'a>(
    mind: &Mind,
    candidate: &Candidate<'a>,
    all: &'c [Candidate<'a>],
) -> Vec<&'c Candidate<'a>> {
    if candidate.step.kind != Kind::Review || candidate.step.each.is_some() {
        return Vec::new();
    }
    let room = MAX_GATHERED_ASKS.saturating_sub(candidate.about.items.len().max(1));
    all.iter()
        .filter(|other| {
            other.enrolment.id != candidate.enrolment.id
                && other.sequence.id == candidate.sequence.id
                && other.step.id == candidate.step.id
                && other.ready <= mind.now
                && matches!(other.enrolment.state, EnrolmentState::Active)
                && mind.history.send(send_id(other)).is_none()
                && refusal(mind, other).is_none()
        })
        .take(room)
        .collect()
}

fn judge(mind: &mut Mind, candidate: &Candidate, all: &[Candidate]) -> Verdict {
    let Candidate {
        step, enrolment, ..
    } = candidate;
    let now = mind.now;
    if let EnrolmentState::Paused { since, by } = &enrolment.state
        && step.kind != Kind::Fulfilment
    {
        let over = exit::pause_ends(candidate.sequence, *since);
        let because = Reason::PausedTooLong { by: by.clone() };
        return if now >= over && candidate.ready <= now {
            Verdict::Skip(because)
        } else {
            let because = Some(Reason::Paused { by: by.clone() });
            Verdict::Wait {
                until: over.max(candidate.ready),
                because,
            }
        };
    }
    if candidate.ready > now {
        let until = foreseen(mind, candidate, all).map_or(candidate.ready, |(at, _)| at);
        // A limit may move it further by then, never nearer: the wake-up is at `ready`.
        mind.wake(candidate.ready);
        return Verdict::Wait {
            until,
            because: None,
        };
    }
    let passed = overtaken(mind, candidate)
        .or_else(|| added_later(candidate))
        .or_else(|| passed_before(mind, candidate));
    if let Some(reason) = passed {
        return Verdict::Skip(reason);
    }
    let earned = permit::earned(&mind.catalog.policy, &mind.history.sends, step.kind, now);
    let held = exit::held_by_shop_rule(mind, step.kind, &candidate.about);
    if timing::is_over(step.late, candidate.ready, now) {
        // What kept it back says more than that time ran out.
        return Verdict::Skip(match (held, earned) {
            (Some(by), _) => Reason::PausedTooLong { by: by.into() },
            (None, Err(reason)) => reason,
            (None, Ok(())) => Reason::Late {
                due: candidate.ready,
                late: step.late.to_string(),
                held: None,
            },
        });
    }
    if let Some(reason) = refusal(mind, candidate) {
        return Verdict::Skip(reason);
    }
    let too_late = time::saturating_add(
        time::saturating_add(candidate.ready, step.late.roughly()),
        jiff::SignedDuration::from_millis(1),
    );
    if let Some(by) = held {
        return Verdict::Wait {
            until: too_late,
            because: Some(Reason::Paused { by: by.into() }),
        };
    }
    if let Err(reason) = earned {
        return Verdict::Wait {
            until: too_late,
            because: Some(reason),
        };
    }
    let given_up = mind
        .catalog
        .policy
        .limits
        .when_over
        .map(|over| time::saturating_add(candidate.ready, over.roughly()));
    let zone = &mind.state.person.zone;
    let hours = timing::hours_for(&mind.catalog.policy, step.kind);
    let today = time::day(now, zone);
    match foreseen(mind, candidate, all) {
        Some((at, _)) if at <= now => {
            let open = timing::within_hours(hours, now, zone);
            if open > now {
                Verdict::Wait {
                    until: open,
                    because: Some(Reason::Hours),
                }
            } else if let Some(which) = broken(mind, candidate, all, today) {
                let until = time::next_midnight(today, zone).min(too_late);
                Verdict::Wait {
                    until,
                    because: Some(Reason::Limit { which }),
                }
            } else {
                Verdict::Go { due: at }
            }
        }
        Some((at, by_limit)) => {
            let which = broken(mind, candidate, all, today).unwrap_or_else(|| "per day".into());
            match given_up {
                Some(end) if by_limit && now >= end => Verdict::Skip(Reason::Limit { which }),
                _ => {
                    let because = if by_limit {
                        Reason::Limit { which }
                    } else {
                        Reason::Hours
                    };
                    let until = at
                        .min(too_late)
                        .min(given_up.filter(|_| by_limit).unwrap_or(at));
                    Verdict::Wait {
                        until,
                        because: Some(because),
                    }
                }
            }
        }
        None => Verdict::Skip(Reason::Limit {
            which: broken(mind, candidate, all, today).unwrap_or_else(|| "per day".into()),
        }),
    }
}

/// When hours and limits let a candidate go, as the ledger stands, and whether a limit
/// moved it.
fn foreseen(mind: &Mind, candidate: &Candidate, all: &[Candidate]) -> Option<(Timestamp, bool)> {
    let zone = &mind.state.person.zone;
    let hours = timing::hours_for(&mind.catalog.policy, candidate.step.kind);
    let preferred = timing::preferred_time(candidate.step, candidate.ready, zone);
    timing::allowed(hours, candidate.ready, preferred, zone, |day| {
        broken(mind, candidate, all, day).is_none()
    })
}

/// Which limit a candidate would break on a local day. Mails of kinds that go first
/// and fall due later the same day have their place kept (B7); one run never sends two
/// mails on one day (D5).
fn broken(
    mind: &Mind,
    candidate: &Candidate,
    all: &[Candidate],
    day: time::Date,
) -> Option<String> {
    let kind = candidate.step.kind;
    if !kind.is_bound() {
        return None;
    }
    let zone = &mind.state.person.zone;
    let same_run = mind.history.sends.iter().any(|send| {
        send.enrolment == candidate.enrolment.id
            && send.kind.is_bound()
            && send.state.counts()
            && time::day(send.counted_at(), zone) == day
    });
    if same_run {
        return Some("one mail of a series a day".into());
    }
    let mut places = permit::places(&mind.history.sends, zone);
    places.extend(
        all.iter()
            .filter(|other| {
                other.step.kind < kind
                    && other.step.kind.is_bound()
                    && other.ready > mind.now
                    && matches!(other.enrolment.state, EnrolmentState::Active)
                    && time::day(other.ready, zone) == day
                    && mind.history.send(send_id(other)).is_none()
            })
            .filter(|other| refusal(mind, other).is_none())
            .map(|other| permit::Place {
                day,
                kind: other.step.kind,
            }),
    );
    permit::broken_limit(&mind.catalog.policy, &places, kind, day)
}

/// Why a candidate is refused for good at its moment: nobody may get it, or a condition
/// says no.
fn refusal(mind: &Mind, candidate: &Candidate) -> Option<Reason> {
    let Candidate {
        step,
        enrolment,
        about,
        ..
    } = candidate;
    if let Err(reason) = permit::recipient(
        &mind.catalog.policy,
        &mind.state,
        step.kind,
        &candidate.sequence.id,
        about.order.as_deref(),
        enrolment.test,
    ) {
        return Some(reason);
    }
    if let Some(reason) = assign::held_out(mind.catalog, &mind.history, step.kind) {
        return Some(reason);
    }
    if step.kind.is_bound()
        && let Some(reason) = exit::lost(&mind.state, enrolment)
    {
        return Some(reason);
    }
    condition(mind, step, about)
}

fn condition(mind: &Mind, step: &Step, about: &Subject) -> Option<Reason> {
    if step.when.is_none() && step.unless.is_none() {
        return None;
    }
    let names = mind.names(about);
    super::clear::conditions(step, &names)
}

/// A parcel's progress that later progress has overtaken (A3), or that never will be
/// completed.
fn overtaken(mind: &Mind, candidate: &Candidate) -> Option<Reason> {
    super::clear::overtaken(&mind.state, candidate.step, &candidate.about)
}

/// A step that was added to the files after its moment reaches nobody (F3).
fn added_later(candidate: &Candidate) -> Option<Reason> {
    let since = candidate.step.since?;
    (candidate.due < since && candidate.enrolment.opened_at < since).then_some(Reason::AddedLater)
}

/// People of the past who are enrolled on purpose are placed where they would be now:
/// what was due before is not sent (A6).
fn passed_before(mind: &Mind, candidate: &Candidate) -> Option<Reason> {
    let enrolment = &candidate.enrolment;
    let start = enrolment.starts.first()?;
    let passed =
        candidate.due < enrolment.opened_at && enrol::is_replayed(&mind.history, &start.evidence);
    passed.then_some(Reason::Past { due: candidate.due })
}

fn send_id(candidate: &Candidate) -> SendId {
    SendId::derive(
        candidate.enrolment.id,
        candidate.step.first_id(),
        &candidate.occurrence,
    )
}

fn send(
    mind: &Mind,
    candidate: &Candidate,
    due: Timestamp,
    state: SendState,
    reason: Option<Reason>,
) -> Send {
    let Candidate {
        step,
        sequence,
        about,
        ..
    } = candidate;
    let order = about.order.as_deref().and_then(|key| mind.state.order(key));
    Send {
        id: send_id(candidate),
        enrolment: candidate.enrolment.id,
        sequence: sequence.id.clone(),
        step: step.id.clone(),
        occurrence: candidate.occurrence.clone(),
        gathered: Vec::new(),
        kind: step.kind,
        mail: step.mail.clone(),
        due,
        zone: mind.state.person.zone_name.clone(),
        locale: mind.state.person.locale.clone(),
        order: order.map(|order| order.snapshot.order_id.clone()),
        order_number: order.and_then(|order| order.snapshot.order_number.clone()),
        state,
        at: mind.now,
        attempts: 0,
        first_tried: None,
        doubts: 0,
        reason,
        rule: RuleRef {
            file: step.place.file.clone(),
            line: step.place.line,
            column: step.place.column,
            version: mind.catalog.version.clone(),
        },
        evidence: candidate.evidence.clone(),
        prepared: None,
        considered: false,
    }
}

fn outlook(mind: &Mind, candidate: &Candidate, go: Timestamp, because: Option<Reason>) -> Outlook {
    let order = candidate
        .about
        .order
        .as_deref()
        .and_then(|key| mind.state.order(key));
    Outlook {
        enrolment: candidate.enrolment.id,
        sequence: candidate.sequence.id.clone(),
        step: candidate.step.id.clone(),
        occurrence: candidate.occurrence.clone(),
        kind: candidate.step.kind,
        mail: candidate.step.mail.clone(),
        due: candidate.due,
        go,
        order: order.map(|order| order.snapshot.order_id.clone()),
        order_number: order.and_then(|order| order.snapshot.order_number.clone()),
        because,
    }
}

/// Facts of transit that arrival overtakes.
pub fn is_transit(kind: FactKind) -> bool {
    matches!(
        kind,
        FactKind::Event(
            EventKind::ShipmentDispatched
                | EventKind::ShipmentInTransit
                | EventKind::ShipmentOutForDelivery
                | EventKind::ShipmentAvailableForPickup
                | EventKind::ShipmentDeliveryFailed
        )
    )
}
