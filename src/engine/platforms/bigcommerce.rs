//! BigCommerce: its deliveries are thin, and so is what a poll tells: that an order
//! changed, under the name of such a delivery. Both wait to be fetched, once for all that
//! was said of an order. Here are the list of what changed, and the order, whole.

use super::poll::{Next, Page, Wanted, clock_of};
use super::{Interface, Item, Trouble, text};
use crate::client::{Ask, segment};
use crate::ingest::adapters::Headers;
use crate::model::time::{self, Timestamp};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::time::Duration;

/// Orders of one page.
const PER_PAGE: u32 = 50;
/// Between two pages.
const PAUSE: Duration = Duration::from_millis(500);
/// The same once few questions are left in this window.
const LONG_PAUSE: Duration = Duration::from_secs(10);
/// How few that is.
const FEW: u64 = 30;
/// Lines and parcels of one page of a part of an order, the most that may be asked for.
const PART: &str = "250";

pub(super) async fn page(of: &Interface, wanted: &Wanted<'_>) -> Result<Page, Trouble> {
    let (from, number) = match wanted.next {
        Next::At { from, page } => (*from, *page),
        Next::First | Next::Url(_) | Next::After(_) => (wanted.from, 1),
    };
    let mut ask = Ask::get("/v2/orders")
        .query("limit", PER_PAGE.to_string())
        .query("page", number.to_string())
        .query("sort", "date_modified:asc");
    if let Some(from) = from {
        let from = time::saturating_add(from, SignedDuration::from_secs(-1));
        ask = ask.query("min_date_modified", from.to_string());
    }
    let answer = of.ask(ask, wanted.now).await?;
    let clock = clock_of(&answer);
    let left = answer
        .header("x-rate-limit-requests-left")
        .and_then(|text| text.trim().parse::<u64>().ok());
    let pause = if left.is_some_and(|left| left < FEW) {
        LONG_PAUSE
    } else {
        PAUSE
    };
    // Nothing is said with 204 and no body.
    let body = if answer.body().is_empty() {
        Value::Array(Vec::new())
    } else {
        answer.json()?
    };
    let Some(orders) = body.as_array() else {
        return Err(Trouble::odd("the answer holds no orders"));
    };
    let items: Vec<Item> = orders.iter().map(|order| item(of, order)).collect();
    let next = (orders.len() >= PER_PAGE as usize)
        .then(|| super::woocommerce::after(&items, from, number));
    Ok(Page {
        items,
        next,
        clock,
        pause,
        trouble: None,
    })
}

/// That an order changed, as a delivery would say it.
fn item(of: &Interface, order: &Value) -> Item {
    let at = text(order, "date_modified");
    let own = order["id"].to_string();
    Item {
        key: format!("{own}@{}", at.unwrap_or_default()),
        changed: at.and_then(mailed),
        headers: Headers::default(),
        body: thin(of, &order["id"]).to_string().into_bytes(),
        cheap: Some(format!("order/{}/placed", own.trim_matches('"'))),
    }
}

/// Dates here are written as mails have them.
fn mailed(text: &str) -> Option<Timestamp> {
    let at = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(at.timestamp())
}

/// `stores/HASH`, as deliveries name the shop.
pub(super) fn producer(of: &Interface) -> Option<String> {
    let place = of.place();
    let (_, hash) = place.rsplit_once("/stores/")?;
    Some(format!("stores/{hash}"))
}

fn thin(of: &Interface, order: &Value) -> Value {
    json!({
        "scope": "store/order/updated",
        "producer": producer(of),
        "data": { "type": "order", "id": order },
    })
}

/// A thin delivery with the order in it, whole: the order itself, its lines, where they
/// go, its parcels and its coupons.
pub(super) async fn order(
    of: &Interface,
    delivery: &Value,
    own: &str,
    now: Timestamp,
) -> Result<Value, Trouble> {
    let place = format!("/v2/orders/{}", segment(own));
    let mut order = of.json(Ask::get(place.as_str()), now).await?;
    if !order.is_object() {
        return Err(Trouble::Missing(
            "the platform says nothing of this order".to_owned(),
        ));
    }
    for (part, name) in [
        ("products", "products"),
        ("shippingaddresses", "shipping_addresses"),
        ("shipments", "shipments"),
        ("coupons", "coupons"),
    ] {
        let ask = Ask::get(format!("{place}/{part}")).query("limit", PART);
        // An order without any is answered 404 by some of these.
        let found = match of.json(ask, now).await {
            Ok(Value::Null) | Err(Trouble::Missing(_)) => Value::Array(Vec::new()),
            other => other?,
        };
        order[name] = found;
    }
    let mut whole = thin(of, &order["id"]);
    if delivery["producer"].is_string() {
        whole["producer"] = delivery["producer"].clone();
    }
    whole["data"]["order"] = order;
    Ok(whole)
}

/// A thin delivery with the customer in it.
pub(super) async fn customer(
    of: &Interface,
    delivery: &Value,
    own: &str,
    now: Timestamp,
) -> Result<Value, Trouble> {
    let ask = Ask::get("/v3/customers")
        .query("id:in", own)
        .query("include", "addresses");
    let found = of.json(ask, now).await?;
    let Some(customer) = found["data"].as_array().and_then(|all| all.first()) else {
        return Err(Trouble::Missing(
            "the platform says nothing of this customer".to_owned(),
        ));
    };
    let mut whole = delivery.clone();
    whole["data"]["customer"] = customer.clone();
    Ok(whole)
}
