//! A worker that was taken over and attacks the host through its egress socket.

use super::bed::{Bed, Honest, attach};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const EMPTY_SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

/// Sends bytes for ever and returns when the gate hangs up.
fn flood(mut socket: UnixStream, opening: &[u8], again: impl Fn(u32) -> Vec<u8>) {
    socket.set_nonblocking(false).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    socket.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
    let hung_up = |sent: std::io::Result<()>| match sent {
        Ok(()) => false,
        Err(error) => {
            assert!(!matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "stuck");
            true
        }
    };
    if hung_up(socket.write_all(opening)) {
        return;
    }
    let mut buffer = vec![0; 1 << 16];
    for turn in 0..1_000_000 {
        if hung_up(socket.write_all(&again(turn))) {
            return;
        }
        // What the gate answers must be taken, or both sides wait.
        if turn % 64 == 0 && matches!(socket.read(&mut buffer), Ok(0)) {
            return;
        }
    }
    panic!("the gate took a million turns of it");
}

/// Runs one attack beside an honest task.
async fn attack(what: &str, opening: &'static [u8], again: fn(u32) -> Vec<u8>) {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let mut worker = bed.task(honest.grant()).await;
    let (link, socket, _, _) = attach(&bed.gate, honest.grant());

    honest.still_works(&mut worker).await;
    let attacking = tokio::task::spawn_blocking(move || flood(socket, opening, again));
    let ended = tokio::time::timeout(Duration::from_secs(30), attacking).await;
    ended.unwrap_or_else(|_| panic!("{what}: the link was not ended")).unwrap();

    honest.still_works(&mut worker).await;
    assert_eq!(link.usage().http_requests, 0, "{what}");
    link.closed().await;
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

#[tokio::test]
async fn garbage_ends_the_link_only() {
    attack("garbage", b"", |_| vec![0xa5; 1000]).await;
}

#[tokio::test]
async fn an_http1_request_ends_the_link_only() {
    attack("http1", b"GET http://honest.test/ HTTP/1.1\r\nupgrade: h2c\r\n\r\n", |_| {
        b"\r\n".to_vec()
    })
    .await;
}

fn opening() -> &'static [u8] {
    Box::leak([PREFACE, EMPTY_SETTINGS].concat().into_boxed_slice())
}

#[tokio::test]
async fn a_flood_of_pings_ends_the_link_only() {
    attack("ping", opening(), |_| frame(6, 0, 0, b"pingping")).await;
}

#[tokio::test]
async fn a_flood_of_settings_ends_the_link_only() {
    attack("settings", opening(), |_| frame(4, 0, 0, &[])).await;
}

#[tokio::test]
async fn a_flood_of_unknown_frames_ends_the_link_only() {
    attack("unknown", opening(), |_| frame(0xbe, 0, 0, &[])).await;
}

/// `:method GET`, `:scheme http`, `:path /`, and an authority that no grant names.
const HEADER_BLOCK: &[u8] = &[0x82, 0x86, 0x84, 0x01, 0x01, b'x'];

#[tokio::test]
async fn rapid_resets_end_the_link_only() {
    attack("rapid reset", opening(), |turn| {
        let stream = turn * 2 + 1;
        let mut bytes = frame(1, 5, stream, HEADER_BLOCK);
        bytes.extend(frame(3, 0, stream, &8_u32.to_be_bytes()));
        bytes
    })
    .await;
}

#[tokio::test]
async fn endless_continuation_ends_the_link_only() {
    attack("continuation", opening(), |turn| match turn {
        0 => frame(1, 0, 1, HEADER_BLOCK),
        _ => frame(9, 0, 1, &[0x00, 0x03, b'x', b'-', b'a', 0x01, b'b']),
    })
    .await;
}

#[tokio::test]
async fn a_worker_that_ends_takes_its_upstream_connections_along() {
    let bed = Bed::new();
    let hold = writ_test_support::RawServer::start("", writ_test_support::Then::Hold);
    bed.dns.answer("hold.test", &["127.0.0.1"]);
    let port = hold.address().port();
    let grant = super::bed::http_grant(&[(writ_broker::ask::Scheme::Http, "hold.test", port)]);
    let (_link, mut socket, _, _) = attach(&bed.gate, grant);

    socket.write_all(opening()).unwrap();
    socket.write_all(&ask(1, format!("hold.test:{port}").as_bytes())).unwrap();
    while hold.received().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(socket);
    while hold.ended() == 0 {
        tokio::task::yield_now().await;
    }
}

/// Asks for `GET /` of an authority, byte for byte as given.
fn ask(stream: u32, authority: &[u8]) -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 0x84, 0x01, u8::try_from(authority.len()).unwrap()];
    block.extend_from_slice(authority);
    frame(1, 5, stream, &block)
}

#[tokio::test]
async fn a_host_with_a_null_byte_or_a_line_break_does_not_become_an_ask() {
    let bed = Bed::new();
    let honest = Honest::new(&bed);
    let (_link, mut socket, records, _) = attach(&bed.gate, honest.grant());
    let good = honest.origin.strip_prefix("http://").unwrap().as_bytes();

    socket.write_all(opening()).unwrap();
    let tails: [&[u8]; 4] = [b"\0.evil.test", b"\r\nhost: evil.test", b"\n", b" evil.test"];
    for (stream, tail) in (1..).step_by(2).zip(tails) {
        socket.write_all(&ask(stream, &[good, tail].concat())).unwrap();
    }
    socket.write_all(&ask(99, good)).unwrap();
    super::bed::eventually("the honest one arrived", || !honest.server.seen().is_empty()).await;

    let seen = honest.server.seen();
    assert_eq!((seen.len(), seen[0].header("host").unwrap().as_bytes()), (1, good));
    // The HTTP/2 layer resets the others as malformed: there was nothing to decide.
    assert_eq!(records.codes(), ["ok"]);
    assert!(bed.dns.queries().iter().all(|(name, _)| name == "honest.test."));
}
