//! MJML held against the components of the reference implementation: elements,
//! attributes, nesting and values. MJML drops what it does not know without a word, so a
//! slip here would be a hole in a customer's mail. It reads the file as it was written,
//! so that each problem stands in its place, and never renders.

mod components;
mod values;

use components::Component;
pub use components::Components;

use super::markup::{Attribute, Element, Masked, Part, parts};
use crate::model::diagnostic::Diagnostic;
use crate::model::nearest::nearest;
use std::ops::Range;
use values::fits;

/// Attributes that every element of the body takes.
const EVERYWHERE: [&str; 2] = ["css-class", "mj-class"];

/// What MJML has and our renderer leaves out; a test holds this list against it.
pub const NOT_RENDERED: [&str; 3] = ["mj-html-attributes", "mj-selector", "mj-html-attribute"];

/// Attributes that MJML has and that change nothing here; a test holds this list against
/// our renderer.
pub const UNUSED: [(&str, &str); 27] = [
    ("mj-accordion-title", "font-weight"),
    ("mj-body", "id"),
    ("mj-button", "title"),
    ("mj-hero", "border-radius"),
    ("mj-hero", "mode"),
    ("mj-image", "border-bottom"),
    ("mj-image", "border-top"),
    ("mj-image", "sizes"),
    ("mj-section", "gutter"),
    ("mj-section", "text-padding"),
    ("mj-social", "border"),
    ("mj-social", "table-layout"),
    ("mj-social-element", "border"),
    ("mj-social-element", "icon-position"),
    ("mj-social-element", "sizes"),
    ("mj-social-element", "srcset"),
    ("mj-spacer", "border"),
    ("mj-spacer", "border-bottom"),
    ("mj-spacer", "border-left"),
    ("mj-spacer", "border-right"),
    ("mj-spacer", "border-top"),
    ("mj-table", "font-weight"),
    ("mj-table", "role"),
    ("mj-text", "background-color"),
    ("mj-wrapper", "gap"),
    ("mj-wrapper", "gutter"),
    ("mj-wrapper", "text-padding"),
];

/// Says everything that MJML would drop or misread in a part of a file.
pub fn check(path: &str, masked: &Masked, within: Range<usize>) -> Vec<Diagnostic> {
    let mut lint = Lint {
        path,
        masked,
        all: Components::get(),
        problems: Vec::new(),
    };
    if let Some(torn) = torn(&masked.text, within.clone()) {
        let problem = Diagnostic::new(
            "E224",
            path,
            torn.clone(),
            "this element has no > at its end",
        )
        .label("begins here")
        .help("all that follows would be taken for its attributes, and vanish")
        .help(format!("write {}>", &masked.text[torn]));
        return vec![problem];
    }
    lint.walk(&parts(&masked.text, within));
    first_causes(lint.problems)
}

/// The first element of MJML whose tag does not end before the next one begins.
fn torn(text: &str, within: Range<usize>) -> Option<Range<usize>> {
    let part = text.get(within.clone())?;
    for (at, _) in part.match_indices('<') {
        let name = part[at + 1..].trim_start_matches('/');
        if !name.starts_with("mj") {
            continue;
        }
        let length = name
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
            .unwrap_or(name.len());
        let end = part.len() - name.len() + length;
        let mut quoted = false;
        let stops = part[end..].char_indices().find(|(_, c)| {
            quoted ^= *c == '"';
            !quoted && matches!(c, '<' | '>')
        });
        // A quote that is not closed is another matter.
        if matches!(stops, Some((_, '<'))) {
            return Some(within.start + at..within.start + end);
        }
    }
    None
}

/// Where the tree is broken, all that stands deeper or later seems to be in the wrong
/// place: of what concerns the tree, only the first is told then. Names that MJML does
/// not have, and what is wrong inside one element, stand for themselves.
fn first_causes(mut problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let of_name = |one: &Diagnostic| one.code == "E220";
    let of_tree = |one: &Diagnostic| one.code == "E222" || one.message.contains("<");
    let breaks = |one: &Diagnostic| of_name(one) || one.code == "E224" && of_tree(one);
    if problems.iter().any(breaks) {
        let first = problems
            .iter()
            .filter(|one| of_name(one) || of_tree(one))
            .min_by_key(|one| (one.span.start, one.code))
            .cloned();
        problems.retain(|one| of_name(one) || !of_tree(one) || Some(one) == first.as_ref());
    }
    problems
}

/// The first tag of Handlebars between elements, where it would be lost.
pub fn loose_tag(masked: &Masked, within: Range<usize>) -> Option<Range<usize>> {
    let all = Components::get();
    let mut open: Vec<String> = Vec::new();
    for part in parts(&masked.text, within) {
        match part {
            Part::Tag(tag) if tag.closing => {
                if let Some(at) = open.iter().rposition(|one| *one == tag.name) {
                    open.truncate(at);
                }
            }
            Part::Tag(tag) if !tag.closed => open.push(tag.name),
            Part::Words(span) => {
                let words = open
                    .iter()
                    .any(|one| all.by.get(one.as_str()).is_none_or(|one| one.words));
                if !words && let Some(hole) = masked.holes_in(&span).next() {
                    return Some(hole.clone());
                }
            }
            _ => {}
        }
    }
    None
}

struct Lint<'l> {
    path: &'l str,
    masked: &'l Masked,
    all: &'static Components,
    problems: Vec<Diagnostic>,
}

/// An element that is open, and whether it was one that MJML has.
struct Open {
    name: String,
    span: Range<usize>,
    known: bool,
}

impl Lint<'_> {
    fn report(&mut self, code: &'static str, span: Range<usize>, message: String, help: String) {
        let mut problem = Diagnostic::new(code, self.path, span, message);
        if !help.is_empty() {
            problem = problem.help(help);
        }
        self.problems.push(problem);
    }

    fn walk(&mut self, parts: &[Part]) {
        let mut open: Vec<Open> = Vec::new();
        // Inside an element of words only its own end counts.
        let mut words: Option<String> = None;
        // How many elements of the same name were opened in it by mistake.
        let mut nested = 0_usize;
        for (at, part) in parts.iter().enumerate() {
            match part {
                Part::Tag(tag) => {
                    if let Some(element) = &words {
                        if tag.closing && tag.name == *element {
                            if nested > 0 {
                                nested -= 1;
                            } else {
                                words = None;
                                open.pop();
                            }
                            continue;
                        }
                        if !self.all.by.contains_key(tag.name.as_str()) {
                            continue;
                        }
                        let holder = open.iter().rev().nth(1).map(|one| one.name.as_str());
                        if !tag.closing && closes_later(&parts[at..], element, holder) {
                            nested += usize::from(tag.name == *element && !tag.closed);
                            self.report(
                                "E222",
                                tag.name_span.clone(),
                                format!("<{}> cannot stand inside <{element}>", tag.name),
                                format!("end the element before it with </{element}>; inside it there are words and HTML only"),
                            );
                            continue;
                        }
                        if tag.closing && holder != Some(tag.name.as_str()) {
                            continue;
                        }
                        // The element was not closed before the next one, or before the end
                        // of what holds it.
                        words = None;
                        if let Some(left) = open.pop() {
                            self.report(
                                "E224",
                                left.span,
                                format!("<{}> is never closed", left.name),
                                format!("end it with </{}>", left.name),
                            );
                        }
                    }
                    if tag.closing {
                        self.closes(tag, &mut open);
                        continue;
                    }
                    let known = self.opens(tag, &open);
                    if !tag.closed {
                        let holds_words = self
                            .all
                            .by
                            .get(tag.name.as_str())
                            .is_none_or(|component| component.words);
                        if holds_words && (known || tag.name.starts_with("mj")) && !tag.closed {
                            words = Some(tag.name.clone());
                        }
                        open.push(Open {
                            name: tag.name.clone(),
                            span: tag.name_span.clone(),
                            known,
                        });
                    }
                }
                Part::Words(span) if words.is_none() => self.loose_words(span, &open),
                Part::Words(_) | Part::Foreign(_) | Part::Comment(_) => {}
            }
        }
        for left in open.into_iter().rev() {
            self.report(
                "E224",
                left.span,
                format!("<{}> is never closed", left.name),
                format!("end it with </{}>", left.name),
            );
        }
    }

    fn closes(&mut self, tag: &Element, open: &mut Vec<Open>) {
        match open.iter().rposition(|one| one.name == tag.name) {
            Some(at) => {
                for left in open.drain(at + 1..).rev().collect::<Vec<_>>() {
                    self.report(
                        "E224",
                        left.span,
                        format!("<{}> is never closed", left.name),
                        format!("end it with </{}> before </{}>", left.name, tag.name),
                    );
                }
                open.pop();
            }
            None => {
                let help = match open.last() {
                    Some(last) => format!("<{}> is open here; write </{}>", last.name, last.name),
                    None => "nothing is open here".into(),
                };
                self.report(
                    "E224",
                    tag.name_span.clone(),
                    format!("</{}> closes nothing", tag.name),
                    help,
                );
            }
        }
    }

    /// Looks at an element that begins; whether MJML has it.
    fn opens(&mut self, tag: &Element, open: &[Open]) -> bool {
        let name = tag.name.as_str();
        let parent = open.last();
        if name == "mj-include" {
            self.report(
                "E225",
                tag.name_span.clone(),
                "mj-include is not allowed".into(),
                "put shared parts into templates/partials and print them with {{> name}}".into(),
            );
            return false;
        }
        if NOT_RENDERED.contains(&name) {
            if parent.is_none_or(|parent| parent.known) {
                self.report(
                    "E220",
                    tag.name_span.clone(),
                    format!("<{name}> has no effect here"),
                    "write the attribute into the HTML itself, inside mj-text or mj-raw".into(),
                );
            }
            return false;
        }
        let Some(component) = self.all.by.get(name) else {
            if name.starts_with("mj") {
                let near = nearest(name, self.all.by.keys().copied());
                self.report(
                    "E220",
                    tag.name_span.clone(),
                    format!("MJML has no element \"{name}\"; it would vanish without a word"),
                    near.map_or_else(
                        || "write an element of MJML here, such as mj-text or mj-section".into(),
                        |near| format!("did you mean `{near}`?"),
                    ),
                );
            } else if parent.is_none_or(|parent| parent.known) {
                let place =
                    parent.map_or_else(|| "here".into(), |one| format!("inside <{}>", one.name));
                self.report(
                    "E222",
                    tag.name_span.clone(),
                    format!("<{name}> is HTML and cannot stand {place}"),
                    "put HTML into mj-text, mj-table or mj-raw; it would vanish without a word"
                        .into(),
                );
            }
            return false;
        };
        let defaults = parent.is_some_and(|parent| parent.name == "mj-attributes");
        if !defaults {
            self.nesting(tag, parent);
        }
        self.attributes(tag, component, defaults);
        true
    }

    fn nesting(&mut self, tag: &Element, parent: Option<&Open>) {
        let name = tag.name.as_str();
        let Some(parent) = parent else {
            if name != "mjml" {
                self.report(
                    "E222",
                    tag.name_span.clone(),
                    format!("<{name}> cannot stand outside <mjml>"),
                    "the whole page stands in <mjml> … </mjml>".into(),
                );
            }
            return;
        };
        let Some(holder) = self.all.by.get(parent.name.as_str()) else {
            return;
        };
        if holder.inside.contains(&name) || !parent.known {
            return;
        }
        let places: Vec<&str> = self
            .all
            .by
            .iter()
            .filter(|(_, one)| one.inside.contains(&name))
            .map(|(place, _)| *place)
            .collect();
        let help = match (name, places.as_slice()) {
            ("mj-all" | "mj-class", _) => "it belongs into mj-attributes".to_owned(),
            (_, []) => String::new(),
            (_, places) => format!("it belongs into {}", either(places)),
        };
        self.report(
            "E222",
            tag.name_span.clone(),
            format!("<{name}> cannot stand inside <{}>", parent.name),
            help,
        );
    }

    fn attributes(&mut self, tag: &Element, component: &Component, defaults: bool) {
        let name = tag.name.as_str();
        for (at, attribute) in tag.attributes.iter().enumerate() {
            let key = attribute.name.as_str();
            if self.masked.has_hole(&attribute.name_span) {
                continue;
            }
            if tag.attributes[..at].iter().any(|had| had.name == key) {
                self.report(
                    "E224",
                    attribute.name_span.clone(),
                    format!("`{key}` stands twice in one element"),
                    "leave one of them".into(),
                );
                continue;
            }
            if attribute.value.is_none() || !attribute.quoted {
                self.report(
                    "E224",
                    attribute.name_span.clone(),
                    format!("`{key}` has no value in quotes"),
                    format!("write {key}=\"…\""),
                );
                // What follows in this element was meant to be in the quotes.
                break;
            }
            if key == "xmlns" || key.starts_with("xmlns:") {
                continue;
            }
            // mj-all and mj-class hold attributes of any element.
            let any = matches!(name, "mj-all" | "mj-class");
            let found = if any {
                self.all
                    .by
                    .values()
                    .find_map(|one| one.attributes.get(key).copied())
                    .or((name == "mj-class" && key == "name").then_some("string"))
            } else {
                component.attributes.get(key).copied()
            };
            if let Some(of) = found {
                self.value(attribute, of);
                if UNUSED.contains(&(name, key)) {
                    self.report(
                        "W220",
                        attribute.name_span.clone(),
                        format!("`{key}` of <{name}> changes nothing here"),
                        "set it with a class: css-class=\"…\" here, and a rule in mj-style".into(),
                    );
                }
            } else if !EVERYWHERE.contains(&key) || (!name.starts_with("mj-") && !defaults) {
                let known: Vec<&str> = if any {
                    self.all
                        .by
                        .values()
                        .flat_map(|one| one.attributes.keys().copied())
                        .collect()
                } else {
                    component
                        .attributes
                        .keys()
                        .copied()
                        .chain(EVERYWHERE)
                        .collect()
                };
                let help = match nearest(key, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if key == "class" => "write css-class=\"…\"".into(),
                    None if key == "style" => {
                        "write its attributes one by one, or a class and mj-style".into()
                    }
                    None => format!("<{name}> takes {}", known.join(", ")),
                };
                self.report(
                    "E221",
                    attribute.name_span.clone(),
                    format!("<{name}> has no attribute \"{key}\""),
                    help,
                );
            }
        }
    }

    fn value(&mut self, attribute: &Attribute, of: &str) {
        let Some(span) = attribute.value.clone() else {
            return;
        };
        if self.masked.has_hole(&span) {
            return;
        }
        let value = self.masked.text.get(span.clone()).unwrap_or_default();
        let Err(wanted) = fits(value, of, &self.all.colours) else {
            return;
        };
        let mut help = wanted;
        if of == "color"
            && let Some(near) = nearest(value, self.all.colours.iter().copied())
        {
            help = format!("did you mean `{near}`?");
        } else if let Some(list) = of.strip_prefix("enum(")
            && let Some(near) = nearest(value, list.trim_end_matches(')').split(','))
            && !near.is_empty()
        {
            help = format!("did you mean `{near}`?");
        } else if of.starts_with("unit")
            && value.bytes().all(|b| b.is_ascii_digit())
            && !value.is_empty()
        {
            help = format!("write {value}px");
        }
        let span = if span.is_empty() {
            attribute.name_span.clone()
        } else {
            span
        };
        self.report(
            "E223",
            span,
            format!("\"{value}\" is nothing that `{}` takes", attribute.name),
            help,
        );
    }

    /// Words between elements would be lost.
    fn loose_words(&mut self, span: &Range<usize>, open: &[Open]) {
        if open.last().is_some_and(|one| !one.known) {
            return;
        }
        let text = self.masked.text.get(span.clone()).unwrap_or_default();
        let lead = text.len() - text.trim_start().len();
        let words = text.trim();
        let place = span.start + lead..span.start + lead + words.len();
        // Tags between elements are told by the renderer, which knows what they are.
        if words.is_empty() || self.masked.has_hole(&place) {
            return;
        }
        self.report(
            "E222",
            place,
            "words between MJML elements would vanish".into(),
            "put them into mj-text".into(),
        );
    }
}

/// Whether an open element's end comes before that of what holds it.
fn closes_later(parts: &[Part], element: &str, holder: Option<&str>) -> bool {
    let mut depth = 1_usize;
    for part in parts {
        let Part::Tag(tag) = part else {
            continue;
        };
        if tag.closing && Some(tag.name.as_str()) == holder {
            return false;
        }
        if tag.name == element && !tag.closed {
            if !tag.closing {
                depth += 1;
            } else if depth == 1 {
                return true;
            } else {
                depth -= 1;
            }
        }
    }
    false
}

fn either(places: &[&str]) -> String {
    match places.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests;
