//! Forgetting somebody: their words are overwritten, the ledger of what was sent stays by
//! its ids, and the hashed keys stay so that they are not taken for somebody new.

use super::db::{Pools, Tx, rows, statements};
use super::error::StoreError;
use super::rows::{event as read_event, json, send as read_send, send_row};
use super::secret::Secret;
use super::wake::Wakes;
use super::writer::Write;
use super::{Store, assignments, privacy};
use crate::model::email::normalise;
use crate::model::event::{Body, Erasure, Event};
use crate::model::ids::CustomerId;
use crate::model::reason::Reason;
use crate::model::send::SendState;
use crate::model::time::Timestamp;
use std::collections::BTreeSet;
use std::time::Duration;

statements! {
    THEIR_EVENTS = "SELECT e.seq, e.customer, e.source, e.id, e.kind, e.time, e.recorded, e.considered, e.mode, e.misdated, e.sequence,
            e.partition, e.subject, e.body FROM events e WHERE e.customer = $1 ORDER BY e.seq";
    SCRUB_EVENTS = "UPDATE events SET id = r.id, subject = r.subject, partition = NULL, body = r.body
        FROM rows($1: seq BIGINT, id TEXT, subject TEXT, body TEXT) AS r WHERE events.seq = r.seq";
    THEIR_SENDS = "SELECT s.customer, s.id, s.state, s.at, s.phase, s.fence, s.considered, s.detail, p.detail
        FROM sends s LEFT JOIN prepared p ON p.send = s.id WHERE s.customer = $1";
    SCRUB_SENDS = "UPDATE sends SET detail = r.detail FROM rows($1: id TEXT, detail TEXT) AS r WHERE sends.id = r.id";
    SCRUB_PREPARED = "DELETE FROM prepared WHERE send IN (SELECT id FROM sends WHERE customer = $1)";
    SCRUB_OUTLOOK = "DELETE FROM outlooks WHERE customer = $1";
    SCRUB_QUARANTINE = { sqlite: "DELETE FROM quarantine WHERE EXISTS (SELECT 1 FROM rows($1: word TEXT) AS r
            WHERE instr(lower(quarantine.body), r.word) > 0)",
        postgres: "DELETE FROM quarantine WHERE EXISTS (SELECT 1 FROM rows($1: word TEXT) AS r
            WHERE strpos(lower(quarantine.body), r.word) > 0)" };
    ERASED = "UPDATE customers SET erased = 1, failed_because = NULL WHERE id = $1";
}

impl Store {
    /// Forgets somebody: event bodies, addresses and the values of mails are overwritten.
    /// Sends that are still open are the planner's to cancel, before this.
    ///
    /// # Errors
    /// Where the database refuses or is out of reach; then nothing was erased.
    pub async fn erase(&self, customer: CustomerId, now: Timestamp) -> Result<(), StoreError> {
        self.write(Write::Erase { customer, now }).await?;
        Ok(())
    }
}

/// What may stay of an event's body: that somebody asked to be forgotten, and that it
/// was a test.
pub(super) fn scrubbed(body: &Body) -> Body {
    Body {
        erasure: body.erasure.as_ref().map(|erasure| Erasure {
            scope: erasure.scope.clone(),
            orders: Vec::new(),
            due_at: erasure.due_at,
        }),
        consent: body.consent.clone(),
        test: body.test,
        ..Body::default()
    }
}

/// A text that may name somebody, replaced by its hash where it holds an address.
pub(super) fn nameless(secret: &Secret, text: &str) -> String {
    if text.contains('@') {
        format!("erased:{}", secret.text(text))
    } else {
        text.to_owned()
    }
}

pub(super) async fn erase(
    tx: &mut Tx,
    secret: &Secret,
    customer: CustomerId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut words: BTreeSet<String> = BTreeSet::new();
    let mut list: Vec<(i64, String, String, String)> = Vec::new();
    for row in tx.fetch(&THEIR_EVENTS, vec![customer.0.into()]).await? {
        let seq = row.int(0)?;
        // A row that does not parse is emptied all the same.
        let body = match read_event(&row)?.1 {
            Ok(event) => {
                words.extend(addresses(&event));
                scrubbed(&event.body)
            }
            Err(_) => Body::default(),
        };
        let id = nameless(secret, &row.text(3)?);
        list.push((seq, id, nameless(secret, &row.text(12)?), json(&body)?));
    }
    if !list.is_empty() {
        tx.run(&SCRUB_EVENTS, vec![rows(&list)?]).await?;
    }
    let mut sends: Vec<(String, String)> = Vec::new();
    for row in tx.fetch(&THEIR_SENDS, vec![customer.0.into()]).await? {
        let (customer, Ok(mut send)) = read_send(&row)? else {
            continue;
        };
        words.extend(send.prepared.iter().map(|prepared| normalise(&prepared.to)));
        send.prepared = None;
        send.order_number = None;
        match &mut send.state {
            SendState::Accepted { reply } | SendState::Refused { reply } => blank(reply),
            SendState::Queued { .. }
            | SendState::Sending { .. }
            | SendState::Held { .. }
            | SendState::Skipped
            | SendState::Cancelled
            | SendState::Uncertain { .. }
            | SendState::Unknown => {}
        }
        if let Some(
            Reason::Deferred { reply: text }
            | Reason::Refused { reply: text }
            | Reason::Render { message: text }
            | Reason::RelayTrouble { message: text }
            | Reason::NoAddress { why: text },
        ) = &mut send.reason
        {
            blank(text);
        }
        let row = send_row(customer, &send)?;
        sends.push((row.0, row.11));
    }
    tx.run(&SCRUB_PREPARED, vec![customer.0.into()]).await?;
    if !sends.is_empty() {
        tx.run(&SCRUB_SENDS, vec![rows(&sends)?]).await?;
    }
    tx.run(&SCRUB_OUTLOOK, vec![customer.0.into()]).await?;
    assignments::forget(tx, customer).await?;
    let words = privacy::words(&words);
    if !words.is_empty() {
        tx.run(&SCRUB_QUARANTINE, vec![rows(&words)?]).await?;
        privacy::scrub_naming(tx, secret, &words).await?;
    }
    tx.run(&ERASED, vec![customer.0.into()]).await?;
    let mut wakes = Wakes::default();
    wakes.add(customer, now);
    wakes.wake(tx).await
}

/// Servers like to repeat the address in what they say.
fn blank(text: &mut String) {
    if text.contains('@') {
        *text = "(erased)".to_owned();
    }
}

/// The addresses that an event names, in the forms in which texts may hold them.
fn addresses(event: &Event) -> Vec<String> {
    let told = event.addresses();
    let forms = told.flat_map(|text| [normalise(text), text.trim().to_lowercase()]);
    forms.collect()
}

/// How often, and how long apart, the log is tried to be emptied while readers hold it.
const SHAKES: u32 = 5;
const SHAKE_AGAIN: Duration = Duration::from_millis(100);

/// After an erasure was committed: the write-ahead log of SQLite holds the old pages
/// until it is emptied, which readers may keep it from for a while.
pub(super) async fn shake_out(pools: &Pools) {
    let Pools::Sqlite {
        write: Some(pool), ..
    } = pools
    else {
        return;
    };
    for _ in 0..SHAKES {
        // (whether it was kept from it, pages in the log, pages taken over)
        let busy: Result<i64, _> = sqlx::query_scalar("PRAGMA wal_checkpoint(TRUNCATE)")
            .fetch_one(pool)
            .await;
        if matches!(busy, Ok(0)) {
            return;
        }
        tokio::time::sleep(SHAKE_AGAIN).await;
    }
    tracing::warn!(
        "the log of the database could not be emptied after an erasure; closing does it"
    );
}
