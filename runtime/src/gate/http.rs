//! One HTTP request from the decision to the response: decide, record, check, dial, send, answer.

use super::body::{InBody, OutBody};
use super::check::Allowed;
use super::conceal::{Concealed, conceal};
use super::dial::Dialler;
use super::exchange::{Exchange, Guard};
use super::failure::{ErrorCase, Failure};
use super::headers;
use super::inject::Injector;
use super::link::Link;
use super::meter::Meter;
use super::pool::{Origin, Sender, Upstream};
use super::request::refusal;
use crate::outcome::LimitName;
use crate::scrub::Stream;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header, request};
use hyper::body::{Body as _, Incoming};
use std::sync::Arc;
use writ_broker::ask::Scheme;
use writ_broker::grant::HttpAllowed;
use writ_broker::{Decision, HttpAsk, codes};

/// What the lines around a header section cost: the version, the status, line ends.
const LINE_BYTES: u64 = 16;

/// Carries out one request, or says why not.
pub(super) async fn exchange(
    link: &Link,
    ask: HttpAsk,
    head: request::Parts,
    body: Incoming,
) -> Result<Response<InBody>, Failure> {
    let guard = Exchange::begin(&link.meter, &link.tasks, &link.pool, body);
    let exchange = Arc::clone(&guard.0);
    tokio::select! {
        biased;
        failure = exchange.broken() => Err(failure),
        response = Outgoing::run(link, ask, head, guard) => response,
    }
}

/// A request as it goes out: nothing in it is the guest's text any more but what was decided on.
pub(super) struct Outgoing {
    method: Method,
    pub(super) path: PathAndQuery,
    pub(super) headers: HeaderMap,
    pub(super) origin: Origin,
}

impl Outgoing {
    async fn run(
        link: &Link,
        ask: HttpAsk,
        head: request::Parts,
        guard: Guard,
    ) -> Result<Response<InBody>, Failure> {
        let target = ask.to_string();
        let HttpAllowed { addresses: rule, credential } = match link.meter.grant().decide_http(&ask)
        {
            Decision::Allow(allowed) => allowed,
            Decision::Forbid(refusal) => return Err(link.meter.refuse(refusal)),
        };
        let injector = credential.and_then(|name| Injector::new(link.meter.grant(), name, &ask));
        let mut outgoing = Self::new(link, ask, head, (&target, injector.as_ref()))?;
        let authority = outgoing.origin.authority.clone();
        let allowed = Allowed { what: "http", target: &target, authority: &authority, rule };
        // A name server hears of the name, so the record comes before the look-up; an address that
        // may not be dialled is a second decision, which is recorded as well.
        link.meter.admit(allowed.what, &target).await?;
        let route = outgoing.route(link, &allowed).await?;
        let Some(injector) = injector else {
            let (upstream, response) = outgoing.deliver(link, route, &allowed, &guard.0).await?;
            return answer(upstream, response, guard, None);
        };
        let sent = injector.send(link, &mut outgoing, route, &allowed, &guard.0).await?;
        let (upstream, response, patterns) = sent;
        answer(upstream, response, guard, Some(Concealed { target, patterns }))
    }

    fn new(
        link: &Link,
        ask: HttpAsk,
        head: request::Parts,
        (target, injector): (&str, Option<&Injector>),
    ) -> Result<Self, Failure> {
        let mut fields = head.headers;
        if headers::section_bytes(&fields) > link.meter.limits().header_bytes {
            let case = ErrorCase::HttpRequestHeaderSectionSize;
            return Err(link.meter.over(LimitName::HeaderBytes, case));
        }
        headers::filter_request(&mut fields, ask.scheme, &ask.authority)
            .and_then(|()| injector.map_or(Ok(()), |injector| injector.check(&fields)))
            .map_err(|forbidden| {
                let target = target.to_owned();
                link.meter.refuse(refusal("http", forbidden.code, target, &forbidden.reason))
            })?;
        // The decided path, parsed again only into the type that hyper takes; it cannot change in
        // that, or the request is not sent.
        let path = PathAndQuery::try_from(ask.path.as_sent())
            .ok()
            .filter(|path| path.as_str() == ask.path.as_sent())
            .ok_or_else(|| {
                let reason = "the path cannot be sent as it was decided on";
                link.meter.refuse(refusal("http", codes::AMBIGUOUS, target.to_owned(), reason))
            })?;
        let credential = injector.map(|injector| injector.credential().clone());
        let origin = Origin { scheme: ask.scheme, authority: ask.authority, credential };
        Ok(Self { method: head.method, path, headers: fields, origin })
    }

    /// Finds a connection of the task to this origin, or the addresses to dial.
    pub(super) async fn route(&self, link: &Link, allowed: &Allowed<'_>) -> Result<Route, Failure> {
        // Lets a connection whose end has arrived notice it, so that no request is lost on it.
        tokio::task::yield_now().await;
        while let Some(mut upstream) = link.pool.take(&self.origin) {
            // Another rule led to it; this one must allow its addresses too.
            if allowed.also_allows(link, &upstream.addresses) && upstream.sender.ready().await {
                return Ok(Route::Waiting(upstream));
            }
        }
        Ok(Route::Addresses(allowed.addresses(link).await?))
    }

    pub(super) async fn deliver(
        &self,
        link: &Link,
        route: Route,
        allowed: &Allowed<'_>,
        exchange: &Arc<Exchange>,
    ) -> Result<(Upstream, Response<Incoming>), Failure> {
        link.meter.send(self.head_bytes())?;
        let body = OutBody(Arc::clone(exchange));
        let (addresses, body) = match route {
            Route::Addresses(addresses) => (addresses, body),
            Route::Waiting(mut upstream) => {
                match self.send(&mut upstream, exchange, body).await {
                    Ok(response) => return Ok((upstream, response)),
                    // The connection went away while it waited, and nothing was sent on it. A new one
                    // is resolved and checked like any other; that is a second decision, which is
                    // recorded when it is a no.
                    Err(Unsent::Nothing(body)) => (allowed.addresses(link).await?, body),
                    Err(Unsent::Partly(error)) => return Err(explain(&link.meter, &error)),
                }
            }
        };
        let mut upstream = self.dial(link, addresses).await.map_err(Failure::Upstream)?;
        match self.send(&mut upstream, exchange, body).await {
            Ok(response) => Ok((upstream, response)),
            Err(Unsent::Nothing(_)) => Err(Failure::Upstream(ErrorCase::ConnectionTerminated)),
            Err(Unsent::Partly(error)) => Err(explain(&link.meter, &error)),
        }
    }

    async fn dial(
        &self,
        link: &Link,
        addresses: Arc<[std::net::SocketAddr]>,
    ) -> Result<Upstream, ErrorCase> {
        let tls = match self.origin.scheme {
            Scheme::Http => None,
            Scheme::Https => Some(link.tls()?),
        };
        let header_bytes = link.meter.limits().header_bytes;
        let dialler = Dialler { origin: &self.origin, tasks: &link.tasks, header_bytes };
        let sender = dialler.open(&addresses, tls).await?;
        let upstream = Upstream { origin: self.origin.clone(), addresses, sender };
        link.pool.offer(&upstream);
        Ok(upstream)
    }

    async fn send(
        &self,
        upstream: &mut Upstream,
        exchange: &Exchange,
        body: OutBody,
    ) -> Result<Response<Incoming>, Unsent> {
        exchange.carried_by(&upstream.sender);
        let request = self.request(&upstream.sender, body);
        let sent = match &mut upstream.sender {
            Sender::Http1(sender, _) => sender.try_send_request(request).await,
            Sender::Http2(sender) => sender.try_send_request(request).await,
        };
        sent.map_err(|mut error| match error.take_message() {
            Some(request) => Unsent::Nothing(request.into_body()),
            None => Unsent::Partly(error.into_error()),
        })
    }

    fn request(&self, sender: &Sender, body: OutBody) -> Request<OutBody> {
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.headers_mut() = self.headers.clone();
        let authority = self.origin.authority.for_scheme(self.origin.scheme);
        match sender {
            Sender::Http1(..) => {
                if request.headers().contains_key(header::TE) {
                    // RFC 9110 §10.1.4: the field is for this connection only, and says so.
                    request
                        .headers_mut()
                        .insert(header::CONNECTION, HeaderValue::from_static("te"));
                }
                let host = HeaderValue::from_str(&authority);
                request
                    .headers_mut()
                    .insert(header::HOST, host.unwrap_or(HeaderValue::from_static("")));
                *request.uri_mut() = Uri::from(self.path.clone());
            }
            Sender::Http2(_) => {
                *request.version_mut() = http::Version::HTTP_2;
                let uri = Uri::builder()
                    .scheme(self.origin.scheme.to_string().as_str())
                    .authority(authority)
                    .path_and_query(self.path.clone())
                    .build();
                *request.uri_mut() = uri.unwrap_or_default();
            }
        }
        request
    }

    fn head_bytes(&self) -> u64 {
        let line = self.method.as_str().len() + self.path.as_str().len();
        line as u64 + LINE_BYTES + headers::section_bytes(&self.headers)
    }
}

/// How the request gets there.
pub(super) enum Route {
    /// On a connection that waits in the pool.
    Waiting(Upstream),
    /// On a new one to these addresses, all of them checked.
    Addresses(Arc<[std::net::SocketAddr]>),
}

/// How far a request got that was not answered.
enum Unsent {
    /// Not a byte left; the body is untouched.
    Nothing(OutBody),
    /// It is not known what arrived.
    Partly(hyper::Error),
}

/// Turns the upstream's response into the guest's.
fn answer(
    upstream: Upstream,
    response: Response<Incoming>,
    guard: Guard,
    concealed: Option<Concealed>,
) -> Result<Response<InBody>, Failure> {
    let meter = &guard.0.meter;
    let (mut head, body) = response.into_parts();
    let bytes = headers::section_bytes(&head.headers);
    if bytes > meter.limits().header_bytes {
        let case = ErrorCase::HttpResponseHeaderSectionSize;
        return Err(meter.over(LimitName::HeaderBytes, case));
    }
    meter.receive(bytes + LINE_BYTES)?;
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Failure::Upstream(ErrorCase::HttpUpgradeFailed));
    }
    if let Some(concealed) = &concealed {
        conceal(concealed, &mut head, !body.is_end_stream()).map_err(|forbidden| {
            let target = concealed.target.clone();
            meter.refuse(refusal("http", forbidden.code, target, &forbidden.reason))
        })?;
    }
    headers::filter_response(&mut head.headers);
    guard.0.answered(upstream, body);
    let scrub = concealed.map(|concealed| Stream::new(concealed.patterns));
    let mut response = Response::new(InBody::new(guard, scrub));
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    Ok(response)
}

/// Says what a failure of the HTTP layer means for the guest.
fn explain(meter: &Meter, error: &hyper::Error) -> Failure {
    let sources = std::iter::successors(std::error::Error::source(error), |error| error.source());
    for source in sources {
        if let Some(h2) = source.downcast_ref::<h2::Error>() {
            // This is how the HTTP/2 layer reports a header list over its bound.
            if h2.is_library() && h2.reason() == Some(h2::Reason::REFUSED_STREAM) {
                return over_headers(meter);
            }
            return Failure::Upstream(ErrorCase::HttpProtocolError);
        }
        if let Some(io) = source.downcast_ref::<std::io::Error>() {
            return Failure::Upstream(super::tls::case(io));
        }
    }
    if error.is_parse_too_large() {
        return over_headers(meter);
    }
    Failure::Upstream(if error.is_parse() {
        ErrorCase::HttpProtocolError
    } else if error.is_incomplete_message() {
        ErrorCase::HttpResponseIncomplete
    } else {
        ErrorCase::ConnectionTerminated
    })
}

fn over_headers(meter: &Meter) -> Failure {
    meter.over(LimitName::HeaderBytes, ErrorCase::HttpResponseHeaderSectionSize)
}
