//! Walks a program with values. Every value that is printed must be there: a null, a
//! missing name or an empty text ends the rendering with an error that names it. Steps,
//! depth and output are counted, so that no template can hang or flood the mailer.

use super::context::Context;
use super::functions::Function;
use super::html::{
    Spot, escape_into, is_linkable, marked_into, percent_into, plain_into, plain_marked_into,
};
use super::languages::{DateStyle, Language, Moment, is_foreign, isolate_into};
use super::program::{Call, Expr, Form, From, Node, Path, Place, Program};
use super::strings::{Given, Shelf};
use super::{MAX_DEPTH, MAX_OUTPUT, MAX_STEPS, RenderError};
use crate::model::locale;
use crate::model::money::Money;
use crate::model::policy::CampaignParameters;
use serde_json::{Value, json};
use url::Url;

/// Where a place is, for messages.
pub trait Places {
    /// The file's path and the line, from 1.
    fn of(&self, place: Place) -> (String, u32);
}

/// One rendering of one program.
pub struct Evaluation<'e> {
    pub context: &'e Context,
    /// `mail`, with the subject and preheader that were rendered before.
    pub mail: &'e Value,
    pub language: &'e Language,
    /// Where `{{t}}` finds its words.
    pub strings: Shelf<'e>,
    pub places: &'e dyn Places,
    pub form: Form,
    /// What links say about where their reader came from.
    pub parameters: Option<&'e CampaignParameters>,
    /// Whether it is a page of ours, which may link to itself without a host.
    pub page: bool,
}

/// What was printed so far, and at what cost.
pub(super) struct Printed {
    pub(super) text: String,
    steps: u32,
}

/// What a path or a helper gave.
pub(super) enum Got<'s> {
    Ref(&'s Value),
    Own(Value),
    Missing,
}

impl Got<'_> {
    pub(super) fn value(&self) -> &Value {
        match self {
            Got::Ref(value) => value,
            Got::Own(value) => value,
            Got::Missing => &Value::Null,
        }
    }
}

/// What names mean inside a block.
pub(super) struct Scope<'s> {
    parent: Option<&'s Scope<'s>>,
    this: &'s Value,
    root: bool,
    /// Whether `../` leads out of it; a partial's named values are no such level.
    level: bool,
    names: Vec<(&'s str, &'s Value)>,
    turn: Option<Turn<'s>>,
}

/// One turn of a loop.
#[derive(Clone, Copy)]
struct Turn<'s> {
    index: usize,
    last: bool,
    key: Option<&'s str>,
}

pub(super) type Done = Result<(), RenderError>;

impl<'e> Evaluation<'e> {
    /// Prepares a rendering.
    pub fn new(
        context: &'e Context,
        mail: &'e Value,
        language: &'e Language,
        strings: Shelf<'e>,
        places: &'e dyn Places,
        form: Form,
    ) -> Self {
        Evaluation {
            context,
            mail,
            language,
            strings,
            places,
            form,
            parameters: None,
            page: false,
        }
    }

    /// Lets links carry the shop's campaign parameters instead of the usual ones.
    #[must_use]
    pub fn with_parameters(mut self, parameters: &'e CampaignParameters) -> Self {
        self.parameters = Some(parameters);
        self
    }

    /// Renders a program.
    ///
    /// # Errors
    /// If a value is missing or unfit, or a limit is passed.
    pub fn run(&self, program: &Program, expected: usize) -> Result<String, RenderError> {
        let mut out = Printed {
            text: String::with_capacity(expected),
            steps: 0,
        };
        let root = Scope {
            parent: None,
            this: &self.context.root,
            root: true,
            level: true,
            names: Vec::new(),
            turn: None,
        };
        self.nodes(&program.nodes, &root, 0, &mut out)?;
        Ok(out.text)
    }

    pub(super) fn fail<T>(
        &self,
        place: Place,
        message: impl Into<String>,
    ) -> Result<T, RenderError> {
        let (template, line) = self.places.of(place);
        Err(RenderError {
            message: message.into(),
            template,
            line,
        })
    }

    fn nodes(&self, nodes: &[Node], scope: &Scope<'_>, depth: usize, out: &mut Printed) -> Done {
        for node in nodes {
            self.step(out, node_place(node))?;
            match node {
                Node::Text(text) => out.text.push_str(text),
                Node::Print { value, spot, place } => {
                    let got = self.get(value, scope, depth)?;
                    self.print(&got, value, *spot, *place, out)?;
                }
                Node::Show { shows, place } => self.show(shows, scope, *place, depth, out)?,
                Node::If {
                    test,
                    negate,
                    then,
                    other,
                } => {
                    let depth = self.deeper(depth, node_place(node))?;
                    let yes = truthy(self.get(test, scope, depth)?.value()) != *negate;
                    self.nodes(if yes { then } else { other }, scope, depth, out)?;
                }
                Node::Each {
                    list,
                    names,
                    body,
                    other,
                    place,
                } => {
                    let depth = self.deeper(depth, *place)?;
                    let got = self.get(list, scope, depth)?;
                    self.each(
                        got.value(),
                        (names, *place),
                        (body, other),
                        scope,
                        depth,
                        out,
                    )?;
                }
                Node::With {
                    value,
                    names,
                    body,
                    other,
                } => {
                    let depth = self.deeper(depth, node_place(node))?;
                    let got = self.get(value, scope, depth)?;
                    if truthy(got.value()) {
                        let inner = Scope {
                            parent: Some(scope),
                            this: got.value(),
                            root: false,
                            level: true,
                            names: names
                                .first()
                                .map(|name| (name.as_str(), got.value()))
                                .into_iter()
                                .collect(),
                            turn: None,
                        };
                        self.nodes(body, &inner, depth, out)?;
                    } else {
                        self.nodes(other, scope, depth, out)?;
                    }
                }
                Node::Partial {
                    body,
                    context,
                    hash,
                    place,
                    ..
                } => {
                    let depth = self.deeper(depth, *place)?;
                    let of = match context {
                        Some(of) => Some(self.get(of, scope, depth)?),
                        None => None,
                    };
                    let mut values = Vec::with_capacity(hash.len());
                    for (name, value) in hash {
                        values.push((name.as_str(), self.get(value, scope, depth)?));
                    }
                    let inner = Scope {
                        parent: Some(scope),
                        this: of.as_ref().map_or(scope.this, Got::value),
                        root: of.is_none() && scope.root,
                        level: of.is_some(),
                        names: values
                            .iter()
                            .map(|(name, got)| (*name, got.value()))
                            .collect(),
                        turn: None,
                    };
                    self.nodes(body, &inner, depth, out)?;
                }
            }
            if out.text.len() > MAX_OUTPUT {
                return self.fail(
                    node_place(node),
                    format!("the mail grows beyond {MAX_OUTPUT} bytes"),
                );
            }
        }
        Ok(())
    }

    fn step(&self, out: &mut Printed, place: Place) -> Done {
        out.steps += 1;
        if out.steps > MAX_STEPS {
            return self.fail(
                place,
                format!("the template runs through more than {MAX_STEPS} parts; is there a loop in a loop?"),
            );
        }
        Ok(())
    }

    fn deeper(&self, depth: usize, place: Place) -> Result<usize, RenderError> {
        if depth >= MAX_DEPTH {
            return self.fail(
                place,
                format!("blocks and partials are nested deeper than {MAX_DEPTH}"),
            );
        }
        Ok(depth + 1)
    }

    fn each(
        &self,
        list: &Value,
        (names, place): (&[String], Place),
        (body, other): (&[Node], &[Node]),
        scope: &Scope<'_>,
        depth: usize,
        out: &mut Printed,
    ) -> Done {
        let length = match list {
            Value::Array(list) => list.len(),
            Value::Object(map) => map.len(),
            Value::Null => 0,
            _ => return self.fail(place, "{{#each}} was given something that is no list"),
        };
        if length == 0 {
            return self.nodes(other, scope, depth, out);
        }
        let mut turn = |this: &Value, index: usize, key: Option<&str>| -> Done {
            self.step(out, place)?;
            let second = match key {
                Some(key) => Value::from(key),
                None => Value::from(index),
            };
            let mut bound = Vec::with_capacity(names.len());
            for (name, value) in names.iter().zip([this, &second]) {
                bound.push((name.as_str(), value));
            }
            let inner = Scope {
                parent: Some(scope),
                this,
                root: false,
                level: true,
                names: bound,
                turn: Some(Turn {
                    index,
                    last: index + 1 == length,
                    key,
                }),
            };
            self.nodes(body, &inner, depth, out)
        };
        match list {
            Value::Array(list) => {
                for (index, this) in list.iter().enumerate() {
                    turn(this, index, None)?;
                }
            }
            Value::Object(map) => {
                for (index, (key, this)) in map.iter().enumerate() {
                    turn(this, index, Some(key))?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn path<'s>(&'s self, path: &Path, scope: &'s Scope<'s>) -> Got<'s> {
        let mut segments = path.segments.iter();
        let from: (&Value, bool) = match path.from {
            From::Root => (&self.context.root, true),
            From::Local(up) => {
                let mut loops = scope_chain(scope).filter_map(|scope| scope.turn);
                let Some(turn) = loops.nth(up.into()) else {
                    return Got::Missing;
                };
                return match path.segments.first().map(String::as_str) {
                    Some("index") => Got::Own(Value::from(turn.index)),
                    Some("first") => Got::Own(Value::from(turn.index == 0)),
                    Some("last") => Got::Own(Value::from(turn.last)),
                    Some("key") => turn
                        .key
                        .map_or(Got::Missing, |key| Got::Own(Value::from(key))),
                    _ => Got::Missing,
                };
            }
            From::Up(up) => {
                let named = path
                    .segments
                    .first()
                    .filter(|_| !path.explicit)
                    .and_then(|first| {
                        scope_chain(scope)
                            .flat_map(|scope| &scope.names)
                            .find(|(name, _)| name == first)
                    });
                if let Some((_, value)) = named {
                    segments.next();
                    (value, false)
                } else {
                    let mut at = scope;
                    let mut left = up;
                    while left > 0 || !at.level {
                        if at.level {
                            left -= 1;
                        }
                        match at.parent {
                            Some(parent) => at = parent,
                            None => return Got::Missing,
                        }
                    }
                    (at.this, at.root)
                }
            }
        };
        let (mut value, root) = from;
        if root
            && segments
                .as_slice()
                .first()
                .is_some_and(|first| first == "mail")
        {
            segments.next();
            value = self.mail;
        }
        for segment in segments {
            let next = match value {
                Value::Object(map) => map.get(segment),
                Value::Array(list) => segment.parse().ok().and_then(|at: usize| list.get(at)),
                _ => None,
            };
            match next {
                Some(next) => value = next,
                None => return Got::Missing,
            }
        }
        Got::Ref(value)
    }

    pub(super) fn get<'s>(
        &'s self,
        expr: &'s Expr,
        scope: &'s Scope<'s>,
        depth: usize,
    ) -> Result<Got<'s>, RenderError> {
        Ok(match expr {
            Expr::Literal(value) => Got::Ref(value),
            Expr::Path(path) => self.path(path, scope),
            Expr::Call(call) => match Function::named(&call.name) {
                Some(function) => {
                    let depth = self.deeper(depth, call.place)?;
                    self.call(function, call, scope, depth)?
                }
                None if call.params.is_empty() && call.hash.is_empty() => {
                    let path = Path::parse(&call.name, call.place);
                    match self.path(&path, scope) {
                        Got::Ref(value) => Got::Ref(value),
                        other => other,
                    }
                }
                None => return self.fail(call.place, format!("no helper \"{}\"", call.name)),
            },
        })
    }

    fn call<'s>(
        &'s self,
        function: Function,
        call: &'s Call,
        scope: &'s Scope<'s>,
        depth: usize,
    ) -> Result<Got<'s>, RenderError> {
        let place = call.place;
        let count = call.params.len();
        let (fewest, most) = function.signature().values;
        if count < fewest || count > most {
            return self.fail(
                place,
                format!(
                    "{} takes {fewest} to {most} values, found {count}",
                    call.name
                ),
            );
        }
        let given = |at: usize| -> Result<Got<'s>, RenderError> {
            self.get(&call.params[at], scope, depth)
        };
        let text = |text: String| Ok(Got::Own(Value::String(text)));
        let flag = |yes: bool| Ok(Got::Own(Value::Bool(yes)));
        match function {
            Function::Date => {
                let got = given(0)?;
                let style = match call.params.get(1) {
                    None => DateStyle::Long,
                    Some(expr) => {
                        let word = self.get(expr, scope, depth)?;
                        match word.value().as_str().and_then(DateStyle::parse) {
                            Some(style) => style,
                            None => {
                                return self.fail(
                                    place,
                                    format!("a date is one of {}", DateStyle::NAMES.join(", ")),
                                );
                            }
                        }
                    }
                };
                let moment = match moment(got.value()) {
                    Some(moment) => moment,
                    None => return self.unfit(call, 0, got.value(), "a date", place),
                };
                match self
                    .language
                    .date(moment, &self.context.zone, style, self.context.now)
                {
                    Ok(words) => text(words),
                    Err(error) => self.fail(place, error.to_string()),
                }
            }
            Function::Money => {
                let got = given(0)?;
                match money(got.value()) {
                    Some(money) => match self.language.money(&money) {
                        Ok(words) => text(words),
                        Err(error) => self.fail(place, error.to_string()),
                    },
                    None => self.unfit(call, 0, got.value(), "an amount of money", place),
                }
            }
            Function::Number => {
                let got = given(0)?;
                match got.value().as_i64() {
                    Some(number) => text(self.language.number(number)),
                    None => self.unfit(call, 0, got.value(), "a whole number", place),
                }
            }
            Function::Plural => {
                let got = given(0)?;
                let Some(count) = got.value().as_i64() else {
                    return self.unfit(call, 0, got.value(), "a whole number", place);
                };
                let wanted = self.language.plural(count);
                let find = |name: &str| call.hash.iter().find(|(key, _)| key == name);
                let Some((_, words)) = find(wanted).or_else(|| find("other")) else {
                    return self.fail(place, "plural needs other=\"…\"");
                };
                let words = self.get(words, scope, depth)?;
                match words.value().as_str() {
                    Some(words) => text(words.replace("{n}", &self.language.number(count))),
                    None => self.fail(place, "the words of plural must be text"),
                }
            }
            Function::Link => {
                let got = given(0)?;
                let url = got.value().as_str().and_then(|text| self.tagged(text));
                match url {
                    Some(url) => text(url),
                    None => self.unfit(call, 0, got.value(), "an http or https address", place),
                }
            }
            Function::Default => {
                let got = given(0)?;
                if blank(got.value()) {
                    given(1)
                } else {
                    Ok(got)
                }
            }
            Function::Complement => {
                let got = given(0)?;
                match got.value().as_str() {
                    Some(family) => Ok(self.complement(family).map_or(Got::Missing, Got::Own)),
                    None => self.unfit(call, 0, got.value(), "a family's name", place),
                }
            }
            Function::T => {
                let got = given(0)?;
                let Some(key) = got.value().as_str() else {
                    return self.fail(place, "{{t}} wants a key in quotes");
                };
                let mut values = Vec::with_capacity(call.hash.len());
                for (name, value) in &call.hash {
                    let got = self.get(value, scope, depth)?;
                    let value = match got.value() {
                        Value::String(value) if !value.trim().is_empty() => {
                            Given::Text(value.clone())
                        }
                        value => match value.as_i64() {
                            Some(number) => Given::Number(number),
                            None => {
                                return self.fail(place, format!("`{name}` has no value to print"));
                            }
                        },
                    };
                    values.push((name.clone(), value));
                }
                match self.strings.say(key, &values, self.language) {
                    Ok(words) => text(words),
                    Err(why) => self.fail(place, why),
                }
            }
            Function::List => {
                let got = given(0)?;
                let Value::Array(list) = got.value() else {
                    return self.unfit(call, 0, got.value(), "a list", place);
                };
                let field = match call.params.get(1) {
                    Some(expr) => self
                        .get(expr, scope, depth)?
                        .value()
                        .as_str()
                        .map(str::to_owned),
                    None => None,
                };
                let field = field.as_deref().unwrap_or("title");
                let mut words = Vec::with_capacity(list.len());
                for one in list {
                    let one = match one {
                        Value::Object(fields) => fields.get(field).unwrap_or(&Value::Null),
                        other => other,
                    };
                    let mut word = String::new();
                    match one {
                        Value::String(one) if !one.trim().is_empty() => {
                            if is_foreign(one, self.language.is_rtl()) {
                                isolate_into(&mut word, one);
                            } else {
                                plain_into(&mut word, one);
                            }
                        }
                        Value::Number(one) if one.is_i64() => {
                            word.push_str(&self.language.number(one.as_i64().unwrap_or(0)));
                        }
                        _ => {
                            return self.fail(
                                place,
                                format!("an element of the list has no `{field}` to print"),
                            );
                        }
                    }
                    words.push(word);
                }
                let either = call.hash.iter().any(|(name, value)| {
                    name == "type"
                        && matches!(value, Expr::Literal(Value::String(word)) if word == "or")
                });
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                text(self.language.list(&words, either))
            }
            Function::Eq => flag(equal(given(0)?.value(), given(1)?.value())),
            Function::Ne => flag(!equal(given(0)?.value(), given(1)?.value())),
            Function::Gt | Function::Gte | Function::Lt | Function::Lte => {
                let (one, two) = (given(0)?, given(1)?);
                let ordering = match (one.value(), two.value()) {
                    (Value::Number(a), Value::Number(b)) => a
                        .as_f64()
                        .zip(b.as_f64())
                        .and_then(|(a, b)| a.partial_cmp(&b)),
                    (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
                    _ => None,
                };
                let Some(ordering) = ordering else {
                    return self.fail(
                        place,
                        format!("{} compares two numbers or two texts", call.name),
                    );
                };
                flag(match function {
                    Function::Gt => ordering.is_gt(),
                    Function::Gte => ordering.is_ge(),
                    Function::Lt => ordering.is_lt(),
                    _ => ordering.is_le(),
                })
            }
            Function::And | Function::Or => {
                for at in 0..count {
                    if truthy(given(at)?.value()) == (function == Function::Or) {
                        return flag(function == Function::Or);
                    }
                }
                flag(function == Function::And)
            }
            Function::Not => flag(!truthy(given(0)?.value())),
            Function::Lookup => {
                let (of, key) = (given(0)?, given(1)?);
                let found = match (of.value(), key.value()) {
                    (Value::Object(map), Value::String(key)) => map.get(key),
                    (Value::Array(list), Value::Number(at)) => at
                        .as_u64()
                        .and_then(|at| usize::try_from(at).ok())
                        .and_then(|at| list.get(at)),
                    _ => None,
                };
                Ok(found.map_or(Got::Missing, |value| Got::Own(value.clone())))
            }
            Function::Len => match given(0)?.value() {
                Value::Array(list) => Ok(Got::Own(Value::from(list.len()))),
                Value::Null => Ok(Got::Own(Value::from(0))),
                other => self.unfit(call, 0, other, "a list", place),
            },
            Function::Items | Function::Image | Function::Stars => self.fail(
                place,
                format!(
                    "{} prints a part of the mail and cannot be used inside another tag",
                    call.name
                ),
            ),
        }
    }

    /// The error for an argument that is not there or of another sort.
    pub(super) fn unfit<T>(
        &self,
        call: &Call,
        at: usize,
        found: &Value,
        wanted: &str,
        place: Place,
    ) -> Result<T, RenderError> {
        let what = call.params.get(at).map_or_else(String::new, describe);
        if blank(found) {
            self.fail(
                place,
                format!("{what} has no value, {} needs {wanted}", call.name),
            )
        } else {
            self.fail(
                place,
                format!("{what} is {}, {} needs {wanted}", sort_of(found), call.name),
            )
        }
    }

    fn print(
        &self,
        got: &Got<'_>,
        expr: &Expr,
        spot: Spot,
        place: Place,
        out: &mut Printed,
    ) -> Done {
        let number;
        let text: &str = match got.value() {
            Value::String(text) if !text.trim().is_empty() => text,
            Value::Number(n) if n.is_i64() || n.is_u64() => {
                number = n.to_string();
                &number
            }
            value if blank(value) => {
                if let Expr::Call(call) = expr
                    && call.name == "list"
                    && let Some(list @ Expr::Path(_)) = call.params.first()
                {
                    let list = describe(list);
                    return self.fail(
                        place,
                        format!("{list} is empty here, so {{{{list}}}} would print a blank"),
                    );
                }
                let what = describe(expr);
                return self.fail(
                    place,
                    format!("{what} has no value, and a mail never prints a blank"),
                );
            }
            other => {
                let what = describe(expr);
                let how = match other {
                    Value::Object(_) => "print one of its fields, or use {{money}} or {{date}}",
                    Value::Array(_) => "use {{items}} or {{#each}}",
                    _ => "ask with {{#if}}",
                };
                return self.fail(
                    place,
                    format!("{what} is {} and cannot be printed; {how}", sort_of(other)),
                );
            }
        };
        self.write(text, spot, expr, place, &mut out.text)
    }

    fn write(&self, text: &str, spot: Spot, expr: &Expr, place: Place, out: &mut String) -> Done {
        // What our own helpers wrote holds marks of direction; what others wrote must not
        // hold any, and gets them where it would disturb the sentence around it.
        let function = match expr {
            Expr::Call(call) => Function::named(&call.name),
            _ => None,
        };
        let mut own = String::new();
        let marked = match function {
            Some(Function::T | Function::List) => Some(text),
            Some(Function::Default | Function::Lookup) | None
                // An address is no part of a sentence; marks would become part of it.
                if !matches!(expr, Expr::Literal(_))
                    && !is_linkable(text)
                    && is_foreign(text, self.language.is_rtl()) =>
            {
                isolate_into(&mut own, text);
                Some(own.as_str())
            }
            _ => None,
        };
        match (spot, marked) {
            (Spot::Words, Some(marked)) => {
                marked_into(out, marked, true);
                return Ok(());
            }
            (Spot::Label, Some(marked)) => {
                marked_into(out, marked, false);
                return Ok(());
            }
            (Spot::Plain, Some(marked)) => {
                plain_marked_into(out, marked);
                return Ok(());
            }
            _ => {}
        }
        match spot {
            Spot::Words | Spot::Label | Spot::Escaped => escape_into(out, text),
            Spot::Plain => plain_into(out, text),
            Spot::Raw => out.push_str(text),
            Spot::AddressPart => percent_into(out, text),
            Spot::Address => {
                let path = text.strip_prefix('.').unwrap_or(text);
                let own = self.page && path.starts_with('/') && !path.starts_with("//");
                if !own && !is_linkable(text) {
                    return self.fail(
                        place,
                        format!("{} is no http, https or mailto address", describe(expr)),
                    );
                }
                escape_into(out, text);
            }
        }
        Ok(())
    }

    /// An address with the campaign's parameters; those it has already stay.
    pub(super) fn tagged(&self, text: &str) -> Option<String> {
        let mut url = Url::parse(text.trim()).ok()?;
        if !matches!(url.scheme(), "http" | "https") {
            return None;
        }
        let usual = CampaignParameters::default();
        let parameters = self.parameters.unwrap_or(&usual);
        if parameters.elsewhere || self.is_own(&url) {
            let had: Vec<String> = url.query_pairs().map(|(key, _)| key.into_owned()).collect();
            let missing: Vec<(&str, String)> = parameters
                .named()
                .into_iter()
                .map(|(key, value)| (key, self.filled(value)))
                .filter(|(key, value)| !value.is_empty() && !had.iter().any(|had| had == key))
                .collect();
            if !missing.is_empty() {
                url.query_pairs_mut().extend_pairs(missing);
            }
        }
        Some(url.into())
    }

    /// Whether an address is one of the shop's.
    fn is_own(&self, url: &Url) -> bool {
        let own = self
            .context
            .root
            .get("shop")
            .and_then(|shop| shop.get("url"))
            .and_then(Value::as_str)
            .and_then(|own| Url::parse(own).ok());
        own.is_some_and(|own| own.host_str() == url.host_str())
    }

    /// A campaign parameter with its names filled in.
    fn filled(&self, pattern: &str) -> String {
        let campaign = &self.context.campaign;
        pattern
            .replace("{sequence}", &campaign.sequence)
            .replace("{step}", &campaign.step)
            .replace("{locale}", self.language.tag())
    }

    /// The first product of a family that is in stock and that the reader lacks.
    fn complement(&self, family: &str) -> Option<Value> {
        let context = self.context;
        let owned = |id: &str| context.owned.contains(id);
        let product = context.products.members(family).find(|product| {
            let skus = product.variants.iter().filter_map(|v| v.sku.as_deref());
            context.products.in_stock(&product.product_id)
                && !owned(&product.product_id)
                && !skus.into_iter().any(owned)
        })?;
        let price = context.currency.as_deref().and_then(|currency| {
            product
                .variants
                .iter()
                .filter(|variant| variant.sellable())
                .find_map(|variant| variant.price_in(currency))
        });
        let locales = locale::chain(self.language.tag(), None);
        Some(json!({
            "product_id": product.product_id,
            "title": product.title_in(&locales),
            "product_url": product.product_url,
            "image_url": product.image_url,
            "price": price.map(|price| json!({"amount": price.amount, "currency": price.currency})),
        }))
    }
}

fn scope_chain<'s>(scope: &'s Scope<'s>) -> impl Iterator<Item = &'s Scope<'s>> {
    std::iter::successors(Some(scope), |scope| scope.parent)
}

fn node_place(node: &Node) -> Place {
    match node {
        Node::Text(_) => Place::default(),
        Node::Print { place, .. }
        | Node::Show { place, .. }
        | Node::Each { place, .. }
        | Node::Partial { place, .. } => *place,
        Node::If { test: value, .. } | Node::With { value, .. } => {
            value.place().unwrap_or_default()
        }
    }
}

/// How a message names a value.
fn describe(expr: &Expr) -> String {
    match expr {
        Expr::Path(path) => format!("`{}`", path.raw),
        Expr::Call(call) => format!("({})", call.name),
        Expr::Literal(_) => "the value".to_owned(),
    }
}

fn sort_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "yes or no",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    }
}

/// What counts as yes in `#if`.
fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(yes) => *yes,
        Value::Number(number) => number.as_f64().is_some_and(|n| n != 0.0),
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

fn equal(one: &Value, two: &Value) -> bool {
    match (one, two) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => one == two,
    }
}

fn money(value: &Value) -> Option<Money> {
    Some(Money {
        amount: value.get("amount")?.as_i64()?,
        currency: value.get("currency")?.as_str()?.to_owned(),
    })
}

/// An instant, a day, or what carriers say of a day: `{date}`, `{at}`, or a window's end.
fn moment(value: &Value) -> Option<Moment> {
    match value {
        Value::String(text) => match text.parse() {
            Ok(instant) => Some(Moment::Instant(instant)),
            Err(_) => {
                let day = text
                    .get(..10)
                    .filter(|_| text.len() == 10 || text.as_bytes().get(10) == Some(&b'T'))?;
                day.parse().ok().map(Moment::Day)
            }
        },
        Value::Object(map) => [
            "date", "at", "time", "to", "latest", "until", "from", "earliest",
        ]
        .iter()
        .find_map(|key| map.get(*key).filter(|inner| inner.is_string()))
        .and_then(moment),
        _ => None,
    }
}
