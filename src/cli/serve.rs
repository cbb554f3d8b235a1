//! `serve`: the service. Everything that can be wrong is said before the first door
//! opens; then the loops and the listener run until somebody asks them to end.

use super::context::{self, Open, Shop};
use super::exit::misuse;
use super::{Exit, Global, Out, brokers, key, sources};
use crate::config::LogFormat;
use crate::consume;
use crate::engine::alerts::Hook;
use crate::engine::serve::{self, Roles};
use crate::engine::spill::Spill;
use crate::engine::{Engine, EngineError};
use crate::ingest::signature::Secret;
use crate::journal::Bounds;
use crate::store::Access;
use crate::telemetry;
use crate::web;
use crate::web::admission::Pace;
use anyhow::Context as _;
use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Exit code of a process that was told to end twice.
const CUT_SHORT: i32 = 130;

/// What this process does.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What this process does: intake, scheduler, mailer, web; unset: everything
    #[arg(long = "role", value_name = "ROLE", value_delimiter = ',')]
    pub roles: Vec<Role>,
    /// Show the mails at /preview, anew whenever a file is saved (this machine only)
    #[arg(long)]
    pub watch: bool,
}

/// One part of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Takes events at POST /events and /hooks, and from brokers
    Intake,
    /// Plans who gets what
    Scheduler,
    /// Sends
    Mailer,
    /// Pages behind the links in mails, the capture mailbox
    Web,
}

impl Args {
    fn roles(&self) -> Roles {
        if self.roles.is_empty() {
            return Roles::ALL;
        }
        let has = |role| self.roles.contains(&role);
        Roles {
            intake: has(Role::Intake),
            scheduler: has(Role::Scheduler),
            mailer: has(Role::Mailer),
            web: has(Role::Web),
        }
    }
}

/// Runs until it is told to end.
pub async fn run(global: &Global, args: &Args, out: &mut Out) -> anyhow::Result<Exit> {
    let shop = Shop::open(global)?;
    telemetry::init(
        match shop.config.log.format {
            LogFormat::Text => telemetry::Format::Text,
            LogFormat::Json => telemetry::Format::Json,
        },
        None,
    )?;
    telemetry::start_metrics();
    let roles = args.roles();
    let mut settings = web::Settings {
        watch: args.watch,
        ..settings(&shop, roles)?
    };
    let asked = if roles.intake {
        sources::asked(&shop.config)?
    } else {
        BTreeMap::new()
    };
    if args.watch && !shop.config.http.listen.ip().to_canonical().is_loopback() {
        return Err(misuse(format!(
            "--watch: expected a loopback address, found {}\nhint: set http.listen to 127.0.0.1, or serve without --watch",
            shop.config.http.listen
        )));
    }
    let read = if roles.intake {
        brokers::ready(&shop.config)?
    } else {
        Vec::new()
    };
    let transport = shop.transport()?;
    if shop.config.clock.is_some() && !transport.stays_here() {
        return Err(misuse(
            "clock: a rehearsal sends no real mail\nhint: smtp.url must be capture or a relay on this machine while [clock] is set",
        ));
    }
    let mails_to = transport.to_string();
    // The port first: a second service on it must not touch anything.
    let listener = if roles.intake || roles.web || args.watch {
        Some(listen(&shop).await?)
    } else {
        None
    };
    let Open {
        shop,
        store,
        live,
        links,
        clock,
    } = shop.open_all(Access::Owner).await?;
    let arming = key::arming(&store, &shop.config.arming_key_file).await?;
    let now = clock.now();
    let recovered = store.recover(now).await?;
    if recovered.queued + recovered.uncertain > 0 {
        tracing::warn!(
            queued = recovered.queued,
            uncertain = recovered.uncertain,
            "claims of a process that ended were taken back"
        );
    }
    let is_rehearsal = clock.is_rehearsal();
    let engine = Arc::new(Engine::new(
        store,
        transport,
        clock,
        shop.config.clone(),
        links,
        live,
    ));
    if let key::Arming::Observing(because) = &arming {
        tracing::warn!(
            because,
            "this install only observes: it takes events, and sends nothing. `aftercare upcoming` shows what it would send, `aftercare arm` allows it to"
        );
        engine.observe();
    }
    // In the background: a platform that is away must not keep others from delivering.
    for ring in settings.hooks.values().filter_map(|hook| hook.ring.clone()) {
        tokio::spawn(async move { ring.start().await });
    }
    let stop = CancellationToken::new();
    let spill = if roles.intake || roles.web {
        Some(Arc::new(journal(&shop)?))
    } else {
        None
    };
    settings.spill.clone_from(&spill);
    let draining = spill.map(|spill| {
        let (engine, stop) = (Arc::clone(&engine), stop.clone());
        tokio::spawn(async move { spill.run(&engine, stop).await })
    });
    let signals = tokio::spawn(end_on_signal(stop.clone()));
    let address = match &listener {
        Some(listener) => Some(
            listener
                .local_addr()
                .context("the listening socket is of no use")?,
        ),
        None => None,
    };
    ready(
        out,
        &shop,
        address,
        &mails_to,
        (&arming, args.watch),
        is_rehearsal.then_some(now),
    )?;
    let telling = is_rehearsal.then(|| tokio::spawn(tell_time(Arc::clone(&engine), stop.clone())));
    let door = listener.map(|listener| {
        let doors = web::serve(listener, Arc::clone(&engine), settings, stop.clone());
        let stop = stop.clone();
        tokio::spawn(async move {
            let ended = doors.await;
            // Without its doors the service must not look alive.
            stop.cancel();
            ended
        })
    });
    let asking = tokio::spawn(serve::ask_platforms(
        Arc::clone(&engine),
        asked,
        stop.clone(),
    ));
    let reading = tokio::spawn(consume::consume(read, Arc::clone(&engine), stop.clone()));
    serve::run(
        Arc::clone(&engine),
        roles,
        Some(shop.folder.clone()),
        stop.clone(),
    )
    .await;
    stop.cancel();
    asking.await.context("asking platforms ended badly")?;
    reading
        .await
        .context("the brokers' loop ended badly")?
        .map_err(|error| misuse(error.to_string()))?;
    if let Some(door) = door {
        door.await
            .context("the doors ended badly")?
            .map_err(|error| misuse(error.to_string()))?;
    }
    signals.abort();
    if let Some(draining) = draining {
        draining.await.context("the journal ended badly")?;
    }
    if let Some(telling) = telling {
        telling.await.context("the clock could not be told")?;
    }
    match Arc::try_unwrap(engine) {
        Ok(engine) => engine.store.close().await,
        // A connection that was cut may still hold it; the database forgives that.
        Err(engine) => engine.store.clone().close().await,
    }
    tracing::info!("ended in good order");
    Ok(Exit::Fine)
}

/// Where deliveries and opt-outs are kept that the database cannot take now.
fn journal(shop: &Shop) -> anyhow::Result<Spill> {
    let usual = Bounds::default();
    let bounds = Bounds {
        most: shop.config.journal.max.unwrap_or(usual.most),
        ..usual
    };
    let data = &shop.config.data_dir;
    Spill::open(data, bounds).with_context(|| format!("the journal in {}", data.display()))
}

/// Tells other processes of a rehearsal what time it is.
async fn tell_time(engine: Arc<Engine>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = context::show_time(&engine.store, engine.now()).await {
            tracing::debug!(%error, "the rehearsal's clock could not be told");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(context::SHOWN_EVERY) => {}
        }
    }
}

/// Intake as configured; refused where nobody, or everybody, could deliver.
fn settings(shop: &Shop, roles: Roles) -> anyhow::Result<web::Settings> {
    let config = &shop.config;
    Hook::of(&config.alerts).map_err(misuse)?;
    if !roles.intake {
        return Ok(web::Settings::default());
    }
    config
        .ready_to_serve()
        .map_err(|error| misuse(error.to_string()))?;
    let hooks = sources::hooks(config)?;
    let Some(intake) = &config.intake else {
        return Ok(web::Settings {
            hooks,
            ..web::Settings::default()
        });
    };
    if intake.unsigned && !config.http.listen.ip().to_canonical().is_loopback() {
        return Err(misuse(format!(
            "intake.events.unsigned: expected a loopback address, found {}\nhint: set http.listen to 127.0.0.1, or give intake.events.secrets",
            config.http.listen
        )));
    }
    let secrets = intake
        .secrets
        .iter()
        .map(|secret| Secret::parse(secret.reveal()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| misuse(format!("intake.events.secrets: {error}")))?;
    let usual = web::Intake::signed(secrets);
    Ok(web::Settings {
        intake: Some(web::Intake {
            unsigned: intake.unsigned,
            max_body: intake.max_body.unwrap_or(usual.max_body),
            max_depth: intake.max_depth.unwrap_or(usual.max_depth),
            read_timeout: intake.read_timeout.unwrap_or(usual.read_timeout),
            signature_window: intake.signature_window.unwrap_or(usual.signature_window),
            pace: Pace::of(intake.rate, intake.burst),
            ..usual
        }),
        hooks,
        ..web::Settings::default()
    })
}

async fn listen(shop: &Shop) -> anyhow::Result<TcpListener> {
    let address = shop.config.http.listen;
    TcpListener::bind(address).await.map_err(|source| {
        EngineError::Io {
            what: format!("http.listen: cannot listen on {address}"),
            source,
        }
        .into()
    })
}

fn ready(
    out: &mut Out,
    shop: &Shop,
    address: Option<std::net::SocketAddr>,
    mails_to: &str,
    (arming, watch): (&key::Arming, bool),
    rehearsal: Option<crate::model::time::Timestamp>,
) -> anyhow::Result<()> {
    let armed = matches!(arming, key::Arming::Armed);
    if out.is_json() {
        out.object(&serde_json::json!({
            "ready": true,
            "address": address.map(|address| format!("http://{address}")),
            "mail": mails_to,
            "armed": armed,
            "now": rehearsal,
            "preview": address.filter(|_| watch).map(|address| format!("http://{address}/preview")),
        }))?;
    } else {
        let mut line = match address {
            Some(address) => format!("aftercare is ready at http://{address}"),
            None => "aftercare is ready".to_owned(),
        };
        line.push_str(&format!(", mail goes to {mails_to}"));
        if shop.config.smtp.is_capture()
            && let Some(address) = address
        {
            line.push_str(&format!(" (read it at http://{address}/mailbox)"));
        }
        if let Some(address) = address.filter(|_| watch) {
            line.push_str(&format!(", previews at http://{address}/preview"));
        }
        if let Some(now) = rehearsal {
            line.push_str(&format!(", rehearsing from {now}"));
        }
        if !armed {
            line.push_str(", only observing");
        }
        out.line(line)?;
    }
    out.flush()
}

/// The first signal asks for an orderly end, the second ends at once.
async fn end_on_signal(stop: CancellationToken) {
    if signal().await.is_err() {
        tracing::warn!("signals cannot be heard; only a kill ends this process");
        return;
    }
    tracing::info!("ending: what is under way is finished first");
    stop.cancel();
    if signal().await.is_ok() {
        tracing::warn!("ended at once");
        std::process::exit(CUT_SHORT);
    }
}

#[cfg(unix)]
async fn signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn signal() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

impl FromStr for Role {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        clap::ValueEnum::from_str(text, false)
    }
}
