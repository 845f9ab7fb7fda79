//! The rules about what may leave, and about the addresses it may go to.

use super::CredentialName;
use crate::address::{AddressClass, readings};
use crate::ask::Scheme;
use crate::host::Host;
use crate::pattern::{HostPattern, PathPattern};
use ipnet::IpNet;
use std::net::IpAddr;

/// One set of HTTP requests. All parts must fit; an empty list fits nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRule {
    /// The hosts.
    pub host: HostPattern,
    /// The scheme.
    pub scheme: Scheme,
    /// The port.
    pub port: u16,
    /// The methods, as sent.
    pub methods: Vec<String>,
    /// The paths.
    pub paths: Vec<PathPattern>,
    /// The private ranges that the hosts may lead to.
    pub addresses: Vec<IpNet>,
    /// The credential that the host puts into the requests.
    pub credential: Option<CredentialName>,
}

impl HttpRule {
    /// Reports whether there is a request that fits both rules.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.scheme == other.scheme
            && self.port == other.port
            && self.host.overlaps(&other.host)
            && self.methods.iter().any(|method| other.methods.contains(method))
            && self.paths.iter().any(|path| other.paths.iter().any(|p| path.overlaps(p)))
    }
}

/// One TCP target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpRule {
    /// The host; no wildcard, because nothing in a raw connection says which name was meant.
    pub host: Host,
    /// The port.
    pub port: u16,
    /// The private ranges that the host may lead to.
    pub addresses: Vec<IpNet>,
}

/// Which addresses one allowed ask may be dialled at; made by a decision, consumed by the dialler.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AddressRule {
    pub(super) ranges: Vec<IpNet>,
    /// Whether the rule is a `[[tcp]]` one, for the words of a refusal.
    pub(super) what: What,
}

/// The kind of effect a decision is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum What {
    /// An HTTP request.
    #[default]
    Http,
    /// A TCP connection.
    Tcp,
}

impl What {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Tcp => "tcp",
        }
    }
}

impl AddressRule {
    /// Returns the first reading of an address that may not be dialled, and its class.
    pub(super) fn first_forbidden(
        &self,
        address: IpAddr,
        dangerous_loopback: bool,
    ) -> Option<(IpAddr, AddressClass)> {
        readings(address)
            .into_iter()
            .map(|reading| (reading, crate::address::classify(reading)))
            .find(|(reading, class)| match class {
                AddressClass::Public => false,
                AddressClass::Private => !self.ranges.iter().any(|range| range.contains(reading)),
                AddressClass::Loopback => !dangerous_loopback,
                _ => true,
            })
    }
}
