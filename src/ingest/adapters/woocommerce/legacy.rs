//! Deliveries of the interface that was before WordPress had one of its own
//! (`legacy_v3`, still chosen by old webhooks): the thing stands under its name, and other
//! words mean the same. They are turned into the words of today.

use super::super::loose::{flag, members};
use serde_json::{Map, Value, json};

/// Names that changed: what they were, and what they are.
const RENAMED: &[(&str, &str)] = &[
    ("order_number", "number"),
    ("title", "name"),
    ("created_at", "date_created_gmt"),
    ("updated_at", "date_modified_gmt"),
    ("last_update", "date_modified_gmt"),
    ("completed_at", "date_completed_gmt"),
    ("total_discount", "discount_total"),
    ("total_shipping", "shipping_total"),
    ("billing_address", "billing"),
    ("shipping_address", "shipping"),
];

/// A delivery of that interface in the words of today; `None` where it is of today.
pub(super) fn modern(body: &Value) -> Option<Value> {
    if !body["id"].is_null() {
        return None;
    }
    let old = ["order", "customer", "product"]
        .iter()
        .find_map(|name| body[*name].as_object())?;
    let mut new = Map::with_capacity(old.len());
    for (name, value) in old {
        let renamed = RENAMED.iter().find(|(was, _)| was == name);
        let name = renamed.map_or(name.as_str(), |(_, is)| is);
        new.insert(name.to_owned(), value.clone());
    }
    // It says that it was paid and not when: not before it was placed.
    if flag(&body["order"]["payment_details"]["paid"]) == Some(true) {
        let created = old.get("created_at").cloned().unwrap_or_default();
        new.insert("date_paid_gmt".to_owned(), created);
    }
    let lines: Vec<Value> = members(&body["order"]["line_items"])
        .map(|line| {
            let mut line = line.clone();
            if line["meta"].is_array() {
                line["meta_data"] = line["meta"].take();
            }
            line
        })
        .collect();
    new.insert("line_items".to_owned(), lines.into());
    if let Some(images) = new.get("images").filter(|_| body["product"].is_object()) {
        let image = images[0]["src"].clone();
        new.insert("images".to_owned(), json!([{ "src": image }]));
    }
    Some(Value::Object(new))
}
