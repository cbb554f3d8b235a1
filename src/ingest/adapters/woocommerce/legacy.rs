//! Deliveries of the interface that was before WordPress had one of its own
//! (`legacy_v3`, still chosen by old webhooks): the thing stands under its name, and other
//! words mean the same. They are turned into the words of today.

use super::super::super::json::Json;
use super::super::loose::{flag, members};
use serde_json::{Map, Value};

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
pub(super) fn modern(body: &Json) -> Option<Json<'static>> {
    if !body["id"].is_null() {
        return None;
    }
    let old = ["order", "customer", "product"]
        .iter()
        .map(|name| &body[*name])
        .find(|thing| thing.is_object())?;
    let mut new = Map::with_capacity(old.members().len());
    for (name, value) in old.members() {
        let name = name.as_ref();
        let renamed = RENAMED.iter().find(|(was, _)| *was == name);
        let name = renamed.map_or(name, |(_, is)| is);
        new.insert(name.to_owned(), value.clone().into());
    }
    // It says that it was paid and not when: not before it was placed.
    if flag(&body["order"]["payment_details"]["paid"]) == Some(true) {
        new.insert("date_paid_gmt".to_owned(), old["created_at"].clone().into());
    }
    let lines: Vec<Value> = members(&body["order"]["line_items"])
        .map(|line| {
            let mut line = Value::from(line.clone());
            if line["meta"].is_array() {
                line["meta_data"] = line["meta"].take();
            }
            line
        })
        .collect();
    new.insert("line_items".to_owned(), lines.into());
    Some(Value::Object(new).into())
}
