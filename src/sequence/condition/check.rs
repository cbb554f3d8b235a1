//! Names and types of a parsed condition, checked before anything is evaluated: what a
//! condition may say is what [`names::SHARED`] promises to hold.

use super::value::{Function, MONEY};
use super::{Problem, scan, words};
use crate::model::names::{self, Field, Known, Type, field};
use cel::common::ast::{
    CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue, SelectExpr, SourceInfo, operators,
};
use std::collections::BTreeSet;
use std::ops::Range;

/// How deep `exists`, `all` and `exists_one` may stand in one another. Two compare the
/// lines of an order with each other; more would be work that grows with the cube.
const MAX_LOOPS: usize = 2;

/// What the check found out.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
    pub(super) uses: BTreeSet<String>,
    pub(super) sent: Vec<(String, Range<usize>)>,
    pub(super) products: Vec<(String, Range<usize>)>,
}

pub(super) fn check(text: &str, known: &Known, tree: &IdedExpr, source: &SourceInfo) -> Checked {
    let mut checker = Checker {
        text,
        known,
        source,
        scope: Vec::new(),
        guarded: Vec::new(),
        found: Checked::default(),
    };
    checker.truth(tree);
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

    fn call(&mut self, node: &IdedExpr, call: &CallExpr) -> Seen {
        let args = call.args.as_slice();
        if call.target.is_none() && is_operator(&call.func_name) {
            return match (call.func_name.as_str(), args) {
                (operators::LOGICAL_AND, [left, right]) => self.both(left, right, true),
                (operators::LOGICAL_OR, [left, right]) => self.both(left, right, false),
                (operators::LOGICAL_NOT, [of]) => {
                    self.truth(of);
                    Seen::of(Type::Bool)
                }
                (operators::EQUALS | operators::NOT_EQUALS, [left, right]) => {
                    let (a, b) = (self.see(left), self.see(right));
                    self.comparable(node, &a, &b);
                    Seen::of(Type::Bool)
                }
                (
                    operators::LESS
                    | operators::LESS_EQUALS
                    | operators::GREATER
                    | operators::GREATER_EQUALS,
                    [left, right],
                ) => {
                    let (a, b) = (self.see(left), self.see(right));
                    self.not_null(&a, left);
                    self.not_null(&b, right);
                    self.ordered(node, &a, &b);
                    Seen::of(Type::Bool)
                }
                (operators::IN, [one, list]) => self.within(node, one, list),
                (operators::CONDITIONAL, [test, yes, no]) => {
                    self.truth(test);
                    self.guarded.push(facts(test, true));
                    let a = self.see(yes);
                    self.guarded.pop();
                    self.guarded.push(facts(test, false));
                    let b = self.see(no);
                    self.guarded.pop();
                    self.comparable(node, &a, &b);
                    if a.kind == Kind::Lost { b } else { a }
                }
                (operators::INDEX, [list, at]) => self.index(node, list, at),
                (operators::NEGATE, [of]) => {
                    let seen = self.see(of);
                    self.not_null(&seen, of);
                    if !(seen.is(Type::Int) || seen.kind == Kind::Double) {
                        let at = self.span(node);
                        self.problem(
                            "E132",
                            at,
                            format!("\"-\" wants a number, and this is {}", seen.words()),
                        );
                    }
                    seen
                }
                (_, [left, right]) => self.arithmetic(node, call, left, right),
                _ => Seen::lost(),
            };
        }
        self.function(node, call)
    }

    /// `&&` and `||`: the right side is looked at knowing how the left came out.
    fn both(&mut self, left: &IdedExpr, right: &IdedExpr, when: bool) -> Seen {
        self.truth(left);
        self.guarded.push(facts(left, when));
        self.truth(right);
        self.guarded.pop();
        Seen::of(Type::Bool)
    }

    fn comparable(&mut self, node: &IdedExpr, a: &Seen, b: &Seen) {
        use Kind::{Double, Literals, Lost, Null, Of};
        let fits = match (a.kind, b.kind) {
            (Lost | Null | Of(Type::Any), _) | (_, Lost | Null | Of(Type::Any)) => true,
            (Double | Of(Type::Int), Double | Of(Type::Int)) => true,
            (Of(Type::Object(_) | Type::Money), _) | (_, Of(Type::Object(_) | Type::Money)) => {
                let at = self.span(node);
                let money = [a, b].iter().any(|seen| seen.kind == Of(Type::Money));
                self.problem("E132", at, "objects cannot be compared with each other")
                    .help
                    .push(if money {
                        "compare the amounts, in minor units: order.total.amount >= 5000".to_owned()
                    } else {
                        "compare one of their fields".to_owned()
                    });
                return;
            }
            (Literals(_) | Of(Type::List(_)), Literals(_) | Of(Type::List(_))) => true,
            (x, y) => x == y,
        };
        if !fits {
            self.mismatch(node, a, b);
        }
    }

    fn ordered(&mut self, node: &IdedExpr, a: &Seen, b: &Seen) {
        let sortable = |seen: &Seen| {
            matches!(
                seen.kind,
                Kind::Of(Type::Text | Type::Int | Type::Instant | Type::Any)
                    | Kind::Double
                    | Kind::Duration
                    | Kind::Lost
            )
        };
        if sortable(a) && sortable(b) {
            self.comparable(node, a, b);
        } else {
            let at = self.span(node);
            let which = if sortable(a) { b } else { a };
            let money = which.kind == Kind::Of(Type::Money);
            let path = which.path.clone().unwrap_or_default();
            let what = which.words();
            let problem = self.problem("E132", at, format!("{what} has no order to compare by"));
            if money {
                problem.help.push(format!(
                    "write {path}.amount, in minor units: {path}.amount >= 5000"
                ));
            }
        }
    }

    fn mismatch(&mut self, node: &IdedExpr, a: &Seen, b: &Seen) {
        let at = self.span(node);
        let name = |seen: &Seen| match &seen.path {
            Some(path) => format!("`{path}` is {}", seen.words()),
            None => format!("this is {}", seen.words()),
        };
        let instant = [a, b]
            .iter()
            .any(|seen| seen.kind == Kind::Of(Type::Instant));
        let boolean = [a, b].iter().any(|seen| seen.kind == Kind::Of(Type::Bool));
        let (first, second) = if a.path.is_some() || b.path.is_none() {
            (a, b)
        } else {
            (b, a)
        };
        let message = format!("{}, and is compared with {}", name(first), second.words());
        let problem = self.problem("E132", at, message);
        if instant {
            problem.help.push(
                "compare instants with each other or with `now`, or count days: days_since(order.placed_at) > 30"
                    .to_owned(),
            );
        } else if boolean {
            problem.help.push(
                "true and false stand without quotes; write the name alone, or ! before it"
                    .to_owned(),
            );
        }
    }

    fn within(&mut self, node: &IdedExpr, one: &IdedExpr, list: &IdedExpr) -> Seen {
        let a = self.see(one);
        let b = self.see(list);
        self.not_null(&b, list);
        let element = match b.kind {
            Kind::Of(Type::List(of)) => Seen::of(*of),
            Kind::Literals(Some(of)) => Seen::of(of),
            Kind::Literals(None) | Kind::Lost | Kind::Of(Type::Any) => Seen::lost(),
            _ => {
                let at = self.span(node);
                let is = b.words();
                let problem = self.problem(
                    "E132",
                    at,
                    format!("`in` wants a list on its right, and this is {is}"),
                );
                if b.kind == Kind::Of(Type::Text) {
                    problem
                        .help
                        .push("to look inside a text, write text.contains(\"…\")".to_owned());
                }
                return Seen::of(Type::Bool);
            }
        };
        self.comparable(node, &a, &element);
        Seen::of(Type::Bool)
    }

    fn index(&mut self, node: &IdedExpr, list: &IdedExpr, index: &IdedExpr) -> Seen {
        let a = self.see(list);
        let b = self.see(index);
        self.not_null(&a, list);
        match a.kind {
            Kind::Of(Type::List(of)) if b.is(Type::Int) => Seen {
                kind: Kind::Of(*of),
                path: None,
                nullable: false,
            },
            Kind::Of(Type::Any) => Seen::of(Type::Any),
            Kind::Lost => Seen::lost(),
            _ => {
                let at = self.span(node);
                self.problem(
                    "E132",
                    at,
                    format!(
                        "brackets want a list and a number, and this is {}",
                        a.words()
                    ),
                )
                .help
                .push("write object.field for a field".to_owned());
                Seen::lost()
            }
        }
    }

    fn arithmetic(
        &mut self,
        node: &IdedExpr,
        call: &CallExpr,
        left: &IdedExpr,
        right: &IdedExpr,
    ) -> Seen {
        let (a, b) = (self.see(left), self.see(right));
        self.not_null(&a, left);
        self.not_null(&b, right);
        let operator = call.func_name.as_str();
        use Kind::{Double, Duration, Lost, Of};
        let result = match (a.kind, b.kind) {
            (Lost | Of(Type::Any), _) | (_, Lost | Of(Type::Any)) => Some(Lost),
            (Of(Type::Int), Of(Type::Int)) => Some(Of(Type::Int)),
            (Double, Double) if operator != operators::MODULO => Some(Double),
            (Of(Type::Text), Of(Type::Text)) if operator == operators::ADD => Some(Of(Type::Text)),
            (Of(Type::Instant), Of(Type::Instant)) if operator == operators::SUBSTRACT => {
                Some(Duration)
            }
            _ => None,
        };
        match result {
            Some(kind) => Seen::kind(kind),
            None => {
                let at = self.span(node);
                let sign = operator.trim_matches('_');
                self.problem(
                    "E132",
                    at,
                    format!(
                        "\"{sign}\" does not go between {} and {}",
                        a.words(),
                        b.words()
                    ),
                )
                .help
                .push("to count days, write days_since(order.placed_at) > 30".to_owned());
                Seen::lost()
            }
        }
    }

    fn function(&mut self, node: &IdedExpr, call: &CallExpr) -> Seen {
        let name = call.func_name.as_str();
        let args = call.args.as_slice();
        if let Some(function) = Function::ALL
            .into_iter()
            .find(|f| f.name() == name && call.target.is_none())
        {
            return self.ours(node, function, args);
        }
        match (name, call.target.as_deref(), args) {
            ("size", None, [of]) | ("size", Some(of), []) => {
                let seen = self.see(of);
                self.not_null(&seen, of);
                if !matches!(
                    seen.kind,
                    Kind::Of(Type::Text | Type::List(_) | Type::Any)
                        | Kind::Literals(_)
                        | Kind::Lost
                ) {
                    let at = self.span(node);
                    self.problem(
                        "E132",
                        at,
                        format!(
                            "size() wants a list or a text, and this is {}",
                            seen.words()
                        ),
                    );
                }
                Seen::of(Type::Int)
            }
            ("startsWith" | "endsWith" | "contains" | "matches", Some(of), [with]) => {
                for part in [of, with] {
                    let seen = self.see(part);
                    self.not_null(&seen, part);
                    if !seen.is(Type::Text) {
                        let at = self.span(part);
                        let problem = self.problem(
                            "E132",
                            at,
                            format!("{name}() works on texts, and this is {}", seen.words()),
                        );
                        if let Kind::Of(Type::List(_)) = seen.kind {
                            problem
                                .help
                                .push("for a list, write \"…\" in list".to_owned());
                        }
                    }
                }
                if name == "matches" {
                    self.pattern(with);
                }
                Seen::of(Type::Bool)
            }
            _ => {
                self.unknown_function(node, call);
                Seen::lost()
            }
        }
    }

    /// A pattern stands in the file, so that it is known at load to be one.
    fn pattern(&mut self, node: &IdedExpr) {
        let at = self.span(node);
        let Expr::Literal(LiteralValue::String(text)) = &node.expr else {
            self.problem("E133", at, "matches() wants its pattern written out")
                .help
                .push("write text.matches(\"^[A-Z]+$\")".to_owned());
            return;
        };
        if !super::is_pattern(text.inner()) {
            self.problem("E133", at, "this is no regular expression")
                .help
                .push("texts with \\ need it twice, or a TOML text in single quotes".to_owned());
        }
    }

    fn ours(&mut self, node: &IdedExpr, function: Function, args: &[IdedExpr]) -> Seen {
        let name = function.name();
        self.found.uses.insert(format!("{name}()"));
        let (wanted, result) = match function {
            Function::DaysSince => (Type::Instant, Type::Int),
            Function::Owns | Function::Bought | Function::InStock | Function::Sent => {
                (Type::Text, Type::Bool)
            }
        };
        let [of] = args else {
            let at = self.span(node);
            let example = match function {
                Function::DaysSince => "days_since(order.placed_at)",
                Function::Sent => "sent(\"sequence/step\")",
                _ => "owns(\"tripod\")",
            };
            self.problem(
                "E133",
                at,
                format!("{name}() wants one value, and has {}", args.len()),
            )
            .help
            .push(format!("write it like {example}"));
            return Seen::of(result);
        };
        let seen = self.see(of);
        self.not_null(&seen, of);
        let at = self.span(of);
        if !seen.is(wanted) {
            self.problem(
                "E132",
                at,
                format!(
                    "{name}() wants {}, and this is {}",
                    words(wanted),
                    seen.words()
                ),
            );
            return Seen::of(result);
        }
        if let Expr::Literal(LiteralValue::String(text)) = &of.expr {
            let text = text.inner().to_owned();
            if function == Function::Sent {
                if text.split('/').filter(|part| !part.is_empty()).count() != 2 {
                    self.problem("E133", at, format!("\"{text}\" names no step"))
                        .help
                        .push("write sent(\"sequence/step\"), for example sent(\"fulfilment/placed\")".to_owned());
                } else {
                    self.found.sent.push((text, at));
                }
            } else {
                self.found.products.push((text, at));
            }
        }
        Seen::of(result)
    }

    fn unknown_function(&mut self, node: &IdedExpr, call: &CallExpr) {
        const CALLS: [&str; 14] = [
            "owns",
            "bought",
            "in_stock",
            "sent",
            "days_since",
            "has",
            "size",
            "all",
            "exists",
            "exists_one",
            "startsWith",
            "endsWith",
            "contains",
            "matches",
        ];
        let name = call.func_name.as_str();
        for part in call.target.iter().map(|b| &**b).chain(&call.args) {
            // What stands inside is worth checking, but a loop's own name is not bound here.
            if !CALLS.contains(&name) {
                self.see(part);
            }
        }
        let at = self.span(node);
        let help = match name {
            "has" => "write has(item.family)".to_owned(),
            "all" | "exists" | "exists_one" => format!("write order.items.{name}(i, i.kept)"),
            "now" => "`now` is a name, not a function: leave the () out".to_owned(),
            "timestamp" | "duration" => {
                "count days: days_since(order.placed_at) > 30".to_owned()
            }
            _ if name.starts_with("get") => {
                "conditions know no zones; count days with days_since(), and set times with at or slot"
                    .to_owned()
            }
            _ if CALLS.contains(&name) => format!("write it like {}", match name {
                "size" => "size(order.items)",
                "startsWith" | "endsWith" | "contains" | "matches" => "item.title.contains(\"kit\")",
                _ => "owns(\"tripod\")",
            }),
            _ => match crate::sequence::nearest(name, CALLS) {
                Some(near) => format!("did you mean {near}()?"),
                None => format!("there are {}()", CALLS.join("(), ")),
            },
        };
        let message = if CALLS.contains(&name) {
            format!("{name}() is used in a way it does not work")
        } else {
            format!("there is no function {name}()")
        };
        self.problem("E133", at, message).help.push(help);
    }

    /// `exists`, `all` and `exists_one`, which the parser has made loops of.
    fn each(&mut self, node: &IdedExpr, each: &ComprehensionExpr) -> Seen {
        if matches!(each.accu_init.expr, Expr::List(_)) {
            let at = self.span(node);
            self.problem(
                "E133",
                at,
                "map() and filter() are not offered in conditions",
            )
            .help
            .push("write order.items.exists(i, i.kept), or all or exists_one".to_owned());
            return Seen::lost();
        }
        let over = self.see(&each.iter_range);
        self.not_null(&over, &each.iter_range);
        let of = match over.kind {
            Kind::Of(Type::List(of)) => Kind::Of(*of),
            Kind::Literals(Some(of)) => Kind::Of(of),
            Kind::Of(Type::Any) => Kind::Of(Type::Any),
            Kind::Literals(None) | Kind::Lost => Kind::Lost,
            _ => {
                let at = self.span(&each.iter_range);
                self.problem(
                    "E132",
                    at,
                    format!("this goes over a list, and here is {}", over.words()),
                );
                Kind::Lost
            }
        };
        if self.scope.len() >= MAX_LOOPS {
            let at = self.span(node);
            self.problem(
                "E133",
                at,
                format!("loops stand in one another more than {MAX_LOOPS} deep"),
            )
            .help
            .push(
                "two compare the items of an order with each other; more is never needed"
                    .to_owned(),
            );
            return Seen::of(Type::Bool);
        }
        // A loop over a loop's field, such as `s.items`, reads the outer list's path.
        let path = over.path.as_deref().map(|path| {
            let (root, rest) = path.split_once('.').unwrap_or((path, ""));
            match self.scope.iter().rev().find(|bound| bound.name == root) {
                Some(Bound {
                    path: Some(list), ..
                }) => format!("{list}.{rest}"),
                _ => path.to_owned(),
            }
        });
        self.scope.push(Bound {
            name: each.iter_var.clone(),
            of,
            path,
        });
        // What the parser wrapped around the test: `@result || test`, `test ? … : …`.
        let test = match &each.loop_step.expr {
            Expr::Call(call) if call.func_name == operators::CONDITIONAL => call.args.first(),
            Expr::Call(call) => call.args.get(1),
            _ => None,
        };
        if let Some(test) = test {
            self.truth(test);
        }
        self.scope.pop();
        Seen::of(Type::Bool)
    }
}

/// The paths that are not null where `node` came out as `outcome`.
fn facts(node: &IdedExpr, outcome: bool) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(node, outcome, &mut found);
    found
}

fn collect(node: &IdedExpr, outcome: bool, found: &mut BTreeSet<String>) {
    match &node.expr {
        Expr::Select(select) if select.test && outcome => {
            if let Some(path) = path_of(&select.operand) {
                let path = format!("{path}.{}", select.field);
                let ends = path
                    .match_indices('.')
                    .map(|(at, _)| at)
                    .chain([path.len()]);
                found.extend(ends.map(|end| path[..end].to_owned()));
            }
        }
        Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_AND, [a, b]) if outcome => {
                collect(a, true, found);
                collect(b, true, found);
            }
            (operators::LOGICAL_OR, [a, b]) if !outcome => {
                collect(a, false, found);
                collect(b, false, found);
            }
            (operators::LOGICAL_NOT, [of]) => collect(of, !outcome, found),
            (operators::NOT_EQUALS, [a, b]) | (operators::EQUALS, [a, b])
                if outcome == (call.func_name == operators::NOT_EQUALS) =>
            {
                for (of, null) in [(a, b), (b, a)] {
                    if matches!(null.expr, Expr::Literal(LiteralValue::Null)) {
                        found.extend(path_of(of));
                    }
                }
            }
            // Whatever equals a written value is not null.
            (operators::EQUALS, [a, b]) if outcome => {
                for (of, value) in [(a, b), (b, a)] {
                    if matches!(&value.expr, Expr::Literal(literal) if *literal != LiteralValue::Null)
                    {
                        found.extend(path_of(of));
                    }
                }
            }
            _ => {}
        },
        _ => {}
    }
}

fn path_of(node: &IdedExpr) -> Option<String> {
    match &node.expr {
        Expr::Ident(name) if name == scan::RETURN => Some("return".to_owned()),
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) if !select.test => {
            Some(format!("{}.{}", path_of(&select.operand)?, select.field))
        }
        _ => None,
    }
}

fn is_operator(name: &str) -> bool {
    name.contains('_') && !name.starts_with(|c: char| c.is_ascii_alphabetic())
        || name == operators::IN
}

/// What to say of a top-level name that is not known here.
fn unknown(known: &Known, name: &str, whole: &str, fields: &[&str]) -> Problem {
    let here = |text: String| Problem::new("E131", 0..0, text);
    let of = fields.join(".");
    let many = |list: &str, letter: &str| {
        if of.is_empty() {
            format!("write order.{list}.exists({letter}, …)")
        } else {
            format!("write order.{list}.exists({letter}, {letter}.{of})")
        }
    };
    if field(names::SHARED, name).is_some() {
        let problem = here(format!("`{whole}` is not known in this sequence"));
        let per = if known.has("order") {
            "order"
        } else {
            "customer"
        };
        return match (name, known.has("order")) {
            ("item", true) => problem
                .help("this sequence runs per order; an order has many items")
                .help(format!("{} or set each = \"item\"", many("items", "i"))),
            ("shipment", true) => problem
                .help("this sequence runs per order; an order may have many parcels")
                .help(format!(
                    "{} or set each = \"shipment\"",
                    many("shipments", "s")
                )),
            ("product", true) => problem
                .help("a product is known with its item, and this sequence runs per order")
                .help("set each = \"item\", or per = \"item\" in [start]"),
            ("item" | "shipment" | "product" | "order", _) => problem
                .help(format!(
                    "this sequence runs per {per}, who may have many orders"
                ))
                .help(format!(
                    "name it in the key: [start] per = \"{}\"",
                    if name == "product" { "item" } else { name }
                )),
            _ => problem
                .help(format!(
                    "`{name}` comes with the fact that starts a sequence, or that a step waits for"
                ))
                .help(format!("start on {}, or leave it out", fact_of(name))),
        };
    }
    if field(names::IN_MAILS, name).is_some() {
        return here(format!("`{whole}` is not known in conditions"))
            .help(format!("`{name}` is there for mails only"));
    }
    if name == "variant" {
        return here(format!("`{whole}` is not known in this version"))
            .help("it comes with experiments, in a later version");
    }
    let problem = here(format!("`{whole}` does not exist"));
    // `gift` alone is most likely `order.gift`.
    let owner = known.iter().find(|top| {
        matches!(field(names::SHARED, top), Some(Field { of: Type::Object(inner), .. }) if field(inner, name).is_some())
    });
    if let Some(owner) = owner {
        return problem.help(format!("did you mean `{owner}.{whole}`?"));
    }
    match crate::sequence::nearest(name, known.iter().chain(["now"])) {
        Some(near) => problem.help(format!("did you mean `{}`?", whole.replacen(name, near, 1))),
        None => problem.help(format!(
            "known here are {}",
            known.iter().chain(["now"]).collect::<Vec<_>>().join(", ")
        )),
    }
}

fn fact_of(name: &str) -> &'static str {
    match name {
        "refund" => "\"refund.issued\"",
        "cancel" => "\"order.cancelled\"",
        "return" => "\"return.requested\"",
        "dispute" => "\"dispute.opened\"",
        "review" => "\"review.received\"",
        "ticket" => "\"ticket.opened\"",
        "failure" => "\"shipment.delivery_failed\"",
        "pickup" => "\"shipment.available_for_pickup\"",
        _ => "such a fact",
    }
}

/// What to suggest for a field that an object does not have.
fn no_such_field(known: &Known, path: &str, name: &str, fields: &'static [Field]) -> Vec<String> {
    if path == "order" && name == "line_items" {
        return vec!["did you mean `order.items`?".to_owned()];
    }
    if let Some(near) = crate::sequence::nearest(name, fields.iter().map(|field| field.name)) {
        return vec![format!("did you mean `{path}.{near}`?")];
    }
    // Another object known here may have it.
    for top in known.iter() {
        if let Some(Field {
            of: Type::Object(inner),
            ..
        }) = field(names::SHARED, top)
            && let Some(near) = crate::sequence::nearest(name, inner.iter().map(|field| field.name))
        {
            return vec![format!("did you mean `{top}.{near}`?")];
        }
    }
    vec![format!(
        "it has {}",
        fields
            .iter()
            .map(|field| field.name)
            .collect::<Vec<_>>()
            .join(", ")
    )]
}
