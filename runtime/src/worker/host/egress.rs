//! The worker's one connection to the gate: HTTP/2 with prior knowledge over a Unix socket.

use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OnceCell, RwLock};
use wasmtime_wasi_http::{Error, WasiBody};

use super::http_error;
use crate::wire::egress::GATE_ERROR;

/// Bytes in flight on one stream before the guest must read. Large enough that a local socket, not
/// the window, bounds the throughput; small enough that a guest that never reads costs little.
const STREAM_WINDOW: u32 = 1024 * 1024;

/// Bytes in flight on the whole connection: the worker's memory for unread responses.
const CONNECTION_WINDOW: u32 = 4 * STREAM_WINDOW;

/// The largest frame. The default of 16 KiB costs a system call and a copy for each.
const FRAME: u32 = 256 * 1024;

/// Bytes of a request body that wait for the gate before the guest's writes block.
const SEND_BUFFER: usize = 1024 * 1024;

/// A byte stream to a TCP target, through the gate.
pub type Tunnel = TokioIo<Upgraded>;

/// The way to the gate. Clones share one connection, which is made when it is first needed.
#[derive(Clone)]
pub struct EgressClient {
    link: Arc<Link>,
}

struct Link {
    socket: Mutex<Option<UnixStream>>,
    sender: OnceCell<SendRequest<WasiBody>>,
    header_bytes: u32,
    /// Held for reading by each tunnel that the guest left and that still has something to send.
    tunnels: Arc<RwLock<()>>,
}

impl std::fmt::Debug for EgressClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EgressClient").finish_non_exhaustive()
    }
}

impl EgressClient {
    /// Takes the egress socket. Nothing is sent, and no runtime is needed, before the first request.
    ///
    /// `header_bytes` is the largest header section that is accepted from the gate.
    pub fn new(socket: UnixStream, header_bytes: u64) -> Self {
        Self {
            link: Arc::new(Link {
                socket: Mutex::new(Some(socket)),
                sender: OnceCell::new(),
                header_bytes: u32::try_from(header_bytes).unwrap_or(u32::MAX),
                tunnels: Arc::default(),
            }),
        }
    }

    /// Sends a request that carries its absolute URI; returns the gate's answer, which may be an error.
    pub(super) async fn send(
        &self,
        mut request: Request<WasiBody>,
    ) -> Result<Response<Incoming>, Error> {
        *request.version_mut() = Version::HTTP_2;
        let mut sender = self.sender().await?;
        sender.ready().await.map_err(|_| Error::ConnectionTerminated)?;
        let response =
            sender.send_request(request).await.map_err(|error| http_error::from_hyper(&error))?;
        match response.headers().get(GATE_ERROR) {
            Some(name) => Err(http_error::from_gate(name)),
            None => Ok(response),
        }
    }

    /// Asks the gate for a TCP connection to `authority`, which is `host:port` (RFC 9113 §8.5).
    pub async fn tunnel(&self, authority: &str) -> Result<Tunnel, Error> {
        let uri = Uri::try_from(authority).map_err(|_| Error::HttpRequestUriInvalid)?;
        let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
        let mut request = Request::new(body);
        *request.method_mut() = Method::CONNECT;
        *request.uri_mut() = uri;
        let response = self.send(request).await?;
        if response.status() != StatusCode::OK {
            return Err(Error::ConnectionRefused);
        }
        let upgraded =
            hyper::upgrade::on(response).await.map_err(|_| Error::ConnectionTerminated)?;
        Ok(TokioIo::new(upgraded))
    }

    /// Waits until what guests wrote to connections they have left is on its way: at most half a second.
    ///
    /// To be awaited after a store was dropped and before the worker ends or reports the result.
    pub async fn settle(&self) {
        drop(self.link.tunnels.write().await);
    }

    pub(super) fn open_tunnels(&self) -> Arc<RwLock<()>> {
        Arc::clone(&self.link.tunnels)
    }

    async fn sender(&self) -> Result<SendRequest<WasiBody>, Error> {
        self.link.sender.get_or_try_init(|| self.link.open()).await.cloned()
    }
}

impl Link {
    /// Makes the connection. A socket that failed once stays unusable: the gate is gone.
    async fn open(&self) -> Result<SendRequest<WasiBody>, Error> {
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner).take();
        let socket = socket.ok_or(Error::ConnectionTerminated)?;
        socket.set_nonblocking(true).map_err(Error::Connect)?;
        let socket = tokio::net::UnixStream::from_std(socket).map_err(Error::Connect)?;
        let (sender, connection) = Builder::new(TokioExecutor::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_frame_size(FRAME)
            .max_send_buf_size(SEND_BUFFER)
            .max_header_list_size(self.header_bytes)
            .handshake(TokioIo::new(socket))
            .await
            .map_err(|_| Error::ConnectionTerminated)?;
        // It ends with the last sender; an error reaches every request that is still open.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to the gate ended");
            }
        });
        Ok(sender)
    }
}
