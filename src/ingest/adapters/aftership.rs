//! AfterShip: tracking (the whole tracking each time, its state in `msg.tag`) and
//! returns (another product, with a signature of its own). Times of carriers mostly have
//! no offset: they are read in the zone of whoever receives the parcel, which is said.

use super::super::json::Json;
use super::super::shape::Misfit;
use super::facts::{Facts, Way, order_ref, via};
use super::loose::{flag, id, list, needed, quantity, text, tracking_number, whole};
use super::moment::{Moment, stamp, told as told_at, utc};
use super::{Heard, Told};
use crate::model::event::EventKind;
use crate::model::places;
use crate::model::time::TimeZone;
use crate::model::zones;
use serde_json::{Value, json};

pub(super) fn map(told: &Told<'_>) -> Result<Heard, Misfit> {
    let body = told.body;
    let topic = needed(text(&body["event"]), "event")?;
    let version = told.headers.one("as-webhook-version");
    if topic.starts_with("return.") {
        let delivery = text(&body["id"]);
        let version = version.or_else(|| text(&body["version"]));
        let mut facts = Facts::of(
            told.source.origin(None),
            via("aftership", topic, delivery, version),
            false,
        );
        returned(told, topic, &mut facts)?;
        return Ok(Heard::facts(topic, delivery.map(str::to_owned), facts));
    }
    let delivery = text(&body["event_id"]);
    let key = delivery.map(str::to_owned);
    match topic {
        "tracking_update" => {
            let mut facts = Facts::of(
                told.source.origin(None),
                via("aftership", topic, delivery, version),
                false,
            );
            tracked(told, &mut facts)?;
            Ok(Heard::facts(topic, key, facts))
        }
        // A forecast; nothing has happened.
        "edd_revise" | "tracking_pending_time" => Ok(Heard::nothing(topic, key)),
        _ => Ok(Heard::unused(topic)),
    }
}

/// What a tag and its subtag mean for the parcel.
fn way(message: &Json) -> Option<Way> {
    let tag = text(&message["tag"])?;
    let subtag = text(&message["subtag"]).unwrap_or_default();
    match tag {
        "InTransit" => Some(Way::InTransit),
        "OutForDelivery" => Some(Way::OutForDelivery),
        "AvailableForPickup" => Some(Way::Pickup),
        "AttemptFail" => Some(Way::Failed),
        "Delivered" => Some(Way::Delivered),
        "Exception" => {
            let back = matches!(subtag, "Exception_010" | "Exception_011")
                || flag(&message["return_to_sender"]) == Some(true);
            if back {
                Some(Way::Returned)
            } else {
                // Customs, delays, damage: only a loss is the end.
                matches!(subtag, "Exception_009" | "Exception_012").then_some(Way::Lost)
            }
        }
        // Expired says that the carrier told nothing for a month: weak, and no fact.
        _ => None,
    }
}

/// The zone of whoever receives it, by country and region; else as configured.
fn zone(told: &Told<'_>, message: &Json) -> Option<(TimeZone, String)> {
    let country = ["destination_country_region", "destination_country_iso3"]
        .iter()
        .find_map(|name| text(&message[*name]))
        .or_else(|| text(&message["courier_destination_country_region"]))
        .and_then(places::country);
    let by_place = country.and_then(|country| {
        let region = text(&message["destination_state"]).map(|text| places::region(&country, text));
        let (name, _) = zones::of(&country, region.as_deref())?;
        Some((TimeZone::get(name).ok()?, name.to_owned()))
    });
    by_place.or_else(|| {
        let zone = told.source.notes.zone.clone()?;
        let name = zone.iana_name()?.to_owned();
        Some((zone, name))
    })
}

fn tracked(told: &Told<'_>, facts: &mut Facts) -> Result<(), Misfit> {
    let message = &told.body["msg"];
    let number = needed(
        super::loose::word(&message["tracking_number"]),
        "msg.tracking_number",
    )?;
    let slug = id(&message["slug"]).unwrap_or_else(|| "unknown".to_owned());
    needed(text(&message["tag"]), "msg.tag")?;
    let Some(way) = way(message) else {
        return Ok(());
    };
    let known = zone(told, message);
    let (zone, named) = match &known {
        Some((zone, name)) => (zone.clone(), Some(name.as_str())),
        None => (TimeZone::UTC, None),
    };
    let parcel = format!("tracking:{slug}:{number}");
    let about = format!("shipment/{parcel}");
    let line = format!("tracking/{}", tracking_number(&number));
    let tag = text(&message["tag"]).unwrap_or_default();
    // The newest of the carrier's words that say so.
    let point = list(&message["checkpoints"])
        .iter()
        .rev()
        .find(|point| text(&point["tag"]) == Some(tag));
    let scanned = point.and_then(|point| told_at(&point["checkpoint_time"], &zone));
    let learnt = || {
        utc(&message["updated_at"])
            .or_else(|| utc(&told.body["ts"]))
            .unwrap_or(told.received)
    };
    let mut data = json!({
        "order_ref": order_ref(
            id(&message["order_id"]).as_deref(), text(&message["order_number"]),
        ),
        "shipment": {
            "shipment_id": parcel,
            "direction": "outbound",
            "items": [],
            "tracking": [{
                "carrier": slug, "carrier_name": null, "number": number,
                "url": text(&message["courier_tracking_link"]),
            }],
        },
    });
    if let Some(date) = expected(message) {
        data["shipment"]["estimated_delivery"] = json!({ "date": date });
    }
    let mut name = format!("{about}/{}", way.verb());
    if way == Way::Failed {
        // Each try is a fact.
        let tries = whole(&message["failed_delivery_attempts"]).filter(|tries| *tries > 0);
        let failed = list(&message["checkpoints"])
            .iter()
            .filter(|point| text(&point["tag"]) == Some("AttemptFail"))
            .count()
            .max(1);
        let nth = tries.map_or_else(|| failed.to_string(), |tries| tries.to_string());
        name = format!("{name}/{nth}");
    }
    let mut at = scanned.as_ref().map(|moment| moment.at);
    if way == Way::Delivered {
        let moment = told_at(&message["shipment_delivery_date"], &zone).or(scanned);
        let arrived = moment.as_ref().map_or_else(learnt, |moment| moment.at);
        data["delivery"] = delivery(moment.as_ref(), arrived, named);
        at = Some(arrived);
    }
    let at = at.unwrap_or_else(learnt);
    facts.tell(way.kind(), name, &about, &line, Some(at), data);
    Ok(())
}

/// The day on which it should arrive, without the hour.
fn expected<'j>(message: &'j Json<'_>) -> Option<&'j str> {
    let told = text(&message["latest_estimated_delivery"]["datetime"])
        .or_else(|| text(&message["courier_estimated_delivery_date"]["estimated_delivery_date"]))
        .or_else(|| text(&message["expected_delivery"]));
    told.map(|told| told.get(..10).unwrap_or(told))
}

fn delivery(
    moment: Option<&Moment>,
    at: crate::model::time::Timestamp,
    zone: Option<&str>,
) -> Value {
    let precision = match moment {
        Some(moment) if moment.only_date => "date",
        // Without a zone it may be half a day off.
        Some(moment) if moment.local.is_some() && zone.is_none() => "approximate",
        Some(_) => "second",
        None => "approximate",
    };
    let mut delivery = json!({
        "delivered_at": stamp(at), "precision": precision, "basis": "carrier",
        "reported_by": "aftership",
    });
    if let Some(local) = moment.and_then(|moment| moment.local.as_deref()) {
        delivery["local"] = local.into();
        delivery["zone_assumed"] = zone.unwrap_or("UTC").into();
    }
    delivery
}

/// The returns product: asked for, then whatever its status becomes.
fn returned(told: &Told<'_>, topic: &str, facts: &mut Facts) -> Result<(), Misfit> {
    let data = &told.body["data"];
    let own = needed(
        id(&data["rma_number"]).or_else(|| id(&data["id"])),
        "data.rma_number",
    )?;
    let order = id(&data["order"]["external_id"]);
    let number = text(&data["order"]["order_number"]);
    let about = match &order {
        Some(order) => format!("order/{order}"),
        None => format!("return/{own}"),
    };
    let verb = topic.strip_prefix("return.").unwrap_or(topic);
    let (kind, status) = match verb {
        "submitted" => (EventKind::ReturnRequested, "requested"),
        "approved" | "received" | "rejected" | "resolved" => (EventKind::ReturnUpdated, verb),
        "canceled" | "cancelled" | "expired" => (EventKind::ReturnUpdated, "cancelled"),
        // A label, a message: the return stands where it stood.
        _ => return Ok(()),
    };
    let lines = list(&data["return_items"]);
    let items: Vec<Value> = lines
        .iter()
        .filter_map(|one| {
            let units = ["intended_return_quantity", "quantity", "return_quantity"]
                .iter()
                .find_map(|name| quantity(&one[*name]))
                .filter(|units| *units > 0)?;
            Some(json!({
                "line_id": id(&one["item_id"]).or_else(|| id(&one["external_id"])),
                "sku": text(&one["sku"]), "quantity": units,
            }))
        })
        .collect();
    let at = if kind == EventKind::ReturnRequested {
        utc(&data["created_at"])
    } else {
        utc(&data["updated_at"])
    };
    facts.tell(
        kind,
        format!("return/{own}/{status}"),
        &about,
        &about,
        Some(
            at.or_else(|| utc(&told.body["created_at"]))
                .unwrap_or(told.received),
        ),
        json!({
            "order_ref": order_ref(order.as_deref(), number),
            "return": {
                "return_id": own,
                "name": text(&data["rma_number"]),
                "status": status,
                "reason": lines.iter().find_map(|one| text(&one["return_reason"])),
                "items": items,
            },
        }),
    );
    Ok(())
}
