//! The ledger of one machine: an SQLite file that several processes share.
//!
//! Write-ahead log, synced at every commit; one writer at a time, by SQLite's own lock, taken before
//! anything is decided and held until it is durable. Readers never wait for writers.

mod anchor;
mod cause;
mod file;
mod link;
mod open;
mod queue;
mod schema;
mod turn;

pub use schema::FORMAT;

use super::{
    AppendError, Cause, Head, Ledger, OpenError, ReadError, Record, Snapshot, Subscription, Turn,
};
use anchor::Anchor;
use link::Link;
use queue::Queue;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;
use tokio::sync::watch;
use turn::SqliteTurn;

/// At how many frames the write-ahead log is copied into the database, at a time when nobody waits:
/// 1 MiB. Whoever opens the database first reads that much, at some 4 µs each; copying takes two syncs.
const CHECKPOINT: u32 = 256;

/// How a ledger waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How long to wait for other processes before giving up. A commit takes them well under a
    /// millisecond, so this is the time after which one counts as stuck.
    pub patience: Duration,
    /// How often subscriptions look for records of other processes that nobody told them of.
    pub look: Duration,
    /// Whether the last process to close it leaves everything in one file, at the price of two more
    /// syncs. Otherwise what was written last stays in the file that ends in `-wal`, which a backup
    /// must then have as well, and the next process to open it reads that first.
    pub tidy: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let (patience, look) = (Duration::from_secs(5), Duration::from_millis(50));
        Self { patience, look, tidy: true }
    }
}

/// A ledger in an SQLite file. Clones share the connection; the last one to go closes it.
#[derive(Debug, Clone)]
pub struct SqliteLedger(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    /// Device and inode of the file that is open.
    identity: (u64, u64),
    settings: Settings,
    queue: Queue,
    writer: Mutex<Link>,
    /// Opened by the first reader that would have to wait for a commit.
    reader: Mutex<Option<Link>>,
    /// The latest head that this process has seen. Only ever one that was durable.
    tip: Mutex<Head>,
    anchor: Mutex<Anchor>,
    changed: watch::Sender<()>,
}

impl SqliteLedger {
    /// Opens a ledger, and makes it when it is first needed.
    ///
    /// The file is readable by its owner only, in a directory that nobody else can write. `anchor` is
    /// where the last record that was seen is remembered; it should lie where whoever restores an old
    /// copy of the database does not restore it too, such as beside the keys. A ledger without an
    /// anchor is taken as it is and gets one.
    pub fn open(path: &Path, anchor: &Path, settings: Settings) -> Result<Self, OpenError> {
        open::open(path, anchor, settings).map(|inner| Self(Arc::new(inner)))
    }

    /// Opens whatever is there, even an older copy or nothing, and forgets what was seen before.
    ///
    /// Tasks that were killed since may live again, and what was recorded since is gone. It is for an
    /// operator who has lost the database and says so.
    pub fn dangerous_open_unanchored(
        path: &Path,
        anchor: &Path,
        settings: Settings,
    ) -> Result<Self, OpenError> {
        open::open_any(path, anchor, settings).map(|inner| Self(Arc::new(inner)))
    }
}

#[cfg(test)]
impl SqliteLedger {
    /// Lends the writing connection to a test that makes it fail.
    pub(super) fn for_tests(&self, act: impl FnOnce(&rusqlite::Connection)) {
        act(&self.0.writer().connection);
    }
}

impl Inner {
    fn writer(&self) -> MutexGuard<'_, Link> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tip(&self) -> Head {
        *self.tip.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a head that was found. The one it is compared with was taken before looking.
    fn found(&self, head: Head) {
        let mut tip = self.tip.lock().unwrap_or_else(PoisonError::into_inner);
        if head.seq > tip.seq {
            *tip = head;
        }
    }

    fn anchor(&self) -> MutexGuard<'_, Anchor> {
        self.anchor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what follows a commit: everybody here learns of it, and so does the next process.
    fn committed(&self, head: Head) {
        self.found(head);
        self.anchor().renew(head);
        self.changed.send_replace(());
    }

    /// Refuses to go on with a file that has lost its name: others would not see what is written.
    fn present(&self) -> Result<(), Cause> {
        match self.path.symlink_metadata() {
            Ok(now) if (now.dev(), now.ino()) == self.identity => Ok(()),
            _ => Err(Cause::Replaced),
        }
    }

    /// Lends a connection for reading: the writer's while nobody writes, else one of its own, so that
    /// a short-lived process opens only one.
    fn reading<T>(
        &self,
        read: impl FnOnce(&mut Link) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = &mut *reader {
            return read(link);
        }
        match self.writer.try_lock() {
            Ok(mut link) => read(&mut link),
            Err(TryLockError::Poisoned(poisoned)) => read(&mut poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => {
                let link = Link::open(&self.path, self.settings);
                let link = link.map_err(|error| cause::cause(&error))?;
                self.present()?;
                read(reader.insert(link))
            }
        }
    }
}

/// A ledger that took much leaves its anchor on the disk; a short run is not made to wait for that.
impl Drop for Inner {
    fn drop(&mut self) {
        self.anchor().sync_if_due();
    }
}

impl Ledger for SqliteLedger {
    fn turn(&self) -> Result<Box<dyn Turn + '_>, AppendError> {
        Ok(Box::new(SqliteTurn::begin(&self.0)?))
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Record>, ReadError> {
        self.0.reading(|link| link.read(from, limit))
    }

    fn head(&self) -> Result<Head, ReadError> {
        self.0.present()?;
        let seen = self.0.tip();
        let head = self.0.reading(|link| link.head(seen))?;
        self.0.found(head);
        Ok(head)
    }

    fn subscribe(&self, from: u64) -> Subscription {
        let changed = self.0.changed.subscribe();
        Subscription::new(Arc::new(self.clone()), changed, from, self.0.settings.look)
    }

    fn poke(&self) {
        self.0.changed.send_replace(());
    }

    fn store_snapshot(&self, head: Head, bytes: &[u8]) -> Result<(), AppendError> {
        SqliteTurn::begin(&self.0)?.store_snapshot(head, bytes)?;
        self.0.anchor().sync();
        Ok(())
    }

    fn latest_snapshot(&self) -> Result<Option<Snapshot>, ReadError> {
        self.0.reading(|link| link.latest_snapshot())
    }

    fn settle(&self) {
        let link = self.0.writer();
        if link.frames() >= CHECKPOINT {
            link.checkpoint();
        }
        drop(link);
        self.0.anchor().sync_if_due();
    }
}

#[cfg(test)]
mod tests;
