//! One bounded HTTPS exchange with an upstream's API.

use super::error::ProviderError;
use super::source::Secret;
use super::tls::LazyTls;
use crate::ask::Scheme;
use crate::clock::UnixMillis;
use crate::host::{Authority, Host};
use crate::path::RequestPath;
use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT,
};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::fmt;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

/// How long an exchange may take, from the look-up of the name to the last byte.
const TIME: Duration = Duration::from_secs(20);
/// The largest answer, bytes, and the largest head of one.
const LARGEST_ANSWER: usize = 64 * 1024;
/// The longest that an upstream may ask to be left alone; it is tried again then at the latest.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

/// One `https` URL of an upstream: no user, no query, no fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    authority: Authority,
    path: String,
}

impl Endpoint {
    /// Parses a URL strictly; secrets are sent there, so cleartext has no exception.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("https://")?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let authority = Authority::parse(authority, Scheme::Https.default_port()).ok()?;
        let path = if path.is_empty() { "/" } else { path };
        let parsed = RequestPath::parse(path).ok()?;
        (!path.contains('?')).then(|| Self { authority, path: parsed.path().to_owned() })
    }

    /// Returns the URL below this one; `path` starts with a slash.
    pub(super) fn below(&self, path: &str) -> Self {
        let path = format!("{}{path}", self.path.trim_end_matches('/'));
        Self { authority: self.authority.clone(), path }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}{}", self.authority.for_scheme(Scheme::Https), self.path)
    }
}

/// A request that is about to be sent; its body is wiped as far as this side goes.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) endpoint: &'a Endpoint,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// The media type and the bytes.
    pub(super) body: Option<(&'static str, Zeroizing<Vec<u8>>)>,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Zeroizing<Vec<u8>>,
}

impl Answer {
    /// Reads the body as a JSON object of this type.
    pub(super) fn json<T: serde::de::DeserializeOwned>(&self) -> Option<T> {
        let media = self.headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let media = media.split(';').next()?.trim().to_ascii_lowercase();
        let json = media == "application/json" || media.ends_with("+json");
        json.then(|| serde_json::from_slice(&self.body).ok())?
    }

    /// Reports whether the upstream refused, so that it made nothing. A proxy that gave up waiting for
    /// one (408) cannot know that.
    pub(super) fn is_refusal(&self) -> bool {
        self.status.is_client_error() && self.status != StatusCode::REQUEST_TIMEOUT
    }

    /// Says what to do about a status that is not the wanted one; `word` is the upstream's own error
    /// code where it has one.
    pub(super) fn refusal(
        &self,
        who: &Endpoint,
        word: Option<&str>,
        now: UnixMillis,
    ) -> ProviderError {
        let plain = |w: &&str| {
            let fits = |b: u8| b.is_ascii_lowercase() || b == b'_';
            w.len() <= 64 && w.bytes().all(fits)
        };
        let word = word.filter(plain).map(|word| format!(" ({word})")).unwrap_or_default();
        let why = format!("{who} answered {}{word}", self.status.as_u16());
        let pause = self.pause(now);
        let busy = self.status.is_server_error()
            || matches!(self.status.as_u16(), 408 | 425 | 429)
            || self.status == StatusCode::FORBIDDEN && pause.is_some();
        if busy { ProviderError::Later { after: pause, why } } else { ProviderError::never(why) }
    }

    /// Reads how long to stay away: `Retry-After` in seconds (RFC 9110 §10.2.3), or the time at which
    /// GitHub renews an exhausted quota.
    fn pause(&self, now: UnixMillis) -> Option<Duration> {
        let number = |name: &str| -> Option<u64> {
            self.headers.get(name)?.to_str().ok()?.trim().parse().ok()
        };
        let exhausted = number("x-ratelimit-remaining") == Some(0);
        let renewed = exhausted
            .then(|| number("x-ratelimit-reset"))
            .flatten()
            .map(|seconds| UnixMillis(seconds.saturating_mul(1000)).saturating_since(now));
        let asked = number(RETRY_AFTER.as_str()).map(Duration::from_secs);
        asked.or(renewed).map(|pause| pause.min(LONGEST_PAUSE))
    }
}

/// Makes one exchange on a connection of its own: leases are rare, and nothing is left open.
pub(super) async fn exchange(tls: &LazyTls, call: Call<'_>) -> Result<Answer, ProviderError> {
    let who = call.endpoint.to_string();
    let late = || Err(ProviderError::later(format!("{who} did not answer in time")));
    tokio::time::timeout(TIME, send(tls, call)).await.unwrap_or_else(|_| late())
}

async fn send(tls: &LazyTls, call: Call<'_>) -> Result<Answer, ProviderError> {
    let Endpoint { authority, .. } = call.endpoint;
    let away = |what: &str| ProviderError::later(format!("{}: {what}", call.endpoint));
    let (stream, name) = match &authority.host {
        Host::Name(name) => (
            TcpStream::connect((name.as_str(), authority.port)).await,
            ServerName::try_from(name.clone()).map_err(|_| away("no name of a server"))?,
        ),
        Host::Address(address) => (
            TcpStream::connect((*address, authority.port)).await,
            ServerName::IpAddress((*address).into()),
        ),
    };
    let stream = stream.map_err(|_| away("cannot be reached"))?;
    let stream = TlsConnector::from(tls.config()?)
        .connect(name, stream)
        .await
        .map_err(|error| certificate(call.endpoint, &error))?;
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(LARGEST_ANSWER)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|_| away("the connection broke"))?;
    let endpoint = call.endpoint;
    let request = request(call)?;
    let broke = |_| ProviderError::later(format!("{endpoint}: the connection broke"));
    let answering = async {
        let answer = sender.send_request(request).await.map_err(broke)?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, LARGEST_ANSWER).collect().await.map_err(|_| {
            ProviderError::later(format!("{endpoint}: the answer is cut off or too large"))
        })?;
        let body = Zeroizing::new(body.to_bytes().to_vec());
        Ok(Answer { status: head.status, headers: head.headers, body })
    };
    // The connection is driven only as long as somebody waits for the answer.
    tokio::pin!(answering);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        answer = &mut answering => answer,
        _ = &mut connection => answering.await,
    }
}

fn request(call: Call<'_>) -> Result<Request<Full<Bytes>>, ProviderError> {
    let wrong =
        |_| ProviderError::never(format!("{}: the request cannot be written", call.endpoint));
    let host = call.endpoint.authority.for_scheme(Scheme::Https);
    let mut request = Request::builder()
        .method(call.method.clone())
        .uri(&call.endpoint.path)
        .header(HOST, host)
        .header(USER_AGENT, concat!("writ/", env!("CARGO_PKG_VERSION")));
    for (name, value) in call.headers {
        request = request.header(name, value);
    }
    let body = match call.body {
        None => Full::default(),
        Some((media, bytes)) => {
            request = request.header(CONTENT_TYPE, media);
            // The library's handle wipes it when it is done with it.
            Full::new(Bytes::from_owner(bytes))
        }
    };
    request.body(body).map_err(wrong)
}

/// A certificate that does not verify is a matter for a person; anything else may pass.
fn certificate(who: &Endpoint, error: &std::io::Error) -> ProviderError {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(_)) => ProviderError::never(format!(
            "{who}: its certificate is from no authority that is trusted; name the authority with ca"
        )),
        _ => ProviderError::later(format!("{who}: TLS failed")),
    }
}

/// Makes the field of a bearer token, or of `Basic` credentials.
pub(super) fn authorization(
    scheme: &str,
    secret: &Secret,
) -> Result<(HeaderName, HeaderValue), ProviderError> {
    let text = Zeroizing::new(format!("{scheme} {}", secret.expose()).into_bytes());
    let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(text))
        .map_err(|_| ProviderError::never("the secret cannot stand in a header"))?;
    value.set_sensitive(true);
    Ok((AUTHORIZATION, value))
}
