//! What strangers send.

use super::*;
use tokio::time::Instant;

#[tokio::test]
async fn nobody_is_told_anything_without_being_known() {
    let rig = Rig::new().await;
    let _watch = rig.task(1).await;
    let token = rig.token(1, API, None).await;
    let body = format!("token={}", token.expose());
    let bad = |value: &str| format!("authorization: {value}\r\n");
    for headers in [
        String::new(),
        bad("Bearer "),
        bad("Bearer wrong"),
        bad(&format!("bearer {SECRET}x")),
        bad(&format!("Digest {SECRET}")),
        bad(SECRET),
        bad("Basic !!!"),
        bad("Basic YXBp"),
        bad(&format!("Bearer {}", token.expose())),
        Rig::basic("api", "wrong"),
        Rig::basic("api", OTHER_SECRET),
        Rig::basic("nobody", SECRET),
        Rig::basic("", SECRET),
        format!("{0}{0}", Rig::basic("api", SECRET)),
    ] {
        let got = rig.tcp_form("/introspect", &headers, &body).await;
        assert_eq!((got.status, got.body.as_str()), (401, "{\"error\":\"invalid_client\"}"));
        assert!(got.header("www-authenticate").unwrap().starts_with("Basic"));
        // Wrong credentials are no better on the socket.
        if !headers.is_empty() {
            assert_eq!(rig.unix_form("/introspect", &headers, &body).await.status, 401);
        }
    }
    let in_body = format!("{body}&client_id=api&client_secret={SECRET}");
    assert_eq!(rig.tcp_form("/introspect", "", &in_body).await.status, 401);
}

#[tokio::test]
async fn a_form_that_can_be_read_in_two_ways_is_refused() {
    let rig = Rig::new().await;
    let _watch = rig.task(1).await;
    let token = rig.token(1, API, None).await;
    let token = token.expose();
    for path in ["/introspect", "/revoke"] {
        for body in [
            String::new(),
            "token=".to_owned(),
            "other=x".to_owned(),
            format!("token={token}&token={token}"),
            format!("token={token}&%74oken=x"),
            format!("token={token}%"),
            format!("token={token}%ff"),
            format!("{{\"token\":\"{token}\"}}"),
        ] {
            let got = rig.tcp_form(path, &Rig::basic("api", SECRET), &body).await;
            assert_eq!((got.status, got.body.as_str()), (400, "{\"error\":\"invalid_request\"}"));
        }
    }
    assert_eq!(rig.introspect(token).await.json()["active"], true, "nothing was lost");
}

#[tokio::test]
async fn a_token_in_a_query_or_of_no_type_is_not_read() {
    let rig = Rig::new().await;
    let _watch = rig.task(1).await;
    let token = rig.token(1, API, None).await;
    let token = token.expose();
    let basic = Rig::basic("api", SECRET);
    for path in ["/introspect", "/revoke"] {
        assert_eq!(rig.get(&format!("{path}?token={token}")).await.status, 405);
        let (query, body) = (format!("{path}?token={token}"), format!("token={token}"));
        assert_eq!(rig.tcp_form(&query, &basic, &body).await.status, 400);
        for media in ["", "content-type: application/json\r\n", "content-type: text/plain\r\n"] {
            let body = format!("token={token}");
            let request = format!(
                "POST {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{basic}{media}\
                 content-length: {}\r\n\r\n{body}",
                rig.tcp,
                body.len()
            );
            assert_eq!(rig.tcp(&request).await.status, 400, "{media:?}");
        }
        let twice = format!("{basic}content-type: text/plain\r\n");
        assert_eq!(rig.tcp_form(path, &twice, &format!("token={token}")).await.status, 400);
    }
    assert_eq!(rig.introspect(token).await.json()["active"], true, "nothing was lost");
}

#[tokio::test]
async fn a_huge_body_is_not_taken_in() {
    let rig = Rig::new().await;
    let basic = Rig::basic("api", SECRET);
    let huge = format!("token={}", "a".repeat(70_000));
    assert_eq!(rig.tcp_form("/introspect", &basic, &huge).await.status, 413);
    // Claimed and never sent.
    let head = format!(
        "POST /introspect HTTP/1.1\r\nhost: {}\r\n{basic}content-type: \
         application/x-www-form-urlencoded\r\n",
        rig.tcp
    );
    let got = rig.tcp(&format!("{head}content-length: 99999999999\r\n\r\n")).await;
    assert_eq!(got.status, 413);
    let chunks = format!("{:x}\r\n{}\r\n", 0x4000, "a".repeat(0x4000)).repeat(5);
    let got = rig.tcp(&format!("{head}transfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n")).await;
    assert_eq!(got.status, 413);
    let long = format!("{head}content-length: 7\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n");
    assert!(rig.tcp(&long).await.status >= 400, "two lengths");
    let heads =
        format!("GET /jwks HTTP/1.1\r\nhost: {}\r\nx: {}\r\n\r\n", rig.tcp, "a".repeat(1 << 20));
    assert!(matches!(rig.tcp(&heads).await.status, 0 | 431), "it may have closed already");
    let many = "x: y\r\n".repeat(100);
    let heads = format!("GET /jwks HTTP/1.1\r\nhost: {}\r\n{many}\r\n", rig.tcp);
    assert_eq!(rig.tcp(&heads).await.status, 431);
}

#[tokio::test]
async fn who_comes_by_another_name_is_sent_away() {
    let rig = Rig::new().await;
    let port = rig.tcp.port();
    let get = |host: String| format!("GET /jwks HTTP/1.1\r\n{host}connection: close\r\n\r\n");
    for host in [
        "host: writ.test\r\n".to_owned(),
        "host: WRIT.test:443\r\n".to_owned(),
        format!("host: 127.0.0.1:{port}\r\n"),
    ] {
        assert_eq!(rig.tcp(&get(host.clone())).await.status, 200, "{host}");
    }
    for host in [
        String::new(),
        "host: evil.test\r\n".to_owned(),
        format!("host: evil.test:{port}\r\n"),
        format!("host: localhost.evil.test:{port}\r\n"),
        "host: writ.test.evil.test\r\n".to_owned(),
        "host: writ.test:80\r\n".to_owned(),
        "host: writ.test\r\nhost: writ.test\r\n".to_owned(),
    ] {
        assert_eq!(rig.tcp(&get(host.clone())).await.status, 421, "{host}");
    }
    let absolute =
        "GET http://evil.test/jwks HTTP/1.1\r\nhost: writ.test\r\nconnection: close\r\n\r\n";
    assert_eq!(rig.tcp(absolute).await.status, 421);
}

#[tokio::test(start_paused = true)]
async fn who_is_slow_is_not_waited_for() {
    let rig = Rig::new().await;
    // Never says a word; says half of a head; sends a body that does not come.
    for begun in ["", "GET /jwks HTTP/1.1\r\nhost: writ.test\r\n"] {
        let started = tokio::time::Instant::now();
        let got = rig.tcp(begun).await;
        assert!(got.status == 0 || got.status == 408, "{got:?}");
        assert!(started.elapsed() <= Duration::from_secs(16), "{:?}", started.elapsed());
    }
    let started = tokio::time::Instant::now();
    let slow =
        form("/introspect", &format!("host: writ.test\r\n{}", Rig::basic("api", SECRET)), "");
    let got = rig.tcp(&slow.replace("content-length: 0", "content-length: 100")).await;
    assert_eq!(got.status, 408, "{got:?}");
    assert!(started.elapsed() <= Duration::from_secs(6));
}

#[tokio::test]
async fn strangers_who_hold_all_connections_do_not_keep_a_kill_from_being_heard() {
    let rig = Rig::new().await;
    let mut held = Vec::new();
    for _ in 0..520 {
        held.push(TcpStream::connect(rig.tcp).await.unwrap());
    }
    let started = Instant::now();
    let got = rig.post_locally("/v1/kill", "", "{\"all\":true}").await;
    assert_eq!(got.status, 200);
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn no_answer_holds_a_secret() {
    let rig = Rig::new().await;
    let _watch = rig.task(1).await;
    let token = rig.token(1, API, None).await;
    let token = token.expose().to_owned();
    let signature = token.rsplit_once('.').unwrap().1.to_owned();
    let basic = Rig::basic("api", SECRET);
    let body = format!("token={token}");
    let mut got = vec![
        rig.introspect(&token).await,
        rig.introspect(&format!("{token}x")).await,
        rig.tcp_form("/revoke", &format!("{basic}dpop: {token}\r\n"), &body).await,
        rig.tcp_form("/introspect", &format!("authorization: Bearer {SECRET}y\r\n"), &body).await,
        rig.get(&format!("/{token}")).await,
        rig.post_locally("/v1/kill", "", &format!("{{\"task\":\"{token}\"}}")).await,
        rig.post_locally(&format!("/{token}"), "", &format!("{{\"x\":\"{token}\"}}")).await,
    ];
    got.push(rig.get_locally("/v1/tasks").await);
    for got in got {
        let shown = format!("{got:?}");
        assert!(!shown.contains(&signature) && !shown.contains(SECRET), "{shown}");
    }
    let said = format!("{:?}", rig.ledger.read(1, usize::MAX).unwrap());
    assert!(!said.contains(&signature) && !said.contains(SECRET));
}
