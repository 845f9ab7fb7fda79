//! One task: a grant, the worker that holds its guests, and the gate's side of it.

use super::watch::{cpu_exhausted, cpu_used, no_longer_runs};
use super::worker::{Worker, WorkerProgram, lost};
use crate::cache::Entry;
use crate::confinement::{Confinement, Requirement};
use crate::gate::{EgressUsage, Gate, GateLink, GateTask};
use crate::outcome::{LimitName, Outcome};
use crate::record::Recorder;
use crate::wire::{
    Arm, ArmedDirectory, Call, Fault, Finished, FromWorker, Invoke, MAX_CHUNK, ToWorker, WireError,
};
use bytes::Bytes;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use serde::Serialize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use writ_broker::{Grant, codes};

/// How long a cancelled call may take to end before its worker is killed.
const CANCEL_GRACE: Duration = Duration::from_millis(100);

/// How long a reader may take for the last of the output of a call that has ended.
const FLUSH_GRACE: Duration = Duration::from_secs(5);

/// What every task of a host has in common.
#[derive(Debug, Clone)]
pub struct TaskSettings {
    /// How to start a worker.
    pub program: WorkerProgram,
    /// What to do if this machine cannot confine in full.
    pub require: Requirement,
    /// The way out.
    pub gate: Gate,
}

/// A task. Dropping it kills its worker and cuts its connections.
pub struct Task {
    settings: TaskSettings,
    grant: Arc<Grant>,
    recorder: Arc<dyn Recorder>,
    directories: Vec<OwnedFd>,
    artifacts: OwnedFd,
    deadline: Option<Instant>,
    running: Option<Running>,
}

/// The worker of a task with what hangs on it.
struct Running {
    worker: Worker,
    link: GateLink,
    over_limit: mpsc::UnboundedReceiver<LimitName>,
    confinement: Confinement,
}

/// Where a call's standard streams lead.
pub struct CallIo<'a> {
    /// Read only when the guest asks.
    pub stdin: &'a mut (dyn AsyncRead + Send + Unpin),
    /// Everything the guest prints, as it prints it.
    pub stdout: &'a mut (dyn AsyncWrite + Send + Unpin),
    /// What it prints on standard error.
    pub stderr: &'a mut (dyn AsyncWrite + Send + Unpin),
}

/// How a call ended and what it used.
#[derive(Debug, Default)]
pub struct CallReport {
    /// How it ended.
    pub outcome: Outcome,
    /// The result of a function as JSON text.
    pub result: Option<String>,
    /// Streams that were cut off at their limit.
    pub truncated: Vec<LimitName>,
    /// What it used.
    pub usage: Usage,
    /// What was enforced on its worker.
    pub confinement: Confinement,
    /// How long the call took inside the worker, by the worker's own word; zero if it was ended
    /// from outside.
    pub inside: Duration,
    /// When a call that was ended from outside had stopped: its worker runs no instruction any
    /// more and its connections are closed. What follows until the report is reaping.
    pub stopped: Option<Instant>,
}

/// What one call used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Usage {
    /// Wall time, milliseconds.
    pub wall_ms: u64,
    /// CPU time of the worker, milliseconds.
    pub cpu_ms: u64,
    /// The most that the guest's memories and tables held, bytes.
    pub memory_peak_bytes: u64,
    /// HTTP requests and TCP connections that were allowed.
    pub http_requests: u64,
    /// Bytes sent upstream.
    pub bytes_out: u64,
    /// Bytes received from upstream.
    pub bytes_in: u64,
}

/// How a call is ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupt {
    /// Gently: the task lives on, with its worker if the guest lets go within 100 ms.
    Cancel,
    /// At once, together with the worker.
    Kill,
}

/// How the conversation with the worker about one call ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The worker says how.
    Finished(Finished),
    /// It was ended from outside; the worker is no more.
    From(Outcome),
}

impl Task {
    /// Opens the granted directories and starts the task's clock; `started` is a worker that was
    /// started ahead of need.
    pub async fn start(
        settings: TaskSettings,
        grant: Grant,
        recorder: Arc<dyn Recorder>,
        artifacts: BorrowedFd<'_>,
        started: Option<Worker>,
    ) -> Result<Self, Fault> {
        let broken = |error: std::io::Error| Fault::new(codes::WORKER_DIED, error.to_string());
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        // The grant has the path with every link followed. A link on it came after the decision.
        let open = |path: &std::path::Path| {
            openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS).map_err(|error| {
                let message = format!("{}: {error}", path.display());
                Fault::new(codes::WORKER_DIED, message)
            })
        };
        let directories = grant.fs.iter().map(|item| open(&item.host)).collect::<Result<_, _>>()?;
        let mut task = Self {
            deadline: grant.ttl.map(|ttl| Instant::now() + ttl),
            settings,
            grant: Arc::new(grant),
            recorder,
            directories,
            artifacts: artifacts.try_clone_to_owned().map_err(broken)?,
            running: None,
        };
        task.running = Some(task.arm(started).await?);
        Ok(task)
    }

    /// Runs one call to its end, or until `interrupt` is ready.
    pub async fn call(
        &mut self,
        (digest, entry): ([u8; 32], &Entry),
        invoke: Invoke,
        io: &mut CallIo<'_>,
        interrupt: impl Future<Output = Interrupt>,
    ) -> Result<CallReport, Fault> {
        let mut running = match self.running.take() {
            Some(running) => running,
            None => self.arm(None).await?,
        };
        let started = Instant::now();
        let before = running.egress();
        let cpu_before = running.cpu();
        let call = Call { digest, core: entry.description.is_core(), invoke };
        let bounds = self.bounds(started);
        let ended = match running.worker.send(&ToWorker::Call(call), &[entry.artifact()]) {
            Ok(()) => running.converse(io, bounds, interrupt, &*self.recorder).await,
            Err(error) => Err(error.into()),
        };
        let cpu = running.cpu().saturating_sub(cpu_before);
        let confinement = running.confinement.clone();
        let mut report = CallReport {
            usage: usage(started, cpu, before, running.egress()),
            confinement,
            ..CallReport::default()
        };
        match ended {
            Ok(Ended::Finished(finished)) => {
                report.finish(finished);
                self.running = Some(running);
            }
            Ok(Ended::From(outcome)) => {
                report.outcome = outcome;
                report.stopped = Some(running.end().await);
            }
            Err(Gone::Refused(fault)) => {
                self.running = Some(running);
                return Err(fault);
            }
            Err(Gone::Died) => report.outcome = running.died(cpu, &self.grant).await?,
            Err(Gone::Lost(error)) => {
                running.end().await;
                return Err(lost(&error));
            }
        }
        // Only now: a reader that is stuck may not hold up a kill. One that has gone is no failure.
        let flushed = async { tokio::join!(io.stdout.flush(), io.stderr.flush()) };
        let _ = tokio::time::timeout(FLUSH_GRACE, flushed).await;
        Ok(report)
    }

    /// Kills the task: when this returns its guest runs no more and its connections are closed.
    pub async fn kill(mut self) {
        if let Some(running) = self.running.take() {
            running.end().await;
        }
    }

    /// Returns the process id of the task's worker, while it has one.
    pub fn worker_id(&self) -> Option<u32> {
        self.running.as_ref().and_then(|running| running.worker.id())
    }

    async fn arm(&self, started: Option<Worker>) -> Result<Running, Fault> {
        let no_worker = |error: std::io::Error| {
            Fault::new(codes::WORKER_DIED, format!("no worker starts: {error}"))
        };
        let mut worker = match started {
            Some(worker) => worker,
            None => Worker::start(&self.settings.program).map_err(no_worker)?,
        };
        let armed = |item: &writ_broker::grant::DirGrant| ArmedDirectory {
            guest: item.guest.clone(),
            access: item.access,
        };
        let arm = Arm {
            directories: self.grant.fs.iter().map(armed).collect(),
            env: self.grant.env.clone().into_iter().collect(),
            limits: self.grant.limits.clone(),
            require: self.settings.require,
            compiler: false,
        };
        let descriptors: Vec<_> = self
            .directories
            .iter()
            .map(AsFd::as_fd)
            .chain(std::iter::once(self.artifacts.as_fd()))
            .collect();
        let confinement = worker.arm(arm, &descriptors).await?;
        let egress = worker
            .take_egress()
            .ok_or_else(|| Fault::new(codes::WORKER_DIED, "a worker was used for two tasks"))?;
        let (tell, over_limit) = mpsc::unbounded_channel();
        let link = self.settings.gate.attach(
            egress,
            GateTask {
                grant: self.grant.clone(),
                recorder: self.recorder.clone(),
                // Nobody listens once the worker has ended, and then nothing is left to bound.
                over_limit: Box::new(move |limit| {
                    let _ = tell.send(limit);
                }),
            },
        );
        Ok(Running { worker, link, over_limit, confinement })
    }

    fn bounds(&self, started: Instant) -> Bounds {
        let wall = started + Duration::from_millis(self.grant.limits.wall_ms);
        Bounds {
            deadline: self.deadline.map_or(wall, |deadline| deadline.min(wall)),
            cpu: Duration::from_millis(self.grant.limits.cpu_ms),
            stdout: self.grant.limits.stdout,
            stderr: self.grant.limits.stderr,
        }
    }
}

/// What the host itself holds a call to.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    deadline: Instant,
    cpu: Duration,
    stdout: u64,
    stderr: u64,
}

/// Why the conversation with a worker stopped without an end of the call.
enum Gone {
    Refused(Fault),
    Died,
    Lost(WireError),
}

impl From<WireError> for Gone {
    fn from(error: WireError) -> Self {
        match error {
            WireError::Closed => Self::Died,
            error => Self::Lost(error),
        }
    }
}

impl Running {
    fn egress(&self) -> EgressUsage {
        self.link.usage()
    }

    fn cpu(&self) -> Duration {
        self.worker.id().and_then(cpu_used).unwrap_or_default()
    }

    /// Kills the worker, cuts its connections and waits until both are gone. Returns when the guest
    /// had stopped; giving its memory back takes longer.
    async fn end(mut self) -> Instant {
        self.worker.kill();
        self.link.close();
        self.link.closed().await;
        if let Some(pid) = self.worker.id() {
            no_longer_runs(pid).await;
        }
        let stopped = Instant::now();
        // It was killed: how it ended is known.
        let _ = self.worker.reap().await;
        stopped
    }

    /// Says how a call ended whose worker hung up.
    async fn died(mut self, cpu: Duration, grant: &Grant) -> Result<Outcome, Fault> {
        const SIGXFSZ: i32 = 25;
        self.link.close();
        self.link.closed().await;
        let autopsy = self.worker.autopsy().await;
        let limit = if cpu >= Duration::from_millis(grant.limits.cpu_ms) {
            LimitName::Cpu
        } else if autopsy.signal == Some(SIGXFSZ) {
            LimitName::Disk
        } else if autopsy.out_of_memory() {
            LimitName::Memory
        } else {
            return Err(autopsy.fault());
        };
        Ok(Outcome::OverLimit { limit })
    }

    /// Serves the worker until the call ends by itself, by a bound or by an interrupt.
    async fn converse(
        &mut self,
        io: &mut CallIo<'_>,
        bounds: Bounds,
        interrupt: impl Future<Output = Interrupt>,
        recorder: &dyn Recorder,
    ) -> Result<Ended, Gone> {
        let pid = self.worker.id().ok_or(Gone::Died)?;
        let over = |limit| Ok(Ended::From(Outcome::OverLimit { limit }));
        let talk = talk(&mut self.worker, io, bounds, recorder);
        tokio::select! {
            biased;
            interrupt = interrupt => match interrupt {
                Interrupt::Kill => return Ok(Ended::From(Outcome::Killed)),
                Interrupt::Cancel => {}
            },
            Some(limit) = self.over_limit.recv() => return over(limit),
            () = tokio::time::sleep_until(bounds.deadline.into()) => return over(LimitName::Wall),
            () = cpu_exhausted(pid, bounds.cpu) => return over(LimitName::Cpu),
            ended = talk => return ended,
        }
        self.cancel(io, bounds, recorder).await
    }

    /// Asks for the end of the call, and takes it if the worker does not answer in time.
    async fn cancel(
        &mut self,
        io: &mut CallIo<'_>,
        bounds: Bounds,
        recorder: &dyn Recorder,
    ) -> Result<Ended, Gone> {
        self.worker.send(&ToWorker::Cancel, &[])?;
        let talk = talk(&mut self.worker, io, bounds, recorder);
        match tokio::time::timeout(CANCEL_GRACE, talk).await {
            Ok(ended) => ended,
            Err(_) => Ok(Ended::From(Outcome::Killed)),
        }
    }
}

/// Takes the worker's words until it says that the call has ended.
async fn talk(
    worker: &mut Worker,
    io: &mut CallIo<'_>,
    bounds: Bounds,
    recorder: &dyn Recorder,
) -> Result<Ended, Gone> {
    // The worker counts as well; here it is counted by the side that the guest did not break.
    let (mut stdout, mut stderr) = (bounds.stdout, bounds.stderr);
    let mut wants_input = false;
    let mut piece = Vec::new();
    loop {
        let message = tokio::select! {
            message = worker.next() => message?,
            read = read_piece(io.stdin, &mut piece), if wants_input => {
                // What cannot be read is, for the guest, the end of its input.
                let count = read.unwrap_or(0);
                wants_input = false;
                let bytes = Bytes::copy_from_slice(&piece[..count]);
                worker.send(&ToWorker::Stdin(bytes), &[])?;
                continue;
            }
        };
        match message {
            FromWorker::Stdout(bytes) => pass(io.stdout, &bytes, &mut stdout).await,
            FromWorker::Stderr(bytes) => pass(io.stderr, &bytes, &mut stderr).await,
            FromWorker::WantStdin => wants_input = true,
            FromWorker::Record(record) => recorder.record(record),
            FromWorker::Finished(finished) => return Ok(Ended::Finished(finished)),
            FromWorker::Refused(fault) => return Err(Gone::Refused(fault)),
            FromWorker::Armed(_) | FromWorker::Compiled(_) => {
                let error = std::io::Error::other("a worker spoke out of turn");
                return Err(Gone::Lost(error.into()));
            }
        }
    }
}

async fn read_piece(
    stdin: &mut (dyn AsyncRead + Send + Unpin),
    piece: &mut Vec<u8>,
) -> std::io::Result<usize> {
    piece.resize(MAX_CHUNK, 0);
    stdin.read(piece).await
}

async fn pass(to: &mut (dyn AsyncWrite + Send + Unpin), bytes: &Bytes, left: &mut u64) {
    let fits = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
    *left -= fits as u64;
    // A reader that has gone away ends the output, not the call.
    let _ = to.write_all(&bytes[..fits]).await;
}

fn usage(started: Instant, cpu: Duration, before: EgressUsage, after: EgressUsage) -> Usage {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Usage {
        wall_ms: millis(started.elapsed()),
        cpu_ms: millis(cpu),
        memory_peak_bytes: 0,
        http_requests: after.http_requests - before.http_requests,
        bytes_out: after.bytes_out - before.bytes_out,
        bytes_in: after.bytes_in - before.bytes_in,
    }
}

impl CallReport {
    fn finish(&mut self, finished: Finished) {
        self.outcome = finished.outcome;
        self.result = finished.result;
        self.truncated = finished.truncated;
        self.usage.memory_peak_bytes = finished.memory_peak;
        self.inside = Duration::from_nanos(finished.inside_ns);
    }
}
