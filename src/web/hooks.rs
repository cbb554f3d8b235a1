//! `POST /hooks/{source}`: deliveries of platforms, each as its platform sends and signs
//! it. The order of thoughts is that of [`super::events`]: by the head, then the size,
//! then the signature over the raw bytes, and only then what it says.
//!
//! Whatever is signed is answered 2xx once it is durable. What we have no use for is
//! counted; what cannot be read is kept whole in quarantine, because platforms switch off
//! hooks that fail and most of them never repeat what was answered 4xx.

use super::admission::{Pace, Room, comes_again};
use super::events::{Came, Stored, store};
use super::receive::{self, Bounds};
use super::reply::{self, Problem};
use super::router::Doors;
use crate::clock;
use crate::engine::keys::Ring;
use crate::engine::traces::{Refusal, Seen};
use crate::ingest::adapters::{Beside, Headers, Outcome, Source, hear};
use crate::ingest::canonical::Parsed;
use crate::ingest::signature::SignatureError;
use crate::model::platform::Platform;
use crate::telemetry;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::{Duration, Instant};
use url::form_urlencoded;

/// Longest challenge that is said back, in bytes.
const MAX_CHALLENGE: usize = 256;

/// One source of deliveries, and how much of it is taken at once.
#[derive(Debug, Clone)]
pub struct Hook {
    pub source: Source,
    /// The platform's public keys, where they are fetched.
    pub ring: Option<Arc<Ring>>,
    /// Largest body, in bytes.
    pub max_body: usize,
    /// How long a request's body may take to arrive.
    pub read_timeout: Duration,
    /// How fast deliveries may come.
    pub pace: Pace,
}

impl Hook {
    /// A source with every limit at its default.
    pub fn of(source: Source) -> Hook {
        Hook {
            source,
            ring: None,
            max_body: super::MAX_BODY,
            read_timeout: super::READ_TIMEOUT,
            pace: Pace::default(),
        }
    }
}

/// What a delivery came to, for its sender and for the metrics.
enum Became {
    /// It only asked whether we are there.
    Ping,
    /// It is proved, and asks for a code back that it brought along.
    Validated(String),
    /// It was taken.
    Taken(Outcome, Stored, Seen),
}

/// Why a delivery is turned away, for its sender and for us.
struct Refused {
    problem: Problem,
    because: Refusal,
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Refused {
        let because = Refusal::by_status(problem.status());
        Refused { problem, because }
    }
}

/// Takes one delivery.
pub async fn post(
    State(doors): State<Arc<Doors>>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let began = Instant::now();
    let Some(hook) = doors.settings.hooks.get(&name) else {
        return Problem::bare(StatusCode::NOT_FOUND)
            .hang_up()
            .into_response();
    };
    let source = hook.source.name.as_str();
    match take(&doors, hook, request).await {
        Ok(Became::Ping) => {
            telemetry::hook(source, "ping");
            doors.engine.note_delivery(source, &Seen::Ping);
            reply::json(StatusCode::OK, &serde_json::json!({ "ping": true }))
        }
        Ok(Became::Validated(code)) => {
            telemetry::hook(source, "ping");
            doors.engine.note_delivery(source, &Seen::Ping);
            reply::json(
                StatusCode::OK,
                &serde_json::json!({ "validationResponse": code }),
            )
        }
        Ok(Became::Taken(outcome, stored, seen)) => {
            telemetry::hook(source, outcome.as_str());
            doors.engine.note_delivery(source, &seen);
            telemetry::intake_took(began.elapsed());
            let mut body = stored.told();
            body["unused"] = (outcome == Outcome::Unused).into();
            reply::json(status(hook.source.platform, outcome), &body)
        }
        Err(Refused { problem, because }) => {
            telemetry::hook(source, "refused");
            doors.engine.note_delivery(source, &Seen::Refused(because));
            problem.into_response()
        }
    }
}

/// Answers a challenge: Adobe I/O Events asks, when a webhook is registered, for what its
/// address brings along. Nothing else is to be read here.
pub async fn ask(State(doors): State<Arc<Doors>>, Path(name): Path<String>, uri: Uri) -> Response {
    let Some(hook) = doors.settings.hooks.get(&name) else {
        return Problem::bare(StatusCode::NOT_FOUND).into_response();
    };
    let challenge = match hook.source.platform {
        Platform::AdobeCommerce => once(uri.query(), "challenge").filter(|text| is_plain(text)),
        _ => None,
    };
    match challenge {
        Some(challenge) => {
            telemetry::hook(&hook.source.name, "ping");
            tracing::info!(source = hook.source.name, "a challenge was answered");
            let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
            (StatusCode::OK, kind, challenge).into_response()
        }
        None => Problem::bare(StatusCode::METHOD_NOT_ALLOWED).into_response(),
    }
}

/// Answers whether somebody may deliver here (CloudEvents web hooks, "abuse protection"):
/// whoever proves it may. Brokers that push CloudEvents ask before the first one.
pub async fn greet(
    State(doors): State<Arc<Doors>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let Some(hook) = doors.settings.hooks.get(&name) else {
        return Problem::bare(StatusCode::NOT_FOUND).into_response();
    };
    let pushes = matches!(
        hook.source.platform,
        Platform::Commercetools | Platform::Generic
    );
    let origin = receive::single(&headers, "webhook-request-origin");
    match origin {
        Ok(Some(origin)) if pushes && is_plain(origin) => {
            telemetry::hook(&hook.source.name, "ping");
            let allowed = [
                ("webhook-allowed-origin", origin),
                ("allow", "POST"),
                ("webhook-allowed-rate", "*"),
            ];
            (StatusCode::OK, allowed).into_response()
        }
        _ => Problem::bare(StatusCode::METHOD_NOT_ALLOWED).into_response(),
    }
}

/// Whether a stranger's text may be said back: no markup, no end of a line.
fn is_plain(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=:".contains(&byte);
    (1..=MAX_CHALLENGE).contains(&text.len()) && text.bytes().all(fits)
}

/// 202 as at `/events`; 200 where nothing was left to do, and for a platform that takes
/// no other answer for success.
fn status(platform: Platform, outcome: Outcome) -> StatusCode {
    match outcome {
        _ if platform == Platform::BigCommerce => StatusCode::OK,
        Outcome::Unused => StatusCode::OK,
        Outcome::Understood | Outcome::ToFetch | Outcome::Poison => StatusCode::ACCEPTED,
    }
}

async fn take(doors: &Doors, hook: &Hook, request: Request) -> Result<Became, Refused> {
    let (head, body) = request.into_parts();
    plain(&head.headers).map_err(Problem::hang_up)?;
    let source = &hook.source;
    let mut room = Room::default();
    let bounds = Bounds {
        counted: Some((&doors.gauge, &source.name)),
        limit: hook.max_body,
        time: hook.read_timeout,
    };
    let body = receive::body(&head.headers, body, bounds, &mut room).await?;
    let headers = told(&head.headers);
    if source.is_ping(&headers, &body) {
        return Ok(Became::Ping);
    }
    if !source.unsigned {
        let token = token(head.uri.query());
        proved(hook, &headers, token.as_deref(), &body)
            .await
            .map_err(|cause| {
                tracing::debug!(source = source.name, because = %cause, "a delivery was refused: who sent it is not proved");
                Refused {
                    problem: Problem::bare(StatusCode::UNAUTHORIZED),
                    because: Refusal::of(cause, source.shows_proof(&headers, token.as_deref())),
                }
            })?;
    }
    if let Some(code) = source.validation(&headers, &body) {
        return Ok(Became::Validated(code));
    }
    let mut too_fast = false;
    if let Err(wait) = doors.gauge.pace(&source.name, Instant::now()) {
        if doors.settings.spill.is_none() || comes_again(source.platform) {
            telemetry::throttled(&source.name);
            return Err(Problem::too_fast(wait).into());
        }
        too_fast = true;
    }
    let taken = hear(
        source,
        &headers,
        &body,
        &Beside::default(),
        doors.engine.now(),
    );
    drop(body);
    if let (Some(poison), Outcome::Poison) = (&taken.poison, taken.outcome) {
        // The reason repeats nothing of what was sent.
        tracing::warn!(
            source = source.name,
            reason = poison.reason,
            "a delivery cannot be read and is in quarantine"
        );
    }
    let first = taken.events.first().map(|event| event.source.clone());
    let kept = taken.poison.as_ref();
    let seen = Seen::Proved {
        outcome: taken.outcome.as_str(),
        origin: first.or_else(|| kept.and_then(|poison| poison.source.clone())),
        version: headers.version().map(str::to_owned),
        because: kept.map(|poison| poison.because.clone()),
        topic: taken.topic,
    };
    let parsed = Parsed {
        events: taken.events,
        poison: taken.poison.into_iter().collect(),
    };
    let came = Came {
        door: &source.name,
        key: taken.key.as_deref(),
        too_fast,
    };
    let stored = store(doors, came, parsed).await?;
    Ok(Became::Taken(taken.outcome, stored, seen))
}

/// Who sent it, by the keys that are known, or by newer ones where it names another.
async fn proved(
    hook: &Hook,
    headers: &Headers,
    token: Option<&str>,
    body: &[u8],
) -> Result<(), SignatureError> {
    let Hook { source, ring, .. } = hook;
    // On the real clock even in a rehearsal: the sender's clock is real.
    let now = clock::real();
    let Some(ring) = ring else {
        return source.verify(headers, token, body, now);
    };
    match source.verify_by(&ring.keys(), headers, token, body, now) {
        Err(SignatureError::UnknownKey) if ring.refresh().await => {
            source.verify_by(&ring.keys(), headers, token, body, now)
        }
        other => other,
    }
}

/// Nothing compressed is taken: a small body could unpack to any size, and none of the
/// platforms sends such.
fn plain(headers: &HeaderMap) -> Result<(), Problem> {
    match receive::single(headers, header::CONTENT_ENCODING.as_str()) {
        Ok(None) => Ok(()),
        Ok(Some(encoding)) if encoding.trim().eq_ignore_ascii_case("identity") => Ok(()),
        Ok(Some(_)) | Err(_) => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "send the body without Content-Encoding",
        )),
    }
}

fn told(headers: &HeaderMap) -> Headers {
    Headers::new(headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        (name.as_str().to_owned(), value.into_owned())
    }))
}

/// The token in the address, for platforms that neither sign nor set headers; one that
/// stands there twice is none.
fn token(query: Option<&str>) -> Option<String> {
    once(query, "token")
}

/// What stands once in a query under a name.
fn once(query: Option<&str>, wanted: &str) -> Option<String> {
    let mut all = form_urlencoded::parse(query?.as_bytes()).filter(|(name, _)| name == wanted);
    match (all.next(), all.next()) {
        (Some((_, value)), None) => Some(value.into_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_of_an_address_stands_there_once() {
        let check = |query: Option<&str>, expected: Option<&str>| {
            assert_eq!(token(query).as_deref(), expected, "{query:?}");
        };
        check(Some("a=1&token=s%2Bt"), Some("s+t"));
        check(Some("token=a&token=b"), None);
        check(Some("tokens=a"), None);
        check(None, None);
    }
}
