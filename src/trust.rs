//! Whom we believe that they are who they say: the system's certificate authorities, and those the operator adds. The one
//! way to TLS, with ring; there is no switch to skip the check. The hands that open connections share it.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::sync::{Arc, OnceLock};

/// Whom we trust to vouch for a host. Reads the system's store when first needed, and once.
#[derive(Clone, Default)]
pub struct Trust {
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
    ///
    /// # Errors
    /// Says in words why there is none in it.
    pub fn with_authorities(pem: &[u8]) -> Result<Self, String> {
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

    /// How to shake hands.
    ///
    /// # Errors
    /// Says in words why nobody can be checked.
    pub fn config(&self) -> Result<Arc<ClientConfig>, String> {
        self.config
            .get_or_init(|| build(&self.extra).map(Arc::new))
            .clone()
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
            "this system has no certificate authorities to check the other side against".to_owned(),
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
