//! From an allowed name to addresses that may be dialled.

use super::failure::{ErrorCase, Failure};
use super::link::Link;
use super::request::refusal;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use writ_broker::grant::AddressRule;
use writ_broker::host::{Authority, Host};
use writ_broker::{Decision, codes};

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
