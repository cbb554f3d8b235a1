//! Tables of a file as plain values: what an event says, written in TOML. It must not
//! know what any key means; it keeps where each stands.

use super::syntax::{Section, Spanned};
use serde_json::{Map, Number, Value as Json};
use std::ops::Range;
use toml_edit::{Item, TableLike, Value};

impl Section<'_, '_> {
    /// A table as JSON. Dates become texts, as events have them.
    pub(crate) fn json(&self, key: &str) -> Option<Spanned<Map<String, Json>>> {
        let (item, span) = self.item(key)?;
        match item.as_table_like() {
            Some(table) => Some(Spanned::new(object(table), span)),
            None => {
                self.wrong(key, item, span, "a table");
                None
            }
        }
    }

    /// Where the value of a path stands under a key: `order.line_items[0].title`. The
    /// deepest part that is there stands for those that are not.
    pub(crate) fn locate(&self, key: &str, path: &str) -> Range<usize> {
        let Some((mut item, mut span)) = self.item(key) else {
            return self.span.clone();
        };
        for part in path.split(['.', '[', ']']).filter(|part| !part.is_empty()) {
            let next = match part.parse::<usize>() {
                Ok(place) => return element(item, place).unwrap_or(span),
                Err(_) => item.as_table_like().and_then(|table| table.get(part)),
            };
            let Some(found) = next else { break };
            item = found;
            span = found.span().unwrap_or(span);
        }
        span
    }
}

/// Where an element of a list stands.
fn element(item: &Item, place: usize) -> Option<Range<usize>> {
    match item {
        Item::Value(Value::Array(list)) => list.get(place)?.span(),
        Item::ArrayOfTables(tables) => tables.get(place)?.span(),
        _ => None,
    }
}

fn object(table: &dyn TableLike) -> Map<String, Json> {
    table
        .iter()
        .map(|(key, item)| (key.to_owned(), json(item)))
        .collect()
}

/// An item of a file as JSON. Infinite numbers, which JSON has not, become null.
pub(crate) fn json(item: &Item) -> Json {
    match item {
        Item::None => Json::Null,
        Item::Value(value) => of_value(value),
        Item::Table(table) => Json::Object(object(table)),
        Item::ArrayOfTables(tables) => Json::Array(
            tables
                .iter()
                .map(|table| Json::Object(object(table)))
                .collect(),
        ),
    }
}

fn of_value(value: &Value) -> Json {
    match value {
        Value::String(text) => Json::String(text.value().clone()),
        Value::Integer(number) => Json::Number((*number.value()).into()),
        Value::Float(number) => Number::from_f64(*number.value()).map_or(Json::Null, Json::Number),
        Value::Boolean(flag) => Json::Bool(*flag.value()),
        Value::Datetime(date) => Json::String(date.value().to_string()),
        Value::Array(list) => Json::Array(list.iter().map(of_value).collect()),
        Value::InlineTable(table) => Json::Object(object(table)),
    }
}
