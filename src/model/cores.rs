//! Independent parts of one question, answered on every core at once. The answer is that
//! of one core, part by part and in order; only how long it takes differs. Nothing is
//! shared between the parts but what is read, and nothing outlives the question.

use std::panic::resume_unwind;
use std::thread::{available_parallelism, scope};

/// Parts below which one core is faster than telling others about it.
const WORTH_IT: usize = 64;

/// What `answer` says of each part, in the parts' order.
pub fn each<'p, T: Sync, R: Send>(parts: &'p [T], answer: impl Fn(&'p T) -> R + Sync) -> Vec<R> {
    in_runs(parts, |run| run.iter().map(&answer).collect::<Vec<R>>())
        .into_iter()
        .flatten()
        .collect()
}

/// What `answer` says of each run of neighbours, one run a core, in the parts' order: for
/// answers that get cheaper with what their neighbours left behind.
pub fn in_runs<'p, T: Sync, R: Send>(
    parts: &'p [T],
    answer: impl Fn(&'p [T]) -> R + Sync,
) -> Vec<R> {
    let cores = available_parallelism().map_or(1, usize::from);
    if cores == 1 || parts.len() < WORTH_IT {
        return vec![answer(parts)];
    }
    let answer = &answer;
    scope(|scope| {
        let mut runs = parts.chunks(parts.len().div_ceil(cores));
        // The first is ours; the others begin before it.
        let own = runs.next().unwrap_or_default();
        let others: Vec<_> = runs.map(|run| scope.spawn(move || answer(run))).collect();
        let mut all = vec![answer(own)];
        for other in others {
            match other.join() {
                Ok(found) => all.push(found),
                // A panic is ours to show, not to swallow.
                Err(panic) => resume_unwind(panic),
            }
        }
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_the_parts() {
        for count in [0, 1, WORTH_IT - 1, WORTH_IT, 1_001] {
            let parts: Vec<usize> = (0..count).collect();
            assert_eq!(each(&parts, |part| *part), parts);
            let runs = in_runs(&parts, <[usize]>::to_vec);
            assert_eq!(runs.concat(), parts);
        }
    }

    #[test]
    fn a_panic_is_not_swallowed() {
        let parts: Vec<usize> = (0..1_000).collect();
        let said = std::panic::catch_unwind(|| each(&parts, |part| assert_ne!(*part, 999)));
        assert!(said.is_err());
    }
}
