//! Attacks by addresses: an allowed name that leads to a forbidden place.

use super::bed::{Bed, Honest, http_grant, rule};
use std::net::IpAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use writ_broker::Grant;
use writ_broker::address::{AddressClass, classify};
use writ_broker::ask::Scheme;
use writ_test_support::{RawServer, Then};

#[tokio::test]
async fn loopback_is_refused_without_the_operators_switch() {
    let bed = Bed::strict();
    let honest = Honest::new(&bed);
    let mut worker = bed.task(honest.grant()).await;

    let answer = worker.get(&honest.url("/hello")).await;

    assert_eq!(answer.gate_error(), Some("destination-IP-prohibited"));
    assert_eq!(answer.code(), Some("D0102"));
    assert_eq!(worker.codes(), ["ok", "D0102"]);
    assert!(honest.server.seen().is_empty());
    assert!(!answer.text().contains("127.0.0.1"), "the guest does not learn the address");
}

/// An address of this machine by which others reach it, and which a grant can name.
fn own_address() -> Option<IpAddr> {
    ["198.51.100.1:9", "[2001:db8::1]:9", "10.255.255.1:9", "[fd00::ffff]:9"].iter().find_map(
        |to| {
            let any = if to.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" };
            let socket = std::net::UdpSocket::bind(any).ok()?;
            socket.connect(to).ok()?;
            let own = socket.local_addr().ok()?.ip();
            matches!(classify(own), AddressClass::Public | AddressClass::Private).then_some(own)
        },
    )
}

#[tokio::test]
async fn this_machine_is_refused_by_an_address_that_is_not_loopback() {
    let Some(own) = own_address() else { return };
    let server = std::net::TcpListener::bind((own, 0)).unwrap();
    server.set_nonblocking(true).unwrap();
    let port = server.local_addr().unwrap().port();
    let mut rule = rule(Scheme::Http, "own.test", port);
    if classify(own) == AddressClass::Private {
        rule.addresses = vec![own.into()];
    }
    let grant = Grant { http: vec![rule], ..Grant::default() };
    let url = format!("http://own.test:{port}/");

    let bed = Bed::strict();
    bed.dns.answer("own.test", &[&own.to_string()]);
    let mut worker = bed.task(grant.clone()).await;
    assert_eq!(worker.get(&url).await.code(), Some("D0102"));
    assert_eq!(worker.codes(), ["ok", "D0102"]);
    assert_eq!(server.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);

    let server = tokio::net::TcpListener::from_std(server).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = server.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        drop(stream.read_to_end(&mut Vec::new()).await);
    });
    let open = Bed::new();
    open.dns.answer("own.test", &[&own.to_string()]);
    assert_eq!(open.task(grant).await.get(&url).await.status, 204, "by the operator's switch");
}

#[tokio::test]
async fn an_address_in_forms_that_hide_it_is_refused() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let forbidden = [
        "169.254.169.254",
        "10.0.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "fd00::1",
        "fe80::1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
    ];
    let mut grant = honest.grant();
    for (at, address) in forbidden.iter().enumerate() {
        grant.http.push(rule(Scheme::Http, &format!("n{at}.test"), 80));
        bed.dns.answer(&format!("n{at}.test"), &[*address]);
    }
    let mut worker = bed.task(grant).await;

    for (at, address) in forbidden.iter().enumerate() {
        let answer = worker.get(&format!("http://n{at}.test/")).await;
        assert_eq!(answer.code(), Some("D0102"), "{address}: {answer:?}");
    }
    assert_eq!(worker.codes(), ["ok", "D0102"].repeat(forbidden.len()));
    honest.still_works(&mut worker).await;
}

#[tokio::test]
async fn one_forbidden_address_among_good_ones_refuses_the_whole_name() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let port = honest.server.port();
    bed.dns.answer("mixed.test", &["127.0.0.1", "169.254.169.254"]);
    bed.dns.answer("mixed6.test", &["127.0.0.1", "fd00::1"]);
    let mut grant = honest.grant();
    grant.http.push(rule(Scheme::Http, "mixed.test", port));
    grant.http.push(rule(Scheme::Http, "mixed6.test", port));
    let mut worker = bed.task(grant).await;

    for name in ["mixed.test", "mixed6.test"] {
        let answer = worker.get(&format!("http://{name}:{port}/hello")).await;
        assert_eq!(answer.code(), Some("D0102"), "{name}");
    }
    assert!(honest.server.seen().is_empty());
    assert_eq!(worker.codes(), ["ok", "D0102", "ok", "D0102"]);
    honest.still_works(&mut worker).await;
}

#[tokio::test]
async fn an_alias_is_followed_and_its_end_is_checked() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let port = honest.server.port();
    bed.dns.alias("www.test", "honest.test");
    bed.dns.alias("inward.test", "metadata.test");
    bed.dns.answer("metadata.test", &["169.254.169.254"]);
    let mut grant = honest.grant();
    grant.http.push(rule(Scheme::Http, "www.test", port));
    grant.http.push(rule(Scheme::Http, "inward.test", port));
    let mut worker = bed.task(grant).await;

    assert_eq!(worker.get(&format!("http://inward.test:{port}/")).await.code(), Some("D0102"));
    assert_eq!(worker.get(&format!("http://www.test:{port}/hello")).await.status, 200);
    assert_eq!(worker.codes(), ["ok", "D0102", "ok"]);
    honest.still_works(&mut worker).await;
}

#[tokio::test]
async fn a_name_that_moves_inward_is_refused_at_the_next_connection() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let moving = RawServer::start("HTTP/1.1 204 No Content\r\n\r\n", Then::Close);
    let port = moving.address().port();
    bed.dns.answer_in_turn("moving.test", &[&["127.0.0.1"], &["169.254.169.254"]]);
    let mut grant = honest.grant();
    grant.http.push(rule(Scheme::Http, "moving.test", port));
    let mut worker = bed.task(grant).await;
    let url = format!("http://moving.test:{port}/");

    assert_eq!(worker.get(&url).await.status, 204);
    super::bed::eventually("the server closed", || moving.ended() == 1).await;
    assert_eq!(worker.get(&url).await.code(), Some("D0102"));
    assert_eq!(worker.codes(), ["ok", "ok", "D0102"]);
    assert_eq!(moving.accepted(), 1);
    honest.still_works(&mut worker).await;
}

#[tokio::test]
async fn a_waiting_connection_is_used_without_asking_where_the_name_leads_now() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let port = honest.server.port();
    bed.dns.answer_in_turn("moving.test", &[&["127.0.0.1"], &["169.254.169.254"]]);
    let mut worker = bed.task(http_grant(&[(Scheme::Http, "moving.test", port)])).await;

    for _ in 0..3 {
        assert_eq!(worker.get(&format!("http://moving.test:{port}/hello")).await.status, 200);
    }
    assert_eq!(bed.dns.queries().len(), 2);
    assert_eq!(worker.codes(), ["ok", "ok", "ok"]);
    assert!(honest.server.seen().iter().all(|seen| seen.connection == 0));
}

#[tokio::test]
async fn the_second_address_is_tried_when_the_first_does_not_answer() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let port = honest.server.port();
    bed.dns.answer("two.test", &["127.0.0.2", "127.0.0.1"]);
    let mut worker = bed.task(http_grant(&[(Scheme::Http, "two.test", port)])).await;

    assert_eq!(worker.get(&format!("http://two.test:{port}/hello")).await.status, 200);
    assert_eq!(worker.codes(), ["ok"]);
}

#[tokio::test]
async fn an_answer_with_very_many_addresses_is_refused() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let port = honest.server.port();
    let many: Vec<String> = (1..=200).map(|at| format!("127.0.1.{at}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    bed.dns.answer("many.test", &many);
    let mut grant = honest.grant();
    grant.http.push(rule(Scheme::Http, "many.test", port));
    let mut worker = bed.task(grant).await;

    let answer = worker.get(&format!("http://many.test:{port}/hello")).await;
    assert_eq!(answer.code(), Some("D0110"), "{answer:?}");
    assert_eq!(worker.codes(), ["ok", "D0110"]);
    honest.still_works(&mut worker).await;
}

#[tokio::test]
async fn a_redirect_goes_back_to_the_guest_and_its_target_is_decided_anew() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = bed.task(honest.grant()).await;

    let answer = worker.get(&honest.url("/redirect?http://169.254.169.254/latest/")).await;
    assert_eq!(answer.status, 302);
    let target = answer.headers.get("location").unwrap().to_str().unwrap();
    assert_eq!(target, "http://169.254.169.254/latest/");
    assert_eq!(worker.get(target).await.code(), Some("D0101"));

    assert_eq!(worker.codes(), ["ok", "D0101"]);
    assert_eq!(honest.server.seen().len(), 1, "the gate did not follow it");
    honest.still_works(&mut worker).await;
}

#[tokio::test]
async fn an_address_literal_is_not_looked_up() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let port = honest.server.port();
    let mut worker = bed.task(http_grant(&[(Scheme::Http, "127.0.0.1", port)])).await;

    let answer = worker.get(&format!("http://127.0.0.1:{port}/hello")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(bed.dns.queries(), []);
}
