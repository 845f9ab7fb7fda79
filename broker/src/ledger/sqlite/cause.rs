//! What SQLite says, in the words of the ledger; and how long it is asked again.

use crate::ledger::Cause;
use rusqlite::ErrorCode;
use std::time::Duration;

/// The first pause between two tries. A transaction of another process lasts about 150 µs.
const SHORTEST_PAUSE: Duration = Duration::from_micros(50);
/// The longest one: a waiter that is alone should not sleep through its chance.
const LONGEST_PAUSE: Duration = Duration::from_millis(1);

/// Says why an engine failed.
pub(super) fn cause(error: &rusqlite::Error) -> Cause {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Cause::Full,
        Some(ErrorCode::ReadOnly) => Cause::ReadOnly,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Cause::Busy,
        _ => Cause::Io(error.to_string()),
    }
}

/// Tries again while others hold the database, up to `patience` in all.
///
/// SQLite's own waiting grows to pauses of 100 ms, in which a busy neighbour commits hundreds of times.
pub(super) fn patiently<T>(
    patience: Duration,
    mut attempt: impl FnMut() -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let mut pauses = Pauses::new(patience);
    loop {
        match attempt() {
            Err(error) if cause(&error) == Cause::Busy && pauses.pause() => {}
            other => return other,
        }
    }
}

/// Pauses that grow, up to a sum.
pub(super) struct Pauses {
    left: Duration,
    next: Duration,
}

impl Pauses {
    pub(super) fn new(patience: Duration) -> Self {
        Self { left: patience, next: SHORTEST_PAUSE }
    }

    /// Waits a little; false if there was enough of that.
    pub(super) fn pause(&mut self) -> bool {
        let Some(left) = self.left.checked_sub(self.next) else { return false };
        std::thread::sleep(self.next);
        self.left = left;
        self.next = (self.next * 2).min(LONGEST_PAUSE);
        true
    }
}
