//! What conditions compare with what: the texts and numbers worth trying, because a rule
//! of the shop makes a difference of them.

use serde_json::{Value, json};

/// A name and a value that some condition holds against it.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// As written, such as `item.family`; a variable of a macro counts as `item`.
    pub path: String,
    /// The text, number, or truth.
    pub value: Value,
}

/// What no story has unless a condition speaks of it, by name: as somebody who has it
/// would have it.
const RARE: [(&str, &str); 11] = [
    ("order.gift", "true"),
    ("order.subscription", r#"{"id": "S-1", "sequence": 2}"#),
    ("order.subscription", r#"{"id": "S-1", "sequence": 1}"#),
    ("order.replaces", r#""1000""#),
    ("order.ship_to.region", r#""BE""#),
    ("customer.region", r#""BE""#),
    ("customer.time_zone", r#""Europe/Berlin""#),
    (
        "item.bundle",
        r#"{"sku": "KIT-1", "product_id": "P-KIT", "title": "Kit"}"#,
    ),
    ("refund.return_id", r#""RMA-1001""#),
    ("review.kind", r#""product""#),
    ("shipment.estimated_delivery", r#""2026-03-09""#),
];

/// Names that a condition may begin a path with.
const ROOTS: [&str; 8] = [
    "customer", "order", "item", "product", "shipment", "refund", "ticket", "return",
];

/// What a condition speaks of that no story has by itself, with a value to try.
pub(super) fn rarities(text: &str) -> Vec<Comparison> {
    let names = names(text);
    RARE.iter()
        .filter(|(rare, _)| names.iter().any(|name| within(name, rare)))
        .filter_map(|(path, value)| {
            Some(Comparison {
                path: (*path).to_owned(),
                value: serde_json::from_str(value).ok()?,
            })
        })
        .collect()
}

/// Every name in a condition's text.
pub(super) fn names(text: &str) -> Vec<String> {
    let paths = tokens(text).into_iter().filter_map(|token| match token {
        Token::Path(path) => Some(path),
        _ => None,
    });
    paths
        .filter_map(|path| {
            let (root, rest) = path.split_once('.')?;
            Some(if ROOTS.contains(&root) {
                path
            } else {
                format!("item.{rest}")
            })
        })
        .collect()
}

/// Whether a name is another or a part of it.
pub(super) fn within(name: &str, whole: &str) -> bool {
    name.strip_prefix(whole)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The comparisons in a condition's text, each side of a bound for numbers. What is not
/// understood is left out: then there is one value less to try.
pub fn comparisons(text: &str) -> Vec<Comparison> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let Token::Path(path) = token else { continue };
        match (tokens.get(at + 1), tokens.get(at + 2)) {
            (Some(Token::Sign(sign)), Some(Token::Value(value)))
                if sign.starts_with(['=', '!', '<', '>']) =>
            {
                put(&mut found, path, value);
            }
            (Some(Token::Path(word)), Some(Token::Sign(open))) if word == "in" && open == "[" => {
                for token in &tokens[at + 3..] {
                    match token {
                        Token::Value(value) => put(&mut found, path, value),
                        Token::Sign(sign) if sign == "," => {}
                        _ => break,
                    }
                }
            }
            // `path.startsWith("x")` and its like: the path ends in the function.
            (Some(Token::Sign(open)), Some(Token::Value(value))) if open == "(" => {
                if let Some((of, _)) = path.rsplit_once('.') {
                    put(&mut found, of, value);
                }
            }
            _ => {}
        }
        if let (Some(Token::Path(word)), Some(Token::Value(value))) = (
            at.checked_sub(1).map(|at| &tokens[at]),
            at.checked_sub(2).map(|at| &tokens[at]),
        ) && word == "in"
        {
            put(&mut found, path, value);
        }
    }
    found
}

fn put(found: &mut Vec<Comparison>, path: &str, value: &Value) {
    let (root, rest) = path.split_once('.').unwrap_or((path, ""));
    if rest.is_empty() {
        return;
    }
    let path = if ROOTS.contains(&root) {
        path.to_owned()
    } else {
        format!("item.{rest}")
    };
    let mut values = vec![value.clone()];
    if let Some(number) = value.as_i64() {
        values.extend([
            json!(number.saturating_add(1)),
            json!(number.saturating_sub(1)),
        ]);
    }
    for value in values {
        let one = Comparison {
            path: path.clone(),
            value,
        };
        if !found.contains(&one) {
            found.push(one);
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Path(String),
    Value(Value),
    Sign(String),
}

fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if c == '"' || c == '\'' {
            let mut inside = String::new();
            while let Some(next) = rest.next() {
                match next {
                    '\\' => inside.extend(rest.next()),
                    next if next == c => break,
                    next => inside.push(next),
                }
            }
            found.push(Token::Value(Value::String(inside)));
        } else if c.is_ascii_digit() {
            let mut digits = String::from(c);
            while let Some(next) = rest.next_if(|c| c.is_ascii_digit()) {
                digits.push(next);
            }
            let number: Option<i64> = digits.parse().ok();
            found.extend(number.map(|number| Token::Value(json!(number))));
        } else if c.is_alphabetic() || c == '_' {
            let mut path = String::from(c);
            while let Some(next) = rest.next_if(|c| c.is_alphanumeric() || *c == '_' || *c == '.') {
                path.push(next);
            }
            found.push(match path.as_str() {
                "true" => Token::Value(Value::Bool(true)),
                "false" => Token::Value(Value::Bool(false)),
                // Nothing to put anywhere: `rarities` and `names` see to what is absent.
                "null" => Token::Sign(path),
                _ => Token::Path(path),
            });
        } else if !c.is_whitespace() {
            let mut sign = String::from(c);
            if matches!(c, '=' | '!' | '<' | '>')
                && let Some(next) = rest.next_if(|next| *next == '=')
            {
                sign.push(next);
            }
            found.push(Token::Sign(sign));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_story_has_is_tried_where_a_condition_speaks_of_it() {
        let found = |text: &str| -> Vec<String> {
            rarities(text)
                .into_iter()
                .map(|one| format!("{}={}", one.path, one.value))
                .collect()
        };
        assert_eq!(found("order.gift && order.paid"), ["order.gift=true"]);
        assert_eq!(
            found("has(order.subscription) && order.subscription.sequence > 1"),
            [
                r#"order.subscription={"id":"S-1","sequence":2}"#,
                r#"order.subscription={"id":"S-1","sequence":1}"#
            ]
        );
        assert_eq!(
            found("order.items.exists(i, i.bundle != null)"),
            [r#"item.bundle={"sku":"KIT-1","product_id":"P-KIT","title":"Kit"}"#]
        );
        assert!(found("order.giftwrap || item.family == \"gift\"").is_empty());
    }

    #[test]
    fn what_is_compared_is_found_on_either_side() {
        let found = |text: &str| -> Vec<String> {
            comparisons(text)
                .into_iter()
                .map(|one| format!("{}={}", one.path, one.value))
                .collect()
        };
        assert_eq!(
            found("item.family == \"dslr\" && !order.gift"),
            ["item.family=\"dslr\""]
        );
        assert_eq!(
            found(
                "order.items.exists(i, i.kind in [\"digital\", 'service']) || 'vip' in customer.tags"
            ),
            [
                "item.kind=\"digital\"",
                "item.kind=\"service\"",
                "customer.tags=\"vip\""
            ]
        );
        assert_eq!(
            found("order.total.amount >= 5000 && order.channel.startsWith(\"app\")"),
            [
                "order.total.amount=5000",
                "order.total.amount=5001",
                "order.total.amount=4999",
                "order.channel=\"app\""
            ]
        );
    }
}
