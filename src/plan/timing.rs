//! When: anchor, length, `at` or `slot`, hours and limits become an instant.

use crate::model::holidays::Workdays;
use crate::model::kind::Kind;
use crate::model::policy::{Hours, Policy};
use crate::model::time::{self, Date, Length, Time, TimeZone, Timestamp};
use crate::sequence::catalog::{Slot, Step};
use chrono::{Datelike, NaiveDate, Timelike};

/// How many days ahead a free day under the limits, or an hour of opening, is looked for.
pub const MAX_LOOKAHEAD_DAYS: i64 = 400;

/// When a step should go, hours and limits apart.
pub fn due(step: &Step, anchor: Timestamp, zone: &TimeZone, days: &Workdays<'_>) -> Timestamp {
    let reached = step
        .length
        .after_working(anchor, zone, |day| days.includes(day));
    if let Some(slot) = &step.slot {
        return next_slot(slot, reached, zone);
    }
    match step.at {
        None => reached,
        Some(at) if step.length.is_calendar() && !step.length.is_zero() => {
            time::at(time::day(reached, zone), at, zone)
        }
        Some(at) => next_at(at, reached, zone),
    }
}

/// The first instant not before `from` at which it is `at` locally.
pub fn next_at(at: Time, from: Timestamp, zone: &TimeZone) -> Timestamp {
    let today = time::day(from, zone);
    let first = time::at(today, at, zone);
    if first >= from {
        first
    } else {
        time::at(time::add_days(today, 1), at, zone)
    }
}

/// The first match of a slot at or after `from`; `from` itself where it never matches
/// again.
fn next_slot(slot: &Slot, from: Timestamp, zone: &TimeZone) -> Timestamp {
    first_slot(slot, from, zone).unwrap_or(from)
}

/// The first match of a slot at or after `from`, over wall-clock time: a time that a
/// clock change leaves out is the first instant after the gap, a doubled one the first.
/// `None` where the slot never matches again.
pub fn first_slot(slot: &Slot, from: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    // One second before, because the schedule answers strictly later instants; a day
    // before that, because wall clocks run backwards in autumn.
    let local = zone.to_datetime(from);
    let wall = NaiveDate::from_ymd_opt(
        i32::from(local.year()),
        local.month().unsigned_abs().into(),
        local.day().unsigned_abs().into(),
    )
    .and_then(|day| day.and_hms_opt(0, 0, 0))
    .and_then(|midnight| midnight.checked_sub_signed(chrono::TimeDelta::seconds(1)))?;
    slot.schedule
        .after(&wall.and_utc())
        .take(MAX_SLOTS)
        .filter_map(|match_| {
            let wall = match_.naive_utc();
            let date = Date::new(
                i16::try_from(wall.year()).ok()?,
                i8::try_from(wall.month()).ok()?,
                i8::try_from(wall.day()).ok()?,
            )
            .ok()?;
            let clock = Time::new(
                i8::try_from(wall.hour()).ok()?,
                i8::try_from(wall.minute()).ok()?,
                i8::try_from(wall.second()).ok()?,
                0,
            )
            .ok()?;
            Some(time::at(date, clock, zone))
        })
        .find(|instant| *instant >= from)
}

/// How many matches of a slot are looked through: every second of two days.
const MAX_SLOTS: usize = 2 * 86_400;

/// The hours that bind a kind, if any.
pub fn hours_for(policy: &Policy, kind: Kind) -> Option<&Hours> {
    policy
        .hours
        .as_ref()
        .filter(|hours| kind.is_bound() && !hours.except.contains(&kind))
}

/// The first instant not before `from` within the hours.
pub fn within_hours(hours: Option<&Hours>, from: Timestamp, zone: &TimeZone) -> Timestamp {
    let Some(hours) = hours else { return from };
    let mut date = time::day(from, zone);
    for _ in 0..MAX_LOOKAHEAD_DAYS {
        if hours.days.contains(&date.weekday()) {
            let open = time::at(date, hours.open, zone);
            let close = time::at(date, hours.close, zone);
            if from < open {
                return open;
            }
            if from < close {
                return from;
            }
        }
        date = time::add_days(date, 1);
    }
    from
}

/// When the hours that are open at `from` close; `None` where nothing closes.
pub fn closes(hours: Option<&Hours>, from: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    hours.map(|hours| time::at(time::day(from, zone), hours.close, zone))
}

/// The local time of day at which a step that was put off to another day goes: its
/// `at`, else that at which it was due.
pub fn preferred_time(step: &Step, due: Timestamp, zone: &TimeZone) -> Time {
    step.at.unwrap_or_else(|| zone.to_datetime(due).time())
}

/// The first instant not before `ready` at which hours and `free` (is this local day
/// free under the limits?) let a step go, and whether a limit moved it. `None` where
/// no day within [`MAX_LOOKAHEAD_DAYS`] is free.
pub fn allowed(
    hours: Option<&Hours>,
    ready: Timestamp,
    preferred: Time,
    zone: &TimeZone,
    mut free: impl FnMut(Date) -> bool,
) -> Option<(Timestamp, bool)> {
    let mut from = ready;
    let mut moved = false;
    for _ in 0..MAX_LOOKAHEAD_DAYS {
        let open = within_hours(hours, from, zone);
        let day = time::day(open, zone);
        if free(day) {
            return Some((open, moved));
        }
        moved = true;
        from = time::at(time::add_days(day, 1), preferred, zone);
    }
    None
}

/// Whether more than `length` lies between two instants.
pub fn is_over(length: Length, from: Timestamp, now: Timestamp) -> bool {
    now > time::saturating_add(from, length.roughly())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::model::time::Weekday;
    use std::str::FromStr;
    use std::sync::Arc;

    fn ts(text: &str) -> Timestamp {
        text.parse().unwrap()
    }
    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }
    fn slot(text: &str) -> Slot {
        Slot {
            text: text.into(),
            schedule: Arc::new(cron::Schedule::from_str(text).unwrap()),
        }
    }

    #[test]
    fn a_slot_is_found_over_wall_clock_time() {
        let berlin = zone("Europe/Berlin");
        let tuesday_to_thursday = slot("0 0 10 * * Tue-Thu");
        assert_eq!(
            next_slot(&tuesday_to_thursday, ts("2026-03-27T12:00:00Z"), &berlin),
            ts("2026-03-31T08:00:00Z")
        );
        assert_eq!(
            next_slot(&tuesday_to_thursday, ts("2026-03-31T08:00:00Z"), &berlin),
            ts("2026-03-31T08:00:00Z")
        );
        let in_the_gap = slot("0 30 2 * * *");
        assert_eq!(
            next_slot(&in_the_gap, ts("2026-03-28T12:00:00Z"), &berlin),
            ts("2026-03-29T01:00:00Z")
        );
        let twice = slot("0 30 2 * * *");
        assert_eq!(
            next_slot(&twice, ts("2026-10-24T12:00:00Z"), &berlin),
            ts("2026-10-25T00:30:00Z")
        );
        assert_eq!(
            next_slot(&twice, ts("2026-10-25T00:31:00Z"), &berlin),
            ts("2026-10-26T01:30:00Z")
        );
    }

    #[test]
    fn hours_and_full_days_put_off() {
        let berlin = zone("Europe/Berlin");
        let hours = Hours {
            open: Time::constant(8, 0, 0, 0),
            close: Time::constant(20, 0, 0, 0),
            days: vec![Weekday::Monday, Weekday::Tuesday, Weekday::Saturday],
            except: vec![],
        };
        assert_eq!(
            closes(Some(&hours), ts("2026-03-07T18:59:59Z"), &berlin),
            Some(ts("2026-03-07T19:00:00Z"))
        );
        // Saturday evening: closed until Monday.
        assert_eq!(
            within_hours(Some(&hours), ts("2026-03-07T19:30:00Z"), &berlin),
            ts("2026-03-09T07:00:00Z")
        );
        assert_eq!(
            within_hours(Some(&hours), ts("2026-03-07T18:59:59Z"), &berlin),
            ts("2026-03-07T18:59:59Z")
        );
        let ten = Time::constant(10, 0, 0, 0);
        let full = Date::constant(2026, 3, 9);
        let got = allowed(
            Some(&hours),
            ts("2026-03-09T09:00:00Z"),
            ten,
            &berlin,
            |day| day != full,
        );
        assert_eq!(got, Some((ts("2026-03-10T09:00:00Z"), true)));
        assert_eq!(
            allowed(None, ts("2026-03-09T09:00:00Z"), ten, &berlin, |_| false),
            None
        );
    }
}
