//! Messages of brokers: a platform's own delivery, which goes through its adapter, or
//! canonical events in one of the ways in which CloudEvents travel on brokers.
//!
//! Whoever may write to the stream is trusted: a message carries no signature. It is
//! understood, or kept whole with the reason ([`Kept`]): a message that cannot be read
//! must neither be lost nor hold up those behind it. Nothing here talks to a broker.

use super::adapters::{Beside, Headers, Outcome, Source, hear};
use super::canonical::{self, Limits, Malformed, Parsed, Poison};
use crate::model::time::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// Longest key of a delivery, in bytes.
pub const MAX_KEY: usize = 256;
/// Largest body that is kept whole in quarantine, in bytes.
pub const KEPT_WHOLE: usize = 16 << 20;
/// How much is kept of a larger one, in bytes.
pub const KEPT_HEAD: usize = 64 << 10;
/// What attributes of CloudEvents begin with in the headers of NATS (as of HTTP), of
/// Kafka, and of AMQP. In the first alone values are percent-encoded.
const PREFIXES: [&str; 4] = ["ce-", "ce_", "cloudevents:", "cloudevents_"];
/// What marks the text of a message that is kept.
const MARK: &str = "aftercare_message";
/// The form in which they are kept now.
const FORM: u64 = 1;

/// A message as a broker hands it over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Its headers or properties, the content type under `content-type`.
    pub headers: Headers,
    pub body: Vec<u8>,
    /// The producer's own id of it, where it gave one.
    pub id: Option<String>,
    /// Where the broker keeps it: the same at every delivery, never used for another
    /// message. `None` where the broker tells no such place.
    pub position: Option<String>,
}

/// How the messages of one broker are to be read.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The broker's name in the configuration.
    pub broker: String,
    /// Whose deliveries they are; `None`: canonical events.
    pub source: Option<Source>,
    /// Largest body, in bytes.
    pub max_body: usize,
    /// Deepest nesting of the JSON.
    pub depth: usize,
}

/// What a message came to.
#[derive(Debug)]
pub struct Understood {
    pub parsed: Parsed,
    /// What tells a repetition of this message from another one.
    pub key: Option<String>,
    pub outcome: Outcome,
}

/// Understands a message that was received now.
pub fn understand(reading: &Reading, message: &Message, received: Timestamp) -> Understood {
    let usual = |key: &Option<String>| key.clone().filter(|key| is_key(key));
    let own = usual(&message.id).or_else(|| usual(&message.position));
    let unread = |reason: &'static str, because: String| Understood {
        parsed: Parsed {
            events: Vec::new(),
            poison: vec![keep(reading, message, reason, because, received)],
        },
        key: own.clone(),
        outcome: Outcome::Poison,
    };
    let length = message.body.len();
    if length > reading.max_body {
        let cut = if length > KEPT_WHOLE {
            format!("; only the first {KEPT_HEAD} bytes are kept")
        } else {
            String::new()
        };
        let because = format!("the body holds more than {} bytes{cut}", reading.max_body);
        return unread("too_large", because);
    }
    if std::str::from_utf8(&message.body).is_err() {
        return unread("not_json", "the body is no UTF-8".to_owned());
    }
    match &reading.source {
        Some(source) => {
            let beside = Beside::default();
            let taken = hear(source, &message.headers, &message.body, &beside, received);
            Understood {
                parsed: Parsed {
                    events: taken.events,
                    poison: taken.poison.into_iter().collect(),
                },
                key: taken.key.filter(|key| is_key(key)).or(own),
                outcome: taken.outcome,
            }
        }
        None => match canonical(reading, message, received) {
            Ok(parsed) => Understood {
                outcome: if parsed.poison.is_empty() {
                    Outcome::Understood
                } else {
                    Outcome::Poison
                },
                parsed,
                key: own,
            },
            Err(because) => unread("not_json", because),
        },
    }
}

fn is_key(key: &str) -> bool {
    (1..=MAX_KEY).contains(&key.len())
}

/// Canonical events: all in the body, or the attributes in headers. The content type
/// decides; where it says nothing, attributes in headers do, then the body's first letter.
fn canonical(reading: &Reading, message: &Message, received: Timestamp) -> Result<Parsed, String> {
    let limits = Limits {
        depth: reading.depth,
    };
    let media = message
        .headers
        .one("content-type")
        .and_then(|value| value.split(';').next())
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let attributes = attributes(&message.headers)?;
    let is_binary = attributes
        .iter()
        .any(|(name, _)| name == "specversion" || name == "id");
    let body = message.body.as_slice();
    let looks_like_list = body.trim_ascii_start().first() == Some(&b'[');
    let parsed = match media.as_str() {
        "application/cloudevents+json" => canonical::parse_structured(body, received, limits),
        "application/cloudevents-batch+json" => canonical::parse_batch(body, received, limits),
        _ if is_binary => canonical::parse_binary(&attributes, body, received, limits),
        _ if looks_like_list => canonical::parse_batch(body, received, limits),
        _ => canonical::parse_structured(body, received, limits),
    };
    parsed.map_err(|malformed: Malformed| format!("the body: {malformed}"))
}

/// The attributes that stand in headers.
fn attributes(headers: &Headers) -> Result<Vec<(String, String)>, String> {
    let mut attributes: Vec<(String, String)> = Vec::new();
    for (header, value) in headers.every() {
        let Some((prefix, name)) = attribute(header) else {
            continue;
        };
        if attributes.iter().any(|(known, _)| known == name) {
            return Err(format!("the attribute {name} stands there twice"));
        }
        let value = if prefix == "ce-" {
            percent_decode(value).ok_or_else(|| format!("the header {header} is not readable"))?
        } else {
            value.to_owned()
        };
        attributes.push((name.to_owned(), value));
    }
    Ok(attributes)
}

/// A header that holds an attribute: its prefix, and the attribute's name.
fn attribute(header: &str) -> Option<(&'static str, &str)> {
    PREFIXES
        .into_iter()
        .find_map(|prefix| Some((prefix, header.strip_prefix(prefix)?)))
}

/// `%C3%A9` to `é`; `None` where the bytes are no UTF-8. A `%` that opens no pair of
/// hex digits stands for itself.
pub fn percent_decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let digit = |place: usize| {
        bytes
            .get(place)
            .and_then(|byte| char::from(*byte).to_digit(16))
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut place = 0;
    while let Some(&byte) = bytes.get(place) {
        if byte == b'%'
            && let (Some(high), Some(low)) = (digit(place + 1), digit(place + 2))
        {
            decoded.push(high * 16 + low);
            place += 3;
        } else {
            decoded.push(byte);
            place += 1;
        }
    }
    String::from_utf8(decoded).ok()
}

/// What tells a message by what it holds, where neither its producer nor its broker names
/// it: the same bytes have the same. Good enough for not keeping it twice.
pub fn fingerprint(message: &Message) -> String {
    let mut hash = Sha256::new();
    for (name, value) in message.headers.every() {
        for text in [name, value] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
    }
    hash.update([0; 8]);
    hash.update(&message.body);
    format!("sha256:{}", BASE64.encode(hash.finalize()))
}

/// A message that cannot be used, for quarantine: whole, with the reason.
pub fn keep(
    reading: &Reading,
    message: &Message,
    reason: &'static str,
    because: String,
    received: Timestamp,
) -> Poison {
    Poison {
        source: Some(format!("/broker/{}", reading.broker)),
        id: message.position.clone(),
        kind: None,
        body: Kept::of(reading, message).to_text(),
        reason: reason.to_owned(),
        because,
        recorded: received,
    }
}

/// A message as it is kept: which broker it came from, its headers without what could
/// prove who somebody is, and its body, whole up to [`KEPT_WHOLE`] bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The broker's name in the configuration.
    pub broker: String,
    pub message: Message,
}

impl Kept {
    fn of(reading: &Reading, message: &Message) -> Kept {
        let body = message.body.as_slice();
        let kept = if body.len() > KEPT_WHOLE {
            &body[..KEPT_HEAD]
        } else {
            body
        };
        let headers = message
            .headers
            .every()
            .filter(|(name, _)| attribute(name).is_some() || !Headers::proves(name));
        Kept {
            broker: reading.broker.clone(),
            message: Message {
                headers: Headers::new(
                    headers.map(|(name, value)| (name.to_owned(), value.to_owned())),
                ),
                body: kept.to_vec(),
                id: message.id.clone(),
                position: message.position.clone(),
            },
        }
    }

    /// As it is kept; a body that is no text in Base64.
    pub fn to_text(&self) -> String {
        let headers: Vec<Value> = self
            .message
            .headers
            .every()
            .map(|(name, value)| json!([name, value]))
            .collect();
        let mut whole = Map::new();
        whole.insert(MARK.to_owned(), FORM.into());
        whole.insert("broker".to_owned(), self.broker.as_str().into());
        whole.insert("headers".to_owned(), headers.into());
        for (name, value) in [
            ("id", &self.message.id),
            ("position", &self.message.position),
        ] {
            if let Some(value) = value {
                whole.insert(name.to_owned(), value.as_str().into());
            }
        }
        match std::str::from_utf8(&self.message.body) {
            Ok(text) => whole.insert("body".to_owned(), text.into()),
            Err(_) => whole.insert(
                "base64".to_owned(),
                BASE64.encode(&self.message.body).into(),
            ),
        };
        Value::Object(whole).to_string()
    }

    /// Reads one back; `None` where the text is something else.
    pub fn read(text: &str) -> Option<Kept> {
        let whole: Value = serde_json::from_str(text).ok()?;
        if whole[MARK].as_u64() != Some(FORM) {
            return None;
        }
        let headers = whole["headers"].as_array()?.iter().map(|pair| {
            let text = |place: usize| pair[place].as_str().map(str::to_owned);
            Some((text(0)?, text(1)?))
        });
        let headers: Vec<(String, String)> = headers.collect::<Option<_>>()?;
        let body = match (whole["body"].as_str(), whole["base64"].as_str()) {
            (Some(text), _) => text.as_bytes().to_vec(),
            (None, Some(text)) => BASE64.decode(text).ok()?,
            (None, None) => return None,
        };
        let text = |name: &str| whole[name].as_str().map(str::to_owned);
        Some(Kept {
            broker: text("broker")?,
            message: Message {
                headers: Headers::new(headers),
                body,
                id: text("id"),
                position: text("position"),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::model::platform::Platform;

    const EVENT: &str = r#"{"specversion":"1.0","id":"order/1/cancelled","source":"/shop/a","type":"order.cancelled",
        "subject":"order/1","time":"2026-03-01T10:00:00Z",
        "data":{"order_ref":{"order_id":"1"},"cancel":{"cancelled_at":"2026-03-01T10:00:00Z"}}}"#;
    const DATA: &str =
        r#"{"order_ref":{"order_id":"1"},"cancel":{"cancelled_at":"2026-03-01T10:00:00Z"}}"#;

    fn reading(source: Option<Source>) -> Reading {
        Reading {
            broker: "shop".to_owned(),
            source,
            max_body: 4096,
            depth: canonical::MAX_DEPTH,
        }
    }

    fn message(headers: &[(&str, &str)], body: &[u8]) -> Message {
        Message {
            headers: Headers::new(
                headers
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
            ),
            body: body.to_vec(),
            id: None,
            position: Some("ORDERS/7".to_owned()),
        }
    }

    fn now() -> Timestamp {
        "2026-03-01T10:00:05Z".parse().unwrap()
    }

    fn ids(understood: &Understood) -> Vec<&str> {
        let events = understood.parsed.events.iter();
        events.map(|event| event.id.as_str()).collect()
    }

    #[test]
    fn canonical_events_come_in_every_mode_of_every_binding() {
        let check = |headers: &[(&str, &str)], body: &str, expected: &[&str]| {
            let understood = understand(&reading(None), &message(headers, body.as_bytes()), now());
            assert_eq!(understood.parsed.poison, [], "{headers:?}");
            assert_eq!(ids(&understood), expected, "{headers:?}");
        };
        let one = ["order/1/cancelled"];
        check(&[], EVENT, &one);
        check(
            &[(
                "Content-Type",
                "application/cloudevents+json; charset=utf-8",
            )],
            EVENT,
            &one,
        );
        check(&[], &format!("[{EVENT}]"), &one);
        check(
            &[("content-type", "application/cloudevents-batch+json")],
            "[]",
            &[],
        );
        for prefix in ["ce-", "ce_", "cloudEvents:", "cloudEvents_"] {
            let names: Vec<(String, &str)> = [
                ("specversion", "1.0"),
                ("id", "order/1/cancelled"),
                ("source", "/shop/a"),
                ("type", "order.cancelled"),
                ("subject", "order/1"),
            ]
            .iter()
            .map(|(name, value)| (format!("{prefix}{name}"), *value))
            .collect();
            let mut headers: Vec<(&str, &str)> = names
                .iter()
                .map(|(name, value)| (name.as_str(), *value))
                .collect();
            headers.push(("content-type", "application/json"));
            check(&headers, DATA, &one);
        }
    }

    #[test]
    fn percent_signs_are_decoded_where_the_binding_says_so() {
        for (prefix, expected) in [("ce-", "ord é"), ("ce_", "ord%20%C3%A9")] {
            let names: Vec<(String, &str)> = [
                ("specversion", "1.0"),
                ("id", "ord%20%C3%A9"),
                ("source", "/shop/a"),
                ("type", "order.cancelled"),
                ("subject", "order/1"),
            ]
            .iter()
            .map(|(name, value)| (format!("{prefix}{name}"), *value))
            .collect();
            let headers: Vec<(&str, &str)> = names
                .iter()
                .map(|(name, value)| (name.as_str(), *value))
                .collect();
            let told = understand(&reading(None), &message(&headers, DATA.as_bytes()), now());
            assert_eq!(ids(&told), [expected]);
        }
    }

    #[test]
    fn a_message_is_known_by_its_producers_id_else_by_its_place() {
        let mut told = message(&[], EVENT.as_bytes());
        assert_eq!(
            understand(&reading(None), &told, now()).key.as_deref(),
            Some("ORDERS/7")
        );
        told.id = Some("m-1".to_owned());
        assert_eq!(
            understand(&reading(None), &told, now()).key.as_deref(),
            Some("m-1")
        );
        for useless in [String::new(), "x".repeat(MAX_KEY + 1)] {
            told.id = Some(useless);
            assert_eq!(
                understand(&reading(None), &told, now()).key.as_deref(),
                Some("ORDERS/7")
            );
        }
    }

    #[test]
    fn the_same_bytes_have_the_same_fingerprint_and_no_others() {
        let one = message(&[("a", "b")], b"c");
        assert_eq!(fingerprint(&one), fingerprint(&one.clone()));
        let others = [
            message(&[("a", "b")], b"d"),
            message(&[("ab", "")], b"c"),
            message(&[], b"c"),
            message(&[("a", "b"), ("a", "b")], b"c"),
        ];
        for other in others {
            assert_ne!(fingerprint(&one), fingerprint(&other), "{other:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_kept_whole_and_read_back() {
        let large = vec![b' '; 5000];
        let check = |body: &[u8], reason: &str| {
            let told = message(&[("X-Shop", "a"), ("Authorization", "Bearer t")], body);
            let understood = understand(&reading(None), &told, now());
            assert_eq!(understood.outcome, Outcome::Poison);
            assert_eq!(understood.parsed.events, []);
            let [poison] = understood.parsed.poison.as_slice() else {
                panic!("{:?}", understood.parsed.poison)
            };
            assert_eq!(poison.reason, reason);
            assert!(!poison.body.contains("Bearer"));
            let kept = Kept::read(&poison.body).unwrap();
            assert_eq!(kept.broker, "shop");
            assert_eq!(kept.message.body, body);
            assert_eq!(kept.message.headers.one("x-shop"), Some("a"));
            assert_eq!(kept.message.position, told.position);
        };
        check(b"no json", "not_json");
        check(b"\xff\xfe\x00", "not_json");
        check(&large, "too_large");
        assert_eq!(Kept::read(EVENT), None);
        let huge = message(&[], &vec![b' '; KEPT_WHOLE + 1]);
        let understood = understand(&reading(None), &huge, now());
        let poison = &understood.parsed.poison[0];
        assert!(
            poison.because.contains("first 65536 bytes"),
            "{}",
            poison.because
        );
        assert_eq!(
            Kept::read(&poison.body).unwrap().message.body.len(),
            KEPT_HEAD
        );
    }

    #[test]
    fn what_reads_and_is_no_event_of_ours_is_kept_as_an_event() {
        let odd = EVENT.replace("order.cancelled", "order.eaten");
        let list = format!("[{EVENT},{odd}]");
        let understood = understand(&reading(None), &message(&[], list.as_bytes()), now());
        assert_eq!(ids(&understood), ["order/1/cancelled"]);
        assert_eq!(understood.parsed.poison[0].reason, "unknown_type");
        assert_eq!(understood.outcome, Outcome::Poison);
    }

    #[test]
    fn a_platforms_delivery_goes_through_its_adapter() {
        let source = Source::new("shop", Platform::Shopify);
        let headers = [
            ("X-Shopify-Topic", "themes/publish"),
            ("X-Shopify-Webhook-Id", "w-1"),
        ];
        let told = message(&headers, b"{\"id\": 1}");
        let understood = understand(&reading(Some(source)), &told, now());
        assert_eq!(understood.outcome, Outcome::Unused);
    }

    #[test]
    fn attributes_are_percent_decoded() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(percent_decode(text).as_deref(), expected, "{text}");
        };
        check("plain", Some("plain"));
        check("caf%C3%A9", Some("café"));
        check("100%", Some("100%"));
        check("%zz%2", Some("%zz%2"));
        check("%ff", None);
    }
}
