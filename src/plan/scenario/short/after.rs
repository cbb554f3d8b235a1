//! What becomes of an order: parcels, refunds, returns and reviews of it.

use super::book::{Book, Bought, Parcel, Part};
use super::{Shorthand, counted};
use crate::model::event::EventKind;
use crate::model::nearest::nearest;
use serde_json::{Value, json};

impl Shorthand<'_, '_, '_> {
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

    pub(super) fn parcel(&self, kind: EventKind, book: &mut Book) -> Option<Value> {
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

    pub(super) fn refund(&self, book: &mut Book) -> Option<Value> {
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

    pub(super) fn back(&self, book: &mut Book) -> Option<Value> {
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

    pub(super) fn review(&self, book: &mut Book) -> Option<Value> {
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
