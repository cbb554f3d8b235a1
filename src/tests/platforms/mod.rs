//! Asking platforms, against one of straw that drops deliveries, repeats and reorders
//! pages, is busy, breaks off and leads astray. The clock is set by hand; nothing sleeps.

mod bigcommerce;
mod killed;
mod mock;
mod shopify;
mod stripe;
mod thin;
mod woocommerce;

use crate::harness::Harness;
use aftercare::config::Config;
use aftercare::engine::platforms::Asked;
use aftercare::ingest::adapters::{Beside, Headers, Source, hear};
use aftercare::model::time::Timestamp;
use aftercare::store::{Incoming, Polled, Quarantined, TailFilter};
use mock::Mock;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// When every test begins.
const NOW: &str = "2026-03-10T12:00:00Z";

/// A recorded delivery's body.
fn fixture(path: &str) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/fixtures/platforms");
    serde_json::from_slice(&std::fs::read(root.join(path)).unwrap()).unwrap()
}

/// `[intake.sources.shop]` with these lines, its token by environment.
fn config(lines: &str) -> Config {
    let text = format!("[intake.sources.shop]\nunsigned = true\n{lines}\n");
    let token = (
        "AFTERCARE_INTAKE__SOURCES__SHOP__API_TOKEN".to_owned(),
        "token-of-the-shop".to_owned(),
    );
    let open = |_: &Path| Err("no such file".to_owned());
    let file = Some(("config/aftercare.toml", text.as_str()));
    let (config, problems) = aftercare::config::read(Path::new("/shop"), file, [token], open);
    config.unwrap_or_else(|| panic!("{problems:#?}"))
}

/// A shop that is asked.
struct Shop {
    harness: Harness,
    mock: Mock,
    asked: BTreeMap<String, Asked>,
}

impl Shop {
    /// A shop with one source, configured by lines; `BASE` is where the platform is.
    async fn new(lines: &str) -> Shop {
        let mock = Mock::start().await;
        let config = config(&lines.replace("BASE", &mock.base));
        let told = &config.sources[0];
        let source = Source {
            origin: told.origin.clone(),
            fetches: true,
            ..Source::new("shop", told.platform)
        };
        let asked = Asked::of(told, source).unwrap().unwrap();
        let live = crate::web::shop();
        Shop {
            harness: Harness::new(live, NOW.parse().unwrap()).await,
            mock,
            asked: BTreeMap::from([("shop".to_owned(), asked)]),
        }
    }

    fn asked(&self) -> &Asked {
        &self.asked["shop"]
    }

    fn now(&self) -> Timestamp {
        self.harness.engine.now()
    }

    fn pass(&self, time: Duration) {
        self.harness.engine.clock.advance(time);
    }

    /// One step now, whatever is due; when the next is.
    async fn step(&self) -> Timestamp {
        let due = self.harness.engine.poll_step(self.asked()).await.unwrap();
        due.expect("a step was due")
    }

    /// Steps until a whole round is done, however often it is hindered. Gives the time
    /// that it took on the clock that is set by hand.
    async fn poll(&self) -> Duration {
        let began = self.now();
        for _ in 0..100 {
            let due = self.step().await;
            let row = self.row().await;
            if row.failures == 0 && row.fine_at == Some(self.now()) {
                self.harness.engine.clock.set(due);
                return Duration::try_from(row.fine_at.unwrap().duration_since(began)).unwrap();
            }
            self.harness.engine.clock.set(due);
        }
        panic!("it never came to an end: {:?}", self.row().await);
    }

    async fn row(&self) -> Polled {
        let mut rows = self.harness.engine.store.polls().await.unwrap();
        assert_eq!(rows.len(), 1);
        rows.remove(0)
    }

    /// Fetches until nothing is due.
    async fn fetch(&self) -> usize {
        let mut done = 0;
        loop {
            let fetched = self.harness.engine.fetch_due(&self.asked).await.unwrap();
            if fetched.is_idle() {
                return done;
            }
            done += fetched.done;
        }
    }

    /// A delivery that comes by itself.
    async fn deliver(&self, headers: &str, body: &Value) {
        let taken = hear(
            &self.asked().source,
            &Headers::read(headers),
            body.to_string().as_bytes(),
            &Beside::default(),
            self.now(),
        );
        let batch = taken.events.into_iter().map(|event| Incoming {
            event,
            transport: None,
        });
        let poison = taken.poison.into_iter().map(Into::into).collect();
        self.harness
            .engine
            .accept(batch.collect(), poison)
            .await
            .unwrap();
    }

    /// The names of all facts that were taken in, in order.
    async fn facts(&self) -> Vec<String> {
        let told = self
            .harness
            .engine
            .store
            .events_after(&TailFilter::default(), 0, 10_000)
            .await
            .unwrap();
        let mut names: Vec<String> = told
            .into_iter()
            .map(|(_, event)| {
                let event = event.unwrap();
                format!("{} {}", event.source, event.id)
            })
            .collect();
        names.sort();
        // A newer state of a known order is kept under the same name.
        names.dedup();
        names
    }

    async fn quarantine(&self) -> Vec<Quarantined> {
        self.harness
            .engine
            .store
            .quarantined(0, 1000)
            .await
            .unwrap()
    }
}

/// Names of facts under a source.
fn under(source: &str, names: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = names
        .iter()
        .map(|name| format!("{source} {name}"))
        .collect();
    names.sort();
    names
}
