//! aftercare
pub mod clock;
pub mod ingest;
pub mod links;
pub mod mail;
pub mod model;
pub mod plan;
pub mod render;
pub mod sequence;
pub mod state;
pub mod telemetry;
