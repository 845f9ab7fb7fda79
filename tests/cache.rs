//! The compile cache, from outside: what is in it is native code, and is ours or is not used.

use crate::harness::{Ran, Writ, guest, refused};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use writ_runtime::cache::{Cache, DEFAULT_BOUND};
use writ_runtime::confinement::Requirement;
use writ_runtime::supervisor::{CompileCaps, Compiler, WorkerProgram};

/// Directories of one user.
struct User {
    home: TempDir,
}

impl User {
    fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap() }
    }

    fn folder(&self, name: &str) -> PathBuf {
        let folder = self.home.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// `writ run TOOL` with this user's cache and key.
    fn writ(&self, tool: &Path) -> Writ {
        let run = Writ::new(&["run", tool.to_str().unwrap()]);
        run.env("WRIT_CACHE_DIR", self.folder("cache"))
            .env("WRIT_STATE_DIR", self.folder("state"))
            .env("TMPDIR", self.folder("tmp"))
    }

    fn compiled(&self) -> PathBuf {
        self.folder("cache").join("compiled")
    }

    fn entries(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.compiled()).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// The one entry.
    fn entry(&self) -> PathBuf {
        let [entry] = <[PathBuf; 1]>::try_from(self.entries()).unwrap();
        entry
    }

    fn hello(&self) -> Ran {
        self.writ(&guest("hello-p1")).done()
    }

    /// Runs the honest tool once, so that there is an entry.
    fn warmed() -> Self {
        let user = Self::new();
        user.quietly_right();
        user
    }

    /// The run is right and says nothing about its cache.
    fn quietly_right(&self) {
        let ran = self.hello();
        assert_eq!((ran.code, ran.text(), &*ran.stderr), (0, "hello\n", ""));
    }

    /// The run is right, and says that it did not use what it found; the next one does.
    fn right_with(&self, code: &str, what: &str) {
        let ran = self.hello();
        assert_eq!((ran.code, ran.text()), (0, "hello\n"), "{what}: {ran:?}");
        assert!(ran.stderr.starts_with(&format!("warning[{code}]: ")), "{what}: {ran:?}");
    }

    fn recompiled(&self, what: &str) {
        self.right_with("C0102", what);
        self.quietly_right();
        self.entry();
    }
}

#[test]
fn a_second_run_does_not_compile() {
    let user = User::warmed();
    let before = fs::metadata(user.entry()).unwrap();
    user.quietly_right();
    let after = fs::metadata(user.entry()).unwrap();
    // A compilation puts a new file in the place of the old one.
    assert_eq!(before.ino(), after.ino());
    let inspected = Writ::new(&["inspect", guest("hello-p1").to_str().unwrap()]);
    inspected
        .env("WRIT_CACHE_DIR", user.folder("cache"))
        .env("WRIT_STATE_DIR", user.folder("state"))
        .done();
    assert_eq!(fs::metadata(user.entry()).unwrap().ino(), before.ino());
}

#[test]
fn an_entry_is_for_its_owner_only() {
    let user = User::warmed();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!((mode(&user.entry()), mode(&user.compiled())), (0o600, 0o700));
    assert_eq!(mode(&user.folder("state").join("cache.key")), 0o600);
}

#[test]
fn a_changed_byte_anywhere_makes_an_entry_worthless() {
    let user = User::warmed();
    let length = fs::read(user.entry()).unwrap().len();
    // The artifact's first and middle byte; the description; magic, length and code of the trailer.
    for at in [0, length / 2, length - 50, length - 44, length - 33, length - 32, length - 1] {
        let entry = user.entry();
        let mut bytes = fs::read(&entry).unwrap();
        bytes[at] ^= 1;
        fs::write(&entry, bytes).unwrap();
        user.recompiled(&format!("byte {at} of {length}"));
    }
}

#[test]
fn an_entry_that_was_cut_off_or_grew_is_worthless() {
    let user = User::warmed();
    let length = fs::metadata(user.entry()).unwrap().len();
    for length in [0, 1, 43, 44, length / 2, length - 1, length + 1, length + 44] {
        fs::OpenOptions::new().write(true).open(user.entry()).unwrap().set_len(length).unwrap();
        user.recompiled(&format!("{length} bytes"));
    }
}

#[test]
fn an_entry_cannot_stand_in_for_another_tools() {
    let user = User::warmed();
    let hello = user.entry();
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.wasm");
    let text = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;
    fs::write(&other, wat::parse_str(text).unwrap()).unwrap();
    let ran = user.writ(&other).done();
    assert_eq!((ran.code, ran.text(), &*ran.stderr), (0, "", ""));
    let entry = user.entries().into_iter().find(|entry| *entry != hello).unwrap();
    fs::rename(&hello, &entry).unwrap();
    let ran = user.writ(&other).done();
    assert_eq!((ran.code, ran.text()), (0, ""));
    assert!(ran.stderr.starts_with("warning[C0102]: "), "{ran:?}");
    user.quietly_right();
}

#[test]
fn an_entry_that_another_installation_signed_is_worthless() {
    let (user, stranger) = (User::warmed(), User::warmed());
    let name = user.entry().file_name().unwrap().to_owned();
    assert_eq!(stranger.entry().file_name().unwrap(), name);
    fs::copy(stranger.entry(), user.entry()).unwrap();
    user.recompiled("another key");
}

#[test]
fn an_entry_that_others_could_have_written_is_worthless() {
    let user = User::warmed();
    for mode in [0o620, 0o602, 0o666] {
        fs::set_permissions(user.entry(), fs::Permissions::from_mode(mode)).unwrap();
        user.recompiled(&format!("mode {mode:o}"));
    }
}

#[test]
fn an_entry_that_is_no_file_is_worthless() {
    let user = User::warmed();
    let entry = user.entry();
    fs::remove_file(&entry).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &entry).unwrap();
    let ran = user.hello();
    assert_eq!((ran.code, ran.text()), (0, "hello\n"), "{ran:?}");
    user.quietly_right();
}

#[test]
fn a_directory_that_others_can_write_to_is_not_used() {
    let user = User::warmed();
    let (inode, folder) = (fs::metadata(user.entry()).unwrap().ino(), user.compiled());
    for mode in [0o770, 0o707, 0o777] {
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
        user.right_with("C0103", &format!("mode {mode:o}"));
        assert_eq!(fs::metadata(user.entry()).unwrap().ino(), inode);
    }
    assert_eq!(fs::read_dir(user.folder("tmp")).unwrap().count(), 0, "something was left behind");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    user.quietly_right();
}

#[test]
fn a_guest_finds_no_native_code_among_temporary_files() {
    let user = User::warmed();
    let (tmp, folder) = (user.folder("tmp"), user.compiled());
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    fs::write(tmp.join("own"), "").unwrap();
    let grant = format!("{}::/t", tmp.display());
    let ran = user.writ(&guest("files")).args(&["--write", &grant, "--", "list", "/t"]).done();
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.starts_with("warning[C0103]: "), "{ran:?}");
    assert!(ran.text().contains("own") && !ran.text().contains("writ-"), "{ran:?}");
    assert_eq!(fs::read_dir(&tmp).unwrap().count(), 1);
}

#[test]
fn a_compilation_is_bounded_in_time_and_memory() {
    let user = User::new();
    let bytes = fs::read(guest("files")).unwrap();
    let small = [
        CompileCaps { wall: Duration::from_millis(1), ..CompileCaps::default() },
        CompileCaps { cpu: Duration::from_millis(1), ..CompileCaps::default() },
        CompileCaps { memory: 1, ..CompileCaps::default() },
    ];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let compile = |caps: CompileCaps, bytes: &[u8]| {
        let program = WorkerProgram {
            path: env!("CARGO_BIN_EXE_writ").into(),
            args: vec!["__worker".into()],
        };
        let key = user.folder("state").join("cache.key");
        let cache = Cache::open(&user.compiled(), &key, DEFAULT_BOUND).unwrap();
        let compiler = Compiler { program, require: Requirement::Full, caps };
        runtime.block_on(compiler.compile(&cache, [1; 32], bytes)).map(drop)
    };
    let heavy = heavy();
    for caps in small {
        let fault = compile(caps.clone(), &heavy).unwrap_err();
        assert_eq!(fault.code.as_str(), "T0109", "{caps:?}: {fault}");
    }
    assert_eq!(user.entries().len(), 0, "a draft was left behind");
    compile(CompileCaps::default(), &bytes).unwrap();
}

/// A module that needs more memory to compile than a worker has by itself: one function, as long as
/// a function may be, in which nothing can be left out.
fn heavy() -> Vec<u8> {
    let step = "local.get 1 local.get 0 i64.mul local.get 0 i64.xor local.set 1 ";
    let body =
        format!("(local i64 i64) {} i32.const 0 local.get 1 i64.store", step.repeat(700_000));
    let text = format!("(module (memory (export \"memory\") 1) (func (export \"_start\") {body}))");
    wat::parse_str(text).unwrap()
}

#[test]
fn a_key_that_others_can_read_is_not_used() {
    let user = User::warmed();
    let key = user.folder("state").join("cache.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    user.right_with("C0103", "a key that others can read");
    fs::write(&key, "short").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    user.right_with("C0103", "a key that is too short");
    fs::remove_file(&key).unwrap();
    user.recompiled("a new key");
}

#[test]
fn first_runs_at_the_same_time_all_succeed() {
    for count in [2, 8] {
        let user = User::new();
        let runs: Vec<_> = (0..count).map(|_| user.writ(&guest("hello-p1")).start()).collect();
        for run in runs {
            let output = run.wait_with_output().unwrap();
            assert_eq!(output.stdout, b"hello\n", "{output:?}");
            assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]));
        }
        user.entry();
        let names = fs::read_dir(user.folder("state")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let others: Vec<_> = names.filter(|name| !name.starts_with("ledger.")).collect();
        assert_eq!(others, ["cache.key"]);
    }
}

#[test]
fn a_tool_that_is_too_big_to_compile_is_refused_unread() {
    let user = User::new();
    let tool = user.folder("tmp").join("big.wasm");
    let file = fs::File::create(&tool).unwrap();
    file.set_len(128 * 1024 * 1024 + 1).unwrap();
    let report = user.writ(&tool).args(&["--json"]).json();
    assert_eq!(refused(&report).0, "T0108");
}

#[test]
fn a_module_made_to_be_slow_to_compile_is_compiled_or_refused() {
    let user = User::new();
    let tool = user.folder("tmp").join("slow.wasm");
    let nested = format!("{}{}", "block ".repeat(50_000), "end ".repeat(50_000));
    let (locals, sums) =
        ("(local i64)".repeat(1000), "local.get 0 local.get 1 i64.add local.set 2 ");
    let bodies = [
        nested,
        format!("{locals} {}", sums.repeat(20_000)),
        "(if (i32.eqz (i32.load (i32.const 0))) (then (return))) (call 0)".repeat(10_000),
    ];
    for body in bodies {
        let text =
            format!(r#"(module (memory (export "memory") 1) (func (export "_start") {body}))"#);
        fs::write(&tool, wat::parse_str(text).unwrap()).unwrap();
        let report = user.writ(&tool).args(&["--json"]).json();
        let code = report["exit_code"].as_u64().unwrap();
        assert!(code == 0 || code == 2, "{report}");
    }
}
