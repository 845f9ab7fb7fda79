use super::*;
use crate::ask::Scheme;
use crate::codes;

fn http(lines: &str) -> Parsed {
    parse(&format!("[task]\nttl = \"1m\"\n[[http]]\n{lines}\n"))
}

fn tcp(lines: &str) -> Parsed {
    parse(&format!("[task]\nttl = \"1m\"\n[[tcp]]\n{lines}\n"))
}

#[test]
fn absent_methods_are_get_and_head_and_absent_paths_are_all_with_a_warning() {
    let parsed = http("host = \"a.example\"");
    assert_eq!(warnings(&parsed), [codes::ALL_PATHS]);
    let rule = &grant(parsed).http[0];
    assert_eq!(rule.methods, ["GET", "HEAD"]);
    assert!(rule.paths[0].is_any() && rule.paths.len() == 1);
    assert_eq!((rule.scheme, rule.port), (Scheme::Https, 443));
}

#[test]
fn an_empty_list_means_nothing_and_warns() {
    let parsed = http("host = \"a.example\"\nmethods = []\npaths = [\"/\"]");
    assert_eq!(warnings(&parsed), [codes::EMPTY]);
    assert_eq!(grant(parsed).http[0].methods, Vec::<String>::new());
    let parsed = http("host = \"a.example\"\npaths = []");
    assert_eq!(warnings(&parsed), [codes::EMPTY]);
    assert_eq!(grant(parsed).http[0].paths, []);
}

#[test]
fn a_port_defaults_to_that_of_the_scheme() {
    let parsed = http("host = \"a.example\"\nscheme = \"http\"\npaths = [\"/\"]");
    assert_eq!(warnings(&parsed), [codes::CLEARTEXT]);
    assert_eq!(grant(parsed).http[0].port, 80);
    assert_eq!(grant(http("host = \"a.example\"\nport = 8443")).http[0].port, 8443);
    for port in ["0", "65536", "-1"] {
        assert_eq!(
            errors(&http(&format!("host = \"a.example\"\nport = {port}"))),
            [codes::BAD_PORT]
        );
    }
    assert_eq!(errors(&http("host = \"a.example\"\nscheme = \"ftp\"")), [codes::BAD_WORD]);
}

#[test]
fn hosts_that_are_no_single_place_are_refused() {
    for (host, code) in [
        ("*", codes::WILDCARD),
        ("a.*.example", codes::WILDCARD),
        ("*.10.0.0.1", codes::WILDCARD),
        ("*.com", codes::PUBLIC_SUFFIX),
        ("*.co.uk", codes::PUBLIC_SUFFIX),
        ("*.github.io", codes::PUBLIC_SUFFIX),
        ("127.1", codes::BAD_HOST),
        ("0x7f.1", codes::BAD_HOST),
        ("a.example:443", codes::BAD_HOST),
        ("https://a.example", codes::BAD_HOST),
        ("u@a.example", codes::BAD_HOST),
        ("a b", codes::BAD_HOST),
        ("a\\u0000b", codes::BAD_HOST),
        ("::1", codes::BAD_HOST),
        ("", codes::BAD_HOST),
    ] {
        assert_eq!(errors(&http(&format!("host = \"{host}\""))), [code], "{host}");
    }
}

#[test]
fn an_address_must_be_public_or_named_as_a_range() {
    let host =
        |host: &str, ranges: &str| http(&format!("host = \"{host}\"\npaths = [\"/\"]\n{ranges}"));
    assert_eq!(errors(&host("93.184.216.34", "")), []);
    assert_eq!(errors(&host("10.0.0.7", "")), [codes::PRIVATE]);
    assert_eq!(errors(&host("10.0.0.7", "addresses = [\"10.0.1.0/24\"]")), [codes::PRIVATE]);
    assert_eq!(errors(&host("10.0.0.7", "addresses = [\"10.0.0.0/24\"]")), []);
    assert_eq!(errors(&host("[::ffff:10.0.0.7]", "addresses = [\"10.0.0.7\"]")), []);
    assert_eq!(errors(&host("[64:ff9b::10.0.0.7]", "")), [codes::PRIVATE]);
    for never in [
        "169.254.169.254",
        "[fd00:ec2::254]",
        "224.0.0.1",
        "0.0.0.0",
        "[fe80::1]",
        "[::ffff:169.254.169.254]",
    ] {
        assert_eq!(errors(&host(never, "")), [codes::NEVER], "{never}");
    }
    assert_eq!(errors(&tcp("host = \"10.0.0.7\"\nport = 22")), [codes::PRIVATE]);
}

#[test]
fn this_machine_parses_with_a_warning_that_it_will_be_refused() {
    for host in ["127.0.0.1", "[::1]", "localhost", "x.localhost", "[::ffff:127.0.0.1]"] {
        let parsed = http(&format!("host = \"{host}\"\nscheme = \"http\"\npaths = [\"/\"]"));
        assert_eq!((errors(&parsed), warnings(&parsed)), (vec![], vec![codes::LOOPBACK]), "{host}");
    }
    assert_eq!(warnings(&tcp("host = \"localhost\"\nport = 22")), [codes::LOOPBACK]);
}

#[test]
fn ranges_are_private_and_nothing_else() {
    let range = |text: &str| http(&format!("host = \"a.example\"\naddresses = [\"{text}\"]"));
    for good in ["10.0.0.0/8", "192.168.1.0/24", "fd12::/16", "10.1.2.3"] {
        assert_eq!(errors(&range(good)), [], "{good}");
    }
    for wide in [
        "0.0.0.0/0",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "::/0",
        "8.8.8.8/32",
        "224.0.0.0/4",
        "::1",
        "fd00::/8",
    ] {
        assert_eq!(errors(&range(wide)), [codes::RANGE], "{wide}");
    }
    for bad in ["", "10.0.0.1/8", "10.0.0.0/33", "10/8", "x", "10.0.0.0-10.0.0.9"] {
        assert_eq!(errors(&range(bad)), [codes::BAD_RANGE], "{bad}");
    }
}

#[test]
fn methods_are_named_words_of_capitals() {
    for bad in ["get", "*", "CONNECT", "TRACE", "", "G T", "GET\\n", "GET'"] {
        let parsed = http(&format!("host = \"a.example\"\nmethods = [\"{bad}\"]"));
        assert_eq!(errors(&parsed), [codes::BAD_METHOD], "{bad}");
    }
}

#[test]
fn path_patterns_are_checked() {
    for bad in
        ["", "a", "/a*", "/**/a", "/a/../b", "/a//b", "/a?b=1", "/%2e", "/a#b", "https://a/b"]
    {
        let parsed = http(&format!("host = \"a.example\"\npaths = [\"{bad}\"]"));
        assert_eq!(errors(&parsed), [codes::BAD_PATH], "{bad}");
    }
}

#[test]
fn one_bad_item_does_not_turn_a_list_into_all() {
    let parsed = http("host = \"a.example\"\npaths = [\"/a*\"]\nmethods = [\"get\"]");
    assert_eq!(parsed.grant, None);
}

#[test]
fn a_tcp_target_is_one_host_and_one_port() {
    assert_eq!(errors(&tcp("host = \"db.example\"")), [codes::MISSING_KEY]);
    assert_eq!(errors(&tcp("port = 1")), [codes::MISSING_KEY]);
    assert_eq!(errors(&tcp("host = \"*.db.example\"\nport = 1")), [codes::WILDCARD]);
    assert_eq!(
        grant(tcp("host = \"DB.example.\"\nport = 5432")).tcp[0].host.to_string(),
        "db.example"
    );
}

#[test]
fn the_same_rule_twice_is_refused() {
    let rule = "[[http]]\nhost = \"a.example\"\n";
    assert_eq!(errors(&parse(&rule.repeat(2))), [codes::TWICE]);
    let target = "[[tcp]]\nhost = \"a.example\"\nport = 1\n";
    assert_eq!(errors(&parse(&target.repeat(2))), [codes::TWICE]);
}

#[test]
fn wide_rules_are_warned_of() {
    let parsed = http("host = \"*.acme.example\"\nmethods = [\"POST\"]\npaths = [\"/**\"]");
    assert_eq!(warnings(&parsed), [codes::WIDE_RULE]);
    let parsed = http("host = \"*.acme.example\"\nmethods = [\"GET\"]\npaths = [\"/**\"]");
    assert_eq!(warnings(&parsed), []);
    assert_eq!(warnings(&http("host = \"github.io\"\npaths = [\"/\"]")), [codes::SUFFIX_ITSELF]);
}
