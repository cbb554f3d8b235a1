//! One tag read: its parts, each with its place, or why it is none.

use super::{Sort, Tag, plain};
use crate::render::foreign::{self, Refusal, refusal};
use crate::render::program::{Call, Expr, Path, Place};
use handlebars::Template;
use handlebars::template::{BlockParam, HelperTemplate, Parameter, TemplateElement};

/// Parses one tag.
pub(super) fn read(text: &str, place: Place) -> Result<Tag, Refusal> {
    let refuse = |message: &str, help: &str| -> Result<Tag, Refusal> {
        Err(Refusal {
            code: foreign::TORN,
            message: message.to_owned(),
            help: (!help.is_empty()).then(|| help.to_owned()),
        })
    };
    let foreign =
        |message: &str, help: &str| -> Result<Tag, Refusal> { Err(refusal(message, help)) };
    if text.starts_with("{{!") {
        return Ok(plain(Sort::Comment, place));
    }
    if text.starts_with("{{{{") {
        return foreign(
            "raw blocks are not part of mails",
            "write \\{{ to print two braces",
        );
    }
    let raw = text.starts_with("{{{");
    let inside = text.trim_matches(|c| c == '{' || c == '}');
    let trims = (inside.starts_with('~'), inside.ends_with('~'));
    let inside = inside.trim_matches('~').trim();
    let mut tag = plain(if raw { Sort::Raw } else { Sort::Value }, place);
    tag.trims = trims;
    if inside.is_empty() {
        return refuse(
            "this tag is empty",
            "write a name between its braces, such as {{item.title}}, or take it out",
        );
    }
    if inside
        .chars()
        .any(|c| matches!(c, '“' | '”' | '„' | '‘' | '’' | '«' | '»'))
        && !inside.contains('"')
    {
        return refuse(
            "the quotes in this tag are typographic",
            "inside {{ }} write straight quotes: \"…\"",
        );
    }
    let nested = |pair: (char, char)| {
        let mut depth = 0_usize;
        inside.chars().fold(0, |most, c| {
            if c == pair.0 {
                depth += 1;
            } else if c == pair.1 {
                depth = depth.saturating_sub(1);
            }
            most.max(depth)
        })
    };
    // The grammar recurses on these, so bound them before it sees them.
    if [('(', ')'), ('[', ']'), ('{', '}')]
        .into_iter()
        .any(|pair| nested(pair) > 8)
    {
        return refuse("brackets are nested deeper than 8", "");
    }
    if let Some(refusal) = foreign::inside(inside) {
        return Err(refusal);
    }
    let mut chars = inside.chars();
    match chars.next() {
        Some('#') => {
            let rest = chars.as_str().trim_start();
            if rest.starts_with('*') {
                return foreign(
                    "inline partials are not part of mails",
                    "put it into templates/partials/NAME.hbs",
                );
            }
            if rest.starts_with('>') {
                return foreign(
                    "partials with a block are not part of mails",
                    "give the partial named values: {{> name key=\"…\"}}",
                );
            }
            tag.sort = Sort::Open;
            tag.name = word(rest).to_owned();
        }
        Some('/') => {
            let rest = chars.as_str().trim();
            if rest.is_empty() || word(rest) != rest {
                return refuse("a closing tag holds the name of its block, and no more", "");
            }
            tag.sort = Sort::Close;
            tag.name = rest.to_owned();
            return Ok(tag);
        }
        Some('>') => {
            if chars.as_str().trim_start().starts_with('(') {
                return foreign(
                    "a partial must be named, not computed",
                    "use {{#if}} around two partials",
                );
            }
            tag.sort = Sort::Partial;
        }
        Some('*') => {
            return foreign(
                "decorators are not part of mails",
                "put what it sets into the partial's values: {{> name key=\"…\"}}",
            );
        }
        Some('&') => {
            return foreign(
                "{{& }} prints without escaping, which is not part of mails",
                "write {{ }}",
            );
        }
        Some('^') => {
            if inside != "^" {
                let name = chars.as_str().trim();
                return foreign(
                    "{{^ }} sections are not understood",
                    &format!("write {{{{#unless {name}}}}} … {{{{/unless}}}}"),
                );
            }
            tag.sort = Sort::Else;
            return Ok(tag);
        }
        _ if inside == "else" => {
            tag.sort = Sort::Else;
            return Ok(tag);
        }
        _ if inside.starts_with("else ") => {
            tag.sort = Sort::Else;
            tag.name = word(inside[5..].trim_start()).to_owned();
        }
        _ => {}
    }
    // Each tag is compiled alone, so that what is wrong is known to be in it.
    let alone = match tag.sort {
        Sort::Open => format!("{{{{{inside}}}}}{{{{/{}}}}}", tag.name),
        Sort::Else => format!("{{{{#{}}}}}{{{{/{}}}}}", inside[5..].trim_start(), tag.name),
        _ => format!("{{{{{inside}}}}}"),
    };
    let compiled = Template::compile(&alone).ok();
    let element = compiled.and_then(|template| template.elements.into_iter().next());
    match element {
        Some(
            TemplateElement::Expression(helper)
            | TemplateElement::HtmlExpression(helper)
            | TemplateElement::HelperBlock(helper),
        ) => {
            tag.block_params = block_params(&helper);
            let HelperTemplate {
                name, params, hash, ..
            } = *helper;
            let head = match name {
                Parameter::Name(name) => name,
                Parameter::Path(
                    handlebars::Path::Relative((_, raw)) | handlebars::Path::Local((_, _, raw)),
                ) => raw,
                other => {
                    tag.call.params = vec![argument(&other, place, text)];
                    return Ok(tag);
                }
            };
            tag.name.clone_from(&head);
            tag.call = call(head, &params, hash.iter(), place, text);
            if tag.call.params.is_empty() && tag.call.hash.is_empty() {
                tag.call.place = within(place, text, &tag.name);
            }
            Ok(tag)
        }
        Some(TemplateElement::PartialExpression(partial)) => {
            let name = partial
                .name
                .as_name()
                .unwrap_or_default()
                .trim_matches(['\'', '[', ']']);
            tag.name = name.to_owned();
            tag.call = call(
                name.to_owned(),
                &partial.params,
                partial.hash.iter(),
                place,
                text,
            );
            Ok(tag)
        }
        _ => Err(Refusal {
            code: foreign::TORN,
            message: "this tag cannot be read".to_owned(),
            help: Some(hint(inside).to_owned()),
        }),
    }
}

/// What is most likely wrong with a tag that the grammar refuses.
fn hint(inside: &str) -> &'static str {
    if inside.contains("==") || inside.contains("!=") {
        "compare with a helper: {{#if (eq a \"b\")}}, (ne a b), (gt a b)"
    } else if inside.contains("&&") || inside.contains("||") || inside.contains(" !") {
        "combine with helpers: (and a b), (or a b), (not a)"
    } else if inside.matches('(').count() != inside.matches(')').count() {
        "a bracket is missing"
    } else if inside.contains('+') || inside.contains('*') {
        "mails do not calculate"
    } else if inside.contains(',') {
        "values after a helper are separated by spaces, without commas"
    } else {
        "a tag is {{name}}, {{helper value \"text\" key=value}} or {{#if value}} … {{/if}}"
    }
}

pub(super) fn word(text: &str) -> &str {
    let end = text
        .find(|c: char| c.is_whitespace() || matches!(c, '}' | '~' | '(' | '|'))
        .unwrap_or(text.len());
    &text[..end]
}

fn block_params(helper: &HelperTemplate) -> Vec<String> {
    let name = |parameter: &Parameter| parameter.as_name().unwrap_or_default().to_owned();
    match &helper.block_param {
        None => Vec::new(),
        Some(BlockParam::Single(one)) => vec![name(one)],
        Some(BlockParam::Pair((one, two))) => vec![name(one), name(two)],
        Some(_) => Vec::new(),
    }
}

fn call<'a>(
    name: String,
    params: &[Parameter],
    hash: impl Iterator<Item = (&'a String, &'a Parameter)>,
    place: Place,
    text: &str,
) -> Call {
    let mut hash: Vec<(String, Expr)> = hash
        .map(|(key, value)| (key.clone(), argument(value, place, text)))
        .collect();
    hash.sort_by(|a, b| a.0.cmp(&b.0));
    Call {
        name,
        params: params.iter().map(|p| argument(p, place, text)).collect(),
        hash,
        place,
    }
}

fn argument(parameter: &Parameter, place: Place, text: &str) -> Expr {
    match parameter {
        Parameter::Literal(value) => Expr::Literal(value.clone()),
        Parameter::Subexpression(sub) => Expr::Call(Box::new(match sub.as_element() {
            TemplateElement::Expression(helper) => {
                let name = helper.name.as_name().unwrap_or_default().to_owned();
                let mut call = call(name, &helper.params, helper.hash.iter(), place, text);
                call.place = bracket(place, text, &call.name);
                call
            }
            _ => call(String::new(), &[], std::iter::empty(), place, text),
        })),
        Parameter::Name(raw)
        | Parameter::Path(
            handlebars::Path::Relative((_, raw)) | handlebars::Path::Local((_, _, raw)),
        ) => Expr::Path(Path::parse(raw, within(place, text, raw))),
        // The grammar may grow; what it adds is refused as a name that does not exist.
        _ => Expr::Path(Path::parse("?", place)),
    }
}

/// The place of a path inside its tag: the first time it stands there as a word, not in
/// quotes, not as the name of a value (`name=…`), and behind the helper's name where it
/// is one of several words.
pub fn within(place: Place, text: &str, raw: &str) -> Place {
    let bytes = text.as_bytes();
    let part = |at: Option<&u8>| {
        at.is_some_and(|b| {
            b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'/' | b'@' | b'-')
        })
    };
    let mut found = None;
    for (at, _) in text.match_indices(raw) {
        let (before, after) = (
            at.checked_sub(1).and_then(|at| bytes.get(at)),
            at + raw.len(),
        );
        let closing = text[..at].ends_with("{{/");
        if (part(before) && !closing) || part(bytes.get(after)) || bytes.get(after) == Some(&b'=') {
            continue;
        }
        let quotes = |quote: u8| bytes[..at].iter().filter(|b| **b == quote).count() % 2 == 1;
        if quotes(b'"') || quotes(b'\'') {
            continue;
        }
        found.get_or_insert(at);
        // The first word of several is the helper's or the block's name.
        let head = text[..at]
            .trim_end()
            .ends_with(['{', '~', '#', '(', '>', '^']);
        if !head || !bytes.get(after).is_some_and(u8::is_ascii_whitespace) {
            found = Some(at);
            break;
        }
    }
    match found.or_else(|| text.find(raw)) {
        Some(at) => Place::new(
            place.file,
            place.start as usize + at..place.start as usize + at + raw.len(),
        ),
        None => place,
    }
}

/// The place of a helper in brackets inside its tag.
fn bracket(place: Place, text: &str, name: &str) -> Place {
    let mut from = 0;
    while let Some(at) = text[from..].find('(').map(|at| from + at) {
        let inner = &text[at + 1..];
        let lead = inner.len() - inner.trim_start().len();
        if word(inner.trim_start()) == name && !name.is_empty() {
            let start = place.start as usize + at + 1 + lead;
            return Place::new(place.file, start..start + name.len());
        }
        from = at + 1;
    }
    place
}

impl Tag {
    /// Whether it stands for a part of the page by itself when alone on its line.
    pub fn is_block(&self) -> bool {
        match self.sort {
            Sort::Open | Sort::Else | Sort::Close | Sort::Partial | Sort::Comment => true,
            Sort::Value => self.name == "items",
            Sort::Raw => true,
            Sort::Braces => false,
        }
    }
}
