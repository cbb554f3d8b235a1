//! JSON as strangers send it: never deeper than allowed, never with a key twice. Two
//! readers of a body with a doubled key could see two different events.
//!
//! [`Json`] borrows from the body and keeps members as they come: of a platform's delivery
//! a tenth is looked at, and what is not costs next to nothing.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
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

/// Reads a whole body into a value of its own.
///
/// # Errors
/// As [`read`].
pub(super) fn owned(body: &[u8], depth: usize) -> Result<Value, BadJson> {
    Ok(read(body, depth)?.into())
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
}
