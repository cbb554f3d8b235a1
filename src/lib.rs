//! aftercare
pub mod mail;
