//! The two directions of an exchange, counted and capped, frame by frame and without a copy.

use super::exchange::{Exchange, Guard};
use super::failure::{ErrorCase, Failure};
use super::headers;
use crate::outcome::LimitName;
use crate::scrub::Stream;
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use std::fmt;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// A stream that the gate broke off. The HTTP/2 layer finds the reset code among its sources.
#[derive(Debug)]
pub(super) struct BrokenOff(h2::Error);

impl BrokenOff {
    fn by(failure: &Failure) -> Self {
        Self(failure.reason().into())
    }
}

impl fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the gate broke the exchange off")
    }
}

impl std::error::Error for BrokenOff {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// What the guest sends, on its way to the upstream.
pub(super) struct OutBody(pub(super) Arc<Exchange>);

impl OutBody {
    fn pass(&self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, Failure> {
        let meter = &self.0.meter;
        match frame.into_data() {
            Ok(data) => {
                meter.send(data.len() as u64)?;
                Ok(Frame::data(data))
            }
            Err(frame) => {
                let mut trailers = frame.into_trailers().unwrap_or_default();
                let case = ErrorCase::HttpRequestTrailerSectionSize;
                meter.send(checked_trailers(&self.0, &trailers, case)?)?;
                headers::filter_trailers(&mut trailers);
                self.0.filter_trailers(&mut trailers);
                Ok(Frame::trailers(trailers))
            }
        }
    }
}

fn checked_trailers(
    exchange: &Exchange,
    trailers: &HeaderMap,
    case: ErrorCase,
) -> Result<u64, Failure> {
    let bytes = headers::section_bytes(trailers);
    if bytes > exchange.meter.limits().header_bytes {
        return Err(exchange.meter.over(LimitName::HeaderBytes, case));
    }
    Ok(bytes)
}

impl Body for OutBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let polled = ready!(self.0.outgoing.poll_frame(cx));
        let passed = match polled {
            Some(Ok(frame)) => self.pass(frame).map(Some),
            // The worker reset the stream: the upstream must not take a part for the whole.
            Some(Err(_)) => Err(Failure::Cancelled),
            None if self.0.outgoing.at_end() => Ok(None),
            None => Err(self.0.failure().unwrap_or(Failure::Cancelled)),
        };
        Poll::Ready(settle(&self.0, passed))
    }

    fn is_end_stream(&self) -> bool {
        self.0.outgoing.at_end()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.outgoing.size_hint()
    }
}

/// What the upstream sends, on its way to the guest. Dropping it breaks the exchange off.
pub(super) struct InBody {
    guard: Guard,
    /// Present when the request carried a credential.
    scrub: Option<Stream>,
    /// Trailers that wait until what was held back of the body has passed.
    trailers: Option<HeaderMap>,
}

/// A frame for the guest, or the end.
type Passed = Option<Result<Frame<Bytes>, BrokenOff>>;

impl InBody {
    pub(super) fn new(guard: Guard, scrub: Option<Stream>) -> Self {
        Self { guard, scrub, trailers: None }
    }

    fn pass(&self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, Failure> {
        let meter = &self.guard.0.meter;
        match frame.into_data() {
            Ok(data) => {
                meter.receive(data.len() as u64)?;
                Ok(Frame::data(data))
            }
            Err(frame) => {
                let mut trailers = frame.into_trailers().unwrap_or_default();
                let case = ErrorCase::HttpResponseTrailerSectionSize;
                meter.receive(checked_trailers(&self.guard.0, &trailers, case)?)?;
                headers::filter_trailers(&mut trailers);
                Ok(Frame::trailers(trailers))
            }
        }
    }

    /// Takes secrets out; goes on when all of the frame is held back until more is known.
    fn scrubbed(&mut self, passed: Passed) -> ControlFlow<Passed> {
        let Some(scrub) = &mut self.scrub else { return ControlFlow::Break(passed) };
        let data = |bytes| ControlFlow::Break(Some(Ok(Frame::data(bytes))));
        let frame = match passed {
            Some(Ok(frame)) => frame,
            None => return scrub.finish().map_or(ControlFlow::Break(None), data),
            broken => return ControlFlow::Break(broken),
        };
        let mut trailers = match frame.into_data() {
            Ok(piece) => {
                let empty = piece.is_empty();
                let piece = scrub.pass(piece);
                return if piece.is_empty() && !empty {
                    ControlFlow::Continue(())
                } else {
                    data(piece)
                };
            }
            Err(frame) => frame.into_trailers().unwrap_or_default(),
        };
        scrub.trailers(&mut trailers);
        match scrub.finish() {
            Some(rest) => {
                self.trailers = Some(trailers);
                data(rest)
            }
            None => ControlFlow::Break(Some(Ok(Frame::trailers(trailers)))),
        }
    }

    fn held(&self) -> usize {
        self.scrub.as_ref().map_or(0, Stream::held)
    }
}

impl Body for InBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let this = self.get_mut();
        loop {
            if let Some(trailers) = this.trailers.take() {
                return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
            }
            let exchange = Arc::clone(&this.guard.0);
            let polled = ready!(exchange.incoming.poll_frame(cx));
            let passed = match polled {
                Some(Ok(frame)) => this.pass(frame).map(Some),
                Some(Err(_)) => Err(Failure::Upstream(ErrorCase::HttpResponseIncomplete)),
                None if exchange.incoming.at_end() => Ok(None),
                None => Err(exchange.failure().unwrap_or(Failure::Cancelled)),
            };
            let settled = settle(&exchange, passed);
            // The server stops polling once the end is known, so the end is noticed here.
            if exchange.incoming.at_end() {
                exchange.complete();
            }
            if let ControlFlow::Break(settled) = this.scrubbed(settled) {
                return Poll::Ready(settled);
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.guard.0.incoming.at_end() && self.held() == 0 && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let (mut hint, held) = (self.guard.0.incoming.size_hint(), self.held() as u64);
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(held));
        }
        hint.set_lower(hint.lower().saturating_add(held));
        hint
    }
}

fn settle(
    exchange: &Exchange,
    passed: Result<Option<Frame<Bytes>>, Failure>,
) -> Option<Result<Frame<Bytes>, BrokenOff>> {
    match passed {
        Ok(frame) => frame.map(Ok),
        Err(failure) => {
            let error = BrokenOff::by(&failure);
            exchange.fail(failure);
            Some(Err(error))
        }
    }
}
