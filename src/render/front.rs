//! The head of a mail file: TOML between two lines of `+++`.

use crate::model::allow::Allowance;
use crate::model::diagnostic::Diagnostic;
use crate::model::torn::torn;
use std::ops::Range;
use toml_edit::{Document, Item, Value};

/// Largest head, in bytes.
const MAX_FRONT: usize = 16 * 1024;
/// Every key of a head.
pub const KEYS: [&str; 6] = ["subject", "preheader", "layout", "brand", "raw", "allow"];

/// A text of the head, with the place of its first byte in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    pub text: String,
    /// The value's bytes, quotes left out.
    pub span: Range<usize>,
}

/// What the head says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Front {
    pub subject: Option<Words>,
    pub preheader: Option<Words>,
    pub layout: Option<Words>,
    pub brand: Option<Words>,
    pub raw: Vec<String>,
    /// Where the body begins.
    pub body: usize,
}

/// Reads the head of a file; what is wrong is added to `problems`.
pub fn read(path: &str, text: &str, problems: &mut Vec<Diagnostic>) -> Option<Front> {
    let start = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let Some(opened) = line_end(&text[start..], "+++").map(|end| start + end) else {
        problems.push(
            Diagnostic::new(
                "E200",
                path,
                start..start + text[start..].lines().next().map_or(0, str::len),
                "this mail has no head",
            )
            .help("begin it with +++, subject = \"…\", preheader = \"…\", +++"),
        );
        return None;
    };
    let mut at = opened;
    let (head_end, body) = loop {
        if at >= text.len() || at - opened > MAX_FRONT {
            problems.push(
                Diagnostic::new("E200", path, start..opened, "the head is not closed")
                    .help("end it with a line of +++"),
            );
            return None;
        }
        if let Some(end) = line_end(&text[at..], "+++") {
            break (at, at + end);
        }
        at = text[at..]
            .find('\n')
            .map_or(text.len(), |next| at + next + 1);
    };
    let head = &text[opened..head_end];
    let document = match Document::parse(head) {
        Ok(document) => document,
        Err(error) => {
            let torn = torn(head, error.span(), error.message(), "the head is no TOML");
            problems.push(torn.problem("E200", path, opened));
            return None;
        }
    };
    let before = problems.len();
    let mut front = Front {
        body,
        ..Front::default()
    };
    for (key, item) in document.iter() {
        let shift = |span: Option<Range<usize>>| {
            span.map_or(opened..opened, |span| {
                opened + span.start..opened + span.end
            })
        };
        let key_span = shift(document.key(key).and_then(toml_edit::Key::span));
        let span = shift(item.span());
        let mut words = || match item {
            Item::Value(Value::String(value)) => {
                // The place of each byte is known where nothing was escaped.
                let raw = text.get(span.clone()).unwrap_or_default();
                let quotes = ["\"\"\"", "'''", "\"", "'"]
                    .into_iter()
                    .find(|quotes| raw.starts_with(quotes))
                    .map_or(0, str::len);
                let mut inner =
                    span.start + quotes..span.end.saturating_sub(quotes).max(span.start + quotes);
                if text.get(inner.clone()) != Some(value.value()) {
                    inner = span.clone();
                }
                Some(Words {
                    text: value.value().clone(),
                    span: inner,
                })
            }
            _ => {
                problems.push(
                    Diagnostic::new(
                        "E200",
                        path,
                        span.clone(),
                        format!("`{key}` must be text in quotes"),
                    )
                    .help(format!("write {key} = \"…\"")),
                );
                None
            }
        };
        match key {
            "subject" => front.subject = words(),
            "preheader" => front.preheader = words(),
            "layout" => front.layout = words(),
            "brand" => front.brand = words(),
            "raw" => match item.as_array() {
                Some(list) if list.iter().all(Value::is_str) => {
                    front.raw = list
                        .iter()
                        .filter_map(Value::as_str)
                        .map(str::to_owned)
                        .collect();
                }
                _ => problems.push(
                    Diagnostic::new(
                        "E200",
                        path,
                        span,
                        "`raw` must be a list of names in quotes",
                    )
                    .help("write raw = [\"shop.name\"]"),
                ),
            },
            // What it turns off is read by itself, see [`allowances`].
            "allow" => {
                let is_text = |(_, item): (&str, &Item)| item.is_str();
                if !item
                    .as_table_like()
                    .is_some_and(|table| table.iter().all(is_text))
                {
                    problems.push(
                        Diagnostic::new("E200", path, span, "`allow` must be codes with reasons")
                            .help("write allow = { W230 = \"…\" }, and why customers are fine with it"),
                    );
                }
            }
            _ => {
                let mut problem = Diagnostic::new(
                    "E200",
                    path,
                    key_span,
                    format!("unknown key \"{key}\" in the head"),
                );
                problem = match crate::model::nearest::nearest(key, KEYS) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem.help(format!("a head holds {}", KEYS.join(", "))),
                };
                problems.push(problem);
            }
        }
    }
    if front
        .subject
        .as_ref()
        .is_none_or(|subject| subject.text.trim().is_empty())
    {
        // A subject that was misspelt, or is no text, was told above.
        if problems.len() == before {
            problems.push(
                Diagnostic::new("E200", path, start..opened, "this mail has no subject")
                    .help("customers see the subject before anything else; write subject = \"…\""),
            );
        }
        return None;
    }
    Some(front)
}

/// The codes that a head turns off, each with its reason; none where it cannot be read.
pub fn allowances(path: &str, text: &str) -> Vec<Allowance> {
    let start = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let Some(opened) = line_end(&text[start..], "+++").map(|end| start + end) else {
        return Vec::new();
    };
    let head = &text[opened..];
    let head = head.find("\n+++").map_or("", |end| &head[..=end]);
    let Ok(document) = Document::parse(head) else {
        return Vec::new();
    };
    let table = document.get("allow").and_then(Item::as_table_like);
    let codes = table.into_iter().flat_map(|table| table.iter());
    codes
        .filter_map(|(code, reason)| {
            let key = table?.key(code)?.span()?;
            Some(Allowance {
                code: code.to_owned(),
                reason: reason.as_str()?.to_owned(),
                file: path.to_owned(),
                span: opened + key.start..opened + key.end,
                also: Vec::new(),
            })
        })
        .collect()
}

/// The length of the first line with its end, if it holds `wanted` alone.
fn line_end(text: &str, wanted: &str) -> Option<usize> {
    let end = text.find('\n').map_or(text.len(), |at| at + 1);
    (text[..end].trim_end() == wanted).then_some(end)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn reads_the_head_and_says_what_is_wrong() {
        let text = "+++\nsubject = \"Hello {{x}}\"\nlayout = 'order'\nraw = [\"a.b\"]\n+++\nBody";
        let mut problems = Vec::new();
        let front = read("m.md", text, &mut problems).unwrap();
        assert_eq!(problems, []);
        let subject = front.subject.unwrap();
        assert_eq!(&text[subject.span.clone()], subject.text);
        assert_eq!(&text[front.body..], "Body");
        assert_eq!(front.raw, ["a.b"]);

        read(
            "m.md",
            "+++\nsubject = \"x\"\nprehead = \"y\"\n+++\n",
            &mut problems,
        )
        .unwrap();
        assert_eq!(problems[0].help, ["did you mean `preheader`?"]);
        for bad in [
            "Hello",
            "+++\nsubject = \"x\"\n",
            "+++\nsubject = \n+++\n",
            "+++\n+++\n",
        ] {
            let before = problems.len();
            assert_eq!(read("m.md", bad, &mut problems), None, "{bad}");
            assert!(problems.len() > before);
        }
    }
}
