//! Addresses: kept as typed, compared normalised (trimmed, NFC, lower case, IDNA
//! host; dots and plus signs are never folded). Local parts that RFC 5321 would
//! refuse but that real carriers gave out (`a..b@`, `a.@`) are addresses here.

use serde::{Deserialize, Serialize};
use std::fmt;
use unicode_normalization::UnicodeNormalization;

/// Longest local part, in bytes (RFC 5321, 4.5.3.1.1).
pub const MAX_LOCAL: usize = 64;
/// Longest address, in bytes (RFC 5321, 4.5.3.1.3: a path of 256 with its brackets).
pub const MAX_ADDRESS: usize = 254;

/// An address that mail can be tried on.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    typed: String,
    key: String,
}

/// Why a text is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// There is no text.
    #[error("the address is empty")]
    Empty,
    /// It holds a control character, which could forge headers or commands.
    #[error("the address holds a control character")]
    Control,
    /// It is not one local part and one host.
    #[error("the address has no single @ between a local part and a host")]
    Shape,
    /// It is over the lengths of RFC 5321.
    #[error("the address is longer than {MAX_ADDRESS} bytes, or its local part than {MAX_LOCAL}")]
    Long,
    /// Its host is no domain name.
    #[error("the host of the address is no domain name")]
    Host,
}

impl Address {
    /// Reads an address as a customer typed it.
    ///
    /// # Errors
    /// Says what is wrong, without repeating the address.
    pub fn parse(text: &str) -> Result<Address, BadAddress> {
        if text.chars().any(char::is_control) {
            return Err(BadAddress::Control);
        }
        let typed = text.trim();
        if typed.is_empty() {
            return Err(BadAddress::Empty);
        }
        let (local, host) = typed.rsplit_once('@').ok_or(BadAddress::Shape)?;
        let bare = local.strip_prefix('"').and_then(|l| l.strip_suffix('"'));
        let shaped = match bare {
            Some(inside) => !inside.is_empty() && !inside.contains(['"', '\\']),
            None => {
                !local.is_empty()
                    && !local.contains(|c: char| c.is_whitespace() || "@,;:<>()[]\\\"".contains(c))
            }
        };
        if !shaped || host.is_empty() || host.contains(char::is_whitespace) {
            return Err(BadAddress::Shape);
        }
        if typed.len() > MAX_ADDRESS || local.len() > MAX_LOCAL {
            return Err(BadAddress::Long);
        }
        let ascii = idna::domain_to_ascii_strict(host).map_err(|_| BadAddress::Host)?;
        if ascii.split('.').any(str::is_empty) {
            return Err(BadAddress::Host);
        }
        Ok(Address {
            typed: typed.to_owned(),
            key: normalise(typed),
        })
    }

    /// As the customer typed it, trimmed.
    pub fn as_typed(&self) -> &str {
        &self.typed
    }

    /// The form under which two spellings are one person.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The local part without quotes, and the host in its ASCII form, for the wire.
    pub fn wire_parts(&self) -> (&str, String) {
        let (local, host) = self.typed.rsplit_once('@').unwrap_or((&self.typed, ""));
        let local = local
            .strip_prefix('"')
            .and_then(|l| l.strip_suffix('"'))
            .unwrap_or(local);
        let host = idna::domain_to_ascii_strict(host).unwrap_or_else(|_| host.to_owned());
        (local, host)
    }
}

/// The normal form of any text in an address's place, also of one that is no valid
/// address: trimmed, NFC, lower case, quotes around the local part dropped, host in
/// ASCII where it can be.
pub fn normalise(text: &str) -> String {
    let folded: String = text.trim().nfc().collect::<String>().to_lowercase();
    match folded.rsplit_once('@') {
        Some((local, host)) => {
            let local = local
                .strip_prefix('"')
                .and_then(|l| l.strip_suffix('"'))
                .unwrap_or(local);
            let host = idna::domain_to_ascii(host).unwrap_or_else(|_| host.to_owned());
            format!("{local}@{host}")
        }
        None => folded,
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}

/// Never shows the address: debug output ends up in logs.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(***)")
    }
}

impl TryFrom<String> for Address {
    type Error = BadAddress;
    fn try_from(text: String) -> Result<Self, BadAddress> {
        Address::parse(&text)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> String {
        address.typed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_real_people_have() {
        for (typed, key) in [
            (" Ann@Example.COM ", "ann@example.com"),
            ("a..b@docomo.example", "a..b@docomo.example"),
            ("a.@au.example", "a.@au.example"),
            ("\"a..b\"@docomo.example", "a..b@docomo.example"),
            ("kä@bücher.example", "kä@xn--bcher-kva.example"),
            ("a+b@x.example", "a+b@x.example"),
        ] {
            assert_eq!(
                Address::parse(typed).map(|a| a.key().to_owned()),
                Ok(key.to_owned())
            );
        }
    }

    #[test]
    fn refuses_what_could_forge_or_cannot_arrive() {
        for (typed, why) in [
            ("", BadAddress::Empty),
            ("a@x\r\nRCPT TO:<b@y>", BadAddress::Control),
            ("a,b@x.example", BadAddress::Shape),
            ("nobody", BadAddress::Shape),
            ("a@", BadAddress::Shape),
            ("a@x..example", BadAddress::Host),
        ] {
            assert_eq!(Address::parse(typed), Err(why), "{typed:?}");
        }
        let long = format!("{}@x.example", "a".repeat(300));
        assert_eq!(Address::parse(&long), Err(BadAddress::Long));
    }
}
