//! A connection that breaks as a test likes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// Stands between a client and a server.
pub struct Proxy {
    pub address: SocketAddr,
    wire: Arc<Wire>,
}

struct Wire {
    /// What the client says is swallowed.
    deaf: AtomicBool,
    /// Ends the connections that there are.
    cut: Mutex<CancellationToken>,
}

impl Proxy {
    pub async fn before(server: SocketAddr) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let wire = Arc::new(Wire {
            deaf: AtomicBool::new(false),
            cut: Mutex::new(CancellationToken::new()),
        });
        let shared = Arc::clone(&wire);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(server).await else {
                    continue;
                };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                let cut = shared.cut.lock().unwrap().clone();
                let wire = Some(Arc::clone(&shared));
                tokio::spawn(copy(from_client, to_server, wire, cut.clone()));
                tokio::spawn(copy(from_server, to_client, None, cut));
            }
        });
        Proxy { address, wire }
    }

    /// From now on nothing of what the client says arrives.
    pub fn swallow(&self, swallow: bool) {
        self.wire.deaf.store(swallow, Ordering::SeqCst);
    }

    /// Breaks every connection; new ones work.
    pub fn cut(&self) {
        let fresh = CancellationToken::new();
        std::mem::replace(&mut *self.wire.cut.lock().unwrap(), fresh).cancel();
    }
}

async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    wire: Option<Arc<Wire>>,
    cut: CancellationToken,
) {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let read = tokio::select! {
            () = cut.cancelled() => return,
            read = from.read(&mut buffer) => read,
        };
        let Ok(length @ 1..) = read else { return };
        let is_deaf = wire
            .as_ref()
            .is_some_and(|wire| wire.deaf.load(Ordering::SeqCst));
        if !is_deaf && to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
