//! `POST /events`: canonical events as CloudEvents 1.0, one or many, signed by the
//! rules of Standard Webhooks.
//!
//! The order of thoughts is the order of cost: what can be refused by the head is
//! refused before the body is read, the signature is checked over the raw bytes
//! before anything is parsed, and a 202 is said only after the durable commit, or once the
//! delivery is on disk in the journal ([`crate::engine::spill`]). What
//! parses and is no event we know goes to quarantine and is answered 202 as well:
//! its sender could do nothing about it, and platforms switch off hooks that fail.

use super::Intake;
use super::admission::{EVENTS, Room};
use super::receive::{self, Bounds, MediaType};
use super::reply::{self, Problem};
use super::router::Doors;
use crate::clock;
use crate::engine::spill::Because;
use crate::engine::{EngineError, Totals};
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

/// How long the engine may take for the durable commit before the sender is told to
/// come back, where no journal is to be had. What was committed nevertheless is then a
/// repetition, which is harmless.
pub const COMMIT_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest delivery key, in bytes.
pub const MAX_DELIVERY_KEY: usize = 256;

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

/// Takes one delivery.
pub async fn post(State(doors): State<Arc<Doors>>, request: Request) -> Response {
    let began = Instant::now();
    let Some(intake) = &doors.settings.intake else {
        return Problem::bare(StatusCode::NOT_FOUND).into_response();
    };
    match take(&doors, intake, request).await {
        Ok(stored) => {
            telemetry::intake_took(began.elapsed());
            reply::json(StatusCode::ACCEPTED, &stored.told())
        }
        Err(problem) => problem.into_response(),
    }
}

async fn take(doors: &Doors, intake: &Intake, request: Request) -> Result<Stored, Problem> {
    let (head, body) = request.into_parts();
    let headers = &head.headers;
    let mode = mode(headers).map_err(Problem::hang_up)?;
    let signed = signed(headers);
    if !intake.unsigned && signed.is_none() {
        return Err(Problem::bare(StatusCode::UNAUTHORIZED).hang_up());
    }
    let mut room = Room::default();
    let bounds = Bounds {
        counted: Some((&doors.gauge, EVENTS)),
        limit: intake.max_body,
        time: intake.read_timeout,
    };
    let body = receive::body(headers, body, bounds, &mut room).await?;
    if !intake.unsigned {
        authenticate(intake, signed, &body)?;
    }
    if let Err(wait) = doors.gauge.pace(EVENTS, Instant::now()) {
        telemetry::throttled(EVENTS);
        return Err(Problem::too_fast(wait));
    }
    let recorded = doors.engine.now();
    let limits = Limits {
        depth: intake.max_depth,
    };
    let parsed = parse(mode, headers, &body, recorded, limits)?;
    drop(body);
    let came = Came {
        door: EVENTS,
        key: signed.map(|signed| signed.id),
        too_fast: false,
    };
    store(doors, came, parsed).await
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

/// Where a delivery came in, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Came<'d> {
    /// The door, by the name of its source.
    pub door: &'d str,
    /// What tells a repetition of the delivery from another one.
    pub key: Option<&'d str>,
    /// Its source sends faster than it may, and a refusal would do harm.
    pub too_fast: bool,
}

/// What became of a delivery that was taken: it is durable either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    /// In the database.
    Told(Totals),
    /// In the journal, until the database takes it; so many events, and so much that
    /// could not be read.
    Kept { events: usize, quarantined: usize },
}

impl Stored {
    /// What its sender is told.
    pub fn told(self) -> serde_json::Value {
        match self {
            Stored::Told(totals) => serde_json::json!({
                "accepted": totals.accepted,
                "duplicate": totals.duplicate,
                "quarantined": totals.quarantined,
            }),
            // Which of them are known already is found out later.
            Stored::Kept {
                events,
                quarantined,
            } => serde_json::json!({
                "accepted": events,
                "duplicate": 0,
                "quarantined": quarantined,
                "journal": true,
            }),
        }
    }
}

/// Hands everything to the engine, or keeps it in the journal where the database cannot
/// take it now; returns once it is durable.
pub(super) async fn store(
    doors: &Doors,
    came: Came<'_>,
    parsed: Parsed,
) -> Result<Stored, Problem> {
    let Parsed { events, poison } = parsed;
    // One delivery may carry many events; each keeps a key of its own under that of the delivery.
    let many = events.len() > 1;
    let batch: Vec<Incoming> = events
        .into_iter()
        .enumerate()
        .map(|(place, event)| Incoming {
            event,
            transport: came.key.map(|key| {
                if many {
                    format!("{key}#{place}")
                } else {
                    key.to_owned()
                }
            }),
        })
        .collect();
    let poison: Vec<Poison> = poison.into_iter().map(Poison::from).collect();
    if batch.is_empty() && poison.is_empty() {
        return Ok(Stored::Told(Totals::default()));
    }
    let Some(spill) = &doors.settings.spill else {
        let Some(_place) = doors.gauge.place(came.door) else {
            return Err(Problem::overload());
        };
        return match commit(doors, batch, poison, COMMIT_TIMEOUT).await {
            Ok(totals) => Ok(Stored::Told(totals)),
            Err(Some(error)) => Err(Problem::engine(&error)),
            Err(None) => Err(Problem::overload()),
        };
    };
    let fast = came.too_fast.then_some(Because::Fast);
    let because = match fast.or_else(|| spill.before(came.door)) {
        Some(because) => because,
        None => match doors.gauge.place(came.door) {
            None => Because::Crowded,
            Some(_place) => {
                let (again, bad) = (batch.clone(), poison.clone());
                match commit(doors, again, bad, doors.settings.spill_after).await {
                    Ok(totals) => return Ok(Stored::Told(totals)),
                    Err(Some(_)) => Because::Away,
                    Err(None) => Because::Slow,
                }
            }
        },
    };
    let kept = spill.keep(came.door, &batch, &poison, because);
    match tokio::time::timeout(COMMIT_TIMEOUT, kept).await {
        Ok(Ok(())) => Ok(Stored::Kept {
            events: batch.len(),
            quarantined: poison.len(),
        }),
        // Its cause is in the log.
        Ok(Err(_)) => Err(Problem::unavailable()),
        Err(_) => Err(Problem::overload()),
    }
}

/// The engine's durable commit, within a time. `Err(None)` where nobody knows yet what
/// becomes of it.
async fn commit(
    doors: &Doors,
    batch: Vec<Incoming>,
    poison: Vec<Poison>,
    within: Duration,
) -> Result<Totals, Option<EngineError>> {
    match tokio::time::timeout(within, doors.engine.accept(batch, poison)).await {
        Ok(Ok(totals)) => Ok(totals),
        Ok(Err(error)) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a delivery of events could not be stored"
            );
            Err(Some(error))
        }
        Err(_) => {
            tracing::debug!("a delivery of events was not stored in time");
            Err(None)
        }
    }
}
