//! The secret of an install, and the forms in which it keeps keys of people: hashes under
//! that secret, which nobody can read back.
//!
//! Orders, their numbers and customers are mostly counted upwards. In the newer form, those
//! that follow each other lie beside each other in the index, so that what comes in together
//! is written together; a plain hash scatters every key over a page of its own. Addresses
//! have no neighbours: that two are alike is nobody's business.

use super::db::{Tx, statements};
use super::error::{Corrupt, StoreError};
use super::upkeep::META;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::digest::Key;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Where the root secret lies in `meta`.
const ROOT_SECRET: &str = "root_secret";
/// Where the form of this database's keys lies in `meta`; nothing there: scattered.
const FORM: &str = "key_form";
const NEAR: &str = "near";

/// Bytes of a scattered key that are kept: enough that no two ever meet.
const SCATTERED_BYTES: usize = 16;
/// The same of a near one. At 10⁹ keys two meet with a chance of 6 in 10¹².
const NEAR_BYTES: usize = 12;
/// What leads to a key's place: neighbours share it, and it may stand for several places.
const PLACE_BYTES: usize = 3;
/// What tells the sources apart that use one id.
const SOURCE_BYTES: usize = 6;
/// So many digits at the end of an id count its neighbours: a hundred of them.
const COUNTING_DIGITS: usize = 2;
/// Sorts of keys whose neighbours are no neighbours, or would tell of people.
const ALONE: [&str; 2] = ["email", "tracking"];

statements! {
    /// The first one stays.
    FIRST_META = "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING";
}

/// The root secret, and what is hashed with it; never printed.
pub(super) struct Secret {
    pub root: [u8; 32],
    /// A keyed hash that has begun.
    begun: Hmac<Sha256>,
    is_near: bool,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl Secret {
    fn new(root: [u8; 32], is_near: bool) -> Secret {
        // HMAC fills a short key up with zeros (RFC 2104, 2): a whole block cannot fail.
        let mut block = Key::<Hmac<Sha256>>::default();
        block[..root.len()].copy_from_slice(&root);
        let mut begun = Hmac::new(&block);
        begun.update(b"alias\0");
        Secret {
            root,
            begun,
            is_near,
        }
    }

    /// What a reader has where nobody has written yet.
    pub(super) fn none() -> Secret {
        Secret::new([0; 32], true)
    }

    /// The secret of this database, made where it has none.
    ///
    /// # Errors
    /// Where the database or the randomness of the machine is out of reach.
    pub(super) async fn make(tx: &mut Tx) -> Result<Secret, StoreError> {
        if let Some(had) = Secret::read(tx).await? {
            return Ok(had);
        }
        let mut new = [0; 32];
        getrandom::fill(&mut new).map_err(|_| StoreError::NoRandomness)?;
        let text: String = new.iter().map(|byte| format!("{byte:02x}")).collect();
        for (key, value) in [(FORM, NEAR), (ROOT_SECRET, &text)] {
            tx.run(&FIRST_META, vec![key.into(), value.into()]).await?;
        }
        // On PostgreSQL another process may have been first.
        Ok(Secret::read(tx).await?.unwrap_or(Secret::new(new, true)))
    }

    /// The secret of this database; `None` where it has none yet.
    ///
    /// # Errors
    /// Where it is none, or the database is out of reach.
    pub(super) async fn read(tx: &mut Tx) -> Result<Option<Secret>, StoreError> {
        let Some(row) = tx.fetch_one(&META, vec![ROOT_SECRET.into()]).await? else {
            return Ok(None);
        };
        let root = root(&row.text(0)?)?;
        let is_near = match tx.fetch_one(&META, vec![FORM.into()]).await? {
            None => false,
            Some(row) if row.text(0)? == NEAR => true,
            Some(_) => return Err(corrupt(FORM, "a form that this release does not know").into()),
        };
        Ok(Some(Secret::new(root, is_near)))
    }

    /// The form in which a key of a person is stored (see [`crate::ingest::identity::Key`]).
    pub(super) fn key(&self, key: &str) -> String {
        if self.is_near {
            self.near(key)
        } else {
            self.text(key)
        }
    }

    /// The form in which a text is kept that may name somebody who wants to be forgotten.
    pub(super) fn text(&self, text: &str) -> String {
        self.hash(&[text])[..SCATTERED_BYTES]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// Where its neighbours are, which one it is, and of which source.
    fn near(&self, key: &str) -> String {
        let (sort, rest) = key.split_once(':').unwrap_or(("", key));
        let (sort, source, id) = match sort.strip_prefix("any-") {
            Some(sort) => (sort, None, rest),
            None => match rest.split_once('\n') {
                Some((source, id)) if !ALONE.contains(&sort) => (sort, Some(source), id),
                _ => (sort, None, rest),
            },
        };
        let own = self.hash(&["key", sort, id]);
        let digits = id.bytes().rev().take_while(u8::is_ascii_digit).count();
        let place = if digits == 0 || ALONE.contains(&sort) {
            own
        } else {
            let stem = &id[..id.len() - digits.min(COUNTING_DIGITS)];
            self.hash(&["place", stem])
        };
        let mut bytes = [0; PLACE_BYTES + NEAR_BYTES + SOURCE_BYTES];
        bytes[..PLACE_BYTES].copy_from_slice(&place[..PLACE_BYTES]);
        // From its end: the place may be of the same hash.
        bytes[PLACE_BYTES..PLACE_BYTES + NEAR_BYTES].copy_from_slice(&own[32 - NEAR_BYTES..]);
        let mut length = PLACE_BYTES + NEAR_BYTES;
        if let Some(source) = source {
            let of = self.hash(&["source", source]);
            bytes[length..].copy_from_slice(&of[..SOURCE_BYTES]);
            length += SOURCE_BYTES;
        }
        URL_SAFE_NO_PAD.encode(&bytes[..length])
    }

    fn hash(&self, parts: &[&str]) -> [u8; 32] {
        let mut mac = self.begun.clone();
        for (place, part) in parts.iter().enumerate() {
            if place > 0 {
                mac.update(b"\0");
            }
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }
}

fn corrupt(id: &str, found: &str) -> Corrupt {
    Corrupt {
        table: "meta",
        column: "value",
        id: id.to_owned(),
        found: found.to_owned(),
    }
}

fn root(text: &str) -> Result<[u8; 32], Corrupt> {
    let bad = || corrupt(ROOT_SECRET, "something other than 64 hexadecimal digits");
    if text.len() != 64 || !text.is_ascii() {
        return Err(bad());
    }
    let mut root = [0; 32];
    for (place, byte) in root.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[place * 2..place * 2 + 2], 16).map_err(|_| bad())?;
    }
    Ok(root)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn secret(is_near: bool) -> Secret {
        Secret::new([7; 32], is_near)
    }

    #[test]
    fn keys_that_follow_each_other_lie_together() {
        let secret = secret(true);
        let place = |key: &str| secret.key(key)[..4].to_owned();
        let orders = |range: std::ops::Range<u32>| -> BTreeSet<String> {
            range
                .flat_map(|n| [format!("order:/shop\nSO-{n}"), format!("any-order:SO-{n}")])
                .map(|key| place(&key))
                .collect()
        };
        assert_eq!(orders(1200..1300).len(), 1);
        assert_eq!(orders(1200..1400).len(), 2);
        // The same counting under another sort is near too, and what counts nothing is not.
        assert_eq!(place("number:/shop\nSO-1207"), place("any-order:SO-1250"));
        assert_ne!(place("any-order:alpha"), place("any-order:alphb"));
        assert_ne!(place("email:ann1@x.org1"), place("email:ann1@x.org2"));
    }

    #[test]
    fn no_two_keys_are_one() {
        for secret in [secret(true), secret(false)] {
            let keys: BTreeSet<String> = [
                "email:1",
                "order:/shop\n1",
                "order:/other\n1",
                "any-order:1",
                // An id may hold anything.
                "any-order:/shop\n1",
                "number:/shop\n1",
                "any-number:1",
                "any-order:2",
                "tracking:1@20",
                "tracking:1@21",
                "own:1",
                "1",
            ]
            .iter()
            .map(|key| secret.key(key))
            .collect();
            assert_eq!(keys.len(), 12);
        }
    }

    /// What is in databases: changed, nobody in them is found any more.
    #[test]
    fn forms_stay() {
        assert_eq!(
            secret(false).key("email:ann@example.com"),
            "7bf2269ca8cc18840a9cbef344d81b46"
        );
        assert_eq!(
            secret(true).key("order:/shop\nSO-1207"),
            "Kl9fNAdzYxFBPA6tnaXy-wRftwLI"
        );
        assert_eq!(
            secret(true).key("email:ann@example.com"),
            "CP_jijsK-mm-vFiEJjOz"
        );
    }
}
