//! Names whose values come from a closed set (`event.schema.json`, and what the fold
//! adds). A value outside its set is one that no event carries.

/// Closed sets by the last two parts of a path: of which object, and which field.
const SETS: &[(&str, &str, &[&str])] = &[
    (
        "item",
        "kind",
        &["physical", "digital", "service", "gift_card", "unknown"],
    ),
    (
        "item",
        "delivery_basis",
        &["carrier", "storefront", "merchant", "digital", "inferred"],
    ),
    ("customer", "account", &["registered", "guest"]),
    (
        "marketing_consent",
        "state",
        &[
            "subscribed",
            "pending",
            "not_subscribed",
            "unsubscribed",
            "unknown",
        ],
    ),
    (
        "marketing_consent",
        "basis",
        &["explicit", "soft_opt_in", "none"],
    ),
    ("shipment", "direction", &["outbound", "return"]),
    (
        "shipment",
        "status",
        &[
            "dispatched",
            "in_transit",
            "out_for_delivery",
            "available_for_pickup",
            "delivery_failed",
            "delivered",
            "returned_to_sender",
            "lost",
            "cancelled",
        ],
    ),
    ("refund", "scope", &["partial", "full", "unknown"]),
    ("review", "kind", &["product", "store"]),
];

/// Names that hold codes of fixed length in capitals: `DE`, `EUR`.
const CODES: &[(&str, &str, usize)] = &[
    ("customer", "country", 2),
    ("ship_to", "country", 2),
    ("order", "currency", 3),
];

/// What a name can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// One of these.
    OneOf(&'static [&'static str]),
    /// So many capital letters.
    Code(usize),
}

/// The closed set of a path such as `item.kind` or `order.items[].kind`, if it has one.
pub fn of(path: &str) -> Option<Closed> {
    let mut parts = path.rsplit('.');
    let field = parts.next()?;
    let object = match parts.next()?.trim_end_matches("[]") {
        "items" | "items_to_come" => "item",
        "shipments" => "shipment",
        other => other,
    };
    SETS.iter()
        .find(|(of, name, _)| *of == object && *name == field)
        .map(|(_, _, values)| Closed::OneOf(values))
        .or_else(|| {
            CODES
                .iter()
                .find(|(of, name, _)| *of == object && *name == field)
                .map(|(_, _, length)| Closed::Code(*length))
        })
        // That of an amount of money, whatever the amount is called.
        .or_else(|| (field == "currency").then_some(Closed::Code(3)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::names::{ITEM, SHIPMENT, Type, field};

    #[test]
    fn sets_are_of_names_that_exist() {
        for (object, name, _) in SETS {
            let fields = match *object {
                "item" => ITEM,
                "shipment" => SHIPMENT,
                _ => continue,
            };
            assert!(
                field(fields, name).is_some_and(|field| field.of == Type::Text),
                "{object}.{name}"
            );
        }
        assert!(matches!(of("order.items[].kind"), Some(Closed::OneOf(_))));
        assert_eq!(of("order.ship_to.country"), Some(Closed::Code(2)));
        assert_eq!(of("item.title"), None);
    }

    #[test]
    fn sets_are_those_of_the_words_that_the_code_knows() {
        use crate::model::event::EventKind;
        let Some(Closed::OneOf(statuses)) = of("shipment.status") else {
            panic!("a set");
        };
        for kind in EventKind::ALL {
            if let Some(status) = kind.as_str().strip_prefix("shipment.") {
                assert!(statuses.contains(&status), "{status}");
            }
        }
    }
}
