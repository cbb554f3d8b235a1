//! JSON Schemas of the files that people write, for editors (`aftercare schema`), and
//! the reference of keys, both made from [`super::keys`]. They help while typing;
//! `check` decides.

use super::keys::{FEED, Key, Shape, Table};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// The draft that TOML language servers read.
const DRAFT: &str = "http://json-schema.org/draft-07/schema#";
/// Lengths as files have them.
const LENGTH: &str = "^\\s*[0-9]+\\s*(min|h|d|w|bd)\\s*$";
/// A time of day.
const TIME: &str = "^[0-9]{1,2}:[0-9]{2}$";

/// The schema of a kind of file.
pub fn of(table: &Table) -> Value {
    let mut schema = table_of(table);
    if std::ptr::eq(table, &raw const FEED) {
        // Sources write null for what they do not know.
        for key in table.keys.iter().filter(|key| !key.must) {
            let field = &mut schema["properties"][key.name];
            *field = json!({"anyOf": [field.take(), {"type": "null"}]});
        }
        schema = json!({"type": "array", "items": schema});
    }
    let mut whole = Map::new();
    whole.insert("$schema".to_owned(), json!(DRAFT));
    if let Value::Object(inside) = schema.take() {
        whole.extend(inside);
    }
    Value::Object(whole)
}

fn table_of(table: &Table) -> Value {
    let mut properties = Map::new();
    if table.title.starts_with("config/") || table.title.starts_with("a ") {
        // Editors that read the directive put it here where they rewrite a file as JSON.
        properties.insert("$schema".to_owned(), json!({"type": "string"}));
    }
    for key in table.keys {
        properties.insert(key.name.to_owned(), key_of(key));
    }
    let must: Vec<&str> = table
        .keys
        .iter()
        .filter(|key| key.must)
        .map(|key| key.name)
        .collect();
    let mut schema = json!({
        "type": "object",
        "title": table.title,
        "description": table.about,
        "properties": properties,
        "additionalProperties": table.others.map_or(Value::Bool(false), shape_of),
    });
    if !must.is_empty() {
        schema["required"] = json!(must);
    }
    schema
}

fn key_of(key: &Key) -> Value {
    let mut schema = shape_of(&key.shape);
    let mut about = key.about.to_owned();
    let default = parsed(key.default);
    if default.is_none() && !key.default.is_empty() {
        let _ = write!(about, " Left out: {}.", key.default);
    }
    schema["description"] = json!(about);
    if let Some(default) = default {
        schema["default"] = default;
    }
    if let Some(example) = parsed(key.example) {
        schema["examples"] = json!([example]);
    }
    schema
}

/// A value written as TOML, as JSON.
fn parsed(text: &str) -> Option<Value> {
    if text.is_empty() || text.starts_with("[[") {
        return None;
    }
    let whole = format!("x = {text}");
    let document = toml_edit::Document::parse(whole.as_str()).ok()?;
    document.get("x").map(super::value::json)
}

fn shape_of(shape: &Shape) -> Value {
    let text = |pattern: &str| json!({"type": "string", "pattern": pattern});
    let texts = json!({"type": "array", "items": {"type": "string"}});
    // A date of TOML reaches schemas as a text in some editors, as an object in others.
    let date = json!({"type": ["string", "object"]});
    match shape {
        Shape::Text | Shape::Condition => json!({"type": "string"}),
        Shape::Form(pattern) => text(pattern),
        Shape::OneOf(words) => json!({"type": "string", "enum": words}),
        Shape::Length => text(LENGTH),
        Shape::Time => text(TIME),
        Shape::Instant | Shape::Moment | Shape::Day => date,
        Shape::Flag => json!({"type": "boolean"}),
        Shape::Number(least, most) => {
            json!({"type": "integer", "minimum": least, "maximum": most})
        }
        Shape::Texts => texts,
        Shape::Words(words) => {
            json!({"type": "array", "items": {"type": "string", "enum": words}})
        }
        Shape::Days => json!({"type": "array", "items": date}),
        Shape::TextOrTexts => json!({"anyOf": [{"type": "string"}, texts]}),
        Shape::Table(table) => table_of(table),
        Shape::Tables(table) => json!({"type": "array", "items": table_of(table)}),
        Shape::Either(one, other) => json!({"anyOf": [shape_of(one), shape_of(other)]}),
        Shape::Any => json!({}),
    }
}

/// The reference of keys, as Markdown.
pub fn reference(kinds: &[(&str, &'static Table)]) -> String {
    let mut text = String::from(
        "# Keys\n\nEvery key of every file, made from the tables that the schemas are made from \
         (`aftercare schema KIND`).\n",
    );
    for (name, table) in kinds {
        let _ = write!(text, "\n## {name}\n");
        for one in table.all() {
            let _ = write!(text, "\n### {}: {}\n\n{}\n", name, one.title, one.about);
            if one.keys.is_empty() {
                continue;
            }
            text.push_str(
                "\n| Key | Value | Meaning | Left out | Example |\n|---|---|---|---|---|\n",
            );
            for key in one.keys {
                let cell = |text: &str| text.replace('|', "\\|");
                let code = |text: &str| {
                    if text.is_empty() {
                        String::new()
                    } else {
                        format!("`{}`", cell(text))
                    }
                };
                let left_out = if key.must {
                    "**an error**".to_owned()
                } else if parsed(key.default).is_some() {
                    code(key.default)
                } else {
                    cell(key.default)
                };
                let _ = writeln!(
                    text,
                    "| `{}` | {} | {} | {left_out} | {} |",
                    key.name,
                    cell(&words(&key.shape)),
                    cell(key.about),
                    code(key.example)
                );
            }
        }
    }
    text
}

/// What a value looks like, in words.
fn words(shape: &Shape) -> String {
    match shape {
        Shape::Text | Shape::Form(_) => "text".to_owned(),
        Shape::OneOf(words) => words.join(", "),
        Shape::Length => "length".to_owned(),
        Shape::Time => "time of day".to_owned(),
        Shape::Instant => "instant".to_owned(),
        Shape::Moment => "instant, or `+` and a length".to_owned(),
        Shape::Day => "day".to_owned(),
        Shape::Flag => "true or false".to_owned(),
        Shape::Number(only, most) if only == most => only.to_string(),
        Shape::Number(least, most) => format!("{least} to {most}"),
        Shape::Condition => "condition".to_owned(),
        Shape::Texts => "list of texts".to_owned(),
        Shape::Words(words) => format!("list of {}", words.join(", ")),
        Shape::Days => "list of days".to_owned(),
        Shape::TextOrTexts => "text, or list of texts".to_owned(),
        Shape::Table(table) | Shape::Tables(table) => format!("table ({})", table.title),
        Shape::Either(one, other) => format!("{}; or {}", words(one), words(other)),
        Shape::Any => "see there".to_owned(),
    }
}
