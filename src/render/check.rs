//! Walks a mail's programs with the types of the names that its step knows: what is
//! there, what may be empty, what can be printed as it is. What passes here can fail at
//! send only for values that are missing although they should be there.

mod call;
mod path;

use super::functions::{Function, Signature};
use super::languages::DateStyle;
use super::program::{Call, Expr, From, Node, Path, Place, Program};
use super::reads::reads;
use super::strings::Shelf;
use crate::model::diagnostic::Diagnostic;
use crate::model::kind::Kind;
use crate::model::names::{self, Field, IN_MAILS, Known, SHARED, Type};
use crate::model::nearest::nearest;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The names that the shop's files give to each partial, by the partial's name.
pub type Given = BTreeMap<String, BTreeSet<String>>;

/// Most parts of a mail that one check walks through, partials included.
const MAX_CHECKED: u32 = 100_000;

/// What `complement` gives.
const COMPLEMENT: &[Field] = &[
    Field {
        name: "product_id",
        of: Type::Text,
        optional: false,
        says: "The shop's id of the product.",
    },
    Field {
        name: "title",
        of: Type::Text,
        optional: false,
        says: "The name, in the reader's language.",
    },
    Field {
        name: "product_url",
        of: Type::Text,
        optional: true,
        says: "Its page in the shop.",
    },
    Field {
        name: "image_url",
        of: Type::Text,
        optional: true,
        says: "A picture.",
    },
    Field {
        name: "price",
        of: Type::Money,
        optional: true,
        says: "The price in the order's currency.",
    },
];

/// How the message on a value begins that a partial never reads.
const UNREAD: &str = "this partial reads no ";
/// Where partials are.
const PARTIALS: &str = "templates/partials/";
/// Mails that give a partial the same name; more of them are right, and the partial is
/// wrong.
const MISTAKEN: usize = 3;

/// Of a value that a partial is given under one name and reads under another, keeps the
/// problem that stands where the slip was made: in the mail, or, where many mails agree,
/// in the partial.
pub fn settle_values(problems: &mut Vec<Diagnostic>) {
    let mut given: std::collections::BTreeMap<String, BTreeSet<String>> = Default::default();
    let mut meant = BTreeSet::new();
    for one in problems
        .iter()
        .filter(|one| one.message.starts_with(UNREAD))
    {
        let mail = one.file.split('.').next().unwrap_or_default().to_owned();
        given.entry(one.message.clone()).or_default().insert(mail);
    }
    let many = |message: &str| {
        given
            .get(message)
            .is_some_and(|mails| mails.len() > MISTAKEN)
    };
    for one in problems.iter() {
        if one.message.starts_with(UNREAD) && !many(&one.message) {
            let near = one
                .help
                .first()
                .and_then(|help| help.strip_prefix("did you mean "));
            meant.extend(near.map(|near| format!("{} does not exist", near.trim_end_matches('?'))));
        }
    }
    problems.retain(|one| {
        let in_partial = one.file.starts_with(PARTIALS);
        !(many(&one.message) || in_partial && meant.contains(&one.message))
    });
}

/// One check of one mail in one language.
pub struct Checker<'c> {
    pub known: &'c Known,
    pub kind: Kind,
    /// Where `{{t}}` finds its words.
    pub strings: Shelf<'c>,
    pub path: &'c dyn Fn(u16) -> String,
    /// Whether subject and preheader exist yet.
    pub heads: bool,
    /// What partials are given anywhere.
    pub given: Option<&'c Given>,
    pub problems: &'c mut Vec<Diagnostic>,
    /// Names that were printed or asked for, in full.
    pub used: BTreeSet<String>,
    /// Whether this is a page and no mail.
    page: bool,
    guards: Vec<String>,
    steps: u32,
    scopes: usize,
}

/// What a value is, as far as files can tell.
#[derive(Clone)]
struct Found {
    of: Shape,
    /// What may be empty on the way to it, as written.
    maybe: bool,
    /// Its full name, by which a guard is recognised.
    full: String,
}

#[derive(Clone, Copy)]
enum Shape {
    /// The mail's names themselves.
    Root,
    Of(Type),
}

struct Scope<'s> {
    parent: Option<&'s Scope<'s>>,
    this: Found,
    level: bool,
    turn: bool,
    names: Vec<(String, Found)>,
    /// The partial whose inside this is, and where it is printed.
    partial: Option<(&'s str, Place)>,
}

impl<'c> Checker<'c> {
    /// A check of a mail of `kind` in a step that knows `known`.
    pub fn new(
        known: &'c Known,
        kind: Kind,
        strings: Shelf<'c>,
        path: &'c dyn Fn(u16) -> String,
        problems: &'c mut Vec<Diagnostic>,
    ) -> Self {
        Checker {
            known,
            kind,
            strings,
            path,
            heads: false,
            given: None,
            problems,
            used: BTreeSet::new(),
            page: false,
            guards: Vec::new(),
            steps: 0,
            scopes: 0,
        }
    }

    /// Checks a program.
    pub fn check(&mut self, program: &Program) {
        self.check_in(program, Shape::Root);
    }

    /// Checks the program of a page, which sees other names than a mail.
    pub fn check_page(&mut self, program: &Program) {
        self.page = true;
        self.check_in(program, Shape::Of(Type::Object(names::IN_PAGES)));
        self.page = false;
    }

    fn check_in(&mut self, program: &Program, of: Shape) {
        let root = Scope {
            parent: None,
            this: Found {
                of,
                maybe: false,
                full: String::new(),
            },
            level: true,
            turn: false,
            names: Vec::new(),
            partial: None,
        };
        self.nodes(&program.nodes, &root);
    }

    fn report(&mut self, code: &'static str, place: Place, message: String, help: Option<String>) {
        let mut problem = Diagnostic::new(code, (self.path)(place.file), place.span(), message);
        if let Some(help) = help {
            problem = problem.help(help);
        }
        self.problems.push(problem);
    }

    fn nodes(&mut self, nodes: &[Node], scope: &Scope<'_>) {
        for node in nodes {
            self.steps += 1;
            if self.steps > MAX_CHECKED {
                return;
            }
            match node {
                Node::Text(_) => {}
                Node::Print { value, place, .. } => self.printed(value, *place, scope),
                Node::Show { shows, place } => {
                    if !self.heads && !self.page {
                        self.report(
                            "E209",
                            *place,
                            format!("{{{{{}}}}} is a part of the page and cannot stand in the head", shows.call.name),
                            Some("a subject is one line: {{list order.items}} names things in a sentence".into()),
                        );
                    }
                    self.call(&shows.call, scope);
                }
                Node::If {
                    test,
                    negate,
                    then,
                    other,
                } => {
                    self.infer(test, scope);
                    self.guarded(test, !*negate, then, scope);
                    self.guarded(test, *negate, other, scope);
                }
                Node::Each {
                    list,
                    names,
                    body,
                    other,
                    place,
                } => {
                    let element = self.element(list, *place, scope);
                    self.scopes += 1;
                    let this = Found {
                        of: Shape::Of(element),
                        maybe: false,
                        full: format!("#{}", self.scopes),
                    };
                    let index = Found {
                        of: Shape::Of(Type::Int),
                        maybe: false,
                        full: format!("#{}@", self.scopes),
                    };
                    let inner = Scope {
                        parent: Some(scope),
                        level: true,
                        turn: true,
                        names: names.iter().cloned().zip([this.clone(), index]).collect(),
                        partial: None,
                        this,
                    };
                    self.nodes(body, &inner);
                    self.nodes(other, scope);
                }
                Node::With {
                    value,
                    names,
                    body,
                    other,
                } => {
                    let found = self.infer(value, scope);
                    let this = found.unwrap_or_else(anything);
                    let this = Found {
                        maybe: false,
                        ..this
                    };
                    let inner = Scope {
                        parent: Some(scope),
                        level: true,
                        turn: false,
                        names: names
                            .first()
                            .cloned()
                            .map(|name| (name, this.clone()))
                            .into_iter()
                            .collect(),
                        partial: None,
                        this,
                    };
                    let before = self.guards.len();
                    self.guards.extend(self.presence(value, true, scope));
                    self.nodes(body, &inner);
                    self.guards.truncate(before);
                    self.nodes(other, scope);
                }
                Node::Partial {
                    name: partial,
                    body,
                    context,
                    hash,
                    place,
                } => {
                    let reads = reads(body);
                    let this = context
                        .as_ref()
                        .map(|of| self.infer(of, scope).unwrap_or_else(anything));
                    let mut names = Vec::new();
                    for (name, value) in hash {
                        names.push((
                            name.clone(),
                            self.infer(value, scope).unwrap_or_else(anything),
                        ));
                        if !reads.contains(name.as_str()) {
                            self.unread(name, &reads, hash, *place);
                        }
                    }
                    let inner = Scope {
                        parent: Some(scope),
                        level: this.is_some(),
                        turn: false,
                        names,
                        partial: Some((partial, *place)),
                        this: this.unwrap_or_else(|| scope.this.clone()),
                    };
                    self.nodes(body, &inner);
                }
            }
        }
    }

    /// Reports a value that a partial is given and never reads; [`settle_values`] weighs it
    /// against what the partial reads and was not given.
    fn unread(
        &mut self,
        name: &str,
        reads: &BTreeSet<&str>,
        given: &[(String, Expr)],
        place: Place,
    ) {
        let open: Vec<&str> = reads
            .iter()
            .copied()
            .filter(|read| self.top(read).is_none() && given.iter().all(|(had, _)| had != read))
            .collect();
        let near = nearest(name, open.iter().copied());
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None if open.is_empty() => "take it out: it changes nothing".to_owned(),
            None => format!("it reads {}", open.join(", ")),
        };
        self.report("E205", place, format!("{UNREAD}`{name}`"), Some(help));
    }

    fn guarded(&mut self, test: &Expr, positive: bool, nodes: &[Node], scope: &Scope<'_>) {
        let before = self.guards.len();
        self.guards.extend(self.presence(test, positive, scope));
        self.nodes(nodes, scope);
        self.guards.truncate(before);
    }

    /// The names that are there if a test came out `positive`.
    fn presence(&self, test: &Expr, positive: bool, scope: &Scope<'_>) -> Vec<String> {
        match test {
            Expr::Path(path) if positive => self.full(path, scope).into_iter().collect(),
            Expr::Path(_) | Expr::Literal(_) => Vec::new(),
            Expr::Call(call) => match Function::named(&call.name) {
                Some(Function::And) if positive => call
                    .params
                    .iter()
                    .flat_map(|one| self.presence(one, true, scope))
                    .collect(),
                Some(Function::Or) if !positive => call
                    .params
                    .iter()
                    .flat_map(|one| self.presence(one, false, scope))
                    .collect(),
                // What equals a text or a number is there.
                Some(Function::Eq) if positive && call.params.iter().any(is_something) => call
                    .params
                    .iter()
                    .flat_map(|one| self.presence(one, true, scope))
                    .collect(),
                Some(Function::Not) => call
                    .params
                    .iter()
                    .flat_map(|one| self.presence(one, !positive, scope))
                    .collect(),
                Some(Function::Len) if positive => call
                    .params
                    .iter()
                    .flat_map(|one| self.presence(one, true, scope))
                    .collect(),
                _ => Vec::new(),
            },
        }
    }

    fn full(&self, path: &Path, scope: &Scope<'_>) -> Option<String> {
        let (found, rest) = start(path, scope)?;
        Some(join(&found.full, rest))
    }

    /// The type of the elements of a list, or a report that it is none.
    fn element(&mut self, list: &Expr, place: Place, scope: &Scope<'_>) -> Type {
        match self.infer(list, scope).map(|found| found.of) {
            Some(Shape::Of(Type::List(element))) => *element,
            Some(Shape::Of(Type::Any)) | None => Type::Any,
            Some(_) => {
                self.report(
                    "E204",
                    place,
                    format!("`{}` is no list", name_of(list)),
                    Some("{{#each}} goes through a list, such as order.items; for one thing write {{#with …}} or {{#if …}}".into()),
                );
                Type::Any
            }
        }
    }

    /// A value that is printed as it is.
    fn printed(&mut self, value: &Expr, place: Place, scope: &Scope<'_>) {
        let Some(found) = self.infer(value, scope) else {
            return;
        };
        let name = name_of(value);
        let problem = match found.of {
            Shape::Of(Type::Text | Type::Int | Type::Any) => None,
            Shape::Of(Type::Instant) => {
                Some(("an instant", format!("write {{{{date {name} \"long\"}}}}")))
            }
            Shape::Of(Type::Money) => {
                Some(("an amount of money", format!("write {{{{money {name}}}}}")))
            }
            Shape::Of(Type::Bool) => Some((
                "yes or no",
                format!("ask with {{{{#if {name}}}}} … {{{{/if}}}}"),
            )),
            Shape::Of(Type::List(_)) => Some((
                "a list",
                format!("write {{{{items {name}}}}}, or {{{{#each {name}}}}} … {{{{/each}}}}"),
            )),
            Shape::Of(Type::Object(_)) | Shape::Root => {
                Some(("a group of names", "print one of its fields".to_owned()))
            }
        };
        let at = value.place().unwrap_or(place);
        match problem {
            Some((what, help)) => self.report(
                "E204",
                at,
                format!("`{name}` is {what} and cannot be printed as it is"),
                Some(help),
            ),
            None => self.must_be_there(value, &found, at),
        }
    }

    fn must_be_there(&mut self, value: &Expr, found: &Found, place: Place) {
        if !found.maybe {
            return;
        }
        let name = name_of(value);
        let plain =
            matches!(value, Expr::Path(_)) && matches!(found.of, Shape::Of(Type::Text | Type::Int));
        let help = if plain {
            format!(
                "write {{{{default {name} \"…\"}}}}, or put it inside {{{{#if {name}}}}} … {{{{/if}}}}"
            )
        } else {
            format!("put it inside {{{{#if {name}}}}} … {{{{/if}}}}")
        };
        self.report(
            "E201",
            place,
            format!("`{name}` may be empty here"),
            Some(help),
        );
    }

    fn infer(&mut self, expr: &Expr, scope: &Scope<'_>) -> Option<Found> {
        match expr {
            Expr::Literal(value) => Some(Found {
                of: Shape::Of(match value {
                    Value::String(_) => Type::Text,
                    Value::Number(_) => Type::Int,
                    Value::Bool(_) => Type::Bool,
                    _ => Type::Any,
                }),
                maybe: value.is_null(),
                full: String::new(),
            }),
            Expr::Path(path) => self.path(path, scope),
            Expr::Call(call) => {
                if Function::named(&call.name).is_none()
                    && call.params.is_empty()
                    && call.hash.is_empty()
                {
                    return self.path(&Path::parse(&call.name, call.place), scope);
                }
                self.call(call, scope)
            }
        }
    }
}

/// Whether it is a text or a number as written.
fn is_something(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(Value::String(text)) if !text.is_empty())
        || matches!(expr, Expr::Literal(Value::Number(_)))
}

fn value_is_style(function: Function, value: &Expr) -> bool {
    matches!(function, Function::Date | Function::List) && matches!(value, Expr::Literal(_))
}

fn words(sort: &str) -> &str {
    match sort {
        "int" => "a whole number",
        "bool" => "yes or no",
        "instant" => "an instant",
        "money" => "an amount of money",
        "list" => "a list",
        "group of names" => "a group of names",
        other => other,
    }
}

fn anything() -> Found {
    Found {
        of: Shape::Of(Type::Any),
        maybe: false,
        full: String::new(),
    }
}

fn name_of(expr: &Expr) -> String {
    match expr {
        Expr::Path(path) => path.raw.clone(),
        Expr::Call(call) => format!("({} …)", call.name),
        Expr::Literal(value) => value.to_string(),
    }
}

/// A name of `as |…|` or of a partial's values that was probably meant.
fn nearest_local(path: &Path, scope: &Scope<'_>) -> Option<String> {
    let first = path.segments.first().filter(|_| !path.explicit)?;
    let names = chain(scope).flat_map(|scope| scope.names.iter().map(|(name, _)| name.as_str()));
    let near = nearest(first, names).filter(|near| near != first)?;
    let rest = path.raw.get(first.len()..).unwrap_or_default();
    Some(format!("did you mean `{near}{rest}`?"))
}

fn join(full: &str, rest: &[String]) -> String {
    let mut joined = full.to_owned();
    for segment in rest {
        if !joined.is_empty() {
            joined.push('.');
        }
        joined.push_str(segment);
    }
    joined
}

fn chain<'s>(scope: &'s Scope<'s>) -> impl Iterator<Item = &'s Scope<'s>> {
    std::iter::successors(Some(scope), |scope| scope.parent)
}

/// Where a path sets out, and what is left of it; the twin of what rendering does.
fn start<'p>(path: &'p Path, scope: &Scope<'_>) -> Option<(Found, &'p [String])> {
    match path.from {
        From::Local(_) => None,
        From::Root => {
            let root = chain(scope).last()?;
            Some((root.this.clone(), &path.segments))
        }
        From::Up(up) => {
            if !path.explicit
                && let Some(first) = path.segments.first()
                && let Some((_, found)) = chain(scope)
                    .flat_map(|scope| &scope.names)
                    .find(|(name, _)| name == first)
            {
                return Some((found.clone(), &path.segments[1..]));
            }
            let mut at = scope;
            let mut left = up;
            while left > 0 || !at.level {
                if at.level {
                    left -= 1;
                }
                at = at.parent?;
            }
            Some((at.this.clone(), &path.segments))
        }
    }
}
