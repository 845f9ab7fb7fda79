//! One request and its response: both bodies, the deadline, and the one way to break it off.

use super::failure::{ErrorCase, Failure};
use super::meter::Meter;
use super::pool::{Pool, Sender, Upstream};
use super::tasks::Tasks;
use crate::outcome::LimitName;
use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http::{HeaderMap, HeaderName};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// The state that both directions share.
///
/// The bodies are held here and not in their users, so that the deadline can close the upstream even
/// while the guest does not read and nobody polls.
pub(super) struct Exchange {
    pub(super) meter: Arc<Meter>,
    /// From the guest to the upstream.
    pub(super) outgoing: Slot,
    /// From the upstream to the guest.
    pub(super) incoming: Slot,
    pool: Arc<Pool>,
    /// Fields that the host fills in, which the guest may not say again in trailers.
    managed: OnceLock<Vec<HeaderName>>,
    state: Mutex<State>,
    broken: Notify,
}

#[derive(Default)]
struct State {
    end: Option<End>,
    watchdog: Option<AbortHandle>,
    driver: Option<AbortHandle>,
    upstream: Option<Upstream>,
}

enum End {
    Complete,
    Broken(Failure),
}

/// Ends the exchange when it is dropped: the guest gave up, or the task ended.
pub(super) struct Guard(pub(super) Arc<Exchange>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fail(Failure::Cancelled);
    }
}

impl Exchange {
    /// Begins an exchange; its time runs from now.
    pub(super) fn begin(
        meter: &Arc<Meter>,
        tasks: &Tasks,
        pool: &Arc<Pool>,
        body: Incoming,
    ) -> Guard {
        let exchange = Arc::new(Self {
            meter: Arc::clone(meter),
            outgoing: Slot::holding(body),
            incoming: Slot::default(),
            pool: Arc::clone(pool),
            managed: OnceLock::new(),
            state: Mutex::default(),
            broken: Notify::new(),
        });
        let time = Duration::from_millis(meter.limits().http_ms);
        let watched = Arc::downgrade(&exchange);
        let watchdog = tasks.spawn(async move {
            tokio::time::sleep(time).await;
            if let Some(exchange) = watched.upgrade() {
                exchange.out_of_time();
            }
        });
        exchange.state().watchdog = watchdog;
        Guard(exchange)
    }

    fn out_of_time(&self) {
        // Only an exchange that is still under way is over its limit.
        if self.state().end.is_none() {
            let case = ErrorCase::HttpResponseTimeout;
            self.fail(self.meter.over(LimitName::HttpTime, case));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names the connection that carries the exchange, before anything is sent on it.
    pub(super) fn carried_by(&self, sender: &Sender) {
        self.state().driver = match sender {
            Sender::Http1(_, driver) => Some(driver.clone()),
            Sender::Http2(_) => None,
        };
    }

    /// Names fields that may not stand in the request's trailers, before it is sent.
    pub(super) fn keep_from_trailers(&self, names: Vec<HeaderName>) {
        self.managed.get_or_init(|| names);
    }

    /// Takes the fields that the host fills in out of the request's trailers.
    pub(super) fn filter_trailers(&self, trailers: &mut HeaderMap) {
        for name in self.managed.get().into_iter().flatten() {
            trailers.remove(name);
        }
    }

    /// Takes the response's body, and the connection for the time after it.
    pub(super) fn answered(&self, upstream: Upstream, body: Incoming) {
        self.state().upstream = Some(upstream);
        self.incoming.fill(body);
        if self.incoming.at_end() {
            self.complete();
        } else if self.failure().is_some() {
            // It broke in between: what was just put in must not outlive that.
            self.drop_all();
        }
    }

    /// Breaks the exchange off; the first reason counts.
    pub(super) fn fail(&self, failure: Failure) {
        let mut state = self.state();
        if state.end.is_some() {
            return;
        }
        state.end = Some(End::Broken(failure));
        drop(state);
        self.drop_all();
        self.broken.notify_one();
    }

    /// Ends the exchange well. The connection is kept if the request was sent to its end.
    pub(super) fn complete(&self) {
        let mut state = self.state();
        if state.end.is_some() {
            return;
        }
        state.end = Some(End::Complete);
        let kept = state.upstream.take();
        if self.outgoing.at_end() {
            state.driver = None;
            drop(state);
            if let Some(upstream) = kept {
                self.pool.put(upstream);
            }
        } else {
            drop(state);
        }
        self.drop_all();
    }

    /// Returns why the exchange was broken off, if it was.
    pub(super) fn failure(&self) -> Option<Failure> {
        match &self.state().end {
            Some(End::Broken(failure)) => Some(failure.clone()),
            Some(End::Complete) | None => None,
        }
    }

    /// Returns when the exchange is broken off.
    pub(super) async fn broken(&self) -> Failure {
        loop {
            if let Some(failure) = self.failure() {
                return failure;
            }
            self.broken.notified().await;
        }
    }

    fn drop_all(&self) {
        let mut state = self.state();
        let (driver, watchdog) = (state.driver.take(), state.watchdog.take());
        let upstream = state.upstream.take();
        drop(state);
        drop(upstream);
        for handle in [driver, watchdog].into_iter().flatten() {
            handle.abort();
        }
        self.outgoing.empty();
        self.incoming.empty();
    }
}

/// One body that can be taken away from its reader.
#[derive(Default)]
pub(super) struct Slot {
    body: Mutex<Option<Incoming>>,
    reader: AtomicWaker,
    at_end: AtomicBool,
}

impl Slot {
    fn holding(body: Incoming) -> Self {
        let at_end = AtomicBool::new(body.is_end_stream());
        Self { body: Mutex::new(Some(body)), reader: AtomicWaker::new(), at_end }
    }

    fn body(&self) -> MutexGuard<'_, Option<Incoming>> {
        self.body.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fill(&self, body: Incoming) {
        self.at_end.store(body.is_end_stream(), Ordering::Release);
        *self.body() = Some(body);
    }

    fn empty(&self) {
        // The body is dropped after the lock: dropping it may wake others.
        let body = self.body().take();
        drop(body);
        self.reader.wake();
    }

    /// Polls for the next frame; a body that was taken away ends without being at its end.
    pub(super) fn poll_frame(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.reader.register(cx.waker());
        let mut body = self.body();
        let Some(body) = body.as_mut() else { return Poll::Ready(None) };
        let polled = Pin::new(&mut *body).poll_frame(cx);
        if matches!(polled, Poll::Ready(None)) || body.is_end_stream() {
            self.at_end.store(true, Ordering::Release);
        }
        polled
    }

    /// Whether the body was read to its end.
    pub(super) fn at_end(&self) -> bool {
        self.at_end.load(Ordering::Acquire)
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.body().as_ref().map(hyper::body::Body::size_hint).unwrap_or_default()
    }
}
