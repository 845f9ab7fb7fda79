//! Compiling a tool: hostile bytes in, native code out, in a process that has nothing else.

use super::hearsay;
use super::watch::cpu_exhausted;
use super::worker::{Worker, WorkerProgram, lost};
use crate::cache::{Cache, Entry};
use crate::confinement::Requirement;
use crate::wire::{Arm, Fault, FromWorker, ToWorker, WireError};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;
use writ_broker::{Limits, codes};

/// The largest tool that is compiled, bytes. Compiling needs up to a hundred times as much memory.
pub const MAX_TOOL: u64 = 128 * 1024 * 1024;

/// The largest artifact, bytes.
const MAX_ARTIFACT: u64 = 1024 * 1024 * 1024;

/// What one compilation may use. Without these a small tool could hold the machine for hours.
#[derive(Debug, Clone)]
pub struct CompileCaps {
    /// CPU time. A 20 MB module takes about 20 s.
    pub cpu: Duration,
    /// Wall time; longer than the CPU time so that a busy machine may share.
    pub wall: Duration,
    /// Memory, bytes.
    pub memory: u64,
}

impl Default for CompileCaps {
    fn default() -> Self {
        Self {
            cpu: Duration::from_secs(300),
            wall: Duration::from_secs(600),
            memory: 6 * 1024 * 1024 * 1024,
        }
    }
}

/// Turns tools into cache entries.
#[derive(Debug, Clone)]
pub struct Compiler {
    /// How to start a worker.
    pub program: WorkerProgram,
    /// What to do if this machine cannot confine in full.
    pub require: Requirement,
    /// What one compilation may use.
    pub caps: CompileCaps,
}

impl Compiler {
    /// Compiles a tool in a confined worker and puts the result into the cache.
    pub async fn compile(
        &self,
        cache: &Cache,
        digest: [u8; 32],
        bytes: &[u8],
    ) -> Result<Entry, Fault> {
        if bytes.len() as u64 > MAX_TOOL {
            let message = format!("the tool has {} bytes; {MAX_TOOL} can be compiled", bytes.len());
            return Err(Fault::new(codes::TOO_BIG, message));
        }
        let tool =
            sealed(bytes).map_err(|error| Fault::new(codes::WORKER_DIED, error.to_string()))?;
        let draft = cache.draft(digest)?;
        let mut worker = Worker::start(&self.program).map_err(|error| {
            Fault::new(codes::WORKER_DIED, format!("no worker starts: {error}"))
        })?;
        worker.arm(self.arm(), &[]).await?;
        worker
            .send(&ToWorker::Compile, &[tool.as_fd(), draft.artifact().as_fd()])
            .await
            .map_err(|error| lost(&error))?;
        let Some(pid) = worker.id() else {
            return Err(Fault::new(codes::WORKER_DIED, "the compiling worker is gone"));
        };
        let answer = tokio::select! {
            answer = worker.next() => answer,
            () = cpu_exhausted(pid, self.caps.cpu) => {
                return Err(too_slow("CPU time", self.caps.cpu));
            }
            () = tokio::time::sleep(self.caps.wall) => return Err(too_slow("time", self.caps.wall)),
        };
        match answer {
            Ok(FromWorker::Compiled(description)) => {
                worker.kill();
                let entry = draft.commit(&description)?;
                // Reaped after the entry is safe; its memory may be large.
                let _ = worker.reap().await;
                Ok(entry)
            }
            Ok(FromWorker::Refused(fault)) => Err(hearsay::fault(fault)),
            Ok(_) => Err(Fault::new(codes::WORKER_DIED, "a compiling worker spoke out of turn")),
            Err(WireError::Closed) => {
                let autopsy = worker.autopsy().await;
                Err(if autopsy.out_of_memory() {
                    let memory = self.caps.memory;
                    let message = format!("compiling needs more than {memory} bytes of memory");
                    Fault::new(codes::COMPILE_LIMIT, message)
                } else {
                    autopsy.fault()
                })
            }
            Err(error) => Err(lost(&error)),
        }
    }

    fn arm(&self) -> Arm {
        let cpu_ms = u64::try_from(self.caps.cpu.as_millis()).unwrap_or(u64::MAX);
        let memory = self.caps.memory;
        let limits = Limits { memory, cpu_ms, disk: MAX_ARTIFACT, ..Limits::default() };
        Arm {
            directories: Vec::new(),
            env: Vec::new(),
            limits,
            require: self.require,
            compiler: true,
        }
    }
}

fn too_slow(what: &str, bound: Duration) -> Fault {
    let message = format!("compiling needs more than {bound:?} of {what}");
    Fault::new(codes::COMPILE_LIMIT, message)
}

/// Puts bytes where another process can read them and none can change them.
fn sealed(bytes: &[u8]) -> std::io::Result<OwnedFd> {
    let memory = memfd_create("tool", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut file = File::from(memory);
    file.write_all(bytes)?;
    file.rewind()?;
    let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    fcntl_add_seals(&file, seals)?;
    Ok(file.into())
}
