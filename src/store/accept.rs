//! Intake: each fact once, with the person it is about. Here nothing is planned; people
//! are woken and the planner looks.
//!
//! Three guards against repeats end here: the delivery's key, the fact's name, and (in
//! [`super::plans`]) the derived ids of what follows.

use super::Store;
use super::db::{Tx, rows, statements};
use super::error::StoreError;
use super::place::place;
use super::quarantine::{Poison, keep};
use super::record::record;
use super::secret::Secret;
use super::sift::{Ready, sift};
use super::writer::{Write, expect_written};
use crate::ingest::identity::Directory;
use crate::model::event::Event;
use crate::model::ids::{CustomerId, EventSeq};
use crate::model::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

statements! {
    NUMBERS = "SELECT name, value FROM counters WHERE name IN ('customer', 'event', 'quarantine')";
    COUNT = "UPDATE counters SET value = r.value FROM rows($1: name TEXT, value BIGINT) AS r WHERE counters.name = r.name";
}

/// An event on its way in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incoming {
    pub event: Event,
    /// The delivery's own key, such as a `webhook-id`; `None` where the way has none.
    pub transport: Option<String>,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It is stored.
    New {
        seq: EventSeq,
        /// `None`: it concerns the whole shop, or waits for somebody to turn up.
        customer: Option<CustomerId>,
    },
    /// It was known. A newer order in it is merged, and starts nothing.
    Duplicate,
}

impl Store {
    /// Takes events in: each fact once, joined to its person, who is woken. Durable when
    /// it returns. The answers are in the order of the batch; `poison` is kept beside.
    ///
    /// # Errors
    /// Then nothing of it was taken, and nothing may be acknowledged.
    pub async fn accept(
        &self,
        batch: Vec<Incoming>,
        poison: Vec<Poison>,
        now: Timestamp,
    ) -> Result<Vec<Accepted>, StoreError> {
        if batch.is_empty() && poison.is_empty() {
            return Ok(Vec::new());
        }
        let secret = &self.shared.secret;
        let ready = batch.into_iter().map(|one| Ready::of(secret, one));
        // Held here too, so that it is also cleared away here.
        let batch: Arc<Vec<Ready>> = Arc::new(ready.collect::<Result<_, _>>()?);
        let write = Write::Accept {
            batch: Arc::clone(&batch),
            poison,
            now,
        };
        expect_written!(self.write(write).await?, Accepted)
    }
}

pub(super) async fn accept(
    secret: &Secret,
    tx: &mut Tx,
    batch: &[(&Ready, Timestamp)],
    poison: &[&Poison],
) -> Result<Vec<Accepted>, StoreError> {
    let numbers = numbers(tx).await?;
    let mut used: Vec<(&str, i64)> = Vec::new();
    if !poison.is_empty() {
        let last = keep(tx, poison, numbers.quarantine).await?;
        used.push(("quarantine", last));
    }
    let mut answers = vec![Accepted::Duplicate; batch.len()];
    let mut fresh = sift(tx, batch).await?;
    if !fresh.is_empty() {
        let mut last = numbers.event;
        for one in &mut fresh {
            last += 1;
            one.seq = EventSeq(last);
        }
        let mut directory = Directory::starting_at(CustomerId(numbers.customer + 1));
        let (outcome, loaded) = place(secret, tx, &mut directory, &fresh, numbers.customer).await?;
        used.push(("event", last));
        used.push(("customer", directory.next().0 - 1));
        record(secret, tx, &outcome, &fresh, &loaded).await?;
        for one in fresh.iter().filter(|one| one.revision == 0) {
            answers[one.place] = Accepted::New {
                seq: one.seq,
                customer: outcome.customer(one.seq),
            };
        }
    }
    if !used.is_empty() {
        tx.run(&COUNT, vec![rows(&used)?]).await?;
    }
    Ok(answers)
}

#[derive(Debug, Default)]
struct Numbers {
    customer: i64,
    event: i64,
    quarantine: i64,
}

async fn numbers(tx: &mut Tx) -> Result<Numbers, StoreError> {
    let mut numbers = Numbers::default();
    for row in tx.fetch(&NUMBERS, vec![]).await? {
        match row.text(0)?.as_str() {
            "customer" => numbers.customer = row.int(1)?,
            "event" => numbers.event = row.int(1)?,
            _ => numbers.quarantine = row.int(1)?,
        }
    }
    Ok(numbers)
}
