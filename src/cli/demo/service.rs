//! The real service as a child process: this same program, with a folder, a mailbox and
//! a clock of its own. It is talked to from outside only, as a shop would.

use super::http::{self, HttpError};
use crate::model::time::Timestamp;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long the service may take until it is ready.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// How long it may take to end when it is asked to.
const END_WITHIN: Duration = Duration::from_secs(15);
/// Pause between two looks at a process that starts or ends.
const LOOK: Duration = Duration::from_millis(10);
/// The port that is taken where it is free, so that the address stays the same.
const USUAL_PORT: u16 = 8025;
/// How much of the service's log is shown when it fails, in lines.
const LOG_SHOWN: usize = 12;

/// What the demo's processes have in common.
#[derive(Debug, Clone)]
pub struct Setup {
    /// This program.
    pub binary: PathBuf,
    /// The shop's folder.
    pub shop: PathBuf,
    /// The folder of the demo: database, mailbox, log.
    pub data: PathBuf,
    /// Where the service listens.
    pub address: SocketAddr,
    /// What its clock shows first.
    pub start: Timestamp,
    /// How much faster than real time it runs.
    pub speed: u32,
}

/// Why the service cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// A process or a file.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// The system's words.
        source: io::Error,
    },
    /// It ended by itself.
    #[error("the service ended by itself ({status})\n{log}")]
    Ended {
        /// How.
        status: ExitStatus,
        /// The end of its log.
        log: String,
    },
    /// It did not get ready.
    #[error("the service was not ready within {} s\n{log}", READY_WITHIN.as_secs())]
    Slow {
        /// The end of its log.
        log: String,
    },
    /// One of its commands failed.
    #[error("`aftercare {command}` failed\n{words}")]
    Command {
        /// Which.
        command: String,
        /// What it said.
        words: String,
    },
    /// It answered what it should not.
    #[error("{what} was answered {status}\n{body}")]
    Answer {
        /// What was asked.
        what: String,
        /// The status.
        status: u16,
        /// The answer.
        body: String,
    },
    /// It did not answer.
    #[error(transparent)]
    Http(#[from] HttpError),
}

impl Setup {
    /// The folder of captured mails.
    pub fn mailbox(&self) -> PathBuf {
        self.data.join("mailbox")
    }

    /// What the demo's processes are told by environment. Nothing of the caller's own
    /// can lead them to another database or relay.
    pub fn environment(&self) -> Vec<(String, String)> {
        let database = format!("sqlite:{}", self.data.join("demo.db").display());
        [
            ("AFTERCARE_DATA_DIR", self.data.display().to_string()),
            ("AFTERCARE_DATABASE__URL", database),
            ("AFTERCARE_SMTP__URL", "capture".to_owned()),
            // One after the other, so that a kill catches mails on both sides of the line.
            ("AFTERCARE_SMTP__CONNECTIONS", "1".to_owned()),
            ("AFTERCARE_HTTP__LISTEN", self.address.to_string()),
            (
                "AFTERCARE_HTTP__PUBLIC_URL",
                format!("http://{}", self.address),
            ),
            ("AFTERCARE_INTAKE__EVENTS__UNSIGNED", "true".to_owned()),
            ("AFTERCARE_CLOCK__START", self.start.to_string()),
            ("AFTERCARE_CLOCK__SPEED", self.speed.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    fn log(&self) -> PathBuf {
        self.data.join("serve.log")
    }

    /// One of this program's commands on the demo's shop and data.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(arguments)
            .arg("--shop")
            .arg(&self.shop)
            .stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AFTERCARE_") {
                command.env_remove(name);
            }
        }
        command.envs(self.environment());
        command
    }

    /// What a command prints.
    ///
    /// # Errors
    /// It could not be run, or says that it failed.
    pub async fn output(&self, arguments: &[&str]) -> Result<String, ServiceError> {
        let name = arguments.join(" ");
        let mut command = self.command(arguments);
        let ran = tokio::task::spawn_blocking(move || command.output())
            .await
            .map_err(io::Error::other)
            .and_then(|output| output)
            .map_err(|source| failed(format!("cannot run `aftercare {name}`"), source))?;
        if ran.status.success() {
            return Ok(String::from_utf8_lossy(&ran.stdout).into_owned());
        }
        let words = String::from_utf8_lossy(&ran.stderr).into_owned();
        Err(ServiceError::Command {
            command: name,
            words,
        })
    }

    fn end_of_log(&self) -> String {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_SHOWN)..].join("\n")
    }
}

/// A loopback address that nobody listens on.
///
/// # Errors
/// The system's.
pub fn free_address() -> Result<SocketAddr, ServiceError> {
    [USUAL_PORT, 0]
        .into_iter()
        .map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)))
        .reduce(|usual, any| usual.or(any))
        .unwrap_or_else(|| Err(io::Error::other("no port")))
        .and_then(|listener| listener.local_addr())
        .map_err(|source| failed("cannot find a free port on 127.0.0.1".to_owned(), source))
}

/// The running service. Dropping it kills it.
#[derive(Debug)]
pub struct Service {
    setup: Setup,
    child: Child,
}

impl Service {
    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(setup: &Setup) -> Result<Service, ServiceError> {
        let path = setup.log();
        let log = |path: &Path| File::options().create(true).append(true).open(path);
        let (out, err) = log(&path)
            .and_then(|out| Ok((out.try_clone()?, out)))
            .map_err(|source| failed(format!("cannot write {}", path.display()), source))?;
        let child = setup
            .command(&["serve"])
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(|source| failed("cannot start the service".to_owned(), source))?;
        let mut service = Service {
            setup: setup.clone(),
            child,
        };
        let began = Instant::now();
        loop {
            if let Ok((200, _)) = http::get(setup.address, "/readyz").await {
                return Ok(service);
            }
            if let Some(status) = service.ended()? {
                return Err(ServiceError::Ended {
                    status,
                    log: setup.end_of_log(),
                });
            }
            if began.elapsed() > READY_WITHIN {
                return Err(ServiceError::Slow {
                    log: setup.end_of_log(),
                });
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn ended(&mut self) -> Result<Option<ExitStatus>, ServiceError> {
        self.child
            .try_wait()
            .map_err(|source| failed("cannot see the service".to_owned(), source))
    }

    /// What the service's clock shows.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn now(&self) -> Result<Timestamp, ServiceError> {
        let (status, body) = http::get(self.setup.address, "/readyz").await?;
        let read = serde_json::from_str::<serde_json::Value>(&body).ok();
        let now = read
            .as_ref()
            .and_then(|all| all["now"].as_str()?.parse().ok());
        now.ok_or_else(|| ServiceError::Answer {
            what: "GET /readyz".to_owned(),
            status,
            body,
        })
    }

    /// Posts a form or events; only a 2xx is an answer.
    ///
    /// # Errors
    /// Nothing was taken, or nobody can tell.
    pub async fn post(
        &self,
        path: &str,
        content_type: &str,
        body: &str,
    ) -> Result<String, ServiceError> {
        let (status, body) = http::post(self.setup.address, path, content_type, body).await?;
        if (200..300).contains(&status) {
            return Ok(body);
        }
        Err(ServiceError::Answer {
            what: format!("POST {path}"),
            status,
            body,
        })
    }

    /// As `kill -9`: it learns nothing of it.
    ///
    /// # Errors
    /// The system's.
    pub fn kill(mut self) -> Result<(), ServiceError> {
        self.child
            .kill()
            .and_then(|()| self.child.wait())
            .map(drop)
            .map_err(|source| failed("cannot kill the service".to_owned(), source))
    }

    /// Waits for its end without asking for it.
    ///
    /// # Errors
    /// The system's.
    pub async fn wait(&mut self) -> Result<ExitStatus, ServiceError> {
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Asks it to end, and kills it only where that takes too long.
    ///
    /// # Errors
    /// The system's.
    pub async fn stop(mut self) -> Result<(), ServiceError> {
        #[cfg(unix)]
        {
            let asked = Command::new("sh")
                .arg("-c")
                .arg(format!("kill -TERM {}", self.child.id()))
                .status();
            let began = Instant::now();
            while asked.is_ok() && began.elapsed() < END_WITHIN {
                if self.ended()?.is_some() {
                    return Ok(());
                }
                tokio::time::sleep(LOOK).await;
            }
        }
        self.kill()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Both fail where it has ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn failed(what: String, source: io::Error) -> ServiceError {
    ServiceError::Io { what, source }
}
