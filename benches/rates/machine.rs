//! The machine's side: processor time, memory, and the programs that are measured beside
//! us. Everything started here is stopped by its own id.

use anyhow::{Context, Result, bail};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a program may take to listen.
const PATIENCE: Duration = Duration::from_secs(10);
/// Ticks of `/proc/*/stat` in a second; fixed in Linux's interface.
const TICKS: f64 = 100.0;

/// Processor seconds of this process, all threads.
pub fn own_cpu() -> Result<f64> {
    let (own, _) = cpu()?;
    Ok(own)
}

/// Processor seconds of children that were waited for.
pub fn childrens_cpu() -> Result<f64> {
    let (_, children) = cpu()?;
    Ok(children)
}

fn cpu() -> Result<(f64, f64)> {
    let text = std::fs::read_to_string("/proc/self/stat")?;
    // The name of the program may hold spaces; what follows its bracket does not.
    let (_, rest) = text
        .rsplit_once(')')
        .context("/proc/self/stat reads differently")?;
    let fields: Vec<f64> = rest
        .split_whitespace()
        .skip(11)
        .take(4)
        .map(|field| field.parse().unwrap_or(0.0))
        .collect();
    match fields.as_slice() {
        [user, system, child_user, child_system] => {
            Ok(((user + system) / TICKS, (child_user + child_system) / TICKS))
        }
        _ => bail!("/proc/self/stat reads differently"),
    }
}

/// A figure of `/proc/self/status` in MiB, such as `VmHWM`, the most memory held so far.
pub fn memory(name: &str) -> Result<f64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kib: f64 = line
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .with_context(|| format!("/proc/self/status has no {name}"))?;
    Ok(kib / 1024.0)
}

/// A port that nobody listens on.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

/// A program that `scripts/bench` has found or fetched, by the variable it says so in.
fn tool(variable: &str, name: &str) -> Command {
    let path = std::env::var_os(variable).map_or_else(|| PathBuf::from(name), PathBuf::from);
    let mut command = Command::new(path);
    if let Some(libraries) = std::env::var_os("BENCH_POSTFIX_LIB") {
        command.env("LD_LIBRARY_PATH", libraries);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// A running `smtp-sink`.
#[derive(Debug)]
pub struct Sink {
    pub port: u16,
    child: Child,
}

impl Sink {
    /// Starts one on a free port of loopback.
    pub fn start() -> Result<Sink> {
        let port = free_port()?;
        let mut command = tool("BENCH_SMTP_SINK", "/usr/sbin/smtp-sink");
        if is_root()? {
            command.args(["-u", "nobody"]);
        }
        let child = command
            .args(["-m", "512", &format!("127.0.0.1:{port}"), "1024"])
            .spawn()
            .context("smtp-sink does not start; run this through scripts/bench")?;
        let mut sink = Sink { port, child };
        wait_for(port, &mut sink.child).context("smtp-sink")?;
        Ok(sink)
    }

    /// Its address as `smtp.url`.
    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_root() -> Result<bool> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    Ok(text
        .lines()
        .any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(1) == Some("0")))
}

/// What one run of a sender came to.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    /// Mails a second.
    pub rate: f64,
    /// Processor time a mail, in µs.
    pub cpu: f64,
}

/// `smtp-source`, connections kept (its faster way): so many mails of so many bytes.
pub fn smtp_source(sink: &Sink, mails: usize, bytes: usize, sessions: usize) -> Result<Sent> {
    let before = childrens_cpu()?;
    let began = Instant::now();
    let status = tool("BENCH_SMTP_SOURCE", "/usr/sbin/smtp-source")
        .args([
            "-d",
            "-s",
            &sessions.to_string(),
            "-m",
            &mails.to_string(),
            "-l",
            &bytes.to_string(),
        ])
        .args([
            "-f",
            "shop@example.com",
            "-t",
            "ann@example.net",
            &format!("127.0.0.1:{}", sink.port),
        ])
        .status()
        .context("smtp-source does not start; run this through scripts/bench")?;
    let seconds = began.elapsed().as_secs_f64();
    if !status.success() {
        bail!("smtp-source: {status}");
    }
    let cpu = childrens_cpu()? - before;
    Ok(Sent {
        rate: mails as f64 / seconds,
        cpu: cpu * 1e6 / mails as f64,
    })
}

/// `wrk`, one thread, with a script; gives its report.
pub fn wrk(arguments: &[&str]) -> Result<String> {
    let output = tool("BENCH_WRK", "wrk")
        .args(arguments)
        .stdout(Stdio::piped())
        .output()
        .context("wrk does not start; run this through scripts/bench")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The peer of intake: Fastify with PostgreSQL.
#[derive(Debug)]
pub struct IntakePeer {
    pub url: String,
    child: Child,
}

impl IntakePeer {
    /// Starts it; `None` where `scripts/bench` has not prepared it.
    pub fn start() -> Result<Option<IntakePeer>> {
        let (Some(script), Some(database)) = (
            std::env::var_os("BENCH_INTAKE_PEER"),
            std::env::var_os("TEST_POSTGRES_URL"),
        ) else {
            return Ok(None);
        };
        let port = free_port()?;
        let child = tool("BENCH_NODE", "node")
            .arg(script)
            .arg(port.to_string())
            .env("DATABASE_URL", database)
            .spawn()
            .context("node does not start")?;
        let url = format!("http://127.0.0.1:{port}");
        let mut peer = IntakePeer { url, child };
        wait_for(port, &mut peer.child).context("the peer of T7")?;
        Ok(Some(peer))
    }
}

impl Drop for IntakePeer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Until a program listens on a port of loopback.
fn wait_for(port: u16, child: &mut Child) -> Result<()> {
    let began = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if began.elapsed() > PATIENCE || child.try_wait()?.is_some() {
            bail!("it does not listen");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
