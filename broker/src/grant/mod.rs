//! The closed set of rights of one task.

pub mod credential;
mod decide;
pub(crate) mod parse;
mod rule;
mod show;
mod within;

pub use credential::{CredentialGrant, CredentialKind, CredentialName, Placement, Scope};
pub use decide::HttpAllowed;
pub use parse::{Flags, GrantFile, GrantSource, LARGEST_FILE, Parsed, Place};
pub use rule::{AddressRule, HttpRule, TcpRule};
pub use within::Wider;

use crate::limits::Limits;
use std::collections::BTreeMap;
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
    /// The credentials that rules may name.
    pub credentials: Vec<CredentialGrant>,
    /// The environment of the guest.
    pub env: BTreeMap<String, String>,
    /// The bounds.
    pub limits: Limits,
}

impl Grant {
    /// Returns the credential of a name.
    pub fn credential(&self, name: &CredentialName) -> Option<&CredentialGrant> {
        self.credentials.iter().find(|credential| credential.name == *name)
    }
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

impl Access {
    /// Returns the word that a grant file uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
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

/// Reports whether a rule can name the method. CONNECT and TRACE are no requests to a resource:
/// the one makes a tunnel past every rule, the other echoes headers back.
pub(crate) fn is_grantable_method(method: &str) -> bool {
    let token = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b"-_".contains(&b);
    let first = method.bytes().next().is_some_and(|b| b.is_ascii_uppercase());
    first
        && method.len() <= 32
        && method.bytes().all(token)
        && !matches!(method, "CONNECT" | "TRACE")
}
