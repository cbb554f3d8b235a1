//! Scenarios: stories of customers with the mails that they must and must not get
//! (`config/scenarios/*.toml`), run by the planner itself.
//!
//! [`read`] turns files into [`Scenario`]s, with every slip named in its place; `short`
//! writes out what people may say briefly; [`judge`](judge::run) lets the story happen
//! and compares. Nothing here decides about mail, and nothing is sent.

pub mod judge;
mod read;
mod short;
mod when;

pub use judge::{Failure, Happened, Verdict, run};
pub use read::read;

use crate::model::event::Event;
use crate::model::time::{Date, Timestamp};

/// Where scenarios stand in a shop's folder.
pub const FOLDER: &str = "config/scenarios/";
/// Most events of one scenario.
pub const MAX_EVENTS: usize = 1_000;
/// Most expectations of one scenario, of either sort.
pub const MAX_EXPECTED: usize = 1_000;

/// One story, ready to happen.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The file, relative to the shop's folder.
    pub path: String,
    /// The file's name without its ending: what it is called on the command line.
    pub name: String,
    pub title: String,
    /// What was decided before is not judged.
    pub start: Option<Timestamp>,
    /// The end; unset, long after the last event.
    pub until: Option<Timestamp>,
    /// Whether mails that no expectation names are failures.
    pub only: bool,
    pub events: Vec<Event>,
    /// The customers by name; one without a name where the file has one only.
    pub people: Vec<Who>,
    pub expect: Vec<Expect>,
    pub never: Vec<Never>,
}

/// A customer of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// What the file calls them; empty for the one of `[customer]`.
    pub name: String,
    /// The address, as typed.
    pub email: Option<String>,
}

/// A send that must happen.
#[derive(Debug, Clone)]
pub struct Expect {
    /// `sequence/step`.
    pub send: String,
    /// To whom; anybody where unset.
    pub who: Option<String>,
    /// About which order, by number or id.
    pub order: Option<String>,
    pub when: When,
    /// `accepted`, `skipped` or `cancelled`.
    pub state: Outcome,
    /// The code of its reason.
    pub reason: Option<String>,
    /// In which language.
    pub locale: Option<String>,
    pub count: usize,
    /// The line of the file.
    pub line: u32,
}

/// When something must happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Whenever,
    /// On a day of the customer's.
    On(Date),
    /// In the minute that begins here.
    At(Timestamp),
}

/// How a send ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Accepted,
    Skipped,
    Cancelled,
}

impl Outcome {
    /// All, in the order of the documentation.
    pub const ALL: [Outcome; 3] = [Outcome::Accepted, Outcome::Skipped, Outcome::Cancelled];

    /// The name in files and in `sends`.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Accepted => "accepted",
            Outcome::Skipped => "skipped",
            Outcome::Cancelled => "cancelled",
        }
    }
}

/// Sends that must not happen.
#[derive(Debug, Clone)]
pub struct Never {
    /// `sequence/step`, `*` for any run of characters.
    pub send: String,
    pub who: Option<String>,
    pub line: u32,
}

/// Whether a name is of a pattern, in which `*` stands for any run of characters but `/`.
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    let (parts, names) = (pattern.split('/'), name.split('/'));
    parts.clone().count() == names.clone().count()
        && parts
            .zip(names)
            .all(|(pattern, name)| part_fits(pattern, name))
}

fn part_fits(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut left) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    left.len() >= last.len() && left.ends_with(last)
}

#[cfg(test)]
mod tests;
