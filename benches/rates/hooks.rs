//! What a platform's delivery costs before it is stored: its signature, its JSON, every
//! fact that it attests.

use super::report::Row;
use aftercare::ingest::adapters::{Beside, Headers, SharedSecret, Source, hear};
use aftercare::model::platform::Platform;
use anyhow::{Result, ensure};
use std::time::Instant;

/// Deliveries in one run.
const DELIVERIES: u32 = 5_000;
const BODY: &[u8] = include_bytes!("../../src/tests/fixtures/platforms/shopify/orders_paid.json");
const HEADERS: &str =
    include_str!("../../src/tests/fixtures/platforms/shopify/orders_paid.headers");

/// One recorded order, again and again, on one thread.
pub fn measure(runs: usize) -> Result<Row> {
    let mut source = Source::new("shop", Platform::Shopify);
    source.secrets = vec![SharedSecret::new("test-secret-shopify")?];
    let headers = Headers::read(HEADERS);
    let now = "2026-03-02T15:14:11Z".parse()?;
    let mut all = Vec::with_capacity(runs);
    for _ in 0..runs {
        let began = Instant::now();
        for _ in 0..DELIVERIES {
            source.verify(&headers, None, BODY, now)?;
            let taken = hear(&source, &headers, BODY, &Beside::default(), now);
            ensure!(taken.events.len() == 2, "{:?}", taken.poison);
        }
        all.push(began.elapsed().as_secs_f64() * 1e6 / f64::from(DELIVERIES));
    }
    let what = format!(
        "signature and mapping of a Shopify order, {} kB",
        BODY.len() / 1000
    );
    Ok(Row::of("A6", what, "µs", Some(60.0), all))
}
