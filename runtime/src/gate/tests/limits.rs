//! The bounds of a task: each is held, told to the guest, and told to the host once.

use super::bed::{Answer, Bed, Honest, limited, request, rule, with_body, with_field};
use crate::outcome::LimitName;
use crate::wire::egress as wire;
use http::Method;
use http_body_util::BodyExt;
use writ_broker::ask::Scheme;
use writ_test_support::{RawServer, Then};

#[tokio::test]
async fn a_response_over_bytes_in_is_broken_off() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let grant = limited(honest.grant(), |limits| limits.bytes_in = 1 << 20);
    let mut worker = bed.task(grant).await;

    honest.still_works(&mut worker).await;
    let answer = worker.get(&honest.url("/big/10000000")).await;

    assert_eq!(answer.broken, Some(wire::RESET_OVER_LIMIT));
    assert!(answer.body.len() <= 1 << 20);
    assert_eq!(worker.limits_hit(), [LimitName::BytesIn]);
    assert!(worker.link.usage().bytes_in <= 1 << 20);
    assert_eq!(worker.codes(), ["ok", "ok"]);

    // Another task is not touched by it.
    honest.still_works(&mut bed.task(honest.grant()).await).await;
}

#[tokio::test]
async fn bytes_in_is_a_sum_over_the_task() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let grant = limited(honest.grant(), |limits| limits.bytes_in = 100_000);
    let mut worker = bed.task(grant).await;

    assert_eq!(worker.get(&honest.url("/big/60000")).await.broken, None);
    let second = worker.get(&honest.url("/big/60000")).await;

    assert_eq!(second.broken, Some(wire::RESET_OVER_LIMIT));
    assert_eq!(worker.limits_hit(), [LimitName::BytesIn]);
}

#[tokio::test]
async fn a_request_over_bytes_out_is_broken_off_before_the_excess_leaves() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let grant = limited(honest.grant(), |limits| limits.bytes_out = 100_000);
    let mut worker = bed.task(grant).await;

    honest.still_works(&mut worker).await;
    let post = with_body(request(Method::POST, &honest.url("/count")), vec![b'x'; 1_000_000]);
    let answer = worker.send(post).await;

    assert_eq!(answer.gate_error(), Some("HTTP-request-body-size"), "{answer:?}");
    assert_eq!(worker.limits_hit(), [LimitName::BytesOut]);
    assert!(worker.link.usage().bytes_out <= 100_000);
    honest.still_works(&mut bed.task(honest.grant()).await).await;
}

#[tokio::test]
async fn requests_are_counted_whether_allowed_or_not() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let grant = limited(honest.grant(), |limits| limits.http_requests = 3);
    let mut worker = bed.task(grant).await;

    honest.still_works(&mut worker).await;
    worker.get("http://elsewhere.test/").await;
    honest.still_works(&mut worker).await;
    for _ in 0..3 {
        let answer = worker.get(&honest.url("/hello")).await;
        assert_eq!(answer.gate_error(), Some("HTTP-request-denied"));
    }

    assert_eq!(worker.limits_hit(), [LimitName::HttpRequests], "told once");
    assert_eq!(worker.codes(), ["ok", "D0101", "ok"]);
    assert_eq!(worker.link.usage().http_requests, 2);
}

#[tokio::test]
async fn an_upstream_that_never_answers_is_bounded() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let grant = limited(honest.grant(), |limits| limits.http_ms = 300);
    let mut worker = bed.task(grant).await;

    honest.still_works(&mut worker).await;
    let answer = worker.get(&honest.url("/never")).await;

    assert_eq!(answer.gate_error(), Some("HTTP-response-timeout"));
    assert_eq!(worker.limits_hit(), [LimitName::HttpTime]);
    assert_eq!(worker.codes(), ["ok", "ok"]);
}

#[tokio::test]
async fn an_upstream_that_stops_in_the_middle_is_bounded() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let grant = limited(honest.grant(), |limits| limits.http_ms = 300);
    let mut worker = bed.task(grant).await;

    let answer = worker.get(&honest.url("/stall")).await;

    assert_eq!((answer.status, answer.text()), (200, "a"));
    assert_eq!(answer.broken, Some(wire::RESET_TIMEOUT));
    assert_eq!(worker.limits_hit(), [LimitName::HttpTime]);
}

#[tokio::test]
async fn an_upstream_that_drips_its_header_is_bounded() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let slow = RawServer::start("HTTP/1.1 200 OK\r\nx-slow: ", Then::Hold);
    bed.dns.answer("slow.test", &["127.0.0.1"]);
    let mut grant = limited(honest.grant(), |limits| limits.http_ms = 300);
    grant.http.push(rule(Scheme::Http, "slow.test", slow.address().port()));
    let mut worker = bed.task(grant).await;

    honest.still_works(&mut worker).await;
    let answer = worker.get(&format!("http://slow.test:{}/", slow.address().port())).await;

    assert_eq!(answer.gate_error(), Some("HTTP-response-timeout"));
    assert_eq!(worker.limits_hit(), [LimitName::HttpTime]);
}

#[tokio::test]
async fn the_upstream_is_closed_in_time_even_if_the_guest_does_not_read() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let endless = RawServer::start(
        "HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n",
        Then::Repeat(vec![b'x'; 64 << 10]),
    );
    bed.dns.answer("endless.test", &["127.0.0.1"]);
    let mut grant = limited(honest.grant(), |limits| limits.http_ms = 300);
    grant.http.push(rule(Scheme::Http, "endless.test", endless.address().port()));
    let mut worker = bed.task(grant).await;

    let url = format!("http://endless.test:{}/", endless.address().port());
    let unread = worker.start(request(Method::GET, &url)).await;
    while endless.ended() == 0 {
        tokio::task::yield_now().await;
    }

    assert_eq!(worker.limits_hit(), [LimitName::HttpTime]);
    assert!(worker.link.usage().bytes_in < 16 << 20, "{:?}", worker.link.usage());
    drop(unread);
    honest.still_works(&mut bed.task(honest.grant()).await).await;
}

#[tokio::test]
async fn huge_and_endless_headers_are_bounded() {
    let one = format!("HTTP/1.1 200 OK\r\nx-huge: {}\r\n\r\n", "x".repeat(64 << 10));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x-many: 12345678\r\n".repeat(4000));
    let cases = [
        (one.into_bytes(), Then::Close),
        (many.into_bytes(), Then::Close),
        (b"HTTP/1.1 200 OK\r\nx-endless: ".to_vec(), Then::Repeat(vec![b'x'; 8 << 10])),
        (b"HTTP/1.1 200 OK\r\n".to_vec(), Then::Repeat(b"x-endless: 1\r\n".to_vec())),
    ];
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    bed.dns.answer("huge.test", &["127.0.0.1"]);
    for (at, (bytes, then)) in cases.into_iter().enumerate() {
        let huge = RawServer::start(bytes, then);
        let mut grant = honest.grant();
        grant.http.push(rule(Scheme::Http, "huge.test", huge.address().port()));
        let mut worker = bed.task(grant).await;

        honest.still_works(&mut worker).await;
        let answer = worker.get(&format!("http://huge.test:{}/", huge.address().port())).await;
        let case = answer.gate_error();
        assert_eq!(case, Some("HTTP-response-header-section-size"), "case {at}: {answer:?}");
        assert_eq!(worker.limits_hit(), [LimitName::HeaderBytes], "case {at}");
        assert_eq!(worker.codes(), ["ok", "ok"]);
    }
}

#[tokio::test]
async fn a_request_with_huge_headers_is_bounded() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = bed.task(honest.grant()).await;

    honest.still_works(&mut worker).await;
    let value = "x".repeat(40 << 10);
    let asked = with_field(request(Method::GET, &honest.url("/hello")), "x-huge", &value);
    let answer = worker.send(asked).await;

    assert_eq!(answer.gate_error(), Some("HTTP-request-header-section-size"), "{answer:?}");
    assert_eq!(worker.limits_hit(), [LimitName::HeaderBytes]);
    assert_eq!(honest.server.seen().len(), 1);
}

#[tokio::test]
async fn a_guest_that_does_not_read_holds_little_of_a_big_body() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let grant = limited(honest.grant(), |limits| limits.bytes_in = 1 << 30);
    let mut worker = bed.task(grant).await;

    let mut response = worker.start(request(Method::GET, &honest.url("/big/500000000"))).await;
    honest.still_works(&mut worker).await;
    let held = worker.link.usage().bytes_in;
    assert!(held < 8 << 20, "{held} bytes were taken from the upstream");

    assert!(response.body_mut().frame().await.is_some());
    drop(response);
    honest.still_works(&mut worker).await;
    drop(Answer::read(worker.start(request(Method::GET, &honest.url("/hello"))).await).await);
}
