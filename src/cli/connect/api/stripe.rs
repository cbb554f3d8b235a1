//! Stripe: one endpoint with all its events. Its secret is told when it is made and never
//! again. So an endpoint of ours whose secret was lost on the way is made anew.

use super::{Change, MAX_PAGES, There, Wanted, ask, list as each, text};
use crate::client::{Ask, Client, segment};
use crate::config::Secret;
use serde_json::Value;

const PATH: &str = "/v1/webhook_endpoints";
/// What marks an endpoint as ours.
const MARK: &str = "aftercare";

pub(super) async fn list(client: &Client) -> anyhow::Result<Vec<There>> {
    let mut all: Vec<There> = Vec::new();
    for _ in 0..MAX_PAGES {
        let mut question = Ask::get(PATH).query("limit", "100");
        if let Some(last) = all.last() {
            question = question.query("starting_after", last.id.as_str());
        }
        let body = ask(client, question).await?;
        all.extend(each(&body["data"]).map(|one| There {
            id: text(&one["id"]),
            topics: each(&one["enabled_events"]).map(text).collect(),
            url: text(&one["url"]),
            active: one["status"].as_str() == Some("enabled"),
            ours: one["metadata"][MARK].is_string(),
        }));
        if body["has_more"].as_bool() != Some(true) {
            break;
        }
    }
    Ok(all)
}

fn form<'f>(base: &[(&'f str, &'f str)], topics: &'f [String]) -> Vec<(&'f str, &'f str)> {
    let events = topics
        .iter()
        .map(|topic| ("enabled_events[]", topic.as_str()));
    base.iter().copied().chain(events).collect()
}

pub(super) async fn change(
    client: &Client,
    wanted: &Wanted<'_>,
    change: &Change,
) -> anyhow::Result<Option<Secret>> {
    let mark = format!("metadata[{MARK}]");
    let make = async |topics: &[String]| -> anyhow::Result<Option<Secret>> {
        let about = format!("aftercare, source {}", wanted.name);
        let base = [
            ("url", wanted.url),
            ("description", about.as_str()),
            (mark.as_str(), wanted.name),
        ];
        let made: Value = ask(client, Ask::post(PATH).form(&form(&base, topics))).await?;
        Ok(made["secret"].as_str().map(Secret::new))
    };
    match change {
        Change::Make(topics) => make(topics).await,
        Change::Replace(id, topics) => {
            ask(client, Ask::delete(format!("{PATH}/{}", segment(id)))).await?;
            make(topics).await
        }
        Change::Mend(id, topics) => {
            let path = format!("{PATH}/{}", segment(id));
            let question = Ask::post(path).form(&form(&[("disabled", "false")], topics));
            ask(client, question).await?;
            Ok(None)
        }
        Change::Keep(_) => Ok(None),
    }
}
