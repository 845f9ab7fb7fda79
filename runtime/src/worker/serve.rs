//! A worker that runs guests: one call at a time, listening to the host all the while.

use super::host::egress::EgressClient;
use super::host::files::DiskBudget;
use super::outbox::Outbox;
use super::sandbox::{Ran, Sandbox};
use super::state::Stdio;
use super::ticker::Ticker;
use super::tool::{Tool, Unready};
use super::{Armed, engine, linker::Linkers};
use crate::channel::{Inbox, receive, receive_soon};
use crate::outcome::{LimitName, Outcome};
use crate::wire::{Arm, Call, Finished, FromWorker, ToWorker, WireError};
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;
use tokio::net::UnixStream;
use wasmtime::Engine;
use writ_broker::grant::Access;

/// Everything that outlives one call.
struct Bench {
    engine: Engine,
    linkers: Linkers,
    tools: HashMap<[u8; 32], Tool>,
    ticker: Ticker,
    egress: EgressClient,
    disk: DiskBudget,
    outbox: Outbox,
    arm: Arm,
    directories: Vec<(OwnedFd, Access)>,
}

/// The receiving side of the control socket while guests run.
struct Control {
    socket: UnixStream,
    inbox: Inbox,
}

/// Serves calls until the host hangs up.
pub(super) fn serve(armed: Armed) -> Result<(), WireError> {
    let Armed { control, egress, runtime, ticker, inbox, arm, directories, written } = armed;
    let disk = DiskBudget::counted(arm.limits.disk, written);
    runtime.block_on(serve_calls(control, egress, ticker, inbox, (arm, disk), directories))
}

async fn serve_calls(
    control: Arc<OwnedFd>,
    egress: OwnedFd,
    ticker: Ticker,
    inbox: Inbox,
    (arm, disk): (Arm, DiskBudget),
    directories: Vec<(OwnedFd, Access)>,
) -> Result<(), WireError> {
    let outbox = Outbox::new(control.clone());
    let failed = |error: wasmtime::Error| std::io::Error::other(format!("{error:#}"));
    let engine = engine::for_running(&arm.limits).map_err(failed)?;
    let mut linkers = Linkers::default();
    // Ahead of need: the host is busy with its record, and most tools are components.
    linkers.component(&engine).map_err(failed)?;
    let socket = std::os::unix::net::UnixStream::from(control.try_clone()?);
    socket.set_nonblocking(true)?;
    let socket = UnixStream::from_std(socket)?;
    let mut control = Control { socket, inbox };
    let mut bench = Bench {
        engine,
        linkers,
        tools: HashMap::new(),
        ticker,
        egress: EgressClient::new(egress.into(), arm.limits.header_bytes),
        disk,
        outbox: outbox.clone(),
        arm,
        directories,
    };
    loop {
        match control.next_call().await? {
            ToWorker::Call(call) => {
                let artifact = control.inbox.descriptor()?;
                let answer = match bench.load(&call, &artifact) {
                    Ok(tool) => bench.call(tool, call, &mut control).await?,
                    Err(Unready::Refused(fault)) => FromWorker::Refused(fault),
                    Err(Unready::OverLimit(limit)) => FromWorker::Finished(over_limit(limit)),
                };
                outbox.send(&answer);
            }
            // Late words about a call that has ended.
            ToWorker::Cancel | ToWorker::Stdin(_) => {}
            ToWorker::Arm(_) | ToWorker::Compile => {
                return Err(std::io::Error::other("a running worker was asked to change").into());
            }
        }
    }
}

impl Bench {
    fn load(&mut self, call: &Call, artifact: &OwnedFd) -> Result<Tool, Unready> {
        if let Some(tool) = self.tools.get(&call.digest) {
            return Ok(tool.clone());
        }
        let tool = Tool::load(&self.engine, &mut self.linkers, artifact, call.core)?;
        self.tools.insert(call.digest, tool.clone());
        Ok(tool)
    }

    /// Runs one call to its end, or until it is cancelled; then its future, and with it its store,
    /// is dropped.
    async fn call(
        &self,
        tool: Tool,
        call: Call,
        control: &mut Control,
    ) -> Result<FromWorker, WireError> {
        let stdio = Stdio::new(&self.outbox, &self.arm);
        let sandbox = Sandbox {
            engine: &self.engine,
            arm: &self.arm,
            directories: &self.directories,
            stdio: &stdio,
            disk: &self.disk,
            outbox: &self.outbox,
            egress: &self.egress,
        };
        let started = Instant::now();
        self.ticker.start(&self.engine);
        let mut guest = std::pin::pin!(sandbox.run(tool, call.invoke));
        let ran = loop {
            tokio::select! {
                biased;
                message = control.next() => match message? {
                    ToWorker::Stdin(bytes) => stdio.stdin.push(&bytes),
                    ToWorker::Cancel => break Ok(Ran::cancelled()),
                    _ => return Err(std::io::Error::other("a call came during a call").into()),
                },
                ran = &mut guest => break ran,
            }
        };
        self.ticker.stop();
        // What the guest sent and did not wait for still has to reach the gate.
        self.egress.settle().await;
        Ok(match ran {
            Ok(ran) => FromWorker::Finished(ran.finished(&stdio, started)),
            Err(fault) => FromWorker::Refused(fault),
        })
    }
}

/// The end of a call that did not begin: the tool wants too much from the start.
fn over_limit(limit: LimitName) -> Finished {
    let outcome = Outcome::OverLimit { limit };
    let truncated = Vec::new();
    Finished { outcome, result: None, memory_peak: 0, truncated, inside_ns: 0 }
}

impl Ran {
    fn cancelled() -> Self {
        Self { outcome: Outcome::Killed, result: None, memory_peak: 0 }
    }

    fn finished(self, stdio: &Stdio, started: Instant) -> Finished {
        let truncated = [stdio.stdout.truncated(), stdio.stderr.truncated()];
        Finished {
            outcome: self.outcome,
            result: self.result,
            memory_peak: self.memory_peak,
            truncated: truncated.into_iter().flatten().collect(),
            inside_ns: u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX),
        }
    }
}

impl Control {
    /// Waits while no guest runs. One call is often followed by the next.
    async fn next_call(&mut self) -> Result<ToWorker, WireError> {
        receive_soon(&self.socket, &mut self.inbox).await
    }

    async fn next(&mut self) -> Result<ToWorker, WireError> {
        receive(&self.socket, &mut self.inbox).await
    }
}
