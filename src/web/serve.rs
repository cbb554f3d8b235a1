//! Puts the router on a socket: so many connections, so much time for each, and an
//! orderly end.

use super::router::router;
use super::{MAX_HEAD, READ_TIMEOUT, Settings};
use crate::engine::Engine;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long one connection may stay. Then it ends after the answer under way, so that
/// nobody holds a place by reading slowly or for ever.
pub const CONNECTION_LIFE: Duration = Duration::from_secs(300);
/// How long to wait after the system could not accept a connection (no descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why the doors could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The preview is for whoever works on the files, on this machine.
    #[error(
        "--watch: expected a loopback address, found {address}\n\
         hint: set http.listen to 127.0.0.1, or serve without --watch"
    )]
    Watched {
        /// Where it was to listen.
        address: SocketAddr,
    },
    /// The socket does not say where it listens.
    #[error("the listening socket cannot be used")]
    Socket(#[source] io::Error),
    /// Everybody could deliver events.
    #[error(
        "intake.events.unsigned: expected a loopback address, found {address}\n\
         hint: set http.listen to 127.0.0.1, or give intake.events.secrets"
    )]
    Unsigned {
        /// Where it would listen.
        address: SocketAddr,
    },
    /// Nobody could deliver events.
    #[error(
        "intake.events: expected one secret or two, found none\nhint: set AFTERCARE_INTAKE__EVENTS__SECRETS"
    )]
    NoSecret,
    /// Everybody could deliver in the name of a source.
    #[error(
        "intake.sources.{name}.unsigned: expected a loopback address, found {address}\n\
         hint: set http.listen to 127.0.0.1, or give intake.sources.{name}.secrets"
    )]
    UnsignedSource {
        /// Which one.
        name: String,
        /// Where it would listen.
        address: SocketAddr,
    },
    /// Nobody could deliver in the name of a source.
    #[error(
        "intake.sources.{name}: expected a secret, found none\n\
         hint: set AFTERCARE_INTAKE__SOURCES__{}__SECRETS",
        name.to_uppercase()
    )]
    NoSourceSecret {
        /// Which one.
        name: String,
    },
}

/// Serves until `shutdown`, then lets connections finish for `settings.drain` and cuts
/// what is left.
///
/// # Errors
/// Intake is open to strangers, or to nobody; the socket cannot be used.
pub async fn serve(
    listener: TcpListener,
    engine: Arc<Engine>,
    settings: Settings,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    let address = listener.local_addr().map_err(ServeError::Socket)?;
    if let Some(intake) = &settings.intake {
        if intake.unsigned && !address.ip().to_canonical().is_loopback() {
            return Err(ServeError::Unsigned { address });
        }
        if !intake.unsigned && intake.secrets.is_empty() {
            return Err(ServeError::NoSecret);
        }
    }
    for (name, hook) in &settings.hooks {
        let source = &hook.source;
        if source.unsigned && !address.ip().to_canonical().is_loopback() {
            return Err(ServeError::UnsignedSource {
                name: name.clone(),
                address,
            });
        }
        if !source.unsigned && !source.can_prove() {
            return Err(ServeError::NoSourceSecret { name: name.clone() });
        }
    }
    if settings.watch && !address.ip().to_canonical().is_loopback() {
        return Err(ServeError::Watched { address });
    }
    let head_timeout = settings
        .intake
        .as_ref()
        .map_or(READ_TIMEOUT, |intake| intake.read_timeout);
    let places = Arc::new(Semaphore::new(settings.connections));
    let callers = Callers::new(settings.connections_of_one);
    let drain = settings.drain;
    let router = router(engine, settings);
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    tracing::info!(%address, "listening");
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            next = next => next,
        };
        match accepted {
            Ok((stream, from)) => {
                // One of too many is closed unheard: its place is another's.
                let Some(caller) = callers.enter(from.ip()) else {
                    continue;
                };
                let ends = Ends {
                    shutdown: shutdown.clone(),
                    cut: cut.clone(),
                };
                let router = router.clone();
                connections.spawn(async move {
                    converse(stream, router, head_timeout, ends).await;
                    drop((place, caller));
                });
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a connection could not be accepted"
                );
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(drain, connections.wait())
        .await
        .is_err()
    {
        tracing::warn!(
            connections = connections.len(),
            "connections did not finish in time and are cut"
        );
        cut.cancel();
        connections.wait().await;
    }
    Ok(())
}

/// Who is connected, out in the world, and how often.
#[derive(Debug, Clone)]
struct Callers {
    most: usize,
    count: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One connection of a caller; counted as long as it lives.
#[derive(Debug)]
struct Caller {
    callers: Callers,
    /// `None`: one whose connections are not counted.
    from: Option<IpAddr>,
}

impl Callers {
    fn new(most: usize) -> Callers {
        Callers {
            most,
            count: Arc::default(),
        }
    }

    /// Counts a connection; `None` where its caller has as many as anybody may.
    fn enter(&self, from: IpAddr) -> Option<Caller> {
        let from = counted_as(from);
        if let Some(from) = from {
            let mut count = self.lock();
            let its = count.entry(from).or_default();
            if *its >= self.most {
                return None;
            }
            *its += 1;
        }
        Some(Caller {
            callers: self.clone(),
            from,
        })
    }

    /// A panic elsewhere leaves counts that are whole.
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let Some(from) = self.from else { return };
        let mut count = self.callers.lock();
        if let Some(its) = count.get_mut(&from) {
            *its = its.saturating_sub(1);
            if *its == 0 {
                count.remove(&from);
            }
        }
    }
}

/// Under what a caller's connections are counted: its address, or the network of 64 bits
/// that somebody with IPv6 has to himself. Nothing for this machine and private networks.
fn counted_as(from: IpAddr) -> Option<IpAddr> {
    match from.to_canonical() {
        IpAddr::V4(ip) if ip.is_loopback() || ip.is_private() || ip.is_link_local() => None,
        IpAddr::V4(ip) => Some(IpAddr::V4(ip)),
        IpAddr::V6(ip)
            if ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local() =>
        {
            None
        }
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            Some(IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)))
        }
    }
}

/// The ways in which a connection is told to end.
struct Ends {
    /// After the answer under way.
    shutdown: CancellationToken,
    /// Now.
    cut: CancellationToken,
}

async fn converse(stream: TcpStream, router: Router, head_timeout: Duration, ends: Ends) {
    // Without it small answers wait for acknowledgements; where it cannot be set they do.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_header_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = ends.shutdown.cancelled() => {}
        () = tokio::time::sleep(CONNECTION_LIFE) => {}
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        _ = connection.as_mut() => {}
        () = ends.cut.cancelled() => {}
        () = tokio::time::sleep(CONNECTION_LIFE) => {}
    }
}

/// Whether the failure concerns the caller alone, who is gone already.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn nobody_out_in_the_world_takes_every_connection() {
        let callers = Callers::new(2);
        let at = |text: &str| callers.enter(text.parse().unwrap());
        let first = at("203.0.113.9");
        let second = at("::ffff:203.0.113.9");
        assert!(first.is_some() && second.is_some());
        assert!(at("203.0.113.9").is_none(), "a third");
        assert!(at("203.0.113.10").is_some(), "somebody else");
        drop(second);
        assert!(at("203.0.113.9").is_some(), "one has gone");
        // Of IPv6 somebody has a whole network.
        let _six = [at("2001:db8::1"), at("2001:db8::2")];
        assert!(at("2001:db8::3").is_none());
        assert!(at("2001:db8:0:1::3").is_some());
        // A proxy speaks for many.
        let proxy: Vec<Option<Caller>> = (0..9).map(|_| at("10.0.0.1")).collect();
        assert!(proxy.iter().all(Option::is_some));
    }
}
