//! The second wall alone: a process that is confined like a worker, without wasmtime in front.

use crate::harness::{Writ, guest, probe};
use serde_json::Value;
use std::fs;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Output};
use writ_broker::Limits;
use writ_broker::grant::Access;
use writ_runtime::confinement::{Layer, Requirement};
use writ_runtime::supervisor::Worker;
use writ_runtime::wire::{Arm, ArmedDirectory};

/// Arms the probe with one directory and returns its exit code: 0 refused, 1 got through.
fn attempt(name: &str, directory: &Path, access: Access) -> i32 {
    attempt_as(false, name, directory, access)
}

fn attempt_as(compiler: bool, name: &str, directory: &Path, access: Access) -> i32 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut worker = Worker::start(&probe(name)).unwrap();
        let arm = Arm {
            directories: match compiler {
                true => Vec::new(),
                false => vec![ArmedDirectory { guest: "/granted".into(), access }],
            },
            env: Vec::new(),
            limits: Limits::default(),
            require: Requirement::Full,
            compiler,
        };
        let granted = fs::File::open(directory).unwrap();
        let artifacts = tempfile::tempdir().unwrap();
        let artifacts = fs::File::open(artifacts.path()).unwrap();
        let descriptors = [granted.as_fd(), artifacts.as_fd()];
        let descriptors = if compiler { &[][..] } else { &descriptors[..] };
        let confinement = worker.arm(arm, descriptors).await.unwrap();
        assert_eq!(confinement.weakest(), Layer::Full, "{confinement:?}");
        worker.reap().await.unwrap().code().unwrap()
    })
}

/// Each attempt is stopped, while the honest use of the same grant goes through.
fn stopped(names: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file"), "x").unwrap();
    for name in names {
        assert_eq!(attempt(name, directory.path(), Access::Write), 0, "{name} was not refused");
    }
    assert_eq!(attempt("read-granted", directory.path(), Access::Read), 1);
    assert_eq!(attempt("write-granted", directory.path(), Access::Write), 1);
}

#[test]
fn files_outside_the_grant_are_out_of_reach() {
    stopped(&["read-outside", "list-root", "write-outside"]);
    assert!(!Path::new("/tmp/writ-probe-was-here").exists());
}

#[test]
fn a_directory_granted_for_reading_cannot_be_written() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(attempt("write-granted", directory.path(), Access::Read), 0);
    assert!(fs::read_dir(directory.path()).unwrap().next().is_none());
}

#[test]
fn no_socket_can_be_made() {
    stopped(&["socket-inet", "socket-inet6", "socket-unix", "socket-netlink", "socket-vsock"]);
}

#[test]
fn no_program_and_no_process_can_be_started() {
    stopped(&["execute", "fork"]);
}

#[test]
fn no_thread_can_be_started() {
    stopped(&["many-threads", "raw-thread"]);
}

#[test]
fn a_descriptor_cannot_be_made_to_signal_a_process() {
    stopped(&["set-owner", "set-signal", "async-io"]);
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(attempt("plain-flags", directory.path(), Access::Read), 1);
}

#[test]
fn no_memory_escapes_the_rlimit() {
    stopped(&["shared-memory", "grow-down-memory", "memfd-memory"]);
}

#[test]
fn descriptors_are_bounded_by_what_the_grant_says() {
    stopped(&["descriptors-without-end"]);
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(attempt("descriptors-of-the-grant", directory.path(), Access::Read), 1);
}

#[test]
fn a_compiling_worker_is_confined_as_well() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["read-outside", "socket-inet", "execute", "fork", "many-threads", "memfd-memory"] {
        let code = attempt_as(true, name, directory.path(), Access::Read);
        assert_eq!(code, 0, "{name} was not refused");
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn a_host_that_is_process_1_can_run_tools() {
    let command = |program: &str| {
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--mount-proc", program]);
        command
    };
    if !command("true").status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: this machine lets nobody make a PID namespace");
        return;
    }
    let output = in_home(&mut command(env!("CARGO_BIN_EXE_writ")), &[]);
    assert_eq!((output.status.code(), &*output.stdout), (Some(0), &b"hello\n"[..]), "{output:?}");
}

/// Runs the honest tool by a command that ends with `writ`, as its users do.
fn in_home(command: &mut Command, words: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    command.arg("run").arg(guest("hello-p1")).args(words);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home.path());
    command.output().unwrap()
}

fn without_landlock(words: &[&str]) -> Output {
    let launcher = probe("without");
    let mut command = Command::new(launcher.path);
    command.args(launcher.args).arg("landlock").arg(env!("CARGO_BIN_EXE_writ"));
    in_home(&mut command, words)
}

#[test]
fn a_machine_without_landlock_is_reported() {
    let output = without_landlock(&["--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (output.status.code(), &report["confinement"]["landlock"]),
        (Some(0), &"none".into())
    );
    assert_eq!(report["confinement"]["seccomp"], "full");
    let output = without_landlock(&[]);
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*output.stdout), (Some(0), &b"hello\n"[..]));
    assert!(words.contains("warning[C0101]") && words.contains("landlock"), "{words}");
    // The control: with all of it, nothing is said.
    assert_eq!(&*Writ::new(&["run", guest("hello-p1").to_str().unwrap()]).done().stderr, "");
}

#[test]
fn a_machine_without_landlock_is_refused_by_who_requires_it() {
    let output = without_landlock(&["--json", "--require-confinement"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["error"]["code"]), (Some(125), &"C0101".into()));
    assert_eq!(report["stdout"], Value::Null, "{report}");
}

#[test]
fn the_host_process_cannot_be_read_traced_or_signalled() {
    stopped(&[
        "read-parent-memory",
        "read-parent-environment",
        "copy-parent-memory",
        "trace-parent",
        "signal-parent",
        "thread-signal-parent",
        "pidfd",
    ]);
}

#[test]
fn the_kernel_has_no_side_doors() {
    stopped(&[
        "new-namespaces",
        "mount",
        "new-root",
        "io-uring",
        "bpf",
        "keys",
        "open-by-handle",
        "writable-code",
        "raise-limits",
        "make-fifo",
    ]);
}
