//! Stripe: orders of Checkout, refunds, disputes, customers. The lines of an order are
//! not in its event; they stand beside it where they were asked for. Where somebody does
//! ask, an order waits for its lines: told without, it would start nothing about them. A session that is
//! completed may be unpaid, and is paid by a later event. Charges name no order: their
//! payment leads to it, by what the session told ([`super::Beside::orders`]) or later,
//! when the facts are joined.
//!
//! `charge.refunded` and `refund.created` tell of the same money: a shop wires one.

use super::super::json::Json;
use super::super::shape::{MAX_AMOUNT, Misfit};
use super::facts::{Facts, Shared, unknown_consent, via};
use super::loose::{
    address, country, currency, digits, flag, full_name, id, members, money, needed, quantity,
    text, whole,
};
use super::moment::{stamp, utc};
use super::{Heard, Told};
use crate::model::event::EventKind;
use crate::model::time::Timestamp;
use serde_json::{Value, json};

/// Currencies that Stripe counts otherwise than ISO 4217 has it: how many digits.
const OTHERWISE: &[(&str, u32)] = &[("ISK", 2), ("UGX", 2), ("MGA", 0)];
/// Locales of Checkout that are none.
const NO_LOCALE: &[&str] = &["auto"];

pub(super) fn map(told: &Told<'_>) -> Result<Heard, Misfit> {
    let body = told.body;
    let topic = needed(text(&body["type"]), "the event's type")?;
    let event = text(&body["id"]);
    let object = &body["data"]["object"];
    let at = utc(&body["created"]).unwrap_or(told.received);
    let via = via("stripe", topic, event, text(&body["api_version"]));
    let test = flag(&body["livemode"]) == Some(false);
    let account = text(&body["account"]);
    let mut facts = Facts::of(told.source.origin(account), via, test);
    match topic {
        "checkout.session.completed" | "checkout.session.async_payment_succeeded" => {
            if told.source.fetches
                && told.beside.line_items.is_none()
                && !object["line_items"].is_object()
                && text(&object["mode"]) != Some("setup")
            {
                let own = needed(id(&object["id"]), "the session's id")?;
                return Ok(Heard::thin(
                    topic,
                    event.map(str::to_owned),
                    &format!("session/{own}"),
                    &format!("/v1/checkout/sessions/{own}/line_items"),
                ));
            }
            session(told, object, topic, at, &mut facts)?;
        }
        // It was never an order, or is still an unpaid one.
        "checkout.session.expired" | "checkout.session.async_payment_failed" => {}
        "charge.refunded" => charge_refunded(told, object, at, &mut facts)?,
        "refund.created" => refund(told, object, at, &mut facts)?,
        "charge.dispute.created" | "charge.dispute.closed" => {
            dispute(told, object, topic, at, &mut facts)?;
        }
        "customer.created" | "customer.updated" => customer(object, at, &mut facts)?,
        _ => return Ok(Heard::unused(topic)),
    }
    Ok(Heard::facts(topic, event.map(str::to_owned), facts))
}

/// An amount as Stripe counts it, in minor units of ISO 4217.
fn amount(value: &Json, code: &str) -> Option<i64> {
    let counted = whole(value)?;
    let theirs = OTHERWISE
        .iter()
        .find(|(known, _)| *known == code)
        .map_or_else(|| digits(code), |(_, digits)| *digits);
    let ours = digits(code);
    let amount = if ours >= theirs {
        counted.checked_mul(10i64.checked_pow(ours - theirs)?)?
    } else {
        counted / 10i64.checked_pow(theirs - ours)?
    };
    (-MAX_AMOUNT..=MAX_AMOUNT)
        .contains(&amount)
        .then_some(amount)
}

fn price(value: &Json, code: &str) -> Value {
    amount(value, code).map_or(Value::Null, |amount| money(amount, code))
}

/// An id, where the object itself may stand in its place.
fn named(value: &Json) -> Option<String> {
    id(value).or_else(|| id(&value["id"]))
}

fn session(
    told: &Told<'_>,
    session: &Json,
    topic: &str,
    at: Timestamp,
    facts: &mut Facts,
) -> Result<(), Misfit> {
    let own = needed(id(&session["id"]), "the session's id")?;
    if matches!(text(&session["mode"]), Some("setup")) {
        // A card was kept for later; nothing was bought.
        return Ok(());
    }
    let order = id(&session["client_reference_id"]).unwrap_or_else(|| own.clone());
    // Before 2020 a session told its items alone, and was told when it was paid.
    let items = &session["display_items"];
    let code = currency(&session["currency"]).or_else(|| currency(&items[0]["currency"]));
    let code = needed(code, "the session's currency")?;
    let total = amount(&session["amount_total"], &code).or_else(|| of_items(items, &code));
    let total = needed(total, "the session's amount_total")?;
    let number = text(&session["metadata"]["order_number"])
        .map(str::to_owned)
        .or_else(|| id(&session["client_reference_id"]));
    let completed = topic == "checkout.session.completed";
    // A session without a price to pay is settled at once.
    let unsaid = if items.is_array() { "paid" } else { "unpaid" };
    let status = text(&session["payment_status"]).unwrap_or(unsaid);
    let paid = matches!(status, "paid" | "no_payment_required");
    let to = shipping(session);
    let mut aliases = vec![own];
    aliases.extend(named(&session["payment_intent"]));
    let lines = told.line_items.as_ref().unwrap_or(&session["line_items"]);
    let lines: Vec<Value> = members(&lines["data"])
        .filter_map(|one| facts.part(line(one, &code)))
        .collect();
    let totals = &session["total_details"];
    let address = &to["address"];
    let place = country(&address["country"]);
    let ship_to = place.as_ref().map(|country| {
        json!({
            "country": country, "region": text(&address["state"]),
            "postal_code": text(&address["postal_code"]), "city": text(&address["city"]),
        })
    });
    let base = Shared::of(json!({
        "order": {
            "order_id": order,
            "order_number": number,
            "version": stamp(at),
            "placed_at": completed.then(|| stamp(at)),
            "channel": "stripe_checkout",
            "currency": code,
            "subtotal": price(&session["amount_subtotal"], &code),
            "discount": price(&totals["amount_discount"], &code),
            "shipping": price(&totals["amount_shipping"], &code),
            "tax": price(&totals["amount_tax"], &code),
            "total": money(total, &code),
            "shop_total": null,
            "payment_status": if status == "no_payment_required" { "paid" } else { status },
            "fulfilment_status": "unknown",
            "status_url": null,
            "tags": [],
            "discount_codes": [],
            "shipping_method": null,
            "ship_to": ship_to,
            "line_items": lines,
            "aliases": aliases,
        },
        "customer": buyer(session, address, place.as_deref(), at),
    }));
    if completed {
        facts.of_order(EventKind::OrderPlaced, &order, Some(at), base.clone());
    }
    if paid {
        facts.of_order(EventKind::OrderPaid, &order, Some(at), base);
    }
    Ok(())
}

/// What the items of an old session come to: `[{amount, quantity}]`.
fn of_items(items: &Json, code: &str) -> Option<i64> {
    let each = |item: &Json| {
        let units = quantity(&item["quantity"]).unwrap_or(1);
        Some(amount(&item["amount"], code)?.saturating_mul(units))
    };
    let costs: Vec<i64> = members(items).map(each).collect::<Option<_>>()?;
    (!costs.is_empty()).then(|| super::loose::sum(costs.into_iter()))
}

/// Where it goes: where each version of the interface has it, else where the bill goes.
fn shipping<'j, 'b>(session: &'j Json<'b>) -> &'j Json<'b> {
    [
        &session["collected_information"]["shipping_details"],
        &session["shipping_details"],
        &session["shipping"],
    ]
    .into_iter()
    .find(|details| details["address"].is_object())
    .unwrap_or(&session["customer_details"])
}

fn buyer(session: &Json, to: &Json, country: Option<&str>, at: Timestamp) -> Value {
    let details = &session["customer_details"];
    let customer = named(&session["customer"]);
    let email = address(&details["email"]).or_else(|| address(&session["customer_email"]));
    let consent = match text(&session["consent"]["promotions"]) {
        Some(word @ ("opt_in" | "opt_out")) => json!({
            "channel": "email",
            "state": if word == "opt_in" { "subscribed" } else { "not_subscribed" },
            "opt_in_level": "single_opt_in",
            "basis": "explicit",
            "source": "stripe:checkout.session.consent.promotions",
            "updated_at": stamp(at),
        }),
        _ => unknown_consent("stripe:checkout.session.consent.promotions"),
    };
    json!({
        "customer_id": customer,
        "account": if customer.is_some() { "registered" } else { "guest" },
        "email": email,
        "first_name": null,
        "last_name": null,
        "name": text(&details["name"]).or_else(|| text(&details["individual_name"])),
        "phone": text(&details["phone"]),
        "locale": text(&session["locale"]).filter(|locale| !NO_LOCALE.contains(locale)),
        "time_zone": null,
        "country": country,
        "region": text(&to["state"]),
        "tags": [],
        "marketing_consent": consent,
    })
}

fn line(one: &Json, code: &str) -> Result<Value, Misfit> {
    let line = needed(id(&one["id"]), "the id of a line")?;
    let units = needed(quantity(&one["quantity"]), "the quantity of a line")?;
    let cost = &one["price"];
    let unit = amount(&cost["unit_amount"], code);
    let total =
        amount(&one["amount_total"], code).or_else(|| unit.map(|unit| unit.saturating_mul(units)));
    let total = needed(total, "the total of a line")?;
    let before = amount(&one["amount_subtotal"], code).unwrap_or(total);
    let unit = unit.unwrap_or_else(|| super::loose::each(before, units));
    // The product may stand there whole, where it was asked for so.
    let product = &cost["product"];
    let said = |name: &str| text(&cost["metadata"][name]).or(text(&product["metadata"][name]));
    Ok(json!({
        "line_id": line,
        "product_id": named(product),
        "variant_id": named(cost),
        "sku": said("sku"),
        "title": text(&one["description"]).or_else(|| text(&product["name"])).unwrap_or_default(),
        "variant_title": null,
        "quantity": units,
        "current_quantity": units,
        "unit_price": money(unit, code),
        "discount": price(&one["amount_discount"], code),
        "total": money(total, code),
        "vendor": null,
        "kind": "unknown",
        "requires_shipping": null,
        "tags": said("tags").map(|text| super::loose::tags(&text.into())).unwrap_or_default(),
        "categories": [],
        "image_url": text(&product["images"][0]),
        "product_url": text(&product["url"]),
        "catalog_resolved": false,
        "properties": {},
    }))
}

/// The order of a payment and a charge, and what to handle in one line.
struct Ordered {
    reference: Value,
    about: String,
}

fn ordered(told: &Told<'_>, charge: Option<String>, object: &Json) -> Ordered {
    let payment = named(&object["payment_intent"]);
    let aliases: Vec<&String> = payment.iter().chain(&charge).collect();
    let said = ["order_id", "order"]
        .iter()
        .find_map(|name| id(&object["metadata"][*name]));
    let order = said.or_else(|| {
        let known = &told.beside.orders;
        aliases
            .iter()
            .find_map(|alias| known.get(alias.as_str()).cloned())
    });
    let about = match (&order, aliases.first()) {
        (Some(order), _) => format!("order/{order}"),
        (None, Some(alias)) => format!("order/{alias}"),
        (None, None) => format!("order/{}", named(object).unwrap_or_default()),
    };
    Ordered {
        reference: json!({
            "order_id": order, "order_number": text(&object["metadata"]["order_number"]),
            "aliases": aliases,
        }),
        about,
    }
}

/// What was refunded of a charge is a running total: the step to it is the refund.
fn charge_refunded(
    told: &Told<'_>,
    charge: &Json,
    at: Timestamp,
    facts: &mut Facts,
) -> Result<(), Misfit> {
    let own = needed(id(&charge["id"]), "the charge's id")?;
    let code = needed(currency(&charge["currency"]), "the charge's currency")?;
    let refunded = needed(
        amount(&charge["amount_refunded"], &code),
        "the charge's amount_refunded",
    )?;
    if refunded == 0 {
        // Nothing went back.
        return Ok(());
    }
    let before = amount(
        &told.body["data"]["previous_attributes"]["amount_refunded"],
        &code,
    )
    .unwrap_or(0);
    let counted = needed(whole(&charge["amount_refunded"]), "amount_refunded")?;
    let refund = format!("{own}/{counted}");
    let of = ordered(told, Some(own), charge);
    let full = flag(&charge["refunded"]) == Some(true);
    facts.tell(
        EventKind::RefundIssued,
        format!("refund/{refund}"),
        &of.about,
        &of.about,
        Some(at),
        json!({
            "order_ref": of.reference,
            "refund": {
                "refund_id": refund,
                "amount": money(refunded.saturating_sub(before), &code),
                "refunded_total": money(refunded, &code),
                "scope": if full { "full" } else { "partial" },
                "reason": null,
                "items": [],
                "return_id": null,
            },
        }),
    );
    Ok(())
}

fn refund(told: &Told<'_>, object: &Json, at: Timestamp, facts: &mut Facts) -> Result<(), Misfit> {
    if matches!(text(&object["status"]), Some("failed" | "canceled")) {
        return Ok(());
    }
    let own = needed(id(&object["id"]), "the refund's id")?;
    let code = needed(currency(&object["currency"]), "the refund's currency")?;
    let back = needed(amount(&object["amount"], &code), "the refund's amount")?;
    let of = ordered(told, named(&object["charge"]), object);
    facts.tell(
        EventKind::RefundIssued,
        format!("refund/{own}"),
        &of.about,
        &of.about,
        Some(utc(&object["created"]).unwrap_or(at)),
        json!({
            "order_ref": of.reference,
            "refund": {
                "refund_id": own, "amount": money(back, &code), "scope": "unknown",
                "reason": text(&object["reason"]), "items": [], "return_id": null,
            },
        }),
    );
    Ok(())
}

fn dispute(
    told: &Told<'_>,
    object: &Json,
    topic: &str,
    at: Timestamp,
    facts: &mut Facts,
) -> Result<(), Misfit> {
    let own = needed(id(&object["id"]), "the dispute's id")?;
    let code = currency(&object["currency"]);
    let contested = code.map(|code| price(&object["amount"], &code));
    let of = ordered(told, named(&object["charge"]), object);
    let mut dispute = json!({
        "dispute_id": own, "reason": text(&object["reason"]), "amount": contested,
    });
    let opened = utc(&object["created"]).unwrap_or(at);
    facts.tell(
        EventKind::DisputeOpened,
        format!("dispute/{own}/opened"),
        &of.about,
        &of.about,
        Some(opened),
        json!({ "order_ref": of.reference, "dispute": dispute }),
    );
    if topic == "charge.dispute.closed" {
        dispute["outcome"] = match text(&object["status"]) {
            Some("won" | "warning_closed") => "won".into(),
            Some("lost") => "lost".into(),
            other => other.into(),
        };
        facts.tell(
            EventKind::DisputeClosed,
            format!("dispute/{own}/closed"),
            &of.about,
            &of.about,
            Some(at),
            json!({ "order_ref": of.reference, "dispute": dispute }),
        );
    }
    Ok(())
}

fn customer(object: &Json, at: Timestamp, facts: &mut Facts) -> Result<(), Misfit> {
    let own = needed(id(&object["id"]), "the customer's id")?;
    let to = [&object["shipping"]["address"], &object["address"]]
        .into_iter()
        .find(|address| country(&address["country"]).is_some());
    let name = text(&object["name"]).or_else(|| text(&object["individual_name"]));
    let record = json!({
        "customer_id": own,
        "account": "registered",
        "email": address(&object["email"]),
        "first_name": null,
        "last_name": null,
        "name": full_name(name, None),
        "phone": text(&object["phone"]),
        "locale": text(&object["preferred_locales"][0]),
        "time_zone": null,
        "country": to.and_then(|to| country(&to["country"])),
        "region": to.and_then(|to| text(&to["state"])),
        "tags": [],
        "marketing_consent": unknown_consent("stripe:not-in-payload"),
    });
    facts.of_customer(&own, at, record);
    Ok(())
}
