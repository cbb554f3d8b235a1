//! All stories up to a number of events: depth first, shortest first, each state once.
//!
//! Time is not a grid: an event is tried right after everything that changes the ledger,
//! because between two changes it makes no difference when it comes. Two stories in which
//! the same was told, and which stand alike on the same day, go on alike: the second is
//! not followed.

use super::checks::Violation;
use super::life::{Life, Told, World};
use super::moves::Move;
use super::setting::{Absent, Setting};
use crate::model::send::SendState;
use crate::model::time::{self, Timestamp};
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// How long after a change of the ledger the next event comes, in hours; half the way to
/// the planner's next look, where that is nearer.
const GAP_HOURS: i64 = 3;

/// A story: what happened in which setting.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Story {
    pub(super) setting: Setting,
    pub(super) told: Vec<Told>,
}

/// A broken promise with the story in which it is.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) wrong: Violation,
    pub(super) story: Story,
    /// The sequences that were looked at together.
    pub(super) sequences: Vec<String>,
}

impl Found {
    /// Fewer events first, then less time, then the plainer setting.
    fn length(&self) -> (usize, SignedDuration, usize) {
        let setting = &self.story.setting;
        (
            self.story.told.len(),
            self.wrong.at.duration_since(setting.begins),
            setting.set.len() + usize::from(setting.absent != Absent::Nothing),
        )
    }
}

/// What the stories showed so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) found: Vec<Found>,
    /// A story in which each step went out, by `sequence/step`.
    pub(super) reached: BTreeMap<String, Story>,
    /// Why a step did not go out where its moment came.
    pub(super) skipped: BTreeMap<String, String>,
    /// Stories lived to their end.
    pub(super) stories: u64,
    /// Branches that were not followed, because the budget was used up.
    pub(super) left_out: u64,
    /// Other customers who were not put into a story, for the same reason.
    pub(super) people_left_out: u64,
    /// The sequences looked at.
    sequences: Vec<String>,
    /// Settings tried, in words.
    tried: BTreeSet<String>,
}

/// Settings named in a message, at most.
const MAX_NAMED: usize = 3;

impl Findings {
    pub(super) fn of(sequences: &[&str]) -> Findings {
        Findings {
            sequences: sequences.iter().map(|id| (*id).to_owned()).collect(),
            ..Findings::default()
        }
    }

    /// The settings tried, in a few words.
    pub(super) fn tried_words(&self) -> String {
        let first: Vec<&str> = self
            .tried
            .iter()
            .take(MAX_NAMED)
            .map(String::as_str)
            .collect();
        let more = self.tried.len().saturating_sub(MAX_NAMED);
        match (first.is_empty(), more) {
            (true, _) => "nothing to order, because the catalogue is empty".to_owned(),
            (false, 0) => first.join("; "),
            (false, more) => format!("{}; and {more} others", first.join("; ")),
        }
    }

    /// Looks at a life that was lived out.
    pub(super) fn see(&mut self, setting: &Setting, life: &Life) {
        self.stories += 1;
        self.tried.insert(setting.words());
        for wrong in &life.wrong {
            let known = self.found.iter().position(|had| had.wrong.same(wrong));
            let told = life.told.iter().filter(|told| told.at <= wrong.at);
            let found = Found {
                wrong: wrong.clone(),
                story: Story {
                    setting: setting.clone(),
                    told: told.cloned().collect(),
                },
                sequences: self.sequences.clone(),
            };
            match known {
                None => self.found.push(found),
                Some(known) if found.length() < self.found[known].length() => {
                    self.found[known] = found;
                }
                Some(_) => {}
            }
        }
        for send in &life.history.sends {
            match (&send.state, &send.reason) {
                (SendState::Accepted { .. }, _) => {
                    self.reached.entry(send.name()).or_insert_with(|| Story {
                        setting: setting.clone(),
                        told: life.told.clone(),
                    });
                }
                (_, Some(reason)) => {
                    self.skipped
                        .entry(send.name())
                        .or_insert_with(|| reason.sentence());
                }
                _ => {}
            }
        }
    }
}

/// How far an exploration got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reach {
    /// Every story of up to so many events was looked at.
    pub(super) events: usize,
    /// There are longer ones that were not.
    pub(super) more: bool,
}

/// Explores all stories of up to `events` moves, as long as fewer than `plans` plans are
/// made in this world.
pub(super) fn explore(
    world: &mut World<'_>,
    moves: &[Move],
    events: usize,
    plans: u64,
    findings: &mut Findings,
) -> Reach {
    let mut reach = Reach {
        events: 0,
        more: false,
    };
    for depth in 1..=events {
        let mut search = Search {
            moves,
            plans,
            seen: HashSet::new(),
            followed: false,
            findings,
            left_out: 0,
        };
        let root = Life::new(world.setting);
        search.follow(world, &root, depth);
        let (left_out, followed) = (search.left_out, search.followed);
        findings.left_out += left_out;
        if left_out > 0 {
            reach.more = true;
            break;
        }
        reach.events = depth;
        if !followed {
            // Nothing more can happen: there are no longer stories.
            return reach;
        }
        reach.more = depth == events;
    }
    reach
}

struct Search<'s> {
    moves: &'s [Move],
    plans: u64,
    seen: HashSet<u64>,
    /// Some story was as long as the depth.
    followed: bool,
    findings: &'s mut Findings,
    left_out: u64,
}

impl Search<'_> {
    fn follow(&mut self, world: &mut World<'_>, life: &Life, left: usize) {
        if left == 0 {
            let mut whole = life.clone();
            whole.live_out(world);
            self.findings.see(world.setting, &whole);
            self.followed = true;
            return;
        }
        let mut here = life.clone();
        let horizon = here.horizon();
        loop {
            let at = next_event(&here);
            for what in self.moves {
                if !what.may_follow(here.told.iter().map(|told| &told.what)) {
                    continue;
                }
                if world.plans >= self.plans {
                    self.left_out += 1;
                    continue;
                }
                let mut child = here.clone();
                child.tell(world, what, at);
                if self.seen.insert(child.likeness(world)) {
                    self.follow(world, &child, left - 1);
                }
            }
            if here.told.is_empty() || !here.until_news(world, horizon) {
                break;
            }
        }
    }
}

/// When the next event of a life comes.
fn next_event(life: &Life) -> Timestamp {
    if life.told.is_empty() {
        return life.now;
    }
    let gap = SignedDuration::from_hours(GAP_HOURS);
    let gap = match life.next() {
        Some(next) => gap.min(next.duration_since(life.now) / 2),
        None => gap,
    };
    // Whole minutes read better in a scenario.
    let minutes = gap.as_secs() / 60;
    let gap = if minutes > 0 {
        SignedDuration::from_mins(minutes)
    } else {
        gap
    };
    time::saturating_add(life.now, gap)
}

/// Lives one story through to its end.
pub(super) fn relive(world: &mut World<'_>, told: &[Told]) -> Life {
    let mut life = Life::new(world.setting);
    for one in told {
        if one.what.may_follow(life.told.iter().map(|told| &told.what)) {
            life.tell(world, &one.what, one.at);
        }
    }
    life.live_out(world);
    life
}

/// Takes away every event without which the same goes wrong.
pub(super) fn shorten(world: &mut World<'_>, found: &mut Found) {
    let mut at = found.story.told.len();
    while at > 0 {
        at -= 1;
        let mut fewer = found.story.told.clone();
        fewer.remove(at);
        let life = relive(world, &fewer);
        if let Some(wrong) = life.wrong.iter().find(|wrong| wrong.same(&found.wrong)) {
            found.story.told = life
                .told
                .iter()
                .filter(|told| told.at <= wrong.at)
                .cloned()
                .collect();
            found.wrong = wrong.clone();
            at = at.min(found.story.told.len());
        }
    }
}
