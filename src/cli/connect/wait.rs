//! Waits for a platform's first delivery: reads what the running service notes of its
//! doors, as a second process, and tells each thing once: a ping, a delivery that is
//! refused and why, and at last one that is proved.

use super::{Args, Connection, learnt, say};
use crate::cli::connect::address::Address;
use crate::cli::demo::http;
use crate::cli::{Exit, Out};
use crate::client::{Ask, Auth, Client, Limits};
use crate::engine::traces::{Refusal, Trace, trace};
use crate::ingest::setup::Hidden;
use crate::model::platform::Platform;
use crate::store::{Access, Store};
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How often the database is asked.
const EVERY: Duration = Duration::from_millis(500);
/// What asking our own public address may cost.
const PROBE: Limits = Limits {
    connect: Duration::from_secs(5),
    answer: Duration::from_secs(5),
    body: 64 * 1024,
};

/// Waits, and tells what came; 1 where nothing did.
pub async fn first(
    connection: &Connection<'_>,
    args: &Args,
    out: &mut Out,
) -> anyhow::Result<Exit> {
    let began = Instant::now();
    let store = open(connection, args, began, out).await?;
    let Some(store) = store else {
        return silence(connection, args, &Trace::default(), &Trace::default(), out);
    };
    let found = watch(connection, args, &store, began, out).await;
    store.close().await;
    found
}

/// The database, as soon as there is one.
async fn open(
    connection: &Connection<'_>,
    args: &Args,
    began: Instant,
    out: &mut Out,
) -> anyhow::Result<Option<Store>> {
    let mut told = false;
    loop {
        match connection.shop.store(Access::Reader).await {
            Ok(store) => return Ok(Some(store)),
            Err(error) if told && began.elapsed() >= args.patience => {
                tracing::debug!(%error, "there is no database");
                return Ok(None);
            }
            Err(error) if !told => {
                tell(
                    out,
                    "note",
                    &format!("{}: start `aftercare serve`", first_line(&error)),
                )?;
                told = true;
            }
            Err(_) => {}
        }
        if pause().await {
            return Ok(None);
        }
    }
}

fn first_line(error: &anyhow::Error) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}

/// Half a second; whether somebody ended it.
async fn pause() -> bool {
    tokio::select! {
        _ = tokio::signal::ctrl_c() => true,
        () = tokio::time::sleep(EVERY) => false,
    }
}

async fn watch(
    connection: &Connection<'_>,
    args: &Args,
    store: &Store,
    began: Instant,
    out: &mut Out,
) -> anyhow::Result<Exit> {
    let name = &connection.name;
    let before = trace(store, name).await?;
    if before.count > 0 && !args.wait {
        return learnt::tell(connection, store, &before, out).await;
    }
    here(connection, out).await?;
    let mut probe = Some(tokio::spawn(from_outside(connection.address.clone())));
    tell(
        out,
        "waiting",
        &format!(
            "waiting for the first delivery of {}, {} at most. To have one come: {}",
            connection.platform.called(),
            minutes(args.patience),
            say::attempt(connection, args)
        ),
    )?;
    out.flush()?;
    let (mut ping, mut refusals) = (before.ping, Vec::new());
    // A row of refusals from before is told as what it is.
    let mut refused = before.refused.as_ref().map_or(0, |refused| refused.count);
    loop {
        let now = trace(store, name).await?;
        if now.ping > ping {
            ping = now.ping;
            tell(
                out,
                "ping",
                &format!(
                    "{} asks whether we are there, and is answered: the address is right. That is no delivery yet",
                    connection.platform.called()
                ),
            )?;
        }
        if let Some(one) = &now.refused
            && one.count > refused
        {
            refused = one.count;
            if !refusals.contains(&one.because) {
                refusals.push(one.because);
                tell(out, "refused", &refusal(connection, one.because))?;
            }
        }
        if now.count > before.count {
            return learnt::tell(connection, store, &now, out).await;
        }
        said(&mut probe, out).await?;
        out.flush()?;
        if began.elapsed() >= args.patience {
            return silence(connection, args, &before, &now, out);
        }
        if pause().await {
            return Ok(Exit::Problems);
        }
    }
}

/// Tells what asking our public address came to, once it came to something.
async fn said(probe: &mut Option<JoinHandle<Option<String>>>, out: &mut Out) -> anyhow::Result<()> {
    if probe.as_ref().is_some_and(JoinHandle::is_finished)
        && let Some(task) = probe.take()
        && let Ok(Some(words)) = task.await
    {
        tell(out, "note", &words)?;
    }
    Ok(())
}

/// Whether the service runs on this machine and knows the source. It may run elsewhere.
async fn here(connection: &Connection<'_>, out: &mut Out) -> anyhow::Result<()> {
    let listen = connection.shop.config.http.listen;
    let address = match listen.ip().is_unspecified() {
        true => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), listen.port()),
        false => listen,
    };
    let path = format!("/hooks/{}", connection.name);
    let words = match http::get(address, &path).await {
        Ok((404, _)) => format!(
            "the service at {address} does not know the source {}: add it to the configuration (--write), and restart `aftercare serve`",
            connection.name
        ),
        Ok(_) => return Ok(()),
        Err(_) => format!("nobody listens at {address}: start `aftercare serve`"),
    };
    tell(out, "note", &words)
}

/// Asks our own public address, as a platform would find it; `None` where all is well.
async fn from_outside(address: Address) -> Option<String> {
    let base = address.base();
    let client = Client::new(base, Auth::None).ok()?.with_limits(PROBE);
    let path = address.url.strip_prefix(base).unwrap_or_default();
    match client.send(Ask::get(path)).await {
        // The door is there and takes POST alone.
        Ok(answer) if answer.status() == 405 => None,
        Ok(answer) => Some(format!(
            "{} answers {} to this machine: it should lead to `aftercare serve`, path and all",
            address.url,
            answer.status()
        )),
        Err(error) => Some(format!(
            "{} cannot be reached from this machine: {error}. From outside that may be otherwise",
            address.url
        )),
    }
}

fn minutes(wait: Duration) -> String {
    match wait.as_secs() {
        seconds if seconds < 120 => format!("{seconds} s"),
        seconds => format!("{} minutes", seconds / 60),
    }
}

/// One thing that happened: a sentence.
pub fn tell(out: &mut Out, what: &str, words: &str) -> anyhow::Result<()> {
    if out.is_json() {
        return out.object(&json!({ "seen": what, "message": words }));
    }
    let mut words = words.to_owned();
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    out.line(format_args!("{words}."))
}

/// Why deliveries are refused, and what to do.
fn refusal(connection: &Connection<'_>, because: Refusal) -> String {
    let called = connection.platform.called();
    let place = match &connection.secret {
        Some(kept) if kept.elsewhere => "the secret that the configuration gives".to_owned(),
        Some(kept) => format!("the one in {}", kept.shown),
        None => "the platform's public keys".to_owned(),
    };
    let ours = connection.setup.secret.is_ours();
    match because {
        Refusal::WrongProof => {
            let mend = match (connection.setup.secret, ours) {
                (Hidden::Keys, _) => "the body was changed on its way, or the keys are of another shop or environment".to_owned(),
                (_, true) => format!("enter {place} as {}", connection.setup.place),
                (_, false) => format!("copy it anew: it is {}", connection.setup.place),
            };
            format!(
                "deliveries arrive, and their signature does not fit: the secret of {called} is not {place}. {mend}; then restart `aftercare serve`. Where it is the right one, a proxy in between changes bodies"
            )
        }
        Refusal::NoProof => {
            let mend = match connection.setup.secret {
                Hidden::Token => "the address at the platform lacks its ?token=".to_owned(),
                Hidden::Bearer => "the header Authorization is not set there, or a proxy takes it away".to_owned(),
                _ if connection.platform == Platform::Shippo => "the address lacks its ?token=".to_owned(),
                _ => "no secret is entered there, a proxy takes headers away, or it is not the platform who calls".to_owned(),
            };
            format!("deliveries arrive and nothing in them proves who sends: {mend}")
        }
        Refusal::UnknownKey => format!(
            "deliveries arrive, signed with a key that we do not have: set intake.sources.{}.keys_url, or replace the file of public_keys_file",
            connection.name
        ),
        Refusal::WrongTime => "deliveries arrive, and the time that they are signed at is minutes away from ours: look at the clock of this machine, and whether something on the way holds them back".to_owned(),
        Refusal::TooLarge => format!(
            "deliveries arrive that are too large: raise intake.sources.{}.max_body",
            connection.name
        ),
        Refusal::TooSlow => "deliveries arrive and break off: something on the way is too slow".to_owned(),
        Refusal::Compressed => "deliveries arrive compressed, which no platform sends: let the proxy pass bodies on as they are".to_owned(),
        Refusal::Overload => "deliveries arrive, and were turned away for load or because the database was away; platforms send most of them again".to_owned(),
        Refusal::Other => "deliveries arrive and are refused: the log of `aftercare serve` says why".to_owned(),
    }
}

/// Nothing that is proved came in time: the usual causes.
fn silence(
    connection: &Connection<'_>,
    args: &Args,
    before: &Trace,
    now: &Trace,
    out: &mut Out,
) -> anyhow::Result<Exit> {
    let count = |trace: &Trace| trace.refused.as_ref().map_or(0, |refused| refused.count);
    let refused = count(now).saturating_sub(count(before));
    let waited = minutes(args.patience);
    let mut causes: Vec<String> = Vec::new();
    let words = if refused > 0 {
        format!("{waited} are over: {refused} deliveries came and were refused, none was proved")
    } else {
        let url = &connection.address.url;
        causes.push(format!("the address at the platform is another than {url}"));
        if now.ping.is_none() {
            causes.push("a firewall, a proxy or a name that leads elsewhere keeps it from getting here (curl the address from another network: 405 is the right answer)".to_owned());
        }
        causes.push("the topic was not switched on, or nothing happened that it tells".to_owned());
        causes.extend(connection.setup.silent.iter().cloned());
        format!(
            "{waited} are over, and nothing came from {}",
            connection.platform.called()
        )
    };
    if out.is_json() {
        out.object(
            &json!({ "seen": "nothing", "message": words, "refused": refused, "causes": causes }),
        )?;
        return Ok(Exit::Problems);
    }
    tell(out, "nothing", &words)?;
    for cause in causes {
        out.line(format_args!("  - {cause}"))?;
    }
    out.line(format_args!(
        "Look again at any time: aftercare connect {} --name {}",
        connection.platform, connection.name
    ))?;
    Ok(Exit::Problems)
}
