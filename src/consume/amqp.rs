//! AMQP 0.9.1, as RabbitMQ speaks it: one queue, read by as many processes as like to. A
//! message is acknowledged after it is durable here; what was handed out and not
//! acknowledged when a connection breaks, the broker hands out again.
//!
//! A queue has no places that could be remembered, so facts are known again by their
//! names, and messages by the `message_id` of their producer where there is one. Nothing is
//! ever made here: no queue, no exchange, no binding.
//!
//! Start reading at [`Reader::fetch`].

mod queue;
mod table;

use super::session::{Broker, Delivery, Finding, Most, Session, Trouble};
use super::{ANSWER, IN_HAND, Settings};
use crate::ingest::adapters::Headers;
use crate::ingest::message::Message;
use futures_util::{FutureExt, StreamExt};
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
};
use lapin::tcp::OwnedTLSConfig;
use lapin::types::FieldTable;
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties, Consumer};
use std::collections::VecDeque;

/// Heartbeats in `redeliver_after`: the broker gives a connection up, and hands out its
/// messages anew, after two that it missed.
const HEARTBEATS: u64 = 2;
/// The longest time between two heartbeats, in seconds. RabbitMQ's own default.
const MAX_HEARTBEAT: u64 = 60;
/// What the broker adds to a message about how often it handed it out: it would make each
/// time another message of it.
const COUNTS: [&str; 2] = ["x-delivery-count", "x-acquired-count"];
/// Most messages that a broker hands out ahead: the protocol counts them in 16 bits.
const MAX_PREFETCH: usize = 0xffff;

/// A broker, and how to read a queue there.
pub(super) struct Amqp {
    settings: Settings,
}

impl Amqp {
    pub(super) fn new(settings: Settings) -> Amqp {
        Amqp { settings }
    }

    /// Connects to the first server that answers.
    async fn open(&self) -> Result<Connection, Trouble> {
        let certificates = match &self.settings.broker.ca_file {
            Some(file) => {
                let text = tokio::fs::read_to_string(file).await;
                Some(text.map_err(|error| {
                    Trouble::new(format!("{} cannot be read", file.display()), error)
                })?)
            }
            None => None,
        };
        let mut last = Trouble::plain("no server is named");
        for server in &self.settings.broker.servers {
            let connecting = self.open_at(server, certificates.clone());
            last = match tokio::time::timeout(ANSWER, connecting).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(trouble)) => trouble,
                Err(_) => Trouble::plain("the broker does not answer"),
            };
        }
        Err(last)
    }

    async fn open_at(
        &self,
        server: &str,
        certificates: Option<String>,
    ) -> Result<Connection, Trouble> {
        let address = address(&self.settings, server)?;
        let properties = ConnectionProperties::default()
            .with_connection_name(format!("aftercare {}", self.settings.name()).into());
        let tls = OwnedTLSConfig {
            cert_chain: certificates,
            ..OwnedTLSConfig::default()
        };
        let lost = |error: lapin::Error| Trouble::new("the broker cannot be connected to", error);
        let runtime = lapin::runtime::default_runtime().map_err(lost)?;
        Connection::connect_uri_with_config(address, properties, tls, runtime)
            .await
            .map_err(lost)
    }
}

impl Broker for Amqp {
    type Session = Reader;

    /// Begins to read the queue, which has to be there.
    async fn connect(&self) -> Result<Reader, Trouble> {
        let connection = self.open().await?;
        let queue = self.settings.broker.reads.as_str();
        let beginning = async {
            queue::count(&connection, queue).await?;
            let channel = connection.create_channel().await.map_err(lost)?;
            // The loop commits some while it fetches the next.
            let ahead = self
                .settings
                .broker
                .batch
                .saturating_mul(IN_HAND)
                .min(MAX_PREFETCH);
            let ahead = u16::try_from(ahead).unwrap_or(u16::MAX);
            channel
                .basic_qos(ahead, BasicQosOptions::default())
                .await
                .map_err(lost)?;
            // The broker thinks of a name for the consumer.
            let options = BasicConsumeOptions::default();
            let consumer = channel
                .basic_consume(queue.into(), "".into(), options, FieldTable::default())
                .await
                .map_err(lost)?;
            Ok((channel, consumer))
        };
        let (channel, consumer) = match tokio::time::timeout(ANSWER, beginning).await {
            Ok(begun) => begun?,
            Err(_) => return Err(Trouble::plain("the broker does not answer")),
        };
        Ok(Reader {
            channel,
            consumer,
            queue: queue.to_owned(),
            connection,
            ahead: VecDeque::new(),
            in_hand: 0,
            trouble: None,
        })
    }

    async fn inspect(&self) -> Result<Vec<Finding>, Trouble> {
        let connection = self.open().await?;
        let looking = queue::findings(&connection, &self.settings.broker.reads);
        let findings = tokio::time::timeout(ANSWER, looking).await;
        // What matters was told; the connection ends in any case.
        let _ = connection.close(200, "answered".into()).await;
        findings.map_err(|error| Trouble::new("the broker does not answer", error))?
    }
}

/// A consumer of the queue.
pub(super) struct Reader {
    connection: Connection,
    /// Where messages come in and acknowledgements go out.
    channel: Channel,
    consumer: Consumer,
    queue: String,
    /// Messages that came and were not fetched yet.
    ahead: VecDeque<Delivery<u64>>,
    /// Messages that were fetched and not acknowledged.
    in_hand: u64,
    /// What broke, to be told by the next fetch.
    trouble: Option<Trouble>,
}

impl Reader {
    /// Takes over what has come. It is in this process's memory in any case.
    fn gather(&mut self) {
        while self.trouble.is_none() {
            let Some(told) = self.consumer.next().now_or_never() else {
                break;
            };
            self.take(told);
        }
    }

    fn take(&mut self, told: Option<Result<lapin::message::Delivery, lapin::Error>>) {
        match told {
            Some(Ok(delivery)) => self.ahead.push_back(taken(delivery)),
            Some(Err(error)) => self.trouble = Some(lost(error)),
            None => {
                self.trouble = Some(Trouble::plain(format!(
                    "the broker ended the reading of the queue {}: it was deleted, or moved",
                    self.queue
                )));
            }
        }
    }
}

impl Session for Reader {
    type Receipt = u64;

    async fn fetch(&mut self, most: Most) -> Result<Vec<Delivery<u64>>, Trouble> {
        self.gather();
        if self.ahead.is_empty() && self.trouble.is_none() {
            // A message that comes just as the time is up stays in the client's queue.
            if let Ok(told) = tokio::time::timeout(most.wait, self.consumer.next()).await {
                self.take(told);
                self.gather();
            }
        }
        // With the connection what it handed out is void; it comes again.
        if let Some(trouble) = self.trouble.take() {
            return Err(trouble);
        }
        let mut held = 0;
        let mut batch = Vec::new();
        while batch.len() < most.messages && held < most.bytes {
            let Some(delivery) = self.ahead.pop_front() else {
                break;
            };
            held += delivery.message.body.len();
            batch.push(delivery);
        }
        self.in_hand += batch.len() as u64;
        Ok(batch)
    }

    /// The broker waits for half an hour (`consumer_timeout`), and then hands the messages
    /// out anew.
    async fn hold(&mut self, _receipts: &[u64]) -> Result<(), Trouble> {
        Ok(())
    }

    /// The broker confirms no acknowledgement: where one is lost with its connection, the
    /// messages come again.
    async fn acknowledge(&mut self, receipts: Vec<u64>) -> Result<(), Trouble> {
        let Some(last) = receipts.iter().max() else {
            return Ok(());
        };
        self.channel
            .basic_ack(*last, BasicAckOptions { multiple: true })
            .await
            .map_err(lost)?;
        self.in_hand = self.in_hand.saturating_sub(receipts.len() as u64);
        Ok(())
    }

    async fn release(&mut self, receipts: Vec<u64>) -> Result<(), Trouble> {
        let Some(last) = receipts.iter().max() else {
            return Ok(());
        };
        let all = BasicNackOptions {
            multiple: true,
            requeue: true,
        };
        self.channel.basic_nack(*last, all).await.map_err(lost)?;
        self.in_hand = self.in_hand.saturating_sub(receipts.len() as u64);
        Ok(())
    }

    /// What waits in the queue and what is in hand here; what other processes have in hand
    /// the broker does not tell.
    async fn unread(&mut self) -> Result<Option<u64>, Trouble> {
        let waiting = queue::count(&self.connection, &self.queue).await?;
        self.gather();
        Ok(Some(waiting + self.ahead.len() as u64 + self.in_hand))
    }

    /// Has nothing more handed out, and ends once what was acknowledged has gone out.
    async fn close(self) {
        let closing = async {
            let tag = self.consumer.tag();
            self.channel
                .basic_cancel(tag, BasicCancelOptions::default())
                .await?;
            self.connection.close(200, "the service ends".into()).await
        };
        if !matches!(tokio::time::timeout(ANSWER, closing).await, Ok(Ok(()))) {
            tracing::debug!(queue = self.queue, "the connection did not end in order");
        }
    }
}

/// Who to connect to, as whom.
fn address(settings: &Settings, server: &str) -> Result<AMQPUri, Trouble> {
    let mut address: AMQPUri = server
        .parse()
        .map_err(|error: String| Trouble::new("the address of the broker", error))?;
    // In an address a vhost is a path; `amqp://host/` and `amqp://host` both mean the first
    // one, whose own name is a slash.
    if address.vhost.is_empty() {
        address.vhost = "/".to_owned();
    }
    if address.query.heartbeat.is_none() {
        let seconds = settings.broker.redeliver_after.as_secs() / HEARTBEATS;
        address.query.heartbeat = u16::try_from(seconds.clamp(1, MAX_HEARTBEAT)).ok();
    }
    if let Some(user) = &settings.broker.user {
        address.authority.userinfo.username.clone_from(user);
    }
    if let Some(password) = &settings.broker.password {
        password
            .reveal()
            .clone_into(&mut address.authority.userinfo.password);
    }
    Ok(address)
}

fn lost(error: lapin::Error) -> Trouble {
    Trouble::new("the queue cannot be read", error)
}

/// A message as the broker handed it over.
fn taken(delivery: lapin::message::Delivery) -> Delivery<u64> {
    let properties = &delivery.properties;
    let mut headers: Vec<(String, String)> = Vec::new();
    if let Some(told) = properties.headers() {
        headers.extend(table::texts(told).filter(|(name, _)| !COUNTS.contains(&name.as_str())));
    }
    if let Some(media) = properties.content_type() {
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        headers.push(("content-type".to_owned(), media.to_string()));
    }
    Delivery {
        message: Message {
            id: properties.message_id().as_ref().map(ToString::to_string),
            headers: Headers::new(headers),
            body: delivery.data,
            // A queue has no places.
            position: None,
        },
        receipt: delivery.delivery_tag,
        redelivered: delivery.redelivered,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn an_address_says_who_and_where() {
        let told = |user: Option<&str>, server: &str| {
            let settings = Settings {
                broker: crate::config::Broker {
                    user: user.map(str::to_owned),
                    password: user.map(|_| crate::config::Secret::new("secret")),
                    ..crate::config::Broker::new(
                        "shop",
                        crate::config::BrokerKind::Amqp,
                        Vec::new(),
                        "orders",
                    )
                },
                reading: crate::ingest::message::Reading {
                    broker: "shop".to_owned(),
                    source: None,
                    max_body: 1024,
                    depth: 8,
                },
            };
            address(&settings, server).unwrap()
        };
        let plain = told(None, "amqp://rabbit.example.com");
        assert_eq!((plain.vhost.as_str(), plain.authority.port), ("/", 5672));
        assert_eq!(plain.query.heartbeat, Some(15));
        assert_eq!(told(None, "amqp://rabbit.example.com/").vhost, "/");
        let full = told(
            Some("shop"),
            "amqps://guest@rabbit.example.com:5999/shop%2fa?heartbeat=7",
        );
        assert_eq!((full.vhost.as_str(), full.authority.port), ("shop/a", 5999));
        let login = &full.authority.userinfo;
        assert_eq!(
            (login.username.as_str(), login.password.as_str()),
            ("shop", "secret")
        );
        assert_eq!(full.query.heartbeat, Some(7));
    }
}
