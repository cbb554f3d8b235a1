//! Stripe: the events themselves, as its webhooks send them. They are listed newest
//! first, so a run walks back to where the last one began. And the lines of a session,
//! which no event holds.

use super::poll::{Next, Page, Wanted, clock_of};
use super::{Interface, Item, Trouble, text};
use crate::client::{Ask, segment};
use crate::ingest::adapters::Headers;
use crate::model::time::{Timestamp, to_ms};
use serde_json::{Value, json};
use std::time::Duration;

/// Events of one page.
const EVENTS: &str = "100";
/// Between two pages; Stripe allows much more.
const PAUSE: Duration = Duration::from_millis(250);
/// Lines of one page.
const LINES: &str = "100";
/// Most pages of lines of one session.
const MAX_PAGES: usize = 20;
/// The events that we have a use for.
const TYPES: &[&str] = &[
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "charge.refunded",
    "charge.dispute.created",
    "charge.dispute.closed",
    "customer.updated",
];

pub(super) async fn page(of: &Interface, wanted: &Wanted<'_>) -> Result<Page, Trouble> {
    let mut ask = Ask::get("/v1/events").query("limit", EVENTS);
    for kind in TYPES {
        ask = ask.query("types[]", *kind);
    }
    if let Some(from) = wanted.from {
        ask = ask.query("created[gte]", (to_ms(from).max(0) / 1000).to_string());
    }
    if let Next::After(last) = wanted.next {
        ask = ask.query("starting_after", last.as_str());
    }
    let answer = of.ask(ask, wanted.now).await?;
    let clock = clock_of(&answer);
    let body = answer.json()?;
    let Some(events) = body["data"].as_array() else {
        return Err(Trouble::odd("the answer holds no events"));
    };
    let items = events
        .iter()
        .map(|event| Item {
            key: text(event, "id").unwrap_or_default().to_owned(),
            changed: event["created"]
                .as_i64()
                .and_then(|seconds| Timestamp::from_second(seconds).ok()),
            headers: Headers::default(),
            body: event.to_string().into_bytes(),
            cheap: None,
        })
        .collect();
    let last = events.last().and_then(|event| text(event, "id"));
    let next = match (body["has_more"].as_bool(), last) {
        (Some(true), Some(last)) => Some(Next::After(last.to_owned())),
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

/// The lines of a session, all of them, as one list.
pub(super) async fn lines(of: &Interface, session: &str, now: Timestamp) -> Result<Value, Trouble> {
    let mut all: Vec<Value> = Vec::new();
    for _ in 0..MAX_PAGES {
        let path = format!("/v1/checkout/sessions/{}/line_items", segment(session));
        let mut ask = Ask::get(path)
            .query("limit", LINES)
            .query("expand[]", "data.price.product");
        if let Some(last) = all.last().and_then(|line| text(line, "id")) {
            ask = ask.query("starting_after", last);
        }
        let page = of.json(ask, now).await?;
        let Some(lines) = page["data"].as_array() else {
            return Err(Trouble::odd("the answer holds no lines"));
        };
        all.extend(lines.iter().cloned());
        if page["has_more"] != Value::Bool(true) || lines.is_empty() {
            break;
        }
    }
    Ok(json!({ "object": "list", "data": all }))
}
