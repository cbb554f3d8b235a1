//! `[intake.brokers.NAME]`: a message broker that events are read from. The scheme of the
//! address says which sort of broker it is. Nothing here connects to it.

use super::meant::{Reader, without_password};
use super::raw::{Given, variable_of};
use super::sources::Keys;
use super::{Secret, Source};
use crate::model::nearest::nearest;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::Url;

/// The consumer group, where nothing is said.
pub const GROUP: &str = "aftercare";
/// Messages that are taken in one commit, where nothing is said.
pub const BATCH: usize = 1000;
/// Most messages in one commit.
pub const MAX_BATCH: usize = 10_000;
/// How long a message may stay with a process that says nothing before another process
/// is given it, where nothing is said. JetStream's own default.
pub const REDELIVER_AFTER: Duration = Duration::from_secs(30);
/// Most servers of one cluster that may be named.
const MAX_SERVERS: usize = 16;
/// Longest name of a stream, a queue, a topic or a group.
const MAX_NAME: usize = 250;

/// A sort of broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BrokerKind {
    /// NATS JetStream.
    Nats,
    /// Redis Streams, and what speaks as Redis does (Valkey).
    Redis,
    /// AMQP 0.9.1: RabbitMQ.
    Amqp,
    /// Kafka, and what speaks as Kafka does (Redpanda).
    Kafka,
}

impl BrokerKind {
    /// All there are.
    pub const ALL: [BrokerKind; 4] = [
        BrokerKind::Nats,
        BrokerKind::Redis,
        BrokerKind::Amqp,
        BrokerKind::Kafka,
    ];

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            BrokerKind::Nats => "NATS JetStream",
            BrokerKind::Redis => "Redis Streams",
            BrokerKind::Amqp => "AMQP 0.9.1",
            BrokerKind::Kafka => "Kafka",
        }
    }

    /// The feature of the program's build that it needs.
    pub fn feature(self) -> &'static str {
        match self {
            BrokerKind::Nats => "nats",
            BrokerKind::Redis => "redis",
            BrokerKind::Amqp => "amqp",
            BrokerKind::Kafka => "kafka",
        }
    }

    /// The schemes of its addresses: in the clear, and with TLS.
    pub fn schemes(self) -> [&'static str; 2] {
        match self {
            BrokerKind::Nats => ["nats", "tls"],
            BrokerKind::Redis => ["redis", "rediss"],
            BrokerKind::Amqp => ["amqp", "amqps"],
            BrokerKind::Kafka => ["kafka", "kafkas"],
        }
    }

    /// The key that names what is read from.
    pub fn reads(self) -> &'static str {
        match self {
            BrokerKind::Nats | BrokerKind::Redis => "stream",
            BrokerKind::Amqp => "queue",
            BrokerKind::Kafka => "topic",
        }
    }

    /// Keys that mean something for it beside those of every broker.
    fn own_keys(self) -> &'static [&'static str] {
        match self {
            BrokerKind::Nats => &["subject", "credentials_file", "redeliver_after"],
            BrokerKind::Redis => &["field", "redeliver_after"],
            BrokerKind::Amqp => &["redeliver_after"],
            BrokerKind::Kafka => &["mechanism", "redeliver_after"],
        }
    }
}

/// How a user of Kafka proves its password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SaslMechanism {
    /// It is shown, so the connection should be one with TLS.
    Plain,
    ScramSha256,
    #[default]
    ScramSha512,
}

impl SaslMechanism {
    const ALL: [SaslMechanism; 3] = [
        SaslMechanism::Plain,
        SaslMechanism::ScramSha256,
        SaslMechanism::ScramSha512,
    ];

    /// Its name, as Kafka has it.
    pub fn as_str(self) -> &'static str {
        match self {
            SaslMechanism::Plain => "PLAIN",
            SaslMechanism::ScramSha256 => "SCRAM-SHA-256",
            SaslMechanism::ScramSha512 => "SCRAM-SHA-512",
        }
    }

    fn of(text: &str) -> Option<SaslMechanism> {
        let is = |one: &SaslMechanism| one.as_str().eq_ignore_ascii_case(text);
        SaslMechanism::ALL.into_iter().find(is)
    }
}

/// Keys that do not mean something for every broker.
const SOME: [&str; 8] = [
    "stream",
    "queue",
    "topic",
    "subject",
    "field",
    "credentials_file",
    "redeliver_after",
    "mechanism",
];

/// `[intake.brokers.NAME]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Broker {
    pub name: String,
    pub kind: BrokerKind,
    /// Where it is: one address, or several of one cluster. They may hold a password.
    pub servers: Vec<String>,
    pub user: Option<String>,
    pub password: Option<Secret>,
    /// The text of a file of credentials (NATS).
    pub credentials: Option<Secret>,
    /// A PEM file of further certificate authorities.
    pub ca_file: Option<PathBuf>,
    /// The stream, queue or topic that is read.
    pub reads: String,
    /// Only messages under this subject (NATS); wildcards may stand in it.
    pub subject: Option<String>,
    /// The field of an entry that holds the body (Redis).
    pub field: Option<String>,
    /// The consumer group: each message goes to one process of it.
    pub group: String,
    /// Messages that are taken in one commit at most.
    pub batch: usize,
    /// Largest body, in bytes; unset, the door's own.
    pub max_body: Option<usize>,
    /// Deepest nesting of the JSON.
    pub max_depth: Option<usize>,
    /// How long a message may stay with a process that says nothing.
    pub redeliver_after: Duration,
    /// How the user proves its password (Kafka).
    pub mechanism: SaslMechanism,
    /// The source of `[intake.sources]` whose adapter reads the messages; unset, they are
    /// canonical events.
    pub source: Option<String>,
}

/// Addresses may hold a password.
impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("servers", &self.shown())
            .field("reads", &self.reads)
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}

impl Broker {
    /// A broker with everything else as it is where the configuration does not say.
    pub fn new(name: &str, kind: BrokerKind, servers: Vec<String>, reads: &str) -> Broker {
        Broker {
            name: name.to_owned(),
            kind,
            servers,
            user: None,
            password: None,
            credentials: None,
            ca_file: None,
            reads: reads.to_owned(),
            subject: None,
            field: None,
            group: GROUP.to_owned(),
            batch: BATCH,
            max_body: None,
            max_depth: None,
            redeliver_after: REDELIVER_AFTER,
            mechanism: SaslMechanism::default(),
            source: None,
        }
    }

    /// Its addresses as they may be shown.
    pub fn shown(&self) -> String {
        let servers: Vec<String> = self
            .servers
            .iter()
            .map(|server| without_password(server))
            .collect();
        servers.join(",")
    }
}

impl<O: FnMut(&Path) -> Result<String, String>> Reader<'_, O> {
    pub(super) fn brokers(&mut self, sources: &[Source]) -> Vec<Broker> {
        let all = std::mem::take(&mut self.raw.brokers);
        all.iter()
            .filter_map(|(name, (at, keys))| self.broker(name, at, keys, sources))
            .collect()
    }

    fn broker(
        &mut self,
        name: &str,
        at: &Given,
        keys: &Keys,
        sources: &[Source],
    ) -> Option<Broker> {
        let section = format!("intake.brokers.{name}");
        let address = self.address(at, keys, &section);
        let kind = address.as_ref().map(|(kind, _)| *kind);
        if let Some(kind) = kind {
            self.only_its_own(keys, &section, kind);
        }
        let reads = kind.and_then(|kind| self.reads(at, keys, &section, kind));
        let mut named = |key: &'static str| {
            let wanted = format!("a name of {MAX_NAME} characters at most, without spaces");
            self.of(keys, &section, key, &wanted, |text| {
                let plain = (1..=MAX_NAME).contains(&text.len())
                    && !text.chars().any(|c| c.is_control() || c.is_whitespace());
                plain.then(|| text.to_owned())
            })
        };
        let (subject, field, group) = (named("subject"), named("field"), named("group"));
        let batch = self.of_number(keys, &section, "batch", 1, MAX_BATCH);
        let max_body = self.of_number(keys, &section, "max_body", 1024, super::meant::MAX_BODY);
        let max_depth = self.of_number(keys, &section, "max_depth", 8, super::meant::MAX_DEPTH);
        let redeliver_after = self.of(
            keys,
            &section,
            "redeliver_after",
            "a time such as \"30s\" or \"5min\", a second at least",
            |text| super::meant::wait(text).filter(|wait| *wait >= Duration::from_secs(1)),
        );
        let mechanism = self.of(
            keys,
            &section,
            "mechanism",
            "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
            SaslMechanism::of,
        );
        let user = keys
            .get("user")
            .map(|given| given.text.trim().to_owned())
            .filter(|user| !user.is_empty());
        let file = self.of_file(keys, &section, "password_file");
        let password = keys
            .get("password")
            .map(|given| given.text.clone())
            .or_else(|| file.map(|text| text.trim_end_matches(['\r', '\n']).to_owned()))
            .map(Secret);
        let credentials = self.of_file(keys, &section, "credentials_file").map(Secret);
        let ca_file = keys
            .get("ca_file")
            .map(|given| self.inside(given.text.trim()));
        let source = keys
            .get("source")
            .and_then(|given| self.source_of(given, &section, sources));
        let (kind, servers) = address?;
        Some(Broker {
            name: name.to_owned(),
            kind,
            servers,
            user,
            password,
            credentials,
            ca_file,
            reads: reads?,
            subject,
            field,
            group: group.unwrap_or_else(|| GROUP.to_owned()),
            batch: batch.unwrap_or(BATCH),
            max_body,
            max_depth,
            redeliver_after: redeliver_after.unwrap_or(REDELIVER_AFTER),
            mechanism: mechanism.unwrap_or_default(),
            source,
        })
    }

    /// Where it is, and so what it is.
    fn address(
        &mut self,
        at: &Given,
        keys: &Keys,
        section: &str,
    ) -> Option<(BrokerKind, Vec<String>)> {
        let Some(given) = keys.get("url") else {
            self.report(
                at.problem("E102", format!("`{section}` does not say where the broker is"))
                    .help("its messages are about orders, and nobody hears of them")
                    .help("set url = \"nats://127.0.0.1:4222\"; redis://, amqp:// and kafka:// are the others"),
            );
            return None;
        };
        let schemes: Vec<&str> = BrokerKind::ALL
            .iter()
            .flat_map(|kind| kind.schemes())
            .collect();
        let Some((kind, servers)) = servers(&given.text) else {
            let scheme = given.text.split(':').next().unwrap_or_default().trim();
            let near = nearest(scheme, schemes.iter().copied()).filter(|near| *near != scheme);
            let mut problem = given.problem("E186", format!("`{section}.url` names no broker"));
            if let Some(near) = near {
                problem = problem.help(format!("did you mean {near}://?"));
            }
            self.report(problem.help(format!(
                "write SCHEME://HOST:PORT, servers of one cluster with commas between them; SCHEME is one of {}",
                schemes.join(", ")
            )));
            return None;
        };
        let holds_password = |server: &String| {
            Url::parse(server).is_ok_and(|url| {
                url.password().is_some() || {
                    // NATS takes a token in the place of a user.
                    kind == BrokerKind::Nats && !url.username().is_empty()
                }
            })
        };
        if servers.iter().any(holds_password) && !given.is_of_environment() {
            self.report(
                given
                    .problem(
                        "E180",
                        format!("`{section}.url` holds a password, and this file may be in git"),
                    )
                    .help(format!(
                        "set {} instead, or name a file: {section}.password_file",
                        variable_of(&format!("{section}.password"))
                    )),
            );
        }
        Some((kind, servers))
    }

    /// Keys of other sorts of brokers would be passed over in silence.
    fn only_its_own(&mut self, keys: &Keys, section: &str, kind: BrokerKind) {
        for key in SOME {
            let Some(given) = keys.get(key) else {
                continue;
            };
            if key == kind.reads() || kind.own_keys().contains(&key) {
                continue;
            }
            let mut problem = given.problem(
                "E104",
                format!("`{section}.{key}` means nothing to {}", kind.name()),
            );
            if ["stream", "queue", "topic"].contains(&key) {
                problem = problem.help(format!("did you mean {}?", kind.reads()));
            }
            self.report(problem);
        }
    }

    fn reads(
        &mut self,
        at: &Given,
        keys: &Keys,
        section: &str,
        kind: BrokerKind,
    ) -> Option<String> {
        let key = kind.reads();
        if let Some(given) = keys.get(key) {
            let name = given.text.trim().to_owned();
            if (1..=MAX_NAME).contains(&name.len()) && !name.chars().any(char::is_control) {
                return Some(name);
            }
            self.report(given.problem("E186", format!("`{section}.{key}` wants a name")));
            return None;
        }
        // One of its brothers was given: that is told already.
        if !["stream", "queue", "topic"]
            .iter()
            .any(|key| keys.contains_key(key))
        {
            self.report(
                at.problem(
                    "E102",
                    format!("`{section}` does not say which {key} to read"),
                )
                .help("the messages of your shop wait there, and so do its customers")
                .help(format!("set {key} = \"orders\"")),
            );
        }
        None
    }

    fn source_of(&mut self, given: &Given, section: &str, sources: &[Source]) -> Option<String> {
        let name = given.text.trim();
        if sources.iter().any(|source| source.name == name) {
            return Some(name.to_owned());
        }
        let near = nearest(name, sources.iter().map(|source| source.name.as_str()));
        let mut problem = given.problem(
            "E188",
            format!(
                "`{section}.source`: no source is called \"{}\"",
                name.escape_debug()
            ),
        );
        if let Some(near) = near {
            problem = problem.help(format!("did you mean \"{near}\"?"));
        }
        self.report(
            problem
                .help("the source says whose deliveries they are; without it every message ends in quarantine, and customers hear nothing")
                .help("write [intake.sources.shopify], and name it here; or leave `source` out for canonical events"),
        );
        None
    }
}

/// The servers of an address, and their sort; `None` where it is none.
fn servers(text: &str) -> Option<(BrokerKind, Vec<String>)> {
    let mut all = Vec::new();
    let mut kind = None;
    let mut scheme = None;
    for part in text.split(',') {
        let part = part.trim();
        // The first one's scheme holds for those that name none.
        let whole = match (part.split_once("://"), &scheme) {
            (Some((own, _)), None) => {
                scheme = Some(own.to_owned());
                part.to_owned()
            }
            (Some((own, _)), Some(scheme)) if own == scheme => part.to_owned(),
            (None, Some(scheme)) => format!("{scheme}://{part}"),
            (Some(_), Some(_)) | (None, None) => return None,
        };
        let url = Url::parse(&whole).ok().filter(Url::has_host)?;
        kind = BrokerKind::ALL
            .into_iter()
            .find(|kind| kind.schemes().contains(&url.scheme()));
        kind?;
        all.push(whole);
    }
    (all.len() <= MAX_SERVERS).then_some((kind?, all))
}
