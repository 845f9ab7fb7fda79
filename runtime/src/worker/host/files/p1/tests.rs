#![expect(clippy::unwrap_used, reason = "a test may fail")]

use super::*;
use crate::worker::host::test_support::{Kept, kept};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use tempfile::TempDir;
use wasmtime::{Engine, Instance, Linker, Memory, Module, Store, Val};
use wasmtime_wasi::WasiCtx;

const SUCCESS: i32 = 0;
const NOENT: i32 = 44;
const SRC: i32 = 3;
const OUT: i32 = 4;
const READS: i64 = 1 << 1;
const WRITES: i64 = 1 << 6;
const CREATE: i32 = 1;
const DIRECTORY: i32 = 2;

/// The functions that the tests call, with their parameters.
const FUNCTIONS: &[(&str, &str)] = &[
    ("path_open", "i32 i32 i32 i32 i32 i64 i64 i32 i32"),
    ("path_create_directory", "i32 i32 i32"),
    ("path_remove_directory", "i32 i32 i32"),
    ("path_unlink_file", "i32 i32 i32"),
    ("path_symlink", "i32 i32 i32 i32 i32"),
    ("path_rename", "i32 i32 i32 i32 i32 i32"),
    ("path_link", "i32 i32 i32 i32 i32 i32 i32"),
    ("path_filestat_get", "i32 i32 i32 i32 i32"),
    ("path_filestat_set_times", "i32 i32 i32 i32 i64 i64 i32"),
    ("fd_filestat_set_times", "i32 i64 i64 i32"),
    ("fd_filestat_set_size", "i32 i64"),
    ("fd_close", "i32"),
    ("fd_renumber", "i32 i32"),
];

struct State {
    wasi: WasiP1Ctx,
    guard: P1Guard,
}

/// A core module with `/src` (read) and `/out` (write), whose calls are made from here.
struct Guest {
    _dir: TempDir,
    src: PathBuf,
    out: PathBuf,
    store: Store<State>,
    instance: Instance,
    memory: Memory,
    kept: Arc<Kept>,
}

fn module() -> String {
    let (mut imports, mut exports) = (String::new(), String::new());
    for (name, params) in FUNCTIONS {
        imports += &format!(
            "(import \"wasi_snapshot_preview1\" \"{name}\"
              (func ${name} (param {params}) (result i32)))"
        );
        let arguments: String =
            (0..params.split(' ').count()).map(|n| format!("(local.get {n})")).collect();
        exports += &format!(
            "(func (export \"{name}\") (param {params}) (result i32) (call ${name} {arguments}))"
        );
    }
    format!("(module {imports} (memory (export \"memory\") 1) {exports})")
}

impl Guest {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (src, out) = (dir.path().join("src"), dir.path().join("out"));
        std::fs::create_dir(&src).unwrap();
        std::fs::create_dir(&out).unwrap();
        std::fs::write(src.join("a.txt"), "a").unwrap();
        std::fs::write(dir.path().join("secret"), "s").unwrap();
        let mut wasi = WasiCtx::builder();
        wasi.allow_blocking_current_thread(true);
        wasi.preopened_dir(&src, "/src", FsPerms::ReadOnly).unwrap();
        wasi.preopened_dir(&out, "/out", FsPerms::ReadWrite).unwrap();
        let mut wasi = wasi.build_p1();
        let (kept, recorder) = kept();
        let guard = P1Guard::new(recorder, DiskBudget::new(1 << 20), &mut wasi).unwrap();
        let engine = Engine::default();
        let mut linker = Linker::new(&engine);
        add_to_linker(&mut linker, |state: &mut State| P1View {
            wasi: &mut state.wasi,
            guard: &mut state.guard,
        })
        .unwrap();
        let module = Module::new(&engine, wat::parse_str(module()).unwrap()).unwrap();
        let mut store = Store::new(&engine, State { wasi, guard });
        let instance = linker.instantiate_async(&mut store, &module).await.unwrap();
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        Self { _dir: dir, src, out, store, instance, memory, kept }
    }

    async fn call(&mut self, name: &str, arguments: &[Val]) -> i32 {
        let function = self.instance.get_func(&mut self.store, name).unwrap();
        let mut result = [Val::I32(-1)];
        function.call_async(&mut self.store, arguments, &mut result).await.unwrap();
        result[0].unwrap_i32()
    }

    /// Puts a text at a place in the guest's memory; returns pointer and length.
    fn put(&mut self, place: i32, text: &str) -> [Val; 2] {
        let start = usize::try_from(place).unwrap();
        self.memory.write(&mut self.store, start, text.as_bytes()).unwrap();
        [Val::I32(place), Val::I32(i32::try_from(text.len()).unwrap())]
    }

    /// Opens a path and returns the descriptor, or the error as a negative number.
    async fn open(&mut self, fd: i32, path: &str, how: i32, rights: i64) -> i32 {
        let [ptr, len] = self.put(1000, path);
        let (fd, follow, how) = (Val::I32(fd), Val::I32(1), Val::I32(how));
        let (rights, none, out) = (Val::I64(rights), Val::I64(0), Val::I32(8));
        let arguments = [fd, follow, ptr, len, how, rights, none, Val::I32(0), out];
        let errno = self.call("path_open", &arguments).await;
        let mut opened = [0; 4];
        self.memory.read(&self.store, 8, &mut opened).unwrap();
        if errno == SUCCESS { i32::from_le_bytes(opened) } else { -errno }
    }

    /// Calls a function whose parameters are a descriptor and a path.
    async fn at(&mut self, name: &str, fd: i32, path: &str) -> i32 {
        let [ptr, len] = self.put(1000, path);
        self.call(name, &[Val::I32(fd), ptr, len]).await
    }

    async fn symlink(&mut self, target: &str, fd: i32, path: &str) -> i32 {
        let [target, target_len] = self.put(3000, target);
        let [ptr, len] = self.put(1000, path);
        self.call("path_symlink", &[target, target_len, Val::I32(fd), ptr, len]).await
    }

    async fn rename(&mut self, old: (i32, &str), new: (i32, &str)) -> i32 {
        let [old_ptr, old_len] = self.put(1000, old.1);
        let [new_ptr, new_len] = self.put(3000, new.1);
        let (old_fd, new_fd) = (Val::I32(old.0), Val::I32(new.0));
        self.call("path_rename", &[old_fd, old_ptr, old_len, new_fd, new_ptr, new_len]).await
    }

    fn codes(&self) -> Vec<String> {
        self.kept.refusals().into_iter().map(|(code, target)| format!("{code} {target}")).collect()
    }
}

#[tokio::test]
async fn what_the_grant_allows_works_and_is_counted_not_recorded() {
    let mut guest = Guest::new().await;
    assert!(guest.open(SRC, "a.txt", 0, READS).await > OUT);
    assert!(guest.open(OUT, "b.txt", CREATE, WRITES).await > OUT);
    assert_eq!(guest.at("path_create_directory", OUT, "d").await, SUCCESS);
    assert_eq!(guest.symlink("../b.txt", OUT, "d/l").await, SUCCESS);
    assert_eq!(guest.rename((OUT, "b.txt"), (OUT, "d/c.txt")).await, SUCCESS);
    assert_eq!(guest.at("path_unlink_file", OUT, "d/c.txt").await, SUCCESS);
    assert_eq!(guest.open(SRC, "nope", 0, READS).await, -NOENT);
    assert!(guest.codes().is_empty());
    assert!(guest.store.data().guard.allowed() >= 7);
}

#[tokio::test]
async fn every_kind_of_write_below_a_read_grant_is_recorded() {
    let mut guest = Guest::new().await;
    assert_eq!(guest.open(SRC, "a.txt", 0, WRITES).await, -ROFS);
    assert_eq!(guest.open(SRC, "new", CREATE, READS).await, -ROFS);
    for name in ["path_create_directory", "path_remove_directory", "path_unlink_file"] {
        assert_eq!(guest.at(name, SRC, "a.txt").await, ROFS, "{name}");
    }
    assert_eq!(guest.symlink("a.txt", SRC, "l").await, ROFS);
    assert_eq!(guest.rename((SRC, "a.txt"), (OUT, "a.txt")).await, ROFS);
    let [ptr, len] = guest.put(1000, "a.txt");
    let link = [Val::I32(SRC), Val::I32(0), ptr, len, Val::I32(OUT), ptr, len];
    assert_eq!(guest.call("path_link", &link).await, ROFS);
    let times = [Val::I32(SRC), Val::I32(0), ptr, len, Val::I64(0), Val::I64(0), Val::I32(2)];
    assert_eq!(guest.call("path_filestat_set_times", &times).await, ROFS);
    let file = guest.open(SRC, "a.txt", 0, READS).await;
    let times = [Val::I32(file), Val::I64(0), Val::I64(0), Val::I32(2)];
    assert_eq!(guest.call("fd_filestat_set_times", &times).await, ROFS);
    assert_eq!(guest.call("fd_filestat_set_size", &[Val::I32(file), Val::I64(0)]).await, ROFS);
    let codes = guest.codes();
    assert_eq!(codes.len(), 11);
    assert!(codes.iter().all(|code| code.starts_with("D0201 /src")), "{codes:?}");
    assert_eq!(std::fs::read_dir(&guest.out).unwrap().count(), 0);
}

#[tokio::test]
async fn paths_and_links_that_lead_out_are_recorded_once() {
    let mut guest = Guest::new().await;
    symlink("../secret", guest.src.join("link")).unwrap();
    assert_eq!(guest.open(SRC, "../secret", 0, READS).await, -PERM);
    assert_eq!(guest.open(SRC, "/etc/passwd", 0, READS).await, -PERM);
    assert_eq!(guest.open(SRC, "link", 0, READS).await, -PERM);
    let [ptr, len] = guest.put(1000, "link");
    let stat = [Val::I32(SRC), Val::I32(1), ptr, len, Val::I32(64)];
    assert_eq!(guest.call("path_filestat_get", &stat).await, PERM);
    let expected = ["D0202 /secret", "D0202 /etc/passwd", "D0202 /src/link", "D0202 /src/link"];
    assert_eq!(guest.codes(), expected);
}

#[tokio::test]
async fn a_fifo_is_never_opened() {
    let mut guest = Guest::new().await;
    let mode = rustix::fs::Mode::from_raw_mode(0o644);
    rustix::fs::mkfifoat(rustix::fs::CWD, guest.out.join("fifo"), mode).unwrap();
    assert_eq!(guest.open(OUT, "fifo", 0, READS).await, -ACCES);
    assert_eq!(guest.open(OUT, "fifo", CREATE, WRITES).await, -ACCES);
    assert_eq!(guest.codes(), ["D0203 /out/fifo", "D0203 /out/fifo"]);
}

#[tokio::test]
async fn a_descriptor_that_is_no_known_directory_is_none() {
    let mut guest = Guest::new().await;
    let file = guest.open(SRC, "a.txt", 0, READS).await;
    assert_eq!(guest.at("path_unlink_file", file, "x").await, NOTDIR);
    // As after a race in which wasmtime opened a directory where a file had been.
    std::fs::create_dir(guest.out.join("d")).unwrap();
    let d = guest.open(OUT, "d", DIRECTORY, READS).await;
    let known = &mut guest.store.data_mut().guard.open;
    known.get_mut(&d.cast_unsigned()).unwrap().directory = None;
    assert_eq!(guest.symlink("/etc/passwd", d, "l").await, NOTDIR);
    assert_eq!(guest.at("path_create_directory", d, "e").await, NOTDIR);
    assert_eq!(std::fs::read_dir(guest.out.join("d")).unwrap().count(), 0);
    assert_ne!(guest.at("path_create_directory", 99, "e").await, SUCCESS);
    assert_ne!(guest.symlink("x", 1, "l").await, SUCCESS, "standard output");
}

#[tokio::test]
async fn a_guest_cannot_leave_a_link_that_leads_a_later_tool_out() {
    let mut guest = Guest::new().await;
    std::fs::create_dir_all(guest.out.join("a/b")).unwrap();
    for target in ["/etc/passwd", "../secret", "x/../../secret"] {
        assert_eq!(guest.symlink(target, OUT, "l").await, PERM, "{target}");
    }
    assert_eq!(guest.symlink("../../x", OUT, "a/b/l").await, SUCCESS);
    assert_eq!(guest.rename((OUT, "a/b"), (OUT, "b")).await, PERM);
    assert_eq!(guest.codes().len(), 4);
}

/// Makes directories below `out` one in the other, as deep as no system call could name at once.
fn nest(out: &std::path::Path, levels: usize) {
    let mut here = std::fs::File::open(out).unwrap();
    for _ in 0..levels {
        rustix::fs::mkdirat(&here, "d", rustix::fs::Mode::from_raw_mode(0o755)).unwrap();
        let flags = rustix::fs::OFlags::PATH;
        let next = rustix::fs::openat(&here, "d", flags, rustix::fs::Mode::empty()).unwrap();
        here = next.into();
    }
}

#[tokio::test]
async fn a_link_too_deep_to_be_measured_is_not_made_nor_moved_there() {
    let mut guest = Guest::new().await;
    nest(&guest.out, 257);
    let deep = "d/".repeat(257);
    let target = "../".repeat(300) + "home/u/x";
    assert_eq!(guest.symlink(&target, OUT, &format!("{deep}l")).await, PERM);
    assert!(guest.out.join(format!("{deep}l")).symlink_metadata().is_err(), "nothing is made");
    assert_eq!(guest.codes(), [format!("D0202 /out/{deep}l")]);

    // Placed by the host; the guest moves it from there to the top.
    symlink("../x", guest.out.join(format!("{deep}l"))).unwrap();
    assert_eq!(guest.rename((OUT, &format!("{deep}l")), (OUT, "l")).await, PERM);
    assert!(guest.out.join("l").symlink_metadata().is_err());
    let [old, old_len] = guest.put(1000, &format!("{deep}l"));
    let [new, new_len] = guest.put(3000, "l");
    let link = [Val::I32(OUT), Val::I32(0), old, old_len, Val::I32(OUT), new, new_len];
    assert_eq!(guest.call("path_link", &link).await, PERM);
    assert_eq!(guest.codes().len(), 3);

    let less = "d/".repeat(200);
    assert_eq!(guest.symlink("../x", OUT, &format!("{less}l")).await, SUCCESS);
    assert_eq!(guest.rename((OUT, &format!("{less}l")), (OUT, "d/l")).await, SUCCESS);
}

/// Whatever keeps the look from being taken (no descriptor is left, say) is no yes.
#[test]
fn no_error_of_the_kernel_is_a_success() {
    for code in 1..200 {
        assert_ne!(kernel_errno(Errno::from_raw_os_error(code)), SUCCESS, "{code}");
    }
    assert_eq!(kernel_errno(Errno::MFILE), 33);
}

#[tokio::test]
async fn descriptors_keep_their_names_through_open_close_and_renumber() {
    let mut guest = Guest::new().await;
    std::fs::create_dir(guest.src.join("d")).unwrap();
    let d = guest.open(SRC, "d", DIRECTORY, READS).await;
    assert_eq!(guest.at("path_unlink_file", d, "x").await, ROFS);
    assert_eq!(guest.call("fd_renumber", &[Val::I32(d), Val::I32(OUT)]).await, SUCCESS);
    assert_eq!(guest.at("path_unlink_file", OUT, "y").await, ROFS, "it is /src/d now");
    assert_eq!(guest.call("fd_close", &[Val::I32(OUT)]).await, SUCCESS);
    assert_ne!(guest.at("path_unlink_file", OUT, "z").await, SUCCESS);
    assert_eq!(guest.codes(), ["D0201 /src/d/x", "D0201 /src/d/y"]);
}

#[tokio::test]
async fn a_pointer_outside_the_memory_is_wasmtimes_to_refuse() {
    let mut guest = Guest::new().await;
    let arguments = [Val::I32(OUT), Val::I32(-4), Val::I32(100)];
    let function = guest.instance.get_func(&mut guest.store, "path_unlink_file").unwrap();
    let mut result = [Val::I32(0)];
    let called = function.call_async(&mut guest.store, &arguments, &mut result).await;
    assert!(called.is_err() || result[0].unwrap_i32() != SUCCESS);
    assert!(guest.codes().is_empty());
}

#[tokio::test]
async fn a_path_of_megabytes_is_recorded_in_part() {
    let mut guest = Guest::new().await;
    let memory = guest.memory;
    memory.grow(&mut guest.store, 200).unwrap();
    let path = "../".to_owned() + &"x".repeat(9_000_000);
    let [ptr, len] = guest.put(100_000, &path);
    assert_eq!(guest.call("path_unlink_file", &[Val::I32(OUT), ptr, len]).await, PERM);
    let codes = guest.codes();
    assert_eq!(codes.len(), 1);
    assert!(codes[0].len() < 4200, "{}", codes[0].len());
    assert!(codes[0].ends_with("(9000001 bytes)"), "{}", codes[0]);
    assert_eq!(guest.at("path_create_directory", OUT, "d").await, SUCCESS);
}
