#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod anchor;
mod faults;
mod files;
mod measure;
mod processes;
mod sharing;
mod tamper;

use super::*;
use crate::ledger::tests::{Bed, draft, events, fill};

/// A connection of a stranger, with every right of the owner.
fn stranger(bed: &Bed) -> rusqlite::Connection {
    rusqlite::Connection::open(bed.path()).unwrap()
}
