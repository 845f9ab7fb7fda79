//! Which leases are under way, held or over, and the tokens that only their bearer can revoke.

use super::error::ProviderError;
use super::source::Secret;
use crate::id::LeaseId;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many leases that are over are remembered, so that a late attempt under one of them makes
/// nothing. Fewer would only matter to an attempt that starts after so many others have ended.
const REMEMBERED: usize = 4096;
/// When to ask again about a lease that is still being made.
const UNDER_WAY: Duration = Duration::from_millis(100);

/// The leases of one provider in this process.
#[derive(Debug, Default)]
pub(super) struct Custody {
    shelf: Mutex<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    slots: HashMap<LeaseId, Slot>,
    over: VecDeque<LeaseId>,
}

#[derive(Debug)]
enum Slot {
    /// A request may be on its way.
    UnderWay { revoked: bool },
    /// The upstream gave this.
    Held(Secret),
    /// What was made, if anything, is not known: an attempt was cut off, or another process made one.
    Lost,
    /// Nothing may be made any more, and nothing is left to revoke.
    Over,
}

/// What is left to do for a revocation.
#[derive(Debug)]
pub(super) enum Closing {
    /// Revoke this.
    Token(Secret),
    /// This process never heard of it, or lost it: whatever there is cannot be named.
    Unknown,
    /// It was revoked before.
    Over,
}

impl Custody {
    /// Starts an attempt; refused if the lease was used or revoked before.
    pub(super) fn begin(&self, lease: &LeaseId) -> Result<Attempt<'_>, ProviderError> {
        let mut shelf = self.shelf();
        if shelf.slots.contains_key(lease) {
            return Err(ProviderError::Gone);
        }
        shelf.slots.insert(lease.clone(), Slot::UnderWay { revoked: false });
        Ok(Attempt { custody: self, lease: lease.clone(), done: false })
    }

    /// Forbids further attempts, and returns what there is to revoke.
    pub(super) fn close(&self, lease: &LeaseId) -> Result<Closing, ProviderError> {
        let mut shelf = self.shelf();
        match shelf.slots.get_mut(lease) {
            Some(Slot::UnderWay { revoked }) => {
                *revoked = true;
                Err(under_way())
            }
            Some(Slot::Held(token)) => Ok(Closing::Token(token.clone())),
            Some(Slot::Lost) => Ok(Closing::Unknown),
            Some(Slot::Over) => Ok(Closing::Over),
            None => {
                shelf.bury(lease, Slot::Lost);
                Ok(Closing::Unknown)
            }
        }
    }

    /// Forbids further attempts, and reports whether one is under way.
    pub(super) fn forbid(&self, lease: &LeaseId) -> bool {
        let mut shelf = self.shelf();
        match shelf.slots.get_mut(lease) {
            Some(Slot::UnderWay { revoked }) => {
                *revoked = true;
                return true;
            }
            Some(_) => {}
            None => shelf.bury(lease, Slot::Lost),
        }
        false
    }

    /// Drops what was held, although upstream may still know it.
    pub(super) fn lose(&self, lease: &LeaseId) {
        self.shelf().bury(lease, Slot::Lost);
    }

    /// Drops what was held, since upstream no longer knows it.
    pub(super) fn forget(&self, lease: &LeaseId) {
        self.shelf().bury(lease, Slot::Over);
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that a revocation has to come again, for what it looked for may be made after it looked.
pub(super) fn under_way() -> ProviderError {
    let why = "the credential is still being made".to_owned();
    ProviderError::Later { after: Some(UNDER_WAY), why }
}

impl Shelf {
    fn bury(&mut self, lease: &LeaseId, slot: Slot) {
        if let Some(Slot::Over | Slot::Lost) = self.slots.insert(lease.clone(), slot) {
            return;
        }
        self.over.push_back(lease.clone());
        if self.over.len() > REMEMBERED
            && let Some(oldest) = self.over.pop_front()
        {
            self.slots.remove(&oldest);
        }
    }
}

/// One attempt to make a credential; dropped without an end, what it made is lost.
pub(super) struct Attempt<'a> {
    custody: &'a Custody,
    lease: LeaseId,
    done: bool,
}

impl Attempt<'_> {
    /// Ends the attempt with what the upstream gave; refused if it was revoked meanwhile, and then
    /// it is still held, for the revocation that comes again.
    pub(super) fn keep(mut self, token: Secret) -> Result<(), ProviderError> {
        self.done = true;
        let mut shelf = self.custody.shelf();
        match shelf.slots.insert(self.lease.clone(), Slot::Held(token)) {
            Some(Slot::UnderWay { revoked: false }) => Ok(()),
            _ => Err(ProviderError::Gone),
        }
    }

    /// Reports whether it was revoked meanwhile.
    pub(super) fn is_revoked(&self) -> bool {
        !matches!(
            self.custody.shelf().slots.get(&self.lease),
            Some(Slot::UnderWay { revoked: false })
        )
    }

    /// Ends the attempt: the upstream said that it made nothing.
    pub(super) fn nothing_made(mut self) {
        self.done = true;
        self.custody.forget(&self.lease);
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.custody.shelf().bury(&self.lease, Slot::Lost);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail")]
    use super::*;

    fn lease(n: u8) -> LeaseId {
        LeaseId::from_random([n; 10])
    }

    fn token() -> Secret {
        Secret::new("t0ken".to_owned()).unwrap()
    }

    #[test]
    fn a_lease_is_made_once() {
        let custody = Custody::default();
        custody.begin(&lease(1)).unwrap().keep(token()).unwrap();
        assert!(matches!(custody.begin(&lease(1)), Err(ProviderError::Gone)));
        assert!(matches!(custody.close(&lease(1)), Ok(Closing::Token(_))));
        custody.forget(&lease(1));
        assert!(matches!(custody.close(&lease(1)), Ok(Closing::Over)));
        assert!(matches!(custody.begin(&lease(1)), Err(ProviderError::Gone)));
    }

    #[test]
    fn what_arrives_after_its_revocation_is_refused_and_still_revoked() {
        let custody = Custody::default();
        let attempt = custody.begin(&lease(1)).unwrap();
        assert!(matches!(custody.close(&lease(1)), Err(ProviderError::Later { .. })));
        assert!(attempt.is_revoked());
        assert_eq!(attempt.keep(token()), Err(ProviderError::Gone));
        assert!(matches!(custody.close(&lease(1)), Ok(Closing::Token(_))));
    }

    #[test]
    fn nothing_can_be_made_under_a_lease_that_was_revoked_first() {
        let custody = Custody::default();
        for _ in 0..2 {
            assert!(matches!(custody.close(&lease(1)), Ok(Closing::Unknown)));
            assert!(matches!(custody.begin(&lease(1)), Err(ProviderError::Gone)));
        }
    }

    #[test]
    fn what_is_forbidden_is_told_apart_from_what_is_under_way() {
        let custody = Custody::default();
        assert!(!custody.forbid(&lease(1)));
        assert!(matches!(custody.begin(&lease(1)), Err(ProviderError::Gone)));
        let attempt = custody.begin(&lease(2)).unwrap();
        assert!(custody.forbid(&lease(2)));
        assert!(attempt.is_revoked());
        drop(attempt);
        assert!(!custody.forbid(&lease(2)));
    }

    #[test]
    fn what_is_held_and_cannot_be_revoked_is_never_said_to_be_gone() {
        let custody = Custody::default();
        custody.begin(&lease(1)).unwrap().keep(token()).unwrap();
        custody.lose(&lease(1));
        assert!(matches!(custody.close(&lease(1)), Ok(Closing::Unknown)));
        assert!(matches!(custody.begin(&lease(1)), Err(ProviderError::Gone)));
    }

    #[test]
    fn a_dropped_attempt_is_lost_and_a_refused_one_over() {
        let custody = Custody::default();
        drop(custody.begin(&lease(1)).unwrap());
        assert!(matches!(custody.close(&lease(1)), Ok(Closing::Unknown)));
        custody.begin(&lease(2)).unwrap().nothing_made();
        assert!(matches!(custody.close(&lease(2)), Ok(Closing::Over)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let custody = Custody::default();
        for n in 0..REMEMBERED + 10 {
            let mut random = [0; 10];
            random[..8].copy_from_slice(&n.to_le_bytes());
            custody.forget(&LeaseId::from_random(random));
        }
        assert_eq!(custody.shelf().slots.len(), REMEMBERED);
    }
}
