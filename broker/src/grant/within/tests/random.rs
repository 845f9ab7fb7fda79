//! Random parents, children made from them by steps, and every ask of a small world put to both.

use super::*;
use crate::ask::{HttpAsk, TcpAsk};
use crate::decision::Decision;
use crate::grant::{AddressRule, CredentialName};
use crate::host::Authority;
use crate::path::RequestPath;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

const HOSTS: [&str; 5] =
    ["a.acme.example", "b.a.acme.example", "acme.example", "*.acme.example", "*.a.acme.example"];
const PATHS: [&str; 10] =
    ["/**", "/", "/a", "/a/", "/a/*", "/a/**", "/*", "/*/b", "/a/b/**", "/*/b/**"];
const METHODS: [&str; 3] = ["GET", "POST", "PUT"];
const RANGES: [&str; 4] = ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "192.168.0.0/16"];
const NAMES: [&str; 2] = ["gh", "other"];
const DIRS: [&str; 6] = ["/w", "/w/a", "/w/a/b", "/w/c", "/w/c/d", "/x"];

/// One of the names, the first one mostly: two that clash allow nothing. Or none.
fn credential(at: usize) -> Option<CredentialName> {
    let name = NAMES.get(match at {
        0..4 => 0,
        4 => 1,
        _ => 2,
    });
    name.map(|name| CredentialName::parse(name).unwrap())
}

fn some<T: Clone + std::fmt::Debug + 'static>(
    of: &'static [&'static str],
    parse: impl Fn(&str) -> T,
) -> impl Strategy<Value = Vec<T>> {
    let all: Vec<T> = of.iter().map(|text| parse(text)).collect();
    proptest::sample::subsequence(all, 1..=3)
}

prop_compose! {
    fn rule()(
        host in 0..HOSTS.len(),
        cleartext in proptest::bool::weighted(0.1),
        high in proptest::bool::weighted(0.1),
        methods in some(&METHODS, str::to_owned),
        paths in some(&PATHS, |text| PathPattern::parse(text).unwrap()),
        addresses in some(&RANGES, |text| text.parse().unwrap()),
        name in 0usize..10,
    ) -> HttpRule {
        HttpRule {
            host: HostPattern::parse(HOSTS[host]).unwrap(),
            scheme: if cleartext { Scheme::Http } else { Scheme::Https },
            port: if high { 8443 } else { 443 },
            methods, paths, addresses,
            credential: credential(name),
        }
    }
}

prop_compose! {
    fn target()(
        host in 0usize..2,
        port in 1u16..3,
        addresses in some(&RANGES, |text| text.parse().unwrap()),
    ) -> TcpRule {
        TcpRule { host: Host::parse(HOSTS[host]).unwrap(), port, addresses }
    }
}

prop_compose! {
    fn directory()(at in 0..DIRS.len(), write in any::<bool>()) -> DirGrant {
        dir(if write { Access::Write } else { Access::Read }, DIRS[at], "/guest")
    }
}

prop_compose! {
    fn parent()(
        http in prop::collection::vec(rule(), 1..4),
        tcp in prop::collection::vec(target(), 0..3),
        fs in prop::collection::vec(directory(), 0..4),
    ) -> Grant {
        Grant { http, tcp, fs, credentials: grant(SECRETS).credentials, ..Grant::default() }
    }
}

/// One change on the way from a parent to its child. Numbers are taken modulo what there is.
#[derive(Debug, Clone)]
enum Step {
    Forget(usize),
    Repeat(usize),
    Narrow(usize, usize, usize),
    Replace(usize, HttpRule),
    Target(usize, TcpRule),
    Directory(usize, DirGrant),
    Credential(usize, usize),
    ForgetCredential(usize),
    Move(usize, bool),
}

fn step() -> impl Strategy<Value = Step> {
    let place = 0usize..60;
    prop_oneof![
        3 => place.clone().prop_map(Step::Forget),
        3 => place.clone().prop_map(Step::Repeat),
        9 => (place.clone(), 0usize..5, place.clone()).prop_map(|(at, what, to)| Step::Narrow(at, what, to)),
        1 => (place.clone(), rule()).prop_map(|(at, rule)| Step::Replace(at, rule)),
        1 => (place.clone(), target()).prop_map(|(at, target)| Step::Target(at, target)),
        1 => (place.clone(), directory()).prop_map(|(at, dir)| Step::Directory(at, dir)),
        2 => (place.clone(), 0usize..10).prop_map(|(at, name)| Step::Credential(at, name)),
        1 => place.clone().prop_map(Step::ForgetCredential),
        1 => (place, any::<bool>()).prop_map(|(at, scheme)| Step::Move(at, scheme)),
    ]
}

fn drop_one<T>(list: &mut Vec<T>, at: usize) {
    if !list.is_empty() {
        list.remove(at % list.len());
    }
}

fn put<T>(list: &mut Vec<T>, at: usize, item: T) {
    let at = at % (list.len() + 1);
    if at == list.len() { list.push(item) } else { list[at] = item }
}

impl Step {
    fn apply(self, grant: &mut Grant) {
        let count = grant.http.len().max(1);
        match self {
            Self::Forget(at) => {
                drop_one(&mut grant.http, at);
                drop_one(&mut grant.tcp, at);
                drop_one(&mut grant.fs, at);
            }
            Self::Repeat(at) => grant.http.extend(grant.http.get(at % count).cloned()),
            Self::Narrow(at, what, to) => {
                grant.http.get_mut(at % count).into_iter().for_each(|rule| narrow(rule, what, to));
                grant.tcp.iter_mut().for_each(|target| drop_one(&mut target.addresses, to));
                for dir in &mut grant.fs {
                    let inner = DIRS[to % DIRS.len()];
                    if std::path::Path::new(inner).starts_with(&dir.host) {
                        dir.host = inner.into();
                    }
                }
            }
            Self::Replace(at, rule) => put(&mut grant.http, at, rule),
            Self::Target(at, target) => put(&mut grant.tcp, at, target),
            Self::Directory(at, dir) => put(&mut grant.fs, at, dir),
            Self::Credential(at, name) => {
                grant.http.get_mut(at % count).into_iter().for_each(|rule| {
                    rule.credential = credential(name);
                });
            }
            Self::ForgetCredential(at) => drop_one(&mut grant.credentials, at),
            Self::Move(at, scheme) => {
                grant.http.get_mut(at % count).into_iter().for_each(|rule| match scheme {
                    true => rule.scheme = Scheme::Http,
                    false => rule.port = 8443,
                });
            }
        }
    }
}

/// Takes something from a rule; the credential stays.
fn narrow(rule: &mut HttpRule, what: usize, to: usize) {
    let host = HostPattern::parse(HOSTS[to % HOSTS.len()]).unwrap();
    let path = PathPattern::parse(PATHS[to % PATHS.len()]).unwrap();
    match what {
        0 if rule.host.covers(&host) => rule.host = host,
        1 => rule.paths = rule.paths.iter().filter_map(|old| old.meet(&path)).collect(),
        2 => drop_one(&mut rule.methods, to),
        3 => drop_one(&mut rule.addresses, to),
        _ => {
            for range in &mut rule.addresses {
                *range = ipnet::IpNet::new(range.network(), range.prefix_len() + 1).unwrap();
            }
        }
    }
}

prop_compose! {
    fn family()(
        parent in parent(),
        steps in prop::collection::vec(step(), 0..5),
    ) -> (Grant, Grant) {
        let mut child = parent.clone();
        steps.into_iter().for_each(|step| step.apply(&mut child));
        (child, parent)
    }
}

fn http_asks() -> Vec<HttpAsk> {
    let mut asks = Vec::new();
    for host in ["a.acme.example", "b.a.acme.example", "acme.example", "c.acme.example"] {
        for (scheme, port) in [(Scheme::Https, 443), (Scheme::Https, 8443), (Scheme::Http, 443)] {
            for method in METHODS {
                for path in ["/", "/a", "/a/", "/b", "/a/b", "/a/c", "/c/b", "/a/b/c", "/c/b/"] {
                    let authority = Authority { host: Host::parse(host).unwrap(), port };
                    let path = RequestPath::parse(path).unwrap();
                    asks.push(HttpAsk { scheme, authority, method: method.to_owned(), path });
                }
            }
        }
    }
    asks
}

fn allowed<T>(decision: Decision<T>) -> Option<T> {
    match decision {
        Decision::Allow(value) => Some(value),
        Decision::Forbid(_) => None,
    }
}

/// The addresses, one for each way in which the ranges differ, that a rule lets be dialled.
fn dialled(rule: &AddressRule) -> Vec<&'static str> {
    let all = ["10.0.0.1", "10.1.0.1", "10.1.2.1", "10.200.0.1", "192.168.0.1", "192.168.200.1"];
    let may = |address: &&str| allowed(rule.decide("a", address.parse().unwrap(), false)).is_some();
    all.into_iter().filter(may).collect()
}

/// The first thing that the child may do and the parent may not, or not in the same way.
fn escape(child: &Grant, parent: &Grant) -> Option<String> {
    let more = |child: &AddressRule, parent: &AddressRule| {
        let parent = dialled(parent);
        dialled(child).iter().any(|address| !parent.contains(address))
    };
    for ask in http_asks() {
        let Some(may) = allowed(child.decide_http(&ask)) else { continue };
        let same = allowed(parent.decide_http(&ask)).is_some_and(|has| {
            has.credential == may.credential && !more(&may.addresses, &has.addresses)
        });
        if !same {
            return Some(ask.to_string());
        }
    }
    for (host, port) in [(0, 1), (0, 2), (1, 1), (1, 2)] {
        let ask = TcpAsk { authority: Authority { host: Host::parse(HOSTS[host]).unwrap(), port } };
        let Some(may) = allowed(child.decide_tcp(&ask)) else { continue };
        if allowed(parent.decide_tcp(&ask)).is_none_or(|has| more(&may, &has)) {
            return Some(ask.authority.to_string());
        }
    }
    let escaped = |path: &&&str| {
        let ([most, innermost], [has_most, has_innermost]) = (may(child, path), may(parent, path));
        most > has_most || innermost > has_innermost
    };
    DIRS.iter().find(escaped).map(|path| (*path).to_owned())
}

/// What a task can do with a host path: by whichever of its directories allows most, as the kernel
/// sees it (1 is reading, 2 writing), and by the innermost one, as whoever wrote the grant sees it.
fn may(grant: &Grant, path: &str) -> [u8; 2] {
    let rank = |access| if access == Access::Write { 2 } else { 1 };
    let above = || grant.fs.iter().filter(|dir| std::path::Path::new(path).starts_with(&dir.host));
    let most = above().map(|dir| rank(dir.access)).max().unwrap_or(0);
    let innermost = above().map(|dir| (dir.host.as_os_str().len(), rank(dir.access))).max();
    [most, innermost.map_or(0, |(_, access)| access)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_a_child_within_its_parent_may_do_the_parent_may((child, parent) in family()) {
        if child.within(&parent).is_ok() {
            prop_assert_eq!(escape(&child, &parent), None);
        }
    }

    #[test]
    fn every_grant_is_within_itself(parent in parent()) {
        prop_assert_eq!(parent.within(&parent), Ok(()));
    }

    #[test]
    fn a_rule_that_is_narrowed_stays_within(
        mut parent in parent(),
        steps in prop::collection::vec((0usize..4, 0usize..5, 0usize..60), 0..6),
    ) {
        parent.http.iter_mut().for_each(|rule| rule.credential = credential(0));
        let mut child = parent.clone();
        for (at, what, to) in steps {
            child.http.get_mut(at).into_iter().for_each(|rule| narrow(rule, what, to));
        }
        prop_assert_eq!(child.within(&parent), Ok(()));
    }
}

/// Without this the property above could hold because every answer is a no.
#[test]
fn the_steps_lead_to_children_of_both_kinds() {
    let mut runner = TestRunner::deterministic();
    let (mut within, mut wider, mut escaping) = (0, 0, 0);
    for _ in 0..500 {
        let (child, parent) = family().new_tree(&mut runner).unwrap().current();
        match child.within(&parent) {
            Ok(()) if child != parent => within += 1,
            Ok(()) => {}
            Err(_) if escape(&child, &parent).is_some() => escaping += 1,
            Err(_) => wider += 1,
        }
    }
    assert!(within > 100 && escaping > 50, "{within} within, {escaping} escape, {wider} neither");
}
