//! Fairness between processes: whoever waits to write is next.
//!
//! SQLite's lock goes to whoever asks at the right moment, and a process that commits without pause
//! leaves only microseconds between two locks: a `kill` from another shell could wait for ever. So
//! everyone first takes a lock on the directory, waits for SQLite's lock while holding it, and gives
//! it up once that is theirs. The busy one then finds the directory locked and lets the other go first.

use super::cause::Pauses;
use std::fs::File;
use std::time::Duration;

/// The directory of the database, to queue at.
#[derive(Debug)]
pub(super) struct Queue(pub(super) File);

/// Being next. Dropped once the database is held.
pub(super) struct Place<'a>(Option<&'a File>);

impl Queue {
    /// Waits to be next.
    ///
    /// Nothing but order depends on it: a stopped process at the head of the queue, or a file system
    /// without locks, makes it unfair and no more.
    pub(super) fn enter(&self, patience: Duration) -> Place<'_> {
        let mut pauses = Pauses::new(patience);
        loop {
            match self.0.try_lock() {
                Ok(()) => return Place(Some(&self.0)),
                Err(std::fs::TryLockError::WouldBlock) if pauses.pause() => {}
                Err(_) => return Place(None),
            }
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(file) = self.0 {
            // If this fails the lock goes with the file.
            let _ = file.unlock();
        }
    }
}
