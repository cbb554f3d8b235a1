//! JSON as strangers send it: never deeper than allowed, never with a key twice. Two
//! readers of a body with a doubled key could see two different events.
//!
//! [`Json`] borrows from the body and keeps members as they come: of a platform's delivery
//! a tenth is looked at, and what is not costs next to nothing.

use serde::de::value::{BorrowedStrDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde::ser::{Serialize, Serializer};
use serde_json::{Number, Value};
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;
use std::ops::Index;

/// How many members of an object are compared one by one; beyond, by their hashes.
const FEW_MEMBERS: usize = 64;

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

/// A value of a body.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json<'b> {
    Null,
    Bool(bool),
    Number(Number),
    String(Cow<'b, str>),
    Array(Vec<Json<'b>>),
    /// In the order of the body.
    Object(Vec<(Cow<'b, str>, Json<'b>)>),
}

/// What stands where nothing stands.
static NOTHING: Json<'static> = Json::Null;

impl<'b> Json<'b> {
    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Json::String(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn as_i64(&self) -> Option<i64> {
        match self {
            Json::Number(number) => number.as_i64(),
            _ => None,
        }
    }

    pub(super) fn as_array(&self) -> Option<&[Json<'b>]> {
        match self {
            Json::Array(all) => Some(all),
            _ => None,
        }
    }

    /// A member, where this is an object that has it.
    pub(super) fn get(&self, name: &str) -> Option<&Json<'b>> {
        match self {
            Json::Object(all) => all.iter().find(|(own, _)| own == name).map(|(_, one)| one),
            _ => None,
        }
    }

    /// The members of an object; of anything else none.
    pub(super) fn members(&self) -> &[(Cow<'b, str>, Json<'b>)] {
        match self {
            Json::Object(all) => all,
            _ => &[],
        }
    }

    /// The members of an object; of anything else none.
    pub(super) fn into_members(self) -> Vec<(Cow<'b, str>, Json<'b>)> {
        match self {
            Json::Object(all) => all,
            _ => Vec::new(),
        }
    }

    /// As JSON, for those who keep it.
    pub(super) fn to_text(&self) -> String {
        // Writing what was read into a text does not fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self, Json::Null)
    }

    pub(super) fn is_string(&self) -> bool {
        matches!(self, Json::String(_))
    }

    pub(super) fn is_array(&self) -> bool {
        matches!(self, Json::Array(_))
    }

    pub(super) fn is_object(&self) -> bool {
        matches!(self, Json::Object(_))
    }
}

/// A member; null where there is none.
impl<'b> Index<&str> for Json<'b> {
    type Output = Json<'b>;
    fn index(&self, name: &str) -> &Json<'b> {
        self.get(name).unwrap_or(&NOTHING)
    }
}

/// A place in a list; null where there is none.
impl<'b> Index<usize> for Json<'b> {
    type Output = Json<'b>;
    fn index(&self, place: usize) -> &Json<'b> {
        self.as_array()
            .and_then(|all| all.get(place))
            .unwrap_or(&NOTHING)
    }
}

impl<'b> From<&'b Value> for Json<'b> {
    fn from(value: &'b Value) -> Json<'b> {
        match value {
            Value::Null => Json::Null,
            Value::Bool(flag) => Json::Bool(*flag),
            Value::Number(number) => Json::Number(number.clone()),
            Value::String(text) => Json::String(Cow::Borrowed(text)),
            Value::Array(all) => Json::Array(all.iter().map(Json::from).collect()),
            Value::Object(all) => {
                let all = all.iter();
                Json::Object(
                    all.map(|(name, one)| (Cow::Borrowed(name.as_str()), one.into()))
                        .collect(),
                )
            }
        }
    }
}

impl<'b> From<&'b str> for Json<'b> {
    fn from(text: &'b str) -> Json<'b> {
        Json::String(Cow::Borrowed(text))
    }
}

impl From<String> for Json<'_> {
    fn from(text: String) -> Self {
        Json::String(Cow::Owned(text))
    }
}

impl From<Value> for Json<'static> {
    fn from(value: Value) -> Json<'static> {
        match value {
            Value::Null => Json::Null,
            Value::Bool(flag) => Json::Bool(flag),
            Value::Number(number) => Json::Number(number),
            Value::String(text) => Json::String(Cow::Owned(text)),
            Value::Array(all) => Json::Array(all.into_iter().map(Json::from).collect()),
            Value::Object(all) => {
                let all = all.into_iter();
                Json::Object(all.map(|(name, one)| (name.into(), one.into())).collect())
            }
        }
    }
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Json::Null => to.serialize_unit(),
            Json::Bool(flag) => to.serialize_bool(*flag),
            Json::Number(number) => number.serialize(to),
            Json::String(text) => to.serialize_str(text),
            Json::Array(all) => to.collect_seq(all),
            Json::Object(all) => to.collect_map(all.iter().map(|(name, one)| (name, one))),
        }
    }
}

/// Reads what a type wants out of a value that is there already.
impl<'de> Deserializer<'de> for &'de Json<'_> {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self {
            Json::Null => visitor.visit_unit(),
            Json::Bool(flag) => visitor.visit_bool(*flag),
            Json::Number(number) => number.deserialize_any(visitor),
            Json::String(text) => visitor.visit_borrowed_str(text),
            Json::Array(all) => visitor.visit_seq(SeqDeserializer::new(all.iter())),
            Json::Object(all) => {
                let all = all.iter().map(|(name, one)| (name.as_ref(), one));
                visitor.visit_map(MapDeserializer::new(all))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self {
            Json::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        match self {
            Json::String(text) => visitor.visit_enum(BorrowedStrDeserializer::new(text)),
            // Of what we read, no enum holds anything.
            _ => Err(Self::Error::custom("expected a name")),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, serde_json::Error> for &'de Json<'_> {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

/// What some editors and sites put before UTF-8; it says nothing.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// Reads a whole body of a platform's, also with characters that are broken: a text that
/// was cut within one must not lose an order. They read as U+FFFD; a mark before the body
/// is passed over. Everything else is as strict as [`read`].
///
/// # Errors
/// It is no JSON otherwise either, holds a key twice, or is too deep.
pub(super) fn read_worn(body: &[u8], depth: usize) -> Result<Json<'_>, BadJson> {
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
    match read(mended.as_bytes(), depth) {
        Ok(whole) => Ok(Value::from(whole).into()),
        Err(_) => Err(error),
    }
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
/// It is no JSON, holds a key twice, or is too deep.
pub(super) fn read(body: &[u8], depth: usize) -> Result<Json<'_>, BadJson> {
    let deep = Cell::new(false);
    let mut from = serde_json::Deserializer::from_slice(body);
    let strict = Strict {
        left: depth,
        deep: &deep,
    };
    strict
        .deserialize(&mut from)
        .and_then(|value| from.end().map(|()| value))
        .map_err(|error| {
            if deep.get() {
                BadJson::Deep(depth)
            } else {
                BadJson::Syntax(error.to_string())
            }
        })
}

impl From<Json<'_>> for Value {
    fn from(json: Json<'_>) -> Value {
        match json {
            Json::Null => Value::Null,
            Json::Bool(flag) => Value::Bool(flag),
            Json::Number(number) => Value::Number(number),
            Json::String(text) => Value::String(text.into_owned()),
            Json::Array(all) => Value::Array(all.into_iter().map(Value::from).collect()),
            Json::Object(all) => Value::Object(
                all.into_iter()
                    .map(|(name, one)| (name.into_owned(), one.into()))
                    .collect(),
            ),
        }
    }
}

/// Reads one value, with how many levels it may hold.
#[derive(Clone, Copy)]
struct Strict<'d> {
    left: usize,
    /// Whether it was refused for its depth.
    deep: &'d Cell<bool>,
}

impl Strict<'_> {
    fn within<E: Error>(self) -> Result<Self, E> {
        match self.left.checked_sub(1) {
            Some(left) => Ok(Strict { left, ..self }),
            None => {
                self.deep.set(true);
                Err(E::custom("too deep"))
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Json<'de>;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Json<'de>, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value.into()))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Json<'de>, E> {
        Ok(Number::from_f64(value).map_or(Json::Null, Json::Number))
    }
    fn visit_str<E>(self, value: &str) -> Result<Json<'de>, E> {
        Ok(Json::String(Cow::Owned(value.to_owned())))
    }
    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::String(Cow::Borrowed(value)))
    }
    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Json<'de>, A::Error> {
        let within = self.within()?;
        let mut list = Vec::new();
        while let Some(value) = from.next_element_seed(within)? {
            list.push(value);
        }
        Ok(Json::Array(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Json<'de>, A::Error> {
        let within = self.within()?;
        let mut members: Vec<(Cow<'de, str>, Json<'de>)> = Vec::new();
        let mut known: HashSet<Cow<'de, str>> = HashSet::new();
        while let Some(name) = from.next_key_seed(Name)? {
            let twice = if members.len() < FEW_MEMBERS {
                members.iter().any(|(own, _)| *own == name)
            } else {
                if known.is_empty() {
                    known.extend(members.iter().map(|(own, _)| own.clone()));
                }
                !known.insert(name.clone())
            };
            if twice {
                return Err(A::Error::custom(format!(
                    "the key {name:?} stands there twice"
                )));
            }
            members.push((name, from.next_value_seed(within)?));
        }
        Ok(Json::Object(members))
    }
}

/// Reads the name of a member.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Cow<'de, str>, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }
    fn visit_str<E>(self, name: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(name))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_key_stands_once_however_many_there_are() {
        for count in [2, FEW_MEMBERS, FEW_MEMBERS + 1, 1000] {
            let members = |names: &mut dyn Iterator<Item = usize>| {
                let all: Vec<String> = names.map(|name| format!("\"{name}\":1")).collect();
                format!("{{{}}}", all.join(","))
            };
            assert!(read(members(&mut (0..count)).as_bytes(), 8).is_ok());
            for again in [0, count / 2, count - 1] {
                let body = members(&mut (0..count).chain([again]));
                let bad = read(body.as_bytes(), 8);
                assert!(matches!(bad, Err(BadJson::Syntax(_))), "{count} {again}");
            }
        }
    }

    #[test]
    fn a_body_reads_as_any_reader_reads_it() {
        let body =
            r#"{"a":[1,-2,3.5,18446744073709551615,true,null],"b\n":{"ü":"\u00fc\ud83d\ude00"}}"#;
        let whole: Value = serde_json::from_str(body).unwrap();
        let json = read(body.as_bytes(), 8).unwrap();
        assert_eq!(json, Json::from(&whole));
        assert_eq!(serde_json::to_value(&json).unwrap(), whole);
        assert_eq!(json["a"][1], Json::Number((-2).into()));
        assert!(json["a"]["b"].is_null() && json["c"][7]["d"].is_null());
        assert_eq!(Value::from(json), whole);
    }

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
            assert_eq!(
                read(body, 64).map(Value::from).as_ref(),
                Ok(expected),
                "{text}"
            );
            let worn = read_worn(body, 64).map(Value::from);
            assert_eq!(worn.as_ref(), Ok(expected), "{text}");
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
            assert_eq!(read_worn(body, 64).unwrap()["a"].as_str(), Some(expected));
        }
        assert!(read(b"{\"a\":\"\\ud800\"}", 64).is_err());
        // What is broken otherwise stays broken, and is called what it was.
        let told = read_worn(b"{\"a\":\"\\ud800\",}", 64);
        assert!(matches!(told, Err(BadJson::Syntax(_))));
        let twice = read_worn(b"{\"\xff\":1,\"\xfe\":2}", 64);
        assert!(twice.is_err(), "two keys became one");
    }
}
