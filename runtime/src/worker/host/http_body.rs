//! A response body on its way to the guest, held to the grant's times.

use bytes::Bytes;
use futures_util::stream::once;
use http::{HeaderMap, Request};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::Incoming;
use std::future::{poll_fn, ready};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};
use wasmtime_wasi_http::{DEFAULT_FORBIDDEN_HEADERS, Error, WasiBody};

use super::http_error;
use crate::wire::egress::GATE_ERROR;

/// A body that ends with an error when a frame, or the whole, takes too long.
pub(super) struct TimedBody {
    inner: Incoming,
    between: Duration,
    idle: Pin<Box<Sleep>>,
    whole: Pin<Box<Sleep>>,
    deadline: Instant,
}

impl TimedBody {
    /// Wraps a body whose exchange must end by `deadline`, and whose frames may be `between` apart.
    pub(super) fn new(inner: Incoming, between: Duration, deadline: Instant) -> Self {
        Self {
            inner,
            between,
            idle: Box::pin(sleep_until(Instant::now() + between)),
            whole: Box::pin(sleep_until(deadline)),
            deadline,
        }
    }

    fn accept(&mut self, frame: Result<Frame<Bytes>, hyper::Error>) -> Result<Frame<Bytes>, Error> {
        let now = Instant::now();
        // Also asked of a body that is never behind, which leaves the timers unpolled.
        if now >= self.deadline {
            return Err(Error::HttpResponseTimeout);
        }
        self.idle.as_mut().reset(now + self.between);
        let mut frame = frame.map_err(|error| match http_error::from_hyper(&error) {
            Error::ConnectionTerminated => Error::HttpResponseIncomplete,
            other => other,
        })?;
        if let Some(trailers) = frame.trailers_mut() {
            if let Some(name) = trailers.get(GATE_ERROR) {
                return Err(http_error::from_gate(name));
            }
            strip(trailers);
        }
        Ok(frame)
    }
}

/// A request body whose first frame was taken out already.
struct Begun {
    first: Option<Frame<Bytes>>,
    rest: WasiBody,
}

/// Looks once whether a request has a body at all.
///
/// A guest makes every request with a body, and has most often ended an empty one by the time that
/// the request is sent. Said beforehand, the upstream gets no body in chunks with a `GET`, and its
/// connection can serve the next request.
pub(super) async fn begun(request: Request<WasiBody>) -> Request<WasiBody> {
    let (head, mut rest) = request.into_parts();
    let first = poll_fn(|cx| Poll::Ready(Pin::new(&mut rest).poll_frame(cx))).await;
    let body = match first {
        Poll::Ready(None) => Empty::new().map_err(|never| match never {}).boxed_unsync(),
        Poll::Ready(Some(Ok(first))) => Begun { first: Some(first), rest }.boxed_unsync(),
        Poll::Ready(Some(Err(error))) => StreamBody::new(once(ready(Err(error)))).boxed_unsync(),
        Poll::Pending => rest,
    };
    Request::from_parts(head, body)
}

impl Body for Begun {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(Ok(first))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.is_end_stream()
    }
}

/// Removes the fields that concern a connection, which the guest does not have.
pub(super) fn strip(fields: &mut HeaderMap) {
    for name in &DEFAULT_FORBIDDEN_HEADERS {
        fields.remove(name);
    }
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(frame)) => Poll::Ready(Some(self.accept(frame))),
            Poll::Pending if self.whole.as_mut().poll(cx).is_ready() => {
                Poll::Ready(Some(Err(Error::HttpResponseTimeout)))
            }
            Poll::Pending if self.idle.as_mut().poll(cx).is_ready() => {
                Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
