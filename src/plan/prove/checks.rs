//! What must hold of every mail that goes out, counted anew from what was told and from
//! the ledger, not from what the planner thinks of them.

use super::life::{Going, Life, World};
use super::moves::{Back, Move, Refunded};
use crate::model::event::{EventKind, FactKind};
use crate::model::kind::{Kind, Scope};
use crate::model::send::{Send, SendState};
use crate::model::time::{self, Timestamp};
use crate::plan::{permit, timing};
use crate::sequence::catalog::{Anchor, Step, Timed};
use jiff::SignedDuration;

/// How long after its fact a mail of fulfilment is still news of it, in hours.
const NEWS_HOURS: i64 = 24;

/// What no file can bring about: a promise that the planner itself has to keep.
const OURS: &str = "E339";
const REPORT: &str = "no file should bring this about: please report it with the story";

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) code: &'static str,
    pub(super) sequence: String,
    pub(super) step: String,
    pub(super) at: Timestamp,
    /// One line, lower case.
    pub(super) message: String,
    pub(super) help: Vec<String>,
    /// Where it is, if not at the step: file and line.
    pub(super) elsewhere: Option<(String, u32)>,
    /// Whether a scenario, which names sends by their steps, can tell it.
    pub(super) tellable: bool,
}

impl Violation {
    /// Whether it is the same mistake of the files, in whatever story.
    pub(super) fn same(&self, other: &Violation) -> bool {
        self.code == other.code
            && self.sequence == other.sequence
            && self.step == other.step
            && self.elsewhere == other.elsewhere
    }

    /// `sequence/step`.
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.sequence, self.step)
    }

    pub(super) fn of(code: &'static str, going: &Going, message: String) -> Violation {
        Violation {
            code,
            sequence: going.send.sequence.clone(),
            step: going.send.step.clone(),
            at: going.at,
            message,
            help: Vec::new(),
            elsewhere: None,
            tellable: true,
        }
    }

    pub(super) fn help(mut self, line: impl Into<String>) -> Violation {
        self.help.push(line.into());
        self
    }
}

/// Everything that is wrong with one mail that goes out in a life.
pub(super) fn going(world: &World<'_>, life: &Life, one: &Going) -> Vec<Violation> {
    [
        earned(world, life, one),
        lost(life, one),
        owed(world, life, one),
        per_day(world, life, one),
        per_week(world, life, one),
        asks(world, life, one),
        hours(world, one),
        twice(world, life, one),
        opted_out(life, one),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn before<'l>(life: &'l Life, one: &'l Going) -> impl Iterator<Item = &'l Send> + Clone {
    life.history.sends.iter().filter(move |send| {
        send.id != one.send.id
            && send.at <= one.at
            && matches!(send.state, SendState::Accepted { .. })
    })
}

/// Help first, then ask.
fn earned(world: &World<'_>, life: &Life, one: &Going) -> Option<Violation> {
    let kind = one.send.kind;
    if !kind.is_ask() {
        return None;
    }
    let year = SignedDuration::from_hours(-24 * permit::EARNING_DAYS);
    let since = time::saturating_add(one.at, year);
    let policy = &world.catalog.policy;
    let cost = |kind: Kind| policy.earn.get(&kind).copied().unwrap_or(0);
    let helps = before(life, one)
        .filter(|send| send.kind == Kind::Education && send.at >= since)
        .count() as u64;
    let spent: u64 = before(life, one)
        .filter(|send| send.kind.is_ask() && send.at >= since)
        .map(|send| u64::from(cost(send.kind)))
        .sum();
    let needed = cost(kind);
    if helps == 0 {
        let what = format!("a {kind} could be asked before any help was sent");
        let of_policy = if needed == 0 {
            format!(
                "[earn] in config/store.toml asks no help of a {kind}: write  {kind} = 2  or start it after a mail of kind education"
            )
        } else {
            format!("[earn] demands {needed} helpful mails first")
        };
        return Some(
            Violation::of("E301", one, what)
                .help("whoever is asked before being helped feels used, and answers so")
                .help(of_policy),
        );
    }
    (helps < spent + u64::from(needed)).then(|| {
        let what = format!(
            "a {kind} could be asked after {helps} helpful mails, of which {spent} were spent"
        );
        Violation::of("E301", one, what)
            .help(format!("[earn] demands {needed} helpful mails first"))
    })
}

/// Nothing about goods that are gone, except what the shop still must say.
fn lost(life: &Life, one: &Going) -> Option<Violation> {
    if !one.send.kind.is_bound() {
        return None;
    }
    let enrolment = life.history.enrolment(one.send.enrolment)?;
    let mut because = None;
    for start in &enrolment.starts {
        let order: u8 = (0..super::moves::MAX_ORDERS)
            .find(|order| start.order.as_deref() == Some(&super::telling::order_id(*order)))?;
        because = Some(gone(life, order, start.line.as_deref(), one.at)?);
    }
    let because = because?;
    let what = format!(
        "\"{}\" could go out after {because}, though all that it is about is gone",
        one.send.name()
    );
    Some(
        Violation::of(OURS, one, what)
            .help("help with, or a question about, what somebody gave back reads as if nobody had listened")
            .help(REPORT),
    )
}

/// Why an order, or one line of it, is gone at an instant.
fn gone(life: &Life, order: u8, line: Option<&str>, at: Timestamp) -> Option<&'static str> {
    life.told
        .iter()
        .filter(|told| told.at < at)
        .find_map(|told| match &told.what {
            Move::Cancelled(of) if *of == order && !sent_again(life, order, told.at, at) => {
                Some("a cancellation")
            }
            Move::Refund {
                order: of,
                what: Refunded::Everything,
            } if *of == order => Some("a full refund"),
            Move::Refund {
                order: of,
                what: Refunded::FirstLine,
            } if *of == order && line == Some("1") => Some("a refund of the item"),
            Move::Return {
                order: of,
                how: Back::Received,
            } if *of == order => Some("the goods came back"),
            _ => None,
        })
}

/// Whether an order was dispatched after all once it had been cancelled: then it lives (C5).
fn sent_again(life: &Life, order: u8, since: Timestamp, until: Timestamp) -> bool {
    life.told.iter().any(|told| {
        let dispatched = matches!(
            &told.what,
            Move::Parcel { kind: EventKind::ShipmentDispatched, order: of, .. } if *of == order
        );
        dispatched && told.at > since && told.at <= until
    })
}

/// After a cancellation or a full refund fulfilment says what is news, and nothing else.
fn owed(world: &World<'_>, life: &Life, one: &Going) -> Option<Violation> {
    if one.send.kind != Kind::Fulfilment {
        return None;
    }
    let order: u8 = (0..super::moves::MAX_ORDERS)
        .find(|order| one.send.order.as_deref() == Some(&super::telling::order_id(*order)))?;
    let ended = life.told.iter().find(|told| {
        let ends = match &told.what {
            Move::Cancelled(of) => *of == order && !sent_again(life, order, told.at, one.at),
            Move::Refund {
                order: of,
                what: Refunded::Everything,
            } => *of == order,
            _ => false,
        };
        ends && told.at < one.at
    })?;
    let step = step(world, one)?;
    let anchor = anchored(life, step, one)?;
    let news = SignedDuration::from_hours(NEWS_HOURS);
    let of_parcel = matches!(step.anchor, Anchor::Fact(kind) if kind.is_of_shipment());
    let is_news = of_parcel && one.at <= time::saturating_add(anchor, news);
    if anchor >= ended.at || is_news {
        return None;
    }
    let what = format!(
        "\"{}\" could go out after {}",
        one.send.name(),
        ended.what.words()
    );
    Some(
        Violation::of("E331", one, what)
            .help("after the money is back, only what is new may be said: the cancellation, the refund, a parcel on its way")
            .help("add  unless = \"order.cancelled || order.refunded\"  to the step"),
    )
}

fn step<'w>(world: &'w World<'_>, one: &Going) -> Option<&'w Step> {
    world
        .catalog
        .sequence(&one.send.sequence)?
        .step(&one.send.step)
}

/// When that happened which a step counts from.
fn anchored(life: &Life, step: &Step, one: &Going) -> Option<Timestamp> {
    let enrolment = life.history.enrolment(one.send.enrolment)?;
    match &step.anchor {
        Anchor::Start => enrolment.starts.first().map(|start| start.time),
        Anchor::Fact(FactKind::Event(kind)) => life
            .told
            .iter()
            .filter(|told| told.at <= one.at && super::telling::kind(&told.what) == *kind)
            .map(|told| told.at)
            .max(),
        Anchor::Fact(FactKind::Derived(_)) => Some(one.send.due),
        Anchor::Step(earlier) => life
            .history
            .sends
            .iter()
            .find(|send| send.enrolment == enrolment.id && send.step == *earlier)
            .map(|send| send.at),
    }
}

/// Mails under the limits that went out in the days up to that of a mail, itself included.
fn within(world: &World<'_>, life: &Life, one: &Going, days: i64, counts: fn(Kind) -> bool) -> u64 {
    let zone = zone_of(world, one);
    let today = time::day(one.at, &zone);
    let first = time::add_days(today, 1 - days);
    1 + before(life, one)
        .filter(|send| send.kind.is_bound() && counts(send.kind))
        .filter(|send| {
            let day = time::day(send.at, &zone);
            day >= first && day <= today
        })
        .count() as u64
}

fn zone_of(world: &World<'_>, one: &Going) -> time::TimeZone {
    time::TimeZone::get(&one.send.zone).unwrap_or_else(|_| world.catalog.policy.zone.clone())
}

fn per_day(world: &World<'_>, life: &Life, one: &Going) -> Option<Violation> {
    if !one.send.kind.is_bound() {
        return None;
    }
    let limit = world.catalog.policy.limits.per_day;
    let count = within(world, life, one, 1, |_| true);
    if count <= u64::from(limit.unwrap_or(1)) {
        return None;
    }
    let others: Vec<String> = before(life, one)
        .filter(|send| send.kind.is_bound())
        .filter(|send| {
            let zone = zone_of(world, one);
            time::day(send.at, &zone) == time::day(one.at, &zone)
        })
        .map(|send| format!("\"{}\"", send.name()))
        .collect();
    let what = format!(
        "one customer could get \"{}\" on the same day as {}",
        one.send.name(),
        others.join(" and ")
    );
    // Which of the two waits for another day is no matter, so no scenario can name it.
    let wrong = Violation {
        tellable: false,
        ..Violation::of("E332", one, what)
    }
    .help("two mails of one shop on one day are read as one too many");
    Some(match limit {
        Some(limit) => Violation {
            code: OURS,
            ..wrong.help(format!("[limits] per_day = {limit} does not hold: {REPORT}"))
        },
        None => wrong.help("[limits] in config/store.toml sets no per_day: write  per_day = 1  (or  per_day = 2  where that is meant)"),
    })
}

fn per_week(world: &World<'_>, life: &Life, one: &Going) -> Option<Violation> {
    let limit = world
        .catalog
        .policy
        .limits
        .per_week
        .filter(|_| one.send.kind.is_bound())?;
    let count = within(world, life, one, 7, |_| true);
    (count > u64::from(limit)).then(|| {
        let what = format!(
            "\"{}\" could be mail number {count} to one customer in seven days",
            one.send.name()
        );
        Violation::of(OURS, one, what).help(format!(
            "[limits] per_week = {limit} does not hold: {REPORT}"
        ))
    })
}

fn asks(world: &World<'_>, life: &Life, one: &Going) -> Option<Violation> {
    let limit = world
        .catalog
        .policy
        .limits
        .asks
        .filter(|_| one.send.kind.is_ask())?;
    let count = within(world, life, one, limit.within_days, Kind::is_ask);
    (count > u64::from(limit.at_most)).then(|| {
        let what = format!(
            "\"{}\" could be ask number {count} in {} days",
            one.send.name(),
            limit.within_days
        );
        Violation::of(OURS, one, what).help(format!("[limits] asks does not hold: {REPORT}"))
    })
}

fn hours(world: &World<'_>, one: &Going) -> Option<Violation> {
    let hours = timing::hours_for(&world.catalog.policy, one.send.kind)?;
    let local = zone_of(world, one).to_datetime(one.at);
    let open = hours.days.contains(&local.date().weekday())
        && local.time() >= hours.open
        && local.time() < hours.close;
    (!open).then(|| {
        let what = format!(
            "\"{}\" could go out at {} local time",
            one.send.name(),
            local.time()
        );
        Violation::of(OURS, one, what).help(format!("[hours] does not hold: {REPORT}"))
    })
}

/// The same step for the same thing, or the same mail about the same goods.
fn twice(world: &World<'_>, life: &Life, one: &Going) -> Option<Violation> {
    // A new day of a schedule, or a new silence, is another thing than the one before.
    let timed = |send: &Send| {
        let sequence = world.catalog.sequence(&send.sequence);
        let start = sequence.and_then(|sequence| sequence.start.timed.as_ref());
        matches!(start, Some(Timed::Schedule(_) | Timed::Absence { .. }))
    };
    let goods = |send: &Send| -> Vec<(Option<String>, Option<String>)> {
        life.history
            .enrolment(send.enrolment)
            .map(|run| {
                run.starts
                    .iter()
                    .map(|start| (start.order.clone(), start.line.clone()))
                    .collect()
            })
            .unwrap_or_default()
    };
    let mine = goods(&one.send);
    let same = before(life, one).find(|send| {
        let step = send.enrolment == one.send.enrolment
            && send.step == one.send.step
            && send.occurrence == one.send.occurrence;
        let mail = send.mail == one.send.mail
            && send.occurrence == one.send.occurrence
            && !(timed(send)
                && send.sequence == one.send.sequence
                && send.enrolment != one.send.enrolment)
            && goods(send).iter().any(|item| mine.contains(item));
        step || mail
    })?;
    let tellable = same.name() == one.send.name();
    let what = if tellable {
        format!(
            "\"{}\" could go out twice about the same thing",
            one.send.name()
        )
    } else {
        format!(
            "\"{}\" could send the mail \"{}\" that \"{}\" has sent already",
            one.send.name(),
            one.send.mail,
            same.name()
        )
    };
    Some(
        Violation { tellable, ..Violation::of("E334", one, what) }
            .help("whoever reads the same mail twice stops reading")
            .help("write a mail of its own for each step, or let one of the two skip:  unless = 'sent(\"sequence/step\")'"),
    )
}

fn opted_out(life: &Life, one: &Going) -> Option<Violation> {
    let scope: &Scope = life.told.iter().find_map(|told| match &told.what {
        Move::OptOut(scope)
            if told.at < one.at && scope.stops(one.send.kind, &one.send.sequence) =>
        {
            Some(scope)
        }
        _ => None,
    })?;
    let what = format!(
        "\"{}\" could go to somebody who opted out of {scope}",
        one.send.name()
    );
    Some(Violation::of(OURS, one, what).help(REPORT))
}
