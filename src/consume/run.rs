//! The loop that serves every broker. Few batches are in hand at once ([`IN_HAND`]): one is
//! being written, one made ready for the next commit, one fetched and understood. They are
//! acknowledged in the order in which they were fetched.

use super::backoff::Backoff;
use super::batch::{self, Batch, GivenUp};
use super::session::{Broker, Delivery, Finding, Most, Session, Trouble};
use super::{ASK, DRAIN, IN_HAND, MAX_BYTES_IN_HAND, Settings, WAIT};
use crate::engine::Engine;
use crate::ingest::message::Reading;
use crate::telemetry::{self, BrokerMessage};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

/// How many parts of `redeliver_after` may pass before a message is held on to anew.
const HOLDS: u32 = 3;
/// What a message is taken to weigh before any was seen, in bytes.
const USUAL_BYTES: usize = 4096;

/// Reads one broker until `stop`, whatever becomes of the connection.
pub async fn run<B: Broker>(
    broker: B,
    settings: Settings,
    engine: Arc<Engine>,
    stop: CancellationToken,
) {
    let mut consumer = Consumer {
        reading: Arc::new(settings.reading.clone()),
        settings,
        engine,
        stop,
        told: BTreeSet::new(),
        usual_bytes: USUAL_BYTES,
        asked: None,
    };
    let mut backoff = Backoff::default();
    while !consumer.stop.is_cancelled() {
        let trouble = match consumer.serve(&broker, &mut backoff).await {
            Ok(()) => break,
            Err(trouble) => trouble,
        };
        telemetry::broker_connected(consumer.settings.name(), false);
        let name = consumer.settings.name();
        let because = trouble.chain();
        if backoff.failed() == 0 {
            tracing::warn!(
                broker = name,
                because,
                "the broker cannot be read; what was not acknowledged comes again"
            );
        } else {
            tracing::debug!(broker = name, because, "the broker cannot be read yet");
        }
        tokio::select! {
            () = consumer.stop.cancelled() => break,
            () = tokio::time::sleep(backoff.next()) => {}
        }
    }
    telemetry::broker_connected(consumer.settings.name(), false);
}

struct Consumer {
    settings: Settings,
    reading: Arc<Reading>,
    engine: Arc<Engine>,
    stop: CancellationToken,
    /// What was said of the broker's settings, once each.
    told: BTreeSet<String>,
    /// What a message weighed lately, in bytes.
    usual_bytes: usize,
    /// When the broker was last asked how much is unread.
    asked: Option<Instant>,
}

/// A batch that is being committed.
struct UnderWay<R> {
    task: JoinHandle<Result<(), GivenUp>>,
    receipts: Vec<R>,
    /// Gives the batch up, at the latest when the session is lost.
    give_up: DropGuard,
}

impl Consumer {
    /// One session, from its beginning to its end; `Ok` only when the service ends.
    async fn serve<B: Broker>(&mut self, broker: &B, backoff: &mut Backoff) -> Result<(), Trouble> {
        let connected = tokio::select! {
            () = self.stop.cancelled() => return Ok(()),
            connected = broker.connect() => connected,
        };
        let mut session = connected?;
        match broker.inspect().await {
            Ok(findings) => self.tell(findings),
            Err(trouble) => tracing::debug!(
                broker = self.settings.name(),
                because = trouble.chain(),
                "the broker does not tell its settings"
            ),
        }
        self.ask(&mut session).await?;
        let mut under_way = VecDeque::new();
        let mut was_idle = false;
        let mut is_read = false;
        while !self.stop.is_cancelled() {
            let fetched = session.fetch(self.most(!under_way.is_empty())).await?;
            if !std::mem::replace(&mut is_read, true) {
                // Not before: what lets itself be connected to may still refuse.
                self.say_that_it_is_read(backoff.failed());
                backoff.reset();
            }
            let is_idle = fetched.is_empty() && under_way.is_empty();
            let fetched_nothing = fetched.is_empty();
            if !fetched_nothing {
                let (batch, receipts) = self.read(fetched).await?;
                under_way.push_back(self.begin(batch, receipts));
            }
            // Where nothing more comes, what is in hand is not kept waiting.
            if under_way.len() == IN_HAND || (fetched_nothing && !under_way.is_empty()) {
                self.settle(&mut session, &mut under_way).await?;
            }
            let is_time = self.asked.is_none_or(|asked| asked.elapsed() >= ASK);
            if is_time || (is_idle && !was_idle) {
                self.ask(&mut session).await?;
            }
            was_idle = is_idle;
        }
        self.finish(&mut session, under_way).await?;
        session.close().await;
        Ok(())
    }

    /// How much to ask for: fewer messages where the last ones were large, and no waiting
    /// while something is in hand that is to be acknowledged.
    fn most(&self, is_busy: bool) -> Most {
        let bytes = MAX_BYTES_IN_HAND / IN_HAND;
        Most {
            messages: (bytes / self.usual_bytes.max(1)).clamp(1, self.settings.broker.batch),
            bytes,
            wait: if is_busy { Duration::ZERO } else { WAIT },
        }
    }

    /// Understands what was fetched, off the loop: it takes CPU time and no other.
    async fn read<R: Send + 'static>(
        &mut self,
        fetched: Vec<Delivery<R>>,
    ) -> Result<(Batch, Vec<R>), Trouble> {
        let name = self.settings.name();
        let redelivered = fetched.iter().filter(|one| one.redelivered).count();
        telemetry::broker(name, BrokerMessage::Received, fetched.len());
        telemetry::broker(name, BrokerMessage::Redelivered, redelivered);
        // What messages weigh is learnt at once where it grows, slowly where it shrinks.
        let bytes: usize = fetched.iter().map(|one| one.message.body.len()).sum();
        let mean = bytes / fetched.len().max(1);
        self.usual_bytes = mean.max(self.usual_bytes - self.usual_bytes / 8);
        let reading = Arc::clone(&self.reading);
        let received = self.engine.now();
        tokio::task::spawn_blocking(move || batch::read(&reading, fetched, received))
            .await
            .map_err(|error| Trouble::new("a batch could not be read", error))
    }

    fn begin<R>(&self, batch: Batch, receipts: Vec<R>) -> UnderWay<R> {
        let give_up = CancellationToken::new();
        let engine = Arc::clone(&self.engine);
        let reading = Arc::clone(&self.reading);
        UnderWay {
            task: tokio::spawn(batch.accept(engine, reading, give_up.clone())),
            receipts,
            give_up: give_up.drop_guard(),
        }
    }

    /// Waits until the oldest batch is durable and acknowledges it. While that takes long,
    /// the broker is told that all of them are being worked on.
    async fn settle<S: Session>(
        &mut self,
        session: &mut S,
        under_way: &mut VecDeque<UnderWay<S::Receipt>>,
    ) -> Result<(), Trouble> {
        let patience = (self.settings.broker.redeliver_after / HOLDS).min(ASK);
        let Some(mut oldest) = under_way.pop_front() else {
            return Ok(());
        };
        loop {
            tokio::select! {
                biased;
                taken = &mut oldest.task => {
                    let is_taken = self.acknowledge(session, taken, oldest.receipts).await?;
                    return match is_taken {
                        true => Ok(()),
                        false => Err(Trouble::plain("a batch was given up")),
                    };
                }
                () = self.stop.cancelled() => {
                    under_way.push_front(oldest);
                    return Ok(());
                }
                () = tokio::time::sleep(patience) => {}
            }
            session.hold(&oldest.receipts).await?;
            for behind in under_way.iter() {
                session.hold(&behind.receipts).await?;
            }
            self.ask(session).await?;
        }
    }

    /// The service ends: what is being committed is waited for, and given back where it
    /// does not succeed now. What was fetched after something that is given back is given
    /// back as well: a broker that knows one place only would pass over it.
    async fn finish<S: Session>(
        &mut self,
        session: &mut S,
        under_way: VecDeque<UnderWay<S::Receipt>>,
    ) -> Result<(), Trouble> {
        let ends = Instant::now() + DRAIN;
        let mut are_taken = true;
        for batch in under_way {
            drop(batch.give_up);
            let taken = match are_taken {
                true => tokio::time::timeout_at(ends, batch.task).await.ok(),
                false => None,
            };
            are_taken = match taken {
                Some(taken) => self.acknowledge(session, taken, batch.receipts).await?,
                None => {
                    session.release(batch.receipts).await?;
                    false
                }
            };
        }
        Ok(())
    }

    /// Acknowledges a batch that was taken; gives whether it was.
    async fn acknowledge<S: Session>(
        &mut self,
        session: &mut S,
        taken: Result<Result<(), GivenUp>, JoinError>,
        receipts: Vec<S::Receipt>,
    ) -> Result<bool, Trouble> {
        match taken {
            Ok(Ok(())) => {
                let count = receipts.len();
                session.acknowledge(receipts).await?;
                telemetry::broker(self.settings.name(), BrokerMessage::Acknowledged, count);
                Ok(true)
            }
            Ok(Err(GivenUp)) => {
                session.release(receipts).await?;
                Ok(false)
            }
            Err(error) => Err(Trouble::new("a batch could not be stored", error)),
        }
    }

    /// Asks how much is unread, for the metrics.
    async fn ask<S: Session>(&mut self, session: &mut S) -> Result<(), Trouble> {
        if let Some(messages) = session.unread().await? {
            telemetry::broker_lag(self.settings.name(), messages);
        }
        self.asked = Some(Instant::now());
        Ok(())
    }

    fn say_that_it_is_read(&self, failures: u32) {
        tracing::info!(
            broker = self.settings.name(),
            kind = self.settings.broker.kind.name(),
            reads = self.settings.broker.reads,
            group = self.settings.broker.group,
            failures,
            "the broker is read"
        );
        telemetry::broker_connected(self.settings.name(), true);
    }

    /// Says what endangers messages, once each.
    fn tell(&mut self, findings: Vec<Finding>) {
        for Finding { words, help } in findings {
            if self.told.insert(words.clone()) {
                tracing::warn!(
                    broker = self.settings.name(),
                    because = words,
                    help,
                    "the broker may lose messages that it took"
                );
            }
        }
    }
}
