//! Saleor: the body is what the webhook's own query asks for; the one to enter stands in
//! `docs/sources.md`. What it leaves out is taken as unknown. 4xx is never sent again.

mod older;

use super::super::json::Json;
use super::super::shape::Misfit;
use super::facts::{Facts, Shared, as_history, order_ref, unknown_consent, via};
use super::loose::{
    address, country, currency, each, flag, full_name, id, list, members, minor, money, needed,
    price, quantity, text,
};
use super::moment::{gmt, stamp};
use super::{Heard, Told, body_hash};
use crate::model::event::EventKind;
use crate::model::time::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

pub(super) fn map(told: &Told<'_>) -> Result<Heard, Misfit> {
    // A webhook without a query of its own gets what older versions send.
    let modern = older::modern(told.body);
    let body = modern.as_ref().unwrap_or(told.body);
    // Answers of the query may stand bare, under `data`, under `event`, or in a list.
    let event = [
        &body["data"]["event"],
        &body["event"],
        &body["data"],
        &body[0],
        body,
    ]
    .into_iter()
    .find(|part| part.is_object())
    .unwrap_or(body);
    let topic = told
        .headers
        .first(&["saleor-event", "x-saleor-event"])
        .map(str::to_lowercase)
        .or_else(|| text(&event["__typename"]).map(snake));
    let topic = needed(topic, "the header Saleor-Event")?;
    let topic = topic.as_str();
    let shop = told.headers.first(&["saleor-domain", "x-saleor-domain"]);
    let at = gmt(&event["issuedAt"]).unwrap_or(told.received);
    let mut facts = Facts::of(
        told.source.origin(shop),
        via("saleor", topic, None, text(&event["version"])),
        false,
    );
    match topic {
        "order_created"
        | "order_confirmed"
        | "order_paid"
        | "order_fully_paid"
        | "order_updated"
        | "order_fulfilled"
        | "order_cancelled"
        | "order_refunded"
        | "order_fully_refunded"
        | "fulfillment_created"
        | "fulfillment_approved"
        | "fulfillment_canceled"
        | "fulfillment_tracking_number_updated" => {
            let order = if event["order"].is_object() {
                &event["order"]
            } else {
                &event["fulfillment"]["order"]
            };
            snapshot(order, topic, at, &mut facts)?;
            // A fulfilment beside an order that does not list it.
            if event["fulfillment"].is_object() {
                let reference = order_ref(gid(&order["id"]).as_deref(), number(order).as_deref());
                let about = format!("order/{}", gid(&order["id"]).unwrap_or_default());
                let read = parcel(&event["fulfillment"], &reference, &about, at, &mut facts);
                facts.part(read);
            }
        }
        "order_bulk_created" => {
            for order in members(&event["orders"]) {
                let read = snapshot(order, topic, at, &mut facts);
                facts.part(read);
            }
            // Orders of another system, brought over.
            as_history(&mut facts.all);
        }
        "customer_created" | "customer_updated" => {
            customer(&event["user"], at, &mut facts)?;
        }
        _ => return Ok(Heard::unused(topic)),
    }
    let key = body_hash(topic, told.raw);
    Ok(Heard::facts(topic, Some(key), facts))
}

/// `OrderFullyPaid` is `order_fully_paid`.
fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for (place, character) in name.chars().enumerate() {
        if character.is_uppercase() && place > 0 {
            snake.push('_');
        }
        snake.extend(character.to_lowercase());
    }
    snake
}

/// Global ids are `Order:…` in base64; what is in them is shorter and says as much.
fn gid(value: &Json) -> Option<String> {
    let whole = id(value)?;
    let decoded = STANDARD
        .decode(&whole)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    match decoded.as_deref().and_then(|text| text.split_once(':')) {
        Some((kind, own))
            if !own.is_empty()
                && kind.bytes().all(|byte| byte.is_ascii_alphabetic())
                && !own.chars().any(char::is_control) =>
        {
            Some(own.to_owned())
        }
        _ => Some(whole),
    }
}

fn number(order: &Json) -> Option<String> {
    super::loose::word(&order["number"]).map(|number| format!("#{number}"))
}

/// An amount, where the gross one counts.
fn gross<'j, 'b>(value: &'j Json<'b>) -> &'j Json<'b> {
    if value["gross"].is_object() {
        &value["gross"]["amount"]
    } else {
        &value["amount"]
    }
}

fn snapshot(order: &Json, topic: &str, at: Timestamp, facts: &mut Facts) -> Result<(), Misfit> {
    let own = needed(gid(&order["id"]), "order.id")?;
    let code = currency(&order["total"]["gross"]["currency"])
        .or_else(|| currency(&order["total"]["currency"]))
        .or_else(|| currency(&order["channel"]["currencyCode"]));
    let code = needed(code, "order.total.gross.currency")?;
    let total = needed(
        minor(gross(&order["total"]), &code),
        "order.total.gross.amount",
    )?;
    let created = gmt(&order["created"]);
    let version = gmt(&order["updatedAt"]).or(created).unwrap_or(at);
    let charged = text(&order["paymentStatus"])
        .map(str::to_uppercase)
        .unwrap_or_default();
    let paid = flag(&order["isPaid"]) == Some(true)
        || matches!(
            charged.as_str(),
            "FULLY_CHARGED" | "PARTIALLY_REFUNDED" | "FULLY_REFUNDED"
        )
        || topic == "order_fully_paid";
    let status = text(&order["status"])
        .map(str::to_uppercase)
        .unwrap_or_default();
    if matches!(status.as_str(), "DRAFT" | "EXPIRED") {
        return Ok(());
    }
    let (to, bill) = (&order["shippingAddress"], &order["billingAddress"]);
    let place = if to.is_object() { to } else { bill };
    let user = &order["user"];
    let first = text(&user["firstName"]).or_else(|| text(&bill["firstName"]));
    let last = text(&user["lastName"]).or_else(|| text(&bill["lastName"]));
    let who = gid(&user["id"]);
    let lines: Vec<Value> = members(&order["lines"])
        .filter_map(|one| facts.part(line(one, &code)))
        .collect();
    let locale = text(&order["languageCodeEnum"])
        .or_else(|| text(&user["languageCode"]))
        .map(locale);
    let base = Shared::of(json!({
        "order": {
            "order_id": own,
            "order_number": number(order),
            "version": stamp(version),
            "placed_at": created.map(stamp),
            "channel": text(&order["channel"]["slug"]),
            "currency": code,
            "subtotal": price(gross(&order["subtotal"]), &code),
            "discount": null,
            "shipping": price(gross(&order["shippingPrice"]), &code),
            "tax": price(&order["total"]["tax"]["amount"], &code),
            "total": money(total, &code),
            "shop_total": null,
            "payment_status": if paid { "paid" } else { "pending" },
            "fulfilment_status": status.to_lowercase(),
            "status_url": null,
            "tags": [],
            "discount_codes": text(&order["voucherCode"]).into_iter().collect::<Vec<_>>(),
            "shipping_method": text(&order["shippingMethodName"]),
            "ship_to": {
                "country": country(&place["country"]["code"]),
                "region": text(&place["countryArea"]),
                "postal_code": text(&place["postalCode"]), "city": text(&place["city"]),
            },
            "line_items": lines,
        },
        "customer": {
            "customer_id": who,
            "account": if who.is_some() { "registered" } else { "guest" },
            "email": address(&order["userEmail"]).or_else(|| address(&user["email"])),
            "first_name": first,
            "last_name": last,
            "name": full_name(first, last),
            "phone": text(&bill["phone"]),
            "locale": locale,
            "time_zone": null,
            "country": country(&place["country"]["code"]),
            "region": text(&place["countryArea"]),
            "tags": [],
            "marketing_consent": unknown_consent("saleor:not-in-payload"),
        },
    }));
    let about = format!("order/{own}");
    let about = about.as_str();
    facts.of_order(EventKind::OrderPlaced, &own, created, base.clone());
    if paid {
        let when = match topic {
            "order_fully_paid" | "order_paid" => Some(at),
            _ => created,
        };
        facts.of_order(EventKind::OrderPaid, &own, when, base.clone());
    }
    let reference = order_ref(Some(&own), number(order).as_deref());
    for one in members(&order["fulfillments"]) {
        let read = parcel(one, &reference, about, at, facts);
        facts.part(read);
    }
    let back = minor(&order["totalRefunded"]["amount"], &code).unwrap_or(0);
    if back > 0 || topic == "order_fully_refunded" {
        // A running total: its every step is a fact.
        let back = if back > 0 { back } else { total };
        facts.tell(
            EventKind::RefundIssued,
            format!("refund/{own}/{back}"),
            about,
            about,
            Some(at),
            json!({
                "order_ref": reference,
                "refund": {
                    "refund_id": format!("{own}/{back}"), "amount": money(back, &code),
                    "refunded_total": money(back, &code),
                    "scope": if back >= total { "full" } else { "partial" },
                    "reason": null, "items": [], "return_id": null,
                },
            }),
        );
    }
    if status == "CANCELED" || topic == "order_cancelled" {
        facts.cancelled(&own, None, at, &base);
    }
    Ok(())
}

/// `DE` and `PT_BR` as languages are written elsewhere.
fn locale(code: &str) -> String {
    match code.split_once(['_', '-']) {
        Some((language, region)) => {
            format!("{}-{}", language.to_lowercase(), region.to_uppercase())
        }
        None => code.to_lowercase(),
    }
}

fn line(one: &Json, code: &str) -> Result<Value, Misfit> {
    let own = needed(gid(&one["id"]), "the id of a line")?;
    let units = needed(quantity(&one["quantity"]), "the quantity of a line")?;
    let total = minor(gross(&one["totalPrice"]), code);
    let unit = minor(gross(&one["unitPrice"]), code);
    let total = total.or_else(|| unit.map(|unit| unit.saturating_mul(units)));
    let total = needed(total, "the totalPrice of a line")?;
    let before = minor(gross(&one["undiscountedUnitPrice"]), code).or(unit);
    let before = before.unwrap_or_else(|| each(total, units));
    let ships = flag(&one["isShippingRequired"]);
    let variant = &one["variant"];
    Ok(json!({
        "line_id": own,
        "product_id": gid(&variant["product"]["id"]),
        "variant_id": gid(&variant["id"]),
        "sku": text(&one["productSku"]).or_else(|| text(&variant["sku"])),
        "title": text(&one["productName"]).unwrap_or_default(),
        "variant_title": text(&one["variantName"]),
        "quantity": units,
        "current_quantity": units,
        "unit_price": money(before, code),
        "discount": money(before.saturating_mul(units).saturating_sub(total).max(0), code),
        "total": money(total, code),
        "vendor": null,
        "kind": match ships { Some(true) => "physical", Some(false) => "digital", None => "unknown" },
        "requires_shipping": ships,
        "tags": [],
        "categories": [],
        "image_url": text(&one["thumbnail"]["url"]),
        "product_url": null,
        "catalog_resolved": false,
        "properties": {},
    }))
}

fn parcel(
    one: &Json,
    reference: &Value,
    about: &str,
    at: Timestamp,
    facts: &mut Facts,
) -> Result<(), Misfit> {
    let own = needed(gid(&one["id"]), "the id of a fulfilment")?;
    let created = gmt(&one["created"]);
    let items: Vec<Value> = list(&one["lines"])
        .iter()
        .filter_map(|line| {
            let units = quantity(&line["quantity"]).filter(|units| *units > 0)?;
            Some(json!({ "line_id": gid(&line["orderLine"]["id"])?, "quantity": units }))
        })
        .collect();
    let tracking: Vec<Value> = text(&one["trackingNumber"])
        .map(|number| {
            let url = number.starts_with("http").then_some(number);
            json!({ "carrier": null, "carrier_name": null, "number": number, "url": url })
        })
        .into_iter()
        .collect();
    let data = json!({
        "order_ref": reference,
        "shipment": {
            "shipment_id": own, "direction": "outbound", "tracking": tracking, "items": items,
            "shipped_at": created.map(stamp),
        },
    });
    let status = text(&one["status"])
        .map(str::to_uppercase)
        .unwrap_or_default();
    let (kind, verb, when) = match status.as_str() {
        "FULFILLED" | "" => (EventKind::ShipmentDispatched, "dispatched", created),
        "CANCELED" => (EventKind::ShipmentCancelled, "cancelled", Some(at)),
        // Waiting for approval; returned and refunded goods are told otherwise.
        _ => return Ok(()),
    };
    let name = format!("shipment/{own}/{verb}");
    facts.tell(kind, name, about, about, Some(when.unwrap_or(at)), data);
    Ok(())
}

fn customer(user: &Json, at: Timestamp, facts: &mut Facts) -> Result<(), Misfit> {
    let own = needed(gid(&user["id"]), "user.id")?;
    let updated = gmt(&user["updatedAt"]).unwrap_or(at);
    let (first, last) = (text(&user["firstName"]), text(&user["lastName"]));
    let place = &user["defaultShippingAddress"];
    let record = json!({
        "customer_id": own,
        "account": "registered",
        "email": address(&user["email"]),
        "first_name": first,
        "last_name": last,
        "name": full_name(first, last),
        "phone": text(&place["phone"]),
        "locale": text(&user["languageCode"]).map(locale),
        "time_zone": null,
        "country": country(&place["country"]["code"]),
        "region": text(&place["countryArea"]),
        "tags": [],
        "marketing_consent": unknown_consent("saleor:not-in-payload"),
    });
    facts.of_customer(&own, updated, record);
    Ok(())
}
