//! The closed set of rights of one task.

use crate::ask::{HttpAsk, Scheme, TcpAsk};
use crate::decision::Decision;
use crate::limits::Limits;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The rights of one task. It can be narrowed, never widened; an empty list means nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grant {
    /// How long the task may live at all.
    pub ttl: Option<Duration>,
    /// Why the grant was given, for the record.
    pub purpose: Option<String>,
    /// The directories.
    pub fs: Vec<DirGrant>,
    /// The HTTP rules.
    pub http: Vec<HttpRule>,
    /// The TCP targets.
    pub tcp: Vec<TcpRule>,
    /// The environment of the guest.
    pub env: BTreeMap<String, String>,
    /// The bounds.
    pub limits: Limits,
}

/// Read, or read and write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Contents and metadata can be read; nothing can be changed.
    Read,
    /// Everything below can be read, created, changed and removed.
    Write,
}

/// One directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirGrant {
    /// The absolute, normalised guest path.
    pub guest: String,
    /// The absolute host path with symbolic links resolved.
    pub host: PathBuf,
    /// What may be done below it.
    pub access: Access,
}

/// One set of HTTP requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRule {
    // H1 fills this in
}

/// One TCP target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpRule {
    // H1 fills this in
}

/// Which addresses one allowed ask may be dialled at; made by a decision, consumed by the dialler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressRule {
    // H1 fills this in: the private ranges named by the rule
}

impl Grant {
    /// Decides on one HTTP request by scheme, host, port, method and path.
    pub fn decide_http(&self, _ask: &HttpAsk) -> Decision<AddressRule> {
        unimplemented!()
    }

    /// Decides on one TCP connection by host and port.
    pub fn decide_tcp(&self, _ask: &TcpAsk) -> Decision<AddressRule> {
        unimplemented!()
    }
}

impl AddressRule {
    /// Decides whether an address that the name resolved to may be dialled.
    ///
    /// `dangerous_loopback` is the operator's switch for tests and local development; it is never
    /// part of a grant.
    pub fn decide(
        &self,
        _target: &str,
        _address: IpAddr,
        _dangerous_loopback: bool,
    ) -> Decision<()> {
        unimplemented!()
    }
}

/// Refers to the scheme type so that rules can name it.
pub type RuleScheme = Scheme;
