//! Where in an HTML page a value stands, and what escaping that place needs.

use super::languages::{ISOLATE, ISOLATE_END};

/// What a value is escaped for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot {
    /// Text between tags, where elements may stand.
    Words,
    /// Words where no element may stand: a page's title, a picture's description.
    Label,
    /// Any other quoted attribute: read by programs.
    Escaped,
    /// The beginning of an address: only http, https and mailto may stand here.
    Address,
    /// The rest of an address, such as a parameter: percent-encoded.
    AddressPart,
    /// Plain text, no HTML at all; one line.
    Plain,
    /// As it is, because the file lists it in `raw`.
    Raw,
}

/// How far a page has been read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    mode: Mode,
    /// Open elements, outermost first.
    open: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum Mode {
    #[default]
    Text,
    /// Inside a tag's name.
    Name {
        name: String,
        closing: bool,
    },
    /// Between attributes.
    Inside {
        element: String,
        name: String,
    },
    /// After `name=`.
    Equals {
        element: String,
        name: String,
    },
    Quoted {
        element: String,
        name: String,
        quote: char,
        empty: bool,
    },
    Bare {
        element: String,
    },
    /// `<!-- … -->`, or `<!…>` where `end` is `>`.
    Comment {
        seen: String,
        end: &'static str,
    },
    /// Inside `style` or `script`, until its end tag, of which so many characters have
    /// been seen.
    Foreign {
        element: String,
        seen: usize,
    },
}

const VOID: [&str; 14] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr",
];
const ADDRESSES: [&str; 7] = [
    "href",
    "src",
    "background",
    "action",
    "formaction",
    "poster",
    "cite",
];
/// Attributes that people read.
const LABELS: [&str; 5] = ["alt", "aria-label", "placeholder", "summary", "title"];
const PARAGRAPHS: [&str; 14] = [
    "p", "h1", "h2", "h3", "h4", "h5", "h6", "a", "strong", "em", "b", "i", "span", "li",
];

impl State {
    /// Reads on. What cannot end the place that it stands in is passed over in one go: most
    /// of a page is words and style sheets.
    pub fn read(&mut self, text: &str) {
        let mut rest = text;
        loop {
            let idle = match &mut self.mode {
                Mode::Text | Mode::Foreign { seen: 0, .. } => rest.find('<').unwrap_or(rest.len()),
                Mode::Quoted { quote, empty, .. } => {
                    let idle = rest.find(*quote).unwrap_or(rest.len());
                    *empty &= idle == 0;
                    idle
                }
                _ => 0,
            };
            let mut left = rest.get(idle..).unwrap_or_default().chars();
            let Some(c) = left.next() else {
                return;
            };
            self.step(c);
            rest = left.as_str();
        }
    }

    fn step(&mut self, c: char) {
        let mode = std::mem::take(&mut self.mode);
        self.mode = match mode {
            Mode::Text if c == '<' => Mode::Name {
                name: String::new(),
                closing: false,
            },
            Mode::Text => Mode::Text,
            Mode::Name { mut name, closing } => match c {
                '/' if name.is_empty() => Mode::Name {
                    name,
                    closing: true,
                },
                '!' | '?' if name.is_empty() => Mode::Comment {
                    seen: String::new(),
                    end: ">",
                },
                '>' => self.tag_ends(&name, closing, false),
                c if c.is_ascii_alphanumeric() || (!name.is_empty() && matches!(c, '-' | ':')) => {
                    name.push(c.to_ascii_lowercase());
                    Mode::Name { name, closing }
                }
                // `a < b` is text.
                _ if name.is_empty() => Mode::Text,
                _ if closing => Mode::Name { name, closing },
                _ => Mode::Inside {
                    name: if c == '/' {
                        "/".to_owned()
                    } else {
                        String::new()
                    },
                    element: name,
                },
            },
            Mode::Inside { element, mut name } => match c {
                '>' => self.tag_ends(&element, false, name.ends_with('/')),
                '=' => Mode::Equals { element, name },
                c if c.is_whitespace() => Mode::Inside { element, name },
                c => {
                    if name.ends_with('/') {
                        name.clear();
                    }
                    name.push(c.to_ascii_lowercase());
                    Mode::Inside { element, name }
                }
            },
            Mode::Equals { element, name } => match c {
                '"' | '\'' => Mode::Quoted {
                    element,
                    name,
                    quote: c,
                    empty: true,
                },
                '>' => self.tag_ends(&element, false, false),
                c if c.is_whitespace() => Mode::Equals { element, name },
                _ => Mode::Bare { element },
            },
            Mode::Quoted {
                element,
                name,
                quote,
                ..
            } => {
                if c == quote {
                    Mode::Inside {
                        element,
                        name: String::new(),
                    }
                } else {
                    Mode::Quoted {
                        element,
                        name,
                        quote,
                        empty: false,
                    }
                }
            }
            Mode::Bare { element } => match c {
                '>' => self.tag_ends(&element, false, false),
                c if c.is_whitespace() => Mode::Inside {
                    element,
                    name: String::new(),
                },
                _ => Mode::Bare { element },
            },
            Mode::Comment { mut seen, mut end } => {
                seen.push(c);
                if seen == "--" {
                    end = "-->";
                }
                // `<!--[if …]>` opens markup for one reader; its inside is markup too.
                let conditional = seen.starts_with("--[if") && seen.ends_with("]>");
                if conditional
                    || seen == "-->"
                    || (seen.len() > 3 || end == ">") && seen.ends_with(end)
                {
                    Mode::Text
                } else {
                    Mode::Comment { seen, end }
                }
            }
            Mode::Foreign { element, seen } => {
                let c = c.to_ascii_lowercase();
                let seen = if "</".chars().chain(element.chars()).nth(seen) == Some(c) {
                    seen + 1
                } else {
                    usize::from(c == '<')
                };
                if seen == "</".len() + element.len() {
                    Mode::Name {
                        name: element,
                        closing: true,
                    }
                } else {
                    Mode::Foreign { element, seen }
                }
            }
        };
    }

    fn tag_ends(&mut self, name: &str, closing: bool, closed: bool) -> Mode {
        if closing {
            if self.open.last().is_some_and(|open| open == name) {
                self.open.pop();
            } else if let Some(at) = self.open.iter().rposition(|open| open == name) {
                self.open.truncate(at);
            }
            return Mode::Text;
        }
        if name.is_empty() || closed || VOID.contains(&name) {
            return Mode::Text;
        }
        self.open.push(name.to_owned());
        if matches!(name, "style" | "script") {
            return Mode::Foreign {
                element: name.to_owned(),
                seen: 0,
            };
        }
        Mode::Text
    }

    /// Notes that a value stands here.
    pub fn value(&mut self) {
        match &mut self.mode {
            Mode::Quoted { empty, .. } => *empty = false,
            Mode::Equals { element, .. } => {
                self.mode = Mode::Bare {
                    element: std::mem::take(element),
                };
            }
            _ => {}
        }
    }

    /// What a value here is escaped for.
    ///
    /// # Errors
    /// Says why no value may stand here.
    pub fn spot(&self) -> Result<Spot, &'static str> {
        match &self.mode {
            Mode::Text if self.in_plain() => Ok(Spot::Label),
            Mode::Text => Ok(Spot::Words),
            Mode::Quoted { name, empty, .. } => {
                if name == "style" {
                    Err("a value may not stand inside a style")
                } else if name.starts_with("on") {
                    Err("a value may not stand inside a script")
                } else if LABELS.contains(&name.as_str()) {
                    Ok(Spot::Label)
                } else if !ADDRESSES.contains(&name.as_str()) {
                    Ok(Spot::Escaped)
                } else if *empty {
                    Ok(Spot::Address)
                } else {
                    Ok(Spot::AddressPart)
                }
            }
            Mode::Name { .. } | Mode::Inside { .. } | Mode::Equals { .. } | Mode::Bare { .. } => {
                Err("a value may not stand inside a tag without quotes")
            }
            Mode::Comment { .. } => Err("a value may not stand inside a comment"),
            Mode::Foreign { .. } => Err("a value may not stand inside a style or script"),
        }
    }

    /// Whether this is text between tags.
    pub fn in_text(&self) -> bool {
        self.mode == Mode::Text
    }

    /// Whether this is inside an element that holds no other, such as the title.
    pub fn in_plain(&self) -> bool {
        self.open
            .last()
            .is_some_and(|open| matches!(open.as_str(), "title" | "textarea"))
    }

    /// Whether this is inside a paragraph, a heading or a list's line.
    pub fn in_paragraph(&self) -> bool {
        self.open
            .iter()
            .any(|open| PARAGRAPHS.contains(&open.as_str()))
    }

    /// Whether two states are the same place; with `whole`, also in the same element.
    pub fn same(&self, other: &State, whole: bool) -> bool {
        let place = match (&self.mode, &other.mode) {
            (Mode::Quoted { name: a, .. }, Mode::Quoted { name: b, .. }) => a == b,
            (Mode::Inside { element: a, .. }, Mode::Inside { element: b, .. }) => a == b,
            (Mode::Comment { .. }, Mode::Comment { .. })
            | (Mode::Foreign { .. }, Mode::Foreign { .. }) => true,
            (a, b) => a == b,
        };
        place && (!whole || self.open == other.open)
    }
}

/// Whether a character has no business in a mail: controls, and the marks that turn the
/// direction of everything after them.
pub fn is_stray(c: char) -> bool {
    matches!(c, '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{9f}')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Appends a text with everything escaped that HTML gives a meaning.
pub fn escape_into(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if is_stray(c) => {}
            c => out.push(c),
        }
    }
}

/// Appends a text that holds marks of direction of our own making, escaped: as elements
/// where those may stand (`markup`), else as the marks.
pub fn marked_into(out: &mut String, text: &str, markup: bool) {
    let mut rest = text;
    while let Some(at) = rest.find([ISOLATE, ISOLATE_END]) {
        escape_into(out, &rest[..at]);
        let opens = rest[at..].starts_with(ISOLATE);
        out.push_str(match (opens, markup) {
            (true, true) => "<bdi>",
            (false, true) => "</bdi>",
            (true, false) => "\u{2068}",
            (false, false) => "\u{2069}",
        });
        rest = &rest[at + ISOLATE.len_utf8()..];
    }
    escape_into(out, rest);
}

/// Appends a text as a part of an address.
pub fn percent_into(out: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'@' | b'/' => {
                out.push(byte.into());
            }
            other => {
                out.push('%');
                for half in [other >> 4, other & 15] {
                    out.push(
                        char::from_digit(half.into(), 16).map_or('0', |c| c.to_ascii_uppercase()),
                    );
                }
            }
        }
    }
}

/// Appends a text as a part of one plain line.
pub fn plain_into(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '\r' | '\n' | '\t' | '\u{2028}' | '\u{2029}' | '\u{85}' => {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            c if is_stray(c) => {}
            c => out.push(c),
        }
    }
}

/// Appends a text that holds marks of direction of our own making as a part of one line.
pub fn plain_marked_into(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find([ISOLATE, ISOLATE_END]) {
        plain_into(out, &rest[..at]);
        let mark = if rest[at..].starts_with(ISOLATE) {
            ISOLATE
        } else {
            ISOLATE_END
        };
        out.push(mark);
        rest = &rest[at + mark.len_utf8()..];
    }
    plain_into(out, rest);
}

/// Whether an address may be linked to from a mail.
pub fn is_linkable(address: &str) -> bool {
    let scheme_ok = ["https://", "http://", "mailto:"].iter().any(|scheme| {
        address
            .get(..scheme.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(scheme))
    });
    scheme_ok && !address.chars().any(|c| c.is_control() || c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot(before: &str) -> Result<Spot, &'static str> {
        let mut state = State::default();
        state.read(before);
        state.spot()
    }

    #[test]
    fn knows_where_it_stands() {
        for (before, wanted) in [
            ("<p>Hello ", Ok(Spot::Words)),
            ("<a title=\"", Ok(Spot::Label)),
            ("<html lang=\"", Ok(Spot::Escaped)),
            ("<title>", Ok(Spot::Label)),
            ("<a href=\"", Ok(Spot::Address)),
            ("<a href='https://x/?q=", Ok(Spot::AddressPart)),
            ("<style>p { color: red }</style>", Ok(Spot::Words)),
            ("<STYLE>a<b</s<</StYlE>", Ok(Spot::Words)),
            ("<!--[if mso]><td>", Ok(Spot::Words)),
            (
                "<!--[if mso]><table><![endif]--><!--[if !mso]><!--><p>",
                Ok(Spot::Words),
            ),
            ("<!doctype html><br/><p class='a' >", Ok(Spot::Words)),
            ("a < b ", Ok(Spot::Words)),
        ] {
            assert_eq!(spot(before), wanted, "{before}");
        }
        for before in [
            "<p style=\"color:",
            "<p onclick=\"",
            "<a href=",
            "<",
            "<p ",
            "<!-- ",
            "<style>p { color: ",
        ] {
            assert!(spot(before).is_err(), "{before}");
        }
    }

    #[test]
    fn only_harmless_addresses_are_linked() {
        for good in ["https://x.example/", "HTTP://x", "mailto:a@x.example"] {
            assert!(is_linkable(good), "{good}");
        }
        for bad in [
            "javascript:alert(1)",
            " https://x",
            "https://x\n",
            "//x",
            "data:text/html,x",
            "",
        ] {
            assert!(!is_linkable(bad), "{bad}");
        }
    }
}
