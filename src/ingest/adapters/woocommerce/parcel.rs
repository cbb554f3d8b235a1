//! What an order's meta data say of its parcels. Core knows none: plugins write them down,
//! each under a key of its own, the common ones in a list of items with the same names.

use super::super::super::json::{self, Json};
use super::super::facts::{Facts, with};
use super::super::loose::{id, members, slug, text, word};
use super::super::moment::{gmt, stamp, utc};
use crate::model::event::EventKind;
use crate::model::time::Timestamp;
use serde_json::{Value, json};

/// Where tracking plugins keep a list of what was shipped.
const LISTS: &[&str] = &["_wc_shipment_tracking_items", "_aftership_tracking_items"];
/// Where plugins keep one number, and beside it the carrier and the day.
const SINGLE: &[[&str; 3]] = &[
    ["_tracking_number", "_tracking_provider", "_date_shipped"],
    [
        "_aftership_tracking_number",
        "_aftership_tracking_provider_name",
        "_aftership_tracking_shipdate",
    ],
    [
        "ywot_tracking_code",
        "ywot_carrier_name",
        "ywot_pick_up_date",
    ],
];

/// Parcels that a tracking plugin wrote down; whether there are any.
pub(super) fn parcels(
    body: &Json,
    depth: usize,
    reference: &Value,
    about: &str,
    delivered: bool,
    modified: Timestamp,
    facts: &mut Facts,
) -> bool {
    let meta = |key: &str| {
        members(&body["meta_data"])
            .find(|meta| text(&meta["key"]) == Some(key))
            .map(|meta| &meta["value"])
    };
    let mut found: Vec<Json> = Vec::new();
    for key in LISTS {
        match meta(key) {
            // Some versions keep the list as a text.
            Some(Json::String(text)) => {
                let read = json::read(text.as_bytes(), depth).unwrap_or(Json::Null);
                found.extend(
                    members(&read)
                        .cloned()
                        .map(|one| Json::from(Value::from(one))),
                );
            }
            Some(list) => found.extend(members(list).cloned()),
            None => {}
        }
    }
    if found.is_empty() {
        // The same parcel may stand there twice: in a list, and as before there were lists.
        found.extend(SINGLE.iter().find_map(|[number, provider, shipped]| {
            let number = word(meta(number)?)?;
            let one = json!({
                "tracking_number": number, "tracking_provider": meta(provider),
                "date_shipped": meta(shipped),
            });
            Some(Json::from(one))
        }));
    }
    let mut any = false;
    for one in &found {
        let Some(number) = word(&one["tracking_number"]) else {
            continue;
        };
        let parcel = id(&one["tracking_id"]).unwrap_or_else(|| number.clone());
        let provider = ["tracking_provider", "custom_tracking_provider", "slug"]
            .iter()
            .find_map(|name| text(&one[*name]));
        let shipped = [&one["date_shipped"], &one["metrics"]["created_at"]]
            .into_iter()
            .find_map(|shipped| utc(shipped).or_else(|| gmt(shipped)));
        let data = json!({
            "order_ref": reference,
            "shipment": {
                "shipment_id": parcel,
                "direction": "outbound",
                "items": [],
                "shipped_at": shipped.map(stamp),
                "tracking": [{
                    "carrier": provider.map(slug), "carrier_name": provider, "number": number,
                    "url": text(&one["custom_tracking_link"]),
                }],
            },
        });
        any = true;
        facts.tell(
            EventKind::ShipmentDispatched,
            format!("shipment/{parcel}/dispatched"),
            about,
            about,
            shipped.or(Some(modified)),
            data.clone(),
        );
        if delivered {
            arrived(&parcel, data, about, modified, facts);
        }
    }
    any
}

fn arrived(parcel: &str, data: Value, about: &str, at: Timestamp, facts: &mut Facts) {
    let delivery = json!({
        "delivered_at": stamp(at), "precision": "approximate", "basis": "merchant",
        "reported_by": "woocommerce",
    });
    facts.tell(
        EventKind::ShipmentDelivered,
        format!("shipment/{parcel}/delivered"),
        about,
        about,
        Some(at),
        with(&data, json!({ "delivery": delivery })),
    );
}

/// The one parcel of an order whose status says that it left, or arrived.
pub(super) fn by_status(
    number: &str,
    reference: &Value,
    about: &str,
    delivered: bool,
    at: Timestamp,
    facts: &mut Facts,
) {
    let parcel = format!("order:{number}");
    let data = json!({
        "order_ref": reference,
        "shipment": {
            "shipment_id": parcel, "direction": "outbound", "items": [],
            "shipped_at": stamp(at), "tracking": [],
        },
    });
    facts.tell(
        EventKind::ShipmentDispatched,
        format!("shipment/{parcel}/dispatched"),
        about,
        about,
        Some(at),
        data.clone(),
    );
    if delivered {
        arrived(&parcel, data, about, at, facts);
    }
}
