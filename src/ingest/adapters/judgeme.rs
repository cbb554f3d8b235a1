//! Judge.me: a review was written, published, changed or taken down. All of them attest
//! that it was written; its words are not taken over.

use super::super::shape::Misfit;
use super::facts::{Facts, customer_ref, via};
use super::loose::{address, flag, id, needed, text, whole};
use super::moment::{gmt, stamp};
use super::{Heard, Told};
use crate::model::event::EventKind;
use serde_json::json;

pub(super) fn map(told: &Told<'_>) -> Result<Heard, Misfit> {
    let body = told.body;
    // Some deliveries are the review itself.
    let bare = body["reviewer"].is_object() && body["review"].is_null();
    let topic = ["key", "event", "topic"]
        .iter()
        .find_map(|name| text(&body[*name]))
        .or(bare.then_some("review/updated"));
    let topic = needed(topic, "key")?;
    if !matches!(
        topic,
        "review/created" | "review/updated" | "review/published" | "review/unpublished"
    ) {
        return Ok(Heard::unused(topic));
    }
    let review = if bare { body } else { &body["review"] };
    let own = needed(id(&review["id"]), "review.id")?;
    let who = &review["reviewer"];
    let customer = id(&who["external_id"]);
    let email = address(&who["email"]);
    if customer.is_none() && email.is_none() {
        return Err(Misfit::new(
            "missing",
            "review.reviewer: neither external_id nor email says who wrote it",
        ));
    }
    let rating = whole(&review["rating"]).filter(|rating| (1..=5).contains(rating));
    let product = id(&review["product_external_id"]);
    let verified = match text(&review["verified"]) {
        Some(word) => Some(word.starts_with("verified") || word == "buyer"),
        None => flag(&review["verified"]),
    };
    let written = gmt(&review["created_at"]).unwrap_or(told.received);
    let shop = text(&body["shop_domain"]).map(str::to_lowercase);
    let about = format!("review/{own}");
    let line = match (&customer, email) {
        (Some(id), _) => format!("customer/{id}"),
        _ => about.clone(),
    };
    let mut facts = Facts::of(
        told.source.origin(shop.as_deref()),
        via("judgeme", topic, None, None),
        false,
    );
    facts.tell(
        EventKind::ReviewReceived,
        format!("review/{own}"),
        &about,
        &line,
        Some(written),
        json!({
            "review": {
                "review_id": own,
                "platform": "judgeme",
                "rating": rating,
                "kind": if product.is_some() { "product" } else { "store" },
                "verified": verified,
                "published": flag(&review["published"]),
                "product_id": product,
                "sku": null,
                "language": null,
            },
            "customer_ref": customer_ref(customer.as_deref(), email),
            "order_ref": null,
        }),
    );
    let updated = gmt(&review["updated_at"]).unwrap_or(written);
    let key = format!("{own}/{topic}@{}", stamp(updated));
    Ok(Heard::facts(topic, Some(key), facts))
}
