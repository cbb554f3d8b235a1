//! HTML and MJML as they were written, cut into elements and words with their places in
//! the file. Handlebars tags are masked first, byte for byte, so that places hold and no
//! tag can be taken for markup. It only looks; what is wrong is for others to say.

use super::tags;
use std::ops::Range;

/// What masks a tag: a letter, so that Markdown takes it for a word.
const MASK: char = 'q';

/// A text whose Handlebars tags are masked.
#[derive(Debug, Clone)]
pub struct Masked {
    /// As long as the source, byte for byte.
    pub text: String,
    /// Where tags stood, in order.
    pub holes: Vec<Range<usize>>,
}

impl Masked {
    /// Masks the tags of a text. With `markdown`, lines of nothing but tags become
    /// comments, which Markdown takes as blocks of their own.
    pub fn new(source: &str, markdown: bool) -> Masked {
        let mut text = String::with_capacity(source.len());
        let mut holes = Vec::new();
        let mut at = 0;
        while let Some(start) = source[at..].find("{{").map(|hit| at + hit) {
            text.push_str(&source[at..start]);
            let end = tags::end_of(&source[start..])
                .map_or_else(|shown| start + shown.max(2), |len| start + len);
            let end = (end..=source.len())
                .find(|end| source.is_char_boundary(*end))
                .unwrap_or(source.len());
            text.extend(std::iter::repeat_n(MASK, end - start));
            holes.push(start..end);
            at = end;
        }
        text.push_str(&source[at..]);
        if markdown {
            text = set_apart(&text, &holes);
        }
        Masked { text, holes }
    }

    /// Whether a stretch holds a tag.
    pub fn has_hole(&self, span: &Range<usize>) -> bool {
        let first = self.holes.partition_point(|hole| hole.end <= span.start);
        self.holes
            .get(first)
            .is_some_and(|hole| hole.start < span.end)
    }

    /// The tags of a stretch, as they stand in the source.
    pub fn holes_in(&self, span: &Range<usize>) -> impl Iterator<Item = &Range<usize>> {
        let first = self.holes.partition_point(|hole| hole.end <= span.start);
        let end = span.end;
        self.holes[first..]
            .iter()
            .take_while(move |hole| hole.start < end)
    }
}

/// Makes comments of lines that hold nothing but tags.
fn set_apart(text: &str, holes: &[Range<usize>]) -> String {
    const SHORTEST: usize = "<!---->".len();
    let mut out = text.to_owned();
    let mut next = 0;
    let mut from = 0;
    for line in text.split_inclusive('\n') {
        let span = from..from + line.len();
        from = span.end;
        while holes.get(next).is_some_and(|hole| hole.end <= span.start) {
            next += 1;
        }
        let inside = holes[next..]
            .iter()
            .take_while(|hole| hole.start < span.end);
        let (mut covered, mut first, mut last) = (0, None, 0);
        for hole in inside.filter(|hole| hole.end <= span.end) {
            covered += hole.len();
            first.get_or_insert(hole.start);
            last = hole.end;
        }
        let words = line.bytes().filter(|b| !b.is_ascii_whitespace()).count();
        if let Some(first) = first
            && covered == words
            && last - first >= SHORTEST
        {
            let filler = "-".repeat(last - first - SHORTEST);
            out.replace_range(first..last, &format!("<!--{}-->", filler.replace('-', "q")));
        }
    }
    out
}

/// An attribute as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Lower case.
    pub name: String,
    pub name_span: Range<usize>,
    /// What stands between its quotes; None without a value.
    pub value: Option<Range<usize>>,
    pub quoted: bool,
}

/// A tag of markup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// Lower case.
    pub name: String,
    pub name_span: Range<usize>,
    /// From `<` to `>`.
    pub span: Range<usize>,
    pub attributes: Vec<Attribute>,
    /// `</name>`
    pub closing: bool,
    /// `<name/>`
    pub closed: bool,
}

impl Element {
    /// An attribute by name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|one| one.name == name)
    }

    /// Where an attribute's value stands.
    pub fn value(&self, name: &str) -> Option<Range<usize>> {
        self.attribute(name).and_then(|one| one.value.clone())
    }
}

/// A part of markup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Tag(Element),
    Words(Range<usize>),
    /// The inside of `style`, `script` or `mj-style`.
    Foreign(Range<usize>),
    Comment(Range<usize>),
}

/// Elements whose inside is no markup.
const FOREIGN: [&str; 3] = ["style", "script", "mj-style"];

/// Cuts a stretch of a text into its parts.
pub fn parts(text: &str, within: Range<usize>) -> Vec<Part> {
    let mut found = Vec::new();
    let end = within.end.min(text.len());
    let mut at = within.start;
    let mut words = at;
    while at < end {
        let Some(hit) = text[at..end].find('<') else {
            break;
        };
        let start = at + hit;
        let rest = &text[start..end];
        let part = if rest.starts_with("<!--") {
            // `<!--[if mso]>` opens markup for one reader.
            let conditional = rest.starts_with("<!--[if") || rest.starts_with("<!--<![endif]");
            let mark = if conditional { "]>" } else { "-->" };
            let len = rest.find(mark).map_or(rest.len(), |len| len + mark.len());
            Some(Part::Comment(start..start + len))
        } else if rest.starts_with("<!") || rest.starts_with("<?") {
            let len = rest.find('>').map_or(rest.len(), |len| len + 1);
            Some(Part::Comment(start..start + len))
        } else {
            element(text, start, end).map(Part::Tag)
        };
        let Some(part) = part else {
            at = start + 1;
            continue;
        };
        if words < start {
            found.push(Part::Words(words..start));
        }
        at = match &part {
            Part::Tag(tag) => tag.span.end,
            Part::Comment(span) | Part::Words(span) | Part::Foreign(span) => span.end,
        };
        let foreign = match &part {
            Part::Tag(tag)
                if !tag.closing && !tag.closed && FOREIGN.contains(&tag.name.as_str()) =>
            {
                Some(format!("</{}", tag.name))
            }
            _ => None,
        };
        found.push(part);
        if let Some(close) = foreign {
            let len = text[at..end].find(&close).unwrap_or(end - at);
            found.push(Part::Foreign(at..at + len));
            at += len;
        }
        words = at;
    }
    if words < end {
        found.push(Part::Words(words..end));
    }
    found
}

/// The tag that begins at `start`.
fn element(text: &str, start: usize, end: usize) -> Option<Element> {
    let bytes = text.as_bytes();
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b':' | b'_');
    let mut at = start + 1;
    let closing = bytes.get(at) == Some(&b'/');
    at += usize::from(closing);
    let from = at;
    while at < end && is_name(bytes[at]) {
        at += 1;
    }
    if at == from || !bytes[from].is_ascii_alphabetic() {
        return None;
    }
    let name_span = from..at;
    let mut attributes = Vec::new();
    let mut closed = false;
    loop {
        while at < end && bytes[at].is_ascii_whitespace() {
            at += 1;
        }
        if at >= end {
            break;
        }
        match bytes[at] {
            b'>' => {
                at += 1;
                break;
            }
            b'<' => break,
            b'/' => {
                closed = bytes.get(at + 1) == Some(&b'>');
                at += 1;
            }
            _ => {
                let from = at;
                while at < end
                    && !matches!(bytes[at], b'=' | b'>' | b'/' | b'<')
                    && !bytes[at].is_ascii_whitespace()
                {
                    at += 1;
                }
                if at == from {
                    at += 1;
                    continue;
                }
                let name_span = from..at;
                let (value, quoted, after) = value(bytes, at, end);
                at = after;
                attributes.push(Attribute {
                    name: text.get(name_span.clone())?.to_ascii_lowercase(),
                    name_span,
                    value,
                    quoted,
                });
            }
        }
    }
    Some(Element {
        name: text.get(name_span.clone())?.to_ascii_lowercase(),
        name_span,
        span: start..at,
        attributes,
        closing,
        closed,
    })
}

/// What follows an attribute's name: its value, whether it is quoted, where it ends.
fn value(bytes: &[u8], from: usize, end: usize) -> (Option<Range<usize>>, bool, usize) {
    let mut at = from;
    while at < end && bytes[at].is_ascii_whitespace() {
        at += 1;
    }
    if at >= end || bytes[at] != b'=' {
        return (None, true, from);
    }
    at += 1;
    while at < end && bytes[at].is_ascii_whitespace() {
        at += 1;
    }
    match bytes.get(at).filter(|_| at < end) {
        Some(quote @ (b'"' | b'\'')) => {
            let start = at + 1;
            let mut stop = start;
            while stop < end && bytes[stop] != *quote {
                stop += 1;
            }
            (Some(start..stop), true, (stop + 1).min(end))
        }
        _ => {
            let start = at;
            while at < end && !bytes[at].is_ascii_whitespace() && bytes[at] != b'>' {
                at += 1;
            }
            (Some(start..at), false, at)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stand_where_they_were_written() {
        let source = "<a title='{{t \"x > y\"}}' href=\"{{u}}\">Hi</a><br/><style>a > b{}</style>";
        let masked = Masked::new(source, false);
        assert_eq!(masked.text.len(), source.len());
        let found = parts(&masked.text, 0..source.len());
        let shown: Vec<String> = found
            .iter()
            .map(|part| match part {
                Part::Tag(tag) => format!(
                    "{}{}{}",
                    if tag.closing { "/" } else { "" },
                    &source[tag.name_span.clone()],
                    if tag.closed { "/" } else { "" }
                ),
                Part::Words(span) => format!("'{}'", &source[span.clone()]),
                Part::Foreign(span) => format!("[{}]", &source[span.clone()]),
                Part::Comment(_) => "!".into(),
            })
            .collect();
        assert_eq!(
            shown,
            ["a", "'Hi'", "/a", "br/", "style", "[a > b{}]", "/style"]
        );
        let Part::Tag(link) = &found[0] else {
            unreachable!()
        };
        let href = link.value("href").unwrap_or_default();
        assert_eq!(&source[href.clone()], "{{u}}");
        assert!(masked.has_hole(&href) && !masked.has_hole(&(0..5)));
    }

    #[test]
    fn nothing_makes_it_stumble() {
        let source = "<a <b {{x <p class= x=\"{{y}}< </ <!-- é{{#if ü}}<1 <é>";
        for end in (0..=source.len()).filter(|end| source.is_char_boundary(*end)) {
            let masked = Masked::new(&source[..end], true);
            assert_eq!(masked.text.len(), end);
            parts(&masked.text, 0..end);
        }
    }
}
