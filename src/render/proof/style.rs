//! Style sheets as written, cut into declarations with their places; and whether a page
//! stays readable on a dark screen.

use super::sheet::{Seen, Sheet};
use crate::model::diagnostic::Diagnostic;
use std::ops::Range;

/// `property: value` of a rule that every mail program is meant to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    /// Lower case.
    pub property: String,
    pub value: Range<usize>,
    pub place: Range<usize>,
    /// The number of its rule; declarations of one rule can back each other.
    pub rule: usize,
}

/// What a style sheet holds outside `@media`, `@supports` and other conditions, which
/// are there for programs that know them.
#[derive(Debug, Default)]
pub struct Styles {
    pub declarations: Vec<Declaration>,
    pub selectors: Vec<Range<usize>>,
    /// `@import`
    pub imports: Vec<Range<usize>>,
}

/// Reads a style sheet.
pub fn read_sheet(text: &str, span: Range<usize>, rules: &mut usize, found: &mut Styles) {
    let bytes = text.as_bytes();
    let end = span.end.min(bytes.len());
    let mut at = span.start;
    let mut from = at;
    // Depth of conditions that are passed over.
    while at < end {
        match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                let close = text.get(at..end).and_then(|rest| rest.find("*/"));
                at = close.map_or(end, |close| at + close + 2);
                if text
                    .get(from..at)
                    .is_some_and(|head| head.trim_start().starts_with("/*"))
                {
                    from = at;
                }
            }
            b';' => {
                let head = text.get(from..at).unwrap_or_default();
                if head.trim_start().starts_with("@import") {
                    let lead = head.len() - head.trim_start().len();
                    found.imports.push(from + lead..at);
                }
                at += 1;
                from = at;
            }
            b'{' => {
                let head = text.get(from..at).unwrap_or_default();
                let close = closing(bytes, at, end);
                if !head.trim_start().starts_with('@') {
                    let lead = head.len() - head.trim_start().len();
                    found
                        .selectors
                        .push(from + lead..from + head.trim_end().len());
                    *rules += 1;
                    // Rules for one program alone, by its own mark.
                    if !head.contains("[data-og") && !head.contains("#MessageViewBody") {
                        read_rule(text, at + 1..close, *rules, found);
                    }
                }
                at = (close + 1).min(end);
                from = at;
            }
            _ => at += 1,
        }
    }
}

/// Where the brace closes that opens at `at`.
fn closing(bytes: &[u8], at: usize, end: usize) -> usize {
    let mut depth = 0_usize;
    for (place, byte) in bytes.iter().enumerate().take(end).skip(at) {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return place;
                }
            }
            _ => {}
        }
    }
    end
}

/// Reads the declarations of one rule or of a `style` attribute.
pub fn read_rule(text: &str, span: Range<usize>, rule: usize, found: &mut Styles) {
    let mut from = span.start;
    let words = text.get(span.clone()).unwrap_or_default();
    let mut round = 0_usize;
    let cuts = words
        .char_indices()
        .filter(|(_, c)| {
            match c {
                '(' => round += 1,
                ')' => round = round.saturating_sub(1),
                _ => {}
            }
            *c == ';' && round == 0
        })
        .map(|(at, _)| span.start + at)
        .collect::<Vec<_>>();
    for cut in cuts.into_iter().chain([span.end]) {
        let piece = text.get(from..cut).unwrap_or_default();
        if let Some((property, value)) = piece.split_once(':') {
            let lead = property.len() - property.trim_start().len();
            let start = from + lead;
            let value_from = from + property.len() + 1;
            let value_lead = value.len() - value.trim_start().len();
            found.declarations.push(Declaration {
                property: property.trim().to_ascii_lowercase(),
                value: value_from + value_lead..value_from + value.trim_end().len().max(value_lead),
                place: start..from + piece.trim_end().len(),
                rule,
            });
        }
        from = cut + 1;
    }
}

/// All styles of a file: its sheets, and the `style` of each element.
pub fn read(sheet: &Sheet<'_>, seen: &Seen) -> Styles {
    let mut found = Styles::default();
    let mut rules = 0;
    let text = &sheet.masked.text;
    for span in &seen.sheets {
        read_sheet(text, span.clone(), &mut rules, &mut found);
    }
    for element in &seen.elements {
        if let Some(style) = element.value("style") {
            rules += 1;
            read_rule(text, style, rules, &mut found);
        }
    }
    found
}

/// Says where a style sheet is torn: programs skip what they cannot read, and with a brace
/// too few all that follows.
pub fn torn(sheet: &Sheet<'_>, seen: &Seen, problems: &mut Vec<Diagnostic>) {
    let text = &sheet.masked.text;
    let mut report = |span: Range<usize>, message: &str, help: String| {
        problems.push(
            Diagnostic::new("W237", sheet.path, span, message)
                .help("mail programs skip what they cannot read, and readers see a page without it")
                .help(help),
        );
    };
    for span in &seen.sheets {
        if let Some((place, opens)) = braces(text, span) {
            let (message, help) = match opens {
                true => ("this rule is not closed", "end it with }".to_owned()),
                false => (
                    "this } closes nothing",
                    "open the rule before it with {".to_owned(),
                ),
            };
            report(place, message, help);
            return;
        }
    }
    let mut pieces: Vec<Range<usize>> = Vec::new();
    for span in &seen.sheets {
        rules(text, span.clone(), &mut pieces);
    }
    let own = seen
        .elements
        .iter()
        .filter_map(|element| element.value("style"));
    for rule in pieces.into_iter().chain(own) {
        for span in cut(text, rule) {
            let piece = text.get(span.clone()).unwrap_or_default();
            let Some((property, value)) = piece.split_once(':') else {
                report(
                    span,
                    "this says nothing: it has no colon",
                    "write property: value;".to_owned(),
                );
                continue;
            };
            let (property, value) = (property.trim(), value.trim());
            let bare = value.trim_end_matches("!important").trim();
            let hex = matches!(bare.len(), 3 | 6) && bare.bytes().all(|b| b.is_ascii_hexdigit());
            let of_colour = property.ends_with("color") || property == "background";
            if of_colour && hex && bare.bytes().any(|b| b.is_ascii_digit()) {
                report(
                    span,
                    "this is no colour",
                    format!("write {property}: #{bare}"),
                );
            } else if let Some((_, ours)) = MISSPELT.iter().find(|(word, _)| *word == property) {
                report(
                    span,
                    "no program knows this property",
                    format!("did you mean `{ours}`?"),
                );
            }
        }
    }
}

/// Properties as they are written by people who spell otherwise than CSS.
const MISSPELT: [(&str, &str); 8] = [
    ("colour", "color"),
    ("background-colour", "background-color"),
    ("border-colour", "border-color"),
    ("text-allign", "text-align"),
    ("allign", "text-align"),
    ("centre", "text-align: center"),
    ("font-wieght", "font-weight"),
    ("heigth", "height"),
];

/// The first brace of a sheet that has no partner, and whether it opens. Where a new rule
/// of a known form begins inside a rule, that rule was not closed.
fn braces(text: &str, span: &Range<usize>) -> Option<(Range<usize>, bool)> {
    let part = text.get(span.clone())?;
    let mut open: Vec<usize> = Vec::new();
    let mut comment = false;
    for (at, c) in part.char_indices() {
        let here = span.start + at;
        if comment {
            comment = !part[..at].ends_with("*/");
        }
        comment |= part[at..].starts_with("/*");
        if comment {
            continue;
        }
        match c {
            '{' => open.push(here),
            '}' if open.pop().is_none() => return Some((here..here + 1, false)),
            _ => {}
        }
    }
    let last = *open.last()?;
    // The line of the rule that was left open: the first one that holds another rule.
    let left = open.iter().copied().find(|start| {
        let head = text[..*start]
            .rfind(['}', ';', '{'])
            .map_or(span.start, |at| at + 1);
        !text[head..*start].trim_start().starts_with('@')
    });
    let place = left.unwrap_or(last);
    Some((place..place + 1, true))
}

/// The insides of all rules of a sheet, those inside of conditions too.
fn rules(text: &str, span: Range<usize>, found: &mut Vec<Range<usize>>) {
    let mut start = None;
    let mut at = span.start;
    for c in text.get(span).unwrap_or_default().chars() {
        match c {
            '{' => start = Some(at + 1),
            '}' => found.extend(start.take().map(|start| start..at)),
            _ => {}
        }
        at += c.len_utf8();
    }
}

/// The declarations of a rule as written, without comments and empty ones.
fn cut(text: &str, rule: Range<usize>) -> Vec<Range<usize>> {
    let words = text.get(rule.clone()).unwrap_or_default();
    if words.contains("/*") {
        return Vec::new();
    }
    let mut found = Vec::new();
    let (mut from, mut round) = (0, 0_usize);
    for (at, c) in words.char_indices().chain([(words.len(), ';')]) {
        match c {
            '(' => round += 1,
            ')' => round = round.saturating_sub(1),
            ';' if round == 0 || at == words.len() => {
                let piece = &words[from..at];
                let lead = piece.len() - piece.trim_start().len();
                let start = rule.start + from + lead;
                let length = piece.trim().len();
                if length > 0 {
                    found.push(start..start + length);
                }
                from = at + 1;
            }
            _ => {}
        }
    }
    found
}

/// Whether a page says that it can be shown on a dark screen, and does not paint black
/// words where the ground turns dark.
pub fn dark(sheet: &Sheet<'_>, seen: &Seen, problems: &mut Vec<Diagnostic>) {
    let says = seen.elements.iter().any(|element| {
        element.name == "meta"
            && element
                .value("name")
                .is_some_and(|name| sheet.at(&name).contains("color-scheme"))
    }) || sheet.source.contains("name=\"color-scheme\"");
    if !says {
        let root = seen
            .elements
            .iter()
            .find(|element| matches!(element.name.as_str(), "mj-head" | "head" | "mjml" | "html"));
        let place = root.map_or(sheet.body.start..sheet.body.start, |root| {
            root.name_span.clone()
        });
        problems.push(
            Diagnostic::new(
                "W235",
                sheet.path,
                place,
                "this page does not say how it looks on a dark screen",
            )
            .help("Apple Mail and Outlook then change its colours as they like")
            .help("put <meta name=\"color-scheme\" content=\"light dark\" /> into its head (in MJML: inside mj-raw), and dark colours into @media (prefers-color-scheme: dark)"),
        );
    }
    let styles = read(sheet, seen);
    for one in &styles.declarations {
        let grounded = styles
            .declarations
            .iter()
            .any(|other| other.rule == one.rule && other.property.starts_with("background"));
        if one.property == "color" && !grounded && is_black(sheet.at(&one.value)) {
            black(sheet, one.place.clone(), problems);
        }
    }
    for element in &seen.elements {
        for attribute in &element.attributes {
            let Some(value) = attribute.value.clone() else {
                continue;
            };
            let grounded = element
                .attributes
                .iter()
                .any(|other| other.name.contains("background-color") || other.name == "bgcolor");
            if attribute.name == "color" && !grounded && is_black(sheet.at(&value)) {
                black(sheet, value, problems);
            }
        }
    }
}

fn black(sheet: &Sheet<'_>, place: Range<usize>, problems: &mut Vec<Diagnostic>) {
    problems.push(
        Diagnostic::new(
            "W236",
            sheet.path,
            place,
            "pure black words vanish where a mail program darkens the page behind them",
        )
        .help("some programs turn the ground dark and leave written colours alone")
        .help("write a very dark colour such as #1a1a1a, which they lighten, or set a background-color beside it"),
    );
}

fn is_black(value: &str) -> bool {
    let value: String = value
        .trim_end_matches("!important")
        .chars()
        .filter(|c| !c.is_whitespace())
        .collect::<String>()
        .to_ascii_lowercase();
    matches!(
        value.as_str(),
        "#000" | "#000000" | "black" | "rgb(0,0,0)" | "rgba(0,0,0,1)"
    )
}
