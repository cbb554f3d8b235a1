//! A scenario happens, and what it gave is laid beside what it should have given: which
//! mails are missing and why, which are too many and what caused them.

use super::{Expect, Outcome, Scenario, When, fits};
use crate::model::event::Event;
use crate::model::history::History;
use crate::model::reason::Reason;
use crate::model::send::{Send, SendState};
use crate::model::time::{self, TimeZone, Timestamp};
use crate::plan::explain;
use crate::plan::simulate::{Lived, live_through};
use crate::plan::walk::Make;
use crate::sequence::catalog::Catalog;
use std::collections::BTreeMap;

/// How many other moments of the same step a missing one is compared with.
const LISTED: usize = 3;

/// How a scenario went.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// Every send that was decided, by instant.
    pub happened: Vec<Happened>,
    pub failures: Vec<Failure>,
    /// How many mails were made.
    pub mails: usize,
}

impl Verdict {
    /// Whether everything is as it should be.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

/// A send of the scenario.
#[derive(Debug, Clone)]
pub struct Happened {
    pub send: Send,
    /// What the file calls the customer; empty where it has one only.
    pub who: String,
    /// The expectation that it meets.
    pub expected: Option<usize>,
}

impl Happened {
    /// When it happened, on the customer's clock.
    pub fn local(&self) -> String {
        local(self.send.at, &zone(&self.send))
    }
}

/// Something that is not as it should be. Numbers count [`Scenario::expect`],
/// [`Scenario::never`] and [`Verdict::happened`].
#[derive(Debug, Clone)]
pub enum Failure {
    /// An expected send that did not come, and why.
    Missing { expect: usize, because: Vec<String> },
    /// A mail that nobody expected, and what caused it.
    Unexpected { send: usize, because: Vec<String> },
    /// A mail that must not go, and what caused it.
    Forbidden {
        never: usize,
        send: usize,
        because: Vec<String>,
    },
    /// A mail that could not be made: a customer would wait for it until somebody mends it.
    Held { send: usize, because: String },
}

/// Lets a scenario happen on the real planner, each mail made by `make`, and compares.
pub fn run(catalog: &Catalog, scenario: &Scenario, make: &mut Make<'_>) -> Verdict {
    let mut mails = 0;
    let mut failed: BTreeMap<_, String> = BTreeMap::new();
    let lived = {
        let mut watched = |catalog: &Catalog, send: &Send, ready: Box<_>, now: Timestamp| {
            let made = make(catalog, send, ready, now);
            match &made {
                Ok(_) => mails += 1,
                Err(reason) => {
                    failed.insert(send.id, reason.sentence());
                }
            }
            made
        };
        live_through(
            catalog,
            scenario.events.clone(),
            None,
            scenario.until,
            &mut watched,
        )
    };
    let judge = Judge::new(scenario, &lived);
    let mut happened = judge.happened();
    let mut failures = judge.match_up(&mut happened);
    failures.extend(judge.surprises(&happened));
    for (place, one) in happened.iter().enumerate() {
        if let Some(because) = failed.remove(&one.send.id) {
            failures.push(Failure::Held {
                send: place,
                because,
            });
        }
    }
    Verdict {
        happened,
        failures,
        mails,
    }
}

struct Judge<'a> {
    scenario: &'a Scenario,
    lived: &'a Lived,
}

impl<'a> Judge<'a> {
    fn new(scenario: &'a Scenario, lived: &'a Lived) -> Self {
        Judge { scenario, lived }
    }

    /// What the file calls the person of a history: by the first address that it names.
    fn who(&self, history: &History) -> &'a str {
        let told = |event: &Event| {
            let customer = event.body.customer.as_ref();
            let email = customer.and_then(|customer| customer.email.clone());
            email.or_else(|| event.body.customer_ref.as_ref()?.email.clone())
        };
        let found = history.events.iter().filter_map(told).find_map(|email| {
            self.scenario.people.iter().find(|who| {
                who.email
                    .as_deref()
                    .is_some_and(|own| own.eq_ignore_ascii_case(&email))
            })
        });
        found.map_or("", |who| who.name.as_str())
    }

    fn happened(&self) -> Vec<Happened> {
        let names: BTreeMap<_, &str> = self
            .lived
            .histories
            .iter()
            .map(|history| (history.customer, self.who(history)))
            .collect();
        self.lived
            .decided
            .iter()
            .filter(|one| self.scenario.start.is_none_or(|start| one.send.at >= start))
            .map(|one| Happened {
                send: one.send.clone(),
                who: names.get(&one.customer).copied().unwrap_or("").to_owned(),
                expected: None,
            })
            .collect()
    }

    /// Gives each send the expectation that it meets, the most exact ones first; what is
    /// left of the expectations is missing.
    fn match_up(&self, happened: &mut [Happened]) -> Vec<Failure> {
        let mut order: Vec<usize> = (0..self.scenario.expect.len()).collect();
        let exact = |expect: &Expect| {
            let when = match expect.when {
                When::At(_) => 0,
                When::On(_) => 1,
                When::Whenever => 2,
            };
            (when, expect.order.is_none(), expect.reason.is_none())
        };
        order.sort_by_key(|place| exact(&self.scenario.expect[*place]));
        let mut short = Vec::new();
        for place in order {
            let expect = &self.scenario.expect[place];
            let mut left = expect.count;
            for one in happened.iter_mut() {
                if left > 0 && one.expected.is_none() && self.meets(expect, one) {
                    one.expected = Some(place);
                    left -= 1;
                }
            }
            if left > 0 {
                short.push(place);
            }
        }
        short.sort_unstable();
        short
            .into_iter()
            .map(|place| Failure::Missing {
                because: self.absent(&self.scenario.expect[place], happened),
                expect: place,
            })
            .collect()
    }

    fn is_about(&self, expect: &Expect, one: &Happened) -> bool {
        one.send.name() == expect.send
            && expect.who.as_ref().is_none_or(|who| *who == one.who)
            && expect.order.as_deref().is_none_or(|order| {
                let bare = |text: &str| text.trim_start_matches('#').to_owned();
                [&one.send.order, &one.send.order_number]
                    .into_iter()
                    .flatten()
                    .any(|own| bare(own) == bare(order))
            })
    }

    fn meets(&self, expect: &Expect, one: &Happened) -> bool {
        self.is_about(expect, one) && self.differs(expect, one).is_empty()
    }

    /// In what a send differs from an expectation about its step.
    fn differs(&self, expect: &Expect, one: &Happened) -> Vec<String> {
        let send = &one.send;
        let mut differences = Vec::new();
        if send.state.as_str() != expect.state.as_str() {
            differences.push(match &send.reason {
                Some(reason) => format!("it was {}: {}", send.state.as_str(), reason.sentence()),
                None => format!("it was {}", send.state.as_str()),
            });
        }
        let reason = send.reason.as_ref().map(Reason::code);
        if let Some(wanted) = expect.reason.as_deref()
            && reason != Some(wanted)
        {
            differences.push(format!("its reason is {}", reason.unwrap_or("none")));
        }
        let zone = zone(send);
        let on_time = match expect.when {
            When::Whenever => true,
            When::On(day) => time::day(send.at, &zone) == day,
            When::At(at) => {
                let late = send.at.duration_since(at);
                !late.is_negative() && late < jiff::SignedDuration::from_mins(1)
            }
        };
        if !on_time {
            differences.push(format!("it happened on {}", local(send.at, &zone)));
        }
        let locale = send
            .prepared
            .as_ref()
            .map(|prepared| prepared.locale.as_str());
        if let Some(wanted) = expect.locale.as_deref()
            && locale != Some(wanted)
        {
            differences.push(format!(
                "its language is {}",
                locale.unwrap_or(&send.locale)
            ));
        }
        differences
    }

    /// Why an expected send did not come.
    fn absent(&self, expect: &Expect, happened: &[Happened]) -> Vec<String> {
        let near: Vec<&Happened> = happened
            .iter()
            .filter(|one| one.expected.is_none() && self.is_about(expect, one))
            .collect();
        if !near.is_empty() {
            return near
                .iter()
                .take(LISTED)
                .map(|one| self.differs(expect, one).join("; "))
                .collect();
        }
        let met = happened
            .iter()
            .filter(|one| self.is_about(expect, one))
            .count();
        if met > 0 && expect.count > met {
            return vec![format!("it came {met} times, not {}", expect.count)];
        }
        if met > 0 {
            return vec!["another expectation names the one that came".to_owned()];
        }
        let Some((sequence, step)) = expect.send.split_once('/').and_then(|(sequence, step)| {
            let sequence = self.lived.catalog.sequence(sequence)?;
            Some((sequence, sequence.step(step)?))
        }) else {
            return vec!["there is no such step".to_owned()];
        };
        let mut because = Vec::new();
        for history in &self.lived.histories {
            let who = self.who(history);
            if expect.who.as_ref().is_some_and(|wanted| *wanted != who) {
                continue;
            }
            let absence = explain::absence(
                &self.lived.catalog,
                history,
                sequence,
                step,
                expect.order.as_deref(),
                self.lived.until,
            );
            because.push(format!("{}; {}", absence.because, absence.needed));
            because.push(format!(
                "the rule is {}:{}",
                absence.rule.file, absence.rule.line
            ));
        }
        if because.is_empty() {
            because.push("no event of the scenario is about this customer".to_owned());
        }
        because
    }

    /// Mails that must not go, and mails that nobody named.
    fn surprises(&self, happened: &[Happened]) -> Vec<Failure> {
        let mut failures = Vec::new();
        for (place, one) in happened.iter().enumerate() {
            let goes = matches!(one.send.state, SendState::Accepted { .. });
            if !goes {
                continue;
            }
            let name = one.send.name();
            let never = self.scenario.never.iter().position(|never| {
                fits(&never.send, &name) && never.who.as_ref().is_none_or(|who| *who == one.who)
            });
            if let Some(never) = never {
                failures.push(Failure::Forbidden {
                    never,
                    send: place,
                    because: self.caused(&one.send),
                });
            } else if one.expected.is_none() && self.is_surplus(one) {
                failures.push(Failure::Unexpected {
                    send: place,
                    because: self.caused(&one.send),
                });
            }
        }
        failures
    }

    /// Whether a mail that met no expectation is one too many. Where only some mails are
    /// named, those that are named still count.
    fn is_surplus(&self, one: &Happened) -> bool {
        self.scenario.only
            || self
                .scenario
                .expect
                .iter()
                .any(|expect| expect.count > 1 && self.meets(expect, one))
    }

    /// What a send was decided by: the events that it read, and the rule.
    fn caused(&self, send: &Send) -> Vec<String> {
        let events = self
            .lived
            .histories
            .iter()
            .flat_map(|history| &history.events);
        let zone = zone(send);
        let mut causes: Vec<String> = events
            .filter(|event| send.evidence.contains(&event.seq))
            .map(|event| format!("caused by {} of {}", event.kind, local(event.time, &zone)))
            .collect();
        causes.dedup();
        if causes.len() > LISTED {
            causes.drain(..causes.len() - LISTED);
        }
        causes.push(format!("the rule is {}:{}", send.rule.file, send.rule.line));
        causes
    }
}

fn zone(send: &Send) -> TimeZone {
    TimeZone::get(&send.zone).unwrap_or(TimeZone::UTC)
}

/// An instant on somebody's clock: `2026-03-09 10:00`.
pub(crate) fn local(at: Timestamp, zone: &TimeZone) -> String {
    zone.to_datetime(at).strftime("%Y-%m-%d %H:%M").to_string()
}

impl Expect {
    /// What is expected, in one line.
    pub fn told(&self) -> String {
        let mut text = self.send.clone();
        if let Some(who) = self.who.as_deref().filter(|who| !who.is_empty()) {
            text = format!("{who} {text}");
        }
        if self.state != Outcome::Accepted {
            text.push_str(&format!(" {}", self.state.as_str()));
        }
        if let Some(reason) = &self.reason {
            text.push_str(&format!(" ({reason})"));
        }
        if self.count > 1 {
            text.push_str(&format!(" × {}", self.count));
        }
        text
    }

    /// When it is expected, on the clock of `zone`.
    pub fn told_when(&self, zone: &TimeZone) -> String {
        match self.when {
            When::Whenever => String::new(),
            When::On(day) => day.to_string(),
            When::At(at) => local(at, zone),
        }
    }
}
