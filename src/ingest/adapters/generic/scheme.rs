//! How a shop of its own make signs: which header, by what, how written, over what.

use super::super::headers::Headers;
use super::super::proof::{SharedSecret, hex, near, token};
use super::super::{Source, moment};
use crate::ingest::signature::SignatureError;
use crate::model::time::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha512};

/// Of what a signature is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    HmacSha256,
    HmacSha512,
}

/// How bytes are written in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Hex,
    Base64,
}

/// A part of what is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Body,
    /// The header that says when.
    Timestamp,
    Header(String),
}

/// The scheme, as the file says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scheme {
    /// Its name in lower case.
    pub(super) header: String,
    pub(super) algorithm: Algorithm,
    pub(super) encoding: Encoding,
    /// What stands before the signature in the header.
    pub(super) prefix: String,
    pub(super) signed: Vec<Part>,
    pub(super) timestamp: Option<String>,
    /// How the secret is written: as it is, or in base64.
    pub(super) key: Option<Encoding>,
}

/// Checks a delivery by the scheme of its mapping; without one, by a token.
pub(in super::super) fn verify(
    source: &Source,
    headers: &Headers,
    in_address: Option<&str>,
    body: &[u8],
    now: Timestamp,
) -> Result<(), SignatureError> {
    let scheme = source
        .mapping
        .as_ref()
        .and_then(|mapping| mapping.scheme.as_ref());
    match scheme {
        Some(scheme) => scheme.verify(source, headers, body, now),
        None => token(headers, in_address, &source.secrets),
    }
}

impl Scheme {
    fn verify(
        &self,
        source: &Source,
        headers: &Headers,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), SignatureError> {
        let header = |name: &str| headers.one(name).ok_or(SignatureError::Signature);
        let written = header(&self.header)?
            .strip_prefix(self.prefix.as_str())
            .ok_or(SignatureError::Signature)?;
        let tag = read(written, self.encoding).ok_or(SignatureError::Signature)?;
        let mut message = Vec::with_capacity(body.len() + 64);
        for part in &self.signed {
            match part {
                Part::Text(text) => message.extend_from_slice(text.as_bytes()),
                Part::Body => message.extend_from_slice(body),
                Part::Timestamp => {
                    let name = self.timestamp.as_deref().unwrap_or_default();
                    message.extend_from_slice(header(name)?.as_bytes());
                }
                Part::Header(name) => message.extend_from_slice(header(name)?.as_bytes()),
            }
        }
        if !source
            .secrets
            .iter()
            .any(|secret| self.holds(secret, &message, &tag))
        {
            return Err(SignatureError::Signature);
        }
        // A time that is not signed proves nothing.
        if self.signed.contains(&Part::Timestamp) {
            let name = self.timestamp.as_deref().unwrap_or_default();
            let at = moment::utc_text(header(name)?).ok_or(SignatureError::Timestamp)?;
            near(at.as_second(), now, source.window)?;
        }
        Ok(())
    }

    fn holds(&self, secret: &SharedSecret, message: &[u8], tag: &[u8]) -> bool {
        let text = std::str::from_utf8(secret.bytes()).unwrap_or_default();
        let key = match self.key {
            None => Some(secret.bytes().to_vec()),
            Some(encoding) => read(text.trim_start_matches("whsec_"), encoding),
        };
        let Some(key) = key else {
            return false;
        };
        match self.algorithm {
            Algorithm::HmacSha256 => Hmac::<Sha256>::new_from_slice(&key).is_ok_and(|mut mac| {
                mac.update(message);
                mac.verify_slice(tag).is_ok()
            }),
            Algorithm::HmacSha512 => Hmac::<Sha512>::new_from_slice(&key).is_ok_and(|mut mac| {
                mac.update(message);
                mac.verify_slice(tag).is_ok()
            }),
        }
    }
}

fn read(text: &str, encoding: Encoding) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Hex => hex(text),
        Encoding::Base64 => STANDARD.decode(text).ok(),
    }
}

/// `{timestamp}.{body}`: texts, and what stands in braces.
pub(super) fn template(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let (before, inside) = rest.split_at(open);
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        let Some((name, after)) = inside[1..].split_once('}') else {
            return Err("a brace is not closed".to_owned());
        };
        parts.push(match name.trim() {
            "body" => Part::Body,
            "timestamp" => Part::Timestamp,
            header if header.starts_with("header:") => {
                Part::Header(header["header:".len()..].trim().to_ascii_lowercase())
            }
            other => {
                return Err(format!(
                    "{{{other}}} is none of {{body}}, {{timestamp}}, {{header:NAME}}"
                ));
            }
        });
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    if !parts.contains(&Part::Body) {
        return Err(
            "what is signed must contain {body}: else anything could stand there".to_owned(),
        );
    }
    Ok(parts)
}
