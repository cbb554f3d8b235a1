//! 17TRACK: `TRACKING_UPDATED`. When a parcel arrived stands in the milestones; the latest
//! event may be something that came after. `tag` is what the shop registered it with.

use super::super::shape::Misfit;
use super::carried::{Carried, When};
use super::facts::{Facts, Way, order_ref, via};
use super::loose::{list, needed, text, whole, word};
use super::moment::{told as told_at, utc};
use super::{Heard, Told, body_hash};
use crate::model::time::TimeZone;
use serde_json::Value;

pub(super) fn map(told: &Told<'_>) -> Result<Heard, Misfit> {
    let body = told.body;
    let topic = needed(text(&body["event"]), "event")?;
    let key = Some(body_hash(topic, told.raw));
    match topic {
        "TRACKING_UPDATED" => {}
        // They gave up looking.
        "TRACKING_STOPPED" => return Ok(Heard::nothing(topic, key)),
        _ => return Ok(Heard::unused(topic)),
    }
    let data = &body["data"];
    let number = needed(word(&data["number"]), "data.number")?;
    if data["track"].is_object() && data["track_info"].is_null() {
        let mut facts = Facts::of(
            told.source.origin(None),
            via("17track", topic, None, Some("v1")),
            false,
        );
        first_version(told, number, &mut facts);
        return Ok(Heard::facts(topic, key, facts));
    }
    let info = &data["track_info"];
    let status = &info["latest_status"];
    let name = needed(
        text(&status["status"]),
        "data.track_info.latest_status.status",
    )?;
    let fine = text(&status["sub_status"]).unwrap_or_default();
    let mut facts = Facts::of(
        told.source.origin(None),
        via("17track", topic, None, None),
        false,
    );
    if let Some(way) = way(name, fine) {
        let milestone = list(&info["milestone"])
            .iter()
            .find(|one| text(&one["key_stage"]) == Some(name))
            .and_then(|one| utc(&one["time_utc"]).or_else(|| utc(&one["time_iso"])));
        let latest = || {
            let event = &info["latest_event"];
            utc(&event["time_utc"]).or_else(|| utc(&event["time_iso"]))
        };
        let at = match way {
            Way::Delivered => milestone.or_else(latest),
            _ => latest().or(milestone),
        };
        let provider = &info["tracking"]["providers"][0]["provider"];
        let carrier = text(&provider["alias"]).or_else(|| text(&provider["name"]));
        let ours = text(&data["tag"]);
        let parcel = Carried {
            carrier,
            number,
            url: None,
            back: false,
            order_ref: ours.map_or(Value::Null, |tag| order_ref(None, Some(tag))),
            expected: text(&info["time_metrics"]["estimated_delivery_date"]["from"])
                .and_then(|date| date.get(..10)),
            reported_by: "17track",
        };
        let when = When {
            precision: if milestone.is_some() || way != Way::Delivered {
                "second"
            } else {
                "approximate"
            },
            at: at.unwrap_or(told.received),
            nth: at.map(|at| at.as_second().to_string()),
        };
        parcel.tell(way, &when, &mut facts);
    }
    Ok(Heard::facts(topic, key, facts))
}

/// The first version of the interface has codes for words and times without a zone, and
/// the newest event under `z0`.
fn first_version(told: &Told<'_>, number: String, facts: &mut Facts) {
    let data = &told.body["data"];
    let track = &data["track"];
    let way = match whole(&track["e"]) {
        Some(10) => Way::InTransit,
        Some(30) => Way::Pickup,
        Some(35) => Way::Failed,
        Some(40) => Way::Delivered,
        // Not found, expired; an alert may be anything.
        _ => return,
    };
    let zone = told.source.notes.zone.clone().unwrap_or(TimeZone::UTC);
    let at = told_at(&track["z0"]["a"], &zone).map(|moment| moment.at);
    let ours = text(&data["tag"]);
    let parcel = Carried {
        carrier: None,
        number,
        url: None,
        back: false,
        order_ref: ours.map_or(Value::Null, |tag| order_ref(None, Some(tag))),
        expected: None,
        reported_by: "17track",
    };
    let when = When {
        precision: "approximate",
        at: at.unwrap_or(told.received),
        nth: at.map(|at| at.as_second().to_string()),
    };
    parcel.tell(way, &when, facts);
}

fn way(status: &str, fine: &str) -> Option<Way> {
    match status {
        "InTransit" => Some(Way::InTransit),
        "OutForDelivery" => Some(Way::OutForDelivery),
        "AvailableForPickup" => Some(Way::Pickup),
        "DeliveryFailure" => Some(Way::Failed),
        "Delivered" => Some(Way::Delivered),
        "Exception" => match fine {
            "Exception_Returned" | "Exception_Returning" => Some(Way::Returned),
            "Exception_Lost" | "Exception_Destroyed" => Some(Way::Lost),
            _ => None,
        },
        _ => None,
    }
}
