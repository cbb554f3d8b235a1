//! Problems as SARIF 2.1.0, the form in which code review shows what a checker found:
//! one run, the rules that were broken with their pages, and a region for each result.
//!
//! <https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/sarif-v2.1.0-os.html>

use crate::model::codes;
use crate::model::diagnostic::{Diagnostic, Severity, position};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::ops::Range;

/// The version of the standard.
const VERSION: &str = "2.1.0";
/// Where the schema of that version is published.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json";
/// What paths are relative to: the shop's folder.
const BASE: &str = "SHOP";
/// The name of our fingerprint; a new way to make it gets a new number.
const FINGERPRINT: &str = "aftercare/v1";

/// The log of one run over `files`.
pub fn log(problems: &[Diagnostic], files: &[(String, String)]) -> Value {
    let given: BTreeSet<&str> = problems.iter().map(|problem| problem.code).collect();
    let rules: Vec<Value> = given.iter().map(|code| rule(code)).collect();
    let place = |code: &str| given.iter().position(|given| *given == code);
    let results: Vec<Value> = problems
        .iter()
        .map(|problem| result(problem, place(problem.code), files))
        .collect();
    json!({
        "$schema": SCHEMA,
        "version": VERSION,
        "runs": [{
            "tool": {"driver": {
                "name": env!("CARGO_PKG_NAME"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": {BASE: {"description": {"text": "the shop's folder"}}},
            "results": results,
        }],
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn rule(code: &str) -> Value {
    let Some(page) = codes::page(code) else {
        return json!({"id": code});
    };
    json!({
        "id": code,
        "shortDescription": {"text": page.title},
        "fullDescription": {"text": page.why()},
        "help": {"text": page.text, "markdown": page.text},
        "defaultConfiguration": {"level": level(page.severity())},
    })
}

fn result(problem: &Diagnostic, rule: Option<usize>, files: &[(String, String)]) -> Value {
    let text = files
        .iter()
        .find(|(path, _)| *path == problem.file)
        .map(|(_, text)| text.as_str());
    let label = problem.label.iter().map(String::as_str);
    let words: Vec<&str> = std::iter::once(problem.message.as_str())
        .chain(label)
        .chain(problem.help.iter().map(String::as_str))
        .collect();
    let related: Vec<Value> = problem
        .related
        .iter()
        .enumerate()
        .map(|(id, (span, words))| {
            json!({
                "id": id,
                "message": {"text": words},
                "physicalLocation": location(&problem.file, span, text),
            })
        })
        .collect();
    let mut result = json!({
        "ruleId": problem.code,
        "level": level(problem.severity()),
        "message": {"text": words.join("\n")},
        "locations": [{"physicalLocation": location(&problem.file, &problem.span, text)}],
        "partialFingerprints": {FINGERPRINT: fingerprint(problem, text)},
    });
    if let Some(fields) = result.as_object_mut() {
        if let Some(index) = rule {
            fields.insert("ruleIndex".into(), json!(index));
        }
        if !related.is_empty() {
            fields.insert("relatedLocations".into(), Value::Array(related));
        }
    }
    result
}

/// A place in a file; the file alone, where the whole of it is meant.
fn location(file: &str, span: &Range<usize>, text: Option<&str>) -> Value {
    let artifact = json!({"uri": uri(file), "uriBaseId": BASE});
    match text.filter(|text| *span != (0..0) && span.end <= text.len()) {
        Some(text) => {
            let (line, column) = position(text, span.start);
            let (end_line, end_column) = position(text, span.end);
            json!({"artifactLocation": artifact, "region": {
                "startLine": line, "startColumn": column,
                "endLine": end_line, "endColumn": end_column,
            }})
        }
        None => json!({"artifactLocation": artifact}),
    }
}

/// A path as a relative reference (RFC 3986).
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

/// The same for the same problem when lines above it come and go.
fn fingerprint(problem: &Diagnostic, text: Option<&str>) -> String {
    let meant = text.and_then(|text| text.get(problem.span.clone()));
    let mut hash = Sha256::new();
    for part in [
        problem.code,
        &problem.file,
        &problem.message,
        meant.unwrap_or_default(),
    ] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let bytes = hash.finalize();
    bytes[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_has_its_rule_region_and_related_places() {
        let text = "a = 1\nid = \"ü\"\n".to_owned();
        let files = [("config/my shop.toml".to_owned(), text)];
        let problem = Diagnostic::new("E101", "config/my shop.toml", 11..15, "two steps")
            .label("again here")
            .related(0..1, "first one")
            .help("rename it");
        let whole = Diagnostic::new("W108", "config/x.toml", 0..0, "nothing reads this file");
        let log = log(&[problem, whole], &files);
        let run = &log["runs"][0];
        let result = &run["results"][0];
        assert_eq!(
            result["message"]["text"],
            "two steps\nagain here\nrename it"
        );
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "config/my%20shop.toml");
        assert_eq!(
            place["region"],
            json!({"startLine": 2, "startColumn": 6, "endLine": 2, "endColumn": 9})
        );
        assert_eq!(
            result["relatedLocations"][0]["message"]["text"],
            "first one"
        );
        let rule =
            &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().map_or(9, |n| n as usize)];
        assert_eq!(rule["id"], "E101");
        assert!(
            rule["help"]["markdown"]
                .as_str()
                .is_some_and(|text| text.contains("## Right"))
        );
        let other = &run["results"][1]["locations"][0]["physicalLocation"];
        assert!(other.get("region").is_none());
        assert_eq!(run["results"][1]["level"], "warning");
    }
}
