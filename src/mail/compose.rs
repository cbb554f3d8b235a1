//! From words to bytes: one letter becomes one MIME message and its envelope.
//!
//! Pure and deterministic: the same [`Letter`] gives the same bytes, so a mail whose fate is uncertain is sent again as
//! it was. lettre writes headers, encoded words and MIME; this module chooses them, checks what lettre takes on trust,
//! and hands the result to [`Stuffed`], the last layer. It must never let a control character into a header, and never
//! panic over what a customer is called.

use std::fmt::Write;
use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use lettre::message::header::{
    self, ContentTransferEncoding, ContentType, HeaderName, HeaderValue, Headers,
};
use lettre::message::{Body, MultiPart, SinglePart};

use super::address::{Address, AddressError};
use super::stuffed::Stuffed;

/// Longest line of a message, CRLF not counted (RFC 5322, 2.1.1).
pub const LINE_LIMIT: usize = 998;
/// Longest display name, in characters; what is beyond is cut off.
pub const NAME_LIMIT: usize = 300;
/// Longest subject, in characters; what is beyond is cut off.
pub const SUBJECT_LIMIT: usize = 1_000;
/// Longest link in List-Unsubscribe, in bytes. It can't be folded and shares its line with the header's name.
pub const LINK_LIMIT: usize = 900;
/// Longest Message-ID, List-Id or Feedback-ID, in bytes.
pub const ID_LIMIT: usize = 250;
/// Longest MIME boundary (RFC 2046, 5.1.1).
const BOUNDARY_LIMIT: usize = 70;
/// Longest run of ASCII without a space that lettre may write as it is; it could not be folded.
const WORD_LIMIT: usize = 60;
/// Bytes of text in one encoded word: 60 characters in base64, 72 with its frame, under the 75 of RFC 2047.
const ENCODED_WORD_BYTES: usize = 45;

/// A person or a shop in From, Reply-To or To.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// The name to show, as the customer or the shop wrote it.
    pub name: Option<String>,
    /// The address.
    pub address: Address,
}

impl Mailbox {
    /// Reads the address; the name may be anything.
    pub fn new(name: Option<&str>, address: &str) -> Result<Self, AddressError> {
        Ok(Self {
            name: name.map(str::to_owned),
            address: Address::parse(address)?,
        })
    }
}

/// One mail in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Who writes: a named person of the shop.
    pub from: Mailbox,
    /// Where an answer goes, where that is not From.
    pub reply_to: Option<Mailbox>,
    /// The one recipient.
    pub to: Mailbox,
    /// The envelope's sender, where bounces go; From's address where there is none.
    pub bounce_to: Option<Address>,
    /// The subject, plain.
    pub subject: String,
    /// The text part.
    pub text: String,
    /// The HTML part; a mail may be text alone.
    pub html: Option<String>,
    /// `local@domain`, without or with angle brackets; the same for every try of a send.
    pub message_id: String,
    /// The Date header, fixed when the send is prepared.
    pub date: Timestamp,
    /// Separates the parts; derived from the send by the caller, so that it is the same for every try.
    pub boundary: String,
    /// The one-click link, on everything but fulfilment. HTTPS, or HTTP to this machine.
    pub list_unsubscribe: Option<String>,
    /// `sequence.shop.example`, without angle brackets (RFC 2919).
    pub list_id: Option<String>,
    /// `step:sequence:kind:shop`, for Gmail's feedback loop.
    pub feedback_id: Option<String>,
}

/// Between whom a mail travels. One recipient a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// MAIL FROM.
    pub from: Address,
    /// RCPT TO.
    pub to: Address,
}

/// One mail in bytes, ready to be offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    envelope: Envelope,
    bytes: Stuffed,
}

/// Why a letter can't become a mail. A send in this state is held; sending it again changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// The Message-ID or List-Id is not `local@domain` or a domain in ASCII.
    #[error("expected {header} of at most {ID_LIMIT} letters, digits and .-_+=@, found {found:?}")]
    Id {
        /// The header.
        header: &'static str,
        /// Its value.
        found: String,
    },
    /// The boundary can't be one.
    #[error(
        "expected a boundary of 1 to {BOUNDARY_LIMIT} letters, digits and .-_+=, found {found:?}"
    )]
    Boundary {
        /// What was given.
        found: String,
    },
    /// The one-click link is not fit for the header.
    #[error(
        "expected an https:// link of at most {LINK_LIMIT} plain characters for List-Unsubscribe, found {found:?}\nhint: set http.public_url to the https:// address that customers reach"
    )]
    Link {
        /// What was given.
        found: String,
    },
    /// The Date is outside the years that a header can show.
    #[error("expected a date in the years 1900 to 9999, found {found}")]
    Date {
        /// What was given.
        found: Timestamp,
    },
    /// A line grew longer than a server need accept.
    #[error("a line of the mail has {found} bytes, at most {LINE_LIMIT} are allowed")]
    Line {
        /// Its length.
        found: usize,
    },
}

impl Letter {
    /// Composes the message.
    pub fn compose(&self) -> Result<Composed, ComposeError> {
        let mut out = self.headers()?.to_string().into_bytes();
        let text = part(ContentType::TEXT_PLAIN, &self.text);
        out.extend_from_slice(&match &self.html {
            None => text.formatted(),
            Some(html) => MultiPart::alternative()
                .boundary(self.checked_boundary()?)
                .singlepart(text)
                .singlepart(part(ContentType::TEXT_HTML, html))
                .formatted(),
        });
        let envelope = Envelope {
            from: self
                .bounce_to
                .as_ref()
                .unwrap_or(&self.from.address)
                .clone(),
            to: self.to.address.clone(),
        };
        let composed = Composed::from_message(envelope, &out);
        match composed.bytes.longest_line() {
            found if found > LINE_LIMIT => Err(ComposeError::Line { found }),
            _ => Ok(composed),
        }
    }

    fn headers(&self) -> Result<Headers, ComposeError> {
        let mut headers = Headers::with_capacity(16);
        raw(&mut headers, "Date", rfc5322_date(self.date)?);
        headers.set(header::From::from(mailboxes(&self.from)));
        if let Some(reply_to) = &self.reply_to {
            headers.set(header::ReplyTo::from(mailboxes(reply_to)));
        }
        headers.set(header::To::from(mailboxes(&self.to)));
        headers.insert_raw(subject(&self.subject));
        let id = self
            .message_id
            .trim_start_matches('<')
            .trim_end_matches('>');
        let id = checked_id("Message-ID", id, |id| {
            id.split_once('@').is_some_and(|(local, domain)| {
                !local.is_empty() && !domain.is_empty() && !domain.contains('@')
            })
        })?;
        raw(&mut headers, "Message-ID", format!("<{id}>"));
        if let Some(link) = &self.list_unsubscribe {
            raw(
                &mut headers,
                "List-Unsubscribe",
                format!("<{}>", checked_link(link)?),
            );
            raw(
                &mut headers,
                "List-Unsubscribe-Post",
                "List-Unsubscribe=One-Click".to_owned(),
            );
        }
        if let Some(id) = &self.list_id {
            let id = checked_id("List-Id", id, |id| !id.contains('@'))?;
            raw(&mut headers, "List-Id", format!("<{id}>"));
        }
        if let Some(id) = &self.feedback_id {
            let id: String = id
                .chars()
                .filter(char::is_ascii_graphic)
                .take(ID_LIMIT)
                .collect();
            raw(&mut headers, "Feedback-ID", id);
        }
        raw(&mut headers, "Auto-Submitted", "auto-generated".to_owned());
        raw(
            &mut headers,
            "X-Auto-Response-Suppress",
            "OOF, AutoReply".to_owned(),
        );
        headers.set(header::MIME_VERSION_1_0);
        Ok(headers)
    }

    /// lettre parses the boundary and panics over one that is no good.
    fn checked_boundary(&self) -> Result<&str, ComposeError> {
        let good = (1..=BOUNDARY_LIMIT).contains(&self.boundary.len())
            && self
                .boundary
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b".-_+=".contains(&b));
        match good {
            true => Ok(&self.boundary),
            false => Err(ComposeError::Boundary {
                found: self.boundary.clone(),
            }),
        }
    }
}

impl Composed {
    /// A mail whose message is at hand already, for instance as it was stored when it was prepared.
    pub fn from_message(envelope: Envelope, message: &[u8]) -> Self {
        Self {
            envelope,
            bytes: Stuffed::from_message(message),
        }
    }

    /// Between whom it travels.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// What goes on the wire, without the final dot.
    pub fn bytes(&self) -> &Stuffed {
        &self.bytes
    }

    /// The message as an `.eml` file holds it: the very bytes that are sent, less the dots that SMTP adds.
    pub fn eml(&self) -> Vec<u8> {
        self.bytes.unstuff()
    }
}

/// One part in quoted-printable, whatever is in it: no long lines, no 8-bit bytes, and the boundary can't occur.
fn part(kind: ContentType, content: &str) -> SinglePart {
    let content = crlf(content);
    let body = Body::new_with_encoding(content, ContentTransferEncoding::QuotedPrintable)
        // lettre gives the bytes back where an encoding can't hold them; quoted-printable holds everything.
        .unwrap_or_else(|bytes| Body::new(String::from_utf8_lossy(&bytes).into_owned()));
    SinglePart::builder().content_type(kind).body(body)
}

/// Line ends as quoted-printable wants them; a lone CR would be encoded and shown as a blot.
fn crlf(content: &str) -> String {
    let mut out = String::with_capacity(content.len() + content.len() / 32);
    let mut rest = content;
    while let Some(at) = rest.find(['\r', '\n']) {
        let (line, tail) = rest.split_at(at);
        out.push_str(line);
        out.push_str("\r\n");
        rest = tail
            .strip_prefix("\r\n")
            .or_else(|| tail.get(1..))
            .unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// A header whose value is known to be ASCII in one piece, written as it is and never folded.
fn raw(headers: &mut Headers, name: &'static str, value: String) {
    let name = HeaderName::new_from_ascii_str(name);
    headers.insert_raw(HeaderValue::dangerous_new_pre_encoded(
        name,
        value.clone(),
        value,
    ));
}

fn rfc5322_date(date: Timestamp) -> Result<String, ComposeError> {
    let zoned = date.to_zoned(TimeZone::UTC);
    match zoned.year() {
        1900..=9999 => Ok(zoned.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()),
        _ => Err(ComposeError::Date { found: date }),
    }
}

/// lettre's own address type refuses the addresses of Japanese carriers; ours is checked and quoted already.
fn mailboxes(mailbox: &Mailbox) -> lettre::message::Mailboxes {
    let address =
        lettre::Address::new_dangerous(mailbox.address.local_on_wire(), mailbox.address.domain());
    let name = mailbox
        .name
        .as_deref()
        .map(|name| one_line(name, NAME_LIMIT))
        .filter(|name| !name.is_empty());
    lettre::message::Mailbox::new(name, address).into()
}

fn subject(text: &str) -> HeaderValue {
    let text = one_line(text, SUBJECT_LIMIT);
    let name = HeaderName::new_from_ascii_str("Subject");
    // lettre writes ASCII words as they are: one that is too long could not be folded, and one that looks like an
    // encoded word would be decoded by the reader's program.
    if text.contains("=?") || text.split(' ').any(|word| word.len() > WORD_LIMIT) {
        let encoded = encoded_words(&text);
        return HeaderValue::dangerous_new_pre_encoded(name, text, encoded);
    }
    HeaderValue::new(name, text)
}

/// The whole text as folded encoded words (RFC 2047), none of which splits a character.
fn encoded_words(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let cut = rest.floor_char_boundary(ENCODED_WORD_BYTES);
        let (word, tail) = rest.split_at(cut);
        if !out.is_empty() {
            out.push_str("\r\n ");
        }
        // Writing to a String can't fail.
        let _ = write!(out, "=?utf-8?b?{}?=", BASE64.encode(word));
        rest = tail;
    }
    out
}

/// One line of text for a header: every control character and line separator becomes a space, runs of spaces one, and
/// characters that turn the writing direction of what follows are dropped.
fn one_line(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut gap = false;
    let shown = text
        .chars()
        .filter(|c| !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'));
    for c in shown.take(limit) {
        if c == ' ' || c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            gap = !out.is_empty();
            continue;
        }
        if std::mem::take(&mut gap) {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

fn checked_id<'a>(
    header: &'static str,
    id: &'a str,
    shape: impl Fn(&str) -> bool,
) -> Result<&'a str, ComposeError> {
    let good = (1..=ID_LIMIT).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".-_+=@".contains(&b))
        && shape(id);
    match good {
        true => Ok(id),
        false => Err(ComposeError::Id {
            header,
            found: id.to_owned(),
        }),
    }
}

/// RFC 8058 wants HTTPS; a rehearsal on this machine has none.
fn checked_link(link: &str) -> Result<&str, ComposeError> {
    let plain = link.len() <= LINK_LIMIT
        && link
            .bytes()
            .all(|b| b.is_ascii_graphic() && !b"<>\",".contains(&b));
    let fit = url::Url::parse(link).is_ok_and(|url| match (url.scheme(), url.host()) {
        ("https", Some(_)) => true,
        ("http", Some(url::Host::Domain(name))) => name == "localhost",
        ("http", Some(url::Host::Ipv4(ip))) => IpAddr::from(ip).is_loopback(),
        ("http", Some(url::Host::Ipv6(ip))) => IpAddr::from(ip).is_loopback(),
        _ => false,
    });
    match plain && fit {
        true => Ok(link),
        false => Err(ComposeError::Link {
            found: link.to_owned(),
        }),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
pub(crate) mod tests {
    use super::*;
    use mail_parser::{HeaderValue as Parsed, MessageParser};
    use proptest::prelude::*;

    /// A letter with everything in it.
    pub(crate) fn letter(to: &str) -> Letter {
        Letter {
            from: Mailbox::new(Some("Mara at Lens & Bean"), "mara@shop.example").unwrap(),
            reply_to: Some(Mailbox::new(Some("Mara at Lens & Bean"), "mara@shop.example").unwrap()),
            to: Mailbox::new(Some("Ann Example"), to).unwrap(),
            bounce_to: None,
            subject: "Your order is on its way".to_owned(),
            text: "Hello Ann\n\n.\nA dot alone above.\n".to_owned(),
            html: Some("<p>Hello <b>Ann</b></p>\n.\n".to_owned()),
            message_id: "k3jd9s@shop.example".to_owned(),
            date: "2026-03-01T09:30:00Z".parse().unwrap(),
            boundary: "=_k3jd9s".to_owned(),
            list_unsubscribe: Some("https://shop.example/u/abc".to_owned()),
            list_id: Some("coffee.shop.example".to_owned()),
            feedback_id: Some("ask:coffee:review:shop".to_owned()),
        }
    }

    fn eml(letter: &Letter) -> String {
        String::from_utf8(letter.compose().unwrap().eml()).unwrap()
    }

    #[track_caller]
    fn refused(change: impl Fn(&mut Letter)) -> ComposeError {
        let mut letter = letter("ann@example.com");
        change(&mut letter);
        letter.compose().unwrap_err()
    }

    #[test]
    fn writes_the_message() {
        let expected = "\
Date: Sun, 01 Mar 2026 09:30:00 +0000
From: =?utf-8?b?TWFyYSBhdCBMZW5zICYgQmVhbg==?= <mara@shop.example>
Reply-To: =?utf-8?b?TWFyYSBhdCBMZW5zICYgQmVhbg==?= <mara@shop.example>
To: \"Ann Example\" <ann@example.com>
Subject: Your order is on its way
Message-ID: <k3jd9s@shop.example>
List-Unsubscribe: <https://shop.example/u/abc>
List-Unsubscribe-Post: List-Unsubscribe=One-Click
List-Id: <coffee.shop.example>
Feedback-ID: ask:coffee:review:shop
Auto-Submitted: auto-generated
X-Auto-Response-Suppress: OOF, AutoReply
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary=\"=_k3jd9s\"

--=_k3jd9s
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Hello Ann

.
A dot alone above.

--=_k3jd9s
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: quoted-printable

<p>Hello <b>Ann</b></p>
.

--=_k3jd9s--
";
        assert_eq!(
            eml(&letter("ann@example.com")),
            expected.replace('\n', "\r\n")
        );
    }

    #[test]
    fn is_the_same_every_time_and_stuffed_on_the_wire() {
        let letter = letter("ann@example.com");
        let composed = letter.compose().unwrap();
        assert_eq!(composed, letter.compose().unwrap());
        let wire = String::from_utf8(composed.bytes().as_bytes().to_vec()).unwrap();
        assert!(wire.contains("\r\n..\r\nA dot alone"));
        assert!(!wire.contains("\r\n.\r\n"));
        let again = Composed::from_message(composed.envelope().clone(), &composed.eml());
        assert_eq!(again, composed);
    }

    #[test]
    fn sends_bounces_elsewhere() {
        let mut letter = letter("ann@example.com");
        letter.bounce_to = Some(Address::parse("bounce+x=y@shop.example").unwrap());
        let composed = letter.compose().unwrap();
        assert_eq!(
            composed.envelope().from.to_string(),
            "bounce+x=y@shop.example"
        );
        assert_eq!(composed.envelope().to.to_string(), "ann@example.com");
    }

    #[test]
    fn writes_text_alone_and_leaves_out_what_is_not_there() {
        let mut letter = letter("ann@example.com");
        (letter.html, letter.reply_to, letter.list_unsubscribe) = (None, None, None);
        (letter.list_id, letter.feedback_id) = (None, None);
        let eml = eml(&letter);
        assert!(eml.contains("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"));
        assert!(!eml.contains("multipart") && !eml.contains("List-") && !eml.contains("Reply-To"));
    }

    #[test]
    fn quotes_carrier_addresses_in_to() {
        let eml = eml(&letter("a..b@docomo.ne.jp"));
        assert!(
            eml.contains("To: \"Ann Example\" <\"a..b\"@docomo.ne.jp>\r\n"),
            "{eml}"
        );
        let parsed = MessageParser::default().parse(eml.as_bytes()).unwrap();
        assert_eq!(
            parsed.to().unwrap().first().unwrap().name(),
            Some("Ann Example")
        );
    }

    #[test]
    fn no_text_becomes_a_header() {
        let mut letter = letter("ann@example.com");
        let attack = "Hi\r\nBcc: all@example.com\r\n\r\n<script>\0\u{202e}x\u{2028}y\r.\n";
        letter.to.name = Some(attack.to_owned());
        letter.subject = attack.to_owned();
        letter.feedback_id = Some(attack.to_owned());
        let eml = eml(&letter);
        let parsed = MessageParser::default().parse(eml.as_bytes()).unwrap();
        let cleaned = "Hi Bcc: all@example.com <script> x y .";
        assert_eq!(parsed.subject(), Some(cleaned));
        assert_eq!(parsed.to().unwrap().first().unwrap().name(), Some(cleaned));
        assert!(parsed.bcc().is_none());
        assert_eq!(parsed.headers().len(), 14);
        // Text that looks like an encoded word stays text.
        letter.subject = "=?utf-8?b?DQpCY2M6IHg=?=".to_owned();
        letter.to.name = Some(letter.subject.clone());
        let eml = self::eml(&letter);
        let parsed = MessageParser::default().parse(eml.as_bytes()).unwrap();
        assert_eq!(parsed.subject(), Some("=?utf-8?b?DQpCY2M6IHg=?="));
        assert_eq!(
            parsed.to().unwrap().first().unwrap().name(),
            Some("=?utf-8?b?DQpCY2M6IHg=?=")
        );
    }

    #[test]
    fn refuses_what_it_can_not_write() {
        use ComposeError::*;
        for id in [
            "",
            "nodomain",
            "a@b\r\nX: y",
            "a b@c",
            "@",
            "a@b@c",
            &"a".repeat(300),
        ] {
            assert!(
                matches!(refused(|l| l.message_id = id.to_owned()), Id { .. }),
                "{id}"
            );
        }
        assert!(matches!(
            refused(|l| l.list_id = Some("a\r\nb".to_owned())),
            Id { .. }
        ));
        for boundary in ["", "a b", "a\"b", "ü", "a\r\nb", &"a".repeat(71)] {
            assert!(matches!(
                refused(|l| l.boundary = boundary.to_owned()),
                Boundary { .. }
            ));
        }
        for link in [
            "http://shop.example/u/x",
            "mailto:x@y.example",
            "javascript:alert(1)",
            "https://shop.example/u/x>, <https://evil.example",
            "https://shop.example/u/\r\nX: y",
            &format!("https://shop.example/{}", "x".repeat(1_100)),
        ] {
            let error = refused(|l| l.list_unsubscribe = Some(link.to_owned()));
            assert!(matches!(error, Link { .. }), "{link}");
        }
        assert!(matches!(refused(|l| l.date = Timestamp::MIN), Date { .. }));
        let mut letter = letter("ann@example.com");
        letter.list_unsubscribe = Some("http://127.0.0.1:8025/u/x".to_owned());
        assert!(letter.compose().is_ok());
    }

    #[test]
    fn needs_smtputf8_only_for_the_local_part() {
        assert!(
            letter("ann@münchen.example")
                .compose()
                .unwrap()
                .bytes()
                .is_ascii()
        );
        assert!(!letter("花子@例え.jp").compose().unwrap().bytes().is_ascii());
    }

    /// Text as customers and shops write it: words in several scripts, and everything that has ever broken a mail.
    fn text() -> impl Strategy<Value = String> {
        let bit = prop_oneof![
            Just("\r".to_owned()),
            Just("\n".to_owned()),
            Just(".".to_owned()),
            Just(" ".to_owned()),
            Just("=?".to_owned()),
            Just("\"".to_owned()),
            Just("\\".to_owned()),
            Just("ご注文".to_owned()),
            Just("👩‍🚀".to_owned()),
            Just("x".repeat(400)),
            Just("写".repeat(130)),
            any::<char>().prop_map(String::from),
            "[a-zA-Z ,<>@]{0,12}",
        ];
        prop::collection::vec(bit, 0..30).prop_map(|bits| bits.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        /// Whatever stands in names, subject and parts: a well-formed mail with those headers, that says what was said.
        #[test]
        fn any_text_makes_a_sound_mail(name in text(), subject in text(), body in text()) {
            let mut letter = letter("ann@example.com");
            letter.to.name = Some(name.clone());
            letter.subject = subject.clone();
            letter.text = body.clone();
            letter.html = Some(body.clone());
            let composed = letter.compose().unwrap();
            prop_assert!(composed.bytes().is_ascii());
            prop_assert!(composed.bytes().longest_line() <= LINE_LIMIT);
            let eml = composed.eml();
            let parsed = MessageParser::default().parse(&eml).unwrap();
            prop_assert_eq!(parsed.headers().len(), 14);
            let expected = one_line(&subject, SUBJECT_LIMIT);
            prop_assert_eq!(parsed.subject().unwrap_or_default(), expected.as_str());
            let expected = one_line(&name, NAME_LIMIT);
            let to = parsed.to().unwrap().first().unwrap();
            prop_assert_eq!(to.address(), Some("ann@example.com"));
            prop_assert_eq!(to.name().unwrap_or_default(), expected.as_str());
            let unwrapped = crlf(&body);
            let found = parsed.body_text(0).unwrap().into_owned();
            prop_assert_eq!(found.trim_end(), unwrapped.trim_end());
            prop_assert!(matches!(parsed.header("Date"), Some(Parsed::DateTime(_))));
        }
    }
}
