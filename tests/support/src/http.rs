//! HTTP servers made with hyper, in the clear and behind TLS.

use crate::background::Background;
use crate::ca::TestCa;
use crate::routes;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// One request as a server saw it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Which connection carried it, from 0.
    pub connection: usize,
    /// The method.
    pub method: String,
    /// The request target as sent: the path with HTTP/1, the whole URI with HTTP/2.
    pub target: String,
    /// The fields, in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The name that the TLS client asked for.
    pub server_name: Option<String>,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub version: String,
}

impl Seen {
    /// Returns a field's first value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What a TLS server offers by ALPN.
#[derive(Debug, Clone, Copy)]
pub enum TlsProtocol {
    /// Only HTTP/1.1.
    Http1,
    /// Only HTTP/2.
    Http2,
}

/// A server with the routes that egress tests need; see `routes.rs` for them.
pub struct HttpServer {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    _running: Background,
}

impl HttpServer {
    /// Starts an HTTP/1.1 server in the clear.
    pub fn start() -> Self {
        Self::listen(None)
    }

    /// Starts a server behind TLS, with a certificate for these names or addresses.
    pub fn start_tls(ca: &TestCa, names: &[&str], protocol: TlsProtocol) -> Self {
        let alpn: &[&[u8]] = match protocol {
            TlsProtocol::Http1 => &[b"http/1.1"],
            TlsProtocol::Http2 => &[b"h2"],
        };
        Self::listen(Some(TlsAcceptor::from(ca.server_config(names, alpn))))
    }

    fn listen(tls: Option<TlsAcceptor>) -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let noted = Arc::clone(&seen);
        let running = Background::run(move || async move {
            let listener = TcpListener::from_std(listener).unwrap();
            let mut connection = 0;
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let front = Front { connection, noted: noted.clone(), server_name: None };
                tokio::spawn(front.serve(stream, tls.clone()));
                connection += 1;
            }
        });
        Self { address, seen, _running: running }
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Returns every request that arrived, in order.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// One connection of a server.
#[derive(Clone)]
struct Front {
    connection: usize,
    noted: Arc<Mutex<Vec<Seen>>>,
    server_name: Option<String>,
}

impl Front {
    async fn serve(mut self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        let Some(tls) = tls else { return self.http1(stream).await };
        let Ok(stream) = tls.accept(stream).await else { return };
        let session = stream.get_ref().1;
        self.server_name = session.server_name().map(str::to_owned);
        if session.alpn_protocol() == Some(b"h2") {
            self.http2(stream).await;
        } else {
            self.http1(stream).await;
        }
    }

    async fn http1<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S) {
        let service = service_fn(move |request| {
            self.note(&request);
            async { Ok::<_, Infallible>(routes::answer(request).await) }
        });
        let serving = http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service);
        drop(serving.await);
    }

    async fn http2<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S) {
        let service = service_fn(move |request| {
            self.note(&request);
            async { Ok::<_, Infallible>(routes::answer(request).await) }
        });
        let serving = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(1 << 20)
            .initial_connection_window_size(4 << 20)
            .serve_connection(TokioIo::new(stream), service);
        drop(serving.await);
    }

    fn note<B>(&self, request: &::http::Request<B>) {
        let text =
            |value: &::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = request.headers().iter();
        self.noted.lock().unwrap().push(Seen {
            connection: self.connection,
            method: request.method().to_string(),
            target: request.uri().to_string(),
            headers: headers.map(|(name, value)| (name.to_string(), text(value))).collect(),
            server_name: self.server_name.clone(),
            version: format!("{:?}", request.version()),
        });
    }
}
