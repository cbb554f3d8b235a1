//! aftercare
pub mod clock;
pub mod engine;
pub mod ingest;
pub mod mail;
pub mod model;
pub mod plan;
pub mod sequence;
pub mod state;
pub mod telemetry;
pub mod web;
