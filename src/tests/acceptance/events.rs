//! A generator of canonical events: people in four languages who order cameras and
//! coffee, pay now or later, get one parcel or two, send things back, open tickets. One
//! seed, one history.

use super::Dice;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const SHOP: &str = "/shop/acceptance";
const CARRIER: &str = "/carrier/acceptance";

/// Locale, zone, country, region, currency.
const PLACES: [[&str; 5]; 5] = [
    ["de-DE", "Europe/Berlin", "DE", "BE", "EUR"],
    ["en-US", "America/New_York", "US", "NY", "USD"],
    ["ja-JP", "Asia/Tokyo", "JP", "JP-13", "JPY"],
    ["fr-FR", "Europe/Paris", "FR", "IDF", "EUR"],
    ["en-GB", "Europe/London", "GB", "ENG", "GBP"],
];

/// SKU, product, title, tags, price.
const GOODS: [(&str, &str, &str, &[&str], i64); 6] = [
    (
        "AUR-D80-KIT",
        "P-AUR-D80",
        "Aurora D80 DSLR Camera",
        &["camera", "dslr"],
        99900,
    ),
    (
        "AUR-D80-BODY",
        "P-AUR-D80",
        "Aurora D80 DSLR Camera",
        &["camera", "dslr"],
        89900,
    ),
    (
        "TRP-TRAIL-CF",
        "P-TRP",
        "Trailhead Travel Tripod",
        &["accessory", "tripod"],
        14900,
    ),
    (
        "DRP-HAND-01",
        "P-DRP",
        "Ceramic Dripper",
        &["coffee-gear", "dripper"],
        3200,
    ),
    (
        "KIT-POUR",
        "P-KIT-POUR",
        "Pour-over Starter Kit",
        &["coffee-gear", "kit"],
        5200,
    ),
    (
        "COF-NORD-250",
        "P-COF-NORD",
        "Nordlicht Espresso 250 g",
        &["coffee", "espresso"],
        1400,
    ),
];

/// What a generated history holds.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    pub customers: usize,
    pub orders: usize,
    /// The first order is placed here.
    pub from: Timestamp,
    /// Orders are placed within so many minutes.
    pub within: i64,
    /// Whether parcels take days, or everything happens within the hour.
    pub slow: bool,
}

/// A history: canonical events in the order of `recordedtime`.
pub fn history(dice: &mut Dice, wanted: &Wanted) -> Vec<Value> {
    let mut events = Vec::new();
    let places: Vec<[&str; 5]> = (0..wanted.customers).map(|_| *dice.pick(&PLACES)).collect();
    let consents: Vec<usize> = (0..wanted.customers).map(|_| dice.below(3)).collect();
    for number in 0..wanted.orders {
        let who = if number < wanted.customers {
            number
        } else {
            dice.below(wanted.customers)
        };
        let at = later(
            wanted.from,
            dice.below(wanted.within.max(1) as usize) as i64,
        );
        let basket: Vec<usize> = (0..1 + dice.below(2))
            .map(|_| dice.below(GOODS.len()))
            .collect();
        let order = Order::new(
            format!("{}", 7000 + number),
            who,
            at,
            places[who],
            consents[who],
            &basket,
        );
        order.happen(dice, wanted.slow, &mut events);
    }
    events.sort_by_key(|event| event["recordedtime"].as_str().map(str::to_owned));
    events
}

/// One plain order of one thing, paid: the shortest history that sends a mail.
pub fn order(number: &str, email: &str, sku: &str, at: Timestamp) -> Order {
    let place = GOODS.iter().position(|good| good.0 == sku).unwrap();
    let mut order = Order::new(number.to_owned(), 0, at, PLACES[4], 0, &[place]);
    order.email = email.to_owned();
    order.customer = format!("C-{email}");
    order
}

/// `minutes` after `at`.
pub fn later(at: Timestamp, minutes: i64) -> Timestamp {
    at + SignedDuration::from_mins(minutes)
}

/// An order from which events are made.
#[derive(Debug, Clone)]
pub struct Order {
    pub number: String,
    pub email: String,
    customer: String,
    at: Timestamp,
    place: [&'static str; 5],
    consent: usize,
    lines: Vec<Value>,
    total: i64,
    pub paid: bool,
    pub gift: bool,
}

impl Order {
    fn new(
        number: String,
        who: usize,
        at: Timestamp,
        place: [&'static str; 5],
        consent: usize,
        basket: &[usize],
    ) -> Order {
        let money = |amount: i64| json!({"amount": amount, "currency": place[4]});
        let mut total = 0;
        let mut lines = Vec::new();
        for (line, good) in basket.iter().enumerate() {
            let (sku, product, title, tags, price) = GOODS[*good];
            total += price;
            lines.push(json!({
                "line_id": (line + 1).to_string(), "product_id": product, "variant_id": null, "sku": sku, "title": title,
                "quantity": 1, "current_quantity": 1, "unit_price": money(price), "discount": money(0),
                "total": money(price), "kind": "physical", "requires_shipping": true, "tags": tags,
                "categories": [], "image_url": null, "product_url": null, "catalog_resolved": true, "properties": {},
            }));
        }
        let email = format!("customer{who}@example.com");
        let customer = format!("C-{who}");
        Order {
            number,
            email,
            customer,
            at,
            place,
            consent,
            lines,
            total,
            paid: true,
            gift: false,
        }
    }

    fn money(&self, amount: i64) -> Value {
        json!({"amount": amount, "currency": self.place[4]})
    }

    fn reference(&self) -> Value {
        json!({"order_id": self.number, "order_number": format!("#{}", self.number)})
    }

    fn snapshot(&self, version: Timestamp, paid: bool) -> Value {
        let [locale, zone, country, region, currency] = self.place;
        let (state, basis) = [
            ("subscribed", "explicit"),
            ("not_subscribed", "soft_opt_in"),
            ("not_subscribed", "none"),
        ][self.consent];
        json!({
            "order": {
                "order_id": self.number, "order_number": format!("#{}", self.number), "version": version.to_string(),
                "placed_at": self.at.to_string(), "channel": "web", "currency": currency,
                "subtotal": self.money(self.total), "discount": self.money(0), "shipping": self.money(0),
                "tax": self.money(0), "total": self.money(self.total), "shop_total": null,
                "payment_status": if paid { "paid" } else { "pending" }, "fulfilment_status": "unfulfilled",
                "status_url": format!("https://shop.example.com/orders/{}", self.number), "tags": [],
                "discount_codes": [], "shipping_method": "Standard", "gift": self.gift,
                "ship_to": {"country": country, "region": region, "postal_code": "1", "city": "Town"},
                "line_items": self.lines,
            },
            "customer": {
                "customer_id": self.customer, "account": "registered", "email": self.email, "first_name": "Robin",
                "last_name": "Vale", "name": "Robin Vale", "phone": null, "locale": locale, "time_zone": zone,
                "country": country, "region": region, "tags": [],
                "marketing_consent": {"channel": "email", "state": state, "opt_in_level": "unknown", "basis": basis,
                                      "source": "checkout", "updated_at": self.at.to_string()},
            },
            "test": false,
        })
    }

    pub fn placed(&self) -> Value {
        let id = format!("order/{}/placed", self.number);
        self.event(
            SHOP,
            "order.placed",
            id,
            self.at,
            1,
            self.snapshot(self.at, self.paid),
        )
    }

    pub fn paid_at(&self, at: Timestamp) -> Value {
        let id = format!("order/{}/paid", self.number);
        self.event(SHOP, "order.paid", id, at, 1, self.snapshot(at, true))
    }

    pub fn dispatched(&self, parcel: &str, lines: &[usize], at: Timestamp) -> Value {
        let id = format!("shipment/{parcel}/dispatched");
        let data = json!({"order_ref": self.reference(), "shipment": self.shipment(parcel, lines, at), "test": false});
        self.event(SHOP, "shipment.dispatched", id, at, 1, data)
    }

    /// Told by the carrier, which knows the tracking number alone, `delay` minutes later.
    pub fn delivered(
        &self,
        parcel: &str,
        dispatched: Timestamp,
        at: Timestamp,
        delay: i64,
    ) -> Value {
        let mut shipment = self.shipment(parcel, &[], dispatched);
        shipment["shipment_id"] = json!(format!("tracking:{parcel}"));
        let data = json!({
            "shipment": shipment,
            "delivery": {"delivered_at": at.to_string(), "precision": "second", "basis": "carrier", "reported_by": "carrier"},
            "test": false,
        });
        self.event(
            CARRIER,
            "shipment.delivered",
            format!("scan/{parcel}/delivered"),
            at,
            delay,
            data,
        )
    }

    fn shipment(&self, parcel: &str, lines: &[usize], at: Timestamp) -> Value {
        let items: Vec<Value> = lines
            .iter()
            .map(|line| json!({"line_id": self.lines[*line]["line_id"], "sku": self.lines[*line]["sku"], "quantity": 1}))
            .collect();
        json!({
            "shipment_id": parcel, "direction": "outbound",
            "tracking": [{"carrier": "post", "carrier_name": "Post", "number": format!("TRK{}X", parcel.replace('-', "")),
                          "url": format!("https://track.example.com/{parcel}")}],
            "items": items, "shipped_at": at.to_string(),
        })
    }

    fn refunded(&self, at: Timestamp) -> Value {
        let id = format!("RF-{}", self.number);
        let items: Vec<Value> = self
            .lines
            .iter()
            .map(|line| json!({"line_id": line["line_id"], "quantity": 1, "amount": line["total"], "restock": "return"}))
            .collect();
        let total = self.money(self.total);
        let data = json!({
            "order_ref": self.reference(),
            "refund": {"refund_id": id, "amount": total, "refunded_total": total, "scope": "full", "reason": "return",
                       "items": items, "return_id": null},
            "test": false,
        });
        self.event(SHOP, "refund.issued", format!("refund/{id}"), at, 2, data)
    }

    fn cancelled(&self, at: Timestamp) -> Value {
        let data = json!({
            "order_ref": self.reference(), "customer": self.snapshot(at, true)["customer"],
            "cancel": {"reason": "customer", "cancelled_at": at.to_string()}, "test": false,
        });
        self.event(
            SHOP,
            "order.cancelled",
            format!("order/{}/cancelled", self.number),
            at,
            1,
            data,
        )
    }

    fn ticket(&self, kind: &str, status: &str, at: Timestamp) -> Value {
        let ticket = format!("T-{}", self.number);
        let data = json!({
            "ticket": {"ticket_id": ticket, "status": status, "channel": "email", "tags": [], "requester_id": null},
            "customer_ref": {"customer_id": self.customer, "email": self.email}, "order_ref": self.reference(), "test": false,
        });
        self.event(
            SHOP,
            &format!("ticket.{kind}"),
            format!("ticket/{ticket}/{kind}@{at}"),
            at,
            1,
            data,
        )
    }

    fn event(
        &self,
        source: &str,
        kind: &str,
        id: String,
        at: Timestamp,
        delay: i64,
        data: Value,
    ) -> Value {
        json!({
            "specversion": "1.0", "id": id, "source": source, "type": kind, "subject": format!("order/{}", self.number),
            "time": at.to_string(), "recordedtime": later(at, delay).to_string(), "datacontenttype": "application/json",
            "partitionkey": format!("order/{}", self.number), "ingestmode": "live", "data": data,
        })
    }

    /// What may happen to an order.
    fn happen(mut self, dice: &mut Dice, slow: bool, events: &mut Vec<Value>) {
        // In a fast history minutes stand for what takes days in a slow one.
        let day = if slow { 24 * 60 } else { 2 };
        self.paid = !dice.one_in(6);
        self.gift = dice.one_in(8);
        events.push(self.placed());
        if dice.one_in(10) {
            events.push(self.cancelled(later(self.at, day / 2)));
            return;
        }
        if !self.paid {
            events.push(self.paid_at(later(self.at, day)));
        }
        let parcels: Vec<Vec<usize>> = if self.lines.len() > 1 && dice.one_in(2) {
            (0..self.lines.len()).map(|line| vec![line]).collect()
        } else {
            vec![(0..self.lines.len()).collect()]
        };
        for (place, lines) in parcels.iter().enumerate() {
            let parcel = format!("{}-{place}", self.number);
            let out = later(self.at, day * (2 + place as i64));
            events.push(self.dispatched(&parcel, lines, out));
            if !dice.one_in(10) {
                let arrived = later(out, day * (1 + dice.below(3) as i64));
                let delay = if slow && dice.one_in(6) { 20 * 60 } else { 3 };
                events.push(self.delivered(&parcel, out, arrived, delay));
            }
        }
        let end = later(self.at, day * 8);
        if dice.one_in(8) {
            events.push(self.refunded(end));
        } else if dice.one_in(8) {
            events.push(self.ticket("opened", "open", end));
            events.push(self.ticket("closed", "solved", later(end, day * 2)));
        }
    }
}
