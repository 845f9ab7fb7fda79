//! TLS to upstreams: one crypto provider, named; roots from Mozilla and from the operator.

use super::GateError;
use super::failure::ErrorCase;
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use writ_broker::host::Host;

/// TLS sessions that one task may resume; they are never shared between tasks, since a resumed
/// session tells the upstream that two connections belong together.
const SESSIONS_PER_TASK: usize = 16;

/// Reads the operator's certificate authorities.
pub(super) fn read_extra_ca(files: &[PathBuf]) -> Result<Vec<CertificateDer<'static>>, GateError> {
    let mut all = Vec::new();
    for file in files {
        let found = read_one(file)?;
        if found.is_empty() {
            return Err(GateError::NoCertificate { file: file.clone() });
        }
        all.extend(found);
    }
    Ok(all)
}

fn read_one(file: &Path) -> Result<Vec<CertificateDer<'static>>, GateError> {
    let unreadable = |error: rustls::pki_types::pem::Error| GateError::ExtraCa {
        file: file.to_owned(),
        reason: error.to_string(),
    };
    CertificateDer::pem_file_iter(file)
        .map_err(unreadable)?
        .collect::<Result<_, _>>()
        .map_err(unreadable)
}

/// Builds the configuration that all tasks start from. It costs about a millisecond, so it is made
/// when the first TLS connection needs it.
pub(super) fn base_config(extra: &[CertificateDer<'static>]) -> Result<ClientConfig, ErrorCase> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    for certificate in extra {
        roots.add(certificate.clone()).map_err(|_| ErrorCase::ConfigurationError)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| ErrorCase::ConfigurationError)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Gives a task its own session store.
pub(super) fn for_task(base: &ClientConfig) -> Arc<ClientConfig> {
    let mut config = base.clone();
    config.resumption = Resumption::in_memory_sessions(SESSIONS_PER_TASK);
    Arc::new(config)
}

/// Returns the name that the certificate must be for: the decided host, never an address it led to.
pub(super) fn server_name(host: &Host) -> Result<ServerName<'static>, ErrorCase> {
    match host {
        Host::Name(name) => {
            ServerName::try_from(name.clone()).map_err(|_| ErrorCase::TlsProtocolError)
        }
        Host::Address(address) => Ok(ServerName::IpAddress((*address).into())),
    }
}

/// Says why a handshake failed.
pub(super) fn case(error: &io::Error) -> ErrorCase {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
            ErrorCase::TlsCertificateError
        }
        Some(rustls::Error::AlertReceived(_)) => ErrorCase::TlsAlertReceived,
        Some(_) => ErrorCase::TlsProtocolError,
        None => ErrorCase::ConnectionTerminated,
    }
}
