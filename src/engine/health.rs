//! How the service is, part by part, for `/readyz` and `doctor`; and what the doors may
//! show of the capture transport. Reads only.

use super::{Counts, Engine, EngineError};
use crate::mail::{Capture, Transport};

/// How one part of the service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// It works.
    Fine,
    /// It is in trouble, and nothing is lost by it: work waits or goes on as before.
    Degraded(String),
    /// Nothing can be taken on until it is mended.
    Down(String),
}

/// How the service is, part by part.
#[derive(Debug, Clone)]
pub struct Health {
    /// The parts by name, in the order in which to mend them.
    pub checks: Vec<(&'static str, Check)>,
}

impl Engine {
    /// Looks at every part once. Without the database nothing can be taken on; a relay in
    /// trouble, or an install that may not send, only lets mail wait.
    pub async fn health(&self) -> Health {
        let database = match self.store.health().await {
            Ok(()) => Check::Fine,
            Err(error) => Check::Down(error.to_string()),
        };
        let relay = match self.circuit.wait() {
            None => Check::Fine,
            Some((_, because)) => Check::Degraded(because),
        };
        let sending = if self.is_observing() {
            Check::Degraded("this install only observes: its database came without its key".into())
        } else {
            Check::Fine
        };
        Health {
            checks: vec![
                ("database", database),
                ("relay", relay),
                ("sending", sending),
            ],
        }
    }

    /// What the database holds, counted.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn counts(&self) -> Result<Counts, EngineError> {
        Ok(self.store.counts().await?)
    }

    /// The captured mails, where mail is captured.
    pub fn mailbox(&self) -> Option<Capture> {
        match &self.transport {
            Transport::Capture(capture) => Some(capture.clone()),
            Transport::Smtp(_) | Transport::Memory(_) => None,
        }
    }
}
