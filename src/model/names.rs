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
    /// What it holds, in a sentence, for the reference and for suggestions.
    pub says: &'static str,
}

const fn must(name: &'static str, of: Type, says: &'static str) -> Field {
    Field {
        name,
        of,
        optional: false,
        says,
    }
}
const fn may(name: &'static str, of: Type, says: &'static str) -> Field {
    Field {
        name,
        of,
        optional: true,
        says,
    }
}

const TEXTS: Type = Type::List(&Type::Text);

const MONEY_CHANGE: &[Field] = &[
    must(
        "reason",
        Type::Text,
        "Why the order was cancelled, as the shop sent it, such as `customer` or `fraud`; `other` where it said nothing.",
    ),
    must("cancelled_at", Type::Instant, "When it was cancelled."),
];

const CUSTOMER: &[Field] = &[
    may("customer_id", Type::Text, "The shop's id of the customer."),
    must("account", Type::Text, "`registered` or `guest`."),
    must("email", Type::Text, "The address that mail goes to."),
    may("first_name", Type::Text, "The given name."),
    may("last_name", Type::Text, "The family name."),
    may("name", Type::Text, "The whole name, as the shop sent it."),
    may(
        "locale",
        Type::Text,
        "The language with its region, such as `de-AT`.",
    ),
    may(
        "time_zone",
        Type::Text,
        "The zone, such as `Europe/Vienna`.",
    ),
    may(
        "country",
        Type::Text,
        "Two letters of ISO 3166, such as `DE`.",
    ),
    may(
        "region",
        Type::Text,
        "The part of the country, such as `BY`.",
    ),
    must("tags", TEXTS, "The shop's tags of the customer."),
    must(
        "marketing_consent",
        Type::Object(CONSENT),
        "What the customer said of advertising.",
    ),
    must(
        "language",
        Type::Text,
        "The language that mails are in, such as `de`.",
    ),
    must("orders", Type::Int, "Orders that are kept and paid."),
    may("first_order_at", Type::Instant, "The first of those."),
    may("last_order_at", Type::Instant, "The last of those."),
    must(
        "open_ticket",
        Type::Bool,
        "Whether a ticket is open, or its cool-down runs.",
    ),
    must("open_dispute", Type::Bool, "Whether a charge is contested."),
];

const CONSENT: &[Field] = &[
    must(
        "state",
        Type::Text,
        "`subscribed`, `pending`, `not_subscribed`, `unsubscribed` or `unknown`.",
    ),
    must(
        "basis",
        Type::Text,
        "On what it rests: `explicit`, `soft_opt_in` or `none`.",
    ),
];

const SHIP_TO: &[Field] = &[
    may("name", Type::Text, "Who receives it."),
    may("country", Type::Text, "Two letters of ISO 3166."),
    may("region", Type::Text, "The part of the country."),
    may("postal_code", Type::Text, "The postal code."),
    may("city", Type::Text, "The town."),
];

const SUBSCRIPTION: &[Field] = &[
    may("id", Type::Text, "The shop's id of the subscription."),
    may(
        "sequence",
        Type::Int,
        "Which of its orders this is, from 1.",
    ),
];

const BUNDLE: &[Field] = &[
    may("sku", Type::Text, "The SKU of the kit."),
    may("product_id", Type::Text, "The product of the kit."),
    may("title", Type::Text, "The name of the kit."),
];

/// One line of an order.
pub const ITEM: &[Field] = &[
    must("line_id", Type::Text, "The shop's id of the line."),
    may("product_id", Type::Text, "The product."),
    may("variant_id", Type::Text, "The variant."),
    may("sku", Type::Text, "The SKU."),
    must(
        "title",
        Type::Text,
        "The name, in the customer's language where the catalogue has it.",
    ),
    may("variant_title", Type::Text, "Which variant, in words."),
    must(
        "quantity",
        Type::Int,
        "How many were bought; in a parcel or in what is to come, how many of them.",
    ),
    must(
        "current_quantity",
        Type::Int,
        "How many after edits of the order.",
    ),
    must("unit_price", Type::Money, "The price of one."),
    may("discount", Type::Money, "What was taken off the line."),
    must("total", Type::Money, "What the line cost."),
    may("vendor", Type::Text, "Who makes it."),
    must(
        "kind",
        Type::Text,
        "`physical`, `digital`, `service`, `gift_card` or `unknown`.",
    ),
    may(
        "requires_shipping",
        Type::Bool,
        "Whether a carrier brings it.",
    ),
    must("tags", TEXTS, "Tags of the product."),
    must("categories", TEXTS, "Categories of the product."),
    may("image_url", Type::Text, "A picture."),
    may("product_url", Type::Text, "Its page in the shop."),
    must(
        "catalog_resolved",
        Type::Bool,
        "Whether the catalogue knows the product.",
    ),
    may(
        "bundle",
        Type::Object(BUNDLE),
        "The kit that it was part of.",
    ),
    may(
        "family",
        Type::Text,
        "Its family of `catalog.toml`; in a run that a part of a kit started, the part's.",
    ),
    must(
        "families",
        TEXTS,
        "All its families: a kit may have several.",
    ),
    must("complements", TEXTS, "What goes well with it, best first."),
    must(
        "kept",
        Type::Bool,
        "Whether any of it is neither refunded, nor returned, nor edited away.",
    ),
    must("kept_quantity", Type::Int, "How many of it are kept."),
    may("dispatched_at", Type::Instant, "When it left."),
    must(
        "delivered",
        Type::Bool,
        "Whether all that is owed of it has arrived.",
    ),
    may("delivered_at", Type::Instant, "When it had arrived."),
    may(
        "delivery_basis",
        Type::Text,
        "How that is known, from `carrier` to `inferred`.",
    ),
    must("refunded", Type::Bool, "Whether all of it was refunded."),
    must("returned", Type::Bool, "Whether it was received back."),
    must(
        "return_open",
        Type::Bool,
        "Whether a return of it is announced.",
    ),
    must("reviewed", Type::Bool, "Whether the customer reviewed it."),
    must(
        "first_in_family",
        Type::Bool,
        "Whether this is the customer's first order that brought something of its family.",
    ),
];

/// A parcel.
pub const SHIPMENT: &[Field] = &[
    must("shipment_id", Type::Text, "The shop's id of the parcel."),
    must("direction", Type::Text, "`outbound` or `return`."),
    must(
        "items",
        Type::List(&Type::Object(ITEM)),
        "What is inside, with the parcel's quantities.",
    ),
    may("shipped_at", Type::Instant, "When it left."),
    may(
        "estimated_delivery",
        Type::Any,
        "When it should arrive, as the source sent it.",
    ),
    may("carrier", Type::Text, "The carrier's code."),
    may(
        "carrier_name",
        Type::Text,
        "The carrier's name, for people.",
    ),
    may(
        "tracking_number",
        Type::Text,
        "The number that the carrier knows it by.",
    ),
    may("tracking_url", Type::Text, "The carrier's page about it."),
    must(
        "status",
        Type::Text,
        "How far it is: the last part of the furthest fact, such as `in_transit` or `delivered`.",
    ),
    must("delivered", Type::Bool, "Whether it has arrived."),
    may("delivered_at", Type::Instant, "When it arrived."),
];

const ORDER: &[Field] = &[
    must("order_id", Type::Text, "The shop's id of the order."),
    may(
        "order_number",
        Type::Text,
        "The number that the customer knows, such as `#1042`.",
    ),
    must(
        "version",
        Type::Instant,
        "When this state of the order was made.",
    ),
    may("placed_at", Type::Instant, "When it was placed."),
    may(
        "channel",
        Type::Text,
        "Where it was placed, such as `web` or `pos`.",
    ),
    must(
        "currency",
        Type::Text,
        "The currency that the customer paid in.",
    ),
    may("subtotal", Type::Money, "Before shipping and tax."),
    may("discount", Type::Money, "What was taken off."),
    may("shipping", Type::Money, "What shipping cost."),
    may("tax", Type::Money, "The tax."),
    must("total", Type::Money, "What the customer paid."),
    may(
        "shop_total",
        Type::Money,
        "The same in the shop's own currency.",
    ),
    must(
        "payment_status",
        Type::Text,
        "`pending`, `paid`, `refunded` and others, as events have them.",
    ),
    may(
        "fulfilment_status",
        Type::Text,
        "How much of it was sent, as the source says.",
    ),
    may("status_url", Type::Text, "The order's page."),
    must("tags", TEXTS, "The shop's tags of the order."),
    must(
        "discount_codes",
        Type::List(&Type::Any),
        "The codes that were used, as the source sent them.",
    ),
    may("shipping_method", Type::Text, "How it is sent, in words."),
    may("ship_to", Type::Object(SHIP_TO), "Where it goes."),
    must("aliases", TEXTS, "Other ids of the same order."),
    may(
        "subscription",
        Type::Object(SUBSCRIPTION),
        "The subscription that it belongs to.",
    ),
    may("replaces", Type::Text, "The order that it replaces."),
    must(
        "items",
        Type::List(&Type::Object(ITEM)),
        "Its lines, edits applied.",
    ),
    must(
        "items_to_come",
        Type::List(&Type::Object(ITEM)),
        "What is owed and not yet dispatched.",
    ),
    must(
        "shipments",
        Type::List(&Type::Object(SHIPMENT)),
        "Its parcels.",
    ),
    must("paid", Type::Bool, "Whether it is paid."),
    must("cancelled", Type::Bool, "Whether it is cancelled."),
    must("refunded", Type::Bool, "Whether it is wholly refunded."),
    must("dispatched", Type::Bool, "Whether any of it has left."),
    must(
        "delivered",
        Type::Bool,
        "Whether all that is owed has arrived.",
    ),
    may("paid_at", Type::Instant, "When it was paid."),
    may("cancelled_at", Type::Instant, "When it was cancelled."),
    may("dispatched_at", Type::Instant, "When the first of it left."),
    may(
        "delivered_at",
        Type::Instant,
        "When the last of it arrived.",
    ),
    must(
        "gift",
        Type::Bool,
        "Whether it goes to somebody else than the buyer.",
    ),
];

/// A product of the catalogue.
pub const PRODUCT: &[Field] = &[
    must("product_id", Type::Text, "The shop's id of the product."),
    must("title", Type::Text, "The name, in the customer's language."),
    may("vendor", Type::Text, "Who makes it."),
    must("tags", TEXTS, "Its tags."),
    must("categories", TEXTS, "Its categories."),
    may("image_url", Type::Text, "A picture."),
    may("product_url", Type::Text, "Its page in the shop."),
    must(
        "status",
        Type::Text,
        "`active`, `draft`, `archived`, `out_of_stock` and others.",
    ),
    must(
        "related",
        TEXTS,
        "Ids of products that the feed calls related.",
    ),
    may(
        "replenish_days",
        Type::Int,
        "After how many days one unit is used up.",
    ),
    may(
        "price",
        Type::Money,
        "The price in the order's currency, where the catalogue has one.",
    ),
];

const REFUND: &[Field] = &[
    must("refund_id", Type::Text, "The shop's id of the refund."),
    must("amount", Type::Money, "What this refund gave back."),
    may(
        "refunded_total",
        Type::Money,
        "What all refunds of the order gave back.",
    ),
    must("scope", Type::Text, "`full`, `partial` or `unknown`."),
    may("reason", Type::Text, "Why, as the shop sent it."),
    must(
        "items",
        Type::List(&Type::Object(ITEM)),
        "The lines that it is for.",
    ),
    may("return_id", Type::Text, "The return that it settles."),
];

const RETURN: &[Field] = &[
    must("return_id", Type::Text, "The shop's id of the return."),
    may("name", Type::Text, "The number that the customer knows."),
    must(
        "status",
        Type::Text,
        "How far it is: `requested`, `received`, `declined` and others.",
    ),
    may("reason", Type::Text, "Why, as the shop sent it."),
    must(
        "items",
        Type::List(&Type::Object(ITEM)),
        "The lines that come back.",
    ),
];

const DISPUTE: &[Field] = &[
    must("dispute_id", Type::Text, "The id of the dispute."),
    may("reason", Type::Text, "Why the charge is contested."),
    may("amount", Type::Money, "How much is contested."),
    may("outcome", Type::Text, "`won` or `lost`, once it is closed."),
];

const REVIEW: &[Field] = &[
    must("review_id", Type::Text, "The id of the review."),
    must("platform", Type::Text, "Where it was written."),
    may("rating", Type::Int, "Stars, 1 to 5."),
    may("product_id", Type::Text, "The product that it is about."),
    may(
        "kind",
        Type::Text,
        "Whether it is about the product or the shop.",
    ),
];

const TICKET: &[Field] = &[
    must("ticket_id", Type::Text, "The id of the ticket."),
    must(
        "status",
        Type::Text,
        "`open`, `pending`, `solved` and others, as the help desk says.",
    ),
    may("channel", Type::Text, "How the customer wrote."),
    must("tags", TEXTS, "Tags of the ticket."),
];

const FAILURE: &[Field] = &[
    may("attempt", Type::Int, "Which attempt it was."),
    may("reason", Type::Text, "Why it failed, as the carrier says."),
];
const PICKUP: &[Field] = &[
    may("name", Type::Text, "Where the parcel waits."),
    may("until", Type::Text, "Until when, as the carrier says."),
];

/// Names that conditions and templates share, with what they hold.
pub const SHARED: &[Field] = &[
    must(
        "customer",
        Type::Object(CUSTOMER),
        "The person that the mail goes to.",
    ),
    must("order", Type::Object(ORDER), "The order that it is about."),
    must("item", Type::Object(ITEM), "The line that it is about."),
    must(
        "product",
        Type::Object(PRODUCT),
        "The product of that line, as the catalogue has it.",
    ),
    must(
        "shipment",
        Type::Object(SHIPMENT),
        "The parcel that it is about.",
    ),
    must("refund", Type::Object(REFUND), "What a refund brings."),
    must(
        "cancel",
        Type::Object(MONEY_CHANGE),
        "What a cancellation brings.",
    ),
    must(
        "return",
        Type::Object(RETURN),
        "What news of a return bring.",
    ),
    must(
        "dispute",
        Type::Object(DISPUTE),
        "What a contested charge brings.",
    ),
    must("review", Type::Object(REVIEW), "What a review brings."),
    must(
        "ticket",
        Type::Object(TICKET),
        "What news of a ticket bring.",
    ),
    must(
        "failure",
        Type::Object(FAILURE),
        "What a failed delivery brings.",
    ),
    must(
        "pickup",
        Type::Object(PICKUP),
        "What a parcel that waits to be fetched brings.",
    ),
    // The arm of the sequence's experiment.
    must(
        "variant",
        Type::Text,
        "The arm of the sequence's experiment that the customer is in, or `holdout`.",
    ),
];

const SHOP: &[Field] = &[
    must("name", Type::Text, "The shop's name."),
    must("url", Type::Text, "The shop's address on the web."),
    must("address", Type::Text, "The postal address."),
];
const SENDER: &[Field] = &[
    must("name", Type::Text, "Who signs, or stands in."),
    must("email", Type::Text, "The From."),
    must("reply_to", Type::Text, "Where answers go."),
    may(
        "away_until",
        Type::Instant,
        "The last day of an absence in which nobody stands in.",
    ),
];
const MAIL: &[Field] = &[
    must("subject", Type::Text, "The subject of this mail."),
    must("preheader", Type::Text, "The line after the subject."),
    must("locale", Type::Text, "The language that this mail is in."),
    must("kind", Type::Text, "The kind of this mail."),
    must("dir", Type::Text, "`rtl` or `ltr`."),
    must(
        "start",
        Type::Text,
        "The side at which lines begin: `left` or `right`.",
    ),
    must("end", Type::Text, "The side at which lines end."),
];
const LINKS: &[Field] = &[
    must(
        "unsubscribe",
        Type::Text,
        "The page to opt out; refused in fulfilment.",
    ),
    must(
        "preferences",
        Type::Text,
        "The page of the customer's choices.",
    ),
    may("status", Type::Text, "The order's page."),
];
const ENROLMENT: &[Field] = &[must(
    "items",
    Type::List(&Type::Object(ITEM)),
    "The kept items that support the run; three at most in a gathered ask.",
)];
const ID: &[Field] = &[must("id", Type::Text, "Its id in the file.")];

/// Names that only templates have; every mail has them.
pub const IN_MAILS: &[Field] = &[
    must(
        "enrolment",
        Type::Object(ENROLMENT),
        "The run that the mail is part of.",
    ),
    must("shop", Type::Object(SHOP), "The shop."),
    must("sender", Type::Object(SENDER), "Who signs."),
    must("mail", Type::Object(MAIL), "The mail itself."),
    must("links", Type::Object(LINKS), "Pages for the reader."),
    must("sequence", Type::Object(ID), "The sequence that sends it."),
    must("step", Type::Object(ID), "The step that sends it."),
];

/// What pages of `templates/pages` see, and nothing else.
pub const IN_PAGES: &[Field] = &[
    must("locale", Type::Text, "The language that the page is in."),
    must("shop", Type::Object(SHOP), "The shop."),
    must("action", Type::Text, "Where its buttons post to."),
    must("done", Type::Bool, "Whether a choice was taken."),
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
