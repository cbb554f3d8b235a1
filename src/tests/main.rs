//! Tests of the library from outside, and of the whole program.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod acceptance;
mod book;
mod cli;
mod codes;
mod guards;
mod harness;
mod house;
mod last_moment;
mod people;
mod plan;
mod previews;
mod shop;
mod store;
mod story;
mod timeline;
mod twin;
mod web;
