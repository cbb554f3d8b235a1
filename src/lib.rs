//! aftercare
pub mod ingest;
pub mod model;
pub mod plan;
pub mod sequence;
pub mod state;
pub mod store;
