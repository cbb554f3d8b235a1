//! EasyPost: one webhook for everything, with our secret. It never tells which secret a
//! webhook has, so one that is there is given ours again, which switches it on as well.

use super::{Change, There, Wanted, ask, list as each, text};
use crate::client::{Ask, Client, segment};
use crate::config::Secret;
use serde_json::json;

const PATH: &str = "/v2/webhooks";

pub(super) async fn list(client: &Client) -> anyhow::Result<Vec<There>> {
    let body = ask(client, Ask::get(PATH)).await?;
    let read = each(&body["webhooks"]).map(|one| There {
        id: text(&one["id"]),
        topics: vec!["*".to_owned()],
        url: text(&one["url"]),
        active: one["disabled_at"].is_null(),
        ours: false,
    });
    Ok(read.collect())
}

pub(super) async fn change(
    client: &Client,
    wanted: &Wanted<'_>,
    change: &Change,
) -> anyhow::Result<Option<Secret>> {
    let secret = wanted.secret.as_ref().map(Secret::reveal);
    match change {
        Change::Make(_) => {
            let body = json!({ "webhook": { "url": wanted.url, "webhook_secret": secret } });
            ask(client, Ask::post(PATH).json(&body)).await?;
        }
        Change::Mend(id, _) => {
            let path = format!("{PATH}/{}", segment(id));
            let body = json!({ "webhook_secret": secret });
            ask(client, Ask::patch(path).json(&body)).await?;
        }
        Change::Keep(_) | Change::Replace(..) => {}
    }
    Ok(None)
}
