//! Instants as platforms write them: with an offset, as seconds since 1970, without a
//! zone, or a bare date. What has no zone is read in one that is named, and says so.

use super::super::json::Json;
use super::loose::text;
use crate::model::time::{TimeZone, Timestamp};
use jiff::civil::{Date, DateTime};
use jiff::fmt::rfc2822;

/// From here on a number counts milliseconds, not seconds: 5138 in seconds.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// An instant with what is known of how it was told.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Moment {
    pub(super) at: Timestamp,
    /// Only the day was told; `at` is the end of it.
    pub(super) only_date: bool,
    /// As it was written, where no zone was told.
    pub(super) local: Option<String>,
}

/// The instant as events write it: UTC, whole seconds.
pub(super) fn stamp(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second())
        .unwrap_or(at)
        .to_string()
}

/// An instant that says where it is: with an offset or `Z`, or a count since 1970.
pub(super) fn utc(value: &Json) -> Option<Timestamp> {
    match value {
        Json::Number(number) => since_1970(number.as_i64()?),
        other => utc_text(text(other)?),
    }
}

/// As [`utc`], of a text.
pub(super) fn utc_text(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Eight digits are a date without dashes, if anything.
        return (text.len() > 8).then(|| text.parse().ok().and_then(since_1970))?;
    }
    // "2026-03-02 10:14:08 -0500", "2026-03-02 10:14:08 UTC"
    let mut parts = text.split_ascii_whitespace();
    if let (Some(date), Some(time), Some(zone), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    {
        let zone = if matches!(zone, "UTC" | "GMT" | "Z") {
            "Z"
        } else {
            zone
        };
        if let Ok(at) = format!("{date}T{time}{zone}").parse() {
            return Some(at);
        }
    }
    rfc2822::parse(text).ok().map(|zoned| zoned.timestamp())
}

fn since_1970(number: i64) -> Option<Timestamp> {
    if number <= 0 {
        // Zero stands for nothing.
        None
    } else if number >= MILLISECONDS_FROM {
        Timestamp::from_millisecond(number).ok()
    } else {
        Timestamp::from_second(number).ok()
    }
}

/// A text without an offset that is meant in UTC (`date_created_gmt`), or one with it.
pub(super) fn gmt(value: &Json) -> Option<Timestamp> {
    told(value, &TimeZone::UTC).map(|moment| moment.at)
}

/// An instant, read in `zone` where it does not say where it is. A bare date is the end
/// of that day there.
pub(super) fn told(value: &Json, zone: &TimeZone) -> Option<Moment> {
    if let Some(at) = utc(value) {
        return Some(Moment {
            at,
            only_date: false,
            local: None,
        });
    }
    let text = text(value)?;
    // A date first: read as an instant it would be the start of the day.
    if text.len() <= 10
        && let Ok(date) = text.parse::<Date>()
    {
        let end = date.at(23, 59, 59, 0);
        return Some(Moment {
            at: zone.to_ambiguous_timestamp(end).compatible().ok()?,
            only_date: true,
            local: Some(text.to_owned()),
        });
    }
    let civil: DateTime = text.parse().ok()?;
    Some(Moment {
        at: zone.to_ambiguous_timestamp(civil).compatible().ok()?,
        only_date: false,
        local: Some(text.to_owned()),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn instants_are_read_however_they_are_written() {
        for (value, expected) in [
            (
                json!("2026-03-02T10:14:08-05:00"),
                Some("2026-03-02T15:14:08Z"),
            ),
            (
                json!("2026-03-02T15:14:08.482916307Z"),
                Some("2026-03-02T15:14:08Z"),
            ),
            (
                json!("2026-03-02T10:14:08-0500"),
                Some("2026-03-02T15:14:08Z"),
            ),
            (
                json!("2026-03-02 10:14:08 -0500"),
                Some("2026-03-02T15:14:08Z"),
            ),
            (
                json!("2026-03-02 15:14:08 UTC"),
                Some("2026-03-02T15:14:08Z"),
            ),
            (
                json!("Mon, 02 Mar 2026 15:14:08 +0000"),
                Some("2026-03-02T15:14:08Z"),
            ),
            (json!(1_772_464_448), Some("2026-03-02T15:14:08Z")),
            (json!("1772464448"), Some("2026-03-02T15:14:08Z")),
            (json!(1_772_464_448_000_i64), Some("2026-03-02T15:14:08Z")),
            (json!("2026-03-02T15:14:08"), None),
            (json!("2026-03-02"), None),
            (json!("20260302"), None),
            (json!(0), None),
            (json!(""), None),
            (json!("0000-00-00 00:00:00"), None),
            (json!(i64::MAX), None),
            (json!(null), None),
        ] {
            assert_eq!(
                utc(&Json::from(&value)).map(stamp).as_deref(),
                expected,
                "{value}"
            );
        }
    }

    #[test]
    fn what_has_no_zone_is_read_in_the_one_that_is_named() {
        let york = TimeZone::get("America/New_York").unwrap();
        let at = |text: &str| told(&text.into(), &york).map(|one| (stamp(one.at), one.only_date));
        let expect = |text: &str, only_date| Some((text.to_owned(), only_date));
        assert_eq!(
            at("2026-03-06T14:05:00"),
            expect("2026-03-06T19:05:00Z", false)
        );
        assert_eq!(
            at("2026-03-06 14:05:00"),
            expect("2026-03-06T19:05:00Z", false)
        );
        assert_eq!(at("2026-03-06"), expect("2026-03-07T04:59:59Z", true));
        assert_eq!(
            at("2026-03-06T14:05:00Z"),
            expect("2026-03-06T14:05:00Z", false)
        );
        // An hour that the clocks jump over, and a date that is none.
        assert_eq!(
            at("2026-03-08T02:30:00"),
            expect("2026-03-08T07:30:00Z", false)
        );
        assert_eq!(at("2026-02-30"), None);
        assert_eq!(
            gmt(&"2026-02-10T19:22:44".into()).map(stamp).as_deref(),
            Some("2026-02-10T19:22:44Z")
        );
    }
}
