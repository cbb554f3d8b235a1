//! What may become of a mail, in the words that the state machine of sends is built on.
//!
//! Three kinds that must never be mixed up: a [`Rejection`] or a [`Delivery`] speaks of *this mail*; a [`Trouble`]
//! speaks of the relay or the way to it and burns nobody's attempts; [`Delivery::Uncertain`] says that the final dot
//! may have gone out and that nobody can know what came of it.

use std::fmt;
use std::time::Duration;

use super::smtp::Reply;
use super::smtp::reply::Malformed;

/// A step of the dialogue with a relay; what a reply means depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Finding the relay's address and opening the connection.
    Connect,
    /// The relay's greeting.
    Banner,
    /// EHLO, or HELO where the relay is that old.
    Ehlo,
    /// STARTTLS and the handshake.
    StartTls,
    /// AUTH in all its lines.
    Auth,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA, up to the 354.
    Data,
    /// The mail's bytes, up to the final dot.
    Body,
    /// The final dot and the reply to it.
    Dot,
    /// RSET after a refusal.
    Reset,
    /// QUIT.
    Quit,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Banner => "the greeting",
            Self::Ehlo => "EHLO",
            Self::StartTls => "STARTTLS",
            Self::Auth => "AUTH",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::Body => "the body",
            Self::Dot => "the final dot",
            Self::Reset => "RSET",
            Self::Quit => "QUIT",
        })
    }
}

/// What a well-formed reply says at its step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The reply this step asks for.
    Fine,
    /// This mail can't go now and may later: a 4xx.
    Later,
    /// This mail will not be taken: a 5xx.
    Never,
    /// The relay, our account with it or our configuration is at fault. No recipient's attempt is spent.
    Relay,
    /// A class of reply that this step can't have; the dialogue is out of step.
    Absurd,
}

/// A mail that was turned away before its body was sent. Nothing of it went out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The relay said no at MAIL, RCPT or DATA.
    #[error("refused at {step}: {reply}")]
    Reply {
        /// Where it said so.
        step: Step,
        /// Its words.
        reply: Reply,
    },
    /// The address or the mail needs SMTPUTF8 and the relay does not offer it.
    #[error(
        "the address holds letters outside ASCII before the @, and the relay does not offer SMTPUTF8"
    )]
    NeedsSmtpUtf8,
    /// The mail is larger than the relay's SIZE.
    #[error("the mail has {size} bytes, the relay takes at most {limit}")]
    TooLarge {
        /// Size of the mail in bytes.
        size: u64,
        /// The relay's limit in bytes.
        limit: u64,
    },
}

impl Rejection {
    /// Whether trying again later is pointless.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Reply { step, reply } => reply.judge(*step) == Verdict::Never,
            Self::NeedsSmtpUtf8 | Self::TooLarge { .. } => true,
        }
    }

    /// Whether it says that the address itself is no good, which alone may suppress the address.
    pub fn blames_address(&self) -> bool {
        match self {
            Self::Reply { step, reply } => *step == Step::Rcpt && reply.blames_address(),
            Self::NeedsSmtpUtf8 | Self::TooLarge { .. } => false,
        }
    }
}

/// What became of a mail that was offered and then given its final dot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// 2xx: the relay has taken responsibility.
    Accepted(Reply),
    /// 4xx: it has not, and may later. A 421 also says that the relay is going away ([`Reply::judge`]).
    Deferred(Reply),
    /// 5xx: it has not and will not.
    Refused(Reply),
    /// The dot was *not* sent: the connection had already broken when it was its turn. Safe to try again.
    Unsent(Trouble),
    /// The dot may have been sent, and no complete well-formed reply came back.
    Uncertain(Trouble),
}

/// Trouble with the relay or the way to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The relay's name has no address.
    #[error("could not find the address of \"{host}\": {cause}")]
    Dns {
        /// The name looked up.
        host: String,
        /// The resolver's words.
        cause: String,
    },
    /// No address of the relay took the connection.
    #[error("could not connect to \"{host}\" port {port}: {cause}")]
    Connect {
        /// The relay's name.
        host: String,
        /// Its port.
        port: u16,
        /// The system's words for the last address tried.
        cause: String,
    },
    /// A step took longer than it may.
    #[error("no answer from the relay to {step} within {} s", limit.as_secs_f32())]
    TimedOut {
        /// The step.
        step: Step,
        /// Its limit.
        limit: Duration,
    },
    /// The relay closed the connection.
    #[error("the relay closed the connection at {step}")]
    Closed {
        /// The step.
        step: Step,
    },
    /// The connection broke.
    #[error("the connection broke at {step}: {cause}")]
    Broken {
        /// The step.
        step: Step,
        /// The system's words.
        cause: String,
    },
    /// What came back is not an SMTP reply.
    #[error("expected an SMTP reply to {step}: {cause}")]
    Garbled {
        /// The step.
        step: Step,
        /// What is wrong with it.
        cause: Malformed,
    },
    /// A reply that this step can't have.
    #[error("the relay's reply to {step} makes no sense: {reply}")]
    Absurd {
        /// The step.
        step: Step,
        /// The reply.
        reply: Reply,
    },
    /// The relay refused for reasons of its own or of our account.
    #[error("the relay refused {step}: {reply}")]
    Refused {
        /// The step.
        step: Step,
        /// Its words.
        reply: Reply,
    },
    /// The relay spoke when it was not its turn; what it says next could be taken for the answer to something else.
    #[error("the relay spoke out of turn before {step}")]
    OutOfTurn {
        /// The step that was about to begin.
        step: Step,
    },
    /// The TLS handshake failed, or there is nothing to check the relay's certificate against.
    #[error("TLS with the relay failed: {cause}")]
    Tls {
        /// What rustls says.
        cause: String,
    },
    /// STARTTLS is required and not offered. It may have been stripped on the way; there is no fallback to clear text.
    #[error("the relay does not offer STARTTLS, which smtp+starttls:// requires")]
    NoStartTls,
    /// Bytes arrived in clear text behind the answer to STARTTLS: an injection.
    #[error("the relay sent clear text behind its answer to STARTTLS")]
    Injected,
    /// There are credentials and the relay offers neither PLAIN nor LOGIN.
    #[error("the relay offers no way to log in that we know (AUTH PLAIN or LOGIN)")]
    NoAuth,
    /// There are credentials, and the connection is neither encrypted nor to this machine.
    #[error("credentials are only sent over TLS or to a loopback address")]
    AuthInClear,
    /// The capture folder can't be written.
    #[error("could not write to the capture folder \"{folder}\": {cause}")]
    Folder {
        /// The folder.
        folder: String,
        /// The system's words.
        cause: String,
    },
}

impl Trouble {
    /// The step at which it showed.
    pub fn step(&self) -> Step {
        match self {
            Self::Dns { .. } | Self::Connect { .. } => Step::Connect,
            Self::TimedOut { step, .. }
            | Self::Closed { step }
            | Self::Broken { step, .. }
            | Self::Garbled { step, .. }
            | Self::Absurd { step, .. }
            | Self::Refused { step, .. }
            | Self::OutOfTurn { step } => *step,
            Self::Tls { .. } | Self::NoStartTls | Self::Injected => Step::StartTls,
            Self::NoAuth | Self::AuthInClear => Step::Auth,
            Self::Folder { .. } => Step::Dot,
        }
    }
}
