//! What events in quarantine have in common: the same source, kind and error in words,
//! whatever ids and numbers stand in those. One slip of a mapping is one cause, however
//! many deliveries it spoils.

use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// Bytes of the hash that name a cause.
const BYTES: usize = 4;

/// A cause, with the name by which commands take it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cause {
    pub source: Option<String>,
    pub kind: Option<String>,
    /// A stable code.
    pub reason: String,
    /// The error in words; what differs from one delivery to the next is left out.
    pub words: String,
}

impl Cause {
    /// The cause of one event.
    pub fn of(source: Option<&str>, kind: Option<&str>, reason: &str, because: &str) -> Cause {
        Cause {
            source: source.map(str::to_owned),
            kind: kind.map(str::to_owned),
            reason: reason.to_owned(),
            words: common(because),
        }
    }

    /// A short name: eight hexadecimal digits.
    pub fn name(&self) -> String {
        let mut hash = Sha256::new();
        for part in [
            self.source.as_deref().unwrap_or_default(),
            self.kind.as_deref().unwrap_or_default(),
            &self.reason,
            &self.words,
        ] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        let mut name = String::with_capacity(2 * BYTES);
        for byte in hash.finalize().iter().take(BYTES) {
            // Writing to a text does not fail.
            let _ = write!(name, "{byte:02x}");
        }
        name
    }
}

/// A sentence without what stands in quotes and without numbers of several digits.
fn common(because: &str) -> String {
    let mut shown = String::with_capacity(because.len());
    let mut quoted = false;
    let mut digits = String::new();
    for c in because.chars().chain(std::iter::once('\n')) {
        if c.is_ascii_digit() && !quoted {
            digits.push(c);
            continue;
        }
        if digits.len() > 1 {
            shown.push('…');
        } else {
            shown.push_str(&digits);
        }
        digits.clear();
        if c == '"' {
            quoted = !quoted;
            shown.push_str(if quoted { "\"…" } else { "\"" });
        } else if !quoted && c != '\n' {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_one_delivery_to_the_next_makes_no_cause_of_its_own() {
        let of = |because: &str| Cause::of(Some("/a"), Some("orders/create"), "missing", because);
        let one = of("data.order.line_items[12]: no product \"X100\" at column 17");
        assert_eq!(
            one.words,
            "data.order.line_items[…]: no product \"…\" at column …"
        );
        assert_eq!(
            one,
            of("data.order.line_items[99]: no product \"Y\" at column 18")
        );
        assert_ne!(one.name(), of("the order's currency is missing").name());
        assert_ne!(
            one.name(),
            Cause {
                source: None,
                ..one.clone()
            }
            .name()
        );
        assert_eq!(one.name().len(), 8);
        // A quote that never ends takes the rest with it, and nothing else.
        assert_eq!(of("found \"abc").words, "found \"…");
    }
}
