//! A gate, a name server and a worker's end of the egress socket.

use crate::authority::{Authority, BoxFuture, CredentialAsk};
use crate::gate::{EgressCount, Gate, GateLink, GateSettings, GateTask};
use crate::injection::{DPOP, Injection};
use crate::outcome::LimitName;
use crate::record::{Record, Recorder};
use crate::secret::Secret;
use crate::wire::egress as wire;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use writ_broker::ask::Scheme;
use writ_broker::grant::{
    CredentialGrant, CredentialKind, CredentialName, HttpRule, Placement, Scope, TcpRule,
};
use writ_broker::host::Host;
use writ_broker::pattern::{HostPattern, PathPattern};
use writ_broker::{Grant, Limits, Refusal, codes};
use writ_test_support::{DnsStub, HttpServer, TestCa};

pub(super) type Sent = UnsyncBoxBody<Bytes, std::io::Error>;

/// Remembers what was recorded.
#[derive(Default)]
pub(super) struct Records {
    list: Mutex<Vec<Record>>,
    broken: AtomicBool,
    /// The credentials that there are, by name.
    pub(super) secrets: Mutex<BTreeMap<String, Injection>>,
    /// What was asked for.
    pub(super) asks: Mutex<Vec<CredentialAsk>>,
    /// Whether the task may no longer act.
    pub(super) stopped: AtomicBool,
}

impl Records {
    /// Returns the code of each record, or `ok`.
    pub(super) fn codes(&self) -> Vec<String> {
        let code = |record: &Record| match &record.refusal {
            Some(refusal) => refusal.code.to_string(),
            None => "ok".to_owned(),
        };
        self.list.lock().unwrap().iter().map(code).collect()
    }
}

impl Recorder for Records {
    fn record(&self, record: Record) {
        if self.broken.swap(false, Ordering::SeqCst) {
            // As a panic, but without its noise.
            std::panic::resume_unwind(Box::new("the ledger cannot be written"));
        }
        self.list.lock().unwrap().push(record);
    }

    fn over_limit(&self, _: LimitName) {}
}

impl Authority for Records {
    fn admit<'a>(&'a self, record: Record) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            // Another task may run in between, as it may while a record becomes durable.
            tokio::task::yield_now().await;
            if !self.stopped.load(Ordering::SeqCst) {
                self.record(record);
                return Ok(());
            }
            let reason = "the task was killed".to_owned();
            let (what, target) = (record.what, record.target);
            let refusal = Refusal { code: codes::HOST, what, target, reason, help: None };
            Err(refusal)
        })
    }

    fn credential<'a>(
        &'a self,
        ask: &'a CredentialAsk,
    ) -> BoxFuture<'a, Result<Injection, Refusal>> {
        self.asks.lock().unwrap().push(ask.clone());
        let known = self.secrets.lock().unwrap().get(ask.credential.as_str()).cloned();
        Box::pin(async move {
            tokio::task::yield_now().await;
            let Some(mut injection) = known else {
                let refusal = ask.refusal("nobody has it");
                let (what, target) = (refusal.what.clone(), refusal.target.clone());
                self.record(Record { what, target, refusal: Some(refusal.clone()) });
                return Err(refusal);
            };
            // A proof is made anew for each request, with the nonce of the server.
            if let Some((_, proof)) = injection.headers.iter_mut().find(|(name, _)| *name == DPOP) {
                let nonce = ask.nonce.as_ref().map_or("without-a-nonce", |nonce| nonce.as_str());
                *proof = Secret::new(format!("proof.with.{nonce}"));
                injection.scrub.push(proof.clone());
            }
            Ok(injection)
        })
    }
}

/// The host's side of a test, before there is a task.
pub(super) struct Bed {
    pub(super) dns: DnsStub,
    pub(super) ca: TestCa,
    pub(super) gate: Gate,
    _files: tempfile::TempDir,
}

impl Bed {
    pub(super) fn new() -> Self {
        Self::with(true)
    }

    /// A bed without the operator's switch for loopback, as in production.
    pub(super) fn strict() -> Self {
        Self::with(false)
    }

    fn with(dangerous_loopback: bool) -> Self {
        let (dns, ca, files) = (DnsStub::start(), TestCa::new(), tempfile::tempdir().unwrap());
        let file = files.path().join("ca.pem");
        std::fs::write(&file, ca.pem()).unwrap();
        let name_server = Some(dns.address());
        let settings = GateSettings { extra_ca: vec![file], name_server, dangerous_loopback };
        Self { dns, ca, gate: Gate::new(settings).unwrap(), _files: files }
    }

    pub(super) async fn task(&self, grant: Grant) -> Worker {
        Worker::attach(&self.gate, grant).await
    }
}

/// A grant of every method and path at one origin.
pub(super) fn http_grant(rules: &[(Scheme, &str, u16)]) -> Grant {
    let http = rules.iter().map(|(scheme, host, port)| rule(*scheme, host, *port)).collect();
    Grant { http, ..Grant::default() }
}

pub(super) fn rule(scheme: Scheme, host: &str, port: u16) -> HttpRule {
    HttpRule {
        host: HostPattern::parse(host).unwrap(),
        scheme,
        port,
        methods: ["GET", "POST", "PUT", "HEAD"].map(str::to_owned).to_vec(),
        paths: vec![PathPattern::any()],
        addresses: Vec::new(),
        credential: None,
    }
}

/// Lets requests of a rule carry a credential.
pub(super) fn carrying(mut grant: Grant, rule: HttpRule, name: &str, place: &str) -> Grant {
    let name = CredentialName::parse(name).unwrap();
    grant.credentials.push(CredentialGrant {
        name: name.clone(),
        kind: CredentialKind::Secret,
        scope: Scope::default(),
        ttl: std::time::Duration::from_secs(60),
        place: Placement::parse(place).unwrap(),
        expose: false,
    });
    grant.http.push(HttpRule { credential: Some(name), ..rule });
    grant
}

pub(super) fn tcp_grant(host: &str, port: u16) -> Grant {
    let tcp = vec![TcpRule { host: Host::parse(host).unwrap(), port, addresses: Vec::new() }];
    Grant { tcp, ..Grant::default() }
}

pub(super) fn limited(mut grant: Grant, set: impl FnOnce(&mut Limits)) -> Grant {
    set(&mut grant.limits);
    grant
}

/// A worker's end: what it can ask, and what the host saw of it.
pub(super) struct Worker {
    pub(super) link: GateLink,
    pub(super) client: SendRequest<Sent>,
    pub(super) records: Arc<Records>,
    limits: Arc<Mutex<Vec<LimitName>>>,
}

impl Worker {
    pub(super) async fn attach(gate: &Gate, grant: Grant) -> Self {
        let (link, egress, records, limits) = attach(gate, grant);
        let client = client(egress).await;
        Self { link, client, records, limits }
    }

    pub(super) fn records(&self) -> Vec<Record> {
        self.records.list.lock().unwrap().clone()
    }

    /// Gives the authority a credential of the grant.
    pub(super) fn has(&self, name: &str, place: &str, secret: &str) {
        let place = Placement::parse(place).unwrap();
        let proof = (place == Placement::Dpop).then(|| Secret::new(*b"filled in later"));
        let injection = Injection::place(&place, Secret::new(secret), proof).unwrap();
        self.has_injection(name, injection);
    }

    pub(super) fn has_injection(&self, name: &str, injection: Injection) {
        self.records.secrets.lock().unwrap().insert(name.to_owned(), injection);
    }

    /// Lets the next record fail.
    pub(super) fn break_the_next_record(&self) {
        self.records.broken.store(true, Ordering::SeqCst);
    }

    pub(super) fn codes(&self) -> Vec<String> {
        self.records.codes()
    }

    pub(super) fn limits_hit(&self) -> Vec<LimitName> {
        self.limits.lock().unwrap().clone()
    }

    pub(super) async fn get(&mut self, uri: &str) -> Answer {
        self.send(request(Method::GET, uri)).await
    }

    pub(super) async fn send(&mut self, request: Request<Sent>) -> Answer {
        match self.try_start(request).await {
            Ok(response) => Answer::read(response).await,
            Err(error) => Answer::never_begun(&error),
        }
    }

    /// Sends a request and returns when its response begins.
    pub(super) async fn start(&mut self, request: Request<Sent>) -> Response<Incoming> {
        self.try_start(request).await.unwrap()
    }

    pub(super) async fn try_start(
        &mut self,
        request: Request<Sent>,
    ) -> hyper::Result<Response<Incoming>> {
        self.client.ready().await?;
        self.client.send_request(request).await
    }
}

/// Attaches a task and returns the raw egress socket.
pub(super) fn attach(
    gate: &Gate,
    grant: Grant,
) -> (GateLink, UnixStream, Arc<Records>, Arc<Mutex<Vec<LimitName>>>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let records = Arc::new(Records::default());
    let limits: Arc<Mutex<Vec<LimitName>>> = Arc::default();
    let hit = Arc::clone(&limits);
    let task = GateTask {
        grant: Arc::new(grant),
        authority: Arc::clone(&records) as Arc<dyn Authority>,
        over_limit: Box::new(move |limit| hit.lock().unwrap().push(limit)),
        count: EgressCount::default(),
    };
    (gate.attach(theirs, task), ours, records, limits)
}

async fn client(egress: UnixStream) -> SendRequest<Sent> {
    egress.set_nonblocking(true).unwrap();
    let stream = TokioIo::new(tokio::net::UnixStream::from_std(egress).unwrap());
    let (client, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(wire::STREAM_WINDOW)
        .initial_connection_window_size(wire::CONNECTION_WINDOW)
        .max_frame_size(wire::MAX_FRAME)
        .max_header_list_size(1 << 20)
        .handshake(stream)
        .await
        .unwrap();
    tokio::spawn(connection);
    client
}

pub(super) fn request(method: Method, uri: &str) -> Request<Sent> {
    let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = uri.parse().unwrap();
    request
}

pub(super) fn with_field(mut request: Request<Sent>, name: &str, value: &str) -> Request<Sent> {
    let name = http::HeaderName::try_from(name).unwrap();
    request.headers_mut().append(name, value.parse().unwrap());
    request
}

pub(super) fn with_body(mut request: Request<Sent>, body: impl Into<Bytes>) -> Request<Sent> {
    *request.body_mut() = Full::new(body.into()).map_err(|never| match never {}).boxed_unsync();
    request
}

/// A response read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: http::HeaderMap,
    pub(super) body: Bytes,
    pub(super) trailers: Option<http::HeaderMap>,
    /// The reset code that broke the body off.
    pub(super) broken: Option<h2::Reason>,
}

impl Answer {
    /// A reset can overtake the header that it follows.
    fn never_begun(error: &hyper::Error) -> Self {
        let (headers, body, broken) = (http::HeaderMap::new(), Bytes::new(), Some(reset(error)));
        Self { status: 0, headers, body, trailers: None, broken }
    }

    pub(super) async fn read(response: Response<Incoming>) -> Self {
        let (head, mut body) = response.into_parts();
        let (mut data, mut trailers, mut broken) = (Vec::new(), None, None);
        while let Some(frame) = body.frame().await {
            match frame.map(http_body::Frame::into_data) {
                Ok(Ok(piece)) => data.extend_from_slice(&piece),
                Ok(Err(frame)) => trailers = frame.into_trailers().ok(),
                Err(error) => {
                    broken = Some(reset(&error));
                    break;
                }
            }
        }
        let (status, headers) = (head.status.as_u16(), head.headers);
        Self { status, headers, body: data.into(), trailers, broken }
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Returns the gate's own error, if it was the gate that answered.
    pub(super) fn gate_error(&self) -> Option<&str> {
        self.headers.get(wire::GATE_ERROR).map(|value| value.to_str().unwrap())
    }

    pub(super) fn code(&self) -> Option<&str> {
        self.headers.get(wire::GATE_CODE).map(|value| value.to_str().unwrap())
    }
}

pub(super) fn reset(error: &hyper::Error) -> h2::Reason {
    let source = std::error::Error::source(error).unwrap();
    source.downcast_ref::<h2::Error>().unwrap().reason().unwrap()
}

/// A server under a name, with a grant for it: the control that an attack must leave working.
pub(super) struct Honest {
    pub(super) server: HttpServer,
    pub(super) origin: String,
}

impl Honest {
    pub(super) fn new(bed: &Bed) -> Self {
        let server = HttpServer::start();
        bed.dns.answer("honest.test", &["127.0.0.1"]);
        let origin = format!("http://honest.test:{}", server.port());
        Self { server, origin }
    }

    pub(super) fn rule(&self) -> HttpRule {
        rule(Scheme::Http, "honest.test", self.server.port())
    }

    pub(super) fn grant(&self) -> Grant {
        Grant { http: vec![self.rule()], ..Grant::default() }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// Asserts that an ordinary request of the same task is still served and recorded.
    pub(super) async fn still_works(&self, worker: &mut Worker) {
        let before = worker.codes().len();
        let answer = worker.get(&self.url("/hello")).await;
        assert_eq!((answer.status, answer.text()), (200, "hello"), "{answer:?}");
        assert_eq!(worker.codes().split_off(before), ["ok"]);
    }
}

/// Waits, by yielding, until something that another thread does has happened.
pub(super) async fn eventually(what: &str, happened: impl Fn() -> bool) {
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !happened() {
        assert!(std::time::Instant::now() < patience, "{what}");
        tokio::task::yield_now().await;
    }
}
