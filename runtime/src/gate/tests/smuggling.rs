//! Upstreams whose responses two parsers would read differently, and requests that try the same.

use super::bed::{Bed, Honest, request, rule, with_body};
use http::Method;
use writ_broker::ask::Scheme;
use writ_test_support::{RawServer, Then};

/// Asks a server that sends these bytes, and expects the gate to refuse them.
async fn refused(what: &str, bytes: &str, case: &str) {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let raw = RawServer::start(bytes, Then::Close);
    bed.dns.answer("raw.test", &["127.0.0.1"]);
    let mut grant = honest.grant();
    grant.http.push(rule(Scheme::Http, "raw.test", raw.address().port()));
    let mut worker = bed.task(grant).await;

    let answer = worker.get(&format!("http://raw.test:{}/", raw.address().port())).await;

    assert_eq!(answer.gate_error(), Some(case), "{what}: {answer:?}");
    assert!(!answer.text().contains("smuggled"), "{what}");
    assert_eq!(worker.codes(), ["ok"], "{what}");
    honest.still_works(&mut worker).await;
}

#[tokio::test]
async fn a_folded_header_line_is_refused() {
    let bytes = "HTTP/1.1 200 OK\r\nx-a: 1\r\n folded\r\ncontent-length: 0\r\n\r\n";
    refused("obs-fold", bytes, "HTTP-protocol-error").await;
}

#[tokio::test]
async fn two_different_lengths_are_refused() {
    let bytes = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 40\r\n\r\nok";
    refused("duplicate content-length", bytes, "HTTP-protocol-error").await;
}

#[tokio::test]
async fn a_length_that_is_no_number_is_refused() {
    let bytes = "HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok";
    refused("signed content-length", bytes, "HTTP-protocol-error").await;
}

#[tokio::test]
async fn a_switch_of_protocols_is_refused() {
    let bytes = "HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n";
    refused("101", bytes, "HTTP-upgrade-failed").await;
}

#[tokio::test]
async fn what_is_not_http_is_refused() {
    refused("ssh", "SSH-2.0-OpenSSH_9.9\r\n\r\n", "HTTP-protocol-error").await;
}

#[tokio::test]
async fn a_body_that_ends_early_is_not_taken_for_whole() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let short =
        RawServer::start("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort", Then::Close);
    bed.dns.answer("short.test", &["127.0.0.1"]);
    let mut grant = honest.grant();
    grant.http.push(rule(Scheme::Http, "short.test", short.address().port()));
    let mut worker = bed.task(grant).await;

    let answer = worker.get(&format!("http://short.test:{}/", short.address().port())).await;

    assert_eq!(answer.broken, Some(crate::wire::egress::RESET_INCOMPLETE), "{answer:?}");
    assert_eq!(worker.codes(), ["ok"]);
    honest.still_works(&mut worker).await;
}

#[tokio::test]
async fn a_response_with_both_framings_is_not_read_twice() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    // By its chunks the body is `ok`; by its length it would reach into a second response.
    let both = RawServer::start(
        "HTTP/1.1 200 OK\r\ncontent-length: 90\r\ntransfer-encoding: chunked\r\n\r\n\
         2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nsmuggled",
        Then::Hold,
    );
    bed.dns.answer("both.test", &["127.0.0.1"]);
    let mut grant = honest.grant();
    grant.http.push(rule(Scheme::Http, "both.test", both.address().port()));
    let mut worker = bed.task(grant).await;
    let url = format!("http://both.test:{}/", both.address().port());

    let first = worker.get(&url).await;
    assert!(first.text() == "ok" || first.gate_error().is_some(), "{first:?}");
    let second = worker.get(&url).await;

    assert_ne!(second.text(), "smuggled", "{second:?}");
    assert_eq!(both.accepted(), 2, "a connection with bytes left over is not used again");
    assert_eq!(worker.codes(), ["ok", "ok"]);
    honest.still_works(&mut worker).await;
}

#[tokio::test]
async fn a_body_that_looks_like_a_request_stays_a_body() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = bed.task(honest.grant()).await;

    let inner = "GET /smuggled HTTP/1.1\r\nhost: honest.test\r\n\r\n";
    let get = with_body(request(Method::GET, &honest.url("/echo")), inner);
    assert_eq!(worker.send(get).await.text(), inner);
    honest.still_works(&mut worker).await;

    let targets: Vec<String> = honest.server.seen().into_iter().map(|seen| seen.target).collect();
    assert_eq!(targets, ["/echo", "/hello"]);
    assert_eq!(worker.codes(), ["ok", "ok"]);
}
