//! Conditions: CEL, parsed once, names and types checked against
//! [`crate::model::names`], evaluated over [`Names`]. An evaluation that fails is an
//! error that never lets a mail go.

mod calls;
mod check;
pub mod claim;
mod scan;
mod value;

pub use calls::{CALLS, Call};
pub use scan::{MAX_MARKS, MAX_NESTING, MAX_TEXT};

use crate::model::names::{self, Known, Names, Type};
use cel::common::ast::{CallExpr, Expr, IdedExpr, SourceInfo, operators};
use cel::parser::Parser;
use cel::{Context, Env, ExecutionError, Value};
use claim::Claim;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, LazyLock};
use value::{Answers, Function};

/// CEL's own functions. Building them costs ten times an evaluation, and they hold
/// nothing of anybody.
static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A checked condition.
#[derive(Clone)]
pub struct Condition {
    text: String,
    uses: BTreeSet<String>,
    program: Arc<IdedExpr>,
    warnings: Vec<Problem>,
    sent: Vec<(String, Range<usize>)>,
    products: Vec<(String, Range<usize>)>,
    claim: Arc<Claim>,
    variants: Vec<(String, Range<usize>)>,
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Condition({:?})", self.text)
    }
}

/// What is wrong with a condition's text: offset and length in it, and words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub code: &'static str,
    pub at: std::ops::Range<usize>,
    pub message: String,
    pub help: Vec<String>,
}

impl Problem {
    fn new(code: &'static str, at: Range<usize>, message: impl Into<String>) -> Self {
        Problem {
            code,
            at,
            message: message.into(),
            help: Vec::new(),
        }
    }

    fn help(mut self, line: impl Into<String>) -> Self {
        self.help.push(line.into());
        self
    }
}

impl Condition {
    /// Parses and checks a condition for a place where `known` names exist.
    ///
    /// # Errors
    /// Every problem found, with its place in `text`.
    pub fn compile(text: &str, known: &Known) -> Result<Condition, Vec<Problem>> {
        let readable = scan::scan(text)?;
        let (tree, source) = parse(text, &readable)?;
        if depth(&tree) > MAX_DEPTH {
            return Err(vec![
                Problem::new(
                    "E130",
                    0..text.len(),
                    format!("this condition is more than {MAX_DEPTH} operations deep"),
                )
                .help("leave out what changes nothing, or split the step in two"),
            ]);
        }
        let mut checked = check::check(text, known, &tree, &source);
        if !checked.problems.is_empty() {
            checked.problems.sort_by_key(|problem| problem.at.start);
            checked.problems.dedup();
            return Err(checked.problems);
        }
        Ok(Condition {
            text: text.to_owned(),
            uses: checked.uses,
            program: Arc::new(evaluable(tree)),
            warnings: checked.warnings,
            sent: checked.sent,
            products: checked.products,
            claim: Arc::new(checked.claim),
            variants: checked.variants,
        })
    }

    /// Its text as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Paths that it reads, such as `order.gift`, and calls, such as `owns()`.
    pub fn uses(&self, path: &str) -> bool {
        self.uses.contains(path)
    }

    /// Whether its value can change with time alone (`now`, `days_since`).
    pub fn moves_with_time(&self) -> bool {
        self.uses("now") || self.uses("days_since()")
    }

    /// What is allowed and may still surprise: values that may be null and are not tested.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// The `sequence/step` texts it asks `sent()` about, with their places.
    pub fn sent_steps(&self) -> &[(String, Range<usize>)] {
        &self.sent
    }

    /// The families, SKUs and product ids it asks `owns()`, `bought()` and
    /// `in_stock()` about, with their places.
    pub fn products(&self) -> &[(String, Range<usize>)] {
        &self.products
    }

    /// What it says, for reasoning about it without a customer.
    pub fn claim(&self) -> &Claim {
        &self.claim
    }

    /// The arms it compares `variant` with, with their places.
    pub fn variants(&self) -> &[(String, Range<usize>)] {
        &self.variants
    }

    /// Evaluates it.
    ///
    /// # Errors
    /// A sentence, where a value was missing or no boolean came out. It repeats no
    /// value, because values are about people.
    pub fn holds(&self, names: &Names) -> Result<bool, String> {
        let mut context = Context::with_env(ENVIRONMENT.clone());
        for field in names::SHARED {
            if !self.uses(field.name) {
                continue;
            }
            let Some(json) = names.values.get(field.name) else {
                return Err(format!("`{}` is not known here", field.name));
            };
            let name = if field.name == "return" {
                scan::RETURN
            } else {
                field.name
            };
            context.add_variable_as_val(name, value::value(json, field.of).map_err(sentence)?);
        }
        if self.uses("now") {
            let now = value::timestamp(names.now).map_err(sentence)?;
            context.add_variable_as_val("now", Box::new(now));
        }
        for function in Function::ALL {
            if self.uses(&format!("{}()", function.name())) {
                let answers = Answers { function, names };
                context.add_variable_as_val(function.variable(), Box::new(answers));
            }
        }
        match Value::resolve(&self.program, &context).map_err(sentence)? {
            Value::Bool(holds) => Ok(holds),
            Value::Null => Err("it came to null where true or false was expected".to_owned()),
            _ => Err("it came to a value that is neither true nor false".to_owned()),
        }
    }
}

/// Deepest tree of a condition: checking and evaluating it recurse so deep, on whatever
/// stack the caller has. Chains of `&&` and `||` are balanced and stay flat.
const MAX_DEPTH: usize = 40;

fn depth(node: &IdedExpr) -> usize {
    let inside = match &node.expr {
        Expr::Call(call) => {
            let parts = call.target.iter().map(|target| &**target).chain(&call.args);
            parts.map(depth).max()
        }
        Expr::Select(select) => Some(depth(&select.operand)),
        Expr::List(list) => list.elements.iter().map(depth).max(),
        Expr::Comprehension(each) => Some(depth(&each.iter_range).max(depth(&each.loop_step))),
        // Objects are refused without a look inside.
        Expr::Map(_) | Expr::Struct(_) => None,
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => None,
    };
    1 + inside.unwrap_or(0)
}

/// Stack for the parser, in bytes: it takes up to 200 KiB for each level of brackets in
/// a debug build, and [`MAX_NESTING`] levels have to fit several times over.
const PARSER_STACK: usize = 16 << 20;

/// Parses on a stack of its own, so that it matters to nobody how deep the caller stands.
fn parse(text: &str, readable: &str) -> Result<(IdedExpr, SourceInfo), Vec<Problem>> {
    let stack = std::thread::Builder::new().stack_size(PARSER_STACK);
    let parsed = std::thread::scope(|scope| {
        let thread = stack.spawn_scoped(scope, || {
            Parser::new()
                .parse_with_source_info(readable)
                .map_err(|errors| errors.errors.iter().map(|e| unparsed(text, e)).collect())
        });
        thread.map(|thread| thread.join())
    });
    match parsed {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(vec![Problem::new(
            "E130",
            0..text.len(),
            "this condition cannot be read",
        )]),
        Err(error) => Err(vec![Problem::new(
            "E130",
            0..text.len(),
            format!("this condition could not be checked: no thread for it ({error})"),
        )]),
    }
}

/// The parsed tree in the form that is evaluated: functions of ours become tables to
/// look into, and `has(a.b)` becomes `a.b != null`, because a name that may be null is
/// there as null.
fn evaluable(mut node: IdedExpr) -> IdedExpr {
    let id = node.id;
    let inside = |boxed: Box<IdedExpr>| Box::new(evaluable(*boxed));
    node.expr = match node.expr {
        Expr::Call(mut call) => {
            call.target = call.target.map(inside);
            call.args = call.args.into_iter().map(evaluable).collect();
            let function = Function::ALL
                .into_iter()
                .find(|f| call.target.is_none() && f.name() == call.func_name);
            if let Some(function) = function {
                call.func_name = operators::INDEX.to_owned();
                call.args.insert(0, ident(id, function.variable()));
            }
            Expr::Call(call)
        }
        Expr::Select(mut select) => {
            select.operand = inside(select.operand);
            if select.test {
                select.test = false;
                let mut links = vec![Expr::Select(select)];
                while let Some(Expr::Select(inner)) = links.last() {
                    match &inner.operand.expr {
                        Expr::Select(outer) => links.push(Expr::Select(outer.clone())),
                        _ => break,
                    }
                }
                // From the outermost object inwards, so that nothing is asked of null.
                links
                    .into_iter()
                    .rev()
                    .map(|link| not_null(id, link))
                    .reduce(|all, next| call(operators::LOGICAL_AND, id, all, next))
                    .unwrap_or_default()
            } else {
                Expr::Select(select)
            }
        }
        Expr::List(mut list) => {
            list.elements = list.elements.into_iter().map(evaluable).collect();
            Expr::List(list)
        }
        Expr::Comprehension(mut each) => {
            each.iter_range = evaluable(each.iter_range);
            each.loop_step = evaluable(each.loop_step);
            Expr::Comprehension(each)
        }
        other => other,
    };
    node
}

fn ident(id: u64, name: &str) -> IdedExpr {
    IdedExpr {
        id,
        expr: Expr::Ident(name.to_owned()),
    }
}

fn not_null(id: u64, of: Expr) -> Expr {
    let null = Expr::Literal(cel::common::ast::LiteralValue::Null);
    call(operators::NOT_EQUALS, id, of, null)
}

fn call(operator: &str, id: u64, left: Expr, right: Expr) -> Expr {
    Expr::Call(CallExpr {
        func_name: operator.to_owned(),
        target: None,
        args: vec![IdedExpr { id, expr: left }, IdedExpr { id, expr: right }],
    })
}

/// A parser's error in our words.
fn unparsed(text: &str, error: &cel::ParseError) -> Problem {
    let (line, column) = error.pos;
    let line = usize::try_from(line).unwrap_or(1).max(1);
    let column = usize::try_from(column).unwrap_or(1).max(1);
    let before: usize = text
        .split_inclusive('\n')
        .take(line - 1)
        .map(str::len)
        .sum();
    let rest = text.get(before..).unwrap_or_default();
    let at = rest
        .char_indices()
        .nth(column - 1)
        .map_or(text.len(), |(offset, _)| before + offset);
    let length = text
        .get(at..)
        .and_then(|rest| rest.chars().next())
        .map_or(0, char::len_utf8);
    let message = error.msg.replace(scan::RETURN, "return");
    let message = match message.split_once(" expecting ") {
        Some((what, _)) if what.contains("<EOF>") => "this condition ends too early".to_owned(),
        Some((what, _)) => format!("this cannot be read: {}", what.trim_end()),
        None => format!("this cannot be read: {message}"),
    };
    Problem::new("E130", at..at + length, message)
        .help("conditions look like this: item.family == \"dslr\" && !order.gift")
}

/// An evaluation's error as a sentence that repeats no value.
fn sentence(error: ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(name) => format!("`{name}` is missing"),
        ExecutionError::UndeclaredReference(name) => format!("`{name}` is not known here"),
        ExecutionError::NoSuchOverload(error) => format!(
            "a value was missing or of an unexpected type ({})",
            error.argument_types().join(", ")
        ),
        ExecutionError::FunctionError { function, message } => format!("{function}: {message}"),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "it divides by zero".to_owned()
        }
        ExecutionError::Overflow(..) => "a number grew too large".to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "a list is shorter than expected".to_owned(),
        _ => "a value was missing or of an unexpected type".to_owned(),
    }
}

/// The words for a type, for messages.
fn words(of: Type) -> &'static str {
    match of {
        Type::Text => "a text",
        Type::Int => "a whole number",
        Type::Bool => "true or false",
        Type::Instant => "an instant",
        Type::Money => "an amount of money",
        Type::List(_) => "a list",
        Type::Object(_) => "an object",
        Type::Any => "anything",
    }
}

/// Whether a text is a regular expression, found out by using it once.
fn is_pattern(text: &str) -> bool {
    let literal = |text: &str| IdedExpr {
        id: 1,
        expr: Expr::Literal(cel::common::ast::LiteralValue::String(
            cel::common::types::CelString::from(text.to_owned()),
        )),
    };
    let tree = IdedExpr {
        id: 1,
        expr: Expr::Call(CallExpr {
            func_name: "matches".to_owned(),
            target: Some(Box::new(literal(""))),
            args: vec![literal(text)],
        }),
    };
    Value::resolve(&tree, &Context::with_env(ENVIRONMENT.clone())).is_ok()
}

#[cfg(test)]
#[path = "condition/tests.rs"]
mod tests;
