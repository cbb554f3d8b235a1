//! RabbitMQ, with quorum queues.

use super::{Server, free_port, told, unique, until_it_listens};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tokio::runtime::Runtime;

/// The script that runs one.
const SCRIPT: &str = "scripts/rabbitmq";

struct Rabbit {
    url: String,
    /// Where the server keeps its things.
    home: PathBuf,
    queue: String,
    runtime: Runtime,
    own: Option<Own>,
}

struct Own {
    port: u16,
    folder: tempfile::TempDir,
    process: Child,
}

impl Own {
    fn spawn(port: u16, folder: &Path) -> Child {
        use std::os::unix::process::CommandExt;
        let mut process = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join(SCRIPT))
            .arg(port.to_string())
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        until_it_listens(port, &mut process);
        process
    }

    /// `kill -9`, the script and what it started.
    fn kill(&mut self) {
        let group = format!("kill -9 -{}", self.process.id());
        let killed = Command::new("sh").arg("-c").arg(group).status().unwrap();
        assert!(killed.success());
        self.process.wait().unwrap();
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if self.process.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.kill();
        }
    }
}

impl Rabbit {
    fn new(url: String, home: PathBuf, own: Option<Own>) -> Rabbit {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let rabbit = Rabbit {
            url,
            home,
            queue: unique("orders"),
            runtime,
            own,
        };
        rabbit.declare();
        rabbit
    }

    fn declare(&self) {
        let channel = self.channel();
        self.runtime.block_on(async {
            let mut arguments = FieldTable::default();
            let quorum = AMQPValue::LongString("quorum".into());
            arguments.insert("x-queue-type".into(), quorum);
            let options = QueueDeclareOptions::durable();
            channel
                .1
                .queue_declare(self.queue.as_str().into(), options, arguments)
                .await
                .unwrap();
        });
    }

    fn channel(&self) -> (Connection, Channel) {
        super::until("RabbitMQ answers", || {
            self.runtime.block_on(async {
                let properties = ConnectionProperties::default();
                let connection = Connection::connect(&self.url, properties).await.ok()?;
                let channel = connection.create_channel().await.ok()?;
                let options = ConfirmSelectOptions::default();
                channel.confirm_select(options).await.ok()?;
                Some((connection, channel))
            })
        })
    }
}

impl Server for Rabbit {
    fn shared() -> Option<Rabbit> {
        let url = told("AFTERCARE_TEST_RABBITMQ")?;
        let home = told("AFTERCARE_TEST_RABBITMQ_HOME")?;
        Some(Rabbit::new(url, home.into(), None))
    }

    fn own() -> Option<Rabbit> {
        told("AFTERCARE_TEST_RABBITMQ")?;
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_owned();
        let port = free_port();
        let process = Own::spawn(port, &home);
        let own = Own {
            port,
            folder,
            process,
        };
        Some(Rabbit::new(
            format!("amqp://127.0.0.1:{port}"),
            home,
            Some(own),
        ))
    }

    fn url(&self) -> String {
        self.url.clone()
    }

    fn reads(&self) -> (&'static str, String) {
        ("queue", self.queue.clone())
    }

    fn publish(&self, messages: &[(Vec<(&str, &str)>, Vec<u8>)]) {
        let (_connection, channel) = self.channel();
        self.runtime.block_on(async {
            for some in messages.chunks(500) {
                let mut taken = Vec::new();
                for (headers, body) in some {
                    let mut told = FieldTable::default();
                    for (name, value) in headers {
                        told.insert((*name).into(), AMQPValue::LongString((*value).into()));
                    }
                    let properties = BasicProperties::default()
                        .with_message_id(unique("message").into())
                        .with_delivery_mode(2)
                        .with_headers(told);
                    let options = BasicPublishOptions::default();
                    let queue = self.queue.as_str().into();
                    let sent = channel
                        .basic_publish("".into(), queue, options, body, properties)
                        .await;
                    taken.push(sent.unwrap());
                }
                for one in taken {
                    assert!(one.await.unwrap().is_ack());
                }
            }
        });
    }

    // `list_queues` tells what was so some seconds ago.
    fn unread(&self) -> u64 {
        let question = format!(
            "{{ok, Queue}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"{}\">>)), \
             {{ok, {{_, Count}}, _}} = ra:leader_query(amqqueue:get_pid(Queue), fun rabbit_fifo:query_messages_total/1), \
             Count.",
            self.queue
        );
        let output = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join(SCRIPT))
            .arg("ask")
            .arg(&self.home)
            .args(["eval", &question])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        text.trim().parse().unwrap_or(u64::MAX)
    }

    fn kill(&mut self) {
        self.own.as_mut().unwrap().kill();
    }

    fn restart(&mut self) {
        let own = self.own.as_mut().unwrap();
        own.process = Own::spawn(own.port, own.folder.path());
    }
}

#[test]
fn rabbitmq_is_drained_and_poison_is_kept() {
    super::drains::<Rabbit>();
}

#[test]
fn rabbitmq_loses_and_doubles_nothing_when_we_are_killed() {
    super::outlives_kills::<Rabbit>();
}

#[test]
fn rabbitmq_loses_and_doubles_nothing_when_it_is_killed() {
    super::outlives_its_broker::<Rabbit>();
}

#[test]
fn rabbitmq_is_told_nothing_while_the_database_is_away() {
    super::waits_for_the_database::<Rabbit>();
}

#[test]
fn rabbitmq_shares_among_a_group() {
    super::shares::<Rabbit>();
}

#[test]
fn rabbitmq_is_left_in_good_order() {
    super::stops_in_good_order::<Rabbit>();
}

#[test]
fn rabbitmq_carries_a_platforms_deliveries() {
    super::speaks_for_a_platform::<Rabbit>();
}

#[test]
fn rabbitmq_without_the_queue_says_what_to_type_and_goes_on_once_it_is_there() {
    let Some(mut server) = Rabbit::shared() else {
        return;
    };
    server.queue = unique("later");
    let install = super::install(&server, &["test"], &[]);
    let service = install.start();
    let words = format!("there is no queue {}: make it with", server.queue);
    super::until("it is missed", || {
        service.log().contains(&words).then_some(())
    });
    server.declare();
    server.publish(&super::orders(0, 3));
    super::until("it is read", || {
        (super::stored(&install) == 3).then_some(())
    });
    assert_eq!(service.terminate().code(), Some(0));
}
