//! Medusa (v2): it sends nothing by itself; a subscriber in the shop posts
//! `{event, id, data}` with the whole order as its query gives it, signed by the rules of
//! Standard Webhooks (`docs/sources.md` has the subscriber). Amounts are in whole units of
//! the currency, not in cents. An event without the order is thin.

use super::super::json::Json;
use super::super::shape::Misfit;
use super::facts::{Facts, Shared, order_ref, unknown_consent, via, with};
use super::loose::{
    address, country, currency, each, flag, full_name, id, list, members, minor, money, needed,
    price, quantity, text, word,
};
use super::moment::{gmt, stamp};
use super::{Heard, Told, body_hash};
use crate::model::event::EventKind;
use crate::model::time::Timestamp;
use serde_json::{Value, json};

pub(super) fn map(told: &Told<'_>) -> Result<Heard, Misfit> {
    let body = told.body;
    let topic = text(&body["event"]).or_else(|| text(&body["name"]));
    let topic = needed(topic, "event")?;
    let key = told
        .headers
        .one("webhook-id")
        .map_or_else(|| body_hash(topic, told.raw), str::to_owned);
    if !matches!(
        topic,
        "order.placed"
            | "order.updated"
            | "order.completed"
            | "order.canceled"
            | "order.fulfillment_created"
            | "shipment.created"
            | "delivery.created"
            | "payment.captured"
            | "payment.refunded"
    ) {
        return Ok(Heard::unused(topic));
    }
    let data = &body["data"];
    let order = if data["order"].is_object() {
        &data["order"]
    } else {
        data
    };
    if !order["items"].is_array() {
        let own = needed(id(&data["id"]), "data.id")?;
        return Ok(Heard::thin(
            topic,
            Some(key),
            &format!("{topic}/{own}"),
            &own,
        ));
    }
    let mut facts = Facts::of(
        told.source.origin(None),
        via("medusa", topic, told.headers.one("webhook-id"), None),
        false,
    );
    snapshot(order, told.received, &mut facts)?;
    Ok(Heard::facts(topic, Some(key), facts))
}

fn snapshot(order: &Json, learnt: Timestamp, facts: &mut Facts) -> Result<(), Misfit> {
    let own = needed(id(&order["id"]), "the order's id")?;
    let code = needed(
        currency(&order["currency_code"]),
        "the order's currency_code",
    )?;
    let total = needed(minor(&order["total"], &code), "the order's total")?;
    let created = gmt(&order["created_at"]);
    let version = gmt(&order["updated_at"]).or(created).unwrap_or(learnt);
    let number = word(&order["display_id"]).map(|number| format!("#{number}"));
    let status = text(&order["payment_status"]).unwrap_or("unknown");
    let paid = matches!(
        status,
        "captured" | "partially_refunded" | "refunded" | "partially_captured"
    );
    let (to, bill) = (&order["shipping_address"], &order["billing_address"]);
    let place = if to.is_object() { to } else { bill };
    let (first, last) = (text(&place["first_name"]), text(&place["last_name"]));
    let who = id(&order["customer_id"]);
    let registered = flag(&order["customer"]["has_account"]).unwrap_or(who.is_some());
    let lines: Vec<Value> = members(&order["items"])
        .filter_map(|one| facts.part(line(one, &code)))
        .collect();
    let locale = text(&order["metadata"]["locale"]).or_else(|| text(&order["locale"]));
    // Regions may come with their country before them: `us-ny`.
    let region = text(&place["province"]).map(|region| {
        let bare = region.rsplit_once('-').map_or(region, |(_, bare)| bare);
        bare.to_uppercase()
    });
    let base = Shared::of(json!({
        "order": {
            "order_id": own,
            "order_number": number,
            "version": stamp(version),
            "placed_at": created.map(stamp),
            "channel": id(&order["sales_channel_id"]),
            "currency": code,
            "subtotal": price(&order["item_subtotal"], &code),
            "discount": price(&order["discount_total"], &code),
            "shipping": price(&order["shipping_total"], &code),
            "tax": price(&order["tax_total"], &code),
            "total": money(total, &code),
            "shop_total": null,
            "payment_status": if paid { "paid" } else { status },
            "fulfilment_status": text(&order["fulfillment_status"]),
            "status_url": null,
            "tags": [],
            "discount_codes": [],
            "shipping_method": text(&order["shipping_methods"][0]["name"]),
            "ship_to": {
                "country": country(&place["country_code"]), "region": region,
                "postal_code": text(&place["postal_code"]), "city": text(&place["city"]),
            },
            "line_items": lines,
        },
        "customer": {
            "customer_id": who,
            "account": if registered { "registered" } else { "guest" },
            "email": address(&order["email"]),
            "first_name": first,
            "last_name": last,
            "name": full_name(first, last),
            "phone": text(&place["phone"]),
            "locale": locale,
            "time_zone": null,
            "country": country(&place["country_code"]),
            "region": region,
            "tags": [],
            "marketing_consent": unknown_consent("medusa:not-in-payload"),
        },
    }));
    let about = format!("order/{own}");
    let about = about.as_str();
    facts.of_order(EventKind::OrderPlaced, &own, created, base.clone());
    if paid {
        facts.of_order(EventKind::OrderPaid, &own, created, base.clone());
    }
    let reference = order_ref(Some(&own), number.as_deref());
    for one in members(&order["fulfillments"]) {
        let read = parcel(one, &reference, about, facts);
        facts.part(read);
    }
    if let Some(at) = gmt(&order["canceled_at"]) {
        facts.cancelled(&own, None, at, &base);
    }
    Ok(())
}

fn line(one: &Json, code: &str) -> Result<Value, Misfit> {
    let own = needed(id(&one["id"]), "the id of a line")?;
    let units = needed(quantity(&one["quantity"]), "the quantity of a line")?;
    let total = minor(&one["total"], code);
    let unit = minor(&one["unit_price"], code).or_else(|| total.map(|total| each(total, units)));
    let unit = needed(unit, "the unit_price of a line")?;
    let total = total.unwrap_or_else(|| unit.saturating_mul(units));
    let ships = flag(&one["requires_shipping"]);
    let kind = match (flag(&one["is_giftcard"]), ships) {
        (Some(true), _) => "gift_card",
        (_, Some(true)) => "physical",
        (_, Some(false)) => "digital",
        (_, None) => "unknown",
    };
    let back = quantity(&one["detail"]["return_received_quantity"]).unwrap_or(0);
    Ok(json!({
        "line_id": own,
        "product_id": id(&one["product_id"]),
        "variant_id": id(&one["variant_id"]),
        "sku": text(&one["variant_sku"]),
        "title": text(&one["product_title"]).or_else(|| text(&one["title"])).unwrap_or_default(),
        "variant_title": text(&one["variant_title"]),
        "quantity": units,
        "current_quantity": units.saturating_sub(back).max(0),
        "unit_price": money(unit, code),
        "discount": price(&one["discount_total"], code),
        "total": money(total, code),
        "vendor": null,
        "kind": kind,
        "requires_shipping": ships,
        "tags": [],
        "categories": [],
        "image_url": text(&one["thumbnail"]),
        "product_url": null,
        "catalog_resolved": false,
        "properties": {},
    }))
}

fn parcel(one: &Json, reference: &Value, about: &str, facts: &mut Facts) -> Result<(), Misfit> {
    let own = needed(id(&one["id"]), "the id of a fulfilment")?;
    let provider = text(&one["provider_id"]);
    let tracking: Vec<Value> = list(&one["labels"])
        .iter()
        .filter_map(|label| {
            let number = text(&label["tracking_number"])?;
            Some(json!({
                "carrier": provider, "carrier_name": null, "number": number,
                "url": text(&label["tracking_url"]),
            }))
        })
        .collect();
    let items: Vec<Value> = list(&one["items"])
        .iter()
        .filter_map(|item| {
            let units = quantity(&item["quantity"]).filter(|units| *units > 0)?;
            Some(json!({
                "line_id": id(&item["line_item_id"])?, "sku": text(&item["sku"]), "quantity": units,
            }))
        })
        .collect();
    let shipped = gmt(&one["shipped_at"]);
    let delivered = gmt(&one["delivered_at"]);
    let base = Shared::of(json!({
        "order_ref": reference,
        "shipment": {
            "shipment_id": own, "direction": "outbound", "tracking": tracking, "items": items,
            "shipped_at": shipped.map(stamp),
        },
    }));
    let name = |verb: &str| format!("shipment/{own}/{verb}");
    if let Some(at) = gmt(&one["canceled_at"]) {
        let kind = EventKind::ShipmentCancelled;
        facts.tell(kind, name("cancelled"), about, about, Some(at), base);
        return Ok(());
    }
    if let Some(at) = shipped.or(delivered) {
        let kind = EventKind::ShipmentDispatched;
        facts.tell(
            kind,
            name("dispatched"),
            about,
            about,
            Some(at),
            base.clone(),
        );
    }
    if let Some(at) = delivered {
        // Somebody in the shop said so.
        let delivery = json!({
            "delivered_at": stamp(at), "precision": "approximate", "basis": "merchant",
            "reported_by": "medusa",
        });
        facts.tell(
            EventKind::ShipmentDelivered,
            name("delivered"),
            about,
            about,
            Some(at),
            with(&base, json!({ "delivery": delivery })),
        );
    }
    Ok(())
}
