//! Shippo: `track_updated` with the newest status in `data.tracking_status`. Deliveries
//! carry no id; what happened to which parcel, and when, tells them apart.

use super::super::json::Json;
use super::super::shape::Misfit;
use super::carried::{Carried, When};
use super::facts::{Facts, Way, order_ref, via};
use super::loose::{flag, list, needed, text, word};
use super::moment::{gmt, stamp};
use super::zendesk::numbered;
use super::{Heard, Told, body_hash};
use serde_json::Value;

pub(super) fn map(told: &Told<'_>) -> Result<Heard, Misfit> {
    let body = told.body;
    let topic = needed(text(&body["event"]), "event")?;
    if topic != "track_updated" {
        return Ok(Heard::unused(topic));
    }
    // Old deliveries are the tracker itself.
    let data = if body["data"].is_object() {
        &body["data"]
    } else {
        body
    };
    let test = [&body["test"], &data["test"]]
        .iter()
        .any(|test| flag(test) == Some(true));
    let number = needed(word(&data["tracking_number"]), "data.tracking_number")?;
    let status = &data["tracking_status"];
    if status.is_null() && data["tracking_history"].is_array() {
        // The carrier has said nothing yet.
        return Ok(Heard::nothing(topic, Some(body_hash(topic, told.raw))));
    }
    let name = needed(text(&status["status"]), "data.tracking_status.status")?;
    let dated = gmt(&status["status_date"]);
    let at = dated
        .or_else(|| gmt(&status["object_updated"]))
        .unwrap_or(told.received);
    let carrier = text(&data["carrier"]);
    let key = format!(
        "{}/{number}/{name}@{}",
        carrier.unwrap_or_default(),
        stamp(at)
    );
    let mut facts = Facts::of(
        told.source.origin(None),
        via("shippo", topic, None, None),
        test,
    );
    if let Some(way) = way(name, status) {
        let metadata = text(&data["metadata"]).and_then(numbered);
        let parcel = Carried {
            carrier,
            number,
            url: text(&data["tracking_url_provider"]),
            back: false,
            order_ref: metadata.map_or(Value::Null, |number| order_ref(None, Some(&number))),
            expected: text(&data["eta"]).and_then(|eta| eta.get(..10)),
            reported_by: "shippo",
        };
        let tries = list(&data["tracking_history"])
            .iter()
            .filter(|one| way_of(one) == Some(Way::Failed))
            .count()
            .max(1);
        let when = When {
            at,
            precision: if dated.is_some() {
                "second"
            } else {
                "approximate"
            },
            nth: Some(tries.to_string()),
        };
        parcel.tell(way, &when, &mut facts);
    }
    Ok(Heard::facts(topic, Some(key), facts))
}

fn way_of(status: &Json) -> Option<Way> {
    way(text(&status["status"])?, status)
}

/// What a status and its finer code mean for the parcel.
fn way(name: &str, status: &Json) -> Option<Way> {
    let fine = text(&status["substatus"]["code"]).or_else(|| text(&status["substatus"]));
    match (name, fine.unwrap_or_default()) {
        ("DELIVERED", _) => Some(Way::Delivered),
        ("RETURNED", _) => Some(Way::Returned),
        ("TRANSIT", "out_for_delivery") => Some(Way::OutForDelivery),
        ("TRANSIT", "pickup_available" | "package_held") => Some(Way::Pickup),
        ("TRANSIT", "delivery_attempted" | "notice_left") => Some(Way::Failed),
        ("TRANSIT", "return_to_sender") => Some(Way::Returned),
        ("TRANSIT", _) => Some(Way::InTransit),
        ("FAILURE", "package_lost" | "package_disposed") => Some(Way::Lost),
        ("FAILURE", "return_to_sender") => Some(Way::Returned),
        ("FAILURE", _) => Some(Way::Failed),
        // Nothing has happened yet, or nobody knows.
        _ => None,
    }
}
