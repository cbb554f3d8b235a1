//! ShipStation's newer interface (ShipEngine): `API_TRACK` with all events so far. Its
//! times are dirty: local ones with a false `Z`, events unsorted, "delivered" twice. The
//! older interface of ShipStation sends only an address to fetch from; whoever fetches hands
//! the parcels in beside it (`shipments`).

use super::super::json::Json;
use super::super::shape::Misfit;
use super::carried::{Carried, When};
use super::facts::{Facts, Way, order_ref, via};
use super::loose::{flag, id, list, needed, quantity, slug, text, word};
use super::moment::{stamp, told as told_at, utc};
use super::{Heard, Told, body_hash};
use crate::model::event::EventKind;
use crate::model::time::{TimeZone, Timestamp};
use serde_json::{Value, json};

/// Where the older interface may be fetched from; anything else would be an invitation to
/// look where a stranger wants.
const HOSTS: &[&str] = &[
    "https://ssapi.shipstation.com/",
    "https://ssapi6.shipstation.com/",
];

/// Where the clocks of the older interface are.
const HOME: &str = "America/Los_Angeles";

pub(super) fn map(told: &Told<'_>) -> Result<Heard, Misfit> {
    let body = told.body;
    let topic = needed(text(&body["resource_type"]), "resource_type")?;
    match topic {
        "API_TRACK" | "TRACK_EVENT_V2" => {}
        "SHIP_NOTIFY" | "ITEM_SHIP_NOTIFY" | "FULFILLMENT_SHIPPED"
            if body["shipments"].is_array() =>
        {
            // Somebody fetched them.
            let via = via("shipengine", topic, None, Some("v1"));
            let mut facts = Facts::of(told.source.origin(None), via, false);
            for one in list(&body["shipments"]) {
                parcel(one, told, &mut facts)?;
            }
            let key = body_hash(topic, told.raw);
            return Ok(Heard::facts(topic, Some(key), facts));
        }
        "SHIP_NOTIFY" | "ITEM_SHIP_NOTIFY" | "FULFILLMENT_SHIPPED" => {
            let url = needed(text(&body["resource_url"]), "resource_url")?;
            if !HOSTS.iter().any(|host| url.starts_with(host)) {
                return Err(Misfit::new(
                    "wrong_type",
                    "resource_url: expected an address of ShipStation's",
                ));
            }
            let key = body_hash(topic, told.raw);
            return Ok(Heard::thin(topic, Some(key), "shipments", url));
        }
        _ => return Ok(Heard::unused(topic)),
    }
    let data = &body["data"];
    let number = needed(word(&data["tracking_number"]), "data.tracking_number")?;
    let code = needed(text(&data["status_code"]), "data.status_code")?;
    let mut facts = Facts::of(
        told.source.origin(None),
        via("shipengine", topic, None, None),
        false,
    );
    if let Some(way) = way(code) {
        let zone = told.source.notes.zone.clone().unwrap_or(TimeZone::UTC);
        let scans: Vec<Timestamp> = list(&data["events"])
            .iter()
            .filter(|event| text(&event["status_code"]).and_then(self::way) == Some(way))
            .filter_map(|event| moment(event, &zone))
            .collect();
        // Of several that say delivered the first counts; of others the newest.
        let scanned = match way {
            Way::Delivered => scans.iter().min().copied(),
            _ => scans.iter().max().copied(),
        };
        let stated = || utc(&data["actual_delivery_date"]).filter(|_| way == Way::Delivered);
        let when = When {
            at: scanned.or_else(stated).unwrap_or(told.received),
            // The carrier's own scans carry a zone that may be none.
            precision: "approximate",
            nth: Some(scans.len().max(1).to_string()),
        };
        let parcel = Carried {
            carrier: text(&data["carrier_code"]).or_else(|| carrier_in(&body["resource_url"])),
            number,
            url: text(&data["tracking_url"]),
            back: false,
            order_ref: Value::Null,
            expected: text(&data["estimated_delivery_date"]).and_then(|date| date.get(..10)),
            reported_by: "shipengine",
        };
        parcel.tell(way, &when, &mut facts);
    }
    let key = body_hash(topic, told.raw);
    Ok(Heard::facts(topic, Some(key), facts))
}

/// The carrier, where the address alone says it: `…?carrier_code=usps&tracking_number=…`.
fn carrier_in<'j>(url: &'j Json<'_>) -> Option<&'j str> {
    let (_, query) = text(url)?.split_once('?')?;
    let code = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("carrier_code="))?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (!code.is_empty() && code.bytes().all(plain)).then_some(code)
}

/// A parcel of the older interface: that it left, and never that it arrived.
fn parcel(one: &Json, told: &Told<'_>, facts: &mut Facts) -> Result<(), Misfit> {
    let own = id(&one["shipmentId"]).or_else(|| id(&one["fulfillmentId"]));
    let own = needed(own, "shipmentId")?;
    let zone = told.source.notes.zone.clone();
    // Its times are those of the company's own clocks.
    let zone = zone
        .or_else(|| TimeZone::get(HOME).ok())
        .unwrap_or(TimeZone::UTC);
    let shipped = told_at(&one["createDate"], &zone).map(|moment| moment.at);
    let at = shipped.unwrap_or(told.received);
    let carrier = text(&one["carrierCode"]);
    let tracking: Vec<Value> = word(&one["trackingNumber"])
        .map(|number| {
            json!({
                "carrier": carrier.map(slug), "carrier_name": carrier, "number": number, "url": null,
            })
        })
        .into_iter()
        .collect();
    let items: Vec<Value> = list(&one["shipmentItems"])
        .iter()
        .filter_map(|item| {
            let units = quantity(&item["quantity"]).filter(|units| *units > 0)?;
            let line = id(&item["lineItemKey"]);
            let sku = text(&item["sku"]);
            (line.is_some() || sku.is_some())
                .then(|| json!({ "line_id": line, "sku": sku, "quantity": units }))
        })
        .collect();
    let number = word(&one["orderNumber"]);
    let about = format!("shipment/{own}");
    let line = number
        .as_ref()
        .map_or_else(|| about.clone(), |number| format!("order/{number}"));
    let data = json!({
        "order_ref": order_ref(None, number.as_deref()),
        "shipment": {
            "shipment_id": own, "direction": "outbound", "tracking": tracking, "items": items,
            "shipped_at": shipped.map(stamp),
        },
    });
    let voided = told_at(&one["voidDate"], &zone).map(|moment| moment.at);
    if flag(&one["voided"]) == Some(true) || voided.is_some() {
        let kind = EventKind::ShipmentCancelled;
        let name = format!("{about}/cancelled");
        facts.tell(kind, name, &about, &line, voided.or(Some(at)), data);
        return Ok(());
    }
    let kind = EventKind::ShipmentDispatched;
    facts.tell(
        kind,
        format!("{about}/dispatched"),
        &about,
        &line,
        Some(at),
        data,
    );
    Ok(())
}

fn moment(event: &Json, zone: &TimeZone) -> Option<Timestamp> {
    utc(&event["occurred_at"])
        .or_else(|| told_at(&event["carrier_occurred_at"], zone).map(|moment| moment.at))
}

fn way(code: &str) -> Option<Way> {
    match code {
        "IT" => Some(Way::InTransit),
        "OD" => Some(Way::OutForDelivery),
        "SP" => Some(Way::Pickup),
        "AT" => Some(Way::Failed),
        "DE" => Some(Way::Delivered),
        "RS" => Some(Way::Returned),
        // Accepted, unknown, not yet there; an exception may be anything.
        _ => None,
    }
}
