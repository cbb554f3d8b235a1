//! aftercare
pub mod config;
pub mod files;
pub mod model;
pub mod plan;
pub mod sequence;
pub mod state;
