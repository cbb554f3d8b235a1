//! Kafka: one topic, read as a member of a consumer group. An offset is committed after
//! what lies before it is durable here, never earlier and never by the client on its own.
//!
//! What was read and not yet committed when a partition goes to another member is read
//! again there: facts are known by their names, so that does no harm. Nothing is ever
//! committed for a partition that went away in between, even if it came back.
//!
//! Start reading at [`Member::fetch`]. [`client`] is how the client is set up, [`watch`]
//! what it tells in between, [`judge`] which of its errors end a session, and [`promise`]
//! what the topic's own settings say about the messages' safety.

mod client;
mod judge;
mod lag;
mod promise;
mod watch;

use super::session::{Broker, Delivery, Finding, Most, Session, Trouble};
use super::{ANSWER, Settings};
use crate::ingest::adapters::Headers;
use crate::ingest::message::Message;
use client::client;
use futures_util::FutureExt;
use judge::{is_silence, judge};
use lag::Lag;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::{Client, ClientContext, DefaultClientContext};
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use watch::Watch;

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
        let topic = self.settings.broker.reads.clone();
        let member = Member {
            consumer: Some(Arc::new(consumer)),
            topic: topic.clone(),
            ahead: VecDeque::new(),
            trouble: None,
            gave_back: false,
        };
        let answer = member
            .ask(move |consumer| copies(consumer.client(), &topic))
            .await;
        if let Err(trouble) = answer {
            return Err(member.with_reason(trouble));
        }
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
        let topic = [ResourceSpecifier::Topic(&self.settings.broker.reads)];
        let options = AdminOptions::new().request_timeout(Some(ASIDE));
        // Not every cluster shows them to everybody.
        let described = admin.describe_configs(&topic, &options).await;
        let told = described.unwrap_or_default().into_iter().flatten();
        let settings = told
            .flat_map(|resource| resource.entries)
            .filter(|entry| promise::ASKED.contains(&entry.name.as_str()))
            .filter_map(|entry| Some((entry.name, entry.value?)))
            .collect();
        let name = self.settings.broker.reads.clone();
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
    /// Something was fetched and not stored.
    gave_back: bool,
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

    /// Trouble with what the client said of it: who was refused, or could not be found. The
    /// session is over with that.
    fn with_reason(&self, trouble: Trouble) -> Trouble {
        let Some(consumer) = &self.consumer else {
            return trouble;
        };
        // It says so in its queue, where nobody may have looked yet.
        for _ in 0..LOOKS {
            let _ = consumer.recv().now_or_never();
        }
        match consumer.context().said() {
            Some(said) => Trouble::new(trouble.to_string(), said),
            None => trouble,
        }
    }

    /// Judges what came out of the queue. Whether it was a message.
    fn take(&mut self, told: Result<Delivery<Place>, KafkaError>) -> bool {
        match told {
            Ok(delivery) => {
                self.ahead.push_back(delivery);
                true
            }
            Err(error) => {
                let said = self.consumer.as_ref();
                let said = said.and_then(|consumer| consumer.context().said());
                self.trouble = judge(error, said);
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
        if self.gave_back {
            return Ok(());
        }
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

    /// They were not committed, so whoever gets the partition reads them. A commit of what
    /// lies behind them would pass them over, so there is none any more.
    async fn release(&mut self, _receipts: Vec<Place>) -> Result<(), Trouble> {
        self.gave_back = true;
        Ok(())
    }

    /// Messages of the partitions that this member has: over all members, those of the group.
    async fn unread(&mut self) -> Result<Option<u64>, Trouble> {
        let topic = self.topic.clone();
        let counted = self.ask(move |consumer| Ok(lag(consumer, &topic))).await?;
        let lag = match counted {
            Ok(lag) => lag,
            // The client goes on trying in silence, where nobody would miss the cluster.
            Err(error) if is_silence(&error) => {
                return Err(self.with_reason(Trouble::new("the cluster does not answer", error)));
            }
            // As while partitions move.
            Err(error) => {
                tracing::debug!(topic = self.topic, %error, "the lag is not known");
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

/// How far the member is behind in the partitions that it has.
fn lag(consumer: &StreamConsumer<Watch>, topic: &str) -> Result<Lag, KafkaError> {
    let mut lag = Lag::default();
    for one in consumer.committed(ANSWER)?.elements_for_topic(topic) {
        let (low, high) = consumer.fetch_watermarks(topic, one.partition(), ANSWER)?;
        let next = one.offset().to_raw().filter(|offset| *offset >= 0);
        lag.add(low, high, next);
    }
    Ok(lag)
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn place(partition: i32, offset: i64, term: u64) -> Place {
        Place {
            partition,
            offset,
            term,
        }
    }

    #[test]
    fn what_is_committed_lies_behind_the_last_one_of_each_partition() {
        let check = |places: &[Place], term: u64, expected: &[(i32, i64)]| {
            let offsets = behind("orders", places, term).unwrap();
            let found: Vec<(i32, i64)> = offsets
                .elements()
                .iter()
                .map(|one| (one.partition(), one.offset().to_raw().unwrap()))
                .collect();
            assert_eq!(found, expected, "{places:?}");
        };
        let read = [place(0, 7, 1), place(2, 3, 1), place(0, 8, 1)];
        check(&read, 1, &[(0, 9), (2, 4)]);
        // They were taken away since, even if they came back.
        check(&read, 2, &[]);
        check(&[place(0, 7, 1), place(1, 5, 2)], 2, &[(1, 6)]);
        check(&[], 0, &[]);
    }
}
