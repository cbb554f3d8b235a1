//! BigCommerce, by its V3 API: one webhook a scope. It signs with the client secret of the
//! account that the token is of.

use super::{Change, MAX_PAGES, There, Wanted, ask, list as each, text};
use crate::client::{Ask, Client, segment};
use crate::config::Secret;
use serde_json::json;

const PATH: &str = "/v3/hooks";
/// Webhooks on one page.
const PAGE: usize = 100;

pub(super) async fn list(client: &Client) -> anyhow::Result<Vec<There>> {
    let mut all = Vec::new();
    for page in 1..=MAX_PAGES {
        let question = Ask::get(PATH)
            .query("limit", PAGE.to_string())
            .query("page", page.to_string());
        let body = ask(client, question).await?;
        let before = all.len();
        all.extend(each(&body["data"]).map(|one| There {
            id: text(&one["id"]),
            topics: vec![text(&one["scope"])],
            url: text(&one["destination"]),
            active: one["is_active"].as_bool() == Some(true),
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
    match change {
        Change::Make(topics) => {
            for scope in topics {
                let body = json!({
                    "scope": scope, "destination": wanted.url, "is_active": true,
                });
                ask(client, Ask::post(PATH).json(&body)).await?;
            }
        }
        Change::Mend(id, _) => {
            let path = format!("{PATH}/{}", segment(id));
            let body = json!({ "destination": wanted.url, "is_active": true });
            ask(client, Ask::put(path).json(&body)).await?;
        }
        Change::Keep(_) | Change::Replace(..) => {}
    }
    Ok(None)
}
