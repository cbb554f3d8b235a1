//! A relay in memory, for tests and rehearsals: it keeps what it accepts and says about each recipient what it was told
//! to say. It follows the same protocol as SMTP, so the barrier is exercised all the same.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::compose::Composed;
use super::delivery::{Delivery, Rejection, Step, Trouble};
use super::smtp::Reply;
use super::transport::{Connection, NotOffered};

/// The relay; clones share what it holds.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    outbox: Vec<Composed>,
    /// By recipient, as on the wire.
    scripts: HashMap<String, VecDeque<Scripted>>,
    connections: VecDeque<Trouble>,
    offers: u64,
}

/// What to do with one mail to one recipient. Without a script, every mail is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scripted {
    /// Takes it.
    Accept,
    /// Says this reply at RCPT; a 4xx or 5xx.
    AtRcpt(Reply),
    /// Says this reply to the final dot; a 4xx or 5xx.
    AtDot(Reply),
    /// The connection breaks before the dot.
    Trouble(Trouble),
    /// The answer to the dot is lost.
    Lost {
        /// Whether the mail was taken all the same.
        taken: bool,
    },
}

/// What the dot of an offered mail will bring.
#[derive(Debug)]
pub struct Settled {
    taken: bool,
    delivery: Delivery,
}

impl Memory {
    /// An empty one that accepts everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what to do with the next mail to `recipient` (as on the wire) that has no script yet.
    pub fn script(&self, recipient: &str, what: Scripted) {
        let mut state = self.lock();
        state
            .scripts
            .entry(recipient.to_owned())
            .or_default()
            .push_back(what);
    }

    /// Makes the next attempt to connect fail.
    pub fn fail_connection(&self, trouble: Trouble) {
        self.lock().connections.push_back(trouble);
    }

    /// Everything it has taken, in order.
    pub fn outbox(&self) -> Vec<Composed> {
        self.lock().outbox.clone()
    }

    /// How many mails were offered, taken or not.
    pub fn offers(&self) -> u64 {
        self.lock().offers
    }

    pub(super) fn connect(&self) -> Result<(), Trouble> {
        match self.lock().connections.pop_front() {
            Some(trouble) => Err(trouble),
            None => Ok(()),
        }
    }

    /// What happens up to the dot: the mail is turned away, or what its dot will bring is settled.
    pub(super) fn offer(&self, mail: &Composed) -> Result<Settled, NotOffered> {
        let mut state = self.lock();
        state.offers += 1;
        let to = mail.envelope().to.to_string();
        let script = state.scripts.get_mut(&to).and_then(VecDeque::pop_front);
        let (taken, delivery) = match script.unwrap_or(Scripted::Accept) {
            Scripted::Trouble(trouble) => return Err(NotOffered::Trouble(trouble)),
            Scripted::AtRcpt(reply) => {
                return Err(NotOffered::Rejected {
                    rejection: Rejection::Reply {
                        step: Step::Rcpt,
                        reply,
                    },
                    connection: Some(Connection::Memory(self.clone())),
                });
            }
            Scripted::Accept => {
                let reply = Reply {
                    code: 250,
                    enhanced: Some((2, 0, 0)),
                    text: format!("kept, offer {}", state.offers),
                };
                (true, Delivery::Accepted(reply))
            }
            Scripted::AtDot(reply) if reply.code / 100 == 4 => (false, Delivery::Deferred(reply)),
            Scripted::AtDot(reply) => (false, Delivery::Refused(reply)),
            Scripted::Lost { taken } => (
                taken,
                Delivery::Uncertain(Trouble::Closed { step: Step::Dot }),
            ),
        };
        Ok(Settled { taken, delivery })
    }

    pub(super) fn dot(&self, mail: Composed, settled: Settled) -> Delivery {
        if settled.taken {
            self.lock().outbox.push(mail);
        }
        settled.delivery
    }

    /// A test that panicked while it held the lock has left nothing half-done.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
