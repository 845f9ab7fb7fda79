//! Which proofs were seen, in bounded memory.

use super::PROOF_WINDOW;
use crate::clock::UnixMillis;
use crate::keys::Thumbprint;
use crate::token::SKEW;
use aws_lc_rs::digest;
use std::collections::{HashMap, HashSet, VecDeque};

/// How many proofs are remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// In all. Each costs about 100 bytes. When there is no room, proofs are refused, never forgotten.
    pub proofs: usize,
    /// Of one key, so that one holder cannot use the room of all.
    pub per_key: usize,
}

impl Default for Capacity {
    /// Allows 4,000 proofs a second in all and 400 of one key, in up to 30 MB.
    fn default() -> Self {
        Self { proofs: 300_000, per_key: 30_000 }
    }
}

/// Why a proof is not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReplayError {
    /// It was seen before.
    Replayed,
    /// There is no room, or the clock stepped back so far that old proofs may look new.
    Unavailable,
}

type Mark = [u8; 16];

/// The proofs that were seen and could be sent again.
#[derive(Debug)]
pub(super) struct Replays {
    capacity: Capacity,
    seen: HashSet<Mark>,
    by_key: HashMap<Thumbprint, usize>,
    /// Oldest first, with the moment from which its proof is too old to be sent again.
    order: VecDeque<(UnixMillis, Mark, Thumbprint)>,
    latest: UnixMillis,
}

impl Replays {
    pub(super) fn new(capacity: Capacity) -> Self {
        Self {
            capacity,
            seen: HashSet::new(),
            by_key: HashMap::new(),
            order: VecDeque::new(),
            latest: UnixMillis(0),
        }
    }

    /// Admits a proof whose time was checked against the same `now`, once.
    pub(super) fn admit(
        &mut self,
        key: &Thumbprint,
        jti: &str,
        now: UnixMillis,
    ) -> Result<(), ReplayError> {
        if self.latest.saturating_since(now) > SKEW {
            return Err(ReplayError::Unavailable);
        }
        self.latest = self.latest.max(now);
        self.forget(now);
        let mark = mark(key, jti);
        if self.seen.contains(&mark) {
            return Err(ReplayError::Replayed);
        }
        let of_key = self.by_key.get(key).copied().unwrap_or(0);
        if self.seen.len() >= self.capacity.proofs || of_key >= self.capacity.per_key {
            return Err(ReplayError::Unavailable);
        }
        // A proof may be dated up to SKEW ahead, and the clock may step back by as much.
        let until = now.checked_add(PROOF_WINDOW + 2 * SKEW).ok_or(ReplayError::Unavailable)?;
        self.seen.insert(mark);
        self.by_key.insert(*key, of_key + 1);
        self.order.push_back((until, mark, *key));
        Ok(())
    }

    fn forget(&mut self, now: UnixMillis) {
        while let Some((_, mark, key)) = self.order.pop_front_if(|(until, ..)| *until < now) {
            self.seen.remove(&mark);
            if let Some(count) = self.by_key.get_mut(&key) {
                *count -= 1;
                if *count == 0 {
                    self.by_key.remove(&key);
                }
            }
        }
    }
}

/// Names a proof by its key and its `jti`: what one client sends says nothing about another's.
fn mark(key: &Thumbprint, jti: &str) -> Mark {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(key.as_bytes());
    hash.update(jti.as_bytes());
    hash.finish().as_ref()[..16].try_into().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;
    use crate::base64url;

    const NOW: UnixMillis = UnixMillis(1_000_000);
    /// How long a proof is remembered, ms.
    const KEPT: u64 = 70_000;

    fn key(byte: u8) -> Thumbprint {
        Thumbprint::parse(&base64url::encode([byte; 32])).unwrap()
    }

    fn replays() -> Replays {
        Replays::new(Capacity { proofs: 4, per_key: 2 })
    }

    #[test]
    fn a_proof_is_good_once() {
        let mut replays = replays();
        assert_eq!(replays.admit(&key(1), "a", NOW), Ok(()));
        assert_eq!(replays.admit(&key(1), "a", NOW), Err(ReplayError::Replayed));
        assert_eq!(replays.admit(&key(2), "a", NOW), Ok(()), "another key's is another proof");
    }

    #[test]
    fn a_proof_is_remembered_for_as_long_as_it_could_be_sent_again() {
        let mut replays = replays();
        replays.admit(&key(1), "a", NOW).unwrap();
        let end = UnixMillis(NOW.0 + KEPT);
        assert_eq!(replays.admit(&key(1), "a", end), Err(ReplayError::Replayed));
        assert_eq!(replays.admit(&key(1), "a", UnixMillis(end.0 + 1)), Ok(()));
        assert_eq!(replays.order.len(), 1);
        assert_eq!(replays.by_key.len(), 1);
    }

    #[test]
    fn a_full_memory_refuses_and_forgets_nothing() {
        let mut replays = replays();
        for byte in [1, 2, 3, 4] {
            replays.admit(&key(byte), "a", NOW).unwrap();
        }
        assert_eq!(replays.admit(&key(5), "a", NOW), Err(ReplayError::Unavailable));
        assert_eq!(replays.admit(&key(1), "a", NOW), Err(ReplayError::Replayed));
        assert_eq!(replays.admit(&key(5), "a", UnixMillis(NOW.0 + KEPT + 1)), Ok(()));
    }

    #[test]
    fn one_key_cannot_use_the_room_of_all() {
        let mut replays = replays();
        replays.admit(&key(1), "a", NOW).unwrap();
        replays.admit(&key(1), "b", NOW).unwrap();
        assert_eq!(replays.admit(&key(1), "c", NOW), Err(ReplayError::Unavailable));
        assert_eq!(replays.admit(&key(2), "c", NOW), Ok(()));
    }

    #[test]
    fn a_clock_that_steps_back_makes_no_proof_new() {
        let mut replays = replays();
        replays.admit(&key(1), "a", NOW).unwrap();
        let later = UnixMillis(NOW.0 + KEPT + 1);
        replays.admit(&key(2), "b", later).unwrap();
        assert_eq!(replays.admit(&key(1), "a", NOW), Err(ReplayError::Unavailable));
        assert_eq!(replays.admit(&key(3), "c", UnixMillis(later.0 - 5_000)), Ok(()));
    }
}
