//! Our own events: CloudEvents 1.0 in JSON, as `event.schema.json` has them. Structured
//! mode, batches, binary mode, and one a line in files.
//!
//! Two ways to fail: a body that cannot be read at all is [`Malformed`], and nothing of
//! it is kept; what reads as JSON and is no event that we know becomes [`Poison`], kept
//! whole with a reason, so that it can be mended and replayed.

use super::json::{self, Json};
use super::shape::{self, Misfit};
use crate::model::event::{Body, Event, EventKind, FUTURE_TOLERANCE_SECONDS, IngestMode};
use crate::model::ids::EventSeq;
use crate::model::time::{Timestamp, from_ms, to_ms};
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::sync::Arc;

pub use super::json::BadJson;

/// How deep a body may be nested.
pub const MAX_DEPTH: usize = 64;
/// Longest id and longest source, in characters.
pub const MAX_NAME: usize = 512;
/// The first instant of the year 0, in Unix milliseconds: what is written with four digits
/// for the year cannot be older.
const YEAR_0_MS: i64 = -62_167_219_200_000;
/// Longest text that is quoted back in a reason, in characters.
const MAX_QUOTED: usize = 64;

/// Bounds on what is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Levels of nesting.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { depth: MAX_DEPTH }
    }
}

/// What counts as the instant at which an event was learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learnt {
    /// Now, whatever the wire says: it comes in live.
    Now(Timestamp),
    /// As the wire says (`recordedtime`, else `time`, else this instant): files are
    /// replayed as they were lived.
    AsTold(Timestamp),
}

/// What one delivery holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parsed {
    pub events: Vec<Event>,
    pub poison: Vec<Poison>,
}

/// Something that reads as JSON and is no event we know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poison {
    pub source: Option<String>,
    pub id: Option<String>,
    /// Its `type`.
    pub kind: Option<String>,
    /// The event as it came, as JSON of structured mode.
    pub body: String,
    /// Stable code: `missing`, `wrong_type`, `out_of_range`, `bad_time`, `bad_address`,
    /// `unknown_type`, `unknown_attribute`, `not_cloudevents`, `too_long`.
    pub reason: String,
    /// A sentence: where, what was expected, what was found.
    pub because: String,
    pub recorded: Timestamp,
}

/// A body that cannot be read; nothing of it is kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It is no JSON that we read.
    #[error(transparent)]
    Json(#[from] BadJson),
    /// A batch that is no list.
    #[error("expected a list of events")]
    NoList,
}

/// Reads one event in structured mode, recorded now.
///
/// # Errors
/// The body is no JSON, too deep, or has a key twice.
pub fn parse_structured(
    body: &[u8],
    recorded: Timestamp,
    limits: Limits,
) -> Result<Parsed, Malformed> {
    parse_line(body, Learnt::Now(recorded), limits)
}

/// Reads a list of events, recorded now.
///
/// # Errors
/// The body is no JSON list, too deep, or has a key twice.
pub fn parse_batch(body: &[u8], recorded: Timestamp, limits: Limits) -> Result<Parsed, Malformed> {
    let Json::Array(list) = json::read(body, limits.depth)? else {
        return Err(Malformed::NoList);
    };
    let mut parsed = Parsed::default();
    for value in &list {
        sort_in(value, Learnt::Now(recorded), &mut parsed);
    }
    Ok(parsed)
}

/// Reads one event in binary mode: its attributes by name without `ce-`, its data as the
/// body; recorded now.
///
/// # Errors
/// The body is no JSON, too deep, or has a key twice.
pub fn parse_binary(
    attributes: &[(String, String)],
    body: &[u8],
    recorded: Timestamp,
    limits: Limits,
) -> Result<Parsed, Malformed> {
    let data = json::read(body, limits.depth)?;
    let mut whole: Vec<(Cow<'_, str>, Json<'_>)> = Vec::with_capacity(attributes.len() + 1);
    for (name, value) in attributes {
        let name = name.to_ascii_lowercase();
        // Of what is said twice the last counts.
        whole.retain(|(known, _)| *known != name);
        whole.push((name.into(), value.as_str().into()));
    }
    whole.retain(|(known, _)| known != "data");
    whole.push(("data".into(), data));
    let mut parsed = Parsed::default();
    sort_in(&Json::Object(whole), Learnt::Now(recorded), &mut parsed);
    Ok(parsed)
}

/// Reads one event of a file: one JSON object a line.
///
/// # Errors
/// The line is no JSON, too deep, or has a key twice.
pub fn parse_line(line: &[u8], learnt: Learnt, limits: Limits) -> Result<Parsed, Malformed> {
    let value = json::read(line, limits.depth)?;
    let mut parsed = Parsed::default();
    sort_in(&value, learnt, &mut parsed);
    Ok(parsed)
}

/// Puts a value to the events or to the poison.
fn sort_in(value: &Json, learnt: Learnt, parsed: &mut Parsed) {
    match event(value, learnt) {
        Ok(event) => parsed.events.push(event),
        Err(misfit) => {
            let named = |name: &str| value[name].as_str().map(str::to_owned);
            let (Learnt::Now(recorded) | Learnt::AsTold(recorded)) = learnt;
            parsed.poison.push(Poison {
                source: named("source"),
                id: named("id"),
                kind: named("type"),
                reason: misfit.reason.to_owned(),
                because: misfit.because,
                recorded,
                body: value.to_text(),
            });
        }
    }
}

/// An attribute that is a text; null counts as absent.
fn attribute<'v>(map: &'v Json<'_>, name: &str) -> Result<Option<&'v str>, Misfit> {
    match map.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(_) => {
            let because = format!("{name}: expected a text");
            Err(Misfit::new("wrong_type", because))
        }
    }
}

fn required<'v>(map: &'v Json<'_>, name: &str) -> Result<&'v str, Misfit> {
    let text = attribute(map, name)?
        .ok_or_else(|| Misfit::new("missing", format!("{name} is missing")))?;
    named(name, text)?;
    Ok(text)
}

/// Checks what an attribute calls something.
fn named(name: &str, text: &str) -> Result<(), Misfit> {
    shape::name(text, name)?;
    if text.chars().count() > MAX_NAME {
        let because = format!("{name} is longer than {MAX_NAME} characters");
        return Err(Misfit::new("too_long", because));
    }
    Ok(())
}

/// Attribute names of CloudEvents: lower-case letters and digits, 20 at most.
fn is_attribute(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=20).contains(&name.len()) && name.bytes().all(plain)
}

fn quoted(text: &str) -> String {
    text.chars().take(MAX_QUOTED).collect()
}

/// Databases keep milliseconds; what is planned in memory must not know more.
fn whole_ms(instant: Timestamp) -> Timestamp {
    from_ms(to_ms(instant))
}

/// What stands around an event's data.
#[derive(Debug)]
pub(super) struct Attributes<'v> {
    pub(super) id: &'v str,
    pub(super) source: &'v str,
    pub(super) kind: EventKind,
    pub(super) subject: &'v str,
    /// When it happened, as far as anybody says.
    pub(super) time: Option<Timestamp>,
    /// When somebody learnt of it, as far as anybody says.
    pub(super) recorded: Option<Timestamp>,
    pub(super) sequence: Option<&'v str>,
    pub(super) partition: Option<&'v str>,
    pub(super) mode: IngestMode,
}

impl<'v> Attributes<'v> {
    fn read(map: &'v Json<'_>) -> Result<Self, Misfit> {
        let version = attribute(map, "specversion")?;
        if version != Some("1.0") {
            let because = "specversion: expected 1.0";
            return Err(Misfit::new("not_cloudevents", because));
        }
        let id = required(map, "id")?;
        let source = required(map, "source")?;
        let named = required(map, "type")?;
        let kind: EventKind = named.parse().map_err(|_| {
            let because = format!("type: no event is called {:?}", quoted(named));
            Misfit::new("unknown_type", because)
        })?;
        let subject = required(map, "subject")?;
        if let Some(name) = map
            .members()
            .iter()
            .map(|(name, _)| name)
            .find(|name| !is_attribute(name))
        {
            let because = format!("no attribute can be called {:?}", quoted(name));
            return Err(Misfit::new("unknown_attribute", because));
        }
        if let Some(content) = attribute(map, "datacontenttype")?
            && content.split(';').next().map(str::trim) != Some("application/json")
        {
            let because = "datacontenttype: expected application/json";
            return Err(Misfit::new("not_cloudevents", because));
        }
        let instant = |name: &str| -> Result<Option<Timestamp>, Misfit> {
            attribute(map, name)?
                .map(|text| shape::instant(text, name))
                .transpose()
        };
        let (time, recorded) = (instant("time")?, instant("recordedtime")?);
        let mode = match attribute(map, "ingestmode")? {
            None | Some("live") => IngestMode::Live,
            Some("backfill") => IngestMode::Backfill,
            Some("replay") => IngestMode::Replay,
            Some(_) => {
                let because = "ingestmode: expected live, backfill or replay";
                return Err(Misfit::new("wrong_type", because));
            }
        };
        Ok(Attributes {
            id,
            source,
            kind,
            subject,
            time,
            recorded,
            sequence: attribute(map, "sequence")?,
            partition: attribute(map, "partitionkey")?,
            mode,
        })
    }

    /// Checks attributes that were put together here, from what others sent.
    pub(super) fn check(&self) -> Result<(), Misfit> {
        named("id", self.id)?;
        named("source", self.source)?;
        named("subject", self.subject)?;
        if self.time.is_some_and(|time| to_ms(time) < YEAR_0_MS) {
            let because = "time: expected an instant like 2026-03-01T18:20:00Z";
            return Err(Misfit::new("bad_time", because));
        }
        Ok(())
    }

    /// The event of which the body is read, once its time is known.
    pub(super) fn event(
        self,
        learnt: Learnt,
        body: impl FnOnce(Timestamp) -> Result<Arc<Body>, Misfit>,
    ) -> Result<Event, Misfit> {
        let (happened, told) = (self.time.map(whole_ms), self.recorded.map(whole_ms));
        let recorded = match learnt {
            Learnt::Now(now) => whole_ms(now),
            Learnt::AsTold(now) => told.or(happened).unwrap_or(whole_ms(now)),
        };
        let tolerance = SignedDuration::from_secs(FUTURE_TOLERANCE_SECONDS);
        let misdated = happened.is_some_and(|at| at.duration_since(recorded) > tolerance);
        let time = happened.filter(|_| !misdated).unwrap_or(recorded);
        Ok(Event {
            seq: EventSeq(0),
            id: self.id.to_owned(),
            source: self.source.to_owned(),
            kind: self.kind,
            subject: self.subject.to_owned(),
            time,
            recorded,
            sequence: self.sequence.map(str::to_owned),
            partition: self.partition.map(str::to_owned),
            mode: self.mode,
            misdated,
            body: body(time)?,
            considered: false,
        })
    }
}

fn event(value: &Json, learnt: Learnt) -> Result<Event, Misfit> {
    if !value.is_object() {
        let because = "expected an object with the attributes of CloudEvents";
        return Err(Misfit::new("not_cloudevents", because));
    }
    let attributes = Attributes::read(value)?;
    let data = match value.get("data") {
        Some(data @ Json::Object(_)) => data,
        None | Some(Json::Null) => return Err(Misfit::new("missing", "data is missing")),
        Some(_) => return Err(Misfit::new("wrong_type", "data: expected an object")),
    };
    let kind = attributes.kind;
    attributes.event(learnt, |time| {
        shape::check(kind, data)?;
        body(data, time).map(Arc::new)
    })
}

/// Writes an event as it would be sent to us: what [`parse_line`] reads back.
pub fn written(event: &Event) -> Value {
    let mut map = Map::new();
    let mut put = |name: &str, value: Value| map.insert(name.to_owned(), value);
    put("specversion", "1.0".into());
    put("id", event.id.clone().into());
    put("source", event.source.clone().into());
    put("type", event.kind.as_str().into());
    put("subject", event.subject.clone().into());
    put("time", event.time.to_string().into());
    put("recordedtime", event.recorded.to_string().into());
    if let Some(sequence) = &event.sequence {
        put("sequence", sequence.clone().into());
    }
    if let Some(partition) = &event.partition {
        put("partitionkey", partition.clone().into());
    }
    let mode = match event.mode {
        IngestMode::Live => "live",
        IngestMode::Backfill => "backfill",
        IngestMode::Replay => "replay",
    };
    put("ingestmode", mode.into());
    // What was read can be written.
    put(
        "data",
        serde_json::to_value(&*event.body).unwrap_or_default(),
    );
    Value::Object(map)
}

/// Reads `data` that was checked against the tables, nulls taken as absent.
pub(super) fn body(data: &Json, time: Timestamp) -> Result<Body, Misfit> {
    // Nearly every body reads as it is; only some nulls need the slower way.
    if let Ok(body) = Body::deserialize(data) {
        return Ok(body);
    }
    let mut data = Value::from(data.clone());
    if let Some(Value::Object(cancel)) = data.get_mut("cancel")
        && cancel.get("cancelled_at").is_none_or(Value::is_null)
    {
        // Some sources only say that an order is gone, not since when.
        cancel.insert("cancelled_at".to_owned(), Value::String(time.to_string()));
    }
    if let Value::Object(data) = &mut data {
        drop_nulls(data);
    }
    serde_json::from_value(data)
        .map_err(|error| Misfit::new("wrong_type", format!("data: {error}")))
}

/// Takes away null fields, at any depth: where a value may be null it may be absent.
fn drop_nulls(map: &mut Map<String, Value>) {
    map.retain(|_, value| !value.is_null());
    for value in map.values_mut() {
        match value {
            Value::Object(inner) => drop_nulls(inner),
            Value::Array(list) => {
                for value in list {
                    if let Value::Object(inner) = value {
                        drop_nulls(inner);
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
