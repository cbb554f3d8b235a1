//! What to say of names that are not there: where they would be known, and what was
//! most likely meant.

use crate::model::names::{self, Field, Known, Type, field};
use crate::sequence::condition::Problem;

/// What to say of a top-level name that is not known here.
pub(super) fn unknown(known: &Known, name: &str, whole: &str, fields: &[&str]) -> Problem {
    let here = |text: String| Problem::new("E131", 0..0, text);
    let of = fields.join(".");
    let many = |list: &str, letter: &str| {
        if of.is_empty() {
            format!("write order.{list}.exists({letter}, …)")
        } else {
            format!("write order.{list}.exists({letter}, {letter}.{of})")
        }
    };
    if field(names::SHARED, name).is_some() {
        let problem = here(format!("`{whole}` is not known in this sequence"));
        let per = if known.has("order") {
            "order"
        } else {
            "customer"
        };
        return match (name, known.has("order")) {
            ("variant", _) => problem
                .help("it is the arm of this sequence's [experiment], drawn when somebody enters")
                .help("steps, pauses, stops and mails of a sequence with [experiment] know it"),
            ("item", true) => problem
                .help("this sequence runs per order; an order has many items")
                .help(format!("{} or set each = \"item\"", many("items", "i"))),
            ("shipment", true) => problem
                .help("this sequence runs per order; an order may have many parcels")
                .help(format!(
                    "{} or set each = \"shipment\"",
                    many("shipments", "s")
                )),
            ("product", true) => problem
                .help("a product is known with its item, and this sequence runs per order")
                .help("set each = \"item\", or per = \"item\" in [start]"),
            ("item" | "shipment" | "product" | "order", _) => problem
                .help(format!(
                    "this sequence runs per {per}, who may have many orders"
                ))
                .help(format!(
                    "name it in the key: [start] per = \"{}\"",
                    if name == "product" { "item" } else { name }
                )),
            _ => problem
                .help(format!(
                    "`{name}` comes with the fact that starts a sequence, or that a step waits for"
                ))
                .help(format!("start on {}, or leave it out", fact_of(name))),
        };
    }
    if field(names::IN_MAILS, name).is_some() {
        return here(format!("`{whole}` is not known in conditions"))
            .help(format!("`{name}` is there for mails only"));
    }
    let problem = here(format!("`{whole}` does not exist"));
    // `gift` alone is most likely `order.gift`.
    let owner = known.iter().find(|top| {
        matches!(field(names::SHARED, top), Some(Field { of: Type::Object(inner), .. }) if field(inner, name).is_some())
    });
    if let Some(owner) = owner {
        return problem.help(format!("did you mean `{owner}.{whole}`?"));
    }
    match crate::model::nearest::nearest(name, known.iter().chain(["now"])) {
        Some(near) => problem.help(format!("did you mean `{}`?", whole.replacen(name, near, 1))),
        None => problem.help(format!(
            "known here are {}",
            known.iter().chain(["now"]).collect::<Vec<_>>().join(", ")
        )),
    }
}

pub(super) fn fact_of(name: &str) -> &'static str {
    match name {
        "refund" => "\"refund.issued\"",
        "cancel" => "\"order.cancelled\"",
        "return" => "\"return.requested\"",
        "dispute" => "\"dispute.opened\"",
        "review" => "\"review.received\"",
        "ticket" => "\"ticket.opened\"",
        "failure" => "\"shipment.delivery_failed\"",
        "pickup" => "\"shipment.available_for_pickup\"",
        _ => "such a fact",
    }
}

/// What to suggest for a field that an object does not have.
pub(super) fn no_such_field(
    known: &Known,
    path: &str,
    name: &str,
    fields: &'static [Field],
) -> Vec<String> {
    if path == "order" && name == "line_items" {
        return vec!["did you mean `order.items`?".to_owned()];
    }
    if let Some(near) = crate::model::nearest::nearest(name, fields.iter().map(|field| field.name))
    {
        return vec![format!("did you mean `{path}.{near}`?")];
    }
    // Another object known here may have it.
    for top in known.iter() {
        if let Some(Field {
            of: Type::Object(inner),
            ..
        }) = field(names::SHARED, top)
            && let Some(near) =
                crate::model::nearest::nearest(name, inner.iter().map(|field| field.name))
        {
            return vec![format!("did you mean `{top}.{near}`?")];
        }
    }
    vec![format!(
        "it has {}",
        fields
            .iter()
            .map(|field| field.name)
            .collect::<Vec<_>>()
            .join(", ")
    )]
}
