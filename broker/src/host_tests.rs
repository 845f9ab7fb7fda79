#![expect(clippy::unwrap_used, reason = "a test may fail")]
use super::*;
use proptest::prelude::*;

fn name(text: &str) -> String {
    match Host::parse(text).unwrap() {
        Host::Name(name) => name,
        Host::Address(address) => panic!("{text} is the address {address}"),
    }
}

#[test]
fn a_trailing_dot_and_upper_case_are_the_same_host() {
    assert_eq!(name("API.GitHub.com."), "api.github.com");
}

#[test]
fn two_trailing_dots_are_no_host() {
    assert_eq!(Host::parse("api.github.com.."), Err(HostError::Length));
    assert_eq!(Host::parse("."), Err(HostError::Length));
    assert_eq!(Host::parse("a..b"), Err(HostError::Length));
}

#[test]
fn an_international_name_and_its_a_label_are_the_same_host() {
    assert_eq!(name("bücher.example"), "xn--bcher-kva.example");
    assert_eq!(name("XN--BCHER-KVA.example"), "xn--bcher-kva.example");
    assert_eq!(name("bücher。example"), "xn--bcher-kva.example");
}

#[test]
fn a_label_that_does_not_decode_is_refused() {
    assert_eq!(Host::parse("xn--a.example"), Err(HostError::Idna));
    assert_eq!(Host::parse("a\u{202e}b.example"), Err(HostError::Idna));
}

#[test]
fn only_four_plain_octets_are_an_address() {
    assert_eq!(Host::parse("127.0.0.1"), Ok(Host::Address("127.0.0.1".parse().unwrap())));
    for spelling in [
        "127.1",
        "127.0.1",
        "0x7f.1",
        "0x7f.0.0.1",
        "0x7f000001",
        "0X7F.0.0.1",
        "0177.0.0.1",
        "2130706433",
        "017700000001",
        "127.0.0.1.",
        "127.0.0.01",
        "256.1.1.1",
        "1.2.3.4.5",
        "foo.0x4",
        "foo.123",
        "foo.0x",
        "127.0.0.0x1",
        "１２７.0.0.1",
        "127。0。0。1",
        "①②⑦.0.0.1",
    ] {
        assert_eq!(Host::parse(spelling), Err(HostError::AmbiguousAddress), "{spelling}");
    }
}

#[test]
fn a_name_that_only_contains_numbers_somewhere_is_a_name() {
    assert_eq!(name("1.2.3.4.example.com"), "1.2.3.4.example.com");
    assert_eq!(name("0x7f.example.com"), "0x7f.example.com");
    assert_eq!(name("127.0.0.1.nip.io"), "127.0.0.1.nip.io");
}

#[test]
fn an_ipv6_literal_stands_in_brackets() {
    assert_eq!(Host::parse("[2001:DB8::0:1]").unwrap().to_string(), "[2001:db8::1]");
    assert_eq!(Host::parse("::1"), Err(HostError::Character));
    assert_eq!(Host::parse("[::1"), Err(HostError::Character));
    assert_eq!(Host::parse("[1.2.3.4]"), Err(HostError::Character));
    assert_eq!(Host::parse("[]"), Err(HostError::Character));
}

#[test]
fn a_mapped_address_is_the_ipv4_address() {
    let loopback = Host::Address("127.0.0.1".parse().unwrap());
    assert_eq!(Host::parse("[::ffff:127.0.0.1]"), Ok(loopback.clone()));
    assert_eq!(Host::parse("[::FFFF:7f00:1]"), Ok(loopback));
}

#[test]
fn a_zone_is_refused() {
    assert_eq!(Host::parse("[fe80::1%eth0]"), Err(HostError::Character));
    assert_eq!(Host::parse("[fe80::1%25eth0]"), Err(HostError::Character));
}

#[test]
fn characters_that_no_host_has_are_refused() {
    for text in [
        "a\0b",
        "a\rb",
        "a\nb",
        "a\r\nHost: evil",
        "a b",
        " a",
        "a%2eb",
        "a%00",
        "a/b",
        "a\\b",
        "a?b",
        "a#b",
        "a:b",
        "a\tb",
        "a\u{7f}b",
        "*",
        "*.example.com",
        "a,b",
        "a'b",
        "a;b",
        "a!b",
    ] {
        assert_eq!(Host::parse(text), Err(HostError::Character), "{text:?}");
    }
}

#[test]
fn a_full_width_percent_or_slash_does_not_become_one() {
    for text in ["a％2e.example", "a／b.example", "a＠b.example", "a：80.example"] {
        assert!(Host::parse(text).is_err(), "{text}");
    }
}

#[test]
fn user_information_is_refused() {
    assert_eq!(Host::parse("github.com@evil.example"), Err(HostError::UserInfo));
    assert_eq!(Authority::parse("u:p@evil.example:80", 80), Err(HostError::UserInfo));
}

#[test]
fn length_is_bounded() {
    let label = "a".repeat(63);
    let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
    assert_eq!(name(&longest).len(), 253);
    assert_eq!(Host::parse(&format!("{longest}a")), Err(HostError::Length));
    assert_eq!(Host::parse(&format!("{label}a.example")), Err(HostError::Length));
    assert_eq!(Host::parse(&"ü".repeat(100_000)), Err(HostError::Length));
    assert_eq!(Host::parse(""), Err(HostError::Length));
}

#[test]
fn a_port_is_a_plain_number() {
    assert_eq!(Authority::parse("a.example:8443", 443).unwrap().port, 8443);
    assert_eq!(Authority::parse("a.example", 443).unwrap().port, 443);
    assert_eq!(Authority::parse("[::2]:80", 443).unwrap().to_string(), "[::2]:80");
    for text in ["a:", "a:0", "a:080", "a:+80", "a:-1", "a:65536", "a:8 0", "a:80:80", "[::2]:"] {
        assert_eq!(Authority::parse(text, 443), Err(HostError::Port), "{text}");
    }
    assert!(Authority::parse("[::2]80", 443).is_err());
}

#[test]
fn the_default_port_is_left_out_for_its_scheme_only() {
    let authority = Authority::parse("a.example:80", 443).unwrap();
    assert_eq!(authority.for_scheme(Scheme::Http), "a.example");
    assert_eq!(authority.for_scheme(Scheme::Https), "a.example:80");
}

proptest! {
    #[test]
    fn canonical_hosts_are_their_own_canonical_form(text in "[a-zA-Z0-9.äß。٠-٩_-]{1,40}|\\[[0-9a-f:.]{2,30}\\]|\\PC{1,20}") {
        if let Ok(host) = Host::parse(&text) {
            prop_assert_eq!(Host::parse(&host.to_string()), Ok(host));
        }
    }

    #[test]
    fn a_canonical_host_has_only_plain_characters(text in "\\PC{0,40}") {
        if let Ok(Host::Name(name)) = Host::parse(&text) {
            prop_assert!(name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_')));
        }
    }

    #[test]
    fn canonical_authorities_are_their_own_canonical_form(text in "([a-z.]{1,9}|\\[[0-9a-f:]{2,9}\\]):?[0-9]{0,6}") {
        if let Ok(authority) = Authority::parse(&text, 443) {
            prop_assert_eq!(Authority::parse(&authority.to_string(), 1), Ok(authority));
        }
    }
}
