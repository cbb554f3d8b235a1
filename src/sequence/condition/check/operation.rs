//! Operators: what may stand on either side of them.

use super::facts::{facts, path_of};
use super::{Checker, Kind, Seen, is_operator};
use crate::model::names::Type;
use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators};

impl Checker<'_> {
    pub(super) fn call(&mut self, node: &IdedExpr, call: &CallExpr) -> Seen {
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
                    self.note_arms(left, right);
                    self.note_arms(right, left);
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

    /// Notes the arms that `variant` is compared with.
    fn note_arms(&mut self, of: &IdedExpr, with: &IdedExpr) {
        if path_of(of).as_deref() != Some("variant") {
            return;
        }
        let texts = match &with.expr {
            Expr::List(list) => list.elements.iter().collect(),
            _ => vec![with],
        };
        for text in texts {
            if let Expr::Literal(LiteralValue::String(name)) = &text.expr {
                let at = self.span(text);
                self.found.variants.push((name.inner().to_owned(), at));
            }
        }
    }

    /// `&&` and `||`: the right side is looked at knowing how the left came out.
    pub(super) fn both(&mut self, left: &IdedExpr, right: &IdedExpr, when: bool) -> Seen {
        self.truth(left);
        self.guarded.push(facts(left, when));
        self.truth(right);
        self.guarded.pop();
        Seen::of(Type::Bool)
    }

    pub(super) fn comparable(&mut self, node: &IdedExpr, a: &Seen, b: &Seen) {
        use Kind::{Double, Literals, Lost, Null, Of};
        let amount = |seen: &Seen| {
            seen.path
                .as_deref()
                .is_some_and(|path| path.ends_with(".amount"))
        };
        let fits = match (a.kind, b.kind) {
            // It would always come out the same, whatever was meant.
            (Of(Type::Bool), Null) | (Null, Of(Type::Bool)) => {
                let at = self.span(node);
                let path = a.path.as_ref().or(b.path.as_ref());
                let path = path.cloned().unwrap_or_else(|| "this".to_owned());
                self.problem(
                    "E132",
                    at,
                    format!("`{path}` is true or false, and never null"),
                )
                .help
                .push("write the name alone, or ! before it".to_owned());
                return;
            }
            (Double, Of(Type::Int)) if amount(b) => false,
            (Of(Type::Int), Double) if amount(a) => false,
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

    pub(super) fn ordered(&mut self, node: &IdedExpr, a: &Seen, b: &Seen) {
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
            } else if which.kind == Kind::Of(Type::Bool) {
                problem.help.push(
                    "write the name alone, or ! before it; of two bounds write both: x > 1 && x < 5"
                        .to_owned(),
                );
            } else {
                problem.help.push(
                    "compare a number, a text or an instant; of a list, its size: size(order.items) > 1"
                        .to_owned(),
                );
            }
        }
    }

    pub(super) fn mismatch(&mut self, node: &IdedExpr, a: &Seen, b: &Seen) {
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
        } else {
            let kinds = [a.kind, b.kind];
            let is = |kind: fn(&Kind) -> bool| kinds.iter().any(kind);
            let path = first
                .path
                .clone()
                .unwrap_or_else(|| "order.tags".to_owned());
            let help = if is(|kind| matches!(kind, Kind::Of(Type::List(_)))) {
                match is(|kind| *kind == Kind::Of(Type::Text)) {
                    true => format!("to look for a text in a list, write \"…\" in {path}"),
                    false => format!("to count what is in a list, write size({path}) == 0"),
                }
            } else if is(|kind| *kind == Kind::Double) {
                "amounts are whole numbers in the smallest unit: 100 euros are 10000".to_owned()
            } else if is(|kind| *kind == Kind::Of(Type::Int)) {
                "numbers stand without quotes, texts in quotes".to_owned()
            } else {
                "both sides must be of one type".to_owned()
            };
            problem.help.push(help);
        }
    }

    pub(super) fn within(&mut self, node: &IdedExpr, one: &IdedExpr, list: &IdedExpr) -> Seen {
        let a = self.see(one);
        let b = self.see(list);
        self.note_arms(one, list);
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

    pub(super) fn index(&mut self, node: &IdedExpr, list: &IdedExpr, index: &IdedExpr) -> Seen {
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

    pub(super) fn arithmetic(
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
}
