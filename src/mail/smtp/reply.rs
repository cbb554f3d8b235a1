//! Reading replies: bounded, strict about form, and the one place that knows what a code means at which step.
//!
//! It must never call something a reply that is not complete and well-formed: after the final dot, that would turn an
//! uncertain mail into a known one.

use std::fmt;

use crate::mail::delivery::{Step, Verdict};

/// Longest line of a reply in bytes, its CRLF included. RFC 5321 allows 512; the margin is for talkative servers.
pub const LINE_LIMIT: usize = 2_048;
/// Most lines of one reply. An EHLO answer has rarely more than 20.
pub const LINES_LIMIT: usize = 100;
/// Most bytes of one reply.
pub const REPLY_LIMIT: usize = 16 * 1_024;

/// One complete reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Three digits, 200 to 599.
    pub code: u16,
    /// The enhanced code (RFC 3463), where there is one and it agrees with the code.
    pub enhanced: Option<(u8, u16, u16)>,
    /// The relay's words without codes in front, lines joined by `\n`, control characters replaced by spaces.
    pub text: String,
}

/// Why what came back is not a reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A line without end.
    #[error("found a line of more than {LINE_LIMIT} bytes")]
    LineTooLong,
    /// A multi-line reply without end.
    #[error("found a reply of more than {LINES_LIMIT} lines or {REPLY_LIMIT} bytes")]
    TooLong,
    /// Not three digits and a space, hyphen or line end.
    #[error("found {found:?}")]
    NotAReply {
        /// The beginning of what came.
        found: String,
    },
    /// A line feed without a carriage return, which ends no line in SMTP.
    #[error("found a line that ends without CRLF")]
    BareLineFeed,
    /// The code changes from one line to the next.
    #[error("found a reply whose code changes from {first} to {then}")]
    CodeChanged {
        /// Code of the first line.
        first: u16,
        /// Code of the line that differs.
        then: u16,
    },
}

/// Reads one reply from the front of `input`: the reply and how many bytes it took, or `None` where more must come.
pub fn parse(input: &[u8]) -> Result<Option<(Reply, usize)>, Malformed> {
    let mut used = 0;
    let mut first: Option<u16> = None;
    let mut enhanced = None;
    let mut text = String::new();
    for lines in 1.. {
        let rest = input.get(used..).unwrap_or_default();
        let Some(feed) = rest.iter().take(LINE_LIMIT).position(|&b| b == b'\n') else {
            return match rest.len() {
                len if len >= LINE_LIMIT => Err(Malformed::LineTooLong),
                _ if used + rest.len() > REPLY_LIMIT => Err(Malformed::TooLong),
                _ => plausible(rest).map(|()| None),
            };
        };
        let line = rest
            .get(..feed)
            .and_then(|line| line.strip_suffix(b"\r"))
            .ok_or(Malformed::BareLineFeed)?;
        used += feed + 1;
        if lines > LINES_LIMIT || used > REPLY_LIMIT {
            return Err(Malformed::TooLong);
        }
        let (code, last, words) = split(line)?;
        match first {
            Some(first) if first != code => {
                return Err(Malformed::CodeChanged { first, then: code });
            }
            Some(_) => text.push('\n'),
            None => first = Some(code),
        }
        let (found, words) = strip_enhanced(code, words);
        enhanced = enhanced.or(found);
        text.extend(String::from_utf8_lossy(words).chars().map(visible));
        if last {
            let reply = Reply {
                code,
                enhanced,
                text,
            };
            return Ok(Some((reply, used)));
        }
    }
    Err(Malformed::TooLong)
}

/// Refuses an unfinished line as soon as its first bytes can't become a reply, instead of waiting for the rest.
fn plausible(start: &[u8]) -> Result<(), Malformed> {
    let good = start.iter().take(4).enumerate().all(|(at, &b)| match at {
        0 => (b'2'..=b'5').contains(&b),
        1 | 2 => b.is_ascii_digit(),
        _ => matches!(b, b' ' | b'-' | b'\r'),
    });
    if good {
        Ok(())
    } else {
        Err(not_a_reply(start))
    }
}

fn not_a_reply(found: &[u8]) -> Malformed {
    const SHOWN: usize = 40;
    let shown = found.get(..SHOWN.min(found.len())).unwrap_or_default();
    Malformed::NotAReply {
        found: String::from_utf8_lossy(shown).into_owned(),
    }
}

/// One line: its code, whether it is the last of its reply, its words.
fn split(line: &[u8]) -> Result<(u16, bool, &[u8]), Malformed> {
    let [a @ b'2'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] = line else {
        return Err(not_a_reply(line));
    };
    let digit = |d: &u8| u16::from(d - b'0');
    let code = digit(a) * 100 + digit(b) * 10 + digit(c);
    match rest {
        [] => Ok((code, true, &[])),
        [b' ', words @ ..] => Ok((code, true, words)),
        [b'-', words @ ..] => Ok((code, false, words)),
        _ => Err(not_a_reply(line)),
    }
}

/// Takes `5.1.1 ` off the front of a line's words, if its class is that of the code (RFC 2034, 4).
fn strip_enhanced(code: u16, words: &[u8]) -> (Option<(u8, u16, u16)>, &[u8]) {
    let end = words.iter().position(|&b| b == b' ').unwrap_or(words.len());
    let (front, rest) = words.split_at(end);
    let parsed = std::str::from_utf8(front).ok().and_then(|front| {
        let mut parts = front.split('.');
        let mut next = |longest: usize| {
            parts
                .next()
                .filter(|part| part.len() <= longest && part.bytes().all(|b| b.is_ascii_digit()))
                .and_then(|part| part.parse::<u16>().ok())
        };
        let (class, subject, detail) = (next(1)?, next(3)?, next(3)?);
        let agrees = class == code / 100 && parts.next().is_none();
        agrees.then_some((u8::try_from(class).ok()?, subject, detail))
    });
    match parsed {
        Some(_) => (parsed, rest.strip_prefix(b" ").unwrap_or(rest)),
        None => (None, words),
    }
}

fn visible(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

impl Reply {
    /// What this reply means at `step`.
    ///
    /// Before MAIL no recipient is in play, so whatever is not the wanted reply is the relay's own trouble. From MAIL
    /// on, a 421 (the relay is going away) and the codes that ask for authentication or encryption are too; every other
    /// 4xx and 5xx is taken as being about this mail.
    pub fn judge(&self, step: Step) -> Verdict {
        let wanted = match step {
            Step::Data | Step::Body => 3,
            _ => 2,
        };
        match (step, self.code / 100) {
            (_, class) if class == wanted => Verdict::Fine,
            (Step::Connect | Step::Banner | Step::Ehlo | Step::StartTls | Step::Auth, _) => {
                Verdict::Relay
            }
            (Step::Quit | Step::Reset, _) => Verdict::Relay,
            (_, 4 | 5) if self.code == 421 => Verdict::Relay,
            (Step::Mail | Step::Rcpt | Step::Data | Step::Body, 4 | 5) if self.wants_login() => {
                Verdict::Relay
            }
            (_, 4) => Verdict::Later,
            (_, 5) => Verdict::Never,
            _ => Verdict::Absurd,
        }
    }

    /// 530 authentication required, 534 and 535 it is not good enough, 538 encryption required.
    fn wants_login(&self) -> bool {
        matches!(self.code, 530 | 534 | 535 | 538)
    }

    /// Whether it says that the recipient's address does not exist or is closed for good. Policy, content, size and
    /// full mailboxes do not, even as a 5xx.
    pub fn blames_address(&self) -> bool {
        self.code / 100 == 5
            && matches!(
                self.enhanced,
                Some((5, 1, 1 | 2 | 3 | 6 | 10)) | Some((5, 2, 1))
            )
    }
}

/// `250 2.0.0 queued as 42`, on one line.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some((class, subject, detail)) = self.enhanced {
            write!(f, " {class}.{subject}.{detail}")?;
        }
        for line in self.text.split('\n').filter(|line| !line.is_empty()) {
            write!(f, " {line}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(input: &str) -> Reply {
        let (reply, used) = parse(input.as_bytes()).unwrap().unwrap();
        assert_eq!(used, input.len());
        reply
    }

    #[test]
    fn reads_replies() {
        let reply = read("250 2.0.0 queued as 42\r\n");
        assert_eq!((reply.code, reply.enhanced), (250, Some((2, 0, 0))));
        assert_eq!(reply.text, "queued as 42");
        assert_eq!(reply.to_string(), "250 2.0.0 queued as 42");
        assert_eq!(read("250\r\n").text, "");
        assert_eq!(read("354 go\r\n").enhanced, None);
        let reply = read("550-5.1.1 no such\r\n550 5.1.1 user\r\n");
        assert_eq!(reply.to_string(), "550 5.1.1 no such user");
        // An enhanced code of another class is words.
        assert_eq!(read("550 2.1.1 odd\r\n").enhanced, None);
        assert_eq!(read("550 5.1.1.1 odd\r\n").enhanced, None);
        assert_eq!(read("550 5.1000.1 odd\r\n").enhanced, None);
        assert_eq!(read("250 a\u{1b}[31mb\r\n").text, "a [31mb");
        let (_, used) = parse(b"250 a\r\n250 b\r\n").unwrap().unwrap();
        assert_eq!(used, 7);
    }

    #[test]
    fn waits_for_the_rest_and_only_for_what_can_become_a_reply() {
        let whole = b"250-first\r\n250 2.0.0 ok\r\n";
        for cut in 0..whole.len() {
            assert_eq!(parse(&whole[..cut]), Ok(None), "cut at {cut}");
        }
        assert!(matches!(parse(b"HTTP"), Err(Malformed::NotAReply { .. })));
        assert!(matches!(
            parse(b"\x15\x03\x01"),
            Err(Malformed::NotAReply { .. })
        ));
        assert!(matches!(parse(b"2500"), Err(Malformed::NotAReply { .. })));
        assert!(matches!(
            parse(b"150 x\r\n"),
            Err(Malformed::NotAReply { .. })
        ));
        assert!(matches!(
            parse(b"650 x\r\n"),
            Err(Malformed::NotAReply { .. })
        ));
    }

    #[test]
    fn refuses_what_is_malformed() {
        assert_eq!(parse(b"250 ok\n"), Err(Malformed::BareLineFeed));
        assert_eq!(
            parse(b"250-ok\r\n550 no\r\n"),
            Err(Malformed::CodeChanged {
                first: 250,
                then: 550
            })
        );
        let mut line = b"250 ".to_vec();
        line.resize(LINE_LIMIT - 1, b'x');
        assert_eq!(parse(&line), Ok(None));
        line.push(b'x');
        assert_eq!(parse(&line), Err(Malformed::LineTooLong));
        line.resize(1_000_000, b'x');
        line.extend_from_slice(b"\r\n");
        assert_eq!(parse(&line), Err(Malformed::LineTooLong));
        assert_eq!(parse(&b"250-x\r\n".repeat(LINES_LIMIT)), Ok(None));
        assert_eq!(
            parse(&b"250-x\r\n".repeat(LINES_LIMIT + 1)),
            Err(Malformed::TooLong)
        );
        let broad = format!("250-{}\r\n", "x".repeat(1_000)).repeat(20);
        assert_eq!(parse(broad.as_bytes()), Err(Malformed::TooLong));
    }

    #[test]
    fn judges_by_step() {
        use Verdict::*;
        let judge = |step, reply: &str| read(&format!("{reply}\r\n")).judge(step);
        assert_eq!(judge(Step::Banner, "220 hi"), Fine);
        assert_eq!(judge(Step::Banner, "554 no"), Relay);
        assert_eq!(judge(Step::Banner, "421 busy"), Relay);
        assert_eq!(judge(Step::Auth, "535 5.7.8 no"), Relay);
        assert_eq!(judge(Step::StartTls, "454 no"), Relay);
        assert_eq!(judge(Step::Mail, "250 ok"), Fine);
        assert_eq!(judge(Step::Mail, "530 5.7.0 log in"), Relay);
        assert_eq!(judge(Step::Mail, "550 no"), Never);
        assert_eq!(judge(Step::Rcpt, "251 forwarded"), Fine);
        assert_eq!(judge(Step::Rcpt, "451 greylisted"), Later);
        assert_eq!(judge(Step::Rcpt, "421 going"), Relay);
        assert_eq!(judge(Step::Rcpt, "550 5.1.1 no"), Never);
        assert_eq!(judge(Step::Rcpt, "354 what"), Absurd);
        assert_eq!(judge(Step::Data, "354 go"), Fine);
        assert_eq!(judge(Step::Data, "250 what"), Absurd);
        assert_eq!(judge(Step::Dot, "250 ok"), Fine);
        assert_eq!(judge(Step::Dot, "354 what"), Absurd);
        assert_eq!(judge(Step::Dot, "452 full"), Later);
        assert_eq!(judge(Step::Dot, "552 no"), Never);
        assert!(read("550 5.1.1 no\r\n").blames_address());
        assert!(!read("550 5.7.26 spf\r\n").blames_address());
        assert!(!read("552 5.2.2 full\r\n").blames_address());
        assert!(!read("550 no\r\n").blames_address());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]
        /// Whatever comes: no panic, nothing read beyond the input, and cutting a reply short never makes another.
        #[test]
        fn survives_anything(input in prop::collection::vec(
            prop_oneof![Just(b'2'), Just(b'5'), Just(b'0'), Just(b'-'), Just(b' '), Just(b'\r'), Just(b'\n'), any::<u8>()], 0..60)) {
            if let Ok(Some((_, used))) = parse(&input) {
                prop_assert!(used <= input.len());
                for cut in 0..used {
                    prop_assert!(!matches!(parse(&input[..cut]), Ok(Some(_))));
                }
            }
        }
    }
}
