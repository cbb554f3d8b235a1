//! Stand-in: CloudEvents.
use crate::model::event::{Body, Event, IngestMode};
use crate::model::ids::EventSeq;
use crate::model::time::Timestamp;
use serde_json::Value;
use std::sync::Arc;

#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub depth: usize,
}

#[derive(Debug, Default)]
pub struct Parsed {
    pub events: Vec<Event>,
    pub poison: Vec<Poison>,
}

#[derive(Debug)]
pub struct Poison {
    pub source: Option<String>,
    pub id: Option<String>,
    pub kind: Option<String>,
    pub body: String,
    pub reason: String,
    pub because: String,
    pub recorded: Timestamp,
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(String);

fn json(body: &[u8], limits: Limits) -> Result<Value, Malformed> {
    fn depth(value: &Value) -> usize {
        match value {
            Value::Array(all) => 1 + all.iter().map(depth).max().unwrap_or(0),
            Value::Object(all) => 1 + all.values().map(depth).max().unwrap_or(0),
            _ => 0,
        }
    }
    let value: Value = serde_json::from_slice(body).map_err(|e| Malformed(e.to_string()))?;
    if depth(&value) > limits.depth {
        return Err(Malformed("nested too deep".into()));
    }
    Ok(value)
}

fn one(value: Value, recorded: Timestamp, into: &mut Parsed) {
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let event = (|| {
        Some(Event {
            seq: EventSeq(0),
            id: text("id")?,
            source: text("source")?,
            kind: text("type")?.parse().ok()?,
            subject: text("subject").unwrap_or_default(),
            time: text("time")?.parse().ok()?,
            recorded,
            sequence: None,
            partition: None,
            mode: IngestMode::Live,
            misdated: false,
            body: Arc::new(Body::default()),
            considered: false,
        })
    })();
    match event {
        Some(event) => into.events.push(event),
        None => into.poison.push(Poison {
            source: text("source"),
            id: text("id"),
            kind: text("type"),
            body: value.to_string(),
            reason: "not_an_event".into(),
            because: "missing parts".into(),
            recorded,
        }),
    }
}

pub fn parse_structured(
    body: &[u8],
    recorded: Timestamp,
    limits: Limits,
) -> Result<Parsed, Malformed> {
    let mut parsed = Parsed::default();
    one(json(body, limits)?, recorded, &mut parsed);
    Ok(parsed)
}

pub fn parse_batch(body: &[u8], recorded: Timestamp, limits: Limits) -> Result<Parsed, Malformed> {
    let mut parsed = Parsed::default();
    match json(body, limits)? {
        Value::Array(all) => all
            .into_iter()
            .for_each(|value| one(value, recorded, &mut parsed)),
        _ => return Err(Malformed("expected a list".into())),
    }
    Ok(parsed)
}

pub fn parse_binary(
    attributes: &[(String, String)],
    body: &[u8],
    recorded: Timestamp,
    limits: Limits,
) -> Result<Parsed, Malformed> {
    let data = json(body, limits)?;
    let mut whole: serde_json::Map<String, Value> = attributes
        .iter()
        .map(|(name, value)| (name.clone(), Value::String(value.clone())))
        .collect();
    whole.insert("data".into(), data);
    let mut parsed = Parsed::default();
    one(Value::Object(whole), recorded, &mut parsed);
    Ok(parsed)
}
