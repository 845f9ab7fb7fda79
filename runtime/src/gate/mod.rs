//! The only way out: every outgoing request and connection is decided, dialled and streamed here.
//!
//! A worker speaks HTTP/2 with prior knowledge (RFC 9113 §3.3) over its egress socket. An ordinary request
//! carries the full target URI; a `CONNECT` (RFC 9113 §8.5) asks for a TCP connection.
//!
//! The order is always the same: canonicalise, decide on the name, record, resolve once, check every
//! address, inject, dial, send, scrub, answer. What is allowed is recorded before a name server hears the
//! name; an address that is refused or a name that leads nowhere is a second record. A connection that waits
//! in the task's pool takes the place of resolving and dialling; nothing takes the place of deciding and
//! recording.
//!
//! What HTTP cannot carry at all (a line break or null byte in a host, path, method or header, a request
//! without a host) never arrives here: the worker refuses it, and its record comes from there.

mod body;
mod check;
mod conceal;
mod dial;
mod exchange;
mod failure;
mod frames;
mod headers;
mod http;
mod inject;
mod link;
mod meter;
mod pool;
mod request;
mod resolve;
mod tasks;
mod tls;
mod tunnel;

#[cfg(test)]
mod tests;

pub use link::GateLink;
pub use meter::EgressCount;

use crate::authority::Authority;
use crate::outcome::LimitName;
use failure::ErrorCase;
use resolve::DnsSetup;
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use std::fmt;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use writ_broker::Grant;

/// What the operator sets for every task of this process. Nothing of it can come from a grant.
#[derive(Debug, Clone, Default)]
pub struct GateSettings {
    /// PEM files with extra certificate authorities.
    pub extra_ca: Vec<PathBuf>,
    /// A name server to use instead of the system's.
    pub name_server: Option<SocketAddr>,
    /// Lets names and literals lead to this machine. For tests and local development only.
    pub dangerous_loopback: bool,
}

/// Why there is no gate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// A file with certificate authorities cannot be read.
    #[error("cannot read certificate authorities from {}: {reason}", file.display())]
    ExtraCa {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file that should have certificate authorities in it has none.
    #[error("there is no certificate in {}", file.display())]
    NoCertificate {
        /// The file.
        file: PathBuf,
    },
}

/// The gate of one process.
#[derive(Clone)]
pub struct Gate {
    inner: Arc<Inner>,
}

/// What is made when it is first needed: a task without egress pays for none of it.
struct Inner {
    settings: GateSettings,
    extra_ca: Vec<CertificateDer<'static>>,
    dns: OnceLock<DnsSetup>,
    tls: OnceLock<ClientConfig>,
}

impl Gate {
    /// Makes a gate. It reads the operator's extra certificate authorities and nothing else.
    pub fn new(settings: GateSettings) -> Result<Self, GateError> {
        let extra_ca = tls::read_extra_ca(&settings.extra_ca)?;
        let (dns, tls) = (OnceLock::new(), OnceLock::new());
        Ok(Self { inner: Arc::new(Inner { settings, extra_ca, dns, tls }) })
    }

    /// Serves one worker's egress socket for one task, until the link is closed or dropped.
    ///
    /// Must be called within a tokio runtime.
    #[must_use]
    pub fn attach(&self, egress: UnixStream, task: GateTask) -> GateLink {
        GateLink::attach(Arc::clone(&self.inner), egress, task)
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}

impl Inner {
    fn dns(&self) -> Result<&DnsSetup, ErrorCase> {
        if let Some(setup) = self.dns.get() {
            return Ok(setup);
        }
        let setup = DnsSetup::load(self.settings.name_server).map_err(|error| {
            tracing::warn!(%error, "the name servers of this machine are not known");
            ErrorCase::DnsError
        })?;
        Ok(self.dns.get_or_init(|| setup))
    }

    fn tls(&self) -> Result<&ClientConfig, ErrorCase> {
        if let Some(config) = self.tls.get() {
            return Ok(config);
        }
        let config = tls::base_config(&self.extra_ca)?;
        Ok(self.tls.get_or_init(|| config))
    }
}

/// One task, as the gate sees it.
pub struct GateTask {
    /// What the task may do.
    pub grant: Arc<Grant>,
    /// Who says whether the task may still act, takes its records and has its credentials.
    pub authority: Arc<dyn Authority>,
    /// Called once when a bound of the task is hit; the task will be ended.
    pub over_limit: Box<dyn Fn(LimitName) + Send + Sync>,
    /// What the task has used so far, also by workers that are gone.
    pub count: EgressCount,
}

/// What a task used on the way out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EgressUsage {
    /// HTTP requests and TCP connections that were allowed by name, also if their address was not.
    pub http_requests: u64,
    /// Bytes sent upstream.
    pub bytes_out: u64,
    /// Bytes received from upstream.
    pub bytes_in: u64,
}
