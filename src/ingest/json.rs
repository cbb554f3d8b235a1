//! JSON as strangers send it: never deeper than allowed, never with a key twice. Two
//! readers of a body with a doubled key could see two different events.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Why a body is no JSON that we read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadJson {
    /// It is not JSON, or holds a key twice.
    #[error("expected JSON: {0}")]
    Syntax(String),
    /// It is nested deeper than allowed.
    #[error("nested deeper than {0} levels")]
    Deep(usize),
}

/// What some editors and sites put before UTF-8; it says nothing.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// Reads a whole body of a platform's, also with characters that are broken: a text that
/// was cut within one must not lose an order. They read as U+FFFD; a mark before the body
/// is passed over. Everything else is as strict as [`read`].
///
/// # Errors
/// It is no JSON otherwise either, holds a key twice, or is too deep.
pub(super) fn read_worn(body: &[u8], depth: usize) -> Result<Value, BadJson> {
    let body = body.strip_prefix(MARK).unwrap_or(body);
    let error = match read(body, depth) {
        Err(error @ BadJson::Syntax(_)) => error,
        other => return other,
    };
    let text = String::from_utf8_lossy(body);
    let mended = whole_characters(&text);
    if mended.as_bytes() == body {
        return Err(error);
    }
    read(mended.as_bytes(), depth).map_err(|_| error)
}

/// Puts `\uFFFD` where half of a pair of escapes stands alone.
fn whole_characters(text: &str) -> String {
    let code = |at: usize| -> Option<u32> {
        let escape = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u32::from_str_radix(escape, 16).ok()
    };
    let mut mended = String::with_capacity(text.len());
    let (mut from, mut at) = (0, 0);
    while let Some(next) = text.get(at..).and_then(|rest| rest.find('\\')) {
        at += next;
        match (code(at), code(at + 6)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => at += 12,
            (Some(0xD800..=0xDFFF), _) => {
                mended.push_str(text.get(from..at).unwrap_or_default());
                mended.push_str("\\uFFFD");
                at += 6;
                from = at;
            }
            // Another escape: what follows the stroke belongs to it, whatever it is.
            _ => {
                at += 1 + text
                    .get(at + 1..)
                    .and_then(|rest| rest.chars().next())
                    .map_or(0, char::len_utf8)
            }
        }
    }
    mended.push_str(text.get(from..).unwrap_or_default());
    mended
}

/// Reads a whole body.
///
/// # Errors
/// It is no JSON, holds a key twice, or is too deep (found before any recursion).
pub(super) fn read(body: &[u8], depth: usize) -> Result<Value, BadJson> {
    if depth_of(body) > depth {
        return Err(BadJson::Deep(depth));
    }
    let mut from = serde_json::Deserializer::from_slice(body);
    let read = Strict
        .deserialize(&mut from)
        .and_then(|value| from.end().map(|()| value));
    read.map_err(|error| BadJson::Syntax(error.to_string()))
}

/// The deepest nesting of brackets outside of strings.
fn depth_of(body: &[u8]) -> usize {
    let (mut deepest, mut depth) = (0usize, 0usize);
    let (mut in_text, mut escaped) = (false, false);
    for byte in body {
        match (in_text, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (true, b'"') => in_text = false,
            (true, _) => {}
            (false, b'"') => in_text = true,
            (false, b'[' | b'{') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            (false, _) => {}
        }
    }
    deepest
}

struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = from.next_element_seed(Strict)? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = from.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(format!(
                    "the key {key:?} stands there twice"
                )));
            }
            let value = from.next_value_seed(Strict)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    /// Cases of the kinds that the public JSON parsing test suite tells apart: must be
    /// read, must not, may be either, which is decided here.
    #[test]
    fn json_is_read_as_the_standard_has_it() {
        let good: &[(&[u8], Value)] = &[
            (b"[]", json!([])),
            (b" [ null , 1 ] \n", json!([null, 1])),
            (b"\"\"", json!("")),
            (b"42", json!(42)),
            (b"-0.1", json!(-0.1)),
            (b"[-0]", json!([-0.0])),
            (b"[1e1]", json!([10.0])),
            (b"[0e+1]", json!([0.0])),
            (b"[1E+2]", json!([100.0])),
            (b"{\"\":0}", json!({"": 0})),
            (b"{\"foo\\u0000bar\": 42}", json!({"foo\u{0}bar": 42})),
            (
                b"[\"\\u0060\\u012a\\u12AB\"]",
                json!(["\u{60}\u{12a}\u{12ab}"]),
            ),
            (b"[\"\\uD801\\udc37\"]", json!(["\u{10437}"])),
            (
                b"[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]",
                json!(["\"\\/\u{8}\u{c}\n\r\t"]),
            ),
            (b"[\"\\\\u0000\"]", json!(["\\u0000"])),
            (b"[\"\x7f\"]", json!(["\u{7f}"])),
            (
                "[\"\u{feff}\u{2028}\u{10ffff}\"]".as_bytes(),
                json!(["\u{feff}\u{2028}\u{10ffff}"]),
            ),
            // Ids keep every digit while 64 bits hold them.
            (b"[18446744073709551615]", json!([u64::MAX])),
            (b"[-9223372036854775808]", json!([i64::MIN])),
            // May be either: larger ones are read, and are no ids.
            (b"[100000000000000000000]", json!([1e20])),
            (b"[123.456e-789]", json!([0.0])),
        ];
        for (body, expected) in good {
            let text = String::from_utf8_lossy(body);
            assert_eq!(read(body, 64).as_ref(), Ok(expected), "{text}");
            assert_eq!(read_worn(body, 64).as_ref(), Ok(expected), "{text}");
        }
        let bad: &[&[u8]] = &[
            b"",
            b" ",
            b"\xEF\xBB\xBF",
            b"\xEF\xBB{}",
            b"{\"a\":1,}",
            b"[1,]",
            b"[1,,2]",
            b"[,1]",
            b"[1 2]",
            b"[\"\": 1]",
            b"[1]]",
            b"[1",
            b"[",
            b"{",
            b"{\"a\"",
            b"{\"a\":",
            b"[\"a",
            b"]",
            b"[1}",
            b"[][]",
            b"[NaN]",
            b"[-NaN]",
            b"[Infinity]",
            b"[+1]",
            b"[01]",
            b"[-01]",
            b"[.5]",
            b"[1.]",
            b"[1.e3]",
            b"[0e]",
            b"[0x42]",
            b"[1_000]",
            b"[- 1]",
            b"[--1]",
            b"[1e400]",
            b"[-1e+9999]",
            b"[True]",
            b"[nul]",
            b"[*]",
            b"<null>",
            b"['a']",
            b"{'a':0}",
            b"{a:0}",
            b"{1:1}",
            b"{\"a\" 1}",
            b"{\"a\"::1}",
            b"{\"a\":1}#",
            b"[1]x",
            b"{\"a\":1} // no",
            b"{\"a\":/* no */1}",
            b"[\"\\x00\"]",
            b"[\"\\u00A\"]",
            b"[\"\\a\"]",
            b"[\"\\\\\\\"]",
            b"[\"\n\"]",
            b"[\"\t\"]",
            b"[\"\x00\"]",
            b"\x00",
            b"[\x00]",
            b"[\xff]",
            b"\xe9",
            b"[\"\\\xe9\"]",
            b"\xe2\x81\xa0[]",
            b"[\x0c]",
            b"[\"a\x00a\"]",
            // UTF-16, of either order, with a mark or without.
            b"\xff\xfe{\0}\0",
            b"{\0}\0",
            b"\0{\0}",
            // A key twice: two readers could see two events.
            b"{\"a\":1,\"a\":1}",
            b"{\"a\":{\"b\":1,\"b\":2}}",
            b"{\"a\":1,\"\\u0061\":2}",
        ];
        for body in bad {
            let text = String::from_utf8_lossy(body);
            assert!(
                matches!(read(body, 64), Err(BadJson::Syntax(_))),
                "{text:?}"
            );
            assert!(
                matches!(read_worn(body, 64), Err(BadJson::Syntax(_))),
                "{text:?}"
            );
        }
        for abyss in [&b"["[..], b"{\"a\":", b"[{\"\":"] {
            assert_eq!(
                read_worn(&abyss.repeat(100_000), 64),
                Err(BadJson::Deep(64))
            );
        }
        let long = format!(
            "{{\"{}\":\"{}\"}}",
            "k".repeat(100_000),
            "v".repeat(1_000_000)
        );
        assert!(read(long.as_bytes(), 64).is_ok());
    }

    #[test]
    fn a_broken_character_loses_itself_alone() {
        for (body, expected) in [
            (&b"{\"a\":\"cut \\ud83d\"}"[..], "cut \u{fffd}"),
            (b"{\"a\":\"\\udc37 x\"}", "\u{fffd} x"),
            (b"{\"a\":\"\\uD801\\uD801\\udc37\"}", "\u{fffd}\u{10437}"),
            (b"{\"a\":\"\\ud800\\n\"}", "\u{fffd}\n"),
            (b"{\"a\":\"\\\\ud800 \\ud800\"}", "\\ud800 \u{fffd}"),
            (b"{\"a\":\"M\xfcller\"}", "M\u{fffd}ller"),
            (b"{\"a\":\"\xf0\x9f\x98\"}", "\u{fffd}"),
            (b"\xEF\xBB\xBF{\"a\":\"b\"}", "b"),
        ] {
            assert_eq!(read_worn(body, 64).unwrap()["a"], expected);
        }
        assert!(read(b"{\"a\":\"\\ud800\"}", 64).is_err());
        // What is broken otherwise stays broken, and is called what it was.
        let told = read_worn(b"{\"a\":\"\\ud800\",}", 64);
        assert!(matches!(told, Err(BadJson::Syntax(_))));
        let twice = read_worn(b"{\"\xff\":1,\"\xfe\":2}", 64);
        assert!(twice.is_err(), "two keys became one");
    }
}
