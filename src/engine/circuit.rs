//! The relay's circuit: its own trouble holds every send and burns nobody's attempts.

use crate::model::time::doubled;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The first wait after trouble, in real time.
pub const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait between two tries.
pub const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Closed while the relay works; open for longer and longer while it does not.
#[derive(Debug, Default)]
pub struct Circuit {
    state: Mutex<Open>,
}

#[derive(Debug, Default, Clone)]
struct Open {
    until: Option<Instant>,
    failures: u32,
    because: Option<String>,
}

impl Circuit {
    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The relay worked.
    pub fn close(&self) {
        let mut state = self.lock();
        if state.failures > 0 {
            tracing::info!("the mail relay works again");
        }
        *state = Open::default();
        crate::telemetry::relay_circuit(false);
    }

    /// The relay is in trouble: waits twice as long as the last time.
    pub fn open(&self, because: String) {
        let mut state = self.lock();
        let now = Instant::now();
        if state.until.is_some_and(|until| until > now) {
            return;
        }
        let wait = doubled(FIRST_WAIT, state.failures.saturating_add(1), LONGEST_WAIT);
        if state.failures == 0 {
            tracing::warn!(trouble = %because, "the mail relay is in trouble; mail waits");
        }
        crate::telemetry::relay_circuit(true);
        state.failures += 1;
        state.until = Some(now + wait);
        state.because = Some(because);
    }

    /// How long nothing may be tried yet, and why.
    pub fn wait(&self) -> Option<(Duration, String)> {
        let state = self.lock();
        let left = state.until?.checked_duration_since(Instant::now())?;
        (!left.is_zero()).then(|| (left, state.because.clone().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_waited_out_and_forgotten_on_success() {
        let circuit = Circuit::default();
        assert!(circuit.wait().is_none());
        circuit.open("554".into());
        let (left, because) = circuit.wait().unwrap_or_default();
        assert!(left > Duration::ZERO && left <= FIRST_WAIT);
        assert_eq!(because, "554");
        circuit.close();
        assert!(circuit.wait().is_none());
    }
}
