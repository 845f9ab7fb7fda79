//! Granted names that lead to places they should not.

use super::{Bed, send};
use crate::harness::Writ;
use crate::verdict::Verdict;
use writ_test_support::{RawServer, Then};

#[test]
fn this_machine_is_out_of_reach_without_the_operators_flag() {
    let bed = Bed::new();
    let rule = format!("GET {}", bed.url("/**"));
    let verdict = send(bed.with(&[&rule]), &[&bed.url("/hello")]);
    verdict.denied(&[("D0102", &bed.get("/hello"))]).failed("error destination-IP-prohibited");
    assert!(!verdict.report.to_string().contains("127.0.0.1"), "the address is not told");
    assert!(bed.server.seen().is_empty());
    bed.still_works();
}

#[test]
fn no_grant_opens_this_machine() {
    let bed = Bed::new();
    let rule = |host: &str, more: &str| {
        let port = bed.server.port();
        format!("[[http]]\nhost = \"{host}\"\nscheme = \"http\"\nport = {port}\n{more}\n")
    };
    // A range that no grant can name is an error, and nothing runs.
    for range in ["127.0.0.0/8", "::1/128", "0.0.0.0/0", "169.254.0.0/16", "fe80::/10"] {
        let grant = rule("honest.test", &format!("addresses = [\"{range}\"]"));
        let ran = bed.granted(&grant).args(&["--", "get", &bed.url("/hello")]).done();
        assert_eq!(ran.code, 3, "{range}: {ran:?}");
        assert!(ran.stderr.contains("G0308"), "{range}: {ran:?}");
    }
    // A literal may be written, and is refused when it is used.
    for host in ["127.0.0.1", "localhost"] {
        bed.dns.answer("localhost", &["127.0.0.1"]);
        let url = format!("http://{host}:{}/hello", bed.server.port());
        let verdict = send(bed.granted(&rule(host, "")), &[&url]);
        verdict.failed("error ");
        assert_eq!(verdict.denials().len(), 1, "{verdict:#?}");
        verdict.denied(&[(verdict.denials()[0].0, &format!("GET {url}"))]);
    }
    let unknown = bed.granted("dangerous_loopback = true\n").args(&["--", "get", "x"]).done();
    assert_eq!(unknown.code, 3, "{unknown:?}");
    assert!(bed.server.seen().is_empty());
    bed.still_works();
}

#[test]
fn forbidden_addresses_are_refused_in_every_form() {
    let bed = Bed::new();
    let forbidden = [
        "169.254.169.254",
        "10.0.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "fd00::1",
        "fe80::1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
    ];
    for address in forbidden {
        bed.dns.answer("inward.test", &[address]);
        let run = bed.with(&["GET http://inward.test/**"]).args(&["--dangerous-loopback"]);
        let verdict = send(run, &["http://inward.test/"]);
        verdict.denied(&[("D0102", "GET http://inward.test/")]);
        verdict.failed("error destination-IP-prohibited");
        assert!(!verdict.report.to_string().contains(address), "{address} is told: {verdict:#?}");
    }
    bed.still_works();
}

#[test]
fn one_forbidden_address_among_good_ones_refuses_the_name() {
    let bed = Bed::new();
    let port = bed.server.port();
    for other in ["169.254.169.254", "fd00::1", "10.0.0.1"] {
        bed.dns.answer("mixed.test", &["127.0.0.1", other]);
        let run = bed.with(&[&format!("GET http://mixed.test:{port}/**")]);
        let url = format!("http://mixed.test:{port}/hello");
        let verdict = send(run.args(&["--dangerous-loopback"]), &[&url]);
        verdict.denied(&[("D0102", &format!("GET {url}"))]).failed("error destination-IP");
    }
    assert!(bed.server.seen().is_empty());
    bed.still_works();
}

/// The address is not there, so a connection to it is tried in vain until the time is up.
#[test]
fn a_private_address_needs_its_range_in_the_grant() {
    let bed = Bed::new();
    bed.dns.answer("private.test", &["10.255.255.1"]);
    let grant = |more: &str| {
        let rule = "[[http]]\nhost = \"private.test\"\nscheme = \"http\"\npaths = [\"/**\"]\n";
        bed.granted(&format!("{rule}{more}\n")).args(&["--limit", "http_time=300ms"])
    };
    let (url, target) = ("http://private.test/", "GET http://private.test/");
    send(grant(""), &[url]).denied(&[("D0102", target)]).failed("error destination-IP");
    let other = grant("addresses = [\"192.168.0.0/16\"]");
    send(other, &[url]).denied(&[("D0102", target)]).failed("error destination-IP");
    let named = send(grant("addresses = [\"10.0.0.0/8\"]"), &[url]);
    named.denied(&[]);
    assert_eq!(named.allowed(), [target]);
}

#[test]
fn a_name_that_moves_inward_is_refused_at_its_next_connection() {
    let bed = Bed::new();
    let answer = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
    let moving = RawServer::start(answer, Then::Close);
    let url = format!("http://moving.test:{}/", moving.address().port());
    bed.dns.answer_in_turn("moving.test", &[&["127.0.0.1"], &["169.254.169.254"]]);
    let run = bed.with(&[&format!("GET {url}**")]).args(&["--dangerous-loopback"]);

    let verdict = send(run, &[&url, "--times", "2"]);

    let target = format!("GET {url}");
    verdict.denied(&[("D0102", &target)]).failed("error destination-IP-prohibited");
    assert!(verdict.stdout().starts_with("status 204"), "{verdict:#?}");
    assert_eq!(verdict.allowed(), [&*target, &target], "the name was allowed, its address was not");
    assert_eq!(moving.accepted(), 1);
    bed.still_works();
}

/// The address that was checked is the one that is dialled: there is no second look-up in between.
#[test]
fn a_connection_is_used_again_without_asking_where_its_name_leads_now() {
    let bed = Bed::new();
    bed.dns.answer_in_turn("honest.test", &[&["127.0.0.1"], &["169.254.169.254"]]);
    bed.ask(&[&bed.url("/hello"), "--times", "3"]).worked("status 200");
    assert_eq!(bed.dns.queries().len(), 2, "one each for A and AAAA");
    assert!(bed.server.seen().iter().all(|seen| seen.connection == 0));
    assert_eq!(bed.server.seen().len(), 3);
}

#[test]
fn an_alias_is_checked_at_its_end() {
    let bed = Bed::new();
    let port = bed.server.port();
    bed.dns.alias("alias.test", "metadata.test");
    bed.dns.answer("metadata.test", &["169.254.169.254"]);
    let url = format!("http://alias.test:{port}/");
    let alias = || bed.with(&[&format!("GET {url}**")]).args(&["--dangerous-loopback"]);
    send(alias(), &[&url]).denied(&[("D0102", &format!("GET {url}"))]).failed("error destination");
    bed.dns.alias("alias.test", "honest.test");
    send(alias(), &[&format!("{url}hello")]).worked("status 200");
}

#[test]
fn a_redirect_goes_back_to_the_guest_and_is_not_followed() {
    let bed = Bed::new();
    let inward = "http://169.254.169.254/latest/";
    let verdict = bed.ask(&[&bed.url(&format!("/redirect?{inward}"))]);
    verdict.worked("status 302");
    assert!(verdict.stdout().contains(&format!("header location: {inward}")), "{verdict:#?}");
    assert_eq!(bed.server.seen().len(), 1);
    bed.stopped(&[inward], "D0101", &format!("GET {inward}"));
    bed.still_works();
}

/// The flag that opens this machine is the operator's; a tool's arguments are not the operator's.
#[test]
fn a_tool_cannot_pass_flags_to_writ() {
    let bed = Bed::new();
    let rule = format!("GET {}", bed.url("/**"));
    let run: Writ = bed.with(&[&rule]).args(&["--", "get", &bed.url("/hello")]);
    let verdict = Verdict::of(run.args(&["--show", "--dangerous-loopback"]));
    verdict.denied(&[]);
    assert_eq!(verdict.report["exit_code"], 1, "{verdict:#?}");
    assert!(bed.server.seen().is_empty());
}
