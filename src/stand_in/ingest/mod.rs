//! A stand-in for the trade, with the surface that the web floor calls.
pub mod canonical;
pub mod signature;
