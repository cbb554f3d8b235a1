//! Names of things. What we create is named by a hash of what it is for, so that
//! planning or saving twice is harmless.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// A customer: one person of the shop. Our own number, given at first sight and
/// never reused; after a merge the smaller number stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CustomerId(pub i64);

impl fmt::Display for CustomerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}", self.0)
    }
}

impl FromStr for CustomerId {
    type Err = NotAnId;
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        text.strip_prefix('c')
            .and_then(|digits| digits.parse().ok())
            .map(CustomerId)
            .ok_or(NotAnId)
    }
}

/// The place of an event in the order of arrival, over all customers.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct EventSeq(pub i64);

/// The text is not an id of the wanted sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of ours")]
pub struct NotAnId;

/// Sixteen bytes of SHA-256 over length-prefixed parts.
fn derive(purpose: &str, parts: &[&str]) -> [u8; 16] {
    let mut hash = Sha256::new();
    for part in std::iter::once(&purpose).chain(parts) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hash.finalize();
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    id
}

fn write_hex(bytes: &[u8; 16], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

fn read_hex(text: &str) -> Result<[u8; 16], NotAnId> {
    if text.len() != 32 || !text.is_ascii() {
        return Err(NotAnId);
    }
    let mut id = [0; 16];
    for (place, byte) in id.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[place * 2..place * 2 + 2], 16).map_err(|_| NotAnId)?;
    }
    Ok(id)
}

macro_rules! derived_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 16]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(&self.0, f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(&self.0, f)
            }
        }
        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                read_hex(text).map($name)
            }
        }
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

derived_id! {
    /// One customer going through one sequence for one key: hash of (sequence, key, n).
    EnrolmentId
}
derived_id! {
    /// One mail owed by one step: hash of (enrolment, step, occurrence), and of the
    /// number of the resend where an operator asked for one.
    SendId
}

impl EnrolmentId {
    /// The id of the `n`th enrolment (from 1) of one key in one sequence. `key` must
    /// name the customer where `per` does.
    pub fn derive(sequence: &str, key: &str, n: u32) -> Self {
        Self(derive("enrolment", &[sequence, key, &n.to_string()]))
    }
}

impl SendId {
    /// The id of the one send of a step (and, for `each`, of one parcel or item).
    pub fn derive(enrolment: EnrolmentId, step: &str, occurrence: &str) -> Self {
        Self(derive("send", &[&enrolment.to_string(), step, occurrence]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_are_stable_and_do_not_run_into_each_other() {
        let one = EnrolmentId::derive("ab", "c", 1);
        assert_eq!(one, EnrolmentId::derive("ab", "c", 1));
        assert_ne!(one, EnrolmentId::derive("a", "bc", 1));
        assert_ne!(one, EnrolmentId::derive("ab", "c", 2));
        assert_eq!(one.to_string().parse(), Ok(one));
        assert_eq!("zz".parse::<SendId>(), Err(NotAnId));
        assert_eq!("c17".parse(), Ok(CustomerId(17)));
    }
}
