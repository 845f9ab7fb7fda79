//! What can go wrong with a ledger, by what the caller does next.

use super::{Fault, Head};
use std::path::PathBuf;

/// Why the engine could not do its work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// There is no room.
    #[error("the disk that holds the ledger is full; make room")]
    Full,
    /// It may not be written.
    #[error("the ledger is read-only; give its owner the right to write it")]
    ReadOnly,
    /// Another process has held it for longer than is waited.
    #[error("another process holds the ledger; see whether one of them is stopped")]
    Busy,
    /// Another file has taken its place.
    #[error("the ledger's file was replaced while it was open; start again")]
    Replaced,
    /// The machine failed.
    #[error("the ledger cannot be used: {0}")]
    Io(String),
}

/// Why nothing was appended, or why that is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// Others have written: read on to this head, then decide anew. Nothing was written.
    #[error("others have written to the ledger; its head is now {head}")]
    Moved {
        /// Where the log ends now.
        head: Head,
    },
    /// Nothing was written. It may succeed once the cause is gone.
    #[error("nothing was recorded: {0}")]
    Unavailable(Cause),
    /// It may or may not have been written, and only opening the ledger anew tells. Whoever promised
    /// something about it must stop promising: seal.
    #[error("whether it was recorded is unknown: {0}")]
    Unknown(Cause),
    /// What is stored is not what was stored before: seal. Nothing was written.
    #[error(transparent)]
    Untrusted(ReadError),
}

/// Why records cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It may succeed once the cause is gone.
    #[error(transparent)]
    Unavailable(#[from] Cause),
    /// A record is not what was written. This one is the first.
    #[error("record {seq} of the ledger cannot be trusted: {fault}")]
    Broken {
        /// Its number.
        seq: u64,
        /// What is wrong with it.
        fault: Fault,
    },
    /// The log ends before a record that was already seen in it, or has another in its place.
    #[error("the ledger was rolled back: record {seen} was in it, and it now ends at {found}")]
    RolledBack {
        /// What was seen.
        seen: Head,
        /// Where the log ends now.
        found: Head,
    },
}

/// Why a ledger is not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no database, although there was one: its last record is remembered beside the keys.
    #[error(
        "{} is missing, but record {} was in it; restore it from a backup that has that record",
        path.display(), seen.seq
    )]
    Missing {
        /// Where it should be.
        path: PathBuf,
        /// The last record that was seen.
        seen: Head,
    },
    /// It is an older copy, or another ledger.
    #[error("{} is an older copy: it ends at record {}, and record {} was seen", path.display(), found.seq, seen.seq)]
    RolledBack {
        /// Where it is.
        path: PathBuf,
        /// The last record that was seen.
        seen: Head,
        /// Where it ends now.
        found: Head,
    },
    /// The file with the last record that was seen says nothing that can be read.
    #[error("{} cannot be read, so it is unknown which records were seen; restore it", path.display())]
    Anchor {
        /// Where it is.
        path: PathBuf,
    },
    /// It was made by a later version.
    #[error("{} has format {found}, which a later version of writ made; this one reads {}", path.display(), super::FORMAT)]
    Newer {
        /// Where it is.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// It is something else.
    #[error("{} is not a ledger of writ: {why}; name another file", path.display())]
    Foreign {
        /// Where it is.
        path: PathBuf,
        /// How that shows.
        why: String,
    },
    /// Others could change it, or read what is in it.
    #[error("{}: {why}", path.display())]
    NotPrivate {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong, and what mends it.
        why: &'static str,
    },
    /// The machine failed, or others hold it.
    #[error("{}: {cause}", path.display())]
    Unavailable {
        /// Where it is.
        path: PathBuf,
        /// Why.
        cause: Cause,
    },
}

impl From<Cause> for AppendError {
    fn from(cause: Cause) -> Self {
        Self::Unavailable(cause)
    }
}

impl From<ReadError> for AppendError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable(cause) => Self::Unavailable(cause),
            other => Self::Untrusted(other),
        }
    }
}
