//! BigCommerce: deliveries are thin, a scope and an id; what they mean has to be fetched.
//! The body's `hash` is no proof. Whoever fetches the order hands it in under the same
//! scope, whole (`data.order`, with `products` and `shipments`), and it is mapped here.
//!
//! Statuses are numbers: 0 is an unfinished order, for which `order/created` comes too.

use super::super::json::Json;
use super::super::shape::Misfit;
use super::facts::{Facts, Shared, order_ref, unknown_consent, via};
use super::loose::{
    address, country, currency, each, full_name, id, list, members, minor, money, needed, price,
    quantity, slug, text, whole,
};
use super::moment::{gmt, stamp, utc};
use super::{Heard, Told, body_hash};
use crate::model::event::EventKind;
use crate::model::time::Timestamp;
use serde_json::{Value, json};

/// Statuses of orders that are paid: shipped, partially shipped, and what waits for it.
const PAID: &[i64] = &[2, 3, 4, 8, 9, 10, 11, 14];
/// Shipped, partially shipped, completed.
const SHIPPED: &[i64] = &[2, 10];
const REFUNDED: i64 = 4;
const CANCELLED: i64 = 5;
const DECLINED: i64 = 6;
const INCOMPLETE: i64 = 0;

pub(super) fn map(told: &Told<'_>) -> Result<Heard, Misfit> {
    let body = told.body;
    let topic = needed(text(&body["scope"]), "scope")?;
    let data = &body["data"];
    let key = told
        .headers
        .one("webhook-id")
        .map_or_else(|| body_hash(topic, told.raw), str::to_owned);
    let key = Some(key);
    let thin = |what: &str, own: &Json, path: &str| {
        let own = needed(id(own), "data.id")?;
        Ok(Heard::thin(
            topic,
            key.clone(),
            &format!("{what}/{own}"),
            &format!("{path}/{own}"),
        ))
    };
    let shop = text(&body["producer"]).and_then(|text| text.strip_prefix("stores/"));
    let whole = &data["order"];
    match topic {
        "store/order/created"
        | "store/order/updated"
        | "store/order/statusUpdated"
        | "store/order/refund/created"
            if whole.is_object() =>
        {
            let mut facts = Facts::of(
                told.source.origin(shop),
                via("bigcommerce", topic, key.as_deref(), Some("v2")),
                false,
            );
            order(told, whole, &mut facts)?;
            Ok(Heard::facts(topic, key.clone(), facts))
        }
        "store/order/created"
        | "store/order/updated"
        | "store/order/statusUpdated"
        | "store/order/refund/created" => thin("order", &data["id"], "/v2/orders"),
        "store/shipment/created" | "store/shipment/updated" | "store/shipment/deleted" => {
            thin("order", &data["orderId"], "/v2/orders")
        }
        "store/customer/created" | "store/customer/updated" if data["customer"].is_object() => {
            let mut facts = Facts::of(
                told.source.origin(shop),
                via("bigcommerce", topic, key.as_deref(), Some("v3")),
                false,
            );
            customer(&data["customer"], told.received, &mut facts)?;
            Ok(Heard::facts(topic, key.clone(), facts))
        }
        "store/customer/created" | "store/customer/updated" => {
            let own = needed(id(&data["id"]), "data.id")?;
            let path = format!("/v3/customers?id:in={own}");
            Ok(Heard::thin(
                topic,
                key.clone(),
                &format!("customer/{own}"),
                &path,
            ))
        }
        _ => Ok(Heard::unused(topic)),
    }
}

fn order(told: &Told<'_>, whole_order: &Json, facts: &mut Facts) -> Result<(), Misfit> {
    let own = needed(id(&whole_order["id"]), "the order's id")?;
    let status = needed(whole(&whole_order["status_id"]), "the order's status_id")?;
    if status == INCOMPLETE {
        return Ok(());
    }
    let code = currency(&whole_order["currency_code"])
        .or_else(|| currency(&whole_order["default_currency_code"]));
    let code = needed(code, "the order's currency_code")?;
    let total = needed(
        minor(&whole_order["total_inc_tax"], &code),
        "the order's total_inc_tax",
    )?;
    let created = when(&whole_order["date_created"]);
    let modified = when(&whole_order["date_modified"])
        .or(created)
        .unwrap_or(told.received);
    let number = format!("#{own}");
    let bill = &whole_order["billing_address"];
    let to = list(&whole_order["shipping_addresses"])
        .first()
        .unwrap_or(bill);
    let region = |place: &Json| text(&place["state"]).map(str::to_owned);
    let (first, last) = (text(&bill["first_name"]), text(&bill["last_name"]));
    let who = id(&whole_order["customer_id"]);
    let products = told.line_items.as_ref();
    let lines: Vec<Value> = members(products.unwrap_or(&whole_order["products"]))
        .filter_map(|one| facts.part(line(one, &code)))
        .collect();
    let paid = PAID.contains(&status);
    let base = Shared::of(json!({
        "order": {
            "order_id": own,
            "order_number": number,
            "version": stamp(modified),
            "placed_at": created.map(stamp),
            "channel": text(&whole_order["order_source"]),
            "currency": code,
            "subtotal": price(&whole_order["subtotal_inc_tax"], &code),
            "discount": price(&whole_order["discount_amount"], &code),
            "shipping": price(&whole_order["shipping_cost_inc_tax"], &code),
            "tax": price(&whole_order["total_tax"], &code),
            "total": money(total, &code),
            "shop_total": null,
            "payment_status": if status == REFUNDED { "refunded" } else if paid { "paid" } else { "pending" },
            "fulfilment_status": if SHIPPED.contains(&status) { "fulfilled" } else { "unfulfilled" },
            "status_url": null,
            "tags": [],
            "discount_codes": [],
            "shipping_method": text(&to["shipping_method"]),
            "ship_to": {
                "country": country(&to["country_iso2"]), "region": region(to),
                "postal_code": text(&to["zip"]), "city": text(&to["city"]),
            },
            "line_items": lines,
        },
        "customer": {
            "customer_id": who,
            "account": if who.is_some() { "registered" } else { "guest" },
            "email": address(&bill["email"]),
            "first_name": first,
            "last_name": last,
            "name": full_name(first, last),
            "phone": text(&bill["phone"]),
            "locale": text(&whole_order["customer_locale"]),
            "time_zone": null,
            "country": country(&to["country_iso2"]).or_else(|| country(&bill["country_iso2"])),
            "region": region(to),
            "tags": [],
            "marketing_consent": unknown_consent("bigcommerce:not-in-payload"),
        },
    }));
    let about = format!("order/{own}");
    let about = about.as_str();
    facts.of_order(EventKind::OrderPlaced, &own, created, base.clone());
    if paid {
        facts.of_order(EventKind::OrderPaid, &own, created, base.clone());
    }
    let reference = order_ref(Some(&own), Some(&number));
    for one in members(&whole_order["shipments"]) {
        let read = parcel(one, &reference, about, modified, facts);
        facts.part(read);
    }
    let back = minor(&whole_order["refunded_amount"], &code).unwrap_or(0);
    if back > 0 {
        // A running total: its every step is a fact.
        facts.tell(
            EventKind::RefundIssued,
            format!("refund/{own}/{back}"),
            about,
            about,
            Some(modified),
            json!({
                "order_ref": reference,
                "refund": {
                    "refund_id": format!("{own}/{back}"),
                    "amount": money(back, &code),
                    "refunded_total": money(back, &code),
                    "scope": if back >= total { "full" } else { "partial" },
                    "reason": null, "items": [], "return_id": null,
                },
            }),
        );
    }
    if matches!(status, CANCELLED | DECLINED) {
        let reason = (status == DECLINED).then_some("declined");
        facts.cancelled(&own, reason, modified, &base);
    }
    Ok(())
}

/// A customer, as the newer interface has them. Consent is not in it.
fn customer(one: &Json, learnt: Timestamp, facts: &mut Facts) -> Result<(), Misfit> {
    let own = needed(id(&one["id"]), "the customer's id")?;
    let at = when(&one["date_modified"])
        .or_else(|| when(&one["date_created"]))
        .unwrap_or(learnt);
    let (first, last) = (text(&one["first_name"]), text(&one["last_name"]));
    let to = &one["addresses"][0];
    let record = json!({
        "customer_id": own,
        "account": "registered",
        "email": address(&one["email"]),
        "first_name": first,
        "last_name": last,
        "name": full_name(first, last),
        "phone": text(&one["phone"]),
        "locale": null,
        "time_zone": null,
        "country": country(&to["country_code"]),
        "region": text(&to["state_or_province"]),
        "tags": [],
        "marketing_consent": unknown_consent("bigcommerce:not-in-payload"),
    });
    facts.of_customer(&own, at, record);
    Ok(())
}

/// The older interface writes dates as mails do; they are UTC.
fn when(value: &Json) -> Option<Timestamp> {
    utc(value).or_else(|| gmt(value))
}

fn line(one: &Json, code: &str) -> Result<Value, Misfit> {
    let own = needed(id(&one["id"]), "the id of a line")?;
    let units = needed(quantity(&one["quantity"]), "the quantity of a line")?;
    let unit = minor(&one["price_inc_tax"], code);
    let total =
        minor(&one["total_inc_tax"], code).or_else(|| unit.map(|unit| unit.saturating_mul(units)));
    let total = needed(total, "the total of a line")?;
    let back = quantity(&one["quantity_refunded"]).unwrap_or(0);
    let unit = unit.unwrap_or_else(|| each(total, units));
    let kind = match text(&one["type"]) {
        Some("physical") => "physical",
        Some("digital") => "digital",
        Some("giftcertificate") => "gift_card",
        _ => "unknown",
    };
    Ok(json!({
        "line_id": own,
        "product_id": id(&one["product_id"]),
        "variant_id": id(&one["variant_id"]),
        "sku": text(&one["sku"]),
        "title": text(&one["name"]).unwrap_or_default(),
        "variant_title": null,
        "quantity": units,
        "current_quantity": units.saturating_sub(back).max(0),
        "unit_price": money(unit, code),
        "discount": money(unit.saturating_mul(units).saturating_sub(total).max(0), code),
        "total": money(total, code),
        "vendor": text(&one["brand"]),
        "kind": kind,
        "requires_shipping": match kind { "physical" => Some(true), "digital" => Some(false), _ => None },
        "tags": [],
        "categories": [],
        "image_url": null,
        "product_url": null,
        "catalog_resolved": false,
        "properties": {},
    }))
}

fn parcel(
    one: &Json,
    reference: &Value,
    about: &str,
    learnt: Timestamp,
    facts: &mut Facts,
) -> Result<(), Misfit> {
    let own = needed(id(&one["id"]), "the id of a shipment")?;
    let shipped = when(&one["date_created"]);
    let carrier = text(&one["tracking_carrier"]).or_else(|| text(&one["shipping_provider"]));
    let tracking: Vec<Value> = text(&one["tracking_number"])
        .map(|number| {
            json!({
                "carrier": carrier.map(slug), "carrier_name": carrier, "number": number,
                "url": text(&one["tracking_link"]).or_else(|| text(&one["generated_tracking_link"])),
            })
        })
        .into_iter()
        .collect();
    let items: Vec<Value> = list(&one["items"])
        .iter()
        .filter_map(|item| {
            let units = quantity(&item["quantity"]).filter(|units| *units > 0)?;
            Some(json!({ "line_id": id(&item["order_product_id"])?, "quantity": units }))
        })
        .collect();
    facts.tell(
        EventKind::ShipmentDispatched,
        format!("shipment/{own}/dispatched"),
        about,
        about,
        Some(shipped.unwrap_or(learnt)),
        json!({
            "order_ref": reference,
            "shipment": {
                "shipment_id": own, "direction": "outbound", "tracking": tracking,
                "items": items, "shipped_at": shipped.map(stamp),
            },
        }),
    );
    Ok(())
}
