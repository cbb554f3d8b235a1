//! What the parts of events look like: `event.schema.json` as tables, checked with the
//! path to the first thing that does not fit. A value that may be null may also be
//! absent, and so may lists; what has no sensible default must be there.

use super::json::Json;
use crate::model::event::EventKind;
use crate::model::time::Timestamp;
use std::fmt;

/// Largest amount of money, in minor units, either way: what JSON numbers hold exactly.
pub const MAX_AMOUNT: i64 = 9_007_199_254_740_991;
/// Largest number of units in a line, a parcel, a refund.
pub const MAX_QUANTITY: i64 = 1_000_000;

/// Why an event is not one that we know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Misfit {
    /// Stable code.
    pub(super) reason: &'static str,
    /// Sentence: where, what was expected, what was found.
    pub(super) because: String,
}

impl Misfit {
    pub(super) fn new(reason: &'static str, because: impl Into<String>) -> Self {
        Misfit {
            reason,
            because: because.into(),
        }
    }
}

/// What a value must be.
enum Shape {
    Text,
    /// Not empty, no control characters.
    Name,
    /// A text that people type: an address without control characters.
    Address,
    Bool,
    Int(i64, i64),
    Instant,
    Money,
    /// Letters and their number, upper case.
    Code(usize),
    OneOf(&'static [&'static str]),
    List(&'static Shape),
    Object(&'static [Part]),
    Any,
}

/// A field of an object.
struct Part {
    name: &'static str,
    shape: Shape,
    /// Neither absent nor null.
    must: bool,
}

const fn must(name: &'static str, shape: Shape) -> Part {
    Part {
        name,
        shape,
        must: true,
    }
}

const fn may(name: &'static str, shape: Shape) -> Part {
    Part {
        name,
        shape,
        must: false,
    }
}

const QUANTITY: Shape = Shape::Int(0, MAX_QUANTITY);
const TEXTS: Shape = Shape::List(&Shape::Text);

const ORDER_REF: &[Part] = &[
    may("order_id", Shape::Name),
    may("order_number", Shape::Text),
    may("aliases", TEXTS),
];
const CUSTOMER_REF: &[Part] = &[
    may("customer_id", Shape::Text),
    may("email", Shape::Address),
];
const CONSENT: &[Part] = &[
    must("channel", Shape::OneOf(&["email", "sms"])),
    must(
        "state",
        Shape::OneOf(&[
            "subscribed",
            "pending",
            "not_subscribed",
            "unsubscribed",
            "unknown",
        ]),
    ),
    may("opt_in_level", Shape::Text),
    may("basis", Shape::OneOf(&["explicit", "soft_opt_in", "none"])),
    may("source", Shape::Text),
    may("updated_at", Shape::Instant),
    may("scope", Shape::Text),
];
const CUSTOMER: &[Part] = &[
    may("customer_id", Shape::Text),
    may("account", Shape::OneOf(&["registered", "guest"])),
    may("email", Shape::Address),
    may("first_name", Shape::Text),
    may("last_name", Shape::Text),
    may("name", Shape::Text),
    may("phone", Shape::Text),
    may("locale", Shape::Text),
    may("time_zone", Shape::Text),
    may("country", Shape::Code(2)),
    may("region", Shape::Text),
    may("tags", TEXTS),
    may("marketing_consent", Shape::Object(CONSENT)),
];
const BUNDLE: &[Part] = &[
    may("sku", Shape::Text),
    may("product_id", Shape::Text),
    may("title", Shape::Text),
];
const LINE: &[Part] = &[
    must("line_id", Shape::Name),
    may("product_id", Shape::Text),
    may("variant_id", Shape::Text),
    may("sku", Shape::Text),
    must("title", Shape::Text),
    may("variant_title", Shape::Text),
    must("quantity", QUANTITY),
    must("current_quantity", QUANTITY),
    must("unit_price", Shape::Money),
    may("discount", Shape::Money),
    must("total", Shape::Money),
    may("vendor", Shape::Text),
    must(
        "kind",
        Shape::OneOf(&["physical", "digital", "service", "gift_card", "unknown"]),
    ),
    may("requires_shipping", Shape::Bool),
    may("tags", TEXTS),
    may("categories", TEXTS),
    may("image_url", Shape::Text),
    may("product_url", Shape::Text),
    may("catalog_resolved", Shape::Bool),
    may("bundle", Shape::Object(BUNDLE)),
];
const SHIP_TO: &[Part] = &[
    may("name", Shape::Text),
    may("country", Shape::Text),
    may("region", Shape::Text),
    may("postal_code", Shape::Text),
    may("city", Shape::Text),
];
const SUBSCRIPTION: &[Part] = &[
    may("id", Shape::Text),
    may("sequence", Shape::Int(0, MAX_AMOUNT)),
];
const ORDER: &[Part] = &[
    must("order_id", Shape::Name),
    may("order_number", Shape::Text),
    must("version", Shape::Instant),
    may("placed_at", Shape::Instant),
    may("channel", Shape::Text),
    must("currency", Shape::Code(3)),
    may("subtotal", Shape::Money),
    may("discount", Shape::Money),
    may("shipping", Shape::Money),
    may("tax", Shape::Money),
    must("total", Shape::Money),
    may("shop_total", Shape::Money),
    must("payment_status", Shape::Text),
    may("fulfilment_status", Shape::Text),
    may("status_url", Shape::Text),
    may("tags", TEXTS),
    may("discount_codes", Shape::List(&Shape::Any)),
    may("shipping_method", Shape::Text),
    may("ship_to", Shape::Object(SHIP_TO)),
    must("line_items", Shape::List(&Shape::Object(LINE))),
    may("aliases", TEXTS),
    may("subscription", Shape::Object(SUBSCRIPTION)),
    may("gift", Shape::Bool),
    may("replaces", Shape::Text),
];
const ITEM_REF: &[Part] = &[
    may("line_id", Shape::Text),
    may("sku", Shape::Text),
    must("quantity", Shape::Int(1, MAX_QUANTITY)),
];
const ITEM_REFS: Shape = Shape::List(&Shape::Object(ITEM_REF));
const TRACKING: &[Part] = &[
    may("carrier", Shape::Text),
    may("carrier_name", Shape::Text),
    must("number", Shape::Text),
    may("url", Shape::Text),
];
const SHIPMENT: &[Part] = &[
    must("shipment_id", Shape::Name),
    may("direction", Shape::OneOf(&["outbound", "return"])),
    may("tracking", Shape::List(&Shape::Object(TRACKING))),
    may("items", ITEM_REFS),
    may("shipped_at", Shape::Instant),
    may("estimated_delivery", Shape::Any),
    may("pickup", Shape::Any),
];
const DELIVERY: &[Part] = &[
    must("delivered_at", Shape::Instant),
    may(
        "precision",
        Shape::OneOf(&["second", "date", "approximate"]),
    ),
    may(
        "basis",
        Shape::OneOf(&["carrier", "storefront", "merchant", "digital", "inferred"]),
    ),
    may("reported_by", Shape::Text),
];
const REFUND_ITEM: &[Part] = &[
    must("line_id", Shape::Text),
    may("sku", Shape::Text),
    must("quantity", QUANTITY),
    may("amount", Shape::Money),
    may("restock", Shape::OneOf(&["return", "cancel", "no_restock"])),
];
const REFUND: &[Part] = &[
    must("refund_id", Shape::Name),
    must("amount", Shape::Money),
    may("refunded_total", Shape::Money),
    may("scope", Shape::OneOf(&["partial", "full", "unknown"])),
    may("reason", Shape::Text),
    may("items", Shape::List(&Shape::Object(REFUND_ITEM))),
    may("return_id", Shape::Text),
];
const CANCEL: &[Part] = &[
    may("reason", Shape::Text),
    may("cancelled_at", Shape::Instant),
];
const CHANGES: &[Part] = &[may("added", ITEM_REFS), may("removed", ITEM_REFS)];
const RETURN: &[Part] = &[
    must("return_id", Shape::Name),
    may("name", Shape::Text),
    must("status", Shape::Text),
    may("reason", Shape::Text),
    may("items", ITEM_REFS),
];
const DISPUTE: &[Part] = &[
    must("dispute_id", Shape::Name),
    may("reason", Shape::Text),
    may("amount", Shape::Money),
    may("outcome", Shape::Text),
];
const REVIEW: &[Part] = &[
    must("review_id", Shape::Name),
    must("platform", Shape::Text),
    may("rating", Shape::Int(1, 5)),
    may("product_id", Shape::Text),
    may("kind", Shape::OneOf(&["product", "store"])),
];
const TICKET: &[Part] = &[
    must("ticket_id", Shape::Name),
    must("status", Shape::Text),
    may("channel", Shape::Text),
    may("tags", TEXTS),
];
const PREVIOUS: &[Part] = &[may("email", Shape::Address), may("locale", Shape::Text)];
const ERASURE: &[Part] = &[
    may("scope", Shape::OneOf(&["customer", "shop"])),
    may("orders", Shape::List(&Shape::Any)),
    may("due_at", Shape::Instant),
];
const REQUEST: &[Part] = &[
    may("request_id", Shape::Text),
    may("orders", Shape::List(&Shape::Any)),
    may("due_at", Shape::Instant),
];
const COMPONENT: &[Part] = &[
    must("sku", Shape::Text),
    may("quantity", Shape::Int(1, MAX_QUANTITY)),
];
const VARIANT: &[Part] = &[
    may("variant_id", Shape::Text),
    may("sku", Shape::Text),
    may("title", Shape::Text),
    may("prices", Shape::Any),
    may("price", Shape::Money),
    may("inventory_quantity", Shape::Int(-MAX_AMOUNT, MAX_AMOUNT)),
    may("available", Shape::Bool),
    may("kind", Shape::Text),
    may("components", Shape::List(&Shape::Object(COMPONENT))),
];
const PRODUCT: &[Part] = &[
    must("product_id", Shape::Name),
    must("title", Shape::Text),
    may("titles", Shape::Any),
    may("vendor", Shape::Text),
    may("tags", TEXTS),
    may("categories", TEXTS),
    may("image_url", Shape::Text),
    may("product_url", Shape::Text),
    may("status", Shape::Text),
    may("related", TEXTS),
    may("replenish_days", Shape::Int(0, 36_600)),
    may("variants", Shape::List(&Shape::Object(VARIANT))),
];

/// Every part that `data` may hold, as we read it.
const DATA: &[Part] = &[
    may("order", Shape::Object(ORDER)),
    may("order_ref", Shape::Object(ORDER_REF)),
    may("customer", Shape::Object(CUSTOMER)),
    may("customer_ref", Shape::Object(CUSTOMER_REF)),
    may("shipment", Shape::Object(SHIPMENT)),
    may("delivery", Shape::Object(DELIVERY)),
    may("failure", Shape::Any),
    may("pickup", Shape::Any),
    may("refund", Shape::Object(REFUND)),
    may("cancel", Shape::Object(CANCEL)),
    may("return", Shape::Object(RETURN)),
    may("dispute", Shape::Object(DISPUTE)),
    may("review", Shape::Object(REVIEW)),
    may("ticket", Shape::Object(TICKET)),
    may("consent", Shape::Object(CONSENT)),
    may("survivor", Shape::Object(CUSTOMER_REF)),
    may("absorbed", Shape::List(&Shape::Object(CUSTOMER_REF))),
    may("changes", Shape::Object(CHANGES)),
    may("previous", Shape::Object(PREVIOUS)),
    may("erasure", Shape::Object(ERASURE)),
    may("request", Shape::Object(REQUEST)),
    may("product", Shape::Object(PRODUCT)),
    may("test", Shape::Bool),
];

/// Parts that a kind cannot do without; of each inner list one is enough.
fn needs(kind: EventKind) -> &'static [&'static [&'static str]] {
    match kind {
        EventKind::OrderPlaced | EventKind::OrderPaid => &[&["order"], &["customer"]],
        EventKind::OrderUpdated => &[&["order", "changes"], &["order", "order_ref"]],
        EventKind::OrderCancelled => &[&["cancel"], &["order", "order_ref"]],
        EventKind::ShipmentDelivered => &[&["shipment"], &["delivery"]],
        EventKind::ShipmentDispatched
        | EventKind::ShipmentInTransit
        | EventKind::ShipmentOutForDelivery
        | EventKind::ShipmentAvailableForPickup
        | EventKind::ShipmentDeliveryFailed
        | EventKind::ShipmentReturnedToSender
        | EventKind::ShipmentLost
        | EventKind::ShipmentCancelled => &[&["shipment"]],
        EventKind::RefundIssued => &[&["refund"], &["order_ref"]],
        EventKind::ReturnRequested | EventKind::ReturnUpdated => &[&["return"]],
        EventKind::DisputeOpened | EventKind::DisputeClosed => &[&["dispute"]],
        EventKind::ReviewReceived => &[&["review"], &["customer_ref", "order_ref"]],
        EventKind::TicketOpened | EventKind::TicketClosed => &[&["ticket"]],
        EventKind::CustomerUpdated => &[&["customer"]],
        EventKind::CustomerMerged => &[&["survivor"], &["absorbed"]],
        EventKind::ConsentChanged => &[&["customer_ref"], &["consent"]],
        EventKind::ErasureRequested => &[&["erasure"]],
        EventKind::DataRequested => &[],
        EventKind::ProductUpdated => &[&["product"]],
    }
}

/// Checks `data` of an event of some kind.
pub(super) fn check(kind: EventKind, data: &Json) -> Result<(), Misfit> {
    check_needs(kind, data)?;
    object(DATA, data, &Path::Root("data"))
}

/// Whether everything is there that a kind cannot do without.
pub(super) fn check_needs(kind: EventKind, data: &Json) -> Result<(), Misfit> {
    for any_of in needs(kind) {
        let there = |name: &&str| {
            data.get(name).is_some_and(|part| match part {
                Json::Null => false,
                Json::Array(list) => !list.is_empty(),
                _ => true,
            })
        };
        if !any_of.iter().any(there) {
            let paths: Vec<String> = any_of.iter().map(|name| format!("data.{name}")).collect();
            let because = format!("{kind} needs {}, which is missing", paths.join(" or "));
            return Err(Misfit::new("missing", because));
        }
    }
    Ok(())
}

/// Where a value stands: put together while descending, written out only where something
/// does not fit.
enum Path<'p> {
    Root(&'static str),
    Part(&'p Path<'p>, &'static str),
    Place(&'p Path<'p>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root(name) => f.write_str(name),
            Path::Part(of, name) => write!(f, "{of}.{name}"),
            Path::Place(of, place) => write!(f, "{of}[{place}]"),
        }
    }
}

fn object(parts: &[Part], map: &Json, path: &Path<'_>) -> Result<(), Misfit> {
    for part in parts {
        match map.get(part.name) {
            None | Some(Json::Null) if !part.must => {}
            None => {
                let because = format!("{path}.{} is missing", part.name);
                return Err(Misfit::new("missing", because));
            }
            Some(value) => fits(&part.shape, value, &Path::Part(path, part.name))?,
        }
    }
    Ok(())
}

/// What a value is, in words that repeat nothing of it: it may be personal.
fn found(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "true or false",
        Json::Number(number) if number.is_f64() => "a fraction or a very large number",
        Json::Number(_) => "a number",
        Json::String(_) => "a text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

fn wrong(path: impl fmt::Display, expected: &str, value: &Json) -> Misfit {
    let because = format!("{path}: expected {expected}, found {}", found(value));
    Misfit::new("wrong_type", because)
}

fn text<'v>(value: &'v Json<'_>, path: &Path<'_>) -> Result<&'v str, Misfit> {
    value.as_str().ok_or_else(|| wrong(path, "a text", value))
}

fn fits(shape: &Shape, value: &Json, path: &Path<'_>) -> Result<(), Misfit> {
    match shape {
        Shape::Any => Ok(()),
        Shape::Text => text(value, path).map(|_| ()),
        Shape::Name => name(text(value, path)?, path),
        Shape::Address => {
            if text(value, path)?.chars().any(char::is_control) {
                let because = format!("{path}: the address holds a control character");
                return Err(Misfit::new("bad_address", because));
            }
            Ok(())
        }
        Shape::Bool => match value {
            Json::Bool(_) => Ok(()),
            other => Err(wrong(path, "true or false", other)),
        },
        Shape::Int(least, most) => {
            let number = value
                .as_i64()
                .ok_or_else(|| wrong(path, "a whole number", value))?;
            if (*least..=*most).contains(&number) {
                return Ok(());
            }
            let because = format!("{path}: expected {least} to {most}, found {number}");
            Err(Misfit::new("out_of_range", because))
        }
        Shape::Instant => instant(text(value, path)?, path).map(|_| ()),
        Shape::Money => {
            if !value.is_object() {
                return Err(wrong(path, "{amount, currency}", value));
            }
            const MONEY: &[Part] = &[
                must("amount", Shape::Int(-MAX_AMOUNT, MAX_AMOUNT)),
                must("currency", Shape::Code(3)),
            ];
            object(MONEY, value, path)
        }
        Shape::Code(length) => {
            let code = text(value, path)?;
            if code.len() == *length && code.bytes().all(|byte| byte.is_ascii_uppercase()) {
                return Ok(());
            }
            let because = format!("{path}: expected {length} capital letters");
            Err(Misfit::new("wrong_type", because))
        }
        Shape::OneOf(names) => {
            if names.contains(&text(value, path)?) {
                return Ok(());
            }
            let because = format!("{path}: expected one of {}", names.join(", "));
            Err(Misfit::new("wrong_type", because))
        }
        Shape::List(of) => {
            let Json::Array(list) = value else {
                return Err(wrong(path, "a list", value));
            };
            for (place, value) in list.iter().enumerate() {
                fits(of, value, &Path::Place(path, place))?;
            }
            Ok(())
        }
        Shape::Object(parts) => match value {
            Json::Object(_) => object(parts, value, path),
            other => Err(wrong(path, "an object", other)),
        },
    }
}

/// Checks a text that names something.
pub(super) fn name(text: &str, path: impl fmt::Display) -> Result<(), Misfit> {
    if text.is_empty() {
        return Err(Misfit::new("missing", format!("{path} is empty")));
    }
    if text.chars().any(char::is_control) {
        let because = format!("{path}: holds a control character");
        return Err(Misfit::new("wrong_type", because));
    }
    Ok(())
}

/// Reads an instant: RFC 3339 with seconds and an offset.
pub(super) fn instant(text: &str, path: impl fmt::Display) -> Result<Timestamp, Misfit> {
    let bytes = text.as_bytes();
    let shaped = bytes.len() >= 20 && bytes[4] == b'-' && matches!(bytes[10], b'T' | b't' | b' ');
    text.parse().ok().filter(|_| shaped).ok_or_else(|| {
        let because = format!("{path}: expected an instant like 2026-03-01T18:20:00Z");
        Misfit::new("bad_time", because)
    })
}
