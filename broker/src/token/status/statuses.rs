//! Many statuses in few bits.

use miniz_oxide::deflate::compress_to_vec_zlib;
use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;
use serde::{Deserialize, Serialize};

/// The most bytes that a list may have unpacked. Without a bound a kilobyte becomes a megabyte
/// for who checks it.
const LARGEST_UNPACKED: usize = 512 << 10;

/// How hard a list is packed. It is packed anew whenever one status changes; more than this costs
/// ten times the time for a few per cent.
const LEVEL: u8 = 3;

/// What a list says of one token (§7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It may be used.
    Valid,
    /// It was revoked for good.
    Invalid,
    /// It may not be used now.
    Suspended,
}

/// How many bits each status takes (§4.1). The draft has 4 and 8 too; we have no use for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Bits {
    /// Valid or invalid.
    One,
    /// Suspended as well.
    Two,
}

impl Bits {
    /// Returns the number.
    pub fn count(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }

    pub(super) fn parse(count: u64) -> Option<Self> {
        [Self::One, Self::Two].into_iter().find(|bits| u64::from(bits.count()) == count)
    }
}

/// Statuses by index, the first in the lowest bits of the first byte (§4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statuses {
    bits: Bits,
    bytes: Vec<u8>,
}

impl Statuses {
    /// Makes a list that is valid throughout; its length is rounded up to whole bytes.
    pub fn new(bits: Bits, entries: u32) -> Self {
        let per_byte = usize::from(8 / bits.count());
        Self { bits, bytes: vec![0; (entries as usize).div_ceil(per_byte)] }
    }

    /// Returns how many bits each takes.
    pub fn bits(&self) -> Bits {
        self.bits
    }

    /// Returns where the bits of an index are: the byte, and how far to shift.
    fn place(&self, index: u32) -> (usize, u32) {
        let per_byte = u32::from(8 / self.bits.count());
        ((index / per_byte) as usize, index % per_byte * u32::from(self.bits.count()))
    }

    fn mask(&self) -> u8 {
        (1 << self.bits.count()) - 1
    }

    /// Returns a status; none for an index that the list does not have, or for a value that has no
    /// meaning here.
    pub fn get(&self, index: u32) -> Option<Status> {
        let (byte, shift) = self.place(index);
        match self.bytes.get(byte)? >> shift & self.mask() {
            0 => Some(Status::Valid),
            1 => Some(Status::Invalid),
            2 => Some(Status::Suspended),
            _ => None,
        }
    }

    /// Sets a status; false if the list has no such index or no bits for it.
    #[must_use]
    pub fn set(&mut self, index: u32, status: Status) -> bool {
        let value = match (status, self.bits) {
            (Status::Valid, _) => 0,
            (Status::Invalid, _) => 1,
            (Status::Suspended, Bits::Two) => 2,
            (Status::Suspended, Bits::One) => return false,
        };
        let ((byte, shift), mask) = (self.place(index), self.mask());
        let Some(byte) = self.bytes.get_mut(byte) else { return false };
        *byte = *byte & !(mask << shift) | value << shift;
        true
    }

    /// Packs the list as `lst` has it before base64url (§4.2: DEFLATE in ZLIB).
    pub fn pack(&self) -> Vec<u8> {
        compress_to_vec_zlib(&self.bytes, LEVEL)
    }

    /// Unpacks a list from a stranger; none if it is not ZLIB, or too large.
    pub fn unpack(bits: Bits, packed: &[u8]) -> Option<Self> {
        let bytes = decompress_to_vec_zlib_with_limit(packed, LARGEST_UNPACKED).ok()?;
        Some(Self { bits, bytes })
    }
}

#[cfg(test)]
#[path = "statuses_tests.rs"]
mod tests;
