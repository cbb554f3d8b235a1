//! Tests of the library from outside, and of the whole program.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod acceptance;
mod guards;
mod plan;
mod story;
mod timeline;
