//! A story for people: in one line, and as a scenario file that `aftercare test` runs.

use super::checks::Violation;
use super::explore::Story;
use super::telling;
use crate::model::time::{self, Timestamp};
use crate::sequence::catalog::Catalog;
use serde_json::Value;
use std::fmt::Write as _;

/// `order.placed → shipment.delivered (day 2) → "review-dslr/ask" on day 20`.
pub(super) fn line(catalog: &Catalog, story: &Story, wrong: &Violation) -> String {
    let zone = &catalog.policy.zone;
    let begun = time::day(story.setting.begins, zone);
    let day = |at: Timestamp| {
        begun
            .until(time::day(at, zone))
            .map_or(0, |span| span.get_days())
    };
    let mut words: Vec<String> = story
        .told
        .iter()
        .map(|told| match day(told.at) {
            0 => told.what.words(),
            day => format!("{} (day {day})", told.what.words()),
        })
        .collect();
    words.push(format!("\"{}\" on day {}", wrong.name(), day(wrong.at)));
    words.join(" → ")
}

/// What a scenario expects, so that it fails on files that break a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expects {
    /// The send must not be there.
    Never,
    /// The send must go out.
    Goes,
    /// The send must go out once.
    Once,
}

/// The scenario file of a story: everything up to what goes wrong, and that it must not.
pub(super) fn scenario(catalog: &Catalog, story: &Story, wrong: &Violation) -> String {
    let mut text = String::new();
    // Writing to a text cannot fail.
    let _ = writeln!(
        text,
        "# {} ({}), found by `aftercare check --prove`.",
        wrong.message, wrong.code
    );
    let _ = writeln!(text, "# {}\n", line(catalog, story, wrong));
    let _ = writeln!(text, "format = 1");
    let _ = writeln!(text, "title  = {}", quoted(&wrong.message));
    let _ = writeln!(text, "until  = {}", wrong.at);
    let _ = writeln!(text, "only   = false");
    for told in &story.told {
        let data = telling::data(catalog, &story.setting, &told.what, told.at);
        let _ = writeln!(text, "\n[[event]]");
        let _ = writeln!(text, "at   = {}", told.at);
        let _ = writeln!(
            text,
            "type = {}",
            quoted(telling::kind(&told.what).as_str())
        );
        let _ = writeln!(text, "data = {}", inline(&data));
    }
    let expects = match wrong.code {
        "E336" => Expects::Goes,
        "E334" => Expects::Once,
        _ => Expects::Never,
    };
    let name = quoted(&wrong.name());
    let _ = match expects {
        Expects::Never => writeln!(text, "\n[[never]]\nsend = {name}"),
        Expects::Goes => writeln!(text, "\n[[expect]]\nsend  = {name}\nstate = \"accepted\""),
        Expects::Once => writeln!(text, "\n[[expect]]\nsend  = {name}\ncount = 1"),
    };
    text
}

/// The file's name: what is wrong, and where.
pub(super) fn file_name(wrong: &Violation) -> String {
    format!(
        "{}-{}-{}.toml",
        wrong.code.to_lowercase(),
        wrong.sequence,
        wrong.step
    )
}

fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string().trim().to_owned()
}

/// JSON as inline TOML; what is null is left out.
fn inline(value: &Value) -> String {
    match value {
        Value::Null => "\"\"".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(values) => {
            let parts: Vec<String> = values
                .iter()
                .filter(|one| !one.is_null())
                .map(inline)
                .collect();
            format!("[{}]", parts.join(", "))
        }
        Value::Object(fields) => {
            let parts: Vec<String> = fields
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| format!("{} = {}", key(name), inline(value)))
                .collect();
            if parts.is_empty() {
                "{}".to_owned()
            } else {
                format!("{{ {} }}", parts.join(", "))
            }
        }
    }
}

fn key(name: &str) -> String {
    let bare = !name.is_empty()
        && name
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || c == b'_' || c == b'-');
    if bare { name.to_owned() } else { quoted(name) }
}
