//! aftercare
pub mod ingest;
pub mod mail;
pub mod model;
pub mod plan;
pub mod sequence;
pub mod state;
