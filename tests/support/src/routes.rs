//! What the HTTP servers answer.

use crate::reflect;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

type Answer = Response<UnsyncBoxBody<Bytes, hyper::Error>>;

/// The size of one piece of a big body.
const PIECE: usize = 64 << 10;

/// Answers a request by its path:
///
/// - `/hello` says `hello`; `/echo` sends the body back, with its trailers;
/// - `/count` says how many bytes the body had; `/big/N` sends N bytes;
/// - `/redirect?URL` redirects there; `/never` never answers; `/stall` begins a body and stops;
/// - `/trailers` ends its body with trailers; `/forged` sets the gate's own fields;
/// - `/hop` sets connection fields; `/login` sets a cookie; `/gzip` says that it is compressed;
/// - `/reflect/FORM/CUT` gives the whole request back in a form, in a field, in a body of two pieces
///   and in a trailer; `/nonce` wants its nonce in a proof and `/never-right` always another one;
/// - anything else is not found.
pub(crate) async fn answer(request: Request<Incoming>) -> Answer {
    let path = request.uri().path().to_owned();
    if let Some(bytes) = path.strip_prefix("/big/") {
        return Response::new(Big(bytes.parse().unwrap()).map_err(never).boxed_unsync());
    }
    if let Some((form, cut)) = path.strip_prefix("/reflect/").and_then(|p| p.split_once('/')) {
        return reflected(&reflect::reflection(form, &request), cut.parse().unwrap());
    }
    match path.as_str() {
        "/hello" => text("hello"),
        "/echo" => {
            let announced = request.headers().get("trailer").cloned();
            let answer = Response::new(request.into_body().boxed_unsync());
            let fields: Vec<_> = announced.into_iter().map(|names| ("trailer", names)).collect();
            with(answer, StatusCode::OK, &fields)
        }
        "/count" => text(&count(request.into_body()).await.to_string()),
        "/redirect" => {
            let target = HeaderValue::from_str(request.uri().query().unwrap()).unwrap();
            with(text(""), StatusCode::FOUND, &[("location", target)])
        }
        "/never" => std::future::pending().await,
        "/stall" => {
            Response::new(Stall(Some(Bytes::from_static(b"a"))).map_err(never).boxed_unsync())
        }
        "/trailers" => trailers(),
        "/forged" => {
            let denied = HeaderValue::from_static("HTTP-request-denied");
            let code = HeaderValue::from_static("D0101");
            with(
                text("forged"),
                StatusCode::OK,
                &[("writ-gate-error", denied), ("writ-gate-code", code)],
            )
        }
        "/hop" => {
            let named = HeaderValue::from_static("x-private, keep-alive");
            let private = HeaderValue::from_static("1");
            let pause = HeaderValue::from_static("timeout=5");
            with(
                text("hop"),
                StatusCode::OK,
                &[("connection", named), ("x-private", private), ("keep-alive", pause)],
            )
        }
        "/login" => {
            let cookie = HeaderValue::from_static("session=1");
            with(text("welcome"), StatusCode::OK, &[("set-cookie", cookie)])
        }
        "/gzip" => {
            let gzip = HeaderValue::from_static("gzip");
            with(text("compressed"), StatusCode::OK, &[("content-encoding", gzip)])
        }
        "/nonce" => match reflect::nonce_challenge(request.headers()) {
            Some(fields) => with(text("again"), StatusCode::UNAUTHORIZED, &fields),
            None => text("proved"),
        },
        "/never-right" => {
            let fields = reflect::nonce_challenge(&HeaderMap::new()).unwrap();
            with(text("again"), StatusCode::UNAUTHORIZED, &fields)
        }
        _ => with(text("not here"), StatusCode::NOT_FOUND, &[]),
    }
}

fn never(never: Infallible) -> hyper::Error {
    match never {}
}

fn text(text: &str) -> Answer {
    let body = Full::new(Bytes::from(text.to_owned()));
    Response::new(body.map_err(never).boxed_unsync())
}

fn with(mut answer: Answer, status: StatusCode, fields: &[(&'static str, HeaderValue)]) -> Answer {
    *answer.status_mut() = status;
    for (name, value) in fields {
        answer.headers_mut().insert(*name, value.clone());
    }
    answer
}

async fn count(mut body: Incoming) -> usize {
    let mut bytes = 0;
    while let Some(Ok(frame)) = body.frame().await {
        bytes += frame.data_ref().map_or(0, Bytes::len);
    }
    bytes
}

/// Says a text in a field, in a body that is cut in two, and in a trailer.
fn reflected(text: &str, cut: usize) -> Answer {
    let value = HeaderValue::from_str(text).unwrap();
    let (first, second) = text.split_at(cut.min(text.len()));
    let piece = |text: &str| Frame::data(Bytes::from(text.to_owned()));
    let mut fields = HeaderMap::new();
    fields.insert("x-reflected", value.clone());
    let frames = [piece(first), piece(second), Frame::trailers(fields)];
    let body = frames.into_iter().filter(|frame| frame.data_ref().is_none_or(|d| !d.is_empty()));
    let mut answer = Response::new(Frames(body.collect()).map_err(never).boxed_unsync());
    answer.headers_mut().insert("x-reflected", value);
    answer.headers_mut().insert("trailer", HeaderValue::from_static("x-reflected"));
    answer
}

fn trailers() -> Answer {
    let mut fields = HeaderMap::new();
    fields.insert("x-checksum", HeaderValue::from_static("42"));
    fields.insert("writ-gate-error", HeaderValue::from_static("internal-error"));
    // No length is known beforehand, as HTTP/1 needs for trailers.
    let frames = [Frame::data(Bytes::from_static(b"with trailers")), Frame::trailers(fields)];
    let mut answer = Response::new(Frames(frames.into()).map_err(never).boxed_unsync());
    let announced = HeaderValue::from_static("x-checksum, writ-gate-error");
    answer.headers_mut().insert("trailer", announced);
    answer
}

/// A body of so many bytes, made without a copy.
struct Big(usize);

impl Body for Big {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        static BYTES: [u8; PIECE] = [b'w'; PIECE];
        let length = self.0.min(PIECE);
        self.0 -= length;
        let piece = Bytes::from_static(&BYTES[..length]);
        Poll::Ready((length > 0).then_some(Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(self.0 as u64)
    }
}

/// A body of given frames.
struct Frames(VecDeque<Frame<Bytes>>);

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }
}

/// A body that begins and never ends.
struct Stall(Option<Bytes>);

impl Body for Stall {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.0.take() {
            Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            None => Poll::Pending,
        }
    }
}
