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
use crate::ingest::adapters::{Beside, Headers, Outcome, Source, hear};
use crate::ingest::canonical::Parsed;
use crate::model::platform::Platform;
use crate::telemetry;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::{Duration, Instant};
use url::form_urlencoded;

/// One source of deliveries, and how much of it is taken at once.
#[derive(Debug, Clone)]
pub struct Hook {
    pub source: Source,
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
    /// It was taken.
    Taken(Outcome, Stored),
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
            reply::json(StatusCode::OK, &serde_json::json!({ "ping": true }))
        }
        Ok(Became::Taken(outcome, stored)) => {
            telemetry::hook(source, outcome.as_str());
            telemetry::intake_took(began.elapsed());
            let mut body = stored.told();
            body["unused"] = (outcome == Outcome::Unused).into();
            reply::json(status(hook.source.platform, outcome), &body)
        }
        Err(problem) => {
            telemetry::hook(source, "refused");
            problem.into_response()
        }
    }
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

async fn take(doors: &Doors, hook: &Hook, request: Request) -> Result<Became, Problem> {
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
        // On the real clock even in a rehearsal: the sender's clock is real.
        source
            .verify(&headers, token.as_deref(), &body, clock::real())
            .map_err(|cause| {
                tracing::debug!(source = source.name, because = %cause, "a delivery was refused: who sent it is not proved");
                Problem::bare(StatusCode::UNAUTHORIZED)
            })?;
    }
    let mut too_fast = false;
    if let Err(wait) = doors.gauge.pace(&source.name, Instant::now()) {
        if doors.settings.spill.is_none() || comes_again(source.platform) {
            telemetry::throttled(&source.name);
            return Err(Problem::too_fast(wait));
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
    Ok(Became::Taken(taken.outcome, stored))
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
    let mut all = form_urlencoded::parse(query?.as_bytes()).filter(|(name, _)| name == "token");
    match (all.next(), all.next()) {
        (Some((_, token)), None) => Some(token.into_owned()),
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
