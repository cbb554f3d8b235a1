//! Kafka: one topic, read as a member of a consumer group. An offset is committed after
//! what lies before it is durable here, never earlier and never by the client on its own.
//!
//! What was read and not yet committed when a partition goes to another member is read
//! again there: facts are known by their names, so that does no harm. Nothing is ever
//! committed for a partition that went away in between, even if it came back.
//!
//! Start reading at [`Member::fetch`]; [`watch`] is what the client tells in between, and
//! [`promise`] what the topic's own settings say about the messages' safety.

mod promise;
mod watch;

use super::session::{Broker, Delivery, Finding, Most, Session, Trouble};
use super::{ANSWER, Settings};
use crate::config::SaslMechanism;
use crate::ingest::adapters::Headers;
use crate::ingest::message::{Message, percent_decode};
use futures_util::FutureExt;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::{Client, ClientContext, DefaultClientContext};
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use url::Url;
use watch::Watch;

/// Where a cluster listens unless it is told otherwise.
const PORT: u16 = 9092;
/// Heartbeats in the time after which a silent member's partitions go to others.
const HEARTBEATS: u32 = 3;
/// How long one commit of ours may take before the group takes the partitions away: the
/// messages are read again by somebody whose database answers.
const MAX_POLL: Duration = Duration::from_secs(300);
/// Messages that wait in memory, fetched ahead, in kilobytes.
const FETCHED_KILOBYTES: u32 = 16 << 10;

/// What is said of a cluster that cannot be read any longer.
const LOST: &str = "the cluster cannot be read";
/// What is said where the client refuses its settings.
const UNUSABLE: &str = "the Kafka client cannot be set up";
/// How long a question may take that is asked for advice alone.
const ASIDE: Duration = Duration::from_secs(3);
/// How often an empty look at the queue is repeated: news of the group lie in it as well.
const LOOKS: usize = 8;

/// The place of a message, until it is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    partition: i32,
    offset: i64,
    /// In which term it was read: see [`Watch::term`].
    term: u64,
}

/// A cluster, and how to join the group there.
pub(super) struct Kafka {
    settings: Settings,
}

impl Kafka {
    pub(super) fn new(settings: Settings) -> Kafka {
        Kafka { settings }
    }
}

impl Broker for Kafka {
    type Session = Member;

    /// Joins the group, once the cluster has answered for the topic.
    async fn connect(&self) -> Result<Member, Trouble> {
        let client = client(&self.settings)?;
        let consumer: StreamConsumer<Watch> = client
            .create_with_context(Watch::of(self.settings.name()))
            .map_err(|error| Trouble::new(UNUSABLE, error))?;
        let topic = self.settings.reads.clone();
        let member = Member {
            consumer: Some(Arc::new(consumer)),
            topic: topic.clone(),
            ahead: VecDeque::new(),
            trouble: None,
        };
        member
            .ask(move |consumer| copies(consumer.client(), &topic))
            .await?;
        member
            .consumer()?
            .subscribe(&[member.topic.as_str()])
            .map_err(|error| Trouble::new("the topic cannot be read", error))?;
        Ok(member)
    }

    async fn inspect(&self) -> Result<Vec<Finding>, Trouble> {
        let admin: AdminClient<DefaultClientContext> = client(&self.settings)?
            .create()
            .map_err(|error| Trouble::new(UNUSABLE, error))?;
        let topic = [ResourceSpecifier::Topic(&self.settings.reads)];
        let options = AdminOptions::new().request_timeout(Some(ASIDE));
        // Not every cluster shows them to everybody.
        let described = admin.describe_configs(&topic, &options).await;
        let told = described.unwrap_or_default().into_iter().flatten();
        let settings = told
            .flat_map(|resource| resource.entries)
            .filter(|entry| promise::ASKED.contains(&entry.name.as_str()))
            .filter_map(|entry| Some((entry.name, entry.value?)))
            .collect();
        let name = self.settings.reads.clone();
        let asking = tokio::task::spawn_blocking(move || {
            let copies = copies(admin.inner(), &name)?;
            Ok(promise::Topic {
                name,
                copies,
                settings,
            })
        });
        let topic: Result<promise::Topic, Trouble> = asking
            .await
            .map_err(|error| Trouble::new("a question was not asked", error))?;
        Ok(promise::findings(&topic?))
    }
}

/// The fewest copies that a partition of the topic has.
fn copies<C: ClientContext>(client: &Client<C>, topic: &str) -> Result<usize, Trouble> {
    let metadata = client
        .fetch_metadata(Some(topic), ANSWER)
        .map_err(|error| Trouble::new("the cluster does not answer", error))?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let known = found.filter(|found| found.error().is_none());
    let copies = known.map(|known| known.partitions().iter().map(|one| one.replicas().len()));
    copies.map(|copies| copies.min().unwrap_or(0)).ok_or_else(|| {
        Trouble::plain(format!(
            "there is no topic {topic}, or this user is not shown it: make it with `kafka-topics.sh --create --topic {topic} --replication-factor 3 --config min.insync.replicas=2`"
        ))
    })
}

/// A member of the group.
pub(super) struct Member {
    /// There until the group is left.
    consumer: Option<Arc<StreamConsumer<Watch>>>,
    topic: String,
    /// What came while nobody asked.
    ahead: VecDeque<Delivery<Place>>,
    /// What was told among the messages of a batch, to be judged after them.
    trouble: Option<Trouble>,
}

impl Member {
    fn consumer(&self) -> Result<&Arc<StreamConsumer<Watch>>, Trouble> {
        self.consumer
            .as_ref()
            .ok_or_else(|| Trouble::plain("the group was left"))
    }

    /// Runs what waits for the cluster's answer where it holds up nobody.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&StreamConsumer<Watch>) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, Trouble> {
        let consumer = Arc::clone(self.consumer()?);
        tokio::task::spawn_blocking(move || question(&consumer))
            .await
            .map_err(|error| Trouble::new("a question was not asked", error))?
    }

    /// Judges what came out of the queue. Whether it was a message.
    fn take(&mut self, told: Result<Delivery<Place>, KafkaError>) -> bool {
        match told {
            Ok(delivery) => {
                self.ahead.push_back(delivery);
                true
            }
            Err(error) => {
                self.trouble = judge(error);
                false
            }
        }
    }

    /// Waits for a message.
    async fn one(&mut self) -> Result<bool, Trouble> {
        let consumer = Arc::clone(self.consumer()?);
        let told = consumer.recv().await;
        let told = told.map(|message| taken(&self.topic, &consumer, &message));
        Ok(self.take(told))
    }

    /// Takes a message that is there.
    fn one_ready(&mut self) -> Result<bool, Trouble> {
        let consumer = Arc::clone(self.consumer()?);
        for _ in 0..LOOKS {
            if let Some(told) = consumer.recv().now_or_never() {
                let told = told.map(|message| taken(&self.topic, &consumer, &message));
                return Ok(self.take(told));
            }
        }
        Ok(false)
    }
}

impl Session for Member {
    type Receipt = Place;

    async fn fetch(&mut self, most: Most) -> Result<Vec<Delivery<Place>>, Trouble> {
        if self.trouble.is_none() && self.ahead.is_empty() && !self.one_ready()? {
            // A message that comes just as the time is up stays in the client's queue.
            let _ = tokio::time::timeout(most.wait, self.one()).await;
        }
        let mut held = 0;
        let mut batch = Vec::new();
        while batch.len() < most.messages && held < most.bytes {
            let is_there =
                !self.ahead.is_empty() || (self.trouble.is_none() && self.one_ready()?);
            let Some(delivery) = self.ahead.pop_front().filter(|_| is_there) else {
                break;
            };
            held += delivery.message.body.len();
            batch.push(delivery);
        }
        // What was read before partitions went away is somebody else's by now.
        let term = self.consumer()?.context().term();
        batch.retain(|delivery| delivery.receipt.term == term);
        self.ahead.retain(|delivery| delivery.receipt.term == term);
        match self.trouble.take() {
            // What was read before it is good.
            Some(trouble) if batch.is_empty() => Err(trouble),
            trouble => {
                self.trouble = trouble;
                Ok(batch)
            }
        }
    }

    /// A member that asks for nothing for a while counts as stuck, so it asks: news of the
    /// group are heard, and a message that comes of it waits for the next fetch.
    async fn hold(&mut self, _receipts: &[Place]) -> Result<(), Trouble> {
        if self.trouble.is_none() {
            self.one_ready()?;
        }
        Ok(())
    }

    /// Has the offsets behind what is durable committed. Nothing waits for the cluster's
    /// answer: a later commit covers one that failed.
    async fn acknowledge(&mut self, receipts: Vec<Place>) -> Result<(), Trouble> {
        let consumer = self.consumer()?;
        let ours = consumer.context().term();
        let offsets = behind(&self.topic, &receipts, ours)
            .map_err(|error| Trouble::new("offsets cannot be told", error))?;
        if offsets.count() == 0 {
            return Ok(());
        }
        consumer
            .commit(&offsets, CommitMode::Async)
            .map_err(|error| Trouble::new("offsets cannot be committed", error))
    }

    /// They were not committed, so whoever gets the partition reads them.
    async fn release(&mut self, _receipts: Vec<Place>) -> Result<(), Trouble> {
        Ok(())
    }

    /// Messages of the partitions that this member has: over all members, those of the group.
    async fn unread(&mut self) -> Result<Option<u64>, Trouble> {
        let topic = self.topic.clone();
        let counting = self.ask(move |consumer| {
            let unknown = |error: KafkaError| Trouble::new("what is unread is not told", error);
            let committed = consumer.committed(ANSWER).map_err(unknown)?;
            let mut lag = Lag::default();
            for one in committed.elements_for_topic(&topic) {
                let (low, high) = consumer
                    .fetch_watermarks(&topic, one.partition(), ANSWER)
                    .map_err(unknown)?;
                let next = one.offset().to_raw().filter(|offset| *offset >= 0);
                lag.add(low, high, next);
            }
            Ok(lag)
        });
        let lag = match counting.await {
            Ok(lag) => lag,
            // As while partitions move; whether the cluster can be read, shows in reading.
            Err(trouble) => {
                tracing::debug!(
                    topic = self.topic,
                    because = trouble.chain(),
                    "the lag is not known"
                );
                return Ok(None);
            }
        };
        if lag.dropped > 0 {
            tracing::error!(
                topic = self.topic,
                messages = lag.dropped,
                "the topic dropped messages before they were read: its retention is shorter than the backlog"
            );
        }
        Ok(Some(lag.waiting))
    }

    /// Leaves the group, after what was handed over for committing has gone out.
    async fn close(mut self) {
        let Some(consumer) = self.consumer.take() else {
            return;
        };
        let leaving = tokio::task::spawn_blocking(move || drop(consumer));
        // A cluster that does not answer finds out when the session's time is up.
        if tokio::time::timeout(ANSWER, leaving).await.is_err() {
            tracing::warn!(topic = self.topic, "the group could not be left in order");
        }
    }
}

impl Drop for Member {
    /// Leaving waits for the cluster, which must hold up nobody here.
    fn drop(&mut self) {
        if let Some(consumer) = self.consumer.take() {
            std::thread::spawn(move || drop(consumer));
        }
    }
}

fn taken(
    topic: &str,
    consumer: &StreamConsumer<Watch>,
    message: &BorrowedMessage<'_>,
) -> Delivery<Place> {
    let (partition, offset) = (message.partition(), message.offset());
    // A topic that was dropped and made anew counts from 0 again; the time tells the two
    // apart.
    let time = message.timestamp().to_millis().unwrap_or_default();
    let headers = message.headers().map(|headers| {
        headers.iter().map(|header| {
            let value = String::from_utf8_lossy(header.value.unwrap_or_default());
            (header.key.to_owned(), value.into_owned())
        })
    });
    Delivery {
        message: Message {
            headers: Headers::new(headers.into_iter().flatten()),
            body: message.payload().unwrap_or_default().to_vec(),
            id: None,
            position: Some(format!("{topic}/{partition}/{offset}@{time}")),
        },
        receipt: Place {
            partition,
            offset,
            term: consumer.context().term(),
        },
        // Kafka does not tell.
        redelivered: false,
    }
}

/// The offsets from which to read on, by partition, once these are durable. What was read
/// in an earlier term says nothing any more.
fn behind(topic: &str, places: &[Place], term: u64) -> Result<TopicPartitionList, KafkaError> {
    let mut next: BTreeMap<i32, i64> = BTreeMap::new();
    for place in places.iter().filter(|place| place.term == term) {
        let behind = next.entry(place.partition).or_default();
        *behind = (*behind).max(place.offset + 1);
    }
    let mut offsets = TopicPartitionList::with_capacity(next.len());
    for (partition, offset) in next {
        offsets.add_partition_offset(topic, partition, Offset::Offset(offset))?;
    }
    Ok(offsets)
}

/// How far behind a member is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lag {
    /// Messages that wait.
    pub waiting: u64,
    /// Messages that were dropped by the topic's retention before they were read.
    pub dropped: u64,
}

impl Lag {
    /// Counts one partition: its oldest offset, the one behind its newest, and the one that
    /// is read next, where any was committed.
    fn add(&mut self, low: i64, high: i64, next: Option<i64>) {
        let between = |from: i64, to: i64| u64::try_from(to.saturating_sub(from)).unwrap_or(0);
        let next = next.unwrap_or(low);
        self.waiting += between(next.max(low), high);
        self.dropped += between(next, low);
    }
}

/// How the client is set up. Everything that decides when a message counts as read is
/// said, whatever the defaults of a version may be.
fn client(settings: &Settings) -> Result<ClientConfig, Trouble> {
    let milliseconds = |time: Duration| time.as_millis().to_string();
    let mut client = ClientConfig::new();
    client
        .set("client.id", "aftercare")
        .set("group.id", &settings.group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("isolation.level", "read_committed")
        .set("allow.auto.create.topics", "false")
        .set("check.crcs", "true")
        .set("session.timeout.ms", milliseconds(settings.redeliver_after))
        .set(
            "heartbeat.interval.ms",
            milliseconds(settings.redeliver_after / HEARTBEATS),
        )
        .set(
            "max.poll.interval.ms",
            milliseconds(settings.redeliver_after.max(MAX_POLL)),
        )
        .set("queued.max.messages.kbytes", FETCHED_KILOBYTES.to_string())
        .set_log_level(RDKafkaLogLevel::Warning);
    let mut servers = Vec::new();
    let (mut user, mut password) = (settings.user.clone(), None);
    let mut with_tls = false;
    for server in &settings.servers {
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
    if settings.password.is_some() {
        password.clone_from(&settings.password);
    }
    let mechanism = settings.mechanism;
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
    if let (true, Some(file)) = (with_tls, &settings.ca_file) {
        client.set("ssl.ca.location", file.to_string_lossy());
    }
    Ok(client)
}

/// What to do about an error among the messages; `None`: the client mends it on its own.
fn judge(error: KafkaError) -> Option<Trouble> {
    use RDKafkaErrorCode as Code;
    let KafkaError::MessageConsumption(code) = error else {
        return Some(Trouble::new(LOST, error));
    };
    match code {
        // One connection of several, or a group that is forming: the client goes on.
        Code::BrokerTransportFailure
        | Code::Resolve
        | Code::OperationTimedOut
        | Code::PollExceeded
        | Code::RebalanceInProgress
        | Code::NotCoordinator
        | Code::CoordinatorLoadInProgress
        | Code::CoordinatorNotAvailable
        | Code::WaitingForCoordinator
        | Code::PartitionEOF => None,
        // The client would pass these messages over. Read from the last commit they are met
        // again, until a person decides: what is not understood is not lost in silence.
        Code::BadMessage
        | Code::BadCompression
        | Code::InvalidMessage
        | Code::NotImplemented
        | Code::MessageSizeTooLarge => Some(Trouble::plain(format!(
            "messages of the topic cannot be unpacked ({code}); they are asked for again and again, so that none is lost. To pass them over, stop every member of the group and move it with kafka-consumer-groups.sh --reset-offsets"
        ))),
        _ => Some(Trouble::new(LOST, error)),
    }
}
