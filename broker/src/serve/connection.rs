//! Connections: how many, how long, and for whom.

use super::answer::{Answer, problem};
use super::caller::Peer;
use super::daemon::Daemon;
use super::listen::{Bound, Socket};
use axum::Router;
use axum::body::Body;
use http::header::HOST;
use http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// How many connections a listener has at once. Each has its own, so that strangers cannot keep a
/// local kill from being heard.
const MOST: usize = 512;
/// How long a TLS handshake may take, and the head of a request; also how long a connection may idle.
const HANDSHAKE: Duration = Duration::from_secs(5);
const HEAD: Duration = Duration::from_secs(15);
/// The largest head of a request, bytes, and the most fields in it. Tokens have 8 KiB at most.
const LARGEST_HEAD: usize = 32 << 10;
const MOST_FIELDS: usize = 64;
/// How long an answer may take. A kill waits for checkers and for processes, 2 s and 5 s.
const ANSWER: Duration = Duration::from_secs(20);
/// How long what was begun may take to end when the daemon stops.
const DRAIN: Duration = Duration::from_secs(5);
/// How long to wait when the machine has no file handle left.
const PAUSE: Duration = Duration::from_millis(100);

/// What serves one listener.
#[derive(Clone)]
pub(super) struct Front {
    pub(super) daemon: Arc<Daemon>,
    pub(super) router: Router,
    pub(super) stopping: watch::Receiver<bool>,
}

impl Front {
    /// Serves until the daemon stops, and then until what was begun has ended.
    pub(super) async fn serve(mut self, bound: Bound) {
        let mut connections = JoinSet::new();
        let mut stopping = self.stopping.clone();
        let stopped = async move {
            // Whoever could say so is gone: that is the end as well.
            let _ = stopping.wait_for(|stopping| *stopping).await;
        };
        tokio::select! {
            () = stopped => {}
            () = self.accept(&bound, &mut connections) => {}
        }
        let drained = timeout(DRAIN, async { while connections.join_next().await.is_some() {} });
        if drained.await.is_err() {
            connections.shutdown().await;
        }
        // Only now: the socket's name says that somebody listens.
        drop(bound);
    }

    async fn accept(&mut self, bound: &Bound, connections: &mut JoinSet<()>) {
        let room = Arc::new(Semaphore::new(MOST));
        loop {
            while connections.try_join_next().is_some() {}
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
            let accepted = match bound {
                Bound::Unix(listener, socket) => {
                    self.unix(listener, socket, permit, connections).await
                }
                Bound::Tcp(listener, tls) => self.tcp(listener, tls, permit, connections).await,
            };
            if accepted.is_err() {
                sleep(PAUSE).await;
            }
        }
    }

    async fn unix(
        &self,
        listener: &UnixListener,
        _: &Socket,
        permit: OwnedSemaphorePermit,
        connections: &mut JoinSet<()>,
    ) -> std::io::Result<()> {
        let (stream, _) = listener.accept().await?;
        let uid = stream.peer_cred()?.uid();
        if may_connect(uid, rustix::process::geteuid().as_raw()) {
            connections.spawn(self.clone().connection(stream, Peer::Local { uid }, permit));
        }
        Ok(())
    }

    async fn tcp(
        &self,
        listener: &TcpListener,
        tls: &Option<TlsAcceptor>,
        permit: OwnedSemaphorePermit,
        connections: &mut JoinSet<()>,
    ) -> std::io::Result<()> {
        let (stream, _) = listener.accept().await?;
        // A hint for the kernel, no more.
        let _ = stream.set_nodelay(true);
        let peer = Peer::Remote { here: stream.local_addr()? };
        let front = self.clone();
        match tls.clone() {
            None => connections.spawn(front.connection(stream, peer, permit)),
            Some(tls) => connections.spawn(async move {
                if let Ok(Ok(stream)) = timeout(HANDSHAKE, tls.accept(stream)).await {
                    front.connection(stream, peer, permit).await;
                }
            }),
        };
        Ok(())
    }

    async fn connection(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: Peer,
        permit: OwnedSemaphorePermit,
    ) {
        let Self { daemon, router, mut stopping } = self;
        let service = TowerToHyperService::new(router);
        let answer = service_fn(move |request| {
            let (daemon, service) = (Arc::clone(&daemon), service.clone());
            async move { Ok::<_, Infallible>(answer(&daemon, &service, peer, request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_headers(MOST_FIELDS)
            .max_buf_size(LARGEST_HEAD)
            .serve_connection(TokioIo::new(stream), answer);
        let mut connection = pin!(connection);
        let stopped = async move {
            let _ = stopping.wait_for(|stopping| *stopping).await;
        };
        // What a stranger's connection dies of is the stranger's affair.
        tokio::select! {
            _ = &mut connection => {}
            () = stopped => {
                connection.as_mut().graceful_shutdown();
                let _ = connection.await;
            }
        }
        drop(permit);
    }
}

/// Says whether a user may use the socket: the daemon's own, and root, who may do everything anyway.
fn may_connect(uid: u32, own: u32) -> bool {
    uid == own || uid == 0
}

async fn answer(
    daemon: &Daemon,
    service: &TowerToHyperService<Router>,
    peer: Peer,
    mut request: Request<Incoming>,
) -> Answer {
    if let Peer::Remote { here } = peer
        && !names_us(daemon, &request, &here.to_string())
    {
        // Not what it is asked for under another name: a page of somebody else's may have got here by
        // a name of its own.
        let detail = "this host does not go by that name";
        return problem(StatusCode::MISDIRECTED_REQUEST, detail);
    }
    request.extensions_mut().insert(peer);
    match timeout(ANSWER, service.call(request)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(never)) => match never {},
        Err(_) => problem(StatusCode::SERVICE_UNAVAILABLE, "it takes too long"),
    }
}

/// Says whether a request is for us by its one `host`, and by its target where that has a name too.
fn names_us<B>(daemon: &Daemon, request: &Request<B>, here: &str) -> bool {
    let is_ours = |name: &str| name.eq_ignore_ascii_case(here) || daemon.goes_by(name);
    let mut hosts = request.headers().get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    host.to_str().is_ok_and(is_ours)
        && request.uri().authority().is_none_or(|authority| is_ours(authority.as_str()))
}

/// The body of no request.
pub(super) type Asked = Request<Body>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_for_its_own_user_and_root() {
        assert!(may_connect(1000, 1000) && may_connect(0, 1000));
        assert!(!may_connect(1001, 1000) && !may_connect(1000, 0) && !may_connect(u32::MAX, 1000));
    }
}
