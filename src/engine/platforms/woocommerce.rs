//! WooCommerce: orders and products by the interface whose JSON its webhooks send.
//!
//! Pages are numbered there, and what changes meanwhile moves to the end: then the next
//! page would begin one too late. So each page begins where the last one ended in time,
//! and numbers count only where a whole page changed within one second, or where a site
//! does not sort.

use super::poll::{Feed, Next, Page, Wanted, clock_of, read_page, set_aside};
use super::{Interface, Item, Trouble, text};
use crate::client::Ask;
use crate::ingest::adapters::Headers;
use crate::model::time::{self, Timestamp};
use jiff::SignedDuration;
use serde_json::Value;
use std::time::Duration;

/// What one page holds.
const PER_PAGE: u32 = 50;
/// Between two pages: the shop itself has to make them.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn page(of: &Interface, wanted: &Wanted<'_>) -> Result<Page, Trouble> {
    let (list, topic) = match wanted.feed {
        Feed::Products => ("products", "product.updated"),
        Feed::Orders | Feed::Events => ("orders", "order.updated"),
    };
    let (from, number) = match wanted.next {
        Next::At { from, page } => (*from, *page),
        Next::First | Next::Url(_) | Next::After(_) => (wanted.from, 1),
    };
    let mut ask = Ask::get(format!("/wp-json/wc/v3/{list}"))
        .query("per_page", PER_PAGE.to_string())
        .query("page", number.to_string())
        .query("orderby", "modified")
        .query("order", "asc");
    if let Some(from) = from {
        // It means later than, and knows whole seconds.
        let before = time::saturating_add(from, SignedDuration::from_secs(-1));
        ask = ask
            .query("modified_after", seconds(before))
            .query("dates_are_gmt", "true");
    }
    let answer = of.ask(ask, wanted.now).await?;
    let pages: Option<u32> = answer
        .header("x-wp-totalpages")
        .and_then(|text| text.trim().parse().ok());
    let clock = clock_of(&answer);
    let body = match read_page(&answer, wanted, || headers(of, topic))? {
        Ok(body) => body,
        Err(unreadable) => {
            let next = Next::At {
                from,
                page: number + 1,
            };
            return Ok(Page {
                items: vec![unreadable],
                next: pages.is_some_and(|pages| number < pages).then_some(next),
                clock,
                pause: PAUSE,
                trouble: set_aside(wanted.feed),
            });
        }
    };
    let Some(all) = body.as_array() else {
        return Err(Trouble::odd(format!("the answer holds no {list}")));
    };
    let items: Vec<Item> = all.iter().map(|one| item(of, topic, one)).collect();
    let is_more = match pages {
        Some(pages) => number < pages,
        None => all.len() >= PER_PAGE as usize,
    };
    Ok(Page {
        next: (is_more && !all.is_empty()).then(|| after(&items, from, number)),
        items,
        clock,
        pause: PAUSE,
        trouble: None,
    })
}

/// Where the page after this one begins.
pub(super) fn after(items: &[Item], from: Option<Timestamp>, number: u32) -> Next {
    let changed: Option<Vec<Timestamp>> = items.iter().map(|item| item.changed).collect();
    let last = changed
        .filter(|changed| changed.is_sorted())
        .and_then(|changed| changed.last().copied());
    match last {
        Some(last) if from.is_none_or(|from| last > from) => Next::At {
            from: Some(last),
            page: 1,
        },
        _ => Next::At {
            from,
            page: number + 1,
        },
    }
}

/// The headers of a webhook of a topic.
fn headers(of: &Interface, topic: &str) -> Headers {
    Headers::new([
        ("x-wc-webhook-topic".to_owned(), topic.to_owned()),
        ("x-wc-webhook-source".to_owned(), format!("{}/", of.place())),
    ])
}

/// As the webhook of a topic would bring it.
fn item(of: &Interface, topic: &str, body: &Value) -> Item {
    let at = text(body, "date_modified_gmt");
    Item {
        key: format!("{}@{}", body["id"], at.unwrap_or_default()),
        changed: at.and_then(|at| format!("{at}Z").parse().ok()),
        headers: headers(of, topic),
        body: body.to_string().into_bytes(),
        cheap: None,
    }
}

/// In UTC, to the second, without saying so.
fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}
