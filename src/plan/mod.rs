//! The one place where anything is decided.
pub mod decision;
