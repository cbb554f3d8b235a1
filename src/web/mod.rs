//! The doors to the network: webhooks in, the pages behind the links in mails, the
//! capture mailbox, health and metrics.
//!
//! A door translates: bytes and headers into calls of the engine, outcomes into
//! statuses. It decides nothing about mail, writes nothing itself, and never lets a
//! GET, HEAD or OPTIONS change anything. What a stranger sends is bounded before it
//! is read and told no more than it has to know.
//!
//! Start reading at [`router::router`] (what is where), then [`events`] and [`hooks`]
//! (intake; [`admission`] bounds it) and [`unsubscribe`] (opt-out). [`serve()`] puts the router on a socket.

pub mod admission;
pub mod contact;
mod events;
mod form;
mod health;
mod hooks;
mod mailbox;
mod preview;
mod receive;
mod reply;
mod router;
mod serve;
mod unsubscribe;

pub use hooks::Hook;
pub use router::router;
pub use serve::{ServeError, serve};

use crate::engine::spill::{SPILL_AFTER, Spill};
use crate::ingest::signature::Secret;
use admission::Pace;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Largest request body at intake, in bytes, where configuration says nothing.
pub const MAX_BODY: usize = 1024 * 1024;
/// Deepest nesting of JSON at intake, where configuration says nothing.
pub const MAX_DEPTH: usize = 64;
/// How long a request's head, and then its body, may take to arrive.
pub const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// How far a signature's time may lie from ours, either way.
pub const SIGNATURE_WINDOW: Duration = Duration::from_secs(300);
/// Largest head of a request, in bytes; a larger one is answered 431.
pub const MAX_HEAD: usize = 16 * 1024;
/// Connections held at once. More wait in the kernel's queue.
pub const MAX_CONNECTIONS: usize = 1024;
/// Connections held at once from one address out in the world (of IPv6, from one network).
/// Those of this machine and of private networks are a proxy's, which speaks for many.
pub const MAX_CONNECTIONS_OF_ONE: usize = 256;
/// Deliveries of events being committed at once: as many as share one commit. More go into
/// the journal, or are answered 503 where there is none.
pub const MAX_IN_FLIGHT: usize = 512;
/// Bytes of deliveries held in memory at once. More are answered 503.
pub const MAX_BYTES_IN_FLIGHT: usize = 64 * 1024 * 1024;
/// How long connections may finish what they are at after a shutdown was asked for.
pub const DRAIN: Duration = Duration::from_secs(10);

/// How the doors stand.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `[intake.events]`; without it `POST /events` is not served.
    pub intake: Option<Intake>,
    /// `[intake.sources.…]` by name; without any `POST /hooks/…` is not served.
    pub hooks: BTreeMap<String, Hook>,
    /// Connections held at once.
    pub connections: usize,
    /// Connections held at once from one address out in the world.
    pub connections_of_one: usize,
    /// Deliveries of events being committed at once.
    pub in_flight: usize,
    /// Bytes of deliveries held in memory at once.
    pub bytes_in_flight: usize,
    /// Where deliveries and opt-outs are kept that the database cannot take now; without it
    /// they are answered 503.
    pub spill: Option<Arc<Spill>>,
    /// How long either waits for its durable commit before it is kept there.
    pub spill_after: Duration,
    /// How long connections may finish after a shutdown was asked for.
    pub drain: Duration,
    /// Whether `/preview` is served. [`serve()`] refuses it off loopback: it shows files
    /// that are not in force yet, and what is wrong with them.
    pub watch: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            intake: None,
            hooks: BTreeMap::new(),
            connections: MAX_CONNECTIONS,
            connections_of_one: MAX_CONNECTIONS_OF_ONE,
            in_flight: MAX_IN_FLIGHT,
            bytes_in_flight: MAX_BYTES_IN_FLIGHT,
            spill: None,
            spill_after: SPILL_AFTER,
            drain: DRAIN,
            watch: false,
        }
    }
}

/// `[intake.events]`: who may deliver events, and how much at once.
#[derive(Debug, Clone)]
pub struct Intake {
    /// Whose signatures count; two while one replaces the other.
    pub secrets: Vec<Secret>,
    /// Take events without a signature. [`serve()`] refuses it off loopback.
    pub unsigned: bool,
    /// Largest body, in bytes.
    pub max_body: usize,
    /// Deepest nesting of the JSON.
    pub max_depth: usize,
    /// How long a request's head, and then its body, may take to arrive.
    pub read_timeout: Duration,
    /// How far a signature's time may lie from ours, either way.
    pub signature_window: Duration,
    /// How fast deliveries may come; unset, as fast as there is room for them.
    pub pace: Option<Pace>,
}

impl Intake {
    /// Intake for holders of these secrets, with every limit at its default.
    pub fn signed(secrets: Vec<Secret>) -> Intake {
        Intake {
            secrets,
            unsigned: false,
            max_body: MAX_BODY,
            max_depth: MAX_DEPTH,
            read_timeout: READ_TIMEOUT,
            signature_window: SIGNATURE_WINDOW,
            pace: None,
        }
    }

    /// Intake for everybody who reaches the port.
    pub fn unsigned() -> Intake {
        Intake {
            unsigned: true,
            ..Intake::signed(Vec::new())
        }
    }
}
