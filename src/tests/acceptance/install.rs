//! An install of the program for one test: a copy of the repository's shop, a data
//! folder, a database, and the service as a child process that can be killed.

use super::until;
use serde_json::Value;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How long one HTTP request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// What the rehearsal clock shows first: a Monday morning.
pub const START: &str = "2026-03-02T09:00:00Z";

/// Which database an install uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    /// A PostgreSQL that was made for this install.
    Postgres(String),
}

impl Database {
    /// SQLite, and PostgreSQL where `TEST_POSTGRES_URL` names one.
    pub fn all() -> Vec<Database> {
        let mut all = vec![Database::Sqlite];
        all.extend(
            std::env::var("TEST_POSTGRES_URL")
                .ok()
                .map(|server| Database::Postgres(make_postgres(&server))),
        );
        all
    }
}

/// An empty database on the server, its name this process's and this call's.
fn make_postgres(server: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("acceptance_{}_{count}", std::process::id());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        use sqlx::Connection;
        let mut connection = sqlx::PgConnection::connect(server).await.unwrap();
        for statement in [
            format!("DROP DATABASE IF EXISTS {name}"),
            format!("CREATE DATABASE {name}"),
        ] {
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
                .execute(&mut connection)
                .await
                .unwrap();
        }
    });
    let mut url = url::Url::parse(server).unwrap();
    url.set_path(&name);
    url.to_string()
}

/// A line of `sends`, `upcoming` or `simulate`.
#[derive(Clone, PartialEq, serde::Deserialize)]
pub struct Row {
    pub id: String,
    pub message_id: Option<String>,
    pub email: Option<String>,
    pub order: Option<String>,
    pub sequence: String,
    pub step: String,
    pub occurrence: Option<String>,
    pub kind: String,
    pub state: String,
    pub due: Option<String>,
    pub at: Option<String>,
    pub attempts: Option<u32>,
    pub reason: Option<String>,
    pub because: Option<String>,
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        write!(
            f,
            "{} is {} ({}: {})",
            self.key(),
            self.state,
            text(&self.reason),
            text(&self.because)
        )?;
        write!(
            f,
            ", due {}, at {}, {}",
            text(&self.due),
            text(&self.at),
            self.message_id()
        )
    }
}

impl Row {
    /// What it is, whoever says so.
    pub fn key(&self) -> String {
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        format!(
            "{} order {} {}/{} {}",
            text(&self.email),
            text(&self.order),
            self.sequence,
            self.step,
            text(&self.occurrence)
        )
    }

    pub fn name(&self) -> String {
        format!("{}/{}", self.sequence, self.step)
    }

    pub fn message_id(&self) -> &str {
        self.message_id.as_deref().unwrap_or_default()
    }

    /// Whether the mail went out, or may have.
    pub fn may_be_out(&self) -> bool {
        matches!(self.state.as_str(), "accepted" | "uncertain" | "unknown")
    }

    pub fn is_final(&self) -> bool {
        matches!(
            self.state.as_str(),
            "accepted" | "refused" | "skipped" | "cancelled" | "unknown"
        )
    }
}

/// A shop, its data and how the service is to run.
pub struct Install {
    /// Removed with everything in it when the test is over, unless it failed.
    folder: Option<tempfile::TempDir>,
    pub shop: PathBuf,
    pub data: PathBuf,
    pub database: Database,
    pub relay: String,
    /// How much faster than real time the clock runs; may change between starts.
    pub speed: u32,
    /// More variables of its environment.
    pub environment: Vec<(String, String)>,
    /// What `serve` is told.
    pub arguments: Vec<String>,
}

impl Install {
    /// A fresh install that sends to `relay`.
    pub fn new(database: Database, relay: &str) -> Install {
        let folder = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let shop = folder.path().join("shop");
        for part in ["config", "templates"] {
            copy(&root.join(part), &shop.join(part));
        }
        let data = folder.path().join("data");
        fs::create_dir_all(&data).unwrap();
        Install {
            shop,
            data,
            database,
            relay: relay.to_owned(),
            speed: 1,
            environment: Vec::new(),
            arguments: Vec::new(),
            folder: Some(folder),
        }
    }

    pub fn sqlite(relay: &str) -> Install {
        Install::new(Database::Sqlite, relay)
    }

    /// Where the SQLite file is.
    pub fn sqlite_file(&self) -> PathBuf {
        self.data.join("aftercare.db")
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aftercare"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AFTERCARE_") {
                command.env_remove(name);
            }
        }
        let database = match &self.database {
            Database::Sqlite => format!("sqlite:{}", self.sqlite_file().display()),
            Database::Postgres(url) => url.clone(),
        };
        command
            .args(arguments)
            .arg("--shop")
            .arg(&self.shop)
            .env("AFTERCARE_DATABASE__URL", database)
            .env("AFTERCARE_DATA_DIR", &self.data)
            .env("AFTERCARE_SMTP__URL", &self.relay)
            .env("AFTERCARE_INTAKE__EVENTS__UNSIGNED", "true")
            .env("AFTERCARE_CLOCK__START", START)
            .env("AFTERCARE_CLOCK__SPEED", self.speed.to_string())
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null());
        command
    }

    /// What a command prints; it must not fail.
    pub fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(
            output.status.success(),
            "{arguments:?} failed ({}):\n{}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn rows(&self, arguments: &[&str]) -> Vec<Row> {
        let text = self.run(arguments);
        text.lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
            })
            .collect()
    }

    /// The ledger.
    pub fn sends(&self) -> Vec<Row> {
        self.rows(&["sends", "--json"])
    }

    /// The ledger's lines of one step.
    pub fn sends_of(&self, name: &str) -> Vec<Row> {
        self.sends()
            .into_iter()
            .filter(|row| row.name() == name)
            .collect()
    }

    /// Starts the service without waiting for it.
    pub fn spawn(&self) -> Service {
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let log = self.data.join("serve.log");
        let file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        let child = self
            .command(&["serve"])
            .args(&self.arguments)
            .env("AFTERCARE_HTTP__LISTEN", address.to_string())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        Service {
            child,
            address,
            log,
        }
    }

    /// Starts the service and waits until it is ready.
    pub fn start(&self) -> Service {
        let mut service = self.spawn();
        until("the service is ready", || {
            if let Some(status) = service.child.try_wait().unwrap() {
                panic!("the service ended by itself ({status}):\n{}", service.log());
            }
            matches!(service.request("GET", "/readyz", "", ""), Ok((200, _))).then_some(())
        });
        service
    }
}

impl Drop for Install {
    fn drop(&mut self) {
        if let Some(folder) = self.folder.take().filter(|_| std::thread::panicking()) {
            eprintln!(
                "shop, database and log are kept in {}",
                folder.keep().display()
            );
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}

/// What intake answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
pub struct Answer {
    pub accepted: usize,
    pub duplicate: usize,
    pub quarantined: usize,
}

/// The running service. Dropping it kills it.
pub struct Service {
    child: Child,
    pub address: SocketAddr,
    log: PathBuf,
}

impl Service {
    /// Everything it has logged, since the first start of this install.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// One request on a connection of its own.
    pub fn request(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        body: &str,
    ) -> io::Result<(u16, String)> {
        request(self.address, method, path, content_type, body)
    }

    /// Posts events in one batch; they must be taken.
    pub fn post(&self, events: &[Value]) -> Answer {
        post(self.address, events).unwrap_or_else(|error| panic!("{error}\n{}", self.log()))
    }

    /// What its clock shows.
    pub fn now(&self) -> jiff::Timestamp {
        let (_, body) = self.request("GET", "/readyz", "", "").unwrap();
        let all: Value = serde_json::from_str(&body).unwrap();
        all["now"]
            .as_str()
            .and_then(|now| now.parse().ok())
            .unwrap_or_else(|| panic!("no clock in {body}"))
    }

    /// Waits until its clock shows so many days after [`START`].
    pub fn until_day(&self, days: i64) {
        let start: jiff::Timestamp = START.parse().unwrap();
        let then = start + jiff::SignedDuration::from_hours(24 * days);
        until("the clock gets there", || {
            (self.now() >= then).then_some(())
        });
    }

    /// The most memory that it has held so far, in MiB.
    #[cfg(target_os = "linux")]
    pub fn peak_mib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let text = fs::read_to_string(path).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|rest| rest.split_whitespace().next());
        kib.unwrap().parse::<u64>().unwrap() / 1024
    }

    /// Waits until it has ended by itself; returns how.
    pub fn ended(mut self) -> ExitStatus {
        until("the service ends", || self.child.try_wait().unwrap())
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; returns how it ended.
    pub fn terminate(mut self) -> ExitStatus {
        let id = self.child.id();
        let asked = Command::new("sh")
            .arg("-c")
            .arg(format!("kill -TERM {id}"))
            .status()
            .unwrap();
        assert!(asked.success());
        until("the service ends", || self.child.try_wait().unwrap())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Posts events in one batch: an answer means that they were taken, an error that nobody
/// can tell.
pub fn post(address: SocketAddr, events: &[Value]) -> io::Result<Answer> {
    let body = serde_json::to_string(events).unwrap();
    let (status, answer) = request(
        address,
        "POST",
        "/events",
        "application/cloudevents-batch+json",
        &body,
    )?;
    match status {
        202 => Ok(serde_json::from_str(&answer).unwrap()),
        503 | 429 => Err(io::Error::other(answer)),
        _ => panic!("events were answered {status}: {answer}"),
    }
}

fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    content_type: &str,
    body: &str,
) -> io::Result<(u16, String)> {
    let headers = [("Content-Type".to_owned(), content_type.to_owned())];
    ask(address, method, path, &headers, body)
}

/// One request with these headers on a connection of its own: its status and its body.
pub fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(String, String)],
    body: &str,
) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, REQUEST_TIMEOUT)?;
    stream.set_read_timeout(Some(REQUEST_TIMEOUT))?;
    stream.set_nodelay(true)?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\n\
         Content-Length: {length}\r\nConnection: close\r\n"
    )?;
    for (name, value) in headers {
        write!(stream, "{name}: {value}\r\n")?;
    }
    write!(stream, "\r\n{body}")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let broken = || io::Error::other("no whole answer");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(broken)?;
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok());
    if length.is_some_and(|length| length != body.len()) {
        return Err(broken());
    }
    let status = head
        .get(9..12)
        .and_then(|code| code.parse().ok())
        .ok_or_else(broken)?;
    Ok((status, body.to_owned()))
}
