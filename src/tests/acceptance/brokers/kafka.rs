//! Kafka: the cluster that the client's library brings for tests. It speaks the protocol
//! over real connections, to other processes as well.

use super::{Server, unique};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaErrorCode;
use std::time::Duration;

const PARTITIONS: i32 = 3;
/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(30);

struct Kafka {
    cluster: MockCluster<'static, DefaultProducerContext>,
    topic: String,
}

impl Kafka {
    fn new() -> Kafka {
        let cluster = MockCluster::new(2).unwrap();
        let topic = unique("orders");
        cluster.create_topic(&topic, PARTITIONS, 2).unwrap();
        Kafka { cluster, topic }
    }
}

impl Server for Kafka {
    fn shared() -> Option<Kafka> {
        Some(Kafka::new())
    }

    fn own() -> Option<Kafka> {
        Some(Kafka::new())
    }

    fn url(&self) -> String {
        format!("kafka://{}", self.cluster.bootstrap_servers())
    }

    fn reads(&self) -> (&'static str, String) {
        ("topic", self.topic.clone())
    }

    fn publish(&self, messages: &[(Vec<(&str, &str)>, Vec<u8>)]) {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", self.cluster.bootstrap_servers())
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .create()
            .unwrap();
        for (number, (headers, body)) in messages.iter().enumerate() {
            let mut told = OwnedHeaders::new();
            for (key, value) in headers {
                told = told.insert(Header {
                    key,
                    value: Some(*value),
                });
            }
            let key = number.to_string();
            let mut record = BaseRecord::to(&self.topic)
                .key(&key)
                .payload(body)
                .headers(told);
            while let Err((error, back)) = producer.send(record) {
                assert!(matches!(
                    error,
                    KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)
                ));
                producer.poll(Duration::from_millis(10));
                record = back;
            }
        }
        producer.flush(ANSWER).unwrap();
    }

    fn unread(&self) -> u64 {
        let asker: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.cluster.bootstrap_servers())
            .set("group.id", "aftercare")
            .create()
            .unwrap();
        let mut partitions = TopicPartitionList::new();
        partitions.add_partition_range(&self.topic, 0, PARTITIONS - 1);
        let Ok(committed) = asker.committed_offsets(partitions, ANSWER) else {
            return u64::MAX;
        };
        let unread = committed.elements().into_iter().map(|one| {
            let (low, high) = asker
                .fetch_watermarks(&self.topic, one.partition(), ANSWER)
                .unwrap();
            match one.offset() {
                Offset::Offset(next) => high - next,
                _ => high - low,
            }
        });
        unread.sum::<i64>().try_into().unwrap()
    }

    fn kill(&mut self) {
        self.cluster.broker_down(-1).unwrap();
    }

    fn restart(&mut self) {
        self.cluster.broker_up(-1).unwrap();
    }
}

#[test]
fn kafka_is_drained_and_poison_is_kept() {
    super::drains::<Kafka>();
}

#[test]
fn kafka_loses_and_doubles_nothing_when_we_are_killed() {
    super::outlives_kills::<Kafka>();
}

#[test]
fn kafka_loses_and_doubles_nothing_when_it_goes_away() {
    super::outlives_its_broker::<Kafka>();
}

#[test]
fn kafka_is_told_nothing_while_the_database_is_away() {
    super::waits_for_the_database::<Kafka>();
}

#[test]
fn kafka_is_left_in_good_order() {
    super::stops_in_good_order::<Kafka>();
}

#[test]
fn kafka_carries_a_platforms_deliveries() {
    super::speaks_for_a_platform::<Kafka>();
}
