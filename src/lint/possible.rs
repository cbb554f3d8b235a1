//! Whether conditions can all hold at one moment. Sound in one direction only: what is
//! called impossible is impossible for every customer; what is beyond this form of
//! reasoning counts as possible, so that there are no false alarms.

use crate::model::closed::{self, Closed};
use crate::sequence::condition::claim::{Claim, Is, Test};
use std::collections::BTreeMap;
use std::ops::Range;

/// Most branches that one question looks through; beyond it, everything is possible.
const MAX_BRANCHES: usize = 2_000;

/// Something that must be so, and where that was said.
#[derive(Debug, Clone)]
pub struct Premise<'c> {
    pub claim: &'c Claim,
    /// Whether the claim must come out true, or false.
    pub holds: bool,
    /// Which of the asker's texts it stands in.
    pub from: usize,
}

/// Two tests that cannot come out as they must, each with the text it stands in.
/// Both are the same where one alone is impossible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    pub first: (usize, Range<usize>),
    pub second: (usize, Range<usize>),
    /// What must be and cannot, in words: `` `order.gift` ``, `` `item.kind == "a"` ``.
    pub words: (String, String),
}

/// Why the premises cannot all hold; `None` where they may.
pub fn conflict(premises: &[Premise<'_>]) -> Option<Conflict> {
    let mut search = Search {
        branches: 0,
        first: None,
    };
    let open: Vec<Premise<'_>> = premises.iter().rev().cloned().collect();
    if search.possible(open, &Known::default()) || search.branches > MAX_BRANCHES {
        None
    } else {
        search.first
    }
}

struct Search {
    branches: usize,
    /// The conflict of the first branch: that of the conditions as written.
    first: Option<Conflict>,
}

#[derive(Debug, Clone, Default)]
struct Known<'c> {
    by_name: BTreeMap<&'c str, Vec<Must<'c>>>,
}

/// A test that must come out one way.
#[derive(Debug, Clone)]
struct Must<'c> {
    test: &'c Test,
    holds: bool,
    from: usize,
}

impl Search {
    /// Whether everything in `open` (last first) can hold beside what is known.
    fn possible<'c>(&mut self, mut open: Vec<Premise<'c>>, known: &Known<'c>) -> bool {
        let mut known = known.clone();
        while let Some(Premise { claim, holds, from }) = open.pop() {
            match claim {
                Claim::Always(value) => {
                    if *value != holds {
                        let words = value.to_string();
                        self.first.get_or_insert(Conflict {
                            first: (from, 0..0),
                            second: (from, 0..0),
                            words: (words.clone(), words),
                        });
                        return false;
                    }
                }
                Claim::Not(of) => open.push(Premise {
                    claim: of,
                    holds: !holds,
                    from,
                }),
                Claim::All(parts) | Claim::Any(parts) => {
                    let together = matches!(claim, Claim::All(_)) == holds;
                    if together {
                        open.extend(
                            parts
                                .iter()
                                .rev()
                                .map(|claim| Premise { claim, holds, from }),
                        );
                        continue;
                    }
                    // Simple tests first: a branch costs more than a look.
                    if open.iter().any(|other| is_plain(other.claim)) {
                        let (plain, rest): (Vec<_>, Vec<_>) =
                            open.drain(..).partition(|other| is_plain(other.claim));
                        open = rest;
                        open.push(Premise { claim, holds, from });
                        open.extend(plain);
                        continue;
                    }
                    for claim in parts {
                        self.branches += 1;
                        if self.branches > MAX_BRANCHES {
                            return true;
                        }
                        let mut open = open.clone();
                        open.push(Premise { claim, holds, from });
                        if self.possible(open, &known) {
                            return true;
                        }
                    }
                    if parts.is_empty() {
                        self.first.get_or_insert(Conflict {
                            first: (from, 0..0),
                            second: (from, 0..0),
                            words: ("an empty list".into(), "an empty list".into()),
                        });
                    }
                    return false;
                }
                Claim::Test(test) => {
                    let must = Must { test, holds, from };
                    let had = known.by_name.entry(test.of.as_str()).or_default();
                    if let Some(other) = clash(had, &must) {
                        self.first.get_or_insert(Conflict {
                            first: (other.from, other.test.at.clone()),
                            second: (from, test.at.clone()),
                            words: (words(&other), words(&must)),
                        });
                        return false;
                    }
                    had.push(must);
                }
            }
        }
        true
    }
}

fn is_plain(claim: &Claim) -> bool {
    match claim {
        Claim::Test(_) | Claim::Always(_) => true,
        Claim::Not(of) => is_plain(of),
        Claim::All(_) | Claim::Any(_) => false,
    }
}

/// What of the known a new test of the same name contradicts; itself, where it is
/// impossible alone.
fn clash<'c>(had: &[Must<'c>], new: &Must<'c>) -> Option<Must<'c>> {
    for other in had {
        if contradict(other, new) {
            return Some(other.clone());
        }
    }
    let all = || had.iter().chain([new]);
    // Bounds of numbers, taken together.
    let (mut low, mut high) = if new.test.of.starts_with("size(") {
        (0, i64::MAX)
    } else {
        (i64::MIN, i64::MAX)
    };
    for must in all() {
        if let (Is::Between(from, to), true) = (&must.test.is, must.holds) {
            low = low.max(*from);
            high = high.min(*to);
        }
    }
    // What must lie outside of bounds that reach to one end.
    for must in all() {
        if let (Is::Between(from, to), false) = (&must.test.is, must.holds) {
            if *from == i64::MIN {
                low = low.max(to.saturating_add(1));
            } else if *to == i64::MAX {
                high = high.min(from.saturating_sub(1));
            } else if low >= *from && high <= *to {
                return Some(had.last().unwrap_or(new).clone());
            }
        }
    }
    if low > high {
        return Some(had.last().unwrap_or(new).clone());
    }
    // Every value of a closed set is ruled out.
    let optional = new.test.of.ends_with("delivery_basis") || new.test.of.starts_with("review.");
    if let (Some(Closed::OneOf(values)), false) = (closed::of(&new.test.of), optional) {
        let ruled_out = |value: &str| {
            all()
                .any(|must| !must.holds && matches!(&must.test.is, Is::Text(text) if text == value))
        };
        if values.iter().all(|value| ruled_out(value)) {
            return Some(had.last().unwrap_or(new).clone());
        }
    }
    None
}

/// Whether two tests of one name cannot come out as they must.
fn contradict(a: &Must<'_>, b: &Must<'_>) -> bool {
    match (&a.test.is, &b.test.is) {
        (Is::Text(one), Is::Text(other)) => match (a.holds, b.holds) {
            (true, true) => one != other,
            (true, false) | (false, true) => one == other,
            (false, false) => false,
        },
        // Something that equals a value, is true or lies in bounds is there.
        (Is::Null, Is::Text(_) | Is::Between(..)) => a.holds && b.holds,
        (Is::Text(_) | Is::Between(..), Is::Null) => a.holds && b.holds,
        (Is::Null, Is::True) => a.holds && b.holds,
        (Is::True, Is::Null) => a.holds && b.holds,
        (Is::True, Is::True) | (Is::Null, Is::Null) | (Is::Loop(_), Is::Loop(_)) => {
            a.holds != b.holds
        }
        // Bounds are looked at all together.
        (Is::Between(..), Is::Between(..)) => false,
        (Is::True | Is::Text(_) | Is::Between(..) | Is::Null | Is::Loop(_), _) => false,
    }
}

fn words(must: &Must<'_>) -> String {
    let Test { of, is, .. } = must.test;
    match (is, must.holds) {
        (Is::True | Is::Loop(_), true) => of.clone(),
        (Is::True | Is::Loop(_), false) => format!("!{of}"),
        (Is::Null, true) => format!("{of} == null"),
        (Is::Null, false) => format!("{of} != null"),
        (Is::Text(text), true) => format!("{of} == \"{text}\""),
        (Is::Text(text), false) => format!("{of} != \"{text}\""),
        (Is::Between(low, high), holds) => {
            let text = match (*low, *high) {
                (low, high) if low == high => format!("{of} == {low}"),
                (i64::MIN, high) => format!("{of} <= {high}"),
                (low, i64::MAX) => format!("{of} >= {low}"),
                (low, high) => format!("{low} <= {of} <= {high}"),
            };
            if holds { text } else { format!("!({text})") }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::model::names::Known as Names;
    use crate::sequence::condition::Condition;

    fn check(texts: &[(&str, bool)], possible: bool) {
        let names = Names::customer()
            .with("order")
            .with("item")
            .with("shipment");
        let conditions: Vec<Condition> = texts
            .iter()
            .map(|(text, _)| Condition::compile(text, &names).unwrap())
            .collect();
        let premises: Vec<Premise<'_>> = conditions
            .iter()
            .zip(texts)
            .enumerate()
            .map(|(from, (condition, (_, holds)))| Premise {
                claim: condition.claim(),
                holds: *holds,
                from,
            })
            .collect();
        assert_eq!(conflict(&premises).is_none(), possible, "{texts:?}");
    }

    #[test]
    fn what_cannot_be_is_found() {
        check(
            &[("item.kind == 'digital' && item.kind == 'service'", true)],
            false,
        );
        check(
            &[("order.gift", true), ("order.gift || order.gift", false)],
            false,
        );
        check(
            &[
                ("order.gift && order.paid", true),
                ("order.paid == true", false),
            ],
            false,
        );
        check(&[("item.quantity > 3 && item.quantity < 4", true)], false);
        check(
            &[("item.quantity >= 3", true), ("item.quantity > 2", false)],
            false,
        );
        check(
            &[("order.channel == null && order.channel == 'web'", true)],
            false,
        );
        check(
            &[
                ("has(order.channel)", false),
                ("order.channel in ['web', 'shop']", true),
            ],
            false,
        );
        check(&[("owns('tripod') && !owns('tripod')", true)], false);
        check(
            &[("order.items.size() == 0 && size(order.items) < 0", true)],
            false,
        );
        check(
            &[
                ("item.family in ['a', 'b']", true),
                ("item.family == 'a' || order.gift", false),
                ("order.gift || item.family != 'b'", true),
            ],
            false,
        );
        check(
            &[(
                "shipment.direction == 'outbound' || shipment.direction == 'return'",
                false,
            )],
            false,
        );
        check(
            &[(
                "order.items.exists(i, i.kept) && !order.items.exists(i, i.kept)",
                true,
            )],
            false,
        );
        check(&[("false && order.gift", true)], false);
        check(&[("item.kind in []", true)], false);
        check(&[("order.gift ? false : order.gift", true)], false);
    }

    #[test]
    fn what_may_be_is_left_alone() {
        check(
            &[("item.kind == 'digital' || item.kind == 'service'", true)],
            true,
        );
        check(&[("order.gift", true), ("order.paid", false)], true);
        check(&[("item.quantity > 3 && item.quantity < 5", true)], true);
        check(&[("item.quantity != 3 && item.quantity >= 3", true)], true);
        check(&[("owns('tripod') && !owns('lens')", true)], true);
        check(
            &[(
                "order.items.exists(i, i.kept) && order.items.exists(i, !i.kept)",
                true,
            )],
            true,
        );
        check(
            &[
                ("order.channel == 'web'", false),
                ("order.channel == 'shop'", false),
            ],
            true,
        );
        check(
            &[("order.total.amount > 100 && item.total.amount < 50", true)],
            true,
        );
        check(
            &[(
                "item.delivery_basis in ['carrier','storefront','merchant','digital','inferred']",
                false,
            )],
            true,
        );
        // More branches than are looked through: everything is possible.
        let many = (0..25)
            .map(|n| format!("(item.quantity > {n} || item.sku == '{n}')"))
            .collect::<Vec<_>>()
            .join(" && ");
        check(&[(&many, true), ("order.gift", true)], true);
    }
}
