//! The helpers that templates may call, and what each takes.

/// A helper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Function {
    Date,
    Money,
    Number,
    Plural,
    Link,
    Default,
    Image,
    Items,
    List,
    Complement,
    Stars,
    T,
    Eq,
    Ne,
    Gt,
    Gte,
    Lt,
    Lte,
    And,
    Or,
    Not,
    Lookup,
    Len,
}

/// What a helper takes.
#[derive(Debug, Clone, Copy)]
pub struct Signature {
    pub name: &'static str,
    pub function: Function,
    /// Fewest and most values.
    pub values: (usize, usize),
    /// Names it takes after them; `*` for any.
    pub named: &'static [&'static str],
    /// What the values are, in words; those beyond the fewest may be left out.
    pub takes: &'static [&'static str],
    /// What it gives, in a sentence.
    pub says: &'static str,
    /// An example to show.
    pub example: &'static str,
}

const fn sign(
    name: &'static str,
    function: Function,
    values: (usize, usize),
    named: &'static [&'static str],
    example: &'static str,
    takes: &'static [&'static str],
    says: &'static str,
) -> Signature {
    Signature {
        name,
        function,
        values,
        named,
        example,
        takes,
        says,
    }
}

/// Values that `and` and `or` take at most.
const MANY: usize = 16;

/// All helpers. None has the name of something that mails know.
pub const ALL: [Signature; 23] = [
    sign(
        "date",
        Function::Date,
        (1, 2),
        &[],
        "{{date order.placed_at \"long\"}}",
        &["instant", "\"form\""],
        "A date in the reader's language and zone; the second value is `long` (the default), `medium`, `short`, `weekday`, `time` or `near`.",
    ),
    sign(
        "money",
        Function::Money,
        (1, 1),
        &[],
        "{{money order.total}}",
        &["money"],
        "An amount in its currency, as the reader's language writes it.",
    ),
    sign(
        "number",
        Function::Number,
        (1, 1),
        &[],
        "{{number item.quantity}}",
        &["number"],
        "A whole number, as the reader's language writes it.",
    ),
    sign(
        "plural",
        Function::Plural,
        (1, 1),
        &["zero", "one", "two", "few", "many", "other"],
        "{{plural item.quantity one=\"{n} parcel\" other=\"{n} parcels\"}}",
        &["number"],
        "The form of words that goes with a number; `{n}` stands for the number, and `other` must be given.",
    ),
    sign(
        "link",
        Function::Link,
        (1, 1),
        &[],
        "{{link item.product_url}}",
        &["address"],
        "An address with the campaign's parameters added.",
    ),
    sign(
        "default",
        Function::Default,
        (2, 2),
        &[],
        "{{default customer.first_name \"friend\"}}",
        &["value", "else"],
        "A value, or what stands in where there is none.",
    ),
    sign(
        "image",
        Function::Image,
        (2, 2),
        &[],
        "{{image item.image_url item.title}}",
        &["address", "words"],
        "A picture, and the words that stand in for it.",
    ),
    sign(
        "items",
        Function::Items,
        (1, 1),
        &[],
        "{{items order.items}}",
        &["items"],
        "A list of items, with quantity, title and variant.",
    ),
    sign(
        "list",
        Function::List,
        (1, 2),
        &["type"],
        "{{list order.items}}, {{list order.items \"sku\" type=\"or\"}}",
        &["list", "\"field\""],
        "Texts, or a field of each item, in one sentence; `type` is `and` (the default), `or` or `unit`. A list that may be empty, as that of a refund of money alone, needs `{{#if}}` around it.",
    ),
    sign(
        "complement",
        Function::Complement,
        (1, 1),
        &[],
        "{{#with (complement \"tripod\")}}…{{/with}}",
        &["\"family\""],
        "The first product of a family in stock that the reader lacks, or nothing.",
    ),
    sign(
        "stars",
        Function::Stars,
        (1, 1),
        &[],
        "{{stars item.product_url}}",
        &["address"],
        "Five stars, each a link that says how many.",
    ),
    sign(
        "t",
        Function::T,
        (1, 1),
        &["*"],
        "{{t \"footer-why\" name=shop.name}}",
        &["\"key\""],
        "Words from `templates/strings`, with what they print.",
    ),
    sign(
        "eq",
        Function::Eq,
        (2, 2),
        &[],
        "(eq order.channel \"web\")",
        &["a", "b"],
        "Whether two values are the same.",
    ),
    sign(
        "ne",
        Function::Ne,
        (2, 2),
        &[],
        "(ne order.channel \"web\")",
        &["a", "b"],
        "Whether two values differ.",
    ),
    sign(
        "gt",
        Function::Gt,
        (2, 2),
        &[],
        "(gt item.quantity 1)",
        &["a", "b"],
        "Whether the first is more.",
    ),
    sign(
        "gte",
        Function::Gte,
        (2, 2),
        &[],
        "(gte item.quantity 2)",
        &["a", "b"],
        "Whether the first is as much or more.",
    ),
    sign(
        "lt",
        Function::Lt,
        (2, 2),
        &[],
        "(lt item.quantity 2)",
        &["a", "b"],
        "Whether the first is less.",
    ),
    sign(
        "lte",
        Function::Lte,
        (2, 2),
        &[],
        "(lte item.quantity 1)",
        &["a", "b"],
        "Whether the first is as much or less.",
    ),
    sign(
        "and",
        Function::And,
        (2, MANY),
        &[],
        "(and order.paid order.gift)",
        &["a", "b"],
        "Whether all hold; what stands later may count on what stands before.",
    ),
    sign(
        "or",
        Function::Or,
        (2, MANY),
        &[],
        "(or order.paid order.gift)",
        &["a", "b"],
        "Whether any holds.",
    ),
    sign(
        "not",
        Function::Not,
        (1, 1),
        &[],
        "(not order.paid)",
        &["a"],
        "Whether it does not hold.",
    ),
    sign(
        "lookup",
        Function::Lookup,
        (2, 2),
        &[],
        "(lookup order.items 0)",
        &["list", "number"],
        "One element of a list, counted from 0, or one field of an object, or nothing.",
    ),
    sign(
        "len",
        Function::Len,
        (1, 1),
        &[],
        "{{len order.items}}",
        &["list"],
        "How many are in a list.",
    ),
];

impl Function {
    /// The helper of a name.
    pub fn named(name: &str) -> Option<Function> {
        ALL.iter()
            .find(|signature| signature.name == name)
            .map(|signature| signature.function)
    }

    /// All names.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ALL.iter().map(|signature| signature.name)
    }

    /// What it takes.
    pub fn signature(self) -> &'static Signature {
        ALL.iter()
            .find(|signature| signature.function == self)
            .unwrap_or(&ALL[0])
    }

    /// Whether it prints a part of the page rather than gives a value.
    pub fn shows(self) -> bool {
        matches!(self, Function::Items | Function::Image | Function::Stars)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::names::{IN_MAILS, SHARED};

    #[test]
    fn no_helper_hides_a_name() {
        for field in SHARED.iter().chain(IN_MAILS) {
            assert_eq!(Function::named(field.name), None, "{}", field.name);
        }
        for signature in &ALL {
            assert_eq!(signature.function.signature().name, signature.name);
            let named = signature.takes.len();
            assert!(
                (1..=signature.values.1).contains(&named),
                "{}",
                signature.name
            );
            assert!(named >= signature.values.0, "{}", signature.name);
        }
    }
}
