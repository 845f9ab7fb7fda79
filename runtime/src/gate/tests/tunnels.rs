//! TCP connections behind CONNECT.

use super::bed::{Bed, Honest, Worker, limited, request, tcp_grant};
use crate::outcome::LimitName;
use http::Method;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use writ_test_support::RawServer;

fn connect(authority: &str) -> http::Request<super::bed::Sent> {
    let mut connect = request(Method::CONNECT, "http://placeholder/");
    *connect.uri_mut() = http::Uri::builder().authority(authority).build().unwrap();
    connect
}

async fn open(worker: &mut Worker, authority: &str) -> TokioIo<Upgraded> {
    let mut response = worker.start(connect(authority)).await;
    assert_eq!(response.status(), 200);
    TokioIo::new(hyper::upgrade::on(&mut response).await.unwrap())
}

#[tokio::test]
async fn a_named_target_is_reached_and_each_side_can_close_alone() {
    let bed = Bed::new();
    let echo = RawServer::echo();
    bed.dns.answer("echo.test", &["127.0.0.1"]);
    let port = echo.address().port();
    let mut worker = bed.task(tcp_grant("echo.test", port)).await;

    let mut tunnel = open(&mut worker, &format!("echo.test:{port}")).await;
    tunnel.write_all(b"ping").await.unwrap();
    let mut four = [0; 4];
    tunnel.read_exact(&mut four).await.unwrap();
    assert_eq!(&four, b"ping");
    tunnel.shutdown().await.unwrap();
    let mut rest = String::new();
    tunnel.read_to_string(&mut rest).await.unwrap();

    assert_eq!(rest, "bye", "what the server says after the guest closed still arrives");
    let records = worker.records();
    assert_eq!(records.len(), 1);
    assert_eq!(
        (records[0].what.as_str(), &records[0].target),
        ("tcp", &format!("echo.test:{port}"))
    );
    assert_eq!(records[0].refusal, None);
    let usage = worker.link.usage();
    assert_eq!((usage.http_requests, usage.bytes_out, usage.bytes_in), (1, 4, 7));
}

#[tokio::test]
async fn a_tunnel_to_another_port_or_an_inward_name_is_refused() {
    let bed = Bed::new();
    let echo = RawServer::echo();
    let port = echo.address().port();
    bed.dns.answer("echo.test", &["127.0.0.1", "10.0.0.1"]);
    let mut worker = bed.task(tcp_grant("echo.test", port)).await;

    let other = super::bed::Answer::read(worker.start(connect("echo.test:22")).await).await;
    assert_eq!(other.code(), Some("D0107"));
    let inward = worker.start(connect(&format!("echo.test:{port}"))).await;
    let inward = super::bed::Answer::read(inward).await;
    assert_eq!((inward.status, inward.code()), (403, Some("D0102")));

    assert_eq!(worker.codes(), ["D0107", "ok", "D0102"]);
    assert_eq!(echo.accepted(), 0);
    bed.dns.answer("echo.test", &["127.0.0.1"]);
    open(&mut worker, &format!("echo.test:{port}")).await;
}

#[tokio::test]
async fn an_http_rule_does_not_allow_a_tunnel() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = bed.task(honest.grant()).await;

    let authority = honest.origin.strip_prefix("http://").unwrap().to_owned();
    let answer = super::bed::Answer::read(worker.start(connect(&authority)).await).await;

    assert_eq!(answer.code(), Some("D0109"));
    assert_eq!(worker.codes(), ["D0109"]);
    assert!(bed.dns.queries().is_empty());
    honest.still_works(&mut worker).await;
}

#[tokio::test]
async fn a_tunnel_is_cut_at_the_byte_bound() {
    let bed = Bed::new();
    let echo = RawServer::echo();
    bed.dns.answer("echo.test", &["127.0.0.1"]);
    let port = echo.address().port();
    let grant = limited(tcp_grant("echo.test", port), |limits| limits.bytes_out = 100_000);
    let mut worker = bed.task(grant).await;

    let mut tunnel = open(&mut worker, &format!("echo.test:{port}")).await;
    let flood = tokio::spawn(async move {
        let mut sent = Ok(());
        while sent.is_ok() {
            sent = tunnel.write_all(&[b'x'; 8192]).await;
        }
    });
    flood.await.unwrap();

    assert_eq!(worker.limits_hit(), [LimitName::BytesOut]);
    assert!(echo.received().len() <= 100_000);
    assert_eq!(worker.codes(), ["ok"]);
}

/// The upstream neither says anything nor closes, so nothing but a look shows that the guest is gone.
#[tokio::test]
async fn a_tunnel_ends_with_its_stream_whatever_the_upstream_does() {
    let bed = Bed::new();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let mut worker = bed.task(tcp_grant("127.0.0.1", port)).await;
    let without_tunnel = worker.link.running();

    let mut tunnel = open(&mut worker, &format!("127.0.0.1:{port}")).await;
    let _upstream = silent.accept().unwrap();
    tunnel.write_all(b"ping").await.unwrap();
    assert!(worker.link.running() > without_tunnel, "it is open");
    drop(tunnel);

    let link = &worker.link;
    super::bed::eventually("the tunnel ended", || link.running() == without_tunnel).await;
    assert_eq!(worker.codes(), ["ok"]);
}

#[tokio::test]
async fn closing_the_link_cuts_its_tunnels() {
    let bed = Bed::new();
    let echo = RawServer::echo();
    bed.dns.answer("echo.test", &["127.0.0.1"]);
    let port = echo.address().port();
    let mut worker = bed.task(tcp_grant("echo.test", port)).await;

    let mut tunnel = open(&mut worker, &format!("echo.test:{port}")).await;
    tunnel.write_all(b"ping").await.unwrap();
    worker.link.closed().await;

    let mut rest = Vec::new();
    let _ended = tunnel.read_to_end(&mut rest).await;
    while echo.ended() == 0 {
        tokio::task::yield_now().await;
    }
}
