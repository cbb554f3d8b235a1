//! Reads request bodies within a size and a time, whatever their sender claims.

use super::admission::{Gauge, Room};
use super::reply::Problem;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use futures_util::StreamExt;
use std::time::Duration;

/// Bytes of a body that are made room for at once: nearly every delivery is smaller, and
/// who only announces a large one holds no more.
const STEP: usize = 64 * 1024;

/// The length that a request declares for its body; `None` where it declares none.
pub fn declared_length(headers: &HeaderMap) -> Option<usize> {
    headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok())
}

/// How a body may come in.
#[derive(Debug, Clone, Copy)]
pub struct Bounds<'g> {
    /// Where its memory is counted, and for which source; `None` for the small forms of
    /// customers, which no flood of deliveries may keep out.
    pub counted: Option<(&'g Gauge, &'g str)>,
    /// Largest body, in bytes.
    pub limit: usize,
    /// How long it may take.
    pub time: Duration,
}

/// The whole body, if it is within its bounds. Memory is asked for as it arrives, a step
/// ahead, and is `room`'s.
///
/// # Errors
/// 413 for a larger body, before it is read where its length is declared; 408 for a
/// slower one; 400 for one that breaks off; 503 where there is no room for it.
pub async fn body(
    headers: &HeaderMap,
    body: Body,
    bounds: Bounds<'_>,
    room: &mut Room,
) -> Result<Vec<u8>, Problem> {
    let limit = bounds.limit;
    let too_large = || {
        let detail = format!("the body may hold {limit} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).hang_up()
    };
    let full = || Problem::overload().hang_up();
    let declared = declared_length(headers);
    if declared.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut has_room = |bytes: usize| match bounds.counted {
        Some((gauge, source)) => gauge.grow(source, room, bytes),
        None => true,
    };
    let ahead = |read: usize| (read + STEP).min(declared.unwrap_or(limit));
    let first = ahead(0);
    if !has_room(first) {
        return Err(full());
    }
    let read = async {
        let mut read = Vec::with_capacity(declared.unwrap_or_default().min(first));
        let mut granted = first;
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| {
                Problem::new(StatusCode::BAD_REQUEST, "the body broke off").hang_up()
            })?;
            let length = read.len() + chunk.len();
            if length > limit {
                return Err(too_large());
            }
            if length > granted {
                granted = ahead(length);
                if !has_room(granted) {
                    return Err(full());
                }
            }
            read.extend_from_slice(&chunk);
        }
        Ok(read)
    };
    match tokio::time::timeout(bounds.time, read).await {
        Ok(read) => read,
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "the body took too long to arrive",
        )
        .hang_up()),
    }
}

/// The one value of a header. `Err` where it stands there twice or is not plain text.
pub fn single<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Ambiguous> {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Ambiguous);
    }
    first.to_str().map(Some).map_err(|_| Ambiguous)
}

/// A header that stands there twice, or cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ambiguous;

/// A media type and its parameters, names in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaType {
    /// Such as `application/json`.
    pub essence: String,
    parameters: Vec<(String, String)>,
}

impl MediaType {
    /// Reads a `Content-Type` value; what makes no sense in it is passed over.
    pub fn read(value: &str) -> MediaType {
        let mut parts = value.split(';');
        let essence = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
        let parameters = parts
            .filter_map(|part| part.split_once('='))
            .map(|(name, value)| {
                let value = value.trim();
                let value = value
                    .strip_prefix('"')
                    .and_then(|value| value.strip_suffix('"'))
                    .unwrap_or(value);
                (name.trim().to_ascii_lowercase(), value.to_owned())
            })
            .collect();
        MediaType {
            essence,
            parameters,
        }
    }

    /// The value of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether its text is UTF-8, as far as it says.
    pub fn is_utf8(&self) -> bool {
        self.parameter("charset").is_none_or(|charset| {
            matches!(
                charset.to_ascii_lowercase().as_str(),
                "utf-8" | "utf8" | "us-ascii"
            )
        })
    }
}
