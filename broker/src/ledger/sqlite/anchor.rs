//! The last record that was seen, remembered outside the database.
//!
//! Whoever restores an older copy of the database, or removes it, must not bring back tasks that were
//! killed. So every commit leaves its head in a small file that lies elsewhere, beside the keys.
//!
//! The file has two slots, each smaller than a sector and written in turn, so that a write that was
//! cut short leaves the other one. Writing costs one system call; what it says survives the death of
//! the process at once, and a power failure once the system has written it back: the ledger asks for
//! that at every snapshot and after 256 records, the system does it by itself after 30 s or so. An
//! older copy from within that window, restored after a power failure, is not noticed.

use super::file;
use crate::ledger::{Digest, Head, OpenError};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// Bytes of a slot: a sector, the unit that a disk writes whole.
const SLOT: usize = 512;
/// Begins a slot; a new layout gets a new one.
const MAGIC: &str = "writ-anchor-1";
/// After how many records what was written is forced to the disk. More means a longer window in
/// which a power failure hides an older copy.
const RECORDS: u64 = 256;

/// The file, and what this process last wrote to it.
#[derive(Debug)]
pub(super) struct Anchor {
    file: File,
    seen: Head,
    /// Where the next head goes: not where the latest is.
    slot: u8,
    synced: u64,
}

impl Anchor {
    /// Reads the file, if there is one.
    pub(super) fn load(path: &Path) -> Result<Option<Self>, OpenError> {
        let Some(file) = open(path)? else { return Ok(None) };
        let malformed = || OpenError::Anchor { path: path.to_owned() };
        let mut bytes = [0; 2 * SLOT];
        file.read_exact_at(&mut bytes, 0).map_err(|_| malformed())?;
        let (first, second) = bytes.split_at(SLOT);
        let (seen, slot) = match (parse(first), parse(second)) {
            (Some(first), Some(second)) if first.seq >= second.seq => (first, 1),
            (_, Some(second)) => (second, 0),
            (Some(first), None) => (first, 1),
            (None, None) => return Err(malformed()),
        };
        Ok(Some(Self { file, seen, slot, synced: seen.seq }))
    }

    /// Makes the file if there is none, whatever it says if there is one.
    pub(super) fn create(path: &Path, head: Head) -> Result<Self, OpenError> {
        let (directory, path) = file::directory_of(path)?;
        if let Some(anchor) = Self::load(&path)? {
            return Ok(anchor);
        }
        file::appear(&directory, &path, |_, file| {
            write_both(file, head).map_err(|error| file::failed(&path, &error))
        })?;
        Self::load(&path)?.ok_or(OpenError::Anchor { path })
    }

    /// Makes the file say something else, older or not.
    pub(super) fn dangerous_replace(path: &Path, head: Head) -> Result<Self, OpenError> {
        let (_, path) = file::directory_of(path)?;
        if let Some(file) = open(&path)? {
            write_both(&file, head).map_err(|error| file::failed(&path, &error))?;
        }
        Self::create(&path, head)
    }

    /// The last record that was seen.
    pub(super) fn seen(&self) -> Head {
        self.seen
    }

    /// Remembers a head that is durable.
    pub(super) fn renew(&mut self, head: Head) {
        if head.seq <= self.seen.seq {
            return;
        }
        // What fails here is made good by the next commit: until then the file names an older record,
        // which is in the log all the same.
        if self.file.write_all_at(&slot(head), u64::from(self.slot) * SLOT as u64).is_ok() {
            self.seen = head;
            self.slot ^= 1;
        }
    }

    /// Forces it to the disk if much was written since the last time.
    pub(super) fn sync_if_due(&mut self) {
        if self.seen.seq.saturating_sub(self.synced) >= RECORDS {
            self.sync();
        }
    }

    /// Forces it to the disk.
    pub(super) fn sync(&mut self) {
        if self.file.sync_data().is_ok() {
            self.synced = self.seen.seq;
        }
    }
}

fn open(path: &Path) -> Result<Option<File>, OpenError> {
    let mut options = OpenOptions::new();
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    options.read(true).write(true).custom_flags(flags.bits().cast_signed());
    let failed = |error| file::failed(path, &error);
    match options.open(path) {
        Ok(file) => {
            file::check(path, &file.metadata().map_err(failed)?)?;
            Ok(Some(file))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => match file::private(path) {
            // A symbolic link is refused in words.
            Err(refusal) => Err(refusal),
            Ok(_) => Err(failed(error)),
        },
    }
}

fn write_both(file: &File, head: Head) -> std::io::Result<()> {
    file.write_all_at(&slot(head).repeat(2), 0)?;
    file.sync_all()
}

/// Writes a slot: readable text, padded with spaces, with a checksum of what is before it.
fn slot(head: Head) -> Vec<u8> {
    let text = format!("{MAGIC} {} {}", head.seq, head.hash);
    let mut line = format!("{text} {}", Digest::of(text.as_bytes()));
    line.push_str(&" ".repeat(SLOT - 1 - line.len()));
    line.push('\n');
    line.into_bytes()
}

fn parse(bytes: &[u8]) -> Option<Head> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut words = text.split_whitespace().skip(1);
    let head = Head { seq: words.next()?.parse().ok()?, hash: Digest::parse(words.next()?)? };
    (slot(head) == bytes).then_some(head)
}
