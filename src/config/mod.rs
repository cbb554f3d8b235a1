//! `config/aftercare.toml` and its environment: what the service itself is told. Raw
//! values first ([`raw`]), then what they mean ([`meant`]). Nothing here opens a file or
//! asks the process for its environment: both are handed in.

mod api;
mod brokers;
mod meant;
mod raw;
mod sources;

pub use api::{POLL, POLL_BACK};
pub use brokers::{BATCH, Broker, BrokerKind, GROUP, MAX_BATCH, REDELIVER_AFTER, SaslMechanism};
pub use meant::{is_this_machine, read};
pub use raw::{BROKER_KEYS, KEYS, SOURCE_KEYS};
pub use sources::MAX_SOURCE_SECRETS;

use crate::model::platform::Platform;
use crate::model::time::Timestamp;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Connections to the relay, where nothing is said.
pub const CONNECTIONS: usize = 16;

/// The service's configuration, complete, with paths that can be opened.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where the service keeps what is its own.
    pub data_dir: PathBuf,
    /// The key that lets this install send.
    pub arming_key_file: PathBuf,
    /// The key that signs links; unset, the database keeps one.
    pub secret_file: Option<PathBuf>,
    pub database: Database,
    pub http: Http,
    pub smtp: Smtp,
    /// `[intake.events]`; without it `POST /events` is not served.
    pub intake: Option<Intake>,
    /// `[intake.sources.…]`: who delivers to `POST /hooks/…`, by name.
    pub sources: Vec<Source>,
    pub journal: Journal,
    /// `[intake.brokers.…]`: message brokers that events are read from, by name.
    pub brokers: Vec<Broker>,
    pub mailer: Mailer,
    /// The rehearsal clock; unset, the real one.
    pub clock: Option<Rehearsal>,
    pub log: Log,
    pub alerts: Alerts,
}

/// `[alerts]`: who is told what an operator has to hear of.
#[derive(Debug, Clone, PartialEq)]
pub struct Alerts {
    /// The operator's address.
    pub mail: Option<String>,
    /// Where they are posted.
    pub webhook: Option<String>,
    /// What signs them; checked where the service starts.
    pub webhook_secret: Option<Secret>,
    /// So many deliveries more in quarantine are an alert.
    pub quarantine: i64,
}

impl Default for Alerts {
    fn default() -> Self {
        Alerts {
            mail: None,
            webhook: None,
            webhook_secret: None,
            quarantine: QUARANTINE,
        }
    }
}

/// How many deliveries more in quarantine are an alert, where nothing is said.
pub const QUARANTINE: i64 = 10;

/// `[database]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Database {
    /// `sqlite:PATH` or `postgres://…`.
    pub url: String,
}

/// The address may hold a password.
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.url.split(':').next().unwrap_or_default();
        write!(f, "Database({scheme}:***)")
    }
}

/// `[http]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    pub listen: SocketAddr,
    /// Where links in mails point; no slash at its end.
    pub public_url: String,
}

/// `[smtp]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Smtp {
    /// `capture`, or `smtp://`, `smtp+starttls://` or `smtps://` with a host.
    pub url: String,
    /// User and password that came apart from the URL.
    pub credentials: Option<Credentials>,
    /// Connections held open to the relay at once, at most.
    pub connections: usize,
    /// The envelope sender; unset, the From of the mail.
    pub bounce_address: Option<String>,
    /// What to call ourselves in EHLO.
    pub helo: Option<String>,
    /// A PEM file of further certificate authorities.
    pub ca_file: Option<PathBuf>,
    pub timeouts: Timeouts,
}

/// The address may hold a password.
impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smtp")
            .field("url", &meant::without_password(&self.url))
            .field("credentials", &self.credentials)
            .field("connections", &self.connections)
            .field("bounce_address", &self.bounce_address)
            .field("helo", &self.helo)
            .field("ca_file", &self.ca_file)
            .field("timeouts", &self.timeouts)
            .finish()
    }
}

impl Smtp {
    /// Whether mails are kept and shown instead of being sent.
    pub fn is_capture(&self) -> bool {
        self.url == CAPTURE
    }
}

/// The `smtp.url` that keeps mails in the data folder.
pub const CAPTURE: &str = "capture";

/// How somebody logs in.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub user: String,
    pub password: Secret,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself, for whom it is meant.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// `[smtp.timeouts]`: the steps of the conversation whose limits differ from the
/// session's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    missing_docs,
    reason = "each is the limit of the step it is named after"
)]
pub struct Timeouts {
    pub connect: Option<Duration>,
    pub tls: Option<Duration>,
    pub banner: Option<Duration>,
    pub ehlo: Option<Duration>,
    pub starttls: Option<Duration>,
    pub auth: Option<Duration>,
    pub mail: Option<Duration>,
    pub rcpt: Option<Duration>,
    pub data: Option<Duration>,
    pub block: Option<Duration>,
    pub body: Option<Duration>,
    pub dot: Option<Duration>,
    pub reset: Option<Duration>,
    pub quit: Option<Duration>,
}

/// `[intake.events]`. Limits that are unset are the door's own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Intake {
    /// Take events without a signature; only ever true on a loopback address.
    pub unsigned: bool,
    /// Standard Webhooks secrets, `whsec_` and base64.
    pub secrets: Vec<Secret>,
    /// Largest body, in bytes.
    pub max_body: Option<usize>,
    /// Deepest nesting of the JSON.
    pub max_depth: Option<usize>,
    /// How long a request may take to arrive.
    pub read_timeout: Option<Duration>,
    /// How far a signature's time may lie from ours, either way.
    pub signature_window: Option<Duration>,
    /// Deliveries a second that may come for long.
    pub rate: Option<u32>,
    /// Deliveries that may come at once beyond that.
    pub burst: Option<u32>,
}

/// `[intake.journal]`: where deliveries are kept that the database cannot take now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Journal {
    /// Bytes that it may hold.
    pub max: Option<u64>,
}

/// `[intake.sources.NAME]`. What is unset is the door's own, or what the platform says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name in the address: `POST /hooks/NAME`.
    pub name: String,
    pub platform: Platform,
    /// The `source` of its events.
    pub origin: Option<String>,
    /// Take deliveries without proof of who sends; only ever true on a loopback address.
    pub unsigned: bool,
    /// As they were entered at the platform.
    pub secrets: Vec<Secret>,
    /// The public keys of a platform that signs with a private one: the text of a JSON Web
    /// Key Set, or PEM.
    pub public_keys: Option<String>,
    /// Where the platform publishes them.
    pub keys_url: Option<String>,
    /// Largest body, in bytes.
    pub max_body: Option<usize>,
    /// Deepest nesting of the JSON.
    pub max_depth: Option<usize>,
    /// How long a request may take to arrive.
    pub read_timeout: Option<Duration>,
    /// How far a signed time may lie from ours, either way.
    pub signature_window: Option<Duration>,
    /// Deliveries a second that may come for long.
    pub rate: Option<u32>,
    /// Deliveries that may come at once beyond that.
    pub burst: Option<u32>,
    /// Where the shop's pages are; no slash at its end.
    pub storefront: Option<String>,
    /// The currency of prices that name none.
    pub currency: Option<String>,
    /// The zone (IANA) of times that name none.
    pub time_zone: Option<String>,
    /// Statuses of orders that mean "handed to the carrier".
    pub dispatched: Vec<String>,
    /// Statuses of orders that mean "arrived".
    pub delivered: Vec<String>,
    /// The mapping of a shop of its own make: its path as it is written, and its text.
    pub mapping: Option<(String, String)>,
    /// How to ask the platform; `None`: nobody gave us a token.
    pub api: Option<Api>,
}

/// How to ask a platform's own interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// Where it is, without a slash at the end; `None` where neither configuration nor the
    /// platform says it.
    pub url: Option<String>,
    /// Who asks, where the platform wants a name beside the token.
    pub user: Option<String>,
    pub token: Secret,
    /// Which version of it to ask, where the platform has several at once.
    pub version: Option<String>,
    /// How often to ask for what deliveries may have lost; `None`: never.
    pub poll: Option<Duration>,
    /// How far back the first poll looks.
    pub poll_back: Duration,
}

impl Source {
    /// Whether anything could prove who sends to `POST /hooks/NAME`.
    pub fn can_prove(&self) -> bool {
        !self.secrets.is_empty() || self.public_keys.is_some() || self.keys_url.is_some()
    }
}

/// `[mailer]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mailer {
    /// Keep the text of each mail with its send.
    pub keep_bodies: bool,
    /// The host of Message-IDs; unset, that of the sender's address.
    pub message_id_domain: Option<String>,
}

/// `[clock]`: a rehearsal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rehearsal {
    pub start: Timestamp,
    /// Times faster than real time; above 0.
    pub speed: f64,
}

/// `[log]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Log {
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Why this configuration cannot serve, though commands may use it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unready {
    /// Intake is asked for, and nobody could deliver.
    #[error(
        "intake.events: expected a secret, found none\n\
         hint: set AFTERCARE_INTAKE__EVENTS__SECRETS, or intake.events.unsigned on a loopback address"
    )]
    NoSecrets,
    /// A source is there, and anybody could deliver in its name.
    #[error(
        "intake.sources.{name}: expected a secret, found none\n\
         hint: set AFTERCARE_INTAKE__SOURCES__{}__SECRETS, or intake.sources.{name}.unsigned on a loopback address",
        name.to_uppercase()
    )]
    NoSourceSecrets {
        /// Which one.
        name: String,
    },
}

/// What an empty file means, in the folder that is the current one.
impl Default for Config {
    fn default() -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 8025));
        Config {
            data_dir: PathBuf::from("data"),
            arming_key_file: PathBuf::from("data/arming.key"),
            secret_file: None,
            database: Database {
                url: "sqlite:data/aftercare.db".to_owned(),
            },
            http: Http {
                listen,
                public_url: format!("http://{listen}"),
            },
            smtp: Smtp {
                url: CAPTURE.to_owned(),
                credentials: None,
                connections: CONNECTIONS,
                bounce_address: None,
                helo: None,
                ca_file: None,
                timeouts: Timeouts::default(),
            },
            intake: None,
            sources: Vec::new(),
            journal: Journal::default(),
            brokers: Vec::new(),
            mailer: Mailer::default(),
            clock: None,
            log: Log::default(),
            alerts: Alerts::default(),
        }
    }
}

impl Config {
    /// Whether `serve` may start with it.
    ///
    /// # Errors
    /// Says what is missing, with a hint on the next line.
    pub fn ready_to_serve(&self) -> Result<(), Unready> {
        if let Some(intake) = &self.intake
            && !intake.unsigned
            && intake.secrets.is_empty()
        {
            return Err(Unready::NoSecrets);
        }
        let open = |source: &&Source| {
            !source.unsigned && !source.can_prove() && !self.comes_by_broker(&source.name)
        };
        match self.sources.iter().find(open) {
            Some(source) => Err(Unready::NoSourceSecrets {
                name: source.name.clone(),
            }),
            None => Ok(()),
        }
    }

    /// Whether a broker brings the deliveries of a source. Whoever may write to the broker
    /// is trusted, so such a source needs no secret.
    pub fn comes_by_broker(&self, source: &str) -> bool {
        let brings = |broker: &Broker| broker.source.as_deref() == Some(source);
        self.brokers.iter().any(brings)
    }
}

#[cfg(test)]
mod tests;
