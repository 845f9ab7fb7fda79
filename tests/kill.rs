//! Ending a run from outside: whatever its guest does, nothing of it stays and nothing of the user's goes.

use crate::harness::{Writ, guest, third_party};
use crate::schema;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::Path;
use std::process::{Child, ChildStdin, Output};
use std::time::{Duration, Instant};
use writ_test_support::{DnsStub, RawServer, Then};

/// How long anything may take here: far less than the guests would run, far more than an end takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks again and again until something is so.
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "{what} did not come about");
        std::thread::yield_now();
    }
}

/// A field of `/proc/PID/stat` after the name, which may hold anything: 0 is the state, 1 the parent.
fn stat(pid: u32, field: usize) -> Option<String> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    line.rsplit_once(')')?.1.split_whitespace().nth(field).map(str::to_owned)
}

fn is_gone(pid: u32) -> bool {
    stat(pid, 0).is_none_or(|state| state == "Z")
}

fn children(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").unwrap();
    let ids = processes.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    ids.filter(|id| stat(*id, 1) == Some(parent.to_string())).collect()
}

/// A worker has a thread that ticks while a guest runs, and is asleep before that: each tick lets go
/// of the processor once. A few go before the first tick, when the thread starts.
fn runs_a_guest(worker: u32) -> bool {
    const STARTING: u64 = 8;
    let Ok(threads) = fs::read_dir(format!("/proc/{worker}/task")) else { return false };
    threads.flatten().any(|thread| {
        let read = |name| fs::read_to_string(thread.path().join(name)).unwrap_or_default();
        let status = read("status");
        let switches =
            status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        let ticks = switches.and_then(|count| count.trim().parse().ok()).unwrap_or(0_u64);
        read("comm").trim() == "ticker" && ticks > STARTING
    })
}

/// A run whose guest is under way.
struct Running {
    child: Child,
    worker: u32,
    /// Open, so that a guest that reads waits.
    _input: Option<ChildStdin>,
}

impl Running {
    fn start(writ: Writ) -> Self {
        let mut child = writ.start();
        let input = child.stdin.take();
        let mut worker = None;
        eventually("a guest that runs", || {
            worker = children(child.id()).into_iter().find(|id| runs_a_guest(*id));
            worker.is_some()
        });
        Self { child, worker: worker.unwrap(), _input: input }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end, and for the worker to be gone with it.
    fn ended(self) -> Output {
        let started = Instant::now();
        let output = self.child.wait_with_output().unwrap();
        assert!(started.elapsed() < PATIENCE, "it took {:?}", started.elapsed());
        assert!(is_gone(self.worker), "its worker lives on");
        output
    }
}

/// Guests that never end by themselves, each in its own way, with nothing that a limit would end
/// within the patience of these tests.
fn endless() -> Vec<Writ> {
    let limits = ["--limit", "wall=1h", "--limit", "cpu=1h"];
    let mut runs = Vec::new();
    for fixture in ["limits", "limits-p1"] {
        for words in [&["spin"][..], &["sleep", "3600"], &["stdin"]] {
            runs.push(Writ::run(&guest(fixture)).args(&limits).args(&["--"]).args(words));
        }
    }
    runs.push(Writ::run(&guest("start-spins")).args(&limits));
    runs.push(Writ::run(&guest("hostile")).args(&limits).args(&["--call", "spin"]));
    runs
}

/// Each endless guest is ended by a signal to `writ`, which reports it.
fn ends(signal: Signal, code: i32, reason: &str) {
    for run in endless() {
        let running = Running::start(run);
        running.signal(signal);
        let output = running.ended();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let report = schema::read(&output.stdout);
        assert_eq!(report["outcome"], "killed", "{report}");
        assert_eq!(report["exit_code"], code, "{report}");
        assert_eq!(report["reason"], reason, "{report}");
    }
}

#[test]
fn an_interrupt_ends_whatever_the_guest_does() {
    ends(Signal::INT, 130, "interrupted");
}

#[test]
fn a_termination_ends_whatever_the_guest_does() {
    ends(Signal::TERM, 143, "terminated");
}

#[test]
fn a_person_reads_that_the_tool_was_interrupted() {
    let tool = guest("limits");
    let running = Running::start(Writ::new(&["run", tool.to_str().unwrap(), "--", "spin"]));
    running.signal(Signal::INT);
    let output = running.ended();
    assert_eq!(output.status.code(), Some(130));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("error: tool \"limits\" was interrupted"), "{stderr}");
}

#[test]
fn an_interrupt_removes_nothing_of_the_users() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mine"), "precious").unwrap();
    let tool = guest("limits");
    let words = ["run", tool.to_str().unwrap(), "--", "sleep", "3600"];
    let running =
        Running::start(Writ::new(&words[..2]).write(folder.path(), "/d").args(&words[2..]));
    running.signal(Signal::INT);
    assert_eq!(running.ended().status.code(), Some(130));
    assert_eq!(fs::read_to_string(folder.path().join("mine")).unwrap(), "precious");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_worker_does_not_outlive_its_host() {
    for run in endless() {
        let Running { mut child, worker, .. } = Running::start(run);
        child.kill().unwrap();
        child.wait().unwrap();
        eventually("the end of the worker", || is_gone(worker));
    }
}

#[test]
fn a_worker_that_is_killed_by_somebody_else_is_reported_as_our_fault() {
    let running = Running::start(Writ::run(&guest("limits")).args(&["--", "sleep", "20"]));
    kill_process(Pid::from_raw(running.worker.cast_signed()).unwrap(), Signal::KILL).unwrap();
    let output = running.ended();
    assert_eq!(output.status.code(), Some(125));
    let report = schema::read(&output.stdout);
    assert_eq!((&report["outcome"], &report["error"]["code"]), (&"error".into(), &"C0104".into()));
    let message = report["error"]["message"].as_str().unwrap();
    assert!(message.contains("ended by signal 9"), "{message}");
}

/// An upstream that takes a request and never answers, and a run that waits for it.
fn waits_for_upstream() -> (RawServer, DnsStub, Running) {
    let (upstream, names) = (RawServer::start("", Then::Hold), DnsStub::start());
    names.answer("slow.test", &["127.0.0.1"]);
    let url = format!("http://slow.test:{}/", upstream.address().port());
    let run = Writ::run(&guest("http")).args(&["--name-server", &names.address().to_string()]);
    let run = run.args(&["--dangerous-loopback", "--http", &format!("GET {url}**")]);
    let run = run.args(&["--limit", "wall=1h", "--limit", "http_time=1h", "--", "get", &url]);
    let running = Running::start(run);
    eventually("a request", || upstream.received().ends_with(b"\r\n\r\n"));
    (upstream, names, running)
}

#[test]
fn the_connections_of_a_run_end_with_it() {
    let (upstream, _names, running) = waits_for_upstream();
    assert_eq!((upstream.accepted(), upstream.ended()), (1, 0), "it was held open until now");
    running.signal(Signal::INT);
    let output = running.ended();
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(schema::read(&output.stdout)["usage"]["http_requests"], 1);
    eventually("the end of the connection", || upstream.ended() == 1);

    let (upstream, _names, Running { mut child, worker, .. }) = waits_for_upstream();
    assert_eq!((upstream.accepted(), upstream.ended()), (1, 0), "it was held open until now");
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("the end of the connection", || upstream.ended() == 1);
    eventually("the end of the worker", || is_gone(worker));
}

/// The files of a compile cache.
fn cached(cache: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(cache.join("compiled")) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn an_interrupt_while_compiling_leaves_nothing_half_made() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let cache = tempfile::tempdir().unwrap();
        let tool = third_party("outline");
        let child = Writ::run(&tool).env("WRIT_CACHE_DIR", cache.path()).start();
        eventually("a draft", || cached(cache.path()).iter().any(|name| name.ends_with(".new")));
        let workers = children(child.id());
        kill_process(Pid::from_child(&child), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let report = schema::read(&output.stdout);
        assert_eq!(report["outcome"], "killed");
        assert_eq!(cached(cache.path()), Vec::<String>::new());
        eventually("the end of both workers", || workers.iter().all(|worker| is_gone(*worker)));
    }
}

#[test]
fn a_reader_that_stopped_reading_does_not_hold_up_an_interrupt() {
    let tool = guest("limits");
    let words = ["run", tool.to_str().unwrap(), "--limit", "stdout=64MiB", "--limit", "wall=1h"];
    let running = Running::start(Writ::new(&words).args(&["--", "stdout", "60000000"]));
    // The guest is stuck once the pipe and all the buffers on the way are full: it computes no more.
    let mut last = None;
    eventually("a guest that is stuck", || {
        let now = stat(running.worker, 11);
        let stuck = stat(running.worker, 0).as_deref() == Some("S") && now == last;
        last = now;
        stuck
    });
    running.signal(Signal::INT);
    let Running { mut child, worker, .. } = running;
    eventually("the end of the run", || child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(is_gone(worker));
}

#[test]
fn an_interrupt_is_heard_while_the_report_waits_for_its_reader() {
    let tool = guest("hostile");
    let words = ["--call", "huge-string", "--args", "[3000000]"];
    let mut child = Writ::run(&tool).args(&words).start();
    // The pipe takes 64 KiB of the report. Its worker has gone before that is printed.
    let mut had_worker = false;
    eventually("the end of the worker", || {
        let workers = children(child.id());
        had_worker |= !workers.is_empty();
        had_worker && workers.iter().all(|worker| is_gone(*worker))
    });
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    eventually("the end of the run", || child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
