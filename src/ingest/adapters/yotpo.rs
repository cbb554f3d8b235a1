//! Yotpo: a review was written or changed. It does not sign; a token in the address
//! stands in for that. Old deliveries write every number as text.

use super::super::shape::Misfit;
use super::facts::{Facts, customer_ref, order_ref, via};
use super::loose::{address, flag, id, needed, text, whole};
use super::moment::{gmt, stamp};
use super::{Heard, Told};
use crate::model::event::EventKind;
use serde_json::{Value, json};

pub(super) fn map(told: &Told<'_>) -> Result<Heard, Misfit> {
    let body = told.body;
    let topic = text(&body["event"]).or_else(|| text(&body["event_name"]));
    let topic = needed(topic, "event")?;
    if !matches!(topic, "review_create" | "review_created" | "review_updated") {
        return Ok(Heard::unused(topic));
    }
    let data = &body["data"];
    let own = needed(
        id(&data["id"]).or_else(|| id(&data["review_id"])),
        "data.id",
    )?;
    let email = address(&data["customer_email"])
        .or_else(|| address(&data["email"]))
        .or_else(|| address(&data["customer"]["email"]));
    let order = id(&data["order"]["external_id"]).or_else(|| id(&data["external_order_id"]));
    if email.is_none() && order.is_none() {
        return Err(Misfit::new(
            "missing",
            "data: neither customer_email nor external_order_id says whose review it is",
        ));
    }
    let product = id(&data["external_product_id"]).or_else(|| id(&data["product"]["external_id"]));
    let rating = whole(&data["score"]).filter(|rating| (1..=5).contains(rating));
    let at = gmt(&data["created_at"])
        .or_else(|| gmt(&body["created_at"]))
        .unwrap_or(told.received);
    let updated = gmt(&data["updated_at"]).unwrap_or(at);
    let about = format!("review/{own}");
    let mut facts = Facts::of(
        told.source.origin(None),
        via("yotpo", topic, None, None),
        false,
    );
    facts.tell(
        EventKind::ReviewReceived,
        format!("review/{own}"),
        &about,
        &about,
        Some(at),
        json!({
            "review": {
                "review_id": own,
                "platform": "yotpo",
                "rating": rating,
                "kind": if product.is_some() { "product" } else { "store" },
                "verified": flag(&data["verified_buyer"]),
                "product_id": product,
            },
            "customer_ref": customer_ref(None, email),
            "order_ref": order.map_or(Value::Null, |order| order_ref(Some(&order), None)),
        }),
    );
    let key = format!("{own}/{topic}@{}", stamp(updated));
    Ok(Heard::facts(topic, Some(key), facts))
}
