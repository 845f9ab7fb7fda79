//! The way to the broker: few connections that stay open, and short waits.

use crate::ask::Scheme;
use crate::host::{Authority, Host};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

/// How long an exchange may take. Less than the lease, so that a broker that is slow is not a reason
/// to stop believing it.
const TIME: Duration = Duration::from_secs(1);
/// The largest answer, bytes.
const LARGEST: usize = 64 << 10;
/// How many connections are kept open.
const IDLE: usize = 16;

/// Where a broker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broker {
    /// Its Unix socket, for a process of the same user.
    Unix(PathBuf),
    /// Its URL: `https`, or `http` on this machine.
    Url(String),
}

/// Why there can be no way to the broker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// The URL cannot be used.
    #[error(
        "the broker's URL is https://HOST without a path, or http:// with an address of this machine"
    )]
    Url,
    /// The file of authorities cannot be used.
    #[error("{}: it holds no certificate authorities in PEM", .0.display())]
    Ca(PathBuf),
    /// The secret cannot stand in a header.
    #[error("the checker's secret is one line of ASCII")]
    Secret,
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls,
}

/// The broker did not answer, or not in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Away;

type Sender = SendRequest<Full<Bytes>>;

pub(super) struct Link {
    place: Place,
    host: HeaderValue,
    authorization: HeaderValue,
    idle: Mutex<Vec<Sender>>,
}

enum Place {
    Unix(PathBuf),
    Clear(Authority),
    Tls(Authority, ServerName<'static>, TlsConnector),
}

impl Link {
    pub(super) fn new(
        broker: Broker,
        ca: Option<&Path>,
        secret: &Zeroizing<String>,
    ) -> Result<Self, BrokerError> {
        let bearer = Zeroizing::new(format!("Bearer {}", secret.as_str()).into_bytes());
        let mut authorization = HeaderValue::from_maybe_shared(Bytes::from_owner(bearer))
            .map_err(|_| BrokerError::Secret)?;
        authorization.set_sensitive(true);
        let (place, host) = Place::of(broker, ca)?;
        let host = HeaderValue::try_from(host).map_err(|_| BrokerError::Url)?;
        Ok(Self { place, host, authorization, idle: Mutex::default() })
    }

    /// Makes one exchange, on a connection that is open if there is one. What is sent may arrive
    /// twice: a connection that was idle may have broken meanwhile.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&'static str, Vec<u8>)>,
    ) -> Result<(StatusCode, Bytes), Away> {
        let body = body.map(|(media, bytes)| (media, Bytes::from_owner(Zeroizing::new(bytes))));
        let exchange = async {
            if let Some(sender) = self.take()
                && let Ok(answer) = self.exchange(sender, &method, path, body.clone()).await
            {
                return Ok(answer);
            }
            let sender = self.connect().await?;
            self.exchange(sender, &method, path, body.clone()).await
        };
        timeout(TIME, exchange).await.unwrap_or(Err(Away))
    }

    /// Opens an answer that has no end, on a connection of its own.
    pub(super) async fn open(&self, path: &str) -> Result<(Response<Incoming>, Sender), Away> {
        let opening = async {
            let mut sender = self.connect().await?;
            let request = self.request(&Method::GET, path, None)?;
            let answer = sender.send_request(request).await.map_err(|_| Away)?;
            Ok((answer, sender))
        };
        timeout(TIME, opening).await.unwrap_or(Err(Away))
    }

    async fn exchange(
        &self,
        mut sender: Sender,
        method: &Method,
        path: &str,
        body: Option<(&'static str, Bytes)>,
    ) -> Result<(StatusCode, Bytes), Away> {
        let request = self.request(method, path, body)?;
        let answer = sender.send_request(request).await.map_err(|_| Away)?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, LARGEST).collect().await.map_err(|_| Away)?.to_bytes();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE {
            idle.push(sender);
        }
        Ok((head.status, body))
    }

    fn request(
        &self,
        method: &Method,
        path: &str,
        body: Option<(&'static str, Bytes)>,
    ) -> Result<Request<Full<Bytes>>, Away> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.host)
            .header(AUTHORIZATION, &self.authorization);
        match body {
            None => request.body(Full::default()),
            Some((media, bytes)) => request.header(CONTENT_TYPE, media).body(Full::new(bytes)),
        }
        .map_err(|_| Away)
    }

    fn take(&self) -> Option<Sender> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|sender| !sender.is_closed());
        // The latest: the others are closed in time.
        let at = idle.iter().rposition(Sender::is_ready)?;
        Some(idle.swap_remove(at))
    }

    async fn connect(&self) -> Result<Sender, Away> {
        match &self.place {
            Place::Unix(path) => {
                handshake(UnixStream::connect(path).await.map_err(|_| Away)?).await
            }
            Place::Clear(authority) => handshake(dial(authority).await?).await,
            Place::Tls(authority, name, tls) => {
                let stream = tls.connect(name.clone(), dial(authority).await?).await;
                handshake(stream.map_err(|_| Away)?).await
            }
        }
    }
}

impl Place {
    fn of(broker: Broker, ca: Option<&Path>) -> Result<(Self, String), BrokerError> {
        let url = match broker {
            Broker::Unix(path) => return Ok((Self::Unix(path), "localhost".to_owned())),
            Broker::Url(url) => url,
        };
        let parse = |rest: &str, scheme: Scheme| {
            let rest = rest.strip_suffix('/').unwrap_or(rest);
            let plain = !rest.contains(['/', '?', '#']);
            let authority = Authority::parse(rest, scheme.default_port()).ok();
            authority.filter(|_| plain).ok_or(BrokerError::Url)
        };
        if let Some(rest) = url.strip_prefix("https://") {
            let authority = parse(rest, Scheme::Https)?;
            let name = match &authority.host {
                Host::Name(name) => {
                    ServerName::try_from(name.clone()).map_err(|_| BrokerError::Url)?
                }
                Host::Address(address) => ServerName::IpAddress((*address).into()),
            };
            let host = authority.for_scheme(Scheme::Https);
            return Ok((Self::Tls(authority, name, connector(ca)?), host));
        }
        let rest = url.strip_prefix("http://").ok_or(BrokerError::Url)?;
        let authority = parse(rest, Scheme::Http)?;
        // The secret and the tokens go there.
        let here = matches!(&authority.host, Host::Address(address) if address.is_loopback());
        let host = authority.for_scheme(Scheme::Http);
        here.then(|| (Self::Clear(authority), host)).ok_or(BrokerError::Url)
    }
}

fn connector(ca: Option<&Path>) -> Result<TlsConnector, BrokerError> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(path) = ca {
        let refuse = || BrokerError::Ca(path.to_owned());
        let certificates = CertificateDer::pem_file_iter(path).map_err(|_| refuse())?;
        let before = roots.len();
        for certificate in certificates {
            roots.add(certificate.map_err(|_| refuse())?).map_err(|_| refuse())?;
        }
        if roots.len() == before {
            return Err(refuse());
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| BrokerError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn dial(authority: &Authority) -> Result<TcpStream, Away> {
    let port = authority.port;
    let stream = match &authority.host {
        Host::Name(name) => TcpStream::connect((name.as_str(), port)).await,
        Host::Address(address) => TcpStream::connect((*address, port)).await,
    };
    let stream = stream.map_err(|_| Away)?;
    // A hint for the kernel, no more.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

async fn handshake(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<Sender, Away> {
    let handshake = http1::Builder::new().max_buf_size(LARGEST).handshake(TokioIo::new(stream));
    let (sender, connection) = handshake.await.map_err(|_| Away)?;
    // It ends with its sender; what it ends with is seen there.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(sender)
}
