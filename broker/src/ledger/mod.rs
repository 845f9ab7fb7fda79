//! The ledger: one ordered, durable, hash-chained log of everything that was decided.
//!
//! State is what replaying it gives, so nothing is promised before its record is durable. An engine
//! stores the records ([`SqliteLedger`] for one machine, [`MemoryLedger`] for tests); a [`Writer`]
//! decides and appends in groups; a [`Subscription`] follows.
//!
//! A record is one canonical JSON object (see [`canonical`]) and names the SHA-256 of the one before
//! it: whoever holds a [`Head`] can tell whether anything up to it was changed.

pub mod canonical;
mod digest;
mod error;
mod memory;
mod record;
mod sqlite;
mod subscription;
mod writer;

pub use digest::{Digest, Head};
pub use error::{AppendError, Cause, OpenError, ReadError};
pub use memory::MemoryLedger;
pub use record::{Draft, Fault, InvalidDraft, LARGEST_RECORD, Record};
pub use sqlite::{FORMAT, Settings, SqliteLedger};
pub use subscription::Subscription;
pub use writer::{Committed, Decided, Pace, State, Unfit, WriteError, Writer};

/// What a state looked like at a place in the log, so that replay can start there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The last record that is in it.
    pub head: Head,
    /// The state, as whoever stored it wrote it.
    pub bytes: Vec<u8>,
}

/// The one ordered log.
///
/// Calls may block for as long as a durable write takes; they are for a thread that may wait.
pub trait Ledger: Send + Sync {
    /// Takes the turn to append, waiting for others a bounded time.
    ///
    /// Where the engine can, nobody else appends until the turn is over, so what is decided in a turn
    /// holds when it is committed. Where it cannot, [`Turn::commit`] says [`AppendError::Moved`].
    fn turn(&self) -> Result<Box<dyn Turn + '_>, AppendError>;

    /// Appends all drafts or none, if the log still ends at `expected`. They are durable on return.
    fn append(&self, expected: Head, drafts: &[Draft]) -> Result<Head, AppendError> {
        let mut turn = self.turn()?;
        if turn.head() != expected {
            return Err(AppendError::Moved { head: turn.head() });
        }
        for draft in drafts {
            turn.push(draft.clone())?;
        }
        let head = turn.commit()?;
        self.settle();
        Ok(head)
    }

    /// Reads up to `limit` records from number `from` on, each verified against the one before it.
    fn read(&self, from: u64, limit: usize) -> Result<Vec<Record>, ReadError>;

    /// Tells where the log ends. Cheap when nothing was written since it was last asked.
    fn head(&self) -> Result<Head, ReadError>;

    /// Follows the log from number `from` on.
    fn subscribe(&self, from: u64) -> Subscription;

    /// Makes subscriptions look now, not when they would look next: another process has written.
    fn poke(&self);

    /// Keeps a snapshot of the state at `head`, and forgets all but the one before it.
    fn store_snapshot(&self, head: Head, bytes: &[u8]) -> Result<(), AppendError>;

    /// Returns the latest snapshot whose head is in the log and whose bytes are whole.
    fn latest_snapshot(&self) -> Result<Option<Snapshot>, ReadError>;

    /// Does what need not be done before an answer is given: for the time right after.
    fn settle(&self) {}
}

/// The right to append next. Dropped without a commit, it leaves nothing behind.
pub trait Turn {
    /// Where the log ends, without what was pushed.
    fn head(&self) -> Head;

    /// Reads as [`Ledger::read`] does, without what was pushed.
    fn read(&self, from: u64, limit: usize) -> Result<Vec<Record>, ReadError>;

    /// Puts a draft in its place after the others of this turn. It is not durable yet.
    fn push(&mut self, draft: Draft) -> Result<Record, AppendError>;

    /// Makes everything durable that was pushed, and returns where the log ends now.
    fn commit(self: Box<Self>) -> Result<Head, AppendError>;
}

/// Follows the chain: the one place that says whether a record may come next.
#[derive(Debug, Clone, Copy)]
struct Chain(Head);

impl Chain {
    /// Takes the next record, or says which one is the first that cannot be trusted.
    fn take(&mut self, record: Result<Record, Fault>) -> Result<Record, ReadError> {
        let record = record.map_err(|fault| self.broken(fault))?;
        self.check(&record)?;
        self.0 = record.head();
        Ok(record)
    }

    /// Tells whether a record is the next one.
    fn check(&self, record: &Record) -> Result<(), ReadError> {
        record.follows(self.0).map_err(|fault| self.broken(fault))
    }

    fn broken(&self, fault: Fault) -> ReadError {
        ReadError::Broken { seq: self.0.seq + 1, fault }
    }
}

#[cfg(test)]
mod tests;
