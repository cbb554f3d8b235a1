//! Where a TOML text is torn. A parser notices a quote or bracket that is not closed only
//! where the next thing does not fit, often lines later; an author needs the line that
//! they wrote. Works on any text and never fails: in doubt the parser's own place stands.

use super::diagnostic::Diagnostic;
use std::ops::Range;

/// What is most likely wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    pub span: Range<usize>,
    pub message: String,
    pub label: Option<String>,
    pub help: Vec<String>,
    /// The first of two, where something stands twice.
    pub related: Option<(Range<usize>, String)>,
}

impl Torn {
    /// As a problem of a file in which the text begins at byte `base`.
    pub fn problem(self, code: &'static str, file: &str, base: usize) -> Diagnostic {
        let shift = |span: Range<usize>| base + span.start..base + span.end;
        let mut problem = Diagnostic::new(code, file, shift(self.span), self.message);
        problem.label = self.label;
        problem.help = self.help;
        if let Some((span, words)) = self.related {
            problem = problem.related(shift(span), words);
        }
        problem
    }
}

/// What the author did, where the parser stopped at `at` with `message`. `what` is what
/// the text should have been: "this is no TOML".
pub fn torn(text: &str, at: Option<Range<usize>>, message: &str, what: &str) -> Torn {
    let at = at.unwrap_or(0..0);
    let at = at.start.min(text.len())..at.end.min(text.len());
    if let Some(open) = unclosed(text, at.start) {
        return open;
    }
    let message = message.lines().collect::<Vec<_>>().join(", ");
    if message.contains("duplicate key")
        && let Some(key) = text
            .get(at.clone())
            .map(|key| key.trim_matches(['[', ']', ' ']))
        && !key.is_empty()
    {
        if let Some(single) = single_brackets(text, key, at.start) {
            return single;
        }
        return Torn {
            related: first_of(text, key, at.start).map(|span| (span, "first one".to_owned())),
            span: at,
            message: format!("`{}` stands twice in one table", key.escape_debug()),
            label: Some("again here".to_owned()),
            help: vec![
                "only one of them could count, and customers would get the other".to_owned(),
                "take one out".to_owned(),
            ],
        };
    }
    if let Some(inner) = quotes_in_quotes(text, at.start) {
        return inner;
    }
    Torn {
        span: visible(text, at),
        message: format!("{what}: {message}"),
        label: None,
        help: vec!["texts stand in quotes, and every key stands once in its table".to_owned()],
        related: None,
    }
}

/// `[step]` above `[[step]]`: the single brackets are the slip.
fn single_brackets(text: &str, key: &str, at: usize) -> Option<Torn> {
    let start = text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
    let header = text.get(start..)?.lines().next()?;
    let name = header.trim().strip_prefix("[[")?.split("]]").next()?.trim();
    if name.rsplit('.').next()?.trim() != key {
        return None;
    }
    let mut from = 0;
    for line in text.get(..start)?.split_inclusive('\n') {
        let inner = line
            .trim()
            .strip_prefix('[')
            .and_then(|rest| rest.split(']').next());
        if inner.is_some_and(|inner| inner.trim() == name) && !line.trim().starts_with("[[") {
            let lead = line.len() - line.trim_start().len();
            let length = line.trim().find(']')? + 1;
            return Some(Torn {
                span: from + lead..from + lead + length,
                message: format!(
                    "`{name}` stands here in single brackets and below in double ones"
                ),
                label: None,
                help: vec![
                    "there are several of it, and each stands in double brackets".to_owned(),
                    format!("write [[{name}]]"),
                ],
                related: Some((
                    start..start + header.trim_end().len(),
                    "and here".to_owned(),
                )),
            });
        }
        from += line.len();
    }
    None
}

/// A text in double quotes that holds double quotes: `"{{date x "long"}}"`, `"a == "b""`.
fn quotes_in_quotes(text: &str, at: usize) -> Option<Torn> {
    let start = text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
    let line = text.get(start..)?.lines().next()?;
    let (key, value) = line.split_once('=')?;
    let value = value.trim();
    let bare = value.strip_prefix('"')?;
    // The text ended before the place, and more quotes follow it.
    let closed =
        start + line.len() - line.split_once('=')?.1.trim_start().len() + 1 + bare.find('"')?;
    let inside = value.strip_suffix('"')?.strip_prefix('"')?;
    if closed >= at || inside.matches('"').count() < 2 || inside.contains("\\\"") {
        return None;
    }
    let help = if inside.contains('\'') {
        "put a \\ before each quote inside: \\\"".to_owned()
    } else {
        format!(
            "put the whole text in single quotes: {} = '{inside}'",
            key.trim()
        )
    };
    let from = start + line.find('"')?;
    Some(Torn {
        span: from..start + line.trim_end().len(),
        message: "double quotes inside a text in double quotes".to_owned(),
        label: Some(format!(
            "the text ends already at character {}",
            inside.find('"')? + 2
        )),
        help: vec![help],
        related: None,
    })
}

/// The end of a text has no character to point at: the last one before it has.
fn visible(text: &str, at: Range<usize>) -> Range<usize> {
    let after = text.get(at.start..).unwrap_or_default();
    if !after.is_empty() && !after.starts_with('\n') || at.end > at.start {
        return at;
    }
    let before = text.get(..at.start).unwrap_or_default().trim_end();
    let start = before
        .char_indices()
        .next_back()
        .map_or(0, |(start, _)| start);
    if before.is_empty() {
        at
    } else {
        start..before.len()
    }
}

/// The key of a line above `before` in the same table.
fn first_of(text: &str, key: &str, before: usize) -> Option<Range<usize>> {
    let of_header = text.get(..before)?.ends_with('[');
    let mut found = None;
    let mut start = 0;
    for line in text.get(..before)?.split_inclusive('\n') {
        let begins = line.trim_start();
        let at = start + line.len() - begins.len();
        let is_header = begins.starts_with('[');
        if is_header && !of_header {
            found = None;
        }
        let name = begins.trim_start_matches('[');
        let own = name.strip_prefix(key).map(str::trim_start);
        let fits = |rest: &str| {
            if of_header {
                is_header && rest.starts_with(']')
            } else {
                rest.starts_with('=')
            }
        };
        if own.is_some_and(fits) {
            let at = at + begins.len() - name.len();
            found = Some(at..at + key.len());
        }
        start += line.len();
    }
    found
}

/// A quote or bracket of a line before the parser's place, or on its line, that is not
/// closed where the next line begins something new.
fn unclosed(text: &str, at: usize) -> Option<Torn> {
    let mut start = 0;
    // Open brackets, with their places.
    let mut open: Vec<(usize, char)> = Vec::new();
    let mut long: Option<&str> = None;
    for line in text.split_inclusive('\n') {
        if start > at {
            break;
        }
        let body = line.trim_end_matches(['\n', '\r']);
        if let Some(quotes) = long {
            // Inside a text of several lines nothing counts but its end.
            if body.contains(quotes) {
                long = None;
            }
            start += line.len();
            continue;
        }
        let begins_anew = is_key_or_header(body);
        if begins_anew && let Some((place, bracket)) = open.first() {
            return Some(not_closed(*place, *bracket));
        }
        let mut chars = body.char_indices().peekable();
        while let Some((offset, c)) = chars.next() {
            match c {
                '#' => break,
                '"' | '\'' => {
                    let three = if c == '"' { "\"\"\"" } else { "'''" };
                    if body[offset..].starts_with(three) {
                        match body[offset + 3..].find(three) {
                            Some(length) => {
                                let end = offset + 3 + length + 3;
                                while chars.peek().is_some_and(|(next, _)| *next < end) {
                                    chars.next();
                                }
                            }
                            None => {
                                long = Some(three);
                                break;
                            }
                        }
                        continue;
                    }
                    let mut closed = false;
                    while let Some((_, inner)) = chars.next() {
                        if inner == '\\' && c == '"' {
                            chars.next();
                        } else if inner == c {
                            closed = true;
                            break;
                        }
                    }
                    if !closed {
                        return Some(Torn {
                            span: start + offset..start + body.len(),
                            message: "this text is not closed".to_owned(),
                            label: Some(format!("opens here, and the line ends without {c}")),
                            help: vec![format!(
                                "a text stands between two {c}, on one line: check where it begins and ends"
                            )],
                            related: None,
                        });
                    }
                }
                // The brackets of a header are its own.
                '[' | '{' if begins_anew && body.trim_start().starts_with('[') => {}
                '[' | '{' => open.push((start + offset, c)),
                ']' | '}' => {
                    open.pop();
                }
                _ => {}
            }
        }
        start += line.len();
    }
    let (place, bracket) = *open.first()?;
    (at >= text.trim_end().len()).then(|| not_closed(place, bracket))
}

fn not_closed(at: usize, bracket: char) -> Torn {
    let close = if bracket == '[' { ']' } else { '}' };
    Torn {
        span: at..at + 1,
        message: format!("this \"{bracket}\" is not closed"),
        label: Some("opens here".to_owned()),
        help: vec![format!("close it with {close} after its last value")],
        related: None,
    }
}

/// Whether a line begins a key or a table.
fn is_key_or_header(line: &str) -> bool {
    let line = line.trim_start();
    if let Some(name) = line.strip_prefix('[') {
        let name = name.trim_start_matches('[');
        return name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.contains(']');
    }
    let key = line.split('=').next().unwrap_or_default().trim_end();
    line.contains('=')
        && !key.is_empty()
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn blame(text: &str) -> (String, String) {
        let error = match toml_edit::Document::parse(text) {
            Err(error) => error,
            Ok(_) => return (String::new(), "fine".into()),
        };
        let torn = torn(text, error.span(), error.message(), "this is no TOML");
        (text[torn.span].to_owned(), torn.message)
    }

    fn told(at: &str, message: &str) -> (String, String) {
        (at.to_owned(), message.to_owned())
    }

    #[test]
    fn quotes_and_brackets_are_told_where_they_open() {
        let text = "this text is not closed";
        assert_eq!(blame("a = \"x\nb = 1\n"), told("\"x", text));
        assert_eq!(blame("a = x\"\nb = 1\n").1, text);
        assert_eq!(blame("a = [\"x\", y\"]\nb = 1\n"), told("\"]", text));
        assert_eq!(
            blame("a = [1, 2\n\n# c\nb = 1\n"),
            told("[", "this \"[\" is not closed")
        );
        assert_eq!(
            blame("a = { b = [1] \n[c]\n"),
            told("{", "this \"{\" is not closed")
        );
        assert_eq!(
            blame("a = [\n  1,\n"),
            told("[", "this \"[\" is not closed")
        );
        assert_eq!(
            blame("a = \"\"\"\nx ' y\n\"\"\"\nb = 'z\n"),
            told("'z", text)
        );
    }

    #[test]
    fn what_stands_twice_is_told_with_the_first() {
        let text = "[b]\na = 1\n[c]\na = 1\nd = 2\na = 3\n";
        let error = toml_edit::Document::parse(text).err();
        let span = error.as_ref().and_then(|error| error.span());
        let torn = torn(text, span, "duplicate key", "x");
        assert_eq!(torn.message, "`a` stands twice in one table");
        assert_eq!(torn.related, Some((14..15, "first one".to_owned())));
        assert_eq!(torn.span, 26..27);
        let first = super::torn("[a]\n[b]\n[a]\n", Some(9..10), "duplicate key", "x").related;
        assert_eq!(first, Some((1..2, "first one".to_owned())));
    }

    #[test]
    fn other_mistakes_keep_the_place_of_the_parser() {
        assert_eq!(blame("a = [\n 1,\n 2,\n]\nb = yes\n").0, "yes");
        assert!(blame("a = \n").1.starts_with("this is no TOML"));
        assert_eq!(blame("a =\n").0, "=");
        for text in ["[", "[[a]", "a", "=", "\"", "'''", "ü = ü", "a = {"] {
            blame(text);
        }
    }

    #[test]
    fn quotes_inside_quotes_are_told_with_single_ones() {
        let text = "a = 1\nsubject = \"{{date x \"long\"}} ok\"\n";
        let document = toml_edit::Document::parse(text).unwrap_err();
        let torn = torn(text, document.span(), document.message(), "this is no TOML");
        assert_eq!(torn.message, "double quotes inside a text in double quotes");
        assert_eq!(
            torn.help,
            ["put the whole text in single quotes: subject = '{{date x \"long\"}} ok'"]
        );
        let good = "a = 1\nsubject = \"fine\" x\n";
        let document = toml_edit::Document::parse(good).unwrap_err();
        let torn = super::torn(good, document.span(), document.message(), "this is no TOML");
        assert!(torn.message.starts_with("this is no TOML"));
    }
}
