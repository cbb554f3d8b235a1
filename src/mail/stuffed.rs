//! The last layer before the wire: line ends and dots.
//!
//! Whatever a template, a header or a stored copy holds, [`Stuffed`] has CRLF and nothing else as a line end, ends with
//! one, and has a dot doubled at the start of a line. There is no other way to make one, so no mail can carry a bare CR
//! or LF (with which lax servers would see a second mail, "SMTP smuggling") or an early final dot.

/// The bytes of one mail as they go between `DATA`'s 354 and the final dot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuffed {
    bytes: Vec<u8>,
    ascii: bool,
}

impl Stuffed {
    /// Normalises and dot-stuffs a message. `\n`, `\r` and `\r\n` each end a line.
    pub fn from_message(message: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(message.len() + message.len() / 64 + 2);
        let mut rest = message;
        while !rest.is_empty() {
            let end = rest
                .iter()
                .position(|&b| b == b'\r' || b == b'\n')
                .unwrap_or(rest.len());
            let (line, tail) = rest.split_at(end);
            if line.first() == Some(&b'.') {
                bytes.push(b'.');
            }
            bytes.extend_from_slice(line);
            bytes.extend_from_slice(b"\r\n");
            rest = match tail {
                [b'\r', b'\n', after @ ..] | [_, after @ ..] => after,
                [] => &[],
            };
        }
        if bytes.is_empty() {
            bytes.extend_from_slice(b"\r\n");
        }
        let ascii = bytes.is_ascii();
        Self { bytes, ascii }
    }

    /// What goes on the wire; ends with CRLF, so the final dot is `.\r\n`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Size in bytes on the wire, which is what SIZE (RFC 1870) is about, give or take the stuffing.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Never true: a mail has at least one line end. Kept beside [`Stuffed::len`] as custom wants it.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether every byte is ASCII; if not, the relay must offer SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.ascii
    }

    /// The message with its doubled dots taken out again: the bytes of an `.eml` file.
    pub fn unstuff(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len());
        for line in self.bytes.split_inclusive(|&b| b == b'\n') {
            out.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        }
        out
    }

    /// Length in bytes of the longest line, its CRLF not counted.
    pub fn longest_line(&self) -> usize {
        self.bytes
            .split(|&b| b == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line).len())
            .max()
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(message: &str, expected: &str) {
        let stuffed = Stuffed::from_message(message.as_bytes());
        assert_eq!(String::from_utf8_lossy(stuffed.as_bytes()), expected);
    }

    #[test]
    fn normalises_and_stuffs() {
        check("a\r\nb\r\n", "a\r\nb\r\n");
        check("a\nb\rc", "a\r\nb\r\nc\r\n");
        check("a\n\rb\r\r\nc", "a\r\n\r\nb\r\n\r\nc\r\n");
        check(".", "..\r\n");
        check("a\r\n.\r\nQUIT\r\n", "a\r\n..\r\nQUIT\r\n");
        check("a\n.\nMAIL FROM:<x>\n", "a\r\n..\r\nMAIL FROM:<x>\r\n");
        check("a\r.\rb", "a\r\n..\r\nb\r\n");
        check("..a", "...a\r\n");
        check("", "\r\n");
    }

    proptest! {
        /// A strict server and every lax dialect (bare LF, bare CR, mixtures) see no end of mail inside.
        #[test]
        fn no_dialect_sees_an_early_end(message in prop::collection::vec(
            prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'.'), any::<u8>()], 0..200)) {
            let stuffed = Stuffed::from_message(&message);
            let wire = stuffed.as_bytes();
            prop_assert!(wire.ends_with(b"\r\n"));
            for (at, &b) in wire.iter().enumerate() {
                if b == b'\n' { prop_assert!(at > 0 && wire[at - 1] == b'\r'); }
                if b == b'\r' { prop_assert_eq!(wire.get(at + 1), Some(&b'\n')); }
            }
            for line in wire.split(|&b| b == b'\r' || b == b'\n') {
                prop_assert_ne!(line, b".");
            }
            let again = Stuffed::from_message(&stuffed.unstuff());
            prop_assert_eq!(again, stuffed);
        }
    }
}
