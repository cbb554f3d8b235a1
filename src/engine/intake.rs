//! Taking events in: recorded durably, customers woken, and only then answered. Intake
//! never plans.

use super::{Engine, EngineError};
use crate::model::event::{Body, CustomerRef, Erasure, Event, EventKind};
use crate::model::history::History;
use crate::model::ids::EventSeq;
use crate::store::{Accepted, Incoming, Poison};
use std::sync::Arc;

/// People of a shop that are asked to be forgotten in one commit.
const FORGOTTEN_AT_ONCE: usize = 256;

/// What became of one delivery.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Totals {
    pub accepted: usize,
    pub duplicate: usize,
    pub quarantined: usize,
}

impl Engine {
    /// Records events and what could not be read as such. Durable when it returns.
    ///
    /// # Errors
    /// Nothing was recorded: the caller must not acknowledge.
    pub async fn accept(
        &self,
        batch: Vec<Incoming>,
        poison: Vec<Poison>,
    ) -> Result<Totals, EngineError> {
        let quarantined = poison.len();
        let products = batch
            .iter()
            .any(|one| one.event.kind == EventKind::ProductUpdated);
        let gone: Vec<Event> = batch
            .iter()
            .filter(|one| is_of_whole_shop(&one.event))
            .map(|one| one.event.clone())
            .collect();
        let answers = self.store.accept(batch, poison, self.now()).await?;
        for shop in &gone {
            self.forget_shop(shop).await?;
        }
        let duplicate = answers
            .iter()
            .filter(|one| matches!(one, Accepted::Duplicate))
            .count();
        if products {
            self.refresh_products().await?;
        }
        self.to_plan.notify_one();
        let totals = Totals {
            accepted: answers.len() - duplicate,
            duplicate,
            quarantined,
        };
        crate::telemetry::events_accepted(totals.accepted as u64);
        crate::telemetry::events_duplicate(totals.duplicate as u64);
        crate::telemetry::events_quarantined(totals.quarantined as u64);
        Ok(totals)
    }

    /// A shop left and wants its customers forgotten: each of those whom its source told
    /// of gets a request of their own. Known ones change nothing, so a repetition goes on
    /// where the last one broke off.
    async fn forget_shop(&self, shop: &Event) -> Result<(), EngineError> {
        let mut last = None;
        let mut asked = 0;
        loop {
            let people = self
                .store
                .told_of(&shop.source, last, FORGOTTEN_AT_ONCE)
                .await?;
            let Some(end) = people.last() else {
                break;
            };
            last = Some(*end);
            let requests: Vec<Incoming> = self
                .store
                .histories(&people)
                .await?
                .into_iter()
                .flatten()
                .filter_map(|history| request_for(&history, shop))
                .map(|event| Incoming {
                    event,
                    transport: None,
                })
                .collect();
            asked += requests.len();
            self.store.accept(requests, Vec::new(), self.now()).await?;
        }
        tracing::info!(
            source = shop.source,
            customers = asked,
            "a shop wants its customers forgotten"
        );
        Ok(())
    }
}

/// Whether somebody wants everybody of a shop forgotten.
fn is_of_whole_shop(event: &Event) -> bool {
    let erasure = event.body.erasure.as_ref();
    event.kind == EventKind::ErasureRequested
        && erasure.is_some_and(|erasure| erasure.scope.as_deref() == Some("shop"))
}

/// The request to forget one customer of a shop, by the names under which its source
/// knows them; `None` where it knows none.
fn request_for(history: &History, shop: &Event) -> Option<Event> {
    let named = |event: &&Event| event.source == shop.source;
    let of = |event: &Event| -> Option<CustomerRef> {
        let body = &event.body;
        let whole = body.customer.as_ref().map(|customer| CustomerRef {
            customer_id: customer.customer_id.clone(),
            email: customer.email.clone(),
        });
        whole
            .or_else(|| body.customer_ref.clone())
            .filter(|who| who.customer_id.is_some() || who.email.is_some())
    };
    let who = history.events.iter().filter(named).find_map(of)?;
    let about = format!("{}/customer/{}", shop.subject, history.customer);
    let due_at = shop
        .body
        .erasure
        .as_ref()
        .and_then(|erasure| erasure.due_at);
    Some(Event {
        seq: EventSeq(0),
        id: format!("{}/customer/{}", shop.id, history.customer),
        subject: about.clone(),
        partition: Some(about),
        body: Arc::new(Body {
            customer_ref: Some(who),
            erasure: Some(Erasure {
                scope: Some("customer".to_owned()),
                orders: Vec::new(),
                due_at,
            }),
            test: shop.body.test,
            ..Body::default()
        }),
        considered: false,
        ..shop.clone()
    })
}
