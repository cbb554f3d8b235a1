//! Hears, by the service's own metrics, what became of sends and of brokers' messages once
//! that is durable.

use aftercare::telemetry;
use anyhow::{Result, anyhow};
use metrics::{
    Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// The service's counter of sends by state.
const SENDS: &str = "aftercare_sends_total";
/// States that a send of the bench may come to: it goes, or its order does not call for it.
const EXPECTED: [&str; 3] = ["accepted", "skipped", "cancelled"];

static TALLY: OnceLock<Arc<Tally>> = OnceLock::new();

/// How many sends were accepted, how many came to what nobody wanted, and how many messages
/// of brokers were acknowledged.
#[derive(Debug, Default)]
pub struct Tally {
    accepted: AtomicU64,
    unwanted: AtomicU64,
    acknowledged: AtomicU64,
}

/// The process's tally; it runs from the first call on.
pub fn start() -> Result<Arc<Tally>> {
    if let Some(tally) = TALLY.get() {
        return Ok(Arc::clone(tally));
    }
    let tally = Arc::clone(TALLY.get_or_init(Arc::default));
    metrics::set_global_recorder(Ears(Arc::clone(&tally)))
        .map_err(|_| anyhow!("metrics go elsewhere"))?;
    Ok(tally)
}

impl Tally {
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Acquire)
    }

    pub fn unwanted(&self) -> u64 {
        self.unwanted.load(Ordering::Acquire)
    }

    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Acquire)
    }
}

struct Ears(Arc<Tally>);

/// One of the counts.
struct Count(Arc<Tally>, fn(&Tally) -> &AtomicU64);

impl CounterFn for Count {
    fn increment(&self, by: u64) {
        self.1(&self.0).fetch_add(by, Ordering::AcqRel);
    }

    fn absolute(&self, _: u64) {}
}

impl Recorder for Ears {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let label = |name: &str| {
            let mut labels = key.labels();
            labels.find_map(|label| (label.key() == name).then_some(label.value()))
        };
        let which: fn(&Tally) -> &AtomicU64 = match (key.name(), label("state"), label("outcome")) {
            (SENDS, Some("accepted"), _) => |tally| &tally.accepted,
            (SENDS, Some(state), _) if !EXPECTED.contains(&state) => |tally| &tally.unwanted,
            (telemetry::BROKER_MESSAGES, _, Some("acknowledged")) => |tally| &tally.acknowledged,
            _ => return Counter::noop(),
        };
        Counter::from_arc(Arc::new(Count(Arc::clone(&self.0), which)))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}
