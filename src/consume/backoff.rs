//! How long to leave something alone that does not answer: twice as long each time, up to
//! a bound, and never at the same moment as everybody else.

use crate::model::time::doubled;
use std::time::Duration;

/// The first wait, about.
const FIRST: Duration = Duration::from_millis(100);
/// The longest wait, about.
pub const LONGEST: Duration = Duration::from_secs(30);

/// Waits that grow.
#[derive(Debug, Clone, Default)]
pub struct Backoff {
    failed: u32,
}

impl Backoff {
    /// It worked: the next wait is a short one.
    pub fn reset(&mut self) {
        self.failed = 0;
    }

    /// How often it failed in a row.
    pub fn failed(&self) -> u32 {
        self.failed
    }

    /// It failed: how long to wait, between half of the step and all of it.
    pub fn next(&mut self) -> Duration {
        let mut chance = [0; 4];
        // Without randomness all wait alike, which is no reason to fail.
        if getrandom::fill(&mut chance).is_err() {
            chance = [0; 4];
        }
        self.after(u32::from_le_bytes(chance))
    }

    fn after(&mut self, chance: u32) -> Duration {
        self.failed = self.failed.saturating_add(1);
        let step = doubled(FIRST, self.failed, LONGEST);
        let half = step / 2;
        half + half.mul_f64(f64::from(chance) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_differ() {
        let mut lazy = Backoff::default();
        let waits: Vec<Duration> = (0..12).map(|_| lazy.after(u32::MAX)).collect();
        assert_eq!(waits[0], FIRST);
        assert_eq!(waits[1], FIRST * 2);
        assert_eq!(waits[11], LONGEST);
        assert_eq!(lazy.failed(), 12);
        assert_eq!(lazy.after(0), LONGEST / 2);
        lazy.reset();
        assert_eq!(lazy.after(0), FIRST / 2);
    }
}
