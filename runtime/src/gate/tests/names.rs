//! Attacks by names: what is not granted causes no packet.

use super::bed::{Bed, Honest, request, with_field};
use http::Method;

#[tokio::test]
async fn a_host_outside_the_grant_is_refused_without_a_dns_packet() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = bed.task(honest.grant()).await;

    for name in ["c2VjcmV0.exfil.test", "honest.test.evil.test", "sub.honest.test"] {
        let answer = worker.get(&format!("http://{name}:{}/", honest.server.port())).await;
        assert_eq!(answer.gate_error(), Some("HTTP-request-denied"));
        assert_eq!(answer.code(), Some("D0101"));
    }

    assert_eq!(bed.dns.queries(), [], "a denied name must not reach the name server");
    assert_eq!(worker.codes(), ["D0101"; 3]);
    honest.still_works(&mut worker).await;
}

#[tokio::test]
async fn a_tunnel_to_a_host_outside_the_grant_causes_no_dns_packet() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = bed.task(honest.grant()).await;

    let answer = worker.send(connect("c2VjcmV0.exfil.test:443")).await;

    assert_eq!(answer.code(), Some("D0109"));
    assert_eq!(bed.dns.queries(), []);
    assert_eq!(worker.codes(), ["D0109"]);
    honest.still_works(&mut worker).await;
}

fn connect(authority: &str) -> http::Request<super::bed::Sent> {
    let mut connect = request(Method::CONNECT, "http://placeholder/");
    *connect.uri_mut() = http::Uri::builder().authority(authority).build().unwrap();
    connect
}

#[tokio::test]
async fn other_spellings_of_a_host_are_the_same_host_or_none() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let port = honest.server.port();
    let mut worker = bed.task(honest.grant()).await;

    for spelling in ["HONEST.test", "honest.test.", "Honest.Test."] {
        let answer = worker.get(&format!("http://{spelling}:{port}/hello")).await;
        assert_eq!(answer.status, 200, "{spelling}: {answer:?}");
    }
    let hosts = honest.server.seen();
    let decided = format!("honest.test:{port}");
    assert!(hosts.iter().all(|seen| seen.header("host") == Some(&decided)), "{hosts:?}");
    let before = bed.dns.queries().len();

    let ambiguous =
        ["127.1", "0x7f.1", "0177.0.0.1", "2130706433", "127.0.0.1.", "honest..test", "a%00.test"];
    let mut refused = 0;
    for spelling in ambiguous {
        // Some of these are no URI at all, and so cannot be asked for.
        let Ok(uri) = format!("http://{spelling}:{port}/hello").parse::<http::Uri>() else {
            continue;
        };
        let answer = worker.get(&uri.to_string()).await;
        assert_eq!(answer.status, 403, "{spelling}: {answer:?}");
        refused += 1;
    }
    assert!(refused >= 5, "only {refused} spellings could be asked for");
    let codes = worker.codes().split_off(3);
    assert_eq!(codes.len(), refused);
    assert!(codes.iter().all(|code| code == "D0105" || code == "D0101"), "{codes:?}");
    assert_eq!(bed.dns.queries().len(), before);
    honest.still_works(&mut worker).await;
}

#[tokio::test]
async fn user_information_is_not_a_host() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = bed.task(honest.grant()).await;

    let url = format!("http://honest.test@evil.test:{}/", honest.server.port());
    let answer = worker.get(&url).await;

    assert_eq!(answer.code(), Some("D0105"));
    assert_eq!(answer.gate_error(), Some("HTTP-request-URI-invalid"));
    assert_eq!(worker.codes(), ["D0105"]);
    assert_eq!(bed.dns.queries(), []);
    honest.still_works(&mut worker).await;
}

#[tokio::test]
async fn a_host_field_that_names_another_place_is_refused() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = bed.task(honest.grant()).await;

    let fronted = with_field(request(Method::GET, &honest.url("/hello")), "host", "evil.test");
    let answer = worker.send(fronted).await;

    assert_eq!(answer.code(), Some("D0106"));
    assert_eq!(worker.codes(), ["D0106"]);
    assert!(honest.server.seen().is_empty());
    let same = honest.origin.strip_prefix("http://").unwrap();
    let plain = with_field(request(Method::GET, &honest.url("/hello")), "host", same);
    assert_eq!(worker.send(plain).await.status, 200);
    honest.still_works(&mut worker).await;
}

#[tokio::test]
async fn paths_that_servers_read_differently_are_refused() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut grant = honest.grant();
    grant.http[0].paths = vec![writ_broker::pattern::PathPattern::parse("/hello").unwrap()];
    let mut worker = bed.task(grant).await;

    let paths = ["/hello/../echo", "/hello/%2e%2e/echo", "//echo", "/hello%2Fecho", "/hello/./x"];
    for path in paths {
        let answer = worker.get(&honest.url(path)).await;
        assert_eq!(answer.code(), Some("D0105"), "{path}");
    }
    assert_eq!(worker.get(&honest.url("/echo")).await.code(), Some("D0104"));
    assert_eq!(worker.send(request(Method::PUT, &honest.url("/hello"))).await.status, 200);

    assert_eq!(worker.codes().len(), paths.len() + 2);
    assert_eq!(honest.server.seen().len(), 1);
    honest.still_works(&mut worker).await;
}

/// A name server that hears a name and says nothing.
#[tokio::test]
async fn an_ask_that_is_given_up_while_its_name_is_looked_up_is_recorded() {
    let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let settings = crate::gate::GateSettings {
        name_server: Some(silent.local_addr().unwrap()),
        dangerous_loopback: true,
        ..crate::gate::GateSettings::default()
    };
    let gate = crate::gate::Gate::new(settings).unwrap();
    let mut grant = super::bed::tcp_grant("tunnel.test", 443);
    grant.http.push(super::bed::rule(writ_broker::ask::Scheme::Http, "request.test", 80));
    let mut worker = super::bed::Worker::attach(&gate, grant).await;

    let asks = [
        ("request", request(Method::GET, "http://request.test/")),
        ("tunnel", connect("tunnel.test:443")),
    ];
    for (at, (label, ask)) in (1..).zip(asks) {
        let given_up = worker.try_start(ask);
        tokio::select! {
            _ = given_up => panic!("answered"),
            () = heard(&silent, label.as_bytes()) => {}
        }
        assert_eq!(worker.codes(), vec!["ok"; at], "recorded before the name is heard, and once");
    }
}

async fn heard(name_server: &tokio::net::UdpSocket, label: &[u8]) {
    let mut packet = [0; 512];
    loop {
        let (length, _) = name_server.recv_from(&mut packet).await.unwrap();
        if packet[..length].windows(label.len()).any(|part| part == label) {
            return;
        }
    }
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_told_and_recorded_as_such() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut grant = honest.grant();
    grant.http.push(super::bed::rule(writ_broker::ask::Scheme::Http, "nowhere.test", 80));
    let mut worker = bed.task(grant).await;

    let answer = worker.get("http://nowhere.test/").await;

    assert_eq!(answer.gate_error(), Some("DNS-error"));
    assert_eq!(answer.code(), Some("D0110"));
    assert_eq!(worker.codes(), ["ok", "D0110"]);
    let asked: Vec<String> = bed.dns.queries().into_iter().map(|(name, _)| name).collect();
    assert!(asked.iter().all(|name| name == "nowhere.test."), "no search list: {asked:?}");
    honest.still_works(&mut worker).await;
}

/// The HTTP/2 layer would refuse it on its own, without a decision and without a record.
#[tokio::test]
async fn a_long_path_is_decided_on_like_any_other() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut grant = super::bed::limited(honest.grant(), |limits| limits.header_bytes = 1024);
    grant.http[0].paths = vec![writ_broker::pattern::PathPattern::parse("/hello").unwrap()];
    let mut worker = bed.task(grant).await;

    let answer = worker.get(&honest.url(&format!("/{}", "x".repeat(60_000)))).await;

    assert_eq!(answer.code(), Some("D0104"), "{}", answer.status);
    assert_eq!(worker.codes(), ["D0104"]);
    assert!(honest.server.seen().is_empty());
    honest.still_works(&mut worker).await;
}
