//! Spree (5.3 and later): an envelope `{id, name, created_at, data}` around what its
//! interface gives. Older versions call fulfilments shipments and items line items. Since
//! version 6 with a carrier wired it knows deliveries.

use super::super::json::Json;
use super::super::shape::Misfit;
use super::facts::{Facts, Shared, order_ref, unknown_consent, via, with};
use super::loose::{
    address, country, currency, each, flag, full_name, id, list, members, minor, money, needed,
    price, quantity, slug, text,
};
use super::moment::{gmt, stamp};
use super::{Heard, Told};
use crate::model::event::EventKind;
use crate::model::time::Timestamp;
use serde_json::{Value, json};

pub(super) fn map(told: &Told<'_>) -> Result<Heard, Misfit> {
    let body = told.body;
    let topic = needed(text(&body["name"]), "name")?;
    let event = text(&body["id"]);
    let at = gmt(&body["created_at"]).unwrap_or(told.received);
    let version = text(&body["metadata"]["spree_version"]);
    let mut facts = Facts::of(
        told.source.origin(None),
        via("spree", topic, event, version),
        false,
    );
    let data = &body["data"];
    let (thing, verb) = topic.split_once('.').unwrap_or((topic, ""));
    match (thing, verb) {
        // Each holds the whole order, whatever happened to it.
        ("order", verb) if verb != "deleted" => order(told, data, verb, at, &mut facts)?,
        ("shipment" | "fulfillment", _) => {
            let reference = order_ref(id(&data["order_id"]).as_deref(), None);
            let own = needed(id(&data["id"]), "data.id")?;
            let about = match id(&data["order_id"]) {
                Some(order) => format!("order/{order}"),
                None => format!("shipment/{own}"),
            };
            let delivered = (verb == "delivered").then_some(at);
            parcel(data, &reference, &about, delivered, at, &mut facts)?;
        }
        ("customer", "created" | "updated") => customer(data, at, &mut facts)?,
        _ => return Ok(Heard::unused(topic)),
    }
    Ok(Heard::facts(topic, event.map(str::to_owned), facts))
}

fn order(
    told: &Told<'_>,
    data: &Json,
    verb: &str,
    at: Timestamp,
    facts: &mut Facts,
) -> Result<(), Misfit> {
    let own = needed(id(&data["id"]), "the order's id")?;
    let Some(placed) = gmt(&data["completed_at"]) else {
        // It is still a cart.
        return Ok(());
    };
    let code = needed(currency(&data["currency"]), "the order's currency")?;
    let total = needed(minor(&data["total"], &code), "the order's total")?;
    let updated = gmt(&data["updated_at"]).unwrap_or(at);
    let number = text(&data["number"]);
    let status = text(&data["payment_state"]).or_else(|| text(&data["payment_status"]));
    let paid = matches!(status, Some("paid" | "credit_owed")) || verb == "paid";
    let to = first(data, &["ship_address", "shipping_address"]);
    let bill = first(data, &["bill_address", "billing_address"]);
    let lines: Vec<Value> = members(first(data, &["items", "line_items"]))
        .filter_map(|one| facts.part(line(one, &code)))
        .collect();
    let off = minor(&data["promo_total"], &code).map(i64::saturating_abs);
    let parcels: Vec<&Json> = members(first(data, &["fulfillments", "shipments"])).collect();
    let where_to = |place: &Json| {
        country(&place["country_iso"])
            .or_else(|| country(&place["country_code"]))
            .or_else(|| country(&place["country"]["iso"]))
    };
    let region = |place: &Json| {
        text(&place["state_abbr"])
            .or_else(|| text(&place["state_code"]))
            .or_else(|| text(&place["state_name"]))
            .map(str::to_owned)
    };
    let (first_name, last_name) = (
        text(&to["first_name"])
            .or_else(|| text(&to["firstname"]))
            .or_else(|| text(&bill["first_name"])),
        text(&to["last_name"])
            .or_else(|| text(&to["lastname"]))
            .or_else(|| text(&bill["last_name"])),
    );
    let who = id(&data["customer_id"]).or_else(|| id(&data["user_id"]));
    let base = Shared::of(json!({
        "order": {
            "order_id": own,
            "order_number": number,
            "version": stamp(updated),
            "placed_at": stamp(placed),
            "channel": text(&data["channel"]),
            "currency": code,
            "subtotal": price(&data["item_total"], &code),
            "discount": money(off.unwrap_or(0), &code),
            "shipping": price(first(data, &["delivery_total", "ship_total"]), &code),
            "tax": price(&data["tax_total"], &code),
            "total": money(total, &code),
            "shop_total": null,
            "payment_status": if paid { "paid" } else { status.unwrap_or("unknown") },
            "fulfilment_status": text(first(data, &["fulfillment_status", "shipment_state"])),
            "status_url": null,
            "tags": [],
            "discount_codes": [],
            "shipping_method": parcels.first().and_then(|one| text(&one["delivery_method"]["name"])),
            "ship_to": {
                "country": where_to(to), "region": region(to),
                "postal_code": text(first(to, &["postal_code", "zipcode"])),
                "city": text(&to["city"]),
            },
            "line_items": lines,
        },
        "customer": {
            "customer_id": who,
            "account": if who.is_some() { "registered" } else { "guest" },
            "email": address(&data["email"]),
            "first_name": first_name,
            "last_name": last_name,
            "name": full_name(first_name, last_name),
            "phone": text(&to["phone"]),
            "locale": text(&data["locale"]),
            "time_zone": null,
            "country": where_to(to).or_else(|| where_to(bill)),
            "region": region(to),
            "tags": [],
            "marketing_consent": unknown_consent("spree:not-in-payload"),
        },
    }));
    let about = format!("order/{own}");
    facts.of_order(EventKind::OrderPlaced, &own, Some(placed), base.clone());
    if paid {
        let when = if verb == "paid" { at } else { placed };
        facts.of_order(EventKind::OrderPaid, &own, Some(when), base.clone());
    }
    let reference = order_ref(Some(&own), number);
    for one in parcels {
        let delivered = (verb == "delivered").then_some(at);
        let read = parcel(one, &reference, &about, delivered, told.received, facts);
        facts.part(read);
    }
    if matches!(verb, "canceled" | "cancelled") {
        let when = gmt(&data["canceled_at"]).unwrap_or(at);
        facts.cancelled(&own, None, when, &base);
    }
    Ok(())
}

/// The first of several names under which something stands.
fn first<'v>(value: &'v Json<'v>, names: &[&str]) -> &'v Json<'v> {
    names
        .iter()
        .map(|name| &value[*name])
        .find(|found| !found.is_null())
        .unwrap_or(&Json::Null)
}

fn line(one: &Json, code: &str) -> Result<Value, Misfit> {
    let own = needed(id(&one["id"]), "the id of a line")?;
    let units = needed(quantity(&one["quantity"]), "the quantity of a line")?;
    let unit = minor(&one["price"], code);
    let total = minor(&one["total"], code).or_else(|| unit.map(|unit| unit.saturating_mul(units)));
    let total = needed(total, "the total of a line")?;
    let unit = unit.unwrap_or_else(|| each(total, units));
    let off = minor(&one["promo_total"], code).map_or(0, i64::saturating_abs);
    let digital = !list(&one["digital_links"]).is_empty();
    Ok(json!({
        "line_id": own,
        "product_id": id(&one["product_id"]),
        "variant_id": id(&one["variant_id"]),
        "sku": text(&one["sku"]),
        "title": text(&one["name"]).unwrap_or_default(),
        "variant_title": text(&one["options_text"]),
        "quantity": units,
        "current_quantity": units,
        "unit_price": money(unit, code),
        "discount": money(off, code),
        "total": money(total, code),
        "vendor": null,
        "kind": if digital { "digital" } else { "unknown" },
        "requires_shipping": digital.then_some(false),
        "tags": [],
        "categories": [],
        "image_url": text(&one["thumbnail_url"]),
        "product_url": null,
        "catalog_resolved": false,
        "properties": {},
    }))
}

fn parcel(
    one: &Json,
    reference: &Value,
    about: &str,
    delivered: Option<Timestamp>,
    learnt: Timestamp,
    facts: &mut Facts,
) -> Result<(), Misfit> {
    let own = needed(id(&one["id"]), "the id of a fulfilment")?;
    let status = text(&one["status"]).or_else(|| text(&one["state"]));
    let shipped = gmt(first(one, &["fulfilled_at", "shipped_at"]));
    let number = text(&one["tracking"]).or_else(|| text(&one["tracking_number"]));
    let carrier = text(&one["delivery_method"]["name"]);
    let tracking: Vec<Value> = number
        .map(|number| {
            json!({
                "carrier": carrier.map(slug), "carrier_name": carrier, "number": number,
                "url": text(&one["tracking_url"]),
            })
        })
        .into_iter()
        .collect();
    let base = Shared::of(json!({
        "order_ref": reference,
        "shipment": {
            "shipment_id": own, "direction": "outbound", "tracking": tracking, "items": [],
            "shipped_at": shipped.map(stamp),
        },
    }));
    let name = |verb: &str| format!("shipment/{own}/{verb}");
    if matches!(status, Some("canceled" | "cancelled")) {
        facts.tell(
            EventKind::ShipmentCancelled,
            name("cancelled"),
            about,
            about,
            Some(gmt(&one["updated_at"]).unwrap_or(learnt)),
            base,
        );
        return Ok(());
    }
    let stated = gmt(&one["delivered_at"]);
    let arrived = stated.or(delivered).or_else(|| {
        (status == Some("delivered")).then(|| gmt(&one["updated_at"]).unwrap_or(learnt))
    });
    if !matches!(status, Some("shipped" | "delivered" | "fulfilled")) && arrived.is_none() {
        return Ok(());
    }
    let digital =
        flag(&one["digital"]) == Some(true) || text(&one["fulfillment_type"]) == Some("digital");
    if !digital {
        facts.tell(
            EventKind::ShipmentDispatched,
            name("dispatched"),
            about,
            about,
            Some(shipped.unwrap_or(learnt)),
            base.clone(),
        );
    }
    let arrived = arrived.or_else(|| shipped.filter(|_| digital));
    if let Some(at) = arrived {
        let (basis, precision) = match (digital, stated) {
            (true, _) => ("digital", "second"),
            (false, Some(_)) => ("storefront", "second"),
            (false, None) => ("storefront", "approximate"),
        };
        let delivery = json!({
            "delivered_at": stamp(at), "precision": precision, "basis": basis,
            "reported_by": "spree",
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

fn customer(data: &Json, at: Timestamp, facts: &mut Facts) -> Result<(), Misfit> {
    let own = needed(id(&data["id"]), "the customer's id")?;
    let updated = gmt(&data["updated_at"]).unwrap_or(at);
    let (first_name, last_name) = (text(&data["first_name"]), text(&data["last_name"]));
    let place = &data["default_shipping_address"];
    let record = json!({
        "customer_id": own,
        "account": "registered",
        "email": address(&data["email"]),
        "first_name": first_name,
        "last_name": last_name,
        "name": full_name(first_name, last_name),
        "phone": text(&data["phone"]),
        "locale": null,
        "time_zone": null,
        "country": country(&place["country_iso"]).or_else(|| country(&place["country_code"])),
        "region": text(&place["state_abbr"]),
        "tags": [],
        "marketing_consent": unknown_consent("spree:not-in-payload"),
    });
    facts.of_customer(&own, updated, record);
    Ok(())
}
