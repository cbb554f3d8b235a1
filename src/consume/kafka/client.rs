//! How the client is set up: everything that decides when a message counts as read is
//! said, whatever the defaults of a version may be.

use super::super::Settings;
use super::super::session::Trouble;
use crate::config::SaslMechanism;
use crate::ingest::message::percent_decode;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use std::time::Duration;
use url::Url;

/// Where a cluster listens unless it is told otherwise.
const PORT: u16 = 9092;
/// The shortest time after which a silent member's partitions may go to others: what brokers
/// allow, unless they are told otherwise (`group.min.session.timeout.ms`).
const MIN_SESSION: Duration = Duration::from_secs(6);
/// Heartbeats in the time after which a silent member's partitions go to others.
const HEARTBEATS: u32 = 3;
/// How long one commit of ours may take before the group takes the partitions away: the
/// messages are read again by somebody whose database answers.
const MAX_POLL: Duration = Duration::from_secs(300);
/// Messages that wait in memory, fetched ahead, in kilobytes.
const FETCHED_KILOBYTES: u32 = 16 << 10;

/// The client's settings for a broker.
pub(super) fn client(settings: &Settings) -> Result<ClientConfig, Trouble> {
    let milliseconds = |time: Duration| time.as_millis().to_string();
    let session = settings.broker.redeliver_after.max(MIN_SESSION);
    let mut client = ClientConfig::new();
    client
        .set("client.id", "aftercare")
        .set("group.id", &settings.broker.group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("isolation.level", "read_committed")
        .set("allow.auto.create.topics", "false")
        .set("check.crcs", "true")
        .set("session.timeout.ms", milliseconds(session))
        .set("heartbeat.interval.ms", milliseconds(session / HEARTBEATS))
        .set("max.poll.interval.ms", milliseconds(session.max(MAX_POLL)))
        .set("queued.max.messages.kbytes", FETCHED_KILOBYTES.to_string())
        .set_log_level(RDKafkaLogLevel::Warning);
    let mut servers = Vec::new();
    let (mut user, mut password) = (settings.broker.user.clone(), None);
    let mut with_tls = false;
    for server in &settings.broker.servers {
        let url = Url::parse(server)
            .map_err(|error| Trouble::new("the address of the cluster", error))?;
        with_tls |= url.scheme() == "kafkas";
        let host = url.host_str().unwrap_or_default();
        servers.push(format!("{host}:{}", url.port().unwrap_or(PORT)));
        if !url.username().is_empty() {
            user = percent_decode(url.username());
            password = url.password().and_then(percent_decode);
        }
    }
    client.set("bootstrap.servers", servers.join(","));
    if let Some(given) = &settings.broker.password {
        password = Some(given.reveal().to_owned());
    }
    let mechanism = settings.broker.mechanism;
    let with_login = user.is_some();
    // The hashes of SCRAM come from the same library as TLS.
    let wants_openssl = with_tls || (with_login && mechanism != SaslMechanism::Plain);
    if wants_openssl && !cfg!(feature = "kafka-tls") {
        return Err(Trouble::plain(
            "this program was built without TLS and SCRAM for Kafka: build it with the feature kafka-tls",
        ));
    }
    client.set(
        "security.protocol",
        match (with_tls, with_login) {
            (false, false) => "plaintext",
            (false, true) => "sasl_plaintext",
            (true, false) => "ssl",
            (true, true) => "sasl_ssl",
        },
    );
    if let Some(user) = user {
        client
            .set("sasl.mechanism", mechanism.as_str())
            .set("sasl.username", user)
            .set("sasl.password", password.unwrap_or_default());
    }
    if let (true, Some(file)) = (with_tls, &settings.broker.ca_file) {
        client.set("ssl.ca.location", file.to_string_lossy());
    }
    Ok(client)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_client_is_set_up_so_that_nothing_counts_as_read_by_itself() {
        let mut told = told("kafka://one.example.com,kafka://two.example.com:9093");
        let made = client(&told).unwrap();
        let is = |key: &str, value: &str| assert_eq!(made.get(key), Some(value), "{key}");
        is(
            "bootstrap.servers",
            "one.example.com:9092,two.example.com:9093",
        );
        is("enable.auto.commit", "false");
        is("enable.auto.offset.store", "false");
        is("auto.offset.reset", "earliest");
        is("isolation.level", "read_committed");
        is("security.protocol", "plaintext");
        is("session.timeout.ms", "30000");
        told.broker.user = Some("shop".to_owned());
        told.broker.password = Some(crate::config::Secret::new("secret"));
        told.broker.mechanism = SaslMechanism::Plain;
        let made = client(&told).unwrap();
        assert_eq!(made.get("security.protocol"), Some("sasl_plaintext"));
        assert_eq!(made.get("sasl.mechanism"), Some("PLAIN"));
        told.broker.mechanism = SaslMechanism::ScramSha512;
        let with_scram = client(&told);
        assert_eq!(with_scram.is_ok(), cfg!(feature = "kafka-tls"));
        told.broker.servers = vec!["kafkas://one.example.com".to_owned()];
        match client(&told) {
            Ok(made) => assert_eq!(made.get("security.protocol"), Some("sasl_ssl")),
            Err(trouble) => assert!(trouble.to_string().contains("kafka-tls")),
        }
    }

    fn told(servers: &str) -> Settings {
        Settings {
            broker: crate::config::Broker::new(
                "shop",
                crate::config::BrokerKind::Kafka,
                servers.split(',').map(str::to_owned).collect(),
                "orders",
            ),
            reading: crate::ingest::message::Reading {
                broker: "shop".to_owned(),
                source: None,
                max_body: 1024,
                depth: 8,
            },
        }
    }
}
