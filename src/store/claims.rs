//! Claims: what this process works on. On SQLite one process owns the file, so claims
//! are kept in memory and the rows are not touched; the number of the start is the fence.
//! On PostgreSQL they are rows with owner, fence and lease, by the database's clock.

use super::db::{Db, Row, Statement, Tx, Value, rows, statements};
use super::error::StoreError;
use super::open::Worker;
use super::rows::{send, send_row};
use super::wake::{self, Wakes};
use super::writer::{Write, expect_written};
use super::{Access, Store};
use crate::model::ids::{CustomerId, SendId};
use crate::model::reason::Reason;
use crate::model::send::{Phase, SendState};
use crate::model::time::{Timestamp, from_ms, to_ms};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

/// Lease of a claim before its barrier. A worker renews by half-time.
pub const CLAIM_LEASE_MS: i64 = 60 * 1000;

/// A send that this process may work on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    pub send: SendId,
    pub customer: CustomerId,
    pub fence: i64,
}

/// What was found of dead workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovered {
    /// Before their dot: queued again.
    pub queued: usize,
    /// Past their barrier without an outcome: uncertain now.
    pub uncertain: usize,
}

/// On SQLite: what was handed out and not given back.
#[derive(Debug, Default)]
pub(super) struct Claimed {
    /// With the instants under which they stand in the due queue.
    pub sends: HashMap<SendId, i64>,
    pub customers: HashSet<CustomerId>,
}

statements! {
    DUE_CUSTOMERS = "SELECT customer FROM due WHERE what = 'c' AND at <= $1 ORDER BY at, customer, id LIMIT $2";
    DUE_SENDS = "SELECT id, customer, at FROM due WHERE what = 's' AND at <= $1 ORDER BY at, customer, id LIMIT $2";
    /// A claimed wake-up comes again after a lease, should its worker die.
    CLAIM_CUSTOMERS = { sqlite: "", postgres: "
        WITH head AS (SELECT at, customer FROM due WHERE what = 'c' AND at <= $1
                ORDER BY at, customer, id LIMIT $2 FOR UPDATE SKIP LOCKED),
            gone AS (DELETE FROM due USING head
                WHERE due.what = 'c' AND due.at = head.at AND due.customer = head.customer AND due.id = ''
                RETURNING due.customer),
            back AS (INSERT INTO due (what, at, customer, id) SELECT 'c', $1 + $3, customer, '' FROM gone
                ON CONFLICT DO NOTHING)
        UPDATE customers SET wake_at = $1 + $3 FROM gone WHERE customers.id = gone.customer RETURNING customers.id" };
    CLAIM_SENDS = { sqlite: "", postgres: "
        WITH head AS (SELECT at, customer, id FROM due WHERE what = 's' AND at <= $1
                ORDER BY at, customer, id LIMIT $2 FOR UPDATE SKIP LOCKED),
            gone AS (DELETE FROM due USING head
                WHERE due.what = 's' AND due.at = head.at AND due.customer = head.customer AND due.id = head.id
                RETURNING due.id)
        UPDATE sends SET state = 'sending', phase = 'prepared', fence = fence + 1, owner = $3,
            lease_until = (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT + $4
        FROM gone WHERE sends.id = gone.id AND sends.state = 'queued'
        RETURNING sends.id, sends.customer, sends.fence" };
    RELEASE = { sqlite: "", postgres: "
        UPDATE sends SET state = 'queued', phase = NULL, owner = NULL, lease_until = NULL
        FROM rows($1: id TEXT, fence BIGINT) AS r
        WHERE sends.id = r.id AND sends.fence = r.fence AND sends.state = 'sending' AND sends.phase = 'prepared'
        RETURNING sends.id" };
    RENEW = { sqlite: "", postgres: "
        UPDATE sends SET lease_until = (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT + $2
        FROM rows($1: id TEXT, fence BIGINT) AS r
        WHERE sends.id = r.id AND sends.fence = r.fence AND sends.state = 'sending' AND sends.phase = 'prepared'
        RETURNING sends.id" };
    OWNERS = { sqlite: "", postgres: "SELECT DISTINCT owner FROM sends WHERE state NOT IN ('queued', 'accepted') AND state = 'sending' AND owner IS NOT NULL AND owner <> $1" };
    IS_DEAD = { sqlite: "", postgres: "SELECT CASE WHEN pg_try_advisory_xact_lock($1) THEN 1::BIGINT ELSE 0::BIGINT END" };
    /// What dead workers and former starts left behind. The states that are many are
    /// named so that the index over all others is taken.
    LEFT_BEHIND = {
        sqlite: "SELECT customer, id, state, at, phase, fence, considered, detail, NULL FROM sends
            WHERE state NOT IN ('queued', 'accepted') AND state = 'sending' AND fence <> $1 LIMIT $2",
        postgres: "SELECT customer, id, state, at, phase, fence, considered, detail, NULL::TEXT FROM sends
            WHERE state NOT IN ('queued', 'accepted') AND state = 'sending' AND (owner IN (SELECT r.owner FROM rows($1: owner TEXT) AS r)
                OR lease_until < (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT)
            ORDER BY customer, id LIMIT $2 FOR UPDATE SKIP LOCKED",
    };
    REQUEUE = "UPDATE sends SET state = 'queued', phase = NULL, owner = NULL, lease_until = NULL, fence = fence + 1
        WHERE id IN (SELECT r.id FROM rows($1: id TEXT) AS r) AND state = 'sending' AND phase = 'prepared'";
    DOUBT = "UPDATE sends SET state = r.state, at = r.at, not_before = NULL, considered = r.considered, detail = r.detail,
            phase = NULL, owner = NULL, lease_until = NULL
        FROM rows($1: id TEXT, customer BIGINT, enrolment TEXT, sequence TEXT, step TEXT, kind TEXT, state TEXT, due BIGINT,
            at BIGINT, not_before BIGINT, considered BIGINT, detail TEXT) AS r
        WHERE sends.id = r.id AND sends.state = 'sending' AND sends.phase = 'dot'";
    NEXT_CUSTOMER = "SELECT at, customer, id FROM due WHERE what = 'c' ORDER BY at, customer, id LIMIT $1";
    NEXT_SEND = "SELECT at, customer, id FROM due WHERE what = 's' ORDER BY at, customer, id LIMIT $1";
}

/// Sends that one recovery looks at; the next takes the rest.
const RECOVER: i64 = 10_000;

impl Store {
    /// People whose wake-up is due, oldest first; none twice until saved, set aside or
    /// released.
    ///
    /// # Errors
    /// Where this process is not the owner, or the database is out of reach.
    pub async fn claim_customers(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<CustomerId>, StoreError> {
        self.must_own()?;
        if self.db() == Db::Postgres {
            return expect_written!(
                self.write(Write::ClaimCustomers { now, limit }).await?,
                Customers
            );
        }
        // The claims stay locked while the queue is read: what is settled meanwhile is
        // given back only after its row is gone.
        let mut claims = self.shared.claims.lock().await;
        let window = limit.saturating_add(claims.customers.len());
        let mut tx = self.shared.pools.read().await?;
        let due = tx
            .fetch(&DUE_CUSTOMERS, vec![to_ms(now).into(), many(window)])
            .await?;
        tx.rollback().await;
        let mut found = Vec::new();
        for row in due {
            let customer = CustomerId(row.int(0)?);
            if found.len() < limit && claims.customers.insert(customer) {
                found.push(customer);
            }
        }
        Ok(found)
    }

    /// Gives back people that were claimed and neither saved nor set aside. On
    /// PostgreSQL their wake-ups come again by themselves.
    pub async fn release_customers(&self, of: &[CustomerId]) {
        let mut claims = self.shared.claims.lock().await;
        for customer in of {
            claims.customers.remove(customer);
        }
    }

    /// Queued sends whose time has come, oldest first; none twice until settled or
    /// released.
    ///
    /// # Errors
    /// As [`Store::claim_customers`].
    pub async fn claim_sends(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Claim>, StoreError> {
        self.must_own()?;
        if self.db() == Db::Postgres {
            return expect_written!(self.write(Write::ClaimSends { now, limit }).await?, Claims);
        }
        let mut claims = self.shared.claims.lock().await;
        let window = limit.saturating_add(claims.sends.len());
        let mut tx = self.shared.pools.read().await?;
        let due = tx
            .fetch(&DUE_SENDS, vec![to_ms(now).into(), many(window)])
            .await?;
        tx.rollback().await;
        let mut found = Vec::new();
        for row in due {
            // A row of the queue that names no send is left to `doctor`.
            let Ok(send) = row.text(0)?.parse::<SendId>() else {
                continue;
            };
            if found.len() == limit {
                break;
            }
            if let Entry::Vacant(place) = claims.sends.entry(send) {
                place.insert(row.int(2)?);
                found.push(Claim {
                    send,
                    customer: CustomerId(row.int(1)?),
                    fence: self.shared.worker.fence,
                });
            }
        }
        Ok(found)
    }

    /// Gives claims back: unsent and still queued.
    ///
    /// # Errors
    /// Where the database is out of reach; then the leases run out.
    pub async fn release(&self, of: Vec<Claim>) -> Result<(), StoreError> {
        if self.db() == Db::Postgres {
            if !of.is_empty() {
                self.write(Write::Release(of)).await?;
            }
            return Ok(());
        }
        let mut claims = self.shared.claims.lock().await;
        for one in &of {
            claims.sends.remove(&one.send);
        }
        Ok(())
    }

    /// Renews the leases of claims before their barrier; says of each whether it stands.
    /// Who hears no, or nothing, drops the connection.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn renew(&self, of: &[Claim]) -> Result<Vec<bool>, StoreError> {
        if self.db() == Db::Postgres {
            if of.is_empty() {
                return Ok(Vec::new());
            }
            return expect_written!(self.write(Write::Renew(of.to_vec())).await?, Renewed);
        }
        let claims = self.shared.claims.lock().await;
        Ok(of
            .iter()
            .map(|one| claims.sends.contains_key(&one.send))
            .collect())
    }

    /// Finds what dead workers held: what had not passed its barrier is queued again,
    /// what had is uncertain from `now` on. To be called at the start and now and then.
    ///
    /// # Errors
    /// Where this process is not the owner, or the database is out of reach.
    pub async fn recover(&self, now: Timestamp) -> Result<Recovered, StoreError> {
        self.must_own()?;
        expect_written!(self.write(Write::Recover { now }).await?, Recovered)
    }

    /// The head of the due queue, wake-ups and sends alike, without what this process
    /// has claimed.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let wake_up = self.next_wake_up().await?;
        let send = self.next_send().await?;
        Ok(wake_up.into_iter().chain(send).min())
    }

    /// When the next customer is worth planning.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn next_wake_up(&self) -> Result<Option<Timestamp>, StoreError> {
        let claims = self.shared.claims.lock().await;
        let window = many(claims.customers.len() + 1);
        for row in self.head(&NEXT_CUSTOMER, window).await? {
            if !claims.customers.contains(&CustomerId(row.int(1)?)) {
                return Ok(Some(from_ms(row.int(0)?)));
            }
        }
        Ok(None)
    }

    /// When the next queued send may go.
    ///
    /// # Errors
    /// Where the database is out of reach.
    pub async fn next_send(&self) -> Result<Option<Timestamp>, StoreError> {
        let claims = self.shared.claims.lock().await;
        let window = many(claims.sends.len() + 1);
        for row in self.head(&NEXT_SEND, window).await? {
            let claimed = row
                .text(2)?
                .parse()
                .is_ok_and(|id| claims.sends.contains_key(&id));
            if !claimed {
                return Ok(Some(from_ms(row.int(0)?)));
            }
        }
        Ok(None)
    }

    async fn head(&self, of: &Statement, window: Value) -> Result<Vec<Row>, StoreError> {
        let mut tx = self.shared.pools.read().await?;
        let found = tx.fetch(of, vec![window]).await?;
        tx.rollback().await;
        Ok(found)
    }

    fn must_own(&self) -> Result<(), StoreError> {
        if self.shared.access == Access::Owner {
            return Ok(());
        }
        Err(StoreError::Access {
            wanted: "owner",
            found: self.shared.access.as_str(),
        })
    }
}

fn many(count: usize) -> super::db::Value {
    i64::try_from(count).unwrap_or(i64::MAX).into()
}

pub(super) async fn claim_customers_in_rows(
    tx: &mut Tx,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<CustomerId>, StoreError> {
    let values = vec![to_ms(now).into(), many(limit), CLAIM_LEASE_MS.into()];
    let claimed = tx.fetch(&CLAIM_CUSTOMERS, values).await?;
    claimed
        .iter()
        .map(|row| Ok(CustomerId(row.int(0)?)))
        .collect()
}

pub(super) async fn claim_sends_in_rows(
    tx: &mut Tx,
    worker: &Worker,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Claim>, StoreError> {
    let values = vec![
        to_ms(now).into(),
        many(limit),
        worker.id.as_str().into(),
        CLAIM_LEASE_MS.into(),
    ];
    let mut claims = Vec::new();
    for row in tx.fetch(&CLAIM_SENDS, values).await? {
        if let Ok(send) = row.text(0)?.parse() {
            claims.push(Claim {
                send,
                customer: CustomerId(row.int(1)?),
                fence: row.int(2)?,
            });
        }
    }
    Ok(claims)
}

pub(super) async fn release_rows(tx: &mut Tx, of: &[Claim]) -> Result<(), StoreError> {
    let list: Vec<(String, i64)> = of
        .iter()
        .map(|one| (one.send.to_string(), one.fence))
        .collect();
    let released = tx.fetch(&RELEASE, vec![rows(&list)?]).await?;
    wake::queue_sends(tx, &super::plans::ids(&released)?).await
}

pub(super) async fn renew_rows(tx: &mut Tx, of: &[Claim]) -> Result<Vec<bool>, StoreError> {
    let list: Vec<(String, i64)> = of
        .iter()
        .map(|one| (one.send.to_string(), one.fence))
        .collect();
    let renewed: HashSet<String> = tx
        .fetch(&RENEW, vec![rows(&list)?, CLAIM_LEASE_MS.into()])
        .await?
        .iter()
        .map(|row| row.text(0))
        .collect::<Result<_, _>>()?;
    Ok(list.iter().map(|(id, _)| renewed.contains(id)).collect())
}

/// Recovers inside a transaction. A row that does not parse is left as it is: it stays
/// past recall, which is safe, and `doctor` shows it.
pub(super) async fn recover(
    tx: &mut Tx,
    worker: &Worker,
    now: Timestamp,
) -> Result<Recovered, StoreError> {
    let values = match tx.db() {
        Db::Sqlite => vec![worker.fence.into(), RECOVER.into()],
        Db::Postgres => {
            let mut dead: Vec<(String,)> = Vec::new();
            for row in tx.fetch(&OWNERS, vec![worker.id.as_str().into()]).await? {
                let owner = row.text(0)?;
                // Who can take a worker's lock knows that it does not live.
                let key: i64 = owner.parse().unwrap_or_default();
                let row = tx.fetch_one(&IS_DEAD, vec![key.into()]).await?;
                if row.map_or(Ok(0), |row| row.int(0))? == 1 {
                    dead.push((owner,));
                }
            }
            vec![rows(&dead)?, RECOVER.into()]
        }
    };
    let left = tx.fetch(&LEFT_BEHIND, values).await?;
    let (mut again, mut doubtful) = (vec![], vec![]);
    let mut wakes = Wakes::default();
    for row in &left {
        let (customer, Ok(mut send)) = send(row)? else {
            continue;
        };
        match send.state {
            SendState::Sending {
                phase: Phase::Dot, ..
            } => {
                send.state = SendState::Uncertain { since: now };
                send.at = now;
                send.doubts += 1;
                send.reason = Some(Reason::InDoubt {
                    cause: "the process ended between the final dot and the reply".to_owned(),
                });
                doubtful.push(send_row(customer, &send)?);
            }
            _ => again.push((send.id.to_string(),)),
        }
        wakes.add(customer, now);
    }
    if !again.is_empty() {
        tx.run(&REQUEUE, vec![rows(&again)?]).await?;
        wake::queue_sends(tx, &again).await?;
    }
    if !doubtful.is_empty() {
        let ids: Vec<(String,)> = doubtful.iter().map(|row| (row.0.clone(),)).collect();
        wake::unqueue_sends(tx, &ids).await?;
        tx.run(&DOUBT, vec![rows(&doubtful)?]).await?;
    }
    wakes.wake(tx).await?;
    Ok(Recovered {
        queued: again.len(),
        uncertain: doubtful.len(),
    })
}
