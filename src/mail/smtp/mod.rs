//! SMTP (RFC 5321), the client's side of it, over a connection that is ours from the first byte to the last.
//!
//! [`relay`] says where to and how, [`session`] is one connection, [`reply`] reads what comes back, `wire` bounds every
//! read and write, `tls` is the one way to encryption. Nothing here retries, pools or decides.

pub mod relay;
pub mod reply;
pub mod session;
mod tls;
mod wire;

pub use relay::{Relay, RelayError, Timeouts};
pub use reply::Reply;
pub use session::{Next, NotOffered, Offered, Session};
