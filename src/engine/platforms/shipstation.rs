//! ShipStation's older interface: a delivery holds an address to look at. It is looked at
//! on the host that configuration names, whatever the delivery says.

use super::{Interface, Trouble};
use crate::client::Ask;
use crate::model::time::Timestamp;
use serde_json::Value;
use url::Url;

/// Most pages of one delivery's parcels.
const MAX_PAGES: u64 = 20;
/// Parcels of one page.
const PER_PAGE: &str = "100";

/// The delivery with its parcels in it.
pub(super) async fn parcels(
    of: &Interface,
    delivery: &Value,
    now: Timestamp,
) -> Result<Value, Trouble> {
    let url = delivery["resource_url"]
        .as_str()
        .and_then(|text| Url::parse(text).ok())
        .ok_or_else(|| Trouble::odd("resource_url is no address"))?;
    // Parcels that ShipStation made labels for, and those that only passed through it.
    let list = if url.path().contains("fulfillments") {
        "fulfillments"
    } else {
        "shipments"
    };
    let mut all: Vec<Value> = Vec::new();
    for number in 1..=MAX_PAGES {
        // Only its path and query count: ShipStation answers at several hosts.
        let mut ask = Ask::get(url.path());
        for (name, value) in url.query_pairs() {
            let own = ["includeshipmentitems", "page", "pagesize"];
            if !own.contains(&name.to_lowercase().as_str()) {
                ask = ask.query(name, value);
            }
        }
        let ask = ask
            .query("includeShipmentItems", "True")
            .query("pageSize", PER_PAGE)
            .query("page", number.to_string());
        let page = of.json(ask, now).await?;
        let Some(parcels) = page[list].as_array() else {
            return Err(Trouble::odd(format!("the answer holds no {list}")));
        };
        all.extend(parcels.iter().cloned());
        if page["pages"].as_u64().unwrap_or(1) <= number {
            break;
        }
    }
    let mut whole = delivery.clone();
    whole["shipments"] = Value::Array(all);
    Ok(whole)
}
