//! Adobe Commerce (Magento) by way of I/O Events: CloudEvents whose `data.value` is the
//! entity as it was saved. Its times are UTC and do not say so. Parts of a configured
//! product stand beside it with a parent: the parent is the line.

use super::super::json::Json;
use super::super::shape::Misfit;
use super::facts::{Facts, Shared, order_ref, unknown_consent, via};
use super::loose::{
    address, country, currency, each, flag, full_name, id, list, members, minor, money, needed,
    price, quantity, slug, text,
};
use super::moment::{gmt, stamp};
use super::{Heard, Told, body_hash};
use crate::model::event::EventKind;
use crate::model::time::Timestamp;
use serde_json::{Value, json};

pub(super) fn map(told: &Told<'_>) -> Result<Heard, Misfit> {
    let body = told.body;
    // Older deliveries wrap the event once more.
    let event = if body["event"]["data"].is_object() {
        &body["event"]
    } else {
        body
    };
    let topic = text(&event["type"]).or_else(|| text(&event["@type"]));
    let topic = needed(topic, "type")?;
    // "com.adobe.commerce.PROJECT.observer.NAME"
    let name = topic
        .rsplit_once("observer.")
        .map_or(topic, |(_, name)| name);
    let value = if event["data"]["value"].is_object() {
        &event["data"]["value"]
    } else {
        &event["data"]
    };
    let own = text(&event["event_id"]).or_else(|| text(&event["id"]));
    let store = text(&event["data"]["source"]).or_else(|| text(&event["data"]["key"]));
    // The key is one of the event, not of the store, where no source stands beside it.
    let store = store.filter(|_| event["data"]["source"].is_string());
    let mut facts = Facts::of(
        told.source.origin(store),
        via("adobe", topic, own, None),
        false,
    );
    let at = gmt(&event["time"]).unwrap_or(told.received);
    match name {
        "sales_order_save_commit_after" | "sales_order_save_after" | "sales_order_place_after" => {
            order(value, at, &mut facts)?;
        }
        "sales_order_shipment_save_after" | "sales_order_shipment_save_commit_after" => {
            shipment(value, at, &mut facts)?;
        }
        "sales_order_shipment_track_save_after"
        | "sales_order_shipment_track_save_commit_after" => {
            track(value, at, &mut facts)?;
        }
        "sales_order_creditmemo_save_after" | "sales_order_creditmemo_save_commit_after" => {
            refund(value, at, &mut facts)?;
        }
        "customer_save_commit_after" | "customer_save_after" => customer(value, at, &mut facts)?,
        _ => return Ok(Heard::unused(topic)),
    }
    let key = own.map_or_else(|| body_hash(topic, told.raw), str::to_owned);
    Ok(Heard::facts(topic, Some(key), facts))
}

/// The id of an entity; a new one may not have it yet.
fn entity(value: &Json) -> Option<String> {
    id(&value["entity_id"]).or_else(|| id(&value["id"]))
}

fn order(value: &Json, at: Timestamp, facts: &mut Facts) -> Result<(), Misfit> {
    let own = needed(entity(value), "the order's entity_id")?;
    let code =
        currency(&value["order_currency_code"]).or_else(|| currency(&value["base_currency_code"]));
    let code = needed(code, "the order's order_currency_code")?;
    let total = needed(
        minor(&value["grand_total"], &code),
        "the order's grand_total",
    )?;
    let created = gmt(&value["created_at"]).or(Some(at));
    let version = gmt(&value["updated_at"]).unwrap_or(at);
    let number = text(&value["increment_id"]).map(|number| format!("#{number}"));
    let state = text(&value["state"]).or_else(|| text(&value["status"]));
    let state = state.unwrap_or_default();
    let due = minor(&value["total_due"], &code);
    let received = minor(&value["total_paid"], &code).unwrap_or(0);
    let paid = received >= total && total > 0
        || due == Some(0)
        || matches!(state, "processing" | "complete" | "closed");
    let addresses = list(&value["addresses"]);
    let of_type = |wanted: &str| {
        addresses
            .iter()
            .find(|one| text(&one["address_type"]) == Some(wanted))
            .unwrap_or(&Json::Null)
    };
    let assigned = &value["extension_attributes"]["shipping_assignments"][0]["shipping"]["address"];
    let bill = if value["billing_address"].is_object() {
        &value["billing_address"]
    } else {
        of_type("billing")
    };
    let to = [
        &value["shipping_address"],
        assigned,
        of_type("shipping"),
        bill,
    ]
    .into_iter()
    .find(|place| place.is_object())
    .unwrap_or(&Json::Null);
    let first = text(&value["customer_firstname"]).or_else(|| text(&bill["firstname"]));
    let last = text(&value["customer_lastname"]).or_else(|| text(&bill["lastname"]));
    let who = id(&value["customer_id"]);
    let region = text(&to["region_code"]).or_else(|| text(&to["region"]));
    let lines: Vec<Value> = members(&value["items"])
        .filter(|item| id(&item["parent_item_id"]).is_none())
        .filter_map(|item| facts.part(line(item, &code)))
        .collect();
    let base = Shared::of(json!({
        "order": {
            "order_id": own,
            "order_number": number,
            "version": stamp(version),
            "placed_at": created.map(stamp),
            "channel": text(&value["store_name"]),
            "currency": code,
            "subtotal": price(&value["subtotal"], &code),
            "discount": minor(&value["discount_amount"], &code).map(|off| money(off.saturating_abs(), &code)),
            "shipping": price(&value["shipping_amount"], &code),
            "tax": price(&value["tax_amount"], &code),
            "total": money(total, &code),
            "shop_total": currency(&value["base_currency_code"])
                .map(|base| price(&value["base_grand_total"], &base)),
            "payment_status": if paid { "paid" } else { "pending" },
            "fulfilment_status": if state == "complete" { "fulfilled" } else { "unfulfilled" },
            "status_url": null,
            "tags": [],
            "discount_codes": text(&value["coupon_code"]).into_iter().collect::<Vec<_>>(),
            "shipping_method": text(&value["shipping_description"]),
            "ship_to": {
                "country": country(&to["country_id"]), "region": region,
                "postal_code": text(&to["postcode"]), "city": text(&to["city"]),
            },
            "line_items": lines,
        },
        "customer": {
            "customer_id": who,
            "account": if who.is_some() { "registered" } else { "guest" },
            "email": address(&value["customer_email"]).or_else(|| address(&bill["email"])),
            "first_name": first,
            "last_name": last,
            "name": full_name(first, last),
            "phone": text(&bill["telephone"]),
            "locale": null,
            "time_zone": null,
            "country": country(&to["country_id"]),
            "region": region,
            "tags": [],
            "marketing_consent": unknown_consent("adobe:not-in-payload"),
        },
    }));
    facts.of_order(EventKind::OrderPlaced, &own, created, base.clone());
    if paid {
        facts.of_order(EventKind::OrderPaid, &own, Some(version), base.clone());
    }
    if state == "canceled" {
        facts.cancelled(&own, None, version, &base);
    }
    Ok(())
}

fn line(item: &Json, code: &str) -> Result<Value, Misfit> {
    let own = id(&item["item_id"]).or_else(|| text(&item["sku"]).map(str::to_owned));
    let own = needed(own, "the item_id of a line")?;
    let units = needed(quantity(&item["qty_ordered"]), "the qty_ordered of a line")?;
    let total = minor(&item["row_total_incl_tax"], code)
        .or_else(|| minor(&item["row_total"], code))
        .unwrap_or(0);
    let unit = minor(&item["price_incl_tax"], code)
        .or_else(|| minor(&item["price"], code))
        .unwrap_or_else(|| each(total, units));
    let off = minor(&item["discount_amount"], code).map_or(0, i64::saturating_abs);
    let gone = ["qty_canceled", "qty_refunded"]
        .iter()
        .filter_map(|name| quantity(&item[*name]))
        .sum::<i64>();
    let digital = flag(&item["is_virtual"]) == Some(true)
        || matches!(
            text(&item["product_type"]),
            Some("virtual" | "downloadable")
        );
    let kind = match (digital, text(&item["product_type"])) {
        (_, Some("giftcard")) => "gift_card",
        (true, _) => "digital",
        (false, Some(_)) => "physical",
        (false, None) => "unknown",
    };
    Ok(json!({
        "line_id": own,
        "product_id": id(&item["product_id"]),
        "variant_id": null,
        "sku": text(&item["sku"]),
        "title": text(&item["name"]).unwrap_or_default(),
        "variant_title": null,
        "quantity": units,
        "current_quantity": units.saturating_sub(gone).max(0),
        "unit_price": money(unit, code),
        "discount": money(off, code),
        "total": money(total.saturating_sub(off), code),
        "vendor": null,
        "kind": kind,
        "requires_shipping": digital.then_some(false),
        "tags": [],
        "categories": [],
        "image_url": null,
        "product_url": null,
        "catalog_resolved": false,
        "properties": {},
    }))
}

fn tracking(track: &Json) -> Option<Value> {
    let number = super::loose::word(&track["track_number"])?;
    let carrier = text(&track["carrier_code"]).filter(|code| *code != "custom");
    let title = text(&track["title"]);
    Some(json!({
        "carrier": carrier.or(title).map(slug), "carrier_name": title, "number": number,
        "url": null,
    }))
}

fn shipment(value: &Json, at: Timestamp, facts: &mut Facts) -> Result<(), Misfit> {
    let own = needed(entity(value), "the shipment's entity_id")?;
    let order = needed(id(&value["order_id"]), "the shipment's order_id")?;
    let items: Vec<Value> = list(&value["items"])
        .iter()
        .filter_map(|item| {
            let units = quantity(&item["qty"]).filter(|units| *units > 0)?;
            Some(json!({
                "line_id": id(&item["order_item_id"])?, "sku": text(&item["sku"]),
                "quantity": units,
            }))
        })
        .collect();
    let tracks: Vec<Value> = list(&value["tracks"]).iter().filter_map(tracking).collect();
    let when = gmt(&value["created_at"]).unwrap_or(at);
    let name = format!("{own}/dispatched");
    left(&own, &name, &order, tracks, items, when, facts);
    Ok(())
}

/// A number that was added to a shipment; the shipment may have been told before.
fn track(value: &Json, at: Timestamp, facts: &mut Facts) -> Result<(), Misfit> {
    let own = id(&value["parent_id"]).or_else(|| entity(value));
    let own = needed(own, "the track's parent_id")?;
    let order = needed(id(&value["order_id"]), "the track's order_id")?;
    let tracking = needed(tracking(value), "the track's track_number")?;
    let when = gmt(&value["created_at"]).unwrap_or(at);
    let nth = id(&value["entity_id"]).unwrap_or_else(|| stamp(when));
    // A fact of its own: that the shipment left may be known already, without the number.
    let name = format!("{own}/dispatched/{nth}");
    left(&own, &name, &order, vec![tracking], Vec::new(), when, facts);
    Ok(())
}

fn left(
    parcel: &str,
    name: &str,
    order: &str,
    tracking: Vec<Value>,
    items: Vec<Value>,
    at: Timestamp,
    facts: &mut Facts,
) {
    let about = format!("order/{order}");
    facts.tell(
        EventKind::ShipmentDispatched,
        format!("shipment/{name}"),
        &about,
        &about,
        Some(at),
        json!({
            "order_ref": order_ref(Some(order), None),
            "shipment": {
                "shipment_id": parcel, "direction": "outbound", "tracking": tracking,
                "items": items, "shipped_at": stamp(at),
            },
        }),
    );
}

fn refund(value: &Json, at: Timestamp, facts: &mut Facts) -> Result<(), Misfit> {
    let own = needed(entity(value), "the credit memo's entity_id")?;
    let order = needed(id(&value["order_id"]), "the credit memo's order_id")?;
    let code = needed(
        currency(&value["order_currency_code"]),
        "the credit memo's order_currency_code",
    )?;
    let back = needed(
        minor(&value["grand_total"], &code),
        "the credit memo's grand_total",
    )?;
    let items: Vec<Value> = list(&value["items"])
        .iter()
        .filter_map(|item| {
            let units = quantity(&item["qty"]).filter(|units| *units > 0)?;
            let amount = minor(&item["row_total_incl_tax"], &code)
                .or_else(|| minor(&item["row_total"], &code));
            let restock = flag(&item["back_to_stock"]);
            Some(json!({
                "line_id": id(&item["order_item_id"])?,
                "sku": text(&item["sku"]),
                "quantity": units,
                "amount": amount.map(|amount| money(amount, &code)),
                "restock": restock.map(|back| if back { "return" } else { "no_restock" }),
            }))
        })
        .collect();
    let about = format!("order/{order}");
    facts.tell(
        EventKind::RefundIssued,
        format!("refund/{own}"),
        &about,
        &about,
        Some(gmt(&value["created_at"]).unwrap_or(at)),
        json!({
            "order_ref": order_ref(Some(&order), None),
            "refund": {
                "refund_id": own, "amount": money(back, &code), "scope": "unknown",
                "reason": text(&value["customer_note"]), "items": items, "return_id": null,
            },
        }),
    );
    Ok(())
}

fn customer(value: &Json, at: Timestamp, facts: &mut Facts) -> Result<(), Misfit> {
    let own = needed(entity(value), "the customer's entity_id")?;
    let updated = gmt(&value["updated_at"]).unwrap_or(at);
    let (first, last) = (text(&value["firstname"]), text(&value["lastname"]));
    let record = json!({
        "customer_id": own,
        "account": "registered",
        "email": address(&value["email"]),
        "first_name": first,
        "last_name": last,
        "name": full_name(first, last),
        "phone": null,
        "locale": null,
        "time_zone": null,
        "country": null,
        "region": null,
        "tags": [],
        "marketing_consent": unknown_consent("adobe:not-in-payload"),
    });
    facts.of_customer(&own, updated, record);
    Ok(())
}
