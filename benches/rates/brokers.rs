//! B1: how fast a backlog is drained from a broker into SQLite, each batch acknowledged
//! only after its commit. The brokers are those of `scripts/brokers`.

use super::mails::number;
use super::report::Row;
use super::{shop, tally};
use aftercare::config::{BATCH, Broker, BrokerKind};
use aftercare::consume::{self, Settings};
use aftercare::engine::Engine;
use aftercare::ingest::canonical::MAX_DEPTH;
use aftercare::ingest::message::Reading;
use aftercare::mail::{Memory, Transport};
use anyhow::Result;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Messages in the backlog, where `BENCH_BACKLOG` does not say.
const BACKLOG: usize = 1_000_000;
/// Messages a second, as the issue asks.
const TARGET: f64 = 20_000.0;
/// Messages that are published at once.
#[cfg(any(feature = "nats", feature = "redis"))]
const AT_ONCE: usize = 1_000;
/// The pause between two looks at how far it is.
const LOOK: Duration = Duration::from_millis(20);

/// A row for every broker that is there.
pub async fn measure(runs: usize) -> Result<Vec<Row>> {
    let backlog = number("BENCH_BACKLOG", BACKLOG);
    let mut rows = Vec::new();
    for (variable, kind) in [
        ("AFTERCARE_TEST_NATS", BrokerKind::Nats),
        ("AFTERCARE_TEST_REDIS", BrokerKind::Redis),
    ] {
        let Some(url) = std::env::var(variable)
            .ok()
            .filter(|_| consume::built(kind))
        else {
            continue;
        };
        let mut rates = Vec::new();
        for run in 0..runs {
            let stream = format!("BENCH-{}-{}-{run}", kind.feature(), std::process::id());
            let bytes = match kind {
                BrokerKind::Nats => fill::nats(&url, &stream, backlog).await?,
                _ => fill::redis(&url, &stream, backlog).await?,
            };
            let seconds = drain(kind, &url, &stream, backlog).await?;
            rates.push((backlog as f64 / seconds, bytes as f64 / backlog as f64));
        }
        let (rates, sizes): (Vec<f64>, Vec<f64>) = rates.into_iter().unzip();
        let what = format!(
            "backlog of {backlog} drained from {}: orders of new customers, and their deliveries",
            kind.name()
        );
        rows.push(
            Row::of("B1", what, "messages/s", Some(TARGET), rates)
                .with_median("bytes_a_message", &sizes),
        );
    }
    Ok(rows)
}

/// Drains it into a new database; how many seconds that took.
async fn drain(kind: BrokerKind, url: &str, stream: &str, backlog: usize) -> Result<f64> {
    let scratch = shop::scratch()?;
    let live = shop::files(&shop::folder())?;
    let memory = Transport::Memory(Memory::new());
    let engine: Engine = shop::engine(&scratch.path().join("bench.db"), live, memory, 1).await?;
    let engine = Arc::new(engine);
    let settings = Settings {
        broker: Broker {
            batch: number("BENCH_BATCH", BATCH),
            ..Broker::new(stream, kind, vec![url.to_owned()], stream)
        },
        reading: Reading {
            broker: stream.to_owned(),
            source: None,
            max_body: 1 << 20,
            depth: MAX_DEPTH,
        },
    };
    let tally = tally::start()?;
    let wanted = tally.acknowledged() + u64::try_from(backlog)?;
    let stop = CancellationToken::new();
    let began = Instant::now();
    let reading = tokio::spawn(consume::consume(
        vec![settings],
        Arc::clone(&engine),
        stop.clone(),
    ));
    while tally.acknowledged() < wanted {
        tokio::time::sleep(LOOK).await;
    }
    let took = began.elapsed().as_secs_f64();
    stop.cancel();
    reading.await??;
    engine.store.clone().close().await;
    Ok(took)
}

/// The body of a message: orders, and later their deliveries.
#[cfg(any(feature = "nats", feature = "redis"))]
fn body(n: usize) -> Result<Vec<u8>> {
    let at = shop::ago(aftercare::clock::Clock::System.now(), 1_000);
    let order = n / 2;
    let event = if n.is_multiple_of(2) {
        shop::order(order, at)?
    } else {
        shop::delivery(order, at)?
    };
    Ok(event.to_string().into_bytes())
}

mod fill {
    //! Publishes a backlog; how many bytes it holds.

    #[cfg(any(feature = "nats", feature = "redis"))]
    use super::{AT_ONCE, body};
    use anyhow::Result;

    #[cfg(feature = "nats")]
    pub async fn nats(url: &str, stream: &str, backlog: usize) -> Result<usize> {
        use async_nats::jetstream::{self, stream::Config};
        let context = jetstream::new(async_nats::connect(url).await?);
        context
            .create_stream(Config {
                name: stream.to_owned(),
                subjects: vec![stream.to_owned()],
                ..Config::default()
            })
            .await?;
        let mut bytes = 0;
        for from in (0..backlog).step_by(AT_ONCE) {
            let mut taken = Vec::with_capacity(AT_ONCE);
            for n in from..(from + AT_ONCE).min(backlog) {
                let body = body(n)?;
                bytes += body.len();
                taken.push(context.publish(stream.to_owned(), body.into()).await?);
            }
            for one in taken {
                one.await?;
            }
        }
        Ok(bytes)
    }

    #[cfg(feature = "redis")]
    pub async fn redis(url: &str, stream: &str, backlog: usize) -> Result<usize> {
        let client = ::redis::Client::open(url)?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let mut bytes = 0;
        for from in (0..backlog).step_by(AT_ONCE) {
            let mut pipe = ::redis::pipe();
            for n in from..(from + AT_ONCE).min(backlog) {
                let body = body(n)?;
                bytes += body.len();
                pipe.cmd("XADD").arg(stream).arg("*").arg("body").arg(body);
            }
            let _: ::redis::Value = pipe.query_async(&mut connection).await?;
        }
        Ok(bytes)
    }

    #[cfg(not(feature = "nats"))]
    pub async fn nats(_: &str, _: &str, _: usize) -> Result<usize> {
        anyhow::bail!("built without nats")
    }

    #[cfg(not(feature = "redis"))]
    pub async fn redis(_: &str, _: &str, _: usize) -> Result<usize> {
        anyhow::bail!("built without redis")
    }
}
