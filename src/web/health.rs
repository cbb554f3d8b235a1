//! `/healthz`, `/readyz` and `/metrics`: for whoever keeps the service running.
//!
//! They show states and numbers, never whom they concern.

use super::reply::{self, Problem};
use super::router::Doors;
use crate::engine::spill::{State as Waiting, age};
use crate::engine::{Check, Counts};
use crate::telemetry;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// How long one look at readiness may take before it counts as failed.
pub const CHECK_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the database's counts are shown before they are counted again.
pub const COUNTS_AGE: Duration = Duration::from_secs(30);

/// The database's counts as last seen, and when.
#[derive(Debug, Default)]
pub struct Counted(Mutex<Option<Instant>>);

/// The process is up and its event loop turns.
pub async fn healthz() -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    (StatusCode::OK, kind, "ok\n").into_response()
}

/// Whether work can be taken: 503 where a part is down, the database only where no journal
/// stands in for it. A part that is in trouble but
/// loses nothing by it (files with errors while the last good set is in force, a relay
/// left alone for a while) is named and does not count. `now` is the engine's clock, so
/// that a rehearsal can be followed from outside.
pub async fn readyz(State(doors): State<Arc<Doors>>) -> Response {
    let spill = doors.settings.spill.as_ref().map(|spill| spill.state());
    let takes = spill.is_some_and(|spill| spill.takes);
    let looked = tokio::time::timeout(CHECK_TIMEOUT, doors.engine.health()).await;
    let mut all = match looked {
        Ok(health) => health.checks,
        Err(_) if takes => vec![("database", Check::Down("the check took too long".into()))],
        Err(_) => {
            return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the check took too long")
                .into_response();
        }
    };
    all.extend(spill.map(|spill| ("journal", of_journal(&spill))));
    let mut ready = true;
    let mut checks = serde_json::Map::new();
    for (name, check) in all {
        let check = match check {
            // Deliveries are taken all the same; whoever sends them here must go on.
            Check::Down(because) if name == "database" && takes => Check::Degraded(because),
            other => other,
        };
        let shown = match check {
            Check::Fine => serde_json::json!({ "state": "fine" }),
            Check::Degraded(because) => {
                serde_json::json!({ "state": "degraded", "because": because })
            }
            Check::Down(because) => {
                ready = false;
                serde_json::json!({ "state": "down", "because": because })
            }
        };
        checks.insert(name.to_owned(), shown);
    }
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    reply::json(
        status,
        &serde_json::json!({ "ready": ready, "now": doors.engine.now(), "checks": checks }),
    )
}

/// What waits is counted; where no more can be kept, the database's absence is felt at once.
fn of_journal(state: &Waiting) -> Check {
    let held = &state.held;
    if !state.takes {
        return Check::Degraded("the journal is full, or cannot be written".into());
    }
    if held.records == 0 {
        return Check::Fine;
    }
    Check::Degraded(format!(
        "what waits for the database: {}, the first for {} s",
        held.records,
        age(held).as_secs()
    ))
}

/// Everything counted, in Prometheus' text format.
pub async fn metrics(State(doors): State<Arc<Doors>>) -> Response {
    if let Some(spill) = &doors.settings.spill {
        spill.show();
    }
    recount(&doors).await;
    match telemetry::render() {
        Some(text) => {
            let kind = [(
                header::CONTENT_TYPE,
                "text/plain; version=0.0.4; charset=utf-8",
            )];
            (StatusCode::OK, kind, text).into_response()
        }
        None => Problem::new(
            StatusCode::NOT_FOUND,
            "metrics are not counted in this process",
        )
        .into_response(),
    }
}

/// Counts what the database holds, at most every [`COUNTS_AGE`]: scrapes are frequent
/// and counting is not free. A database that is away leaves the last numbers.
async fn recount(doors: &Doors) {
    let mut last = doors.counted.0.lock().await;
    if last.is_some_and(|last| last.elapsed() < COUNTS_AGE) {
        return;
    }
    match tokio::time::timeout(CHECK_TIMEOUT, doors.engine.counts()).await {
        Ok(Ok(counts)) => {
            show(&counts);
            *last = Some(Instant::now());
        }
        Ok(Err(error)) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the database could not be counted"
            );
        }
        Err(_) => tracing::warn!("counting the database took too long"),
    }
}

fn show(counts: &Counts) {
    telemetry::stored("events", counts.events);
    telemetry::stored("parked", counts.parked);
    telemetry::stored("quarantined", counts.quarantined);
    telemetry::stored("people", counts.people);
    for (state, count) in &counts.sends {
        telemetry::stored_sends(state, *count);
    }
}
