//! The loops. Nothing else loops: each asks the engine for one batch, and where there
//! was none waits for a notification, the head of the due queue or a short while.

use super::mailer::Mailer;
use super::platforms::{Asked, poll};
use super::{Engine, EngineError, reload, silence, transit};
use crate::files;
use crate::model::diagnostic::Severity;
use crate::model::time::Timestamp;
use crate::store::StoreError;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The longest time without a look at the due queue: what another process wrote is found
/// after so long at the latest.
pub const LOOK: Duration = Duration::from_secs(1);
/// How long a loop rests after an error.
pub const REST: Duration = Duration::from_millis(500);
/// The shortest wait where something is due that cannot be had now.
pub const BREATH: Duration = Duration::from_millis(2);
/// How often gauges are brought up to date and old claims looked for.
pub const UPKEEP: Duration = Duration::from_secs(10);

/// What one process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    pub intake: bool,
    pub scheduler: bool,
    pub mailer: bool,
    pub web: bool,
}

impl Roles {
    /// Everything, the default.
    pub const ALL: Roles = Roles {
        intake: true,
        scheduler: true,
        mailer: true,
        web: true,
    };
}

/// Runs the scheduler, the mailer, reloading and upkeep until `stop` is cancelled; then
/// lets every connection finish the mail in its hands.
pub async fn run(
    engine: Arc<Engine>,
    roles: Roles,
    shop: Option<PathBuf>,
    stop: CancellationToken,
) {
    if roles.scheduler
        && let Err(error) = engine.catch_up().await
    {
        tracing::error!(%error, "people could not be woken for the shop's files; a restart tries again");
    }
    let mut tasks = JoinSet::new();
    if roles.scheduler {
        tasks.spawn(plan_loop(Arc::clone(&engine), stop.clone()));
    }
    if roles.mailer {
        tasks.spawn(send_loop(Arc::clone(&engine), stop.clone()));
    }
    if let Some(shop) = shop {
        tasks.spawn(reload_loop(Arc::clone(&engine), shop, stop.clone()));
    }
    tasks.spawn(upkeep_loop(
        Arc::clone(&engine),
        roles.scheduler,
        stop.clone(),
    ));
    if roles.scheduler {
        tasks.spawn(silence_loop(Arc::clone(&engine), stop.clone()));
        tasks.spawn(learn_loop(Arc::clone(&engine), stop.clone()));
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a loop ended badly; the service stops");
            stop.cancel();
        }
    }
}

async fn plan_loop(engine: Arc<Engine>, stop: CancellationToken) {
    let mut in_vain = 0;
    while !stop.is_cancelled() {
        match engine.plan_due().await {
            Ok(0) => {
                let next = engine.store.next_wake_up().await;
                rest(&engine, next, &engine.to_plan, &mut in_vain, &stop).await;
            }
            Ok(_) => in_vain = 0,
            Err(error) => pause(&error, &stop).await,
        }
    }
}

async fn send_loop(engine: Arc<Engine>, stop: CancellationToken) {
    let mailer = Mailer::start(Arc::clone(&engine), engine.config.smtp.connections, &stop);
    let mut in_vain = 0;
    while !stop.is_cancelled() {
        match mailer.deliver_due().await {
            Ok(0) => {
                let next = engine.store.next_send().await;
                rest(&engine, next, &engine.to_send, &mut in_vain, &stop).await;
            }
            Ok(_) => in_vain = 0,
            Err(error) => pause(&error, &stop).await,
        }
    }
    mailer.finish().await;
}

async fn pause(error: &EngineError, stop: &CancellationToken) {
    tracing::error!(%error, "a batch failed; it is tried again");
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(REST) => {}
    }
}

/// Waits for news, for the head of the queue, or for [`LOOK`]. What is due and cannot be
/// had (another process has it, or this one may not send now) is looked at less and less
/// often.
async fn rest(
    engine: &Engine,
    next: Result<Option<Timestamp>, StoreError>,
    news: &Notify,
    in_vain: &mut u32,
    stop: &CancellationToken,
) {
    let wait = match next {
        Ok(Some(due)) if due > engine.now() => {
            *in_vain = 0;
            engine.clock.real_until(due).min(LOOK)
        }
        Ok(Some(_)) => {
            *in_vain += 1;
            BREATH.saturating_mul(1 << (*in_vain).min(10)).min(LOOK)
        }
        Ok(None) => LOOK,
        Err(_) => REST,
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = news.notified() => {}
        () = tokio::time::sleep(wait) => {}
    }
}

async fn reload_loop(engine: Arc<Engine>, shop: PathBuf, stop: CancellationToken) {
    let mut changes = match files::watch(&shop) {
        Ok(changes) => changes,
        Err(error) => {
            tracing::warn!(%error, "the shop's files cannot be watched; a restart applies changes");
            return;
        }
    };
    let mut reader = reload::Reader::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            change = changes.changed() => if !change { return },
        }
        let folder = shop.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let read = reader.read(&folder);
            (reader, read)
        });
        let read = match reading.await {
            Ok((again, read)) => {
                reader = again;
                read
            }
            Err(error) => {
                tracing::error!(%error, "the files could not be read; the old set stays");
                reader = reload::Reader::default();
                continue;
            }
        };
        let said = (read.problems.clone(), read.files.clone());
        match read.live {
            Some(live) if live.catalog.version == engine.live().catalog.version => {}
            Some(live) => {
                let version = live.catalog.version.clone();
                match engine.apply(live).await {
                    Ok(()) => tracing::info!(version, "the shop's files were reloaded"),
                    Err(error) => {
                        tracing::error!(%error, "the new files could not be applied; the old set stays")
                    }
                }
            }
            None => {
                let errors: Vec<String> = read
                    .problems
                    .iter()
                    .filter(|problem| problem.severity() == Severity::Error)
                    .map(ToString::to_string)
                    .collect();
                tracing::error!(
                    errors = errors.len(),
                    first = errors.first(),
                    "the new files hold errors; the last good set stays in force"
                );
            }
        }
        // Told last: who looks now sees what is in force.
        engine.tell(said.0, said.1);
    }
}

/// What came in otherwise than through this process, and what waited too long.
async fn look_after_waiting(engine: &Engine) {
    if let Err(error) = engine.forget_shops().await {
        tracing::warn!(%error, "requests to forget a shop could not be carried out; it is tried again");
    }
    if let Err(error) = engine.expire_parked().await {
        tracing::warn!(%error, "what waits too long could not be moved; it is tried again");
    }
}

async fn upkeep_loop(engine: Arc<Engine>, scheduler: bool, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(UPKEEP) => {}
        }
        if let Err(error) = engine.store.recover(engine.now()).await {
            tracing::warn!(%error, "claims of ended workers could not be looked for");
        }
        if let Err(error) = engine.look_for_products().await {
            tracing::warn!(%error, "news of products could not be looked for");
        }
        if let Err(error) = engine.catch_up_with_products().await {
            tracing::warn!(%error, "people could not be woken for new products; it is tried again");
        }
        if let Err(error) = engine.look_for_transits().await {
            tracing::warn!(%error, "news of transit times could not be looked for; it is tried again");
        }
        if scheduler {
            look_after_waiting(&engine).await;
        }
        if let Ok(next) = engine.store.next_due().await {
            let overdue = next.map_or(0, |due| engine.now().duration_since(due).as_millis().max(0));
            crate::telemetry::due_lag(Duration::from_millis(u64::try_from(overdue).unwrap_or(0)));
        }
        crate::telemetry::upkeep();
    }
}

/// Asks platforms until `stop` is cancelled: for what their deliveries lost, each source
/// on its own, and for what thin deliveries leave out. A rehearsal asks nobody: what a
/// platform says is of today.
pub async fn ask_platforms(
    engine: Arc<Engine>,
    asked: BTreeMap<String, Asked>,
    stop: CancellationToken,
) {
    if engine.clock.is_rehearsal() {
        if !asked.is_empty() {
            tracing::info!("a rehearsal asks no platform");
        }
        return;
    }
    let asked = Arc::new(asked);
    let mut tasks = JoinSet::new();
    for (name, of) in asked.iter() {
        if of.poll.is_some() {
            let (engine, asked) = (Arc::clone(&engine), Arc::clone(&asked));
            tasks.spawn(poll_loop(engine, asked, name.clone(), stop.clone()));
        }
    }
    tasks.spawn(fetch_loop(engine, asked, stop.clone()));
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a loop that asks platforms ended badly; the service stops");
            stop.cancel();
        }
    }
}

async fn poll_loop(
    engine: Arc<Engine>,
    asked: Arc<BTreeMap<String, Asked>>,
    name: String,
    stop: CancellationToken,
) {
    let Some(of) = asked.get(&name) else {
        return;
    };
    let mut begun = false;
    while !stop.is_cancelled() {
        let stepped = match begun {
            true => engine.poll_step(of).await,
            false => match engine.begin_polling(of).await {
                Ok(true) => {
                    begun = true;
                    continue;
                }
                Ok(false) => return,
                Err(error) => Err(error),
            },
        };
        let wait = match stepped {
            Ok(Some(due)) => engine.clock.real_until(due),
            // Another process asks.
            Ok(None) => poll::LOOK,
            Err(error) => {
                pause(&error, &stop).await;
                continue;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

async fn fetch_loop(
    engine: Arc<Engine>,
    asked: Arc<BTreeMap<String, Asked>>,
    stop: CancellationToken,
) {
    let mut afresh = false;
    while !stop.is_cancelled() {
        if !afresh {
            match engine.store.fetch_afresh().await {
                Ok(()) => afresh = true,
                Err(error) => {
                    pause(&error.into(), &stop).await;
                    continue;
                }
            }
        }
        match engine.fetch_due(&asked).await {
            Ok(fetched) if fetched.is_idle() => tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(LOOK) => {}
            },
            Ok(_) => {}
            Err(error) => pause(&error, &stop).await,
        }
    }
}

async fn alert(engine: &Engine) -> Result<(), EngineError> {
    engine.look_for_alerts().await?;
    engine.tell_alerts().await
}

/// The first look comes after a while: what came while nobody was here comes first.
async fn silence_loop(engine: Arc<Engine>, stop: CancellationToken) {
    let mut listener = silence::Listener::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(silence::EVERY) => {}
        }
        if let Err(error) = engine.look_for_silence(&mut listener).await {
            tracing::warn!(%error, "silent sources could not be looked for; it is tried again");
        }
        if let Err(error) = alert(&engine).await {
            tracing::warn!(%error, "alerts could not be looked after; it is tried again");
        }
    }
}

/// The first lesson comes at once: what came in while nobody was here may teach enough.
async fn learn_loop(engine: Arc<Engine>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = engine.learn_transits().await {
            tracing::warn!(%error, "transit times could not be learnt; it is tried again");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(transit::EVERY) => {}
        }
    }
}
