//! Recorded deliveries of every platform: their signatures, and the facts they come to.

#![expect(clippy::unwrap_used, reason = "tests")]

mod forged;
pub(super) mod fuzz;
mod golden;
mod mapped;
mod odd;
mod vectors;
mod worn;
