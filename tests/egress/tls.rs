//! Upstreams behind TLS: whom they must be, and what they see.

use super::{Bed, send};
use crate::harness::Writ;
use writ_test_support::{HttpServer, TestCa, TlsProtocol};

/// A run that may reach `secure.test`, and trusts this authority.
fn trusting(bed: &Bed, ca: &TestCa, server: &HttpServer) -> (Writ, String) {
    bed.dns.answer("secure.test", &["127.0.0.1"]);
    let url = format!("https://secure.test:{}", server.port());
    let ca = bed.file("ca.pem", &ca.pem());
    let run = bed.with(&[&format!("GET,POST {url}/**")]).args(&["--dangerous-loopback"]);
    (run.args(&["--ca", ca.to_str().unwrap()]), url)
}

#[test]
fn the_decided_name_is_what_tls_and_http_ask_for() {
    for protocol in [TlsProtocol::Http1, TlsProtocol::Http2] {
        let (bed, ca) = (Bed::new(), TestCa::new());
        let server = HttpServer::start_tls(&ca, &["secure.test"], protocol);
        let (run, url) = trusting(&bed, &ca, &server);
        let verdict = send(run, &[&format!("{url}/hello"), "--times", "2", "--show"]);
        verdict.worked("text hello");
        let target = format!("GET {url}/hello");
        assert_eq!(verdict.allowed(), [&*target, &*target]);
        for seen in server.seen() {
            assert_eq!(seen.server_name.as_deref(), Some("secure.test"));
            assert_eq!(seen.connection, 0);
            let host = format!("secure.test:{}", server.port());
            match protocol {
                TlsProtocol::Http1 => assert_eq!(seen.header("host"), Some(host.as_str())),
                TlsProtocol::Http2 => assert_eq!(seen.target, format!("https://{host}/hello")),
            }
        }
        let (run, url) = trusting(&bed, &ca, &server);
        let echo = format!("{url}/count");
        let words = [&*echo, "--method", "POST", "--body-bytes", "3000000", "--show"];
        send(run, &words).worked("text 3000000");
        let (run, url) = trusting(&bed, &ca, &server);
        let big = format!("{url}/big/5000000");
        send(run, &[&big]).worked("body 5000000 bytes");
        let (run, url) = trusting(&bed, &ca, &server);
        let trailers = format!("{url}/trailers");
        send(run, &[&trailers, "-H", "te:trailers"]).worked("trailer x-checksum: 42");
    }
}

#[test]
fn a_certificate_for_another_name_or_by_a_stranger_is_refused() {
    let (bed, ca) = (Bed::new(), TestCa::new());
    let stranger = TestCa::new();
    let servers = [
        HttpServer::start_tls(&ca, &["other.test"], TlsProtocol::Http1),
        HttpServer::start_tls(&stranger, &["secure.test"], TlsProtocol::Http2),
        HttpServer::start_tls(&ca, &["127.0.0.1"], TlsProtocol::Http1),
    ];
    for server in servers {
        let (run, url) = trusting(&bed, &ca, &server);
        let verdict = send(run, &[&format!("{url}/hello")]);
        verdict.denied(&[]).failed("error TLS-certificate-error");
        assert_eq!(verdict.allowed(), [format!("GET {url}/hello")]);
        assert!(server.seen().is_empty());
    }
    let good = HttpServer::start_tls(&ca, &["secure.test"], TlsProtocol::Http1);
    let (run, url) = trusting(&bed, &ca, &good);
    send(run, &[&format!("{url}/hello")]).worked("status 200");
}

#[test]
fn an_authority_that_the_operator_did_not_name_is_not_trusted() {
    let (bed, ca) = (Bed::new(), TestCa::new());
    let server = HttpServer::start_tls(&ca, &["secure.test"], TlsProtocol::Http1);
    bed.dns.answer("secure.test", &["127.0.0.1"]);
    let url = format!("https://secure.test:{}/hello", server.port());
    let run = bed.with(&[&format!("GET {url}")]).args(&["--dangerous-loopback"]);
    send(run, &[&url]).denied(&[]).failed("error TLS-certificate-error");
    assert!(server.seen().is_empty());
}

#[test]
fn a_server_without_tls_is_not_talked_to() {
    let bed = Bed::new();
    let url = bed.url("/hello").replace("http:", "https:");
    let run = bed.with(&[&format!("GET {url}")]).args(&["--dangerous-loopback"]);
    send(run, &[&url]).denied(&[]).failed("error TLS-protocol-error");
    assert!(bed.server.seen().is_empty());
    bed.still_works();
}

/// One certificate and one address for both names, as fronting needs it: each request still says
/// the name that was decided, and no connection serves two.
#[test]
fn two_names_at_one_address_are_two_places() {
    let (bed, ca) = (Bed::new(), TestCa::new());
    let server = HttpServer::start_tls(&ca, &["secure.test", "other.test"], TlsProtocol::Http2);
    bed.dns.answer("other.test", &["127.0.0.1"]);
    let other = format!("https://other.test:{}/hello", server.port());
    let (run, url) = trusting(&bed, &ca, &server);
    send(run, &[&other]).denied(&[("D0101", &format!("GET {other}"))]).failed("error ");
    let (run, _) = trusting(&bed, &ca, &server);
    let fronted = format!("{url}/hello");
    let verdict = send(run, &[&fronted, "-H", "host:other.test"]);
    verdict.denied(&[("D0106", "header host")]).failed("error ");
    assert!(server.seen().is_empty());
    let (run, _) = trusting(&bed, &ca, &server);
    send(run, &[&fronted]).worked("status 200");
}
