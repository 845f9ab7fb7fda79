//! Several calls of one task, with real guests, by workers that come and go.

use crate::harness::guest;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use writ_broker::grant::{Access, DirGrant};
use writ_broker::{Grant, Limits};
use writ_runtime::authority::Authority;
use writ_runtime::cache::{Cache, Entry, Lookup};
use writ_runtime::confinement::Requirement;
use writ_runtime::gate::{Gate, GateSettings};
use writ_runtime::outcome::{LimitName, Outcome};
use writ_runtime::record::{Record, Recorder};
use writ_runtime::supervisor::{
    CallIo, CompileCaps, Compiler, Interrupt, Task, TaskSettings, WorkerProgram,
};
use writ_runtime::wire::Invoke;

struct Forget;

impl Authority for Forget {}

impl Recorder for Forget {
    fn record(&self, _: Record) {}

    fn over_limit(&self, _: LimitName) {}
}

/// A host with one task.
struct Bed {
    cache: Cache,
    compiler: Compiler,
    task: Task,
}

impl Bed {
    async fn new(grant: Grant) -> Self {
        let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-home/tasks");
        let cache = Cache::open(&ours.join("cache"), &ours.join("state/key"), 1 << 30).unwrap();
        let program = WorkerProgram {
            path: env!("CARGO_BIN_EXE_writ").into(),
            args: vec!["__worker".into()],
        };
        let (require, caps) = (Requirement::Report, CompileCaps::default());
        let compiler = Compiler { program: program.clone(), require, caps };
        let gate = Gate::new(GateSettings::default()).unwrap();
        let settings = TaskSettings { program, require, gate };
        let task = Task::start(settings, grant, Arc::new(Forget), cache.directory(), None);
        let task = task.await.unwrap();
        Self { cache, compiler, task }
    }

    async fn tool(&self, name: &str) -> ([u8; 32], Entry) {
        let bytes = std::fs::read(guest(name)).unwrap();
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
        let digest = hash.as_ref().try_into().unwrap();
        let entry = match self.cache.get(digest) {
            Lookup::Hit(entry) => *entry,
            _ => self.compiler.compile(&self.cache, digest, &bytes).await.unwrap(),
        };
        (digest, entry)
    }

    /// Runs a command until it ends, or until it is killed with its worker.
    async fn call(
        &mut self,
        name: &str,
        words: &[&str],
        interrupt: impl Future<Output = Interrupt>,
    ) -> Outcome {
        let (digest, entry) = self.tool(name).await;
        let (mut stdin, mut stdout, mut stderr) =
            (tokio::io::empty(), tokio::io::sink(), tokio::io::sink());
        let mut io = CallIo { stdin: &mut stdin, stdout: &mut stdout, stderr: &mut stderr };
        let args = std::iter::once(&name).chain(words).map(|word| (*word).to_owned()).collect();
        let invoke = Invoke::Command { args };
        self.task.call((digest, &entry), invoke, &mut io, interrupt).await.unwrap().outcome
    }

    async fn run(&mut self, name: &str, words: &[&str]) -> Outcome {
        self.call(name, words, std::future::pending()).await
    }

    /// Has the task's worker end and another take its place.
    async fn replace_the_worker(&mut self) {
        let before = self.task.worker_id().unwrap();
        let soon = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Interrupt::Kill
        };
        assert_eq!(self.call("limits", &["spin"], soon).await, Outcome::Killed);
        assert_eq!(self.run("limits", &["sleep", "0"]).await, Outcome::Exited { code: 0 });
        assert_ne!(self.task.worker_id().unwrap(), before);
    }
}

#[test]
fn what_all_workers_of_a_task_write_is_bounded_together() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for name in ["files", "files-p1"] {
        let folder = tempfile::tempdir().unwrap();
        let host = folder.path().canonicalize().unwrap();
        let fs = vec![DirGrant { guest: "/d".into(), host, access: Access::Write }];
        let limits = Limits { disk: 100_000, ..Limits::default() };
        runtime.block_on(async {
            let mut bed = Bed::new(Grant { fs, limits, ..Grant::default() }).await;
            let fits = Outcome::Exited { code: 0 };
            assert_eq!(bed.run(name, &["fill", "/d/a", "50000"]).await, fits);
            bed.replace_the_worker().await;
            assert_eq!(bed.run(name, &["fill", "/d/b", "30000"]).await, fits);
            bed.replace_the_worker().await;
            let over = Outcome::OverLimit { limit: LimitName::Disk };
            assert_eq!(bed.run(name, &["fill", "/d/c", "20000"]).await, over);
            bed.task.kill().await;
        });
        let written = |name| folder.path().join(name).metadata().map_or(0, |file| file.len());
        assert!(["a", "b", "c"].map(written).iter().sum::<u64>() <= 100_000);
    }
}
