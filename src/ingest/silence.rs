//! Whether a source has fallen silent: judged by its own rhythm, learnt from its last
//! weeks, not by a fixed number of hours. A shop that sells nothing at night is not
//! silent at night; one refund a fortnight is a rhythm too.
//!
//! How it is judged: from when it was heard follows how much is expected in each hour of
//! the week. A silence is measured by how many events were expected while it lasted. It
//! is one when it is longer, so measured, than nearly all the gaps that this source had
//! before, by a margin. Nothing here reads a clock, and what is learnt is bounded.

use crate::model::time::{self, TimeZone, Timestamp, to_ms};
use std::collections::{BTreeMap, VecDeque};

/// Weeks from which the rhythm is learnt, counted back from when it was last heard.
pub const WEEKS: i64 = 8;
/// Facts that must have been heard in them.
const LEAST: u32 = 12;
/// Weeks that they must span.
const LEAST_WEEKS: i64 = 2;
/// Which of the earlier gaps counts as the longest: that share of them is shorter.
const QUANTILE: f64 = 0.99;
/// How many times as long as that gap a silence must be.
const MARGIN: f64 = 2.0;
/// Events that must have been expected meanwhile, whatever the gaps were. At an even rhythm
/// so many fail to come by chance once in twenty thousand gaps.
const EXPECTED: f64 = 10.0;
/// Weeks of an even rhythm that the hours of the week are mixed with, so that an hour in
/// which nothing happened yet is not taken to be always empty.
const MIXED: f64 = 1.0;
/// Weeks of silence after which a source counts as given up.
const GONE_WEEKS: i64 = 26;

/// Milliseconds of an hour.
const HOUR: i64 = 3_600_000;
/// Hours of a week.
const WEEK: i64 = 168;

/// When a source was heard, by the hour: of one kind of fact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hours {
    /// By hours since 1970: how many facts came.
    hours: VecDeque<(i64, u32)>,
    last: Option<Timestamp>,
}

impl Hours {
    /// A fact came. What lies too far back is forgotten.
    pub fn note(&mut self, at: Timestamp) {
        let hour = to_ms(at).div_euclid(HOUR);
        let place = self.hours.partition_point(|(known, _)| *known < hour);
        match self.hours.get_mut(place) {
            Some((known, count)) if *known == hour => *count = count.saturating_add(1),
            Some(_) | None => self.hours.insert(place, (hour, 1)),
        }
        self.last = Some(self.last.map_or(at, |last| last.max(at)));
        let newest = self.hours.back().map_or(hour, |(hour, _)| *hour);
        while let Some((oldest, _)) = self.hours.front()
            && *oldest < newest - WEEKS * WEEK
        {
            self.hours.pop_front();
        }
    }

    /// When it was heard last.
    pub fn last(&self) -> Option<Timestamp> {
        self.last
    }
}

/// How a source is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Standing {
    /// Too little was heard to know its rhythm.
    Unknown,
    /// As it uses to be.
    Heard {
        /// Facts a week.
        weekly: f64,
    },
    /// It was silent for longer than its rhythm explains.
    Silent {
        since: Timestamp,
        weekly: f64,
        /// How many facts would have come meanwhile.
        missed: f64,
    },
    /// Silent for so long that nobody expects anything.
    Gone { since: Timestamp },
}

/// Judges a source at an instant; hours of the week are those of `zone`.
pub fn judge(heard: &Hours, now: Timestamp, zone: &TimeZone) -> Standing {
    let (Some(last), Some((first, _)), Some((newest, _))) =
        (heard.last, heard.hours.front(), heard.hours.back())
    else {
        return Standing::Unknown;
    };
    if now.duration_since(last).as_hours() > GONE_WEEKS * WEEK {
        return Standing::Gone { since: last };
    }
    let total: u32 = heard.hours.iter().map(|(_, count)| *count).sum();
    let span = newest - first + 1;
    if total < LEAST || span < LEAST_WEEKS * WEEK {
        return Standing::Unknown;
    }
    let rhythm = Rhythm::learn(heard, *first, span, f64::from(total), zone);
    let weekly = f64::from(total) * WEEK as f64 / span as f64;
    let missed = rhythm.expected(to_ms(last), to_ms(now));
    let mut gaps: Vec<f64> = heard
        .hours
        .iter()
        .zip(heard.hours.iter().skip(1))
        .map(|((one, _), (next, _))| rhythm.expected(one * HOUR, next * HOUR))
        .collect();
    gaps.sort_by(f64::total_cmp);
    // Facts of one hour have no gap that is worth looking at, but they count.
    let short = (total as usize).saturating_sub(heard.hours.len());
    let place = ((gaps.len() + short) as f64 * QUANTILE) as usize;
    let longest = gaps
        .get(
            place
                .saturating_sub(short)
                .min(gaps.len().saturating_sub(1)),
        )
        .copied()
        .unwrap_or_default();
    if missed > (longest * MARGIN).max(EXPECTED) {
        Standing::Silent {
            since: last,
            weekly,
            missed,
        }
    } else {
        Standing::Heard { weekly }
    }
}

/// How much is expected in each hour of the week.
struct Rhythm<'z> {
    by_hour: Vec<f64>,
    zone: &'z TimeZone,
}

impl<'z> Rhythm<'z> {
    fn learn(heard: &Hours, first: i64, span: i64, total: f64, zone: &'z TimeZone) -> Rhythm<'z> {
        let mut counts = vec![0.0; WEEK as usize];
        for (hour, count) in &heard.hours {
            if let Some(known) = counts.get_mut(of_week(*hour, zone)) {
                *known += f64::from(*count);
            }
        }
        // How often each hour of the week was lived through.
        let mut lived = vec![0.0; WEEK as usize];
        for hour in first..first + span {
            if let Some(times) = lived.get_mut(of_week(hour, zone)) {
                *times += 1.0;
            }
        }
        let even = total / span as f64;
        let by_hour = counts
            .iter()
            .zip(&lived)
            .map(|(count, times)| (count + MIXED * even) / (times + MIXED))
            .collect();
        Rhythm { by_hour, zone }
    }

    /// How many facts are expected between two instants.
    fn expected(&self, from: i64, to: i64) -> f64 {
        let mut sum = 0.0;
        let mut at = from;
        while at < to {
            let hour = at.div_euclid(HOUR);
            let end = ((hour + 1) * HOUR).min(to);
            let share = (end - at) as f64 / HOUR as f64;
            let usual = self.by_hour.get(of_week(hour, self.zone));
            sum += share * usual.copied().unwrap_or_default();
            at = end;
        }
        sum
    }
}

/// Which hour of the week it is, from Monday's first.
fn of_week(hour: i64, zone: &TimeZone) -> usize {
    let zoned = time::from_ms(hour * HOUR).to_zoned(zone.clone());
    let day = i64::from(zoned.weekday().to_monday_zero_offset());
    usize::try_from(day * 24 + i64::from(zoned.hour())).unwrap_or_default()
}

/// What was heard of every source and kind.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    heard: BTreeMap<(String, String), Hours>,
}

/// Sources and kinds that are followed; who sends more names than that is not followed
/// in all of them.
const MOST: usize = 2000;

impl Sources {
    /// A fact of a kind came from a source.
    pub fn note(&mut self, source: &str, kind: &str, at: Timestamp) {
        let key = (source.to_owned(), kind.to_owned());
        if self.heard.len() >= MOST && !self.heard.contains_key(&key) {
            return;
        }
        self.heard.entry(key).or_default().note(at);
    }

    /// Each source and kind, with when it was last heard and how it is.
    pub fn judged(
        &self,
        now: Timestamp,
        zone: &TimeZone,
    ) -> impl Iterator<Item = (&str, &str, Option<Timestamp>, Standing)> {
        let zone = zone.clone();
        self.heard.iter().map(move |((source, kind), hours)| {
            let standing = judge(hours, now, &zone);
            (source.as_str(), kind.as_str(), hours.last(), standing)
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::ingest::canonical::{Learnt, Limits, parse_line};
    use crate::ingest::fixtures;
    use jiff::{SignedDuration, ToSpan};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn hours(of: impl IntoIterator<Item = Timestamp>) -> Hours {
        let mut hours = Hours::default();
        of.into_iter().for_each(|at| hours.note(at));
        hours
    }

    fn is_silent(heard: &Hours, now: Timestamp) -> bool {
        matches!(judge(heard, now, &TimeZone::UTC), Standing::Silent { .. })
    }

    /// Orders every hour of working days from nine to five, for six weeks.
    fn shop_hours() -> Hours {
        let monday = at("2026-03-02T00:00:00Z");
        hours((0..6 * 7).filter(|day| day % 7 < 5).flat_map(|day| {
            (9..17).map(move |hour| monday + ((day * 24 + hour) as i64).hours() + 7.minutes())
        }))
    }

    #[test]
    fn nights_and_weekends_are_no_silence_and_a_working_day_is() {
        let heard = shop_hours();
        // Heard last on Friday 10 April, 16:07.
        assert_eq!(heard.last(), Some(at("2026-04-10T16:07:00Z")));
        for quiet in [
            "2026-04-11T12:00:00Z",
            "2026-04-12T23:00:00Z",
            "2026-04-13T10:00:00Z",
        ] {
            assert!(!is_silent(&heard, at(quiet)), "{quiet}");
        }
        assert!(!is_silent(&heard, at("2026-04-13T16:00:00Z")));
        assert!(is_silent(&heard, at("2026-04-15T12:00:00Z")));
        assert!(matches!(
            judge(&heard, at("2026-12-01T00:00:00Z"), &TimeZone::UTC),
            Standing::Gone { .. }
        ));
    }

    #[test]
    fn the_same_hours_of_silence_are_judged_by_each_sources_own_rhythm() {
        let start = at("2026-03-02T00:00:00Z");
        let busy = hours((0..6 * 7 * 24 * 4).map(|n| start + (n * 15_i64).minutes()));
        let rare = hours((0..20).map(|n| start + (n * 3 * 24_i64).hours()));
        let later =
            |heard: &Hours, hours: i64| heard.last().unwrap() + SignedDuration::from_hours(hours);
        assert!(!is_silent(&busy, later(&busy, 2)));
        assert!(is_silent(&busy, later(&busy, 4)));
        assert!(!is_silent(&rare, later(&rare, 14 * 24)));
        assert!(is_silent(&rare, later(&rare, 40 * 24)));
    }

    #[test]
    fn too_little_is_no_rhythm() {
        let start = at("2026-03-02T00:00:00Z");
        let few = hours((0..11).map(|n| start + (n * 48_i64).hours()));
        let brief = hours((0..200).map(|n| start + (n as i64).hours()));
        for heard in [few, brief, Hours::default()] {
            let now = at("2026-06-01T00:00:00Z");
            assert_eq!(judge(&heard, now, &TimeZone::UTC), Standing::Unknown);
        }
    }

    /// The sample log: watched every six hours as it was lived, nothing is silent but what
    /// really stopped, and when everything stops it is told.
    #[test]
    fn the_sample_log_is_never_silent_until_it_ends() {
        let mut told: Vec<(Timestamp, String, String)> = fixtures::HISTORY
            .lines()
            .flat_map(|line| {
                let learnt = Learnt::AsTold(at("2026-06-01T00:00:00Z"));
                parse_line(line.as_bytes(), learnt, Limits::default())
                    .unwrap()
                    .events
            })
            .filter(|event| event.mode == crate::model::event::IngestMode::Live)
            .map(|event| (event.recorded, event.source, event.kind.as_str().to_owned()))
            .collect();
        told.sort();
        let last = told.last().unwrap().0;
        let mut sources = Sources::default();
        let mut rest = told.iter().peekable();
        let mut now = told[0].0;
        let mut alarms: BTreeMap<(String, String), Timestamp> = BTreeMap::new();
        while now < last {
            while let Some((at, source, kind)) = rest.next_if(|(at, ..)| *at <= now) {
                sources.note(source, kind, *at);
            }
            for (source, kind, _, standing) in sources.judged(now, &TimeZone::UTC) {
                if matches!(standing, Standing::Silent { .. }) {
                    alarms.entry((source.into(), kind.into())).or_insert(now);
                }
            }
            now += SignedDuration::from_hours(6);
        }
        assert!(alarms.is_empty(), "{alarms:?}");
        let silent = |days: i64| {
            let now = last + SignedDuration::from_hours(24 * days);
            sources
                .judged(now, &TimeZone::UTC)
                .filter(|(.., standing)| matches!(standing, Standing::Silent { .. }))
                .map(|(source, kind, ..)| format!("{source} {kind}"))
                .collect::<Vec<_>>()
        };
        assert!(silent(2).is_empty(), "{:?}", silent(2));
        let after = silent(60);
        assert!(
            after.iter().any(|name| name.ends_with("order.placed")),
            "{after:?}"
        );
    }
}
