//! How long an introspection takes. `cargo test --release … -- --ignored measure --nocapture`.

use super::*;
use crate::ledger::{Settings as Store, SqliteLedger};
use crate::token::Audience;
use tokio::time::Instant;

const ROUNDS: usize = 2_000;

#[expect(clippy::print_stdout, reason = "that is all it is for")]
fn report(what: &str, mut took: Vec<Duration>) {
    let all: Duration = took.iter().sum();
    took.sort();
    let per_second = took.len() as f64 / all.as_secs_f64();
    println!(
        "{what}: {per_second:.0}/s, p50 {:?}, p99 {:?}",
        took[took.len() / 2],
        took[took.len() * 99 / 100]
    );
}

/// Kills of one task with one token, over the socket.
async fn fenced_kills(rig: &Rig) {
    for (round, checkers) in [(0, 0), (1, 1), (2, 30)] {
        let listening: Vec<_> = (0..checkers).map(|_| checker::listening(rig)).collect();
        let mut held = Vec::new();
        for listening in listening {
            held.push(listening.await);
        }
        let mut took = Vec::new();
        for n in (10 + 80 * round)..(90 + 80 * round) {
            let _watch = rig.task(n).await;
            rig.other.note_ended(call_ended(n)).await;
            rig.token(n, API, None).await;
            let body = format!("{{\"task\":\"{}\"}}", task(n));
            let started = Instant::now();
            let got = rig.post_locally("/v1/kill", "", &body).await;
            took.push(started.elapsed());
            let outcomes = got.json()["checkers"].as_array().unwrap().clone();
            let acked = outcomes.iter().filter(|heard| heard["outcome"] == "acked").count();
            assert_eq!(acked, checkers, "{got:?}");
        }
        report(&format!("kills with {checkers} checkers"), took);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures and prints"]
#[expect(clippy::print_stdout, reason = "that is all it is for")]
async fn measure_introspections() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o700)).unwrap();
    let path = |name: &str| dir.path().join(name);
    let ledger = SqliteLedger::open(&path("ledger.db"), &path("anchor"), Store::default()).unwrap();
    let rig = Rig::on(Arc::new(ledger), None).await;
    let _watch = rig.task(1).await;
    let token = rig.token(1, API, None).await;
    let body = format!("token={}", token.expose());
    let request = format!(
        "POST /introspect HTTP/1.1\r\nhost: writ\r\ncontent-type: \
         application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = UnixStream::connect(&rig.socket).await.unwrap();
    let mut buffer = vec![0; 16 << 10];
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        let started = Instant::now();
        stream.write_all(request.as_bytes()).await.unwrap();
        let read = stream.read(&mut buffer).await.unwrap();
        took.push(started.elapsed());
        assert!(buffer[..read].starts_with(b"HTTP/1.1 200"));
    }
    report("over the unix socket, one connection", took);
    let started = Instant::now();
    let clients = (0..16).map(|_| {
        let (socket, request) = (rig.socket.clone(), request.clone());
        tokio::spawn(async move {
            let mut stream = UnixStream::connect(&socket).await.unwrap();
            let mut buffer = vec![0; 16 << 10];
            for _ in 0..ROUNDS / 4 {
                stream.write_all(request.as_bytes()).await.unwrap();
                let read = stream.read(&mut buffer).await.unwrap();
                assert!(buffer[..read].starts_with(b"HTTP/1.1 200"));
            }
        })
    });
    let clients: Vec<_> = clients.collect();
    for client in clients {
        client.await.unwrap();
    }
    let per_second = (16 * ROUNDS / 4) as f64 / started.elapsed().as_secs_f64();
    println!("over the unix socket, 16 connections: {per_second:.0}/s");
    fenced_kills(&rig).await;
    let daemon = Daemon::open(
        rig.ledger.clone(),
        rig.clock.clone(),
        rig.issuer.clone(),
        Checkers::default(),
    )
    .unwrap();
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let found = introspect::active(&daemon, token.expose(), Audience::DangerousAny).await;
        took.push(started.elapsed());
        assert!(found.unwrap().is_some());
    }
    report("in-process with signature", took);
    let jti = rig.ledger.read(1, usize::MAX).unwrap().iter().find_map(|record| {
        match record.decode().unwrap() {
            Event::TokenMinted(minted) => Some(minted.jti),
            _ => None,
        }
    });
    let jti = jti.unwrap();
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        let started = Instant::now();
        assert!(daemon.desk.is_active(&jti).await.unwrap());
        took.push(started.elapsed());
    }
    report("in-process is_active", took);
}
