//! Medusa (v2): events name an order, or one of its parcels, and no more. A parcel alone
//! cannot be asked for, so it is looked for in the orders that changed last.

use super::{Interface, Trouble, text};
use crate::client::{Ask, segment};
use crate::model::time::Timestamp;
use serde_json::Value;

/// What an order has to be told with.
const FIELDS: &str = "*items,*customer,*shipping_address,*billing_address,*shipping_methods,\
    *fulfillments,*fulfillments.items,*fulfillments.labels,+payment_status,+fulfillment_status,\
    +item_subtotal,+discount_total,+shipping_total,+tax_total,+total,+metadata";
/// Orders among which a parcel is looked for: it was just changed, and so was its order.
const LOOKED_THROUGH: &str = "50";

/// The event with its order in it.
pub(super) async fn order(
    of: &Interface,
    delivery: &Value,
    now: Timestamp,
) -> Result<Value, Trouble> {
    let data = &delivery["data"];
    let topic = text(delivery, "event").or_else(|| text(delivery, "name"));
    let topic = topic.unwrap_or_default();
    let own = text(data, "id").unwrap_or_default();
    let named = text(data, "order_id").or_else(|| topic.starts_with("order.").then_some(own));
    let order = match named {
        Some(order) => {
            let ask = Ask::get(format!("/admin/orders/{}", segment(order))).query("fields", FIELDS);
            of.json(ask, now).await?["order"].take()
        }
        None if matches!(topic, "shipment.created" | "delivery.created") => {
            by_parcel(of, own, now).await?
        }
        None => {
            return Err(Trouble::Missing(format!(
                "{topic} names no order: have the subscriber send its order_id"
            )));
        }
    };
    if !order.is_object() {
        return Err(Trouble::odd("the answer holds no order"));
    }
    let mut whole = delivery.clone();
    whole["data"] = order;
    Ok(whole)
}

async fn by_parcel(of: &Interface, parcel: &str, now: Timestamp) -> Result<Value, Trouble> {
    let ask = Ask::get("/admin/orders")
        .query("fields", FIELDS)
        .query("limit", LOOKED_THROUGH)
        .query("order", "-updated_at");
    let found = of.json(ask, now).await?;
    let has = |order: &&Value| {
        let parcels = order["fulfillments"].as_array();
        parcels.is_some_and(|all| all.iter().any(|one| one["id"] == parcel))
    };
    let orders = found["orders"].as_array();
    orders
        .and_then(|all| all.iter().find(has))
        .cloned()
        .ok_or_else(|| {
            Trouble::Missing(
                "no order that changed lately has this parcel: have the subscriber send its order_id"
                    .to_owned(),
            )
        })
}
