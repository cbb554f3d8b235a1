//! Where the parts of a feed stand: rows, their keys and values, found again in a text that
//! is known to be JSON. It is asked only once something is wrong.

use std::ops::Range;

/// A value of JSON and where it stands.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) span: Range<usize>,
    pub(super) inside: Inside,
}

/// What stands in a value.
#[derive(Debug)]
pub(super) enum Inside {
    /// A text, a number, `true`, `false` or `null`.
    Plain,
    List(Vec<Node>),
    /// Keys with their places, and values.
    Object(Vec<(String, Range<usize>, Node)>),
}

impl Node {
    /// An element of a list by its number from 0, or a field of an object by its key.
    pub(super) fn part(&self, number: usize, key: &str) -> Option<&Node> {
        match &self.inside {
            Inside::Plain => None,
            Inside::List(all) => all.get(number),
            Inside::Object(all) => {
                let of_key = |(name, _, _): &&(String, Range<usize>, Node)| name == key;
                all.iter().find(of_key).map(|(_, _, node)| node)
            }
        }
    }

    /// Where a key of an object stands.
    pub(super) fn key(&self, key: &str) -> Option<Range<usize>> {
        let Inside::Object(all) = &self.inside else {
            return None;
        };
        (all.iter())
            .find(|(name, _, _)| name == key)
            .map(|(_, span, _)| span.clone())
    }
}

/// The parts of a text that is JSON. Of what is none, as far as it goes.
pub(super) fn find(text: &str) -> Node {
    Scan { text, at: 0 }.node(0)
}

/// Deepest nesting that is looked into; a feed has three levels.
const DEEPEST: usize = 8;

struct Scan<'t> {
    text: &'t str,
    at: usize,
}

impl Scan<'_> {
    fn space(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Passes a sign, if it comes next.
    fn takes(&mut self, sign: u8) -> bool {
        self.space();
        let is = self.peek() == Some(sign);
        self.at += usize::from(is);
        is
    }

    fn node(&mut self, depth: usize) -> Node {
        self.space();
        let start = self.at;
        let inside = match self.peek() {
            Some(b'[') if depth < DEEPEST => {
                self.at += 1;
                let mut all = Vec::new();
                while !self.takes(b']') && self.at < self.text.len() {
                    all.push(self.node(depth + 1));
                    self.takes(b',');
                }
                Inside::List(all)
            }
            Some(b'{') if depth < DEEPEST => {
                self.at += 1;
                let mut all = Vec::new();
                while !self.takes(b'}') && self.at < self.text.len() {
                    let from = self.at;
                    self.text();
                    let span = from..self.at;
                    let written = self.text.get(span.clone()).unwrap_or_default();
                    let key = serde_json::from_str(written).unwrap_or_default();
                    self.takes(b':');
                    all.push((key, span, self.node(depth + 1)));
                    self.takes(b',');
                }
                Inside::Object(all)
            }
            Some(b'"') => {
                self.text();
                Inside::Plain
            }
            _ => {
                let rest = self.text.get(self.at..).unwrap_or_default();
                let ends = |c: char| matches!(c, ',' | ']' | '}') || c.is_whitespace();
                let length = rest.find(ends).unwrap_or(rest.len());
                self.at += length.max(1);
                Inside::Plain
            }
        };
        Node {
            span: start..self.at.min(self.text.len()),
            inside,
        }
    }

    /// Passes a text in quotes.
    fn text(&mut self) {
        let bytes = self.text.as_bytes();
        self.at += 1;
        while let Some(byte) = bytes.get(self.at) {
            self.at += 1;
            match byte {
                b'\\' => self.at += 1,
                b'"' => break,
                _ => {}
            }
        }
        self.at = self.at.min(bytes.len());
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_where_they_stand() {
        let text = "[\n {\"a\": \"é\\\"]\", \"b\": {\"c\": 12}},\n {\"a\": null}\n]\n";
        let found = find(text);
        let shown = |node: &Node| text[node.span.clone()].to_owned();
        let row = found.part(0, "").unwrap();
        assert_eq!(shown(row.part(0, "a").unwrap()), "\"é\\\"]\"");
        let b = row.part(0, "b").unwrap();
        assert_eq!(shown(b.part(0, "c").unwrap()), "12");
        assert_eq!(&text[row.key("b").unwrap()], "\"b\"");
        assert_eq!(shown(found.part(1, "").unwrap()), "{\"a\": null}");
        assert!(found.part(2, "").is_none());
    }

    #[test]
    fn nothing_makes_it_stumble() {
        let text = "[{\"a\": [1, \"b\\\\\", {\"c\": \"é\"}], \"d\": }]";
        for end in (0..=text.len()).filter(|end| text.is_char_boundary(*end)) {
            find(&text[..end]);
        }
        find(&"[".repeat(10_000));
    }
}
