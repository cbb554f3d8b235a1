//! What a test that came out one way says about names: which are not null then.

use crate::sequence::condition::scan;
use cel::common::ast::{Expr, IdedExpr, LiteralValue, operators};
use std::collections::BTreeSet;

/// The paths that are not null where `node` came out as `outcome`.
pub(super) fn facts(node: &IdedExpr, outcome: bool) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(node, outcome, &mut found);
    found
}

pub(super) fn collect(node: &IdedExpr, outcome: bool, found: &mut BTreeSet<String>) {
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

pub(super) fn path_of(node: &IdedExpr) -> Option<String> {
    match &node.expr {
        Expr::Ident(name) if name == scan::RETURN => Some("return".to_owned()),
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) if !select.test => {
            Some(format!("{}.{}", path_of(&select.operand)?, select.field))
        }
        _ => None,
    }
}
