//! A host as `writ run` is one, for calls in a row.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use writ_broker::Grant;
use writ_runtime::authority::Authority;
use writ_runtime::cache::{Cache, DEFAULT_BOUND, Entry, Lookup};
use writ_runtime::confinement::Requirement;
use writ_runtime::gate::{Gate, GateSettings};
use writ_runtime::outcome::LimitName;
use writ_runtime::outcome::Outcome;
use writ_runtime::record::{Record, Recorder};
use writ_runtime::supervisor::{
    CallIo, CallReport, CompileCaps, Compiler, Interrupt, Task, TaskSettings, WorkerProgram,
};
use writ_runtime::wire::Invoke;

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The program under measurement.
pub(crate) fn writ() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_writ"))
}

/// A guest that the scripts built.
pub(crate) fn guest(folder: &str, name: &str) -> PathBuf {
    let path = root().join("target").join(folder).join(format!("{name}.wasm"));
    assert!(path.exists(), "{} is missing; run scripts/{folder}", path.display());
    path
}

/// Where the benchmarks keep compiled tools.
pub(crate) fn home() -> PathBuf {
    root().join("target/bench-home")
}

/// A compiled tool.
pub(crate) struct Tool {
    pub(crate) digest: [u8; 32],
    pub(crate) entry: Entry,
    pub(crate) cache: Cache,
}

/// Everything of a host but the task.
pub(crate) struct Host {
    pub(crate) runtime: tokio::runtime::Runtime,
    pub(crate) program: WorkerProgram,
}

/// Decisions cost what they cost; here nobody keeps them.
struct Forget;

impl Authority for Forget {}

impl Recorder for Forget {
    fn record(&self, _: Record) {}

    fn over_limit(&self, _: LimitName) {}
}

impl Host {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let program = WorkerProgram { path: writ(), args: vec!["__worker".into()] };
        Self { runtime, program }
    }

    pub(crate) fn tool(&self, path: &Path) -> Tool {
        let bytes = std::fs::read(path).unwrap();
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
        let digest = hash.as_ref().try_into().unwrap();
        let home = home();
        let cache =
            Cache::open(&home.join("compiled"), &home.join("state/key"), DEFAULT_BOUND).unwrap();
        let entry = match cache.get(digest) {
            Lookup::Hit(entry) => *entry,
            _ => {
                let compiler = Compiler {
                    program: self.program.clone(),
                    require: Requirement::Report,
                    caps: CompileCaps::default(),
                };
                self.runtime.block_on(compiler.compile(&cache, digest, &bytes)).unwrap()
            }
        };
        Tool { digest, entry, cache }
    }

    pub(crate) fn task(&self, tool: &Tool, grant: Grant) -> Task {
        let gate = GateSettings { dangerous_loopback: true, ..GateSettings::default() };
        let settings = TaskSettings {
            program: self.program.clone(),
            require: Requirement::Report,
            gate: self.runtime.block_on(async { Gate::new(gate) }).unwrap(),
        };
        let start = Task::start(settings, grant, Arc::new(Forget), tool.cache.directory(), None);
        self.runtime.block_on(start).unwrap()
    }

    /// One call; anything but a clean end stops the benchmark.
    pub(crate) fn call(&self, task: &mut Task, tool: &Tool, invoke: Invoke) -> CallReport {
        let report = self.call_until(task, tool, invoke, std::future::pending());
        assert_eq!(report.outcome, Outcome::Exited { code: 0 }, "{report:?}");
        report
    }

    pub(crate) fn call_until(
        &self,
        task: &mut Task,
        tool: &Tool,
        invoke: Invoke,
        interrupt: impl Future<Output = Interrupt>,
    ) -> CallReport {
        // Open and silent: who reads from it waits for ever.
        let (mut stdin, _silent) = tokio::io::duplex(1);
        let (mut stdout, mut stderr) = (tokio::io::sink(), tokio::io::sink());
        let mut io = CallIo { stdin: &mut stdin, stdout: &mut stdout, stderr: &mut stderr };
        let call = task.call((tool.digest, &tool.entry), invoke, &mut io, interrupt);
        self.runtime.block_on(call).unwrap()
    }
}

/// A function call.
pub(crate) fn function(interface: Option<&str>, name: &str, args: &str) -> Invoke {
    Invoke::Function { interface: interface.map(Into::into), name: name.into(), args: args.into() }
}

/// Times something often, after warming it up.
pub(crate) fn repeat(count: usize, mut once: impl FnMut()) -> Vec<Duration> {
    for _ in 0..count.div_ceil(10) {
        once();
    }
    (0..count)
        .map(|_| {
            let start = Instant::now();
            once();
            start.elapsed()
        })
        .collect()
}
