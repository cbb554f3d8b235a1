//! commercetools: a message that somebody paid, or one that was too large for its broker,
//! holds no order; here it is fetched.

use super::{Interface, Trouble};
use crate::client::{Ask, segment};
use crate::model::time::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// The message that is told by the whole order beside it.
const SNAPSHOT: &str = "OrderPaymentStateChanged";

/// The message that a delivery holds, whatever it is wrapped in.
fn message(delivery: &Value) -> Option<Value> {
    let inner = match delivery["message"]["data"].as_str() {
        Some(wrapped) => serde_json::from_slice(&STANDARD.decode(wrapped).ok()?).ok()?,
        None => delivery.clone(),
    };
    Some(if inner["specversion"].is_string() {
        inner["data"].clone()
    } else {
        inner
    })
}

/// The message with its order in it.
pub(super) async fn order(
    of: &Interface,
    delivery: &Value,
    own: &str,
    now: Timestamp,
) -> Result<Value, Trouble> {
    let mut message =
        message(delivery).ok_or_else(|| Trouble::odd("the delivery holds no message"))?;
    let order = of
        .json(Ask::get(format!("/orders/{}", segment(own))), now)
        .await?;
    if !order.is_object() {
        return Err(Trouble::odd("the answer holds no order"));
    }
    if let Some(left_out) = message.as_object_mut()
        && left_out.remove("payloadNotIncluded").is_some()
    {
        // What it was about is in the order as it is now, like everything else.
        left_out.insert("type".to_owned(), SNAPSHOT.into());
    }
    message["order"] = order;
    Ok(message)
}
