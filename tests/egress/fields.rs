//! Header fields that would speak to a connection, a proxy or the gate.

use super::{Bed, send};
use writ_test_support::{RawServer, Then};

#[test]
fn fields_of_the_connection_are_refused_where_they_are_set() {
    let bed = Bed::new();
    let url = bed.url("/hello");
    let fields = [
        ("connection", "close"),
        ("keep-alive", "timeout=5"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "websocket"),
        ("proxy-authorization", "Basic eDp5"),
        ("proxy-connection", "keep-alive"),
    ];
    for (name, value) in fields {
        let verdict = bed.ask(&[&url, "-H", &format!("{name}:{value}")]);
        verdict.denied(&[("D0106", &format!("header {name}"))]);
        verdict.failed(&format!("error header forbidden: {name}"));
    }
    assert!(bed.server.seen().is_empty());
    bed.still_works();
}

/// `Host` says the place that was decided on, and no other: domain fronting ends here.
#[test]
fn the_host_field_is_the_gates() {
    let bed = Bed::new();
    let url = bed.url("/hello");
    bed.stopped(&[&url, "-H", "host:evil.test"], "D0106", "header host");
    bed.stopped(&[&url, "-H", "Host:honest.test"], "D0106", "header host");
    let pseudo = bed.ask(&[&url, "-H", ":authority:evil.test"]);
    pseudo.denied(&[("D0106", "header :authority")]).failed("error header invalid-syntax");
    assert!(bed.server.seen().is_empty());
    bed.still_works();
    let host = format!("honest.test:{}", bed.server.port());
    assert_eq!(bed.server.seen()[0].header("host"), Some(host.as_str()));
}

#[test]
fn fields_of_the_gate_are_refused_by_the_gate() {
    let bed = Bed::new();
    let (url, target) = (bed.url("/hello"), bed.get("/hello"));
    for field in ["writ-gate-error:x", "Writ-Gate-Code:x", "writ-credential:github"] {
        let verdict = bed.ask(&[&url, "-H", field]);
        verdict.denied(&[("D0106", &target)]).failed("error HTTP-request-denied");
    }
    assert!(bed.server.seen().is_empty());
    bed.still_works();
}

#[test]
fn an_upstream_cannot_speak_for_the_gate() {
    let bed = Bed::new();
    let verdict = bed.ask(&[&bed.url("/forged"), "--show"]);
    verdict.worked("text forged");
    assert!(!verdict.stdout().contains("writ-"), "{verdict:#?}");
    let hop = bed.ask(&[&bed.url("/hop")]);
    hop.worked("status 200");
    for name in ["connection", "x-private", "keep-alive"] {
        assert!(!hop.stdout().contains(&format!("header {name}")), "{hop:#?}");
    }
}

/// Two parsers would see different ends of these responses.
#[test]
fn an_ambiguous_response_is_refused() {
    let bed = Bed::new();
    bed.dns.answer("raw.test", &["127.0.0.1"]);
    let responses = [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 40\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nx-a: 1\r\n folded\r\ncontent-length: 0\r\n\r\n",
        "SSH-2.0-OpenSSH_9.9\r\n\r\n",
    ];
    for response in responses {
        let raw = RawServer::start(response, Then::Close);
        let url = format!("http://raw.test:{}/", raw.address().port());
        let run = bed.with(&[&format!("GET {url}**")]).args(&["--dangerous-loopback"]);
        send(run, &[&url]).denied(&[]).failed("error HTTP-protocol-error");
    }
    let short = RawServer::start("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort", Then::Close);
    let url = format!("http://raw.test:{}/", short.address().port());
    let run = bed.with(&[&format!("GET {url}**")]).args(&["--dangerous-loopback"]);
    send(run, &[&url]).denied(&[]).failed("after 5 bytes: ");
    bed.still_works();
}
