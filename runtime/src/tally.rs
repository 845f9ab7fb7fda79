//! A number that a worker keeps and that its host can still read when the worker is gone.

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::io::{pread, pwrite};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Bytes of the number, which is little-endian.
const SIZE: usize = 8;

/// A number in a file that has no name. A message could be lost with a worker that is killed; this is
/// as it was left.
#[derive(Debug)]
pub(crate) struct Tally(OwnedFd);

impl Tally {
    /// Makes one that stands at zero. Nobody can make it larger than it is.
    pub(crate) fn new() -> std::io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = memfd_create(c"writ-tally", flags)?;
        ftruncate(&file, SIZE as u64)?;
        fcntl_add_seals(&file, SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
        Ok(Self(file))
    }

    /// Takes one over that the host made.
    pub(crate) fn from_host(file: OwnedFd) -> Self {
        Self(file)
    }

    /// Sets it. A worker whose files may be smaller than the number itself writes the part that fits,
    /// and its number is smaller still.
    pub(crate) fn set(&self, number: u64) {
        // It fails for no other reason: the file is there, and it is ours.
        let _ = pwrite(&self.0, &number.to_le_bytes(), 0);
    }

    /// Reads it. What cannot be read is as much as there can be.
    pub(crate) fn get(&self) -> u64 {
        let mut bytes = [0; SIZE];
        match pread(&self.0, &mut bytes, 0) {
            Ok(SIZE) => u64::from_le_bytes(bytes),
            _ => u64::MAX,
        }
    }
}

impl AsFd for Tally {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail")]
    use super::*;

    #[test]
    fn what_one_side_sets_the_other_reads() {
        let ours = Tally::new().unwrap();
        let theirs = Tally::from_host(ours.as_fd().try_clone_to_owned().unwrap());
        assert_eq!(theirs.get(), 0);
        theirs.set(u64::MAX - 7);
        drop(theirs);
        assert_eq!(ours.get(), u64::MAX - 7);
    }

    #[test]
    fn a_worker_can_make_no_file_of_it() {
        let tally = Tally::new().unwrap();
        assert!(pwrite(&tally.0, &[0; 2], SIZE as u64).is_err());
        assert!(ftruncate(&tally.0, 0).is_err());
        assert_eq!(tally.get(), 0);
    }
}
