//! Stand-in: Standard Webhooks.
use crate::model::time::{Timestamp, to_ms};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use std::time::Duration;

#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SignatureError(pub &'static str);

impl Secret {
    pub fn parse(text: &str) -> Result<Secret, SignatureError> {
        let text = text.strip_prefix("whsec_").unwrap_or(text);
        STANDARD
            .decode(text)
            .map(Secret)
            .map_err(|_| SignatureError("no base64"))
    }
}

pub fn verify(
    secrets: &[Secret],
    id: &str,
    timestamp: &str,
    signature: &str,
    body: &[u8],
    now: Timestamp,
    window: Duration,
) -> Result<(), SignatureError> {
    let at: i64 = timestamp.parse().map_err(|_| SignatureError("no time"))?;
    if (to_ms(now) / 1000).abs_diff(at) > window.as_secs() {
        return Err(SignatureError("outside the window"));
    }
    for secret in secrets {
        for given in signature.split(' ').filter_map(|s| s.strip_prefix("v1,")) {
            let Ok(given) = STANDARD.decode(given) else {
                continue;
            };
            let Ok(mut mac) = Hmac::<sha2::Sha256>::new_from_slice(&secret.0) else {
                continue;
            };
            mac.update(format!("{id}.{timestamp}.").as_bytes());
            mac.update(body);
            if mac.verify_slice(&given).is_ok() {
                return Ok(());
            }
        }
    }
    Err(SignatureError("no signature holds"))
}
