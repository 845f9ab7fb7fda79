//! Ordinary requests: what goes through, and how.

use super::bed::{Answer, Bed, Honest, request, with_body, with_field};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use http_body::Frame;
use http_body_util::BodyExt;

#[tokio::test]
async fn an_allowed_request_reaches_the_named_server_and_is_recorded_once() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = bed.task(honest.grant()).await;

    let answer = worker.get(&honest.url("/hello?a=b")).await;

    assert_eq!((answer.status, answer.text()), (200, "hello"));
    let records = worker.records();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].what, "http");
    assert_eq!(records[0].target, format!("GET {}/hello?a=b", honest.origin));
    assert_eq!(records[0].refusal, None);
    let seen = honest.server.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].target, "/hello?a=b");
    assert_eq!(seen[0].header("host"), honest.origin.strip_prefix("http://"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gate_works_on_many_threads() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = bed.task(honest.grant()).await;
    honest.still_works(&mut worker).await;
}

#[tokio::test]
async fn a_body_goes_both_ways_with_its_length() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = bed.task(honest.grant()).await;

    let post = with_body(request(Method::POST, &honest.url("/echo")), vec![b'x'; 300_000]);
    let answer = worker.send(post).await;

    assert_eq!(answer.body.len(), 300_000);
    assert_eq!(honest.server.seen()[0].header("content-length"), Some("300000"));
}

#[tokio::test]
async fn the_response_begins_while_the_request_body_is_still_open() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = bed.task(honest.grant()).await;
    let (pieces, body) = by_hand();
    let mut post = request(Method::POST, &honest.url("/echo"));
    *post.body_mut() = body;

    let mut response = worker.start(post).await;
    for word in ["one", "two", "three"] {
        pieces.send(word).await.unwrap();
        let echoed = response.body_mut().frame().await.unwrap().unwrap();
        assert_eq!(echoed.into_data().unwrap(), word);
    }
    drop(pieces);
    let rest = Answer::read(response).await;
    assert!(rest.body.is_empty() && rest.broken.is_none(), "{rest:?}");
}

/// A body of unknown length, as one must be that has trailers over HTTP/1.
fn frames<const N: usize>(frames: [Frame<Bytes>; N]) -> super::bed::Sent {
    let stream = futures_util::stream::iter(frames.map(Ok));
    http_body_util::StreamBody::new(stream).boxed_unsync()
}

/// A body whose pieces are sent by hand.
fn by_hand() -> (tokio::sync::mpsc::Sender<&'static str>, super::bed::Sent) {
    let (send, mut receive) = tokio::sync::mpsc::channel::<&'static str>(1);
    let frames = futures_util::stream::poll_fn(move |cx| {
        receive.poll_recv(cx).map(|piece| piece.map(|text| Ok(http_body::Frame::data(text.into()))))
    });
    (send, http_body_util::StreamBody::new(frames).boxed_unsync())
}

#[tokio::test]
async fn trailers_pass_both_ways_without_what_only_the_gate_may_say() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = bed.task(honest.grant()).await;

    let asked = with_field(request(Method::GET, &honest.url("/trailers")), "te", "trailers");
    let answer = worker.send(asked).await;
    let trailers = answer.trailers.unwrap();
    assert_eq!(trailers.get("x-checksum").unwrap(), "42");
    assert_eq!(trailers.get("writ-gate-error"), None);

    let mut fields = HeaderMap::new();
    fields.insert("x-digest", HeaderValue::from_static("7"));
    fields.insert("authorization", HeaderValue::from_static("Bearer smuggled"));
    let mut post = request(Method::POST, &honest.url("/echo"));
    *post.body_mut() = frames([Frame::data("content".into()), Frame::trailers(fields)]);
    let post = with_field(post, "trailer", "x-digest, authorization");
    let post = with_field(post, "te", "trailers");
    let echoed = worker.send(post).await.trailers.unwrap();
    assert_eq!(echoed.get("x-digest").unwrap(), "7");
    assert_eq!(echoed.get("authorization"), None);
}

#[tokio::test]
async fn requests_to_one_origin_share_a_connection_and_one_look_up() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = bed.task(honest.grant()).await;

    for _ in 0..3 {
        honest.still_works(&mut worker).await;
    }

    assert!(honest.server.seen().iter().all(|seen| seen.connection == 0));
    assert_eq!(bed.dns.queries().len(), 2, "one query each for A and AAAA");
}

#[tokio::test]
async fn a_connection_that_closed_while_it_waited_is_replaced() {
    let bed = Bed::new();
    let once = writ_test_support::RawServer::start(
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        writ_test_support::Then::Close,
    );
    bed.dns.answer("once.test", &["127.0.0.1"]);
    let port = once.address().port();
    let grant = super::bed::http_grant(&[(writ_broker::ask::Scheme::Http, "once.test", port)]);
    let mut worker = bed.task(grant).await;

    for turn in 1..=3 {
        let answer = worker.get(&format!("http://once.test:{port}/")).await;
        assert_eq!((answer.status, answer.text()), (200, "ok"), "{answer:?}");
        super::bed::eventually("the server closed", || once.ended() == turn).await;
    }
    assert_eq!(once.accepted(), 3);
    assert_eq!(worker.codes(), ["ok", "ok", "ok"]);
}

#[tokio::test]
async fn a_head_response_keeps_its_length_and_has_no_body() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = bed.task(honest.grant()).await;

    let answer = worker.send(request(Method::HEAD, &honest.url("/big/1000"))).await;
    assert_eq!(answer.headers.get("content-length").unwrap(), "1000");
    assert!(answer.body.is_empty());
    honest.still_works(&mut worker).await;
}

#[tokio::test]
async fn informational_responses_are_skipped() {
    let bed = Bed::new();
    let early = writ_test_support::RawServer::start(
        "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n\
         HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        writ_test_support::Then::Close,
    );
    bed.dns.answer("early.test", &["127.0.0.1"]);
    let port = early.address().port();
    let grant = super::bed::http_grant(&[(writ_broker::ask::Scheme::Http, "early.test", port)]);
    let mut worker = bed.task(grant).await;

    let answer = worker.get(&format!("http://early.test:{port}/")).await;
    assert_eq!((answer.status, answer.text()), (200, "ok"));
}

#[tokio::test]
async fn what_was_used_is_counted() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = bed.task(honest.grant()).await;

    worker.send(with_body(request(Method::POST, &honest.url("/echo")), vec![b'x'; 10_000])).await;
    worker.get("http://elsewhere.test/").await;

    let usage = worker.link.usage();
    assert_eq!(usage.http_requests, 1, "a refused request uses nothing");
    assert!((10_000..11_000).contains(&usage.bytes_out), "{usage:?}");
    assert!((10_000..11_000).contains(&usage.bytes_in), "{usage:?}");
}

#[tokio::test]
async fn an_upstream_that_refuses_the_connection_is_told_as_such() {
    let bed = Bed::new();
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    bed.dns.answer("gone.test", &["127.0.0.1"]);
    let grant = super::bed::http_grant(&[(writ_broker::ask::Scheme::Http, "gone.test", gone)]);
    let mut worker = bed.task(grant).await;

    let answer = worker.get(&format!("http://gone.test:{gone}/")).await;
    assert_eq!(answer.gate_error(), Some("connection-refused"));
    assert_eq!(answer.code(), None, "it was allowed");
    assert_eq!(worker.codes(), ["ok"]);
}

#[tokio::test]
async fn nothing_leaves_for_the_upstream_before_the_record_is_made() {
    let bed = Bed::new();
    let upstream = writ_test_support::RawServer::start(
        "HTTP/1.1 204 No Content\r\n\r\n",
        writ_test_support::Then::Close,
    );
    bed.dns.answer("one.test", &["127.0.0.1"]);
    let port = upstream.address().port();
    let grant = super::bed::http_grant(&[(writ_broker::ask::Scheme::Http, "one.test", port)]);
    let mut worker = bed.task(grant).await;
    let url = format!("http://one.test:{port}/");

    worker.break_the_next_record();
    assert!(worker.get(&url).await.broken.is_some(), "a decision that is not recorded is no yes");
    assert_eq!(worker.get(&url).await.status, 204);

    assert_eq!(upstream.accepted(), 1);
    assert_eq!(worker.codes(), ["ok"]);
}
