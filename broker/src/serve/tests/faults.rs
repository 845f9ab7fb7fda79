//! When something is wrong, nothing is active.

use super::*;
use crate::ledger::{AppendError, Cause, Head, ReadError, Record, Snapshot, Subscription, Turn};
use std::sync::atomic::{AtomicU8, Ordering};

/// A ledger that stops working.
struct Failing {
    inner: MemoryLedger,
    how: AtomicU8,
}

const WELL: u8 = 0;
const GONE: u8 = 1;
const HANGING: u8 = 2;
const TAMPERED: u8 = 3;
const FULL: u8 = 4;

impl Failing {
    fn new() -> Arc<Self> {
        Arc::new(Self { inner: MemoryLedger::new(), how: AtomicU8::new(WELL) })
    }

    fn is(&self, how: u8) {
        self.how.store(how, Ordering::SeqCst);
    }

    fn now(&self) -> Result<(), ReadError> {
        match self.how.load(Ordering::SeqCst) {
            GONE => Err(Cause::Io("the disk is gone".to_owned()).into()),
            HANGING => {
                std::thread::sleep(Duration::from_millis(2500));
                Ok(())
            }
            TAMPERED => Err(ReadError::RolledBack { seen: Head::GENESIS, found: Head::GENESIS }),
            _ => Ok(()),
        }
    }
}

impl Ledger for Failing {
    fn turn(&self) -> Result<Box<dyn Turn + '_>, AppendError> {
        self.now()?;
        if self.how.load(Ordering::SeqCst) == FULL {
            return Err(AppendError::Unavailable(Cause::Full));
        }
        self.inner.turn()
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Record>, ReadError> {
        self.now()?;
        self.inner.read(from, limit)
    }

    fn head(&self) -> Result<Head, ReadError> {
        self.now()?;
        self.inner.head()
    }

    fn subscribe(&self, from: u64) -> Subscription {
        self.inner.subscribe(from)
    }

    fn poke(&self) {
        self.inner.poke();
    }

    fn store_snapshot(&self, head: Head, bytes: &[u8]) -> Result<(), AppendError> {
        self.inner.store_snapshot(head, bytes)
    }

    fn latest_snapshot(&self) -> Result<Option<Snapshot>, ReadError> {
        self.inner.latest_snapshot()
    }
}

async fn faulty() -> (Arc<Failing>, Rig, Watch, AccessToken) {
    let ledger = Failing::new();
    let rig = Rig::on(ledger.clone(), None).await;
    let watch = rig.task(1).await;
    let token = rig.token(1, API, None).await;
    assert_eq!(rig.introspect(token.expose()).await.json()["active"], true);
    assert_eq!(rig.get("/health").await.status, 200);
    (ledger, rig, watch, token)
}

fn unavailable(got: &Got) {
    assert_eq!(got.status, 503, "{got:?}");
    assert_eq!(got.body, "{\"error\":\"temporarily_unavailable\"}");
    assert!(got.header("retry-after").is_some());
}

/// The first reason; the keys may be another.
async fn reason(rig: &Rig) -> String {
    let public = rig.get("/health").await;
    assert_eq!(public.status, 503);
    assert!(!public.body.contains("detail"), "{public:?}");
    let local = rig.get_locally("/health").await;
    assert!(local.body.contains("detail"));
    local.json()["why"][0]["reason"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_active_while_the_ledger_cannot_be_read() {
    let (ledger, rig, _watch, token) = faulty().await;
    ledger.is(GONE);
    unavailable(&rig.introspect(token.expose()).await);
    unavailable(&rig.tcp_form("/revoke", "", &format!("token={}", token.expose())).await);
    unavailable(&rig.get("/jwks").await);
    assert_eq!(rig.get_locally("/v1/tasks").await.status, 503);
    assert_eq!(reason(&rig).await, "ledger_unavailable");
    ledger.is(WELL);
    assert_eq!(rig.introspect(token.expose()).await.json()["active"], true, "it comes back");
    for _ in 0..300 {
        if rig.get("/health").await.status == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the health does not come back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_hangs_is_waited_for_no_longer_than_the_lease() {
    let (ledger, rig, _watch, token) = faulty().await;
    ledger.is(HANGING);
    let started = tokio::time::Instant::now();
    unavailable(&rig.introspect(token.expose()).await);
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(1900) && took < Duration::from_millis(2400), "{took:?}");
    ledger.is(WELL);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_was_tampered_with_seals_the_daemon() {
    let (ledger, rig, _watch, token) = faulty().await;
    ledger.is(TAMPERED);
    unavailable(&rig.introspect(token.expose()).await);
    // Or whoever else has read it has found out first.
    assert!(["ledger_untrusted", "ledger_sealed"].contains(&reason(&rig).await.as_str()));
}

#[tokio::test]
async fn nothing_is_active_when_the_clock_has_stepped_back() {
    let (_ledger, rig, _watch, token) = faulty().await;
    rig.clock.set(UnixMillis(NOW.0 - 3_000));
    unavailable(&rig.introspect(token.expose()).await);
    assert_eq!(reason(&rig).await, "clock_stepped_back");
    rig.clock.set(NOW);
    assert_eq!(rig.introspect(token.expose()).await.json()["active"], true);
}

#[tokio::test]
async fn a_kill_that_cannot_be_recorded_says_so_and_may_be_asked_for_again() {
    let (ledger, rig, _watch, _token) = faulty().await;
    let (key, nobody) = ("idempotency-key: k\r\n", "{\"label\":{\"a\":\"b\"}}");
    ledger.is(GONE);
    let got = rig.post_locally("/v1/kill", key, nobody).await;
    assert_eq!((got.status, &got.json()["durable"]), (200, &false.into()), "{got:?}");
    ledger.is(WELL);
    let got = rig.post_locally("/v1/kill", key, nobody).await;
    assert_eq!((got.status, &got.json()["durable"]), (200, &true.into()), "{got:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_killed_is_not_active_again_when_the_ledger_comes_back() {
    let (ledger, rig, _watch, token) = faulty().await;
    rig.other.note_ended(call_ended(1)).await;
    ledger.is(FULL);
    assert_eq!(rig.introspect(token.expose()).await.json()["active"], true, "it can be read");
    let got = rig.post_locally("/v1/kill", "", "{\"all\":true}").await;
    assert_eq!((got.status, &got.json()["durable"]), (200, &false.into()), "{got:?}");
    unavailable(&rig.introspect(token.expose()).await);
    assert_eq!(reason(&rig).await, "kill_unrecorded");
    ledger.is(WELL);
    for _ in 0..100 {
        let got = rig.introspect(token.expose()).await;
        if got.status == 200 {
            assert!(got.is_inactive(), "{got:?}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the kill was not recorded");
}

#[tokio::test]
async fn a_key_that_cannot_be_read_shows_in_the_health() {
    let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
    let rig = Rig::on(ledger.clone(), None).await;
    rig.other.signer(&rig.issuer.files, Purpose::Access).await.unwrap();
    let keys = rig.dir.path().join("keys");
    for key in std::fs::read_dir(&keys).unwrap() {
        std::fs::remove_file(key.unwrap().path()).unwrap();
    }
    // Another daemon on the same ledger, and with the same directory of keys.
    let socket = rig.dir.path().join("second.sock");
    let server = Server::bind(Settings {
        ledger,
        clock: rig.clock.clone(),
        issuer: rig.issuer.clone(),
        checkers: Checkers::default(),
        listen: vec![Listen::Unix(socket.clone())],
    })
    .unwrap();
    tokio::spawn(server.run(std::future::pending()));
    let get = b"GET /health HTTP/1.1\r\nhost: writ\r\nconnection: close\r\n\r\n";
    let mut got = exchange(UnixStream::connect(&socket).await.unwrap(), get).await;
    for _ in 0..100 {
        if got.status == 503 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        got = exchange(UnixStream::connect(&socket).await.unwrap(), get).await;
    }
    assert_eq!(got.json()["why"][0]["reason"], "key_unusable", "{got:?}");
}
