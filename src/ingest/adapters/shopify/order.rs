//! A whole order, in every fact that it attests.

use super::super::super::json::Json;
use super::super::super::shape::Misfit;
use super::super::facts::{Facts, Shared, order_ref, unknown_consent};
use super::super::loose::{
    address, country, currency, flag, full_name, gid, list, members, minor, money, needed,
    quantity, sum, tags, text, word,
};
use super::super::moment::{gmt, stamp};
use super::{Of, after, parcel};
use crate::model::event::EventKind;
use crate::model::time::Timestamp;
use serde_json::{Map, Value, json};

/// Placed, paid, each parcel, each refund, cancelled.
pub(super) fn snapshot(of: &Of<'_>, facts: &mut Facts) -> Result<(), Misfit> {
    let body = of.told.body;
    let id = needed(gid(&body["id"]), "the order's id")?;
    let about = format!("order/{id}");
    let created = gmt(&body["created_at"]);
    let placed = gmt(&body["processed_at"]).or(created);
    let order = order(of, &id, placed, facts)?;
    let number = number(body);
    let base = Shared::order(order, customer(body, created));
    let paid = matches!(
        text(&body["financial_status"]),
        Some("paid" | "partially_refunded" | "refunded")
    );
    let placed_at = placed.or(of.triggered);
    facts.of_order(EventKind::OrderPlaced, &id, placed_at, base.clone());
    if paid {
        facts.of_order(EventKind::OrderPaid, &id, placed_at, base.clone());
    }
    let reference = order_ref(Some(&id), number.as_deref());
    for one in members(&body["fulfillments"]) {
        let read = parcel::told(one, &reference, &about, facts);
        facts.part(read);
    }
    after::refunds_of(body, &id, number.as_deref(), facts);
    if let Some(at) = gmt(&body["cancelled_at"]) {
        facts.cancelled(&id, text(&body["cancel_reason"]), at, &base);
    }
    Ok(())
}

/// An edit tells what it added and took away, and not the order.
pub(super) fn edited(of: &Of<'_>, facts: &mut Facts) -> Result<(), Misfit> {
    let edit = &of.told.body["order_edit"];
    let order = needed(gid(&edit["order_id"]), "order_edit.order_id")?;
    let id = needed(gid(&edit["id"]), "order_edit.id")?;
    let about = format!("order/{order}");
    let changed = |way: &str| -> Vec<Value> {
        list(&edit["line_items"][way])
            .iter()
            .filter_map(|line| {
                let quantity = quantity(&line["delta"]).filter(|units| *units > 0)?;
                Some(json!({ "line_id": gid(&line["id"])?, "quantity": quantity }))
            })
            .collect()
    };
    let data = json!({
        "order_ref": order_ref(Some(&order), None),
        "changes": { "added": changed("additions"), "removed": changed("removals") },
    });
    facts.tell(
        EventKind::OrderUpdated,
        format!("order/{order}/edit/{id}"),
        &about,
        &about,
        gmt(&edit["created_at"]).or(of.triggered),
        data,
    );
    Ok(())
}

/// A deleted order says no more than its id.
pub(super) fn deleted(of: &Of<'_>, facts: &mut Facts) -> Result<(), Misfit> {
    let id = needed(gid(&of.told.body["id"]), "the order's id")?;
    let about = format!("order/{id}");
    let at = of.triggered.map(stamp);
    facts.tell(
        EventKind::OrderCancelled,
        format!("order/{id}/cancelled"),
        &about,
        &about,
        of.triggered,
        json!({
            "order_ref": order_ref(Some(&id), None),
            "cancel": { "reason": "deleted", "cancelled_at": at },
        }),
    );
    Ok(())
}

/// What customers call the order: `#1042`.
fn number(body: &Json) -> Option<String> {
    text(&body["name"])
        .map(str::to_owned)
        .or_else(|| word(&body["order_number"]).map(|number| format!("#{number}")))
}

/// The amount of a `…_set` in the currency that the buyer saw; without it the plain field.
fn seen(body: &Json, set: &str, plain: &str, currency: &str) -> Option<i64> {
    set_in(&body[set], currency).or_else(|| minor(&body[plain], currency))
}

fn order(
    of: &Of<'_>,
    id: &str,
    placed: Option<Timestamp>,
    facts: &mut Facts,
) -> Result<Value, Misfit> {
    let body = of.told.body;
    let shop_currency = currency(&body["currency"]);
    let set = &body["total_price_set"];
    let told = currency(&body["presentment_currency"])
        .or_else(|| currency(&set["presentment_money"]["currency_code"]));
    // What the buyer saw; where no amount stands there, the shop's own.
    let candidates: Vec<&String> = told.iter().chain(&shop_currency).collect();
    needed(candidates.first(), "the order's currency")?;
    let paid = candidates.iter().find_map(|code| {
        let own = told.is_none() || shop_currency.as_ref() == Some(code);
        let shown = set_in(set, code);
        let plain = || minor(&body["total_price"], code).filter(|_| own || !set.is_object());
        Some((shown.or_else(plain)?, (*code).clone()))
    });
    let (total, shown) = needed(paid, "the order's total_price")?;
    let amount = |set: &str, plain: &str| {
        seen(body, set, plain, &shown).map_or(Value::Null, |amount| money(amount, &shown))
    };
    let shop_total = shop_currency.map_or(Value::Null, |own| {
        let set = &body["total_price_set"]["shop_money"]["amount"];
        match minor(set, &own).or_else(|| minor(&body["total_price"], &own)) {
            Some(amount) => money(amount, &own),
            None => Value::Null,
        }
    });
    let version = gmt(&body["updated_at"])
        .or_else(|| gmt(&body["created_at"]))
        .unwrap_or_else(|| of.happened());
    let lines: Vec<Value> = members(&body["line_items"])
        .filter_map(|one| facts.part(line(one, &shown, body)))
        .collect();
    let codes: Vec<&str> = list(&body["discount_codes"])
        .iter()
        .filter_map(|one| text(&one["code"]))
        .collect();
    let to = &body["shipping_address"];
    let ship_to = if to.is_object() {
        json!({
            "country": country(&to["country_code"]), "region": text(&to["province_code"]),
            "postal_code": text(&to["zip"]), "city": text(&to["city"]),
        })
    } else {
        Value::Null
    };
    let mut order = json!({
        "order_id": id,
        "order_number": number(body),
        "version": stamp(version),
        "placed_at": placed.map(stamp),
        "channel": text(&body["source_name"]),
        "currency": shown,
        "subtotal": amount("subtotal_price_set", "subtotal_price"),
        "discount": amount("total_discounts_set", "total_discounts"),
        "shipping": amount("total_shipping_price_set", ""),
        "tax": amount("total_tax_set", "total_tax"),
        "total": money(total, &shown),
        "shop_total": shop_total,
        "payment_status": text(&body["financial_status"]).unwrap_or("unknown"),
        "fulfilment_status": text(&body["fulfillment_status"]).unwrap_or("unfulfilled"),
        "status_url": text(&body["order_status_url"]),
        "tags": tags(&body["tags"]),
        "discount_codes": codes,
        "shipping_method": text(&body["shipping_lines"][0]["title"]),
        "ship_to": ship_to,
    });
    order["line_items"] = lines.into();
    Ok(order)
}

fn line(one: &Json, currency: &str, order: &Json) -> Result<Value, Misfit> {
    let id = needed(gid(&one["id"]), "the id of a line")?;
    let units = needed(quantity(&one["quantity"]), "the quantity of a line")?;
    let unit = seen(one, "price_set", "price", currency).unwrap_or(0);
    let discount = discount(one, currency);
    let ships = flag(&one["requires_shipping"]);
    let kind = match (flag(&one["gift_card"]), ships) {
        (Some(true), _) => "gift_card",
        (_, Some(true)) => "physical",
        (_, Some(false)) => "digital",
        (_, None) => "unknown",
    };
    let mut line = json!({
        "line_id": id,
        "product_id": gid(&one["product_id"]),
        "variant_id": gid(&one["variant_id"]),
        "sku": text(&one["sku"]),
        "title": text(&one["title"]).or_else(|| text(&one["name"])).unwrap_or_default(),
        "variant_title": text(&one["variant_title"]),
        "quantity": units,
        "current_quantity": quantity(&one["current_quantity"]).unwrap_or(units).min(units),
        "unit_price": money(unit, currency),
        "discount": money(discount, currency),
        "total": money(unit.saturating_mul(units).saturating_sub(discount), currency),
        "vendor": text(&one["vendor"]),
        "kind": kind,
        "requires_shipping": ships,
        "tags": [],
        "categories": [],
        "image_url": null,
        "product_url": null,
        "catalog_resolved": false,
        "properties": properties(&one["properties"]),
    });
    if let Some(group) = gid(&one["sales_line_item_group_id"])
        && let Some(kit) = list(&order["line_item_groups"])
            .iter()
            .find(|kit| gid(&kit["id"]).as_deref() == Some(&group))
    {
        line["bundle"] = json!({
            "sku": text(&kit["variant_sku"]), "product_id": gid(&kit["product_id"]),
            "title": text(&kit["title"]),
        });
    }
    Ok(line)
}

/// What was taken off a line, in the currency that the buyer saw.
fn discount(line: &Json, currency: &str) -> i64 {
    let allocations = list(&line["discount_allocations"]);
    if allocations.is_empty() {
        return seen(line, "total_discount_set", "total_discount", currency).unwrap_or(0);
    }
    let off = allocations
        .iter()
        .filter_map(|one| seen(one, "amount_set", "amount", currency));
    sum(off)
}

/// What the buyer chose or wrote at a line: `[{name, value}]`, or names and values plainly.
fn properties(all: &Json) -> Map<String, Value> {
    if all.is_object() {
        let plain = all.members().iter();
        return plain
            .filter_map(|(name, value)| Some((name.to_string(), word(value)?.into())))
            .collect();
    }
    list(all)
        .iter()
        .filter_map(|one| {
            let value = word(&one["value"])?;
            Some((text(&one["name"])?.to_owned(), value.into()))
        })
        .collect()
}

fn customer(body: &Json, created: Option<Timestamp>) -> Value {
    let who = &body["customer"];
    let billing = &body["billing_address"];
    let shipping = &body["shipping_address"];
    let first = text(&who["first_name"]).or_else(|| text(&billing["first_name"]));
    let last = text(&who["last_name"]).or_else(|| text(&billing["last_name"]));
    let email = address(&body["email"])
        .or_else(|| address(&who["email"]))
        .or_else(|| address(&body["contact_email"]));
    let place = [shipping, billing, &who["default_address"]]
        .into_iter()
        .find(|place| country(&place["country_code"]).is_some());
    let account = match text(&who["state"]) {
        Some("enabled") => "registered",
        _ => "guest",
    };
    let consent = match flag(&body["buyer_accepts_marketing"]) {
        Some(accepts) => json!({
            "channel": "email",
            "state": if accepts { "subscribed" } else { "not_subscribed" },
            "opt_in_level": "unknown",
            "basis": if accepts { "explicit" } else { "none" },
            "source": "shopify:orders.buyer_accepts_marketing",
            "updated_at": created.map(stamp),
        }),
        None => unknown_consent("shopify:not-in-payload"),
    };
    json!({
        "customer_id": gid(&who["id"]),
        "account": account,
        "email": email,
        "first_name": first,
        "last_name": last,
        "name": full_name(first, last),
        "phone": text(&body["phone"]).or_else(|| text(&who["phone"])),
        "locale": text(&body["customer_locale"]),
        "time_zone": null,
        "country": place.and_then(|place| country(&place["country_code"])),
        "region": place.and_then(|place| text(&place["province_code"])),
        "tags": tags(&who["tags"]),
        "marketing_consent": consent,
    })
}

/// The amount of a `…_set` in the currency that is asked for, whichever of its two that is.
pub(super) fn set_in(set: &Json, currency: &str) -> Option<i64> {
    ["presentment_money", "shop_money"]
        .iter()
        .map(|side| &set[*side])
        .filter(|money| {
            ["currency_code", "currency"]
                .iter()
                .filter_map(|name| text(&money[*name]))
                .any(|code| code.eq_ignore_ascii_case(currency))
        })
        .find_map(|money| minor(&money["amount"], currency))
}
