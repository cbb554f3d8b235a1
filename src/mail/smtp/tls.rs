//! The one way to TLS: rustls with ring, the system's certificate authorities, and those the operator adds. There is no
//! switch to skip the check.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::mail::delivery::Trouble;

/// Whom we trust to vouch for a relay. Reads the system's store when first needed, and once.
#[derive(Clone, Default)]
pub(super) struct Trust {
    extra: Vec<CertificateDer<'static>>,
    config: Arc<OnceLock<Result<Arc<ClientConfig>, String>>>,
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trust {{ extra: {} }}", self.extra.len())
    }
}

impl Trust {
    /// Trusts the authorities in `pem` beside those of the system.
    pub(super) fn with_authorities(pem: &[u8]) -> Result<Self, String> {
        let extra: Vec<_> = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<_, _>>()
            .map_err(|cause| cause.to_string())?;
        if extra.is_empty() {
            return Err("found none".to_owned());
        }
        Ok(Self {
            extra,
            config: Arc::default(),
        })
    }

    /// Shakes hands over `tcp`; the certificate must be for `host`.
    pub(super) async fn handshake(
        &self,
        tcp: TcpStream,
        host: &str,
    ) -> Result<TlsStream<TcpStream>, Trouble> {
        let tls = |cause: String| Trouble::Tls { cause };
        let name = ServerName::try_from(host.to_owned()).map_err(|cause| tls(cause.to_string()))?;
        let config = self
            .config
            .get_or_init(|| build(&self.extra).map(Arc::new))
            .clone()
            .map_err(tls)?;
        TlsConnector::from(config)
            .connect(name, tcp)
            .await
            .map_err(|cause| tls(cause.to_string()))
    }
}

fn build(extra: &[CertificateDer<'static>]) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    // A system's store may hold a certificate that rustls can't read; the others still count.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for authority in extra {
        roots
            .add(authority.clone())
            .map_err(|cause| cause.to_string())?;
    }
    if roots.is_empty() {
        return Err(
            "this system has no certificate authorities to check the relay against".to_owned(),
        );
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|cause| cause.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}
