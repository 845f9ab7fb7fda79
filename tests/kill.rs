//! Ending a run from outside: whatever its guest does, nothing of it stays and nothing of the user's goes.

use crate::harness::{Writ, guest, third_party};
use crate::running::{Running, children, eventually, is_gone, stat};
use crate::schema;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::Path;
use writ_test_support::{DnsStub, RawServer, Then};

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
        Running::start(run).crash();
    }
}

#[test]
fn a_worker_that_is_killed_by_somebody_else_is_reported_as_our_fault() {
    let running = Running::start(Writ::run(&guest("limits")).args(&["--", "sleep", "20"]));
    kill_process(Pid::from_raw(running.worker().cast_signed()).unwrap(), Signal::KILL).unwrap();
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

    let (upstream, _names, running) = waits_for_upstream();
    let (mut child, worker, _input) = running.parts();
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
        let now = stat(running.worker(), 11);
        let stuck = stat(running.worker(), 0).as_deref() == Some("S") && now == last;
        last = now;
        stuck
    });
    running.signal(Signal::INT);
    let (mut child, worker, _input) = running.parts();
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
