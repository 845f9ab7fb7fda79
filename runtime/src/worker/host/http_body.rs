//! A response body on its way to the guest, held to the grant's times.

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};
use wasmtime_wasi_http::{DEFAULT_FORBIDDEN_HEADERS, Error};

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
