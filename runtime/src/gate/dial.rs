//! Connections to checked addresses, and to nothing else.

use super::body::OutBody;
use super::failure::ErrorCase;
use super::pool::{Origin, Sender};
use super::tasks::Tasks;
use super::tls;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ClientConfig;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use writ_broker::ask::Scheme;

/// How long one address may take to accept before the next is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How many addresses are tried; the others were checked as well.
const MAX_ATTEMPTS: usize = 6;
/// Flow-control window that an HTTP/2 upstream gets per stream: what one response can hold here.
const UPSTREAM_STREAM_WINDOW: u32 = 1 << 20;
/// Flow-control window that an HTTP/2 upstream gets in all.
const UPSTREAM_CONNECTION_WINDOW: u32 = 2 << 20;
/// What an HTTP/1 upstream can make the host buffer per connection.
const HTTP1_BUFFER: usize = 256 << 10;

/// Opens a TCP connection to the first of the addresses that accepts.
pub(super) async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, ErrorCase> {
    let mut failure = ErrorCase::DestinationUnavailable;
    for address in addresses.iter().take(MAX_ATTEMPTS) {
        match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Without it small requests wait for the peer's delayed acknowledgement.
                drop(stream.set_nodelay(true));
                return Ok(stream);
            }
            Ok(Err(error)) => failure = connect_case(&error),
            Err(_) => failure = ErrorCase::ConnectionTimeout,
        }
    }
    Err(failure)
}

fn connect_case(error: &io::Error) -> ErrorCase {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => ErrorCase::ConnectionRefused,
        io::ErrorKind::TimedOut => ErrorCase::ConnectionTimeout,
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
            ErrorCase::DestinationIpUnroutable
        }
        _ => ErrorCase::DestinationUnavailable,
    }
}

/// What a new HTTP connection needs beside its address.
pub(super) struct Dialler<'a> {
    pub(super) origin: &'a Origin,
    pub(super) tasks: &'a Tasks,
    pub(super) header_bytes: u64,
}

impl Dialler<'_> {
    /// Opens an HTTP connection; `tls` is given exactly when the scheme is `https`.
    pub(super) async fn open(
        &self,
        addresses: &[SocketAddr],
        tls: Option<Arc<ClientConfig>>,
    ) -> Result<Sender, ErrorCase> {
        let stream = connect(addresses).await?;
        match (self.origin.scheme, tls) {
            (Scheme::Http, None) => self.http1(stream).await,
            (Scheme::Https, Some(config)) => {
                let name = tls::server_name(&self.origin.authority.host)?;
                let stream = TlsConnector::from(config)
                    .connect(name, stream)
                    .await
                    .map_err(|error| tls::case(&error))?;
                if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                    self.http2(stream).await
                } else {
                    self.http1(stream).await
                }
            }
            _ => Err(ErrorCase::ConfigurationError),
        }
    }

    async fn http1<S>(&self, stream: S) -> Result<Sender, ErrorCase>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let header_bytes = usize::try_from(self.header_bytes).unwrap_or(usize::MAX);
        let (sender, connection) = http1::Builder::new()
            .max_header_size(header_bytes)
            .max_buf_size(HTTP1_BUFFER.max(header_bytes))
            .handshake::<_, OutBody>(TokioIo::new(stream))
            .await
            .map_err(|_| ErrorCase::ConnectionTerminated)?;
        let driver = self
            .tasks
            .spawn(async move { drop(connection.await) })
            .ok_or(ErrorCase::ConnectionTerminated)?;
        Ok(Sender::Http1(sender, driver))
    }

    async fn http2<S>(&self, stream: S) -> Result<Sender, ErrorCase>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = http2::Builder::new(self.tasks.clone())
            .timer(TokioTimer::new())
            .initial_stream_window_size(UPSTREAM_STREAM_WINDOW)
            .initial_connection_window_size(UPSTREAM_CONNECTION_WINDOW)
            .max_header_list_size(header_list(self.header_bytes))
            .handshake::<_, OutBody>(TokioIo::new(stream))
            .await
            .map_err(|_| ErrorCase::ConnectionTerminated)?;
        self.tasks
            .spawn(async move { drop(connection.await) })
            .ok_or(ErrorCase::ConnectionTerminated)?;
        Ok(Sender::Http2(sender))
    }
}

/// What HTTP/2 is told for a bound on header bytes.
///
/// RFC 9113 §6.5.2 adds 32 to each field, and the layer below answers on its own what is over. So it
/// gets room, and the gate counts by itself; this one only keeps memory bounded.
pub(super) fn header_list(header_bytes: u64) -> u32 {
    u32::try_from(header_bytes.saturating_mul(2)).unwrap_or(u32::MAX).saturating_add(16 << 10)
}
