//! Functions and loops: which there are, and what they take.

use super::{Bound, Checker, Kind, MAX_LOOPS, Seen};
use crate::model::names::Type;
use crate::sequence::condition::calls::{CALLS, called};
use crate::sequence::condition::value::Function;
use crate::sequence::condition::{is_pattern, words};
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue, operators};

impl Checker<'_> {
    pub(super) fn function(&mut self, node: &IdedExpr, call: &CallExpr) -> Seen {
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
    pub(super) fn pattern(&mut self, node: &IdedExpr) {
        let at = self.span(node);
        let Expr::Literal(LiteralValue::String(text)) = &node.expr else {
            self.problem("E133", at, "matches() wants its pattern written out")
                .help
                .push("write text.matches(\"^[A-Z]+$\")".to_owned());
            return;
        };
        if !is_pattern(text.inner()) {
            self.problem("E133", at, "this is no regular expression")
                .help
                .push("texts with \\ need it twice, or a TOML text in single quotes".to_owned());
        }
    }

    pub(super) fn ours(&mut self, node: &IdedExpr, function: Function, args: &[IdedExpr]) -> Seen {
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
            let example = called(name).map_or(name, |call| call.example);
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
            )
            .help
            .push(match called(name) {
                Some(call) => format!("names stand without quotes: {}", call.example),
                None => "names stand without quotes, words of your own in quotes".to_owned(),
            });
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

    pub(super) fn unknown_function(&mut self, node: &IdedExpr, call: &CallExpr) {
        let name = call.func_name.as_str();
        let known = called(name);
        let names = || CALLS.iter().map(|call| call.name);
        for part in call.target.iter().map(|b| &**b).chain(&call.args) {
            // What stands inside is worth checking, but a loop's own name is not bound here.
            if known.is_none() {
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
            _ => match (known, crate::model::nearest::nearest(name, names())) {
                (Some(known), _) => format!("write it like {}", known.example),
                (None, Some(near)) => format!("did you mean {near}()?"),
                (None, None) => {
                    format!("there are {}()", names().collect::<Vec<_>>().join("(), "))
                }
            },
        };
        let message = if known.is_some() {
            format!("{name}() is used in a way it does not work")
        } else {
            format!("there is no function {name}()")
        };
        self.problem("E133", at, message).help.push(help);
    }

    /// `exists`, `all` and `exists_one`, which the parser has made loops of.
    pub(super) fn each(&mut self, node: &IdedExpr, each: &ComprehensionExpr) -> Seen {
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
                )
                .help
                .push(
                    "lists are order.items, order.shipments, shipment.items, item.tags".to_owned(),
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
