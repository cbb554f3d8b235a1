//! What privacy law asks and no plan of one person can do: a shop that is to be forgotten,
//! and requests for data, which wait for a human. Whatever way an event came (live, by a
//! command, by a replay), it is found in the database, so a process that ends in the
//! middle goes on where it was.

use super::{Engine, EngineError};
use crate::model::event::{Body, CustomerRef, Erasure, Event, EventKind};
use crate::model::history::History;
use crate::model::ids::EventSeq;
use crate::model::time::{self, Timestamp};
use crate::store::{DataRequest, Incoming, Store, StoreError};
use jiff::SignedDuration;
use std::collections::BTreeSet;
use std::sync::Arc;

/// People of a shop that are asked to be forgotten in one commit.
const FORGOTTEN_AT_ONCE: usize = 256;
/// Under which key the database keeps the last request of a shop that was carried out.
const SHOPS_FORGOTTEN: &str = "shops_forgotten";
/// Under which key, which requests for data were answered, by number.
const ANSWERED: &str = "data_requests_answered";
/// How long the law gives to answer a request for data (GDPR article 12, paragraph 3).
pub const ANSWER_DAYS: i64 = 30;

/// A request for data that nobody has answered.
#[derive(Debug, Clone)]
pub struct OpenRequest {
    pub request: DataRequest,
    /// When the law wants it answered.
    pub due: Timestamp,
}

/// The requests for data that wait for an answer, the most urgent first.
///
/// # Errors
/// The database is out of reach.
pub async fn open_requests(store: &Store) -> Result<Vec<OpenRequest>, StoreError> {
    let answered = answered(store).await?;
    let mut open: Vec<OpenRequest> = store
        .data_requests()
        .await?
        .into_iter()
        // Of whom nothing is left, nothing can be told.
        .filter(|one| !one.erased && !answered.contains(&one.seq.0))
        .map(|request| OpenRequest {
            due: due(&request),
            request,
        })
        .collect();
    open.sort_by_key(|one| (one.due, one.request.seq));
    Ok(open)
}

fn due(request: &DataRequest) -> Timestamp {
    let Ok(event) = &request.event else {
        // Nobody knows since when: now is the best time to look.
        return Timestamp::UNIX_EPOCH;
    };
    let told = event.body.request.as_ref().and_then(|told| told.due_at);
    let days = SignedDuration::from_hours(24 * ANSWER_DAYS);
    let law = time::saturating_add(event.time, days);
    told.map_or(law, |told| told.min(law))
}

async fn answered(store: &Store) -> Result<BTreeSet<i64>, StoreError> {
    let text = store.meta(ANSWERED).await?;
    Ok(text
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default())
}

/// Notes that requests were answered.
///
/// # Errors
/// The database refuses or is out of reach.
pub async fn answer(store: &Store, requests: &[EventSeq]) -> Result<(), StoreError> {
    let mut all = answered(store).await?;
    all.extend(requests.iter().map(|seq| seq.0));
    let text = serde_json::to_string(&all).unwrap_or_default();
    store.set_meta(ANSWERED, &text).await
}

/// Whether somebody wants everybody of a shop forgotten.
pub(super) fn is_of_whole_shop(event: &Event) -> bool {
    let erasure = event.body.erasure.as_ref();
    event.kind == EventKind::ErasureRequested
        && erasure.is_some_and(|erasure| erasure.scope.as_deref() == Some("shop"))
}

impl Engine {
    /// Carries out every request to forget a shop that was not yet.
    ///
    /// # Errors
    /// The store's; then it is gone on with at the next look.
    pub async fn forget_shops(&self) -> Result<(), EngineError> {
        let done = self.store.meta(SHOPS_FORGOTTEN).await?;
        let done = done.and_then(|text| text.parse().ok()).unwrap_or(0);
        for shop in self.store.shop_erasures(done).await? {
            if is_of_whole_shop(&shop) {
                self.forget_shop(&shop).await?;
            }
            let done = shop.seq.0.to_string();
            self.store.set_meta(SHOPS_FORGOTTEN, &done).await?;
        }
        Ok(())
    }

    /// A shop left and wants its customers forgotten: each of those whom its source told
    /// of before gets a request of their own, and what it told of nobody goes at once.
    /// Known requests change nothing, so a repetition goes on where the last one broke
    /// off.
    async fn forget_shop(&self, shop: &Event) -> Result<(), EngineError> {
        let mut last = None;
        let mut asked = 0;
        loop {
            let people = self
                .store
                .told_of(&shop.source, shop.seq, last, FORGOTTEN_AT_ONCE)
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
        let of_nobody = self.store.forget_source(&shop.source, shop.seq).await?;
        self.to_plan.notify_one();
        tracing::info!(
            source = shop.source,
            customers = asked,
            of_nobody,
            "a shop wants its customers forgotten"
        );
        Ok(())
    }
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
