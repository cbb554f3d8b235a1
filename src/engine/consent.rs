//! Opt-outs: from the page and from one click, from operators, and from relays that
//! know an address to be dead. Each is recorded as an event, because what people say is
//! a fact like any other.

use super::{Engine, EngineError};
use crate::model::event::{
    Body, Consent, ConsentBasis, ConsentState, CustomerRef, Event, EventKind, IngestMode,
};
use crate::model::ids::{CustomerId, EventSeq};
use crate::model::kind::Scope;
use crate::model::time::Timestamp;
use crate::render;
use crate::state;
use crate::store::Incoming;
use std::sync::Arc;

/// Our own source of events, for what customers do on our pages.
pub const OWN_SOURCE: &str = "/aftercare";
/// Our own source, for what operators do.
pub const OPERATOR_SOURCE: &str = "/aftercare/operator";
/// Our own source, for what relays tell.
pub const RELAY_SOURCE: &str = "/aftercare/relay";

/// What came of an opt-out link.
#[derive(Debug, Clone)]
pub struct OptOut {
    /// Whether the link was one of ours.
    pub known: bool,
    /// In which language to answer.
    pub locale: String,
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
    /// Opts the reader of a mail out: of `scope`, or of what one click on a mail of its
    /// kind means. Durable when it returns; an unknown link changes nothing.
    ///
    /// # Errors
    /// The store's: nothing was recorded.
    pub async fn opt_out(&self, token: &str, scope: Option<Scope>) -> Result<OptOut, EngineError> {
        let locale = self.default_locale();
        let Some(found) = self.links.read(token) else {
            return Ok(OptOut {
                known: false,
                locale,
            });
        };
        let Some((customer, send)) = self.store.send(found.1).await? else {
            return Ok(OptOut {
                known: false,
                locale,
            });
        };
        let Some(address) = self.address_of(customer).await? else {
            return Ok(OptOut {
                known: false,
                locale,
            });
        };
        let scope = scope.unwrap_or_else(|| Scope::of_one_click(send.kind));
        let now = self.now();
        let id = format!("opt-out/{}/{scope}@{}", send.id, now.as_millisecond());
        let event = consent_event(
            OWN_SOURCE,
            id,
            &address,
            ConsentState::Unsubscribed,
            &scope,
            now,
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
        Ok(OptOut {
            known: true,
            locale: send.locale,
        })
    }

    /// In which language the page behind a link speaks. Reads only.
    ///
    /// # Errors
    /// The store's.
    pub async fn opt_out_locale(&self, token: &str) -> Result<String, EngineError> {
        let Some((_, id)) = self.links.read(token) else {
            return Ok(self.default_locale());
        };
        let found = self.store.send(id).await?;
        Ok(found.map_or_else(|| self.default_locale(), |(_, send)| send.locale))
    }

    /// The address under which a person is known now; none once they are forgotten.
    async fn address_of(&self, customer: CustomerId) -> Result<Option<String>, EngineError> {
        let Some(Ok(history)) = self.store.histories(&[customer]).await?.pop() else {
            return Ok(None);
        };
        let catalog = &self.live().catalog;
        let state = state::fold(&catalog.policy, &catalog.products, &history, self.now());
        Ok(state.person.email.map(|email| email.as_typed().to_owned()))
    }

    fn default_locale(&self) -> String {
        self.live()
            .catalog
            .policy
            .locales
            .first()
            .cloned()
            .unwrap_or_else(|| "en".into())
    }

    /// A page of `templates/pages`.
    ///
    /// # Errors
    /// What is wrong with the template.
    pub fn render_page(
        &self,
        name: &str,
        locale: &str,
        values: serde_json::Value,
    ) -> Result<String, EngineError> {
        let live = self.live();
        let policy = &live.catalog.policy;
        let mut locales = crate::model::locale::chain(locale, policy.fallback.as_deref());
        locales.extend(policy.locales.first().cloned());
        let shop =
            serde_json::json!({"name": policy.name, "url": policy.url, "address": policy.address});
        let mut all = serde_json::Map::new();
        all.insert("shop".into(), shop);
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
