//! What conditions may call: names, examples and meanings, for messages and for the
//! reference. Nothing here checks or evaluates.

/// A function of conditions.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    pub name: &'static str,
    /// How it is written, with a letter for each value.
    pub form: &'static str,
    /// The type of what it gives.
    pub gives: &'static str,
    /// What it gives, in a sentence.
    pub says: &'static str,
    /// A condition, or part of one, that works.
    pub example: &'static str,
}

const fn call(
    name: &'static str,
    form: &'static str,
    gives: &'static str,
    says: &'static str,
    example: &'static str,
) -> Call {
    Call {
        name,
        form,
        gives,
        says,
        example,
    }
}

/// All of them: ours first, then those of CEL.
pub static CALLS: [Call; 14] = [
    call(
        "owns",
        "owns(x)",
        "bool",
        "Whether the person keeps something of a family, kit, SKU or product id; a kit counts as its parts too.",
        "owns(\"tripod\")",
    ),
    call(
        "bought",
        "bought(x)",
        "bool",
        "Whether the person ever bought it.",
        "bought(\"tripod\")",
    ),
    call(
        "in_stock",
        "in_stock(x)",
        "bool",
        "Whether it is not known to be out of stock; a kit needs all its parts.",
        "in_stock(\"tripod\")",
    ),
    call(
        "sent",
        "sent(step)",
        "bool",
        "Whether that mail went out to this person.",
        "sent(\"fulfilment/placed\")",
    ),
    call(
        "days_since",
        "days_since(t)",
        "int",
        "Days since an instant, in the customer's zone.",
        "days_since(order.version) > 30",
    ),
    call(
        "has",
        "has(a.b)",
        "bool",
        "Whether a name that may be null is there.",
        "has(item.family)",
    ),
    call(
        "size",
        "size(x)",
        "int",
        "The length of a list or a text.",
        "size(order.items) > 1",
    ),
    call(
        "all",
        "list.all(x, test)",
        "bool",
        "Whether the test holds for all; two loops may stand in one another.",
        "order.items.all(i, i.kept)",
    ),
    call(
        "exists",
        "list.exists(x, test)",
        "bool",
        "Whether it holds for one or more.",
        "order.items.exists(i, i.kept)",
    ),
    call(
        "exists_one",
        "list.exists_one(x, test)",
        "bool",
        "Whether it holds for exactly one.",
        "order.items.exists_one(i, i.kept)",
    ),
    call(
        "startsWith",
        "text.startsWith(t)",
        "bool",
        "Whether a text begins so.",
        "item.title.startsWith(\"Aurora\")",
    ),
    call(
        "endsWith",
        "text.endsWith(t)",
        "bool",
        "Whether a text ends so.",
        "item.title.endsWith(\"kit\")",
    ),
    call(
        "contains",
        "text.contains(t)",
        "bool",
        "Whether a text holds another.",
        "item.title.contains(\"kit\")",
    ),
    call(
        "matches",
        "text.matches(pattern)",
        "bool",
        "Whether a regular expression, written out, finds something in a text.",
        "item.title.matches(\"^[A-Z]\")",
    ),
];

/// The one of a name.
pub fn called(name: &str) -> Option<&'static Call> {
    CALLS.iter().find(|call| call.name == name)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::model::names::Known;
    use crate::sequence::condition::{Condition, value};

    #[test]
    fn every_example_works_as_it_says() {
        let known = Known::customer().with("order").with("item");
        for call in &CALLS {
            // What gives a number is compared with one.
            assert_eq!(
                call.gives == "int",
                call.example.contains(" > "),
                "{}",
                call.name
            );
            let condition = Condition::compile(call.example, &known).unwrap();
            assert_eq!(condition.warnings(), [], "{}", call.name);
            assert!(call.example.contains(&format!("{}(", call.name)));
        }
        for ours in value::Function::ALL {
            assert!(called(ours.name()).is_some(), "{}", ours.name());
        }
    }
}
