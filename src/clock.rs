//! The engine's clock: the one place from which `now` comes.
//!
//! Everything below the waterline takes `now` as an argument; the engine reads it
//! here. A rehearsal runs the real service on a faster clock, and tests turn the
//! hands themselves. What has to stay on real time (leases, SMTP limits, signature
//! windows) asks [`real`] and never this clock.

use crate::model::time::{Timestamp, from_ms, to_ms};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// The fastest rehearsal: a year in about half a second. Beyond it the ticks of the
/// real clock are coarser than the steps that sequences are made of.
pub const MAX_SPEED: f64 = 60_000_000.0;

/// Where the engine's `now` comes from. Clones of a manual clock share its hands.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A faster (or slower) clock, for rehearsals.
    Rehearsal {
        /// What it showed when the process began.
        start: Timestamp,
        /// When that was.
        began: Instant,
        /// How many of its seconds pass in a real one.
        speed: f64,
    },
    /// Stands still until it is set: milliseconds since 1970.
    Manual(Arc<AtomicI64>),
}

/// Why a clock cannot run.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum ClockError {
    /// A speed that is no speed.
    #[error("clock.speed: expected a number above 0 and at most {MAX_SPEED}, found {found}")]
    Speed {
        /// What was asked for.
        found: f64,
    },
}

impl Clock {
    /// A rehearsal from `start`, or from `last`, the last instant written to the
    /// database, where that is later: time never runs backwards over a restart.
    ///
    /// # Errors
    /// `speed` is not above zero, or above [`MAX_SPEED`].
    pub fn rehearsal(
        start: Timestamp,
        last: Option<Timestamp>,
        speed: f64,
    ) -> Result<Clock, ClockError> {
        if !(speed > 0.0 && speed <= MAX_SPEED) {
            return Err(ClockError::Speed { found: speed });
        }
        Ok(Clock::Rehearsal {
            start: last.map_or(start, |last| last.max(start)),
            began: Instant::now(),
            speed,
        })
    }

    /// A clock that stands at `now` until it is set.
    pub fn manual(now: Timestamp) -> Clock {
        Clock::Manual(Arc::new(AtomicI64::new(to_ms(now))))
    }

    /// What this clock shows, in whole milliseconds: an instant that was stored and
    /// read again equals the one that was decided with.
    pub fn now(&self) -> Timestamp {
        match self {
            Clock::System => real(),
            Clock::Rehearsal {
                start,
                began,
                speed,
            } => {
                let passed = began.elapsed().as_secs_f64() * 1000.0 * speed;
                from_ms(to_ms(*start).saturating_add(passed as i64))
            }
            Clock::Manual(ms) => from_ms(ms.load(Ordering::SeqCst)),
        }
    }

    /// How long to really wait until this clock shows `instant`: zero where it does
    /// already, [`Duration::MAX`] where only somebody's hand can bring it there.
    pub fn real_until(&self, instant: Timestamp) -> Duration {
        let left = to_ms(instant).saturating_sub(to_ms(self.now()));
        let Ok(left) = u64::try_from(left) else {
            return Duration::ZERO;
        };
        match self {
            _ if left == 0 => Duration::ZERO,
            Clock::System => Duration::from_millis(left),
            Clock::Rehearsal { speed, .. } => {
                // Rounded up, so that nobody wakes just before the instant and looks in vain.
                let seconds = left as f64 / 1000.0 / speed;
                Duration::try_from_secs_f64(seconds)
                    .unwrap_or(Duration::MAX)
                    .saturating_add(Duration::from_nanos(1))
            }
            Clock::Manual(_) => Duration::MAX,
        }
    }

    /// Moves the hands of a manual clock, never backwards. Clocks that run by
    /// themselves are left alone, and `false` says so.
    pub fn set(&self, now: Timestamp) -> bool {
        match self {
            Clock::Manual(ms) => {
                ms.fetch_max(to_ms(now), Ordering::SeqCst);
                true
            }
            Clock::System | Clock::Rehearsal { .. } => false,
        }
    }

    /// Moves the hands of a manual clock on by `by`; as [`Clock::set`] otherwise.
    pub fn advance(&self, by: Duration) -> bool {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.set(from_ms(to_ms(self.now()).saturating_add(by)))
    }

    /// Whether this is a rehearsal, in which no mail may leave for a stranger.
    pub fn is_rehearsal(&self) -> bool {
        matches!(self, Clock::Rehearsal { .. })
    }
}

/// The machine's clock, in whole milliseconds, for what must not run faster in a
/// rehearsal: signature windows, leases, limits on a conversation.
pub fn real() -> Timestamp {
    from_ms(to_ms(Timestamp::now()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn instant(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_manual_clock_moves_by_hand_only_and_never_back() {
        let clock = Clock::manual(instant("2026-03-01T00:00:00Z"));
        let shared = clock.clone();
        assert_eq!(clock.now(), instant("2026-03-01T00:00:00Z"));
        assert!(shared.advance(Duration::from_secs(90)));
        assert_eq!(clock.now(), instant("2026-03-01T00:01:30Z"));
        assert!(clock.set(instant("2025-01-01T00:00:00Z")));
        assert_eq!(clock.now(), instant("2026-03-01T00:01:30Z"));
        assert_eq!(clock.real_until(clock.now()), Duration::ZERO);
        assert_eq!(
            clock.real_until(instant("2026-03-01T00:01:31Z")),
            Duration::MAX
        );
        assert!(!Clock::System.advance(Duration::from_secs(1)));
    }

    #[test]
    fn a_rehearsal_starts_where_the_database_ended() {
        let start = instant("2026-03-01T00:00:00Z");
        let later = instant("2026-05-01T00:00:00Z");
        let begins = |last| match Clock::rehearsal(start, last, 1.0).unwrap() {
            Clock::Rehearsal { start, .. } => start,
            other => panic!("{other:?}"),
        };
        assert_eq!(begins(None), start);
        assert_eq!(begins(Some(later)), later);
        assert_eq!(begins(Some(instant("2020-01-01T00:00:00Z"))), start);
    }

    #[test]
    fn a_rehearsal_runs_at_its_speed() {
        let start = instant("2026-03-01T00:00:00Z");
        let began = Instant::now().checked_sub(Duration::from_secs(2)).unwrap();
        let clock = Clock::Rehearsal {
            start,
            began,
            speed: 43_200.0,
        };
        let day = instant("2026-03-02T00:00:00Z");
        assert!(clock.now() >= day, "two seconds are a day");
        assert_eq!(clock.real_until(start), Duration::ZERO);
        let wait = clock.real_until(instant("2026-03-11T00:00:00Z"));
        assert!(wait <= Duration::from_secs(18), "{wait:?}");
    }

    #[test]
    fn a_speed_that_is_none_is_refused() {
        let start = instant("2026-03-01T00:00:00Z");
        for speed in [0.0, -1.0, f64::NAN, f64::INFINITY, MAX_SPEED * 2.0] {
            assert!(Clock::rehearsal(start, None, speed).is_err(), "{speed}");
        }
    }
}
