//! Expressions of a mapping: CEL over `body`, `headers`, `received` and, in each of a
//! list, `item`; with `money`, `instant`, `id` and `get` beside CEL's own functions.
//!
//! Parsed once, on a stack of its own. What goes wrong in evaluation is said by where it
//! stands; values are about people and are never repeated.

use super::super::super::json::Json;
use super::super::super::shape::Misfit;
use super::super::headers::Headers;
use super::super::loose::{currency, id as any_id, minor};
use super::super::moment::{gmt, stamp};
use crate::model::nearest::nearest;
use crate::model::time::Timestamp;
use cel::objects::{Key, Map as CelMap};
use cel::{Context, Env, ExecutionError, Program, Value as Cel};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

/// Longest expression, in bytes.
const MAX_TEXT: usize = 8_000;
/// Deepest nesting of brackets.
const MAX_NESTING: usize = 12;
/// Most operators in one part of an expression: the parser's tree grows a level for each.
const MAX_CHAIN: usize = 30;
/// Stack for the parser, in bytes; it recurses for every level.
const PARSER_STACK: usize = 64 << 20;
/// What there is to speak of.
const NAMES: &[&str] = &["body", "headers", "received", "item"];
/// What may be called.
const FUNCTIONS: &[&str] = &[
    "money",
    "instant",
    "id",
    "get",
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "string",
    "int",
    "uint",
    "double",
    "bool",
    "has",
    "map",
    "filter",
    "exists",
    "exists_one",
    "all",
    "max",
    "min",
    "type",
    "timestamp",
    "duration",
];

/// CEL's own functions. Building them costs more than an evaluation, and they hold nothing
/// of anybody.
static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A parsed expression and where it stands.
#[derive(Clone)]
pub(super) struct Expression {
    program: Arc<Program>,
    /// Such as `[[fact]] 2: data.order`.
    place: String,
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({})", self.place)
    }
}

/// What is wrong with the text of one, and help.
pub(super) type Unreadable = (String, Option<String>);

/// What expressions see of a delivery.
pub(super) struct Scope {
    body: Cel,
    headers: Cel,
    received: Cel,
}

impl Scope {
    pub(super) fn new(body: &Json, headers: &Headers, received: Timestamp) -> Scope {
        let mut all: HashMap<Key, Cel> = HashMap::new();
        for (name, value) in headers.told() {
            all.insert(key(name), text(value));
        }
        Scope {
            body: cel(body),
            headers: Cel::Map(CelMap { map: Arc::new(all) }),
            received: text(&stamp(received)),
        }
    }
}

fn key(name: &str) -> Key {
    Key::String(Arc::new(name.to_owned()))
}

fn text(text: &str) -> Cel {
    Cel::String(Arc::new(text.to_owned()))
}

fn cel(json: &Json) -> Cel {
    match json {
        Json::Null => Cel::Null,
        Json::Bool(flag) => Cel::Bool(*flag),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Cel::Int(number),
            (None, Some(number)) => Cel::UInt(number),
            (None, None) => Cel::Float(number.as_f64().unwrap_or_default()),
        },
        Json::String(string) => text(string),
        Json::Array(all) => Cel::List(Arc::new(all.iter().map(cel).collect())),
        Json::Object(all) => {
            let map = all.iter().map(|(name, one)| (key(name), cel(one)));
            Cel::Map(CelMap {
                map: Arc::new(map.collect()),
            })
        }
    }
}

/// `money("12.90", "EUR")`; null where either is none.
fn money(amount: Cel, code: Cel) -> Cel {
    let (Ok(amount), Ok(code)) = (amount.json(), code.json()) else {
        return Cel::Null;
    };
    let (amount, code) = (Json::from(amount), Json::from(code));
    let found = currency(&code).and_then(|code| {
        let amount = minor(&amount, &code)?;
        Some(cel(&json!({ "amount": amount, "currency": code }).into()))
    });
    found.unwrap_or(Cel::Null)
}

/// `instant(body.created)`: as events write instants; null where it is none.
fn instant(value: Cel) -> Cel {
    let found = value.json().ok().and_then(|json| gmt(&json.into()));
    found.map_or(Cel::Null, |at| text(&stamp(at)))
}

/// `id(body.number)`: a number or text as the text of an id; null where it is none.
fn id(value: Cel) -> Cel {
    let found = value.json().ok().and_then(|json| any_id(&json.into()));
    found.map_or(Cel::Null, |id| text(&id))
}

/// `get(body, "customer.email")`: what is there, or null.
fn get(value: Cel, path: Arc<String>) -> Cel {
    let mut at = value;
    for part in path.split('.') {
        let next = match &at {
            Cel::Map(map) => map.map.get(&key(part)).cloned(),
            Cel::List(list) => part
                .parse::<usize>()
                .ok()
                .and_then(|place| list.get(place).cloned()),
            _ => None,
        };
        match next {
            Some(next) => at = next,
            None => return Cel::Null,
        }
    }
    at
}

impl Expression {
    /// Parses and checks a text.
    pub(super) fn parse(text: &str, place: String) -> Result<Expression, Unreadable> {
        bounded(text)?;
        let stack = std::thread::Builder::new().stack_size(PARSER_STACK);
        let parsed = std::thread::scope(|scope| {
            stack
                .spawn_scoped(scope, || Program::compile(text))
                .map(|thread| thread.join())
        });
        let program = match parsed {
            Ok(Ok(Ok(program))) => program,
            Ok(Ok(Err(errors))) => {
                let first = errors.errors.first();
                let words = first.map_or_else(String::new, |error| {
                    let (line, column) = error.pos;
                    let message = error.msg.lines().next().unwrap_or_default();
                    format!(" (line {line}, column {column}: {message})")
                });
                return Err((format!("this expression cannot be read{words}"), None));
            }
            Ok(Err(_)) | Err(_) => {
                return Err(("this expression cannot be read".to_owned(), None));
            }
        };
        let references = program.references();
        for name in references.variables() {
            let bound = text.contains(&format!("({name},"));
            if !NAMES.contains(&name) && !bound && !name.starts_with('@') {
                let help = near(name, NAMES);
                return Err((format!("nothing is called `{name}` here"), help));
            }
        }
        for name in references.functions() {
            let word = name.starts_with(|c: char| c.is_ascii_alphabetic());
            if word && !FUNCTIONS.contains(&name) {
                let help = near(name, FUNCTIONS);
                return Err((format!("there is no function `{name}`"), help));
            }
        }
        Ok(Expression {
            program: Arc::new(program),
            place,
        })
    }

    /// What is wrong with what it came to.
    pub(super) fn misfit(&self, what: &str) -> Misfit {
        Misfit::new("mapping", format!("{}: {what}", self.place))
    }

    /// What it comes to.
    pub(super) fn value(&self, scope: &Scope, item: Option<&Value>) -> Result<Value, Misfit> {
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        context.add_variable_from_value("body", scope.body.clone());
        context.add_variable_from_value("headers", scope.headers.clone());
        context.add_variable_from_value("received", scope.received.clone());
        if let Some(item) = item {
            context.add_variable_from_value("item", cel(&item.into()));
        }
        let declared = context
            .add_function("money", money)
            .and_then(|()| context.add_function("instant", instant))
            .and_then(|()| context.add_function("id", id))
            .and_then(|()| context.add_function("get", get));
        if declared.is_err() {
            return Err(self.misfit("our functions could not be declared"));
        }
        let found = self.program.execute(&context);
        match found {
            Ok(value) => value
                .json()
                .map_err(|_| self.misfit("it came to something that is no JSON")),
            Err(error) => Err(self.misfit(&sentence(&error))),
        }
    }

    /// What it comes to, to be read like a part of a body.
    pub(super) fn json(
        &self,
        scope: &Scope,
        item: Option<&Value>,
    ) -> Result<Json<'static>, Misfit> {
        self.value(scope, item).map(Json::from)
    }

    /// Whether it is true; anything but true and false is a mistake.
    pub(super) fn holds(&self, scope: &Scope, item: Option<&Value>) -> Result<bool, Misfit> {
        match self.value(scope, item)? {
            Value::Bool(holds) => Ok(holds),
            _ => Err(self.misfit("expected true or false")),
        }
    }
}

/// What went wrong, without any value.
fn sentence(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(name) => format!(
            "the delivery has no `{name}` there; get(body, \"…\") gives null where nothing is"
        ),
        ExecutionError::UndeclaredReference(name) => {
            format!("`{name}` is not known here")
        }
        ExecutionError::IndexOutOfBounds(_) => "a list is shorter than that".to_owned(),
        _ => "values that do not go together".to_owned(),
    }
}

fn near(word: &str, known: &[&str]) -> Option<String> {
    nearest(word, known.iter().copied()).map(|name| format!("did you mean {name}?"))
}

/// Keeps from the parser what it would recurse into too deeply.
fn bounded(text: &str) -> Result<(), Unreadable> {
    if text.trim().is_empty() {
        return Err(("this expression is empty".to_owned(), None));
    }
    if text.len() > MAX_TEXT {
        let message = format!("this expression is longer than {MAX_TEXT} bytes");
        return Err((message, None));
    }
    let (mut depth, mut chain) = (0usize, 0usize);
    let mut quote: Option<char> = None;
    let mut escaped = false;
    for character in text.chars() {
        match (quote, character) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), close) if open == close => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(character),
            (None, '(' | '[' | '{') => {
                depth += 1;
                chain = 0;
            }
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, ',' | ':') => chain = 0,
            (None, c) if "+-*/%!?&|<>=.".contains(c) => chain += 1,
            (None, _) => {}
        }
        if depth > MAX_NESTING {
            let message = format!("brackets are nested more than {MAX_NESTING} deep");
            return Err((message, None));
        }
        if chain > MAX_CHAIN {
            let message = format!("more than {MAX_CHAIN} operators in a row");
            return Err((message, Some("put parts of it in brackets".to_owned())));
        }
    }
    Ok(())
}
