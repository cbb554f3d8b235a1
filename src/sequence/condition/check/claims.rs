//! A checked tree as a [`Claim`].

use super::Checker;
use super::facts::path_of;
use crate::sequence::condition::claim::{Claim, Is, Test};
use cel::common::ast::{ComprehensionExpr, Expr, IdedExpr, LiteralValue, operators};

/// What each loop's name stands for, innermost last.
type Bound = Vec<(String, String)>;

impl Checker<'_> {
    /// The claim of a tree in which no problem was found.
    pub(super) fn claim(&self, tree: &IdedExpr) -> Claim {
        self.claimed(tree, &mut Vec::new())
    }

    fn claimed(&self, node: &IdedExpr, bound: &mut Bound) -> Claim {
        match &node.expr {
            Expr::Literal(LiteralValue::Boolean(value)) => Claim::Always(*value.inner()),
            Expr::Select(select) if select.test => match path_of(&select.operand) {
                Some(path) => Claim::Not(Box::new(self.test(
                    node,
                    full(&format!("{path}.{}", select.field), bound),
                    Is::Null,
                ))),
                None => self.opaque(node),
            },
            Expr::Ident(_) | Expr::Select(_) => match path_of(node) {
                Some(path) => self.test(node, full(&path, bound), Is::True),
                None => self.opaque(node),
            },
            Expr::Comprehension(each) => self.looped(node, each, bound),
            Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
                (operators::LOGICAL_AND, [a, b]) => {
                    Claim::All(vec![self.claimed(a, bound), self.claimed(b, bound)])
                }
                (operators::LOGICAL_OR, [a, b]) => {
                    Claim::Any(vec![self.claimed(a, bound), self.claimed(b, bound)])
                }
                (operators::LOGICAL_NOT, [of]) => Claim::Not(Box::new(self.claimed(of, bound))),
                (operators::CONDITIONAL, [test, yes, no]) => {
                    let test = self.claimed(test, bound);
                    let (yes, no) = (self.claimed(yes, bound), self.claimed(no, bound));
                    let otherwise = Claim::Not(Box::new(test.clone()));
                    Claim::Any(vec![
                        Claim::All(vec![test, yes]),
                        Claim::All(vec![otherwise, no]),
                    ])
                }
                (operators::EQUALS, [a, b]) => self.equal(node, a, b, bound),
                (operators::NOT_EQUALS, [a, b]) => {
                    Claim::Not(Box::new(self.equal(node, a, b, bound)))
                }
                (
                    sign @ (operators::LESS
                    | operators::LESS_EQUALS
                    | operators::GREATER
                    | operators::GREATER_EQUALS),
                    [a, b],
                ) => self.ordered_claim(node, sign, a, b, bound),
                (operators::IN, [one, list]) => self.within_claim(node, one, list, bound),
                _ => self.opaque(node),
            },
            _ => self.opaque(node),
        }
    }

    fn test(&self, node: &IdedExpr, of: String, is: Is) -> Claim {
        Claim::Test(Test {
            of,
            is,
            at: self.span(node),
        })
    }

    fn opaque(&self, node: &IdedExpr) -> Claim {
        self.test(node, self.words_of(node), Is::True)
    }

    /// The text of a node, spaces apart.
    fn words_of(&self, node: &IdedExpr) -> String {
        let text = self.text.get(self.span(node)).unwrap_or_default();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The name of a value: its path, or the text of a call such as `size(order.items)`.
    fn value(&self, node: &IdedExpr, bound: &Bound) -> Option<String> {
        if let Some(path) = path_of(node) {
            return Some(full(&path, bound));
        }
        match &node.expr {
            Expr::Call(call) if call.func_name == "size" => {
                let of = call.target.as_deref().or_else(|| call.args.first())?;
                Some(format!("size({})", full(&path_of(of)?, bound)))
            }
            // Inside a loop, equal texts may be about different elements.
            Expr::Call(_) if bound.is_empty() => Some(self.words_of(node)),
            _ => None,
        }
    }

    fn equal(&self, node: &IdedExpr, a: &IdedExpr, b: &IdedExpr, bound: &Bound) -> Claim {
        for (of, value) in [(a, b), (b, a)] {
            let (Expr::Literal(literal), Some(path)) = (&value.expr, self.value(of, bound)) else {
                continue;
            };
            return match literal {
                LiteralValue::Boolean(value) => {
                    let test = self.test(node, path, Is::True);
                    if *value.inner() {
                        test
                    } else {
                        Claim::Not(Box::new(test))
                    }
                }
                LiteralValue::Null => self.test(node, path, Is::Null),
                LiteralValue::String(text) => {
                    self.test(node, path, Is::Text(text.inner().to_owned()))
                }
                LiteralValue::Int(number) => {
                    let number = *number.inner();
                    self.test(node, path, Is::Between(number, number))
                }
                _ => self.opaque(node),
            };
        }
        if let (Expr::Literal(a), Expr::Literal(b)) = (&a.expr, &b.expr) {
            return Claim::Always(a == b);
        }
        self.opaque(node)
    }

    fn ordered_claim(
        &self,
        node: &IdedExpr,
        sign: &str,
        a: &IdedExpr,
        b: &IdedExpr,
        bound: &Bound,
    ) -> Claim {
        let number = |node: &IdedExpr| match &node.expr {
            Expr::Literal(LiteralValue::Int(number)) => Some(*number.inner()),
            _ => None,
        };
        let (path, number, smaller) = match (number(a), number(b)) {
            (None, Some(number)) => (
                self.value(a, bound),
                number,
                matches!(sign, operators::LESS | operators::LESS_EQUALS),
            ),
            (Some(number), None) => (
                self.value(b, bound),
                number,
                matches!(sign, operators::GREATER | operators::GREATER_EQUALS),
            ),
            _ => return self.opaque(node),
        };
        let Some(path) = path else {
            return self.opaque(node);
        };
        let strict = i64::from(matches!(sign, operators::LESS | operators::GREATER));
        let bounds = if smaller {
            Is::Between(i64::MIN, number.saturating_sub(strict))
        } else {
            Is::Between(number.saturating_add(strict), i64::MAX)
        };
        self.test(node, path, bounds)
    }

    fn within_claim(
        &self,
        node: &IdedExpr,
        one: &IdedExpr,
        list: &IdedExpr,
        bound: &Bound,
    ) -> Claim {
        match &list.expr {
            Expr::List(list) => Claim::Any(
                list.elements
                    .iter()
                    .map(|element| {
                        let mut claim = self.equal(node, one, element, bound);
                        // Each value is shown where it is written.
                        if let Claim::Test(test) = &mut claim {
                            test.at = self.span(element);
                        }
                        claim
                    })
                    .collect(),
            ),
            _ => match (&one.expr, path_of(list)) {
                (Expr::Literal(LiteralValue::String(text)), Some(path)) => {
                    let path = full(&path, bound);
                    if bound.is_empty() {
                        self.test(node, format!("{:?} in {path}", text.inner()), Is::True)
                    } else {
                        self.opaque(node)
                    }
                }
                _ => self.opaque(node),
            },
        }
    }

    fn looped(&self, node: &IdedExpr, each: &ComprehensionExpr, bound: &mut Bound) -> Claim {
        let test = match &each.loop_step.expr {
            Expr::Call(call) if call.func_name == operators::CONDITIONAL => call.args.first(),
            Expr::Call(call) => call.args.get(1),
            _ => None,
        };
        let (Some(list), Some(test)) = (path_of(&each.iter_range), test) else {
            return self.opaque(node);
        };
        let list = full(&list, bound);
        bound.push((each.iter_var.clone(), format!("{list}[]")));
        let inside = self.claimed(test, bound);
        bound.pop();
        self.test(node, self.words_of(node), Is::Loop(Box::new(inside)))
    }
}

/// A path with a loop's name replaced by what it goes over.
fn full(path: &str, bound: &Bound) -> String {
    let (root, rest) = match path.find('.') {
        Some(at) => path.split_at(at),
        None => (path, ""),
    };
    match bound.iter().rev().find(|(name, _)| name == root) {
        Some((_, list)) => format!("{list}{rest}"),
        None => path.to_owned(),
    }
}
