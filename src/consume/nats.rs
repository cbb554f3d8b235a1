//! NATS JetStream, through a durable pull consumer whose name is the group's: explicit
//! acknowledgements, and redelivery by the server once a message was held in silence for
//! `ack_wait`.
//!
//! The consumer is made where it is missing, from the beginning of the stream and without
//! a bound on deliveries: what cannot be used goes to quarantine, so nothing needs to be
//! given up by the server. One that is there is used as it is.

use super::session::{Broker, Delivery, Finding, Most, Session, Trouble};
use super::{ANSWER, Settings};
use crate::config::Secret;
use crate::ingest::adapters::Headers;
use crate::ingest::message::Message;
use async_nats::jetstream::consumer::{self, AckPolicy, Consumer, DeliverPolicy, pull};
use async_nats::jetstream::context::{Context, GetStreamErrorKind};
use async_nats::jetstream::stream::{self, DiscardPolicy, RetentionPolicy, StorageType, Stream};
use async_nats::jetstream::{self, ErrorCode};
use async_nats::{Client, ConnectOptions, Event};
use futures_util::StreamExt;
use std::future::Future;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The header that holds the producer's own id, by which JetStream itself knows repetitions.
const ID: &str = "nats-msg-id";
/// The header in which adapters find the subject.
const SUBJECT: &str = "x-nats-subject";
/// Batches that may be unacknowledged at once, over all processes of a group.
const BATCHES_PENDING: usize = 16;
/// The least messages that may be unacknowledged at once; the server's own default.
const LEAST_PENDING: usize = 1000;
/// How long messages should be kept at least, read or not.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// Replicas with which a message outlives one server.
const REPLICAS: usize = 3;

/// It is being worked on.
const IN_PROGRESS: &str = "+WPI";
/// It is done with.
const DONE: &str = "+ACK";
/// It was not taken.
const NOT_TAKEN: &str = "-NAK";

/// A NATS server or cluster.
pub(super) struct Nats {
    settings: Settings,
}

impl Nats {
    pub(super) fn new(settings: Settings) -> Nats {
        Nats { settings }
    }

    /// A connection, and what is cancelled when it is lost. The client could connect again
    /// by itself; it is not let, because the loop has to know.
    async fn open(&self) -> Result<(Client, CancellationToken), Trouble> {
        let settings = &self.settings;
        let unusable = |error| Trouble::new("the credentials for NATS cannot be used", error);
        let mut options = ConnectOptions::new()
            .name("aftercare")
            .connection_timeout(ANSWER)
            .request_timeout(Some(ANSWER))
            .max_reconnects(1);
        if let Some(credentials) = &settings.broker.credentials {
            options = options
                .credentials(credentials.reveal())
                .map_err(|error: std::io::Error| unusable(error))?;
        }
        options = match (&settings.broker.user, &settings.broker.password) {
            (Some(user), password) => {
                let password = password.as_ref().map(Secret::reveal).unwrap_or_default();
                options.user_and_password(user.clone(), password.to_owned())
            }
            (None, Some(token)) => options.token(token.reveal().to_owned()),
            (None, None) => options,
        };
        if let Some(path) = &settings.broker.ca_file {
            options = options.add_root_certificates(path.clone());
        }
        if settings
            .broker
            .servers
            .iter()
            .any(|server| server.starts_with("tls:"))
        {
            options = options.require_tls(true);
        }
        let lost = CancellationToken::new();
        let losing = lost.clone();
        options = options.event_callback(move |event| {
            let losing = losing.clone();
            async move {
                if matches!(event, Event::Disconnected | Event::Closed) {
                    losing.cancel();
                }
            }
        });
        let client = in_time(
            "NATS did not answer",
            options.connect(settings.broker.servers.as_slice()),
        )
        .await?
        .map_err(|error| Trouble::new("NATS cannot be reached", error))?;
        Ok((client, lost))
    }

    async fn stream(&self, context: &Context) -> Result<Stream, Trouble> {
        let name = &self.settings.broker.reads;
        context.get_stream(name).await.map_err(|error| {
            let is_missing = matches!(
                error.kind(),
                GetStreamErrorKind::JetStream(told) if told.error_code() == ErrorCode::STREAM_NOT_FOUND
            );
            if is_missing {
                let what = format!(
                    "there is no stream {name}: make it with `nats stream add {name} --subjects 'orders.>' --storage file --replicas 3`"
                );
                return Trouble::plain(what);
            }
            Trouble::new(format!("the stream {name} cannot be looked at"), error)
        })
    }

    /// What the group's consumer is to be like.
    fn wanted(&self) -> pull::Config {
        let settings = &self.settings;
        let pending = (settings.broker.batch * BATCHES_PENDING).max(LEAST_PENDING);
        pull::Config {
            durable_name: Some(settings.broker.group.clone()),
            description: Some("aftercare reads here".to_owned()),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            ack_wait: settings.broker.redeliver_after,
            max_ack_pending: i64::try_from(pending).unwrap_or(i64::MAX),
            filter_subject: settings.broker.subject.clone().unwrap_or_default(),
            ..pull::Config::default()
        }
    }
}

/// What takes no longer than an answer may.
async fn in_time<T>(what: &str, asked: impl Future<Output = T>) -> Result<T, Trouble> {
    tokio::time::timeout(ANSWER, asked)
        .await
        .map_err(|_| Trouble::plain(format!("{what} in {} s", ANSWER.as_secs())))
}

impl Broker for Nats {
    type Session = Pull;

    async fn connect(&self) -> Result<Pull, Trouble> {
        let (client, lost) = self.open().await?;
        let context = jetstream::new(client.clone());
        let stream = self.stream(&context).await?;
        let group = &self.settings.broker.group;
        let consumer = stream
            .get_or_create_consumer(group, self.wanted())
            .await
            .map_err(|error| Trouble::new(format!("the consumer {group} cannot be had"), error))?;
        Ok(Pull {
            client,
            consumer,
            lost,
        })
    }

    async fn inspect(&self) -> Result<Vec<Finding>, Trouble> {
        let (client, _) = self.open().await?;
        let context = jetstream::new(client);
        let stream = self.stream(&context).await?;
        let mut findings = of_stream(&stream.cached_info().config);
        // It may not be there yet; then it will be made as it should be.
        if let Ok(info) = stream.consumer_info(&self.settings.broker.group).await {
            findings.extend(self.of_consumer(&info.config));
        }
        Ok(findings)
    }
}

impl Nats {
    /// What about the group's consumer endangers messages.
    fn of_consumer(&self, config: &consumer::Config) -> Vec<Finding> {
        let settings = &self.settings;
        let (stream, group) = (&settings.broker.reads, &settings.broker.group);
        let edit = |what: &str| format!("nats consumer edit {stream} {group} {what}");
        let again = format!(
            "nats consumer rm {stream} {group}, and start aftercare: it makes it as it should be, and what was read before is known"
        );
        let mut findings = Vec::new();
        if config.ack_policy != AckPolicy::Explicit {
            findings.push(Finding::new(
                format!("the consumer {group} does not want each message acknowledged: what is in hand when a process dies is lost"),
                again.clone(),
            ));
        }
        if config.max_deliver > 0 {
            findings.push(Finding::new(
                format!(
                    "the consumer {group} gives a message up after {} deliveries: a database that is away for long loses it",
                    config.max_deliver
                ),
                edit("--max-deliver=-1"),
            ));
        }
        if config.memory_storage {
            findings.push(Finding::new(
                format!("the consumer {group} remembers in memory alone what was read"),
                again.clone(),
            ));
        }
        if config.filter_subject != settings.broker.subject.clone().unwrap_or_default() {
            findings.push(Finding::new(
                format!(
                    "the consumer {group} reads the subject {:?}, and the configuration says {:?}: it is the consumer's that counts",
                    config.filter_subject,
                    settings.broker.subject.as_deref().unwrap_or_default()
                ),
                format!("set intake.brokers.{}.subject to the same; or {again}", settings.name()),
            ));
        }
        if config.ack_wait < settings.broker.redeliver_after {
            findings.push(Finding::new(
                format!(
                    "the consumer {group} gives a message to another process after {} s, and the configuration says {} s",
                    config.ack_wait.as_secs(),
                    settings.broker.redeliver_after.as_secs()
                ),
                edit(&format!("--wait={}s", settings.broker.redeliver_after.as_secs())),
            ));
        }
        findings
    }
}

/// What about a stream endangers messages.
fn of_stream(config: &stream::Config) -> Vec<Finding> {
    let name = &config.name;
    let edit = |what: &str| format!("nats stream edit {name} {what}");
    let mut findings = Vec::new();
    if config.storage == StorageType::Memory {
        findings.push(Finding::new(
            format!("the stream {name} is kept in memory: a restart of NATS loses what was not read"),
            format!("make it anew with --storage file: the storage of a stream cannot be changed (`nats stream backup {name} DIR` keeps what is in it)"),
        ));
    } else if config.num_replicas < REPLICAS {
        findings.push(Finding::new(
            format!(
                "the stream {name} has {} replica(s): a power failure loses what NATS took and did not write yet, up to two minutes' worth unless the server's file says sync_interval: always (a client cannot see that)",
                config.num_replicas
            ),
            format!("{}, or jetstream {{ sync_interval: always }} in the server's file", edit("--replicas=3")),
        ));
    }
    if config.no_ack {
        findings.push(Finding::new(
            format!("the stream {name} does not tell producers that a message was stored (no_ack)"),
            "make it anew without --no-ack",
        ));
    }
    // With the other policies a message stays until it was read.
    if config.retention == RetentionPolicy::Limits {
        let bounds = [
            (config.max_bytes, "max-bytes"),
            (config.max_messages, "max-msgs"),
            (config.max_messages_per_subject, "max-msgs-per-subject"),
        ];
        for (_, option) in bounds.into_iter().filter(|(most, _)| *most > 0) {
            // With `new` the producer hears of it, except that each subject has a bound of its own.
            if config.discard == DiscardPolicy::Old {
                findings.push(Finding::new(
                    format!("the stream {name} throws its oldest messages away when it is full ({option}), read or not"),
                    edit("--discard=new, or bound it by age alone"),
                ));
                break;
            }
        }
    }
    if !config.max_age.is_zero() && config.max_age < KEPT {
        findings.push(Finding::new(
            format!(
                "the stream {name} throws messages away after {} h, read or not: an outage longer than that loses them",
                config.max_age.as_secs() / 3600
            ),
            edit("--max-age=30d"),
        ));
    }
    findings
}

/// One connection to a group's consumer.
pub(super) struct Pull {
    client: Client,
    consumer: Consumer<pull::Config>,
    /// Cancelled when the connection is.
    lost: CancellationToken,
}

/// Whether a request brought all it could, or has to be made in another way.
enum End {
    /// There is no more now.
    Done,
    /// The next message is larger than what was asked for.
    Larger,
}

impl Pull {
    /// Takes what a request brings. Each message may take as long as an answer may, beside
    /// the wait: the client itself waits for ever where the server says nothing.
    async fn take(
        &self,
        mut batch: pull::Batch,
        wait: Duration,
        found: &mut Vec<Delivery<String>>,
    ) -> Result<End, Trouble> {
        loop {
            let next = tokio::select! {
                biased;
                next = tokio::time::timeout(wait + ANSWER, batch.next()) => next,
                () = self.lost.cancelled() => return Err(lost()),
            };
            let next = next.map_err(|_| Trouble::plain("NATS sent no messages and no end"))?;
            match next {
                None => return Ok(End::Done),
                Some(Ok(message)) => found.extend(delivery(&message)?),
                Some(Err(error)) if error.to_string().contains("MaxBytes") => {
                    return Ok(End::Larger);
                }
                // What was brought so far is taken; the next fetch hears the same.
                Some(Err(_)) if !found.is_empty() => return Ok(End::Done),
                Some(Err(error)) => return Err(Trouble::new("messages cannot be had", error)),
            }
        }
    }

    async fn say(&self, receipts: &[String], what: &'static str) -> Result<(), Trouble> {
        if self.lost.is_cancelled() {
            return Err(lost());
        }
        for receipt in receipts {
            self.client
                .publish(receipt.clone(), what.into())
                .await
                .map_err(|error| Trouble::new("NATS takes no answers", error))?;
        }
        Ok(())
    }

    async fn flush(&self) -> Result<(), Trouble> {
        tokio::select! {
            biased;
            flushed = in_time("NATS took no answers", self.client.flush()) => {
                flushed?.map_err(|error| Trouble::new("NATS takes no answers", error))
            }
            () = self.lost.cancelled() => Err(lost()),
        }
    }
}

fn lost() -> Trouble {
    Trouble::plain("the connection to NATS is lost")
}

impl Session for Pull {
    /// The subject under which the server wants to hear what became of a message.
    type Receipt = String;

    async fn fetch(&mut self, most: Most) -> Result<Vec<Delivery<String>>, Trouble> {
        let unasked = |error| Trouble::new("messages cannot be asked for", error);
        let mut found = Vec::new();
        let there = self
            .consumer
            .fetch()
            .max_messages(most.messages)
            .max_bytes(most.bytes)
            .messages()
            .await
            .map_err(unasked)?;
        let mut end = self.take(there, Duration::ZERO, &mut found).await?;
        if found.is_empty() && matches!(end, End::Done) && !most.wait.is_zero() {
            // The first that comes: whatever comes with it is there by the next fetch.
            let first = self
                .consumer
                .batch()
                .max_messages(1)
                .max_bytes(most.bytes)
                .expires(most.wait)
                .messages()
                .await
                .map_err(unasked)?;
            end = self.take(first, most.wait, &mut found).await?;
        }
        if found.is_empty() && matches!(end, End::Larger) {
            // Larger than all that may be in hand: it is taken alone, and kept aside.
            let large = self.consumer.fetch().max_messages(1).messages().await;
            self.take(large.map_err(unasked)?, Duration::ZERO, &mut found)
                .await?;
        }
        Ok(found)
    }

    async fn hold(&mut self, receipts: &[String]) -> Result<(), Trouble> {
        if receipts.is_empty() {
            return Ok(());
        }
        self.say(receipts, IN_PROGRESS).await?;
        self.flush().await
    }

    async fn acknowledge(&mut self, mut receipts: Vec<String>) -> Result<(), Trouble> {
        let Some(last) = receipts.pop() else {
            return Ok(());
        };
        self.say(&receipts, DONE).await?;
        // The server answers the last one, so all of them have arrived.
        let heard = self.client.request(last, DONE.into());
        tokio::select! {
            biased;
            heard = in_time("NATS did not confirm", heard) => {
                heard?.map_err(|error| Trouble::new("NATS did not confirm", error))?;
                Ok(())
            }
            () = self.lost.cancelled() => Err(lost()),
        }
    }

    async fn release(&mut self, receipts: Vec<String>) -> Result<(), Trouble> {
        self.say(&receipts, NOT_TAKEN).await?;
        self.flush().await
    }

    async fn unread(&mut self) -> Result<Option<u64>, Trouble> {
        let asked = in_time(
            "NATS tells nothing of the consumer",
            self.consumer.get_info(),
        );
        let info = asked
            .await?
            .map_err(|error| Trouble::new("NATS tells nothing of the consumer", error))?;
        let in_hand = u64::try_from(info.num_ack_pending).unwrap_or(0);
        Ok(Some(info.num_pending + in_hand))
    }

    async fn close(self) {
        // What was said last is on its way; a lost connection has nothing more to send.
        if let Err(trouble) = self.flush().await {
            tracing::debug!(
                because = trouble.chain(),
                "NATS was left without a farewell"
            );
        }
    }
}

/// A message with what it takes to acknowledge it; none where it is none of JetStream's.
fn delivery(told: &jetstream::Message) -> Result<Option<Delivery<String>>, Trouble> {
    let Some(receipt) = &told.message.reply else {
        return Ok(None);
    };
    let info = told
        .info()
        .map_err(|error| Trouble::new("NATS tells nothing of a message", error))?;
    // A stream that is made anew counts from one again: the instant tells them apart.
    let published = info.published.unix_timestamp_nanos() / 1_000_000;
    let position = format!("{}/{}@{published}", info.stream, info.stream_sequence);
    let mut headers: Vec<(String, String)> = Vec::new();
    if let Some(told) = &told.message.headers {
        for (name, values) in told.iter() {
            let name: &str = name.as_ref();
            for value in values {
                headers.push((name.to_owned(), value.as_str().to_owned()));
            }
        }
    }
    headers.push((SUBJECT.to_owned(), told.message.subject.to_string()));
    let headers = Headers::new(headers);
    Ok(Some(Delivery {
        message: Message {
            id: headers.one(ID).map(str::to_owned),
            headers,
            body: told.message.payload.to_vec(),
            position: Some(position),
        },
        receipt: receipt.to_string(),
        redelivered: info.delivered > 1,
    }))
}
