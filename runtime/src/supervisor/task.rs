//! One task: a grant, the worker that holds its guests, and the gate's side of it.

use super::conversation::{Bounds, CallIo, Ended, Gone, Interrupt};
use super::idle::Idle;
use super::report::{CallReport, Usage};
use super::running::Running;
use super::spent::Spent;
use super::worker::{Worker, WorkerProgram, lost};
use crate::authority::Authority;
use crate::cache::Entry;
use crate::confinement::Requirement;
use crate::gate::{EgressCount, Gate, GateTask};
use crate::outcome::{LimitName, Outcome};
use crate::wire::{Arm, ArmedDirectory, Call, Fault, Invoke, ToWorker};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use writ_broker::{Grant, Limits, codes};

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
///
/// Its bounds are those of all its calls together, also if a worker ends and another takes its place.
/// Between two calls its worker may send nothing, and at the task's deadline it is ended.
pub struct Task {
    settings: TaskSettings,
    grant: Arc<Grant>,
    authority: Arc<dyn Authority>,
    directories: Vec<OwnedFd>,
    artifacts: OwnedFd,
    deadline: Option<Instant>,
    spent: Arc<Spent>,
    count: EgressCount,
    idle: Idle,
}

impl Task {
    /// Opens the granted directories and starts the task's clock; `started` is a worker that was
    /// started ahead of need.
    pub async fn start(
        settings: TaskSettings,
        grant: Grant,
        authority: Arc<dyn Authority>,
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
        let deadline = grant.ttl.map(|ttl| Instant::now() + ttl);
        let task = Self {
            deadline,
            settings,
            grant: Arc::new(grant),
            authority,
            directories,
            artifacts: artifacts.try_clone_to_owned().map_err(broken)?,
            spent: Arc::default(),
            count: EgressCount::default(),
            idle: Idle::until(deadline),
        };
        task.idle.put(task.arm(started).await?).await;
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
        let mut running = match (self.idle.take().await, self.used_up()) {
            (Some(running), _) => running,
            (None, None) => self.arm(None).await?,
            (None, Some(limit)) => return Ok(self.ended_before(limit)),
        };
        let started = Instant::now();
        let before = running.egress();
        let cpu_before = running.cpu();
        let call = Call { digest, core: entry.description.is_core(), invoke };
        let bounds = Bounds::new(&self.grant, started, self.deadline, self.spent.cpu());
        let call = (ToWorker::Call(call), entry.artifact());
        running.link.resume();
        let ended = running.converse(call, io, &bounds, interrupt, &*self.authority).await;
        let cpu = running.cpu().saturating_sub(cpu_before);
        let confinement = running.confinement.clone();
        let mut report = CallReport {
            usage: Usage::of(started, cpu, before, running.egress()),
            confinement,
            ..CallReport::default()
        };
        match ended {
            Ok(Ended::Finished(finished)) => {
                report.finish(finished)?;
                self.idle.put(running).await;
            }
            Ok(Ended::From(outcome)) => {
                report.outcome = outcome;
                report.stopped = Some(running.end().await);
            }
            Err(Gone::Died) => report.outcome = running.died(&self.grant).await?,
            // What was said may be a lie, so the worker ends in each of these cases.
            Err(Gone::Refused(fault)) => {
                running.end().await;
                return Err(fault);
            }
            Err(Gone::Lost(error)) => {
                running.end().await;
                return Err(lost(&error));
            }
        }
        if let Outcome::OverLimit { limit } = report.outcome {
            self.authority.over_limit(limit);
        }
        // Only now: a reader that is stuck may not hold up a kill.
        io.flush().await;
        Ok(report)
    }

    /// Kills the task: when this returns its guest runs no more and its connections are closed.
    pub async fn kill(self) {
        if let Some(running) = self.idle.take().await {
            running.end().await;
        }
    }

    /// Returns the process id of the task's worker, while it has one.
    pub fn worker_id(&self) -> Option<u32> {
        self.idle.worker_id()
    }

    /// Returns the bound of the task that leaves nothing for another worker, if there is one.
    fn used_up(&self) -> Option<LimitName> {
        if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            Some(LimitName::Ttl)
        } else if self.cpu_left().is_zero() {
            Some(LimitName::Cpu)
        } else {
            None
        }
    }

    fn cpu_left(&self) -> Duration {
        Duration::from_millis(self.grant.limits.cpu_ms).saturating_sub(self.spent.cpu())
    }

    /// Reports a call that a bound of the task leaves no room for.
    fn ended_before(&self, limit: LimitName) -> CallReport {
        self.authority.over_limit(limit);
        CallReport { outcome: Outcome::OverLimit { limit }, ..CallReport::default() }
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
        // The kernel holds a worker to what is left for it, even if its host does not look.
        let cpu_ms = u64::try_from(self.cpu_left().as_millis()).unwrap_or(u64::MAX).max(1);
        let arm = Arm {
            directories: self.grant.fs.iter().map(armed).collect(),
            env: self.grant.env.clone().into_iter().collect(),
            limits: Limits { cpu_ms, ..self.grant.limits.clone() },
            require: self.settings.require,
            compiler: false,
        };
        let descriptors: Vec<_> = self
            .directories
            .iter()
            .map(AsFd::as_fd)
            .chain(std::iter::once(self.artifacts.as_fd()))
            .collect();
        worker.has_written(self.spent.disk());
        let confinement = match worker.arm(arm, &descriptors).await {
            Ok(confinement) => confinement,
            Err(fault) => {
                worker.end().await;
                return Err(fault);
            }
        };
        let egress = worker
            .take_egress()
            .ok_or_else(|| Fault::new(codes::WORKER_DIED, "a worker was used for two tasks"))?;
        let (tell, over_limit) = mpsc::unbounded_channel();
        let link = self.settings.gate.attach(
            egress,
            GateTask {
                grant: self.grant.clone(),
                authority: self.authority.clone(),
                // Nobody listens once the worker has ended, and then nothing is left to bound.
                over_limit: Box::new(move |limit| {
                    let _ = tell.send(limit);
                }),
                count: self.count.clone(),
            },
        );
        let spent = Arc::clone(&self.spent);
        Ok(Running { worker, link, over_limit, confinement, spent, counted: false })
    }
}
