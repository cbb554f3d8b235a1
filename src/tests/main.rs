//! Tests of the whole program from outside.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod acceptance;
