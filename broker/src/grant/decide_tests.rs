#![expect(clippy::unwrap_used, reason = "a test may fail")]
use super::*;
use crate::ask::Scheme;
use crate::grant::{CredentialGrant, CredentialKind, Placement, Scope, TcpRule};
use crate::host::{Authority, Host};
use crate::path::RequestPath;
use crate::pattern::HostPattern;
use proptest::prelude::*;

fn rule(host: &str, methods: &[&str], paths: &[&str], addresses: &[&str]) -> HttpRule {
    HttpRule {
        host: HostPattern::parse(host).unwrap(),
        scheme: Scheme::Https,
        port: 443,
        methods: methods.iter().map(|m| (*m).to_owned()).collect(),
        paths: paths.iter().map(|p| PathPattern::parse(p).unwrap()).collect(),
        addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
        credential: None,
    }
}

fn grant(rules: impl IntoIterator<Item = HttpRule>) -> Grant {
    Grant { http: rules.into_iter().collect(), ..Grant::default() }
}

fn ask(method: &str, scheme: Scheme, authority: &str, path: &str) -> HttpAsk {
    HttpAsk {
        scheme,
        authority: Authority::parse(authority, scheme.default_port()).unwrap(),
        method: method.to_owned(),
        path: RequestPath::parse(path).unwrap(),
    }
}

fn get(authority: &str, path: &str) -> HttpAsk {
    ask("GET", Scheme::Https, authority, path)
}

fn forbidden<T: std::fmt::Debug>(decision: Decision<T>) -> Refusal {
    match decision {
        Decision::Forbid(refusal) => refusal,
        Decision::Allow(allowed) => panic!("allowed: {allowed:?}"),
    }
}

fn allowed<T>(decision: Decision<T>) -> T {
    match decision {
        Decision::Allow(value) => value,
        Decision::Forbid(refusal) => panic!("forbidden: {refusal:?}"),
    }
}

#[test]
fn a_request_that_one_rule_fits_whole_is_allowed() {
    let grant = grant([rule("api.github.com", &["GET"], &["/repos/acme/**"], &[])]);
    allowed(grant.decide_http(&get("API.GITHUB.COM.:443", "/repos/acme/site?ref=x")));
}

#[test]
fn the_code_names_the_first_part_that_does_not_fit() {
    let grant = grant([rule("api.github.com", &["GET"], &["/repos/acme/**"], &[])]);
    let code = |ask: HttpAsk| forbidden(grant.decide_http(&ask)).code;
    assert_eq!(code(get("evil.example", "/repos/acme/a")), codes::HOST);
    assert_eq!(code(get("api.github.com:8443", "/repos/acme/a")), codes::PORT);
    let cleartext = ask("GET", Scheme::Http, "api.github.com", "/repos/acme/a");
    assert_eq!(code(cleartext), codes::PORT);
    let cleartext = ask("GET", Scheme::Http, "api.github.com:443", "/repos/acme/a");
    assert_eq!(code(cleartext), codes::PORT);
    assert_eq!(code(ask("POST", Scheme::Https, "api.github.com", "/repos/acme/a")), codes::METHOD);
    assert_eq!(code(ask("get", Scheme::Https, "api.github.com", "/repos/acme/a")), codes::METHOD);
    assert_eq!(code(get("api.github.com", "/repos/evil/a")), codes::PATH);
}

#[test]
fn parts_of_two_rules_do_not_add_up_to_one() {
    let grant = grant([
        rule("a.example", &["GET"], &["/read"], &[]),
        rule("a.example", &["POST"], &["/write"], &[]),
    ]);
    let refusal = forbidden(grant.decide_http(&ask("POST", Scheme::Https, "a.example", "/read")));
    assert_eq!(refusal.code, codes::PATH);
}

#[test]
fn an_empty_list_means_nothing() {
    let none = forbidden(
        grant([rule("a.example", &[], &["/**"], &[])]).decide_http(&get("a.example", "/")),
    );
    assert_eq!(none.code, codes::METHOD);
    let none = forbidden(
        grant([rule("a.example", &["GET"], &[], &[])]).decide_http(&get("a.example", "/")),
    );
    assert_eq!(none.code, codes::PATH);
}

#[test]
fn the_help_grants_exactly_what_was_asked_and_the_reason_does_not_tell_how() {
    let refusal = forbidden(Grant::default().decide_http(&ask(
        "POST",
        Scheme::Http,
        "a.example:8080",
        "/x?secret=1",
    )));
    assert_eq!(refusal.target, "POST http://a.example:8080/x?secret=1");
    assert_eq!(refusal.reason, "the grant does not name the host a.example");
    assert_eq!(refusal.help.as_deref(), Some("--http 'POST http://a.example:8080/x'"));
}

#[test]
fn a_help_line_cannot_carry_a_command_into_a_shell() {
    let refusal = forbidden(Grant::default().decide_http(&get("a.example", "/'$(id)'")));
    assert_eq!(refusal.help.as_deref(), Some(r"--http 'GET https://a.example/'\''$(id)'\'''"));
    let hostile = ask("G'$(id)'", Scheme::Https, "a.example", "/");
    assert_eq!(forbidden(Grant::default().decide_http(&hostile)).help, None);
}

#[test]
fn a_method_with_control_characters_does_not_reach_the_reason() {
    let grant = grant([rule("a.example", &["GET"], &["/**"], &[])]);
    let refusal = forbidden(grant.decide_http(&ask("G\u{1b}[2J", Scheme::Https, "a.example", "/")));
    assert!(!refusal.reason.contains('\u{1b}'), "{}", refusal.reason);
}

fn tcp(text: &str) -> TcpAsk {
    TcpAsk { authority: Authority::parse(text, 1).unwrap() }
}

fn tcp_grant() -> Grant {
    let host = Host::parse("db.example").unwrap();
    Grant { tcp: vec![TcpRule { host, port: 5432, addresses: vec![] }], ..Grant::default() }
}

#[test]
fn a_tcp_target_needs_its_host_and_its_port() {
    allowed(tcp_grant().decide_tcp(&tcp("DB.example:5432")));
    let refusal = forbidden(tcp_grant().decide_tcp(&tcp("db.example:22")));
    assert_eq!((refusal.code, refusal.what.as_str()), (codes::PORT, "tcp"));
    let refusal = forbidden(tcp_grant().decide_tcp(&tcp("evil.example:5432")));
    assert_eq!(refusal.code, codes::TCP);
    assert_eq!(refusal.help.as_deref(), Some("--tcp evil.example:5432"));
}

#[test]
fn an_http_rule_grants_no_tcp_and_a_tcp_rule_no_http() {
    let http = grant([rule("db.example", &["GET"], &["/**"], &[])]);
    assert_eq!(forbidden(http.decide_tcp(&tcp("db.example:443"))).code, codes::TCP);
    let refusal = forbidden(tcp_grant().decide_http(&get("db.example:5432", "/")));
    assert_eq!(refusal.code, codes::HOST);
}

fn address_rule(ranges: &[&str]) -> AddressRule {
    let grant = grant([rule("a.example", &["GET"], &["/**"], ranges)]);
    allowed(grant.decide_http(&get("a.example", "/"))).addresses
}

fn may_dial(ranges: &[&str], address: &str, dangerous_loopback: bool) -> bool {
    let decision =
        address_rule(ranges).decide("a.example:443", address.parse().unwrap(), dangerous_loopback);
    matches!(decision, Decision::Allow(()))
}

#[test]
fn a_public_address_may_be_dialled_and_a_private_one_only_when_named() {
    assert!(may_dial(&[], "93.184.216.34", false));
    assert!(may_dial(&[], "64:ff9b::93.184.216.34", false));
    assert!(!may_dial(&[], "10.0.0.5", false));
    assert!(may_dial(&["10.0.0.0/24"], "10.0.0.5", false));
    assert!(!may_dial(&["10.0.0.0/24"], "10.0.1.5", false));
    assert!(may_dial(&["10.0.0.0/24"], "::ffff:10.0.0.5", false));
    assert!(!may_dial(&["10.0.0.0/24"], "64:ff9b::10.0.1.5", false));
    assert!(may_dial(&["fd12::/16"], "fd12::1", false));
}

#[test]
fn loopback_needs_the_operators_switch_and_nothing_else_follows_it() {
    for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
        assert!(!may_dial(&[], address, false), "{address}");
        assert!(may_dial(&[], address, true), "{address}");
    }
    for address in ["10.0.0.5", "169.254.1.1", "0.0.0.0", "::", "224.0.0.1", "fe80::1"] {
        assert!(!may_dial(&[], address, true), "{address}");
    }
}

#[test]
fn metadata_is_never_dialled_whatever_a_rule_says() {
    let ranges = vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()];
    let rule = AddressRule { ranges, what: What::Http };
    for address in
        ["169.254.169.254", "fd00:ec2::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"]
    {
        let refusal = forbidden(rule.decide("a.example", address.parse().unwrap(), true));
        assert_eq!(refusal.code, codes::ADDRESS, "{address}");
    }
}

#[test]
fn one_forbidden_reading_forbids_the_address() {
    // Local NAT64: 10.0.0.1 if the network uses a /48, a public address if it uses a /96.
    assert!(!may_dial(&[], "64:ff9b:1:a00:0:100:5db8:d822", false));
}

#[test]
fn the_agent_learns_the_class_and_the_person_the_address() {
    let refusal =
        forbidden(address_rule(&[]).decide("a.example:443", "10.0.0.5".parse().unwrap(), false));
    assert_eq!(refusal.code, codes::ADDRESS);
    assert!(!refusal.reason.contains("10.0.0.5"), "{}", refusal.reason);
    assert!(refusal.help.unwrap().contains("addresses = [\"10.0.0.5/32\"]"));
}

#[test]
fn the_ranges_of_a_rule_that_does_not_fit_do_not_help_one_that_does() {
    let grant = grant([
        rule("a.example", &["GET"], &["/public"], &[]),
        rule("a.example", &["GET"], &["/internal"], &["10.0.0.0/8"]),
    ]);
    let rule = allowed(grant.decide_http(&get("a.example", "/public"))).addresses;
    forbidden(rule.decide("a.example", "10.0.0.1".parse().unwrap(), false));
}

fn name(text: &str) -> CredentialName {
    CredentialName::parse(text).unwrap()
}

fn with(credential: &str, rule: HttpRule) -> HttpRule {
    HttpRule { credential: Some(name(credential)), ..rule }
}

fn with_credentials(rules: impl IntoIterator<Item = HttpRule>, names: &[&str]) -> Grant {
    let credential = |text: &&str| CredentialGrant {
        name: name(text),
        kind: CredentialKind::Secret,
        scope: Scope::default(),
        ttl: crate::grant::credential::DEFAULT_TTL,
        place: Placement::Bearer,
        expose: false,
    };
    Grant { credentials: names.iter().map(credential).collect(), ..grant(rules) }
}

#[test]
fn a_credential_goes_with_the_requests_of_its_rule_and_with_no_other() {
    let grant = with_credentials(
        [
            rule("a.example", &["GET"], &["/**"], &[]),
            with("gh", rule("a.example", &["GET"], &["/repos/**"], &[])),
            rule("b.example", &["GET"], &["/**"], &[]),
        ],
        &["gh"],
    );
    let goes = |authority, path| allowed(grant.decide_http(&get(authority, path))).credential;
    assert_eq!(goes("a.example", "/repos/x"), Some(name("gh")));
    assert_eq!(goes("a.example", "/other"), None);
    assert_eq!(goes("b.example", "/repos/x"), None);
}

#[test]
fn a_credential_goes_to_no_address_that_only_a_rule_without_it_may_reach() {
    let grant = with_credentials(
        [
            rule("a.example", &["GET"], &["/**"], &["10.0.0.0/8"]),
            with("gh", rule("a.example", &["GET"], &["/repos"], &["192.168.0.0/16"])),
        ],
        &["gh"],
    );
    let addresses = |path| allowed(grant.decide_http(&get("a.example", path))).addresses;
    let may = |path, address: &str| {
        matches!(addresses(path).decide("a", address.parse().unwrap(), false), Decision::Allow(()))
    };
    assert!(may("/x", "10.0.0.1") && !may("/repos", "10.0.0.1"));
    assert!(may("/repos", "192.168.0.1") && !may("/x", "192.168.0.1"));
}

#[test]
fn a_request_with_two_credentials_or_an_unknown_one_is_forbidden() {
    let rules = |first, second| {
        [
            with(first, rule("a.example", &["GET"], &["/**"], &[])),
            with(second, rule("a.example", &["GET"], &["/x"], &[])),
        ]
    };
    let code = |first, second| {
        let grant = with_credentials(rules(first, second), &["gh", "other"]);
        match grant.decide_http(&get("a.example", "/x")) {
            Decision::Allow(_) => None,
            Decision::Forbid(refusal) => Some(refusal.code),
        }
    };
    assert_eq!(code("gh", "other"), Some(codes::TWO_CREDENTIALS));
    assert_eq!(code("gone", "gone"), Some(codes::NO_CREDENTIAL));
    assert_eq!(code("gh", "gh"), None);
}

proptest! {
    #[test]
    fn an_empty_grant_always_forbids(host in "[a-z]{1,8}(\\.[a-z]{1,8}){0,3}", port in 1u16.., path in "/[a-z/]{0,9}", method in "[A-Z]{1,7}") {
        let Ok(path) = RequestPath::parse(&path) else { return Ok(()) };
        let authority = Authority { host: Host::parse(&host).unwrap(), port };
        for scheme in [Scheme::Http, Scheme::Https] {
            let ask = HttpAsk { scheme, authority: authority.clone(), method: method.clone(), path: path.clone() };
            forbidden(Grant::default().decide_http(&ask));
        }
        forbidden(Grant::default().decide_tcp(&TcpAsk { authority }));
    }

    #[test]
    fn a_rule_without_ranges_leads_to_public_addresses_only(bits in any::<u128>(), v4 in any::<u32>()) {
        for address in [IpAddr::V6(bits.into()), IpAddr::V4(v4.into())] {
            if let Decision::Allow(()) = AddressRule::default().decide("a", address, false) {
                prop_assert_eq!(crate::address::classify(address), AddressClass::Public);
            }
        }
    }
}
