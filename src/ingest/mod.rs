//! From bytes to facts: who sent them ([`signature`]), what they say ([`canonical`] for our
//! own events, [`adapters`] for those of platforms) and whom they concern ([`identity`]). Nothing here stores anything or knows of HTTP.

pub mod adapters;
pub mod canonical;
pub mod cause;
#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
pub(crate) mod fixtures;
pub mod identity;
mod json;
mod keys;
pub mod mask;
pub mod message;
pub mod setup;
mod shape;
pub mod signature;
pub mod silence;
pub mod switches;
