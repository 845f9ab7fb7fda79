//! An HTTPS server whose answers a test writes: an upstream's API, as strict as the test makes it.

use crate::background::Background;
use crate::ca::TestCa;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// One request, whole.
#[derive(Debug, Clone)]
pub struct Heard {
    /// The method.
    pub method: String,
    /// The path as sent.
    pub path: String,
    /// The fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Heard {
    /// Returns a field that stands there exactly once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(known, _)| known == name);
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }
}

/// One answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The fields.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// Makes an answer of JSON.
    pub fn json(status: u16, body: impl Into<String>) -> Self {
        let headers = vec![("content-type", "application/json; charset=utf-8".to_owned())];
        Self { status, headers, body: body.into() }
    }

    /// Makes an answer without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: vec![], body: String::new() }
    }
}

/// The server, on loopback, under the name `localhost`.
pub struct Api {
    port: u16,
    heard: Arc<Mutex<Vec<Heard>>>,
    _running: Background,
}

impl Api {
    /// Starts a server; `answer` is asked for each request, one at a time.
    pub fn start(ca: &TestCa, answer: impl FnMut(&Heard) -> Answer + Send + 'static) -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard: Arc<Mutex<Vec<Heard>>> = Arc::default();
        let noted = Arc::clone(&heard);
        let tls = TlsAcceptor::from(ca.server_config(&["localhost", "127.0.0.1"], &[]));
        let answer = Arc::new(Mutex::new(answer));
        let running = Background::run(move || async move {
            let listener = TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (tls, noted, answer) = (tls.clone(), noted.clone(), answer.clone());
                tokio::spawn(async move {
                    let Ok(stream) = tls.accept(stream).await else { return };
                    let service = service_fn(|request| {
                        let (noted, answer) = (noted.clone(), answer.clone());
                        async move {
                            let heard = hear(request).await;
                            noted.lock().unwrap().push(heard.clone());
                            let answer = answer.lock().unwrap()(&heard);
                            Ok::<_, Infallible>(write(answer))
                        }
                    });
                    drop(
                        http1::Builder::new().serve_connection(TokioIo::new(stream), service).await,
                    );
                });
            }
        });
        Self { port, heard, _running: running }
    }

    /// Returns the base of its URLs.
    pub fn base(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// Returns every request that arrived, in order.
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

async fn hear(request: ::http::Request<hyper::body::Incoming>) -> Heard {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let text = |value: &::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Heard {
        method: head.method.to_string(),
        path: head.uri.to_string(),
        headers: head.headers.iter().map(|(n, v)| (n.to_string(), text(v))).collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    }
}

fn write(answer: Answer) -> ::http::Response<Full<Bytes>> {
    let mut response = ::http::Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(Full::new(Bytes::from(answer.body))).unwrap()
}
