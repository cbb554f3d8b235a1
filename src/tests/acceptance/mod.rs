//! Black-box tests: the real program as a process, talked to over HTTP and by its
//! commands, sending to an SMTP server written here. That server's journal is the truth
//! that everything the program says is held against.
//!
//! `AFTERCARE_TEST_SEED` repeats a run, `AFTERCARE_TEST_KILLS` makes the long one longer
//! (`scripts/acceptance`).

#[cfg(any(
    feature = "nats",
    feature = "redis",
    feature = "amqp",
    feature = "kafka"
))]
mod brokers;
mod connecting;
mod copied;
mod events;
mod files;
mod foretold;
mod install;
mod kills;
mod opt_out;
mod overload;
mod relay;
mod relay_trouble;
mod stopping;
mod unbuilt;

use std::time::{Duration, Instant};

/// How long a condition may take to come true before a test gives up.
const PATIENCE: Duration = Duration::from_secs(90);
/// The pause between two looks at a condition.
const LOOK: Duration = Duration::from_millis(10);

/// Waits until `look` finds something.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "this did not come true: {what}");
        std::thread::sleep(LOOK);
    }
}

/// A small generator of numbers that look random (SplitMix64): one seed, one run.
#[derive(Debug, Clone)]
struct Dice(u64);

impl Dice {
    /// From `AFTERCARE_TEST_SEED`, else from `otherwise`.
    fn seeded(otherwise: u64) -> Dice {
        let given = std::env::var("AFTERCARE_TEST_SEED").ok();
        Dice(
            given
                .and_then(|text| text.parse().ok())
                .unwrap_or(otherwise),
        )
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 up to, and without, `end`.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    fn shuffle<T>(&mut self, all: &mut [T]) {
        for place in (1..all.len()).rev() {
            all.swap(place, self.below(place + 1));
        }
    }
}
