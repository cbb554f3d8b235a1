//! A shop of its own make: how it signs, and which facts its deliveries tell, both said in
//! a file (`config/sources/NAME.toml`) and checked when that is read. Expressions are CEL
//! over the body and the headers; what they come to is checked like any other event.

mod expression;
mod file;
mod scheme;

use super::super::shape::Misfit;
use super::facts::{Facts, via};
use super::loose::{flag, id, text, word};
use super::moment::told as told_at;
use super::{Heard, Told, body_hash};
use crate::model::diagnostic::Diagnostic;
use crate::model::event::EventKind;
use crate::model::time::TimeZone;
use expression::{Expression, Scope};
use scheme::Scheme;
use serde_json::{Map, Value};

pub(super) use scheme::verify;

/// Most facts that one delivery may come to.
const MAX_FACTS: usize = 5_000;

/// A mapping file, read and checked.
#[derive(Debug, Clone)]
pub struct Mapping {
    scheme: Option<Scheme>,
    topic: Option<Expression>,
    key: Option<Expression>,
    facts: Vec<Telling>,
}

/// How one kind of fact is told.
#[derive(Debug, Clone)]
struct Telling {
    kind: EventKind,
    when: Option<Expression>,
    each: Option<Expression>,
    id: Expression,
    about: Option<Expression>,
    line: Option<Expression>,
    time: Option<Expression>,
    test: Option<Expression>,
    history: Option<Expression>,
    data: Vec<(String, Expression)>,
}

impl Mapping {
    /// Reads a mapping file.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(path: &str, text: &str) -> Result<Mapping, Vec<Diagnostic>> {
        file::read(path, text)
    }

    /// The header that holds the signature, where there is one.
    pub(super) fn signed_in(&self) -> Option<&str> {
        self.scheme.as_ref().map(|scheme| scheme.header.as_str())
    }

    #[cfg(test)]
    pub(super) fn forget_key(&mut self) {
        self.key = None;
    }
}

pub(super) fn map(told: &Told<'_>) -> Result<Heard, Misfit> {
    let Some(mapping) = &told.source.mapping else {
        return Err(Misfit::new(
            "missing",
            "the source has no mapping: set `mapping` in its configuration",
        ));
    };
    let scope = Scope::new(told.body, told.headers, told.received);
    let topic = match &mapping.topic {
        Some(topic) => text(&topic.json(&scope, None)?).map(str::to_owned),
        None => None,
    };
    let topic = topic.unwrap_or_else(|| "delivery".to_owned());
    let key = match &mapping.key {
        Some(key) => id(&key.json(&scope, None)?),
        None => None,
    };
    let key = key.unwrap_or_else(|| body_hash(&topic, told.raw));
    let mut facts = Facts::of(
        told.source.origin(None),
        via("generic", &topic, Some(&key), None),
        false,
    );
    let mut meant = false;
    for one in &mapping.facts {
        if let Some(when) = &one.when
            && !when.holds(&scope, None)?
        {
            continue;
        }
        meant = true;
        match &one.each {
            None => {
                let read = one.tell(told, &scope, None, &mut facts);
                facts.part(read);
            }
            Some(each) => {
                let Value::Array(items) = each.value(&scope, None)? else {
                    return Err(each.misfit("expected a list"));
                };
                for item in items {
                    let read = one.tell(told, &scope, Some(item), &mut facts);
                    facts.part(read);
                }
            }
        }
        if facts.all.len() > MAX_FACTS {
            return Err(Misfit::new(
                "too_long",
                format!("the delivery comes to more than {MAX_FACTS} facts"),
            ));
        }
    }
    if !meant {
        return Ok(Heard::unused(&topic));
    }
    Ok(Heard::facts(&topic, Some(key), facts))
}

impl Telling {
    fn tell(
        &self,
        told: &Told<'_>,
        scope: &Scope,
        item: Option<Value>,
        facts: &mut Facts,
    ) -> Result<(), Misfit> {
        let item = item.as_ref();
        let named = |expression: &Expression| -> Result<String, Misfit> {
            word(&expression.json(scope, item)?)
                .ok_or_else(|| expression.misfit("expected a text, found nothing"))
        };
        let name = named(&self.id)?;
        // The first two parts of the fact's name are what it is about.
        let about = match &self.about {
            Some(about) => named(about)?,
            None => name.splitn(3, '/').take(2).collect::<Vec<_>>().join("/"),
        };
        let line = match &self.line {
            Some(line) => named(line)?,
            None => about.clone(),
        };
        let time = match &self.time {
            None => None,
            Some(time) => {
                let zone = told.source.notes.zone.clone().unwrap_or(TimeZone::UTC);
                let value = time.json(scope, item)?;
                if value.is_null() {
                    None
                } else {
                    let moment = told_at(&value, &zone);
                    Some(moment.ok_or_else(|| time.misfit("expected an instant"))?.at)
                }
            }
        };
        let test = match &self.test {
            None => false,
            Some(test) => flag(&test.json(scope, item)?).unwrap_or(false),
        };
        let mut data = Map::new();
        for (name, expression) in &self.data {
            let value = expression.value(scope, item)?;
            data.insert(name.clone(), value);
        }
        let data = Value::Object(data);
        let history = match &self.history {
            Some(history) => flag(&history.json(scope, item)?) == Some(true),
            None => false,
        };
        facts.tell_as(self.kind, name, &about, &line, time, data, test);
        if history && let Some(last) = facts.all.last_mut() {
            super::facts::as_history(std::slice::from_mut(last));
        }
        Ok(())
    }
}
