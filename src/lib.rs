//! aftercare
pub mod cli;
pub mod clock;
pub mod config;
pub mod engine;
pub mod files;
pub mod ingest;
pub mod links;
pub mod mail;
pub mod model;
pub mod plan;
pub mod render;
pub mod sequence;
pub mod state;
pub mod store;
pub mod telemetry;
pub mod web;
