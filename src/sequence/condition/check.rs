//! Names and types of a parsed condition, checked before anything is evaluated: what a
//! condition may say is what [`names::SHARED`] promises to hold.

mod advice;
mod claims;
mod facts;
mod functions;
mod operation;

use super::claim::Claim;
use super::value::MONEY;
use super::{Problem, scan, words};
use crate::model::names::{self, Field, Known, Type, field};
use advice::{no_such_field, unknown};
use cel::common::ast::{Expr, IdedExpr, LiteralValue, SelectExpr, SourceInfo, operators};
use std::collections::BTreeSet;
use std::ops::Range;

/// How deep `exists`, `all` and `exists_one` may stand in one another. Two compare the
/// lines of an order with each other; more would be work that grows with the cube.
const MAX_LOOPS: usize = 2;

/// What the check found out.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
    pub(super) uses: BTreeSet<String>,
    pub(super) sent: Vec<(String, Range<usize>)>,
    pub(super) products: Vec<(String, Range<usize>)>,
    /// What it says; nothing where there are problems.
    pub(super) claim: Claim,
}

pub(super) fn check(text: &str, known: &Known, tree: &IdedExpr, source: &SourceInfo) -> Checked {
    let mut checker = Checker {
        text,
        known,
        source,
        scope: Vec::new(),
        guarded: Vec::new(),
        found: Checked {
            problems: Vec::new(),
            warnings: Vec::new(),
            uses: BTreeSet::new(),
            sent: Vec::new(),
            products: Vec::new(),
            claim: Claim::Always(true),
        },
    };
    checker.truth(tree);
    if checker.found.problems.is_empty() {
        checker.found.claim = checker.claim(tree);
    }
    checker.found
}

/// What is known of an expression's value.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Of(Type),
    Double,
    Duration,
    Null,
    /// A list written in the condition, by its first element.
    Literals(Option<Type>),
    /// Unknown, because a problem was already reported.
    Lost,
}

/// An expression's type, and its path where it may be null and nobody tested it.
#[derive(Debug, Clone)]
struct Seen {
    kind: Kind,
    path: Option<String>,
    nullable: bool,
}

impl Seen {
    fn of(of: Type) -> Seen {
        Seen::kind(Kind::Of(of))
    }
    fn kind(kind: Kind) -> Seen {
        Seen {
            kind,
            path: None,
            nullable: false,
        }
    }
    fn lost() -> Seen {
        Seen::kind(Kind::Lost)
    }
    fn is(&self, of: Type) -> bool {
        match self.kind {
            Kind::Lost => true,
            Kind::Of(Type::Any) => true,
            Kind::Of(had) => had == of,
            _ => false,
        }
    }
    fn words(&self) -> &'static str {
        match self.kind {
            Kind::Of(of) => words(of),
            Kind::Double => "a number with a fraction",
            Kind::Duration => "a length of time",
            Kind::Null => "null",
            Kind::Literals(_) => "a list",
            Kind::Lost => "anything",
        }
    }
}

/// A name that a loop binds.
struct Bound {
    name: String,
    of: Kind,
    /// The path of the list, for what the condition reads.
    path: Option<String>,
}

struct Checker<'a> {
    text: &'a str,
    known: &'a Known,
    source: &'a SourceInfo,
    scope: Vec<Bound>,
    /// Paths that are known not to be null here.
    guarded: Vec<BTreeSet<String>>,
    found: Checked,
}

impl Checker<'_> {
    fn problem(
        &mut self,
        code: &'static str,
        at: Range<usize>,
        message: impl Into<String>,
    ) -> &mut Problem {
        self.found.problems.push(Problem::new(code, at, message));
        let last = self.found.problems.len() - 1;
        &mut self.found.problems[last]
    }

    /// Where a node stands in the text: from its first name to its last.
    fn span(&self, node: &IdedExpr) -> Range<usize> {
        let (mut start, mut end) = self.own(node).unwrap_or((0, self.text.len()));
        let mut widen = |inner: Range<usize>| {
            start = start.min(inner.start);
            end = end.max(inner.end);
        };
        match &node.expr {
            Expr::Call(call) => {
                for part in call.target.iter().map(|b| &**b).chain(&call.args) {
                    widen(self.span(part));
                }
                if !is_operator(&call.func_name)
                    && let Some(close) = self.text.get(end..).and_then(|rest| rest.find(')'))
                {
                    end += close + 1;
                    if call.target.is_none()
                        && let Some(open) = self.text[..start.max(1)].rfind(call.func_name.as_str())
                        && self.text
                            [open + call.func_name.len()..start.max(open + call.func_name.len())]
                            .trim()
                            .trim_end_matches('(')
                            .is_empty()
                    {
                        start = open;
                    }
                }
            }
            Expr::Select(select) => {
                let inner = self.span(&select.operand);
                let from = inner.end.min(self.text.len());
                widen(inner);
                if let Some(field) = self.text[from..].find(select.field.as_str()) {
                    end = end.max(from + field + select.field.len());
                }
            }
            Expr::Comprehension(each) => {
                widen(self.span(&each.iter_range));
                widen(self.span(&each.loop_step));
                if let Some(close) = self.text.get(end..).and_then(|rest| rest.find(')')) {
                    end += close + 1;
                }
            }
            Expr::List(list) => list.elements.iter().for_each(|one| widen(self.span(one))),
            _ => {}
        }
        start..end
    }

    /// The place of a node's own token.
    fn own(&self, node: &IdedExpr) -> Option<(usize, usize)> {
        let (start, stop) = self.source.offset_for(node.id)?;
        let boundary = |at: usize| {
            (at..self.text.len())
                .find(|at| self.text.is_char_boundary(*at))
                .unwrap_or(self.text.len())
        };
        let start = boundary(usize::try_from(start).unwrap_or(0));
        let stop = boundary(usize::try_from(stop).unwrap_or(0).saturating_add(1));
        Some((start, stop.max(start)))
    }

    /// Checks an expression that must be true or false.
    fn truth(&mut self, node: &IdedExpr) {
        let seen = self.see(node);
        if seen.is(Type::Bool) {
            self.not_null(&seen, node);
        } else {
            let at = self.span(node);
            let problem = self.problem(
                "E132",
                at,
                format!("this is {}, not true or false", seen.words()),
            );
            problem.help.push(match seen.kind {
                Kind::Of(Type::Text) => "compare it: == \"…\"".to_owned(),
                Kind::Of(Type::Int) | Kind::Double => "compare it: > 0".to_owned(),
                Kind::Of(Type::List(_)) => "write size(…) > 0, or use exists()".to_owned(),
                _ => "compare it with something, or write != null".to_owned(),
            });
        }
    }

    /// Warns where a value may be null and is about to be used as if it were not.
    fn not_null(&mut self, seen: &Seen, node: &IdedExpr) {
        let Some(path) = seen.path.as_ref().filter(|_| seen.nullable) else {
            return;
        };
        if self.guarded.iter().any(|paths| paths.contains(path)) {
            return;
        }
        let at = self.span(node);
        self.found.warnings.push(
            Problem::new("W134", at, format!("`{path}` may be null here"))
                .help("where it is, this condition cannot be evaluated and no mail goes")
                .help(format!("write {path} != null && … before it")),
        );
    }

    fn see(&mut self, node: &IdedExpr) -> Seen {
        match &node.expr {
            Expr::Literal(literal) => Seen::kind(match literal {
                LiteralValue::Boolean(_) => Kind::Of(Type::Bool),
                LiteralValue::Int(_) | LiteralValue::UInt(_) => Kind::Of(Type::Int),
                LiteralValue::Double(_) => Kind::Double,
                LiteralValue::String(_) => Kind::Of(Type::Text),
                LiteralValue::Null => Kind::Null,
                LiteralValue::Bytes(_) => Kind::Lost,
            }),
            Expr::Ident(_) => self.name(node, &[]),
            Expr::Select(select) => self.select(node, select),
            Expr::Call(call) => self.call(node, call),
            Expr::List(list) => {
                let mut first = None;
                for element in &list.elements {
                    let seen = self.see(element);
                    if let (None, Kind::Of(of)) = (first, seen.kind) {
                        first = Some(of);
                    }
                }
                Seen::kind(Kind::Literals(first))
            }
            Expr::Comprehension(each) => self.each(node, each),
            Expr::Map(_) | Expr::Struct(_) => {
                let at = self.span(node);
                self.problem("E133", at, "objects cannot be written in a condition")
                    .help
                    .push("compare the fields one by one".to_owned());
                Seen::lost()
            }
            Expr::Unspecified => Seen::lost(),
        }
    }

    /// A name at the root of a path; `fields` are those selected on it, for messages.
    fn name(&mut self, node: &IdedExpr, fields: &[&str]) -> Seen {
        let Expr::Ident(name) = &node.expr else {
            return Seen::lost();
        };
        let name = if name == scan::RETURN { "return" } else { name };
        if let Some(bound) = self.scope.iter().rev().find(|bound| bound.name == name) {
            return Seen {
                kind: bound.of,
                path: Some(bound.name.clone()),
                nullable: false,
            };
        }
        if name == "now" {
            self.found.uses.insert("now".to_owned());
            return Seen::of(Type::Instant);
        }
        if self.known.has(name)
            && let Some(found) = field(names::SHARED, name)
        {
            self.found.uses.insert(name.to_owned());
            return Seen {
                kind: Kind::Of(found.of),
                path: Some(name.to_owned()),
                nullable: false,
            };
        }
        let mut whole = name.to_owned();
        for part in fields {
            whole.push('.');
            whole.push_str(part);
        }
        let start = self.span(node).start;
        let at = start..self.end_of_path(start, &whole);
        let problem = unknown(self.known, name, &whole, fields);
        self.found.problems.push(Problem { at, ..problem });
        Seen::lost()
    }

    /// The place after a path that starts at `start`, spaces allowed.
    fn end_of_path(&self, start: usize, path: &str) -> usize {
        let mut end = start;
        for part in path.split('.') {
            match self.text.get(end..).and_then(|rest| rest.find(part)) {
                Some(at) => end += at + part.len(),
                None => return end.max(start),
            }
        }
        end
    }

    fn select(&mut self, node: &IdedExpr, select: &SelectExpr) -> Seen {
        // The root of a plain path is reported with the whole path.
        let mut fields = vec![select.field.as_str()];
        let mut inner = &select.operand;
        while let Expr::Select(select) = &inner.expr {
            fields.insert(0, &select.field);
            inner = &select.operand;
        }
        let of = match &select.operand.expr {
            Expr::Ident(_) => self.name(&select.operand, &fields),
            Expr::Select(operand) if !operand.test => self.select(&select.operand, operand),
            _ => self.see(&select.operand),
        };
        if !select.test {
            self.not_null(&of, &select.operand);
        }
        let known: &'static [Field] = match of.kind {
            Kind::Of(Type::Object(known)) => known,
            Kind::Of(Type::Money) => MONEY,
            Kind::Of(Type::Any) => {
                let path = of.path.map(|path| format!("{path}.{}", select.field));
                self.used(path.as_deref());
                return if select.test {
                    Seen::of(Type::Bool)
                } else {
                    Seen {
                        kind: Kind::Of(Type::Any),
                        path,
                        nullable: true,
                    }
                };
            }
            Kind::Lost => return Seen::lost(),
            _ => {
                let at = self.span(node);
                let path = of.path.clone().unwrap_or_else(|| "this".to_owned());
                let is = of.words();
                let problem = self.problem(
                    "E131",
                    at,
                    format!("`{path}.{}` does not exist: `{path}` is {is}", select.field),
                );
                if let Kind::Of(Type::List(_)) = of.kind {
                    let one = path
                        .rsplit('.')
                        .next()
                        .map_or("x", |last| last.get(..1).unwrap_or("x"));
                    problem.help.push(format!(
                        "write {path}.exists({one}, {one}.{})",
                        select.field
                    ));
                }
                return Seen::lost();
            }
        };
        let Some(found) = field(known, &select.field) else {
            let path = of.path.clone().unwrap_or_else(|| "this".to_owned());
            let at = self.span(node);
            let whole = format!("{path}.{}", select.field);
            let help = no_such_field(self.known, &path, &select.field, known);
            self.problem("E131", at, format!("`{whole}` does not exist"))
                .help = help;
            return Seen::lost();
        };
        let path = of.path.map(|path| format!("{path}.{}", select.field));
        self.used(path.as_deref());
        if select.test {
            return Seen::of(Type::Bool);
        }
        Seen {
            kind: Kind::Of(found.of),
            path,
            nullable: found.optional,
        }
    }

    /// Notes that a path is read; a loop's name stands for the list it goes over.
    fn used(&mut self, path: Option<&str>) {
        let Some(path) = path else { return };
        let (root, rest) = path.split_once('.').unwrap_or((path, ""));
        let bound = self.scope.iter().rev().find(|bound| bound.name == root);
        let whole = match bound {
            Some(Bound { path: None, .. }) => return,
            Some(Bound {
                path: Some(list), ..
            }) => format!("{list}.{rest}"),
            None => path.to_owned(),
        };
        let ends = whole
            .match_indices('.')
            .map(|(at, _)| at)
            .chain([whole.len()]);
        for end in ends {
            self.found.uses.insert(whole[..end].to_owned());
        }
    }
}

fn is_operator(name: &str) -> bool {
    name.contains('_') && !name.starts_with(|c: char| c.is_ascii_alphabetic())
        || name == operators::IN
}
