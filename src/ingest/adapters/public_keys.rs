//! Signatures by a platform's private key: its public ones, as a JSON Web Key Set or as
//! PEM. Nothing here fetches. RSA with SHA-256, padded as
//! PKCS #1 has it.

use super::super::signature::SignatureError;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde_json::Value;
use std::fmt;

/// Most keys of one source.
const MAX_KEYS: usize = 16;
/// The longest file of keys that is read, in bytes.
const MAX_FILE: usize = 64 * 1024;

/// The public keys of a source.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PublicKeys(Vec<PublicKey>);

#[derive(Clone, PartialEq, Eq)]
struct PublicKey {
    name: Option<String>,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

impl fmt::Debug for PublicKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKeys({})", self.0.len())
    }
}

impl PublicKeys {
    /// Reads a key set (`{"keys": […]}`), or PEM blocks.
    ///
    /// # Errors
    /// There is no RSA key in it.
    pub fn read(text: &str) -> Result<PublicKeys, SignatureError> {
        if text.len() > MAX_FILE {
            return Err(SignatureError::NoKey);
        }
        let keys: Vec<PublicKey> = match serde_json::from_str::<Value>(text) {
            Ok(set) => set["keys"]
                .as_array()
                .map_or(&[] as &[Value], Vec::as_slice)
                .iter()
                .filter_map(of_set)
                .take(MAX_KEYS)
                .collect(),
            Err(_) => pem(text).take(MAX_KEYS).collect(),
        };
        if keys.is_empty() {
            return Err(SignatureError::NoKey);
        }
        Ok(PublicKeys(keys))
    }

    /// These and others, each once.
    #[must_use]
    pub fn and(&self, others: &PublicKeys) -> PublicKeys {
        let mut all = self.0.clone();
        let new = others.0.iter().filter(|key| !self.0.contains(key));
        all.extend(new.cloned());
        PublicKeys(all)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks a signature over a message, by the key of this name where one is named.
    pub(super) fn verify(
        &self,
        name: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        let named = |key: &&PublicKey| match (name, &key.name) {
            (Some(wanted), Some(own)) => wanted == own,
            _ => true,
        };
        let holds = |key: &PublicKey| {
            let key = RsaPublicKeyComponents {
                n: key.modulus.as_slice(),
                e: key.exponent.as_slice(),
            };
            key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok()
        };
        if !self.0.iter().any(|key| named(&key)) {
            return Err(SignatureError::UnknownKey);
        }
        match self.0.iter().filter(named).any(holds) {
            true => Ok(()),
            false => Err(SignatureError::Signature),
        }
    }
}

fn without_zeros(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|byte| *byte != 0);
    bytes[start.unwrap_or(bytes.len())..].to_vec()
}

fn of_set(key: &Value) -> Option<PublicKey> {
    if key["kty"].as_str() != Some("RSA") {
        return None;
    }
    let part = |name: &str| {
        let text = key[name].as_str()?.trim_end_matches('=');
        URL_SAFE_NO_PAD.decode(text).ok()
    };
    Some(PublicKey {
        name: key["kid"].as_str().map(str::to_owned),
        modulus: without_zeros(&part("n")?),
        exponent: without_zeros(&part("e")?),
    })
}

fn pem(text: &str) -> impl Iterator<Item = PublicKey> + '_ {
    text.split("-----BEGIN ").skip(1).filter_map(|block| {
        let (kind, rest) = block.split_once("-----")?;
        let (body, _) = rest.split_once("-----END")?;
        let body: String = body.split_ascii_whitespace().collect();
        let der = STANDARD.decode(body).ok()?;
        let key = match kind {
            "PUBLIC KEY" => subject(&der)?,
            "RSA PUBLIC KEY" => der.as_slice(),
            _ => return None,
        };
        let (sequence, _) = part(key, 0x30)?;
        let (modulus, rest) = part(sequence, 0x02)?;
        let (exponent, _) = part(rest, 0x02)?;
        Some(PublicKey {
            name: None,
            modulus: without_zeros(modulus),
            exponent: without_zeros(exponent),
        })
    })
}

/// The key inside of a SubjectPublicKeyInfo.
fn subject(der: &[u8]) -> Option<&[u8]> {
    let (sequence, _) = part(der, 0x30)?;
    let (_, rest) = part(sequence, 0x30)?;
    let (bits, _) = part(rest, 0x03)?;
    // The number of bits that are not used comes first: none.
    bits.strip_prefix(&[0])
}

/// The content of the DER value at the front, if it is of this kind, and what follows.
fn part(der: &[u8], kind: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first()?;
    if *first != kind {
        return None;
    }
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        0x81..=0x82 => {
            let count = usize::from(length & 0x7f);
            let (bytes, rest) = rest.split_at_checked(count)?;
            let length = bytes
                .iter()
                .fold(0usize, |length, byte| length << 8 | usize::from(*byte));
            (length, rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}
