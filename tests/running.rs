//! Runs that are under way, as another process sees them.

use crate::harness::Writ;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::process::{Child, ChildStdin, Output};
use std::time::{Duration, Instant};

/// How long anything may take here: far less than the guests would run, far more than an end takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks again and again until something is so.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "{what} did not come about");
        std::thread::yield_now();
    }
}

/// A field of `/proc/PID/stat` after the name, which may hold anything: 0 is the state, 1 the parent.
pub(crate) fn stat(pid: u32, field: usize) -> Option<String> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    line.rsplit_once(')')?.1.split_whitespace().nth(field).map(str::to_owned)
}

/// Says whether a process is gone, reaped or not.
pub(crate) fn is_gone(pid: u32) -> bool {
    stat(pid, 0).is_none_or(|state| state == "Z")
}

/// The processes that a process has started and that are still there.
pub(crate) fn children(parent: u32) -> Vec<u32> {
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
pub(crate) struct Running {
    child: Child,
    worker: u32,
    /// Open, so that a guest that reads waits.
    input: Option<ChildStdin>,
}

impl Running {
    pub(crate) fn start(writ: Writ) -> Self {
        let mut child = writ.start();
        let input = child.stdin.take();
        let mut worker = None;
        eventually("a guest that runs", || {
            worker = children(child.id()).into_iter().find(|id| runs_a_guest(*id));
            worker.is_some()
        });
        Self { child, worker: worker.unwrap(), input }
    }

    /// The process id of `writ`.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The process id of its worker.
    pub(crate) fn worker(&self) -> u32 {
        self.worker
    }

    /// The process, the id of its worker, and its input, which ends when it is dropped.
    pub(crate) fn parts(self) -> (Child, u32, Option<ChildStdin>) {
        (self.child, self.worker, self.input)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Kills `writ` itself, and waits until its worker has followed.
    pub(crate) fn crash(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        eventually("the end of the worker", || is_gone(self.worker));
    }

    /// Waits for the end, and for the worker to be gone with it.
    pub(crate) fn ended(self) -> Output {
        let started = Instant::now();
        let output = self.child.wait_with_output().unwrap();
        assert!(started.elapsed() < PATIENCE, "it took {:?}", started.elapsed());
        assert!(is_gone(self.worker), "its worker lives on");
        output
    }
}
