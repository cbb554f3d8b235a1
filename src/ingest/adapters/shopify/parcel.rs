//! Fulfilments and what happens to them on their way.

use super::super::super::json::Json;
use super::super::super::shape::Misfit;
use super::super::facts::{Facts, Shared, Way, order_ref, with};
use super::super::loose::{flag, gid, list, needed, quantity, slug, text};
use super::super::moment::{gmt, stamp};
use super::Of;
use crate::model::event::EventKind;
use serde_json::{Value, json};

/// `fulfillments/create` and `/update`: one parcel, as it is now.
pub(super) fn fulfilment(of: &Of<'_>, facts: &mut Facts) -> Result<(), Misfit> {
    let body = of.told.body;
    let order = needed(gid(&body["order_id"]), "the fulfilment's order_id")?;
    let about = format!("order/{order}");
    // "#1042.1" is the first parcel of #1042.
    let number = text(&body["name"]).map(|name| match name.rsplit_once('.') {
        Some((number, parcel)) if parcel.bytes().all(|byte| byte.is_ascii_digit()) => number,
        _ => name,
    });
    told(body, &order_ref(Some(&order), number), &about, facts)
}

/// What one fulfilment attests: that it left, that it arrived. Goods without shipping are there
/// at once.
pub(super) fn told(
    one: &Json,
    reference: &Value,
    about: &str,
    facts: &mut Facts,
) -> Result<(), Misfit> {
    let id = needed(gid(&one["id"]), "a fulfilment's id")?;
    let created = gmt(&one["created_at"]);
    let updated = gmt(&one["updated_at"]).or(created);
    let base = Shared::of(json!({ "order_ref": reference, "shipment": shipment(one, &id) }));
    match text(&one["status"]) {
        Some("success") => {}
        Some("cancelled") => {
            facts.tell(
                EventKind::ShipmentCancelled,
                format!("shipment/{id}/cancelled"),
                about,
                about,
                updated,
                base,
            );
            return Ok(());
        }
        // Pending, open, failed: nothing has left.
        _ => return Ok(()),
    }
    let lines = list(&one["line_items"]);
    let digital = !lines.is_empty()
        && lines
            .iter()
            .all(|line| flag(&line["requires_shipping"]) == Some(false));
    if digital {
        let at = needed(created.or(updated), "a fulfilment's created_at")?;
        let delivery = json!({
            "delivered_at": stamp(at), "precision": "second", "basis": "digital",
            "reported_by": "shopify",
        });
        facts.tell(
            EventKind::ShipmentDelivered,
            format!("shipment/{id}/delivered"),
            about,
            about,
            Some(at),
            with(&base, json!({ "delivery": delivery })),
        );
        return Ok(());
    }
    facts.tell(
        EventKind::ShipmentDispatched,
        format!("shipment/{id}/dispatched"),
        about,
        about,
        created,
        base.clone(),
    );
    if text(&one["shipment_status"]) == Some("delivered") {
        let at = needed(updated, "a fulfilment's updated_at")?;
        let delivery = json!({
            "delivered_at": stamp(at), "precision": "approximate", "basis": "storefront",
            "reported_by": "shopify",
        });
        facts.tell(
            EventKind::ShipmentDelivered,
            format!("shipment/{id}/delivered"),
            about,
            about,
            Some(at),
            with(&base, json!({ "delivery": delivery })),
        );
    }
    Ok(())
}

fn shipment(one: &Json, id: &str) -> Value {
    let company = text(&one["tracking_company"]);
    let carrier = company.map(slug);
    let mut numbers: Vec<&str> = list(&one["tracking_numbers"])
        .iter()
        .filter_map(text)
        .collect();
    if numbers.is_empty() {
        numbers.extend(text(&one["tracking_number"]));
    }
    let urls = list(&one["tracking_urls"]);
    let tracking: Vec<Value> = numbers
        .iter()
        .enumerate()
        .map(|(place, number)| {
            let single = || text(&one["tracking_url"]).filter(|_| numbers.len() == 1);
            let url = urls.get(place).and_then(text).or_else(single);
            json!({ "carrier": carrier, "carrier_name": company, "number": number, "url": url })
        })
        .collect();
    json!({
        "shipment_id": id,
        "direction": "outbound",
        "tracking": tracking,
        "items": items(&one["line_items"]),
        "shipped_at": gmt(&one["created_at"]).map(stamp),
    })
}

/// Lines and how many of each; what says neither is left out.
fn items(all: &Json) -> Vec<Value> {
    list(all)
        .iter()
        .filter_map(|line| {
            let units = quantity(&line["quantity"]).filter(|units| *units > 0)?;
            let id = gid(&line["id"])?;
            Some(json!({ "line_id": id, "sku": text(&line["sku"]), "quantity": units }))
        })
        .collect()
}

/// `fulfillment_events/create`: a scan, or what an app says.
pub(super) fn event(of: &Of<'_>, facts: &mut Facts) -> Result<(), Misfit> {
    let body = of.told.body;
    let id = needed(gid(&body["fulfillment_id"]), "fulfillment_id")?;
    let way = match text(&body["status"]) {
        Some("in_transit" | "carrier_picked_up" | "delayed") => Way::InTransit,
        Some("out_for_delivery") => Way::OutForDelivery,
        Some("ready_for_pickup") => Way::Pickup,
        Some("attempted_delivery") => Way::Failed,
        Some("delivered" | "picked_up") => Way::Delivered,
        Some("failure") => Way::Lost,
        // A label was made, something was confirmed: nothing has happened to the parcel.
        _ => return Ok(()),
    };
    let order = gid(&body["order_id"]);
    let about = match &order {
        Some(order) => format!("order/{order}"),
        None => format!("shipment/{id}"),
    };
    let happened = gmt(&body["happened_at"]).or_else(|| gmt(&body["created_at"]));
    let at = happened.unwrap_or_else(|| of.happened());
    let mut name = format!("shipment/{id}/{}", way.verb());
    if way == Way::Failed
        && let Some(scan) = gid(&body["id"])
    {
        // Each try is a fact.
        name = format!("{name}/{scan}");
    }
    let mut data = json!({
        "order_ref": order_ref(order.as_deref(), None),
        "shipment": { "shipment_id": id, "direction": "outbound", "tracking": [], "items": [] },
    });
    if way == Way::Delivered {
        let precision = if happened.is_some() {
            "second"
        } else {
            "approximate"
        };
        data["delivery"] = json!({
            "delivered_at": stamp(at), "precision": precision, "basis": "storefront",
            "reported_by": "shopify",
        });
    } else if let Some(expected) = gmt(&body["estimated_delivery_at"]) {
        data["shipment"]["estimated_delivery"] = json!({ "at": stamp(expected) });
    }
    facts.tell(way.kind(), name, &about, &about, Some(at), data);
    Ok(())
}
