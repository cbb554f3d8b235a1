//! Lists for people who look: sends, outlooks, customers by what is known of them, and
//! counts.

use super::Store;
use super::db::{Db, rows, statements};
use super::error::{Corrupt, StoreError};
use super::place::own_key;
use super::rows::{Read, send as read_send};
use crate::ingest::identity::{Key, keys};
use crate::model::event::{Body, Event, EventKind, IngestMode, OrderRef};
use crate::model::ids::{CustomerId, EventSeq, SendId};
use crate::model::send::Send;
use crate::model::time::{Timestamp, from_ms, to_ms};
use crate::plan::decision::Outlook;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// By what somebody is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// An address, in any spelling.
    Address(String),
    /// The shop's customer id, of any source.
    ShopId(String),
    /// Our own number, also one that was merged away.
    Own(CustomerId),
    /// An order's id or number, of any source.
    Order(String),
}

/// Which sends to list. Everything that is named must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SendFilter {
    pub customer: Option<CustomerId>,
    /// A name of [`crate::model::send::SendState::NAMES`].
    pub state: Option<String>,
    pub sequence: Option<String>,
    pub step: Option<String>,
    /// Last changed at or after.
    pub since: Option<Timestamp>,
    /// Last changed before.
    pub until: Option<Timestamp>,
}

/// A send in a list: its customer, the address that it was sent to, and itself.
pub type Listed = (CustomerId, Option<String>, Send);

/// Somebody's stored outlook.
#[derive(Debug, Clone, PartialEq)]
pub struct Foreseen {
    pub customer: CustomerId,
    /// When they are planned next.
    pub wake_at: Timestamp,
    pub outlook: Vec<Outlook>,
}

/// How much there is of everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// By name of state; states that do not occur are missing.
    pub sends: BTreeMap<String, i64>,
    pub events: i64,
    pub parked: i64,
    pub quarantined: i64,
    pub people: i64,
    /// People whose last plan failed.
    pub failing: i64,
    /// Wake-ups in the due queue.
    pub wake_ups: i64,
}

statements! {
    BY_KEY = "SELECT DISTINCT a.customer FROM rows($1: key TEXT) AS r JOIN aliases a ON a.key = r.key ORDER BY a.customer";
    BY_NUMBER = "SELECT id FROM customers WHERE id = $1";
    SENDS = "SELECT s.customer, s.id, s.state, s.at, s.phase, s.fence, s.considered, s.detail, p.detail, p.recipient
        FROM sends s LEFT JOIN prepared p ON p.send = s.id
        WHERE s.id > $1 AND (CAST($2 AS BIGINT) IS NULL OR s.customer = $2) AND (CAST($3 AS TEXT) IS NULL OR s.state = $3)
            AND (CAST($4 AS TEXT) IS NULL OR s.sequence = $4) AND (CAST($5 AS TEXT) IS NULL OR s.step = $5)
            AND (CAST($6 AS BIGINT) IS NULL OR s.at >= $6) AND (CAST($7 AS BIGINT) IS NULL OR s.at < $7)
        ORDER BY s.id LIMIT $8";
    /// The same by way of the customer's own few.
    SENDS_OF = "SELECT s.customer, s.id, s.state, s.at, s.phase, s.fence, s.considered, s.detail, p.detail, p.recipient
        FROM sends s LEFT JOIN prepared p ON p.send = s.id
        WHERE s.customer = $2 AND s.id > $1 AND (CAST($3 AS TEXT) IS NULL OR s.state = $3)
            AND (CAST($4 AS TEXT) IS NULL OR s.sequence = $4) AND (CAST($5 AS TEXT) IS NULL OR s.step = $5)
            AND (CAST($6 AS BIGINT) IS NULL OR s.at >= $6) AND (CAST($7 AS BIGINT) IS NULL OR s.at < $7)
        ORDER BY s.id LIMIT $8";
    OUTLOOKS = "SELECT d.at, d.customer, o.detail FROM due d LEFT JOIN outlooks o ON o.customer = d.customer
        WHERE d.what = 'c' AND (d.at, d.customer) > ($1, $2) AND d.at <= $3 ORDER BY d.at, d.customer LIMIT $4";
    ACTIVE = "SELECT id FROM customers WHERE id > $1 AND (wake_at IS NOT NULL
            OR EXISTS (SELECT 1 FROM enrolments e WHERE e.customer = customers.id AND e.state <> 'ended'))
        ORDER BY id LIMIT $2";
    TOLD_OF = "SELECT c.id FROM customers c WHERE c.id > $1 AND c.erased = 0
            AND EXISTS (SELECT 1 FROM events e WHERE e.customer = c.id AND e.source = $2 AND e.seq < $4)
        ORDER BY c.id LIMIT $3";
    COUNT_DUE = "SELECT what, COUNT(*) FROM due GROUP BY what";
    COUNT_ODD = "SELECT state, COUNT(*) FROM sends WHERE state NOT IN ('queued', 'accepted') GROUP BY state";
    COUNT_SENDS = "SELECT COUNT(*) FROM sends";
    COUNT_EVENTS = "SELECT COUNT(*) FROM events";
    COUNT_PARKED = "SELECT COUNT(DISTINCT seq) FROM parked";
    COUNT_QUARANTINED = "SELECT COUNT(*) FROM quarantine WHERE state = 'held'";
    COUNT_PEOPLE = "SELECT COUNT(*) FROM customers";
    COUNT_FAILING = "SELECT COUNT(*) FROM customers WHERE failures > 0";
}

impl Store {
    /// The people who are known by this; several where it is not clear.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn find(&self, who: &Who) -> Result<Vec<CustomerId>, StoreError> {
        let secret = &self.shared.secret;
        let mut tx = self.shared.pools.read().await?;
        if let Who::Own(customer) = who
            && tx
                .fetch_one(&BY_NUMBER, vec![customer.0.into()])
                .await?
                .is_some()
        {
            tx.rollback().await;
            return Ok(vec![*customer]);
        }
        let list: BTreeSet<String> = match who {
            Who::Address(text) => Key::email(text)
                .iter()
                .map(|key| secret.key(key.as_str()))
                .collect(),
            Who::ShopId(id) => Key::customer_anywhere(id)
                .iter()
                .map(|key| secret.key(key.as_str()))
                .collect(),
            Who::Own(customer) => BTreeSet::from([secret.key(&own_key(*customer))]),
            Who::Order(text) => keys(&refers_to(text))
                .all()
                .map(|key| secret.key(key.as_str()))
                .collect(),
        };
        let list: Vec<(String,)> = list.into_iter().map(|key| (key,)).collect();
        let found = tx.fetch(&BY_KEY, vec![rows(&list)?]).await?;
        tx.rollback().await;
        found
            .iter()
            .map(|row| Ok(CustomerId(row.int(0)?)))
            .collect()
    }

    /// Sends, by id, after one; each with its customer, the address that it was sent to,
    /// and whole. A row that does not parse stands for itself.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn sends(
        &self,
        filter: &SendFilter,
        after: Option<SendId>,
        limit: usize,
    ) -> Result<Vec<Result<Listed, Corrupt>>, StoreError> {
        let statement = if filter.customer.is_some() {
            &SENDS_OF
        } else {
            &SENDS
        };
        let values = vec![
            after.map(|id| id.to_string()).unwrap_or_default().into(),
            filter.customer.map(|customer| customer.0).into(),
            filter.state.clone().into(),
            filter.sequence.clone().into(),
            filter.step.clone().into(),
            filter.since.map(to_ms).into(),
            filter.until.map(to_ms).into(),
            i64::try_from(limit).unwrap_or(i64::MAX).into(),
        ];
        let mut tx = self.shared.pools.read().await?;
        let found = tx.fetch(statement, values).await?;
        tx.rollback().await;
        found
            .iter()
            .map(|row| {
                let (customer, send): (CustomerId, Read<Send>) = read_send(row)?;
                let to = row.maybe_text(9)?;
                Ok(send.map(|send| (customer, to, send)))
            })
            .collect()
    }

    /// Stored outlooks in the order of the next wake-ups, up to an instant, after a
    /// place in that order. People who wait for nothing have an empty outlook.
    ///
    /// # Errors
    /// Where an outlook does not parse, or the database is out of reach.
    pub async fn outlooks(
        &self,
        until: Option<Timestamp>,
        after: Option<(Timestamp, CustomerId)>,
        limit: usize,
    ) -> Result<Vec<Foreseen>, StoreError> {
        let (at, customer) = after.map_or((i64::MIN, 0), |(at, of)| (to_ms(at), of.0));
        let values = vec![
            at.into(),
            customer.into(),
            until.map_or(i64::MAX, to_ms).into(),
            i64::try_from(limit).unwrap_or(i64::MAX).into(),
        ];
        let mut tx = self.shared.pools.read().await?;
        let found = tx.fetch(&OUTLOOKS, values).await?;
        tx.rollback().await;
        found
            .iter()
            .map(|row| {
                let customer = CustomerId(row.int(1)?);
                let outlook = match row.maybe_text(2)? {
                    None => Vec::new(),
                    Some(text) => serde_json::from_str(&text).map_err(|_| Corrupt {
                        table: "outlooks",
                        column: "detail",
                        id: customer.to_string(),
                        found: "no outlook".to_owned(),
                    })?,
                };
                Ok(Foreseen {
                    customer,
                    wake_at: from_ms(row.int(0)?),
                    outlook,
                })
            })
            .collect()
    }

    /// People with an open enrolment or a wake-up, by number, after one.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn active_customers(
        &self,
        after: Option<CustomerId>,
        limit: usize,
    ) -> Result<Vec<CustomerId>, StoreError> {
        let values = vec![
            after.map_or(0, |of| of.0).into(),
            i64::try_from(limit).unwrap_or(i64::MAX).into(),
        ];
        let mut tx = self.shared.pools.read().await?;
        let found = tx.fetch(&ACTIVE, values).await?;
        tx.rollback().await;
        found
            .iter()
            .map(|row| Ok(CustomerId(row.int(0)?)))
            .collect()
    }

    /// People who are not forgotten and of whom a source told something before an event,
    /// by number, after one.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn told_of(
        &self,
        source: &str,
        before: EventSeq,
        after: Option<CustomerId>,
        limit: usize,
    ) -> Result<Vec<CustomerId>, StoreError> {
        let values = vec![
            after.map_or(0, |of| of.0).into(),
            source.into(),
            i64::try_from(limit).unwrap_or(i64::MAX).into(),
            before.0.into(),
        ];
        let mut tx = self.shared.pools.read().await?;
        let found = tx.fetch(&TOLD_OF, values).await?;
        tx.rollback().await;
        found
            .iter()
            .map(|row| Ok(CustomerId(row.int(0)?)))
            .collect()
    }

    /// How much there is of everything, read at one moment.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn counts(&self) -> Result<Counts, StoreError> {
        let mut tx = self.shared.pools.read().await?;
        let mut counts = Counts::default();
        let mut queued = 0;
        for row in tx.fetch(&COUNT_DUE, vec![]).await? {
            match row.text(0)?.as_str() {
                "c" => counts.wake_ups = row.int(1)?,
                _ => queued = row.int(1)?,
            }
        }
        let mut odd = 0;
        for row in tx.fetch(&COUNT_ODD, vec![]).await? {
            let (state, count) = (row.text(0)?, row.int(1)?);
            odd += count;
            // On SQLite a send at its barrier keeps its place in the queue until settled.
            if state == "sending" && tx.db() == Db::Sqlite {
                queued -= count;
            }
            counts.sends.insert(state, count);
        }
        let mut one = async |statement| -> Result<i64, StoreError> {
            tx.fetch_one(statement, vec![])
                .await?
                .map_or(Ok(0), |row| row.int(0))
        };
        let all = one(&COUNT_SENDS).await?;
        counts.events = one(&COUNT_EVENTS).await?;
        counts.parked = one(&COUNT_PARKED).await?;
        counts.quarantined = one(&COUNT_QUARANTINED).await?;
        counts.people = one(&COUNT_PEOPLE).await?;
        counts.failing = one(&COUNT_FAILING).await?;
        tx.rollback().await;
        for (state, count) in [("queued", queued), ("accepted", all - odd - queued)] {
            if count > 0 {
                counts.sends.insert(state.to_owned(), count);
            }
        }
        Ok(counts)
    }
}

/// An event that refers to an order by its id or number: its keys are those under which
/// the order's buyer is known.
fn refers_to(order: &str) -> Event {
    let name = Some(order.to_owned());
    Event {
        seq: EventSeq(0),
        id: String::new(),
        source: String::new(),
        kind: EventKind::RefundIssued,
        subject: String::new(),
        time: Timestamp::UNIX_EPOCH,
        recorded: Timestamp::UNIX_EPOCH,
        sequence: None,
        partition: None,
        mode: IngestMode::Live,
        misdated: false,
        body: Arc::new(Body {
            order_ref: Some(OrderRef {
                order_id: name.clone(),
                order_number: name,
                aliases: Vec::new(),
            }),
            ..Body::default()
        }),
        considered: false,
    }
}
