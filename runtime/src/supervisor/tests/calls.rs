//! Several calls of one task, and what its worker does between them.

use super::*;
use crate::worker::host::egress::EgressClient;
use rustix::time::{ClockId, clock_gettime};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use writ_broker::grant::TcpRule;
use writ_broker::host::Host;

/// A task whose workers behave as the named test does.
struct Calls {
    task: Task,
    entry: Entry,
    records: Arc<Records>,
    _folder: tempfile::TempDir,
}

impl Calls {
    async fn of(behaviour: &str, grant: Grant) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("state/key");
        let cache = Cache::open(&folder.path().join("cache"), &key, 1 << 20).unwrap();
        // The test binary prints to standard output, where a worker has its egress socket; so that
        // becomes its standard error.
        let shell = ["-c", "exec \"$0\" \"$@\" 2>&1 >/dev/null"].map(Into::into);
        let name = format!("supervisor::tests::calls::{behaviour}");
        let words = ["--exact", "--ignored", "--nocapture", &name].map(Into::into);
        let binary = std::env::current_exe().unwrap().into_os_string();
        let args = shell.into_iter().chain([binary]).chain(words).collect();
        let program = WorkerProgram { path: "/bin/sh".into(), args };
        let gate = GateSettings { dangerous_loopback: true, ..GateSettings::default() };
        let settings =
            TaskSettings { program, require: Requirement::Report, gate: Gate::new(gate).unwrap() };
        let records = Arc::new(Records::default());
        let task = Task::start(settings, grant, records.clone(), cache.directory(), None);
        let task = task.await.unwrap();
        Self { task, entry: entry(&cache), records, _folder: folder }
    }

    async fn call(&mut self) -> Result<CallReport, Fault> {
        let (mut stdin, mut stdout, mut stderr) =
            (tokio::io::empty(), tokio::io::sink(), tokio::io::sink());
        let mut io = CallIo { stdin: &mut stdin, stdout: &mut stdout, stderr: &mut stderr };
        let invoke = Invoke::Command { args: vec!["tool".to_owned()] };
        let call = self.task.call(([7; 32], &self.entry), invoke, &mut io, never());
        tokio::time::timeout(SOON, call).await.unwrap()
    }

    async fn ends_over(&mut self, limit: LimitName) {
        assert_eq!(self.call().await.unwrap().outcome, Outcome::OverLimit { limit });
    }

    async fn ends_as_our_fault(&mut self) {
        assert_eq!(self.call().await.unwrap_err().code, codes::WORKER_DIED);
    }

    async fn exits(&mut self) {
        assert_eq!(self.call().await.unwrap().outcome, Outcome::Exited { code: 0 });
    }

    /// The code of each record, or `ok`.
    fn codes(&self) -> Vec<String> {
        let code = |record: &Record| match &record.refusal {
            Some(refusal) => refusal.code.to_string(),
            None => "ok".to_owned(),
        };
        self.records.0.lock().unwrap().iter().map(code).collect()
    }
}

fn block(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test);
}

async fn eventually(what: &str, happened: impl Fn() -> bool) {
    let patience = Instant::now() + SOON;
    while !happened() {
        assert!(Instant::now() < patience, "{what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn within(limits: Limits) -> Grant {
    Grant { limits: Limits { wall_ms: 4000, ..limits }, ..Grant::default() }
}

#[test]
fn the_cpu_time_of_all_workers_together_is_bounded() {
    block(async {
        let grant = within(Limits { cpu_ms: 400, ..Limits::default() });
        let mut calls = Calls::of("spins_and_hangs_up", grant).await;
        calls.ends_as_our_fault().await;
        calls.ends_over(LimitName::Cpu).await;
        // Nothing is left, so nobody is started.
        calls.ends_over(LimitName::Cpu).await;
        assert_eq!(calls.task.worker_id(), None);
    });
}

#[test]
fn the_requests_of_all_workers_together_are_bounded() {
    block(async {
        let grant = within(Limits { http_requests: 3, ..Limits::default() });
        let mut calls = Calls::of("asks_twice_and_hangs_up", grant).await;
        calls.ends_as_our_fault().await;
        assert_eq!(calls.codes(), ["D0109"; 2]);
        calls.ends_over(LimitName::HttpRequests).await;
        assert_eq!(calls.codes(), ["D0109"; 3]);
    });
}

#[test]
fn a_worker_is_ended_with_its_task_though_no_call_runs() {
    block(async {
        let ttl = Some(Duration::from_millis(1500));
        let mut calls = Calls::of("answers", Grant { ttl, ..within(Limits::default()) }).await;
        calls.exits().await;
        let worker = format!("/proc/{}", calls.task.worker_id().unwrap());
        assert!(Path::new(&worker).exists());
        eventually("the worker lives on", || !Path::new(&worker).exists()).await;
        calls.ends_over(LimitName::Ttl).await;
        assert_eq!(calls.task.worker_id(), None, "a worker was started for a task that is over");
    });
}

#[test]
fn a_worker_that_asks_between_two_calls_is_refused_and_recorded() {
    block(async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let host = Host::parse("127.0.0.1").unwrap();
        let tcp = vec![TcpRule { host, port, addresses: Vec::new() }];
        let env = [("PORT".to_owned(), port.to_string())].into_iter().collect();
        let grant = Grant { tcp, env, ..within(Limits::default()) };
        let mut calls = Calls::of("asks_after_its_call", grant).await;
        calls.exits().await;
        let refused = || calls.codes().last().is_some_and(|code| code == "D0402");
        eventually("nothing was refused", refused).await;
        let between = calls.codes();
        assert_eq!(between[0], "ok", "what it asks during the call is allowed");
        assert_eq!(between.iter().filter(|code| *code == "D0402").count(), 1);
        // During the next call it may ask again.
        calls.exits().await;
        assert_eq!(calls.codes()[between.len()], "ok");
    });
}

/// A worker's end, as the tests below behave.
struct Fake {
    control: std::io::Stdin,
    inbox: Inbox,
    arm: crate::wire::Arm,
}

impl Fake {
    fn armed() -> Self {
        let (control, mut inbox) = (std::io::stdin(), Inbox::default());
        let ToWorker::Arm(arm) = next(&control, &mut inbox) else { panic!("no arms") };
        send_frame(&control, &FromWorker::Armed(Confinement::default())).unwrap();
        Self { control, inbox, arm }
    }

    fn called(&mut self) {
        while !matches!(next(&self.control, &mut self.inbox), ToWorker::Call(_)) {}
    }

    fn answers(&self) {
        let finished = Finished {
            outcome: Outcome::Exited { code: 0 },
            result: None,
            memory_peak: 0,
            truncated: Vec::new(),
            inside_ns: 0,
        };
        send_frame(&self.control, &FromWorker::Finished(finished)).unwrap();
    }

    /// The way to the gate; see [`Calls::of`].
    fn egress() -> EgressClient {
        let socket = std::io::stderr().as_fd().try_clone_to_owned().unwrap();
        EgressClient::new(UnixStream::from(socket), 1 << 16)
    }
}

fn next(control: &std::io::Stdin, inbox: &mut Inbox) -> ToWorker {
    loop {
        if let Some(message) = inbox.next().unwrap() {
            return message;
        }
        assert!(inbox.fill(control.as_fd(), RecvFlags::empty()).is_ok());
    }
}

#[test]
#[ignore = "is a worker"]
fn answers() {
    let mut fake = Fake::armed();
    loop {
        fake.called();
        fake.answers();
    }
}

#[test]
#[ignore = "is a worker"]
fn spins_and_hangs_up() {
    Fake::armed().called();
    let used = || clock_gettime(ClockId::ProcessCPUTime);
    while used().tv_sec == 0 && used().tv_nsec < 250_000_000 {}
    std::process::exit(1);
}

#[test]
#[ignore = "is a worker"]
fn asks_twice_and_hangs_up() {
    Fake::armed().called();
    block(async {
        let egress = Fake::egress();
        for _ in 0..2 {
            assert!(egress.tunnel("evil.test:80").await.is_err());
        }
    });
    std::process::exit(1);
}

#[test]
#[ignore = "is a worker"]
fn asks_after_its_call() {
    let mut fake = Fake::armed();
    let target = format!("127.0.0.1:{}", fake.arm.env[0].1);
    block(async {
        let egress = Fake::egress();
        loop {
            fake.called();
            assert!(egress.tunnel(&target).await.is_ok());
            fake.answers();
            // Until the host has heard the answer, the call goes on.
            while egress.tunnel(&target).await.is_ok() {}
        }
    });
}
