//! Kafka: the cluster that its client library brings for tests, which speaks the protocol
//! over real connections and breaks as it is told; and a real broker where there is one.

use super::{Shop, attributes, data, event, settings, unique, until};
use aftercare::config::BrokerKind;
use aftercare::consume::{self, Settings};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{DefaultProducerContext, FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use std::time::Duration;

/// The topic of a cluster that a test has for itself.
const TOPIC: &str = "orders";
const PARTITIONS: i32 = 4;
/// How long one answer of a cluster may take.
const ANSWER: Duration = Duration::from_secs(30);

/// A cluster for one test.
struct Cluster {
    mock: MockCluster<'static, DefaultProducerContext>,
    topic: Topic,
}

impl Cluster {
    fn new() -> Cluster {
        let mock = MockCluster::new(3).unwrap();
        mock.create_topic(TOPIC, PARTITIONS, 3).unwrap();
        let topic = Topic::at(mock.bootstrap_servers(), TOPIC);
        Cluster { mock, topic }
    }
}

/// A topic, and how to publish there.
struct Topic {
    servers: String,
    name: String,
    producer: FutureProducer,
}

impl Topic {
    fn at(servers: String, name: &str) -> Topic {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", &servers)
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("compression.type", "zstd")
            .create()
            .unwrap();
        Topic {
            servers,
            name: name.to_owned(),
            producer,
        }
    }

    async fn publish(&self, key: usize, body: &str, headers: OwnedHeaders) {
        let key = key.to_string();
        let record = FutureRecord::to(&self.name)
            .key(&key)
            .payload(body)
            .headers(headers);
        self.producer
            .send(record, ANSWER)
            .await
            .map_err(|(error, _)| error)
            .unwrap();
    }

    async fn publish_events(&self, numbers: std::ops::Range<usize>) {
        let all = numbers.map(|number| async move {
            self.publish(number, &event(number), OwnedHeaders::new())
                .await;
        });
        futures_util::future::join_all(all).await;
    }

    fn settings(&self) -> Settings {
        let servers = self.servers.split(',');
        let mut settings = settings(BrokerKind::Kafka, "", &self.name);
        settings.broker.servers = servers.map(|server| format!("kafka://{server}")).collect();
        settings
    }

    /// What the group committed, over all partitions.
    async fn committed(&self) -> i64 {
        let servers = self.servers.clone();
        let topic = self.name.clone();
        let asking = tokio::task::spawn_blocking(move || {
            let asker: BaseConsumer = ClientConfig::new()
                .set("bootstrap.servers", &servers)
                .set("group.id", aftercare::config::GROUP)
                .create()
                .unwrap();
            let mut partitions = TopicPartitionList::new();
            partitions.add_partition_range(&topic, 0, PARTITIONS - 1);
            let told = asker.committed_offsets(partitions, ANSWER).ok()?;
            let offsets = told.elements().into_iter().map(|one| match one.offset() {
                Offset::Offset(offset) => offset,
                _ => 0,
            });
            Some(offsets.sum())
        });
        asking.await.unwrap().unwrap_or(0)
    }

    async fn until_committed(&self, messages: usize) {
        let wanted = i64::try_from(messages).unwrap();
        until("all is committed", async || {
            (self.committed().await == wanted).then_some(())
        })
        .await;
    }
}

fn headers_of(number: usize) -> OwnedHeaders {
    let mut headers = OwnedHeaders::new().insert(Header {
        key: "content-type",
        value: Some("application/json"),
    });
    for (name, value) in attributes(number) {
        headers = headers.insert(Header {
            key: &format!("ce_{name}"),
            value: Some(&value),
        });
    }
    headers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_is_drained_in_every_mode_of_cloudevents() {
    let cluster = Cluster::new();
    let topic = &cluster.topic;
    topic.publish_events(0..300).await;
    topic.publish(300, &data(300), headers_of(300)).await;
    let batch = format!("[{},{}]", event(301), event(302));
    topic.publish(301, &batch, OwnedHeaders::new()).await;
    let shop = Shop::new().await;
    let consumer = shop.read(topic.settings());
    shop.until_it_has(303).await;
    consumer.end().await;
    assert_eq!(shop.quarantined().await, 0);
    assert_eq!(topic.committed().await, 302);
    // A member that comes later goes on behind it.
    topic.publish_events(303..310).await;
    let other = Shop::new().await;
    let consumer = other.read(topic.settings());
    other.until_it_has(7).await;
    consumer.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_fails_loses_and_doubles_nothing() {
    let cluster = Cluster::new();
    let topic = &cluster.topic;
    topic.publish_events(0..100).await;
    topic.publish(0, "no json", OwnedHeaders::new()).await;
    let broken = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED; 50];
    cluster
        .mock
        .request_errors(RDKafkaApiKey::OffsetCommit, &broken);
    let shop = Shop::new().await;
    let consumer = shop.read(topic.settings());
    shop.until_it_has(100).await;
    until("the bad one is kept", async || {
        (shop.quarantined().await == 1).then_some(())
    })
    .await;
    consumer.end().await;
    assert!(topic.committed().await < 101, "no commit was refused");
    cluster
        .mock
        .clear_request_errors(RDKafkaApiKey::OffsetCommit);
    // The messages come again and are known; then they are committed.
    let consumer = shop.read(topic.settings());
    topic.until_committed(101).await;
    consumer.end().await;
    assert_eq!(shop.events().await, 100);
    assert_eq!(shop.quarantined().await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_that_move_in_mid_batch_lose_nothing() {
    let cluster = Cluster::new();
    let topic = &cluster.topic;
    let mut few = topic.settings();
    few.broker.batch = 10;
    let (one, other) = (Shop::new().await, Shop::new().await);
    topic.publish_events(0..300).await;
    let first = one.read(few.clone());
    until("the first is in the middle", async || {
        (one.events().await >= 50).then_some(())
    })
    .await;
    let second = other.read(few.clone());
    // Messages go on coming until both have partitions.
    let mut published = 300;
    until("both read", async || {
        topic.publish_events(published..published + 1).await;
        published += 1;
        (other.events().await > 0).then_some(())
    })
    .await;
    let before = other.events().await;
    // The first one leaves, and its partitions move once more.
    first.end().await;
    topic.publish_events(published..published + 100).await;
    published += 100;
    topic.until_committed(published).await;
    second.end().await;
    assert!(other.events().await > before);
    // Some may have been read by both, none by nobody.
    let mut seen = vec![false; published];
    for shop in [&one, &other] {
        for number in shop.numbers().await {
            seen[number] = true;
        }
    }
    let missing: Vec<usize> = (0..published).filter(|number| !seen[*number]).collect();
    assert_eq!(missing, Vec::<usize>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brokers_that_break_are_read_again_when_they_are_back() {
    let cluster = Cluster::new();
    let topic = &cluster.topic;
    topic.publish_events(0..100).await;
    let broken = [
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN,
    ];
    cluster.mock.request_errors(RDKafkaApiKey::Fetch, &broken);
    cluster
        .mock
        .request_errors(RDKafkaApiKey::JoinGroup, &broken[1..2]);
    let shop = Shop::new().await;
    let consumer = shop.read(topic.settings());
    shop.until_it_has(100).await;
    cluster.mock.broker_down(-1).unwrap();
    let publishing = topic.publish_events(100..150);
    cluster.mock.broker_up(-1).unwrap();
    publishing.await;
    shop.until_it_has(150).await;
    consumer.end().await;
    topic.until_committed(150).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_missing_is_told_of() {
    let cluster = Cluster::new();
    let mut missing = cluster.topic.settings();
    "no-such-topic".clone_into(&mut missing.broker.reads);
    let refused = consume::inspect(&missing).await.unwrap_err();
    assert!(refused.to_string().contains("no topic"), "{refused}");
    cluster.mock.create_topic("alone", 1, 1).unwrap();
    let mut alone = missing;
    "alone".clone_into(&mut alone.broker.reads);
    let found = consume::inspect(&alone).await.unwrap();
    assert!(found[0].words.contains("one copy"), "{found:?}");
}

/// Against something else that speaks as Kafka does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_broker_is_drained() {
    let Ok(server) = std::env::var("AFTERCARE_TEST_KAFKA") else {
        println!("no Kafka: run this by scripts/brokers, with tansu where programs are found");
        return;
    };
    let server = server.trim_start_matches("kafka://").to_owned();
    let name = unique("orders");
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", &server)
        .create()
        .unwrap();
    let made = [NewTopic::new(&name, PARTITIONS, TopicReplication::Fixed(1))];
    admin
        .create_topics(&made, &AdminOptions::new())
        .await
        .unwrap();
    let topic = Topic::at(server, &name);
    topic.publish_events(0..300).await;
    topic.publish(300, &data(300), headers_of(300)).await;
    let shop = Shop::new().await;
    let consumer = shop.read(topic.settings());
    shop.until_it_has(301).await;
    topic.publish_events(301..400).await;
    shop.until_it_has(400).await;
    consumer.end().await;
    topic.until_committed(400).await;
}
