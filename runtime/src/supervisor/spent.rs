//! What a task has used in workers that are gone; with what the present one uses it is the whole.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The sums of one task. What it used on the way out is counted by the gate.
#[derive(Debug, Default)]
pub(super) struct Spent {
    cpu_us: AtomicU64,
    disk: AtomicU64,
}

impl Spent {
    /// Returns the CPU time of the workers that are gone.
    pub(super) fn cpu(&self) -> Duration {
        Duration::from_micros(self.cpu_us.load(Ordering::Relaxed))
    }

    /// Returns the bytes that were written to files.
    pub(super) fn disk(&self) -> u64 {
        self.disk.load(Ordering::Relaxed)
    }

    /// Adds what a worker used that ran until now; `disk` is where its count of the whole task stood.
    pub(super) fn add(&self, cpu: Duration, disk: u64) {
        let cpu = u64::try_from(cpu.as_micros()).unwrap_or(u64::MAX);
        self.cpu_us.fetch_add(cpu, Ordering::Relaxed);
        // A worker that was taken over may have counted backwards.
        self.disk.fetch_max(disk, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_cannot_give_back_what_others_used() {
        let spent = Spent::default();
        spent.add(Duration::from_millis(2), 100);
        spent.add(Duration::from_millis(3), 0);
        assert_eq!((spent.cpu(), spent.disk()), (Duration::from_millis(5), 100));
    }
}
