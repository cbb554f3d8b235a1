//! The three ways for a mail to go, behind one protocol: open, offer, (the caller's barrier,) dot.
//!
//! A closed set, so an enum. Whatever the engine proves with one of them holds for the others.

use std::fmt;
use std::path::Path;

use super::capture::Capture;
use super::compose::Composed;
use super::delivery::{Delivery, Rejection, Step, Trouble};
use super::memory::{Memory, Settled};
use super::smtp::{self, Relay, RelayError, Session};

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
    Memory(Memory, Composed, Settled),
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
    /// What `smtp.url` says: `capture`, which keeps mails in `mailbox`, or a relay's URL.
    pub fn parse(url: &str, mailbox: &Path) -> Result<Self, RelayError> {
        match url.trim() {
            "capture" => Ok(Self::Capture(Capture::new(mailbox))),
            url => Ok(Self::Smtp(Box::new(Relay::parse(url)?))),
        }
    }

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
            Self::Memory(memory) => {
                let settled = memory.offer(mail)?;
                Ok(Offered::Memory(memory, mail.clone(), settled))
            }
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
            Self::Memory(memory, mail, settled) => {
                let delivery = memory.dot(mail, settled);
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

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::super::compose::tests::letter;
    use super::super::memory::Scripted;
    use super::super::scripted::{Script, Server};
    use super::super::smtp::Reply;
    use super::*;

    fn mail(to: &str) -> Composed {
        letter(to).compose().unwrap()
    }

    fn reply(code: u16) -> Reply {
        Reply {
            code,
            enhanced: None,
            text: "as scripted".to_owned(),
        }
    }

    #[test]
    fn reads_smtp_url() {
        let mailbox = Path::new("data/mailbox");
        let shown = |url| Transport::parse(url, mailbox).map(|transport| transport.to_string());
        assert_eq!(shown("capture").unwrap(), "capture in data/mailbox");
        assert_eq!(
            shown("smtps://u:p@relay.example").unwrap(),
            "smtps://relay.example:465"
        );
        assert!(matches!(shown("captured"), Err(RelayError::NotAUrl { .. })));
        assert!(
            Transport::parse("smtp://127.0.0.1", mailbox)
                .unwrap()
                .stays_here()
        );
        assert!(
            !Transport::parse("smtp://relay.example", mailbox)
                .unwrap()
                .stays_here()
        );
    }

    /// The protocol is one, whatever carries the mail: nothing before the dot, everything after it.
    #[tokio::test]
    async fn no_transport_sends_before_the_dot() {
        let folder = tempfile::tempdir().unwrap();
        let capture = Capture::new(folder.path());
        let memory = Memory::new();
        let server = Server::start(Script::new()).await;
        let relay = Relay::parse(&server.url()).unwrap();
        for transport in [
            Transport::Capture(capture.clone()),
            Transport::Memory(memory.clone()),
            Transport::Smtp(Box::new(relay)),
        ] {
            let sent = || match &transport {
                Transport::Smtp(_) => server.journal().dotted().len(),
                Transport::Capture(_) => capture.list(10).unwrap().len(),
                Transport::Memory(_) => memory.outbox().len(),
            };
            let (first, second) = (mail("ann@example.com"), mail("bob@example.com"));
            let connection = transport.open().await.unwrap();
            connection.offer(&first).await.unwrap().abandon();
            let connection = transport.open().await.unwrap();
            let offered = connection.offer(&first).await.unwrap();
            assert_eq!(sent(), 0, "{transport}");
            let (delivery, next) = offered.dot_then(&second).await;
            assert!(matches!(delivery, Delivery::Accepted(_)));
            let offered = next.offered().await.unwrap();
            assert_eq!(sent(), 1, "{transport}");
            let (delivery, connection) = offered.dot().await;
            assert!(matches!(delivery, Delivery::Accepted(_)));
            assert_eq!(sent(), 2, "{transport}");
            connection.unwrap().quit().await;
        }
        assert_eq!(
            memory.outbox(),
            [mail("ann@example.com"), mail("bob@example.com")]
        );
    }

    #[tokio::test]
    async fn memory_does_as_it_is_told() {
        let memory = Memory::new();
        let transport = Transport::Memory(memory.clone());
        let trouble = Trouble::Closed { step: Step::Data };
        memory.fail_connection(trouble.clone());
        assert_eq!(transport.open().await.unwrap_err(), trouble);
        let ann = "ann@example.com";
        for script in [
            Scripted::Trouble(trouble.clone()),
            Scripted::AtRcpt(reply(450)),
            Scripted::AtDot(reply(451)),
            Scripted::AtDot(reply(550)),
            Scripted::Lost { taken: false },
            Scripted::Lost { taken: true },
        ] {
            memory.script(ann, script);
        }
        let offer = async || transport.open().await.unwrap().offer(&mail(ann)).await;
        assert!(matches!(offer().await, Err(NotOffered::Trouble(found)) if found == trouble));
        let Err(NotOffered::Rejected {
            rejection,
            connection,
        }) = offer().await
        else {
            panic!("not rejected");
        };
        assert!(!rejection.is_permanent());
        // Others are not concerned.
        let bob = mail("bob@example.com");
        let (delivery, _) = connection.unwrap().offer(&bob).await.unwrap().dot().await;
        assert!(matches!(delivery, Delivery::Accepted(_)));
        let dot = async || offer().await.unwrap().dot().await;
        assert!(matches!(dot().await, (Delivery::Deferred(_), Some(_))));
        assert!(matches!(dot().await, (Delivery::Refused(_), Some(_))));
        assert!(matches!(dot().await, (Delivery::Uncertain(_), None)));
        assert_eq!(memory.outbox().len(), 1);
        assert!(matches!(dot().await, (Delivery::Uncertain(_), None)));
        assert_eq!(memory.outbox().len(), 2);
        assert!(matches!(dot().await, (Delivery::Accepted(_), Some(_))));
        assert_eq!((memory.outbox().len(), memory.offers()), (3, 8));
    }
}
