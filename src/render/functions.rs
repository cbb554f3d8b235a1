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
    /// An example to show.
    pub example: &'static str,
}

const fn sign(
    name: &'static str,
    function: Function,
    values: (usize, usize),
    named: &'static [&'static str],
    example: &'static str,
) -> Signature {
    Signature {
        name,
        function,
        values,
        named,
        example,
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
    ),
    sign(
        "money",
        Function::Money,
        (1, 1),
        &[],
        "{{money order.total}}",
    ),
    sign(
        "number",
        Function::Number,
        (1, 1),
        &[],
        "{{number item.quantity}}",
    ),
    sign(
        "plural",
        Function::Plural,
        (1, 1),
        &["zero", "one", "two", "few", "many", "other"],
        "{{plural item.quantity one=\"{n} parcel\" other=\"{n} parcels\"}}",
    ),
    sign(
        "link",
        Function::Link,
        (1, 1),
        &[],
        "{{link item.product_url}}",
    ),
    sign(
        "default",
        Function::Default,
        (2, 2),
        &[],
        "{{default customer.first_name \"friend\"}}",
    ),
    sign(
        "image",
        Function::Image,
        (2, 2),
        &[],
        "{{image item.image_url item.title}}",
    ),
    sign(
        "items",
        Function::Items,
        (1, 1),
        &[],
        "{{items order.items}}",
    ),
    sign(
        "list",
        Function::List,
        (1, 2),
        &["type"],
        "{{list order.items}}, {{list order.items \"sku\" type=\"or\"}}",
    ),
    sign(
        "complement",
        Function::Complement,
        (1, 1),
        &[],
        "{{#with (complement \"tripod\")}}…{{/with}}",
    ),
    sign(
        "stars",
        Function::Stars,
        (1, 1),
        &[],
        "{{stars item.product_url}}",
    ),
    sign(
        "t",
        Function::T,
        (1, 1),
        &["*"],
        "{{t \"footer-why\" name=shop.name}}",
    ),
    sign(
        "eq",
        Function::Eq,
        (2, 2),
        &[],
        "(eq order.channel \"web\")",
    ),
    sign(
        "ne",
        Function::Ne,
        (2, 2),
        &[],
        "(ne order.channel \"web\")",
    ),
    sign("gt", Function::Gt, (2, 2), &[], "(gt item.quantity 1)"),
    sign("gte", Function::Gte, (2, 2), &[], "(gte item.quantity 2)"),
    sign("lt", Function::Lt, (2, 2), &[], "(lt item.quantity 2)"),
    sign("lte", Function::Lte, (2, 2), &[], "(lte item.quantity 1)"),
    sign(
        "and",
        Function::And,
        (2, MANY),
        &[],
        "(and order.paid order.gift)",
    ),
    sign(
        "or",
        Function::Or,
        (2, MANY),
        &[],
        "(or order.paid order.gift)",
    ),
    sign("not", Function::Not, (1, 1), &[], "(not order.paid)"),
    sign(
        "lookup",
        Function::Lookup,
        (2, 2),
        &[],
        "(lookup order.items 0)",
    ),
    sign("len", Function::Len, (1, 1), &[], "{{len order.items}}"),
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
        }
    }
}
