//! From an allowed name to addresses that may be dialled.

use super::failure::{ErrorCase, Failure};
use super::link::Link;
use super::request::refusal;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::UdpSocket;
use writ_broker::grant::AddressRule;
use writ_broker::host::{Authority, Host};
use writ_broker::{Decision, codes};

/// A port to ask the kernel about a route; nothing is sent to it.
const ANY_PORT: u16 = 9;

/// An ask that the grant allows, on its way to the addresses.
pub(super) struct Allowed<'a> {
    /// `http` or `tcp`.
    pub(super) what: &'a str,
    /// The canonical target, for the record.
    pub(super) target: &'a str,
    pub(super) authority: &'a Authority,
    pub(super) rule: AddressRule,
}

impl Allowed<'_> {
    /// Resolves once and checks every address; one that is refused refuses the whole ask.
    pub(super) async fn addresses(&self, link: &Link) -> Result<Arc<[SocketAddr]>, Failure> {
        let found = match &self.authority.host {
            Host::Address(address) => vec![*address],
            Host::Name(name) => {
                let answer = link.resolve(name).await;
                answer.map_err(|case| self.unresolved(link, name, case))?
            }
        };
        if let Decision::Forbid(mut refusal) = self.decide(link, found.iter().copied()) {
            self.what.clone_into(&mut refusal.what);
            return Err(link.meter.refuse(refusal));
        }
        for address in &found {
            if !link.gate.settings.dangerous_loopback && is_this_machine(*address).await {
                let reason = "it leads to this machine, which no grant can allow";
                let target = self.target.to_owned();
                return Err(link.meter.refuse(refusal(self.what, codes::ADDRESS, target, reason)));
            }
        }
        Ok(found.into_iter().map(|ip| SocketAddr::new(ip, self.authority.port)).collect())
    }

    /// Says whether the addresses that another ask was allowed to dial may serve this one as well.
    pub(super) fn also_allows(&self, link: &Link, addresses: &[SocketAddr]) -> bool {
        matches!(self.decide(link, addresses.iter().map(SocketAddr::ip)), Decision::Allow(()))
    }

    fn decide(&self, link: &Link, addresses: impl Iterator<Item = IpAddr>) -> Decision<()> {
        for address in addresses {
            let loopback = link.gate.settings.dangerous_loopback;
            if let Decision::Forbid(refusal) = self.rule.decide(self.target, address, loopback) {
                return Decision::Forbid(refusal);
            }
        }
        Decision::Allow(())
    }

    fn unresolved(&self, link: &Link, name: &str, case: ErrorCase) -> Failure {
        let reason = format!("the name {name} could not be resolved");
        let refusal = refusal(self.what, codes::RESOLVE, self.target.to_owned(), &reason);
        link.meter.refuse_as(refusal, case)
    }
}

/// Tells whether an address is one of this machine's own, whatever its class: a server that listens on
/// all of them takes it for loopback.
///
/// A UDP socket that is connected sends nothing, but the kernel chooses the address that it would send
/// from, and to reach one of its own it chooses that one. (For a second address in the same network
/// it may choose the first.) An address without a route cannot be dialled either.
async fn is_this_machine(address: IpAddr) -> bool {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let source = async {
        let socket = UdpSocket::bind((any, 0)).await?;
        socket.connect((address, ANY_PORT)).await?;
        socket.local_addr()
    };
    source.await.is_ok_and(|source| source.ip().to_canonical() == address.to_canonical())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_machines_own_addresses_are_told_from_others() {
        for own in ["127.0.0.1", "::ffff:127.0.0.1"] {
            assert!(is_this_machine(own.parse().unwrap()).await, "{own}");
        }
        for other in ["198.51.100.77", "10.255.255.1", "2001:db8::77"] {
            assert!(!is_this_machine(other.parse().unwrap()).await, "{other}");
        }
    }
}
