//! The shapes of answers: short JSON problems for machines, pages for people, and
//! the headers that every answer carries.
//!
//! An answer never repeats what a stranger sent, save in a page that escapes it.

use crate::engine::EngineError;
use crate::store::StoreError;
use crate::telemetry;
use axum::body::Body;
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use std::borrow::Cow;
use std::time::Duration;

/// Seconds after which somebody who was turned away for load had better come back.
pub const RETRY_OVERLOAD_SECONDS: u64 = 2;
/// Seconds after which to come back when the database is not to be had.
pub const RETRY_UNAVAILABLE_SECONDS: u64 = 5;

/// What pages may load and do: their own style, nothing else; buttons post here only.
pub const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// An answer that turns a request away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    detail: Option<Cow<'static, str>>,
    retry_after: Option<u64>,
    hang_up: bool,
}

impl Problem {
    /// A refusal that says what is wrong and what was expected.
    pub fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem {
            status,
            detail: Some(detail.into()),
            retry_after: None,
            hang_up: false,
        }
    }

    /// A refusal that says nothing: for those who could not show who they are.
    pub fn bare(status: StatusCode) -> Problem {
        Problem {
            status,
            detail: None,
            retry_after: None,
            hang_up: false,
        }
    }

    /// Too much at once; nothing was accepted.
    pub fn overload() -> Problem {
        Problem {
            retry_after: Some(RETRY_OVERLOAD_SECONDS),
            ..Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many deliveries at once, nothing of this one was accepted",
            )
        }
    }

    /// A source sends faster than it may; there is room after `wait`.
    pub fn too_fast(wait: Duration) -> Problem {
        Problem {
            retry_after: Some(wait.as_secs().saturating_add(1)),
            ..Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "deliveries come faster than they may, nothing of this one was accepted",
            )
        }
    }

    /// Neither the database nor the journal is to be had.
    pub fn unavailable() -> Problem {
        Problem {
            retry_after: Some(RETRY_UNAVAILABLE_SECONDS),
            ..Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the database is not to be had now, nothing was accepted",
            )
        }
    }

    /// What the engine could not do. The cause goes to the log, not to the caller.
    pub fn engine(error: &EngineError) -> Problem {
        match error {
            EngineError::Store(
                StoreError::Unavailable(_)
                | StoreError::Locked(_)
                | StoreError::Full(_)
                | StoreError::Closed,
            ) => Problem::unavailable(),
            _ => Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "something of ours failed, nothing was accepted",
            ),
        }
    }

    /// What it is answered with.
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// Closes the connection after the answer: the rest of the request was not read.
    #[must_use]
    pub fn hang_up(mut self) -> Problem {
        self.hang_up = true;
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        telemetry::refused(self.status.as_u16());
        let title = self.status.canonical_reason().unwrap_or("refused");
        let mut body = serde_json::json!({ "title": title, "status": self.status.as_u16() });
        if let Some(detail) = self.detail {
            body["detail"] = detail.into_owned().into();
        }
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.hang_up {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// JSON with a status.
pub fn json(status: StatusCode, body: &serde_json::Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (status, kind, body.to_string()).into_response()
}

/// A page for people under [`PAGE_POLICY`].
pub fn page(status: StatusCode, html: String) -> Response {
    page_under(status, html, PAGE_POLICY)
}

/// A page for people under a policy of its own.
pub fn page_under(status: StatusCode, html: String, policy: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, policy),
    ];
    (status, headers, Body::from(html)).into_response()
}

/// Headers on every answer: nothing here is for caches, search engines, other sites'
/// frames or anybody's guesses at content types.
pub fn harden(headers: &mut HeaderMap) {
    let always = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            HeaderName::from_static("x-robots-tag"),
            "noindex, nofollow, noarchive",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
    ];
    for (name, value) in always {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
}

/// Text as HTML text or as the value of a quoted attribute.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + text.len() / 8);
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_is_away_is_a_reason_to_come_back() {
        let answer = |error| Problem::engine(&error).into_response();
        let away = answer(EngineError::Store(StoreError::Closed));
        assert_eq!(away.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(away.headers().contains_key(header::RETRY_AFTER));
        let broken = answer(EngineError::Page("no such page".into()));
        assert_eq!(broken.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!broken.headers().contains_key(header::RETRY_AFTER));
    }

    #[test]
    fn text_cannot_leave_its_place_in_html() {
        let escaped = escape("<a href='x' title=\"y\">&amp;");
        assert_eq!(
            escaped,
            "&lt;a href=&#39;x&#39; title=&quot;y&quot;&gt;&amp;amp;"
        );
    }
}
