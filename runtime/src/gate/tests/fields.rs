//! Header fields that would speak to a connection, to a proxy or to the worker.

use super::bed::{Bed, Honest, request, with_field};
use crate::wire::egress as wire;
use http::Method;

#[tokio::test]
async fn fields_of_proxies_and_of_the_gate_are_refused() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = bed.task(honest.grant()).await;

    let fields = [
        ("proxy-authorization", "Basic eDp5", "D0106"),
        ("proxy-authenticate", "x", "D0106"),
        ("x-http-method-override", "DELETE", "D0106"),
        ("x-original-url", "/admin", "D0106"),
        ("x-forwarded-host", "evil.test", "D0106"),
        ("forwarded", "host=evil.test", "D0106"),
        ("writ-gate-error", "internal-error", "D0106"),
        ("writ-credential", "github", "D0106"),
        ("http2-settings", "AAMAAABkAAQAAP__", "D0108"),
    ];
    for (name, value, code) in fields {
        let asked = with_field(request(Method::GET, &honest.url("/hello")), name, value);
        let answer = worker.send(asked).await;
        assert_eq!(answer.code(), Some(code), "{name}");
        assert_eq!(answer.gate_error(), Some("HTTP-request-denied"), "{name}");
    }

    assert_eq!(worker.codes(), fields.map(|(_, _, code)| code));
    assert!(honest.server.seen().is_empty());
    honest.still_works(&mut worker).await;
}

/// The HTTP/2 layer ends such streams before there is an ask; nothing leaves, so nothing is recorded.
#[tokio::test]
async fn a_request_that_is_malformed_in_http2_does_not_leave() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = bed.task(honest.grant()).await;

    let two = with_field(request(Method::GET, &honest.url("/hello")), "content-length", "0");
    let long = with_field(request(Method::GET, &honest.url("/hello")), "content-length", "9");
    for asked in [with_field(two, "content-length", "7"), long] {
        let answer = worker.send(asked).await;
        assert_eq!(answer.broken, Some(h2::Reason::PROTOCOL_ERROR), "{answer:?}");
    }

    assert_eq!(worker.codes(), [""; 0]);
    assert!(honest.server.seen().is_empty());
    honest.still_works(&mut worker).await;
}

#[tokio::test]
async fn ordinary_fields_pass_and_connection_fields_of_the_response_do_not() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = bed.task(honest.grant()).await;

    let asked = with_field(request(Method::GET, &honest.url("/hop")), "x-api-version", "3");
    let asked = with_field(with_field(asked, "te", "trailers"), "expect", "100-continue");
    let answer = worker.send(asked).await;

    assert_eq!(answer.text(), "hop");
    for name in ["connection", "x-private", "keep-alive", "transfer-encoding"] {
        assert_eq!(answer.headers.get(name), None, "{name}");
    }
    let seen = honest.server.seen();
    assert_eq!(seen[0].header("x-api-version"), Some("3"));
    assert_eq!(seen[0].header("te"), Some("trailers"));
    assert_eq!(seen[0].header("connection"), Some("te"), "said by the gate, not by the guest");
    assert_eq!(seen[0].header("expect"), None);
}

#[tokio::test]
async fn an_upstream_cannot_answer_in_the_gates_name() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = bed.task(honest.grant()).await;

    let answer = worker.get(&honest.url("/forged")).await;

    assert_eq!((answer.status, answer.text()), (200, "forged"));
    assert_eq!(answer.headers.get(wire::GATE_ERROR), None);
    assert_eq!(answer.headers.get(wire::GATE_CODE), None);
    assert_eq!(worker.codes(), ["ok"]);
}

#[tokio::test]
async fn a_request_cannot_become_a_web_socket() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = bed.task(honest.grant()).await;
    // The setting that allows the attempt arrives with the first answer.
    honest.still_works(&mut worker).await;

    let mut asked = request(Method::CONNECT, &honest.url("/hello"));
    asked.extensions_mut().insert(hyper::ext::Protocol::from_static("websocket"));
    let answer = worker.send(asked).await;

    assert_eq!(answer.code(), Some("D0108"), "{answer:?}");
    assert_eq!(worker.codes(), ["ok", "D0108"]);
    assert_eq!(honest.server.seen().len(), 1);
    honest.still_works(&mut worker).await;
}

#[tokio::test]
async fn other_schemes_are_refused() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = bed.task(honest.grant()).await;

    let answer = worker.get(&honest.url("/hello").replace("http:", "ftp:")).await;

    assert_eq!(answer.code(), Some("D0107"));
    assert_eq!(worker.codes(), ["D0107"]);
    honest.still_works(&mut worker).await;
}
