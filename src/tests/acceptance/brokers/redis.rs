//! Redis Streams.

use super::{Letter, Server, free_port, told, unique, until_it_listens};
use ::redis::{Client, Connection, Value, cmd};
use std::process::{Child, Command, Stdio};

struct Redis {
    url: String,
    stream: String,
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
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .arg("--dir")
            .arg(folder)
            .args([
                "--save",
                "",
                "--appendonly",
                "yes",
                "--appendfsync",
                "always",
            ])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        until_it_listens(port, &mut process);
        process
    }
}

impl Redis {
    fn new(url: String, own: Option<Own>) -> Redis {
        Redis {
            url,
            stream: unique("orders"),
            own,
        }
    }

    fn connection(&self) -> Connection {
        super::until("Redis answers", || {
            let mut connection = Client::open(self.url.as_str())
                .ok()?
                .get_connection()
                .ok()?;
            // While it reads its file it takes connections and answers nothing else.
            let answer: Result<String, _> = cmd("PING").query(&mut connection);
            answer.ok().map(|_| connection)
        })
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server for Redis {
    fn shared() -> Option<Redis> {
        Some(Redis::new(told("AFTERCARE_TEST_REDIS")?, None))
    }

    fn own() -> Option<Redis> {
        let program = told("AFTERCARE_TEST_REDIS_SERVER")?;
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let process = Own::spawn(&program, port, folder.path());
        let own = Own {
            program,
            port,
            folder,
            process,
        };
        Some(Redis::new(format!("redis://127.0.0.1:{port}"), Some(own)))
    }

    fn url(&self) -> String {
        self.url.clone()
    }

    fn reads(&self) -> (&'static str, String) {
        ("stream", self.stream.clone())
    }

    fn publish(&self, messages: &[Letter]) {
        let mut connection = self.connection();
        for some in messages.chunks(500) {
            let mut pipe = ::redis::pipe();
            for (headers, body) in some {
                let add = pipe.cmd("XADD").arg(&self.stream).arg("*");
                for (name, value) in headers {
                    add.arg(name).arg(value);
                }
                add.arg("body").arg(body.as_slice()).ignore();
            }
            let () = pipe.query(&mut connection).unwrap();
        }
    }

    fn unread(&self) -> u64 {
        let groups: Vec<std::collections::HashMap<String, Value>> = cmd("XINFO")
            .arg("GROUPS")
            .arg(&self.stream)
            .query(&mut self.connection())
            .unwrap_or_default();
        let Some(group) = groups.first() else {
            return u64::MAX;
        };
        let number = |name: &str| match group.get(name) {
            Some(Value::Int(number)) => *number as u64,
            _ => u64::MAX / 2,
        };
        number("pending") + number("lag")
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
fn redis_is_drained_and_poison_is_kept() {
    super::drains::<Redis>();
}

#[test]
fn redis_loses_and_doubles_nothing_when_we_are_killed() {
    super::outlives_kills::<Redis>();
}

#[test]
fn redis_loses_and_doubles_nothing_when_it_is_killed() {
    super::outlives_its_broker::<Redis>();
}

#[test]
fn redis_is_told_nothing_while_the_database_is_away() {
    super::waits_for_the_database::<Redis>();
}

#[test]
fn redis_shares_among_a_group() {
    super::shares::<Redis>();
}

#[test]
fn redis_is_left_in_good_order() {
    super::stops_in_good_order::<Redis>();
}

#[test]
fn redis_carries_a_platforms_deliveries() {
    super::speaks_for_a_platform::<Redis>();
}

#[test]
fn redis_with_tls_and_a_password_is_read() {
    let Some(program) = told("AFTERCARE_TEST_REDIS_SERVER") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let certificate = super::certificate(folder.path());
    let port = free_port();
    let mut process = Command::new(&program)
        .args([
            "--bind",
            "127.0.0.1",
            "--port",
            "0",
            "--save",
            "",
            "--appendonly",
            "yes",
        ])
        .args(["--tls-port", &port.to_string(), "--tls-auth-clients", "no"])
        .args(["--requirepass", "hush", "--dir"])
        .arg(folder.path())
        .arg("--tls-cert-file")
        .arg(&certificate.chain)
        .arg("--tls-key-file")
        .arg(&certificate.key)
        .arg("--tls-ca-cert-file")
        .arg(&certificate.chain)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    until_it_listens(port, &mut process);
    let own = Own {
        program,
        port,
        folder,
        process,
    };
    let server = Redis::new(format!("rediss://localhost:{port}"), Some(own));
    let ca = certificate.chain.to_str().unwrap().to_owned();
    let install = super::install(
        &server,
        &["test"],
        &[("ca_file", &ca), ("password", "hush")],
    );
    let service = install.start();
    super::until_connected(&service, "test");
    assert_eq!(service.terminate().code(), Some(0));
    // Without the authority it is refused, in words.
    let install = super::install(&server, &["test"], &[("password", "hush")]);
    let service = install.start();
    super::until("it says so", || {
        let log = service.log().to_lowercase();
        (log.contains("cannot be reached") && log.contains("certificate")).then_some(())
    });
    assert!(!service.log().contains("hush"));
}

#[test]
fn redis_that_forgets_is_warned_of() {
    let Some(server) = Redis::own() else { return };
    let mut connection = server.connection();
    for (name, value) in [("appendonly", "no"), ("maxmemory-policy", "allkeys-lru")] {
        let () = cmd("CONFIG")
            .arg("SET")
            .arg(name)
            .arg(value)
            .query(&mut connection)
            .unwrap();
    }
    server.publish(&super::orders(0, 3));
    let install = super::install(&server, &["test"], &[]);
    let service = install.start();
    super::until_drained(&server);
    let log = service.log();
    assert!(log.contains("appendonly no"), "{log}");
    assert!(log.contains("maxmemory-policy allkeys-lru"), "{log}");
    assert_eq!(service.terminate().code(), Some(0));
    // Entries that were cut off before anybody read them are told too.
    server.publish(&super::orders(3, 5));
    let () = cmd("XTRIM")
        .arg(&server.stream)
        .arg("MAXLEN")
        .arg(1)
        .query(&mut connection)
        .unwrap();
    let service = install.start();
    super::until("the one that is left is stored", || {
        (super::stored(&install) == 4).then_some(())
    });
    let log = service.log();
    assert!(log.contains("were deleted before they were read"), "{log}");
    assert_eq!(service.terminate().code(), Some(0));
}
