//! A move as the canonical event that a storefront would send, read by the same reader
//! as any other. A scenario file holds the same data, so a story and its file are one.

use super::moves::{Back, Move, Refunded};
use super::setting::{self, Absent, Agreed, OPTIONAL, Piece, Setting};
use crate::ingest::canonical::{self, Learnt, Limits};
use crate::model::event::{Event, EventKind};
use crate::model::ids::CustomerId;
use crate::model::locale;
use crate::model::time::Timestamp;
use crate::sequence::catalog::Catalog;
use serde_json::{Value, json};

/// Where the events of stories come from.
pub(super) const SOURCE: &str = "/story";
/// What an item costs where the catalogue does not say, in minor units of [`CURRENCY`].
const PRICE: i64 = 4900;
/// The currency where the catalogue names no price.
const CURRENCY: &str = "EUR";

/// The address of a customer in stories. Each has their own, because the draw of an
/// experiment is made by it.
pub(super) fn email(of: CustomerId) -> String {
    match of {
        CustomerId(1) => "ann@example.com".to_owned(),
        CustomerId(number) => format!("ann{number}@example.com"),
    }
}

/// The kind of event that tells a move.
pub(super) fn kind(of: &Move) -> EventKind {
    match of {
        Move::Placed { .. } => EventKind::OrderPlaced,
        Move::Paid(_) => EventKind::OrderPaid,
        Move::Parcel { kind, .. } => *kind,
        Move::Refund { .. } => EventKind::RefundIssued,
        Move::Cancelled(_) => EventKind::OrderCancelled,
        Move::Return {
            how: Back::Requested,
            ..
        } => EventKind::ReturnRequested,
        Move::Return { .. } => EventKind::ReturnUpdated,
        Move::Reviewed(_) => EventKind::ReviewReceived,
        Move::Edited(_) => EventKind::OrderUpdated,
        Move::Dispute { over: false } => EventKind::DisputeOpened,
        Move::Dispute { over: true } => EventKind::DisputeClosed,
        Move::Ticket { over: false } => EventKind::TicketOpened,
        Move::Ticket { over: true } => EventKind::TicketClosed,
        Move::OptOut(_) => EventKind::ConsentChanged,
        Move::Updated => EventKind::CustomerUpdated,
    }
}

/// The event of a move at an instant; `None` where the setting's values make it none.
pub(super) fn event(
    catalog: &Catalog,
    setting: &Setting,
    of: &Move,
    at: Timestamp,
) -> Option<Event> {
    let (kind, id) = (kind(of), id(of));
    let whole = json!({
        "specversion": "1.0",
        "id": id,
        "source": SOURCE,
        "type": kind.as_str(),
        "subject": id,
        "time": at,
        "recordedtime": at,
        "data": data(catalog, setting, of, at),
    });
    let line = whole.to_string();
    let read = canonical::parse_line(line.as_bytes(), Learnt::AsTold(at), Limits::default());
    read.ok()?.events.into_iter().next()
}

fn id(of: &Move) -> String {
    match of {
        Move::Parcel {
            kind,
            order,
            parcel,
        } => format!("shipment/{}/{kind}", parcel_id(*order, *parcel)),
        Move::OptOut(scope) => format!("customer/opt-out/{scope}"),
        other => match other.order() {
            Some(order) => format!("order/{}/{:?}", order_id(order), other),
            None => format!("customer/{other:?}"),
        },
    }
}

/// The shop's id of an order of a story.
pub(super) fn order_id(order: u8) -> String {
    format!("{}", 1001 + u32::from(order))
}

fn parcel_id(order: u8, parcel: u8) -> String {
    format!("{}-{}", order_id(order), char::from(b'A' + parcel.min(25)))
}

/// The data of a move's event, in the canonical form.
pub(super) fn data(catalog: &Catalog, setting: &Setting, of: &Move, at: Timestamp) -> Value {
    let teller = Teller { catalog, setting };
    let order_ref = |order: u8| json!({"order_id": order_id(order), "order_number": format!("#{}", order_id(order))});
    let customer_ref =
        json!({"customer_id": teller.customer_id(), "email": email(setting.customer)});
    let mut data = match of {
        Move::Placed { order, paid } => {
            teller.snapshot(*order, if *paid { "paid" } else { "pending" }, at, at)
        }
        Move::Paid(order) => teller.snapshot(*order, "paid", setting.begins, at),
        Move::Edited(order) => teller.snapshot(*order, "paid", setting.begins, at),
        Move::Updated => json!({"customer": teller.customer()}),
        Move::Parcel {
            kind,
            order,
            parcel,
        } => {
            let mut data = json!({"order_ref": order_ref(*order), "shipment": teller.shipment(*order, *parcel, at)});
            match kind {
                EventKind::ShipmentDelivered => {
                    data["delivery"] =
                        json!({"delivered_at": at, "precision": "second", "basis": "carrier"});
                }
                EventKind::ShipmentDeliveryFailed => {
                    data["failure"] = json!({"attempt": 1, "reason": "nobody at home"});
                }
                EventKind::ShipmentAvailableForPickup => {
                    data["pickup"] = json!({"name": "Corner Shop", "until": "2026-12-31"});
                }
                _ => {}
            }
            data
        }
        Move::Refund { order, what } => {
            let lines = &setting.baskets[usize::from(*order).min(1)];
            let prices: Vec<(i64, String)> =
                lines.iter().map(|piece| teller.price(piece)).collect();
            let currency = prices.first().map_or(CURRENCY, |(_, currency)| currency);
            let all: i64 = prices
                .iter()
                .map(|(amount, _)| amount * setting.quantity)
                .sum();
            let first = prices
                .first()
                .map_or(PRICE, |(amount, _)| amount * setting.quantity);
            let (amount, scope, items) = match what {
                Refunded::Everything => (all, "full", prices.len()),
                Refunded::FirstLine => (first, "partial", 1),
                Refunded::Goodwill => (100.min(all), "partial", 0),
            };
            let items: Vec<Value> = (1..=items)
                .map(|line| {
                    json!({"line_id": line.to_string(), "quantity": setting.quantity, "restock": "return",
                           "amount": {"amount": prices[line - 1].0 * setting.quantity, "currency": currency}})
                })
                .collect();
            let money = json!({"amount": amount, "currency": currency});
            json!({
                "order_ref": order_ref(*order),
                "refund": {"refund_id": format!("R-{}-{what:?}", order_id(*order)), "amount": money,
                           "refunded_total": money, "scope": scope, "reason": "customer", "items": items},
            })
        }
        Move::Cancelled(order) => json!({
            "order_ref": order_ref(*order),
            "cancel": {"reason": "customer", "cancelled_at": at},
        }),
        Move::Return { order, how } => {
            let items: Vec<Value> = (1..=setting.baskets[usize::from(*order).min(1)].len())
                .map(|line| json!({"line_id": line.to_string(), "quantity": setting.quantity}))
                .collect();
            let status = match how {
                Back::Requested => "requested",
                Back::Received => "received",
                Back::Declined => "declined",
            };
            json!({
                "order_ref": order_ref(*order),
                "return": {"return_id": format!("RMA-{}", order_id(*order)), "name": "RMA", "status": status,
                           "reason": "size", "items": items},
            })
        }
        Move::Reviewed(order) => json!({
            "order_ref": order_ref(*order),
            "customer_ref": customer_ref,
            "review": {"review_id": format!("V-{}", order_id(*order)), "platform": "shop", "rating": 4,
                       "product_id": setting.baskets[usize::from(*order).min(1)].first().map(|piece| &piece.product)},
        }),
        Move::Dispute { over } => json!({
            "order_ref": order_ref(0),
            "dispute": {"dispute_id": "D-1", "reason": "not as described",
                        "amount": {"amount": PRICE, "currency": CURRENCY},
                        "outcome": if *over { json!("won") } else { Value::Null }},
        }),
        Move::Ticket { over } => json!({
            "order_ref": order_ref(0),
            "customer_ref": customer_ref,
            "ticket": {"ticket_id": "T-1", "status": if *over { "solved" } else { "open" },
                       "channel": "email", "tags": []},
        }),
        Move::OptOut(scope) => json!({
            "customer_ref": customer_ref,
            "consent": {"channel": "email", "state": "unsubscribed", "basis": "none", "source": "customer",
                        "updated_at": at, "scope": scope.to_string()},
        }),
    };
    for one in &setting.set {
        setting::set(&mut data, one);
    }
    match setting.absent {
        Absent::Nothing => {}
        Absent::One(path) => setting::remove(&mut data, path),
        Absent::All => OPTIONAL
            .iter()
            .for_each(|path| setting::remove(&mut data, path)),
    }
    data
}

struct Teller<'a> {
    catalog: &'a Catalog,
    setting: &'a Setting,
}

impl Teller<'_> {
    /// What an item costs: in the currency of the first price that the catalogue has.
    fn price(&self, piece: &Piece) -> (i64, String) {
        let variant = setting::product_of(self.catalog, piece)
            .and_then(|product| product.variants.get(piece.variant));
        let wanted = match self.setting.country.as_str() {
            "JP" => "JPY",
            "US" => "USD",
            _ => CURRENCY,
        };
        variant
            .and_then(|variant| {
                variant
                    .price_in(wanted)
                    .or_else(|| variant.price_in(variant.prices.keys().next()?))
                    .or_else(|| variant.price.clone())
            })
            .map_or((PRICE, CURRENCY.to_owned()), |money| {
                (money.amount, money.currency)
            })
    }

    fn snapshot(&self, order: u8, payment: &str, placed: Timestamp, version: Timestamp) -> Value {
        let basket = &self.setting.baskets[usize::from(order).min(1)];
        let lines: Vec<Value> = basket
            .iter()
            .zip(1..)
            .map(|(piece, number)| self.line(piece, number))
            .collect();
        let prices: Vec<(i64, String)> = basket.iter().map(|piece| self.price(piece)).collect();
        let currency = prices.first().map_or(CURRENCY, |(_, currency)| currency);
        let all: i64 = prices
            .iter()
            .map(|(amount, _)| amount * self.setting.quantity)
            .sum();
        let money = |amount: i64| json!({"amount": amount, "currency": currency});
        let id = order_id(order);
        let country = &self.setting.country;
        json!({
            "order": {
                "order_id": id,
                "order_number": format!("#{id}"),
                "version": version,
                "placed_at": placed,
                "channel": "web",
                "currency": currency,
                "subtotal": money(all),
                "discount": money(0),
                "shipping": money(0),
                "tax": money(0),
                "total": money(all),
                "payment_status": payment,
                "fulfilment_status": "unfulfilled",
                "status_url": format!("{}/orders/{id}", self.catalog.policy.url.trim_end_matches('/')),
                "tags": [],
                "discount_codes": [],
                "shipping_method": "Standard",
                "ship_to": {"name": "Ann Example", "country": country, "postal_code": "10115", "city": "Springfield"},
                "gift": false,
                "line_items": lines,
            },
            "customer": self.customer(),
        })
    }

    fn line(&self, piece: &Piece, number: usize) -> Value {
        let product = setting::product_of(self.catalog, piece);
        let variant = product.and_then(|product| product.variants.get(piece.variant));
        let kind = variant
            .and_then(|variant| variant.kind.as_deref())
            .unwrap_or("physical");
        let (amount, currency) = self.price(piece);
        let money = |amount: i64| json!({"amount": amount, "currency": currency});
        let quantity = self.setting.quantity;
        let id = if self.setting.unknown_products {
            format!("unlisted-{}", piece.product)
        } else {
            piece.product.clone()
        };
        let locales = locale::chain(&self.setting.locale, None);
        json!({
            "line_id": number.to_string(),
            "product_id": id,
            "variant_id": variant.and_then(|variant| variant.variant_id.clone()),
            "sku": variant.and_then(|variant| variant.sku.clone()).filter(|_| !self.setting.unknown_products),
            "title": product.map_or("Something", |product| product.title_in(&locales)),
            "variant_title": variant.and_then(|variant| variant.title.clone()),
            "quantity": quantity,
            "current_quantity": quantity,
            "unit_price": money(amount),
            "discount": money(0),
            "total": money(amount * quantity),
            "vendor": product.and_then(|product| product.vendor.clone()),
            "kind": kind,
            "requires_shipping": kind == "physical",
            "tags": product.map(|product| product.tags.clone()).unwrap_or_default(),
            "categories": product.map(|product| product.categories.clone()).unwrap_or_default(),
            "image_url": product.and_then(|product| product.image_url.clone()),
            "product_url": product.and_then(|product| product.product_url.clone()),
            "catalog_resolved": !self.setting.unknown_products,
        })
    }

    fn customer_id(&self) -> String {
        format!("customer-{}", self.setting.customer.0)
    }

    fn customer(&self) -> Value {
        let (state, basis) = match self.setting.agreed {
            Agreed::Subscribed => ("subscribed", "explicit"),
            Agreed::SoftOptIn => ("not_subscribed", "soft_opt_in"),
            Agreed::Unknown => ("unknown", "none"),
        };
        json!({
            "customer_id": self.customer_id(),
            "account": "registered",
            "email": email(self.setting.customer),
            "first_name": "Ann",
            "last_name": "Example",
            "name": "Ann Example",
            "phone": "+49 30 1234567",
            "locale": self.setting.locale,
            "country": self.setting.country,
            "tags": [],
            "marketing_consent": {"channel": "email", "state": state, "opt_in_level": "single_opt_in",
                                  "basis": basis, "source": "checkout", "updated_at": self.setting.begins},
        })
    }

    /// Parcels of an order with several lines share them; the second holds all but the first.
    fn shipment(&self, order: u8, parcel: u8, at: Timestamp) -> Value {
        let basket = &self.setting.baskets[usize::from(order).min(1)];
        let split = basket.len() > 1 && self.setting.splits;
        let items: Vec<Value> = (1..=basket.len())
            .filter(|line| !split || (*line == 1) == (parcel == 0))
            .map(|line| json!({"line_id": line.to_string(), "quantity": self.setting.quantity}))
            .collect();
        let number = format!(
            "0034043416109404{:04}",
            1000 + 10 * u32::from(order) + u32::from(parcel)
        );
        json!({
            "shipment_id": parcel_id(order, parcel),
            "direction": "outbound",
            "tracking": [{"carrier": "dhl", "carrier_name": "DHL", "number": number,
                          "url": format!("https://track.example.com/{number}")}],
            "items": items,
            "shipped_at": at,
        })
    }
}
