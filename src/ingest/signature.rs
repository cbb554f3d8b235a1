//! Who sent it: Standard Webhooks signatures (`webhook-id`, `webhook-timestamp`,
//! `webhook-signature`, or the same with `svix-`). What is signed is the exact bytes that
//! came, so this runs before anything is parsed. A failure says little: whoever forges
//! must learn nothing from it.

use crate::model::time::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use std::time::Duration;

/// How far a delivery's time stamp may lie from our clock, either way.
pub const WINDOW: Duration = Duration::from_secs(300);
/// Most secrets that are good at one time: the old and the new.
pub const MAX_SECRETS: usize = 2;
/// Shortest key, in bytes (Standard Webhooks, "symmetric").
pub const MIN_KEY: usize = 24;
/// Longest key, in bytes.
pub const MAX_KEY: usize = 64;
/// Most signatures that are looked at in one header.
pub const MAX_SIGNATURES: usize = 8;
/// What a secret begins with.
const PREFIX: &str = "whsec_";

/// A shared secret. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Why a secret is none, or a signature does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The secret is not `whsec_` and base64.
    #[error("expected a secret like whsec_ followed by base64")]
    NoSecret,
    /// The secret is too short to protect, or longer than the standard allows.
    #[error("expected a secret of {MIN_KEY} to {MAX_KEY} bytes")]
    Length,
    /// The secret of a platform is too short to protect.
    #[error("expected a secret of 8 bytes or more")]
    Short,
    /// A file of public keys holds none that we can use.
    #[error("expected RSA public keys, as a JSON Web Key Set or as PEM")]
    NoKey,
    /// The time stamp is no whole number of seconds.
    #[error("the time stamp is not a whole number of Unix seconds")]
    Timestamp,
    /// The delivery is older, or newer, than the window allows.
    #[error("the time stamp is too far from the clock")]
    Window,
    /// It is signed with a key whose name we do not know.
    #[error("it is signed with a key that is not known here")]
    UnknownKey,
    /// None of the signatures fits any of the secrets.
    #[error("no signature holds")]
    Signature,
}

impl Secret {
    /// Reads `whsec_` + base64; the prefix may be left out.
    ///
    /// # Errors
    /// It is no base64, or too short or too long. The secret is not repeated.
    pub fn parse(text: &str) -> Result<Secret, SignatureError> {
        let text = text.trim();
        let bytes = STANDARD
            .decode(text.strip_prefix(PREFIX).unwrap_or(text))
            .map_err(|_| SignatureError::NoSecret)?;
        if (MIN_KEY..=MAX_KEY).contains(&bytes.len()) {
            Ok(Secret(bytes))
        } else {
            Err(SignatureError::Length)
        }
    }

    fn mac(&self, id: &str, timestamp: &str, body: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(id.as_bytes());
        mac.update(b".");
        mac.update(timestamp.as_bytes());
        mac.update(b".");
        mac.update(body);
        Some(mac)
    }

    /// The signature of a delivery: for tests, and for whoever sends us events.
    pub fn sign(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        let mac = self.mac(id, timestamp, body);
        let tag = mac.map(|mac| mac.finalize().into_bytes().to_vec());
        format!("v1,{}", STANDARD.encode(tag.unwrap_or_default()))
    }
}

/// Checks a delivery: `signature` is the whole header, several `v1,…` apart by spaces.
/// Headers that stand there twice are the caller's to refuse.
///
/// # Errors
/// It is too old or too new, or no signature fits.
pub fn verify(
    secrets: &[Secret],
    id: &str,
    timestamp: &str,
    signature: &str,
    body: &[u8],
    now: Timestamp,
    window: Duration,
) -> Result<(), SignatureError> {
    // Only digits: what is signed is the text, and there must be one way to write it.
    if timestamp.is_empty() || !timestamp.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(SignatureError::Timestamp);
    }
    let at: i64 = timestamp.parse().map_err(|_| SignatureError::Timestamp)?;
    if now.as_second().abs_diff(at) > window.as_secs() {
        return Err(SignatureError::Window);
    }
    let given: Vec<Vec<u8>> = signature
        .split(' ')
        .filter_map(|one| one.strip_prefix("v1,"))
        .take(MAX_SIGNATURES)
        .filter_map(|text| STANDARD.decode(text).ok())
        .collect();
    for secret in secrets {
        for given in &given {
            let mac = secret.mac(id, timestamp, body);
            // Compares in constant time.
            if mac.is_some_and(|mac| mac.verify_slice(given).is_ok()) {
                return Ok(());
            }
        }
    }
    Err(SignatureError::Signature)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::ingest::fixtures::{self, Delivery};

    /// `canonical_ascii` of the fixtures' `secrets.json`, as it is configured.
    fn secret() -> Secret {
        let text = format!("whsec_{}", STANDARD.encode("canonical-test-secret-24"));
        Secret::parse(&text).unwrap()
    }

    fn check(delivery: &Delivery, secrets: &[Secret]) -> Result<(), SignatureError> {
        let at: i64 = delivery.header("webhook-timestamp").parse().unwrap();
        verify(
            secrets,
            delivery.header("webhook-id"),
            delivery.header("webhook-timestamp"),
            delivery.header("webhook-signature"),
            delivery.body,
            Timestamp::from_second(at).unwrap(),
            WINDOW,
        )
    }

    #[test]
    fn every_sample_delivery_verifies_but_the_forged_one() {
        for delivery in fixtures::deliveries() {
            let forged = delivery.name.contains("bad_signature");
            assert_eq!(
                check(&delivery, &[secret()]).is_ok(),
                !forged,
                "{}",
                delivery.name
            );
        }
    }

    #[test]
    fn the_old_and_the_new_secret_are_both_good() {
        let new = Secret::parse(&STANDARD.encode([7u8; 32])).unwrap();
        let delivery = fixtures::delivery("order.placed");
        assert_eq!(check(&delivery, &[new.clone(), secret()]), Ok(()));
        assert_eq!(check(&delivery, &[new]), Err(SignatureError::Signature));
        assert_eq!(check(&delivery, &[]), Err(SignatureError::Signature));
    }

    #[test]
    fn any_flipped_bit_breaks_it() {
        let delivery = fixtures::delivery("consent.changed.unsubscribed");
        let at: i64 = delivery.header("webhook-timestamp").parse().unwrap();
        let now = Timestamp::from_second(at).unwrap();
        let timestamp = delivery.header("webhook-timestamp");
        let id = delivery.header("webhook-id");
        let signature = delivery.header("webhook-signature");
        let secrets = [secret()];
        let holds = |id: &str, signature: &str, body: &[u8]| {
            verify(&secrets, id, timestamp, signature, body, now, WINDOW).is_ok()
        };
        assert!(holds(id, signature, delivery.body));
        for bit in 0..delivery.body.len() * 8 {
            let mut body = delivery.body.to_vec();
            body[bit / 8] ^= 1 << (bit % 8);
            assert!(!holds(id, signature, &body), "bit {bit} of the body");
        }
        let tag = STANDARD
            .decode(signature.strip_prefix("v1,").unwrap())
            .unwrap();
        for bit in 0..tag.len() * 8 {
            let mut tag = tag.clone();
            tag[bit / 8] ^= 1 << (bit % 8);
            let forged = format!("v1,{}", STANDARD.encode(tag));
            assert!(!holds(id, &forged, delivery.body), "bit {bit} of the tag");
        }
        assert!(!holds("msg_other", signature, delivery.body));
        assert!(!holds(id, "v2,AAAA", delivery.body));
        assert!(!holds(id, "", delivery.body));
    }

    #[test]
    fn old_and_future_deliveries_are_refused() {
        let delivery = fixtures::delivery("order.placed");
        let at: i64 = delivery.header("webhook-timestamp").parse().unwrap();
        let with = |timestamp: &str, now: i64| {
            verify(
                &[secret()],
                delivery.header("webhook-id"),
                timestamp,
                delivery.header("webhook-signature"),
                delivery.body,
                Timestamp::from_second(now).unwrap(),
                WINDOW,
            )
        };
        let own = delivery.header("webhook-timestamp");
        assert_eq!(with(own, at + 300), Ok(()));
        assert_eq!(with(own, at - 300), Ok(()));
        assert_eq!(with(own, at + 301), Err(SignatureError::Window));
        assert_eq!(with(own, at - 301), Err(SignatureError::Window));
        // Another spelling of the same instant is another text, and was not signed.
        assert_eq!(with(&format!("+{own}"), at), Err(SignatureError::Timestamp));
        assert_eq!(with(&format!("0{own}"), at), Err(SignatureError::Signature));
        assert_eq!(with("", at), Err(SignatureError::Timestamp));
        assert_eq!(
            with("99999999999999999999", at),
            Err(SignatureError::Timestamp)
        );
    }

    #[test]
    fn secrets_are_of_a_safe_length_and_never_shown() {
        assert_eq!(Secret::parse("whsec_***"), Err(SignatureError::NoSecret));
        let short = STANDARD.encode([1u8; 23]);
        assert_eq!(Secret::parse(&short), Err(SignatureError::Length));
        let long = STANDARD.encode([1u8; 65]);
        assert_eq!(Secret::parse(&long), Err(SignatureError::Length));
        assert_eq!(format!("{:?}", secret()), "***");
    }
}
