//! T7, T12, T16: intake, the way from a due time to the relay, and a cold start.

use crate::machine;
use crate::pending::{self, Pending};
use crate::report::{Row, median, percentile};
use crate::shop;
use aftercare::clock::Clock;
use aftercare::engine::serve::{self, Roles};
use aftercare::mail::{Memory, Transport};
use aftercare::model::time::to_ms;
use aftercare::web;
use anyhow::{Context, Result, bail};
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// Connections of the load, and how many times the peer's rate ours is to be.
const LOAD: [(usize, f64); 2] = [(64, 1.4), (256, 3.0)];
/// Seconds of load a run.
const SECONDS: usize = 5;
/// Seconds of load before, for the peer.
const WARM_UP: usize = 1;
/// Mails of which the latency is taken.
const DISPATCHES: usize = 200;
/// How far apart they fall due, in ms, on an idle engine.
const APART: i64 = 40;
/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// T7: `POST /events`, each answered only after its commit, beside Fastify with PostgreSQL.
/// Planning is another role's.
pub async fn intake(runs: usize) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (connections, target) in LOAD {
        let (mut rates, mut p99, mut cpus) = (Vec::new(), Vec::new(), Vec::new());
        let (mut ratios, mut peers, mut peers_p99) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..runs {
            let (ours, cpu) = ours(connections).await?;
            rates.push(ours.rate);
            p99.push(ours.p99);
            cpus.push(cpu);
            let Some(peer) = machine::IntakePeer::start()? else {
                continue;
            };
            // It warms up, as its compiler does; ours needs none.
            load(&peer.url, 16, WARM_UP).await?;
            let its = load(&peer.url, connections, SECONDS).await?;
            ratios.push(ours.rate / its.rate);
            peers.push(its.rate);
            peers_p99.push(its.p99);
        }
        let what = format!("ingest durable, {connections} connections, 2.8 kB orders");
        let row = if peers.is_empty() {
            let note = "its peer needs Node.js and PostgreSQL: no ratio";
            Row::of("T7", what, "x Fastify", Some(target), Vec::new()).with("note", note)
        } else {
            Row::of("T7", what, "x Fastify", Some(target), ratios)
        };
        rows.push(
            row.with_median("requests_per_s", &rates)
                .with_median("p99_ms", &p99)
                .with_median("cpu_µs_a_request", &cpus)
                .with_median("peer_requests_per_s", &peers)
                .with_median("peer_p99_ms", &peers_p99),
        );
    }
    Ok(rows)
}

struct Load {
    rate: f64,
    p99: f64,
}

/// Our door under load; gives the processor time of a request beside.
async fn ours(connections: usize) -> Result<(Load, f64)> {
    let scratch = shop::scratch()?;
    let live = shop::files(&shop::folder())?;
    let memory = Transport::Memory(Memory::new());
    let engine = Arc::new(shop::engine(&scratch.path().join("bench.db"), live, memory, 1).await?);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = format!("http://{}", listener.local_addr()?);
    let settings = web::Settings {
        intake: Some(web::Intake::unsigned()),
        ..web::Settings::default()
    };
    let stop = CancellationToken::new();
    let door = tokio::spawn(web::serve(
        listener,
        Arc::clone(&engine),
        settings,
        stop.clone(),
    ));
    let cpu = machine::own_cpu()?;
    let run = load(&address, connections, SECONDS).await?;
    let cpu = machine::own_cpu()? - cpu;
    stop.cancel();
    door.await??;
    let stored = engine.counts().await?.events as f64;
    Ok((run, cpu * 1e6 / stored.max(1.0)))
}

/// Orders on so many connections for so many seconds.
async fn load(address: &str, connections: usize, seconds: usize) -> Result<Load> {
    let scratch = shop::scratch()?;
    let script = scratch.path().join("post.lua");
    std::fs::write(&script, lua()?)?;
    let script = script.to_string_lossy().into_owned();
    let (load, time) = (format!("-c{connections}"), format!("-d{seconds}s"));
    let address = address.to_owned();
    let report = tokio::task::spawn_blocking(move || {
        machine::wrk(&["-t1", &load, &time, "--latency", "-s", &script, &address])
    })
    .await??;
    if report.contains("Non-2xx") {
        bail!("not every event was taken: {report}");
    }
    let word = |after: &str| {
        report
            .lines()
            .find_map(|line| line.trim().strip_prefix(after))
            .map(|rest| rest.trim().to_owned())
    };
    let rate = word("Requests/sec:")
        .and_then(|text| text.parse().ok())
        .context("wrk tells no rate")?;
    let p99 = word("99%")
        .and_then(|text| milliseconds(&text))
        .context("wrk tells no p99")?;
    Ok(Load { rate, p99 })
}

/// What wrk sends: the order under a new number each time.
fn lua() -> Result<String> {
    let body = shop::order(0, Clock::System.now())?.to_string();
    let body = body
        .replace("SO-0", "SO-%N%")
        .replace("customer0@", "customer%N%@")
        .replace("C-0", "C-%N%");
    let body = body.replace("\"order_number\":\"0\"", "\"order_number\":\"%N%\"");
    Ok(format!(
        "local n = 0\nlocal body = [==[{body}]==]\nwrk.method = 'POST'\nwrk.path = '/events'\n\
         wrk.headers['content-type'] = 'application/cloudevents+json'\n\
         request = function()\n  n = n + 1\n  local one = body:gsub('%%N%%', tostring(n))\n  \
         return wrk.format(nil, nil, nil, one)\nend\n"
    ))
}

/// `12.34ms`, `1.20s` or `800.00us`.
fn milliseconds(text: &str) -> Option<f64> {
    let end = text.find(|c: char| c.is_ascii_alphabetic())?;
    let number: f64 = text[..end].parse().ok()?;
    match &text[end..] {
        "us" => Some(number / 1000.0),
        "ms" => Some(number),
        "s" => Some(number * 1000.0),
        _ => None,
    }
}

/// T12: from the instant at which a mail falls due to the relay's 354 and 250.
pub async fn dispatch(waiting: &Pending) -> Result<Vec<Row>> {
    let folder = shop_with_a_delay()?;
    let relay = Watch::start().await?;
    let transport = Transport::parse(&relay.url, Path::new("mailbox"))?;
    let engine = Arc::new(waiting.engine(folder.path(), transport, 16).await?);
    let from = 20_000_000;
    let began = to_ms(Clock::System.now());
    // Due an hour after the order: the first three seconds from now.
    let mut due = HashMap::new();
    let mut events = Vec::new();
    let lead = 3_000 + i64::try_from(DISPATCHES)? * 10;
    for n in 0..DISPATCHES {
        let at = began + lead + i64::try_from(n)? * APART;
        let now = Clock::System.now();
        let placed = aftercare::model::time::from_ms(at - 3_600_000);
        events.push(shop::read(&shop::order(from + n, placed)?, now));
        due.insert(format!("customer{}@example.org", from + n), at);
    }
    shop::accept(&engine, events).await?;
    if to_ms(Clock::System.now()) > began + lead {
        bail!("seeding took too long for the due times");
    }
    let stop = CancellationToken::new();
    let roles = Roles {
        intake: false,
        scheduler: true,
        mailer: true,
        web: false,
    };
    let loops = tokio::spawn(serve::run(Arc::clone(&engine), roles, None, stop.clone()));
    let end = lead + i64::try_from(DISPATCHES)? * APART + 2_000;
    let wait = began + end - to_ms(Clock::System.now());
    tokio::time::sleep(Duration::from_millis(u64::try_from(wait)?)).await;
    stop.cancel();
    loops.await?;
    let seen = relay.seen();
    let late = |which: fn(&Seen) -> Option<f64>| -> Vec<f64> {
        due.iter()
            .filter_map(|(to, at)| Some(which(seen.get(to)?)? - *at as f64))
            .collect()
    };
    let (go_ahead, taken) = (late(|seen| seen.go_ahead), late(|seen| seen.taken));
    if taken.len() < DISPATCHES {
        bail!("{} of {DISPATCHES} mails were sent", taken.len());
    }
    let what = |of: &str| {
        format!(
            "due time to the relay's {of}, idle engine, {} pending",
            pending::million()
        )
    };
    let row = |of: &str, share: f64, target, times: &[f64]| {
        let mut row = Row::of("T12", what(of), "ms", target, vec![]);
        row.value = percentile(times, share);
        row.with("mails", times.len()).with(
            "worst_ms",
            percentile(times, 1.0).map(crate::report::rounded),
        )
    };
    Ok(vec![
        row("354, p50", 0.5, Some(5.0), &go_ahead),
        row("354, p99", 0.99, Some(15.0), &go_ahead),
        row("250, p50", 0.5, None, &taken),
        row("250, p99", 0.99, None, &taken),
    ])
}

/// The shop with one more sequence: a mail exactly an hour after the order.
fn shop_with_a_delay() -> Result<tempfile::TempDir> {
    let folder = shop::scratch()?;
    for part in ["config", "templates"] {
        copy(&shop::folder().join(part), &folder.path().join(part))?;
    }
    // The order's own mails are not what is waited for.
    std::fs::remove_file(folder.path().join("config/sequences/fulfilment.toml"))?;
    std::fs::write(
        folder.path().join("config/sequences/bench.toml"),
        "format = 1\nid = \"fulfilment\"\nkind = \"fulfilment\"\ntitle = \"Your order\"\nfrom = \"marit\"\n\
         [start]\non = \"order.placed\"\nper = \"order\"\n\
         [[step]]\nid = \"placed\"\nafter = \"start + 1h\"\nmail = \"fulfilment/placed\"\n",
    )?;
    Ok(folder)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// When a relay said what, in ms since 1970.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    go_ahead: Option<f64>,
    taken: Option<f64>,
}

/// A relay that takes everything and notes when.
struct Watch {
    url: String,
    seen: Arc<Mutex<HashMap<String, Seen>>>,
}

impl Watch {
    async fn start() -> Result<Watch> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("smtp://{}", listener.local_addr()?);
        let seen: Arc<Mutex<HashMap<String, Seen>>> = Arc::default();
        let notes = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let notes = Arc::clone(&notes);
                tokio::spawn(async move { converse(stream, &notes).await });
            }
        });
        Ok(Watch { url, seen })
    }

    fn seen(&self) -> HashMap<String, Seen> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

async fn converse(stream: TcpStream, notes: &Mutex<HashMap<String, Seen>>) -> Result<()> {
    stream.set_nodelay(true)?;
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    let note = |to: &str, what: fn(&mut Seen, f64)| {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
        what(
            notes.entry(to.to_owned()).or_default(),
            now.as_secs_f64() * 1000.0,
        );
    };
    write.write_all(b"220 bench\r\n").await?;
    let (mut line, mut to, mut in_body) = (String::new(), String::new(), false);
    loop {
        line.clear();
        if read.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let said = line.trim_end();
        let answer = match said.get(..4).unwrap_or(said) {
            "." if in_body => {
                in_body = false;
                note(&to, |seen, now| seen.taken = Some(now));
                "250 2.0.0 Ok\r\n"
            }
            _ if in_body => continue,
            "EHLO" => "250-bench\r\n250 PIPELINING\r\n",
            "RCPT" => {
                let inside = said
                    .split_once('<')
                    .and_then(|(_, rest)| rest.split_once('>'));
                to = inside
                    .map(|(address, _)| address.to_owned())
                    .unwrap_or_default();
                "250 Ok\r\n"
            }
            "DATA" => {
                in_body = true;
                note(&to, |seen, now| seen.go_ahead = Some(now));
                "354 Go ahead\r\n"
            }
            "QUIT" => "221 Bye\r\n",
            _ => "250 Ok\r\n",
        };
        write.write_all(answer.as_bytes()).await?;
    }
}

/// T16: from starting the program to the first event that it has taken durably.
pub async fn cold_start(runs: usize, waiting: &Pending) -> Result<Row> {
    let mut times = Vec::new();
    for run in 0..runs {
        times.push(start(waiting, 30_000_000 + run).await?);
    }
    let middle = median(&times);
    let mut row = Row::of(
        "T16",
        format!("start to first event taken, {} pending", pending::million()),
        "ms",
        Some(60.0),
        times,
    );
    row.value = middle;
    Ok(row)
}

async fn start(waiting: &Pending, customer: usize) -> Result<f64> {
    let data = waiting.database.parent().context("a folder")?;
    let address = format!("127.0.0.1:{}", machine::free_port()?);
    let body = shop::order(customer, Clock::System.now())?.to_string();
    let request = format!(
        "POST /events HTTP/1.1\r\nhost: bench\r\ncontent-type: application/cloudevents+json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let began = Instant::now();
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_aftercare"))
        .arg("--shop")
        .arg(shop::folder())
        .arg("serve")
        .env(
            "AFTERCARE_DATABASE__URL",
            format!("sqlite:{}", waiting.database.display()),
        )
        .env("AFTERCARE_DATA_DIR", data)
        .env("AFTERCARE_SMTP__URL", "capture")
        .env("AFTERCARE_HTTP__LISTEN", &address)
        .env("AFTERCARE_INTAKE__EVENTS__UNSIGNED", "true")
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let took = loop {
        if let Ok(mut stream) = TcpStream::connect(&address).await {
            stream.write_all(request.as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            if !answer.starts_with("HTTP/1.1 2") {
                bail!("the event was not taken: {answer}");
            }
            break began.elapsed();
        }
        if began.elapsed() > PATIENCE || child.try_wait()?.is_some() {
            bail!("aftercare serve does not listen");
        }
        tokio::time::sleep(Duration::from_micros(500)).await;
    };
    // A crash is the ordinary way to end.
    child.kill().await?;
    Ok(took.as_secs_f64() * 1000.0)
}
