//! Events in few words: an order from SKUs of the shop's catalogue, its parcels, refunds
//! and what else customers do. Each is written out as the event that a shop would send;
//! nothing here knows what follows from it.

use super::read::{Person, Told, lay_under};
use crate::model::diagnostic::Diagnostic;
use crate::model::event::EventKind;
use crate::model::product::{Product, Variant};
use crate::model::time::Timestamp;
use crate::sequence::catalog::Catalog;
use crate::sequence::nearest;
use crate::sequence::syntax::{Section, Spanned};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What happens, in one word: the key, the kind of event it becomes, and the keys that
/// may stand beside it.
const WORDS: [(&str, EventKind, &[&str]); 24] = [
    (
        "order",
        EventKind::OrderPlaced,
        &[
            "items",
            "unpaid",
            "gift",
            "ship_to",
            "currency",
            "tags",
            "subscription",
            "replaces",
            "test",
        ],
    ),
    ("paid", EventKind::OrderPaid, &[]),
    ("cancelled", EventKind::OrderCancelled, &[]),
    ("dispatched", EventKind::ShipmentDispatched, PARCEL),
    ("in_transit", EventKind::ShipmentInTransit, PARCEL),
    (
        "out_for_delivery",
        EventKind::ShipmentOutForDelivery,
        PARCEL,
    ),
    (
        "available_for_pickup",
        EventKind::ShipmentAvailableForPickup,
        PARCEL,
    ),
    ("delivery_failed", EventKind::ShipmentDeliveryFailed, PARCEL),
    ("delivered", EventKind::ShipmentDelivered, PARCEL),
    (
        "returned_to_sender",
        EventKind::ShipmentReturnedToSender,
        PARCEL,
    ),
    ("lost", EventKind::ShipmentLost, PARCEL),
    ("refunded", EventKind::RefundIssued, &["items", "amount"]),
    ("return_requested", EventKind::ReturnRequested, &["items"]),
    ("returned", EventKind::ReturnUpdated, &["items"]),
    ("return_declined", EventKind::ReturnUpdated, &["items"]),
    ("ticket", EventKind::TicketOpened, &["about"]),
    ("solved", EventKind::TicketClosed, &["about"]),
    ("dispute", EventKind::DisputeOpened, &["about"]),
    ("settled", EventKind::DisputeClosed, &["about"]),
    ("reviewed", EventKind::ReviewReceived, &["items", "rating"]),
    ("opted_out", EventKind::ConsentChanged, &[]),
    ("opted_in", EventKind::ConsentChanged, &[]),
    ("erased", EventKind::ErasureRequested, &[]),
    ("updated", EventKind::CustomerUpdated, &[]),
];
const PARCEL: &[&str] = &["items", "parcel"];
/// Keys that stand beside every word.
const BESIDE: [&str; 7] = ["at", "who", "learnt", "id", "source", "subject", "mode"];
/// Currencies of countries; elsewhere the euro is tried first.
const CURRENCIES: [(&str, &str); 8] = [
    ("US", "USD"),
    ("GB", "GBP"),
    ("JP", "JPY"),
    ("CA", "CAD"),
    ("AU", "AUD"),
    ("CH", "CHF"),
    ("SE", "SEK"),
    ("DK", "DKK"),
];

/// The price of what the feed gives no price for, in minor units: an order that costs
/// nothing would count as a replacement.
const PRICE: i64 = 4_900;

/// The orders of a scenario so far.
#[derive(Debug, Default)]
pub(super) struct Book {
    orders: BTreeMap<String, Bought>,
}

#[derive(Debug, Clone)]
struct Bought {
    order: Map<String, Value>,
    customer: Map<String, Value>,
    parcels: Vec<Parcel>,
    /// Units refunded, by line.
    refunded: BTreeMap<String, i64>,
    refunds: usize,
}

#[derive(Debug, Clone)]
struct Parcel {
    id: String,
    items: Vec<Value>,
    left: Option<Timestamp>,
    arrived: bool,
}

/// A line of an order in short.
#[derive(Debug, Clone, PartialEq)]
struct Part {
    line_id: String,
    sku: Value,
    quantity: i64,
    /// Price of one, in minor units.
    each: i64,
}

impl Book {
    /// Remembers the newest order of an event, short or not.
    pub(super) fn note(&mut self, data: &Map<String, Value>, person: Option<&Person>) {
        let Some(Value::Object(order)) = data.get("order") else {
            return;
        };
        let Some(id) = order.get("order_id").and_then(Value::as_str) else {
            return;
        };
        let customer = match data.get("customer") {
            Some(Value::Object(customer)) => customer.clone(),
            _ => person.map_or_else(Map::new, |person| person.record.clone()),
        };
        match self.orders.get_mut(id) {
            Some(had) => had.order.clone_from(order),
            None => {
                self.orders.insert(
                    id.to_owned(),
                    Bought {
                        order: order.clone(),
                        customer,
                        parcels: Vec::new(),
                        refunded: BTreeMap::new(),
                        refunds: 0,
                    },
                );
            }
        }
    }
}

impl Bought {
    fn lines(&self) -> Vec<Part> {
        let lines = self.order.get("line_items").and_then(Value::as_array);
        lines
            .into_iter()
            .flatten()
            .map(|line| Part {
                line_id: line["line_id"].as_str().unwrap_or_default().to_owned(),
                sku: line["sku"].clone(),
                quantity: line["current_quantity"].as_i64().unwrap_or(1),
                each: line["unit_price"]["amount"].as_i64().unwrap_or_default(),
            })
            .collect()
    }

    /// The lines that a carrier can carry and that are in no parcel yet.
    fn left_to_ship(&self) -> Vec<Value> {
        let lines = self.order.get("line_items").and_then(Value::as_array);
        lines
            .into_iter()
            .flatten()
            .filter(|line| {
                !matches!(
                    line["kind"].as_str(),
                    Some("digital" | "gift_card" | "service")
                )
            })
            .filter_map(|line| {
                let id = line["line_id"].as_str().unwrap_or_default();
                let shipped: i64 = self
                    .parcels
                    .iter()
                    .flat_map(|parcel| &parcel.items)
                    .filter(|item| item["line_id"].as_str() == Some(id))
                    .filter_map(|item| item["quantity"].as_i64())
                    .sum();
                let left = line["current_quantity"].as_i64().unwrap_or(1) - shipped;
                (left > 0).then(|| json!({"line_id": id, "sku": line["sku"], "quantity": left}))
            })
            .collect()
    }

    fn currency(&self) -> &str {
        self.order
            .get("currency")
            .and_then(Value::as_str)
            .unwrap_or("EUR")
    }

    fn order_ref(&self) -> Value {
        json!({
            "order_id": self.order.get("order_id"),
            "order_number": self.order.get("order_number"),
        })
    }
}

/// Reads one `[[event]]` in short form.
pub(super) fn event(
    catalog: &Catalog,
    section: &Section<'_, '_>,
    person: Option<&Person>,
    at: Option<Timestamp>,
    book: &mut Book,
) -> Option<Told> {
    let words: Vec<_> = WORDS
        .iter()
        .filter(|(word, _, _)| section.has(word).is_some())
        .collect();
    let [(word, kind, beside)] = words.as_slice() else {
        unclear(
            section,
            &words.iter().map(|(word, _, _)| *word).collect::<Vec<_>>(),
        );
        return None;
    };
    let known: Vec<&str> = std::iter::once(*word)
        .chain(beside.iter().copied())
        .chain(BESIDE)
        .collect();
    section.only_of(&known, &[]);
    let shorthand = Shorthand {
        catalog,
        section,
        person,
        at: at.unwrap_or(Timestamp::UNIX_EPOCH),
        word,
    };
    let mut data = shorthand.data(*kind, book)?;
    if let Some(person) = person {
        lay_under(&mut data, kind.as_str(), person);
    }
    Some(Told {
        kind: kind.as_str().to_owned(),
        subject: None,
        id: None,
        source: None,
        mode: None,
        data,
    })
}

/// An event that says nothing that happens, or two things.
fn unclear(section: &Section<'_, '_>, words: &[&str]) {
    let all = || WORDS.iter().map(|(word, _, _)| *word);
    let mut problem = if let [first, second, ..] = words {
        section
            .sheet
            .problem(
                "E411",
                section.has(second).unwrap_or_default(),
                format!("one event, and it says `{first}` and `{second}`"),
            )
            .help("write an [[event]] for each; they may have the same `at`")
    } else {
        section.sheet.problem(
            "E411",
            section.span.clone(),
            format!("{} does not say what happens", section.what),
        )
    };
    if words.is_empty() {
        let near = section
            .keys()
            .into_iter()
            .filter(|key| !BESIDE.contains(&key.value.as_str()))
            .find_map(|key| Some((nearest(&key.value, all())?, key)));
        problem = match near {
            Some((near, key)) => {
                problem.span = key.span;
                problem.help(format!("did you mean `{near}`?"))
            }
            None => problem.help(format!(
                "write one of {}, or type and data",
                all().collect::<Vec<_>>().join(", ")
            )),
        };
    }
    section.sheet.report(problem);
}

struct Shorthand<'a, 's, 'd> {
    catalog: &'a Catalog,
    section: &'a Section<'s, 'd>,
    person: Option<&'a Person>,
    at: Timestamp,
    word: &'a str,
}

impl Shorthand<'_, '_, '_> {
    fn data(&self, kind: EventKind, book: &mut Book) -> Option<Map<String, Value>> {
        let data = match self.word {
            "order" => self.order()?,
            "paid" => {
                let bought = self.bought(book)?;
                let mut order = bought.order.clone();
                order.insert("payment_status".to_owned(), json!("paid"));
                order.insert("version".to_owned(), json!(self.at));
                json!({"order": order, "customer": bought.customer})
            }
            "cancelled" => {
                let bought = self.bought(book)?;
                json!({
                    "order_ref": bought.order_ref(),
                    "cancel": {"reason": "customer", "cancelled_at": self.at},
                })
            }
            "refunded" => self.refund(book)?,
            "return_requested" | "returned" | "return_declined" => self.back(book)?,
            "ticket" | "solved" => {
                let ticket = self.named()?;
                let status = if self.word == "ticket" {
                    "open"
                } else {
                    "solved"
                };
                self.about(
                    book,
                    json!({"ticket": {"ticket_id": ticket.value, "status": status}}),
                )?
            }
            "dispute" | "settled" => {
                let dispute = self.named()?;
                self.about(book, json!({"dispute": {"dispute_id": dispute.value}}))?
            }
            "reviewed" => self.review(book)?,
            "opted_out" | "opted_in" => {
                let scope = self.named()?;
                let state = if self.word == "opted_out" {
                    "unsubscribed"
                } else {
                    "subscribed"
                };
                json!({"consent": {
                    "channel": "email",
                    "state": state,
                    "basis": if self.word == "opted_out" { "none" } else { "explicit" },
                    "source": "preferences",
                    "updated_at": self.at,
                    "scope": scope.value,
                }})
            }
            "erased" => {
                if self.section.flag(self.word) != Some(true) {
                    return None;
                }
                json!({"erasure": {"scope": "customer", "orders": [], "due_at": self.at}})
            }
            "updated" => json!({"customer": self.section.json(self.word)?.value}),
            _ => self.parcel(kind, book)?,
        };
        match data {
            Value::Object(data) => Some(data),
            _ => None,
        }
    }

    /// What the word names: an order, a ticket.
    fn named(&self) -> Option<Spanned<String>> {
        self.section.need(self.word, "\"1001\"")
    }

    fn slip(&self, code: &'static str, text: &Spanned<String>, message: String) -> Diagnostic {
        self.section.sheet.problem(code, text.span.clone(), message)
    }

    /// The order that a word names.
    fn bought<'b>(&self, book: &'b mut Book) -> Option<&'b mut Bought> {
        let name = self.named()?;
        self.order_called(&name, book)
    }

    fn order_called<'b>(
        &self,
        name: &Spanned<String>,
        book: &'b mut Book,
    ) -> Option<&'b mut Bought> {
        let bare = name.value.trim_start_matches('#');
        if !book.orders.contains_key(bare) {
            let mut problem = self.slip(
                "E414",
                name,
                format!(
                    "no order \"{}\" was placed before this",
                    name.value.escape_debug()
                ),
            );
            problem = match nearest(bare, book.orders.keys().map(String::as_str)) {
                Some(near) => problem.help(format!("did you mean \"{near}\"?")),
                None => problem.help("an [[event]] before this one must say order = \"…\""),
            };
            self.section.sheet.report(problem);
        }
        book.orders.get_mut(bare)
    }

    fn about(&self, book: &mut Book, mut data: Value) -> Option<Value> {
        if let Some(order) = self.section.text("about") {
            data["order_ref"] = self.order_called(&order, book)?.order_ref();
            if let Some(email) = self.email() {
                data["customer_ref"] = json!({"email": email});
            }
        }
        Some(data)
    }

    fn email(&self) -> Option<&str> {
        self.person?.who.email.as_deref()
    }

    fn order(&self) -> Option<Value> {
        let number = self.named()?;
        let id = number.value.trim_start_matches('#').to_owned();
        if self.section.has("items").is_none() {
            self.section
                .missing("items", "[\"AUR-D80-BODY\", \"2 x FLT-02\"]");
            return None;
        }
        let mut bought = Vec::new();
        for text in self.section.texts("items", true)? {
            let (quantity, sku) = counted(&text.value);
            match self.catalog.products.variant(sku) {
                Some((product, variant)) => bought.push((quantity, product, variant)),
                None => self.unknown_sku(&text, sku),
            }
        }
        let currency = match self.section.text("currency") {
            Some(currency) => currency.value,
            None => self.currency(&bought),
        };
        let ship_to = self.section.text("ship_to").map(|to| to.value);
        let country = self.record("country").map(str::to_owned);
        let mut total = 0_i64;
        let locale = self.record("locale").unwrap_or_default();
        let locales = crate::model::locale::chain(locale, None);
        let money = |amount: i64| json!({"amount": amount, "currency": currency});
        let lines: Vec<Value> = bought
            .iter()
            .enumerate()
            .map(|(place, (quantity, product, variant))| {
                let each = price(variant, &currency);
                let sum = each.saturating_mul(*quantity);
                total = total.saturating_add(sum);
                let kind = variant.kind.as_deref().unwrap_or("physical");
                json!({
                    "line_id": (place + 1).to_string(),
                    "product_id": product.product_id,
                    "variant_id": variant.variant_id,
                    "sku": variant.sku,
                    "title": product.title_in(&locales),
                    "variant_title": variant.title,
                    "quantity": quantity,
                    "current_quantity": quantity,
                    "unit_price": money(each),
                    "discount": money(0),
                    "total": money(sum),
                    "vendor": product.vendor,
                    "kind": kind,
                    "requires_shipping": kind == "physical",
                    "tags": product.tags,
                    "categories": product.categories,
                    "image_url": product.image_url,
                    "product_url": product.product_url,
                    "catalog_resolved": true,
                })
            })
            .collect();
        let unpaid = self.section.flag("unpaid").unwrap_or(false);
        let tags: Vec<String> = self
            .section
            .texts("tags", true)
            .unwrap_or_default()
            .into_iter()
            .map(|tag| tag.value)
            .collect();
        let mut order = json!({
            "order_id": id,
            "order_number": format!("#{id}"),
            "version": self.at,
            "placed_at": self.at,
            "channel": "web",
            "currency": currency,
            "subtotal": money(total),
            "discount": money(0),
            "shipping": money(0),
            "tax": money(0),
            "total": money(total),
            "payment_status": if unpaid { "pending" } else { "paid" },
            "fulfilment_status": "unfulfilled",
            "status_url": format!("{}/orders/{id}", self.catalog.policy.url.trim_end_matches('/')),
            "tags": tags,
            "discount_codes": [],
            "shipping_method": "Standard",
            "ship_to": {"country": ship_to.or(country)},
            "line_items": lines,
        });
        if let Some(gift) = self.section.flag("gift") {
            order["gift"] = json!(gift);
        }
        if let Some(delivery) = self.section.number("subscription", 1, 10_000) {
            order["subscription"] = json!({"id": format!("sub-{id}"), "sequence": delivery});
        }
        if let Some(replaces) = self.section.text("replaces") {
            order["replaces"] = json!(replaces.value);
        }
        let test = self.section.flag("test").unwrap_or(false);
        Some(json!({"order": order, "test": test}))
    }

    fn unknown_sku(&self, text: &Spanned<String>, sku: &str) {
        let skus = self
            .catalog
            .products
            .iter()
            .flat_map(|product| &product.variants)
            .filter_map(|variant| variant.sku.as_deref());
        let mut problem = self.slip(
            "E413",
            text,
            format!("the catalogue has no SKU \"{}\"", sku.escape_debug()),
        );
        problem = match nearest(sku, skus) {
            Some(near) => problem.help(format!("did you mean \"{near}\"?")),
            None => problem.help("SKUs stand in the feed that config/catalog.toml names"),
        };
        self.section.sheet.report(problem);
    }

    fn record(&self, key: &str) -> Option<&str> {
        self.person?.record.get(key)?.as_str()
    }

    /// The currency of the customer's country, else one that everything has a price in.
    fn currency(&self, bought: &[(i64, &Product, &Variant)]) -> String {
        let country = self.record("country").unwrap_or_default();
        let wanted = CURRENCIES
            .iter()
            .find(|(of, _)| *of == country)
            .map_or("EUR", |(_, currency)| currency);
        let in_all = |currency: &str| {
            bought
                .iter()
                .all(|(_, _, variant)| variant.price_in(currency).is_some())
        };
        let others = bought
            .first()
            .into_iter()
            .flat_map(|(_, _, variant)| variant.prices.keys().map(String::as_str));
        std::iter::once(wanted)
            .chain(others)
            .find(|currency| in_all(currency))
            .unwrap_or(wanted)
            .to_owned()
    }

    /// Units of an order's lines, by SKU; all where nothing is named.
    fn items(&self, bought: &Bought) -> Option<Vec<Part>> {
        let lines = bought.lines();
        if self.section.has("items").is_none() {
            return Some(lines);
        }
        let mut found = Vec::new();
        for text in self.section.texts("items", true)? {
            let (quantity, sku) = counted(&text.value);
            let line = lines.iter().find(|line| line.sku.as_str() == Some(sku));
            match line {
                Some(line) if text.value == sku => found.push(line.clone()),
                Some(line) => found.push(Part {
                    quantity,
                    ..line.clone()
                }),
                None => {
                    let skus = lines.iter().filter_map(|line| line.sku.as_str());
                    let listed: Vec<&str> = skus.clone().collect();
                    let mut problem = self.slip(
                        "E413",
                        &text,
                        format!("the order holds no \"{}\"", sku.escape_debug()),
                    );
                    problem = match nearest(sku, skus) {
                        Some(near) => problem.help(format!("did you mean \"{near}\"?")),
                        None => problem.help(format!("it holds {}", listed.join(", "))),
                    };
                    self.section.sheet.report(problem);
                    return None;
                }
            }
        }
        Some(found)
    }

    fn parcel(&self, kind: EventKind, book: &mut Book) -> Option<Value> {
        let bought = self.bought(book)?;
        let given = match self.section.has("items") {
            Some(_) => Some(units(&self.items(bought)?)),
            None => None,
        };
        let named = self.section.text("parcel").map(|text| text.value);
        let place = match &named {
            Some(name) => bought.parcels.iter().position(|parcel| parcel.id == *name),
            None if kind == EventKind::ShipmentDispatched || given.is_some() => given
                .as_ref()
                .filter(|_| kind != EventKind::ShipmentDispatched)
                .and_then(|items| {
                    bought
                        .parcels
                        .iter()
                        .position(|parcel| !parcel.arrived && parcel.items == *items)
                }),
            None => bought.parcels.iter().rposition(|parcel| !parcel.arrived),
        };
        let place = place.unwrap_or_else(|| {
            let items = given.clone().unwrap_or_else(|| bought.left_to_ship());
            let order = bought.order.get("order_id").and_then(Value::as_str);
            let number = bought.parcels.len() + 1;
            let id = named.unwrap_or_else(|| format!("{}-{number}", order.unwrap_or_default()));
            bought.parcels.push(Parcel {
                id,
                items,
                left: None,
                arrived: false,
            });
            bought.parcels.len() - 1
        });
        let order_ref = bought.order_ref();
        let parcel = bought.parcels.get_mut(place)?;
        let left = *parcel.left.get_or_insert(self.at);
        let number = format!("TRACK-{}", parcel.id);
        let shipment = json!({
            "shipment_id": parcel.id,
            "direction": "outbound",
            "tracking": [{
                "carrier": "dhl",
                "carrier_name": "DHL",
                "url": format!("https://track.example.com/{number}"),
                "number": number,
            }],
            "items": parcel.items,
            "shipped_at": left,
        });
        let mut data = json!({"order_ref": order_ref, "shipment": shipment});
        if kind == EventKind::ShipmentDelivered {
            parcel.arrived = true;
            data["delivery"] = json!({
                "delivered_at": self.at,
                "precision": "second",
                "basis": "carrier",
            });
        }
        Some(data)
    }

    fn refund(&self, book: &mut Book) -> Option<Value> {
        let bought = self.bought(book)?;
        // Money alone is goodwill: no goods go back.
        let goodwill = self.section.has("amount").is_some() && self.section.has("items").is_none();
        let items = if goodwill {
            Vec::new()
        } else {
            self.items(bought)?
        };
        let worth: i64 = items
            .iter()
            .map(|item| item.each.saturating_mul(item.quantity))
            .sum();
        let amount = match self.section.has("amount") {
            Some(_) => self.section.number("amount", 0, i64::from(i32::MAX))?,
            None => worth,
        };
        for item in &items {
            *bought.refunded.entry(item.line_id.clone()).or_default() += item.quantity;
        }
        bought.refunds += 1;
        let whole = !goodwill
            && bought.lines().iter().all(|line| {
                bought.refunded.get(&line.line_id).copied().unwrap_or(0) >= line.quantity
            });
        let currency = bought.currency();
        let money = |amount: i64| json!({"amount": amount, "currency": currency});
        let listed: Vec<Value> = items
            .iter()
            .map(|item| {
                json!({
                    "line_id": item.line_id,
                    "sku": item.sku,
                    "quantity": item.quantity,
                    "amount": money(item.each.saturating_mul(item.quantity)),
                    "restock": "return",
                })
            })
            .collect();
        let order = bought.order.get("order_id").and_then(Value::as_str);
        Some(json!({
            "order_ref": bought.order_ref(),
            "refund": {
                "refund_id": format!("R-{}-{}", order.unwrap_or_default(), bought.refunds),
                "amount": money(amount),
                "scope": if whole { "full" } else { "partial" },
                "reason": "customer",
                "items": listed,
            },
        }))
    }

    fn back(&self, book: &mut Book) -> Option<Value> {
        let bought = self.bought(book)?;
        let items = units(&self.items(bought)?);
        let status = match self.word {
            "return_requested" => "requested",
            "returned" => "received",
            _ => "declined",
        };
        let order = bought.order.get("order_id").and_then(Value::as_str);
        Some(json!({
            "order_ref": bought.order_ref(),
            "return": {
                "return_id": format!("RET-{}", order.unwrap_or_default()),
                "status": status,
                "items": items,
            },
        }))
    }

    fn review(&self, book: &mut Book) -> Option<Value> {
        let rating = self.section.number("rating", 1, 5).unwrap_or(5);
        let email = self.email().map(str::to_owned);
        let bought = self.bought(book)?;
        let items = self.items(bought)?;
        let product = items.first().and_then(|item| {
            let (product, _) = self.catalog.products.variant(item.sku.as_str()?)?;
            Some(product.product_id.clone())
        });
        let order = bought.order.get("order_id").and_then(Value::as_str);
        let mut data = json!({
            "order_ref": bought.order_ref(),
            "review": {
                "review_id": format!("REV-{}", order.unwrap_or_default()),
                "platform": "shop",
                "rating": rating,
                "product_id": product,
                "kind": "product",
            },
        });
        if let Some(email) = email {
            data["customer_ref"] = json!({"email": email});
        }
        Some(data)
    }
}

fn units(items: &[Part]) -> Vec<Value> {
    items
        .iter()
        .map(|item| json!({"line_id": item.line_id, "sku": item.sku, "quantity": item.quantity}))
        .collect()
}

/// `2 x FLT-02`: how many of what.
fn counted(text: &str) -> (i64, &str) {
    text.split_once(" x ")
        .and_then(|(count, sku)| {
            let count: i64 = count.trim().parse().ok().filter(|count| *count > 0)?;
            Some((count, sku.trim()))
        })
        .unwrap_or((1, text.trim()))
}

fn price(variant: &Variant, currency: &str) -> i64 {
    variant
        .price_in(currency)
        .or(variant.price.clone())
        .map_or(PRICE, |money| money.amount)
}

/// `consent = "subscribed"` of a customer as intake has it. `soft_opt_in` is the
/// exception for existing customers, offered at the checkout.
pub(super) fn standing(consent: &Value) -> Value {
    let word = consent.as_str().unwrap_or_default();
    let (state, basis) = match word {
        "soft_opt_in" => ("not_subscribed", "soft_opt_in"),
        "subscribed" => ("subscribed", "explicit"),
        other => (other, "none"),
    };
    json!({
        "channel": "email",
        "state": state,
        "basis": basis,
        "source": "checkout",
    })
}
