//! One Fluent file to a [`Catalogue`]: its entries as meant, and what is wrong with
//! each, at its line and column. A faulty entry is left out; the others stand.

use super::{Catalogue, Entry, Given, Key, Part, Pattern, Selector};
use crate::model::diagnostic::Diagnostic;
use crate::render::html::is_stray;
use fluent_syntax::ast::{self, Expression, InlineExpression, PatternElement, VariantKey};
use fluent_syntax::parser::{self, ErrorKind, ParserError};
use std::ops::Range;

/// The catalogue of a file.
pub fn read(file: &str, text: &str, problems: &mut Vec<Diagnostic>) -> Catalogue {
    let (resource, errors) = match parser::parse(text) {
        Ok(resource) => (resource, Vec::new()),
        Err(partial) => partial,
    };
    problems.extend(errors.iter().map(|error| broken(file, text, error)));
    let mut reading = Reading {
        file,
        text,
        problems,
    };
    let mut found = Catalogue {
        file: file.to_owned(),
        ..Catalogue::default()
    };
    for entry in &resource.body {
        match entry {
            ast::Entry::Message(message) => {
                let span = reading.span(message.id.name);
                for attribute in &message.attributes {
                    let span = reading.span(attribute.id.name);
                    reading.problem(
                        "E266",
                        span,
                        format!("nothing prints the attribute `.{}` of a message", attribute.id.name),
                        "write it as a message of its own; attributes are for terms, where selectors ask for them",
                    );
                }
                let Some(value) = &message.value else {
                    continue;
                };
                let pattern = reading.pattern(value);
                let entry = Entry {
                    span: span.clone(),
                    pattern,
                    ..Entry::default()
                };
                if let Some(had) = found.messages.insert(message.id.name.to_owned(), entry) {
                    reading.twice(message.id.name, span, had.span);
                }
            }
            ast::Entry::Term(term) => {
                let span = reading.span(term.id.name);
                let entry = Entry {
                    span: span.clone(),
                    pattern: reading.pattern(&term.value),
                    attributes: term
                        .attributes
                        .iter()
                        .map(|one| (one.id.name.to_owned(), reading.pattern(&one.value)))
                        .collect(),
                };
                if let Some(had) = found.terms.insert(term.id.name.to_owned(), entry) {
                    reading.twice(term.id.name, span, had.span);
                }
            }
            _ => {}
        }
    }
    found
}

/// A syntax error in words of the field.
fn broken(file: &str, text: &str, error: &ParserError) -> Diagnostic {
    let clip = |at: usize| {
        (0..=at.min(text.len()))
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(0)
    };
    let start = clip(error.pos.start);
    let end = text[start..]
        .chars()
        .next()
        .map_or(start, |c| clip(error.pos.end).max(start + c.len_utf8()));
    let mut span = start..end.min(text.len());
    let line = {
        let from = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let to = text[start..].find('\n').map_or(text.len(), |at| start + at);
        from..to
    };
    let (code, message, help) = match &error.kind {
        ErrorKind::MissingDefaultVariant => (
            "E261",
            "this choice has no default".to_owned(),
            "mark the variant for everything else with a star: *[other] …; without it some reader gets no words at all",
        ),
        ErrorKind::MultipleDefaultVariants => (
            "E261",
            "this choice has two defaults".to_owned(),
            "leave the star before one variant only",
        ),
        ErrorKind::MissingValue
        | ErrorKind::ExpectedMessageField { .. }
        | ErrorKind::ExpectedTermField { .. } => (
            "E260",
            "this name has no words".to_owned(),
            "write name = Words; longer texts go on in lines that begin with spaces",
        ),
        ErrorKind::ExpectedToken('=') => {
            span = line;
            (
                "E260",
                "this line is no text: a name and `=` were expected".to_owned(),
                "write name = Words; names have letters, digits, - and _ only; lines that go on begin with spaces; remarks begin with #",
            )
        }
        ErrorKind::ExpectedCharRange { .. } => {
            span = line;
            (
                "E260",
                "no text begins like this".to_owned(),
                "write name = Words; names begin with a letter, remarks with #",
            )
        }
        ErrorKind::ExpectedToken('}') | ErrorKind::ExpectedInlineExpression => (
            "E260",
            "this bracket is not closed, or holds nothing that can be printed".to_owned(),
            "write { $name } for an argument, { other-text } for another text, {\"{\"} for the bracket itself",
        ),
        ErrorKind::UnbalancedClosingBrace => (
            "E260",
            "this bracket closes nothing".to_owned(),
            "write {\"}\"} for the bracket itself",
        ),
        ErrorKind::ExpectedToken(c) => (
            "E260",
            format!("`{c}` was expected here"),
            "a choice is { $n -> [one] … *[other] … }, each variant on a line of its own",
        ),
        ErrorKind::UnterminatedStringLiteral => (
            "E260",
            "these quotes are not closed".to_owned(),
            "quotes inside { } are straight and in pairs",
        ),
        ErrorKind::ForbiddenCallee => (
            "E266",
            "this cannot be called".to_owned(),
            "there is NUMBER($n, type: \"ordinal\"), for choices; dates and money are made by the template: {{t \"…\" on=(date item.delivered_at)}}",
        ),
        ErrorKind::MessageReferenceAsSelector | ErrorKind::MessageAttributeAsSelector => (
            "E266",
            "a choice cannot depend on another text".to_owned(),
            "let it depend on an argument ($n), or on an attribute of a term (-term.gender)",
        ),
        ErrorKind::TermReferenceAsSelector => (
            "E266",
            "a choice cannot depend on a term's words".to_owned(),
            "let it depend on an attribute of the term: -term.gender",
        ),
        ErrorKind::TermAttributeAsPlaceable => (
            "E266",
            "an attribute of a term is not printed".to_owned(),
            "attributes of terms are for choices: { -term.gender -> … }",
        ),
        ErrorKind::ExpectedSimpleExpressionAsSelector => (
            "E266",
            "a choice cannot depend on this".to_owned(),
            "let it depend on an argument ($n), or on an attribute of a term (-term.gender)",
        ),
        other => ("E260", lower(&other.to_string()), ""),
    };
    let problem = Diagnostic::new(code, file, span, message);
    if help.is_empty() {
        problem
    } else {
        problem.help(help)
    }
}

fn lower(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(chars).collect()
    })
}

struct Reading<'r> {
    file: &'r str,
    text: &'r str,
    problems: &'r mut Vec<Diagnostic>,
}

impl Reading<'_> {
    /// Where a part of the text stands in it.
    fn span(&self, part: &str) -> Range<usize> {
        let start = (part.as_ptr() as usize)
            .saturating_sub(self.text.as_ptr() as usize)
            .min(self.text.len());
        start..(start + part.len()).min(self.text.len())
    }

    fn problem(&mut self, code: &'static str, span: Range<usize>, message: String, help: &str) {
        self.problems
            .push(Diagnostic::new(code, self.file, span, message).help(help));
    }

    fn twice(&mut self, name: &str, span: Range<usize>, had: Range<usize>) {
        self.problems.push(
            Diagnostic::new(
                "E267",
                self.file,
                span,
                format!("`{name}` is written twice"),
            )
            .related(had, "here first")
            .help("readers would get the last one; give one of them another name, or take it out"),
        );
    }

    fn pattern(&mut self, pattern: &ast::Pattern<&str>) -> Pattern {
        let mut parts = Vec::with_capacity(pattern.elements.len());
        for element in &pattern.elements {
            match element {
                PatternElement::TextElement { value } => push_words(&mut parts, value),
                PatternElement::Placeable { expression } => self.expression(expression, &mut parts),
            }
        }
        parts
    }

    fn expression(&mut self, expression: &Expression<&str>, parts: &mut Pattern) {
        match expression {
            Expression::Inline(inline) => self.inline(inline, parts),
            Expression::Select { selector, variants } => {
                let Some((by, span)) = self.selector(selector) else {
                    return;
                };
                let default = variants.iter().position(|one| one.default).unwrap_or(0);
                let variants = variants
                    .iter()
                    .map(|one| {
                        let key = match &one.key {
                            VariantKey::Identifier { name } => Key::Word((*name).to_owned()),
                            VariantKey::NumberLiteral { value } => value
                                .parse()
                                .map_or_else(|_| Key::Word((*value).to_owned()), Key::Number),
                        };
                        (key, self.pattern(&one.value))
                    })
                    .collect();
                parts.push(Part::Select {
                    by,
                    variants,
                    default,
                    span,
                });
            }
        }
    }

    fn inline(&mut self, inline: &InlineExpression<&str>, parts: &mut Pattern) {
        match inline {
            InlineExpression::StringLiteral { value } => {
                push_words(
                    parts,
                    &fluent_syntax::unicode::unescape_unicode_to_string(value),
                );
            }
            InlineExpression::NumberLiteral { value } => match value.parse() {
                Ok(number) => parts.push(Part::Number(number)),
                Err(_) => push_words(parts, value),
            },
            InlineExpression::VariableReference { id } => parts.push(Part::Argument {
                name: id.name.to_owned(),
            }),
            InlineExpression::MessageReference { id, attribute } => {
                if let Some(attribute) = attribute {
                    let span = self.span(attribute.name);
                    self.problem(
                        "E266",
                        span,
                        format!(
                            "the attribute `{}.{}` is not printed",
                            id.name, attribute.name
                        ),
                        "write it as a message of its own",
                    );
                    return;
                }
                parts.push(Part::Message {
                    name: id.name.to_owned(),
                    span: self.span(id.name),
                });
            }
            InlineExpression::TermReference { id, arguments, .. } => {
                let mut given = Vec::new();
                for one in arguments.iter().flat_map(|all| &all.named) {
                    given.push((
                        one.name.name.to_owned(),
                        match &one.value {
                            InlineExpression::NumberLiteral { value } => value
                                .parse()
                                .map_or_else(|_| Given::Text((*value).to_owned()), Given::Number),
                            InlineExpression::StringLiteral { value } => Given::Text(
                                fluent_syntax::unicode::unescape_unicode_to_string(value)
                                    .into_owned(),
                            ),
                            _ => continue,
                        },
                    ));
                }
                parts.push(Part::Term {
                    name: id.name.to_owned(),
                    given,
                    span: self.span(id.name),
                });
            }
            InlineExpression::FunctionReference { id, arguments } => {
                // A number is printed by the reader's language anyway.
                if let Some((name, _)) = self.number(id.name, arguments) {
                    parts.push(Part::Argument { name });
                }
            }
            InlineExpression::Placeable { expression } => self.expression(expression, parts),
        }
    }

    fn selector(&mut self, selector: &InlineExpression<&str>) -> Option<(Selector, Range<usize>)> {
        match selector {
            InlineExpression::VariableReference { id } => {
                let span = self.span(id.name);
                let by = Selector::Argument {
                    name: id.name.to_owned(),
                    ordinal: false,
                };
                Some((by, span))
            }
            InlineExpression::TermReference {
                id,
                attribute: Some(attribute),
                ..
            } => {
                let span = self.span(attribute.name);
                let by = Selector::Attribute {
                    term: id.name.to_owned(),
                    attribute: attribute.name.to_owned(),
                    span: span.clone(),
                };
                Some((by, span))
            }
            InlineExpression::FunctionReference { id, arguments } => {
                let span = self.span(id.name);
                let (name, ordinal) = self.number(id.name, arguments)?;
                let by = Selector::Argument { name, ordinal };
                Some((by, span))
            }
            InlineExpression::StringLiteral { value }
            | InlineExpression::NumberLiteral { value } => {
                let span = self.span(value);
                self.problem(
                    "E266",
                    span,
                    "this choice always comes out the same".to_owned(),
                    "let it depend on an argument ($n), or on an attribute of a term (-term.gender)",
                );
                None
            }
            _ => None,
        }
    }

    /// The argument of `NUMBER($n)`, and whether it counts places.
    fn number(
        &mut self,
        function: &str,
        arguments: &ast::CallArguments<&str>,
    ) -> Option<(String, bool)> {
        let span = self.span(function);
        let help = "there is NUMBER($n) and NUMBER($n, type: \"ordinal\"); dates and money are made by the template: {{t \"…\" on=(date item.delivered_at)}}";
        if function != "NUMBER" {
            self.problem(
                "E266",
                span,
                format!("there is no function {function}"),
                help,
            );
            return None;
        }
        let [InlineExpression::VariableReference { id }] = arguments.positional.as_slice() else {
            self.problem("E266", span, "NUMBER takes one argument".to_owned(), help);
            return None;
        };
        let mut ordinal = false;
        for one in &arguments.named {
            match (one.name.name, &one.value) {
                ("type", InlineExpression::StringLiteral { value: "ordinal" }) => ordinal = true,
                ("type", InlineExpression::StringLiteral { value: "cardinal" }) => {}
                (name, _) => {
                    let span = self.span(name);
                    self.problem(
                        "E266",
                        span,
                        format!("NUMBER cannot be told `{name}` like this"),
                        help,
                    );
                    return None;
                }
            }
        }
        Some((id.name.to_owned(), ordinal))
    }
}

fn push_words(parts: &mut Pattern, words: &str) {
    // Marks of direction are ours to set: one too many would turn the rest of the mail.
    let words: String = words.chars().filter(|c| !is_stray(*c)).collect();
    match parts.last_mut() {
        Some(Part::Words(had)) => had.push_str(&words),
        _ => parts.push(Part::Words(words)),
    }
}
