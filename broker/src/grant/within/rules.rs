//! Rules about what may leave.

use super::{Effort, Wider};
use crate::grant::{HttpRule, TcpRule};
use crate::pattern::PathPattern;
use ipnet::IpNet;
use std::cell::LazyCell;

/// Returns the HTTP rules of a child that allow what its parent does not, or that lose a credential.
pub(super) fn wider_http(child: &[HttpRule], parent: &[HttpRule], effort: &Effort) -> Vec<Wider> {
    let fits_something = |rule: &&HttpRule| !rule.methods.is_empty() && !rule.paths.is_empty();
    let problem = |rule: &HttpRule| {
        beyond(rule, parent, effort).or_else(|| loses_credential(rule, child, parent, effort))
    };
    child.iter().filter(fits_something).filter_map(problem).collect()
}

/// Looks for one rule of the parent that covers the whole rule, and names the first part that none
/// of those covers that cover the parts before it.
fn beyond(rule: &HttpRule, parent: &[HttpRule], effort: &Effort) -> Option<Wider> {
    // Taken apart, so that a part that is added cannot be forgotten here.
    let HttpRule { host, scheme, port, methods, paths, addresses, credential } = rule;
    let no = |why: &str, help: &str| Some(Wider::new(spell(rule), why).help(help));
    let mut outer: Vec<&HttpRule> = parent.iter().filter(|p| p.host.covers(host)).collect();
    if outer.is_empty() {
        return no("no rule of the parent covers the host", "name a host of the parent's rules");
    }
    outer.retain(|p| p.scheme == *scheme && p.port == *port);
    if outer.is_empty() {
        let why = format!("the parent's rules for the host are not for {scheme} on port {port}");
        return no(&why, "say the parent's scheme and port");
    }
    let mut keep = |fits: &dyn Fn(&HttpRule) -> bool| {
        outer.retain(|p| fits(p));
        outer.is_empty()
    };
    if keep(&|p| methods.iter().all(|method| has_method(p, method, effort))) {
        return no("no rule of the parent for the host has all the methods", ONE_BY_ONE);
    }
    if keep(&|p| paths.iter().all(|path| covers(&p.paths, path, effort))) {
        return no("no rule of the parent with these methods covers all the paths", ONE_BY_ONE);
    }
    if keep(&|p| has_ranges(&p.addresses, addresses, effort)) {
        return no("no rule of the parent for these requests has all the addresses", ONE_BY_ONE);
    }
    // Without a credential the guest may write the field itself, so none is not less than one.
    if keep(&|p| p.credential == *credential) {
        let why = match credential {
            Some(name) => format!("the parent does not send \"{name}\" with these requests"),
            None => "the parent sends a credential with these requests".to_owned(),
        };
        return no(&why, "name the credential that the parent's rule names");
    }
    None
}

const ONE_BY_ONE: &str = "ask for less, or write a rule for each rule of the parent";

/// Looks for requests that fit the rule and with which the parent sends another credential than the
/// rule names, where no other rule of the child makes it send the parent's.
fn loses_credential(
    rule: &HttpRule,
    child: &[HttpRule],
    parent: &[HttpRule],
    effort: &Effort,
) -> Option<Wider> {
    let sends_other = |p: &&HttpRule| p.credential.is_some() && p.credential != rule.credential;
    let lost = parent.iter().filter(sends_other).find(|p| !keeps(rule, p, child, effort))?;
    let name = lost.credential.as_ref()?;
    let why = format!("the parent sends the credential \"{name}\" with some of these requests");
    let help = format!("name \"{name}\" in a rule for those requests, or leave them out");
    Some(Wider::new(spell(rule), why).help(help))
}

/// Reports whether each request that fits both `rule` and the parent's `sends` fits a rule of the
/// child with the credential of `sends`. Then the child sends that, or nothing if two rules differ.
fn keeps(rule: &HttpRule, sends: &HttpRule, child: &[HttpRule], effort: &Effort) -> bool {
    let Some(host) = rule.host.meet(&sends.host).filter(|_| is_at_same(rule, sends)) else {
        return true;
    };
    // Most pairs have no request in common, and need no look at the other rules.
    let keepers = LazyCell::new(|| {
        let same = |k: &&HttpRule| {
            k.credential == sends.credential && is_at_same(k, rule) && k.host.covers(host)
        };
        child.iter().filter(|_| effort.spend(1)).filter(same).collect::<Vec<_>>()
    });
    let kept = |method: &String, path: &PathPattern| {
        keepers.iter().any(|k| has_method(k, method, effort) && covers(&k.paths, path, effort))
    };
    let mut methods = rule.methods.iter().filter(|method| has_method(sends, method, effort));
    methods.all(|method| {
        rule.paths.iter().all(|a| {
            let fine = |meet: Option<PathPattern>| meet.is_none_or(|both| kept(method, &both));
            sends.paths.iter().all(|b| effort.spend(1) && fine(a.meet(b)))
        })
    })
}

fn is_at_same(a: &HttpRule, b: &HttpRule) -> bool {
    a.scheme == b.scheme && a.port == b.port
}

fn has_method(rule: &HttpRule, method: &String, effort: &Effort) -> bool {
    effort.spend(rule.methods.len()) && rule.methods.contains(method)
}

fn covers(outer: &[PathPattern], inner: &PathPattern, effort: &Effort) -> bool {
    outer.iter().any(|pattern| effort.spend(1) && pattern.covers(inner))
}

fn has_ranges(outer: &[IpNet], inner: &[IpNet], effort: &Effort) -> bool {
    inner.iter().all(|range| outer.iter().any(|o| effort.spend(1) && o.contains(range)))
}

/// Returns the TCP targets of a child that its parent does not have.
pub(super) fn wider_tcp(child: &[TcpRule], parent: &[TcpRule], effort: &Effort) -> Vec<Wider> {
    let problem = |target: &TcpRule| {
        let TcpRule { host, port, addresses } = target;
        let field = format!("[[tcp]] {host}:{port}");
        let mut same = parent.iter().filter(|p| p.host == *host && p.port == *port).peekable();
        if same.peek().is_none() {
            let wider = Wider::new(field, "the parent does not have this target");
            return Some(wider.help("name one of the parent's"));
        }
        let covered = same.any(|p| has_ranges(&p.addresses, addresses, effort));
        (!covered).then(|| {
            Wider::new(field, "the parent does not have all the addresses")
                .help("name ranges inside the parent's")
        })
    };
    child.iter().filter_map(problem).collect()
}

/// Writes a rule as a flag would, but for the paths after the first.
fn spell(rule: &HttpRule) -> String {
    let HttpRule { host, scheme, port, methods, paths, .. } = rule;
    let port = if *port == scheme.default_port() { String::new() } else { format!(":{port}") };
    let path = paths.first().map(ToString::to_string).unwrap_or_default();
    let more = match paths.len() {
        0 | 1 => String::new(),
        paths => format!(" and {} more", paths - 1),
    };
    format!("[[http]] {} {scheme}://{host}{port}{path}{more}", methods.join(","))
}
