//! Tests of the library from outside.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod guards;
mod people;
mod plan;
mod story;
mod timeline;
