//! Facts as they are told: canonical events (CloudEvents in JSON) with the names by which
//! the same fact is known again, whichever delivery it came in.

use super::super::shape::Misfit;
use super::moment::stamp;
use crate::model::event::EventKind;
use crate::model::time::Timestamp;
use serde_json::{Map, Value, json};

/// The facts that one delivery attests, in the order of a thing's life.
#[derive(Debug)]
pub(super) struct Facts {
    source: String,
    via: Value,
    test: bool,
    pub(super) all: Vec<Value>,
    /// The first part that cannot be read, where the rest can.
    pub(super) unread: Option<Misfit>,
}

/// How a delivery came: which adapter, topic, delivery and version of the interface.
pub(super) fn via(adapter: &str, topic: &str, delivery: Option<&str>, api: Option<&str>) -> Value {
    let mut via = Map::new();
    via.insert("adapter".to_owned(), adapter.into());
    via.insert("topic".to_owned(), topic.into());
    if let Some(delivery) = delivery {
        via.insert("delivery_id".to_owned(), delivery.into());
    }
    if let Some(api) = api {
        via.insert("api_version".to_owned(), api.into());
    }
    Value::Object(via)
}

impl Facts {
    pub(super) fn of(source: impl Into<String>, via: Value, test: bool) -> Facts {
        Facts {
            source: source.into(),
            via,
            test,
            all: Vec::new(),
            unread: None,
        }
    }

    /// Goes on without a part that cannot be read: one line, one parcel, one refund must
    /// not lose the order that it stands in. What is wrong with the first such part is
    /// kept, and the delivery with it.
    pub(super) fn part<T>(&mut self, read: Result<T, Misfit>) -> Option<T> {
        match read {
            Ok(read) => Some(read),
            Err(misfit) => {
                self.unread.get_or_insert(misfit);
                None
            }
        }
    }

    /// Whether this is a test: processed fully, mailed to the allow-list alone.
    pub(super) fn is_test(&self) -> bool {
        self.test
    }

    /// Tells a fact. `id` is its name within the source; `about` its subject; `line` what
    /// has to be handled in one line. Without a time it happened when it was learnt.
    pub(super) fn tell(
        &mut self,
        kind: EventKind,
        id: impl Into<String>,
        about: &str,
        line: &str,
        time: Option<Timestamp>,
        data: Value,
    ) {
        self.tell_as(kind, id, about, line, time, data, self.test);
    }

    /// Tells a fact of an order's own life, which happens to an order once: it is named
    /// after the order and the kind.
    pub(super) fn of_order(
        &mut self,
        kind: EventKind,
        order: &str,
        time: Option<Timestamp>,
        data: Value,
    ) {
        let about = format!("order/{order}");
        let verb = kind.as_str().trim_start_matches("order.");
        self.tell(kind, format!("{about}/{verb}"), &about, &about, time, data);
    }

    /// Tells that an order was called off; `base` is the order with its customer.
    pub(super) fn cancelled(
        &mut self,
        order: &str,
        reason: Option<&str>,
        at: Timestamp,
        base: &Value,
    ) {
        let cancel = json!({ "reason": reason, "cancelled_at": stamp(at) });
        let data = with(base, json!({ "cancel": cancel }));
        self.of_order(EventKind::OrderCancelled, order, Some(at), data);
    }

    /// As [`Facts::tell`], where the fact itself says whether it is a test.
    #[expect(clippy::too_many_arguments, reason = "the parts of an event")]
    pub(super) fn tell_as(
        &mut self,
        kind: EventKind,
        id: impl Into<String>,
        about: &str,
        line: &str,
        time: Option<Timestamp>,
        mut data: Value,
        test: bool,
    ) {
        if let Value::Object(data) = &mut data {
            data.insert("test".to_owned(), test.into());
            data.insert("via".to_owned(), self.via.clone());
        }
        let mut event = Map::with_capacity(11);
        event.insert("specversion".to_owned(), "1.0".into());
        event.insert("id".to_owned(), Value::String(id.into()));
        event.insert("source".to_owned(), self.source.as_str().into());
        event.insert("type".to_owned(), kind.as_str().into());
        event.insert("subject".to_owned(), about.into());
        if let Some(time) = time {
            event.insert("time".to_owned(), stamp(time).into());
        }
        event.insert("datacontenttype".to_owned(), "application/json".into());
        event.insert(
            "dataschema".to_owned(),
            format!("urn:postpurchase:event:{kind}:1").into(),
        );
        event.insert("partitionkey".to_owned(), line.into());
        event.insert("ingestmode".to_owned(), "live".into());
        event.insert("data".to_owned(), data);
        self.all.push(Value::Object(event));
    }
}

/// Marks facts as history, of which nothing is ever sent: the platform imported them.
pub(super) fn as_history(facts: &mut [Value]) {
    for fact in facts {
        fact["ingestmode"] = "backfill".into();
    }
}

/// Adds parts to the data of a fact that others share.
pub(super) fn with(base: &Value, parts: Value) -> Value {
    let mut whole = base.clone();
    if let (Value::Object(whole), Value::Object(parts)) = (&mut whole, parts) {
        whole.extend(parts);
    }
    whole
}

/// A reference to an order.
pub(super) fn order_ref(id: Option<&str>, number: Option<&str>) -> Value {
    json!({ "order_id": id, "order_number": number })
}

/// A reference to a person.
pub(super) fn customer_ref(id: Option<&str>, email: Option<&str>) -> Value {
    json!({ "customer_id": id, "email": email })
}

/// Consent that the platform says nothing about.
pub(super) fn unknown_consent(source: &str) -> Value {
    json!({
        "channel": "email", "state": "unknown", "opt_in_level": "unknown", "basis": "none",
        "source": source, "updated_at": null,
    })
}

/// What a carrier or a platform says of a parcel, and the kind of event that it makes.
/// The states of its way are the same everywhere, only their names differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    InTransit,
    OutForDelivery,
    Pickup,
    Failed,
    Delivered,
    Returned,
    Lost,
}

impl Way {
    pub(super) fn kind(self) -> EventKind {
        match self {
            Way::InTransit => EventKind::ShipmentInTransit,
            Way::OutForDelivery => EventKind::ShipmentOutForDelivery,
            Way::Pickup => EventKind::ShipmentAvailableForPickup,
            Way::Failed => EventKind::ShipmentDeliveryFailed,
            Way::Delivered => EventKind::ShipmentDelivered,
            Way::Returned => EventKind::ShipmentReturnedToSender,
            Way::Lost => EventKind::ShipmentLost,
        }
    }

    /// The last part of the fact's name.
    pub(super) fn verb(self) -> &'static str {
        let kind = self.kind().as_str();
        kind.strip_prefix("shipment.").unwrap_or(kind)
    }
}
