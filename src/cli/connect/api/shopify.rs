//! Shopify, by its GraphQL Admin API: one subscription a topic. The version of deliveries
//! is the app's own, and cannot be chosen here.

use super::{Change, MAX_PAGES, There, Wanted, ask, list as each, text};
use crate::cli::exit::not_found;
use crate::client::{Ask, Client};
use crate::config::Secret;
use serde_json::{Value, json};

/// Where questions go: the version that this was written for.
const PATH: &str = "/admin/api/2026-07/graphql.json";
const LIST: &str = "query($after: String) { webhookSubscriptions(first: 100, after: $after) { \
    nodes { id topic uri } pageInfo { hasNextPage endCursor } } }";
const MAKE: &str = "mutation($topic: WebhookSubscriptionTopic!, $webhookSubscription: WebhookSubscriptionInput!) { \
    webhookSubscriptionCreate(topic: $topic, webhookSubscription: $webhookSubscription) { \
    webhookSubscription { id } userErrors { field message } } }";

async fn question(client: &Client, query: &str, variables: Value) -> anyhow::Result<Value> {
    let body = json!({ "query": query, "variables": variables });
    let answer = ask(client, Ask::post(PATH).json(&body)).await?;
    // GraphQL answers 200 whatever happened.
    match each(&answer["errors"]).next() {
        Some(error) => Err(not_found(format!(
            "{}: {}\nhint: is it the right token, and has it the scopes that are needed?",
            client.host(),
            text(&error["message"])
        ))),
        None => Ok(answer["data"].clone()),
    }
}

async fn list_all(client: &Client) -> anyhow::Result<Vec<There>> {
    let mut all = Vec::new();
    let mut after = Value::Null;
    for _ in 0..MAX_PAGES {
        let data = question(client, LIST, json!({ "after": after })).await?;
        let page = &data["webhookSubscriptions"];
        all.extend(each(&page["nodes"]).map(|node| There {
            id: text(&node["id"]),
            topics: vec![text(&node["topic"])],
            url: text(&node["uri"]),
            active: true,
            ours: false,
        }));
        if page["pageInfo"]["hasNextPage"].as_bool() != Some(true) {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    Ok(all)
}

/// A topic by its name in GraphQL: `ORDERS_CREATE` for `orders/create`.
fn constant(topic: &str) -> String {
    topic.to_uppercase().replace('/', "_")
}

/// What is there, by the names on the wire that are wanted.
pub(super) async fn list(client: &Client, wanted: &[String]) -> anyhow::Result<Vec<There>> {
    let mut all = list_all(client).await?;
    for one in &mut all {
        for topic in &mut one.topics {
            if let Some(name) = wanted.iter().find(|name| constant(name) == *topic) {
                topic.clone_from(name);
            }
        }
    }
    Ok(all)
}

pub(super) async fn change(
    client: &Client,
    wanted: &Wanted<'_>,
    change: &Change,
) -> anyhow::Result<Option<Secret>> {
    let Change::Make(topics) = change else {
        return Ok(None);
    };
    for topic in topics {
        let variables = json!({
            "topic": constant(topic),
            "webhookSubscription": { "uri": wanted.url, "format": "JSON" },
        });
        let data = question(client, MAKE, variables).await?;
        if let Some(error) = each(&data["webhookSubscriptionCreate"]["userErrors"]).next() {
            return Err(not_found(format!(
                "{}: {topic}: {}",
                client.host(),
                text(&error["message"])
            )));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_have_another_name_there() {
        assert_eq!(constant("orders/create"), "ORDERS_CREATE");
        assert_eq!(
            constant("customers_email_marketing_consent/update"),
            "CUSTOMERS_EMAIL_MARKETING_CONSENT_UPDATE"
        );
    }
}
