//! Who sent it: the schemes by which platforms sign, over the raw bytes, in constant
//! time, with every secret that is good now. A failure says nothing of itself.

use super::super::signature::SignatureError;
use super::headers::Headers;
use super::public_keys::PublicKeys;
use crate::model::time::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::fmt;
use std::time::Duration;

/// Most secrets that are good at one time for one source: two of each of the products of
/// a platform that sign with keys of their own.
pub const MAX_SECRETS: usize = 4;
/// Shortest secret, in bytes.
pub const MIN_SECRET: usize = 8;
/// Most signatures that are looked at in one header.
const MAX_SIGNATURES: usize = 8;

/// What a platform and we both know, as it was entered there. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SharedSecret(Vec<u8>);

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl SharedSecret {
    /// Takes a secret as it was entered.
    ///
    /// # Errors
    /// It is too short to protect.
    pub fn new(text: &str) -> Result<SharedSecret, SignatureError> {
        if text.len() < MIN_SECRET {
            return Err(SignatureError::Short);
        }
        Ok(SharedSecret(text.as_bytes().to_vec()))
    }

    /// The bytes themselves.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text in Unicode form NFKD, as EasyPost signs with it.
    fn decomposed(&self) -> Vec<u8> {
        use unicode_normalization::UnicodeNormalization;
        match std::str::from_utf8(&self.0) {
            Ok(text) => text.nfkd().collect::<String>().into_bytes(),
            Err(_) => self.0.clone(),
        }
    }
}

/// HMAC-SHA256 over several pieces.
pub(super) fn hmac(key: &[u8], pieces: &[&[u8]]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    for piece in pieces {
        mac.update(piece);
    }
    Some(mac)
}

/// Whether one of the secrets makes this tag over these pieces; compares in constant time.
fn any(secrets: &[SharedSecret], tag: &[u8], pieces: &[&[u8]]) -> Result<(), SignatureError> {
    let holds = |secret: &SharedSecret| {
        hmac(secret.bytes(), pieces).is_some_and(|mac| mac.verify_slice(tag).is_ok())
    };
    match secrets.iter().any(holds) {
        true => Ok(()),
        false => Err(SignatureError::Signature),
    }
}

/// Lower-case hex alone: there must be one way to write a signature.
pub(super) fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? * 16 + digit(*low)?))
        .collect()
}

/// base64 of the HMAC over the body, in a header.
pub(super) fn base64_of_body(
    header: Option<&str>,
    body: &[u8],
    secrets: &[SharedSecret],
) -> Result<(), SignatureError> {
    let tag = header
        .and_then(|text| STANDARD.decode(text).ok())
        .ok_or(SignatureError::Signature)?;
    any(secrets, &tag, &[body])
}

/// Hex of the HMAC over the body, in a header.
pub(super) fn hex_of_body(
    header: Option<&str>,
    body: &[u8],
    secrets: &[SharedSecret],
) -> Result<(), SignatureError> {
    let tag = header.and_then(hex).ok_or(SignatureError::Signature)?;
    any(secrets, &tag, &[body])
}

/// Stripe: `t=SECONDS,v1=HEX[,v1=HEX]` over `t.body`; the key is the whole `whsec_…`
/// text, and other schemes in the header say nothing.
pub(super) fn stripe(
    headers: &Headers,
    body: &[u8],
    secrets: &[SharedSecret],
    now: Timestamp,
    window: Duration,
) -> Result<(), SignatureError> {
    let header = headers
        .one("stripe-signature")
        .ok_or(SignatureError::Signature)?;
    timed(header, body, secrets, now, window)
}

/// `t=SECONDS,v1=HEX[,v1=HEX]` over `t.body`.
fn timed(
    header: &str,
    body: &[u8],
    secrets: &[SharedSecret],
    now: Timestamp,
    window: Duration,
) -> Result<(), SignatureError> {
    let (mut time, mut tags) = (None, Vec::new());
    for part in header.split(',') {
        match part.split_once('=') {
            Some(("t", _)) if time.is_some() => return Err(SignatureError::Timestamp),
            Some(("t", text)) => time = Some(text),
            Some(("v1", text)) if tags.len() < MAX_SIGNATURES => tags.extend(hex(text)),
            _ => {}
        }
    }
    let time = time.ok_or(SignatureError::Timestamp)?;
    in_window(time, now, window)?;
    tags.iter()
        .find_map(|tag| any(secrets, tag, &[time.as_bytes(), b".", body]).ok())
        .ok_or(SignatureError::Signature)
}

/// Shippo, where it signs: `t=SECONDS,v1=HEX` as Stripe has it; else a token.
pub(super) fn shippo(
    headers: &Headers,
    in_address: Option<&str>,
    body: &[u8],
    secrets: &[SharedSecret],
    now: Timestamp,
    window: Duration,
) -> Result<(), SignatureError> {
    match headers.one("shippo-auth-signature") {
        Some(header) => timed(header, body, secrets, now, window),
        None => token(headers, in_address, secrets),
    }
}

/// Standard Webhooks: base64 over `id.timestamp.body`. The key is what stands behind
/// `whsec_` in base64; without that prefix, or where `plain`, the text itself.
pub(super) fn standard(
    headers: &Headers,
    body: &[u8],
    secrets: &[SharedSecret],
    plain: bool,
    now: Timestamp,
    window: Duration,
) -> Result<(), SignatureError> {
    let header = |name: &str| headers.one(name).ok_or(SignatureError::Signature);
    let (id, time) = (header("webhook-id")?, header("webhook-timestamp")?);
    in_window(time, now, window)?;
    let tags: Vec<Vec<u8>> = header("webhook-signature")?
        .split(' ')
        .filter_map(|one| one.strip_prefix("v1,"))
        .take(MAX_SIGNATURES)
        .filter_map(|text| STANDARD.decode(text).ok())
        .collect();
    let keys: Vec<SharedSecret> = secrets
        .iter()
        .map(|secret| {
            let coded = std::str::from_utf8(secret.bytes())
                .ok()
                .filter(|_| !plain)
                .and_then(|text| text.strip_prefix("whsec_"))
                .and_then(|text| STANDARD.decode(text).ok());
            coded.map_or_else(|| secret.clone(), SharedSecret)
        })
        .collect();
    let pieces = [id.as_bytes(), b".", time.as_bytes(), b".", body];
    tags.iter()
        .find_map(|tag| any(&keys, tag, &pieces).ok())
        .ok_or(SignatureError::Signature)
}

/// Spree: hex over `timestamp.body`.
pub(super) fn spree(
    headers: &Headers,
    body: &[u8],
    secrets: &[SharedSecret],
    now: Timestamp,
    window: Duration,
) -> Result<(), SignatureError> {
    let header = |name: &str| headers.one(name).ok_or(SignatureError::Signature);
    let time = header("x-spree-webhook-timestamp")?;
    in_window(time, now, window)?;
    let tag = hex(header("x-spree-webhook-signature")?).ok_or(SignatureError::Signature)?;
    any(secrets, &tag, &[time.as_bytes(), b".", body])
}

/// 17TRACK: hex of SHA-256 over the body, a slash and the key; no HMAC. Its first version
/// has no such header: a token stands in for it.
pub(super) fn seventeen(
    headers: &Headers,
    in_address: Option<&str>,
    body: &[u8],
    secrets: &[SharedSecret],
) -> Result<(), SignatureError> {
    let Some(header) = headers.one("sign") else {
        return token(headers, in_address, secrets);
    };
    let tag = hex(header).ok_or(SignatureError::Signature)?;
    let same = |secret: &&SharedSecret| {
        let mut hash = Sha256::new();
        hash.update(body);
        hash.update(b"/");
        hash.update(secret.bytes());
        equal(&hash.finalize(), &tag)
    };
    match secrets.iter().filter(same).count() {
        0 => Err(SignatureError::Signature),
        _ => Ok(()),
    }
}

/// ShipStation: RSA over `timestamp.body`, the time in words.
pub(super) fn shipengine(
    headers: &Headers,
    body: &[u8],
    keys: &PublicKeys,
    now: Timestamp,
    window: Duration,
) -> Result<(), SignatureError> {
    let header = |name: &str| headers.one(name).ok_or(SignatureError::Signature);
    let time = header("x-shipengine-timestamp")?;
    let tag = STANDARD
        .decode(header("x-shipengine-rsa-sha256-signature")?)
        .map_err(|_| SignatureError::Signature)?;
    let message = [time.as_bytes(), b".", body].concat();
    let name = headers.one("x-shipengine-rsa-sha256-key-id");
    keys.verify(name, &message, &tag)?;
    let at: Timestamp = time.parse().map_err(|_| SignatureError::Timestamp)?;
    near(at.as_second(), now, window)
}

/// Saleor: a detached JWS over the body, or hex of an HMAC where the webhook still has a
/// secret of its own.
pub(super) fn saleor(
    headers: &Headers,
    body: &[u8],
    secrets: &[SharedSecret],
    keys: &PublicKeys,
) -> Result<(), SignatureError> {
    let header = headers.first(&["saleor-signature", "x-saleor-signature"]);
    let header = header.ok_or(SignatureError::Signature)?;
    let Some((protected, rest)) = header.split_once('.') else {
        return hex_of_body(Some(header), body, secrets);
    };
    // Detached: nothing stands between the dots.
    let tag = rest
        .strip_prefix('.')
        .and_then(|tag| URL_SAFE_NO_PAD.decode(tag).ok())
        .ok_or(SignatureError::Signature)?;
    let told: serde_json::Value = URL_SAFE_NO_PAD
        .decode(protected)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .ok_or(SignatureError::Signature)?;
    // What a header marks as critical and nobody understands refuses (RFC 7515, 4.1.11).
    let critical = match &told["crit"] {
        serde_json::Value::Null => true,
        serde_json::Value::Array(all) => all.iter().all(|name| name.as_str() == Some("b64")),
        _ => false,
    };
    if told["alg"].as_str() != Some("RS256") || !critical {
        return Err(SignatureError::Signature);
    }
    let mut message = [protected.as_bytes(), b"."].concat();
    if told["b64"].as_bool() == Some(false) {
        message.extend_from_slice(body);
    } else {
        message.extend_from_slice(URL_SAFE_NO_PAD.encode(body).as_bytes());
    }
    keys.verify(told["kid"].as_str(), &message, &tag)
}

/// Adobe: RSA over the body, by one of two keys.
pub(super) fn adobe(
    headers: &Headers,
    body: &[u8],
    keys: &PublicKeys,
) -> Result<(), SignatureError> {
    ["x-adobe-digital-signature-1", "x-adobe-digital-signature-2"]
        .iter()
        .filter_map(|name| headers.one(name))
        .filter_map(|text| STANDARD.decode(text).ok())
        .find_map(|tag| keys.verify(None, body, &tag).ok())
        .ok_or(SignatureError::Signature)
}

/// EasyPost: `hmac-sha256-hex=HEX`, the secret decomposed.
pub(super) fn easypost(
    headers: &Headers,
    body: &[u8],
    secrets: &[SharedSecret],
) -> Result<(), SignatureError> {
    let text = headers
        .one("x-hmac-signature")
        .and_then(|text| text.strip_prefix("hmac-sha256-hex="));
    let secrets: Vec<SharedSecret> = secrets
        .iter()
        .map(|secret| SharedSecret(secret.decomposed()))
        .collect();
    hex_of_body(text, body, &secrets)
}

/// Zendesk: base64 over the text of the time and the body, with nothing between.
pub(super) fn zendesk(
    headers: &Headers,
    body: &[u8],
    secrets: &[SharedSecret],
    now: Timestamp,
    window: Duration,
) -> Result<(), SignatureError> {
    let time = headers
        .one("x-zendesk-webhook-signature-timestamp")
        .ok_or(SignatureError::Timestamp)?;
    let tag = headers
        .one("x-zendesk-webhook-signature")
        .and_then(|text| STANDARD.decode(text).ok())
        .ok_or(SignatureError::Signature)?;
    any(secrets, &tag, &[time.as_bytes(), body])?;
    let at: Timestamp = time.parse().map_err(|_| SignatureError::Timestamp)?;
    near(at.as_second(), now, window)
}

/// A token that is the same in every delivery: `Authorization: Bearer TOKEN`, the
/// password of basic authentication, or `?token=` in the address.
pub(super) fn token(
    headers: &Headers,
    in_address: Option<&str>,
    secrets: &[SharedSecret],
) -> Result<(), SignatureError> {
    let header = headers.one("authorization");
    let bearer = header
        .and_then(|text| text.strip_prefix("Bearer "))
        .map(|text| text.as_bytes().to_vec());
    let basic = header
        .and_then(|text| text.strip_prefix("Basic "))
        .and_then(|text| STANDARD.decode(text).ok())
        .and_then(|pair| {
            let colon = pair.iter().position(|byte| *byte == b':')?;
            pair.get(colon + 1..).map(<[u8]>::to_vec)
        });
    let address = in_address.map(|text| text.as_bytes().to_vec());
    let given = bearer
        .or(basic)
        .or(address)
        .ok_or(SignatureError::Signature)?;
    same_as_any(&given, secrets)
}

/// Whether a text is one of the secrets: hashes of both are compared, in constant time
/// and without telling their lengths.
pub(super) fn same_as_any(given: &[u8], secrets: &[SharedSecret]) -> Result<(), SignatureError> {
    let hashed = Sha256::digest(given);
    let same = |secret: &&SharedSecret| equal(&Sha256::digest(secret.bytes()), &hashed);
    match secrets.iter().filter(same).count() {
        0 => Err(SignatureError::Signature),
        _ => Ok(()),
    }
}

/// Whether two hashes are the same, in a time that does not say where they differ.
fn equal(own: &[u8], given: &[u8]) -> bool {
    let difference = own
        .iter()
        .zip(given)
        .fold(0u8, |all, (own, given)| all | (own ^ given));
    own.len() == given.len() && std::hint::black_box(difference) == 0
}

/// Whether a time in whole Unix seconds, digits alone, is near enough to now.
pub(super) fn in_window(
    text: &str,
    now: Timestamp,
    window: Duration,
) -> Result<(), SignatureError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(SignatureError::Timestamp);
    }
    let at: i64 = text.parse().map_err(|_| SignatureError::Timestamp)?;
    near(at, now, window)
}

/// Whether a second is near enough to now, either way.
pub(super) fn near(at: i64, now: Timestamp, window: Duration) -> Result<(), SignatureError> {
    if now.as_second().abs_diff(at) > window.as_secs() {
        return Err(SignatureError::Window);
    }
    Ok(())
}
