//! RabbitMQ: what its own protocol can break, beside what every broker is tried for.

use super::proxy::Proxy;
use super::{Shop, attributes, data, event, settings, unique, until};
use aftercare::config::BrokerKind;
use aftercare::consume::{self, Settings};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use std::net::SocketAddr;

/// The server that all share; `None` where there is none.
fn shared() -> Option<String> {
    let server = std::env::var("AFTERCARE_TEST_RABBITMQ").ok();
    if server.is_none() {
        println!("no RabbitMQ: run this by scripts/brokers");
    }
    server
}

/// A queue, and how to publish there.
struct Queue {
    name: String,
    connection: Connection,
    channel: Channel,
}

impl Queue {
    /// A quorum queue of its own.
    async fn new(server: &str) -> Queue {
        let arguments = [("x-queue-type", AMQPValue::LongString("quorum".into()))];
        Queue::with(server, true, &arguments).await
    }

    async fn with(server: &str, durable: bool, arguments: &[(&str, AMQPValue)]) -> Queue {
        let name = unique("orders");
        let (connection, channel) = until("the server answers", async || {
            let properties = ConnectionProperties::default();
            let connection = Connection::connect(server, properties).await.ok()?;
            let channel = connection.create_channel().await.ok()?;
            Some((connection, channel))
        })
        .await;
        let options = QueueDeclareOptions {
            durable,
            ..QueueDeclareOptions::default()
        };
        let mut table = FieldTable::default();
        for (key, value) in arguments {
            table.insert((*key).into(), value.clone());
        }
        channel
            .queue_declare(name.as_str().into(), options, table)
            .await
            .unwrap();
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await
            .unwrap();
        Queue {
            name,
            connection,
            channel,
        }
    }

    /// Publishes, and waits for the broker's word that it has it.
    async fn publish(&self, body: &str, properties: BasicProperties) {
        let confirm = self
            .channel
            .basic_publish(
                "".into(),
                self.name.as_str().into(),
                BasicPublishOptions::default(),
                body.as_bytes(),
                properties.with_delivery_mode(2),
            )
            .await
            .unwrap();
        assert!(confirm.await.unwrap().is_ack());
    }

    async fn publish_events(&self, numbers: std::ops::Range<usize>) {
        for number in numbers {
            let properties =
                BasicProperties::default().with_content_type("application/cloudevents+json".into());
            self.publish(&event(number), properties).await;
        }
    }

    /// Messages that wait and are in nobody's hands.
    async fn waiting(&self) -> u32 {
        let channel = self.connection.create_channel().await.unwrap();
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let queue = channel
            .queue_declare(self.name.as_str().into(), options, FieldTable::default())
            .await
            .unwrap();
        channel.close(200, "told".into()).await.unwrap();
        queue.message_count()
    }

    fn settings(&self, server: &str) -> Settings {
        settings(BrokerKind::Amqp, server, &self.name)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_is_drained_in_every_mode_of_cloudevents() {
    let Some(server) = shared() else { return };
    let queue = Queue::new(&server).await;
    queue.publish_events(0..300).await;
    for (number, prefix) in [(300, "cloudEvents:"), (301, "cloudEvents_")] {
        let mut headers = FieldTable::default();
        for (name, value) in attributes(number) {
            let name = format!("{prefix}{name}");
            headers.insert(
                name.as_str().into(),
                AMQPValue::LongString(value.as_str().into()),
            );
        }
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_headers(headers);
        queue.publish(&data(number), properties).await;
    }
    queue
        .publish(
            &format!("[{},{}]", event(302), event(303)),
            BasicProperties::default(),
        )
        .await;
    let shop = Shop::new().await;
    let consumer = shop.read(queue.settings(&server));
    shop.until_it_has(304).await;
    consumer.end().await;
    // Everything was acknowledged: with the connection gone nothing came back.
    assert_eq!(queue.waiting().await, 0);
    assert_eq!(shop.quarantined().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledgement_that_is_lost_doubles_nothing() {
    let Some(server) = shared() else { return };
    let queue = Queue::new(&server).await;
    let address: SocketAddr = server.rsplit_once('/').unwrap().1.parse().unwrap();
    let proxy = Proxy::before(address).await;
    let through = format!("amqp://{}", proxy.address);
    let shop = Shop::new().await;
    let consumer = shop.read(queue.settings(&through));
    queue.publish_events(0..1).await;
    shop.until_it_has(1).await;
    until("it is read", async || {
        (queue.waiting().await == 0).then_some(())
    })
    .await;
    proxy.swallow(true);
    queue.publish_events(1..40).await;
    queue.publish("no json", BasicProperties::default()).await;
    shop.until_it_has(40).await;
    until("the bad one is kept", async || {
        (shop.quarantined().await > 0).then_some(())
    })
    .await;
    proxy.cut();
    // Nothing of it was acknowledged.
    until("all come back", async || {
        (queue.waiting().await >= 40).then_some(())
    })
    .await;
    proxy.swallow(false);
    queue.publish_events(40..41).await;
    shop.until_it_has(41).await;
    consumer.end().await;
    assert_eq!(queue.waiting().await, 0);
    assert_eq!(shop.events().await, 41);
    assert_eq!(shop.quarantined().await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_can_lose_messages_is_told_of() {
    let Some(server) = shared() else { return };
    let text = |text: &str| AMQPValue::LongString(text.into());
    let number = AMQPValue::LongInt;
    let quorum = ("x-queue-type", text("quorum"));
    let check = async |durable: bool, arguments: &[(&str, AMQPValue)], expected: &[&str]| {
        let queue = Queue::with(&server, durable, arguments).await;
        let found = consume::inspect(&queue.settings(&server)).await.unwrap();
        assert_eq!(found.len(), expected.len(), "{arguments:?}: {found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.words.contains(expected), "{found:?}");
        }
    };
    check(true, std::slice::from_ref(&quorum), &[]).await;
    check(true, &[], &["classic"]).await;
    check(false, &[], &["not durable"]).await;
    check(true, &[("x-queue-type", text("stream"))], &["stream"]).await;
    let limited = [
        quorum.clone(),
        ("x-delivery-limit", number(20)),
        ("x-max-length", number(9)),
    ];
    check(true, &limited, &["once it is full", "20 times"]).await;
    let kept = [
        quorum,
        ("x-delivery-limit", number(20)),
        ("x-dead-letter-exchange", text("dead")),
    ];
    check(true, &kept, &[]).await;
    let missing = settings(BrokerKind::Amqp, &server, "no-such-queue");
    let refused = consume::inspect(&missing).await.unwrap_err();
    assert!(refused.to_string().contains("no queue"), "{refused}");
}
