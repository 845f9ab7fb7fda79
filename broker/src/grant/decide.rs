//! The answers. Pure: no clock, no look-up, no effect.

use super::rule::What;
use super::{AddressRule, CredentialName, Grant, HttpRule};
use crate::address::AddressClass;
use crate::ask::{HttpAsk, TcpAsk};
use crate::codes;
use crate::codes::Code;
use crate::decision::{Decision, Refusal};
use crate::pattern::PathPattern;
use crate::text::shell_quote;
use std::net::IpAddr;

/// What an allowed request may do; made by a decision, consumed by the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAllowed {
    /// The addresses that it may be sent to.
    pub addresses: AddressRule,
    /// The credential that goes along; the grant has one of this name.
    pub credential: Option<CredentialName>,
}

impl Grant {
    /// Decides on one HTTP request by scheme, host, port, method and path.
    ///
    /// Rules only allow; a request is allowed if one rule fits it whole. The address rule that
    /// comes back is the sum over all rules that fit; where a credential goes along, over those
    /// that name it, so that it goes to no address that only a rule without it may reach.
    pub fn decide_http(&self, ask: &HttpAsk) -> Decision<HttpAllowed> {
        let mut fitting: Vec<&HttpRule> = self.http.iter().filter(|r| r.allows(ask)).collect();
        if fitting.is_empty() {
            return Decision::Forbid(self.refuse_http(ask));
        }
        let mut named = fitting.iter().filter_map(|rule| rule.credential.as_ref());
        let credential = named.next().cloned();
        if let Some(credential) = &credential {
            let clash = named.any(|other| other != credential);
            if clash || self.credential(credential).is_none() {
                return Decision::Forbid(refuse_credential(ask, credential, clash));
            }
            fitting.retain(|rule| rule.credential.is_some());
        }
        let ranges = fitting.iter().flat_map(|rule| rule.addresses.iter().copied()).collect();
        let addresses = AddressRule { ranges, what: What::Http };
        Decision::Allow(HttpAllowed { addresses, credential })
    }

    /// Decides on one TCP connection by host and port.
    pub fn decide_tcp(&self, ask: &TcpAsk) -> Decision<AddressRule> {
        let authority = &ask.authority;
        let same_host = || self.tcp.iter().filter(|rule| rule.host == authority.host);
        let mut fitting = same_host().filter(|rule| rule.port == authority.port).peekable();
        if fitting.peek().is_some() {
            let ranges = fitting.flat_map(|rule| rule.addresses.iter().copied()).collect();
            return Decision::Allow(AddressRule { ranges, what: What::Tcp });
        }
        let host = &authority.host;
        let (code, reason) = if same_host().next().is_some() {
            (
                codes::PORT,
                format!("the grant names {host} for TCP, but not port {}", authority.port),
            )
        } else {
            (codes::TCP, format!("the grant does not name {authority} for TCP connections"))
        };
        let help = format!("--tcp {}", shell_quote(&authority.to_string()));
        Decision::Forbid(refusal(code, What::Tcp, authority.to_string(), reason, Some(help)))
    }

    /// Names the first part of the request that no rule fits, in the order host, port, method, path.
    fn refuse_http(&self, ask: &HttpAsk) -> Refusal {
        let HttpAsk { scheme, authority, method, path } = ask;
        let host = &authority.host;
        let rules = || self.http.iter().filter(|rule| rule.host.matches(host));
        let at_port = || rules().filter(|rule| rule.is_at(ask));
        let (code, reason) = if rules().next().is_none() {
            (codes::HOST, format!("the grant does not name the host {host}"))
        } else if at_port().next().is_none() {
            let port = authority.port;
            (codes::PORT, format!("the grant names {host}, but not {scheme} on port {port}"))
        } else if !at_port().any(|rule| rule.methods.contains(method)) {
            let method = method.escape_default();
            (codes::METHOD, format!("the grant does not allow {method} requests to {host}"))
        } else {
            let path = path.path();
            (codes::PATH, format!("the grant does not allow {method} of {path} at {host}"))
        };
        refusal(code, What::Http, ask.to_string(), reason, http_help(ask))
    }
}

impl HttpRule {
    fn allows(&self, ask: &HttpAsk) -> bool {
        self.host.matches(&ask.authority.host)
            && self.is_at(ask)
            && self.methods.contains(&ask.method)
            && self.paths.iter().any(|pattern| pattern.matches(&ask.path))
    }

    fn is_at(&self, ask: &HttpAsk) -> bool {
        self.scheme == ask.scheme && self.port == ask.authority.port
    }
}

/// A grant that was parsed never leads here; one that was put together might.
fn refuse_credential(ask: &HttpAsk, credential: &CredentialName, clash: bool) -> Refusal {
    let (code, reason) = if clash {
        (codes::TWO_CREDENTIALS, "the grant gives this request two credentials".to_owned())
    } else {
        (codes::NO_CREDENTIAL, format!("the grant has no credential \"{credential}\""))
    };
    refusal(code, What::Http, ask.to_string(), reason, None)
}

/// The flag that would grant exactly this request; none where no flag can say it.
fn http_help(ask: &HttpAsk) -> Option<String> {
    let HttpAsk { scheme, authority, method, path } = ask;
    if !super::is_grantable_method(method) || path.path().contains('*') {
        return None;
    }
    debug_assert!(PathPattern::parse(path.path()).is_ok(), "a parsed path is a pattern");
    let url = format!("{method} {scheme}://{}{}", authority.for_scheme(*scheme), path.path());
    Some(format!("--http {}", shell_quote(&url)))
}

impl AddressRule {
    /// Decides whether an address that the name resolved to may be dialled.
    ///
    /// `dangerous_loopback` is the operator's switch for tests and local development; it is never
    /// part of a grant. The reason, which an agent sees, gives the class of the address and not the
    /// address: what a private name resolves to is nobody's business in the sandbox.
    pub fn decide(&self, target: &str, address: IpAddr, dangerous_loopback: bool) -> Decision<()> {
        let Some((reading, class)) = self.first_forbidden(address, dangerous_loopback) else {
            return Decision::Allow(());
        };
        let reason = match class {
            AddressClass::Private => {
                "it leads to a private address, which the grant does not allow".to_owned()
            }
            _ => format!("it leads to {}, which no grant can allow", class.describe()),
        };
        let table = format!("[[{}]]", self.what.as_str());
        let help = match class {
            AddressClass::Private => format!(
                "the name leads to {address}; in its {table} table of the grant file: addresses = [\"{}\"]",
                ipnet::IpNet::from(reading)
            ),
            AddressClass::Loopback => format!(
                "the name leads to {address}; only the operator of the machine can open loopback, for tests"
            ),
            _ => format!("the name leads to {address}; nothing can grant that"),
        };
        Decision::Forbid(refusal(codes::ADDRESS, self.what, target.to_owned(), reason, Some(help)))
    }
}

fn refusal(
    code: Code,
    what: What,
    target: String,
    reason: String,
    help: Option<String>,
) -> Refusal {
    Refusal { code, what: what.as_str().to_owned(), target, reason, help }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
