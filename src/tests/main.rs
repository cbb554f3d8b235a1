//! Tests of the library from outside.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod cli;
mod guards;
mod harness;
mod people;
mod plan;
mod shop;
mod store;
mod story;
mod timeline;
mod twin;
mod web;
