//! aftercare
pub mod clock;
#[path = "stand_in/engine.rs"]
pub mod engine;
#[path = "stand_in/ingest/mod.rs"]
pub mod ingest;
pub mod mail;
pub mod model;
pub mod plan;
pub mod sequence;
pub mod state;
#[path = "stand_in/store.rs"]
pub mod store;
pub mod telemetry;
pub mod web;
