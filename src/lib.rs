//! aftercare
pub mod links;
pub mod model;
pub mod plan;
pub mod render;
pub mod sequence;
pub mod state;
