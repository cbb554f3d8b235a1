//! Instants as people write them in a scenario: exact, on a customer's clock, or so long
//! after what came before.

use crate::model::time::{self, Length, Time, TimeZone, Timestamp};
use crate::sequence::syntax::Section;
use toml_edit::{Item, Value};

/// Why a value is no instant.
const FORMS: &str = "write 2026-03-02T09:00:00Z, 2026-03-02T10:00:00 for the customer's own clock, or \
                     \"+2d\", \"+3h\", \"+2d 10:00\" after the event before";

/// What the customer's clock says at an instant: for days.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    pub(super) zone: TimeZone,
}

/// An instant under `key`. `before` is what `+…` counts from. Slips are reported.
pub(super) fn instant(
    section: &Section<'_, '_>,
    key: &str,
    clock: &Clock,
    before: Option<Timestamp>,
) -> Option<Timestamp> {
    let (item, span) = section.item(key)?;
    let slip = |message: String| {
        let problem = section
            .sheet
            .problem("E415", span.clone(), message)
            .help(FORMS);
        section.sheet.report(problem);
        None
    };
    match item {
        Item::Value(Value::Datetime(date)) => match absolute(&date.value().to_string(), clock) {
            Some(instant) => Some(instant),
            None => slip(format!("{} is not an instant", date.value())),
        },
        Item::Value(Value::String(text)) => {
            let text = text.value();
            let Some(wait) = text.trim().strip_prefix('+') else {
                return match absolute(text, clock) {
                    Some(instant) => Some(instant),
                    None => slip(format!("\"{}\" is not an instant", text.escape_debug())),
                };
            };
            let Some(before) = before else {
                return slip(format!("\"{}\" counts from nothing", text.escape_debug()));
            };
            match later(wait, before, clock) {
                Some(instant) => Some(instant),
                None => slip(format!(
                    "\"{}\" is not a length that we accept",
                    text.escape_debug()
                )),
            }
        }
        _ => {
            section.wrong(key, item, span.clone(), "an instant");
            None
        }
    }
}

/// `2026-03-02T09:00:00Z`, or without an offset on the customer's clock.
fn absolute(text: &str, clock: &Clock) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant);
    }
    // A day alone says no time, and noon would be a guess.
    let (date, clock_time) = text.split_once(['T', 't', ' '])?;
    Some(time::at(
        date.parse().ok()?,
        of_day(clock_time)?,
        &clock.zone,
    ))
}

/// `2d`, `3h`, `2d 10:00`.
fn later(wait: &str, before: Timestamp, clock: &Clock) -> Option<Timestamp> {
    let mut words = wait.split_whitespace();
    let length: Length = words.next()?.parse().ok()?;
    let then = length.after(before, &clock.zone);
    match (words.next(), words.next()) {
        (None, _) => Some(then),
        (Some(at), None) => Some(time::at(
            time::day(then, &clock.zone),
            of_day(at)?,
            &clock.zone,
        )),
        (Some(_), Some(_)) => None,
    }
}

fn of_day(text: &str) -> Option<Time> {
    let shaped = text.len() >= 5 && text.as_bytes()[2] == b':';
    shaped.then(|| text.parse().ok()).flatten()
}
