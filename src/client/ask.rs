//! A question: what is asked, where, and with what. Where it leads is checked here.

use super::ClientError;
use hyper::Method;
use hyper::header::{HeaderName, HeaderValue};
use serde_json::Value;
use std::fmt;
use url::{Url, form_urlencoded};

/// Longest path and query that is asked for, in bytes.
const MAX_TARGET: usize = 8 * 1024;

/// Where it leads, as it was told.
#[derive(Clone)]
enum Place {
    /// Below the client's own place, from a slash on.
    Path(String),
    /// A whole address that somebody else gave.
    Url(String),
}

/// One question.
#[derive(Clone)]
pub struct Ask {
    method: Method,
    place: Place,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// Neither query nor body: either may hold what is nobody's business.
impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match &self.place {
            Place::Path(text) | Place::Url(text) => text.split('?').next().unwrap_or_default(),
        };
        write!(f, "Ask({} {place})", self.method)
    }
}

impl Ask {
    fn of(method: Method, place: Place) -> Ask {
        Ask {
            method,
            place,
            query: Vec::new(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Reads what is at a path below the client's place: `/v2/orders`.
    pub fn get(path: impl Into<String>) -> Ask {
        Ask::of(Method::GET, Place::Path(path.into()))
    }

    /// Reads what is at a whole address that an answer or a delivery named. It must be on
    /// the client's own host.
    pub fn follow(url: impl Into<String>) -> Ask {
        Ask::of(Method::GET, Place::Url(url.into()))
    }

    /// Hands something in at a path.
    pub fn post(path: impl Into<String>) -> Ask {
        Ask::of(Method::POST, Place::Path(path.into()))
    }

    /// Puts something at a path.
    pub fn put(path: impl Into<String>) -> Ask {
        Ask::of(Method::PUT, Place::Path(path.into()))
    }

    /// Changes a part of what is at a path.
    pub fn patch(path: impl Into<String>) -> Ask {
        Ask::of(Method::PATCH, Place::Path(path.into()))
    }

    /// Takes away what is at a path.
    pub fn delete(path: impl Into<String>) -> Ask {
        Ask::of(Method::DELETE, Place::Path(path.into()))
    }

    /// With one more pair in the query.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Ask {
        self.query.push((name.into(), value.into()));
        self
    }

    /// With a header that proves nothing.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Ask {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// With JSON as its body.
    #[must_use]
    pub fn json(mut self, body: &Value) -> Ask {
        self.body = body.to_string().into_bytes();
        self.header("content-type", "application/json")
    }

    /// With a form as its body.
    #[must_use]
    pub fn form(mut self, pairs: &[(&str, &str)]) -> Ask {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(pairs);
        self.body = form.finish().into_bytes();
        self.header("content-type", "application/x-www-form-urlencoded")
    }

    pub(super) fn method(&self) -> Method {
        self.method.clone()
    }

    pub(super) fn has_header(&self, name: &str) -> bool {
        self.headers
            .iter()
            .any(|(had, _)| had.eq_ignore_ascii_case(name))
    }

    /// Its headers; one that cannot be sent is left out.
    pub(super) fn headers(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        self.headers.iter().filter_map(|(name, value)| {
            Some((
                HeaderName::from_bytes(name.as_bytes()).ok()?,
                HeaderValue::from_str(value).ok()?,
            ))
        })
    }

    pub(super) fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// The path and query to ask for at the place of `base`.
    pub(super) fn target(&self, base: &Url) -> Result<String, ClientError> {
        let (path, mut query) = match &self.place {
            Place::Path(path) => {
                if !path.starts_with('/') {
                    return Err(ClientError::Path);
                }
                let (path, query) = path.split_once('?').unwrap_or((path, ""));
                let before = base.path().trim_end_matches('/');
                (format!("{before}{path}"), query.to_owned())
            }
            Place::Url(text) => {
                let url = Url::parse(text).map_err(|_| ClientError::Path)?;
                let same = url.scheme() == base.scheme()
                    && url.host() == base.host()
                    && url.port_or_known_default() == base.port_or_known_default();
                if !same || !url.username().is_empty() || url.password().is_some() {
                    return Err(ClientError::Elsewhere {
                        host: url
                            .host_str()
                            .unwrap_or_default()
                            .chars()
                            .take(100)
                            .collect(),
                    });
                }
                let query = url.query().unwrap_or_default().to_owned();
                (url.path().to_owned(), query)
            }
        };
        let clean = path
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'#');
        if !clean
            || !path
                .split('/')
                .all(|part| part.is_empty() || is_segment(part))
        {
            return Err(ClientError::Path);
        }
        if !self.query.is_empty() {
            let mut more = form_urlencoded::Serializer::new(String::new());
            more.extend_pairs(&self.query);
            if !query.is_empty() {
                query.push('&');
            }
            query.push_str(&more.finish());
        }
        let target = if query.is_empty() {
            path
        } else {
            format!("{path}?{query}")
        };
        if target.len() > MAX_TARGET {
            return Err(ClientError::Path);
        }
        Ok(target)
    }
}

/// Whether a part of a path leads down and not up.
pub fn is_segment(part: &str) -> bool {
    let plain = part.to_ascii_lowercase().replace("%2e", ".");
    !part.is_empty() && plain != "." && plain != ".."
}

/// A text as one part of a path: whatever a stranger wrote, it stays that part.
pub fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
