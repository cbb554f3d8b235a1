//! Shopify: orders by the older interface, whose order is the webhook's body to the
//! letter; products by GraphQL, where the older one leaves the category out, brought into
//! the shape of the webhook's body.

use super::poll::{Feed, Next, Page, Wanted, clock_of, read_page, set_aside};
use super::{Interface, Item, Trouble, text};
use crate::client::Ask;
use crate::ingest::adapters::Headers;
use crate::model::time::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;
use url::Url;

/// Orders of one page.
const ORDERS: &str = "50";
/// Products of one page.
const PRODUCTS: u32 = 50;
/// Between two pages: Shopify gives back two questions a second.
const PAUSE: Duration = Duration::from_millis(600);
/// The same once most of what may be asked at once is used up.
const LONG_PAUSE: Duration = Duration::from_secs(10);
/// From which part of it on, in percent.
const MUCH: u64 = 70;
/// How long to wait where GraphQL says that too much was asked.
const THROTTLED: Duration = Duration::from_secs(10);

const QUERY: &str = "query($first: Int!, $after: String, $query: String) {
  products(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {
    pageInfo { hasNextPage endCursor }
    nodes {
      legacyResourceId title handle vendor productType tags status updatedAt
      category { fullName }
      featuredMedia { preview { image { url } } }
      variants(first: 100) { nodes { legacyResourceId sku title price } }
    }
  }
}";

pub(super) async fn page(of: &Interface, wanted: &Wanted<'_>) -> Result<Page, Trouble> {
    match wanted.feed {
        Feed::Products => products(of, wanted).await,
        Feed::Orders | Feed::Events => orders(of, wanted).await,
    }
}

async fn orders(of: &Interface, wanted: &Wanted<'_>) -> Result<Page, Trouble> {
    let ask = match wanted.next {
        Next::Url(url) => Ask::follow(url),
        Next::First | Next::After(_) | Next::At { .. } => {
            let ask = Ask::get(format!("/admin/api/{}/orders.json", of.version()))
                .query("status", "any")
                .query("limit", ORDERS)
                .query("order", "updated_at asc");
            match wanted.from {
                Some(from) => ask.query("updated_at_min", from.to_string()),
                None => ask,
            }
        }
    };
    let answer = of.ask(ask, wanted.now).await?;
    let pause = match answer.header("x-shopify-shop-api-call-limit") {
        Some(used) if is_much(used) => LONG_PAUSE,
        _ => PAUSE,
    };
    let next = answer.next_page().map(|url| Next::Url(url.to_owned()));
    let clock = clock_of(&answer);
    let topic = "orders/updated";
    let body = match read_page(&answer, wanted, || headers(of, topic))? {
        Ok(body) => body,
        Err(unreadable) => {
            return Ok(Page {
                items: vec![unreadable],
                next,
                clock,
                pause,
                trouble: set_aside(wanted.feed),
            });
        }
    };
    let Some(orders) = body["orders"].as_array() else {
        return Err(Trouble::odd("the answer holds no orders"));
    };
    Ok(Page {
        items: orders.iter().map(|order| item(of, topic, order)).collect(),
        next,
        clock,
        pause,
        trouble: None,
    })
}

/// `32/40`: asked of what may be asked at once.
fn is_much(used: &str) -> bool {
    let Some((used, all)) = used.split_once('/') else {
        return false;
    };
    match (used.trim().parse::<u64>(), all.trim().parse::<u64>()) {
        (Ok(used), Ok(all)) => used.saturating_mul(100) >= all.saturating_mul(MUCH),
        _ => false,
    }
}

/// The headers of a webhook of a topic.
fn headers(of: &Interface, topic: &str) -> Headers {
    let shop = Url::parse(&of.place())
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned));
    Headers::new([
        ("x-shopify-topic".to_owned(), topic.to_owned()),
        ("x-shopify-shop-domain".to_owned(), shop.unwrap_or_default()),
        ("x-shopify-api-version".to_owned(), of.version().to_owned()),
    ])
}

/// As the webhook of a topic would bring it.
fn item(of: &Interface, topic: &str, body: &Value) -> Item {
    let at = text(body, "updated_at");
    Item {
        key: format!("{}@{}", body["id"], at.unwrap_or_default()),
        changed: at.and_then(instant),
        headers: headers(of, topic),
        body: body.to_string().into_bytes(),
        cheap: None,
    }
}

fn instant(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

async fn products(of: &Interface, wanted: &Wanted<'_>) -> Result<Page, Trouble> {
    let after = match wanted.next {
        Next::After(cursor) => Some(cursor.as_str()),
        Next::First | Next::Url(_) | Next::At { .. } => None,
    };
    let query = wanted.from.map(|from| format!("updated_at:>='{from}'"));
    let ask = Ask::post(format!("/admin/api/{}/graphql.json", of.version())).json(&json!({
        "query": QUERY,
        "variables": { "first": PRODUCTS, "after": after, "query": query },
    }));
    let answer = of.ask(ask, wanted.now).await?;
    let clock = clock_of(&answer);
    let body = answer.json()?;
    if let Some(error) = body["errors"].as_array().and_then(|all| all.first()) {
        return Err(match error["extensions"]["code"].as_str() {
            Some("THROTTLED") => Trouble::Later {
                after: Some(THROTTLED),
                because: "the platform is asked too much".to_owned(),
            },
            Some("ACCESS_DENIED") => {
                Trouble::Refused("the token may not read products (read_products)".to_owned())
            }
            _ => Trouble::odd("the platform does not understand the question"),
        });
    }
    let all = &body["data"]["products"];
    let Some(nodes) = all["nodes"].as_array() else {
        return Err(Trouble::odd("the answer holds no products"));
    };
    let items = nodes
        .iter()
        .map(|node| item(of, "products/update", &product(node)))
        .collect();
    let info = &all["pageInfo"];
    let next = match (info["hasNextPage"].as_bool(), info["endCursor"].as_str()) {
        (Some(true), Some(cursor)) => Some(Next::After(cursor.to_owned())),
        _ => None,
    };
    Ok(Page {
        items,
        next,
        clock,
        pause: PAUSE,
        trouble: None,
    })
}

/// A product in the shape of the webhook's body.
fn product(node: &Value) -> Value {
    let variants: Vec<Value> = node["variants"]["nodes"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| {
            json!({
                "id": one["legacyResourceId"], "sku": one["sku"], "title": one["title"],
                "price": one["price"],
            })
        })
        .collect();
    let tags: Vec<&str> = node["tags"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let image = &node["featuredMedia"]["preview"]["image"]["url"];
    json!({
        "id": node["legacyResourceId"],
        "title": node["title"],
        "handle": node["handle"],
        "vendor": node["vendor"],
        "product_type": node["productType"],
        "tags": tags.join(", "),
        "status": node["status"].as_str().map(str::to_lowercase),
        "updated_at": node["updatedAt"],
        "category": { "full_name": node["category"]["fullName"] },
        "image": { "src": image },
        "variants": variants,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_that_is_used_up_is_read() {
        for (used, expected) in [
            ("1/40", false),
            ("28/40", true),
            ("39/40", true),
            ("x", false),
            ("4/", false),
        ] {
            assert_eq!(is_much(used), expected, "{used}");
        }
    }
}
