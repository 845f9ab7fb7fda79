#![expect(clippy::unwrap_used, reason = "a test may fail")]

use super::super::http_error;
use super::super::test_support::{GateBody, Kept, gate, kept};
use super::*;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::Frame;
use http_body_util::{Empty, Full, StreamBody};
use hyper::body::Incoming;
use std::pin::Pin;

use crate::wire::egress::GATE_ERROR;

fn limits(http_ms: u64) -> Limits {
    Limits { http_ms, ..Limits::default() }
}

fn request(method: &str, uri: &str) -> Request<WasiBody> {
    let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
    Request::builder().method(method).uri(uri).body(body).unwrap()
}

fn full(text: &'static str) -> GateBody {
    Full::new(Bytes::from_static(text.as_bytes())).boxed()
}

/// Sends as wasmtime's `outgoing-handler` does.
async fn send(
    egress: EgressClient,
    request: Request<WasiBody>,
    options: Option<RequestOptions>,
    http_ms: u64,
) -> (Result<Response<WasiBody>, Error>, Arc<Kept>) {
    let (kept, recorder) = kept();
    let mut guest = GuestHttp::new(egress, recorder, &limits(http_ms));
    let sent = guest.send_request(request, options, Box::new(async { Ok(()) }));
    (Pin::from(sent).await.map(|(response, _)| response), kept)
}

async fn echo(request: Request<Incoming>) -> Response<GateBody> {
    let uri = HeaderValue::try_from(request.uri().to_string()).unwrap();
    let host = request.headers().contains_key("host");
    let body = request.into_body().collect().await.unwrap();
    let trailers = body.trailers().cloned();
    let data = Frame::data(body.to_bytes());
    let frames = [Some(data), trailers.map(Frame::trailers)].into_iter().flatten().map(Ok);
    let mut response = Response::new(StreamBody::new(futures_util::stream::iter(frames)).boxed());
    response.headers_mut().insert("seen-uri", uri);
    response
        .headers_mut()
        .insert("seen-host", HeaderValue::from_static(if host { "yes" } else { "no" }));
    response
}

#[tokio::test]
async fn a_request_reaches_the_gate_with_its_absolute_uri_and_no_host_field() {
    let asked = request("GET", "https://api.example.com:8443/a?b=c");
    let (response, kept) = send(gate(echo), asked, None, 30_000).await;
    let response = response.unwrap();
    assert_eq!(response.headers()["seen-uri"], "https://api.example.com:8443/a?b=c");
    assert_eq!(response.headers()["seen-host"], "no");
    assert!(kept.refusals().is_empty(), "the gate records it, not the worker");
}

#[tokio::test]
async fn bodies_and_trailers_stream_both_ways() {
    let mut trailers = HeaderMap::new();
    trailers.insert("checksum", HeaderValue::from_static("7"));
    let frames = [Frame::data(Bytes::from(vec![7_u8; 3_000_000])), Frame::trailers(trailers)];
    let frames = futures_util::stream::iter(frames.into_iter().map(Ok::<_, Error>));
    let asked =
        request("PUT", "http://example.com/").map(|_| StreamBody::new(frames).boxed_unsync());
    let (response, _) = send(gate(echo), asked, None, 30_000).await;
    let body = response.unwrap().into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["checksum"], "7");
    assert_eq!(body.to_bytes().len(), 3_000_000);
}

#[tokio::test]
async fn two_requests_share_one_connection() {
    let egress = gate(echo);
    let first = send(egress.clone(), request("GET", "http://a.example/"), None, 30_000);
    let second = send(egress, request("GET", "http://b.example/"), None, 30_000);
    let ((first, _), (second, _)) = tokio::join!(first, second);
    assert_eq!(first.unwrap().headers()["seen-uri"], "http://a.example/");
    assert_eq!(second.unwrap().headers()["seen-uri"], "http://b.example/");
}

#[tokio::test]
async fn an_empty_path_before_a_query_becomes_a_slash() {
    let asked = Uri::builder().scheme("http").authority("example.com").path_and_query("?q=1");
    let mut asked_request = request("GET", "http://example.com/");
    *asked_request.uri_mut() = asked.build().unwrap();
    let (response, _) = send(gate(echo), asked_request, None, 30_000).await;
    assert_eq!(response.unwrap().headers()["seen-uri"], "http://example.com/?q=1");
}

#[tokio::test]
async fn connect_is_refused_and_recorded_before_it_is_sent() {
    let unreachable = gate(|_| async { panic!("it reached the gate") });
    let (response, kept) =
        send(unreachable, request("CONNECT", "https://a.example/"), None, 9).await;
    assert!(matches!(response, Err(Error::HttpRequestDenied)));
    assert_eq!(kept.refusals(), [("D0108".to_owned(), "CONNECT https://a.example/".to_owned())]);
}

#[tokio::test]
async fn the_gates_refusal_becomes_the_error_code_of_that_name() {
    let refusing = gate(|_| async {
        let mut response = Response::new(full("denied"));
        *response.status_mut() = StatusCode::FORBIDDEN;
        response.headers_mut().insert(GATE_ERROR, HeaderValue::from_static("HTTP-request-denied"));
        response
    });
    let (response, _) = send(refusing, request("GET", "http://a.example/"), None, 30_000).await;
    assert!(matches!(response, Err(Error::HttpRequestDenied)));
}

#[tokio::test]
async fn an_upstreams_403_is_just_a_response() {
    let upstream = gate(|_| async {
        let mut response = Response::new(full("no"));
        *response.status_mut() = StatusCode::FORBIDDEN;
        response
    });
    let (response, _) = send(upstream, request("GET", "http://a.example/"), None, 30_000).await;
    assert_eq!(response.unwrap().status(), 403);
}

#[tokio::test]
async fn the_gate_can_end_a_body_with_an_error_in_the_trailers() {
    let cutting = gate(|_| async {
        let mut trailers = HeaderMap::new();
        trailers.insert(GATE_ERROR, HeaderValue::from_static("HTTP-response-body-size"));
        let frames = [Frame::data(Bytes::from_static(b"begin")), Frame::trailers(trailers)];
        Response::new(StreamBody::new(futures_util::stream::iter(frames.map(Ok))).boxed())
    });
    let (response, _) = send(cutting, request("GET", "http://a.example/"), None, 30_000).await;
    let ended = response.unwrap().into_body().collect().await;
    assert!(matches!(ended, Err(Error::HttpResponseBodySize(None))));
}

#[tokio::test]
async fn a_guest_that_asks_for_no_time_limit_gets_the_grants() {
    let silent = gate(|_| std::future::pending());
    let options = RequestOptions { first_byte_timeout: Some(Duration::ZERO), ..Default::default() };
    let (response, _) = send(silent, request("GET", "http://a.example/"), Some(options), 5).await;
    assert!(matches!(response, Err(Error::ConnectionReadTimeout)));
}

#[tokio::test]
async fn a_body_that_stops_ends_with_an_error() {
    let stalling =
        gate(|_| async { Response::new(StreamBody::new(futures_util::stream::pending()).boxed()) });
    let options = RequestOptions {
        between_bytes_timeout: Some(Duration::from_millis(5)),
        ..Default::default()
    };
    let (response, _) =
        send(stalling, request("GET", "http://a.example/"), Some(options), 9000).await;
    let ended = response.unwrap().into_body().collect().await;
    assert!(matches!(ended, Err(Error::ConnectionReadTimeout)));
}

#[tokio::test]
async fn a_gate_that_is_gone_is_an_error_each_time() {
    let (worker, host) = std::os::unix::net::UnixStream::pair().unwrap();
    drop(host);
    let egress = EgressClient::new(worker, 1000);
    for _ in 0..2 {
        let (response, _) =
            send(egress.clone(), request("GET", "http://a.example/"), None, 9000).await;
        assert!(matches!(response, Err(Error::ConnectionTerminated)));
    }
}

#[test]
fn guest_times_are_clamped_to_the_grants() {
    let second = Duration::from_secs(1);
    let wish = |connect, first, between| RequestOptions {
        connect_timeout: connect,
        first_byte_timeout: first,
        between_bytes_timeout: between,
    };
    let longest = Times { head: 9 * second, between: 9 * second, whole: 9 * second };
    assert_eq!(Times::clamp(None, 9 * second), longest);
    let zero = Some(Duration::ZERO);
    assert_eq!(Times::clamp(Some(wish(zero, zero, zero)), 9 * second), longest);
    let ages = Some(Duration::MAX);
    assert_eq!(Times::clamp(Some(wish(ages, ages, ages)), 9 * second), longest);
    let short = Times::clamp(Some(wish(Some(second), Some(2 * second), Some(second))), 9 * second);
    assert_eq!(short, Times { head: 3 * second, between: second, whole: 9 * second });
}

#[test]
fn a_connection_field_is_refused_and_recorded_once() {
    let (worker, _host) = std::os::unix::net::UnixStream::pair().unwrap();
    let (kept, recorder) = kept();
    let mut guest = GuestHttp::new(EgressClient::new(worker, 1000), recorder, &limits(1000));
    assert!(guest.is_forbidden_header(&HeaderName::from_static("transfer-encoding")));
    assert_eq!(kept.refusals(), [("D0106".to_owned(), "header transfer-encoding".to_owned())]);
    assert!(!guest.is_forbidden_header(&HeaderName::from_static("authorization")));
    assert_eq!(kept.refusals().len(), 1, "what the gate decides is recorded by the gate");
}

#[test]
fn targets_without_a_host_or_with_another_scheme_are_not_sent() {
    for text in ["ftp://a.example/", "/only/a/path"] {
        let uri = Uri::try_from(text).unwrap();
        assert!(matches!(absolute(&uri), Err(Error::HttpRequestUriInvalid)), "{text}");
    }
}

/// The names as they stand in wasi:http@0.2 `types.error-code`.
const CASES: &str = "DNS-timeout DNS-error destination-not-found destination-unavailable \
    destination-IP-prohibited destination-IP-unroutable connection-refused connection-terminated \
    connection-timeout connection-read-timeout connection-write-timeout connection-limit-reached \
    TLS-protocol-error TLS-certificate-error TLS-alert-received HTTP-request-denied \
    HTTP-request-length-required HTTP-request-body-size HTTP-request-method-invalid \
    HTTP-request-URI-invalid HTTP-request-URI-too-long HTTP-request-header-section-size \
    HTTP-request-header-size HTTP-request-trailer-section-size HTTP-request-trailer-size \
    HTTP-response-incomplete HTTP-response-header-section-size HTTP-response-header-size \
    HTTP-response-body-size HTTP-response-trailer-section-size HTTP-response-trailer-size \
    HTTP-response-transfer-coding HTTP-response-content-coding HTTP-response-timeout \
    HTTP-upgrade-failed HTTP-protocol-error loop-detected configuration-error";

#[test]
fn every_error_code_has_its_case() {
    let mut debug_names = std::collections::BTreeSet::new();
    for name in CASES.split_whitespace() {
        let error = http_error::from_gate(&HeaderValue::from_static(name));
        assert!(!matches!(error, Error::InternalError(_)), "{name} is not known");
        let squeezed = name.replace('-', "").to_ascii_lowercase();
        let variant = format!("{error:?}").to_ascii_lowercase();
        assert!(variant.starts_with(&squeezed), "{name} became {variant}");
        debug_names.insert(variant);
    }
    assert_eq!(debug_names.len(), 38);
}

#[test]
fn an_unknown_error_name_is_still_an_error() {
    for name in ["internal-error", "", "http-request-denied", "constructor"] {
        let error = http_error::from_gate(&HeaderValue::from_static(name));
        assert!(matches!(error, Error::InternalError(None)), "{name}");
    }
}
