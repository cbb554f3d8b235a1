//! The socket, with a limit on every read and every write.
//!
//! It owns the stream: whoever drops it drops the connection, so a cancelled future can't leave a half-spoken dialogue
//! behind for the next mail to misread.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::relay::{Relay, Timeouts};
use super::reply::{self, Reply};
use super::tls;
use crate::mail::delivery::{Step, Trouble};

/// Room made for each read, in bytes. What a relay may make us hold is bounded by [`reply::REPLY_LIMIT`] plus this.
const READ_SIZE: usize = 4 * 1_024;

/// One connection.
#[derive(Debug)]
pub(super) struct Wire {
    stream: Stream,
    /// What came and has not been taken as a reply yet.
    inbox: Vec<u8>,
    limits: Timeouts,
}

#[derive(Debug)]
enum Stream {
    Clear(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    /// Opens the connection, trying each address of the relay in turn.
    pub(super) async fn open(relay: &Relay) -> Result<Self, Trouble> {
        let limit = relay.timeouts.connect;
        let dns = |cause: String| Trouble::Dns {
            host: relay.host.clone(),
            cause,
        };
        let found = within(Step::Connect, limit, async {
            lookup_host((relay.host.as_str(), relay.port))
                .await
                .map_err(|cause| dns(cause.to_string()))
        });
        // A relay that is said to be on this machine must be: the rehearsal clock and clear-text passwords rely on it.
        let addresses: Vec<SocketAddr> = found
            .await?
            .filter(|address| !relay.is_loopback() || address.ip().is_loopback())
            .collect();
        let mut cause = None;
        for address in addresses {
            match timeout(limit, TcpStream::connect(address)).await {
                Ok(Ok(tcp)) => match tcp.set_nodelay(true) {
                    Ok(()) => {
                        return Ok(Self {
                            stream: Stream::Clear(tcp),
                            inbox: Vec::with_capacity(READ_SIZE),
                            limits: relay.timeouts,
                        });
                    }
                    Err(error) => cause = Some(error.to_string()),
                },
                Ok(Err(error)) => cause = Some(error.to_string()),
                Err(_) => cause = Some(format!("no answer within {} s", limit.as_secs_f32())),
            }
        }
        match cause {
            Some(cause) => Err(Trouble::Connect {
                host: relay.host.clone(),
                port: relay.port,
                cause,
            }),
            None => Err(dns("it has none that fits".to_owned())),
        }
    }

    /// Goes over to TLS. Clear text that is already here would otherwise be read as if it had come encrypted.
    pub(super) async fn encrypt(self, relay: &Relay) -> Result<Self, Trouble> {
        if !self.inbox.is_empty() {
            return Err(Trouble::Injected);
        }
        let Stream::Clear(tcp) = self.stream else {
            return Err(Trouble::Tls {
                cause: "the connection is encrypted already".to_owned(),
            });
        };
        let stream = within(
            Step::StartTls,
            self.limits.tls,
            tls::handshake(&relay.trust, tcp, &relay.host),
        )
        .await?;
        Ok(Self {
            stream: Stream::Tls(Box::new(stream)),
            ..self
        })
    }

    /// Whether nobody on the way can read along.
    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    fn tcp(&self) -> &TcpStream {
        match &self.stream {
            Stream::Clear(tcp) => tcp,
            Stream::Tls(tls) => tls.get_ref().0,
        }
    }

    /// Whether the other end is this machine.
    pub(super) fn peer_is_loopback(&self) -> bool {
        self.tcp()
            .peer_addr()
            .is_ok_and(|peer| peer.ip().is_loopback())
    }

    /// Our end's address, for the literal in EHLO.
    pub(super) fn local_address(&self) -> Result<SocketAddr, Trouble> {
        self.tcp()
            .local_addr()
            .map_err(|cause| broken(Step::Ehlo, &cause))
    }

    /// Writes everything; each block may take `block`, the whole `body`.
    pub(super) async fn write(&mut self, step: Step, bytes: &[u8]) -> Result<(), Trouble> {
        let (block, whole) = (self.limits.block, self.limits.body);
        let stream = &mut self.stream;
        within(step, whole, async {
            let mut rest = bytes;
            while !rest.is_empty() {
                let written = within(step, block, stream.write(step, rest)).await?;
                if written == 0 {
                    return Err(Trouble::Closed { step });
                }
                rest = rest.get(written..).unwrap_or_default();
            }
            within(step, block, stream.flush(step)).await
        })
        .await
    }

    /// Waits for one complete reply. The limit is for the whole of it, so a relay can't stretch it byte by byte.
    pub(super) async fn reply(&mut self, step: Step) -> Result<Reply, Trouble> {
        let limit = self.limits.reply(step);
        let (stream, inbox) = (&mut self.stream, &mut self.inbox);
        within(step, limit, async {
            loop {
                match reply::parse(inbox) {
                    Ok(Some((reply, used))) => {
                        inbox.drain(..used);
                        return Ok(reply);
                    }
                    Ok(None) => stream.read(step, inbox).await?,
                    Err(cause) => return Err(Trouble::Garbled { step, cause }),
                }
            }
        })
        .await
    }

    /// Checks, without waiting, that the relay has neither closed the connection nor said anything unasked: what it
    /// says now would be taken for the answer to what comes next.
    pub(super) async fn quiet(&mut self, step: Step) -> Result<(), Trouble> {
        // Gives the reactor a turn, so that a close which reached this machine is seen.
        tokio::task::yield_now().await;
        if self.inbox.is_empty()
            && let Some(read) = self.stream.read(step, &mut self.inbox).now_or_never()
        {
            read?;
        }
        if self.inbox.is_empty() {
            return Ok(());
        }
        match reply::parse(&self.inbox) {
            Ok(Some((reply, _))) if reply.code == 421 => Err(Trouble::Refused { step, reply }),
            _ => Err(Trouble::OutOfTurn { step }),
        }
    }

    /// Ends the connection in good order; failing at it changes nothing.
    pub(super) async fn shut(mut self) {
        let limit = self.limits.quit;
        let closing = async {
            match &mut self.stream {
                Stream::Clear(tcp) => tcp.shutdown().await,
                Stream::Tls(tls) => tls.shutdown().await,
            }
        };
        // Either way the socket is dropped next.
        drop(timeout(limit, closing).await);
    }
}

impl Stream {
    async fn write(&mut self, step: Step, bytes: &[u8]) -> Result<usize, Trouble> {
        match self {
            Self::Clear(tcp) => tcp.write(bytes).await,
            Self::Tls(tls) => tls.write(bytes).await,
        }
        .map_err(|cause| broken(step, &cause))
    }

    async fn flush(&mut self, step: Step) -> Result<(), Trouble> {
        match self {
            Self::Clear(_) => Ok(()),
            Self::Tls(tls) => tls.flush().await.map_err(|cause| broken(step, &cause)),
        }
    }

    /// Reads what is there, at least one byte.
    async fn read(&mut self, step: Step, inbox: &mut Vec<u8>) -> Result<(), Trouble> {
        inbox.reserve(READ_SIZE);
        let read = match self {
            Self::Clear(tcp) => tcp.read_buf(inbox).await,
            Self::Tls(tls) => tls.read_buf(inbox).await,
        };
        match read {
            Ok(0) => Err(Trouble::Closed { step }),
            Ok(_) => Ok(()),
            Err(cause) => Err(broken(step, &cause)),
        }
    }
}

fn broken(step: Step, cause: &io::Error) -> Trouble {
    match cause.kind() {
        // TLS calls a close without goodbye an unexpected end; to SMTP it is a close like any other.
        io::ErrorKind::UnexpectedEof => Trouble::Closed { step },
        _ => Trouble::Broken {
            step,
            cause: cause.to_string(),
        },
    }
}

async fn within<T>(
    step: Step,
    limit: Duration,
    work: impl Future<Output = Result<T, Trouble>>,
) -> Result<T, Trouble> {
    match timeout(limit, work).await {
        Ok(done) => done,
        Err(_) => Err(Trouble::TimedOut { step, limit }),
    }
}
