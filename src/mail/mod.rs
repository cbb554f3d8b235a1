//! The hand that mails: it composes the bytes of one mail and gives them to a relay, to a folder or to a test's memory.
//!
//! It decides nothing: whether, when and to whom is settled before it is asked. It keeps nothing either: what became of
//! a mail is returned as a [`Delivery`] and somebody else writes it down. It must never put the final dot of a mail on
//! the wire unless [`transport::Offered::dot`] (or `dot_then`) was called, never follow a known outcome with a second
//! try of its own, and never write a bare CR or LF.
//!
//! The path of a mail: [`compose::Letter::compose`] → [`Composed`] → [`Connection::offer`] (everything but the dot) →
//! the caller's durable barrier → [`transport::Offered::dot`] → [`Delivery`]. Start reading in [`transport`], then
//! [`smtp::session`].

pub mod address;
pub mod capture;
pub mod compose;
pub mod delivery;
pub mod memory;
pub mod smtp;
pub mod stuffed;
pub mod transport;

pub use address::{Address, AddressError};
pub use capture::Capture;
pub use compose::{ComposeError, Composed, Envelope, Letter, Mailbox};
pub use delivery::{Delivery, Rejection, Step, Trouble, Verdict};
pub use memory::Memory;
pub use smtp::{Relay, RelayError, Reply, Timeouts};
pub use stuffed::Stuffed;
pub use transport::{Connection, NotOffered, Offered, Transport};

/// The scripted server, shared with the integration tests.
#[cfg(test)]
#[path = "../tests/smtp.rs"]
mod scripted;
