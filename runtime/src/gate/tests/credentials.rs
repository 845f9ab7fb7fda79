//! Credentials that the host puts into requests, and what the guest can see of them.

use super::bed::{
    Answer, Bed, Honest, Worker, carrying, http_grant, request, rule, with_body, with_field,
};
use crate::injection::Injection;
use crate::scrub::Patterns;
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, Method};
use http_body::Frame;
use http_body_util::BodyExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use writ_broker::Grant;
use writ_broker::ask::Scheme;
use writ_broker::pattern::PathPattern;
use writ_test_support::{HttpServer, TlsProtocol};

const SECRET: &str = "s3cr3t/of+the~operator=42";
const FORMS: [&str; 7] = ["plain", "base64", "base64url", "hex", "HEX", "percent", "PERCENT"];
const PLACES: [&str; 5] = ["bearer", "header:x-api-key", "query:key", "basic:me", "dpop"];

/// A task whose requests to the honest server carry a secret.
async fn carrier(bed: &Bed, honest: &Honest, place: &str) -> Worker {
    let grant = carrying(Grant::default(), honest.rule(), "api", place);
    let worker = bed.task(grant).await;
    worker.has("api", place, SECRET);
    worker
}

/// Asserts that no byte of an answer gives the secret away.
#[track_caller]
fn keeps(answer: &Answer, what: &str) {
    let pair = format!("me:{SECRET}");
    let on_the_wire = [&STANDARD.encode(&pair), "s3cr3t%2Fof%2Bthe~operator%3D42"];
    let secrets = [SECRET, on_the_wire[0], on_the_wire[1], "proof.with.without-a-nonce"];
    let secrets = secrets.map(Secret::new);
    let patterns = Arc::new(Patterns::new(&secrets).unwrap());
    let mut all = vec![answer.body.to_vec()];
    for fields in [Some(&answer.headers), answer.trailers.as_ref()].into_iter().flatten() {
        all.extend(
            fields
                .iter()
                .map(|(name, value)| [name.as_str().as_bytes(), value.as_bytes()].concat()),
        );
    }
    for text in all {
        let mut found = HeaderMap::new();
        found.insert("x", http::HeaderValue::from_bytes(&text).unwrap());
        patterns.scrub_fields(&mut found);
        assert_eq!(found["x"].as_bytes(), &text[..], "{what}: {}", String::from_utf8_lossy(&text));
    }
}

#[tokio::test]
async fn each_place_is_filled_in_and_comes_back_in_no_form() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    for place in PLACES {
        let mut worker = carrier(&bed, &honest, place).await;
        for form in FORMS {
            let asked = request(Method::GET, &honest.url(&format!("/reflect/{form}/40?a=b")));
            let answer = worker.send(with_field(asked, "te", "trailers")).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert!(answer.trailers.is_some(), "{answer:?}");
            assert_eq!(answer.body, answer.headers["x-reflected"].as_bytes());
            assert!(String::from_utf8_lossy(&answer.body).contains("***"), "{answer:?}");
            keeps(&answer, &format!("{place} {form}"));
        }
        assert_eq!(worker.codes(), FORMS.map(|_| "ok"));
        assert!(worker.records().iter().all(|record| record.target.ends_with("/40?a=b")));
    }
    let sent: Vec<_> = honest.server.seen().iter().step_by(FORMS.len()).cloned().collect();
    assert_eq!(sent[0].header("authorization"), Some(&*format!("Bearer {SECRET}")));
    assert_eq!(sent[1].header("x-api-key"), Some(SECRET));
    assert_eq!(sent[2].target, "/reflect/plain/40?a=b&key=s3cr3t%2Fof%2Bthe~operator%3D42");
    let pair = STANDARD.encode(format!("me:{SECRET}"));
    assert_eq!(sent[3].header("authorization"), Some(&*format!("Basic {pair}")));
    assert_eq!(sent[4].header("authorization"), Some(&*format!("DPoP {SECRET}")));
    assert_eq!(sent[4].header("dpop"), Some("proof.with.without-a-nonce"));
    assert!(sent.iter().all(|seen| seen.header("accept-encoding") == Some("identity")));
}

#[tokio::test]
async fn a_secret_is_found_wherever_a_body_is_cut() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    for form in ["plain", "base64", "percent"] {
        let mut worker = carrier(&bed, &honest, "bearer").await;
        for cut in (0..90).chain([200, 400]) {
            let answer = worker.get(&honest.url(&format!("/reflect/{form}/{cut}"))).await;
            assert_eq!(answer.status, 200);
            keeps(&answer, &format!("{form} cut at {cut}"));
        }
    }
}

#[tokio::test]
async fn secrets_stay_here_over_tls_with_either_version() {
    let bed = Bed::new();
    bed.dns.answer("tls.test", &["127.0.0.1"]);
    for protocol in [TlsProtocol::Http1, TlsProtocol::Http2] {
        let server = HttpServer::start_tls(&bed.ca, &["tls.test"], protocol);
        let https = rule(Scheme::Https, "tls.test", server.port());
        let mut worker = bed.task(carrying(Grant::default(), https, "api", "bearer")).await;
        worker.has("api", "bearer", SECRET);
        for form in FORMS {
            let url = format!("https://tls.test:{}/reflect/{form}/37", server.port());
            let answer =
                worker.send(with_field(request(Method::GET, &url), "te", "trailers")).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert!(answer.trailers.is_some());
            keeps(&answer, form);
        }
        let authorization = format!("Bearer {SECRET}");
        assert_eq!(server.seen()[0].header("authorization"), Some(&*authorization));
    }
}

#[tokio::test]
async fn a_guest_cannot_speak_where_the_host_fills_in() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    for place in PLACES {
        let mut worker = carrier(&bed, &honest, place).await;
        for name in ["authorization", "dpop", "proxy-authorization"] {
            let asked = with_field(request(Method::GET, &honest.url("/hello")), name, "own");
            let answer = worker.send(asked).await;
            let code = if name.starts_with("proxy") { "D0106" } else { "D0111" };
            assert_eq!(answer.code(), Some(code), "{place} {name}");
            assert_eq!(answer.gate_error(), Some("HTTP-request-denied"));
        }
        assert_eq!(worker.codes(), ["D0111", "D0111", "D0106"]);
    }
    let mut worker = carrier(&bed, &honest, "header:x-api-key").await;
    let asked = with_field(request(Method::GET, &honest.url("/hello")), "X-Api-Key", "own");
    assert_eq!(worker.send(asked).await.code(), Some("D0111"));
    let mut worker = carrier(&bed, &honest, "query:key").await;
    for target in ["/hello?key=own", "/hello?a=b&%6bey=own", "/hello?KEY"] {
        assert_eq!(worker.get(&honest.url(target)).await.code(), Some("D0111"), "{target}");
    }
    assert!(honest.server.seen().is_empty(), "nothing left");
    honest.still_works(&mut worker).await;
}

#[tokio::test]
async fn a_guest_cannot_say_in_trailers_what_the_host_fills_in() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = carrier(&bed, &honest, "header:x-api-key").await;
    let mut fields = HeaderMap::new();
    for name in ["authorization", "dpop", "x-api-key", "x-digest"] {
        fields.insert(HeaderName::from_static(name), "own".parse().unwrap());
    }
    let frames = [Frame::data("body".into()), Frame::trailers(fields)].map(Ok);
    let mut post = request(Method::POST, &honest.url("/echo"));
    *post.body_mut() =
        http_body_util::StreamBody::new(futures_util::stream::iter(frames)).boxed_unsync();
    let names = "authorization, dpop, x-api-key, x-digest";
    let answer =
        worker.send(with_field(with_field(post, "te", "trailers"), "trailer", names)).await;
    let trailers = answer.trailers.unwrap();
    assert_eq!((trailers.len(), trailers.get("x-digest").is_some()), (1, true), "{trailers:?}");
}

#[tokio::test]
async fn a_redirect_to_another_host_takes_no_credential_along() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let other = HttpServer::start();
    bed.dns.answer("other.test", &["127.0.0.1"]);
    let grant = http_grant(&[(Scheme::Http, "other.test", other.port())]);
    let mut worker = bed.task(carrying(grant, honest.rule(), "api", "bearer")).await;
    worker.has("api", "bearer", SECRET);

    let there = format!("http://other.test:{}/hello", other.port());
    let answer = worker.get(&honest.url(&format!("/redirect?{there}"))).await;
    assert_eq!(answer.headers["location"], *there);
    assert_eq!(worker.get(&there).await.text(), "hello");

    assert_eq!(other.seen()[0].header("authorization"), None);
    assert_eq!(honest.server.seen()[0].header("authorization"), Some(&*format!("Bearer {SECRET}")));
    assert_eq!(worker.records.asks.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_redirect_that_carries_the_secret_away_is_scrubbed() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = carrier(&bed, &honest, "query:key").await;
    // The server puts its whole query into the location, as one does that adds a slash.
    let answer = worker.get(&honest.url("/redirect?http://other.test/?a=b")).await;
    assert_eq!(
        answer.headers["location"],
        format!("http://other.test/?a=b&key={}", "*".repeat(31))
    );
}

#[tokio::test]
async fn an_encoded_response_is_dropped_and_recorded() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = carrier(&bed, &honest, "bearer").await;
    let asked = with_field(request(Method::GET, &honest.url("/gzip")), "accept-encoding", "gzip");
    let answer = worker.send(asked).await;
    assert_eq!(
        (answer.code(), answer.gate_error()),
        (Some("D0114"), Some("HTTP-response-content-coding"))
    );
    assert!(!answer.text().contains("compressed"));
    assert_eq!(worker.codes(), ["ok", "D0114"]);
    assert_eq!(honest.server.seen()[0].header("accept-encoding"), Some("identity"));
    honest.still_works(&mut worker).await;
}

#[tokio::test]
async fn without_a_credential_a_guest_keeps_its_own_ways() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = bed.task(honest.grant()).await;
    let asked =
        with_field(request(Method::GET, &honest.url("/gzip")), "authorization", "Bearer own");
    assert_eq!(worker.send(asked).await.text(), "compressed");
    assert_eq!(worker.get(&honest.url("/login")).await.headers["set-cookie"], "session=1");
    assert_eq!(honest.server.seen()[0].header("authorization"), Some("Bearer own"));
    assert_eq!(honest.server.seen()[0].header("accept-encoding"), None);
}

#[tokio::test]
async fn a_session_that_a_credential_opened_is_not_given_to_the_guest() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = carrier(&bed, &honest, "bearer").await;
    let answer = worker.get(&honest.url("/login")).await;
    assert_eq!((answer.text(), answer.headers.get("set-cookie")), ("welcome", None));
}

#[tokio::test]
async fn a_credential_that_cannot_be_had_stops_the_request() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let grant = carrying(Grant::default(), honest.rule(), "api", "bearer");
    let mut worker = bed.task(grant).await;
    let answer = worker.get(&honest.url("/hello")).await;
    assert_eq!((answer.code(), answer.gate_error()), (Some("D0112"), Some("HTTP-request-denied")));
    assert_eq!(answer.text(), "the credential \"api\" cannot be had: nobody has it");
    assert_eq!(worker.codes(), ["ok", "D0112"]);
    assert!(honest.server.seen().is_empty());
    worker.has("api", "bearer", SECRET);
    honest.still_works(&mut worker).await;
}

#[tokio::test]
async fn a_secret_that_cannot_be_put_into_a_request_is_named_and_not_shown() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = carrier(&bed, &honest, "header:x-api-key").await;
    let injection = |name: &'static str, secret: &str| Injection {
        headers: vec![(HeaderName::from_static(name), Secret::new(secret))],
        query: None,
        scrub: Vec::new(),
    };
    for bad in [
        injection("x-api-key", "hunter2hunter2\r\nx-smuggled: 1"),
        injection("x-api-key", "hunter2hunter2\n\nGET / HTTP/1.1"),
        injection("x-api-key", "hunter2\0hunter2"),
        injection("x-api-key", "hunter2"),
        injection("host", "hunter2hunter2"),
        injection("x-other", "hunter2hunter2"),
    ] {
        worker.has_injection("api", bad);
        let answer = worker.get(&honest.url("/hello")).await;
        assert_eq!(answer.code(), Some("D0112"), "{answer:?}");
        let said = format!("{answer:?} {:?}", worker.records());
        assert!(!said.contains("hunter2"), "{said}");
    }
    assert!(honest.server.seen().is_empty());
}

#[tokio::test]
async fn a_task_that_may_no_longer_act_sends_nothing() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = carrier(&bed, &honest, "bearer").await;
    honest.still_works(&mut worker).await;
    worker.records.stopped.store(true, Ordering::SeqCst);
    let answer = worker.get(&honest.url("/hello")).await;
    assert_eq!(
        (answer.gate_error(), answer.text()),
        (Some("HTTP-request-denied"), "the task was killed")
    );
    assert_eq!(honest.server.seen().len(), 1);
    assert_eq!(worker.records.asks.lock().unwrap().len(), 1, "nor is a credential asked for");
    assert_eq!(worker.link.usage().http_requests, 1);
}

#[tokio::test]
async fn requests_with_and_without_a_credential_share_no_connection() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let only = |path: &str| vec![PathPattern::parse(path).unwrap()];
    let with = writ_broker::grant::HttpRule { paths: only("/echo"), ..honest.rule() };
    let mut grant = carrying(Grant::default(), with, "api", "bearer");
    grant.http.push(writ_broker::grant::HttpRule { paths: only("/hello"), ..honest.rule() });
    let mut worker = bed.task(grant).await;
    worker.has("api", "bearer", SECRET);
    for _ in 0..2 {
        honest.still_works(&mut worker).await;
        let post = with_body(request(Method::POST, &honest.url("/echo")), "x");
        assert_eq!(worker.send(post).await.text(), "x");
    }
    let seen = honest.server.seen();
    let on = |path: &str| -> Vec<usize> {
        seen.iter().filter(|seen| seen.target == path).map(|seen| seen.connection).collect()
    };
    assert_eq!((on("/hello"), on("/echo")), (vec![0, 0], vec![1, 1]));
    assert!(
        seen.iter().all(|seen| seen.header("authorization").is_some() == (seen.target == "/echo"))
    );
}

#[tokio::test]
async fn the_authority_is_asked_about_exactly_what_was_decided() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = carrier(&bed, &honest, "bearer").await;
    worker.get(&honest.url("/hello?a=b")).await;
    let asks = worker.records.asks.lock().unwrap().clone();
    assert_eq!(asks.len(), 1);
    assert_eq!((asks[0].credential.as_str(), &asks[0].nonce), ("api", &None));
    assert_eq!(asks[0].request.to_string(), worker.records()[0].target);
}
