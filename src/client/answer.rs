//! An answer, whole, and what its head says.

use super::ClientError;
use crate::model::time::{Timestamp, to_ms};
use hyper::{HeaderMap, StatusCode};
use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// Longest wait that an answer may ask for: a platform that says more says something else.
pub const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// A whole answer.
pub struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// Its body may be anybody's data.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({}, {} bytes)", self.status, self.body.len())
    }
}

impl Answer {
    pub(super) fn new(status: StatusCode, headers: HeaderMap, body: Vec<u8>) -> Answer {
        Answer {
            status,
            headers,
            body,
        }
    }

    /// Its status: 200.
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// Whether its status is one of success (2xx).
    pub fn is_fine(&self) -> bool {
        self.status.is_success()
    }

    /// Its body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Its body as JSON.
    ///
    /// # Errors
    /// It is none.
    pub fn json(&self) -> Result<Value, ClientError> {
        serde_json::from_slice(&self.body).map_err(|_| ClientError::NotJson)
    }

    /// The value of a header; the first where it stands there twice.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// How long the other side wants to be left alone (`Retry-After`, RFC 9110 §10.2.3:
    /// seconds, fractions of which some platforms write, or a date), an hour at most.
    pub fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        let text = self.header("retry-after")?.trim();
        let wait = match text.parse::<f64>() {
            Ok(seconds) if seconds >= 0.0 => {
                Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_WAIT)
            }
            Ok(_) => return None,
            Err(_) => {
                let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
                let left = to_ms(at).saturating_sub(to_ms(now)).max(0);
                Duration::from_millis(left.unsigned_abs())
            }
        };
        Some(wait.min(LONGEST_WAIT))
    }

    /// Where the next page is (`Link: <URL>; rel="next"`, RFC 8288).
    pub fn next_page(&self) -> Option<&str> {
        self.headers
            .get_all("link")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .find_map(next_of)
    }
}

/// The address in a `Link` header that is the next page. Addresses may hold commas, so
/// the text is read from one pair of angle brackets to the next.
fn next_of(mut text: &str) -> Option<&str> {
    while let Some((_, rest)) = text.split_once('<') {
        let (url, rest) = rest.split_once('>')?;
        let about = rest.split('<').next().unwrap_or_default();
        let is_next = about.split(';').any(|one| {
            let one = one.trim().trim_end_matches(',').trim_end();
            one.split_once('=').is_some_and(|(name, value)| {
                name.trim().eq_ignore_ascii_case("rel")
                    && value
                        .trim()
                        .trim_matches('"')
                        .split_ascii_whitespace()
                        .any(|rel| rel.eq_ignore_ascii_case("next"))
            })
        });
        if is_next {
            return Some(url);
        }
        text = rest;
    }
    None
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn answer(headers: &[(&str, &str)]) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: hyper::header::HeaderName = name.parse().unwrap();
            map.append(name, value.parse().unwrap());
        }
        Answer::new(StatusCode::OK, map, Vec::new())
    }

    #[test]
    fn the_next_page_is_the_one_that_says_so() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(answer(&[("link", text)]).next_page(), expected, "{text}");
        };
        check(
            r#"<https://a.example/x?p=1,2>; rel="previous", <https://a.example/x?p=2>; rel="next""#,
            Some("https://a.example/x?p=2"),
        );
        check(
            "<https://a.example/2>; rel=next",
            Some("https://a.example/2"),
        );
        check(r#"<https://a.example/1>; rel="previous""#, None);
        check(
            r#"<https://a.example/2>; title="x"; rel="last next""#,
            Some("https://a.example/2"),
        );
        check("<https://a.example/next", None);
        check("", None);
    }

    #[test]
    fn a_wait_is_in_seconds_or_until_a_date_and_has_an_end() {
        let now: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let check = |text: &str, expected: Option<f64>| {
            let wait = answer(&[("retry-after", text)]).retry_after(now);
            assert_eq!(wait.map(|wait| wait.as_secs_f64()), expected, "{text}");
        };
        check("2.0", Some(2.0));
        check("120", Some(120.0));
        check("Sun, 01 Mar 2026 00:00:30 GMT", Some(30.0));
        check("Sat, 28 Feb 2026 00:00:30 GMT", Some(0.0));
        check("99999999", Some(3600.0));
        check("-5", None);
        check("soon", None);
    }
}
