//! Whose the events of a batch are: who is known under their keys, what waits under
//! them, and what a [`Directory`] makes of it.

use super::db::{Row, Tx, Value, rows, statements};
use super::error::StoreError;
use super::rows::event as read_event;
use super::secret::Secret;
use super::sift::Fresh;
use crate::ingest::identity::{Directory, Key, Keys, Placement, keys};
use crate::model::event::Event;
use crate::model::ids::{CustomerId, EventSeq};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// How many rounds of parked events finding each other one intake follows.
const ROUNDS: usize = 8;

statements! {
    KNOWN = "SELECT a.key, a.customer FROM rows($1: key TEXT) AS r JOIN aliases a ON a.key = r.key";
    /// Events that wait under one of these keys.
    WAITING = "SELECT e.seq, e.customer, e.source, e.id, e.kind, e.time, e.recorded, e.considered, e.mode, e.misdated, e.sequence,
            e.partition, e.subject, e.body
        FROM events e WHERE e.seq IN (SELECT p.seq FROM rows($1: key TEXT) AS r JOIN parked p ON p.key = r.key)";
    /// Events that wait under a key of these people: a key that led to several.
    WAITING_FOR = "SELECT e.seq, e.customer, e.source, e.id, e.kind, e.time, e.recorded, e.considered, e.mode, e.misdated, e.sequence,
            e.partition, e.subject, e.body
        FROM events e WHERE e.seq IN (SELECT p.seq FROM rows($1: id BIGINT) AS r
            JOIN aliases a ON a.customer = r.id JOIN parked p ON p.key = a.key) ORDER BY e.seq";
}

/// The key under which a number that was merged away still leads to the survivor.
pub(super) fn own_key(of: CustomerId) -> String {
    format!("own:{of}")
}

/// What placing a batch came to, all merges done.
#[derive(Default)]
pub(super) struct Outcome {
    /// By number: where the events of the batch belong, and parked ones that found somebody.
    pub placements: HashMap<EventSeq, Placement>,
    /// People first seen now who stay.
    pub new: BTreeSet<CustomerId>,
    /// People known before, each into its survivor.
    pub merges: BTreeMap<CustomerId, CustomerId>,
    pub learnt: BTreeSet<(Key, CustomerId)>,
}

impl Outcome {
    /// Whose an event is; `None` where it is nobody's yet, or everybody's.
    pub fn customer(&self, seq: EventSeq) -> Option<CustomerId> {
        match self.placements.get(&seq) {
            Some(Placement::Customer(customer)) => Some(*customer),
            Some(Placement::ShopWide | Placement::Parked(_)) | None => None,
        }
    }
}

/// What was loaded into a directory: each key once, and the parked events under them.
#[derive(Default)]
pub(super) struct Loaded {
    /// The keys, each with the form in which it is stored.
    hashes: HashMap<Key, Arc<str>>,
    pub waiting: BTreeMap<EventSeq, Event>,
}

/// Keys by the form in which they are stored, in the order of the index: neighbours lie on
/// one page of it.
type Wanted = BTreeMap<Arc<str>, Key>;

impl Loaded {
    /// The form in which a key is stored.
    pub fn hash(&self, secret: &Secret, key: &Key) -> Arc<str> {
        let known = self.hashes.get(key).cloned();
        known.unwrap_or_else(|| secret.key(key.as_str()).into())
    }

    /// Loads who is known under keys, what waits under them, and so on for what that
    /// names: exactly what placing may need.
    async fn load(
        &mut self,
        secret: &Secret,
        tx: &mut Tx,
        directory: &mut Directory,
        mut wanted: Wanted,
    ) -> Result<(), StoreError> {
        for _ in 0..ROUNDS {
            wanted.retain(|_, key| !self.hashes.contains_key(key));
            if wanted.is_empty() {
                return Ok(());
            }
            let list: Vec<Vec<Value>> = wanted
                .keys()
                .map(|hash| vec![hash.clone().into()])
                .collect();
            for row in tx.each(&KNOWN, list.clone()).await? {
                if let Some(key) = wanted.get(row.text(0)?.as_str()) {
                    directory.know(key.clone(), CustomerId(row.int(1)?));
                }
            }
            let waiting = readable(&tx.each(&WAITING, list).await?)?;
            let known = wanted.into_iter().map(|(hash, key)| (key, hash));
            self.hashes.extend(known);
            wanted = self.wait(secret, directory, waiting);
        }
        Ok(())
    }

    /// Has parked events wait in the directory; gives the keys that they name.
    fn wait(&mut self, secret: &Secret, directory: &mut Directory, waiting: Vec<Event>) -> Wanted {
        let mut named = Wanted::new();
        for event in waiting {
            if self.waiting.contains_key(&event.seq) {
                continue;
            }
            let keys = keys(&event);
            named.extend(keys.all().map(|key| (self.hash(secret, key), key.clone())));
            directory.wait(event.seq, keys);
            self.waiting.insert(event.seq, event);
        }
        named
    }
}

/// Places the batch, and what waited for it. Where known people become one, a key that
/// led to both is clear again, so what waits under their keys is tried once more.
pub(super) async fn place(
    secret: &Secret,
    tx: &mut Tx,
    directory: &mut Directory,
    fresh: &[Fresh<'_>],
    last: i64,
) -> Result<(Outcome, Loaded), StoreError> {
    let mut loaded = Loaded::default();
    let wanted = fresh
        .iter()
        .flat_map(|one| one.ready.hashes.iter().cloned());
    loaded.load(secret, tx, directory, wanted.collect()).await?;
    let mut outcome = Outcome::default();
    let mut merged: BTreeSet<CustomerId> = BTreeSet::new();
    let mut todo: Vec<(EventSeq, Cow<'_, Keys>)> = fresh
        .iter()
        .map(|one| (one.seq, Cow::Borrowed(&one.ready.keys)))
        .collect();
    while !todo.is_empty() {
        for (seq, keys) in todo.drain(..) {
            let placed = directory.place_keys(seq, &keys);
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
            let named = loaded.wait(secret, directory, waiting);
            loaded.load(secret, tx, directory, named).await?;
            todo = again
                .into_iter()
                .filter(|seq| !outcome.placements.contains_key(seq))
                .filter_map(|seq| {
                    let event = loaded.waiting.get(&seq)?;
                    Some((seq, Cow::Owned(keys(event))))
                })
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
    Ok((outcome, loaded))
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
