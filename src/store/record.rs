//! Writing down what a batch came to: people, events, the keys under which people are
//! found, and wake-ups.

use super::db::{Tx, Value, rows, statements};
use super::erase::{self, scrubbed};
use super::error::StoreError;
use super::merge::merge;
use super::place::{Loaded, Outcome};
use super::rows::{flag, json};
use super::secret::Secret;
use super::sift::Fresh;
use super::wake::Wakes;
use super::writer;
use crate::ingest::identity::Placement;
use crate::model::event::Event;
use crate::model::ids::CustomerId;
use crate::model::time::{Timestamp, to_ms};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

statements! {
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
    UNPARK = "DELETE FROM parked WHERE seq IN (SELECT r.seq FROM rows($1: seq BIGINT, customer BIGINT, body TEXT) AS r)";
    JOIN = "UPDATE events SET customer = r.customer, body = COALESCE(r.body, events.body)
        FROM rows($1: seq BIGINT, customer BIGINT, body TEXT) AS r WHERE events.seq = r.seq";
}

/// Writes people, events, keys and wake-ups.
pub(super) async fn record(
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
    record_events(secret, tx, outcome, fresh, loaded, &erased).await?;
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
    let learnt = outcome.learnt.iter();
    let mut learnt: Vec<(Arc<str>, i64)> = learnt
        .map(|(key, of)| (loaded.hash(secret, key), of.0))
        .collect();
    // In the order of the index: a batch then passes over its pages once.
    learnt.sort_unstable();
    let learnt = learnt
        .into_iter()
        .map(|(hash, of)| vec![hash.into(), of.into()]);
    tx.each(&LEARN, learnt.collect()).await?;
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
    loaded: &Loaded,
    erased: &HashSet<CustomerId>,
) -> Result<(), StoreError> {
    let mut list: Vec<Vec<Value>> = Vec::with_capacity(fresh.len());
    let mut parked: Vec<(Arc<str>, i64)> = Vec::new();
    for one in fresh {
        let event = &one.event;
        if let Some(Placement::Parked(under)) = outcome.placements.get(&one.seq) {
            let under = under.iter().map(|key| loaded.hash(secret, key));
            parked.extend(under.map(|hash| (hash, one.seq.0)));
        }
        let customer = outcome.customer(one.seq);
        let (body, subject) = if customer.is_some_and(|of| erased.contains(&of)) {
            (
                json(&scrubbed(&event.body))?.into(),
                erase::nameless(secret, &event.subject),
            )
        } else {
            (one.ready.body.clone(), event.subject.clone())
        };
        list.push(vec![
            one.seq.0.into(),
            customer.map_or(0, |of| of.0).into(),
            event.source.as_str().into(),
            event.id.as_str().into(),
            one.revision.into(),
            Some(event.version()).filter(|version| *version != 0).into(),
            event.kind.as_str().into(),
            to_ms(event.time).into(),
            to_ms(event.recorded).into(),
            flag(one.considered).into(),
            event.mode.as_str().into(),
            flag(event.misdated).into(),
            event.sequence.clone().into(),
            event.partition.clone().into(),
            subject.into(),
            body.into(),
        ]);
    }
    tx.each(&RECORD, list).await?;
    if !parked.is_empty() {
        tx.run(&PARK, vec![rows(&parked)?]).await?;
    }
    Ok(())
}
