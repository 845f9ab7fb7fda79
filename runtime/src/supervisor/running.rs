//! The worker of a task, with what hangs on it.

use super::spent::Spent;
use super::watch::{cpu_used, no_longer_runs};
use super::worker::Worker;
use crate::confinement::Confinement;
use crate::gate::{EgressUsage, GateLink};
use crate::outcome::{LimitName, Outcome};
use crate::wire::Fault;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use writ_broker::Grant;

/// An armed worker and the gate's side of it. Whatever becomes of it, what it used is added to the
/// sums of its task.
pub(super) struct Running {
    pub(super) worker: Worker,
    pub(super) link: GateLink,
    pub(super) over_limit: mpsc::UnboundedReceiver<LimitName>,
    pub(super) confinement: Confinement,
    pub(super) spent: Arc<Spent>,
    /// Whether its part is in the sums.
    pub(super) counted: bool,
}

impl Running {
    pub(super) fn egress(&self) -> EgressUsage {
        self.link.usage()
    }

    pub(super) fn cpu(&self) -> Duration {
        self.worker.id().and_then(cpu_used).unwrap_or_default()
    }

    /// Kills the worker, cuts its connections and waits until both are gone. Returns when the guest
    /// had stopped; giving its memory back takes longer.
    pub(super) async fn end(mut self) -> Instant {
        let stopped = self.stop().await;
        // It was killed: how it ended is known.
        let _ = self.worker.reap().await;
        stopped
    }

    /// Stops everything and counts, while there is something to count.
    async fn stop(&mut self) -> Instant {
        self.worker.kill();
        self.link.close();
        self.link.closed().await;
        if let Some(pid) = self.worker.id() {
            no_longer_runs(pid).await;
        }
        let stopped = Instant::now();
        self.count();
        stopped
    }

    fn count(&mut self) {
        if !std::mem::replace(&mut self.counted, true) {
            self.spent.add(self.cpu(), self.worker.written());
        }
    }

    /// Says how a call ended whose worker hung up.
    pub(super) async fn died(mut self, grant: &Grant) -> Result<Outcome, Fault> {
        const SIGXFSZ: i32 = 25;
        self.stop().await;
        let autopsy = self.worker.autopsy().await;
        let limit = if self.spent.cpu() >= Duration::from_millis(grant.limits.cpu_ms) {
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
}

/// A call that is given up halfway leaves its worker behind.
impl Drop for Running {
    fn drop(&mut self) {
        self.worker.kill();
        self.count();
    }
}
