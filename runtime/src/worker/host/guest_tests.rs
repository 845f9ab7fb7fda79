//! Real guests, built by `scripts/guests`, against these interfaces: in this process, without the
//! second wall and with a small gate on the other end of the socket.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};
use tempfile::TempDir;
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Engine, Module, Store};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p2::bindings::Command;
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::WasiHttpCtx;
use writ_broker::Limits;

use super::egress::EgressClient;
use super::files::p1::{self, P1Guard, P1View};
use super::files::p2::FilesView;
use super::files::{DiskBudget, FilesGuard};
use super::http::{GuestHttp, HttpView};
use super::sockets::{GuestSockets, SocketsView};
use super::test_support::{GateBody, gate, kept};
use super::{GuestView, add_to_linker};
use crate::wire::egress::GATE_ERROR;

const WHY: &str = "needs target/guests: run scripts/guests first";

struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    files: FilesGuard,
    http: GuestHttp,
    http_ctx: WasiHttpCtx,
    sockets: GuestSockets,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl GuestView for State {
    fn files(&mut self) -> FilesView<'_> {
        FilesView { ctx: self.wasi.filesystem(), table: &mut self.table, guard: &mut self.files }
    }

    fn http(&mut self) -> HttpView<'_> {
        HttpView { hooks: &mut self.http, table: &mut self.table, ctx: &mut self.http_ctx }
    }

    fn sockets(&mut self) -> SocketsView<'_> {
        SocketsView { sockets: &mut self.sockets, table: &mut self.table }
    }
}

/// `/src` for reading, `/out` for writing, and what lies beside them.
struct Place {
    dir: TempDir,
}

/// What a run came to: what was printed, and each refusal as `CODE TARGET`.
#[derive(Debug)]
struct Ran {
    stdout: String,
    refusals: Vec<String>,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["src", "out"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        std::fs::write(dir.path().join("src/a.txt"), "hello").unwrap();
        std::fs::write(dir.path().join("secret"), "leaked").unwrap();
        symlink("../secret", dir.path().join("src/out-of-here")).unwrap();
        let mode = rustix::fs::Mode::from_raw_mode(0o644);
        rustix::fs::mkfifoat(rustix::fs::CWD, dir.path().join("src/fifo"), mode).unwrap();
        Self { dir }
    }

    fn wasi(&self, arguments: &[&str], stdout: &MemoryOutputPipe) -> WasiCtxBuilder {
        let mut wasi = WasiCtx::builder();
        wasi.allow_blocking_current_thread(true);
        wasi.arg("guest").args(arguments).stdout(stdout.clone()).stderr(stdout.clone());
        wasi.preopened_dir(self.dir.path().join("src"), "/src", FsPerms::ReadOnly).unwrap();
        wasi.preopened_dir(self.dir.path().join("out"), "/out", FsPerms::ReadWrite).unwrap();
        wasi
    }

    async fn component(&self, name: &str, arguments: &[&str], egress: EgressClient) -> Ran {
        let component = compiled(&COMPONENTS, name, |path| Component::from_file(&ENGINE, path));
        let mut linker = Linker::new(&ENGINE);
        add_to_linker::<State>(&mut linker).unwrap();
        let stdout = MemoryOutputPipe::new(1 << 20);
        let (kept, recorder) = kept();
        let limits = Limits::default();
        let state = State {
            wasi: self.wasi(arguments, &stdout).build(),
            table: ResourceTable::new(),
            files: FilesGuard::new(Arc::clone(&recorder), DiskBudget::new(limits.disk)),
            http: GuestHttp::new(egress.clone(), Arc::clone(&recorder), &limits),
            http_ctx: super::http::context(&limits),
            sockets: GuestSockets::new(egress.clone(), recorder, &limits),
        };
        let mut store = Store::new(&ENGINE, state);
        let command = Command::instantiate_async(&mut store, &component, &linker).await.unwrap();
        let _exit_code = command.wasi_cli_run().call_run(&mut store).await;
        drop(store);
        egress.settle().await;
        ran(&stdout, &kept)
    }

    async fn module(&self, name: &str, arguments: &[&str]) -> Ran {
        let module = compiled(&MODULES, name, |path| Module::from_file(&ENGINE, path));
        let mut linker = wasmtime::Linker::new(&ENGINE);
        p1::add_to_linker(&mut linker, |(wasi, guard): &mut (WasiP1Ctx, P1Guard)| P1View {
            wasi,
            guard,
        })
        .unwrap();
        let stdout = MemoryOutputPipe::new(1 << 20);
        let (kept, recorder) = kept();
        let mut wasi = self.wasi(arguments, &stdout).build_p1();
        let guard = P1Guard::new(recorder, DiskBudget::new(1 << 30), &mut wasi).unwrap();
        let mut store = Store::new(&ENGINE, (wasi, guard));
        let instance = linker.instantiate_async(&mut store, &module).await.unwrap();
        let start = instance.get_typed_func::<(), ()>(&mut store, "_start").unwrap();
        let _exit_code = start.call_async(&mut store, ()).await;
        drop(store);
        ran(&stdout, &kept)
    }

    /// Runs the files guest in both of its forms, which must come to the same.
    async fn files(&self, arguments: &[&str]) -> Ran {
        let component = self.component("files", arguments, gate(upstream)).await;
        let module = self.module("files-p1", arguments).await;
        assert_eq!(component.refusals, module.refusals, "{arguments:?}");
        component
    }
}

static ENGINE: LazyLock<Engine> = LazyLock::new(Engine::default);
static COMPONENTS: Cache<Component> = Cache::new(BTreeMap::new());
static MODULES: Cache<Module> = Cache::new(BTreeMap::new());

type Cache<C> = Mutex<BTreeMap<String, C>>;

/// Compiles a guest once for all tests.
fn compiled<C: Clone>(
    cache: &Cache<C>,
    name: &str,
    compile: impl FnOnce(PathBuf) -> wasmtime::Result<C>,
) -> C {
    let mut cache = cache.lock().unwrap();
    cache.entry(name.to_owned()).or_insert_with(|| compile(guest(name)).unwrap()).clone()
}

fn guest(name: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("../target/guests").join(format!("{name}.wasm"));
    assert!(path.exists(), "{WHY}");
    path
}

fn ran(stdout: &MemoryOutputPipe, kept: &super::test_support::Kept) -> Ran {
    let refusals = kept.refusals().into_iter().map(|(code, target)| format!("{code} {target}"));
    Ran {
        stdout: String::from_utf8(stdout.contents().to_vec()).unwrap(),
        refusals: refusals.collect(),
    }
}

/// A gate that knows `http://up.example/` and `db.internal:5432`, which answers in capitals.
async fn upstream(mut request: Request<Incoming>) -> Response<GateBody> {
    let mut response = Response::new(Full::new(Bytes::from_static(b"hello")).boxed());
    if request.method() == Method::CONNECT && request.uri() == "db.internal:5432" {
        *response.body_mut() = Full::new(Bytes::new()).boxed();
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut tunnel = TokioIo::new(upgrade.await.unwrap());
            let mut all = Vec::new();
            tokio::io::AsyncReadExt::read_to_end(&mut tunnel, &mut all).await.unwrap();
            all.make_ascii_uppercase();
            tokio::io::AsyncWriteExt::write_all(&mut tunnel, &all).await.unwrap();
            tokio::io::AsyncWriteExt::shutdown(&mut tunnel).await.unwrap();
        });
    } else if request.uri().host() != Some("up.example") {
        response.headers_mut().insert(GATE_ERROR, HeaderValue::from_static("HTTP-request-denied"));
        *response.status_mut() = StatusCode::FORBIDDEN;
    }
    response
}

#[tokio::test]
#[ignore = "needs target/guests: run scripts/guests first"]
async fn a_guest_reads_and_writes_what_it_was_granted() {
    let place = Place::new();
    for arguments in [
        &["read", "/src/a.txt"][..],
        &["list", "/src"],
        &["stat", "/src/a.txt"],
        &["write", "/out/b.txt", "b"],
        &["append", "/out/b.txt", "c"],
        &["mkdir", "/out/d"],
        &["rename", "/out/b.txt", "/out/d/b.txt"],
        &["symlink", "../b.txt", "/out/d/l"],
        &["readlink", "/out/d/l"],
        &["touch", "/out/d/b.txt"],
        &["truncate", "/out/d/b.txt"],
        &["link", "/out/d/b.txt", "/out/e.txt"],
        &["many", "/out", "50"],
    ] {
        let form = place.component("files", arguments, gate(upstream)).await;
        assert!(form.stdout.starts_with("ok"), "{arguments:?}: {form:?}");
        assert!(form.refusals.is_empty(), "{form:?}");
    }
    let read = place.module("files-p1", &["read", "/out/e.txt"]).await;
    assert!(read.stdout.starts_with("ok"), "{read:?}");
}

#[tokio::test]
#[ignore = "needs target/guests: run scripts/guests first"]
async fn a_guest_that_leaves_its_grant_is_refused_and_each_attempt_is_recorded() {
    for (arguments, recorded) in [
        (&["write", "/src/b.txt", "b"][..], "D0201 /src/b.txt"),
        (&["append", "/src/a.txt", "b"], "D0201 /src/a.txt"),
        (&["mkdir", "/src/d"], "D0201 /src/d"),
        (&["touch", "/src/a.txt"], "D0201 /src/a.txt"),
        (&["truncate", "/src/a.txt"], "D0201 /src/a.txt"),
        (&["rename", "/src/a.txt", "/out/a.txt"], "D0201 /src/a.txt"),
        (&["link", "/src/a.txt", "/out/a.txt"], "D0201 /src/a.txt"),
        (&["read", "/src/../secret"], "D0202 /secret"),
        (&["read", "/src/out-of-here"], "D0202 /src/out-of-here"),
        (&["read", "/src/fifo"], "D0203 /src/fifo"),
        (&["symlink", "/etc/passwd", "/out/l"], "D0202 /out/l"),
        (&["symlink", "../secret", "/out/l"], "D0202 /out/l"),
    ] {
        let place = Place::new();
        let ran = place.files(arguments).await;
        assert!(ran.stdout.starts_with("error"), "{arguments:?}: {ran:?}");
        assert_eq!(ran.refusals, [recorded], "{arguments:?}");
        assert!(!ran.stdout.contains("leaked"));
    }
}

#[tokio::test]
#[ignore = "needs target/guests: run scripts/guests first"]
async fn a_guest_that_races_links_against_opens_gets_nothing() {
    let place = Place::new();
    let arguments = ["race-symlink", "/out/turn", "../secret", "200"];
    for ran in [
        place.component("files", &arguments, gate(upstream)).await,
        place.module("files-p1", &arguments).await,
    ] {
        assert!(!ran.stdout.contains("leaked"), "{}", ran.stdout);
        assert!(!ran.refusals.is_empty());
    }
}

#[tokio::test]
#[ignore = "needs target/guests: run scripts/guests first"]
async fn the_standard_library_connects_by_name_through_the_gate() {
    let place = Place::new();
    let ran =
        place.component("tcp", &["connect", "db.internal", "5432", "hi"], gate(upstream)).await;
    assert_eq!(ran.stdout, "ok 2 bytes: HI\n");
    let sent =
        place.component("tcp", &["send", "db.internal", "5432", "5000000"], gate(upstream)).await;
    assert_eq!(sent.stdout, "ok sent 5000000 bytes\n");
    let denied =
        place.component("tcp", &["connect", "evil.example", "80", "hi"], gate(upstream)).await;
    assert!(denied.stdout.starts_with("error PermissionDenied"), "{denied:?}");
    let literal = place.component("tcp", &["connect-ip", "127.0.0.1", "80"], gate(upstream)).await;
    assert!(literal.stdout.starts_with("error PermissionDenied"), "{literal:?}");
    let resolved = place.component("tcp", &["resolve", "evil.example"], gate(upstream)).await;
    assert_eq!(resolved.stdout, "ok 1 addresses: 198.18.0.1\n");
    for ran in [ran, sent, denied, literal, resolved] {
        assert!(ran.refusals.is_empty(), "the gate records these: {ran:?}");
    }
}

#[tokio::test]
#[ignore = "needs target/guests: run scripts/guests first"]
async fn listening_and_datagrams_are_refused_and_recorded() {
    let place = Place::new();
    let listen = place.component("tcp", &["listen", "8080"], gate(upstream)).await;
    assert!(listen.stdout.starts_with("error PermissionDenied"), "{listen:?}");
    assert_eq!(listen.refusals, ["D0301 tcp 0.0.0.0:8080"]);
    let udp = place.component("tcp", &["udp", "evil.example", "53"], gate(upstream)).await;
    assert!(udp.stdout.starts_with("error"), "{udp:?}");
    assert_eq!(udp.refusals, ["D0301 udp"]);
}

#[tokio::test]
#[ignore = "needs target/guests: run scripts/guests first"]
async fn a_guest_speaks_http_through_the_gate() {
    let place = Place::new();
    let get = |words: &'static [&'static str]| {
        let place = &place;
        async move { place.component("http", words, gate(upstream)).await }
    };
    let ok = get(&["get", "http://up.example/"]).await;
    assert!(ok.stdout.contains("status 200") && ok.stdout.contains("body 5 bytes"), "{ok:?}");
    let post = &["get", "http://up.example/", "--method", "POST", "--body-bytes", "300000"];
    let posted = get(post).await;
    assert!(posted.stdout.contains("status 200"), "{posted:?}");
    let denied = get(&["get", "http://evil.example/"]).await;
    assert_eq!(denied.stdout, "error HTTP-request-denied\n");
    assert!(denied.refusals.is_empty(), "the gate records it");
    let connect = get(&["get", "http://up.example/", "--method", "CONNECT"]).await;
    assert_eq!(connect.stdout, "error HTTP-request-denied\n");
    assert_eq!(connect.refusals, ["D0108 CONNECT http://up.example/"]);
    let smuggled = get(&["get", "http://up.example/", "-H", "transfer-encoding:chunked"]).await;
    assert_eq!(smuggled.stdout, "error header forbidden: transfer-encoding\n");
    assert_eq!(smuggled.refusals, ["D0106 header transfer-encoding"]);
}
