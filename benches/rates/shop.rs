//! The shop of this repository on a fresh SQLite file, and customers for it.

use aftercare::clock::Clock;
use aftercare::config::Config;
use aftercare::engine::Engine;
use aftercare::engine::reload::{self, Live};
use aftercare::ingest::canonical::{self, Learnt, Limits};
use aftercare::links::Links;
use aftercare::mail::Transport;
use aftercare::model::event::Event;
use aftercare::model::time::{Timestamp, from_ms, to_ms};
use aftercare::store::{Access, Incoming, Store};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Orders taken in at once while seeding.
const SEED_BATCH: usize = 500;
const ORDER: &str = include_str!("../../src/tests/fixtures/events/canonical/order.placed.json");
const DELIVERED: &str =
    include_str!("../../src/tests/fixtures/events/canonical/shipment.delivered.json");

/// Where the repository's own `config/` and `templates/` are.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A folder that goes when it is dropped, on the disk of the build folder: a database in
/// memory would make every commit free.
pub fn scratch() -> Result<TempDir> {
    Ok(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?)
}

/// The shop's files, checked.
pub fn files(folder: &Path) -> Result<Live> {
    let read = reload::read(folder);
    match read.live {
        Some(live) => Ok(live),
        None => bail!("the shop's files hold errors: {:?}", read.problems),
    }
}

/// A configuration that says nothing but how many connections.
fn config(folder: &Path, connections: usize) -> Result<Config> {
    let open = |_: &Path| Err("no such file".to_owned());
    let (config, problems) = aftercare::config::read(folder, None, [], open);
    let mut config = config.with_context(|| format!("{problems:?}"))?;
    config.smtp.connections = connections;
    Ok(config)
}

/// An engine over a database in `scratch`.
pub async fn engine(
    database: &Path,
    live: Live,
    transport: Transport,
    connections: usize,
) -> Result<Engine> {
    let url = format!("sqlite:{}", database.display());
    let store = Store::open(&url, Access::Owner).await?;
    let links = Links::new(
        &store.root_secret().await?,
        "bench",
        "https://mail.shop.example.com",
    );
    let config = config(database.parent().context("a folder")?, connections)?;
    Ok(Engine::new(
        store,
        transport,
        Clock::System,
        config,
        links,
        live,
    ))
}

/// `order.placed` of customer number `n`: the fixture under another name.
pub fn order(n: usize, at: Timestamp) -> Result<Value> {
    let mut event: Value = serde_json::from_str(ORDER)?;
    let (id, time) = (format!("SO-{n}"), at.to_string());
    event["id"] = json!(format!("order/{id}/placed"));
    event["subject"] = json!(format!("order/{id}"));
    event["partitionkey"] = event["subject"].clone();
    event["time"] = json!(time);
    let order = &mut event["data"]["order"];
    order["order_id"] = json!(id);
    order["order_number"] = json!(n.to_string());
    order["version"] = json!(time);
    order["placed_at"] = json!(time);
    let customer = &mut event["data"]["customer"];
    customer["customer_id"] = json!(format!("C-{n}"));
    customer["email"] = json!(format!("customer{n}@example.org"));
    Ok(event)
}

/// `shipment.delivered` of that order.
pub fn delivery(n: usize, at: Timestamp) -> Result<Value> {
    let mut event: Value = serde_json::from_str(DELIVERED)?;
    let (order, time) = (format!("SO-{n}"), at.to_string());
    event["id"] = json!(format!("shipment/SH-{n}/delivered"));
    event["subject"] = json!(format!("order/{order}"));
    event["partitionkey"] = event["subject"].clone();
    event["time"] = json!(time);
    event["data"]["order_ref"] = json!({"order_id": order, "order_number": n.to_string()});
    event["data"]["shipment"]["shipment_id"] = json!(format!("SH-{n}"));
    event["data"]["shipment"]["tracking"] = json!([]);
    event["data"]["delivery"]["delivered_at"] = json!(time);
    Ok(event)
}

/// An event as the door would read it.
pub fn read(event: &Value, now: Timestamp) -> Result<Event> {
    let text = event.to_string();
    let parsed = canonical::parse_line(text.as_bytes(), Learnt::Now(now), Limits::default())?;
    if let Some(poison) = parsed.poison.first() {
        bail!("the bench's own event is refused: {}", poison.because);
    }
    parsed.events.into_iter().next().context("one event")
}

/// Takes events in and plans until nothing is due for planning.
pub async fn accept(
    engine: &Engine,
    events: impl IntoIterator<Item = Result<Event>>,
) -> Result<()> {
    let mut batch = Vec::with_capacity(SEED_BATCH);
    for event in events {
        batch.push(Incoming {
            event: event?,
            transport: None,
        });
        if batch.len() == SEED_BATCH {
            engine
                .accept(std::mem::take(&mut batch), Vec::new())
                .await?;
        }
    }
    if !batch.is_empty() {
        engine.accept(batch, Vec::new()).await?;
    }
    while engine.plan_due().await? > 0 {}
    Ok(())
}

/// Orders of customers `from..from + count`, placed a second ago: each owes one mail now.
pub fn orders(from: usize, count: usize) -> impl Iterator<Item = Result<Event>> {
    (from..from + count).map(|n| {
        let now = Clock::System.now();
        read(&order(n, ago(now, 1_000))?, now)
    })
}

/// An instant so many ms earlier.
pub fn ago(now: Timestamp, ms: i64) -> Timestamp {
    from_ms(to_ms(now).saturating_sub(ms))
}
