//! WooCommerce, by its REST API: one webhook a topic, each with our secret. It never tells
//! which secret a webhook has, so what is there is given ours again.

use super::{Change, MAX_PAGES, There, Wanted, ask, list as each, sent, text};
use crate::cli::exit::out_of_reach;
use crate::client::{Ask, Client, segment};
use crate::config::Secret;
use serde_json::{Value, json};

const PATH: &str = "/wp-json/wc/v3/webhooks";
/// Webhooks on one page.
const PAGE: usize = 100;

pub(super) async fn list(client: &Client) -> anyhow::Result<Vec<There>> {
    let mut all = Vec::new();
    for page in 1..=MAX_PAGES {
        let question = Ask::get(PATH)
            .query("per_page", PAGE.to_string())
            .query("page", page.to_string());
        let answer = sent(client, question).await?;
        let body = answer.json().map_err(|error| {
            out_of_reach(format!(
                "{}: {error}\nhint: is --account where wp-json answers?",
                client.host()
            ))
        })?;
        let before = all.len();
        all.extend(each(&body).map(|one| There {
            id: text(&one["id"]),
            topics: vec![text(&one["topic"])],
            url: text(&one["delivery_url"]),
            active: one["status"].as_str() == Some("active"),
            ours: false,
        }));
        if all.len() - before < PAGE {
            break;
        }
    }
    Ok(all)
}

pub(super) async fn change(
    client: &Client,
    wanted: &Wanted<'_>,
    change: &Change,
) -> anyhow::Result<Option<Secret>> {
    let secret = wanted.secret.as_ref().map(Secret::reveal);
    let body = |topic: Option<&String>| -> Value {
        let mut body = json!({
            "name": format!("aftercare {}", wanted.name),
            "status": "active",
            "delivery_url": wanted.url,
            "secret": secret,
        });
        if let Some(topic) = topic {
            body["topic"] = topic.as_str().into();
        }
        body
    };
    match change {
        Change::Make(topics) => {
            for topic in topics {
                ask(client, Ask::post(PATH).json(&body(Some(topic)))).await?;
            }
        }
        Change::Mend(id, _) => {
            let path = format!("{PATH}/{}", segment(id));
            ask(client, Ask::put(path).json(&body(None))).await?;
        }
        Change::Keep(_) | Change::Replace(..) => {}
    }
    Ok(None)
}
