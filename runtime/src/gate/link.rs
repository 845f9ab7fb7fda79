//! The gate's end of one worker's egress socket.

use super::body::InBody;
use super::dial::header_list;
use super::failure::{ErrorCase, Failure};
use super::frames::{Guarded, most_heads};
use super::inject::Nonces;
use super::meter::Meter;
use super::pool::Pool;
use super::request::{self, Asked};
use super::resolve::TaskResolver;
use super::tasks::Tasks;
use super::{EgressUsage, GateTask, Inner, http, tls, tunnel};
use crate::scrub::Prepared;
use crate::wire::egress as wire;
use ::http::{Request, Response};
use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ClientConfig;
use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, OnceLock};
use tokio::sync::Semaphore;

/// What all exchanges of one worker share. Nothing of it is shared with another task.
pub(super) struct Link {
    pub(super) gate: Arc<Inner>,
    pub(super) meter: Arc<Meter>,
    pub(super) tasks: Tasks,
    pub(super) pool: Arc<Pool>,
    /// One for each tunnel that is open.
    pub(super) tunnels: Arc<Semaphore>,
    pub(super) nonces: Nonces,
    pub(super) prepared: Prepared,
    resolver: TaskResolver,
    tls: OnceLock<Arc<ClientConfig>>,
}

/// Room beside the fields for a request's target, bytes: the longest that the `http` crate parses.
///
/// The layer below refuses what is over on its own, and nobody hears of it. With less, a target that
/// is too long for it is an ask without a decision and without a record.
const TARGET_ROOM: u32 = 64 << 10;

/// The handle by which the host ends a task's egress and reads its usage.
///
/// Dropping it ends everything, as [`GateLink::close`] does.
pub struct GateLink {
    meter: Arc<Meter>,
    tasks: Tasks,
}

impl GateLink {
    /// Serves the egress socket of one worker. Must be called within a tokio runtime.
    pub(super) fn attach(gate: Arc<Inner>, egress: UnixStream, task: GateTask) -> Self {
        let tasks = Tasks::default();
        let meter = Arc::new(Meter::new(task));
        let link = Arc::new(Link {
            gate,
            meter: Arc::clone(&meter),
            tasks: tasks.clone(),
            pool: Arc::new(Pool::new(tasks.clone())),
            tunnels: Arc::new(Semaphore::new(wire::MAX_STREAMS as usize)),
            nonces: Nonces::default(),
            prepared: Prepared::default(),
            resolver: TaskResolver::new(tasks.clone()),
            tls: OnceLock::new(),
        });
        let ending = tasks.clone();
        drop(tasks.spawn(async move {
            if let Err(error) = serve(link, egress).await {
                tracing::warn!(%error, "the egress socket of a worker ended with an error");
            }
            ending.close();
        }));
        Self { meter, tasks }
    }

    /// Returns what the task has used until now.
    pub fn usage(&self) -> EgressUsage {
        self.meter.usage()
    }

    /// Lets nothing out and nothing in until [`resume`](Self::resume): no call runs. What was under way
    /// breaks off where it would go on.
    pub fn pause(&self) {
        self.meter.pause(true);
    }

    /// Lets things out and in: a call begins.
    pub fn resume(&self) {
        self.meter.pause(false);
    }

    /// Ends every exchange, tunnel and waiting connection of the task at once.
    pub fn close(&self) {
        self.tasks.close();
    }

    /// Returns how many futures of the task run.
    #[cfg(test)]
    pub(super) fn running(&self) -> usize {
        self.tasks.running()
    }

    /// Ends everything and returns when no socket of the task is open any more.
    pub async fn closed(&self) {
        self.tasks.closed().await;
    }
}

impl Drop for GateLink {
    fn drop(&mut self) {
        self.close();
    }
}

impl Link {
    pub(super) async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, ErrorCase> {
        let setup = self.gate.dns()?;
        self.resolver.addresses(setup, name).await
    }

    pub(super) fn tls(&self) -> Result<Arc<ClientConfig>, ErrorCase> {
        if let Some(config) = self.tls.get() {
            return Ok(Arc::clone(config));
        }
        let config = tls::for_task(self.gate.tls()?);
        Ok(Arc::clone(self.tls.get_or_init(|| config)))
    }
}

type Answer = Response<Either<InBody, Full<Bytes>>>;

async fn serve(link: Arc<Link>, egress: UnixStream) -> Result<(), LinkError> {
    egress.set_nonblocking(true)?;
    let limits = link.meter.limits();
    let stream = tokio::net::UnixStream::from_std(egress)?;
    let stream = Guarded::new(stream, most_heads(limits.http_requests));
    let header_list = header_list(limits.header_bytes).saturating_add(TARGET_ROOM);
    let tasks = link.tasks.clone();
    let service = service_fn(move |request| {
        let link = Arc::clone(&link);
        async move { Ok::<_, Infallible>(answer(&link, request).await) }
    });
    http2::Builder::new(tasks)
        .timer(TokioTimer::new())
        .initial_stream_window_size(wire::STREAM_WINDOW)
        .initial_connection_window_size(wire::CONNECTION_WINDOW)
        .max_frame_size(wire::MAX_FRAME)
        .max_send_buf_size(wire::STREAM_WINDOW as usize)
        .max_concurrent_streams(wire::MAX_STREAMS)
        .max_header_list_size(header_list)
        // Taken so that a request to switch protocols is seen, refused and recorded.
        .enable_connect_protocol()
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service)
        .await?;
    Ok(())
}

#[derive(Debug, thiserror::Error)]
enum LinkError {
    #[error(transparent)]
    Socket(#[from] io::Error),
    #[error(transparent)]
    Protocol(#[from] hyper::Error),
}

async fn answer(link: &Link, request: Request<Incoming>) -> Answer {
    match dispatch(link, request).await {
        Ok(answer) => answer,
        Err(failure) => failure.response().map(Either::Right),
    }
}

async fn dispatch(link: &Link, mut request: Request<Incoming>) -> Result<Answer, Failure> {
    link.meter.ask()?;
    let upgrade = hyper::upgrade::on(&mut request);
    let (head, body) = request.into_parts();
    match request::canonical(&head).map_err(|refusal| link.meter.refuse(refusal))? {
        Asked::Http(ask) => {
            link.meter.during_call("http", &ask)?;
            let response = http::exchange(link, ask, head, body).await?;
            Ok(response.map(Either::Left))
        }
        Asked::Tunnel(ask) => {
            link.meter.during_call("tcp", &ask.authority)?;
            tunnel::open(link, ask, upgrade).await?;
            Ok(Response::new(Either::Right(Full::default())))
        }
    }
}
