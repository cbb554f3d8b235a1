//! aftercare: e-mail for the time after the sale.
//!
//! What to mail, to whom, when and why is decided by one pure function,
//! [`plan::plan`]`(&Catalog, &History, now) -> Plan`. The service, the dry run, the
//! simulator and the tests call it and nothing else decides.
//!
//! ```text
//!   COMMANDS  cli
//!   DOORS     web        consume
//!   ENGINE    engine      accept · plan_due · deliver_due · reload
//!   HANDS     store       mail       client     journal    files      clock      telemetry
//!  ~~~~~~~~~~ below: no I/O, no async, no clock, no chance ~~~~~~~~~~
//!   CORE      plan        lint
//!   TRADES    sequence    state      ingest     render     links      config
//!   WORDS     model
//! ```
//!
//! Arrows go down only; `src/tests/house.rs` holds them to it. Read in this order:
//! [`model`] for the words, [`plan`] for the thoughts, [`engine`] for what becomes of
//! them. `docs/architecture.md` is the long form.

pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod consume;
pub mod engine;
pub mod files;
pub mod ingest;
pub mod journal;
pub mod links;
pub mod lint;
pub mod mail;
pub mod model;
pub mod plan;
pub mod render;
pub mod sequence;
pub mod state;
pub mod store;
pub mod telemetry;
pub mod trust;
pub mod web;
