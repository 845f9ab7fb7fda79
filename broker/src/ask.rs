//! One effect outside the sandbox, put to a grant in its canonical form.

use crate::host::Authority;
use crate::path::RequestPath;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One host call put to a grant; what was decided is exactly what is then done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// An outgoing HTTP request.
    Http(HttpAsk),
    /// An outgoing TCP connection.
    Tcp(TcpAsk),
    /// An operation on a path below a granted directory.
    File(FileAsk),
}

/// The scheme of an outgoing request; there is no third one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// Cleartext HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// Returns the port that the scheme implies (RFC 9110 §4.2).
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}

/// An outgoing HTTP request, reduced to what a rule can speak of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAsk {
    /// The scheme.
    pub scheme: Scheme,
    /// The canonical host and port.
    pub authority: Authority,
    /// The method, as sent; methods are case-sensitive (RFC 9110 §9.1).
    pub method: String,
    /// The path and query as they will be sent.
    pub path: RequestPath,
}

impl HttpAsk {
    /// Returns the address, without query and fragment: what a proof of possession speaks of
    /// (RFC 9449 §4.2).
    pub fn url(&self) -> String {
        let Self { scheme, authority, path, .. } = self;
        let path = path.as_sent().split('?').next().unwrap_or_default();
        format!("{scheme}://{}{path}", authority.for_scheme(*scheme))
    }
}

impl fmt::Display for HttpAsk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, authority, method, path } = self;
        write!(f, "{method} {scheme}://{}{}", authority.for_scheme(*scheme), path.as_sent())
    }
}

/// An outgoing TCP connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpAsk {
    /// The canonical host and port.
    pub authority: Authority,
}

/// What a guest wants to do with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileOp {
    /// Open, list, stat or read.
    Read,
    /// Create, change, rename, link or remove.
    Write,
}

/// An operation on a path, in guest terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileAsk {
    /// What is to be done.
    pub op: FileOp,
    /// The absolute guest path (for example `/src/main.ts`); never a host path.
    pub path: String,
}
