//! What was bought so far in a story, so that later events need to say no more than the
//! number of an order.

use super::Person;
use crate::model::time::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The orders of a scenario so far.
#[derive(Debug, Default)]
pub(in crate::plan::scenario) struct Book {
    pub(super) orders: BTreeMap<String, Bought>,
}

#[derive(Debug, Clone)]
pub(super) struct Bought {
    /// Who told of it, where the file says so.
    pub(super) source: Option<String>,
    pub(super) order: Map<String, Value>,
    pub(super) customer: Map<String, Value>,
    pub(super) parcels: Vec<Parcel>,
    /// Units refunded, by line.
    pub(super) refunded: BTreeMap<String, i64>,
    pub(super) refunds: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Parcel {
    pub(super) id: String,
    pub(super) items: Vec<Value>,
    pub(super) left: Option<Timestamp>,
    pub(super) arrived: bool,
}

/// A line of an order in short.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    pub(super) line_id: String,
    pub(super) sku: Value,
    pub(super) quantity: i64,
    /// Price of one, in minor units.
    pub(super) each: i64,
}

impl Book {
    /// Remembers the newest order of an event, short or not.
    pub(in crate::plan::scenario) fn note(
        &mut self,
        data: &Map<String, Value>,
        source: Option<&str>,
        person: Option<&Person>,
    ) {
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
                        source: source.map(str::to_owned),
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
    pub(super) fn lines(&self) -> Vec<Part> {
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
    pub(super) fn left_to_ship(&self) -> Vec<Value> {
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

    pub(super) fn currency(&self) -> &str {
        self.order
            .get("currency")
            .and_then(Value::as_str)
            .unwrap_or("EUR")
    }

    pub(super) fn order_ref(&self) -> Value {
        json!({
            "order_id": self.order.get("order_id"),
            "order_number": self.order.get("order_number"),
        })
    }
}
