//! What a broker has to be able to do. The loop in [`super::run`] knows nothing else of
//! it, and calls one thing at a time: no call is dropped half-way, so that nothing which
//! a client has taken out of its broker can get lost inside it.

use crate::ingest::message::Message;
use std::future::Future;
use std::time::Duration;

/// Why a session is of no further use, in words that an operator can act on. Whatever was
/// not acknowledged comes again.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Trouble {
    what: String,
    #[source]
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Trouble {
    /// With what the broker or its client said.
    pub fn new(
        what: impl Into<String>,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Trouble {
        Trouble {
            what: what.into(),
            cause: Some(cause.into()),
        }
    }

    /// Where nobody said anything.
    pub fn plain(what: impl Into<String>) -> Trouble {
        Trouble {
            what: what.into(),
            cause: None,
        }
    }

    /// With all causes, for a log line.
    pub fn chain(&self) -> String {
        let mut text = self.what.clone();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            next = cause.source();
        }
        text
    }
}

/// How much a fetch may bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Most {
    pub messages: usize,
    /// Bytes of bodies. A broker that cannot bound them passes over it: the loop asks for
    /// fewer messages where the last ones were large.
    pub bytes: usize,
    /// How long to wait for the first message; zero: only what is there. What is there is
    /// brought at once, never held back for more.
    pub wait: Duration,
}

/// One message, and what it takes to acknowledge it.
#[derive(Debug)]
pub struct Delivery<R> {
    pub message: Message,
    /// A reply subject, an id, a delivery tag, a partition and an offset.
    pub receipt: R,
    /// Whether the broker says that it was delivered before.
    pub redelivered: bool,
}

/// Something about a broker's settings that makes its acknowledgement mean less than it
/// should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is so, and what may come of it.
    pub words: String,
    /// What to type.
    pub help: String,
}

impl Finding {
    pub fn new(words: impl Into<String>, help: impl Into<String>) -> Finding {
        Finding {
            words: words.into(),
            help: help.into(),
        }
    }
}

/// A broker that can be connected to, again and again.
pub trait Broker: Send + Sync + 'static {
    type Session: Session;

    /// Connects, and sees to it that the group is there. What was delivered to a session
    /// of this process that was lost comes again in the new one, or to another process,
    /// after a while at the latest.
    fn connect(&self) -> impl Future<Output = Result<Self::Session, Trouble>> + Send;

    /// Looks, on a connection of its own and without changing anything, what about the
    /// broker's settings endangers messages, as far as it tells.
    fn inspect(&self) -> impl Future<Output = Result<Vec<Finding>, Trouble>> + Send;
}

/// One connection to a broker, as a member of a consumer group. After any trouble it is
/// dropped, and what it held is void: receipts are for the session that gave them.
pub trait Session: Send + 'static {
    /// What it takes to acknowledge one message.
    type Receipt: Send + Sync + 'static;

    /// Takes what there is, within bounds, in the order of the broker. Nothing after the
    /// wait is no error. Where members come and go (Kafka), this is where it is heard of.
    fn fetch(
        &mut self,
        most: Most,
    ) -> impl Future<Output = Result<Vec<Delivery<Self::Receipt>>, Trouble>> + Send;

    /// Says that these are still being worked on, at least once in a third of
    /// `redeliver_after`; a broker that has no such notion does nothing.
    fn hold(
        &mut self,
        receipts: &[Self::Receipt],
    ) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// These are durable. Batches are acknowledged whole and in the order in which they
    /// were fetched, so all before them is acknowledged too.
    fn acknowledge(
        &mut self,
        receipts: Vec<Self::Receipt>,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// These were not taken and may go to another member at once. The session ends.
    fn release(
        &mut self,
        receipts: Vec<Self::Receipt>,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// How many messages the group has not acknowledged, as far as the broker tells: those
    /// not yet handed out, and those in somebody's hands. `None` where it tells nothing.
    fn unread(&mut self) -> impl Future<Output = Result<Option<u64>, Trouble>> + Send;

    /// Leaves in good order. Everything that was fetched is acknowledged or released.
    fn close(self) -> impl Future<Output = ()> + Send;
}
