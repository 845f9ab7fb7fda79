//! TLS upstreams: whom they must be, and what they see.

use super::bed::{Bed, Honest, http_grant, request, rule, with_body};
use http::Method;
use writ_broker::ask::Scheme;
use writ_test_support::{HttpServer, TestCa, TlsProtocol};

#[tokio::test]
async fn the_decided_name_is_what_tls_and_http_ask_for() {
    for protocol in [TlsProtocol::Http1, TlsProtocol::Http2] {
        let bed = Bed::new();
        let server = HttpServer::start_tls(&bed.ca, &["secure.test"], protocol);
        bed.dns.answer("secure.test", &["127.0.0.1"]);
        let port = server.port();
        let mut worker = bed.task(http_grant(&[(Scheme::Https, "secure.test", port)])).await;

        for _ in 0..2 {
            let answer = worker.get(&format!("https://Secure.Test:{port}/hello")).await;
            assert_eq!((answer.status, answer.text()), (200, "hello"), "{protocol:?}: {answer:?}");
        }

        let decided = format!("secure.test:{port}");
        for seen in server.seen() {
            assert_eq!(seen.server_name.as_deref(), Some("secure.test"));
            assert_eq!(seen.connection, 0);
            match protocol {
                TlsProtocol::Http1 => assert_eq!(seen.header("host"), Some(decided.as_str())),
                TlsProtocol::Http2 => {
                    assert_eq!(seen.target, format!("https://{decided}/hello"));
                    assert_eq!(seen.version, "HTTP/2.0");
                }
            }
        }
        assert_eq!(worker.codes(), ["ok", "ok"]);
    }
}

#[tokio::test]
async fn bodies_and_trailers_pass_over_http2_upstreams() {
    let bed = Bed::new();
    let server = HttpServer::start_tls(&bed.ca, &["secure.test"], TlsProtocol::Http2);
    bed.dns.answer("secure.test", &["127.0.0.1"]);
    let origin = format!("https://secure.test:{}", server.port());
    let mut worker = bed.task(http_grant(&[(Scheme::Https, "secure.test", server.port())])).await;

    let post = with_body(request(Method::POST, &format!("{origin}/echo")), vec![b'x'; 3_000_000]);
    assert_eq!(worker.send(post).await.body.len(), 3_000_000);
    let trailers = worker.get(&format!("{origin}/trailers")).await.trailers.unwrap();
    assert_eq!(trailers.get("x-checksum").unwrap(), "42");
    assert_eq!(trailers.get("writ-gate-error"), None);
}

#[tokio::test]
async fn a_server_with_another_certificate_is_refused() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    bed.dns.answer("secure.test", &["127.0.0.1"]);
    let stranger = TestCa::new();
    let servers = [
        HttpServer::start_tls(&bed.ca, &["other.test"], TlsProtocol::Http1),
        HttpServer::start_tls(&stranger, &["secure.test"], TlsProtocol::Http1),
        HttpServer::start_tls(&bed.ca, &["127.0.0.1"], TlsProtocol::Http1),
    ];
    for server in servers {
        let mut grant = honest.grant();
        grant.http.push(rule(Scheme::Https, "secure.test", server.port()));
        let mut worker = bed.task(grant).await;

        let answer = worker.get(&format!("https://secure.test:{}/hello", server.port())).await;

        assert_eq!(answer.gate_error(), Some("TLS-certificate-error"), "{answer:?}");
        assert!(server.seen().is_empty());
        assert_eq!(worker.codes(), ["ok"]);
        honest.still_works(&mut worker).await;
    }
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_refused() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut grant = honest.grant();
    grant.http.push(rule(Scheme::Https, "honest.test", honest.server.port()));
    let mut worker = bed.task(grant).await;

    let answer = worker.get(&honest.url("/hello").replace("http:", "https:")).await;
    assert_eq!(answer.gate_error(), Some("TLS-protocol-error"), "{answer:?}");
    assert!(honest.server.seen().is_empty());
    honest.still_works(&mut worker).await;
}

#[tokio::test]
async fn two_names_at_one_address_do_not_share_a_connection() {
    let bed = Bed::new();
    let server = HttpServer::start_tls(&bed.ca, &["one.test", "two.test"], TlsProtocol::Http2);
    bed.dns.answer("one.test", &["127.0.0.1"]);
    bed.dns.answer("two.test", &["127.0.0.1"]);
    let port = server.port();
    let rules = [(Scheme::Https, "one.test", port), (Scheme::Https, "two.test", port)];
    let mut worker = bed.task(http_grant(&rules)).await;

    for name in ["one.test", "two.test"] {
        assert_eq!(worker.get(&format!("https://{name}:{port}/hello")).await.status, 200);
    }

    let seen = server.seen();
    assert_eq!((seen[0].connection, seen[1].connection), (0, 1));
    assert_eq!(seen[0].server_name.as_deref(), Some("one.test"));
    assert_eq!(seen[1].server_name.as_deref(), Some("two.test"));
}

#[test]
fn a_file_without_certificates_is_refused_at_once() {
    use crate::gate::{Gate, GateError, GateSettings};
    let file = tempfile::NamedTempFile::new().unwrap();
    let extra_ca = vec![file.path().to_owned()];
    let made = Gate::new(GateSettings { extra_ca, ..GateSettings::default() });
    assert!(matches!(made, Err(GateError::NoCertificate { .. })));
    let extra_ca = vec!["/nowhere/ca.pem".into()];
    let made = Gate::new(GateSettings { extra_ca, ..GateSettings::default() });
    assert!(matches!(made, Err(GateError::ExtraCa { .. })));
}
