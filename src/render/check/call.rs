//! Helpers: what each takes, what it may be given, and what it gives.

use super::*;

/// What helpers are called elsewhere.
const SYNONYMS: [(&str, &str); 14] = [
    ("equals", "eq"),
    ("equal", "eq"),
    ("is", "eq"),
    ("ifequals", "eq"),
    ("isnt", "ne"),
    ("neq", "ne"),
    ("ge", "gte"),
    ("le", "lte"),
    ("all", "and"),
    ("any", "or"),
    ("length", "len"),
    ("size", "len"),
    ("count", "len"),
    ("translate", "t"),
];

impl<'c> Checker<'c> {
    pub(super) fn call(&mut self, call: &Call, scope: &Scope<'_>) -> Option<Found> {
        let Some(function) = Function::named(&call.name) else {
            let lower = call.name.to_ascii_lowercase();
            let synonym = SYNONYMS.iter().find(|(word, _)| *word == lower);
            let near = match synonym {
                Some((_, ours)) => Some(*ours),
                None => nearest(&lower, Function::names()),
            };
            let help = Some(match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!(
                    "helpers are {}",
                    Function::names().collect::<Vec<_>>().join(", ")
                ),
            });
            self.report(
                "E205",
                call.place,
                format!("there is no helper \"{}\"", call.name),
                help,
            );
            return None;
        };
        let Signature {
            name,
            values,
            named,
            example,
            ..
        } = *function.signature();
        let count = call.params.len();
        if count < values.0 || count > values.1 {
            let wanted = if values.0 == values.1 {
                values.0.to_string()
            } else {
                format!("{} to {}", values.0, values.1)
            };
            self.report(
                "E205",
                call.place,
                format!("`{name}` takes {wanted} values, found {count}"),
                Some(format!("for example {example}")),
            );
            return None;
        }
        for (key, _) in &call.hash {
            if !named.contains(&"*") && !named.contains(&key.as_str()) {
                self.report(
                    "E205",
                    call.place,
                    format!("`{name}` knows no \"{key}\""),
                    Some(format!("for example {example}")),
                );
            }
        }
        // `and` and `or` stop at the first value that settles them, so the values after
        // it know what those before it came out as.
        let before = self.guards.len();
        let mut found: Vec<Option<Found>> = Vec::with_capacity(call.params.len());
        for one in &call.params {
            found.push(self.infer(one, scope));
            if matches!(function, Function::And | Function::Or) {
                let there = self.presence(one, function == Function::And, scope);
                self.guards.extend(there);
            }
        }
        self.guards.truncate(before);
        for (key, value) in &call.hash {
            if let Some(given) = self.infer(value, scope) {
                self.fits(value, &given, call, Some(key), &["text"]);
            }
        }
        let wanted: &[&str] = match function {
            Function::Date => &["instant", "text"],
            Function::Money => &["money"],
            Function::Number | Function::Plural => &["int"],
            Function::Link
            | Function::Image
            | Function::Stars
            | Function::T
            | Function::Complement => &["text"],
            Function::Gt | Function::Gte | Function::Lt | Function::Lte => {
                &["int", "text", "instant"]
            }
            Function::Items | Function::List => &["list"],
            _ => &[],
        };
        if !wanted.is_empty() {
            for (value, given) in call.params.iter().zip(&found) {
                if let Some(given) = given {
                    self.fits(
                        value,
                        given,
                        call,
                        None,
                        if value_is_style(function, value) {
                            &["text"]
                        } else {
                            wanted
                        },
                    );
                }
            }
        }
        self.literals(function, call);
        if is_comparison(function)
            && let [Some(one), Some(two)] = found.as_slice()
        {
            self.comparable(call, one, two);
        }
        if function == Function::List {
            self.listed(call, found.first().and_then(Option::as_ref));
        }
        let (of, maybe) = match function {
            Function::Date => {
                if let Some(Expr::Literal(Value::String(style))) = call.params.get(1)
                    && DateStyle::parse(style).is_none()
                {
                    self.report(
                        "E205",
                        call.place,
                        format!("a date cannot be \"{style}\""),
                        Some(format!("write one of {}", DateStyle::NAMES.join(", "))),
                    );
                }
                (Type::Text, false)
            }
            Function::Plural => {
                if !call.hash.iter().any(|(key, _)| key == "other") {
                    self.report(
                        "E205",
                        call.place,
                        "`plural` needs other=\"…\"".into(),
                        Some(format!("for example {example}")),
                    );
                }
                (Type::Text, false)
            }
            Function::T => {
                if let Some(Expr::Literal(Value::String(key))) = call.params.first() {
                    let given: Vec<&str> =
                        call.hash.iter().map(|(name, _)| name.as_str()).collect();
                    for (code, message, help) in self.strings.asked(key, &given) {
                        self.report(code, call.place, message, help);
                    }
                }
                (Type::Text, false)
            }
            Function::Default => {
                let second = found.get(1).cloned().flatten();
                let first = found.first().cloned().flatten();
                if let Some(Found {
                    of:
                        Shape::Of(
                            Type::Money
                            | Type::Instant
                            | Type::Object(_)
                            | Type::List(_)
                            | Type::Bool,
                        ),
                    ..
                }) = first
                {
                    self.report(
                        "E204",
                        call.place,
                        format!(
                            "`{}` is no text",
                            call.params.first().map(name_of).unwrap_or_default()
                        ),
                        Some("use {{#if}} … {{else}} … {{/if}}".into()),
                    );
                }
                (Type::Text, second.is_some_and(|second| second.maybe))
            }
            Function::Complement => (Type::Object(COMPLEMENT), true),
            Function::Lookup => match found.first().cloned().flatten().map(|found| found.of) {
                Some(Shape::Of(Type::List(element))) => (*element, true),
                _ => (Type::Any, true),
            },
            Function::Len | Function::Number if function == Function::Len => (Type::Int, false),
            Function::Eq
            | Function::Ne
            | Function::Gt
            | Function::Gte
            | Function::Lt
            | Function::Lte
            | Function::And
            | Function::Or
            | Function::Not => (Type::Bool, false),
            _ => (Type::Text, false),
        };
        Some(Found {
            of: Shape::Of(of),
            maybe,
            full: format!("({})", call.name),
        })
    }

    /// What is written out in a call and could never work.
    fn literals(&mut self, function: Function, call: &Call) {
        let text_at = |number: usize| match call.params.get(number) {
            Some(Expr::Literal(Value::String(text))) => Some(text.as_str()),
            _ => None,
        };
        let name = &call.name;
        let quoted = |text: &str| {
            let is_path = text.contains('.')
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '@'));
            match is_path {
                true => format!("names stand without quotes: {{{{{name} {text}}}}}"),
                false => format!("for example {}", function.signature().example),
            }
        };
        match (function, text_at(0)) {
            (Function::Date, Some(text))
                if text.parse::<crate::model::time::Date>().is_err()
                    && text.parse::<crate::model::time::Timestamp>().is_err() =>
            {
                let help = quoted(text);
                self.report(
                    "E204",
                    call.place,
                    format!("\"{text}\" is no date"),
                    Some(help),
                );
            }
            (Function::Link | Function::Image | Function::Stars, Some(text))
                if !["https://", "http://", "mailto:", "tel:"]
                    .iter()
                    .any(|scheme| text.starts_with(scheme)) =>
            {
                let help = quoted(text);
                self.report(
                    "E204",
                    call.place,
                    format!("\"{text}\" is no address"),
                    Some(help),
                );
            }
            _ => {}
        }
        if function == Function::Default && text_at(1).is_some_and(|text| text.trim().is_empty()) {
            self.report(
                "E201",
                call.place,
                "what stands in is empty, so readers would see a blank".into(),
                Some(format!("for example {}", function.signature().example)),
            );
        }
        if function == Function::Plural {
            for (_, form) in &call.hash {
                let Expr::Literal(Value::String(form)) = form else {
                    continue;
                };
                let rest = form.replace("{n}", "");
                if rest.contains(['{', '}']) {
                    self.report(
                        "E205",
                        call.place,
                        format!("\"{form}\" would be printed with its braces"),
                        Some("the number is written {n}: one=\"{n} parcel\"".into()),
                    );
                }
            }
        }
    }

    /// Whether two values could ever be the same, or one more than the other.
    fn comparable(&mut self, call: &Call, one: &Found, two: &Found) {
        let sort = |found: &Found| match found.of {
            Shape::Of(Type::Text | Type::Instant) => Some("text"),
            Shape::Of(Type::Int) => Some("int"),
            Shape::Of(Type::Bool) => Some("bool"),
            Shape::Of(Type::Any | Type::Object(_) | Type::List(_) | Type::Money) | Shape::Root => {
                None
            }
        };
        let (Some(first), Some(second)) = (sort(one), sort(two)) else {
            return;
        };
        if first == second {
            return;
        }
        let names: Vec<String> = call.params.iter().map(name_of).collect();
        let number = call.params.iter().find_map(|value| match value {
            Expr::Literal(Value::String(text)) => text.parse::<i64>().ok(),
            _ => None,
        });
        let help = match number {
            Some(number) if [first, second].contains(&"int") => {
                format!(
                    "numbers stand without quotes: ({} {} {number})",
                    call.name, names[0]
                )
            }
            _ if [first, second].contains(&"bool") => {
                "what is true or false is asked for by itself: {{#if x}}, (not x)".into()
            }
            _ => format!("for example {}", function_example(&call.name)),
        };
        let shown = |value: &Expr, name: &str| match value {
            Expr::Literal(_) => "it".to_owned(),
            _ => format!("`{name}`"),
        };
        let who = shown(&call.params[0], &names[0]);
        self.report(
            "E204",
            call.place,
            format!(
                "{who} is {}, and is compared with {}",
                words(first),
                words(second)
            ),
            Some(help),
        );
    }

    /// The field and the type of `{{list}}`.
    fn listed(&mut self, call: &Call, list: Option<&Found>) {
        if let Some(Found {
            of: Shape::Of(Type::List(Type::Object(fields))),
            ..
        }) = list
            && let Some(Expr::Literal(Value::String(name))) = call.params.get(1)
            && fields.iter().all(|field| field.name != name)
        {
            let names = || fields.iter().map(|field| field.name);
            let help = match nearest(name, names()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("there are {}", names().collect::<Vec<_>>().join(", ")),
            };
            self.report(
                "E203",
                call.place,
                format!("what is in this list has no `{name}`"),
                Some(help),
            );
        }
        for (key, value) in &call.hash {
            if key == "type"
                && let Expr::Literal(Value::String(word)) = value
                && !LIST_TYPES.contains(&word.as_str())
            {
                self.report(
                    "E205",
                    call.place,
                    format!("a list cannot be \"{word}\""),
                    Some(format!("write one of {}", LIST_TYPES.join(", "))),
                );
            }
        }
    }

    /// Whether a value fits what a helper takes; it must be there, too.
    pub(super) fn fits(
        &mut self,
        value: &Expr,
        given: &Found,
        call: &Call,
        key: Option<&str>,
        wanted: &[&str],
    ) {
        let place = value.place().unwrap_or(call.place);
        let sort = match given.of {
            Shape::Of(Type::Text) => "text",
            Shape::Of(Type::Int) => "int",
            Shape::Of(Type::Bool) => "bool",
            Shape::Of(Type::Instant) => "instant",
            Shape::Of(Type::Money) => "money",
            Shape::Of(Type::List(_)) => "list",
            Shape::Of(Type::Object(_)) | Shape::Root => "group of names",
            Shape::Of(Type::Any) => wanted[0],
        };
        let text_of_number = key.is_some() && sort == "int";
        if !wanted.contains(&sort) && !text_of_number {
            let what =
                key.map_or_else(|| call.name.clone(), |key| format!("{}'s {key}", call.name));
            self.report(
                "E204",
                place,
                format!(
                    "`{}` is {}, {what} takes {}",
                    name_of(value),
                    words(sort),
                    words(wanted[0])
                ),
                Some(format!("for example {}", function_example(&call.name))),
            );
            return;
        }
        // A list that is empty prints nothing, and that is what it says.
        if sort != "list" {
            self.must_be_there(value, given, place);
        }
    }
}

/// How `{{list}}` joins.
const LIST_TYPES: [&str; 3] = ["and", "or", "unit"];

fn is_comparison(function: Function) -> bool {
    matches!(
        function,
        Function::Eq | Function::Ne | Function::Gt | Function::Gte | Function::Lt | Function::Lte
    )
}

fn function_example(name: &str) -> &'static str {
    Function::named(name).map_or("", |function| function.signature().example)
}
