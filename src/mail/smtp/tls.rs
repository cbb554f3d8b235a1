//! TLS to a relay: the handshake, and what became of it in the session's words. Whom we trust, [`crate::trust`] says.

use crate::mail::delivery::Trouble;
use crate::trust::Trust;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Shakes hands over `tcp`; the certificate must be for `host`.
pub(super) async fn handshake(
    trust: &Trust,
    tcp: TcpStream,
    host: &str,
) -> Result<TlsStream<TcpStream>, Trouble> {
    let tls = |cause: String| Trouble::Tls { cause };
    let name = ServerName::try_from(host.to_owned()).map_err(|cause| tls(cause.to_string()))?;
    TlsConnector::from(trust.config().map_err(tls)?)
        .connect(name, tcp)
        .await
        .map_err(|cause| tls(cause.to_string()))
}
