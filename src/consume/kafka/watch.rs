//! What the client tells of its own accord: partitions that come and go, commits that
//! failed, connections that broke. It is called from within the client, so nothing here
//! waits.

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::TopicPartitionList;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Under what names the client tells of connections that failed.
const FAILED: [&str; 2] = ["FAIL", "ERROR"];

/// What one membership of the group has seen.
#[derive(Debug)]
pub(super) struct Watch {
    /// The broker's name in the configuration.
    broker: String,
    /// Raised whenever partitions are taken away.
    term: AtomicU64,
    /// What the client said last of a connection that failed.
    said: Mutex<Option<String>>,
}

impl Watch {
    pub(super) fn of(broker: &str) -> Watch {
        Watch {
            broker: broker.to_owned(),
            term: AtomicU64::new(0),
            said: Mutex::new(None),
        }
    }

    /// Since when what is read now has been ours: what was read in an earlier term may be
    /// in other hands.
    pub(super) fn term(&self) -> u64 {
        self.term.load(Ordering::Acquire)
    }

    /// Why the last connection failed, as far as the client has told yet.
    pub(super) fn said(&self) -> Option<String> {
        self.said.lock().ok()?.clone()
    }
}

impl ClientContext for Watch {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let broker = self.broker.as_str();
        // It says so of each broker again and again; the loop says it once.
        if FAILED.contains(&facility) {
            tracing::debug!(broker, because = message, "a connection failed");
            if let Ok(mut said) = self.said.lock() {
                *said = Some(message.to_owned());
            }
            return;
        }
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => {
                tracing::warn!(broker, because = message, "the Kafka client has trouble");
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::debug!(broker, message, "the Kafka client says");
            }
        }
    }

    // Errors come with the messages as well, where they are judged.
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(broker = self.broker, %error, reason, "the Kafka client reports an error");
    }
}

impl ConsumerContext for Watch {
    fn pre_rebalance(&self, _consumer: &BaseConsumer<Self>, change: &Rebalance<'_>) {
        let broker = self.broker.as_str();
        match change {
            Rebalance::Assign(partitions) => {
                tracing::info!(
                    broker,
                    partitions = partitions.count(),
                    "partitions were assigned"
                );
            }
            // What is durable was handed to the client for committing before it was asked
            // for anything more, so it goes out ahead of our leave.
            Rebalance::Revoke(partitions) => {
                self.term.fetch_add(1, Ordering::AcqRel);
                tracing::info!(
                    broker,
                    partitions = partitions.count(),
                    "partitions were taken away"
                );
            }
            Rebalance::Error(error) => {
                self.term.fetch_add(1, Ordering::AcqRel);
                tracing::warn!(broker, %error, "the group could not share out its partitions");
            }
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if let Err(error) = result {
            // The next commit covers this one; what is read again until then is known.
            tracing::warn!(broker = self.broker, %error, "offsets could not be committed: their messages may come again");
        }
    }
}
