//! Canonical names of where a request goes. One spelling per place, decided once.

use std::fmt;
use std::net::IpAddr;

use crate::ask::Scheme;

/// A host in its one canonical spelling.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A DNS name: lower case, A-labels, no trailing dot.
    Name(String),
    /// An address literal; IPv4-mapped IPv6 is folded to IPv4.
    Address(IpAddr),
}

/// A canonical host and port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Authority {
    /// The host.
    pub host: Host,
    /// The port.
    pub port: u16,
}

/// Why a text is not a host. The variants are named for what the sender did.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// Empty, or longer than 253 characters (RFC 1035 §2.3.4).
    #[error("the host is empty or too long")]
    Length,
    /// A control character, space, percent sign or other character that no host has.
    #[error("the host has a character that no host has")]
    Character,
    /// An address in a form that only some parsers accept, for example `127.1` or `0x7f.1`.
    #[error("the host is an address in a form that parsers read differently")]
    AmbiguousAddress,
    /// User information before the host.
    #[error("the authority carries user information")]
    UserInfo,
    /// A port that is not a number from 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// Not valid under IDNA (UTS 46).
    #[error("the host is not a valid internationalised name")]
    Idna,
}

impl Host {
    /// Parses a host strictly and returns its canonical form.
    pub fn parse(_text: &str) -> Result<Self, HostError> {
        unimplemented!()
    }
}

impl Authority {
    /// Parses `host[:port]` as it stands in a URI (RFC 3986 §3.2), strictly.
    pub fn parse(_text: &str, _default_port: u16) -> Result<Self, HostError> {
        unimplemented!()
    }

    /// Returns the text for a `Host` header: without the port where the scheme implies it.
    pub fn for_scheme(&self, scheme: Scheme) -> String {
        if self.port == scheme.default_port() { self.host.to_string() } else { self.to_string() }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(v4)) => write!(f, "{v4}"),
            Self::Address(IpAddr::V6(v6)) => write!(f, "[{v6}]"),
        }
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}
