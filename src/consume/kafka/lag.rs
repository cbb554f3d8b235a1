//! How far a member is behind. Nothing here asks a cluster.

/// How far behind a member is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lag {
    /// Messages that wait.
    pub waiting: u64,
    /// Messages that were dropped by the topic's retention before they were read.
    pub dropped: u64,
}

impl Lag {
    /// Counts one partition: its oldest offset, the one behind its newest, and the one that
    /// is read next, where any was committed.
    pub(super) fn add(&mut self, low: i64, high: i64, next: Option<i64>) {
        let between = |from: i64, to: i64| u64::try_from(to.saturating_sub(from)).unwrap_or(0);
        let next = next.unwrap_or(low);
        self.waiting += between(next.max(low), high);
        self.dropped += between(next, low);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lag_counts_what_waits_and_what_is_gone() {
        let check = |low: i64, high: i64, next: Option<i64>, expected: (u64, u64)| {
            let mut lag = Lag::default();
            lag.add(low, high, next);
            assert_eq!(
                (lag.waiting, lag.dropped),
                expected,
                "{low} {high} {next:?}"
            );
        };
        check(0, 10, None, (10, 0));
        check(0, 10, Some(10), (0, 0));
        check(4, 10, None, (6, 0));
        check(4, 10, Some(7), (3, 0));
        // Retention was quicker than we.
        check(4, 10, Some(1), (6, 3));
        check(10, 10, Some(1), (0, 9));
    }
}
