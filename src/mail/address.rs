//! Addresses as they go on the wire: split, checked, the domain in A-labels, the local part quoted where it must be.
//!
//! Japanese carriers gave out addresses such as `a..b@docomo.ne.jp` and `a.@ezweb.ne.jp`. They are outside the dot-atom
//! of RFC 5321, and they are alive; they are accepted here and *quoted*, never "corrected".

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Longest local part, in bytes (RFC 5321, 4.5.3.1.1).
pub const LOCAL_LIMIT: usize = 64;
/// Longest address, in bytes: a path of 256 less its two angle brackets (RFC 5321, 4.5.3.1.3).
pub const ADDRESS_LIMIT: usize = 254;
/// Longest label of a domain, in bytes (RFC 1035, 2.3.4).
const LABEL_LIMIT: usize = 63;

/// One e-mail address that can be put on the wire without harm.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    /// The local part as meant, without quotes.
    local: String,
    /// The domain in lower-case A-labels, or an address literal in brackets.
    domain: String,
}

/// Why a text is not an address that mail can go to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No `@`, or nothing before or after it.
    #[error("expected an address such as name@example.com, found one without a name or a domain")]
    Parts,
    /// Longer than any server need accept.
    #[error(
        "expected an address of at most {ADDRESS_LIMIT} bytes with at most {LOCAL_LIMIT} before the @, found {found}"
    )]
    Length {
        /// Length in bytes of what was found.
        found: usize,
    },
    /// A control character: refused, since it may be an attempt at injection.
    #[error("expected an address, found a control character in it")]
    Control,
    /// A character that may not stand in the local part, for instance a comma or a space.
    #[error("expected one address, found {found:?} before the @")]
    Local {
        /// The offending character.
        found: char,
    },
    /// Not a domain name.
    #[error("expected a domain name after the @, found {found:?}")]
    Domain {
        /// What stands after the `@`.
        found: String,
    },
}

impl Address {
    /// Reads one address. The local part may break the dot-atom's rule on dots, or come already quoted.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.chars().any(char::is_control) {
            return Err(AddressError::Control);
        }
        if text.len() > ADDRESS_LIMIT {
            return Err(AddressError::Length { found: text.len() });
        }
        let (local, domain) = match text.strip_prefix('"') {
            Some(rest) => quoted(rest)?,
            None => bare(text)?,
        };
        if local.is_empty() || domain.is_empty() {
            return Err(AddressError::Parts);
        }
        if local.len() > LOCAL_LIMIT {
            return Err(AddressError::Length { found: text.len() });
        }
        let domain = ascii_domain(domain).ok_or_else(|| AddressError::Domain {
            found: domain.to_owned(),
        })?;
        // A-labels may be longer than what they stand for, and quotes add to the local part.
        let address = Self { local, domain };
        let wire = address.to_string().len();
        if wire > ADDRESS_LIMIT {
            return Err(AddressError::Length { found: wire });
        }
        Ok(address)
    }

    /// The local part as it is written in commands and headers: quoted unless it is a dot-atom.
    pub fn local_on_wire(&self) -> String {
        if is_dot_atom(&self.local) {
            return self.local.clone();
        }
        let mut out = String::with_capacity(self.local.len() + 2);
        out.push('"');
        for c in self.local.chars() {
            if matches!(c, '"' | '\\') {
                out.push('\\');
            }
            out.push(c);
        }
        out.push('"');
        out
    }

    /// The domain in A-labels, or an address literal.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Whether only a relay that offers SMTPUTF8 (RFC 6531) can take it.
    pub fn needs_smtputf8(&self) -> bool {
        !self.local.is_ascii()
    }
}

/// As on the wire, without angle brackets.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local_on_wire(), self.domain)
    }
}

/// Splits an address whose local part is not quoted.
fn bare(text: &str) -> Result<(String, &str), AddressError> {
    let (local, domain) = text.rsplit_once('@').ok_or(AddressError::Parts)?;
    match local.chars().find(|&c| c != '.' && !is_atext(c)) {
        Some(found) => Err(AddressError::Local { found }),
        None => Ok((local.to_owned(), domain)),
    }
}

/// Splits an address whose local part opens with a quote, which the caller has taken off.
fn quoted(rest: &str) -> Result<(String, &str), AddressError> {
    let mut local = String::new();
    let mut chars = rest.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => local.push(chars.next().ok_or(AddressError::Parts)?.1),
            '"' => {
                let domain = rest
                    .get(at + 1..)
                    .and_then(|tail| tail.strip_prefix('@'))
                    .ok_or(AddressError::Parts)?;
                return Ok((local, domain));
            }
            c => local.push(c),
        }
    }
    Err(AddressError::Parts)
}

/// `atext` of RFC 5322, with everything that is not ASCII as RFC 6531 adds.
fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || !c.is_ascii() || "!#$%&'*+-/=?^_`{|}~".contains(c)
}

fn is_dot_atom(local: &str) -> bool {
    local
        .split('.')
        .all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

/// The domain in A-labels; an address literal stays as it is.
fn ascii_domain(domain: &str) -> Option<String> {
    if let Some(literal) = domain.strip_prefix('[') {
        let literal = literal.strip_suffix(']')?;
        let known = match literal.strip_prefix("IPv6:") {
            Some(v6) => v6.parse::<Ipv6Addr>().is_ok(),
            None => literal.parse::<Ipv4Addr>().is_ok(),
        };
        return known.then(|| domain.to_owned());
    }
    let ascii = idna::domain_to_ascii(domain).ok()?;
    let good = ascii.split('.').all(|label| {
        !label.is_empty()
            && label.len() <= LABEL_LIMIT
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    });
    good.then_some(ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &str, expected: Result<&str, AddressError>) {
        let found = Address::parse(input).map(|address| address.to_string());
        assert_eq!(found, expected.map(str::to_owned), "{input:?}");
    }

    #[test]
    fn goes_on_the_wire() {
        check("ann@example.com", Ok("ann@example.com"));
        check("ann+tag=1@Example.COM", Ok("ann+tag=1@example.com"));
        check("ann@localhost", Ok("ann@localhost"));
        check("ann@[192.0.2.1]", Ok("ann@[192.0.2.1]"));
        check("ann@[IPv6:2001:db8::1]", Ok("ann@[IPv6:2001:db8::1]"));
        check("ann@münchen.example", Ok("ann@xn--mnchen-3ya.example"));
        check("花子@例え.jp", Ok("花子@xn--r8jz45g.jp"));
    }

    #[test]
    fn quotes_what_japanese_carriers_gave_out() {
        check("a..b@docomo.ne.jp", Ok("\"a..b\"@docomo.ne.jp"));
        check("a.@ezweb.ne.jp", Ok("\"a.\"@ezweb.ne.jp"));
        check(".a@ezweb.ne.jp", Ok("\".a\"@ezweb.ne.jp"));
        check("\"a..b\"@docomo.ne.jp", Ok("\"a..b\"@docomo.ne.jp"));
        check("\"ann\"@example.com", Ok("ann@example.com"));
        check(
            r#""a \"b\" \\ c@d"@example.com"#,
            Ok(r#""a \"b\" \\ c@d"@example.com"#),
        );
    }

    #[test]
    fn refuses_what_would_do_harm() {
        check("", Err(AddressError::Parts));
        check("ann", Err(AddressError::Parts));
        check("@example.com", Err(AddressError::Parts));
        check("ann@", Err(AddressError::Parts));
        check("\"ann@example.com", Err(AddressError::Parts));
        check("\"ann\"x@example.com", Err(AddressError::Parts));
        check(
            "ann@example.com\r\nRCPT TO:<b@x>",
            Err(AddressError::Control),
        );
        check("\"a\u{0}b\"@example.com", Err(AddressError::Control));
        check(
            "ann@x,bob@example.com",
            Err(AddressError::Local { found: '@' }),
        );
        check(
            "ann bob@example.com",
            Err(AddressError::Local { found: ' ' }),
        );
        check("<ann@example.com", Err(AddressError::Local { found: '<' }));
        check("a,b@example.com", Err(AddressError::Local { found: ',' }));
        for domain in [
            "example..com",
            "example.com.",
            "exa mple.com",
            "x>",
            "[1.2.3]",
            "[::1]",
        ] {
            check(
                &format!("ann@{domain}"),
                Err(AddressError::Domain {
                    found: domain.into(),
                }),
            );
        }
        let long = format!("{}@example.com", "a".repeat(300));
        check(&long, Err(AddressError::Length { found: long.len() }));
        let long = format!("{}@example.com", "a".repeat(65));
        check(&long, Err(AddressError::Length { found: long.len() }));
    }
}
