//! The engine: gathers histories, has them planned, carries plans out. Nothing else
//! decides, and nothing here decides either.
//!
//! [`Engine::plan_due`] and the mailer do one batch each and return; only `serve`
//! loops. A notification shortens a wait and is never needed: one look at the due queue
//! finds everything, so the path after a crash is the ordinary path.

pub mod alerts;
mod circuit;
pub mod consent;
mod consequences;
pub mod experiments;
mod gather;
pub mod health;
pub mod intake;
pub mod keys;
pub mod mailer;
pub mod outcome;
pub mod parked;
pub mod platforms;
pub mod preview;
pub mod privacy;
pub mod reload;
pub mod sample;
pub mod scheduler;
pub mod serve;
pub mod sheet;
pub mod silence;
pub mod spill;
pub mod traces;
pub mod transit;
mod waking;

pub use crate::store::Counts;
pub use health::{Check, Health};
pub use intake::Totals;

use crate::clock::Clock;
use crate::config::Config;
use crate::links::Links;
use crate::mail::Transport;
use crate::model::time::Timestamp;
use crate::store::{Store, StoreError};
use arc_swap::ArcSwap;
use reload::{Live, Said};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use tokio::sync::{Notify, watch};

/// Everything that the loops and the doors share.
#[derive(Debug)]
pub struct Engine {
    pub store: Store,
    pub transport: Transport,
    pub clock: Clock,
    pub config: Config,
    pub links: Links,
    live: ArcSwap<Live>,
    /// What was said of the files when they were last read.
    said: watch::Sender<Said>,
    circuit: circuit::Circuit,
    /// Set while this install may not send: its database came without its key file.
    observing: AtomicBool,
    /// Set while outcomes cannot be written down: then nothing more is claimed.
    jammed: AtomicBool,
    /// The newest event about products that is taken in.
    products_seen: AtomicI64,
    /// Product events said that something is used up sooner or later than was known.
    used_up_changed: AtomicBool,
    /// What the doors saw of each source, as far as it is not written yet.
    traces: traces::Traces,
    /// Something may be due for planning.
    to_plan: Notify,
    /// Something may be due for sending.
    to_send: Notify,
}

/// What may go wrong in the engine itself; outcomes are not errors.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The files hold errors.
    #[error("the shop's files hold {count} errors\nhint: aftercare check")]
    Files {
        /// How many.
        count: usize,
    },
    /// A page could not be rendered.
    #[error("cannot render the page: {0}")]
    Page(String),
    /// An outside part of the machine.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// The system's words.
        source: std::io::Error,
    },
}

impl Engine {
    /// An engine over an open store and a complete set of files.
    pub fn new(
        store: Store,
        transport: Transport,
        clock: Clock,
        config: Config,
        links: Links,
        live: Live,
    ) -> Self {
        Engine {
            store,
            transport,
            clock,
            config,
            links,
            live: ArcSwap::from_pointee(live),
            said: watch::Sender::new(Said::default()),
            circuit: circuit::Circuit::default(),
            // Before any: the first look wakes who waited while nothing ran.
            products_seen: AtomicI64::new(-1),
            observing: AtomicBool::new(false),
            jammed: AtomicBool::new(false),
            used_up_changed: AtomicBool::new(false),
            traces: traces::Traces::default(),
            to_plan: Notify::new(),
            to_send: Notify::new(),
        }
    }

    /// The engine's clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The files in force.
    pub fn live(&self) -> Arc<Live> {
        self.live.load_full()
    }

    /// What was said of the files when they were last read since the start.
    pub fn said(&self) -> Said {
        self.said.borrow().clone()
    }

    /// Tells each later reading of the files.
    pub fn readings(&self) -> watch::Receiver<Said> {
        self.said.subscribe()
    }

    /// Makes this install observe only: it takes events and shows what it would send.
    pub fn observe(&self) {
        self.observing.store(true, Ordering::Release);
    }

    /// Whether it only observes.
    pub fn is_observing(&self) -> bool {
        self.observing.load(Ordering::Acquire)
    }
}
