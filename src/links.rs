//! Links and ids that customers' mail programs carry back to us: unforgeable, without
//! personal data, the same for ever for the same send.
//!
//! A token is base64url of version, purpose, send id and a MAC of 128 bits over the
//! purpose, the version, the shop, the send and the target. Each purpose has a key of
//! its own, so a token for one page opens no other.

use crate::model::ids::SendId;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;

/// The only version of tokens so far.
const VERSION: u8 = 1;
/// Bytes of a MAC in a token.
const MAC: usize = 16;
/// Bytes of a token before it is encoded.
const TOKEN: usize = 2 + 16 + MAC;
/// Letters of a token.
pub const TOKEN_LETTERS: usize = 46;

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Stop mails of this sort: the page, and one click (RFC 8058).
    Unsubscribe,
    /// Choose which mails to get; a fulfilment mail has only this one.
    Preferences,
}

impl Purpose {
    const ALL: [Purpose; 2] = [Purpose::Unsubscribe, Purpose::Preferences];

    fn byte(self) -> u8 {
        match self {
            Purpose::Unsubscribe => 1,
            Purpose::Preferences => 2,
        }
    }

    /// The name its key is derived under; never changes.
    fn label(self) -> &'static str {
        match self {
            Purpose::Unsubscribe => "aftercare link unsubscribe 1",
            Purpose::Preferences => "aftercare link preferences 1",
        }
    }

    /// Where the link leads, below the public address.
    fn target(self) -> &'static str {
        match self {
            Purpose::Unsubscribe | Purpose::Preferences => "u",
        }
    }
}

type Code = Hmac<Sha256>;

/// Makes and reads links of one shop.
#[derive(Clone)]
pub struct Links {
    shop: String,
    public_url: String,
    unsubscribe: Code,
    preferences: Code,
    message: Code,
    boundary: Code,
}

/// Keys stay out of logs.
impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Links")
            .field("shop", &self.shop)
            .field("public_url", &self.public_url)
            .finish_non_exhaustive()
    }
}

impl Links {
    /// Links of a shop under the public address of its service. `root` is the install's
    /// one secret; a key for each purpose is derived from it.
    pub fn new(root: &[u8; 32], shop: &str, public_url: &str) -> Links {
        let key = |label: &str| -> Code {
            let mut key = [0; 64];
            // A whole block of SHA-256; 64 bytes are always fewer than HKDF can give.
            let expanded = Hkdf::<Sha256>::new(None, root).expand(label.as_bytes(), &mut key);
            debug_assert!(expanded.is_ok());
            Code::new(&key.into())
        };
        Links {
            shop: shop.to_owned(),
            public_url: public_url.trim_end_matches('/').to_owned(),
            unsubscribe: key(Purpose::Unsubscribe.label()),
            preferences: key(Purpose::Preferences.label()),
            message: key("aftercare message id 1"),
            boundary: key("aftercare boundary 1"),
        }
    }

    /// The address that stops mails like this one, and that one click posts to.
    pub fn unsubscribe(&self, send: SendId) -> String {
        self.address(Purpose::Unsubscribe, send)
    }

    /// The address of the page on which a reader chooses.
    pub fn preferences(&self, send: SendId) -> String {
        self.address(Purpose::Preferences, send)
    }

    fn address(&self, purpose: Purpose, send: SendId) -> String {
        format!(
            "{}/{}/{}",
            self.public_url,
            purpose.target(),
            self.token(purpose, send)
        )
    }

    /// The token of a send for a purpose.
    pub fn token(&self, purpose: Purpose, send: SendId) -> String {
        let mut bytes = [0; TOKEN];
        bytes[0] = VERSION;
        bytes[1] = purpose.byte();
        bytes[2..18].copy_from_slice(&send.0);
        let mac = self.mac(purpose, VERSION, send).finalize().into_bytes();
        bytes[18..].copy_from_slice(&mac[..MAC]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What a token is for, if we made it. Takes the same time for any wrong MAC.
    pub fn read(&self, token: &str) -> Option<(Purpose, SendId)> {
        if token.len() != TOKEN_LETTERS {
            return None;
        }
        let bytes: [u8; TOKEN] = URL_SAFE_NO_PAD.decode(token).ok()?.try_into().ok()?;
        let purpose = Purpose::ALL
            .into_iter()
            .find(|purpose| purpose.byte() == bytes[1])?;
        let mut send = [0; 16];
        send.copy_from_slice(&bytes[2..18]);
        let send = SendId(send);
        self.mac(purpose, bytes[0], send)
            .verify_truncated_left(&bytes[18..])
            .ok()?;
        (bytes[0] == VERSION).then_some((purpose, send))
    }

    fn mac(&self, purpose: Purpose, version: u8, send: SendId) -> Code {
        let mut mac = match purpose {
            Purpose::Unsubscribe => self.unsubscribe.clone(),
            Purpose::Preferences => self.preferences.clone(),
        };
        mac.update(&[purpose.byte(), version]);
        mac.update(&(self.shop.len() as u64).to_be_bytes());
        mac.update(self.shop.as_bytes());
        mac.update(&send.0);
        mac.update(purpose.target().as_bytes());
        mac
    }

    /// The Message-ID of a send without its brackets: the same whenever the very mail is
    /// sent again, another for each resend by an operator. Shows neither customer nor order.
    pub fn message_id(&self, send: SendId, resend: u32, domain: &str) -> String {
        let mut mac = self.message.clone();
        mac.update(&send.0);
        mac.update(&resend.to_be_bytes());
        let mac = mac.finalize().into_bytes();
        format!("{}@{domain}", URL_SAFE_NO_PAD.encode(&mac[..18]))
    }

    /// The MIME boundary of a send, so that its bytes can be made again.
    pub fn boundary(&self, send: SendId) -> String {
        let mut mac = self.boundary.clone();
        mac.update(&send.0);
        let mac = mac.finalize().into_bytes();
        mac[..16]
            .iter()
            .fold(String::from("=_"), |text, byte| format!("{text}{byte:02x}"))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const SEND: SendId = SendId([7; 16]);

    fn links() -> Links {
        Links::new(&[42; 32], "harbor-pine", "https://mail.shop.example/")
    }

    #[test]
    fn a_token_comes_back() {
        let links = links();
        let url = links.unsubscribe(SEND);
        let token = url.strip_prefix("https://mail.shop.example/u/").unwrap();
        assert_eq!(token.len(), TOKEN_LETTERS);
        assert_eq!(links.read(token), Some((Purpose::Unsubscribe, SEND)));
        let url = links.preferences(SEND);
        let token = url.rsplit_once('/').unwrap().1;
        assert_eq!(links.read(token), Some((Purpose::Preferences, SEND)));
        assert!(!format!("{links:?}").contains("42"));
    }

    #[test]
    fn no_bit_can_be_changed() {
        let links = links();
        let token = links.token(Purpose::Unsubscribe, SEND);
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut forged = bytes.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                links.read(&URL_SAFE_NO_PAD.encode(&forged)),
                None,
                "bit {bit}"
            );
        }
        for wrong in ["", "x", &token[1..], &format!("{token}A"), &"é".repeat(23)] {
            assert_eq!(links.read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_token_serves_one_purpose_one_shop_and_one_secret() {
        let links = links();
        let mut bytes = URL_SAFE_NO_PAD
            .decode(links.token(Purpose::Preferences, SEND))
            .unwrap();
        bytes[1] = Purpose::Unsubscribe.byte();
        assert_eq!(links.read(&URL_SAFE_NO_PAD.encode(&bytes)), None);
        let token = links.token(Purpose::Unsubscribe, SEND);
        assert_eq!(
            Links::new(&[42; 32], "other", "https://x").read(&token),
            None
        );
        assert_eq!(
            Links::new(&[43; 32], "harbor-pine", "https://x").read(&token),
            None
        );
    }

    #[test]
    fn message_ids_and_boundaries_are_stable_and_say_nothing() {
        let links = links();
        let id = links.message_id(SEND, 0, "shop.example");
        assert_eq!(id, links.message_id(SEND, 0, "shop.example"));
        assert_ne!(id, links.message_id(SEND, 1, "shop.example"));
        assert_ne!(id, links.message_id(SendId([8; 16]), 0, "shop.example"));
        assert!(id.ends_with("@shop.example") && id.len() < 60);
        assert_ne!(links.boundary(SEND), links.boundary(SendId([8; 16])));
        assert!(links.boundary(SEND).len() <= 70);
    }
}
