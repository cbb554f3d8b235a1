//! A stand-in for the engine, with the surface that the web floor calls. It keeps what it
//! is given in memory, so that the doors can be compiled and tried before the engine exists.

use crate::clock::Clock;
use crate::mail::Capture;
use crate::model::kind::Scope;
use crate::model::time::Timestamp;
use crate::store::{Incoming, Poison, StoreError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// What became of one delivery.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Totals {
    pub accepted: usize,
    pub duplicate: usize,
    pub quarantined: usize,
}

/// What may go wrong in the engine itself; outcomes are not errors.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the shop's files hold {count} errors")]
    Files { count: usize },
    #[error("cannot render the page: {0}")]
    Page(String),
}

/// What came of an opt-out link.
#[derive(Debug, Clone)]
pub struct OptOut {
    pub known: bool,
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
}

pub const KNOWN_TOKEN: &str = "known-token";

impl Engine {
    pub fn new(clock: Clock, capture: Option<Capture>) -> Engine {
        Engine {
            clock,
            capture,
            kept: Mutex::default(),
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(|e| e.into_inner())
    }

    pub async fn accept(
        &self,
        batch: Vec<Incoming>,
        poison: Vec<Poison>,
    ) -> Result<Totals, EngineError> {
        let mut kept = self.kept();
        let mut totals = Totals {
            quarantined: poison.len(),
            ..Totals::default()
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
        crate::telemetry::events_accepted(totals.accepted as u64);
        Ok(totals)
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub async fn opt_out(&self, token: &str, scope: Option<Scope>) -> Result<OptOut, EngineError> {
        let known = token == KNOWN_TOKEN;
        if known {
            self.kept().opted_out.push((token.to_owned(), scope));
        }
        Ok(OptOut {
            known,
            locale: "en".into(),
        })
    }

    pub async fn opt_out_locale(&self, _token: &str) -> Result<String, EngineError> {
        Ok("en".into())
    }

    pub fn render_page(
        &self,
        name: &str,
        locale: &str,
        values: serde_json::Value,
    ) -> Result<String, EngineError> {
        Ok(format!(
            "<!DOCTYPE html><html lang=\"{locale}\"><title>{name}</title><p>{}</p></html>",
            values["done"]
        ))
    }

    pub async fn health(&self) -> Health {
        Health {
            checks: vec![
                ("database", Check::Fine),
                ("files", Check::Fine),
                ("relay", Check::Fine),
            ],
        }
    }

    pub async fn counts(&self) -> Result<Counts, EngineError> {
        let kept = self.kept();
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
}
