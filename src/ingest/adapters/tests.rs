//! Recorded deliveries of every platform: their signatures, and the facts they come to.

#![expect(clippy::unwrap_used, reason = "tests")]

mod forged;
mod golden;
mod mapped;
mod odd;
