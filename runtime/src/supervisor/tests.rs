//! The host against a worker that its guest has taken over.
//!
//! The worker is this test binary again, started to run one of the ignored tests below: each arms
//! itself as a worker does and then behaves as no worker should.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod calls;

use super::*;
use crate::authority::Authority;
use crate::cache::{Cache, Entry};
use crate::channel::{Inbox, send_frame};
use crate::confinement::{Confinement, Requirement};
use crate::gate::{Gate, GateSettings};
use crate::outcome::{LimitName, Outcome};
use crate::record::{Record, Recorder};
use crate::wire::{Fault, Finished, FromWorker, Invoke, ToWorker, encode};
use crate::worker::describe::{Description, Kind};
use rustix::net::RecvFlags;
use std::io::Write as _;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use writ_broker::{Grant, Limits, Refusal, codes};

/// Longer than any bound of these tests, shorter than patience.
const SOON: Duration = Duration::from_secs(5);

#[derive(Default)]
struct Records(Mutex<Vec<Record>>);

impl Authority for Records {}

impl Recorder for Records {
    fn record(&self, record: Record) {
        self.0.lock().unwrap().push(record);
    }

    fn over_limit(&self, _: LimitName) {}
}

fn entry(cache: &Cache) -> Entry {
    let draft = cache.draft([7; 32]).unwrap();
    let mut artifact = draft.artifact();
    artifact.write_all(b"not used").unwrap();
    let description = Description {
        kind: Kind::CoreCommand,
        size: 8,
        imports: Vec::new(),
        functions: Vec::new(),
        types: Vec::new(),
        docs: None,
        producers: Vec::new(),
    };
    draft.commit(&description).unwrap()
}

struct Ran {
    report: Result<CallReport, Fault>,
    records: Vec<Record>,
    worker: u32,
}

/// Runs one call in a worker that behaves as the named test does.
fn run(behaviour: &str, interrupt: impl Future<Output = Interrupt>) -> Ran {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("state/key");
        let cache = Cache::open(&folder.path().join("cache"), &key, 1 << 20).unwrap();
        let name = format!("supervisor::tests::{behaviour}");
        let args = ["--exact", "--ignored", "--nocapture", &name].map(Into::into).to_vec();
        let program = WorkerProgram { path: std::env::current_exe().unwrap(), args };
        let gate = Gate::new(GateSettings::default()).unwrap();
        let settings = TaskSettings { program, require: Requirement::Report, gate };
        let limits = Limits { wall_ms: 300, ..Limits::default() };
        let records = Arc::new(Records::default());
        let grant = Grant { limits, ..Grant::default() };
        let directory = cache.directory();
        let mut task =
            Task::start(settings, grant, records.clone(), directory, None).await.unwrap();
        let worker = task.worker_id().unwrap();
        let (mut stdin, mut stdout, mut stderr) =
            (tokio::io::empty(), tokio::io::sink(), tokio::io::sink());
        let mut io = CallIo { stdin: &mut stdin, stdout: &mut stdout, stderr: &mut stderr };
        let invoke = Invoke::Command { args: vec!["tool".to_owned()] };
        let entry = entry(&cache);
        let call = task.call(([7; 32], &entry), invoke, &mut io, interrupt);
        let report = tokio::time::timeout(SOON, call).await.unwrap();
        task.kill().await;
        Ran { report, records: records.0.lock().unwrap().clone(), worker }
    })
}

fn never() -> impl Future<Output = Interrupt> {
    std::future::pending()
}

impl Ran {
    #[track_caller]
    fn ended_over(self, limit: LimitName) {
        assert!(!Path::new(&format!("/proc/{}", self.worker)).exists(), "the worker lives on");
        assert_eq!(self.report.unwrap().outcome, Outcome::OverLimit { limit });
    }

    #[track_caller]
    fn ended_as_our_fault(self) {
        assert!(!Path::new(&format!("/proc/{}", self.worker)).exists(), "the worker lives on");
        assert!(self.records.is_empty(), "{:?}", self.records);
        assert_eq!(self.report.unwrap_err().code, codes::WORKER_DIED);
    }
}

#[test]
fn a_worker_that_hangs_up_and_stays_is_killed() {
    run("hangs_up_and_stays", never()).ended_as_our_fault();
}

#[test]
fn a_worker_that_asks_and_never_reads_meets_the_wall() {
    run("asks_and_never_reads", never()).ended_as_our_fault();
    run("prints_and_never_reads", never()).ended_over(LimitName::Wall);
}

#[test]
fn a_worker_that_never_stops_talking_meets_the_wall() {
    run("never_stops_talking", never()).ended_over(LimitName::Wall);
}

#[test]
fn a_worker_that_never_stops_talking_is_killed_on_request() {
    let soon = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Interrupt::Kill
    };
    let ran = run("never_stops_talking", soon);
    assert_eq!(ran.report.unwrap().outcome, Outcome::Killed);
}

#[test]
fn a_worker_that_does_not_answer_a_cancel_is_killed() {
    let soon = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Interrupt::Cancel
    };
    let started = Instant::now();
    let ran = run("prints_and_never_reads", soon);
    assert_eq!(ran.report.unwrap().outcome, Outcome::Killed);
    assert!(started.elapsed() < SOON);
}

#[test]
fn a_decision_of_the_gate_cannot_be_forged() {
    run("allows_itself", never()).ended_as_our_fault();
}

#[test]
fn a_call_that_has_begun_cannot_be_refused() {
    run("prints_and_refuses", never()).ended_as_our_fault();
}

#[test]
fn a_flood_of_refusals_is_a_bound_like_others() {
    let ran = run("refuses_for_ever", never());
    let most = usize::try_from(Limits::default().denials).unwrap();
    assert!(ran.records.len() <= most + 1, "{}", ran.records.len());
    ran.ended_over(LimitName::Denials);
}

#[test]
fn what_a_worker_says_of_itself_is_cut_and_escaped() {
    let ran = run("boasts", never());
    let report = ran.report.unwrap();
    assert_eq!(report.result.as_deref(), Some("[\"\\u009b2J\"]"));
    assert_eq!(report.truncated, [LimitName::Stdout]);
    let Outcome::Trapped { reason } = report.outcome else { panic!("not trapped") };
    assert!(reason.len() <= 4096);
}

/// A worker's two sockets, armed.
fn armed() -> std::io::Stdin {
    let control = std::io::stdin();
    let mut inbox = Inbox::default();
    while inbox.next::<ToWorker>().unwrap().is_none() {
        assert!(inbox.fill(control.as_fd(), RecvFlags::empty()).is_ok());
    }
    send_frame(&control, &FromWorker::Armed(Confinement::default())).unwrap();
    while inbox.next::<ToWorker>().unwrap().is_none() {
        assert!(inbox.fill(control.as_fd(), RecvFlags::empty()).is_ok());
    }
    control
}

fn stay() -> ! {
    std::thread::sleep(Duration::from_secs(60));
    std::process::exit(0)
}

/// Sends the same frames for as long as anybody takes them.
fn flood(control: &std::io::Stdin, message: &FromWorker) -> ! {
    let frames = encode(message).unwrap().repeat(1000);
    loop {
        let sent = rustix::net::send(control, &frames, rustix::net::SendFlags::NOSIGNAL);
        // Half a frame would only end the call in another way.
        if sent != Ok(frames.len()) {
            stay();
        }
    }
}

fn refusal(target: &str) -> Refusal {
    let (what, target, reason) = ("file".to_owned(), target.to_owned(), "no".to_owned());
    Refusal { code: codes::OUTSIDE, what, target, reason, help: None }
}

#[test]
#[ignore = "is a worker"]
fn hangs_up_and_stays() {
    let control = armed();
    rustix::net::shutdown(&control, rustix::net::Shutdown::Both).unwrap();
    stay();
}

#[test]
#[ignore = "is a worker"]
fn asks_and_never_reads() {
    let control = armed();
    flood(&control, &FromWorker::WantStdin);
}

#[test]
#[ignore = "is a worker"]
fn prints_and_never_reads() {
    let control = armed();
    send_frame(&control, &FromWorker::Stdout(vec![b'x'; 100].into())).unwrap();
    stay();
}

#[test]
#[ignore = "is a worker"]
fn never_stops_talking() {
    let control = armed();
    flood(&control, &FromWorker::Stdout(bytes::Bytes::new()));
}

#[test]
#[ignore = "is a worker"]
fn allows_itself() {
    let control = armed();
    let (what, target) = ("http".to_owned(), "GET https://evil.example/".to_owned());
    let record = Record { what, target, refusal: None };
    send_frame(&control, &FromWorker::Record(record)).unwrap();
    stay();
}

#[test]
#[ignore = "is a worker"]
fn prints_and_refuses() {
    let control = armed();
    send_frame(&control, &FromWorker::Stdout(vec![b'x'].into())).unwrap();
    let fault = Fault::new(codes::CACHE_ENTRY, "run me again");
    send_frame(&control, &FromWorker::Refused(fault)).unwrap();
    stay();
}

#[test]
#[ignore = "is a worker"]
fn refuses_for_ever() {
    let control = armed();
    let record =
        Record { what: "file".to_owned(), target: "x".into(), refusal: Some(refusal("x")) };
    flood(&control, &FromWorker::Record(record));
}

#[test]
#[ignore = "is a worker"]
fn boasts() {
    let control = armed();
    let finished = Finished {
        outcome: Outcome::Trapped { reason: "x".repeat(1_000_000) },
        result: Some("[\r\n\"\u{9b}2J\"]".to_owned()),
        memory_peak: 0,
        truncated: vec![LimitName::Stdout; 100_000],
        inside_ns: 0,
    };
    send_frame(&control, &FromWorker::Finished(finished)).unwrap();
    stay();
}
