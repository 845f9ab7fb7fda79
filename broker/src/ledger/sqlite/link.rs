//! One connection to the database, and what it last saw there.

use super::cause::{cause, patiently};
use super::{Settings, schema};
use crate::ledger::{Cause, Chain, Digest, Fault, Head, ReadError, Record, Snapshot};
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The largest snapshot, bytes. It is read into memory at once.
pub(super) const LARGEST_SNAPSHOT: usize = 64 << 20;
/// What one read returns at most, bytes of records, unless a single one is larger.
const LARGEST_READ: usize = 16 << 20;

/// A connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) connection: Connection,
    /// SQLite's `data_version` and the head that was found at it.
    seen: Option<(i64, Head)>,
    patience: Duration,
    /// Frames in the write-ahead log after this connection's last commit.
    frames: Arc<AtomicU32>,
}

impl Link {
    /// Connects to a database that exists.
    pub(super) fn open(path: &Path, settings: Settings) -> rusqlite::Result<Self> {
        let patience = settings.patience;
        let mut connection = Connection::open_with_flags(path, schema::flags())?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !settings.tidy)?;
        // Waiting is done here, in shorter steps.
        connection.busy_timeout(Duration::ZERO)?;
        let largest = i32::try_from(LARGEST_SNAPSHOT + 4096).unwrap_or(i32::MAX);
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, largest)?;
        // Without FULL a power failure takes back what was acknowledged. This is the first look at the
        // file, which another process may hold for as long as it takes to close it.
        patiently(patience, || connection.execute_batch("PRAGMA synchronous = FULL"))?;
        let frames = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&frames);
        // Takes the place of checkpoints in the middle of a commit that somebody waits for.
        connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, frames: i32| {
            counter.store(frames.unsigned_abs(), Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self { connection, seen: None, patience, frames })
    }

    /// How many frames the write-ahead log had after the last commit here.
    pub(super) fn frames(&self) -> u32 {
        self.frames.load(Ordering::Relaxed)
    }

    /// Copies the write-ahead log into the database, as far as no reader needs it.
    pub(super) fn checkpoint(&self) {
        // It is tried again after the next commit; until then the log grows.
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |_| Ok(()));
        self.frames.store(0, Ordering::Relaxed);
    }

    /// Tells where the log ends, which must not be before `seen`, nor on another branch.
    ///
    /// In autocommit mode the answer may be older than the next statement's, never newer.
    pub(super) fn head(&mut self, seen: Head) -> Result<Head, ReadError> {
        let version = self.version().map_err(|error| cause(&error))?;
        if let Some((known, head)) = self.seen
            && known == version
            && head.seq >= seen.seq
        {
            return Ok(head);
        }
        let found = patiently(self.patience, || self.last()).map_err(|error| cause(&error))?;
        if seen.seq > found.seq || !self.has(seen)? {
            return Err(ReadError::RolledBack { seen, found });
        }
        self.seen = Some((version, found));
        Ok(found)
    }

    /// Remembers what this connection itself has committed: its version does not change by that.
    pub(super) fn committed(&mut self, head: Head) {
        if let Some((_, seen)) = &mut self.seen {
            *seen = head;
        }
    }

    /// Tells whether a record with this number and hash is in the log.
    pub(super) fn has(&self, head: Head) -> Result<bool, Cause> {
        if head == Head::GENESIS {
            return Ok(true);
        }
        let select = "SELECT hash FROM record WHERE seq = ?1";
        let found = patiently(self.patience, || {
            let mut statement = self.connection.prepare_cached(select)?;
            statement.query_row([signed(head.seq)], |row| row.get::<_, Vec<u8>>(0)).optional()
        });
        Ok(found.map_err(|error| cause(&error))?.is_some_and(|hash| hash == head.hash.0))
    }

    /// Reads records and verifies each.
    pub(super) fn read(&self, from: u64, limit: usize) -> Result<Vec<Record>, ReadError> {
        patiently(self.patience, || self.read_once(from.max(1), limit))
            .map_err(|error| cause(&error))?
    }

    /// The record before the first one is read as well: the first must follow from it.
    fn read_once(
        &self,
        from: u64,
        limit: usize,
    ) -> rusqlite::Result<Result<Vec<Record>, ReadError>> {
        let before = from - 1;
        let mut statement = self.connection.prepare_cached(
            "SELECT seq, hash, bytes FROM record WHERE seq >= ?1 ORDER BY seq LIMIT ?2",
        )?;
        let limit = limit.saturating_add(usize::from(before > 0));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = statement.query((signed(before.max(1)), limit))?;
        let mut chain = Chain(Head::GENESIS);
        if before > 0 {
            match rows.next()?.map(|row| Self::record(row, before)) {
                None => return Ok(Ok(Vec::new())),
                Some(Ok(record)) => chain = Chain(record.head()),
                Some(Err(fault)) => return Ok(Err(ReadError::Broken { seq: before, fault })),
            }
        }
        let (mut records, mut size) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            match chain.take(Self::record(row, chain.0.seq + 1)) {
                Ok(record) => {
                    size += record.bytes().len();
                    records.push(record);
                }
                Err(error) => return Ok(Err(error)),
            }
            if size >= LARGEST_READ {
                break;
            }
        }
        Ok(Ok(records))
    }

    /// Reads the record that must stand in this row.
    fn record(row: &Row<'_>, seq: u64) -> Result<Record, Fault> {
        let blob = |column| match row.get_ref(column) {
            Ok(ValueRef::Blob(bytes)) => Ok(bytes),
            _ => Err(Fault::Malformed),
        };
        if row.get(0) != Ok(signed(seq)) {
            return Err(Fault::Missing);
        }
        let (hash, bytes) = (blob(1)?, blob(2)?);
        if Digest::of(bytes).0 != hash {
            return Err(Fault::Changed);
        }
        let record = Record::parse(bytes.to_vec())?;
        if record.seq() == seq { Ok(record) } else { Err(Fault::Misplaced) }
    }

    /// Returns the latest snapshot that is whole and belongs to this log.
    pub(super) fn latest_snapshot(&self) -> Result<Option<Snapshot>, ReadError> {
        let found = patiently(self.patience, || self.snapshots()).map_err(|error| cause(&error))?;
        for (snapshot, sum) in found {
            if Digest::of(&snapshot.bytes).0 == *sum && self.has(snapshot.head)? {
                return Ok(Some(snapshot));
            }
        }
        Ok(None)
    }

    fn snapshots(&self) -> rusqlite::Result<Vec<(Snapshot, Vec<u8>)>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT seq, hash, sum, bytes FROM snapshot ORDER BY seq DESC LIMIT 2",
        )?;
        let rows = statement.query_map((), |row| {
            let head = head(row.get(0)?, row.get_ref(1)?);
            Ok((Snapshot { head, bytes: row.get(3)? }, row.get(2)?))
        })?;
        rows.collect()
    }

    fn version(&self) -> rusqlite::Result<i64> {
        patiently(self.patience, || {
            let mut statement = self.connection.prepare_cached("PRAGMA data_version")?;
            statement.query_row((), |row| row.get(0))
        })
    }

    fn last(&self) -> rusqlite::Result<Head> {
        let select = "SELECT seq, hash FROM record ORDER BY seq DESC LIMIT 1";
        let mut statement = self.connection.prepare_cached(select)?;
        let row = statement.query_row((), |row| Ok(head(row.get(0)?, row.get_ref(1)?)));
        Ok(row.optional()?.unwrap_or(Head::GENESIS))
    }
}

/// Makes a head of two columns. One that is malformed becomes one that no log has.
fn head(seq: i64, hash: ValueRef<'_>) -> Head {
    let hash = hash.as_blob().ok().and_then(|bytes| bytes.try_into().ok());
    Head { seq: seq.unsigned_abs(), hash: hash.map_or(Digest::ZERO, Digest) }
}

/// SQLite has signed integers only; no log gets that long.
pub(super) fn signed(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}
