//! WooCommerce: orders, customers and products as the REST interface has them. It says
//! neither locale nor consent, and no delivery; tracking lives in the meta data of a
//! plugin. Its payload is made when it is sent, so states are skipped and repeated, and
//! its delivery id is shared by orders of one second: the body itself is the key.
//!
//! Dates without `_gmt` are the site's own time. Statuses are an open set: plugins add
//! theirs, and configuration says what they mean.

mod legacy;
mod parcel;

use super::super::json::Json;
use super::super::shape::Misfit;
use super::facts::{Facts, Shared, order_ref, unknown_consent, via};
use super::loose::{
    address, country, currency, each, full_name, id, list, members, minor, money, needed, price,
    quantity, sum, tags, text, word,
};
use super::moment::{gmt, stamp, told as told_at};
use super::plain::{plain, untagged};
use super::{Headers, Heard, Notes, Told, body_hash};
use crate::model::event::EventKind;
use crate::model::time::{TimeZone, Timestamp};
use serde_json::{Map, Value, json};
use url::Url;

/// The interface that the payloads follow.
const API: &str = "wp_api_v3";

/// Saving a webhook sends a form with its number: unsigned, without a topic.
pub(super) fn is_ping(headers: &Headers, body: &[u8]) -> bool {
    headers.one("x-wc-webhook-topic").is_none()
        && headers.begins("content-type", "application/x-www-form-urlencoded")
        && body.strip_prefix(b"webhook_id=").is_some_and(|number| {
            !number.is_empty() && number.len() <= 20 && number.iter().all(u8::is_ascii_digit)
        })
}

pub(super) fn map(told: &Told<'_>) -> Result<Heard, Misfit> {
    let Some(topic) = told.headers.one("x-wc-webhook-topic") else {
        return Err(Misfit::new(
            "missing",
            "the header X-WC-Webhook-Topic is missing, or stands there twice",
        ));
    };
    let origin = told.source.origin(site(told.headers).as_deref());
    let key = Some(body_hash(topic, told.raw));
    let modern = legacy::modern(told.body);
    let body = modern.as_ref().unwrap_or(told.body);
    match topic {
        "order.created" | "order.updated" | "order.restored" => {
            let number = needed(id(&body["id"]), "the order's id")?;
            let modified = text(&body["date_modified_gmt"]).or(text(&body["date_modified"]));
            let delivery = format!("{topic}/{number}@{}", modified.unwrap_or_default());
            let via = via("woocommerce", topic, Some(&delivery), Some(API));
            let mut facts = Facts::of(origin, via, false);
            order(told, body, &number, &mut facts)?;
            Ok(Heard::facts(topic, key, facts))
        }
        "order.deleted" => {
            let number = needed(id(&body["id"]), "the order's id")?;
            let via = via("woocommerce", topic, None, Some(API));
            let mut facts = Facts::of(origin, via, false);
            facts.of_order(
                EventKind::OrderCancelled,
                &number,
                None,
                json!({
                    "order_ref": order_ref(Some(&number), None),
                    "cancel": { "reason": "deleted", "cancelled_at": null },
                }),
            );
            Ok(Heard::facts(topic, key, facts))
        }
        "customer.created" | "customer.updated" => {
            let number = needed(id(&body["id"]), "the customer's id")?;
            let at = dated(body, "date_modified", &told.source.notes)
                .or_else(|| dated(body, "date_created", &told.source.notes))
                .unwrap_or(told.received);
            let written = text(&body["date_modified_gmt"])
                .map_or_else(|| stamp(at), |text| text.trim_end_matches('Z').to_owned());
            let delivery = format!("{topic}/{number}@{written}");
            let via = via("woocommerce", topic, Some(&delivery), Some(API));
            let mut facts = Facts::of(origin, via, false);
            facts.of_customer(&number, at, record(body, &number));
            Ok(Heard::facts(topic, key, facts))
        }
        "product.created" | "product.updated" | "product.restored" => {
            let via = via("woocommerce", topic, None, Some(API));
            let mut facts = Facts::of(origin, via, false);
            product(told, body, &mut facts)?;
            Ok(Heard::facts(topic, key, facts))
        }
        _ => Ok(Heard::unused(topic)),
    }
}

/// The host of the site, with its path where it has one.
fn site(headers: &Headers) -> Option<String> {
    let url = Url::parse(headers.one("x-wc-webhook-source")?).ok()?;
    let path = url.path().trim_matches('/');
    let host = url.host_str()?;
    Some(if path.is_empty() {
        host.to_owned()
    } else {
        format!("{host}/{path}")
    })
}

/// A date of which the site keeps two: in UTC, and in its own time.
fn dated(body: &Json, name: &str, notes: &Notes) -> Option<Timestamp> {
    gmt(&body[format!("{name}_gmt").as_str()]).or_else(|| {
        let zone = notes.zone.clone().unwrap_or(TimeZone::UTC);
        told_at(&body[name], &zone).map(|moment| moment.at)
    })
}

fn hash(number: &str) -> String {
    format!("#{}", number.trim_start_matches('#'))
}

fn order(told: &Told<'_>, body: &Json, number: &str, facts: &mut Facts) -> Result<(), Misfit> {
    let notes = &told.source.notes;
    let status = text(&body["status"]).map(|status| status.strip_prefix("wc-").unwrap_or(status));
    let status = needed(status, "the order's status")?;
    if matches!(status, "checkout-draft" | "auto-draft") {
        // Somebody is still filling in the form.
        return Ok(());
    }
    let code = needed(currency(&body["currency"]), "the order's currency")?;
    let created = dated(body, "date_created", notes);
    let modified = dated(body, "date_modified", notes)
        .or(created)
        .unwrap_or(told.received);
    let paid = dated(body, "date_paid", notes);
    let called = hash(&word(&body["number"]).unwrap_or_else(|| number.to_owned()));
    let who = buyer(body);
    let total = needed(minor(&body["total"], &code), "the order's total")?;
    let lines: Vec<Value> = members(&body["line_items"])
        .filter_map(|one| facts.part(line(one, &code)))
        .collect();
    let subtotal = sum(members(&body["line_items"]).filter_map(|one| minor(&one["total"], &code)));
    let delivered = notes.delivered.iter().any(|known| known == status);
    let dispatched = delivered || notes.dispatched.iter().any(|known| known == status);
    let to = place(body);
    let base = Shared::of(json!({
        "order": {
            "order_id": number,
            "order_number": called,
            "version": stamp(modified),
            "placed_at": created.map(stamp),
            "channel": text(&body["created_via"]),
            "currency": code,
            "subtotal": money(subtotal, &code),
            "discount": price(&body["discount_total"], &code),
            "shipping": price(&body["shipping_total"], &code),
            "tax": price(&body["total_tax"], &code),
            "total": money(total, &code),
            "shop_total": null,
            "payment_status": if paid.is_some() { "paid" } else { "pending" },
            "fulfilment_status": if dispatched { "fulfilled" } else { "unknown" },
            "status_url": null,
            "tags": [],
            "discount_codes": list(&body["coupon_lines"]).iter()
                .filter_map(|one| text(&one["code"])).collect::<Vec<_>>(),
            "shipping_method": text(&body["shipping_lines"][0]["method_title"]).map(plain),
            "ship_to": {
                "country": who["country"], "region": who["region"],
                "postal_code": text(&to["postcode"]), "city": text(&to["city"]),
            },
            "line_items": lines,
        },
        "customer": who,
    }));
    let about = format!("order/{number}");
    let about = about.as_str();
    facts.of_order(EventKind::OrderPlaced, number, created, base.clone());
    if paid.is_some() {
        facts.of_order(EventKind::OrderPaid, number, paid, base.clone());
    }
    let reference = order_ref(Some(number), Some(&called));
    let tracked = parcel::parcels(
        body,
        told.source.depth,
        &reference,
        about,
        delivered,
        modified,
        facts,
    );
    if dispatched && !tracked {
        // A status alone says so, and not what is in the parcel.
        let at = dated(body, "date_completed", notes).unwrap_or(modified);
        parcel::by_status(number, &reference, about, delivered, at, facts);
    }
    let scope = if status == "refunded" {
        "full"
    } else {
        "partial"
    };
    for one in members(&body["refunds"]) {
        let read = refund(one, &code).map(|mut refund| {
            let name = format!(
                "refund/{}",
                refund["refund_id"].as_str().unwrap_or_default()
            );
            refund["scope"] = scope.into();
            let data = json!({ "order_ref": reference, "refund": refund });
            facts.tell(
                EventKind::RefundIssued,
                name,
                about,
                about,
                Some(modified),
                data,
            );
        });
        facts.part(read);
    }
    if matches!(status, "cancelled" | "trash") {
        let reason = (status == "trash").then_some("deleted");
        facts.cancelled(number, reason, modified, &base);
    }
    Ok(())
}

/// One of the refunds that an order lists: no more than its amount and a reason.
fn refund(one: &Json, code: &str) -> Result<Value, Misfit> {
    let own = needed(id(&one["id"]), "the id of a refund")?;
    let back = minor(&one["total"], code).or_else(|| minor(&one["amount"], code));
    let back = needed(back, "the total of a refund")?;
    Ok(json!({
        "refund_id": own, "amount": money(back.saturating_abs(), code),
        "reason": text(&one["reason"]), "items": [], "return_id": null,
    }))
}

/// Where it goes: where it is shipped, else, as a form that is left empty means, where the
/// bill goes.
fn place<'j>(body: &'j Json<'j>) -> &'j Json<'j> {
    let (shipping, billing) = (&body["shipping"], &body["billing"]);
    if country(&shipping["country"]).is_some() || country(&billing["country"]).is_none() {
        shipping
    } else {
        billing
    }
}

fn buyer(body: &Json) -> Value {
    let (billing, to) = (&body["billing"], place(body));
    let customer = id(&body["customer_id"]);
    let (first, last) = (text(&billing["first_name"]), text(&billing["last_name"]));
    json!({
        "customer_id": customer,
        "account": if customer.is_some() { "registered" } else { "guest" },
        "email": address(&billing["email"]),
        "first_name": first,
        "last_name": last,
        "name": full_name(first, last),
        "phone": text(&billing["phone"]),
        "locale": null,
        "time_zone": null,
        "country": country(&to["country"]),
        "region": text(&to["state"]),
        "tags": [],
        "marketing_consent": unknown_consent("woocommerce:none"),
    })
}

fn line(one: &Json, code: &str) -> Result<Value, Misfit> {
    let line = needed(id(&one["id"]), "the id of a line")?;
    let units = needed(quantity(&one["quantity"]), "the quantity of a line")?;
    let stated = minor(&one["total"], code).or_else(|| {
        let unit = minor(&one["price"], code)?;
        Some(unit.saturating_mul(units))
    });
    let total = stated.unwrap_or(0);
    // `price` is what is left after discounts, as a binary fraction: what the line cost
    // before them, divided, is exact.
    let before = minor(&one["subtotal"], code).unwrap_or(total);
    Ok(json!({
        "line_id": line,
        "product_id": id(&one["product_id"]),
        "variant_id": id(&one["variation_id"]),
        "sku": text(&one["sku"]),
        "title": text(&one["name"]).map(plain).unwrap_or_default(),
        "variant_title": null,
        "quantity": units,
        "current_quantity": units,
        "unit_price": money(each(before, units), code),
        "discount": money(before.saturating_sub(total), code),
        "total": money(total, code),
        "vendor": null,
        "kind": "unknown",
        "requires_shipping": null,
        "tags": [],
        "categories": [],
        "image_url": text(&one["image"]["src"]),
        "product_url": null,
        "catalog_resolved": false,
        "properties": properties(&one["meta_data"]),
    }))
}

/// What the buyer chose: meta data that is not hidden.
fn properties(all: &Json) -> Map<String, Value> {
    members(all)
        .filter_map(|one| {
            let hidden = text(&one["key"]).is_some_and(|key| key.starts_with('_'));
            let name = ["display_key", "label", "key"]
                .iter()
                .find_map(|name| text(&one[*name]))?;
            let value = word(&one["display_value"]).or_else(|| word(&one["value"]))?;
            (!hidden).then(|| (plain(name).into_owned(), plain(&untagged(&value)).into()))
        })
        .collect()
}

fn record(body: &Json, number: &str) -> Value {
    let (billing, to) = (&body["billing"], place(body));
    let first = text(&body["first_name"]).or_else(|| text(&billing["first_name"]));
    let last = text(&body["last_name"]).or_else(|| text(&billing["last_name"]));
    json!({
        "customer_id": number,
        "account": "registered",
        "email": address(&body["email"]).or_else(|| address(&billing["email"])),
        "first_name": first,
        "last_name": last,
        "name": full_name(first, last),
        "phone": text(&billing["phone"]),
        "locale": null,
        "time_zone": null,
        "country": country(&to["country"]),
        "region": text(&to["state"]),
        "tags": [],
        "marketing_consent": unknown_consent("woocommerce:none"),
    })
}

/// Tags and categories by their names.
fn named(all: &Json) -> Vec<String> {
    let names = tags(all).into_iter();
    names.map(|name| plain(&name).into_owned()).collect()
}

fn product(told: &Told<'_>, body: &Json, facts: &mut Facts) -> Result<(), Misfit> {
    let notes = &told.source.notes;
    let number = needed(id(&body["id"]), "the product's id")?;
    let title = needed(text(&body["name"]), "the product's name")?;
    let at = dated(body, "date_modified", notes)
        .or_else(|| dated(body, "date_created", notes))
        .unwrap_or(told.received);
    let virtual_ = ["virtual", "downloadable"]
        .iter()
        .any(|name| super::loose::flag(&body[*name]) == Some(true));
    let mut variant = json!({
        "variant_id": null, "sku": text(&body["sku"]), "title": null,
        "kind": if virtual_ { "digital" } else { "physical" },
    });
    if let Some(code) = &notes.currency
        && let Some(amount) = minor(&body["price"], code)
    {
        variant["price"] = money(amount, code);
    }
    let about = format!("product/{number}");
    facts.tell(
        EventKind::ProductUpdated,
        format!("product/{number}@{}", stamp(at)),
        &about,
        &about,
        Some(at),
        json!({ "product": {
            "product_id": number,
            "title": plain(title),
            "vendor": text(&body["brands"][0]["name"]).map(plain),
            "tags": named(&body["tags"]),
            "categories": named(&body["categories"]),
            "image_url": text(&body["images"][0]["src"]),
            "product_url": text(&body["permalink"]),
            "status": text(&body["status"]).map(|status| match status {
                "publish" => "active",
                other => other,
            }),
            "variants": [variant],
        }}),
    );
    Ok(())
}
