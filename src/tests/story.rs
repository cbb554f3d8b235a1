//! Stories for tests: a shop's files, what happens to its customers, and the trace of
//! sends that the simulator gives. One line of a trace is
//! `2026-03-05T09:00 ann education/basics accepted`.

use aftercare::ingest::canonical;
use aftercare::model::event::Event;
use aftercare::model::time::Timestamp;
use aftercare::plan::simulate::{Simulated, simulate};
use aftercare::sequence::{self, catalog::Catalog};
use serde_json::{Value, json};

/// A policy without hours, limits or costs; stories add what they are about.
pub const POLICY: &str = r#"
id = "test"
name = "Test shop"
url = "https://shop.example.com"
address = "1 Quay Street"
zone = "Europe/Berlin"
locales = ["en", "de"]
fallback = "en"
"#;

/// Families of the shop's feed.
pub const CATALOG: &str = r#"
feed = "catalog.json"
default = "general"
[family.general]
[family.dslr]
match = { tags = ["dslr"] }
complements = ["tripod"]
[family.memory]
match = { tags = ["memory"] }
[family.tripod]
match = { tags = ["tripod"] }
[family.lens]
match = { tags = ["lens"] }
"#;

const PEOPLE: &str = r#"
[aya]
name = "Aya Tanaka"
email = "aya@shop.example.com"
"#;

/// Reads a set of files; panics with every problem where there is one.
pub fn catalog(policy: &str, sequences: &[&str]) -> Catalog {
    catalog_of(policy, CATALOG, sequences)
}

/// As [`catalog`], with another `catalog.toml`.
pub fn catalog_of(policy: &str, shelves: &str, sequences: &[&str]) -> Catalog {
    let mut files = vec![
        ("config/store.toml".to_owned(), policy.to_owned()),
        ("config/people.toml".to_owned(), PEOPLE.to_owned()),
        ("config/catalog.toml".to_owned(), shelves.to_owned()),
        (
            "config/catalog.json".to_owned(),
            include_str!("../../config/catalog.json").to_owned(),
        ),
    ];
    for (at, text) in sequences.iter().enumerate() {
        files.push((format!("config/sequences/{at}.toml"), (*text).to_owned()));
    }
    let (catalog, problems) = sequence::read(&files);
    catalog.unwrap_or_else(|| panic!("{problems:#?}"))
}

/// What happens, told with defaults for everything that a story does not care about.
#[derive(Debug, Default, Clone)]
pub struct Story {
    pub events: Vec<Event>,
}

/// A line of an order: SKU, product, tags, quantity.
#[derive(Debug, Clone, Copy)]
pub struct Line(
    pub &'static str,
    pub &'static str,
    pub &'static [&'static str],
    pub i64,
);

pub const CAMERA: Line = Line("AUR-D80-BODY", "P-AUR-D80", &["camera", "dslr"], 1);
pub const TRIPOD: Line = Line("TRP-TRAIL-CF", "P-TRP", &["accessory", "tripod"], 1);
/// Camera, card and strap on one line.
pub const KIT: Line = Line("KIT-CAMERA", "P-CAMKIT", &["camera", "dslr", "kit"], 1);
/// What the catalogue does not know.
pub const NEW: Line = Line("NEW-1", "P-NEW-1", &[], 1);
pub const COFFEE: Line = Line("COF-NORD-250", "P-COF-NORD", &["coffee"], 1);
pub const LENS: Line = Line("LNS-50-18", "P-LENS-50", &["camera", "lens"], 1);

impl Story {
    pub fn new() -> Self {
        Story::default()
    }

    /// Any event, learnt at `learnt`.
    pub fn event(
        mut self,
        kind: &str,
        id: &str,
        time: &str,
        learnt: &str,
        mut data: Value,
    ) -> Self {
        data["test"] = data.get("test").cloned().unwrap_or(json!(false));
        let whole = json!({
            "specversion": "1.0", "id": id, "source": "/shop/test", "type": kind,
            "subject": id, "time": time, "recordedtime": learnt, "ingestmode": "live", "data": data,
        });
        let line = whole.to_string();
        let learnt: Timestamp = learnt.parse().expect("an instant");
        let parsed = canonical::parse_line(
            line.as_bytes(),
            canonical::Learnt::AsTold(learnt),
            canonical::Limits::default(),
        )
        .unwrap_or_else(|problem| panic!("{problem} in {line}"));
        assert!(parsed.poison.is_empty(), "{:?}", parsed.poison);
        let event = parsed.events.into_iter().next().expect("one event");
        self.events.push(event);
        self
    }

    /// Somebody buys; paid at once. The name is the address before the @.
    pub fn order(self, id: &str, who: &str, time: &str, lines: &[Line]) -> Self {
        self.order_with(id, who, time, lines, json!({}), json!({}))
    }

    /// As [`Story::order`], with parts of the order and of the customer set otherwise.
    pub fn order_with(
        self,
        id: &str,
        who: &str,
        time: &str,
        lines: &[Line],
        order: Value,
        customer: Value,
    ) -> Self {
        self.event(
            "order.placed",
            &format!("order/{id}/placed"),
            time,
            time,
            order_data(id, who, time, lines, order, customer),
        )
    }

    pub fn dispatched(self, order: &str, parcel: &str, time: &str, lines: &[i64]) -> Self {
        let data = parcel_data(order, parcel, lines);
        self.event(
            "shipment.dispatched",
            &format!("shipment/{parcel}/dispatched"),
            time,
            time,
            data,
        )
    }

    pub fn delivered(self, order: &str, parcel: &str, time: &str, lines: &[i64]) -> Self {
        self.delivered_late(order, parcel, time, time, lines)
    }

    /// Delivered at `time`, learnt at `learnt`.
    pub fn delivered_late(
        self,
        order: &str,
        parcel: &str,
        time: &str,
        learnt: &str,
        lines: &[i64],
    ) -> Self {
        let mut data = parcel_data(order, parcel, lines);
        data["delivery"] = json!({"delivered_at": time, "precision": "second", "basis": "carrier", "reported_by": "test"});
        self.event(
            "shipment.delivered",
            &format!("shipment/{parcel}/delivered"),
            time,
            learnt,
            data,
        )
    }

    pub fn refunded(self, order: &str, time: &str, lines: &[i64]) -> Self {
        let items: Vec<Value> = lines
            .iter()
            .map(|line| json!({"line_id": line.to_string(), "quantity": 1, "restock": "return"}))
            .collect();
        let data = json!({
            "order_ref": {"order_id": order, "order_number": null},
            "refund": {"refund_id": format!("R-{order}-{time}"), "amount": {"amount": 1, "currency": "EUR"},
                       "scope": "partial", "items": items},
        });
        self.event(
            "refund.issued",
            &format!("refund/{order}-{time}"),
            time,
            time,
            data,
        )
    }

    pub fn cancelled(self, order: &str, time: &str) -> Self {
        let data = json!({
            "order_ref": {"order_id": order, "order_number": null},
            "cancel": {"reason": "customer", "cancelled_at": time},
        });
        self.event(
            "order.cancelled",
            &format!("order/{order}/cancelled"),
            time,
            time,
            data,
        )
    }

    /// The catalogue learns of a product, with its tags.
    pub fn product(self, id: &str, sku: &str, time: &str, tags: &[&str]) -> Self {
        let data = json!({
            "product": {"product_id": id, "title": id, "tags": tags, "variants": [{"sku": sku}]},
        });
        self.event(
            "product.updated",
            &format!("product/{id}@{time}"),
            time,
            time,
            data,
        )
    }

    pub fn ticket(self, who: &str, id: &str, status: &str, time: &str) -> Self {
        let kind = if status == "open" {
            "ticket.opened"
        } else {
            "ticket.closed"
        };
        let data = json!({
            "ticket": {"ticket_id": id, "status": status},
            "customer_ref": {"customer_id": null, "email": format!("{who}@example.com")},
            "order_ref": null,
        });
        self.event(
            kind,
            &format!("ticket/{id}/{status}@{time}"),
            time,
            time,
            data,
        )
    }

    pub fn opts_out(self, who: &str, scope: &str, time: &str) -> Self {
        let data = json!({
            "customer_ref": {"customer_id": null, "email": format!("{who}@example.com")},
            "consent": {"channel": "email", "state": "unsubscribed", "basis": "none", "source": "test",
                        "updated_at": time, "scope": scope},
        });
        self.event(
            "consent.changed",
            &format!("consent/{who}@{time}"),
            time,
            time,
            data,
        )
    }

    pub fn erased(self, who: &str, time: &str) -> Self {
        let data = json!({
            "customer_ref": {"customer_id": null, "email": format!("{who}@example.com")},
            "erasure": {"scope": "customer", "orders": [], "due_at": time},
        });
        self.event(
            "privacy.erasure_requested",
            &format!("privacy/{who}"),
            time,
            time,
            data,
        )
    }

    /// Everything that is decided, as a trace.
    pub fn trace(&self, catalog: &Catalog, to: &str) -> Vec<String> {
        self.sends(catalog, to).iter().map(line).collect()
    }

    pub fn sends(&self, catalog: &Catalog, to: &str) -> Vec<Simulated> {
        simulate(
            catalog,
            self.events.clone(),
            None,
            Some(to.parse().expect("an instant")),
        )
    }
}

fn line(one: &Simulated) -> String {
    let at = one.send.at.to_string();
    let who = one
        .email
        .as_deref()
        .and_then(|email| email.split('@').next())
        .unwrap_or("?")
        .to_owned();
    let why = one
        .send
        .reason
        .as_ref()
        .map(|reason| format!(" {}", reason.code()))
        .unwrap_or_default();
    let of = if one.send.occurrence.is_empty() {
        String::new()
    } else {
        format!("[{}]", one.send.occurrence)
    };
    format!(
        "{} {who} {}{of} {}{why}",
        &at[..16],
        one.send.name(),
        one.send.state.as_str()
    )
}

/// The body of `order.placed`.
pub fn order_data(
    id: &str,
    who: &str,
    time: &str,
    lines: &[Line],
    order: Value,
    customer: Value,
) -> Value {
    let price = json!({"amount": 10_000, "currency": "EUR"});
    let items: Vec<Value> = lines
        .iter()
        .enumerate()
        .map(|(at, Line(sku, product, tags, quantity))| {
            json!({
                "line_id": (at + 1).to_string(), "product_id": product, "variant_id": null, "sku": sku,
                "title": sku, "variant_title": null, "quantity": quantity, "current_quantity": quantity,
                "unit_price": price, "discount": {"amount": 0, "currency": "EUR"}, "total": price,
                "kind": "physical", "requires_shipping": true, "tags": tags, "categories": [],
                "image_url": null, "product_url": null, "catalog_resolved": !product.starts_with("P-NEW"),
            })
        })
        .collect();
    let mut whole = json!({
        "order": {
            "order_id": id, "order_number": format!("#{id}"), "version": time, "placed_at": time,
            "currency": "EUR", "total": {"amount": 10_000 * lines.len(), "currency": "EUR"},
            "payment_status": "paid", "fulfilment_status": "unfulfilled", "line_items": items,
            "ship_to": {"country": "DE", "region": null, "postal_code": "10115", "city": "Berlin"},
        },
        "customer": {
            "customer_id": null, "account": "guest", "email": format!("{who}@example.com"),
            "first_name": who, "last_name": null, "name": who, "locale": "de-DE",
            "time_zone": "Europe/Berlin", "country": "DE", "region": null,
            "marketing_consent": {"channel": "email", "state": "subscribed", "basis": "explicit",
                                  "source": "test", "updated_at": time},
        },
    });
    for (part, changes) in [("order", order), ("customer", customer)] {
        if let Value::Object(changes) = changes {
            for (name, value) in changes {
                whole[part][name] = value;
            }
        }
    }
    whole
}

fn parcel_data(order: &str, parcel: &str, lines: &[i64]) -> Value {
    let items: Vec<Value> = lines
        .iter()
        .map(|line| json!({"line_id": line.to_string(), "sku": null, "quantity": 1}))
        .collect();
    json!({
        "order_ref": {"order_id": order, "order_number": null},
        "shipment": {
            "shipment_id": parcel, "direction": "outbound",
            "tracking": [{"carrier": "dhl", "carrier_name": "DHL", "number": format!("NR{parcel}"), "url": null}],
            "items": items,
        },
    })
}
