//! What happened, normalised: the 27 canonical event kinds, their bodies, and the
//! facts that follow from them. An event is never edited.

use super::ids::EventSeq;
use super::money::Money;
use super::time::{Timestamp, to_ms};
use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

macro_rules! kinds {
    ($(#[$doc:meta])* $name:ident, $error:ident { $($variant:ident = $text:literal, $says:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each variant is named after its text")]
        pub enum $name { $($variant),* }

        impl $name {
            /// All of them, in the order of the reference.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            /// The name on the wire and in files.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),* }
            }

            /// What has happened then, in a sentence.
            pub fn says(self) -> &'static str {
                match self { $($name::$variant => $says),* }
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.as_str()) }
        }
        impl FromStr for $name {
            type Err = $error;
            fn from_str(text: &str) -> Result<Self, $error> {
                match text { $($text => Ok($name::$variant),)* _ => Err($error) }
            }
        }
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.as_str())
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
        /// The text names none of them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
        #[error("unknown name")]
        pub struct $error;
    };
}

kinds! {
    /// The kinds of canonical event (`event.schema.json`).
    EventKind, UnknownEventKind {
        OrderPlaced = "order.placed", "Somebody placed an order.";
        OrderPaid = "order.paid", "The order is paid: by this event, or by the first snapshot of the order that says so; digital lines count as delivered.";
        OrderUpdated = "order.updated", "The order has changed; what was added is told by `order.edited`.";
        OrderCancelled = "order.cancelled", "The order is cancelled, and nothing of it is kept.";
        ShipmentDispatched = "shipment.dispatched", "A parcel has left.";
        ShipmentInTransit = "shipment.in_transit", "A parcel is on its way.";
        ShipmentOutForDelivery = "shipment.out_for_delivery", "A parcel is in the van.";
        ShipmentAvailableForPickup = "shipment.available_for_pickup", "A parcel waits to be fetched.";
        ShipmentDeliveryFailed = "shipment.delivery_failed", "The carrier tried in vain; each try is a fact.";
        ShipmentDelivered = "shipment.delivered", "A parcel has arrived.";
        ShipmentReturnedToSender = "shipment.returned_to_sender", "A parcel went back.";
        ShipmentLost = "shipment.lost", "A parcel will not come.";
        ShipmentCancelled = "shipment.cancelled", "A parcel was withdrawn.";
        RefundIssued = "refund.issued", "Money went back: for all, for some lines, or as goodwill.";
        ReturnRequested = "return.requested", "Somebody wants to give goods back.";
        ReturnUpdated = "return.updated", "A return moved on: goods were received, or it was declined.";
        DisputeOpened = "dispute.opened", "A charge is contested.";
        DisputeClosed = "dispute.closed", "The dispute has ended.";
        ReviewReceived = "review.received", "A review was written.";
        TicketOpened = "ticket.opened", "A conversation with the help desk began.";
        TicketClosed = "ticket.closed", "It ended.";
        CustomerUpdated = "customer.updated", "The record of a customer changed.";
        CustomerMerged = "customer.merged", "Two customers turned out to be one person.";
        ConsentChanged = "consent.changed", "Somebody opted in or out.";
        ErasureRequested = "privacy.erasure_requested", "Somebody wants to be forgotten.";
        DataRequested = "privacy.data_requested", "Somebody wants to see what is known of them.";
        ProductUpdated = "product.updated", "The catalogue changed; concerns nobody in particular.";
    }
}

kinds! {
    /// Facts that follow from events by the fold; they never come over the wire.
    DerivedKind, UnknownDerivedKind {
        ItemDelivered = "item.delivered", "All that is owed of a line has arrived; digital goods when paid, silent parcels when assumed.";
        OrderDelivered = "order.delivered", "The last line that is owed has arrived.";
        ItemRefunded = "item.refunded", "Refunds leave nothing of the line.";
        ItemReturned = "item.returned", "A return of the line was received.";
        OrderRefunded = "order.refunded", "The scope of the refund is `full`, or refunds reach the total of the order.";
        OrderEdited = "order.edited", "An update added a line or raised a quantity.";
        StepSent = "step.sent", "A mail of the step named in `of` went out.";
        Absence = "absence", "The fact named in `of` has not happened for so long as `for` says.";
        Schedule = "schedule", "A day of the schedule in `cron` has come.";
        Replenish = "replenish", "What was bought is used up, by `replenish_days` of the catalogue.";
    }
}

/// What a sequence may start, wait for or stop on: an event kind or a derived fact.
/// (`order.paid` is both: the event, or the first snapshot that says paid.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactKind {
    /// An event as it came.
    Event(EventKind),
    /// What the fold concludes.
    Derived(DerivedKind),
}

impl FactKind {
    /// The name in files.
    pub fn as_str(self) -> &'static str {
        match self {
            FactKind::Event(kind) => kind.as_str(),
            FactKind::Derived(kind) => kind.as_str(),
        }
    }

    /// Every name of a fact that may stand in a file, for suggestions: what only time
    /// brings is no fact to wait for or to stop on.
    pub fn names() -> impl Iterator<Item = &'static str> {
        EventKind::ALL.iter().map(|kind| kind.as_str()).chain(
            DerivedKind::ALL
                .iter()
                .filter(|kind| !FactKind::Derived(**kind).is_of_time())
                .map(|kind| kind.as_str()),
        )
    }

    /// Whether it is time that brings this, and no fact: silence, a schedule, goods that
    /// are used up. Only a sequence may start on it.
    pub fn is_of_time(self) -> bool {
        matches!(
            self,
            FactKind::Derived(
                DerivedKind::Absence | DerivedKind::Schedule | DerivedKind::Replenish
            )
        )
    }

    /// Whether a sequence may start on it: the catalogue concerns nobody in particular.
    pub fn may_start(self) -> bool {
        self != FactKind::Event(EventKind::ProductUpdated)
    }

    /// Whether steps may wait for it and `[[stop]]` may name it: what only time brings,
    /// and mails of other sequences, start sequences and do no more.
    pub fn may_be_waited_for(self) -> bool {
        self.may_start() && !self.is_of_time() && self != FactKind::Derived(DerivedKind::StepSent)
    }

    /// What has happened then, in a sentence.
    pub fn says(self) -> &'static str {
        match self {
            FactKind::Event(kind) => kind.says(),
            FactKind::Derived(kind) => kind.says(),
        }
    }

    /// The name of [`super::names::SHARED`] that it brings besides what it is about.
    pub fn brings(self) -> Option<&'static str> {
        use EventKind::*;
        let FactKind::Event(kind) = self else {
            return None;
        };
        match kind {
            RefundIssued => Some("refund"),
            OrderCancelled => Some("cancel"),
            ReturnRequested | ReturnUpdated => Some("return"),
            DisputeOpened | DisputeClosed => Some("dispute"),
            ReviewReceived => Some("review"),
            TicketOpened | TicketClosed => Some("ticket"),
            ShipmentDeliveryFailed => Some("failure"),
            ShipmentAvailableForPickup => Some("pickup"),
            OrderPlaced
            | OrderPaid
            | OrderUpdated
            | ShipmentDispatched
            | ShipmentInTransit
            | ShipmentOutForDelivery
            | ShipmentDelivered
            | ShipmentReturnedToSender
            | ShipmentLost
            | ShipmentCancelled
            | CustomerUpdated
            | CustomerMerged
            | ConsentChanged
            | ErasureRequested
            | DataRequested
            | ProductUpdated => None,
        }
    }

    /// Of what, beside the customer, it speaks, so that a key may name it. What
    /// `step.sent` speaks of, the key of the other sequence says.
    pub fn is_about(self) -> &'static [&'static str] {
        use EventKind::*;
        match self {
            FactKind::Event(
                CustomerUpdated | CustomerMerged | ConsentChanged | ErasureRequested
                | DataRequested | ProductUpdated,
            )
            | FactKind::Derived(
                DerivedKind::Absence | DerivedKind::Schedule | DerivedKind::StepSent,
            ) => &[],
            _ if self.is_of_shipment() => &["order", "item", "shipment"],
            FactKind::Event(_) | FactKind::Derived(_) => &["order", "item"],
        }
    }

    /// Whether such a fact concerns one item.
    pub fn is_of_item(self) -> bool {
        matches!(
            self,
            FactKind::Derived(
                DerivedKind::ItemDelivered
                    | DerivedKind::ItemRefunded
                    | DerivedKind::ItemReturned
                    | DerivedKind::Replenish
            )
        )
    }

    /// Whether such a fact concerns one parcel.
    pub fn is_of_shipment(self) -> bool {
        self.as_str().starts_with("shipment.")
    }
}

impl fmt::Display for FactKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for FactKind {
    type Err = UnknownEventKind;
    fn from_str(text: &str) -> Result<Self, UnknownEventKind> {
        text.parse().map(FactKind::Event).or_else(|_| {
            text.parse()
                .map(FactKind::Derived)
                .map_err(|_| UnknownEventKind)
        })
    }
}

impl Serialize for FactKind {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for FactKind {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// How an event came to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IngestMode {
    /// As it happened, or nearly.
    #[default]
    Live,
    /// History: builds state and enrols nobody.
    Backfill,
    /// Told again on purpose, to act although it is past: enrols people where they would
    /// be now, for everything but mails about the order itself; what is past is not sent.
    Replay,
}

impl IngestMode {
    /// The name on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            IngestMode::Live => "live",
            IngestMode::Backfill => "backfill",
            IngestMode::Replay => "replay",
        }
    }
}

/// One fact as a source told it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its place in the order of arrival; 0 before it is stored.
    pub seq: EventSeq,
    /// The name of the fact, unique within `source`.
    pub id: String,
    /// Who says so, such as `/shopify/shop.example.com`.
    pub source: String,
    /// What kind of fact.
    pub kind: EventKind,
    /// The thing it is about, such as `order/17`.
    pub subject: String,
    /// When it happened. More than [`FUTURE_TOLERANCE_SECONDS`] after `recorded` it is
    /// not believed and equals `recorded`.
    pub time: Timestamp,
    /// When we learnt it.
    pub recorded: Timestamp,
    /// Orders facts of the same `time` from the same source, as text.
    pub sequence: Option<String>,
    /// What has to be handled in one line.
    pub partition: Option<String>,
    /// How it came.
    pub mode: IngestMode,
    /// Whether `time` was in the future and was replaced.
    pub misdated: bool,
    /// What it says.
    pub body: Arc<Body>,
    /// Whether a plan has seen it: an event may open enrolments once.
    pub considered: bool,
}

/// For how long a tracking number means one parcel: carriers use numbers again.
pub const NUMBER_LIFE: SignedDuration = SignedDuration::from_hours(120 * 24);

impl Event {
    /// The name under which this is another fact than the one that was told under its name
    /// before, at `known`: a parcel that got an old number. `None`: it is the same fact.
    pub fn anew(&self, known: Timestamp) -> Option<String> {
        let apart = self.time.duration_since(known).abs();
        let by_number = self.id.starts_with("shipment/tracking:");
        let again = by_number && self.body.shipment.is_some() && apart > NUMBER_LIFE;
        again.then(|| format!("{}@{}", self.id, self.time))
    }

    /// Which of two tellings of one fact is the better: that of the newer order, or of the
    /// delivery that is known better (rule 6: a carrier's word over a storefront's, a
    /// second over a day), or the one that names the order. 0 where they are alike.
    pub fn version(&self) -> i64 {
        if let Some(order) = &self.body.order {
            return to_ms(order.version);
        }
        // Whoever says of which order it is says more than whoever does not.
        let order = self.body.order_ref.as_ref();
        let named = order.is_some_and(|order| {
            order.order_id.is_some() || order.order_number.is_some() || !order.aliases.is_empty()
        });
        let Some(delivery) = &self.body.delivery else {
            return i64::from(named);
        };
        let basis = match delivery.basis {
            DeliveryBasis::Carrier => 5,
            DeliveryBasis::Storefront => 4,
            DeliveryBasis::Merchant => 3,
            DeliveryBasis::Digital => 2,
            DeliveryBasis::Inferred => 1,
        };
        let precision = match delivery.precision {
            Precision::Second => 3,
            Precision::Date => 2,
            Precision::Approximate => 1,
        };
        (basis * 4 + precision) * 2 + i64::from(named)
    }

    /// Whether it says of a known fact what was not said yet, by the versions that were
    /// told: every other version of an order, older ones too, so that it does not matter
    /// which came first; of anything else, a better one.
    pub fn says_more(&self, told: &BTreeSet<i64>) -> bool {
        let version = self.version();
        match self.body.order {
            Some(_) => !told.contains(&version),
            None => told.iter().all(|had| *had < version),
        }
    }

    /// The addresses that it names, as it has them.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        let body = &self.body;
        let refs = [&body.customer_ref, &body.survivor];
        let refs = refs.into_iter().flatten().chain(&body.absorbed);
        let customer = body.customer.as_ref();
        let previous = body.previous.as_ref();
        refs.filter_map(|who| who.email.as_deref())
            .chain(customer.and_then(|customer| customer.email.as_deref()))
            .chain(previous.and_then(|previous| previous.email.as_deref()))
    }
}

/// How far ahead of our clock a source's clock may run before we stop believing it.
pub const FUTURE_TOLERANCE_SECONDS: i64 = 300;

fn null_as_default<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// The parts that events carry; which of them a kind must have is checked at intake.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Body {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_ref: Option<OrderRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<Customer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_ref: Option<CustomerRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shipment: Option<Shipment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pickup: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund: Option<Refund>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel: Option<Cancel>,
    #[serde(rename = "return", skip_serializing_if = "Option::is_none")]
    pub return_: Option<Return>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dispute: Option<Dispute>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Ticket>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent: Option<Consent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub survivor: Option<CustomerRef>,
    #[serde(
        deserialize_with = "null_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub absorbed: Vec<CustomerRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Changes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<Previous>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erasure: Option<Erasure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<DataRequest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<super::product::ProductUpdate>,
    /// A test: processed fully, mailed to the allow-list only.
    #[serde(
        deserialize_with = "null_as_default",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub test: bool,
}

/// A reference to an order; any part may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OrderRef {
    pub order_id: Option<String>,
    pub order_number: Option<String>,
    #[serde(
        deserialize_with = "null_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub aliases: Vec<String>,
}

/// A reference to a person; any part may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CustomerRef {
    pub customer_id: Option<String>,
    pub email: Option<String>,
}

/// A whole order as its source has it now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    pub order_id: String,
    #[serde(default)]
    pub order_number: Option<String>,
    pub version: Timestamp,
    #[serde(default)]
    pub placed_at: Option<Timestamp>,
    #[serde(default)]
    pub channel: Option<String>,
    pub currency: String,
    #[serde(default)]
    pub subtotal: Option<Money>,
    #[serde(default)]
    pub discount: Option<Money>,
    #[serde(default)]
    pub shipping: Option<Money>,
    #[serde(default)]
    pub tax: Option<Money>,
    pub total: Money,
    #[serde(default)]
    pub shop_total: Option<Money>,
    pub payment_status: String,
    #[serde(default)]
    pub fulfilment_status: Option<String>,
    #[serde(default)]
    pub status_url: Option<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub tags: Vec<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub discount_codes: Vec<serde_json::Value>,
    #[serde(default)]
    pub shipping_method: Option<String>,
    #[serde(default)]
    pub ship_to: Option<ShipTo>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub line_items: Vec<LineItem>,
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub aliases: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<Subscription>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gift: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
}

/// Where an order goes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ShipTo {
    pub name: Option<String>,
    pub country: Option<String>,
    pub region: Option<String>,
    pub postal_code: Option<String>,
    pub city: Option<String>,
}

/// Which delivery of a storefront's subscription an order is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default)]
    pub sequence: Option<i64>,
}

/// One line of an order, as it was at purchase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LineItem {
    pub line_id: String,
    #[serde(default)]
    pub product_id: Option<String>,
    #[serde(default)]
    pub variant_id: Option<String>,
    #[serde(default)]
    pub sku: Option<String>,
    pub title: String,
    #[serde(default)]
    pub variant_title: Option<String>,
    pub quantity: i64,
    pub current_quantity: i64,
    pub unit_price: Money,
    #[serde(default)]
    pub discount: Option<Money>,
    pub total: Money,
    #[serde(default)]
    pub vendor: Option<String>,
    pub kind: LineKind,
    #[serde(default)]
    pub requires_shipping: Option<bool>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub tags: Vec<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub categories: Vec<String>,
    #[serde(default)]
    pub image_url: Option<String>,
    #[serde(default)]
    pub product_url: Option<String>,
    #[serde(default)]
    pub catalog_resolved: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<Bundle>,
}

/// What sort of thing a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum LineKind {
    Physical,
    Digital,
    Service,
    GiftCard,
    #[default]
    Unknown,
}

/// The kit that a line was part of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    #[serde(default)]
    pub sku: Option<String>,
    #[serde(default)]
    pub product_id: Option<String>,
    #[serde(default)]
    pub title: Option<String>,
}

/// A person as a source has them now.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Customer {
    pub customer_id: Option<String>,
    pub account: Option<String>,
    pub email: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub name: Option<String>,
    pub phone: Option<String>,
    pub locale: Option<String>,
    pub time_zone: Option<String>,
    pub country: Option<String>,
    pub region: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    pub tags: Vec<String>,
    pub marketing_consent: Option<Consent>,
}

/// What somebody agreed to or refused.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Consent {
    pub channel: Channel,
    pub state: ConsentState,
    pub opt_in_level: Option<String>,
    pub basis: ConsentBasis,
    pub source: String,
    pub updated_at: Option<Timestamp>,
    /// A [`super::kind::Scope`] as text; absent means all marketing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

/// By which way one may be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Channel {
    #[default]
    Email,
    Sms,
}

/// The state of consent. `Unknown` never overwrites a known one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum ConsentState {
    Subscribed,
    Pending,
    NotSubscribed,
    Unsubscribed,
    #[default]
    Unknown,
}

/// On what a consent rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentBasis {
    /// Asked for in so many words.
    Explicit,
    /// Details got in a sale, own similar goods, refusal offered at collection.
    SoftOptIn,
    /// Nothing.
    #[default]
    None,
}

/// One parcel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shipment {
    pub shipment_id: String,
    #[serde(default)]
    pub direction: Direction,
    #[serde(default, deserialize_with = "null_as_default")]
    pub tracking: Vec<Tracking>,
    /// What is inside; empty where the source does not say.
    #[serde(default, deserialize_with = "null_as_default")]
    pub items: Vec<ItemRef>,
    #[serde(default)]
    pub shipped_at: Option<Timestamp>,
    #[serde(default)]
    pub estimated_delivery: Option<serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pickup: Option<serde_json::Value>,
}

/// Which way a parcel goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Direction {
    #[default]
    Outbound,
    Return,
}

/// A carrier's number for a parcel.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Tracking {
    pub carrier: Option<String>,
    pub carrier_name: Option<String>,
    pub number: String,
    pub url: Option<String>,
}

/// Some units of one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemRef {
    #[serde(default)]
    pub line_id: Option<String>,
    #[serde(default)]
    pub sku: Option<String>,
    pub quantity: i64,
}

/// That a parcel arrived.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    pub delivered_at: Timestamp,
    #[serde(default)]
    pub precision: Precision,
    #[serde(default)]
    pub basis: DeliveryBasis,
    #[serde(default)]
    pub reported_by: Option<String>,
}

/// How exactly a time is known. The order is from exact to vague.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Precision {
    #[default]
    Second,
    Date,
    Approximate,
}

/// Who says that a parcel arrived. The order is from best to worst.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum DeliveryBasis {
    Carrier,
    #[default]
    Storefront,
    Merchant,
    Digital,
    Inferred,
}

impl DeliveryBasis {
    /// The name in conditions.
    pub fn as_str(self) -> &'static str {
        match self {
            DeliveryBasis::Carrier => "carrier",
            DeliveryBasis::Storefront => "storefront",
            DeliveryBasis::Merchant => "merchant",
            DeliveryBasis::Digital => "digital",
            DeliveryBasis::Inferred => "inferred",
        }
    }
}

/// Money given back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refund {
    pub refund_id: String,
    pub amount: Money,
    #[serde(default)]
    pub refunded_total: Option<Money>,
    #[serde(default)]
    pub scope: RefundScope,
    #[serde(default)]
    pub reason: Option<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub items: Vec<RefundItem>,
    #[serde(default)]
    pub return_id: Option<String>,
}

/// How much of an order a refund gives back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum RefundScope {
    Partial,
    Full,
    #[default]
    Unknown,
}

/// Units of a line that were refunded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RefundItem {
    pub line_id: String,
    #[serde(default)]
    pub sku: Option<String>,
    pub quantity: i64,
    #[serde(default)]
    pub amount: Option<Money>,
    #[serde(default)]
    pub restock: Option<Restock>,
}

/// What becomes of refunded goods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Restock {
    Return,
    Cancel,
    NoRestock,
}

/// That an order is off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cancel {
    #[serde(default)]
    pub reason: Option<String>,
    pub cancelled_at: Timestamp,
}

/// Goods on their way back. `status` is an open set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Return {
    pub return_id: String,
    #[serde(default)]
    pub name: Option<String>,
    pub status: String,
    #[serde(default)]
    pub reason: Option<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub items: Vec<ItemRef>,
}

/// A charge that somebody contests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dispute {
    pub dispute_id: String,
    #[serde(default)]
    pub reason: Option<String>,
    #[serde(default)]
    pub amount: Option<Money>,
    #[serde(default)]
    pub outcome: Option<String>,
}

/// A review that was written; its text is never kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Review {
    pub review_id: String,
    pub platform: String,
    #[serde(default)]
    pub rating: Option<i64>,
    #[serde(default)]
    pub product_id: Option<String>,
    #[serde(default)]
    pub kind: Option<String>,
}

/// A conversation with the help desk; its text is never kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    pub ticket_id: String,
    pub status: String,
    #[serde(default)]
    pub channel: Option<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub tags: Vec<String>,
}

/// What an edit did to an order whose whole new state was not sent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Changes {
    #[serde(deserialize_with = "null_as_default")]
    pub added: Vec<ItemRef>,
    #[serde(deserialize_with = "null_as_default")]
    pub removed: Vec<ItemRef>,
}

/// What a person's record said before.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Previous {
    pub email: Option<String>,
    pub locale: Option<String>,
}

/// That somebody wants to be forgotten.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Erasure {
    pub scope: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    pub orders: Vec<serde_json::Value>,
    pub due_at: Option<Timestamp>,
}

/// Somebody asks for what is held on them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DataRequest {
    /// The platform's own number of it.
    pub request_id: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    pub orders: Vec<serde_json::Value>,
    pub due_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_there_are_27_event_kinds() {
        assert_eq!(EventKind::ALL.len(), 27);
        for name in FactKind::names() {
            assert_eq!(name.parse::<FactKind>().map(|kind| kind.as_str()), Ok(name));
        }
    }
}
