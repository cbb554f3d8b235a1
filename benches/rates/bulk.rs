//! T8: events by the thousand, as `ingest` and `import` bring them and a broker's backlog
//! does: into the store in batches, and whole by the command from a file.

use crate::machine;
use crate::report::Row;
use crate::shop;
use aftercare::clock::Clock;
use aftercare::model::event::Event;
use aftercare::store::{Access, Incoming, Store};
use anyhow::{Result, bail};
use std::io::Write;
use std::process::Command;
use std::time::Instant;

/// Events in one commit.
const BATCH: usize = 1_000;
/// Batches of one run.
const BATCHES: usize = 20;

/// Orders of people who are all new, which is the dearest case: people, keys, wake-ups.
pub async fn measure(runs: usize) -> Result<Vec<Row>> {
    let (mut stored, mut cpus, mut known) = (Vec::new(), Vec::new(), Vec::new());
    let (mut commands, mut command_cpus) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let scratch = shop::scratch()?;
        let url = format!("sqlite:{}", scratch.path().join("bench.db").display());
        let store = Store::open(&url, Access::Owner).await?;
        let events = shop::orders(0, BATCH * BATCHES).collect::<Result<Vec<Event>>>()?;
        let cpu = machine::own_cpu()?;
        stored.push(take(&store, &events).await?);
        cpus.push((machine::own_cpu()? - cpu) * 1e6 / events.len() as f64);
        // Once more: a source that repeats itself, or an import that goes on.
        known.push(take(&store, &events).await?);
        store.close().await;
        let (rate, cpu) = command()?;
        commands.push(rate);
        command_cpus.push(cpu);
    }
    let what = |how: &str| format!("{how} in batches of {BATCH}, 2.8 kB orders of new people");
    Ok(vec![
        Row::of(
            "T8",
            what("stored durable"),
            "events/s",
            Some(100_000.0),
            stored,
        )
        .with_median("cpu_µs_an_event", &cpus)
        .with_median("known_already_per_s", &known),
        Row::of(
            "T8",
            what("`aftercare ingest`"),
            "events/s",
            Some(100_000.0),
            commands,
        )
        .with_median("cpu_µs_an_event", &command_cpus),
    ])
}

async fn take(store: &Store, events: &[Event]) -> Result<f64> {
    let now = Clock::System.now();
    let batches: Vec<Vec<Incoming>> = events
        .chunks(BATCH)
        .map(|chunk| {
            let whole = chunk.iter().cloned().map(|event| Incoming {
                event,
                transport: None,
            });
            whole.collect()
        })
        .collect();
    let began = Instant::now();
    for batch in batches {
        store.accept(batch, Vec::new(), now).await?;
    }
    Ok(events.len() as f64 / began.elapsed().as_secs_f64())
}

/// The command over a file: reading, checking, storing, from start to end of the process.
fn command() -> Result<(f64, f64)> {
    let scratch = shop::scratch()?;
    let file = scratch.path().join("events.ndjson");
    let mut out = std::io::BufWriter::new(std::fs::File::create(&file)?);
    let count = BATCH * BATCHES;
    for n in 0..count {
        writeln!(out, "{}", shop::order(n, Clock::System.now())?)?;
    }
    out.flush()?;
    drop(out);
    let cpu = machine::childrens_cpu()?;
    let began = Instant::now();
    let done = Command::new(env!("CARGO_BIN_EXE_aftercare"))
        .arg("ingest")
        .arg(&file)
        .arg("--shop")
        .arg(shop::folder())
        .env("AFTERCARE_DATA_DIR", scratch.path())
        .env(
            "AFTERCARE_DATABASE__URL",
            format!("sqlite:{}", scratch.path().join("bench.db").display()),
        )
        .output()?;
    let seconds = began.elapsed().as_secs_f64();
    if !done.status.success() {
        bail!("ingest: {}", String::from_utf8_lossy(&done.stderr));
    }
    let cpu = machine::childrens_cpu()? - cpu;
    Ok((count as f64 / seconds, cpu * 1e6 / count as f64))
}
