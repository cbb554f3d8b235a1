//! The three ways for a mail to go, behind one protocol: open, offer, (the caller's barrier,) dot.
//!
//! A closed set, so an enum. Whatever the engine proves with one of them holds for the others.

use std::fmt;

use super::capture::Capture;
use super::compose::Composed;
use super::delivery::{Delivery, Rejection, Step, Trouble};
use super::memory::{Memory, Scripted};
use super::smtp::{self, Relay, Session};

/// Where mail goes.
#[derive(Debug, Clone)]
pub enum Transport {
    /// To an SMTP relay.
    Smtp(Box<Relay>),
    /// Into a folder.
    Capture(Capture),
    /// Into memory.
    Memory(Memory),
}

/// An open way, with no mail under way. Dropping it closes it.
#[derive(Debug)]
pub enum Connection {
    /// One SMTP connection.
    Smtp(Session),
    /// The folder.
    Capture(Capture),
    /// The memory.
    Memory(Memory),
}

/// A mail of which everything but the final dot is out. Dropping it means that the mail was not sent.
#[derive(Debug)]
#[must_use = "dropping it means that the mail is not sent"]
pub enum Offered {
    /// Its body is with the relay.
    Smtp(smtp::Offered),
    /// It will be written.
    Capture(Capture, Composed),
    /// It will be kept, or whatever the script says.
    Memory(Memory, Composed, Scripted),
}

/// Why a mail could not be offered. Nothing of it went out.
#[derive(Debug)]
pub enum NotOffered {
    /// This mail was turned away.
    Rejected {
        /// How.
        rejection: Rejection,
        /// The connection, where it is fit for another mail.
        connection: Option<Connection>,
    },
    /// The relay or the way to it; the connection is gone and no recipient's attempt is spent.
    Trouble(Trouble),
}

/// The next mail of a chain; see [`smtp::Next`].
#[derive(Debug)]
#[must_use = "dropping it means that the next mail is not sent"]
pub enum Next<'a> {
    /// It follows on the same SMTP connection.
    Smtp(smtp::Next<'a>),
    /// It is offered when asked for.
    Plain(Connection, &'a Composed),
    /// The connection is gone.
    Gone(Trouble),
}

impl Transport {
    /// Opens a connection.
    pub async fn open(&self) -> Result<Connection, Trouble> {
        match self {
            Self::Smtp(relay) => Session::connect(relay).await.map(Connection::Smtp),
            Self::Capture(capture) => Ok(Connection::Capture(capture.clone())),
            Self::Memory(memory) => memory
                .connect()
                .map(|()| Connection::Memory(memory.clone())),
        }
    }

    /// Whether no mail can leave this machine; a rehearsal clock is refused otherwise.
    pub fn stays_here(&self) -> bool {
        match self {
            Self::Smtp(relay) => relay.is_loopback(),
            Self::Capture(_) | Self::Memory(_) => true,
        }
    }
}

/// For logs: no credentials.
impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Smtp(relay) => write!(f, "{relay}"),
            Self::Capture(capture) => write!(f, "capture in {}", capture.folder().display()),
            Self::Memory(_) => f.write_str("memory"),
        }
    }
}

impl Connection {
    /// Everything but the final dot.
    pub async fn offer(self, mail: &Composed) -> Result<Offered, NotOffered> {
        match self {
            Self::Smtp(session) => Ok(Offered::Smtp(session.offer(mail).await?)),
            Self::Capture(capture) => Ok(Offered::Capture(capture, mail.clone())),
            Self::Memory(memory) => match memory.offer(mail) {
                Ok(script) => Ok(Offered::Memory(memory, mail.clone(), script)),
                Err(Ok(rejection)) => Err(NotOffered::Rejected {
                    rejection,
                    connection: Some(Self::Memory(memory)),
                }),
                Err(Err(trouble)) => Err(NotOffered::Trouble(trouble)),
            },
        }
    }

    /// How many mails it has carried; 0 says that it is fresh.
    pub fn mails(&self) -> u64 {
        match self {
            Self::Smtp(session) => session.mails(),
            Self::Capture(_) | Self::Memory(_) => 0,
        }
    }

    /// Takes leave of the relay.
    pub async fn quit(self) {
        match self {
            Self::Smtp(session) => session.quit().await,
            Self::Capture(_) | Self::Memory(_) => {}
        }
    }
}

impl Offered {
    /// The final dot. Must run in a task that nobody drops: a dropped future here is a crash and the mail uncertain.
    pub async fn dot(self) -> (Delivery, Option<Connection>) {
        match self {
            Self::Smtp(offered) => {
                let (delivery, session) = offered.dot().await;
                (delivery, session.map(Connection::Smtp))
            }
            Self::Capture(capture, mail) => {
                let delivery = capture.dot(mail).await;
                (delivery, Some(Connection::Capture(capture)))
            }
            Self::Memory(memory, mail, script) => {
                let delivery = memory.dot(mail, script);
                let lost = matches!(delivery, Delivery::Unsent(_) | Delivery::Uncertain(_));
                (delivery, (!lost).then_some(Connection::Memory(memory)))
            }
        }
    }

    /// The final dot, and the beginning of the next mail with it. Record the delivery, then ask [`Next::offered`].
    pub async fn dot_then(self, next: &Composed) -> (Delivery, Next<'_>) {
        match self {
            Self::Smtp(offered) => {
                let (delivery, next) = offered.dot_then(next).await;
                (delivery, Next::Smtp(next))
            }
            plain @ (Self::Capture(..) | Self::Memory(..)) => {
                let (delivery, connection) = plain.dot().await;
                let next = match (connection, &delivery) {
                    (Some(connection), _) => Next::Plain(connection, next),
                    (None, Delivery::Unsent(trouble) | Delivery::Uncertain(trouble)) => {
                        Next::Gone(trouble.clone())
                    }
                    (
                        None,
                        Delivery::Accepted(_) | Delivery::Deferred(_) | Delivery::Refused(_),
                    ) => Next::Gone(Trouble::Closed { step: Step::Mail }),
                };
                (delivery, next)
            }
        }
    }

    /// Lets go of the mail without the dot. Nothing was sent.
    pub fn abandon(self) {
        drop(self);
    }
}

impl Next<'_> {
    /// Everything but the final dot of the next mail.
    pub async fn offered(self) -> Result<Offered, NotOffered> {
        match self {
            Self::Smtp(next) => Ok(Offered::Smtp(next.offered().await?)),
            Self::Plain(connection, mail) => connection.offer(mail).await,
            Self::Gone(trouble) => Err(NotOffered::Trouble(trouble)),
        }
    }
}

impl From<smtp::NotOffered> for NotOffered {
    fn from(smtp: smtp::NotOffered) -> Self {
        match smtp {
            smtp::NotOffered::Rejected { rejection, session } => Self::Rejected {
                rejection,
                connection: session.map(Connection::Smtp),
            },
            smtp::NotOffered::Trouble(trouble) => Self::Trouble(trouble),
        }
    }
}
