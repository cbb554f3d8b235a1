//! EasyPost: `tracker.created` and `tracker.updated`, the tracker in `result` with all
//! that the carrier said so far. `error` and `unknown` are no loss; `failure` is a try in
//! vain or worse, as its detail says.

use super::super::shape::Misfit;
use super::facts::{Facts, Way, via};
use super::loose::{flag, list, needed, slug, text, tracking_number, word};
use super::moment::{gmt, stamp};
use super::{Heard, Told};
use serde_json::json;

pub(super) fn map(told: &Told<'_>) -> Result<Heard, Misfit> {
    let body = told.body;
    let topic = needed(text(&body["description"]), "the event's description")?;
    let event = text(&body["id"]);
    if !matches!(topic, "tracker.created" | "tracker.updated") {
        return Ok(Heard::unused(topic));
    }
    let test = [&body["mode"], &body["result"]["mode"]]
        .iter()
        .any(|mode| text(mode) == Some("test"));
    let mut facts = Facts::of(
        told.source.origin(None),
        via("easypost", topic, event, None),
        test,
    );
    tracked(told, &mut facts)?;
    Ok(Heard::facts(topic, event.map(str::to_owned), facts))
}

/// What a status and its detail mean for the parcel.
fn way(status: &str, detail: &str) -> Option<Way> {
    match status {
        "in_transit" => Some(Way::InTransit),
        "out_for_delivery" => Some(Way::OutForDelivery),
        "available_for_pickup" => Some(Way::Pickup),
        "delivered" => Some(Way::Delivered),
        "return_to_sender" => Some(Way::Returned),
        "failure" => Some(match detail {
            "lost" | "destroyed" | "package_disposed" => Way::Lost,
            "return" | "refused" => Way::Returned,
            _ => Way::Failed,
        }),
        _ => None,
    }
}

fn tracked(told: &Told<'_>, facts: &mut Facts) -> Result<(), Misfit> {
    let tracker = &told.body["result"];
    let number = needed(word(&tracker["tracking_code"]), "result.tracking_code")?;
    let status = needed(text(&tracker["status"]), "result.status")?;
    let detail = text(&tracker["status_detail"]).unwrap_or_default();
    let Some(way) = way(status, detail) else {
        return Ok(());
    };
    let called = text(&tracker["carrier"]);
    let carrier = called.map_or_else(|| "unknown".to_owned(), slug);
    let parcel = format!("tracking:{carrier}:{number}");
    let about = format!("shipment/{parcel}");
    let line = format!("tracking/{}", tracking_number(&number));
    let scans = || {
        list(&tracker["tracking_details"])
            .iter()
            .filter(|scan| text(&scan["status"]) == Some(status))
    };
    // The first scan that says delivered: some carriers say it twice. Of the others the
    // newest counts.
    let times = || scans().filter_map(|scan| gmt(&scan["datetime"]));
    let scanned = if way == Way::Delivered {
        times().min()
    } else {
        times().max()
    };
    let at = scanned
        .or_else(|| gmt(&tracker["updated_at"]))
        .or_else(|| gmt(&told.body["created_at"]))
        .unwrap_or(told.received);
    let back = flag(&tracker["is_return"]) == Some(true);
    let mut data = json!({
        "order_ref": null,
        "shipment": {
            "shipment_id": parcel,
            "direction": if back { "return" } else { "outbound" },
            "items": [],
            "tracking": [{
                "carrier": carrier, "carrier_name": called, "number": number,
                "url": text(&tracker["public_url"]),
            }],
        },
    });
    let expected = text(&tracker["carrier_detail"]["est_delivery_date_local"])
        .or_else(|| text(&tracker["est_delivery_date"]).and_then(|text| text.get(..10)));
    if let Some(date) = expected {
        data["shipment"]["estimated_delivery"] = json!({ "date": date });
    }
    let mut name = format!("{about}/{}", way.verb());
    if way == Way::Failed {
        // Each try is a fact.
        name = format!("{name}/{}", scans().count().max(1));
    }
    if way == Way::Delivered {
        data["delivery"] = json!({
            "delivered_at": stamp(at),
            "precision": if scanned.is_some() { "second" } else { "approximate" },
            "basis": "carrier",
            "reported_by": "easypost",
        });
    }
    facts.tell(way.kind(), name, &about, &line, Some(at), data);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_no_loss_and_a_failure_is_what_its_detail_says() {
        for (status, detail, expected) in [
            ("error", "unknown", None),
            ("unknown", "unknown", None),
            ("pre_transit", "label_created", None),
            ("failure", "delivery_exception", Some(Way::Failed)),
            ("failure", "lost", Some(Way::Lost)),
            ("return_to_sender", "return", Some(Way::Returned)),
        ] {
            assert_eq!(way(status, detail), expected, "{status} {detail}");
        }
    }
}
