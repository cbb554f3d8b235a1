//! Which names a part of a template reads without saying where from: a value that a
//! partial is given and never reads was most likely misspelt.

use super::program::{Expr, From, Node, Path};
use std::collections::BTreeSet;

/// The first parts of all paths in `nodes`, partials in them included.
pub fn reads(nodes: &[Node]) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    all(nodes, &mut found);
    found
}

fn all<'n>(nodes: &'n [Node], found: &mut BTreeSet<&'n str>) {
    for node in nodes {
        match node {
            Node::Text(_) => {}
            Node::Print { value, .. } => one(value, found),
            Node::Show { shows, .. } => {
                let named = shows.call.hash.iter().map(|(_, value)| value);
                shows
                    .call
                    .params
                    .iter()
                    .chain(named)
                    .for_each(|value| one(value, found));
            }
            Node::If {
                test, then, other, ..
            } => {
                one(test, found);
                all(then, found);
                all(other, found);
            }
            Node::Each {
                list, body, other, ..
            } => {
                one(list, found);
                all(body, found);
                all(other, found);
            }
            Node::With {
                value, body, other, ..
            } => {
                one(value, found);
                all(body, found);
                all(other, found);
            }
            Node::Partial {
                body,
                context,
                hash,
                ..
            } => {
                context.iter().for_each(|value| one(value, found));
                hash.iter().for_each(|(_, value)| one(value, found));
                all(body, found);
            }
        }
    }
}

fn one<'n>(value: &'n Expr, found: &mut BTreeSet<&'n str>) {
    match value {
        Expr::Path(Path {
            from: From::Up(0),
            segments,
            ..
        }) => found.extend(segments.first().map(String::as_str)),
        Expr::Path(_) | Expr::Literal(_) => {}
        Expr::Call(call) => {
            // A helper without arguments may be a name.
            if call.params.is_empty() && call.hash.is_empty() {
                found.insert(&call.name);
            }
            let named = call.hash.iter().map(|(_, value)| value);
            call.params
                .iter()
                .chain(named)
                .for_each(|value| one(value, found));
        }
    }
}
