#![expect(clippy::unwrap_used, reason = "a test may fail")]
use super::*;
use crate::ask::Scheme;
use crate::grant::{Access, DirGrant, Flags, GrantFile, GrantSource, HttpRule, Place, TcpRule};
use crate::host::Host;
use crate::pattern::{HostPattern, PathPattern};
use std::collections::HashSet;
use std::time::Duration;

mod random;

fn grant(text: &str) -> Grant {
    let name = "grant.toml".to_owned();
    let file = GrantFile { name, dir: "/".into(), bytes: text.as_bytes().into(), linked: false };
    let source = GrantSource { file: Some(file), flags: Flags::default() };
    let parsed = source.parse(&Place::default());
    parsed.grant.unwrap_or_else(|| panic!("{text}\n{}", parsed.report.render(false)))
}

/// What is wider, as it is shown.
fn said(child: &Grant, parent: &Grant) -> Vec<String> {
    let wider = child.within(parent).err().unwrap_or_default();
    wider.iter().map(ToString::to_string).collect()
}

fn check(child: &str, parent: &str, wider: &[&str]) {
    assert_eq!(said(&grant(child), &grant(parent)), wider, "{child}\nin\n{parent}");
}

/// Grants of all kinds of fields, directories apart.
const FULL: &str = r#"
    [task]
    ttl = "10m"
    purpose = "build"
    [[http]]
    host = "*.acme.example"
    methods = ["GET", "POST"]
    paths = ["/repos/**", "/users/*"]
    addresses = ["10.1.0.0/16"]
    [[http]]
    host = "api.acme.example"
    methods = ["GET", "POST"]
    paths = ["/repos/site/**"]
    credential = "gh"
    [[tcp]]
    host = "db.acme.example"
    port = 5432
    addresses = ["10.0.0.0/8"]
    [[credential]]
    name = "gh"
    kind = "oauth"
    audience = "https://api.acme.example"
    scope = "read write"
    resource = "site"
    ttl = "120s"
    [[credential]]
    name = "db"
    kind = "postgres"
    expose = true
    [env]
    LANG = "C"
    TOKEN = "parent-value"
    [limits]
    memory = "64MiB"
"#;

#[test]
fn a_grant_is_within_itself_and_nothing_is_within_everything() {
    check(FULL, FULL, &[]);
    let nothing = Grant { limits: grant(FULL).limits, ..Grant::default() };
    assert_eq!(nothing.within(&grant(FULL)), Ok(()));
    assert!(grant(FULL).within(&nothing).is_err());
}

#[test]
fn a_child_ends_no_later_and_one_without_an_end_takes_the_parents() {
    let ttl = |secs| Grant { ttl: Some(Duration::from_secs(secs)), ..Grant::default() };
    assert_eq!(ttl(60).within(&ttl(60)), Ok(()));
    assert_eq!(ttl(59).within(&ttl(60)), Ok(()));
    assert_eq!(ttl(59).within(&Grant::default()), Ok(()));
    assert_eq!(Grant::default().within(&ttl(60)), Ok(()));
    assert_eq!(said(&ttl(61), &ttl(60)), ["[task] ttl: the parent's is 1m"]);
}

#[test]
fn the_purpose_is_free() {
    let purpose = |text: &str| Grant { purpose: Some(text.into()), ..Grant::default() };
    assert_eq!(purpose("test").within(&purpose("build")), Ok(()));
}

#[test]
fn no_limit_is_above_the_parents() {
    for field in FIELDS {
        let limited = |amount| {
            let mut grant = Grant::default();
            (field.set)(&mut grant.limits, amount);
            grant
        };
        assert_eq!(limited(7).within(&limited(7)), Ok(()));
        assert_eq!(limited(6).within(&limited(7)), Ok(()));
        let wider = limited(8).within(&limited(7)).unwrap_err();
        assert_eq!(wider.len(), 1);
        assert_eq!(wider[0].field, format!("[limits] {}", field.name));
    }
}

#[test]
fn a_variable_has_the_parents_value_or_is_left_out_and_no_value_is_told() {
    let parent = "[env]\nA = \"parent-secret\"\nB = \"2\"";
    check("", parent, &[]);
    check("[env]\nA = \"parent-secret\"", parent, &[]);
    check(
        "[env]\nA = \"child-secret\"\nC = \"child-secret\"",
        parent,
        &["[env] A: the parent's has another value", "[env] C: the parent has no such variable"],
    );
    let wider = grant("[env]\nA = \"child-secret\"").within(&grant(parent)).unwrap_err();
    let shown = format!("{wider:?}");
    assert!(!shown.contains("-secret"), "{shown}");
}

fn dir(access: Access, host: &str, guest: &str) -> DirGrant {
    DirGrant { guest: guest.into(), host: host.into(), access }
}

fn dirs(text: &str) -> Grant {
    let fs = text.split_terminator(", ").enumerate().map(|(at, text)| {
        let (access, host) = text.split_once(' ').unwrap();
        let access = if access == "write" { Access::Write } else { Access::Read };
        dir(access, host, &format!("/{at}"))
    });
    Grant { fs: fs.collect(), ..Grant::default() }
}

#[test]
fn a_directory_lies_in_one_of_the_parents_with_its_access() {
    for (child, parent) in [
        ("", ""),
        ("", "read /a"),
        ("read /a", "read /a"),
        ("read /a", "write /a"),
        ("read /a/b", "read /a"),
        ("write /a/b", "write /a"),
        ("write /a/out/x", "read /a, write /a/out"),
        ("read /a, write /a/out", "read /a, write /a/out"),
        ("read /a/b, write /a/out/x", "read /a, write /a/out"),
        ("read /a/out", "read /a, write /a/out"),
        ("read /a/b", "read /c, write /a"),
        ("write /a, read /a/b", "write /a"),
    ] {
        assert_eq!(dirs(child).within(&dirs(parent)), Ok(()), "{child} in {parent}");
    }
    let nowhere = "the parent has no directory there or above";
    let read = "the parent may only read there";
    for (child, parent, field, why) in [
        ("read /a", "", "read /a", nowhere),
        ("read /a", "write /a/b", "read /a", nowhere),
        ("read /ab", "read /a", "read /ab", nowhere),
        ("read /", "write /a", "read /", nowhere),
        ("write /a", "read /a", "write /a", read),
        ("write /a/b", "read /a, write /a/out", "write /a/b", read),
        ("write /a", "read /a, write /a/out", "write /a", read),
        ("read /a/../b", "read /a", "read /a/../b", "the path is not resolved"),
        ("read a", "read a", "read a", "the path is not resolved"),
    ] {
        let said = said(&dirs(child), &dirs(parent));
        assert_eq!(said, [format!("[[fs]] {field}: {why}")], "{child} in {parent}");
    }
}

#[test]
fn a_directory_that_the_parent_protects_inside_another_stays_protected() {
    let parent = dirs("write /a, read /a/keep");
    assert_eq!(parent.within(&parent), Ok(()));
    assert_eq!(dirs("write /a/b, read /a/keep/x").within(&parent), Ok(()));
    let read = "the parent may only read";
    assert_eq!(
        said(&dirs("write /a"), &parent),
        [format!("[[fs]] write /a: {read} /a/keep in it")]
    );
    for inner in ["/a/keep", "/a/keep/x"] {
        let wider = said(&dirs(&format!("read /a, write {inner}")), &parent);
        assert_eq!(wider, [format!("[[fs]] write {inner}: {read} there")]);
    }
    let both = said(&dirs("write /a, write /a/keep"), &parent);
    assert_eq!(both, [format!("[[fs]] write /a/keep: {read} there")]);
}

#[test]
fn the_guest_path_is_the_childs_to_choose() {
    let at = |guest| Grant { fs: vec![dir(Access::Read, "/a", guest)], ..Grant::default() };
    assert_eq!(at("/src").within(&at("/other")), Ok(()));
}

fn http(rest: &str) -> String {
    format!("[[http]]\nhost = \"api.acme.example\"\n{rest}\n")
}

#[test]
fn a_rule_lies_in_one_rule_of_the_parents() {
    let one = http("paths = [\"/repos/**\", \"/users/*\"]\nmethods = [\"GET\", \"POST\"]");
    for narrower in [
        "paths = [\"/repos/**\"]\nmethods = [\"POST\"]",
        "paths = [\"/users/me\", \"/repos/site/*\"]\nmethods = [\"GET\"]",
        "paths = [\"/users/*\"]\nmethods = [\"POST\", \"GET\"]",
    ] {
        check(&http(narrower), &one, &[]);
        let anywhere = one.replace("api.acme", "*.acme");
        check(&http(narrower), &anywhere, &[]);
        check(&http(narrower).replace("api.acme", "*.api.acme"), &anywhere, &[]);
    }
    let url = "api.acme.example/users/me";
    let rule = |rest: &str| http(&format!("paths = [\"/users/me\"]\n{rest}"));
    for (child, field, why) in [
        (
            rule("methods = [\"GET\"]").replace("api", "www"),
            "GET https://www.acme.example/users/me".to_owned(),
            "no rule of the parent covers the host".to_owned(),
        ),
        (
            rule("methods = [\"GET\"]").replace("api.", "*."),
            "GET https://*.acme.example/users/me".to_owned(),
            "no rule of the parent covers the host".to_owned(),
        ),
        (
            rule("methods = [\"GET\"]\nscheme = \"http\""),
            format!("GET http://{url}"),
            "the parent's rules for the host are not for http on port 80".to_owned(),
        ),
        (
            rule("methods = [\"GET\"]\nscheme = \"http\"\nport = 443"),
            "GET http://api.acme.example:443/users/me".to_owned(),
            "the parent's rules for the host are not for http on port 443".to_owned(),
        ),
        (
            rule("methods = [\"GET\"]\nport = 8443"),
            "GET https://api.acme.example:8443/users/me".to_owned(),
            "the parent's rules for the host are not for https on port 8443".to_owned(),
        ),
        (
            rule("methods = [\"GET\", \"PUT\"]"),
            format!("GET,PUT https://{url}"),
            "no rule of the parent for the host has all the methods".to_owned(),
        ),
        (
            http("methods = [\"GET\"]\npaths = [\"/repos\", \"/users/me/x\"]"),
            "GET https://api.acme.example/repos and 1 more".to_owned(),
            "no rule of the parent with these methods covers all the paths".to_owned(),
        ),
        (
            rule("methods = [\"GET\"]\naddresses = [\"10.0.0.0/8\"]"),
            format!("GET https://{url}"),
            "no rule of the parent for these requests has all the addresses".to_owned(),
        ),
    ] {
        check(&child, &one, &[&format!("[[http]] {field}: {why}")]);
    }
}

#[test]
fn addresses_lie_in_ranges_of_the_same_rule() {
    let rule = |ranges: &str| http(&format!("paths = [\"/a\"]\naddresses = [{ranges}]"));
    let parent = rule("\"10.0.0.0/16\", \"fd12::/32\"");
    check(&rule(""), &parent, &[]);
    check(&rule("\"10.0.7.0/24\", \"fd12:0:1::/48\""), &parent, &[]);
    let why = "no rule of the parent for these requests has all the addresses";
    let wider = format!("[[http]] GET,HEAD https://api.acme.example/a: {why}");
    check(&rule("\"10.0.0.0/15\""), &parent, &[&wider]);
    check(&rule("\"10.1.0.1/32\""), &parent, &[&wider]);
    let elsewhere = format!("{}{}", rule(""), parent.replace("/a\"", "/b\""));
    check(&rule("\"10.0.7.0/24\""), &elsewhere, &[&wider]);
}

#[test]
fn a_rule_that_allows_nothing_is_within_anything() {
    check(&http("methods = []"), "", &[]);
    check(&http("paths = []"), "", &[]);
    let wider = "[[http]] GET,HEAD https://api.acme.example/**: \
                 no rule of the parent covers the host";
    check(&http(""), "", &[wider]);
    let why = "no rule of the parent for the host has all the methods";
    check(
        &http(""),
        &http("methods = []"),
        &[&wider.replace("no rule of the parent covers the host", why)],
    );
}

fn http_rule(text: &str) -> HttpRule {
    grant(&format!("{text}{SECRETS}")).http.remove(0)
}

const SECRETS: &str = "
    [[credential]]
    name = \"gh\"
    kind = \"secret\"
    [[credential]]
    name = \"other\"
    kind = \"secret\"
";

/// Rules as `path credential`, for GET and POST unless `methods` says otherwise.
fn rules(rules: &[&str], methods: &str) -> String {
    let rule = |text: &&str| {
        let (path, name) = text.split_once(' ').unwrap_or((text, ""));
        let name = if name.is_empty() { name.into() } else { format!("credential = \"{name}\"") };
        http(&format!("paths = [\"{path}\"]\nmethods = [{methods}]\n{name}"))
    };
    rules.iter().map(rule).collect::<String>() + SECRETS
}

#[test]
fn a_rule_has_the_credential_of_the_parents() {
    let both = "\"GET\", \"POST\"";
    for (child, parent, wider) in [
        (&["/a gh"][..], &["/a gh"][..], None),
        (&["/a gh"], &["/** gh"], None),
        // Whether the parent's is taken off or put on, the request is another one.
        (&["/a"], &["/** gh"], Some("the parent sends a credential with these requests")),
        (&["/a gh"], &["/**"], Some("the parent does not send \"gh\" with these requests")),
        (
            &["/a other"],
            &["/** gh"],
            Some("the parent does not send \"other\" with these requests"),
        ),
    ] {
        let said = said(&grant(&rules(child, both)), &grant(&rules(parent, both)));
        let expected =
            wider.map(|why| format!("[[http]] GET,POST https://api.acme.example/a: {why}"));
        assert_eq!(said, expected.into_iter().collect::<Vec<_>>(), "{child:?} in {parent:?}");
    }
}

#[test]
fn a_rule_that_lies_in_one_without_a_credential_does_not_take_off_that_of_another() {
    let both = "\"GET\", \"POST\"";
    let parent = grant(&rules(&["/**", "/repos/** gh"], both));
    let child = |texts, methods| grant(&rules(texts, methods));
    for kept in [
        &["/**", "/repos/** gh"][..],
        &["/repos/site gh"],
        &["/users/**"],
        &["/users/**", "/repos/site gh"],
        &["/repos/site", "/repos/** gh"],
        &["/repos/site/*", "/repos/*/* gh"],
    ] {
        assert_eq!(child(kept, both).within(&parent), Ok(()), "{kept:?}");
    }
    // Only the requests that the child can make count.
    assert_eq!(child(&["/**", "/repos/** gh"], "\"GET\"").within(&parent), Ok(()));
    let why = "the parent sends the credential \"gh\" with some of these requests";
    for lost in [
        &["/**"][..],
        &["/repos/site"],
        &["/*/site"],
        &["/**", "/repos/* gh"],
        &["/repos/site/*", "/repos/site/a gh"],
    ] {
        let path = lost[0];
        let wider = said(&child(lost, both), &parent);
        assert_eq!(wider, [format!("[[http]] GET,POST https://api.acme.example{path}: {why}")]);
    }
    // A rule that would keep the credential must be for the same requests in every part.
    let wild = |text: &str| text.replace("\"api.acme", "\"*.acme");
    let parent = wild(&rules(&["/**", "/repos/** gh"], both));
    let keeps = http("paths = [\"/repos/**\"]\nmethods = [\"GET\", \"POST\"]\ncredential = \"gh\"");
    let loses = wild(&rules(&["/**"], both));
    check(&(loses.clone() + &wild(&keeps)), &parent, &[]);
    for keeps in [
        keeps.clone(),
        wild(&keeps).replace(", \"POST\"", ""),
        wild(&keeps).replace("/repos/**", "/repos/*"),
    ] {
        let child = format!("{loses}{keeps}");
        check(&child, &parent, &[&format!("[[http]] GET,POST https://*.acme.example/**: {why}")]);
    }
    for (scheme, port) in [(Scheme::Https, 8443), (Scheme::Http, 443)] {
        // By hand: parsing lets no credential travel in clear text.
        let elsewhere = |text: &str| {
            let mut grant = grant(text);
            let moved = HttpRule { scheme, port, ..http_rule(&wild(&keeps)) };
            grant.http.push(moved);
            grant
        };
        assert_eq!(said(&elsewhere(&loses), &elsewhere(&parent)).len(), 1);
        // And what the parent sends elsewhere is not lost here.
        assert_eq!(grant(&loses).within(&elsewhere(&loses)), Ok(()));
    }
}

#[test]
fn a_target_is_one_of_the_parents_with_its_addresses() {
    let tcp = |host: &str, port: u16, ranges: &str| {
        format!("[[tcp]]\nhost = \"{host}\"\nport = {port}\naddresses = [{ranges}]")
    };
    let parent = tcp("db.acme.example", 5432, "\"10.0.0.0/8\"");
    check(&tcp("DB.acme.example", 5432, "\"10.1.0.0/16\""), &parent, &[]);
    check(&tcp("db.acme.example", 5432, ""), &parent, &[]);
    for (host, port) in [("db.acme.example", 22), ("x.acme.example", 5432)] {
        let wider = format!("[[tcp]] {host}:{port}: the parent does not have this target");
        check(&tcp(host, port, ""), &parent, &[&wider]);
    }
    let wider = "[[tcp]] db.acme.example:5432: the parent does not have all the addresses";
    check(&tcp("db.acme.example", 5432, "\"192.168.0.0/16\""), &parent, &[wider]);
    check(
        &tcp("db.acme.example", 5432, "\"10.0.0.0/8\""),
        &parent.replace("10.0.0.0/8", "10.0.0.0/9"),
        &[wider],
    );
}

#[test]
fn a_credential_is_the_parents_or_good_for_less() {
    let with = |from: &str, to: &str| {
        assert!(FULL.contains(from), "{from}");
        FULL.replace(from, to)
    };
    for narrower in [
        with("\"read write\"", "\"write\""),
        with("\"read write\"", "\"write read\""),
        with("\"120s\"", "\"60s\""),
    ] {
        check(&narrower, FULL, &[]);
    }
    let other = "the parent's is another one";
    for (child, key, why) in [
        (with("audience = \"https://api", "audience = \"https://www"), "audience", other),
        (with("audience = \"https://api.acme.example\"\n", ""), "audience", other),
        (with("resource = \"site\"", "resource = \"sites\""), "resource", other),
        (with("resource = \"site\"", ""), "resource", other),
        (with("kind = \"oauth\"", "kind = \"jwt\""), "kind", other),
        (with("\"120s\"", "\"120s\"\nplace = \"query:key\""), "place", other),
        (with("\"120s\"", "\"121s\""), "ttl", "the parent's is 2m"),
        (with("read write", "read admin"), "scope", "the parent's has no word \"admin\""),
        (
            with("scope = \"read write\"", ""),
            "scope",
            "no scope is the widest that the operator allows",
        ),
    ] {
        check(&child, FULL, &[&format!("[[credential]] gh {key}: {why}")]);
    }
    let unscoped = with("scope = \"read write\"", "");
    check(&unscoped, &unscoped, &[]);
    check(FULL, &unscoped, &["[[credential]] gh scope: the parent's has no word \"read\""]);
    let unknown = with("name = \"db\"", "name = \"db2\"");
    check(&unknown, FULL, &["[[credential]] db2: the parent has no credential of this name"]);
}

#[test]
fn a_credential_is_exposed_only_if_the_parents_is() {
    let mut hidden = grant(FULL);
    hidden.credentials[1].expose = false;
    assert_eq!(hidden.within(&grant(FULL)), Ok(()));
    let wider = "[[credential]] db expose: the parent does not hold it itself";
    assert_eq!(said(&grant(FULL), &hidden), [wider]);
}

#[test]
fn all_that_is_wider_is_named_and_nothing_in_it_can_be_obeyed_by_a_terminal() {
    let mut child = grant(FULL);
    child.fs.push(dir(Access::Write, "/a\u{1b}[2J", "/a"));
    child.env.insert("E\u{202e}".into(), "value".into());
    child.ttl = Some(Duration::from_secs(3600));
    child.limits.memory += 1;
    let wider = said(&child, &grant(FULL));
    assert_eq!(wider.len(), 4, "{wider:?}");
    assert!(!wider.concat().chars().any(crate::text::is_treacherous), "{wider:?}");
}

fn many(count: usize, rule: impl Fn(usize) -> HttpRule) -> Grant {
    Grant { http: (0..count).map(rule).collect(), ..Grant::default() }
}

fn numbered(host: usize, paths: impl Iterator<Item = usize>) -> HttpRule {
    let mut rule = grant(&http("")).http.remove(0);
    rule.host = HostPattern::parse(&format!("h{host}.acme.example")).unwrap();
    rule.paths = paths.map(|at| PathPattern::parse(&format!("/p{at}/*")).unwrap()).collect();
    rule
}

#[test]
fn a_thousand_rules_are_compared_with_a_thousand() {
    let hosts = many(1000, |at| numbered(at, 0..2));
    assert_eq!(hosts.within(&hosts), Ok(()));
    let paths = many(1000, |at| numbered(0, at..at + 1));
    assert_eq!(paths.within(&paths), Ok(()));
    let name = grant(SECRETS).credentials;
    let mut mixed = many(1000, |at| numbered(0, at..at + 1));
    for rule in mixed.http.iter_mut().step_by(2) {
        rule.credential = Some(name[0].name.clone());
    }
    mixed.credentials = name;
    assert_eq!(mixed.within(&mixed), Ok(()));
    let host = Host::parse("db.acme.example").unwrap();
    let target = |port| TcpRule { host: host.clone(), port, addresses: vec![] };
    let tcp = Grant { tcp: (1..=1000).map(target).collect(), ..Grant::default() };
    assert_eq!(tcp.within(&tcp), Ok(()));
}

#[test]
fn what_is_too_much_to_compare_is_refused_and_not_compared_for_minutes() {
    let (child, parent) =
        (many(1, |_| numbered(0, 0..9_000)), many(1, |_| numbered(0, (0..9_000).rev())));
    let wider = child.within(&parent).unwrap_err();
    assert_eq!(wider.len(), 1);
    assert_eq!(wider[0].why, "the rules are too many to be compared");
}

#[test]
fn every_help_asks_for_less() {
    let mut child = grant(FULL);
    child.fs.push(dir(Access::Read, "/a", "/a"));
    let nothing = Grant::default();
    let wider = child.within(&nothing).unwrap_err();
    let fields: HashSet<&str> =
        wider.iter().map(|wider| wider.field.split(' ').next().unwrap()).collect();
    assert_eq!(fields.len(), 5, "{fields:?}");
    assert!(wider.iter().all(|wider| wider.help.is_some()));
}
