//! Shopify: `orders/*`, fulfilments and their events, refunds, returns, disputes,
//! customers, consent, products and the privacy topics. What "fulfilled" means there is
//! "handed to the carrier"; what the API versions left out over the years may be absent.
//!
//! `X-Shopify-Event-Id` is shared by deliveries of several topics and is no key.

mod after;
mod order;
mod parcel;
mod people;
mod product;

use super::super::shape::Misfit;
use super::facts::{Facts, via};
use super::loose::flag;
use super::moment::utc_text;
use super::{Heard, Told, body_hash};
use crate::model::time::Timestamp;

pub(super) fn map(told: &Told<'_>) -> Result<Heard, Misfit> {
    let header = |name: &str| {
        let name = format!("shopify-{name}");
        let old = format!("x-{name}");
        told.headers.one(&old).or_else(|| told.headers.one(&name))
    };
    let Some(topic) = header("topic") else {
        return Err(Misfit::new(
            "missing",
            "the header X-Shopify-Topic is missing, or stands there twice",
        ));
    };
    let delivery = header("webhook-id");
    let shop = header("shop-domain").map(str::to_ascii_lowercase);
    let tested = header("test").is_some_and(|text| text.eq_ignore_ascii_case("true"));
    let body = told.body;
    let mut facts = Facts::of(
        told.source.origin(shop.as_deref()),
        via("shopify", topic, delivery, header("api-version")),
        tested || flag(&body["test"]).unwrap_or(false),
    );
    let of = Of {
        told,
        shop: shop.as_deref(),
        topic,
        triggered: header("triggered-at").and_then(utc_text),
    };
    let facts_of = &mut facts;
    match topic {
        "orders/create"
        | "orders/updated"
        | "orders/paid"
        | "orders/cancelled"
        | "orders/fulfilled"
        | "orders/partially_fulfilled" => order::snapshot(&of, facts_of)?,
        "orders/edited" => order::edited(&of, facts_of)?,
        "orders/delete" => order::deleted(&of, facts_of)?,
        "fulfillments/create" | "fulfillments/update" => parcel::fulfilment(&of, facts_of)?,
        "fulfillment_events/create" => parcel::event(&of, facts_of)?,
        "refunds/create" => after::refunded(&of, facts_of)?,
        "returns/request" | "returns/approve" | "returns/decline" | "returns/cancel"
        | "returns/close" | "returns/reopen" => after::returned(&of, facts_of)?,
        "reverse_deliveries/attach_deliverable" => after::on_its_way_back(&of, facts_of)?,
        "disputes/create" | "disputes/update" => after::disputed(&of, facts_of)?,
        "customers/create" | "customers/update" | "customers/enable" | "customers/disable" => {
            people::updated(&of, facts_of)?;
        }
        "customers_email_marketing_consent/update" => people::consented(&of, "email", facts_of)?,
        "customers_marketing_consent/update" => people::consented(&of, "sms", facts_of)?,
        "customers/merge" => people::merged(&of, facts_of)?,
        "customers/data_request" => people::asks_for_data(&of, facts_of)?,
        "customers/redact" => people::forget(&of, facts_of)?,
        "shop/redact" => people::forget_shop(&of, facts_of)?,
        "products/create" | "products/update" => product::updated(&of, facts_of)?,
        _ => return Ok(Heard::unused(topic)),
    }
    let key = match delivery {
        Some(id) => id.to_owned(),
        None => body_hash(topic, told.raw),
    };
    Ok(Heard::facts(topic, Some(key), facts))
}

/// A delivery of Shopify's.
struct Of<'t> {
    told: &'t Told<'t>,
    shop: Option<&'t str>,
    topic: &'t str,
    /// When what it tells happened, by a header that is not signed.
    triggered: Option<Timestamp>,
}

impl Of<'_> {
    /// When what it tells happened, where the body does not say.
    fn happened(&self) -> Timestamp {
        self.triggered.unwrap_or(self.told.received)
    }
}
