//! What of a batch is news: told apart by the delivery's key, then by the fact's name.

use super::Store;
use super::accept::Incoming;
use super::db::{Tx, clean, rows, statements};
use super::error::StoreError;
use super::rows::json;
use super::secret::Secret;
use crate::ingest::identity::{Key, Keys, keys};
use crate::model::event::Event;
use crate::model::ids::EventSeq;
use crate::model::time::{Timestamp, from_ms, to_ms};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

statements! {
    DELIVER = "INSERT INTO deliveries (source, key, recorded)
        SELECT r.source, r.key, r.recorded FROM rows($1: source TEXT, key TEXT, recorded BIGINT) AS r
        WHERE 1 = 1 ON CONFLICT DO NOTHING RETURNING source, key";
    FACTS = "SELECT e.source, e.id, COALESCE(e.version, 0), e.time, e.considered
        FROM rows($1: source TEXT, id TEXT) AS r JOIN events e ON e.source = r.source AND e.id = r.id
        ORDER BY e.revision";
}

/// Source and id of a fact, as they come back from the database.
type Name = Arc<(String, String)>;

fn name(event: &Event) -> Name {
    Arc::new((clean(&event.source), clean(&event.id)))
}

/// An event with all that is stored with it. Made by who brings the event, so that the
/// one task that writes has less to do.
#[derive(Debug)]
pub(super) struct Ready {
    pub incoming: Incoming,
    name: Name,
    pub keys: Keys,
    /// Its keys in the form in which they are stored.
    pub hashes: Vec<(Arc<str>, Key)>,
    pub body: Arc<str>,
}

impl Ready {
    /// # Errors
    /// Where the body cannot be written as JSON.
    pub fn of(secret: &Secret, incoming: Incoming) -> Result<Ready, StoreError> {
        let event = &incoming.event;
        let keys = keys(event);
        let hash = |key: &Key| (secret.key(key.as_str()).into(), key.clone());
        Ok(Ready {
            name: name(event),
            hashes: keys.all().map(hash).collect(),
            body: json(&event.body)?.into(),
            keys,
            incoming,
        })
    }
}

/// An event that is to be stored.
pub(super) struct Fresh<'b> {
    /// Its place in the batch.
    pub place: usize,
    pub ready: &'b Ready,
    /// The event, perhaps under another name.
    pub event: Cow<'b, Event>,
    pub now: Timestamp,
    /// 0, or the version where the fact is known.
    pub revision: i64,
    /// A plan has seen the fact: told again, it triggers nothing.
    pub considered: bool,
    pub seq: EventSeq,
}

/// Sets aside what is known: by the delivery's key, then by the fact's name.
pub(super) async fn sift<'b>(
    tx: &mut Tx,
    batch: &[(&'b Ready, Timestamp)],
) -> Result<Vec<Fresh<'b>>, StoreError> {
    let deliveries: BTreeMap<(&str, &str), i64> = batch
        .iter()
        .filter_map(|(one, now)| {
            let incoming = &one.incoming;
            let key = incoming.transport.as_deref()?;
            Some(((incoming.event.source.as_str(), key), to_ms(*now)))
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
    let mut events: Vec<(Name, Cow<'_, Event>)> = batch
        .iter()
        .map(|(one, _)| (one.name.clone(), Cow::Borrowed(&one.incoming.event)))
        .collect();
    let mut told = Known::default();
    told.look(tx, events.iter().map(|(name, _)| name)).await?;
    let mut renamed: Vec<Name> = Vec::new();
    let mut earlier: HashMap<Name, Timestamp> = HashMap::new();
    for (name, event) in &mut events {
        let known = told.0.get(name).map(|told| told.first);
        let known = known.or_else(|| earlier.get(name).copied());
        if let Some(anew) = known.and_then(|known| event.anew(known)) {
            event.to_mut().id = anew;
            *name = self::name(event);
            renamed.push(name.clone());
        } else if known.is_none() {
            earlier.insert(name.clone(), event.time);
        }
    }
    if !renamed.is_empty() {
        told.look(tx, renamed.iter()).await?;
    }
    let mut fresh = Vec::new();
    for (place, ((ready, now), (name, event))) in batch.iter().zip(events).enumerate() {
        if let Some(key) = &ready.incoming.transport
            && !new_deliveries.contains(&(name.0.clone(), clean(key)))
        {
            continue;
        }
        let version = event.version();
        let (revision, considered) = match told.0.get(&name) {
            None => (0, false),
            Some(told) if event.says_more(&told.versions) => (version, told.considered),
            Some(_) => continue,
        };
        let told = told.0.entry(name).or_insert_with(|| Told::at(event.time));
        told.versions.insert(version);
        fresh.push(Fresh {
            place,
            ready,
            now: *now,
            revision,
            // Told better before any plan has seen it, it is news all the same.
            considered: event.considered || considered,
            event,
            seq: EventSeq(0),
        });
    }
    Ok(fresh)
}

/// What is known under the name of a fact.
struct Told {
    /// When it happened, as first told.
    first: Timestamp,
    /// Whether a plan has seen it.
    considered: bool,
    /// The versions that were told (see [`Event::version`]).
    versions: BTreeSet<i64>,
}

impl Told {
    fn at(first: Timestamp) -> Told {
        Told {
            first,
            considered: false,
            versions: BTreeSet::new(),
        }
    }
}

#[derive(Default)]
struct Known(HashMap<Name, Told>);

impl Known {
    async fn look(
        &mut self,
        tx: &mut Tx,
        names: impl Iterator<Item = &Name>,
    ) -> Result<(), StoreError> {
        let names: BTreeSet<&(String, String)> = names.map(|name| &**name).collect();
        let list = names.into_iter();
        let list = list.map(|(source, id)| vec![source.as_str().into(), id.as_str().into()]);
        for row in tx.each(&FACTS, list.collect()).await? {
            let name = Name::new((row.text(0)?, row.text(1)?));
            // The first telling comes first.
            let at = from_ms(row.int(3)?);
            let told = self.0.entry(name).or_insert_with(|| Told::at(at));
            told.considered |= row.int(4)? != 0;
            told.versions.insert(row.int(2)?);
        }
        Ok(())
    }
}

impl Store {
    /// By fact (source and id) that is known: the newest version that was told with it, in
    /// milliseconds; 0 where its kind has none.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn known(
        &self,
        facts: &BTreeSet<(&str, &str)>,
    ) -> Result<HashMap<(String, String), i64>, StoreError> {
        let list: Vec<&(&str, &str)> = facts.iter().collect();
        let mut tx = self.shared.pools.read().await?;
        let found = tx.fetch(&FACTS, vec![rows(&list)?]).await?;
        tx.rollback().await;
        // The newest comes last, and stays.
        found
            .iter()
            .map(|row| Ok(((row.text(0)?, row.text(1)?), row.int(2)?)))
            .collect()
    }
}
