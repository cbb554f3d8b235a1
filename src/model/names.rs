//! The names that conditions and templates may use, with their types, and the values
//! they have for one person and one subject. One list serves both, so that what is
//! checked at load is what is there at send.

use super::time::{TimeZone, Timestamp};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The type of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Text,
    Int,
    Bool,
    /// An instant; in [`Names`] an RFC 3339 text in UTC.
    Instant,
    /// `{amount, currency}`.
    Money,
    /// A list of values of one type.
    List(&'static Type),
    /// An object with known fields.
    Object(&'static [Field]),
    /// Anything the source sent: fields are not checked.
    Any,
}

/// A field of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    pub name: &'static str,
    pub of: Type,
    /// Whether it may be null: then it wants `has()` or `!= null`, or a fallback.
    pub optional: bool,
}

const fn must(name: &'static str, of: Type) -> Field {
    Field {
        name,
        of,
        optional: false,
    }
}
const fn may(name: &'static str, of: Type) -> Field {
    Field {
        name,
        of,
        optional: true,
    }
}

const TEXTS: Type = Type::List(&Type::Text);

const MONEY_CHANGE: &[Field] = &[
    must("reason", Type::Text),
    must("cancelled_at", Type::Instant),
];

const CUSTOMER: &[Field] = &[
    may("customer_id", Type::Text),
    must("account", Type::Text),
    must("email", Type::Text),
    may("first_name", Type::Text),
    may("last_name", Type::Text),
    may("name", Type::Text),
    may("locale", Type::Text),
    may("time_zone", Type::Text),
    may("country", Type::Text),
    may("region", Type::Text),
    must("tags", TEXTS),
    must("marketing_consent", Type::Object(CONSENT)),
    must("language", Type::Text),
    must("orders", Type::Int),
    may("first_order_at", Type::Instant),
    may("last_order_at", Type::Instant),
    must("open_ticket", Type::Bool),
    must("open_dispute", Type::Bool),
];

const CONSENT: &[Field] = &[must("state", Type::Text), must("basis", Type::Text)];

const SHIP_TO: &[Field] = &[
    may("name", Type::Text),
    may("country", Type::Text),
    may("region", Type::Text),
    may("postal_code", Type::Text),
    may("city", Type::Text),
];

const SUBSCRIPTION: &[Field] = &[may("id", Type::Text), may("sequence", Type::Int)];

const BUNDLE: &[Field] = &[
    may("sku", Type::Text),
    may("product_id", Type::Text),
    may("title", Type::Text),
];

/// One line of an order.
pub const ITEM: &[Field] = &[
    must("line_id", Type::Text),
    may("product_id", Type::Text),
    may("variant_id", Type::Text),
    may("sku", Type::Text),
    must("title", Type::Text),
    may("variant_title", Type::Text),
    must("quantity", Type::Int),
    must("current_quantity", Type::Int),
    must("unit_price", Type::Money),
    may("discount", Type::Money),
    must("total", Type::Money),
    may("vendor", Type::Text),
    must("kind", Type::Text),
    may("requires_shipping", Type::Bool),
    must("tags", TEXTS),
    must("categories", TEXTS),
    may("image_url", Type::Text),
    may("product_url", Type::Text),
    must("catalog_resolved", Type::Bool),
    may("bundle", Type::Object(BUNDLE)),
    may("family", Type::Text),
    must("families", TEXTS),
    must("complements", TEXTS),
    must("kept", Type::Bool),
    must("kept_quantity", Type::Int),
    may("dispatched_at", Type::Instant),
    must("delivered", Type::Bool),
    may("delivered_at", Type::Instant),
    may("delivery_basis", Type::Text),
    must("refunded", Type::Bool),
    must("returned", Type::Bool),
    must("return_open", Type::Bool),
    must("reviewed", Type::Bool),
    must("first_in_family", Type::Bool),
];

/// A parcel.
pub const SHIPMENT: &[Field] = &[
    must("shipment_id", Type::Text),
    must("direction", Type::Text),
    must("items", Type::List(&Type::Object(ITEM))),
    may("shipped_at", Type::Instant),
    may("estimated_delivery", Type::Any),
    may("carrier", Type::Text),
    may("carrier_name", Type::Text),
    may("tracking_number", Type::Text),
    may("tracking_url", Type::Text),
    must("status", Type::Text),
    must("delivered", Type::Bool),
    may("delivered_at", Type::Instant),
];

const ORDER: &[Field] = &[
    must("order_id", Type::Text),
    may("order_number", Type::Text),
    must("version", Type::Instant),
    may("placed_at", Type::Instant),
    may("channel", Type::Text),
    must("currency", Type::Text),
    may("subtotal", Type::Money),
    may("discount", Type::Money),
    may("shipping", Type::Money),
    may("tax", Type::Money),
    must("total", Type::Money),
    may("shop_total", Type::Money),
    must("payment_status", Type::Text),
    may("fulfilment_status", Type::Text),
    may("status_url", Type::Text),
    must("tags", TEXTS),
    must("discount_codes", Type::List(&Type::Any)),
    may("shipping_method", Type::Text),
    may("ship_to", Type::Object(SHIP_TO)),
    must("aliases", TEXTS),
    may("subscription", Type::Object(SUBSCRIPTION)),
    may("replaces", Type::Text),
    must("items", Type::List(&Type::Object(ITEM))),
    must("items_to_come", Type::List(&Type::Object(ITEM))),
    must("shipments", Type::List(&Type::Object(SHIPMENT))),
    must("paid", Type::Bool),
    must("cancelled", Type::Bool),
    must("refunded", Type::Bool),
    must("dispatched", Type::Bool),
    must("delivered", Type::Bool),
    may("paid_at", Type::Instant),
    may("cancelled_at", Type::Instant),
    may("dispatched_at", Type::Instant),
    may("delivered_at", Type::Instant),
    must("gift", Type::Bool),
];

/// A product of the catalogue.
pub const PRODUCT: &[Field] = &[
    must("product_id", Type::Text),
    must("title", Type::Text),
    may("vendor", Type::Text),
    must("tags", TEXTS),
    must("categories", TEXTS),
    may("image_url", Type::Text),
    may("product_url", Type::Text),
    must("status", Type::Text),
    must("related", TEXTS),
    may("replenish_days", Type::Int),
    may("price", Type::Money),
];

const REFUND: &[Field] = &[
    must("refund_id", Type::Text),
    must("amount", Type::Money),
    may("refunded_total", Type::Money),
    must("scope", Type::Text),
    may("reason", Type::Text),
    must("items", Type::List(&Type::Object(ITEM))),
    may("return_id", Type::Text),
];

const RETURN: &[Field] = &[
    must("return_id", Type::Text),
    may("name", Type::Text),
    must("status", Type::Text),
    may("reason", Type::Text),
    must("items", Type::List(&Type::Object(ITEM))),
];

const DISPUTE: &[Field] = &[
    must("dispute_id", Type::Text),
    may("reason", Type::Text),
    may("amount", Type::Money),
    may("outcome", Type::Text),
];

const REVIEW: &[Field] = &[
    must("review_id", Type::Text),
    must("platform", Type::Text),
    may("rating", Type::Int),
    may("product_id", Type::Text),
    may("kind", Type::Text),
];

const TICKET: &[Field] = &[
    must("ticket_id", Type::Text),
    must("status", Type::Text),
    may("channel", Type::Text),
    must("tags", TEXTS),
];

const FAILURE: &[Field] = &[may("attempt", Type::Int), may("reason", Type::Text)];
const PICKUP: &[Field] = &[may("name", Type::Text), may("until", Type::Text)];

/// Names that conditions and templates share, with what they hold.
pub const SHARED: &[Field] = &[
    must("customer", Type::Object(CUSTOMER)),
    must("order", Type::Object(ORDER)),
    must("item", Type::Object(ITEM)),
    must("product", Type::Object(PRODUCT)),
    must("shipment", Type::Object(SHIPMENT)),
    must("refund", Type::Object(REFUND)),
    must("cancel", Type::Object(MONEY_CHANGE)),
    must("return", Type::Object(RETURN)),
    must("dispute", Type::Object(DISPUTE)),
    must("review", Type::Object(REVIEW)),
    must("ticket", Type::Object(TICKET)),
    must("failure", Type::Object(FAILURE)),
    must("pickup", Type::Object(PICKUP)),
    // The arm of the sequence's experiment.
    must("variant", Type::Text),
];

const SHOP: &[Field] = &[
    must("name", Type::Text),
    must("url", Type::Text),
    must("address", Type::Text),
];
const SENDER: &[Field] = &[
    must("name", Type::Text),
    must("email", Type::Text),
    must("reply_to", Type::Text),
    may("away_until", Type::Instant),
];
const MAIL: &[Field] = &[
    must("subject", Type::Text),
    must("preheader", Type::Text),
    must("locale", Type::Text),
    must("kind", Type::Text),
    must("dir", Type::Text),
    must("start", Type::Text),
    must("end", Type::Text),
];
const LINKS: &[Field] = &[
    must("unsubscribe", Type::Text),
    must("preferences", Type::Text),
    may("status", Type::Text),
];
const ENROLMENT: &[Field] = &[must("items", Type::List(&Type::Object(ITEM)))];
const ID: &[Field] = &[must("id", Type::Text)];

/// Names that only templates have; every mail has them.
pub const IN_MAILS: &[Field] = &[
    must("enrolment", Type::Object(ENROLMENT)),
    must("shop", Type::Object(SHOP)),
    must("sender", Type::Object(SENDER)),
    must("mail", Type::Object(MAIL)),
    must("links", Type::Object(LINKS)),
    must("sequence", Type::Object(ID)),
    must("step", Type::Object(ID)),
];

/// What pages of `templates/pages` see, and nothing else.
pub const IN_PAGES: &[Field] = &[
    must("locale", Type::Text),
    must("shop", Type::Object(SHOP)),
    must("action", Type::Text),
    must("done", Type::Bool),
];

/// Which of the shared names a sequence or a step knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    names: BTreeSet<&'static str>,
}

impl Known {
    /// Only `customer`, which is always known.
    pub fn customer() -> Self {
        Known::default().with("customer")
    }

    /// With another top-level name of [`SHARED`]; unknown names are ignored.
    #[must_use]
    pub fn with(mut self, name: &str) -> Self {
        if let Some(field) = SHARED.iter().find(|field| field.name == name) {
            self.names.insert(field.name);
        }
        self
    }

    /// Without a top-level name.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.names.remove(name);
        self
    }

    /// Whether a top-level name is known here.
    pub fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// The known top-level names.
    pub fn iter(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.names.iter().copied()
    }
}

/// Looks up a field of an object type.
pub fn field(fields: &'static [Field], name: &str) -> Option<&'static Field> {
    fields.iter().find(|field| field.name == name)
}

/// The values of the names for one person and one subject at one instant.
#[derive(Debug, Clone)]
pub struct Names {
    /// Top-level names with their values; instants as RFC 3339 texts in UTC.
    pub values: Map<String, Value>,
    /// Families, SKUs and product ids of which the person keeps something.
    pub owned: BTreeSet<String>,
    /// Families, SKUs and product ids that the person ever bought.
    pub bought: BTreeSet<String>,
    /// Families, SKUs and product ids known to be out of stock.
    pub out_of_stock: Arc<BTreeSet<String>>,
    /// `sequence/step` of every send that went out to the person.
    pub sent: BTreeSet<String>,
    pub now: Timestamp,
    pub zone: TimeZone,
}
