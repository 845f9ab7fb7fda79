//! How much a task may put on the disk, over all its files and calls.
//!
//! The rlimit of the worker bounds one file, whoever writes it; this bounds the sum.

use crate::tally::Tally;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::{DynOutputStream, OutputStream, Pollable, StreamError, StreamResult};

/// What a new file, directory or link counts for, bytes: file systems spend a block on the smallest.
/// Without it a guest could use up every inode with files that are empty.
const ENTRY: u64 = 4096;

/// What a task may still write. Clones share it.
#[derive(Debug, Clone)]
pub struct DiskBudget(Arc<State>);

#[derive(Debug)]
struct State {
    bound: u64,
    left: AtomicU64,
    spent: AtomicBool,
    tally: Option<Tally>,
}

/// Ends a guest that writes more than its task may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the task may write no more to its files")]
pub struct OverDisk;

impl DiskBudget {
    /// Begins with the bound of a task, bytes.
    pub fn new(bytes: u64) -> Self {
        Self::counted(bytes, None)
    }

    /// Goes on from what the task's earlier workers wrote, and keeps count for the next.
    pub(crate) fn counted(bound: u64, tally: Option<Tally>) -> Self {
        let left = bound.saturating_sub(tally.as_ref().map_or(0, Tally::get));
        let (left, spent) = (AtomicU64::new(left), AtomicBool::new(false));
        Self(Arc::new(State { bound, left, spent, tally }))
    }

    /// Takes bytes that are about to be written, or were.
    pub(super) fn take(&self, bytes: u64) -> Result<(), OverDisk> {
        // One thread runs the guest, so nothing comes between the two.
        self.has(bytes)?;
        let left = self.0.left.fetch_sub(bytes, Ordering::Relaxed);
        self.note(left.saturating_sub(bytes));
        Ok(())
    }

    /// Takes what something new costs.
    pub(super) fn take_entry(&self) -> Result<(), OverDisk> {
        self.take(ENTRY)
    }

    /// Asks for room for a write that may turn out shorter. A worker that is killed in the middle of
    /// it leaves all of it behind as written.
    pub(super) fn reserve(&self, bytes: u64) -> Result<(), OverDisk> {
        self.has(bytes)?;
        self.note(self.0.left.load(Ordering::Relaxed).saturating_sub(bytes));
        Ok(())
    }

    fn has(&self, bytes: u64) -> Result<(), OverDisk> {
        if bytes <= self.0.left.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.0.spent.store(true, Ordering::Relaxed);
        Err(OverDisk)
    }

    fn note(&self, left: u64) {
        if let Some(tally) = &self.0.tally {
            tally.set(self.0.bound.saturating_sub(left));
        }
    }

    /// Fails once more was asked for than was left; the guest must then be ended.
    pub(super) fn check(&self) -> Result<(), OverDisk> {
        if self.0.spent.load(Ordering::Relaxed) { Err(OverDisk) } else { Ok(()) }
    }
}

/// A stream into a file that takes from the budget what passes.
pub(super) struct CountedStream {
    pub(super) inner: DynOutputStream,
    pub(super) disk: DiskBudget,
}

impl CountedStream {
    fn take(&self, bytes: &Bytes) -> StreamResult<()> {
        self.disk.take(bytes.len() as u64).map_err(|over| StreamError::Trap(over.into()))
    }
}

#[async_trait]
impl OutputStream for CountedStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes)?;
        self.inner.write(bytes)
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes)?;
        self.inner.blocking_write_and_flush(bytes).await
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.inner.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.inner.check_write()
    }
}

#[async_trait]
impl Pollable for CountedStream {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail")]
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn what_was_taken_by_one_clone_is_missing_for_the_other() {
        let disk = DiskBudget::new(10_000);
        assert_eq!(disk.clone().take(6_000), Ok(()));
        assert_eq!(disk.take(4_001), Err(OverDisk));
        assert_eq!(disk.clone().check(), Err(OverDisk));
    }

    #[test]
    fn the_next_worker_goes_on_where_the_last_one_was_killed() {
        let tally = |of: &Tally| Tally::from_host(of.as_fd().try_clone_to_owned().unwrap());
        let kept = Tally::new().unwrap();
        let first = DiskBudget::counted(10_000, Some(tally(&kept)));
        assert_eq!(first.take(6_000), Ok(()));
        assert_eq!(first.reserve(3_000), Ok(()));
        drop(first);
        let second = DiskBudget::counted(10_000, Some(tally(&kept)));
        assert_eq!(second.take(1_000), Ok(()));
        assert_eq!(second.take(1), Err(OverDisk));
        assert_eq!(kept.get(), 10_000);
    }

    #[test]
    fn the_last_byte_may_be_used() {
        let disk = DiskBudget::new(ENTRY + 1);
        assert_eq!(disk.take_entry(), Ok(()));
        assert_eq!(disk.take(1), Ok(()));
        assert_eq!(disk.check(), Ok(()));
        assert_eq!(disk.take(1), Err(OverDisk));
    }
}
