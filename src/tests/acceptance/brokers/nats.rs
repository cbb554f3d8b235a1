//! NATS JetStream.

use super::{Letter, Server, free_port, told, unique, until_it_listens};
use async_nats::HeaderMap;
use async_nats::jetstream::consumer::{self, AckPolicy};
use async_nats::jetstream::stream::{Config, StorageType};
use async_nats::jetstream::{self, Context};
use std::process::{Child, Command, Stdio};
use tokio::runtime::Runtime;

struct Nats {
    url: String,
    stream: String,
    runtime: Runtime,
    own: Option<Own>,
}

struct Own {
    program: String,
    port: u16,
    folder: tempfile::TempDir,
    process: Child,
}

impl Own {
    fn spawn(program: &str, port: u16, folder: &std::path::Path) -> Child {
        let mut process = Command::new(program)
            .args([
                "--addr",
                "127.0.0.1",
                "--port",
                &port.to_string(),
                "--jetstream",
            ])
            .arg("--store_dir")
            .arg(folder)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until_it_listens(port, &mut process);
        process
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Nats {
    fn new(url: String, own: Option<Own>, config: Config) -> Nats {
        let stream = unique("ORDERS");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let nats = Nats {
            url,
            stream,
            runtime,
            own,
        };
        nats.runtime.block_on(async {
            let config = Config {
                name: nats.stream.clone(),
                subjects: vec![format!("{}.>", nats.stream)],
                ..config
            };
            nats.context().await.create_stream(config).await.unwrap();
        });
        nats
    }

    async fn context(&self) -> Context {
        let client = async_nats::ConnectOptions::new()
            .retry_on_initial_connect()
            .connect(&self.url)
            .await
            .unwrap();
        jetstream::new(client)
    }

    fn own_with(config: Config) -> Option<Nats> {
        let program = told("AFTERCARE_TEST_NATS_SERVER")?;
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let process = Own::spawn(&program, port, folder.path());
        let own = Own {
            program,
            port,
            folder,
            process,
        };
        Some(Nats::new(
            format!("nats://127.0.0.1:{port}"),
            Some(own),
            config,
        ))
    }
}

impl Server for Nats {
    fn shared() -> Option<Nats> {
        let url = told("AFTERCARE_TEST_NATS")?;
        Some(Nats::new(url, None, Config::default()))
    }

    fn own() -> Option<Nats> {
        Nats::own_with(Config::default())
    }

    fn url(&self) -> String {
        self.url.clone()
    }

    fn reads(&self) -> (&'static str, String) {
        ("stream", self.stream.clone())
    }

    fn publish(&self, messages: &[Letter]) {
        self.runtime.block_on(async {
            let context = self.context().await;
            let subject = format!("{}.placed", self.stream);
            for some in messages.chunks(500) {
                let mut taken = Vec::new();
                for (headers, body) in some {
                    let mut told = HeaderMap::new();
                    for (name, value) in headers {
                        told.insert(*name, *value);
                    }
                    let sent = context
                        .publish_with_headers(subject.clone(), told, body.clone().into())
                        .await;
                    taken.push(sent.unwrap());
                }
                for one in taken {
                    one.await.unwrap();
                }
            }
        });
    }

    fn unread(&self) -> u64 {
        self.runtime.block_on(async {
            let context = self.context().await;
            let Ok(stream) = context.get_stream(&self.stream).await else {
                return u64::MAX;
            };
            match stream.consumer_info("aftercare").await {
                Ok(info) => info.num_pending + info.num_ack_pending as u64,
                Err(_) => u64::MAX,
            }
        })
    }

    fn kill(&mut self) {
        let own = self.own.as_mut().unwrap();
        own.process.kill().unwrap();
        own.process.wait().unwrap();
    }

    fn restart(&mut self) {
        let own = self.own.as_mut().unwrap();
        own.process = Own::spawn(&own.program, own.port, own.folder.path());
    }
}

#[test]
fn nats_is_drained_and_poison_is_kept() {
    super::drains::<Nats>();
}

#[test]
fn nats_loses_and_doubles_nothing_when_we_are_killed() {
    super::outlives_kills::<Nats>();
}

#[test]
fn nats_loses_and_doubles_nothing_when_it_is_killed() {
    super::outlives_its_broker::<Nats>();
}

#[test]
fn nats_is_told_nothing_while_the_database_is_away() {
    super::waits_for_the_database::<Nats>();
}

#[test]
fn nats_shares_among_a_group() {
    super::shares::<Nats>();
}

#[test]
fn nats_is_left_in_good_order() {
    super::stops_in_good_order::<Nats>();
}

#[test]
fn nats_carries_a_platforms_deliveries() {
    super::speaks_for_a_platform::<Nats>();
}

#[test]
fn nats_with_tls_and_a_password_is_read() {
    let Some(program) = told("AFTERCARE_TEST_NATS_SERVER") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let certificate = super::certificate(folder.path());
    let port = free_port();
    let mut process = Command::new(&program)
        .args([
            "--addr",
            "127.0.0.1",
            "--port",
            &port.to_string(),
            "--jetstream",
        ])
        .args(["--user", "shop", "--pass", "hush", "--tls", "--store_dir"])
        .arg(folder.path())
        .arg("--tlscert")
        .arg(&certificate.chain)
        .arg("--tlskey")
        .arg(&certificate.key)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until_it_listens(port, &mut process);
    let _own = Own {
        program,
        port,
        folder,
        process,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let url = format!("tls://localhost:{port}");
    runtime.block_on(async {
        let client = async_nats::ConnectOptions::new()
            .user_and_password("shop".to_owned(), "hush".to_owned())
            .add_root_certificates(certificate.chain.clone())
            .connect(&url)
            .await
            .unwrap();
        let config = Config {
            name: "ORDERS".to_owned(),
            ..Config::default()
        };
        jetstream::new(client).create_stream(config).await.unwrap();
    });
    let server = Nats {
        url,
        stream: "ORDERS".to_owned(),
        runtime,
        own: None,
    };
    let ca = certificate.chain.to_str().unwrap().to_owned();
    let login = [("user", "shop"), ("password", "hush")];
    let mut keys = login.to_vec();
    keys.push(("ca_file", &ca));
    let install = super::install(&server, &["test"], &keys);
    let service = install.start();
    super::until_connected(&service, "test");
    assert_eq!(service.terminate().code(), Some(0));
    // Without the authority it is refused, in words.
    let install = super::install(&server, &["test"], &login);
    let service = install.start();
    super::until("it says so", || {
        service
            .log()
            .contains("NATS cannot be reached")
            .then_some(())
    });
    assert!(!service.log().contains("hush"));
}

#[test]
fn nats_that_forgets_is_warned_of() {
    let config = Config {
        storage: StorageType::Memory,
        max_messages: 1000,
        ..Config::default()
    };
    let Some(server) = Nats::own_with(config) else {
        return;
    };
    server.runtime.block_on(async {
        let context = server.context().await;
        let stream = context.get_stream(&server.stream).await.unwrap();
        let config = consumer::pull::Config {
            durable_name: Some("aftercare".to_owned()),
            ack_policy: AckPolicy::Explicit,
            max_deliver: 3,
            ..consumer::pull::Config::default()
        };
        stream.create_consumer(config).await.unwrap();
    });
    server.publish(&super::orders(0, 3));
    let install = super::install(&server, &["test"], &[]);
    let service = install.start();
    super::until_drained(&server);
    let log = service.log();
    for words in ["is kept in memory", "when it is full", "after 3 deliveries"] {
        assert!(log.contains(words), "{words} is not in\n{log}");
    }
    assert_eq!(service.terminate().code(), Some(0));
}

#[test]
fn nats_without_the_stream_says_what_to_type_and_goes_on_once_it_is_there() {
    let Some(mut server) = Nats::shared() else {
        return;
    };
    server.stream = unique("LATER");
    let install = super::install(&server, &["test"], &[]);
    let service = install.start();
    let words = format!("there is no stream {}: make it with", server.stream);
    super::until("it is missed", || {
        service.log().contains(&words).then_some(())
    });
    server.runtime.block_on(async {
        let config = Config {
            name: server.stream.clone(),
            subjects: vec![format!("{}.>", server.stream)],
            ..Config::default()
        };
        server.context().await.create_stream(config).await.unwrap();
    });
    server.publish(&super::orders(0, 3));
    super::until("it is read", || {
        (super::stored(&install) == 3).then_some(())
    });
    assert_eq!(service.terminate().code(), Some(0));
}
