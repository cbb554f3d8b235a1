//! What privacy law asks of a store: who asks for their data, what names somebody outside
//! their own rows, forgetting a shop, and what waited too long for somebody to turn up.
//! What nobody turned up for is moved into quarantine, where a human sees it; nothing
//! goes by itself.

use super::Corrupt;
use super::Store;
use super::db::{Tx, rows, statements};
use super::erase::nameless;
use super::error::StoreError;
use super::quarantine::Quarantined;
use super::rows::{event as read_event, json};
use super::secret::Secret;
use super::writer::{Write, Written};
use crate::ingest::canonical;
use crate::model::email::normalise;
use crate::model::event::{Body, Event};
use crate::model::ids::{CustomerId, EventSeq};
use crate::model::time::{Timestamp, to_ms};
use std::collections::BTreeSet;

/// The reason in quarantine of what waited in vain.
pub const EXPIRED: &str = "expired";
/// Events moved by one commit.
const EXPIRE_BATCH: i64 = 500;

statements! {
    REQUESTS = "SELECT e.seq, e.customer, e.source, e.id, e.kind, e.time, e.recorded, e.considered, e.mode, e.misdated, e.sequence,
            e.partition, e.subject, e.body, COALESCE((SELECT c.erased FROM customers c WHERE c.id = e.customer), 0)
        FROM events e WHERE e.kind = 'privacy.data_requested' AND e.revision = 0 ORDER BY e.seq";
    SHOPS = "SELECT e.seq, e.customer, e.source, e.id, e.kind, e.time, e.recorded, e.considered, e.mode, e.misdated, e.sequence,
            e.partition, e.subject, e.body
        FROM events e WHERE e.customer = 0 AND e.kind = 'privacy.erasure_requested' AND e.seq > $1 ORDER BY e.seq";
    NAMING_QUARANTINED = { sqlite: "SELECT id, source, event_id, kind, body, reason, because, recorded, tries FROM quarantine
            WHERE EXISTS (SELECT 1 FROM rows($1: word TEXT) AS r WHERE instr(lower(quarantine.body), r.word) > 0) ORDER BY id",
        postgres: "SELECT id, source, event_id, kind, body, reason, because, recorded, tries FROM quarantine
            WHERE EXISTS (SELECT 1 FROM rows($1: word TEXT) AS r WHERE strpos(lower(quarantine.body), r.word) > 0) ORDER BY id" };
    NAMING_PARKED = { sqlite: "SELECT e.seq, e.customer, e.source, e.id, e.kind, e.time, e.recorded, e.considered, e.mode, e.misdated, e.sequence,
                e.partition, e.subject, e.body
            FROM events e WHERE e.customer = 0 AND EXISTS (SELECT 1 FROM rows($1: word TEXT) AS r
                WHERE instr(lower(e.body), r.word) > 0 OR instr(lower(e.subject), r.word) > 0) ORDER BY e.seq",
        postgres: "SELECT e.seq, e.customer, e.source, e.id, e.kind, e.time, e.recorded, e.considered, e.mode, e.misdated, e.sequence,
                e.partition, e.subject, e.body
            FROM events e WHERE e.customer = 0 AND EXISTS (SELECT 1 FROM rows($1: word TEXT) AS r
                WHERE strpos(lower(e.body), r.word) > 0 OR strpos(lower(e.subject), r.word) > 0) ORDER BY e.seq" };
    PARKED_OF = "SELECT e.seq, e.customer, e.source, e.id, e.kind, e.time, e.recorded, e.considered, e.mode, e.misdated, e.sequence,
            e.partition, e.subject, e.body
        FROM events e WHERE e.customer = 0 AND e.source = $1 AND e.seq <= $2 AND EXISTS (SELECT 1 FROM parked p WHERE p.seq = e.seq) ORDER BY e.seq";
    SCRUB = "UPDATE events SET id = r.id, subject = r.subject, partition = NULL, body = r.body
        FROM rows($1: seq BIGINT, id TEXT, subject TEXT, body TEXT) AS r WHERE events.seq = r.seq";
    UNPARK = "DELETE FROM parked WHERE seq IN (SELECT r.seq FROM rows($1: seq BIGINT) AS r)";
    EMPTY_SOURCE = "DELETE FROM quarantine WHERE source = $1";
    /// Those who ask for their data wait for a human, not for somebody to turn up.
    EXPIRING = "SELECT e.seq, e.customer, e.source, e.id, e.kind, e.time, e.recorded, e.considered, e.mode, e.misdated, e.sequence,
            e.partition, e.subject, e.body
        FROM events e WHERE e.customer = 0 AND e.seq <= $1 AND e.kind <> 'privacy.data_requested'
            AND EXISTS (SELECT 1 FROM parked p WHERE p.seq = e.seq) ORDER BY e.seq LIMIT $2";
    EXPIRE = "DELETE FROM events WHERE seq IN (SELECT r.seq FROM rows($1: seq BIGINT) AS r)";
    LAST_QUARANTINED = "SELECT value FROM counters WHERE name = 'quarantine'";
    COUNT_QUARANTINED = "UPDATE counters SET value = $1 WHERE name = 'quarantine'";
    KEEP = "INSERT INTO quarantine (id, source, event_id, kind, body, reason, because, recorded)
        SELECT r.id, r.source, r.event_id, r.kind, r.body, r.reason, r.because, r.recorded
        FROM rows($1: id BIGINT, source TEXT, event_id TEXT, kind TEXT, body TEXT, reason TEXT, because TEXT, recorded BIGINT) AS r";
}

/// Somebody's request for what is held on them.
#[derive(Debug, Clone)]
pub struct DataRequest {
    pub seq: EventSeq,
    /// Who asks; `None` where nobody is known by that name.
    pub customer: Option<CustomerId>,
    /// They were forgotten since.
    pub erased: bool,
    pub event: Result<Event, Corrupt>,
}

/// What names somebody and is not among their own rows.
#[derive(Debug, Default)]
pub struct Naming {
    pub quarantined: Vec<Quarantined>,
    /// Events that wait for somebody to turn up.
    pub parked: Vec<Event>,
}

impl Store {
    /// Every request for data, oldest first.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn data_requests(&self) -> Result<Vec<DataRequest>, StoreError> {
        let mut tx = self.shared.pools.read().await?;
        let found = tx.fetch(&REQUESTS, vec![]).await?;
        tx.rollback().await;
        found
            .iter()
            .map(|row| {
                let (customer, event) = read_event(row)?;
                Ok(DataRequest {
                    seq: EventSeq(row.int(0)?),
                    customer: (customer.0 != 0).then_some(customer),
                    erased: row.int(14)? != 0,
                    event,
                })
            })
            .collect()
    }

    /// Requests to forget a whole shop after an event's number, oldest first.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn shop_erasures(&self, after: i64) -> Result<Vec<Event>, StoreError> {
        let mut tx = self.shared.pools.read().await?;
        let found = tx.fetch(&SHOPS, vec![after.into()]).await?;
        tx.rollback().await;
        let mut events = Vec::with_capacity(found.len());
        for row in &found {
            match read_event(row)?.1 {
                Ok(event) => events.push(event),
                Err(corrupt) => {
                    tracing::error!(error = %corrupt, "a request to forget a shop cannot be read")
                }
            }
        }
        Ok(events)
    }

    /// What holds one of these addresses outside anybody's own rows.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn naming(&self, addresses: &BTreeSet<String>) -> Result<Naming, StoreError> {
        let words = words(addresses);
        if words.is_empty() {
            return Ok(Naming::default());
        }
        let words = rows(&words)?;
        let mut tx = self.shared.pools.read().await?;
        let quarantined = tx.fetch(&NAMING_QUARANTINED, vec![words.clone()]).await?;
        let parked = tx.fetch(&NAMING_PARKED, vec![words]).await?;
        tx.rollback().await;
        let mut naming = Naming::default();
        for row in &quarantined {
            naming.quarantined.push(super::quarantine::read(row)?);
        }
        for row in &parked {
            if let Ok(event) = read_event(row)?.1 {
                naming.parked.push(event);
            }
        }
        Ok(naming)
    }

    /// Forgets what a source told of nobody: bodies in quarantine, and events up to a
    /// number that wait for somebody to turn up.
    ///
    /// # Errors
    /// Where the database refuses or is out of reach; then nothing was forgotten.
    pub async fn forget_source(&self, source: &str, up_to: EventSeq) -> Result<u64, StoreError> {
        let source = source.to_owned();
        match self.write(Write::ForgetSource { source, up_to }).await? {
            Written::Count(count) => Ok(count),
            _ => Ok(0),
        }
    }

    /// Moves some events that wait for somebody to turn up, by number up to one, into
    /// quarantine. Gives how many; fewer than before, and there are no more.
    ///
    /// # Errors
    /// Where the database refuses or is out of reach; then nothing was moved.
    pub async fn expire_parked(
        &self,
        up_to: i64,
        because: &str,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let because = because.to_owned();
        let write = Write::ExpireParked {
            up_to,
            because,
            now,
        };
        match self.write(write).await? {
            Written::Count(count) => Ok(count),
            _ => Ok(0),
        }
    }
}

/// The forms in which a body may hold an address: as it is, and as JSON and forms escape
/// it.
pub(super) fn words(addresses: &BTreeSet<String>) -> Vec<(String,)> {
    let mut words: BTreeSet<String> = BTreeSet::new();
    for address in addresses.iter().filter(|text| text.contains('@')) {
        for text in [address.trim().to_lowercase(), normalise(address)] {
            let escaped: String = text
                .chars()
                .map(|c| match c {
                    c if c.is_ascii() => c.to_string(),
                    c => {
                        let mut units = [0; 2];
                        let units = c.encode_utf16(&mut units).iter();
                        units.map(|unit| format!("\\u{unit:04x}")).collect()
                    }
                })
                .collect();
            words.insert(text.replace('@', "%40"));
            words.insert(text.replace('@', "\\u0040"));
            words.insert(text.replace('+', "\\u002b"));
            words.insert(escaped);
            words.insert(text);
        }
    }
    words.into_iter().map(|word| (word,)).collect()
}

/// Empties events that belong to nobody, and has them wait no longer.
async fn scrub(tx: &mut Tx, secret: &Secret, found: &[super::db::Row]) -> Result<u64, StoreError> {
    let mut list: Vec<(i64, String, String, String)> = Vec::with_capacity(found.len());
    let mut gone: Vec<(i64,)> = Vec::with_capacity(found.len());
    for row in found {
        let seq = row.int(0)?;
        let (id, subject) = (row.text(3)?, row.text(12)?);
        let id = nameless(secret, &id);
        list.push((seq, id, nameless(secret, &subject), json(&Body::default())?));
        gone.push((seq,));
    }
    if !list.is_empty() {
        tx.run(&SCRUB, vec![rows(&list)?]).await?;
        tx.run(&UNPARK, vec![rows(&gone)?]).await?;
    }
    Ok(list.len() as u64)
}

/// Part of an erasure: parked events that hold one of these words.
pub(super) async fn scrub_naming(
    tx: &mut Tx,
    secret: &Secret,
    words: &[(String,)],
) -> Result<(), StoreError> {
    let found = tx.fetch(&NAMING_PARKED, vec![rows(words)?]).await?;
    scrub(tx, secret, &found).await?;
    Ok(())
}

pub(super) async fn forget_source(
    tx: &mut Tx,
    secret: &Secret,
    source: &str,
    up_to: EventSeq,
) -> Result<u64, StoreError> {
    let bodies = tx.run(&EMPTY_SOURCE, vec![source.into()]).await?;
    let parked = tx
        .fetch(&PARKED_OF, vec![source.into(), up_to.0.into()])
        .await?;
    Ok(bodies + scrub(tx, secret, &parked).await?)
}

pub(super) async fn expire(
    tx: &mut Tx,
    up_to: i64,
    because: &str,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let found = tx
        .fetch(&EXPIRING, vec![up_to.into(), EXPIRE_BATCH.into()])
        .await?;
    if found.is_empty() {
        return Ok(0);
    }
    let last = tx.fetch_one(&LAST_QUARANTINED, vec![]).await?;
    let mut last = last.map_or(Ok(0), |row| row.int(0))?;
    let mut kept = Vec::with_capacity(found.len());
    let mut gone: Vec<(i64,)> = Vec::with_capacity(found.len());
    for row in &found {
        last += 1;
        let kind = row.text(4)?;
        let body = match read_event(row)?.1 {
            Ok(event) => canonical::written(&event).to_string(),
            // As it lies there: a human may make something of it.
            Err(_) => row.text(13)?,
        };
        kept.push((
            last,
            row.text(2)?,
            row.text(3)?,
            kind,
            body,
            EXPIRED,
            because,
            to_ms(now),
        ));
        gone.push((row.int(0)?,));
    }
    let gone = rows(&gone)?;
    tx.run(&KEEP, vec![rows(&kept)?]).await?;
    tx.run(&UNPARK, vec![gone.clone()]).await?;
    // A replay brings it back as news; else its name would be known already.
    tx.run(&EXPIRE, vec![gone]).await?;
    tx.run(&COUNT_QUARANTINED, vec![last.into()]).await?;
    Ok(kept.len() as u64)
}
