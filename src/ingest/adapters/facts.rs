//! Facts as they are told: canonical events (CloudEvents in JSON) with the names by which
//! the same fact is known again, whichever delivery it came in.

use super::super::canonical::{Attributes, Learnt, body};
use super::super::json::Json;
use super::super::shape::{self, Misfit};
use super::moment::stamp;
use crate::model::event::{Body, Event, EventKind, IngestMode};
use crate::model::time::Timestamp;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

/// Most characters of a topic, an id or a version that are kept of how a delivery came.
const MAX_VIA: usize = 256;

/// The facts that one delivery attests, in the order of a thing's life.
#[derive(Debug)]
pub(super) struct Facts {
    source: Rc<str>,
    via: Rc<Value>,
    test: bool,
    pub(super) all: Vec<Fact>,
    /// The first part that cannot be read, where the rest can.
    pub(super) unread: Option<Misfit>,
}

/// One fact.
#[derive(Debug)]
pub(super) struct Fact {
    kind: EventKind,
    id: String,
    source: Rc<str>,
    about: String,
    line: String,
    time: Option<Timestamp>,
    mode: IngestMode,
    /// Its place among the facts of a thing, as text that sorts.
    pub(super) sequence: Option<String>,
    data: Data,
    test: bool,
    via: Rc<Value>,
}

/// What a fact says.
#[derive(Debug, Clone)]
pub(super) struct Data {
    shared: Option<Shared>,
    own: Vec<(Cow<'static, str>, Json<'static>)>,
}

/// What facts of one delivery say alike, such as the whole order: put together and read
/// once.
#[derive(Debug, Clone)]
pub(super) struct Shared(Rc<Json<'static>>);

impl Shared {
    pub(super) fn of(parts: Value) -> Shared {
        Shared(Rc::new(parts.into()))
    }

    /// A whole order and its buyer, moved: `json!` copies what it is given.
    pub(super) fn order(order: Value, customer: Value) -> Shared {
        let parts = [("order", order), ("customer", customer)];
        let parts = parts.map(|(name, part)| (name.into(), part.into()));
        Shared(Rc::new(Json::Object(parts.into())))
    }
}

impl From<Shared> for Data {
    fn from(shared: Shared) -> Data {
        Data {
            shared: Some(shared),
            own: Vec::new(),
        }
    }
}

impl From<Value> for Data {
    fn from(value: Value) -> Data {
        Data {
            shared: None,
            own: Json::from(value).into_members(),
        }
    }
}

impl Data {
    fn whole(&self) -> Json<'static> {
        let shared = self.shared.iter().flat_map(|shared| shared.0.members());
        let shared = shared.filter(|(name, _)| self.own.iter().all(|(own, _)| own != name));
        Json::Object(shared.chain(&self.own).cloned().collect())
    }
}

/// How a delivery came: which adapter, topic, delivery and version of the interface.
pub(super) fn via(adapter: &str, topic: &str, delivery: Option<&str>, api: Option<&str>) -> Value {
    // Every fact of a delivery repeats it: a stranger must not make much of a little.
    let short = |text: &str| Value::String(text.chars().take(MAX_VIA).collect());
    let mut via = Map::new();
    via.insert("adapter".to_owned(), adapter.into());
    via.insert("topic".to_owned(), short(topic));
    if let Some(delivery) = delivery {
        via.insert("delivery_id".to_owned(), short(delivery));
    }
    if let Some(api) = api {
        via.insert("api_version".to_owned(), short(api));
    }
    Value::Object(via)
}

impl Facts {
    pub(super) fn of(source: impl Into<String>, via: Value, test: bool) -> Facts {
        Facts {
            source: Rc::from(source.into()),
            via: Rc::new(via),
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
        data: impl Into<Data>,
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
        data: impl Into<Data>,
    ) {
        let about = format!("order/{order}");
        let verb = kind.as_str().trim_start_matches("order.");
        self.tell(kind, format!("{about}/{verb}"), &about, &about, time, data);
    }

    /// Tells what a customer's record says now: a record may change any number of times, and
    /// each of its states is a fact.
    pub(super) fn of_customer(&mut self, customer: &str, at: Timestamp, record: Value) {
        let about = format!("customer/{customer}");
        let name = format!("{about}@{}", stamp(at));
        let data = json!({ "customer": record });
        self.tell(
            EventKind::CustomerUpdated,
            name,
            &about,
            &about,
            Some(at),
            data,
        );
    }

    /// Tells that an order was called off; `base` is the order with its customer.
    pub(super) fn cancelled(
        &mut self,
        order: &str,
        reason: Option<&str>,
        at: Timestamp,
        base: &Shared,
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
        data: impl Into<Data>,
        test: bool,
    ) {
        self.all.push(Fact {
            kind,
            id: id.into(),
            source: Rc::clone(&self.source),
            about: about.to_owned(),
            line: line.to_owned(),
            time,
            mode: IngestMode::Live,
            sequence: None,
            data: data.into(),
            test,
            via: Rc::clone(&self.via),
        });
    }
}

/// Marks facts as history, of which nothing is ever sent: the platform imported them.
pub(super) fn as_history(facts: &mut [Fact]) {
    for fact in facts {
        fact.mode = IngestMode::Backfill;
    }
}

/// Adds parts to what a fact shares with others.
pub(super) fn with(base: &(impl Clone + Into<Data>), parts: Value) -> Data {
    let mut data = base.clone().into();
    let parts = Json::from(parts).into_members();
    data.own
        .retain(|(name, _)| parts.iter().all(|(own, _)| own != name));
    data.own.extend(parts);
    data
}

impl Fact {
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// As an event in JSON, for people and golden files.
    pub(super) fn to_json(&self) -> Value {
        let mut data = Value::from(self.data.whole());
        data["test"] = self.test.into();
        data["via"] = Value::clone(&self.via);
        let mut event = Map::with_capacity(12);
        event.insert("specversion".to_owned(), "1.0".into());
        event.insert("id".to_owned(), self.id.as_str().into());
        event.insert("source".to_owned(), (*self.source).into());
        event.insert("type".to_owned(), self.kind.as_str().into());
        event.insert("subject".to_owned(), self.about.as_str().into());
        if let Some(time) = self.time {
            event.insert("time".to_owned(), stamp(time).into());
        }
        event.insert("datacontenttype".to_owned(), "application/json".into());
        event.insert(
            "dataschema".to_owned(),
            format!("urn:postpurchase:event:{}:1", self.kind).into(),
        );
        event.insert("partitionkey".to_owned(), self.line.as_str().into());
        event.insert("ingestmode".to_owned(), self.mode.as_str().into());
        event.insert("data".to_owned(), data);
        if let Some(sequence) = &self.sequence {
            event.insert("sequence".to_owned(), sequence.as_str().into());
        }
        Value::Object(event)
    }
}

/// Reads facts as events; what neighbours share is read once.
#[derive(Debug, Default)]
pub(super) struct Reading {
    last: Option<(Shared, bool, Arc<Body>)>,
}

impl Reading {
    /// The event that a fact makes.
    ///
    /// # Errors
    /// It is none that we know: a part of it is missing, or not what it must be.
    pub(super) fn event(&mut self, fact: &Fact, learnt: Learnt) -> Result<Event, Misfit> {
        let attributes = Attributes {
            id: &fact.id,
            source: &fact.source,
            kind: fact.kind,
            subject: &fact.about,
            time: fact.time,
            recorded: None,
            sequence: fact.sequence.as_deref(),
            partition: Some(&fact.line),
            mode: fact.mode,
        };
        attributes.check()?;
        attributes.event(learnt, |time| match &fact.data {
            Data {
                shared: Some(shared),
                own,
            } if own.is_empty() => self.shared(shared, fact, time),
            data => whole(fact, &data.whole(), time),
        })
    }

    fn shared(
        &mut self,
        shared: &Shared,
        fact: &Fact,
        time: Timestamp,
    ) -> Result<Arc<Body>, Misfit> {
        if let Some((last, tested, read)) = &self.last
            && *tested == fact.test
            && Rc::ptr_eq(&last.0, &shared.0)
        {
            shape::check_needs(fact.kind, &shared.0)?;
            return Ok(Arc::clone(read));
        }
        let read = whole(fact, &shared.0, time)?;
        self.last = Some((shared.clone(), fact.test, Arc::clone(&read)));
        Ok(read)
    }
}

fn whole(fact: &Fact, data: &Json, time: Timestamp) -> Result<Arc<Body>, Misfit> {
    shape::check(fact.kind, data)?;
    Ok(Arc::new(Body {
        test: fact.test,
        ..body(data, time)?
    }))
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
