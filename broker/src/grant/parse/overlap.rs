//! Rules and the credentials that they name, seen together.

use super::draft::Draft;
use super::sink::{At, Sink};
use crate::ask::Scheme;
use crate::codes;
use crate::grant::HttpRule;
use crate::host::Host;
use crate::pattern::HostPattern;
use crate::text::nearest;

/// Checks every rule that names a credential.
pub(super) fn check(sink: &mut Sink, draft: &Draft) {
    for (index, rule) in draft.http.iter().enumerate() {
        let Some(name) = &rule.value.credential else { continue };
        let span = draft.uses.get(index).copied().flatten().unwrap_or(rule.span);
        let Some(credential) = draft.credentials.iter().find(|c| c.value.name == *name) else {
            let known = draft.credentials.iter().map(|c| c.value.name.as_str());
            let help = match nearest(name.as_str(), known) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("add a [[credential]] with name = \"{name}\""),
            };
            let message = format!("the grant has no credential \"{name}\"");
            sink.error(codes::NO_SUCH_CREDENTIAL, span, message).help(help);
            continue;
        };
        if !credential.value.kind.is_injected() {
            let kind = credential.value.kind.as_str();
            let message = format!("a credential of kind \"{kind}\" is no part of a request");
            sink.error(codes::EXPOSE, span, message)
                .also(credential.span, "defined here")
                .help("remove it from the rule; the tool connects by a [[tcp]] target");
        }
        check_way(sink, &rule.map(&rule.value), span);
        check_others(sink, draft, index, span);
    }
}

/// Checks where the credential would travel.
fn check_way(sink: &mut Sink, rule: &At<&HttpRule>, span: crate::diagnostic::Span) {
    let HttpRule { host, scheme, .. } = rule.value;
    if *scheme == Scheme::Http && !stays_here(host) {
        sink.error(codes::CREDENTIAL_CLEARTEXT, span, "a credential would travel in clear text")
            .label("anybody on the way could read it and use it")
            .help("use https");
    }
    if let HostPattern::Below(domain) = host {
        let message = format!("the credential goes to whatever answers below {domain}");
        sink.warning(codes::CREDENTIAL_WILDCARD, span, message)
            .label("one forgotten name that leads to a stranger is enough to lose it")
            .help("name each host that needs the credential");
    }
}

/// Only an address literal is sure to be this machine: a name may lead anywhere.
fn stays_here(host: &HostPattern) -> bool {
    matches!(host, HostPattern::Exact(host @ Host::Address(_)) if super::target::is_loopback(host))
}

/// Refuses two credentials for one request: which one is sent would be a guess.
fn check_others(sink: &mut Sink, draft: &Draft, index: usize, span: crate::diagnostic::Span) {
    let Some(rule) = draft.http.get(index) else { return };
    for (at, earlier) in draft.http.iter().enumerate().take(index) {
        let other =
            earlier.value.credential.is_some() && earlier.value.credential != rule.value.credential;
        if other && earlier.value.overlaps(&rule.value) {
            let first = draft.uses.get(at).copied().flatten().unwrap_or(earlier.span);
            sink.error(codes::TWO_CREDENTIALS_RULES, span, "two rules give one request two credentials")
                .label("some requests fit this rule and the other")
                .also(first, "the other credential is named here")
                .help("keep the methods or paths of the two rules apart, or give both the same credential");
            return;
        }
    }
}
