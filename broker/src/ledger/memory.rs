//! A ledger that is gone with its process: for tests, and a model of engines without locks.

use super::{AppendError, Draft, Head, Ledger, ReadError, Record, Snapshot, Subscription, Turn};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Subscriptions are told of everything, so looking is only a matter of form.
const LOOK: Duration = Duration::from_secs(3600);

/// A log in memory. Clones share it.
///
/// Its turns hold nothing: of two that are taken at once, the second to commit is told that the log
/// has moved, as an engine over a network does it.
#[derive(Debug, Clone)]
pub struct MemoryLedger {
    kept: Arc<Mutex<Kept>>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Kept {
    records: Vec<Record>,
    snapshot: Option<Snapshot>,
}

struct MemoryTurn<'a> {
    ledger: &'a MemoryLedger,
    base: Head,
    pushed: Vec<Record>,
}

impl MemoryLedger {
    /// Makes an empty log.
    pub fn new() -> Self {
        Self { kept: Arc::default(), changed: watch::Sender::new(()) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryLedger {
    fn default() -> Self {
        Self::new()
    }
}

impl Kept {
    fn head(&self) -> Head {
        self.records.last().map_or(Head::GENESIS, Record::head)
    }
}

impl Ledger for MemoryLedger {
    fn turn(&self) -> Result<Box<dyn Turn + '_>, AppendError> {
        let base = self.kept().head();
        Ok(Box::new(MemoryTurn { ledger: self, base, pushed: Vec::new() }))
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Record>, ReadError> {
        let skip = usize::try_from(from.saturating_sub(1)).unwrap_or(usize::MAX);
        Ok(self.kept().records.iter().skip(skip).take(limit).cloned().collect())
    }

    fn head(&self) -> Result<Head, ReadError> {
        Ok(self.kept().head())
    }

    fn subscribe(&self, from: u64) -> Subscription {
        Subscription::new(Arc::new(self.clone()), self.changed.subscribe(), from, LOOK)
    }

    fn poke(&self) {
        self.changed.send_replace(());
    }

    fn store_snapshot(&self, head: Head, bytes: &[u8]) -> Result<(), AppendError> {
        self.kept().snapshot = Some(Snapshot { head, bytes: bytes.to_vec() });
        Ok(())
    }

    fn latest_snapshot(&self) -> Result<Option<Snapshot>, ReadError> {
        let kept = self.kept();
        let in_chain =
            |snapshot: &&Snapshot| kept.records.iter().any(|record| record.head() == snapshot.head);
        Ok(kept.snapshot.as_ref().filter(in_chain).cloned())
    }
}

impl Turn for MemoryTurn<'_> {
    fn head(&self) -> Head {
        self.base
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Record>, ReadError> {
        self.ledger.read(from, limit)
    }

    fn push(&mut self, draft: Draft) -> Result<Record, AppendError> {
        let record = draft.seal(self.pushed.last().map_or(self.base, Record::head));
        self.pushed.push(record.clone());
        Ok(record)
    }

    fn commit(self: Box<Self>) -> Result<Head, AppendError> {
        let mut kept = self.ledger.kept();
        if kept.head() != self.base {
            return Err(AppendError::Moved { head: kept.head() });
        }
        kept.records.extend(self.pushed);
        let head = kept.head();
        drop(kept);
        self.ledger.poke();
        Ok(head)
    }
}
