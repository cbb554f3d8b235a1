//! What the templates of a mail may name: the names of its step, and those that every
//! mail has. Sending, previews and proofs make mails of the same values, because they
//! ask here.

use super::Ready;
use crate::model::policy::Policy;
use crate::model::send::Send;
use crate::model::time::{self, Time};
use crate::render::{Campaign, Context};
use crate::sequence::catalog::Catalog;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Where the reader of one mail says what to stop.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    /// One click stops mails of this class.
    pub unsubscribe: String,
    /// The page that leaves the choice.
    pub preferences: String,
}

/// Everything that the templates of a mail may name; taken out of `ready`.
pub fn values(
    policy: &Policy,
    send: &Send,
    ready: &mut Ready,
    addresses: &Addresses,
) -> Map<String, Value> {
    let mut values = std::mem::take(&mut ready.names.values);
    let locale = ready.locales.first().map_or("", String::as_str);
    values.insert(
        "shop".into(),
        json!({"name": policy.name, "url": policy.url, "address": policy.address}),
    );
    values.insert(
        "sender".into(),
        json!({
            "name": ready.sender.name,
            "email": ready.sender.email,
            "reply_to": ready.sender.reply_to.as_deref().unwrap_or(&ready.sender.email),
            "away_until": away_until(policy, ready),
        }),
    );
    let status = values
        .get("order")
        .and_then(|order| order.get("status_url"))
        .cloned()
        .unwrap_or(Value::Null);
    values.insert(
        "links".into(),
        json!({
            "unsubscribe": addresses.unsubscribe,
            "preferences": addresses.preferences,
            "status": status,
        }),
    );
    values.insert(
        "mail".into(),
        json!({"locale": locale, "kind": send.kind.as_str()}),
    );
    values.insert("sequence".into(), json!({"id": send.sequence}));
    values.insert("step".into(), json!({"id": send.step}));
    values
        .entry("enrolment")
        .or_insert_with(|| json!({"items": []}));
    values
}

/// Noon, in the shop, of the last day of an absence in which nobody stands in: so that it
/// is the same day for nearly everybody.
fn away_until(policy: &Policy, ready: &Ready) -> Value {
    ready.sender.away_until.map_or(Value::Null, |day| {
        Value::from(time::at(day, Time::constant(12, 0, 0, 0), &policy.zone).to_string())
    })
}

/// What a mail is rendered in; what the reader owns and pays in is taken out of `ready`.
pub fn context(
    catalog: &Catalog,
    send: &Send,
    ready: &mut Ready,
    values: Map<String, Value>,
) -> Context {
    Context::new(
        values,
        ready.locales.first().cloned().unwrap_or_default(),
        ready.names.zone.clone(),
        Arc::clone(&catalog.products),
        std::mem::take(&mut ready.names.owned),
        ready.currency.take(),
        Campaign {
            sequence: send.sequence.clone(),
            step: send.step.clone(),
        },
    )
}
