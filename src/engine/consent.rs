//! Opt-outs: from the page and from one click, from operators, and from relays that
//! know an address to be dead. Each is recorded as an event, because what people say is
//! a fact like any other.

use super::{Engine, EngineError};
use crate::model::event::{
    Body, Consent, ConsentBasis, ConsentState, CustomerRef, Event, EventKind, IngestMode,
};
use crate::model::ids::{CustomerId, EventSeq, SendId};
use crate::model::kind::Scope;
use crate::model::time::Timestamp;
use crate::render;
use crate::state;
use crate::store::{Incoming, StoreError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Our own source of events, for what customers do on our pages.
pub const OWN_SOURCE: &str = "/aftercare";
/// Our own source, for what operators do.
pub const OPERATOR_SOURCE: &str = "/aftercare/operator";
/// Our own source, for what relays tell.
pub const RELAY_SOURCE: &str = "/aftercare/relay";

/// What the reader of a mail asked for behind a link of ours. Names no address: it may have
/// to wait in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptOut {
    /// The mail.
    pub send: SendId,
    /// `None`: what one click on a mail of its kind means.
    pub scope: Option<Scope>,
    /// When it was asked for.
    pub at: Timestamp,
}

/// An event that says that an address may, or may not, be mailed.
pub fn consent_event(
    source: &str,
    id: String,
    address: &str,
    state: ConsentState,
    scope: &Scope,
    now: Timestamp,
) -> Event {
    Event {
        seq: EventSeq(0),
        id,
        source: source.to_owned(),
        kind: EventKind::ConsentChanged,
        subject: "consent".into(),
        time: now,
        recorded: now,
        sequence: None,
        partition: None,
        mode: IngestMode::Live,
        misdated: false,
        body: Arc::new(Body {
            customer_ref: Some(CustomerRef {
                customer_id: None,
                email: Some(address.to_owned()),
            }),
            consent: Some(Consent {
                state,
                basis: ConsentBasis::Explicit,
                source: source.to_owned(),
                updated_at: Some(now),
                scope: Some(scope.to_string()),
                ..Consent::default()
            }),
            ..Body::default()
        }),
        considered: false,
    }
}

impl Engine {
    /// What is asked for behind a link, now; `None` where the link is none of ours.
    pub fn asked(&self, token: &str, scope: Option<Scope>) -> Option<OptOut> {
        let (_, send) = self.links.read(token)?;
        let at = self.now();
        Some(OptOut { send, scope, at })
    }

    /// Opts the reader of a mail out. Durable when it returns; asked again, it is known
    /// already. Gives whether the mail and its reader are known; otherwise nothing changes.
    ///
    /// # Errors
    /// The store's, or the mail or its reader cannot be read: nothing was recorded.
    pub async fn opt_out(&self, asked: &OptOut) -> Result<bool, EngineError> {
        let Some((customer, send)) = self.store.send(asked.send).await? else {
            return Ok(false);
        };
        let Some(address) = self.address_of(customer).await? else {
            return Ok(false);
        };
        let usual = || Scope::of_one_click(send.kind);
        let scope = asked.scope.clone().unwrap_or_else(usual);
        let id = format!("opt-out/{}/{scope}@{}", send.id, asked.at.as_millisecond());
        let event = consent_event(
            OWN_SOURCE,
            id,
            &address,
            ConsentState::Unsubscribed,
            &scope,
            asked.at,
        );
        self.accept(
            vec![Incoming {
                event,
                transport: None,
            }],
            Vec::new(),
        )
        .await?;
        tracing::info!(send.id = %send.id, scope = %scope, "opted out");
        Ok(true)
    }

    /// The address under which a person is known now; none once they are forgotten.
    async fn address_of(&self, customer: CustomerId) -> Result<Option<String>, EngineError> {
        let Some(history) = self.store.histories(&[customer]).await?.pop() else {
            return Ok(None);
        };
        let history = history.map_err(StoreError::Corrupt)?;
        let catalog = &self.live().catalog;
        let state = state::fold(&catalog.policy, &catalog.products, &history, self.now());
        Ok(state.person.email.map(|email| email.as_typed().to_owned()))
    }

    /// A page of `templates/pages`, in the first of the `wanted` languages that the shop
    /// speaks, else in its own first; the page sees it as `locale`.
    ///
    /// # Errors
    /// What is wrong with the template.
    pub fn render_page(
        &self,
        name: &str,
        wanted: &[String],
        values: serde_json::Value,
    ) -> Result<String, EngineError> {
        let live = self.live();
        let policy = &live.catalog.policy;
        let locale = wanted
            .iter()
            .flat_map(|tag| crate::model::locale::chain(tag, None))
            .find(|tag| policy.locales.contains(tag))
            .or_else(|| policy.locales.first().cloned())
            .unwrap_or_default();
        let locales = crate::model::locale::chain(&locale, policy.fallback.as_deref());
        let shop =
            serde_json::json!({"name": policy.name, "url": policy.url, "address": policy.address});
        let mut all = serde_json::Map::new();
        all.insert("shop".into(), shop);
        all.insert("locale".into(), locale.into());
        if let serde_json::Value::Object(values) = values {
            all.extend(values);
        }
        render::page::page(&live.templates, name, &locales, all)
            .map_err(|error| EngineError::Page(error.to_string()))
    }

    /// Records that a relay knows an address to be dead: nothing reaches it any more.
    pub(super) async fn address_is_dead(&self, address: &str) {
        let now = self.now();
        let id = format!("dead/{}", now.as_millisecond());
        let event = consent_event(
            RELAY_SOURCE,
            id,
            address,
            ConsentState::Unsubscribed,
            &Scope::Dead,
            now,
        );
        if let Err(error) = self
            .accept(
                vec![Incoming {
                    event,
                    transport: None,
                }],
                Vec::new(),
            )
            .await
        {
            tracing::error!(%error, "a dead address could not be noted");
        }
    }
}
