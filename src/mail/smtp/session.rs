//! One connection to a relay, step by step, up to the dot and past it.
//!
//! ```text
//! Session::connect ─▶ Session ─offer─▶ Offered ─dot──────▶ (Delivery, Option<Session>)
//!                        ▲                │    ─dot_then─▶ (Delivery, Next) ─offered─▶ Offered
//!                        └─ Rejected ─────┘    ─abandon─▶ nothing was sent
//! ```
//!
//! - An [`Offered`] has had its MAIL, RCPT and DATA accepted and its body written. If the connection ends now, the relay
//!   must forget it (RFC 5321, 4.1.1.10). Only `dot` and `dot_then` write the final dot; nothing else in the crate can.
//! - The types own the socket. **Dropping a future or a value at any point closes the connection**: before the dot that
//!   is harmless, between writing the dot and the returned [`Delivery`] it is a crash, and the mail is uncertain. So the
//!   stretch from the barrier to the record must run in a task that nobody drops.
//! - A connection is given back for another mail only if its dialogue is clean; after a time-out, garbage or an answer
//!   out of step it is gone.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::relay::{Credentials, Relay, Security};
use super::reply::Reply;
use super::wire::Wire;
use crate::mail::compose::Composed;
use crate::mail::delivery::{Delivery, Rejection, Step, Trouble, Verdict};

/// A connection that is greeted, encrypted and logged in as its relay wants, with no mail under way.
#[derive(Debug)]
pub struct Session {
    wire: Box<Wire>,
    extensions: Extensions,
    mails: u64,
}

/// What the relay offered in its answer to EHLO.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Extensions {
    pipelining: bool,
    starttls: bool,
    smtputf8: bool,
    auth_plain: bool,
    auth_login: bool,
    /// SIZE is offered; 0 is "no fixed limit".
    size: Option<u64>,
}

/// A mail that waits for its final dot.
#[derive(Debug)]
#[must_use = "dropping it closes the connection and the mail is not sent"]
pub struct Offered {
    session: Session,
}

/// Why a mail could not be offered. Nothing of it went out, whichever it is.
#[derive(Debug)]
pub enum NotOffered {
    /// This mail was turned away.
    Rejected {
        /// How.
        rejection: Rejection,
        /// The connection, where it is fit for another mail.
        session: Option<Session>,
    },
    /// The relay or the way to it; the connection is gone. On a connection that has carried mails before
    /// ([`Session::mails`]) a first [`Trouble::Closed`] may only mean that it sat idle too long.
    Trouble(Trouble),
}

impl Session {
    /// Connects, greets, encrypts and logs in.
    pub async fn connect(relay: &Relay) -> Result<Self, Trouble> {
        let mut wire = Wire::open(relay).await?;
        if relay.security == Security::Implicit {
            wire = wire.encrypt(relay).await?;
        }
        require(Step::Banner, wire.reply(Step::Banner).await?)?;
        let name = match &relay.helo {
            Some(name) => name.clone(),
            None => match wire.local_address()?.ip().to_canonical() {
                IpAddr::V4(ip) => format!("[{ip}]"),
                IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
            },
        };
        let mut extensions = greet(&mut wire, &name).await?;
        if relay.security == Security::StartTls {
            if !extensions.starttls {
                return Err(Trouble::NoStartTls);
            }
            let reply = command(&mut wire, Step::StartTls, "STARTTLS\r\n").await?;
            require(Step::StartTls, reply)?;
            wire = wire.encrypt(relay).await?;
            // What was said in clear text may have been said by anybody.
            extensions = greet(&mut wire, &name).await?;
        }
        if let Some(credentials) = &relay.credentials {
            log_in(&mut wire, extensions, credentials).await?;
        }
        Ok(Self {
            wire: Box::new(wire),
            extensions,
            mails: 0,
        })
    }

    /// How many mails it has offered so far.
    pub fn mails(&self) -> u64 {
        self.mails
    }

    /// Whether the relay takes commands in groups, and so [`Offered::dot_then`] saves round trips.
    pub fn is_pipelining(&self) -> bool {
        self.extensions.pipelining
    }

    /// Everything but the final dot: MAIL, RCPT, DATA, and after the 354 the body.
    pub async fn offer(mut self, mail: &Composed) -> Result<Offered, NotOffered> {
        if let Err(rejection) = self.admit(mail) {
            let session = Some(self);
            return Err(NotOffered::Rejected { rejection, session });
        }
        if let Err(trouble) = self.wire.quiet(Step::Mail).await {
            return Err(NotOffered::Trouble(trouble));
        }
        if self.extensions.pipelining {
            let group: String = self.envelope(mail).concat();
            if let Err(trouble) = self.wire.write(Step::Mail, group.as_bytes()).await {
                return Err(NotOffered::Trouble(trouble));
            }
            return self.fill(mail, None).await;
        }
        let commands = self.envelope(mail);
        self.fill(mail, Some(commands)).await
    }

    /// Says QUIT and closes. Nothing depends on the answer.
    pub async fn quit(mut self) {
        if self.wire.write(Step::Quit, b"QUIT\r\n").await.is_ok() {
            // A relay that won't say goodbye is left standing.
            drop(self.wire.reply(Step::Quit).await);
        }
        self.wire.shut().await;
    }

    /// What can be known without asking: size and letters.
    fn admit(&self, mail: &Composed) -> Result<(), Rejection> {
        if let Some(limit @ 1..) = self.extensions.size {
            let size = size(mail);
            if size > limit {
                return Err(Rejection::TooLarge { size, limit });
            }
        }
        if needs_smtputf8(mail) && !self.extensions.smtputf8 {
            return Err(Rejection::NeedsSmtpUtf8);
        }
        Ok(())
    }

    /// MAIL, RCPT and DATA for one mail.
    fn envelope(&self, mail: &Composed) -> [String; 3] {
        let mut from = format!("MAIL FROM:<{}>", mail.envelope().from);
        if self.extensions.size.is_some() {
            from.push_str(&format!(" SIZE={}", size(mail)));
        }
        if needs_smtputf8(mail) {
            from.push_str(" BODY=8BITMIME SMTPUTF8");
        }
        from.push_str("\r\n");
        let to = format!("RCPT TO:<{}>\r\n", mail.envelope().to);
        [from, to, "DATA\r\n".to_owned()]
    }

    /// Reads the replies to MAIL, RCPT and DATA, all of them before deciding, then writes the body. `commands` are those
    /// still to be sent one at a time; `None` where the group is out already.
    async fn fill(
        mut self,
        mail: &Composed,
        commands: Option<[String; 3]>,
    ) -> Result<Offered, NotOffered> {
        let mut refusal: Option<Rejection> = None;
        let mut clean = true;
        for (at, step) in [Step::Mail, Step::Rcpt, Step::Data].into_iter().enumerate() {
            if let Some(command) = commands.as_ref().and_then(|commands| commands.get(at)) {
                if refusal.is_some() {
                    break;
                }
                if let Err(trouble) = self.wire.write(step, command.as_bytes()).await {
                    return Err(NotOffered::Trouble(trouble));
                }
            }
            let reply = match (self.wire.reply(step).await, &refusal) {
                (Ok(reply), _) => reply,
                (Err(trouble), None) => return Err(NotOffered::Trouble(trouble)),
                // What was refused stays refused, whatever became of the connection then.
                (Err(_), Some(_)) => {
                    clean = false;
                    break;
                }
            };
            match (reply.judge(step), &refusal) {
                (Verdict::Fine, None) | (Verdict::Later | Verdict::Never, Some(_)) => {}
                (Verdict::Later | Verdict::Never, None) => {
                    refusal = Some(Rejection::Reply { step, reply })
                }
                (Verdict::Relay, None) => {
                    return Err(NotOffered::Trouble(Trouble::Refused { step, reply }));
                }
                (Verdict::Absurd, None) => {
                    return Err(NotOffered::Trouble(Trouble::Absurd { step, reply }));
                }
                // The relay waits for a body that has nobody to go to. An empty one would need a dot without a barrier,
                // so the connection is given up instead.
                (Verdict::Fine, Some(_)) => clean &= step != Step::Data,
                (Verdict::Relay | Verdict::Absurd, Some(_)) => {
                    clean = false;
                    break;
                }
            }
        }
        if let Some(rejection) = refusal {
            let session = if clean { self.reset().await } else { None };
            return Err(NotOffered::Rejected { rejection, session });
        }
        if let Err(trouble) = self.wire.write(Step::Body, mail.bytes().as_bytes()).await {
            return Err(NotOffered::Trouble(trouble));
        }
        self.mails += 1;
        Ok(Offered { session: self })
    }

    /// RSET, so that the connection can carry another mail.
    async fn reset(mut self) -> Option<Self> {
        let reply = command(&mut self.wire, Step::Reset, "RSET\r\n")
            .await
            .ok()?;
        (reply.judge(Step::Reset) == Verdict::Fine).then_some(self)
    }
}

impl Offered {
    /// Writes the final dot and waits for the reply. The connection comes back where it is fit for another mail.
    pub async fn dot(mut self) -> (Delivery, Option<Session>) {
        let delivery = self.send_dot(b".\r\n").await;
        let session = self.session;
        let fit = match &delivery {
            Delivery::Accepted(_) => true,
            Delivery::Deferred(reply) | Delivery::Refused(reply) => {
                reply.judge(Step::Dot) != Verdict::Relay
            }
            Delivery::Unsent(_) | Delivery::Uncertain(_) => false,
        };
        (delivery, fit.then_some(session))
    }

    /// The final dot of this mail, and where the relay pipelines, MAIL, RCPT and DATA of the next in the same write.
    ///
    /// Returns as soon as this mail's reply is there, so that it can be recorded; [`Next::offered`] then reads the rest
    /// and writes the next mail's body.
    pub async fn dot_then(mut self, next: &Composed) -> (Delivery, Next<'_>) {
        let chained = self.session.extensions.pipelining && self.session.admit(next).is_ok();
        if !chained {
            let (delivery, session) = self.dot().await;
            let state = match session {
                Some(session) => Ahead::Idle(session),
                None => Ahead::Gone(lost(&delivery)),
            };
            return (delivery, Next { mail: next, state });
        }
        let [from, to, data] = self.session.envelope(next);
        let group = [".\r\n", &from, &to, &data].concat();
        let delivery = self.send_dot(group.as_bytes()).await;
        let state = match &delivery {
            Delivery::Deferred(reply) if reply.judge(Step::Dot) == Verdict::Relay => {
                Ahead::Gone(lost(&delivery))
            }
            Delivery::Accepted(_) | Delivery::Deferred(_) | Delivery::Refused(_) => {
                Ahead::Asked(self.session)
            }
            Delivery::Unsent(_) | Delivery::Uncertain(_) => Ahead::Gone(lost(&delivery)),
        };
        (delivery, Next { mail: next, state })
    }

    /// Closes the connection without the dot; the relay forgets the mail.
    pub fn abandon(self) {
        drop(self);
    }

    /// `bytes` begin with the dot. The body ended with CRLF, so the dot stands on a line of its own.
    async fn send_dot(&mut self, bytes: &[u8]) -> Delivery {
        let wire = &mut self.session.wire;
        // A relay that has hung up, or has answered before it was asked, must not get the dot.
        if let Err(trouble) = wire.quiet(Step::Dot).await {
            return Delivery::Unsent(trouble);
        }
        if let Err(trouble) = wire.write(Step::Dot, bytes).await {
            return Delivery::Uncertain(trouble);
        }
        match wire.reply(Step::Dot).await {
            Ok(reply) => match reply.code / 100 {
                2 => Delivery::Accepted(reply),
                4 => Delivery::Deferred(reply),
                5 => Delivery::Refused(reply),
                _ => Delivery::Uncertain(Trouble::Absurd {
                    step: Step::Dot,
                    reply,
                }),
            },
            Err(trouble) => Delivery::Uncertain(trouble),
        }
    }
}

/// The mail that follows in a chain.
#[derive(Debug)]
#[must_use = "dropping it closes the connection and the next mail is not sent"]
pub struct Next<'a> {
    mail: &'a Composed,
    state: Ahead,
}

#[derive(Debug)]
enum Ahead {
    /// Its MAIL, RCPT and DATA are out, the replies are still to be read.
    Asked(Session),
    /// Nothing of it is out yet.
    Idle(Session),
    /// The connection did not outlive the mail before.
    Gone(Trouble),
}

impl Next<'_> {
    /// Reads the replies to its MAIL, RCPT and DATA and writes its body.
    pub async fn offered(self) -> Result<Offered, NotOffered> {
        match self.state {
            Ahead::Asked(session) => session.fill(self.mail, None).await,
            Ahead::Idle(session) => session.offer(self.mail).await,
            Ahead::Gone(trouble) => Err(NotOffered::Trouble(trouble)),
        }
    }
}

/// Why there is no connection for the next mail.
fn lost(delivery: &Delivery) -> Trouble {
    match delivery {
        Delivery::Unsent(trouble) | Delivery::Uncertain(trouble) => trouble.clone(),
        Delivery::Accepted(reply) | Delivery::Deferred(reply) | Delivery::Refused(reply) => {
            Trouble::Refused {
                step: Step::Dot,
                reply: reply.clone(),
            }
        }
    }
}

fn size(mail: &Composed) -> u64 {
    u64::try_from(mail.bytes().len()).unwrap_or(u64::MAX)
}

fn needs_smtputf8(mail: &Composed) -> bool {
    let envelope = mail.envelope();
    !mail.bytes().is_ascii() || envelope.from.needs_smtputf8() || envelope.to.needs_smtputf8()
}

/// One command and its reply, in lock-step.
async fn command(wire: &mut Wire, step: Step, line: &str) -> Result<Reply, Trouble> {
    wire.quiet(step).await?;
    wire.write(step, line.as_bytes()).await?;
    wire.reply(step).await
}

/// Takes any reply but the wanted one for the relay's refusal.
fn require(step: Step, reply: Reply) -> Result<Reply, Trouble> {
    match reply.judge(step) {
        Verdict::Fine => Ok(reply),
        Verdict::Later | Verdict::Never | Verdict::Relay => Err(Trouble::Refused { step, reply }),
        Verdict::Absurd => Err(Trouble::Absurd { step, reply }),
    }
}

/// EHLO, or HELO where the relay does not know EHLO.
async fn greet(wire: &mut Wire, name: &str) -> Result<Extensions, Trouble> {
    let reply = command(wire, Step::Ehlo, &format!("EHLO {name}\r\n")).await?;
    if matches!(reply.code, 500 | 502) {
        let reply = command(wire, Step::Ehlo, &format!("HELO {name}\r\n")).await?;
        require(Step::Ehlo, reply)?;
        return Ok(Extensions::default());
    }
    Ok(extensions(&require(Step::Ehlo, reply)?))
}

fn extensions(reply: &Reply) -> Extensions {
    let mut found = Extensions::default();
    for line in reply.text.lines().skip(1) {
        let line = line.to_ascii_uppercase();
        // Some old servers write AUTH=PLAIN.
        let mut words = line.split([' ', '=']).filter(|word| !word.is_empty());
        match words.next() {
            Some("PIPELINING") => found.pipelining = true,
            Some("STARTTLS") => found.starttls = true,
            Some("SMTPUTF8") => found.smtputf8 = true,
            Some("SIZE") => {
                found.size = Some(words.next().and_then(|n| n.parse().ok()).unwrap_or(0))
            }
            Some("AUTH") => {
                for mechanism in words {
                    found.auth_plain |= mechanism == "PLAIN";
                    found.auth_login |= mechanism == "LOGIN";
                }
            }
            _ => {}
        }
    }
    found
}

/// AUTH PLAIN, or LOGIN where PLAIN is not offered; only where nobody can read along.
async fn log_in(
    wire: &mut Wire,
    extensions: Extensions,
    credentials: &Credentials,
) -> Result<(), Trouble> {
    if !wire.is_encrypted() && !wire.peer_is_loopback() {
        return Err(Trouble::AuthInClear);
    }
    let Credentials { user, password } = credentials;
    if extensions.auth_plain {
        let token = BASE64.encode(format!("\0{user}\0{password}"));
        let reply = command(wire, Step::Auth, &format!("AUTH PLAIN {token}\r\n")).await?;
        require(Step::Auth, reply)?;
        return Ok(());
    }
    if !extensions.auth_login {
        return Err(Trouble::NoAuth);
    }
    let mut reply = command(wire, Step::Auth, "AUTH LOGIN\r\n").await?;
    for secret in [user, password] {
        if reply.code != 334 {
            return Err(Trouble::Refused {
                step: Step::Auth,
                reply,
            });
        }
        reply = command(wire, Step::Auth, &format!("{}\r\n", BASE64.encode(secret))).await?;
    }
    require(Step::Auth, reply)?;
    Ok(())
}

#[cfg(test)]
mod tests;
