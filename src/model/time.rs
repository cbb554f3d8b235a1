//! Instants, lengths and local time. `min` and `h` are elapsed time; `d`, `w` and
//! `bd` are calendar days in somebody's zone. There is no month: months differ in
//! length, so two buyers would wait differently.

pub use jiff::Timestamp;
pub use jiff::civil::{Date, Time, Weekday};
use jiff::tz::AmbiguousOffset;
pub use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Longest length a file may ask for, in days: ten years.
pub const MAX_DAYS: i64 = 3660;

/// How long to leave alone what failed so many times in a row: `first` after the first
/// time, twice as long after each further one, `longest` at most.
pub fn doubled(first: Duration, failures: u32, longest: Duration) -> Duration {
    let doublings = failures.saturating_sub(1).min(u32::BITS - 1);
    first.saturating_mul(1 << doublings).min(longest)
}

/// How long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Length {
    /// Elapsed time, in minutes.
    Minutes(i64),
    /// Calendar days in the customer's zone; the local time of day is kept.
    Days(i64),
    /// Calendar days on which shops and carriers work.
    BusinessDays(i64),
}

/// Why a text is no length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadLength {
    /// Not a number and a unit.
    #[error("expected a number and a unit: min, h, d, w or bd")]
    Shape,
    /// A month or a year.
    #[error("months and years differ in length; write weeks or days")]
    Month,
    /// Longer than [`MAX_DAYS`].
    #[error("longer than {MAX_DAYS} days")]
    Long,
}

impl Length {
    /// No wait at all.
    pub const NONE: Length = Length::Minutes(0);

    /// Whether this counts calendar days rather than elapsed time.
    pub fn is_calendar(self) -> bool {
        !matches!(self, Length::Minutes(_))
    }

    /// Whether there is nothing to wait for.
    pub fn is_zero(self) -> bool {
        matches!(
            self,
            Length::Minutes(0) | Length::Days(0) | Length::BusinessDays(0)
        )
    }

    /// This long after `from`, days counted in `zone`; business days are Monday to Friday.
    pub fn after(self, from: Timestamp, zone: &TimeZone) -> Timestamp {
        self.after_working(from, zone, is_business_day)
    }

    /// As [`Length::after`], business days being those on which `works` says that people
    /// work.
    pub fn after_working(
        self,
        from: Timestamp,
        zone: &TimeZone,
        works: impl Fn(Date) -> bool,
    ) -> Timestamp {
        match self {
            Length::Minutes(minutes) => saturating_add(from, SignedDuration::from_mins(minutes)),
            Length::Days(days) => {
                let local = zone.to_datetime(from);
                let date = add_days(local.date(), days);
                at(date, local.time(), zone)
            }
            Length::BusinessDays(days) => {
                let local = zone.to_datetime(from);
                let date = add_working_days(local.date(), days, works);
                at(date, local.time(), zone)
            }
        }
    }

    /// This length as elapsed time, calendar days taken as 24 h: for bounds such as `late`.
    pub fn roughly(self) -> SignedDuration {
        match self {
            Length::Minutes(minutes) => SignedDuration::from_mins(minutes),
            Length::Days(days) => SignedDuration::from_hours(24 * days),
            Length::BusinessDays(days) => {
                SignedDuration::from_hours(24 * (days + days / 5 * 2 + 2))
            }
        }
    }
}

impl FromStr for Length {
    type Err = BadLength;
    fn from_str(text: &str) -> Result<Self, BadLength> {
        let text = text.trim();
        let split = text
            .find(|c: char| !c.is_ascii_digit())
            .ok_or(BadLength::Shape)?;
        let (digits, unit) = text.split_at(split);
        let number: i64 = digits.parse().map_err(|_| BadLength::Shape)?;
        let (length, days) = match unit.trim() {
            "min" => (Length::Minutes(number), number / (24 * 60)),
            "h" => (Length::Minutes(number.saturating_mul(60)), number / 24),
            "d" => (Length::Days(number), number),
            "w" => (
                Length::Days(number.saturating_mul(7)),
                number.saturating_mul(7),
            ),
            "bd" => (Length::BusinessDays(number), number.saturating_mul(7) / 5),
            "m" | "mo" | "month" | "months" | "y" | "year" | "years" => {
                return Err(BadLength::Month);
            }
            _ => return Err(BadLength::Shape),
        };
        if days > MAX_DAYS {
            return Err(BadLength::Long);
        }
        Ok(length)
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Length::Minutes(m) if *m != 0 && m % 60 == 0 => write!(f, "{}h", m / 60),
            Length::Minutes(m) => write!(f, "{m}min"),
            Length::Days(d) if *d != 0 && d % 7 == 0 => write!(f, "{}w", d / 7),
            Length::Days(d) => write!(f, "{d}d"),
            Length::BusinessDays(d) => write!(f, "{d}bd"),
        }
    }
}

impl Serialize for Length {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The instant of a wall-clock time. One that a clock change leaves out becomes the
/// first instant after the gap; one that happens twice, the first of the two.
pub fn at(date: Date, time: Time, zone: &TimeZone) -> Timestamp {
    let ambiguous = zone.to_ambiguous_timestamp(date.to_datetime(time));
    let instant = match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => ambiguous.earlier(),
        AmbiguousOffset::Gap { .. } => ambiguous.earlier().map(|before| {
            zone.following(before)
                .next()
                .map_or(before, |transition| transition.timestamp())
        }),
    };
    instant.unwrap_or(Timestamp::MAX)
}

/// The local day of an instant.
pub fn day(instant: Timestamp, zone: &TimeZone) -> Date {
    zone.to_datetime(instant).date()
}

/// The first instant of the local day after `date`.
pub fn next_midnight(date: Date, zone: &TimeZone) -> Timestamp {
    at(add_days(date, 1), Time::midnight(), zone)
}

/// `days` later (or earlier); the calendar's end where that is out of range.
pub fn add_days(date: Date, days: i64) -> Date {
    Span::new()
        .try_days(days)
        .and_then(|span| date.checked_add(span))
        .unwrap_or(if days < 0 { Date::MIN } else { Date::MAX })
}

/// Whether a day is one on which shops and carriers work.
pub fn is_business_day(date: Date) -> bool {
    !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
}

/// The `days`th day after `date` on which `works` holds; for none, the day itself.
pub fn add_working_days(date: Date, days: i64, works: impl Fn(Date) -> bool) -> Date {
    let mut day = date;
    let mut left = days;
    while left > 0 {
        let next = add_days(day, 1);
        if next == day {
            return day;
        }
        day = next;
        if works(day) {
            left -= 1;
        }
    }
    day
}

/// `instant + duration`, held inside what a timestamp can say.
pub fn saturating_add(instant: Timestamp, duration: SignedDuration) -> Timestamp {
    instant
        .checked_add(duration)
        .unwrap_or(if duration.is_negative() {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        })
}

/// Unix milliseconds, the form in which databases keep instants.
pub fn to_ms(instant: Timestamp) -> i64 {
    instant.as_millisecond()
}

/// An instant from Unix milliseconds, held inside what a timestamp can say.
pub fn from_ms(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    #[test]
    fn waits_double_to_a_bound() {
        let check = |failures: u32, seconds: u64| {
            let wait = doubled(Duration::from_secs(3), failures, Duration::from_secs(60));
            assert_eq!(wait, Duration::from_secs(seconds), "{failures}");
        };
        check(0, 3);
        check(1, 3);
        check(2, 6);
        check(5, 48);
        check(6, 60);
        check(u32::MAX, 60);
    }

    #[test]
    fn lengths_are_read_and_printed() {
        for (text, length) in [
            ("30min", Length::Minutes(30)),
            ("48h", Length::Minutes(48 * 60)),
            ("2d", Length::Days(2)),
            ("1w", Length::Days(7)),
            ("4bd", Length::BusinessDays(4)),
        ] {
            assert_eq!(text.parse(), Ok(length));
            assert_eq!(length.to_string(), text);
        }
        assert_eq!("1 month".parse::<Length>(), Err(BadLength::Month));
        assert_eq!("2".parse::<Length>(), Err(BadLength::Shape));
        assert_eq!("9999999w".parse::<Length>(), Err(BadLength::Long));
    }

    #[test]
    fn calendar_days_keep_the_local_time_over_a_clock_change() {
        let berlin = zone("Europe/Berlin");
        let friday: Timestamp = "2026-03-27T09:00:00Z".parse().unwrap();
        let monday = Length::Days(3).after(friday, &berlin);
        assert_eq!(monday, "2026-03-30T08:00:00Z".parse().unwrap());
        let business = Length::BusinessDays(1).after(friday, &berlin);
        assert_eq!(business, monday);
        let elapsed = Length::Minutes(72 * 60).after(friday, &berlin);
        assert_eq!(elapsed, "2026-03-30T09:00:00Z".parse().unwrap());
    }

    #[test]
    fn a_time_left_out_is_the_first_after_the_gap_and_a_doubled_one_the_first() {
        let berlin = zone("Europe/Berlin");
        let half_past_two = Time::constant(2, 30, 0, 0);
        let gap = at(Date::constant(2026, 3, 29), half_past_two, &berlin);
        assert_eq!(gap, "2026-03-29T01:00:00Z".parse().unwrap());
        let fold = at(Date::constant(2026, 10, 25), half_past_two, &berlin);
        assert_eq!(fold, "2026-10-25T00:30:00Z".parse().unwrap());
    }
}
