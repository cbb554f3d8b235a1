//! Where the relay is and how to speak with it: read from one URL, completed by configuration, never printed with its
//! password.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::mail::delivery::Step;
use crate::trust::Trust;

/// One SMTP relay.
#[derive(Debug, Clone)]
pub struct Relay {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: Security,
    pub(super) credentials: Option<Credentials>,
    pub(super) helo: Option<String>,
    pub(super) timeouts: Timeouts,
    pub(super) trust: Trust,
}

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// `smtp://`: clear text, for a relay on this machine or in a trusted network.
    Clear,
    /// `smtp+starttls://`: clear text up to STARTTLS, which must be offered.
    StartTls,
    /// `smtps://`: TLS from the first byte.
    Implicit,
}

/// User and password. `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Why a relay can't be used as configured. Messages never show a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RelayError {
    /// Not a URL at all.
    #[error("expected a URL such as smtp://127.0.0.1:25, found something else: {cause}")]
    NotAUrl {
        /// What the URL parser says.
        cause: String,
    },
    /// A scheme that is not SMTP.
    #[error("expected smtp://, smtp+starttls:// or smtps://, found {found}://")]
    Scheme {
        /// The scheme.
        found: String,
    },
    /// No host, or not the name of one.
    #[error("expected the relay's host after the scheme, found {found:?}")]
    Host {
        /// What stands in its place.
        found: String,
    },
    /// A path, query or fragment.
    #[error("expected nothing after host and port, found {found:?}")]
    Trailing {
        /// What stands there.
        found: String,
    },
    /// Only one of user and password, or bytes in them that can't be sent.
    #[error("expected both a user and a password, percent-encoded, without control characters")]
    Credentials,
    /// A password would cross the network in clear text.
    #[error(
        "expected TLS for a relay with a password that is not on this machine, found smtp://\nhint: use smtp+starttls:// or smtps://"
    )]
    CredentialsInClear,
    /// The name given in EHLO is not a host name or address literal.
    #[error("expected a host name to greet the relay with, found {found:?}")]
    Helo {
        /// What was given.
        found: String,
    },
    /// The CA file has no certificate in it.
    #[error("expected certificates in PEM form: {cause}")]
    Certificates {
        /// What is wrong with them.
        cause: String,
    },
}

/// Time limits, one for each step. The defaults are those of RFC 5321, 4.5.3.2, where it names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Looking up the relay's name, and then opening the connection to each of its addresses.
    pub connect: Duration,
    /// The TLS handshake.
    pub tls: Duration,
    /// The greeting.
    pub banner: Duration,
    /// EHLO.
    pub ehlo: Duration,
    /// The answer to STARTTLS.
    pub starttls: Duration,
    /// Each line of AUTH.
    pub auth: Duration,
    /// MAIL.
    pub mail: Duration,
    /// RCPT.
    pub rcpt: Duration,
    /// DATA.
    pub data: Duration,
    /// Any one write that makes no progress.
    pub block: Duration,
    /// The whole body, however slowly the relay takes it.
    pub body: Duration,
    /// The reply to the final dot.
    pub dot: Duration,
    /// RSET.
    pub reset: Duration,
    /// QUIT, which is mere politeness.
    pub quit: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        const MINUTE: u64 = 60;
        Self {
            connect: Duration::from_secs(30),
            tls: Duration::from_secs(MINUTE),
            banner: Duration::from_secs(5 * MINUTE),
            ehlo: Duration::from_secs(5 * MINUTE),
            starttls: Duration::from_secs(2 * MINUTE),
            auth: Duration::from_secs(2 * MINUTE),
            mail: Duration::from_secs(5 * MINUTE),
            rcpt: Duration::from_secs(5 * MINUTE),
            data: Duration::from_secs(2 * MINUTE),
            block: Duration::from_secs(3 * MINUTE),
            body: Duration::from_secs(10 * MINUTE),
            dot: Duration::from_secs(10 * MINUTE),
            reset: Duration::from_secs(MINUTE),
            quit: Duration::from_secs(5),
        }
    }
}

impl Timeouts {
    /// The limit of the reply to one step.
    pub(super) fn reply(&self, step: Step) -> Duration {
        match step {
            Step::Connect => self.connect,
            Step::Banner => self.banner,
            Step::Ehlo => self.ehlo,
            Step::StartTls => self.starttls,
            Step::Auth => self.auth,
            Step::Mail => self.mail,
            Step::Rcpt => self.rcpt,
            Step::Data => self.data,
            Step::Body => self.body,
            Step::Dot => self.dot,
            Step::Reset => self.reset,
            Step::Quit => self.quit,
        }
    }
}

impl Relay {
    /// Reads `smtp://`, `smtp+starttls://` or `smtps://`, with `user:password@` if needed. Ports default to 25, 587 and
    /// 465. Reads no file and asks no network.
    pub fn parse(text: &str) -> Result<Self, RelayError> {
        let url = url::Url::parse(text.trim()).map_err(|cause| RelayError::NotAUrl {
            cause: cause.to_string(),
        })?;
        let (security, port) = match url.scheme() {
            "smtp" => (Security::Clear, 25),
            "smtp+starttls" => (Security::StartTls, 587),
            "smtps" => (Security::Implicit, 465),
            found => {
                return Err(RelayError::Scheme {
                    found: found.to_owned(),
                });
            }
        };
        let found = url.host_str().unwrap_or_default();
        let host = host(found).ok_or_else(|| RelayError::Host {
            found: found.to_owned(),
        })?;
        let path = url.path().trim_start_matches('/');
        if let Some(found) = [Some(path), url.query(), url.fragment()]
            .into_iter()
            .flatten()
            .find(|part| !part.is_empty())
        {
            return Err(RelayError::Trailing {
                found: found.to_owned(),
            });
        }
        let relay = Self {
            host,
            port: url.port().unwrap_or(port),
            security,
            credentials: None,
            helo: None,
            timeouts: Timeouts::default(),
            trust: Trust::default(),
        };
        match (url.username(), url.password()) {
            ("", None) => Ok(relay),
            (user, password) => {
                let decoded = (
                    percent_decode(user),
                    percent_decode(password.unwrap_or_default()),
                );
                let (Some(user), Some(password)) = decoded else {
                    return Err(RelayError::Credentials);
                };
                relay.with_credentials(&user, &password)
            }
        }
    }

    /// Logs in with these; for credentials that come by environment or file instead of in the URL.
    pub fn with_credentials(mut self, user: &str, password: &str) -> Result<Self, RelayError> {
        let bad = |text: &str| text.is_empty() || text.chars().any(char::is_control);
        if bad(user) || bad(password) {
            return Err(RelayError::Credentials);
        }
        if self.security == Security::Clear && !self.is_loopback() {
            return Err(RelayError::CredentialsInClear);
        }
        self.credentials = Some(Credentials {
            user: user.to_owned(),
            password: password.to_owned(),
        });
        Ok(self)
    }

    /// The name to greet the relay with. Without one, it is the address literal of our end of the connection.
    pub fn with_helo(mut self, name: &str) -> Result<Self, RelayError> {
        let good = !name.is_empty()
            && name.len() <= 255
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b".-_[]:".contains(&b));
        if !good {
            return Err(RelayError::Helo {
                found: name.to_owned(),
            });
        }
        self.helo = Some(name.to_owned());
        Ok(self)
    }

    /// Other time limits.
    #[must_use]
    pub fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Trusts these certificate authorities (PEM) beside those of the system.
    pub fn with_authorities(mut self, pem: &[u8]) -> Result<Self, RelayError> {
        self.trust =
            Trust::with_authorities(pem).map_err(|cause| RelayError::Certificates { cause })?;
        Ok(self)
    }

    /// Whether mail given to it stays on this machine. The name `localhost` is held to it when connecting.
    pub fn is_loopback(&self) -> bool {
        match self.host.parse::<IpAddr>() {
            Ok(ip) => ip.is_loopback(),
            Err(_) => self.host == "localhost",
        }
    }

    /// The relay's host: a name, or an address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The relay's port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How the connection is protected.
    pub fn security(&self) -> Security {
        self.security
    }
}

/// The URL without credentials; fit for logs.
impl fmt::Display for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.security {
            Security::Clear => "smtp",
            Security::StartTls => "smtp+starttls",
            Security::Implicit => "smtps",
        };
        match self.host.contains(':') {
            true => write!(f, "{scheme}://[{}]:{}", self.host, self.port),
            false => write!(f, "{scheme}://{}:{}", self.host, self.port),
        }
    }
}

/// A host name in A-labels, or an address without brackets.
fn host(found: &str) -> Option<String> {
    let decoded = percent_decode(found)?;
    if let Some(v6) = decoded.strip_prefix('[') {
        return Some(v6.strip_suffix(']')?.to_owned());
    }
    let ascii = idna::domain_to_ascii(&decoded).ok()?;
    let good = !ascii.is_empty()
        && ascii
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b));
    good.then_some(ascii)
}

fn percent_decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        if b != b'%' {
            out.push(b);
            continue;
        }
        let digits = [bytes.next()?, bytes.next()?];
        let digits = std::str::from_utf8(&digits).ok()?;
        out.push(u8::from_str_radix(digits, 16).ok()?);
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: &str) {
        let found = match Relay::parse(url) {
            Ok(relay) => relay.to_string(),
            Err(error) => error.to_string(),
        };
        assert!(found.starts_with(expected), "{url}: {found}");
    }

    #[test]
    fn reads_urls() {
        check("smtp://127.0.0.1:2525", "smtp://127.0.0.1:2525");
        check("smtp://127.0.0.1:2525/", "smtp://127.0.0.1:2525");
        check("smtp://relay.example", "smtp://relay.example:25");
        check(
            "smtp+starttls://relay.example",
            "smtp+starttls://relay.example:587",
        );
        check("smtps://relay.example", "smtps://relay.example:465");
        check("smtp://[::1]:25", "smtp://[::1]:25");
        check("smtps://u:p@RELAY.example", "smtps://relay.example:465");
        check("http://relay.example", "expected smtp://");
        check("relay.example", "expected a URL");
        check("smtp://", "expected the relay's host");
        check("smtp://relay.example/path", "expected nothing after host");
        check("smtp://relay.example?x=1", "expected nothing after host");
        check(
            "smtps://user@relay.example",
            "expected both a user and a password",
        );
        check("smtps://u:%0d%0aRSET@relay.example", "expected both a user");
        check(
            "smtp://u:p@relay.example",
            "expected TLS for a relay with a password",
        );
        check("smtp://u:p@127.0.0.1", "smtp://127.0.0.1:25");
    }

    #[test]
    fn shows_no_password() {
        let relay = Relay::parse("smtps://mara%40shop:s3cr%3At@relay.example").unwrap();
        let credentials = relay.credentials.as_ref().unwrap();
        assert_eq!(credentials.user, "mara@shop");
        assert_eq!(credentials.password, "s3cr:t");
        let shown = format!("{relay:?} {relay}");
        assert!(
            !shown.contains("s3cr") && !shown.contains("mara"),
            "{shown}"
        );
        let error = Relay::parse("smtp://ann:s3cret@relay.example").unwrap_err();
        assert!(!format!("{error:?} {error}").contains("s3cret"));
    }

    #[test]
    fn knows_this_machine() {
        for (url, expected) in [
            ("smtp://127.0.0.1", true),
            ("smtp://127.9.9.9", true),
            ("smtp://[::1]", true),
            ("smtp://localhost", true),
            ("smtp://LOCALHOST", true),
            ("smtp://localhost.example", false),
            ("smtp://10.0.0.1", false),
        ] {
            assert_eq!(Relay::parse(url).unwrap().is_loopback(), expected, "{url}");
        }
    }

    #[test]
    fn greets_with_a_host_name_only() {
        let relay = Relay::parse("smtp://127.0.0.1").unwrap();
        assert!(relay.clone().with_helo("shop.example").is_ok());
        assert!(relay.clone().with_helo("[192.0.2.1]").is_ok());
        assert!(relay.clone().with_helo("a\r\nMAIL").is_err());
        assert!(relay.with_helo("").is_err());
    }
}
