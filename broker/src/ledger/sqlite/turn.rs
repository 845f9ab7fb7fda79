//! A turn: SQLite's write lock, from the decision to the durable record.

use super::Inner;
use super::cause::{cause, patiently};
use super::link::{LARGEST_SNAPSHOT, Link, signed};
use crate::ledger::{AppendError, Cause, Digest, Draft, Head, ReadError, Record, Turn};
use std::sync::MutexGuard;

/// An open transaction. Dropping it rolls it back.
pub(super) struct SqliteTurn<'a> {
    ledger: &'a Inner,
    link: MutexGuard<'a, Link>,
    base: Head,
    tail: Head,
}

impl<'a> SqliteTurn<'a> {
    /// Waits for the lock and looks where the log ends.
    pub(super) fn begin(ledger: &'a Inner) -> Result<Self, AppendError> {
        let link = ledger.writer();
        ledger.present()?;
        {
            let _next = ledger.queue.enter(ledger.settings.patience);
            patiently(ledger.settings.patience, || {
                link.connection.prepare_cached("BEGIN IMMEDIATE")?.execute(())
            })
            .map_err(|error| cause(&error))?;
        }
        // From here on dropping the turn ends the transaction.
        let mut turn = Self { ledger, link, base: Head::GENESIS, tail: Head::GENESIS };
        turn.base = turn.link.head(ledger.tip())?;
        turn.tail = turn.base;
        Ok(turn)
    }

    /// Executes in the transaction. After some errors SQLite has ended it by itself, and what follows
    /// would be committed at once.
    fn execute(&self, sql: &str, parameters: impl rusqlite::Params) -> Result<usize, AppendError> {
        if self.link.connection.is_autocommit() {
            return Err(Cause::Io("the turn has failed already".to_owned()).into());
        }
        let statement = self.link.connection.prepare_cached(sql);
        let done = statement.and_then(|mut statement| statement.execute(parameters));
        done.map_err(|error| AppendError::Unavailable(cause(&error)))
    }

    /// Stores a snapshot of a state that is in the log.
    pub(super) fn store_snapshot(self, head: Head, bytes: &[u8]) -> Result<(), AppendError> {
        if bytes.len() > LARGEST_SNAPSHOT {
            let cause = Cause::Io(format!("a snapshot of {} bytes is too large", bytes.len()));
            return Err(cause.into());
        }
        if !self.link.has(head)? {
            return Err(AppendError::Moved { head: self.base });
        }
        self.execute(
            "INSERT OR REPLACE INTO snapshot (seq, hash, sum, bytes) VALUES (?1, ?2, ?3, ?4)",
            (signed(head.seq), head.hash.0, Digest::of(bytes).0, bytes),
        )?;
        // Two: if the newer one turns out to be damaged, replay still need not start at the first record.
        self.execute(
            "DELETE FROM snapshot WHERE seq NOT IN (SELECT seq FROM snapshot ORDER BY seq DESC LIMIT 2)",
            (),
        )?;
        self.finish()
    }

    /// Commits. SQLite syncs the write-ahead log before it lets anybody see the transaction.
    fn finish(&self) -> Result<(), AppendError> {
        self.execute("COMMIT", ()).map(drop).map_err(|error| match error {
            // Neither got as far as the frame that makes the transaction one.
            AppendError::Unavailable(cause @ (Cause::Full | Cause::Busy | Cause::ReadOnly)) => {
                AppendError::Unavailable(cause)
            }
            // The frames may be on the disk although the sync failed, and be found when the
            // write-ahead log is recovered.
            AppendError::Unavailable(cause) => AppendError::Unknown(cause),
            other => other,
        })
    }
}

impl Turn for SqliteTurn<'_> {
    fn head(&self) -> Head {
        self.base
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Record>, ReadError> {
        let left = usize::try_from((self.base.seq + 1).saturating_sub(from.max(1)));
        self.link.read(from, limit.min(left.unwrap_or(usize::MAX)))
    }

    fn push(&mut self, draft: Draft) -> Result<Record, AppendError> {
        let record = draft.seal(self.tail);
        self.execute(
            "INSERT INTO record (seq, hash, bytes) VALUES (?1, ?2, ?3)",
            (signed(record.seq()), record.hash().0, record.bytes()),
        )?;
        self.tail = record.head();
        Ok(record)
    }

    fn commit(mut self: Box<Self>) -> Result<Head, AppendError> {
        if self.tail == self.base {
            return Ok(self.base);
        }
        self.finish()?;
        let head = self.tail;
        self.link.committed(head);
        self.ledger.committed(head);
        Ok(head)
    }
}

impl Drop for SqliteTurn<'_> {
    fn drop(&mut self) {
        if !self.link.connection.is_autocommit() {
            // A transaction that cannot be rolled back goes with its connection or its process.
            let _ = self.link.connection.execute_batch("ROLLBACK");
        }
    }
}
