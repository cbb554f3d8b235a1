//! Intake: each fact once, with the person it is about. Here nothing is planned; people
//! are woken and the planner looks.
//!
//! Three guards against repeats end here: the delivery's key, the fact's name, and (in
//! [`super::plans`]) the derived ids of what follows.

use super::db::{Row, Tx, rows, statements};
use super::erase::scrubbed;
use super::error::StoreError;
use super::rows::{event as read_event, flag, json};
use super::upkeep::hashed;
use super::wake::Wakes;
use super::writer::{self, Write, expect_written};
use super::{Secret, Store, assignments, erase};
use crate::ingest::canonical;
use crate::ingest::identity::{Directory, Key, Keys, Placement, keys};
use crate::model::event::Event;
use crate::model::ids::{CustomerId, EventSeq};
use crate::model::time::{Timestamp, from_ms, to_ms};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

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

/// A body that is no event that we can take, kept for a replay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Poison {
    pub source: Option<String>,
    pub id: Option<String>,
    pub kind: Option<String>,
    pub body: String,
    /// A stable code.
    pub reason: String,
    /// A sentence.
    pub because: String,
    pub recorded: Timestamp,
    /// The delivery's own key: the same one is kept once, however often it comes. `None`
    /// where the way has none.
    pub transport: Option<String>,
}

impl From<canonical::Poison> for Poison {
    fn from(bad: canonical::Poison) -> Poison {
        Poison {
            source: bad.source,
            id: bad.id,
            kind: bad.kind,
            body: bad.body,
            reason: bad.reason,
            because: bad.because,
            recorded: bad.recorded,
            transport: None,
        }
    }
}

/// The key under which a number that was merged away still leads to the survivor.
pub(super) fn own_key(of: CustomerId) -> String {
    format!("own:{of}")
}

/// Under what keys of deliveries in quarantine stand among those of events: what was kept
/// once must not keep its mended repetition out.
const OF_QUARANTINE: &str = "quarantine:";

/// How many rounds of parked events finding each other one intake follows.
const ROUNDS: usize = 8;

statements! {
    DELIVER = "INSERT INTO deliveries (source, key, recorded)
        SELECT r.source, r.key, r.recorded FROM rows($1: source TEXT, key TEXT, recorded BIGINT) AS r
        WHERE 1 = 1 ON CONFLICT DO NOTHING RETURNING source, key";
    FACTS = "SELECT e.source, e.id, COALESCE(e.version, 0), e.time, e.considered
        FROM rows($1: source TEXT, id TEXT) AS r JOIN events e ON e.source = r.source AND e.id = r.id
        ORDER BY e.revision";
    KNOWN = "SELECT a.key, a.customer FROM rows($1: key TEXT) AS r JOIN aliases a ON a.key = r.key";
    NUMBERS = "SELECT name, value FROM counters WHERE name IN ('customer', 'event', 'quarantine')";
    COUNT = "UPDATE counters SET value = r.value FROM rows($1: name TEXT, value BIGINT) AS r WHERE counters.name = r.name";
    ERASED = "SELECT c.id FROM rows($1: id BIGINT) AS r JOIN customers c ON c.id = r.id WHERE c.erased = 1";
    NEW_CUSTOMERS = "INSERT INTO customers (id, version, wake_at) SELECT r.id, 1, r.at FROM rows($1: id BIGINT, at BIGINT) AS r";
    NEW_DUE = "INSERT INTO due (what, at, customer, id) SELECT 'c', r.at, r.id, '' FROM rows($1: id BIGINT, at BIGINT) AS r";
    RECORD = "INSERT INTO events (seq, customer, source, id, revision, version, kind, time, recorded, considered, mode, misdated,
            sequence, partition, subject, body)
        SELECT r.seq, r.customer, r.source, r.id, r.revision, r.version, r.kind, r.time, r.recorded, r.considered, r.mode, r.misdated,
            r.sequence, r.part, r.subject, r.body
        FROM rows($1: seq BIGINT, customer BIGINT, source TEXT, id TEXT, revision BIGINT, version BIGINT, kind TEXT, time BIGINT,
            recorded BIGINT, considered BIGINT, mode TEXT, misdated BIGINT, sequence TEXT, part TEXT, subject TEXT, body TEXT) AS r";
    LEARN = "INSERT INTO aliases (key, customer) SELECT r.key, r.customer FROM rows($1: key TEXT, customer BIGINT) AS r
        WHERE 1 = 1 ON CONFLICT DO NOTHING";
    PARK = "INSERT INTO parked (key, seq) SELECT r.key, r.seq FROM rows($1: key TEXT, seq BIGINT) AS r
        WHERE 1 = 1 ON CONFLICT DO NOTHING";
    /// Events that wait under one of these keys.
    WAITING = "SELECT e.seq, e.customer, e.source, e.id, e.kind, e.time, e.recorded, e.considered, e.mode, e.misdated, e.sequence,
            e.partition, e.subject, e.body
        FROM events e WHERE e.seq IN (SELECT p.seq FROM rows($1: key TEXT) AS r JOIN parked p ON p.key = r.key) ORDER BY e.seq";
    /// Events that wait under a key of these people: a key that led to several.
    WAITING_FOR = "SELECT e.seq, e.customer, e.source, e.id, e.kind, e.time, e.recorded, e.considered, e.mode, e.misdated, e.sequence,
            e.partition, e.subject, e.body
        FROM events e WHERE e.seq IN (SELECT p.seq FROM rows($1: id BIGINT) AS r
            JOIN aliases a ON a.customer = r.id JOIN parked p ON p.key = a.key) ORDER BY e.seq";
    UNPARK = "DELETE FROM parked WHERE seq IN (SELECT r.seq FROM rows($1: seq BIGINT, customer BIGINT, body TEXT) AS r)";
    JOIN = "UPDATE events SET customer = r.customer, body = COALESCE(r.body, events.body)
        FROM rows($1: seq BIGINT, customer BIGINT, body TEXT) AS r WHERE events.seq = r.seq";
    /// Those who are merged, with their survivors' numbers beside.
    MERGING = "SELECT c.id, c.version, c.erased, c.absorbed, c.considered_at FROM customers c WHERE c.id IN (SELECT r.id FROM rows($1: id BIGINT) AS r)";
    MERGE_EVENTS = "UPDATE events SET customer = $2 WHERE customer = $1";
    MERGE_ENROLMENTS = "UPDATE enrolments SET customer = $2 WHERE customer = $1";
    MERGE_SENDS = "UPDATE sends SET customer = $2 WHERE customer = $1";
    MERGE_DUE = "UPDATE due SET customer = $2 WHERE what = 's' AND customer = $1
        AND (at, id) IN (SELECT not_before, id FROM sends WHERE customer = $2 AND not_before IS NOT NULL)";
    UNDUE = "DELETE FROM due WHERE what = 'c' AND customer = $1 AND at IN (SELECT wake_at FROM customers WHERE id = $1)";
    MERGE_ALIASES = "INSERT INTO aliases (key, customer) SELECT key, $2 FROM aliases WHERE customer = $1 ON CONFLICT DO NOTHING";
    FORGET_ALIASES = "DELETE FROM aliases WHERE customer = $1";
    FORGET_OUTLOOK = "DELETE FROM outlooks WHERE customer = $1";
    FORGET_CUSTOMER = "DELETE FROM customers WHERE id = $1";
    SURVIVE = "UPDATE customers SET version = $2, erased = $3, absorbed = $4, considered_at = $5 WHERE id = $1";
    QUARANTINE = "INSERT INTO quarantine (id, source, event_id, kind, body, reason, because, recorded)
        SELECT r.id, r.source, r.event_id, r.kind, r.body, r.reason, r.because, r.recorded
        FROM rows($1: id BIGINT, source TEXT, event_id TEXT, kind TEXT, body TEXT, reason TEXT, because TEXT, recorded BIGINT) AS r";
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
        expect_written!(
            self.write(Write::Accept { batch, poison, now }).await?,
            Accepted
        )
    }
}

impl Store {
    /// Which of these facts (source and id) are known.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn known_facts(
        &self,
        facts: &BTreeSet<(&str, &str)>,
    ) -> Result<HashSet<(String, String)>, StoreError> {
        let list: Vec<&(&str, &str)> = facts.iter().collect();
        let mut tx = self.shared.pools.read().await?;
        let found = tx.fetch(&FACTS, vec![rows(&list)?]).await?;
        tx.rollback().await;
        found
            .iter()
            .map(|row| Ok((row.text(0)?, row.text(1)?)))
            .collect()
    }
}

impl Store {
    /// By fact of one source: the newest version of an order that was told with it, in
    /// milliseconds; facts that are not known are left out.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn known_versions(
        &self,
        facts: &BTreeSet<(&str, &str)>,
    ) -> Result<BTreeMap<String, i64>, StoreError> {
        let list: Vec<&(&str, &str)> = facts.iter().collect();
        let mut tx = self.shared.pools.read().await?;
        let found = tx.fetch(&FACTS, vec![rows(&list)?]).await?;
        tx.rollback().await;
        found
            .iter()
            .map(|row| Ok((row.text(1)?, row.int(2)?)))
            .collect()
    }
}

/// An event that is to be stored.
struct Fresh<'b> {
    /// Its place in the batch.
    place: usize,
    event: Cow<'b, Event>,
    now: Timestamp,
    /// 0, or the version where the fact is known.
    revision: i64,
    /// A plan has seen the fact: told again, it triggers nothing.
    considered: bool,
    keys: Keys,
    seq: EventSeq,
}

/// What placing a batch came to, all merges done.
#[derive(Default)]
struct Outcome {
    /// By number: where the events of the batch belong, and parked ones that found somebody.
    placements: HashMap<EventSeq, Placement>,
    /// People first seen now who stay.
    new: BTreeSet<CustomerId>,
    /// People known before, each into its survivor.
    merges: BTreeMap<CustomerId, CustomerId>,
    learnt: BTreeSet<(Key, CustomerId)>,
}

pub(super) async fn accept(
    secret: &Secret,
    tx: &mut Tx,
    batch: &[(&Incoming, Timestamp)],
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
        let mut loaded = Loaded::default();
        let all: BTreeSet<Key> = fresh
            .iter()
            .flat_map(|one| one.keys.all().cloned())
            .collect();
        loaded.load(secret, tx, &mut directory, all).await?;
        let outcome = place(
            secret,
            tx,
            &mut directory,
            &mut loaded,
            &fresh,
            numbers.customer,
        )
        .await?;
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

impl Outcome {
    fn customer(&self, seq: EventSeq) -> Option<CustomerId> {
        match self.placements.get(&seq) {
            Some(Placement::Customer(customer)) => Some(*customer),
            Some(Placement::ShopWide | Placement::Parked(_)) | None => None,
        }
    }
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

/// Keeps what is no event, each delivery once; gives the last number used. A delivery
/// without a key of its own is known by what it holds and when it came: it may come by the
/// journal as well.
async fn keep(tx: &mut Tx, poison: &[&Poison], mut last: i64) -> Result<i64, StoreError> {
    let place = |one: &Poison| {
        let key = one.transport.clone().unwrap_or_else(|| key_of(one));
        let source = format!("{OF_QUARANTINE}{}", source_of(one));
        (clean(&source), clean(&key))
    };
    let deliveries: BTreeMap<(String, String), i64> = poison
        .iter()
        .map(|one| (place(one), to_ms(one.recorded)))
        .collect();
    let rows_of: Vec<(&String, &String, i64)> = deliveries
        .iter()
        .map(|((source, key), at)| (source, key, *at))
        .collect();
    let mut new: HashSet<(String, String)> = HashSet::new();
    for row in tx.fetch(&DELIVER, vec![rows(&rows_of)?]).await? {
        new.insert((row.text(0)?, row.text(1)?));
    }
    let mut list = Vec::with_capacity(poison.len());
    for one in poison {
        // Once taken out, a repetition in the same batch finds nothing.
        if !new.remove(&place(one)) {
            continue;
        }
        last += 1;
        list.push((
            last,
            &one.source,
            &one.id,
            &one.kind,
            &one.body,
            &one.reason,
            &one.because,
            to_ms(one.recorded),
        ));
    }
    if !list.is_empty() {
        tx.run(&QUARANTINE, vec![rows(&list)?]).await?;
    }
    Ok(last)
}

fn source_of(one: &Poison) -> &str {
    one.source.as_deref().unwrap_or_default()
}

/// The key of a delivery that could not be read, by what it holds and when it came.
fn key_of(one: &Poison) -> String {
    let mut hash = Sha256::new();
    hash.update(to_ms(one.recorded).to_le_bytes());
    for part in [source_of(one), &one.reason, &one.body] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    format!(
        "poison:{:x}",
        u128::from_be_bytes(first_half(&hash.finalize()))
    )
}

fn first_half(hash: &[u8]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    half
}

/// Sets aside what is known: by the delivery's key, then by the fact's name.
async fn sift<'b>(
    tx: &mut Tx,
    batch: &[(&'b Incoming, Timestamp)],
) -> Result<Vec<Fresh<'b>>, StoreError> {
    let deliveries: BTreeMap<(&str, &str), i64> = batch
        .iter()
        .filter_map(|(one, now)| {
            let key = one.transport.as_deref()?;
            Some(((one.event.source.as_str(), key), to_ms(*now)))
        })
        .collect();
    let mut new_deliveries: HashSet<(String, String)> = HashSet::new();
    if !deliveries.is_empty() {
        let list: Vec<(&str, &str, i64)> = deliveries
            .iter()
            .map(|((source, key), at)| (*source, *key, *at))
            .collect();
        for row in tx.fetch(&DELIVER, vec![rows(&list)?]).await? {
            new_deliveries.insert((row.text(0)?, row.text(1)?));
        }
    }
    let mut events: Vec<Cow<'_, Event>> = batch
        .iter()
        .map(|(one, _)| Cow::Borrowed(&one.event))
        .collect();
    let mut told = Known::default();
    told.look(tx, &events).await?;
    let mut renamed: Vec<Cow<'_, Event>> = Vec::new();
    let mut earlier: HashMap<(String, String), Timestamp> = HashMap::new();
    for event in &mut events {
        let name = (clean(&event.source), clean(&event.id));
        let known = told.first.get(&name).or(earlier.get(&name)).copied();
        if let Some(anew) = known.and_then(|known| event.anew(known)) {
            event.to_mut().id = anew;
            renamed.push(event.clone());
        } else if known.is_none() {
            earlier.insert(name, event.time);
        }
    }
    if !renamed.is_empty() {
        told.look(tx, &renamed).await?;
    }
    let mut fresh = Vec::new();
    for (place, ((one, now), event)) in batch.iter().zip(events).enumerate() {
        if let Some(key) = &one.transport
            && !new_deliveries.contains(&(clean(&event.source), clean(key)))
        {
            continue;
        }
        let version = event.version();
        let name = (clean(&event.source), clean(&event.id));
        let revision = match told.versions.get(&name) {
            None => 0,
            Some(versions) if event.says_more(versions) => version,
            Some(_) => continue,
        };
        // Told better before any plan has seen it, it is news all the same.
        let considered = event.considered || told.considered.contains(&name);
        told.versions.entry(name).or_default().insert(version);
        fresh.push(Fresh {
            place,
            now: *now,
            revision,
            considered,
            keys: keys(&event),
            event,
            seq: EventSeq(0),
        });
    }
    Ok(fresh)
}

/// What is known under the names of facts.
#[derive(Default)]
struct Known {
    /// The versions that were told (see [`Event::version`]).
    versions: HashMap<(String, String), BTreeSet<i64>>,
    /// When it happened, as first told.
    first: HashMap<(String, String), Timestamp>,
    /// Which of them a plan has seen.
    considered: HashSet<(String, String)>,
}

impl Known {
    async fn look(&mut self, tx: &mut Tx, events: &[Cow<'_, Event>]) -> Result<(), StoreError> {
        let names: BTreeSet<(&str, &str)> = events
            .iter()
            .map(|event| (event.source.as_str(), event.id.as_str()))
            .collect();
        let names: Vec<(&str, &str)> = names.into_iter().collect();
        for row in tx.fetch(&FACTS, vec![rows(&names)?]).await? {
            let name = (row.text(0)?, row.text(1)?);
            // The first telling comes first.
            let at = from_ms(row.int(3)?);
            self.first.entry(name.clone()).or_insert(at);
            if row.int(4)? != 0 {
                self.considered.insert(name.clone());
            }
            self.versions.entry(name).or_default().insert(row.int(2)?);
        }
        Ok(())
    }
}

/// A text as it comes back from the database (see [`super::db::rows`]).
fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// What was loaded into a directory: each key once, and the parked events under them.
#[derive(Default)]
struct Loaded {
    /// The keys, each with the form in which it is stored.
    hashes: HashMap<Key, String>,
    waiting: BTreeMap<EventSeq, Event>,
}

impl Loaded {
    /// Loads who is known under keys, what waits under them, and so on for what that
    /// names: exactly what placing may need.
    async fn load(
        &mut self,
        secret: &Secret,
        tx: &mut Tx,
        directory: &mut Directory,
        mut wanted: BTreeSet<Key>,
    ) -> Result<(), StoreError> {
        for _ in 0..ROUNDS {
            wanted.retain(|key| !self.hashes.contains_key(key));
            if wanted.is_empty() {
                return Ok(());
            }
            // In the order of the index: neighbours lie on one page of it.
            let hashes: BTreeMap<String, &Key> = wanted
                .iter()
                .map(|key| (hashed(secret, key.as_str()), key))
                .collect();
            let list: Vec<(&String,)> = hashes.keys().map(|hash| (hash,)).collect();
            let list = rows(&list)?;
            for row in tx.fetch(&KNOWN, vec![list.clone()]).await? {
                if let Some(key) = hashes.get(&row.text(0)?) {
                    directory.know((*key).clone(), CustomerId(row.int(1)?));
                }
            }
            let waiting = readable(&tx.fetch(&WAITING, vec![list]).await?)?;
            let known: Vec<(Key, String)> = hashes
                .into_iter()
                .map(|(hash, key)| (key.clone(), hash))
                .collect();
            self.hashes.extend(known);
            wanted = self.wait(directory, waiting);
        }
        Ok(())
    }

    /// Has parked events wait in the directory; gives the keys that they name.
    fn wait(&mut self, directory: &mut Directory, waiting: Vec<Event>) -> BTreeSet<Key> {
        let mut named = BTreeSet::new();
        for event in waiting {
            if self.waiting.contains_key(&event.seq) {
                continue;
            }
            let keys = keys(&event);
            named.extend(keys.all().cloned());
            directory.wait(event.seq, keys);
            self.waiting.insert(event.seq, event);
        }
        named
    }
}

/// Places the batch, and what waited for it. Where known people become one, a key that
/// led to both is clear again, so what waits under their keys is tried once more.
async fn place(
    secret: &Secret,
    tx: &mut Tx,
    directory: &mut Directory,
    loaded: &mut Loaded,
    fresh: &[Fresh<'_>],
    last: i64,
) -> Result<Outcome, StoreError> {
    let mut outcome = Outcome::default();
    let mut merged: BTreeSet<CustomerId> = BTreeSet::new();
    let mut todo: Vec<(EventSeq, Keys)> = fresh
        .iter()
        .map(|one| (one.seq, one.keys.clone()))
        .collect();
    while !todo.is_empty() {
        for (seq, keys) in todo.drain(..) {
            let placed = directory.place_keys(seq, keys);
            outcome.placements.extend(placed.placements);
            outcome.new.extend(placed.created);
            outcome.learnt.extend(placed.learnt);
            for (from, _) in placed.merges {
                merged.insert(from);
            }
        }
        let list: Vec<(i64,)> = merged
            .iter()
            .filter(|from| from.0 <= last && !outcome.merges.contains_key(from))
            .flat_map(|from| [(from.0,), (directory.current(*from).0,)])
            .collect();
        for from in merged.iter().filter(|from| from.0 <= last) {
            outcome.merges.insert(*from, directory.current(*from));
        }
        if !list.is_empty() {
            let waiting = readable(&tx.fetch(&WAITING_FOR, vec![rows(&list)?]).await?)?;
            let again: Vec<EventSeq> = waiting.iter().map(|event| event.seq).collect();
            let named = loaded.wait(directory, waiting);
            loaded.load(secret, tx, directory, named).await?;
            todo = again
                .into_iter()
                .filter(|seq| !outcome.placements.contains_key(seq))
                .filter_map(|seq| loaded.waiting.get(&seq).map(|event| (seq, keys(event))))
                .collect();
        }
    }
    for placement in outcome.placements.values_mut() {
        if let Placement::Customer(customer) = placement {
            *customer = directory.current(*customer);
        }
    }
    outcome.new.retain(|of| directory.current(*of) == *of);
    outcome
        .merges
        .iter_mut()
        .for_each(|(_, into)| *into = directory.current(*into));
    outcome.learnt = std::mem::take(&mut outcome.learnt)
        .into_iter()
        .map(|(key, of)| (key, directory.current(of)))
        .collect();
    Ok(outcome)
}

/// Those that parse; a broken row stays parked for `doctor` to show.
fn readable(of: &[Row]) -> Result<Vec<Event>, StoreError> {
    let mut events = Vec::with_capacity(of.len());
    for row in of {
        if let (_, Ok(event)) = read_event(row)? {
            events.push(event);
        }
    }
    Ok(events)
}

type EventRow<'b> = (
    i64,
    i64,
    String,
    &'b str,
    i64,
    Option<i64>,
    &'static str,
    i64,
    i64,
    i64,
    &'static str,
    i64,
    &'b Option<String>,
    &'b Option<String>,
    String,
    String,
);

/// Writes people, events, keys and wake-ups.
async fn record(
    secret: &Secret,
    tx: &mut Tx,
    outcome: &Outcome,
    fresh: &[Fresh<'_>],
    loaded: &Loaded,
) -> Result<(), StoreError> {
    let earliest = fresh.iter().map(|one| one.now).min().unwrap_or_default();
    let mut concerned: BTreeMap<CustomerId, Timestamp> =
        outcome.merges.values().map(|of| (*of, earliest)).collect();
    let joined: Vec<(&Event, CustomerId)> = loaded
        .waiting
        .values()
        .filter_map(|event| Some((event, outcome.customer(event.seq)?)))
        .collect();
    concerned.extend(joined.iter().map(|(_, of)| (*of, earliest)));
    concerned.extend(outcome.new.iter().map(|of| (*of, earliest)));
    concerned.extend(
        fresh
            .iter()
            .filter_map(|one| Some((outcome.customer(one.seq)?, earliest))),
    );
    let people: Vec<(i64, i64)> = outcome
        .new
        .iter()
        .map(|of| (of.0, to_ms(earliest)))
        .collect();
    if !people.is_empty() {
        let people = rows(&people)?;
        tx.run(&NEW_CUSTOMERS, vec![people.clone()]).await?;
        tx.run(&NEW_DUE, vec![people]).await?;
    }
    let mut touched: BTreeSet<CustomerId> = concerned.keys().copied().collect();
    touched.extend(outcome.merges.keys());
    writer::lock_people(
        tx,
        touched.difference(&outcome.new).copied(),
        &writer::LOCK_FOR_WRITE,
    )
    .await?;
    for (from, into) in &outcome.merges {
        merge(secret, tx, *from, *into).await?;
    }
    concerned.retain(|of, _| !outcome.new.contains(of));
    let mut erased: HashSet<CustomerId> = HashSet::new();
    if !concerned.is_empty() {
        let old: Vec<(i64,)> = concerned.keys().map(|of| (of.0,)).collect();
        for row in tx.fetch(&ERASED, vec![rows(&old)?]).await? {
            erased.insert(CustomerId(row.int(0)?));
        }
    }
    record_events(secret, tx, outcome, fresh, &erased).await?;
    if !joined.is_empty() {
        let list: Vec<(i64, i64, Option<String>)> = joined
            .iter()
            .map(|(event, of)| {
                let body = erased.contains(of).then(|| json(&scrubbed(&event.body)));
                Ok((event.seq.0, of.0, body.transpose()?))
            })
            .collect::<Result<_, StoreError>>()?;
        let list = rows(&list)?;
        tx.run(&UNPARK, vec![list.clone()]).await?;
        tx.run(&JOIN, vec![list]).await?;
    }
    let mut learnt: Vec<(&str, i64)> = Vec::with_capacity(outcome.learnt.len());
    let unknown: Vec<(String, i64)> = outcome
        .learnt
        .iter()
        .filter(|(key, _)| !loaded.hashes.contains_key(key))
        .map(|(key, of)| (hashed(secret, key.as_str()), of.0))
        .collect();
    learnt.extend(unknown.iter().map(|(hash, of)| (hash.as_str(), *of)));
    learnt.extend(outcome.learnt.iter().filter_map(|(key, of)| {
        let hash = loaded.hashes.get(key)?;
        Some((hash.as_str(), of.0))
    }));
    // In the order of the index: a batch then passes over its pages once.
    learnt.sort_unstable();
    if !learnt.is_empty() {
        tx.run(&LEARN, vec![rows(&learnt)?]).await?;
    }
    let mut wakes = Wakes::default();
    for (of, at) in concerned {
        wakes.add(of, at);
    }
    wakes.wake(tx).await
}

async fn record_events(
    secret: &Secret,
    tx: &mut Tx,
    outcome: &Outcome,
    fresh: &[Fresh<'_>],
    erased: &HashSet<CustomerId>,
) -> Result<(), StoreError> {
    let mut list: Vec<EventRow<'_>> = Vec::with_capacity(fresh.len());
    let mut parked: Vec<(String, i64)> = Vec::new();
    for one in fresh {
        let event = &one.event;
        if let Some(Placement::Parked(under)) = outcome.placements.get(&one.seq) {
            parked.extend(
                under
                    .iter()
                    .map(|key| (hashed(secret, key.as_str()), one.seq.0)),
            );
        }
        let customer = outcome.customer(one.seq);
        let (body, subject) = if customer.is_some_and(|of| erased.contains(&of)) {
            (
                json(&scrubbed(&event.body))?,
                erase::nameless(secret, &event.subject),
            )
        } else {
            (json(&event.body)?, event.subject.clone())
        };
        list.push((
            one.seq.0,
            customer.map_or(0, |of| of.0),
            event.source.clone(),
            event.id.as_str(),
            one.revision,
            Some(event.version()).filter(|version| *version != 0),
            event.kind.as_str(),
            to_ms(event.time),
            to_ms(event.recorded),
            flag(one.considered),
            event.mode.as_str(),
            flag(event.misdated),
            &event.sequence,
            &event.partition,
            subject,
            body,
        ));
    }
    tx.run(&RECORD, vec![rows(&list)?]).await?;
    if !parked.is_empty() {
        tx.run(&PARK, vec![rows(&parked)?]).await?;
    }
    Ok(())
}

/// Makes two people one. Their versions end above both, so that nothing that was planned
/// or cleared for either still holds.
async fn merge(
    secret: &Secret,
    tx: &mut Tx,
    from: CustomerId,
    into: CustomerId,
) -> Result<(), StoreError> {
    let mut version = 0;
    let mut erased = 0;
    let mut considered: Option<i64> = None;
    let mut absorbed: BTreeSet<CustomerId> = BTreeSet::from([from]);
    for row in tx
        .fetch(&MERGING, vec![rows(&[(from.0,), (into.0,)])?])
        .await?
    {
        version = version.max(row.int(1)?);
        // Who was forgotten stays forgotten, under every name.
        erased = erased.max(row.int(2)?);
        absorbed.extend(serde_json::from_str::<Vec<CustomerId>>(&row.text(3)?).unwrap_or_default());
        // As `History::absorb`: who was never planned says nothing of when.
        let planned = row.maybe_int(4)?;
        considered = match (considered, planned) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
    let pair = vec![from.0.into(), into.0.into()];
    let only = vec![from.0.into()];
    tx.run(&UNDUE, only.clone()).await?;
    tx.run(&MERGE_EVENTS, pair.clone()).await?;
    tx.run(&MERGE_ENROLMENTS, pair.clone()).await?;
    tx.run(&MERGE_SENDS, pair.clone()).await?;
    assignments::merge(tx, from, into).await?;
    tx.run(&MERGE_DUE, pair.clone()).await?;
    tx.run(&MERGE_ALIASES, pair).await?;
    tx.run(&FORGET_ALIASES, only.clone()).await?;
    tx.run(&FORGET_OUTLOOK, only.clone()).await?;
    tx.run(&FORGET_CUSTOMER, only).await?;
    let own = hashed(secret, &own_key(from));
    tx.run(&LEARN, vec![rows(&[(own, into.0)])?]).await?;
    let absorbed: Vec<CustomerId> = absorbed.into_iter().collect();
    let survivor = vec![
        into.0.into(),
        (version + 1).into(),
        erased.into(),
        json(&absorbed)?.into(),
        considered.into(),
    ];
    tx.run(&SURVIVE, survivor).await?;
    Ok(())
}
