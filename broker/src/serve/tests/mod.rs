#![expect(clippy::unwrap_used, reason = "a test may fail")]

#[cfg(feature = "checker")]
mod checker;
mod events;
mod faults;
mod hostile;
mod local;
#[cfg(feature = "checker")]
mod measure;
mod oauth;
mod tls;

use super::*;
use crate::authority::{Authority, Run, Watch};
use crate::base64url;
use crate::clock::{Clock, ManualClock, UnixMillis};
use crate::event::{CallStarted, Event, Owner, TaskStarted, TokenMinted};
use crate::id::{CallId, HostId, RANDOM_BYTES, TaskId};
use crate::keys::{KeyFiles, Purpose};
use crate::ledger::{Ledger, MemoryLedger};
use crate::process::Process;
use crate::token::dpop::{ProofAsk, Prover, Target};
use crate::token::{AccessToken, Actor, Claims, Lifetime, Minter, TaskClaim};
use base64::Engine;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(super) const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
const ISSUER: &str = "https://writ.test";
pub(super) const API: &str = "https://api.test";
const SECRET: &str = "the-secret-of-api-0123456789";
const OTHER_SECRET: &str = "the-secret-of-other-9876543210";

/// A daemon, and beside it another process that shares its ledger.
struct Rig {
    dir: tempfile::TempDir,
    clock: Arc<ManualClock>,
    ledger: Arc<dyn Ledger>,
    issuer: Issuer,
    /// The other process.
    other: Arc<Authority>,
    tcp: SocketAddr,
    socket: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<()>>,
}

/// An answer, taken apart.
#[derive(Debug, Clone)]
struct Got {
    status: u16,
    head: String,
    body: String,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }

    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .into_iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    fn is_inactive(&self) -> bool {
        self.status == 200 && self.body == "{\"active\":false}"
    }
}

impl Rig {
    async fn new() -> Self {
        Self::on(Arc::new(MemoryLedger::new()), None).await
    }

    async fn on(ledger: Arc<dyn Ledger>, tls: Option<TlsFiles>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o700)).unwrap();
        let clock = Arc::new(ManualClock::new(NOW));
        let files = Arc::new(KeyFiles::open(&dir.path().join("keys")).unwrap());
        let issuer = Issuer { url: ISSUER.to_owned(), files };
        let other = Arc::new(Authority::open(ledger.clone(), clock.clone()).unwrap());
        let socket = dir.path().join("writ.sock");
        let server = Server::bind(Settings {
            ledger: ledger.clone(),
            clock: clock.clone(),
            issuer: issuer.clone(),
            checkers: checkers(dir.path()),
            listen: vec![
                Listen::Unix(socket.clone()),
                Listen::Tcp { address: "127.0.0.1:0".parse().unwrap(), tls },
            ],
        })
        .unwrap();
        let tcp = server.addresses()[0];
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(server.run(async {
            stopped.await.ok();
        }));
        Self {
            dir,
            clock,
            ledger,
            issuer,
            other,
            tcp,
            socket,
            stop: Some(stop),
            running: Some(running),
        }
    }

    async fn stop(&mut self) {
        drop(self.stop.take());
        self.running.take().unwrap().await.unwrap();
    }

    /// Starts a task in the other process.
    async fn task(&self, n: u8) -> Watch {
        self.other.start_run(run(n)).await.unwrap()
    }

    /// Mints in the other process, for a key if there is one.
    async fn token(&self, n: u8, audience: &str, prover: Option<&Prover>) -> AccessToken {
        let signer = self.other.signer(&self.issuer.files, Purpose::Access).await.unwrap();
        let minter = Minter::new(signer);
        let mut jti = [0; 16];
        getrandom::fill(&mut jti).unwrap();
        let jti = base64url::encode(jti);
        let lifetime =
            Lifetime::new(self.clock.now(), Duration::from_secs(60), UnixMillis(u64::MAX)).unwrap();
        let minted = TokenMinted {
            task: task(n),
            jti: jti.clone(),
            audience: audience.to_owned(),
            expires: lifetime.ends_at(),
            kid: minter.kid().to_owned(),
            status: None,
        };
        self.other.mint(minted).await.unwrap();
        minter.sign(&claims(n, audience, &jti, lifetime, prover)).unwrap()
    }

    fn basic(name: &str, secret: &str) -> String {
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{name}:{secret}"));
        format!("authorization: Basic {pair}\r\n")
    }

    /// Asks over TCP as the checker of [`API`].
    async fn introspect(&self, token: &str) -> Got {
        self.tcp_form("/introspect", &Self::basic("api", SECRET), &format!("token={token}")).await
    }

    async fn tcp_form(&self, path: &str, headers: &str, body: &str) -> Got {
        self.tcp(&form(path, &format!("host: {}\r\n{headers}", self.tcp), body)).await
    }

    async fn unix_form(&self, path: &str, headers: &str, body: &str) -> Got {
        self.unix(&form(path, &format!("host: localhost\r\n{headers}"), body)).await
    }

    async fn tcp(&self, request: &str) -> Got {
        exchange(TcpStream::connect(self.tcp).await.unwrap(), request.as_bytes()).await
    }

    async fn unix(&self, request: &str) -> Got {
        exchange(UnixStream::connect(&self.socket).await.unwrap(), request.as_bytes()).await
    }

    async fn get(&self, path: &str) -> Got {
        self.tcp(&format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.tcp))
            .await
    }

    async fn get_locally(&self, path: &str) -> Got {
        self.unix(&format!("GET {path} HTTP/1.1\r\nhost: writ\r\nconnection: close\r\n\r\n")).await
    }

    async fn post_locally(&self, path: &str, headers: &str, body: &str) -> Got {
        let length = body.len();
        self.unix(&format!(
            "POST {path} HTTP/1.1\r\nhost: writ\r\nconnection: close\r\ncontent-type: \
             application/json\r\n{headers}content-length: {length}\r\n\r\n{body}"
        ))
        .await
    }

    /// The words of the records.
    fn story(&self) -> Vec<String> {
        let records = self.ledger.read(1, usize::MAX).unwrap();
        records.iter().map(|record| record.event().to_owned()).collect()
    }
}

fn form(path: &str, headers: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nconnection: close\r\n{headers}content-type: \
         application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Sends bytes as they are and reads the answer to the end of the connection.
async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &[u8]) -> Got {
    // The server may have refused, and closed, before it has read everything.
    let _ = stream.write_all(request).await;
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Got { status, head: head.to_owned(), body: body.to_owned() }
}

fn checkers(dir: &Path) -> Checkers {
    let write = |name: &str, text: &str| {
        let path = dir.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        path
    };
    let (api, other) = (write("api", SECRET), write("other", OTHER_SECRET));
    let file = write(
        "checkers.toml",
        &format!(
            "[checker.api]\nsecret_file = {:?}\naudience = {API:?}\n\
             [checker.other]\nsecret_file = {:?}\naudience = \"https://other.test\"\n",
            api.display().to_string(),
            other.display().to_string()
        ),
    );
    Checkers::read(&file).unwrap()
}

pub(super) fn task(n: u8) -> TaskId {
    TaskId::from_random([n; RANDOM_BYTES])
}

pub(super) fn run(n: u8) -> Run {
    Run {
        process: Process::current().unwrap(),
        task: Some(TaskStarted {
            task: task(n),
            parent: None,
            host: Some(HostId::from_random([n; RANDOM_BYTES])),
            owner: Owner::User { uid: 1000 },
            labels: [("job".to_owned(), n.to_string())].into(),
            deadline: None,
            grant: serde_json::json!({}),
        }),
        call: CallStarted {
            task: task(n),
            call: CallId::from_random([n; RANDOM_BYTES]),
            host: HostId::from_random([n; RANDOM_BYTES]),
            tool: "sitegen".to_owned(),
            digest: "sha256:00".to_owned(),
            function: None,
        },
    }
}

fn call_ended(n: u8) -> Event {
    Event::CallEnded {
        task: task(n),
        call: CallId::from_random([n; RANDOM_BYTES]),
        outcome: "killed".to_owned(),
        exit_code: 137,
        limit: None,
    }
}

pub(super) fn claims(
    n: u8,
    audience: &str,
    jti: &str,
    lifetime: Lifetime,
    prover: Option<&Prover>,
) -> Claims {
    Claims {
        issuer: ISSUER.to_owned(),
        subject: "user:1000".to_owned(),
        audience: audience.to_owned(),
        client_id: "writ".to_owned(),
        lifetime,
        jti: jti.to_owned(),
        scope: vec!["read".to_owned()],
        txn: task(n).to_string(),
        task: TaskClaim { id: task(n).to_string(), parent: None, depth: 0, component: None },
        act: vec![Actor { subject: task(n).to_string() }],
        authorization_details: Vec::new(),
        bound_to: prover.map(|prover| *prover.thumbprint()),
        status: None,
    }
}

fn proof(prover: &Prover, url: &str, token: &AccessToken, now: UnixMillis, jti: &str) -> String {
    let target = Target::parse(url).unwrap();
    let ask = ProofAsk { method: "POST", target: &target, token: Some(token), nonce: None };
    prover.prove(&ask, jti, now).unwrap().expose().to_owned()
}
