//! Following the log: every record once, in order, soon after it was written.

use super::{Chain, Head, Ledger, ReadError, Record};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How many records are read at once, at most: what a follower that is far behind holds in memory.
const BATCH: usize = 256;

/// A reader that waits for what comes next.
///
/// It is told at once of what this process appends and of [`Ledger::poke`], and looks for itself
/// now and then for what other processes append. A subscription that is dropped needs no goodbye.
pub struct Subscription {
    ledger: Arc<dyn Ledger>,
    changed: watch::Receiver<()>,
    next: u64,
    /// The record before the next one, once it was given out.
    last: Option<Head>,
    look: Duration,
}

impl Subscription {
    pub(super) fn new(
        ledger: Arc<dyn Ledger>,
        changed: watch::Receiver<()>,
        from: u64,
        look: Duration,
    ) -> Self {
        Self { ledger, changed, next: from.max(1), last: None, look }
    }

    /// Returns the records that come next, at least one, waiting for it if need be.
    ///
    /// An error does not move the subscription: the next call tries the same records again. Dropping
    /// the future loses nothing. It needs a tokio runtime with time.
    pub async fn next(&mut self) -> Result<Vec<Record>, ReadError> {
        loop {
            // Marked before reading: what is written meanwhile wakes the wait below.
            self.changed.borrow_and_update();
            if let Some(records) = self.ready()? {
                return Ok(records);
            }
            // Both mean the same: look again. The sender lives as long as the ledger.
            let _ = tokio::time::timeout(self.look, self.changed.changed()).await;
        }
    }

    /// Returns the records that are there already, or nothing.
    pub fn ready(&mut self) -> Result<Option<Vec<Record>>, ReadError> {
        if self.ledger.head()?.seq < self.next {
            return Ok(None);
        }
        let records = self.ledger.read(self.next, BATCH)?;
        let (Some(first), Some(last)) = (records.first(), records.last()) else { return Ok(None) };
        if let Some(before) = self.last {
            // The records follow from each other; that they follow from what was given out is ours.
            Chain(before).check(first)?;
        }
        self.next = last.seq() + 1;
        self.last = Some(last.head());
        Ok(Some(records))
    }

    /// The number of the record that comes next.
    pub fn position(&self) -> u64 {
        self.next
    }
}
