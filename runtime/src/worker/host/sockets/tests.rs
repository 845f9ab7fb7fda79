#![expect(clippy::unwrap_used, reason = "a test may fail")]

use super::super::test_support::{GateBody, Kept, gate, kept};
use super::*;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wasmtime_wasi::p2::bindings::sockets::tcp::{HostTcpSocket, ShutdownType, TcpSocket};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, StreamError};

use crate::wire::egress::GATE_ERROR;
use network::{ErrorCode, IpAddressFamily};

struct Store {
    sockets: GuestSockets,
    table: ResourceTable,
    kept: Arc<Kept>,
}

type Handle = Resource<TcpSocket>;

impl Store {
    fn new(egress: EgressClient) -> Self {
        let (kept, recorder) = kept();
        let sockets = GuestSockets::new(egress, recorder, &Limits::default());
        Self { sockets, table: ResourceTable::new(), kept }
    }

    fn view(&mut self) -> SocketsView<'_> {
        SocketsView { sockets: &mut self.sockets, table: &mut self.table }
    }

    fn resolve(&mut self, name: &str) -> Result<SocketAddr, ErrorCode> {
        self.sockets.look_up(name).map(|ip| SocketAddr::new(ip, 5432))
    }

    fn network(&mut self) -> Resource<network::Network> {
        instance_network::Host::instance_network(&mut self.view()).unwrap()
    }

    fn socket(&mut self) -> Handle {
        let family = IpAddressFamily::Ipv4;
        tcp_create_socket::Host::create_tcp_socket(&mut self.view(), family).unwrap()
    }

    /// Connects as a guest does: start, wait, finish.
    async fn connect(
        &mut self,
        socket: &Handle,
        to: SocketAddr,
    ) -> Result<(DynInputStream, DynOutputStream), ErrorCode> {
        let network = self.network();
        seen(self.view().start_connect(again(socket), network, to.into()))?;
        self.table.get_mut(&ours::<_, tcp::Socket>(socket)).unwrap().ready().await;
        let (input, output) = seen(self.view().finish_connect(again(socket)))?;
        Ok((self.table.delete(input).unwrap(), self.table.delete(output).unwrap()))
    }
}

fn again(handle: &Handle) -> Handle {
    Resource::new_borrow(handle.rep())
}

fn seen<T>(result: SocketResult<T>) -> Result<T, ErrorCode> {
    result.map_err(|error| error.downcast().unwrap())
}

fn empty() -> GateBody {
    Empty::new().boxed()
}

/// A gate that accepts `db.internal:5432` and sends back what arrives, and then `bye`.
async fn echo(request: Request<Incoming>) -> Response<GateBody> {
    let mut response = Response::new(empty());
    if request.method() != Method::CONNECT || request.uri() != "db.internal:5432" {
        response.headers_mut().insert(GATE_ERROR, HeaderValue::from_static("HTTP-request-denied"));
        *response.status_mut() = http::StatusCode::FORBIDDEN;
        return response;
    }
    tokio::spawn(async move {
        let mut tunnel = TokioIo::new(hyper::upgrade::on(request).await.unwrap());
        let mut buffer = vec![0; 16 * 1024];
        loop {
            match tunnel.read(&mut buffer).await.unwrap() {
                0 => break,
                read => tunnel.write_all(&buffer[..read]).await.unwrap(),
            }
        }
        tunnel.write_all(b"bye").await.unwrap();
        tunnel.shutdown().await.unwrap();
    });
    response
}

async fn read_to_end(input: &mut DynInputStream) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        match input.blocking_read(10_000).await {
            Ok(bytes) => all.extend_from_slice(&bytes),
            Err(StreamError::Closed) => return all,
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_granted_name_connects_and_bytes_flow_both_ways() {
    let mut store = Store::new(gate(echo));
    let to = store.resolve("DB.internal.").unwrap();
    let socket = store.socket();
    let (mut input, mut output) = store.connect(&socket, to).await.unwrap();
    let sent = Bytes::from(vec![7_u8; 2_000_000]);
    let writer = async {
        for start in (0..sent.len()).step_by(50_000) {
            output.ready().await;
            assert!(output.check_write().unwrap() >= 50_000);
            output.write(sent.slice(start..start + 50_000)).unwrap();
        }
    };
    let mut got = 0;
    let reader = async {
        while got < sent.len() {
            got += input.blocking_read(100_000).await.unwrap().len();
        }
    };
    tokio::join!(writer, reader);
    seen(store.view().shutdown(again(&socket), ShutdownType::Send)).unwrap();
    assert_eq!(read_to_end(&mut input).await, b"bye", "it is half closed only");
    assert!(store.kept.refusals().is_empty(), "the gate records it, not the worker");
}

#[tokio::test]
async fn a_writer_waits_when_nobody_reads() {
    let silent = gate(|request| async move {
        tokio::spawn(async move {
            let _held = hyper::upgrade::on(request).await.unwrap();
            std::future::pending::<()>().await;
        });
        Response::new(empty())
    });
    let mut store = Store::new(silent);
    let to = store.resolve("db.internal").unwrap();
    let socket = store.socket();
    let (_input, mut output) = store.connect(&socket, to).await.unwrap();
    let mut written = 0;
    loop {
        match output.check_write().unwrap() {
            0 => break,
            permit => {
                output.write(Bytes::from(vec![0; permit])).unwrap();
                written += permit;
                tokio::task::yield_now().await;
            }
        }
        assert!(written < 64 * 1024 * 1024, "the host would buffer without end");
    }
}

#[tokio::test]
async fn a_denied_name_resolves_but_does_not_connect() {
    let mut store = Store::new(gate(echo));
    let to = store.resolve("evil.example").unwrap();
    let socket = store.socket();
    assert_eq!(store.connect(&socket, to).await.err().unwrap(), ErrorCode::AccessDenied);
    assert!(store.kept.refusals().is_empty(), "the gate recorded it");
}

#[tokio::test]
async fn a_literal_address_is_put_to_the_gate_as_it_is() {
    let asked = gate(|request: Request<Incoming>| async move {
        let mut response = Response::new(empty());
        let known = ["203.0.113.9:5432", "[2001:db8::1]:5432", "198.18.0.77:5432"];
        let known = known.contains(&request.uri().to_string().as_str());
        let name = if known { "connection-refused" } else { "internal-error" };
        response.headers_mut().insert(GATE_ERROR, HeaderValue::from_static(name));
        response
    });
    let mut store = Store::new(asked);
    for (text, family) in [
        ("203.0.113.9", IpAddressFamily::Ipv4),
        ("2001:db8::1", IpAddressFamily::Ipv6),
        ("198.18.0.77", IpAddressFamily::Ipv4),
    ] {
        let to = store.resolve(text).unwrap();
        let socket = tcp_create_socket::Host::create_tcp_socket(&mut store.view(), family).unwrap();
        assert_eq!(store.connect(&socket, to).await.err().unwrap(), ErrorCode::ConnectionRefused);
    }
}

#[test]
fn a_name_that_has_two_readings_is_refused_and_recorded() {
    let mut store = Store::new(nowhere());
    for name in ["127.1", "0x7f.1", "a b.example", "evil.example\0.db.internal", "user@db.internal"]
    {
        assert_eq!(store.resolve(name), Err(ErrorCode::InvalidArgument), "{name}");
    }
    let codes: Vec<_> = store.kept.refusals().into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, ["D0105"; 5]);
}

#[test]
fn a_name_of_megabytes_is_recorded_in_part() {
    let mut store = Store::new(nowhere());
    let refused = store.resolve(&"x".repeat(9_000_000));
    assert_eq!(refused, Err(ErrorCode::InvalidArgument));
    let refusals = store.kept.refusals();
    assert_eq!(refusals.len(), 1, "recorded once");
    assert!(refusals[0].1.len() < 4200 && refusals[0].1.ends_with("(9000000 bytes)"));
    store.resolve("db.internal").unwrap();
}

#[test]
fn one_name_has_one_address_in_the_benchmark_range_and_names_are_bounded() {
    let mut store = Store::new(nowhere());
    let first = store.resolve("a.example").unwrap();
    assert_eq!(first.ip().to_string(), "198.18.0.1");
    assert_eq!(store.resolve("A.example.").unwrap(), first);
    assert_ne!(store.resolve("b.example").unwrap(), first);
    assert_eq!(store.sockets.names.target(first), "a.example:5432");
    for n in 2..1024 {
        store.resolve(&format!("n{n}.example")).unwrap();
    }
    let one_more = store.resolve("one.more.example");
    assert_eq!(one_more, Err(ErrorCode::TemporaryResolverFailure));
    assert_eq!(store.resolve("a.example").unwrap(), first);
}

#[tokio::test]
async fn listening_is_refused_and_recorded_once() {
    let mut store = Store::new(nowhere());
    let (network, socket) = (store.network(), store.socket());
    let any = SocketAddr::from(([0, 0, 0, 0], 8080)).into();
    let bound = store.view().start_bind(again(&socket), network, any).await;
    assert_eq!(seen(bound), Err(ErrorCode::AccessDenied));
    let finished = store.view().finish_bind(again(&socket));
    assert_eq!(seen(finished), Err(ErrorCode::NotInProgress));
    assert_eq!(store.kept.refusals(), [("D0301".to_owned(), "tcp 0.0.0.0:8080".to_owned())]);
}

#[tokio::test]
async fn a_datagram_socket_is_refused_and_recorded() {
    let mut store = Store::new(nowhere());
    let family = IpAddressFamily::Ipv4;
    let made = udp_create_socket::Host::create_udp_socket(&mut store.view(), family).await;
    assert_eq!(seen(made).err(), Some(ErrorCode::AccessDenied));
    assert_eq!(store.kept.refusals(), [("D0301".to_owned(), "udp".to_owned())]);
}

#[tokio::test]
async fn what_was_written_before_the_socket_is_dropped_still_arrives() {
    let (tell, told) = tokio::sync::oneshot::channel();
    let tell = Arc::new(std::sync::Mutex::new(Some(tell)));
    let gate = gate(move |request| {
        let tell = tell.lock().unwrap().take().unwrap();
        async move {
            tokio::spawn(async move {
                let mut tunnel = TokioIo::new(hyper::upgrade::on(request).await.unwrap());
                let mut all = Vec::new();
                let _end_or_reset = tunnel.read_to_end(&mut all).await;
                tell.send(all).unwrap();
            });
            Response::new(empty())
        }
    });
    let mut store = Store::new(gate);
    let to = store.resolve("db.internal").unwrap();
    let socket = store.socket();
    let (input, mut output) = store.connect(&socket, to).await.unwrap();
    output.check_write().unwrap();
    output.write(Bytes::from_static(b"QUIT\r\n")).unwrap();
    output.cancel().await;
    drop((input, output));
    HostTcpSocket::drop(&mut store.view(), socket).unwrap();
    store.sockets.egress.settle().await;
    assert_eq!(told.await.unwrap(), b"QUIT\r\n");
}

#[tokio::test]
async fn addresses_that_no_socket_can_reach_are_invalid() {
    let mut store = Store::new(nowhere());
    for to in ["0.0.0.0:80", "203.0.113.9:0", "[2001:db8::1]:80"] {
        let (network, socket) = (store.network(), store.socket());
        let to: SocketAddr = to.parse().unwrap();
        let started = store.view().start_connect(socket, network, to.into());
        assert_eq!(seen(started), Err(ErrorCode::InvalidArgument), "{to}");
    }
}

/// An egress socket that nobody serves: what these tests do must not need it.
fn nowhere() -> EgressClient {
    let (worker, _) = std::os::unix::net::UnixStream::pair().unwrap();
    EgressClient::new(worker, 1000)
}
