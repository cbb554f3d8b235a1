//! Sample deliveries and the sample log, for tests only.

/// One delivery: the exact bytes of its body, and its headers.
pub(crate) struct Delivery {
    pub(crate) name: &'static str,
    pub(crate) body: &'static [u8],
    headers: &'static str,
}

impl Delivery {
    /// The value of a header, by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> &'static str {
        self.headers
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(had, _)| had.eq_ignore_ascii_case(name))
            .map_or("", |(_, value)| value)
    }

    /// The attributes of binary mode.
    pub(crate) fn attributes(&self) -> Vec<(String, String)> {
        self.headers
            .lines()
            .filter_map(|line| line.split_once(": "))
            .filter_map(|(name, value)| {
                Some((name.strip_prefix("ce-")?.to_owned(), value.to_owned()))
            })
            .collect()
    }
}

macro_rules! deliveries {
    ($($name:literal of $body:literal),* $(,)?) => {
        /// All of them.
        pub(crate) fn deliveries() -> Vec<Delivery> {
            vec![$(Delivery {
                name: $name,
                body: include_bytes!(concat!("../tests/fixtures/events/canonical/", $body, ".json")),
                headers: include_str!(concat!("../tests/fixtures/events/canonical/", $name, ".headers")),
            }),*]
        }
    };
}

deliveries! {
    "batch" of "batch",
    "binary_mode.shipment.delivered" of "binary_mode.shipment.delivered",
    "consent.changed.unsubscribed" of "consent.changed.unsubscribed",
    "customer.merged" of "customer.merged",
    "customer.updated" of "customer.updated",
    "dispute.closed" of "dispute.closed",
    "dispute.opened" of "dispute.opened",
    "order.cancelled" of "order.cancelled",
    "order.paid" of "order.paid",
    "order.placed.bad_signature" of "order.placed",
    "order.placed" of "order.placed",
    "order.placed.rotated_secret" of "order.placed",
    "order.updated" of "order.updated",
    "privacy.data_requested" of "privacy.data_requested",
    "privacy.erasure_requested" of "privacy.erasure_requested",
    "product.updated" of "product.updated",
    "refund.issued.full" of "refund.issued.full",
    "refund.issued.partial" of "refund.issued.partial",
    "return.requested" of "return.requested",
    "review.received" of "review.received",
    "shipment.available_for_pickup" of "shipment.available_for_pickup",
    "shipment.delivered" of "shipment.delivered",
    "shipment.delivery_failed" of "shipment.delivery_failed",
    "shipment.dispatched" of "shipment.dispatched",
    "shipment.dispatched.second_parcel" of "shipment.dispatched.second_parcel",
    "shipment.in_transit" of "shipment.in_transit",
    "shipment.out_for_delivery" of "shipment.out_for_delivery",
    "shipment.returned_to_sender" of "shipment.returned_to_sender",
    "ticket.closed" of "ticket.closed",
    "ticket.opened" of "ticket.opened",
}

/// The one with this name.
pub(crate) fn delivery(name: &str) -> Delivery {
    deliveries()
        .into_iter()
        .find(|delivery| delivery.name == name)
        .expect("a sample delivery")
}

/// The log of 120 days, one event a line, in order of arrival.
pub(crate) const HISTORY: &str = include_str!("../tests/fixtures/events/history.ndjson");

/// What adapters must make of every platform's sample deliveries: a list a line.
pub(crate) const GOLDEN: &str = include_str!("../tests/fixtures/events/golden.ndjson");
