//! `POST /events`: canonical events as CloudEvents 1.0, one or many, signed by the
//! rules of Standard Webhooks.
//!
//! The order of thoughts is the order of cost: what can be refused by the head is
//! refused before the body is read, the signature is checked over the raw bytes
//! before anything is parsed, and a 202 is said only after the durable commit. What
//! parses and is no event we know goes to quarantine and is answered 202 as well:
//! its sender could do nothing about it, and platforms switch off hooks that fail.

use super::receive::{self, MediaType};
use super::reply::{self, Problem};
use super::router::Doors;
use super::{Intake, MAX_BYTES_IN_FLIGHT};
use crate::clock;
use crate::engine::Totals;
use crate::ingest::canonical::{self, Limits, Malformed, Parsed};
use crate::ingest::message::percent_decode;
use crate::ingest::signature;
use crate::store::{Incoming, Poison};
use crate::telemetry;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long the engine may take for the durable commit before the sender is told to
/// come back. What was committed nevertheless is then a repetition, which is harmless.
pub const COMMIT_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest delivery key, in bytes.
pub const MAX_DELIVERY_KEY: usize = 256;
/// Grain in which the memory of deliveries is counted, in bytes.
const MEMORY_GRAIN: usize = 4096;

/// How a delivery carries its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// One event, all of it in the body.
    Structured,
    /// A list of such.
    Batch,
    /// One event, its attributes in `ce-` headers.
    Binary,
    /// `application/json` without `ce-` headers: whichever of the first two it looks like.
    Json,
}

/// What is being read or committed now, in number and in memory.
#[derive(Debug)]
pub struct Gauge {
    deliveries: Arc<Semaphore>,
    memory: Arc<Semaphore>,
}

impl Gauge {
    /// Room for so many deliveries at once.
    pub fn new(in_flight: usize) -> Gauge {
        Gauge {
            deliveries: Arc::new(Semaphore::new(in_flight)),
            memory: Arc::new(Semaphore::new(MAX_BYTES_IN_FLIGHT / MEMORY_GRAIN)),
        }
    }

    /// A place for a delivery of at most `bytes`, or `None` where there is no room.
    pub(super) fn enter(
        &self,
        bytes: usize,
    ) -> Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)> {
        let grains = u32::try_from(bytes.div_ceil(MEMORY_GRAIN).max(1)).ok()?;
        let delivery = Arc::clone(&self.deliveries).try_acquire_owned().ok()?;
        let memory = Arc::clone(&self.memory)
            .try_acquire_many_owned(grains)
            .ok()?;
        Some((delivery, memory))
    }
}

/// Takes one delivery.
pub async fn post(State(doors): State<Arc<Doors>>, request: Request) -> Response {
    let began = Instant::now();
    let Some(intake) = &doors.settings.intake else {
        return Problem::bare(StatusCode::NOT_FOUND).into_response();
    };
    match take(&doors, intake, request).await {
        Ok(totals) => {
            telemetry::intake_took(began.elapsed());
            let body = serde_json::json!({
                "accepted": totals.accepted,
                "duplicate": totals.duplicate,
                "quarantined": totals.quarantined,
            });
            reply::json(StatusCode::ACCEPTED, &body)
        }
        Err(problem) => problem.into_response(),
    }
}

async fn take(doors: &Doors, intake: &Intake, request: Request) -> Result<Totals, Problem> {
    let (head, body) = request.into_parts();
    let headers = &head.headers;
    let announced = receive::declared_length(headers).unwrap_or(intake.max_body);
    let room = doors.gauge.enter(announced.min(intake.max_body));
    let Some(_room) = room else {
        return Err(Problem::overload().hang_up());
    };
    let mode = mode(headers).map_err(Problem::hang_up)?;
    let signed = signed(headers);
    if !intake.unsigned && signed.is_none() {
        return Err(Problem::bare(StatusCode::UNAUTHORIZED).hang_up());
    }
    let body = receive::body(headers, body, intake.max_body, intake.read_timeout).await?;
    if !intake.unsigned {
        authenticate(intake, signed, &body)?;
    }
    let recorded = doors.engine.now();
    let limits = Limits {
        depth: intake.max_depth,
    };
    let parsed = parse(mode, headers, &body, recorded, limits)?;
    drop(body);
    store(doors, signed.map(|signed| signed.id), parsed).await
}

/// The mode by the content type. Nothing compressed is taken: a small body could
/// unpack to any size.
fn mode(headers: &HeaderMap) -> Result<Mode, Problem> {
    let unsupported =
        |detail: &'static str| Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail);
    let encoding = receive::single(headers, header::CONTENT_ENCODING.as_str());
    match encoding {
        Ok(None) => {}
        Ok(Some(encoding)) if encoding.trim().eq_ignore_ascii_case("identity") => {}
        Ok(Some(_)) | Err(_) => {
            return Err(unsupported("send the body without Content-Encoding"));
        }
    }
    let expected = "expected application/cloudevents+json, application/cloudevents-batch+json, \
                    or application/json with ce- headers";
    let Ok(Some(content_type)) = receive::single(headers, header::CONTENT_TYPE.as_str()) else {
        return Err(unsupported(expected));
    };
    let media = MediaType::read(content_type);
    if !media.is_utf8() {
        return Err(unsupported("expected JSON in UTF-8"));
    }
    let binary = headers.contains_key("ce-specversion") || headers.contains_key("ce-id");
    match media.essence.as_str() {
        "application/cloudevents+json" => Ok(Mode::Structured),
        "application/cloudevents-batch+json" => Ok(Mode::Batch),
        "application/json" if binary => Ok(Mode::Binary),
        "application/json" => Ok(Mode::Json),
        _ => Err(unsupported(expected)),
    }
}

/// The three headers of a signature.
#[derive(Debug, Clone, Copy)]
struct Signed<'h> {
    id: &'h str,
    timestamp: &'h str,
    signature: &'h str,
}

/// The headers of Standard Webhooks, or of its first implementation. One that stands
/// there twice could be read either way, so it counts as none.
fn signed(headers: &HeaderMap) -> Option<Signed<'_>> {
    ["webhook", "svix"].into_iter().find_map(|prefix| {
        let header = |name: &str| {
            receive::single(headers, &format!("{prefix}-{name}"))
                .ok()
                .flatten()
        };
        Some(Signed {
            id: header("id").filter(|id| !id.is_empty() && id.len() <= MAX_DELIVERY_KEY)?,
            timestamp: header("timestamp")?,
            signature: header("signature")?,
        })
    })
}

/// Checks the signature over the raw bytes, on the real clock even in a rehearsal:
/// the sender's clock is real. A failure says nothing about itself.
fn authenticate(intake: &Intake, signed: Option<Signed<'_>>, body: &[u8]) -> Result<(), Problem> {
    let refused = || Problem::bare(StatusCode::UNAUTHORIZED);
    let signed = signed.ok_or_else(refused)?;
    signature::verify(
        &intake.secrets,
        signed.id,
        signed.timestamp,
        signed.signature,
        body,
        clock::real(),
        intake.signature_window,
    )
    .map_err(|cause| {
        tracing::debug!(because = %cause, "a delivery of events was refused: its signature does not hold");
        refused()
    })
}

fn parse(
    mode: Mode,
    headers: &HeaderMap,
    body: &[u8],
    recorded: crate::model::time::Timestamp,
    limits: Limits,
) -> Result<Parsed, Problem> {
    let looks_like_list = body.trim_ascii_start().first() == Some(&b'[');
    let parsed = match mode {
        Mode::Structured => canonical::parse_structured(body, recorded, limits),
        Mode::Batch => canonical::parse_batch(body, recorded, limits),
        Mode::Json if looks_like_list => canonical::parse_batch(body, recorded, limits),
        Mode::Json => canonical::parse_structured(body, recorded, limits),
        Mode::Binary => canonical::parse_binary(&attributes(headers)?, body, recorded, limits),
    };
    parsed.map_err(|malformed: Malformed| {
        Problem::new(StatusCode::BAD_REQUEST, malformed.to_string())
    })
}

/// The attributes of binary mode: `ce-` headers, percent-decoded as the HTTP binding
/// of CloudEvents has it.
fn attributes(headers: &HeaderMap) -> Result<Vec<(String, String)>, Problem> {
    let mut attributes: Vec<(String, String)> = Vec::new();
    for (name, value) in headers {
        let Some(name) = name.as_str().strip_prefix("ce-") else {
            continue;
        };
        let unreadable = || {
            Problem::new(
                StatusCode::BAD_REQUEST,
                format!("the header ce-{name} is not readable"),
            )
        };
        if attributes.iter().any(|(known, _)| known == name) {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                format!("the header ce-{name} stands there twice"),
            ));
        }
        let value = std::str::from_utf8(value.as_bytes()).map_err(|_| unreadable())?;
        attributes.push((
            name.to_owned(),
            percent_decode(value).ok_or_else(unreadable)?,
        ));
    }
    Ok(attributes)
}

/// Hands everything to the engine; returns after the durable commit.
pub(super) async fn store(
    doors: &Doors,
    delivery: Option<&str>,
    parsed: Parsed,
) -> Result<Totals, Problem> {
    let Parsed { events, poison } = parsed;
    // One delivery may carry many events; each keeps a key of its own under that of the delivery.
    let many = events.len() > 1;
    let batch = events
        .into_iter()
        .enumerate()
        .map(|(place, event)| Incoming {
            event,
            transport: delivery.map(|key| {
                if many {
                    format!("{key}#{place}")
                } else {
                    key.to_owned()
                }
            }),
        })
        .collect();
    let poison = poison.into_iter().map(Poison::from).collect();
    match tokio::time::timeout(COMMIT_TIMEOUT, doors.engine.accept(batch, poison)).await {
        Ok(Ok(totals)) => Ok(totals),
        Ok(Err(error)) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a delivery of events could not be stored"
            );
            Err(Problem::engine(&error))
        }
        Err(_) => {
            tracing::error!("a delivery of events was not stored in time");
            Err(Problem::overload())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_counted_in_number_and_in_memory() {
        let gauge = Gauge::new(2);
        let first = gauge.enter(10);
        let second = gauge.enter(10);
        assert!(first.is_some() && second.is_some());
        assert!(gauge.enter(10).is_none(), "a third delivery");
        drop(second);
        assert!(
            gauge.enter(MAX_BYTES_IN_FLIGHT).is_none(),
            "more memory than is left"
        );
        assert!(gauge.enter(10).is_some(), "a refusal gives everything back");
    }
}
