//! Under what an event can be found: keys of people and of things that lead to people.

use crate::model::email::normalise;
use crate::model::event::{Body, CustomerRef, Event, EventKind, OrderRef};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// For how long a tracking number leads to whose parcel had it last, in days (rule 5). Found
/// by spans, so a span more at most; the fold counts days.
const NUMBER_DAYS: i64 = 120;
/// Days of one span of time of a tracking number.
const SPAN_DAYS: i64 = 30;
/// What ids of parcels begin with that their service knows by number alone.
const BY_NUMBER: &str = "tracking:";

/// A text under which somebody may be known. It may hold an address: never store it or
/// log it as it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    /// The text to hash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A key of a person by their address.
    pub fn email(text: &str) -> Option<Key> {
        let normal = normalise(text);
        // What is no address at all ("n/a") must not make strangers one person.
        let (local, host) = normal.rsplit_once('@')?;
        (!local.trim().is_empty() && !host.trim().is_empty())
            .then(|| Key(format!("email:{normal}").into()))
    }

    /// The key of a shop's customer id. Ids are unique within their source only.
    pub fn customer(source: &str, id: &str) -> Option<Key> {
        Key::of("customer", source, id).filter(|_| id != "0")
    }

    /// The key under which a shop's customer id is found from other sources.
    pub fn customer_anywhere(id: &str) -> Option<Key> {
        Key::anywhere("customer", id).filter(|_| id != "0")
    }

    /// The key of a parcel's number, whoever carries it, in one span of time: carriers use
    /// numbers again.
    fn tracking(number: &str, span: i64) -> Option<Key> {
        let normal: String = number
            .chars()
            .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '\u{2010}'..='\u{2015}'))
            .flat_map(char::to_uppercase)
            .collect();
        (!normal.is_empty()).then(|| Key(format!("tracking:{normal}@{span}").into()))
    }

    /// The source ends at a line break, which none can hold.
    fn of(sort: &str, source: &str, id: &str) -> Option<Key> {
        (!id.trim().is_empty()).then(|| Key(format!("{sort}:{source}\n{id}").into()))
    }

    fn anywhere(sort: &str, id: &str) -> Option<Key> {
        (!id.trim().is_empty()).then(|| Key(format!("any-{sort}:{id}").into()))
    }

    /// Whether several people may be found under it.
    pub(super) fn is_shared(&self) -> bool {
        self.0.starts_with("any-") || self.0.starts_with("tracking:")
    }

    pub(super) fn is_tracking(&self) -> bool {
        self.0.starts_with("tracking:")
    }
}

/// Never shows the key: it may hold an address.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sort = self.0.split(':').next().unwrap_or_default();
        write!(f, "Key({sort}:***)")
    }
}

/// The keys that one event names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    /// Whoever is known under any of these is one and the same person.
    pub(super) joining: Vec<Key>,
    /// What leads to somebody, the surest first.
    pub(super) leading: Vec<Key>,
    /// What leads to the person of this event once it is placed.
    pub(super) teaching: Vec<Key>,
    /// Who the event names decides before what it is about.
    pub(super) of_person: bool,
    /// A person not known yet becomes one by this event.
    pub(super) opens: bool,
    /// It concerns the shop, nobody in particular.
    pub(super) shop_wide: bool,
}

impl Keys {
    /// Every key: those whose people must be known to a [`Directory`] before the event is
    /// placed, and under which it may have to wait.
    pub fn all(&self) -> impl Iterator<Item = &Key> {
        let mut seen = BTreeSet::new();
        self.joining
            .iter()
            .chain(&self.leading)
            .chain(&self.teaching)
            .filter(move |key| seen.insert(*key))
    }

    /// Whether the event concerns nobody in particular.
    pub fn is_shop_wide(&self) -> bool {
        self.shop_wide
    }

    fn lead(&mut self, key: Option<Key>) {
        if let Some(key) = key.filter(|key| !self.leading.contains(key)) {
            self.leading.push(key);
        }
    }

    fn join(&mut self, key: Option<Key>) {
        if let Some(key) = key.filter(|key| !self.joining.contains(key)) {
            self.joining.push(key);
        }
    }

    fn teach(&mut self, key: Option<Key>) {
        if let Some(key) = key.filter(|key| !self.teaching.contains(key)) {
            self.teaching.push(key);
        }
    }

    fn person(&mut self, source: &str, id: Option<&str>, email: Option<&str>) {
        let id = id.map(str::trim).filter(|id| !id.is_empty());
        self.join(id.and_then(|id| Key::customer(source, id)));
        self.join(email.and_then(Key::email));
    }

    fn person_ref(&mut self, source: &str, who: &CustomerRef) {
        self.person(source, who.customer_id.as_deref(), who.email.as_deref());
    }

    /// What an order reference leads to: the own source first, then any other.
    fn order_ref(&mut self, source: &str, order: &OrderRef) {
        let id = order.order_id.as_deref();
        let number = order.order_number.as_deref().map(bare_number);
        let names = || {
            id.into_iter()
                .chain(order.aliases.iter().map(String::as_str))
        };
        self.lead(id.and_then(|id| Key::of("order", source, id)));
        for name in names() {
            self.lead(Key::of("alias", source, name));
        }
        self.lead(number.and_then(|number| Key::of("number", source, number)));
        self.lead(id.and_then(|id| Key::anywhere("order", id)));
        for name in names() {
            self.lead(Key::anywhere("alias", name));
        }
        self.lead(number.and_then(|number| Key::anywhere("number", number)));
    }

    fn teach_order(&mut self, source: &str, id: &str, number: Option<&str>, aliases: &[String]) {
        self.teach(Key::of("order", source, id));
        self.teach(Key::anywhere("order", id));
        if let Some(number) = number.map(bare_number) {
            self.teach(Key::of("number", source, number));
            self.teach(Key::anywhere("number", number));
        }
        for alias in aliases {
            self.teach(Key::of("alias", source, alias));
            self.teach(Key::anywhere("alias", alias));
        }
    }

    /// What goes on over several events of one source: a parcel, a ticket, a dispute.
    fn thing(&mut self, sort: &str, source: &str, id: &str) {
        self.lead(Key::of(sort, source, id));
        self.teach(Key::of(sort, source, id));
    }
}

fn bare_number(text: &str) -> &str {
    text.trim().trim_start_matches('#')
}

/// The keys that an event names.
pub fn keys(event: &Event) -> Keys {
    let mut keys = Keys::default();
    let source = event.source.as_str();
    let body: &Body = &event.body;
    let of_order = matches!(
        event.kind,
        EventKind::OrderPlaced
            | EventKind::OrderPaid
            | EventKind::OrderUpdated
            | EventKind::OrderCancelled
    );
    let of_person = matches!(
        event.kind,
        EventKind::CustomerUpdated
            | EventKind::CustomerMerged
            | EventKind::ConsentChanged
            | EventKind::ErasureRequested
            | EventKind::DataRequested
    );
    let whole_shop = body
        .erasure
        .as_ref()
        .is_some_and(|erasure| erasure.scope.as_deref() == Some("shop"));
    if event.kind == EventKind::ProductUpdated || whole_shop {
        keys.shop_wide = true;
        return keys;
    }
    keys.of_person = of_order || of_person;

    if let Some(customer) = &body.customer {
        keys.person(
            source,
            customer.customer_id.as_deref(),
            customer.email.as_deref(),
        );
    }
    if let Some(who) = &body.customer_ref {
        keys.person_ref(source, who);
    }
    if event.kind == EventKind::CustomerUpdated {
        let before = body.previous.as_ref().and_then(|p| p.email.as_deref());
        keys.join(before.and_then(Key::email));
    }
    for who in body.survivor.iter().chain(&body.absorbed) {
        keys.person_ref(source, who);
    }
    if of_person
        && keys.joining.is_empty()
        && let Some(named) = event.subject.strip_prefix("customer/")
    {
        let email = Key::email(named);
        keys.join(email.or_else(|| Key::customer(source, named)));
    }
    let named = !keys.joining.is_empty();
    keys.opens = named && keys.of_person && event.kind != EventKind::DataRequested;

    if of_order {
        let own = body.order.as_ref().map(|order| order.order_id.as_str());
        let referred = || body.order_ref.as_ref().and_then(|o| o.order_id.as_deref());
        if let Some(id) = own.or_else(referred) {
            // Whoever the snapshots of one order name is its one buyer.
            keys.join(Key::of("order", source, id));
        }
        if let Some(order) = &body.order {
            let number = order.order_number.as_deref();
            keys.teach_order(source, &order.order_id, number, &order.aliases);
        } else if let Some(order) = &body.order_ref
            && let (Some(id), true) = (&order.order_id, named)
        {
            keys.teach_order(source, id, order.order_number.as_deref(), &order.aliases);
        }
    }
    if let Some(order) = &body.order_ref {
        keys.order_ref(source, order);
        if !of_order {
            for alias in &order.aliases {
                keys.teach(Key::of("alias", source, alias));
            }
        }
    }
    if let Some(shipment) = &body.shipment {
        // What is called by its number is found by its number, for as long as that holds.
        if !shipment.shipment_id.starts_with(BY_NUMBER) {
            keys.thing("shipment", source, &shipment.shipment_id);
        }
        for tracking in &shipment.tracking {
            let span = event.time.as_second().div_euclid(SPAN_DAYS * 86_400);
            // The latest wins; the shop may say later than the carrier that it has left.
            for back in -1..=NUMBER_DAYS / SPAN_DAYS {
                keys.lead(Key::tracking(&tracking.number, span - back));
            }
            keys.teach(Key::tracking(&tracking.number, span));
        }
    }
    if let Some(ticket) = &body.ticket {
        keys.thing("ticket", source, &ticket.ticket_id);
    }
    if let Some(dispute) = &body.dispute {
        keys.thing("dispute", source, &dispute.dispute_id);
    }
    if let Some(return_) = &body.return_ {
        keys.thing("return", source, &return_.return_id);
    }
    // Other sources know the shop's customer ids too, as references.
    let customer_id = body
        .customer
        .as_ref()
        .and_then(|c| c.customer_id.as_deref());
    let referred = body
        .customer_ref
        .as_ref()
        .and_then(|c| c.customer_id.as_deref());
    for who in body.survivor.iter().chain(&body.absorbed) {
        keys.teach(who.customer_id.as_deref().and_then(Key::customer_anywhere));
    }
    keys.teach(customer_id.and_then(Key::customer_anywhere));
    keys.lead(referred.and_then(Key::customer_anywhere));
    keys
}
