//! The door through which brokers come in: messages of streams, queues and topics, taken
//! in batches, understood, recorded durably, and only then acknowledged.
//!
//! ```text
//!   connect ─▶ fetch ─▶ understand ─▶ engine.accept ─▶ acknowledge ─▶ fetch …
//!      ▲                                  │ not now         │ lost
//!      └────── back off ◀─────────────────┴── nothing acknowledged: it comes again
//! ```
//!
//! One loop ([`run`]) serves all brokers; what differs is behind two traits: a [`Broker`]
//! connects, and a [`Session`] is one connection. Delivery is at least once: what is
//! acknowledged was committed, what was committed and not acknowledged comes again and is
//! known. A message that cannot be used is kept in quarantine and acknowledged, so that it
//! is neither lost nor in the way. Nothing here may acknowledge what is not durable.
//!
//! To add a broker: a file here that implements both traits, an arm in [`open`], its keys
//! in [`crate::config`], a feature in `Cargo.toml`, its server in `scripts/brokers`.

#[cfg(feature = "amqp")]
mod amqp;
mod backoff;
mod batch;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "nats")]
mod nats;
mod open;
#[cfg(feature = "redis")]
mod redis;
mod run;
mod session;

pub use open::{Unbuilt, built, consume, inspect};
pub use run::run;
pub use session::{Broker, Delivery, Finding, Most, Session, Trouble};

use crate::config;
use crate::ingest::message::Reading;
use std::time::Duration;

/// Batches that one broker may have in hand at once: one is written, one made ready for the
/// next commit, one fetched.
pub const IN_HAND: usize = 3;
/// Bytes of messages that they share.
pub const MAX_BYTES_IN_HAND: usize = 48 << 20;
/// How long a fetch waits for the first message where nothing is in hand. An orderly end
/// waits for no longer than that.
pub const WAIT: Duration = Duration::from_secs(1);
/// How long one answer of a broker may take, beside what a fetch waits for messages.
pub const ANSWER: Duration = Duration::from_secs(10);
/// How often a broker is asked how much is unread.
pub const ASK: Duration = Duration::from_secs(10);
/// How long a commit under way is waited for when the service is told to end.
pub const DRAIN: Duration = Duration::from_secs(30);

/// One broker as it is to be read.
#[derive(Debug, Clone)]
pub struct Settings {
    /// As the configuration has it; without addresses and passwords in `Debug`.
    pub broker: config::Broker,
    /// How its messages are read.
    pub reading: Reading,
}

impl Settings {
    /// Its name in the configuration.
    pub fn name(&self) -> &str {
        &self.broker.name
    }
}
