//! Tests of the library from outside, and of the whole program.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "tests"
)]

mod acceptance;
mod alerts;
mod authors;
mod book;
mod cli;
mod codes;
mod connecting;
mod consuming;
mod guards;
mod harness;
mod house;
mod importing;
mod joining;
mod last_moment;
mod live_experiments;
mod mutations;
mod people;
mod plan;
mod platforms;
mod previews;
mod privacy;
mod prove;
mod prove_particular;
#[cfg(any(feature = "amqp", feature = "kafka"))]
mod queues;
mod reference;
mod rereading;
mod shop;
mod slips;
mod store;
mod story;
mod timeline;
mod tools;
mod transit;
mod twin;
mod waking;
mod watching;
mod web;
