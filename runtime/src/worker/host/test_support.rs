//! What the tests of this module share: a recorder that keeps, and the gate's end of the socket.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

use super::egress::EgressClient;
use crate::outcome::LimitName;
use crate::record::{Record, Recorder};

/// Keeps every record in order.
#[derive(Default)]
pub(super) struct Kept(Mutex<Vec<Record>>);

impl Recorder for Kept {
    fn record(&self, record: Record) {
        self.0.lock().unwrap().push(record);
    }

    fn over_limit(&self, _: LimitName) {}
}

impl Kept {
    /// Returns code and target of each refusal, in order.
    pub(super) fn refusals(&self) -> Vec<(String, String)> {
        let kept = self.0.lock().unwrap();
        kept.iter()
            .filter_map(|r| r.refusal.as_ref())
            .map(|r| (r.code.as_str().to_owned(), r.target.clone()))
            .collect()
    }
}

pub(super) type GateBody = BoxBody<Bytes, Infallible>;

/// Serves the other end of an egress socket with `answer`, as the gate does: HTTP/2, prior knowledge.
pub(super) fn gate<A, F>(answer: A) -> EgressClient
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<GateBody>> + Send + 'static,
{
    let (worker, host) = UnixStream::pair().unwrap();
    host.set_nonblocking(true).unwrap();
    let host = tokio::net::UnixStream::from_std(host).unwrap();
    tokio::spawn(async move {
        let service = service_fn(move |request| {
            let answer = answer(request);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let served = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(host), service);
        let _ended_with_the_test = served.await;
    });
    EgressClient::new(worker, 32 * 1024)
}

/// Returns a recorder twice: to keep, and to hand over.
pub(super) fn kept() -> (Arc<Kept>, Arc<dyn Recorder>) {
    let kept = Arc::new(Kept::default());
    (kept.clone(), kept)
}
