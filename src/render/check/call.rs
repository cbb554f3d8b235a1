//! Helpers: what each takes, what it may be given, and what it gives.

use super::*;

impl<'c> Checker<'c> {
    pub(super) fn call(&mut self, call: &Call, scope: &Scope<'_>) -> Option<Found> {
        let Some(function) = Function::named(&call.name) else {
            let help = nearest(&call.name, Function::names())
                .map(|near| format!("did you mean `{near}`?"));
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
                None,
            );
            return;
        }
        // A list that is empty prints nothing, and that is what it says.
        if sort != "list" {
            self.must_be_there(value, given, place);
        }
    }
}
