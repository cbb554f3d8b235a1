//! Why there is no answer, in words that hold no secret and nothing of a query.

use std::error::Error;
use std::time::Duration;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// What configuration names is no place to ask.
    #[error("the address cannot be asked: {because}")]
    Base {
        /// What is wrong with it.
        because: &'static str,
    },
    /// The token cannot stand in a header.
    #[error("the token holds characters that no header may hold: was it copied whole?")]
    Token,
    /// What to ask for is no path of that host.
    #[error("what to ask for is no path below the address")]
    Path,
    /// It leads to another host than the one that configuration names.
    #[error("it leads to another host ({host}), which is not asked")]
    Elsewhere {
        /// Which one.
        host: String,
    },
    /// The name leads to an address that is never asked.
    #[error("the host's name leads to an address on which no service may be asked")]
    Unfit,
    /// Nobody answers there.
    #[error("no connection: {0}")]
    Connect(String),
    /// Who answers is not who is meant, or speaks no TLS.
    #[error("no TLS connection: {0}")]
    Tls(String),
    /// It took too long.
    #[error("it took longer than {} s {step}", limit.as_secs())]
    Slow {
        /// What took too long.
        step: &'static str,
        /// How long it might have taken.
        limit: Duration,
    },
    /// The answer is larger than anybody wants.
    #[error("the answer is larger than {} MiB", limit / (1024 * 1024))]
    TooLarge {
        /// How large it might have been, in bytes.
        limit: usize,
    },
    /// The answer is compressed, and nobody asked for that.
    #[error("the answer is compressed, which nobody asked for")]
    Encoded,
    /// The connection broke off.
    #[error("the answer broke off: {0}")]
    Broken(String),
    /// The body is no JSON.
    #[error("the answer is no JSON")]
    NotJson,
}

impl ClientError {
    pub(super) fn broken(cause: &hyper::Error) -> ClientError {
        let cause = match cause.source() {
            Some(inner) => format!("{cause}: {inner}"),
            None => cause.to_string(),
        };
        ClientError::Broken(cause)
    }

    /// Whether asking again later may do better.
    pub fn is_passing(&self) -> bool {
        match self {
            ClientError::Connect(_)
            | ClientError::Slow { .. }
            | ClientError::Broken(_)
            | ClientError::NotJson
            | ClientError::Tls(_) => true,
            ClientError::Base { .. }
            | ClientError::Token
            | ClientError::Path
            | ClientError::Elsewhere { .. }
            | ClientError::Unfit
            | ClientError::TooLarge { .. }
            | ClientError::Encoded => false,
        }
    }
}
