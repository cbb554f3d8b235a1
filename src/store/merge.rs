//! Two people who turn out to be one.

use super::assignments;
use super::db::{Tx, rows, statements};
use super::error::StoreError;
use super::place::own_key;
use super::record::LEARN;
use super::rows::json;
use super::secret::Secret;
use crate::model::ids::CustomerId;
use std::collections::BTreeSet;

statements! {
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
}

/// Makes two people one. Their versions end above both, so that nothing that was planned
/// or cleared for either still holds.
pub(super) async fn merge(
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
    let own = secret.key(&own_key(from));
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
