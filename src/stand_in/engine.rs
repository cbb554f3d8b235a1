//! A stand-in for the engine, with the surface that the web floor calls. It keeps what it
//! is given in memory, so that the doors can be compiled and tried before the engine exists.

use crate::clock::Clock;
use crate::mail::Capture;
use crate::model::event::Event;
use crate::model::kind::Scope;
use crate::model::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

/// One event on its way in, with the key of its delivery.
#[derive(Debug, Clone)]
pub struct Incoming {
    pub event: Event,
    pub transport: Option<String>,
}

/// A body that parses and is no event we know.
#[derive(Debug, Clone)]
pub struct Poison {
    pub source: Option<String>,
    pub id: Option<String>,
    pub kind: Option<String>,
    pub body: String,
    pub reason: String,
    pub because: String,
    pub recorded: Timestamp,
}

/// What came of one delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AcceptedTotals {
    pub accepted: u64,
    pub duplicate: u64,
    pub quarantined: u64,
}

/// Why the engine could not do it.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Not now: try again.
    #[error("the database is not to be had now: {0}")]
    Unavailable(String),
    /// Something of ours is broken.
    #[error("{0}")]
    Broken(String),
}

/// What an opt-out did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptOutOutcome {
    pub known: bool,
    /// The locale of the mail, or the shop's first.
    pub locale: String,
}

/// What the page behind an unsubscribe link needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptOutPage {
    /// The locale of the mail, or the shop's first.
    pub locale: String,
}

/// How one part of the service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    Fine,
    Degraded(String),
    Down(String),
}

/// How the service is, part by part.
#[derive(Debug, Clone)]
pub struct Health {
    pub checks: Vec<(&'static str, Check)>,
}

/// What the database holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    pub events: u64,
    pub parked: u64,
    pub quarantined: u64,
    pub people: u64,
    pub sends: BTreeMap<String, u64>,
}

#[derive(Debug, Default)]
struct Kept {
    ids: BTreeSet<(String, String)>,
    poison: Vec<Poison>,
    opted_out: Vec<(String, Option<Scope>)>,
}

#[derive(Debug)]
pub struct Engine {
    clock: Clock,
    capture: Option<Capture>,
    kept: Mutex<Kept>,
    pub failing: Mutex<Option<&'static str>>,
}

pub const KNOWN_TOKEN: &str = "known-token";

impl Engine {
    pub fn new(clock: Clock, capture: Option<Capture>) -> Engine {
        Engine {
            clock,
            capture,
            kept: Mutex::default(),
            failing: Mutex::default(),
        }
    }

    fn kept(&self) -> Result<std::sync::MutexGuard<'_, Kept>, EngineError> {
        match *self.failing.lock().unwrap_or_else(|e| e.into_inner()) {
            Some("unavailable") => return Err(EngineError::Unavailable("locked".into())),
            Some(other) => return Err(EngineError::Broken(other.into())),
            None => {}
        }
        Ok(self.kept.lock().unwrap_or_else(|e| e.into_inner()))
    }

    pub async fn accept(
        &self,
        batch: Vec<Incoming>,
        poison: Vec<Poison>,
    ) -> Result<AcceptedTotals, EngineError> {
        let mut kept = self.kept()?;
        let mut totals = AcceptedTotals {
            quarantined: poison.len() as u64,
            ..AcceptedTotals::default()
        };
        for incoming in batch {
            if kept
                .ids
                .insert((incoming.event.source.clone(), incoming.event.id.clone()))
            {
                totals.accepted += 1;
            } else {
                totals.duplicate += 1;
            }
        }
        kept.poison.extend(poison);
        Ok(totals)
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub async fn opt_out(
        &self,
        token: &str,
        scope: Option<Scope>,
    ) -> Result<OptOutOutcome, EngineError> {
        let mut kept = self.kept()?;
        let known = token == KNOWN_TOKEN;
        if known {
            kept.opted_out.push((token.to_owned(), scope));
        }
        Ok(OptOutOutcome {
            known,
            locale: "en".into(),
        })
    }

    pub async fn opt_out_page(&self, _token: &str) -> Result<OptOutPage, EngineError> {
        drop(self.kept()?);
        Ok(OptOutPage {
            locale: "en".into(),
        })
    }

    pub fn render_page(
        &self,
        name: &str,
        locale: &str,
        values: serde_json::Value,
    ) -> Result<String, EngineError> {
        if *self.failing.lock().unwrap_or_else(|e| e.into_inner()) == Some("template") {
            return Err(EngineError::Broken("no such page".into()));
        }
        Ok(format!(
            "<!DOCTYPE html><html lang=\"{locale}\"><title>{name}</title><p>{}</p></html>",
            values["done"]
        ))
    }

    pub async fn health(&self) -> Health {
        let database = match self.kept() {
            Ok(_) => Check::Fine,
            Err(error) => Check::Down(error.to_string()),
        };
        Health {
            checks: vec![
                ("database", database),
                ("files", Check::Fine),
                ("relay", Check::Fine),
            ],
        }
    }

    pub async fn counts(&self) -> Result<Counts, EngineError> {
        let kept = self.kept()?;
        Ok(Counts {
            events: kept.ids.len() as u64,
            quarantined: kept.poison.len() as u64,
            people: kept.opted_out.len() as u64,
            ..Counts::default()
        })
    }

    pub fn mailbox(&self) -> Option<Capture> {
        self.capture.clone()
    }

    /// How long a caller had better wait before trying again.
    pub const RETRY_AFTER: Duration = Duration::from_secs(5);
}
