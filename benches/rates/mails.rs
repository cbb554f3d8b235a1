//! T1, T3, T5: mails a second, beside `smtp-source` on the same sink.

use crate::machine::{self, Sent, Sink, smtp_source};
use crate::report::Row;
use crate::shop;
use crate::tally;
use aftercare::engine::Engine;
use aftercare::engine::serve::{self, Roles};
use aftercare::mail::{Address, Composed, Delivery, Envelope, Memory, Transport};
use aftercare::mail::{Connection, Offered};
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// What apalis, the best peer, spends on a job with its store (`TARGETS.md`, 4.4): a
/// figure of another day, since the peer is not run here.
const PEER_CPU: f64 = 442.0;
/// Sessions of `smtp-source`; more make it no faster.
const SESSIONS: usize = 16;
/// Connections to try end to end: the barrier waits for the disk, so more of them carry more.
const CONNECTIONS: [usize; 4] = [16, 32, 64, 128];
/// Connections of the SMTP leg alone.
const LEG_CONNECTIONS: usize = 16;
/// How long a run may take before it is given up.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often to look whether a run is at its end.
const LOOK: Duration = Duration::from_millis(2);

/// T1: the SMTP leg alone, chained, ready mails.
pub async fn leg(runs: usize) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (bytes, mails, target) in [(4 * 1024, 60_000, 1.5), (12 * 1024, 30_000, 1.0)] {
        let sink = Sink::start()?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            ours.push(chained(&sink, mails, bytes).await?);
            theirs.push(smtp_source(&sink, mails, bytes, SESSIONS)?);
        }
        let what = format!(
            "SMTP leg alone, {} kB, {LEG_CONNECTIONS} connections",
            bytes / 1024
        );
        rows.push(beside(
            Row::of(
                "T1",
                what,
                "x smtp-source",
                Some(target),
                ratios(&ours, &theirs),
            ),
            &ours,
            &theirs,
        ));
    }
    Ok(rows)
}

async fn chained(sink: &Sink, mails: usize, bytes: usize) -> Result<Sent> {
    let transport = Transport::parse(&sink.url(), Path::new("mailbox"))?;
    let mail = Arc::new(plain(bytes)?);
    let left = Arc::new(AtomicUsize::new(mails));
    let cpu = machine::own_cpu()?;
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..LEG_CONNECTIONS {
        let (transport, mail, left) = (transport.clone(), Arc::clone(&mail), Arc::clone(&left));
        tasks.spawn(async move {
            let take = || {
                left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| {
                    left.checked_sub(1)
                })
                .is_ok()
            };
            let mut sent = 0;
            if !take() {
                return Ok(sent);
            }
            let connection: Connection = transport.open().await?;
            let mut offered: Offered = connection
                .offer(&mail)
                .await
                .map_err(|not| anyhow::anyhow!("{not:?}"))?;
            while take() {
                let (delivery, next) = offered.dot_then(&mail).await;
                sent += count(&delivery)?;
                offered = next
                    .offered()
                    .await
                    .map_err(|not| anyhow::anyhow!("{not:?}"))?;
            }
            let (delivery, connection) = offered.dot().await;
            sent += count(&delivery)?;
            if let Some(connection) = connection {
                connection.quit().await;
            }
            Ok::<usize, anyhow::Error>(sent)
        });
    }
    let mut sent = 0;
    while let Some(done) = tasks.join_next().await {
        sent += done??;
    }
    let seconds = began.elapsed().as_secs_f64();
    let cpu = machine::own_cpu()? - cpu;
    if sent != mails {
        bail!("{sent} of {mails} mails were accepted");
    }
    Ok(Sent {
        rate: mails as f64 / seconds,
        cpu: cpu * 1e6 / mails as f64,
    })
}

fn count(delivery: &Delivery) -> Result<usize> {
    match delivery {
        Delivery::Accepted(_) => Ok(1),
        other => bail!("the sink does not accept: {other:?}"),
    }
}

/// A mail of about so many bytes.
fn plain(bytes: usize) -> Result<Composed> {
    let envelope = Envelope {
        from: Address::parse("shop@example.com")?,
        to: Address::parse("ann@example.net")?,
    };
    let mut message =
        b"From: shop@example.com\r\nTo: ann@example.net\r\nSubject: bench\r\n\r\n".to_vec();
    while message.len() < bytes {
        message.extend_from_slice(
            b"Seventy-odd letters a line, as quoted-printable would have written them.\r\n",
        );
    }
    Ok(Composed::from_message(envelope, &message))
}

/// What one run of the whole engine came to.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// Until the last acceptance was durable.
    pub sent: Sent,
    /// Until nothing was left to plan either.
    pub all: Sent,
}

/// T3 and T5: the whole engine, from queued sends to durable acceptances.
pub async fn end_to_end(runs: usize, wants: &dyn Fn(&str) -> bool) -> Result<Vec<Row>> {
    let mails: usize = number("BENCH_MAILS", 10_000);
    let bytes = size_of_a_mail().await?;
    let choices: Vec<usize> = match number("BENCH_CONNECTIONS", 0) {
        0 => CONNECTIONS.to_vec(),
        one => vec![one],
    };
    let mut best: Option<(f64, Vec<Row>)> = None;
    for connections in choices {
        let (mut ours, mut all, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..runs {
            let sink = Sink::start()?;
            theirs.push(smtp_source(&sink, mails * 2, bytes, SESSIONS)?);
            let transport = Transport::parse(&sink.url(), Path::new("mailbox"))?;
            let run = carry(mails, connections, transport).await?;
            ours.push(run.sent);
            all.push(run.all);
        }
        let what = format!(
            "end to end, {:.1} kB, {connections} connections",
            bytes as f64 / 1024.0
        );
        let row = Row::of(
            "T3",
            what,
            "x smtp-source",
            Some(0.75),
            ratios(&ours, &theirs),
        )
        .with_median("mails_a_second_until_nothing_is_left_to_plan", &rates(&all));
        let row = beside(row, &ours, &theirs);
        let cpu: Vec<f64> = all.iter().map(|run| run.cpu).collect();
        let what = format!("CPU a mail, planning and store included, {connections} connections");
        let row_cpu =
            Row::of("T5", what, "µs", Some(110.0), cpu).with("peer_µs_of_another_day", PEER_CPU);
        let value = row.value.unwrap_or_default();
        if best.as_ref().is_none_or(|(had, _)| value > *had) {
            best = Some((value, vec![row, row_cpu]));
        }
    }
    let (_, rows) = best.context("at least one run")?;
    Ok(rows.into_iter().filter(|row| wants(row.id)).collect())
}

/// Sends `mails` order mails with a fresh database.
pub async fn carry(mails: usize, connections: usize, transport: Transport) -> Result<Run> {
    let scratch = shop::scratch()?;
    let live = shop::files(&shop::folder())?;
    let database = scratch.path().join("bench.db");
    let engine = shop::engine(&database, live, transport, connections).await?;
    shop::accept(&engine, shop::orders(1, mails)).await?;
    drain(Arc::new(engine), mails).await
}

/// Runs the real loops until so many mails are durably accepted and nothing is due.
pub async fn drain(engine: Arc<Engine>, mails: usize) -> Result<Run> {
    let tally = tally::start()?;
    let wanted = tally.accepted() + u64::try_from(mails)?;
    let queued = engine
        .counts()
        .await?
        .sends
        .get("queued")
        .copied()
        .unwrap_or_default();
    if queued < i64::try_from(mails)? {
        bail!("{queued} mails are due, {mails} were meant to be");
    }
    let roles = Roles {
        intake: false,
        scheduler: true,
        mailer: true,
        web: false,
    };
    let stop = CancellationToken::new();
    let cpu = machine::own_cpu()?;
    let began = Instant::now();
    let loops = tokio::spawn(serve::run(Arc::clone(&engine), roles, None, stop.clone()));
    while tally.accepted() < wanted {
        tokio::time::sleep(LOOK).await;
        if began.elapsed() > PATIENCE {
            bail!(
                "{} mails are missing after {PATIENCE:?}",
                wanted - tally.accepted()
            );
        }
    }
    let sent = began.elapsed().as_secs_f64();
    let sent_cpu = machine::own_cpu()? - cpu;
    while engine
        .store
        .next_due()
        .await?
        .is_some_and(|due| due <= engine.now())
    {
        tokio::time::sleep(LOOK).await;
    }
    let all = began.elapsed().as_secs_f64();
    let all_cpu = machine::own_cpu()? - cpu;
    stop.cancel();
    loops.await?;
    if tally.unwanted() > 0 {
        bail!(
            "{} sends came to something else than acceptance",
            tally.unwanted()
        );
    }
    if let Ok(engine) = Arc::try_unwrap(engine) {
        engine.store.close().await;
    }
    let made = |seconds: f64, cpu: f64| Sent {
        rate: mails as f64 / seconds,
        cpu: cpu * 1e6 / mails as f64,
    };
    Ok(Run {
        sent: made(sent, sent_cpu),
        all: made(all, all_cpu),
    })
}

/// How many bytes an order mail of the shop has.
async fn size_of_a_mail() -> Result<usize> {
    let memory = Memory::new();
    carry(1, 1, Transport::Memory(memory.clone())).await?;
    let outbox = memory.outbox();
    Ok(outbox.first().context("one mail")?.bytes().len())
}

fn ratios(ours: &[Sent], theirs: &[Sent]) -> Vec<f64> {
    ours.iter()
        .zip(theirs)
        .map(|(ours, theirs)| ours.rate / theirs.rate)
        .collect()
}

fn rates(of: &[Sent]) -> Vec<f64> {
    of.iter().map(|run| run.rate).collect()
}

fn beside(row: Row, ours: &[Sent], theirs: &[Sent]) -> Row {
    let cpus = |of: &[Sent]| of.iter().map(|run| run.cpu).collect::<Vec<_>>();
    row.with_median("mails_a_second", &rates(ours))
        .with_median("smtp_source_a_second", &rates(theirs))
        .with_median("cpu_µs_a_mail", &cpus(ours))
        .with_median("smtp_source_cpu_µs_a_mail", &cpus(theirs))
}

/// A number from the environment.
pub fn number(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise)
}
