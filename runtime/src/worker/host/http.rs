//! The guest's `wasi:http`: every request goes to the gate as it was made.
//!
//! The gate decides and records each request, so nothing here looks at hosts, paths or ordinary
//! fields. Some things never reach it and are refused and recorded here: fields that concern the
//! connection (HTTP/2 cannot carry them), `CONNECT` (on the egress socket it would ask for a TCP
//! connection), and what is no HTTP at all.

use http::uri::{PathAndQuery, Scheme};
use http::{HeaderName, Method, Request, Response, Uri};
use http_body_util::BodyExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi_http::p2::bindings;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, RequestOptions, WasiBody, WasiHttp, WasiHttpCtx,
    WasiHttpCtxView, WasiHttpHooks,
};
use writ_broker::{Code, Limits, codes};

use super::GuestView;
use super::egress::EgressClient;
use super::http_body::{TimedBody, begun, strip};
use super::refuse::{never, refuse};
use crate::record::Recorder;

mod setters;

/// How much longer the worker waits than the gate, which holds the exchange to the grant's time and
/// says so. Without it the guest would often see a time-out of its own before the task is ended, and
/// nobody would read which bound it was.
const GRACE: Duration = Duration::from_secs(1);

type Processed = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Exchange = Box<dyn Future<Output = Result<(Response<WasiBody>, Processed), Error>> + Send>;

/// One store's `wasi:http`, borrowed for one call.
pub struct HttpView<'a> {
    /// Wasmtime's own state.
    pub ctx: &'a mut WasiHttpCtx,
    /// The way to the gate.
    pub hooks: &'a mut GuestHttp,
    /// The store's handles.
    pub table: &'a mut ResourceTable,
}

impl HttpView<'_> {
    fn inner(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: self.ctx, hooks: self.hooks, table: self.table }
    }
}

/// Adds `wasi:http` (outgoing only) to a linker.
pub fn add_to_linker<T: GuestView + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    fn get<T: GuestView>(state: &mut T) -> WasiHttpCtxView<'_> {
        let HttpView { ctx, hooks, table } = state.http();
        WasiHttpCtxView { ctx, hooks, table }
    }
    let options = bindings::LinkOptions::default();
    bindings::http::outgoing_handler::add_to_linker::<T, WasiHttp>(linker, get)?;
    bindings::http::types::add_to_linker::<T, WasiHttp>(linker, &(&options).into(), get)?;
    setters::shadow(linker)
}

/// Returns the state of `wasi:http` for one store, with the grant's bound on header fields.
///
/// A guest that exceeds it traps with a [`wasmtime_wasi_http::FieldMapError`].
pub fn context(limits: &Limits) -> WasiHttpCtx {
    let mut context = WasiHttpCtx::new();
    context.set_field_size_limit(usize::try_from(limits.header_bytes).unwrap_or(usize::MAX));
    context
}

/// One store's way from `wasi:http` to the gate.
pub struct GuestHttp {
    egress: EgressClient,
    recorder: Arc<dyn Recorder>,
    longest: Duration,
}

impl GuestHttp {
    /// Lets a guest send through `egress`, each exchange within `limits.http_ms` and some grace.
    pub fn new(egress: EgressClient, recorder: Arc<dyn Recorder>, limits: &Limits) -> Self {
        Self {
            egress,
            recorder,
            longest: Duration::from_millis(limits.http_ms).saturating_add(GRACE),
        }
    }

    /// Records what no grant could allow.
    fn refuse(&self, code: Code, target: String, reason: &str) {
        refuse(self.recorder.as_ref(), never(code, "http", target, reason));
    }
}

impl std::fmt::Debug for GuestHttp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GuestHttp").field("longest", &self.longest).finish_non_exhaustive()
    }
}

impl WasiHttpHooks for GuestHttp {
    /// Refuses and records a connection field that the guest sets.
    ///
    /// Responses pass here too, but the gate's answers were stripped of these fields before.
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        let forbidden = DEFAULT_FORBIDDEN_HEADERS.contains(name);
        if forbidden {
            let reason = "the field concerns the connection, which belongs to the host";
            self.refuse(codes::HEADER, format!("header {name}"), reason);
        }
        forbidden
    }

    /// Refuses and records a scheme that leads past HTTP.
    fn is_supported_scheme(&mut self, scheme: &Scheme) -> bool {
        let known = *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS;
        if !known {
            let reason = "the scheme is neither http nor https";
            self.refuse(codes::PORT, format!("scheme {scheme}"), reason);
        }
        known
    }

    /// The gate gives the upstream its `Host`, from the name that it decided on.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        processed: Processed,
    ) -> Exchange {
        drop(processed);
        let times = Times::clamp(options, self.longest);
        let request = self.checked(request);
        let egress = self.egress.clone();
        Box::new(async move {
            let response = exchange(egress, request?, times).await?;
            Ok((response, Box::new(std::future::ready(Ok(()))) as Processed))
        })
    }
}

async fn exchange(
    egress: EgressClient,
    request: Request<WasiBody>,
    times: Times,
) -> Result<Response<WasiBody>, Error> {
    let start = Instant::now();
    let request = begun(request).await;
    let mut response = timeout_at(start + times.head, egress.send(request))
        .await
        .map_err(|_| Error::ConnectionReadTimeout)??;
    strip(response.headers_mut());
    let deadline = start + times.whole;
    Ok(response.map(|body| TimedBody::new(body, times.between, deadline).boxed_unsync()))
}

/// How long the parts of one exchange may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Times {
    /// From the request to the response's header section.
    head: Duration,
    /// From one frame of the body to the next.
    between: Duration,
    /// From the request to the last byte.
    whole: Duration,
}

impl Times {
    /// Reads the guest's wishes; none, zero and more than `longest` all mean `longest`.
    fn clamp(options: Option<RequestOptions>, longest: Duration) -> Self {
        let wish = |time: Option<Duration>| match time {
            Some(time) if !time.is_zero() => time.min(longest),
            _ => longest,
        };
        let options = options.unwrap_or_default();
        let head = wish(options.connect_timeout).saturating_add(wish(options.first_byte_timeout));
        Self {
            head: head.min(longest),
            between: wish(options.between_bytes_timeout),
            whole: longest,
        }
    }
}

impl GuestHttp {
    /// Refuses what the connection to the gate cannot express, and gives the rest its canonical form.
    fn checked(&self, mut request: Request<WasiBody>) -> Result<Request<WasiBody>, Error> {
        let target =
            |request: &Request<WasiBody>| format!("{} {}", request.method(), request.uri());
        if request.method() == Method::CONNECT {
            let reason = "a request may not become a connection; use a TCP socket";
            self.refuse(codes::PROTOCOL, target(&request), reason);
            return Err(Error::HttpRequestDenied);
        }
        let uri = absolute(request.uri());
        *request.uri_mut() = uri.inspect_err(|_| {
            let reason = "it has no absolute form, so nobody could decide on it";
            self.refuse(codes::AMBIGUOUS, target(&request), reason);
        })?;
        Ok(request)
    }
}

/// Returns the absolute form, with the slash that an empty path stands for (RFC 9110 §4.2.3).
fn absolute(uri: &Uri) -> Result<Uri, Error> {
    let mut parts = uri.clone().into_parts();
    let known = parts.scheme.as_ref().is_some_and(|s| *s == Scheme::HTTP || *s == Scheme::HTTPS);
    if !known || parts.authority.as_ref().is_none_or(|authority| authority.as_str().is_empty()) {
        return Err(Error::HttpRequestUriInvalid);
    }
    let sent = parts.path_and_query.as_ref().map_or("", PathAndQuery::as_str);
    if !sent.starts_with('/') {
        if !sent.is_empty() && !sent.starts_with('?') {
            return Err(Error::HttpRequestUriInvalid);
        }
        let rooted = PathAndQuery::try_from(format!("/{sent}"));
        parts.path_and_query = Some(rooted.map_err(|_| Error::HttpRequestUriInvalid)?);
    }
    Uri::from_parts(parts).map_err(|_| Error::HttpRequestUriInvalid)
}

#[cfg(test)]
mod tests;
