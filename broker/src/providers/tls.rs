//! TLS to upstreams of the operator: the one crypto provider, Mozilla's roots and the operator's own.

use super::error::ProviderError;
use super::files::{self, Privacy};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// The largest file of certificates, bytes.
const LARGEST_CA: u64 = 1024 * 1024;

/// A configuration that is made when the first connection needs it; it costs about a millisecond.
#[derive(Debug, Default)]
pub(super) struct LazyTls {
    /// A file of certificate authorities to trust beside Mozilla's.
    ca: Option<PathBuf>,
    made: OnceLock<Arc<ClientConfig>>,
}

impl LazyTls {
    pub(super) fn new(ca: Option<PathBuf>) -> Self {
        Self { ca, made: OnceLock::new() }
    }

    /// Returns the configuration; it offers no protocol by ALPN.
    pub(super) fn config(&self) -> Result<Arc<ClientConfig>, ProviderError> {
        if let Some(config) = self.made.get() {
            return Ok(Arc::clone(config));
        }
        let made = make(self.ca.as_deref())?;
        Ok(Arc::clone(self.made.get_or_init(|| made)))
    }
}

fn make(ca: Option<&Path>) -> Result<Arc<ClientConfig>, ProviderError> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(path) = ca {
        let refuse = |why: &str| ProviderError::never(format!("{}: {why}", path.display()));
        let pem = files::read(path, Privacy::Trusted, LARGEST_CA)
            .map_err(|error| refuse(&error.to_string()))?;
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|_| refuse("it is not PEM"))?;
            roots.add(certificate).map_err(|_| refuse("it holds what is no authority"))?;
        }
        if roots.len() == before {
            return Err(refuse("it holds no certificate"));
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| ProviderError::never("TLS cannot be set up"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
