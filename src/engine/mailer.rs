//! Sending what is due: claim, clear, render, offer, barrier, dot, record.
//!
//! Everything that can be checked is checked before the final dot, and the durable mark
//! is the last thing before it (the dot barrier). Connections are tasks that nobody
//! drops; outcomes go to one task that writes them down and never forgets one.

use super::outcome;
use super::preview::{self, Made};
use super::reload::Live;
use super::{Engine, EngineError};
use crate::mail::{Connection, Delivery, NotOffered, Offered};
use crate::model::history::History;
use crate::model::ids::CustomerId;
use crate::model::reason::Reason;
use crate::model::send::{Send, SendState};
use crate::model::time::Timestamp;
use crate::plan::{self, Clearance};
use crate::store::{Barrier, Claim, Passed, Settle};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Sends claimed and prepared in one batch.
pub const SEND_BATCH: usize = 256;
/// How often a send goes back to be cleared because news came at its barrier.
pub const MAX_CLEARINGS: usize = 5;
/// Outcomes written down in one commit, at most.
pub const SETTLE_BATCH: usize = 512;
/// First and longest wait before writing outcomes down is tried again.
pub const SETTLE_RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// A mail ready to be offered.
struct Job {
    claim: Claim,
    send: Send,
    version: i64,
    /// From then on it is looked at again before its dot.
    until: Option<Timestamp>,
    made: Made,
}

/// The running mailer: a task a connection, one for outcomes. Give it batches with
/// [`Mailer::deliver_due`]; end it with [`Mailer::finish`].
#[derive(Debug)]
pub struct Mailer {
    engine: Arc<Engine>,
    jobs: mpsc::Sender<Job>,
    outcomes: mpsc::Sender<Settle>,
    tasks: JoinSet<()>,
    settler: tokio::task::JoinHandle<()>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Job({})", self.send.id)
    }
}
impl Mailer {
    /// Starts `connections` tasks. They end when `stop` is cancelled, each after the mail
    /// in its hands.
    pub fn start(engine: Arc<Engine>, connections: usize, stop: &CancellationToken) -> Self {
        let (jobs, queue) = mpsc::channel(SEND_BATCH * 2);
        let (outcomes, written) = mpsc::channel(SETTLE_BATCH * 2);
        let queue = Arc::new(Mutex::new(queue));
        let mut tasks = JoinSet::new();
        for _ in 0..connections.max(1) {
            let worker = Worker {
                engine: Arc::clone(&engine),
                queue: Arc::clone(&queue),
                outcomes: outcomes.clone(),
                stop: stop.clone(),
            };
            tasks.spawn(worker.run());
        }
        let settler = tokio::spawn(settle_all(Arc::clone(&engine), written));
        Mailer {
            engine,
            jobs,
            outcomes,
            tasks,
            settler,
        }
    }

    /// Claims, clears and renders one batch of what is due and hands it to the
    /// connections. Returns how many sends were claimed.
    ///
    /// # Errors
    /// The store's; what was claimed is still queued.
    pub async fn deliver_due(&self) -> Result<usize, EngineError> {
        let engine = &self.engine;
        if engine.is_observing()
            || engine.jammed.load(Ordering::Acquire)
            || engine.circuit.wait().is_some()
        {
            return Ok(0);
        }
        let now = engine.now();
        let claims = engine.store.claim_sends(now, SEND_BATCH).await?;
        let count = claims.len();
        if count == 0 {
            return Ok(0);
        }
        let mut people: Vec<CustomerId> = claims.iter().map(|claim| claim.customer).collect();
        people.sort_unstable();
        people.dedup();
        let loaded = engine.store.histories(&people).await?;
        let histories: HashMap<CustomerId, History> = people
            .into_iter()
            .zip(loaded)
            .filter_map(|(customer, history)| Some((customer, history.ok()?)))
            .collect();
        let live = engine.live();
        for claim in claims {
            let Some(history) = histories.get(&claim.customer) else {
                engine.store.release(vec![claim]).await?;
                continue;
            };
            let Some(send) = history.send(claim.send).cloned() else {
                engine.store.release(vec![claim]).await?;
                continue;
            };
            match prepare(engine, &live, history, claim, send, now, now) {
                Prepared::Mail(job) => {
                    if self.jobs.send(*job).await.is_err() {
                        break;
                    }
                }
                Prepared::Settled(outcome) => {
                    if self.outcomes.send(*outcome).await.is_err() {
                        break;
                    }
                }
                Prepared::Gone(claim) => engine.store.release(vec![claim]).await?,
            }
        }
        Ok(count)
    }

    /// Waits until every connection has finished the mail in its hands and every outcome
    /// is written down.
    pub async fn finish(mut self) {
        drop(self.jobs);
        drop(self.outcomes);
        while self.tasks.join_next().await.is_some() {}
        if self.settler.await.is_err() {
            tracing::error!("the task that writes outcomes down ended badly");
        }
    }
}

enum Prepared {
    Mail(Box<Job>),
    Settled(Box<Settle>),
    Gone(Claim),
}

/// Looks once more, then renders: one claimed send becomes a mail, dated `date`, or an
/// outcome.
fn prepare(
    engine: &Engine,
    live: &Live,
    history: &History,
    claim: Claim,
    mut send: Send,
    now: Timestamp,
    date: Timestamp,
) -> Prepared {
    let settled = |claim: Claim, send: Send| {
        Prepared::Settled(Box::new(Settle {
            send,
            customer: claim.customer,
            fence: claim.fence,
            now,
        }))
    };
    let ready = match plan::clear(&live.catalog, history, &send, now) {
        Clearance::Go(ready) => ready,
        Clearance::Gone => return Prepared::Gone(claim),
        Clearance::Skip(because) => {
            send.end(SendState::Skipped, because, now);
            return settled(claim, send);
        }
        Clearance::Hold(because) => return settled(claim, held(live, send, because, now)),
        Clearance::Wait(until) => {
            send.state = SendState::Queued { not_before: until };
            send.at = now;
            return settled(claim, send);
        }
    };
    let press = preview::Press::new(&engine.links, &engine.config);
    let until = ready.until;
    match preview::make(&press, live, &send, *ready, date) {
        Ok(made) => Prepared::Mail(Box::new(Job {
            claim,
            send,
            version: history.version,
            until,
            made,
        })),
        Err(because) => {
            tracing::error!(
                send.id = %send.id, mail = %send.mail, reason = because.code(),
                "held: the mail cannot be made; mend the template or the values, then it goes"
            );
            crate::telemetry::mail_held(&send.mail, because.code());
            settled(claim, held(live, send, because, now))
        }
    }
}

fn held(live: &Live, mut send: Send, because: Reason, now: Timestamp) -> Send {
    send.state = SendState::Held { since: now };
    send.reason = Some(because);
    send.rule.version.clone_from(&live.catalog.version);
    send.at = now;
    send
}

/// One connection's task.
struct Worker {
    engine: Arc<Engine>,
    queue: Arc<Mutex<mpsc::Receiver<Job>>>,
    outcomes: mpsc::Sender<Settle>,
    stop: CancellationToken,
}

/// What is left after one mail: the connection, where it is fit for another.
type Left = Option<Connection>;

impl Worker {
    async fn run(self) {
        let mut connection: Left = None;
        while let Some(job) = self.next().await {
            connection = self.carry(connection, job).await;
        }
        if let Some(connection) = connection {
            connection.quit().await;
        }
    }

    /// The next mail; `None` when there is none and never will be. After a stop, what is
    /// left in the queue stays queued in the database.
    async fn next(&self) -> Option<Job> {
        let mut queue = self.queue.lock().await;
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            job = queue.recv() => job,
        }
    }

    fn next_now(&self) -> Option<Job> {
        if self.stop.is_cancelled() {
            return None;
        }
        self.queue.try_lock().ok()?.try_recv().ok()
    }

    /// Offers one mail, and with its dot the next ones that are ready, until the chain
    /// or the connection ends.
    async fn carry(&self, connection: Left, job: Job) -> Left {
        let (mut offered, mut job) = match self.offer(connection, job).await {
            Ok(pair) => pair,
            Err(left) => return left,
        };
        loop {
            if !self.pass(&mut job).await {
                offered.abandon();
                return None;
            }
            let Some(next) = self.next_now() else {
                let (delivery, left) = offered.dot().await;
                self.record(job, &delivery).await;
                return left;
            };
            let (delivery, chain) = offered.dot_then(&next.made.composed).await;
            self.record(job, &delivery).await;
            match chain.offered().await {
                Ok(again) => (offered, job) = (again, next),
                Err(not) => match self.not_offered(next, not, true).await {
                    Ok(pair) => (offered, job) = pair,
                    Err(left) => return left,
                },
            }
        }
    }

    async fn offer(&self, connection: Left, job: Job) -> Result<(Offered, Job), Left> {
        let reused = connection
            .as_ref()
            .is_some_and(|connection| connection.mails() > 0);
        let connection = match connection {
            Some(connection) => connection,
            None => match self.engine.transport.open().await {
                Ok(connection) => connection,
                Err(trouble) => {
                    self.engine.circuit.open(trouble.to_string());
                    self.give_back(job).await;
                    return Err(None);
                }
            },
        };
        match connection.offer(&job.made.composed).await {
            Ok(offered) => Ok((offered, job)),
            Err(not) => self.not_offered(job, not, reused).await,
        }
    }

    /// A mail that could not be offered: turned away, or the relay is in trouble. A
    /// connection that was kept open may just have grown old, so a new one is tried once.
    async fn not_offered(
        &self,
        job: Job,
        not: NotOffered,
        retry: bool,
    ) -> Result<(Offered, Job), Left> {
        match not {
            NotOffered::Rejected {
                rejection,
                connection,
            } => {
                self.engine.circuit.close();
                if rejection.blames_address() && rejection.is_permanent() {
                    self.engine.address_is_dead(&job.made.to).await;
                }
                let now = self.engine.now();
                let send = outcome::after_rejection(job.send.clone(), &rejection, now);
                self.write(job, send, now).await;
                Err(connection)
            }
            NotOffered::Trouble(_) if retry => Box::pin(self.offer(None, job)).await,
            NotOffered::Trouble(trouble) => {
                self.engine.circuit.open(trouble.to_string());
                self.give_back(job).await;
                Err(None)
            }
        }
    }

    /// The barrier: the durable mark right before the final dot. Where news about the
    /// person came since the last look, it is looked again; the mail in hand goes only if
    /// it would come out the same.
    async fn pass(&self, job: &mut Job) -> bool {
        for _ in 0..MAX_CLEARINGS {
            let now = self.engine.now();
            if job.until.is_some_and(|until| now >= until) && !self.clear_again(job, now).await {
                return false;
            }
            let barrier = Barrier {
                send: job.send.id,
                customer: job.claim.customer,
                version: job.version,
                fence: job.claim.fence,
                prepared: Arc::clone(&job.made.prepared),
                now,
            };
            let passed = match self.engine.store.barrier(vec![barrier]).await {
                Ok(passed) => passed.into_iter().next(),
                Err(error) => {
                    tracing::error!(%error, "no barrier could be written, so no dot is sent");
                    None
                }
            };
            match passed {
                Some(Passed::Yes) => return true,
                Some(Passed::Moved(_)) => {
                    if !self.clear_again(job, now).await {
                        return false;
                    }
                }
                Some(Passed::Lost) => return false,
                None => {
                    self.release(job).await;
                    return false;
                }
            }
        }
        self.release(job).await;
        false
    }

    /// Looks at the newest history; whether the mail in hand may still go as it is. Where
    /// not, what the last look said is written down.
    async fn clear_again(&self, job: &mut Job, now: Timestamp) -> bool {
        let live = self.engine.live();
        let history = match self.engine.store.histories(&[job.claim.customer]).await {
            Ok(mut found) => found.pop(),
            Err(_) => None,
        };
        let Some(Ok(history)) = history else {
            self.release(job).await;
            return false;
        };
        let Some(send) = history.send(job.send.id).cloned() else {
            self.release(job).await;
            return false;
        };
        match prepare(
            &self.engine,
            &live,
            &history,
            job.claim,
            send,
            now,
            job.made.prepared.date,
        ) {
            Prepared::Mail(again) if again.made.composed == job.made.composed => {
                *job = *again;
                true
            }
            Prepared::Mail(_) | Prepared::Gone(_) => {
                self.release(job).await;
                false
            }
            Prepared::Settled(outcome) => {
                if self.outcomes.send(*outcome).await.is_err() {
                    tracing::error!(send.id = %job.send.id, "an outcome could not be written down");
                }
                false
            }
        }
    }

    async fn record(&self, job: Job, delivery: &Delivery) {
        match delivery {
            Delivery::Accepted(_) | Delivery::Deferred(_) | Delivery::Refused(_) => {
                self.engine.circuit.close()
            }
            Delivery::Unsent(trouble) => self.engine.circuit.open(trouble.to_string()),
            Delivery::Uncertain(trouble) => {
                tracing::warn!(send.id = %job.send.id, trouble = %trouble, "uncertain: it may have gone out");
            }
        }
        let now = self.engine.now();
        let send = outcome::after_dot(job.send.clone(), delivery, now);
        self.write(job, send, now).await;
    }

    async fn write(&self, job: Job, send: Send, now: Timestamp) {
        let outcome = Settle {
            send,
            customer: job.claim.customer,
            fence: job.claim.fence,
            now,
        };
        if self.outcomes.send(outcome).await.is_err() {
            tracing::error!(send.id = %job.send.id, "an outcome could not be written down");
        }
    }

    async fn give_back(&self, job: Job) {
        self.release(&job).await;
    }

    async fn release(&self, job: &Job) {
        if let Err(error) = self.engine.store.release(vec![job.claim]).await {
            tracing::warn!(%error, send.id = %job.send.id, "a claim could not be given back; its lease will end");
        }
    }
}

/// Writes outcomes down in batches, and keeps trying while the database is away; nothing
/// more is claimed meanwhile.
async fn settle_all(engine: Arc<Engine>, mut outcomes: mpsc::Receiver<Settle>) {
    let mut batch: Vec<Settle> = Vec::with_capacity(SETTLE_BATCH);
    while outcomes.recv_many(&mut batch, SETTLE_BATCH).await > 0 {
        let mut wait = SETTLE_RETRY.0;
        while let Err(error) = engine.store.settle(batch.clone()).await {
            engine.jammed.store(true, Ordering::Release);
            tracing::error!(%error, waiting = batch.len(), "outcomes cannot be written down; sending pauses");
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(SETTLE_RETRY.1);
        }
        engine.jammed.store(false, Ordering::Release);
        for Settle { send, .. } in batch.drain(..) {
            crate::telemetry::send_settled(send.state.as_str(), send.kind.as_str());
            if matches!(send.state, SendState::Accepted { .. }) {
                let lag = send.at.duration_since(send.due);
                crate::telemetry::send_lag(Duration::try_from(lag).unwrap_or_default());
            }
        }
        engine.to_plan.notify_one();
    }
}
