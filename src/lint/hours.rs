//! Steps whose moment never, or not for everybody, falls into the shop's hours.

use super::Shop;
use super::source::{At, in_sequence};
use crate::model::diagnostic::Diagnostic;
use crate::model::policy::Hours;
use crate::model::time::{Length, Time, Weekday};
use crate::sequence::catalog::{Anchor, Sequence, Slot, Step};
use cron::TimeUnitSpec;

/// Monday first.
const WEEK: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];
const DAY: i64 = 24 * 60;

pub fn look(shop: &Shop<'_>, found: &mut Vec<Diagnostic>) {
    let Some(hours) = &shop.catalog.policy.hours else {
        return;
    };
    for (sequence, step) in shop.forms() {
        if !step.kind.is_bound() || hours.except.contains(&step.kind) {
            continue;
        }
        found.extend(
            closed_days(shop, hours, sequence, step)
                .or_else(|| too_late(shop, hours, sequence, step)),
        );
    }
}

/// A slot on days on which the shop is closed. (Times outside of the hours are found
/// when the file is read.)
fn closed_days(
    shop: &Shop<'_>,
    hours: &Hours,
    sequence: &Sequence,
    step: &Step,
) -> Option<Diagnostic> {
    let slot = step.slot.as_ref()?;
    let days = days_of(slot);
    if days.iter().any(|day| hours.days.contains(day)) {
        return None;
    }
    let span = shop.source.key(sequence, At::Step(&step.id), "slot");
    Some(
        in_sequence(
            "E152",
            sequence,
            span,
            format!("step \"{}\" can never go out", step.id),
        )
        .help(format!(
            "slot = \"{}\" is on {}, and [hours] has {}; kind \"{}\" is not an exception",
            slot.text,
            names(&days),
            names(&hours.days),
            step.kind
        ))
        .help("choose a day on which the shop is open"),
    )
}

/// A step that some customers lose, because it is too late before the shop opens again.
fn too_late(
    shop: &Shop<'_>,
    hours: &Hours,
    sequence: &Sequence,
    step: &Step,
) -> Option<Diagnostic> {
    let late = minutes(step.late);
    let minute = |time: Time| i64::from(time.hour()) * 60 + i64::from(time.minute());
    // Minutes of the week at which the step may fall due.
    let times: Vec<i64> = match (&step.slot, step.at) {
        (Some(slot), _) => slot
            .schedule
            .hours()
            .iter()
            .flat_map(|hour| {
                slot.schedule
                    .minutes()
                    .iter()
                    .map(move |minute| i64::from(hour) * 60 + i64::from(minute))
            })
            .collect(),
        (None, Some(at)) => vec![minute(at)],
        // Any time of day; the longest wait is from closing.
        (None, None) => vec![minute(hours.close)],
    };
    let days: Vec<Weekday> = match (&step.slot, step.length, &step.anchor) {
        (Some(slot), _, _) => days_of(slot),
        (None, Length::BusinessDays(n), _) if n > 0 => WEEK[..5].to_vec(),
        // After a step of the same sequence that itself goes within the hours.
        (None, length, Anchor::Step(_)) if length.is_zero() => return None,
        _ => WEEK.to_vec(),
    };
    let (open, close) = (minute(hours.open), minute(hours.close));
    let mut worst: Option<(i64, Weekday, i64)> = None;
    for day in days {
        for time in &times {
            let wait = wait(hours, day, *time, (open, close));
            if worst.is_none_or(|(most, _, _)| wait > most) {
                worst = Some((wait, day, *time));
            }
        }
    }
    let (wait, day, time) = worst?;
    if wait <= late {
        return None;
    }
    let span = shop.source.key(sequence, At::Step(&step.id), "late");
    Some(
        in_sequence(
            "W501",
            sequence,
            span,
            format!("step \"{}\" is lost by some customers", step.id),
        )
        .label("shorter than the night")
        .help(format!(
            "whoever is due on {} at {:02}:{:02} would have to wait {} for the shop to open, and is skipped after {}",
            name(day),
            time / 60,
            time % 60,
            words(wait),
            step.late
        ))
        .help(format!("write late = \"{}h, then skip\" or more", (wait + 59) / 60)),
    )
}

/// How long a step that falls due then has to wait for the hours, in minutes.
fn wait(hours: &Hours, day: Weekday, time: i64, (open, close): (i64, i64)) -> i64 {
    let Some(from) = WEEK.iter().position(|one| *one == day) else {
        return 0;
    };
    for later in 0..8_usize {
        let day = WEEK[(from + later) % 7];
        if !hours.days.contains(&day) {
            continue;
        }
        let shift = i64::try_from(later).unwrap_or(0) * DAY;
        if later == 0 && time >= close {
            continue;
        }
        if later == 0 && time >= open {
            return 0;
        }
        return shift + open - time;
    }
    0
}

fn minutes(length: Length) -> i64 {
    match length {
        Length::Minutes(minutes) => minutes,
        other => other.roughly().as_mins(),
    }
}

/// The days of the week that a slot can fall on.
fn days_of(slot: &Slot) -> Vec<Weekday> {
    // The crate counts from Sunday, 1.
    let ordinals: Vec<u32> = slot.schedule.days_of_week().iter().collect();
    WEEK.into_iter()
        .filter(|day| {
            let ordinal = u32::try_from(day.to_sunday_zero_offset()).unwrap_or(0) + 1;
            ordinals.contains(&ordinal)
        })
        .collect()
}

fn name(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}

fn names(days: &[Weekday]) -> String {
    days.iter()
        .map(|day| name(*day))
        .collect::<Vec<_>>()
        .join(", ")
}

fn words(minutes: i64) -> String {
    if minutes % 60 == 0 {
        format!("{} hours", minutes / 60)
    } else {
        format!("{} hours and {} minutes", minutes / 60, minutes % 60)
    }
}

/// The most days that a slot lets pass between two of its days, where it hangs on days
/// of the week alone.
pub(super) fn longest_gap(slot: &Slot) -> Option<i64> {
    let every = |unit: &dyn Fn() -> usize, all: usize| unit() >= all;
    let schedule = &slot.schedule;
    let weekly = every(&|| schedule.days_of_month().iter().count(), 31)
        && every(&|| schedule.months().iter().count(), 12);
    let days = days_of(slot);
    if !weekly || days.is_empty() {
        return None;
    }
    let at: Vec<usize> = days
        .iter()
        .filter_map(|day| WEEK.iter().position(|one| one == day))
        .collect();
    let mut most = 0;
    for (nth, day) in at.iter().enumerate() {
        let next = at.get(nth + 1).map_or(at[0] + 7, |next| *next);
        most = most.max(next - day);
    }
    i64::try_from(most).ok()
}
