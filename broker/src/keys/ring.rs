//! Which key of a purpose signs, which will, and which may still be checked.

use super::{Jwks, PublicJwk, Purpose, Thumbprint};
use crate::clock::UnixMillis;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a key is published before it signs, and so how long checkers may keep our key set.
///
/// If this were shorter than what the key set's `cache-control` allows, a checker would meet a key
/// that it has not heard of.
pub const PUBLISH_AHEAD: Duration = Duration::from_secs(300);

/// How long a key is published after it stopped signing.
///
/// It covers the longest token (300 s), the skew that a checker allows (5 s) on both sides, and a
/// signer that had not yet heard of the change. If it were shorter, good tokens would be refused.
pub const RETIRE_AFTER: Duration = Duration::from_secs(330);

/// The keys of one purpose. It is what its [`KeyEvent`]s make it; the private halves lie elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRing {
    purpose: Purpose,
    newest: u32,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    current: Option<RingKey>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    next: Option<RingKey>,
    retiring: Vec<RetiringKey>,
}

/// One key of a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingKey {
    /// The number under which its private half is stored, from 1.
    pub generation: u32,
    /// The public half.
    pub jwk: PublicJwk,
    /// Since when it is published.
    pub published: UnixMillis,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct RetiringKey {
    key: RingKey,
    until: UnixMillis,
}

/// A change of a ring, as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum KeyEvent {
    /// A key is published. It signs at once if none does, and is the next one otherwise.
    Published {
        /// The key.
        key: RingKey,
    },
    /// The next key signs from now on; the one before may be checked until `retire_at`.
    Promoted {
        /// The key that signs from now on.
        kid: Thumbprint,
        /// When the key before it leaves the key set.
        retire_at: UnixMillis,
    },
    /// A key is worthless at once, with everything that it signed.
    Removed {
        /// The key.
        kid: Thumbprint,
    },
}

/// Why a ring does not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RingError {
    /// A next key is published already; it is the one to rotate to.
    #[error("the next key is published already; rotate to it")]
    NextExists,
    /// No next key is published; publish one first.
    #[error("no next key is published; publish one first")]
    NoNext,
    /// Checkers may not have heard of the next key yet.
    #[error("checkers may not know the next key before {} ms since the epoch; wait, or remove the current key if it is lost", .ready.0)]
    TooEarly {
        /// When it may sign.
        ready: UnixMillis,
    },
    /// No key of that name is in the ring.
    #[error("the ring has no such key")]
    NoSuchKey,
    /// The key has the number or the name of one that was published before.
    #[error("the key was published before; make a new one")]
    NotNew,
}

impl KeyRing {
    /// Makes a ring without keys.
    pub fn new(purpose: Purpose) -> Self {
        Self { purpose, newest: 0, current: None, next: None, retiring: Vec::new() }
    }

    /// Returns what its keys sign.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Returns the key that signs.
    pub fn current(&self) -> Option<&RingKey> {
        self.current.as_ref()
    }

    /// Returns the key that will sign.
    pub fn next(&self) -> Option<&RingKey> {
        self.next.as_ref()
    }

    /// Returns the number for the next new key. Numbers of removed keys are not used again.
    pub fn next_generation(&self) -> u32 {
        self.newest + 1
    }

    /// Decides to publish a new key, which must have the [next number](Self::next_generation).
    pub fn publish(&self, jwk: PublicJwk, generation: u32, now: UnixMillis) -> Decided {
        let kid = jwk.thumbprint();
        if generation != self.next_generation() || self.find(kid).is_some() {
            return Err(RingError::NotNew);
        }
        if self.next.is_some() {
            return Err(RingError::NextExists);
        }
        Ok(vec![KeyEvent::Published { key: RingKey { generation, jwk, published: now } }])
    }

    /// Decides to sign with the next key from now on.
    pub fn rotate(&self, now: UnixMillis) -> Decided {
        let next = self.next.as_ref().ok_or(RingError::NoNext)?;
        let ready = later(next.published, PUBLISH_AHEAD);
        if now < ready {
            return Err(RingError::TooEarly { ready });
        }
        Ok(vec![promote(next, now)])
    }

    /// Decides to remove a key that is lost or stolen; what it signed is refused at once.
    ///
    /// If it was the key that signs, the next key takes its place without waiting: a checker that
    /// does not know it yet refuses, which is the safe side. If there is no next key, nothing can be
    /// signed until one is published.
    pub fn emergency_remove(&self, kid: Thumbprint, now: UnixMillis) -> Decided {
        self.find(kid).ok_or(RingError::NoSuchKey)?;
        let mut events = vec![KeyEvent::Removed { kid }];
        let is_current = self.current.is_some_and(|key| key.jwk.thumbprint() == kid);
        if let Some(next) = self.next.as_ref().filter(|_| is_current) {
            events.push(promote(next, now));
        }
        Ok(events)
    }

    /// Applies a change that is durable; `at` is when it was recorded.
    pub fn apply(&mut self, event: &KeyEvent, at: UnixMillis) {
        self.retiring.retain(|retiring| retiring.until > at);
        match event {
            KeyEvent::Published { key } => {
                self.newest = self.newest.max(key.generation);
                let place = if self.current.is_none() { &mut self.current } else { &mut self.next };
                *place = Some(*key);
            }
            KeyEvent::Promoted { kid, retire_at } => {
                let Some(next) = self.next.take_if(|next| next.jwk.thumbprint() == *kid) else {
                    return;
                };
                let before = self.current.replace(next);
                let retiring = before.map(|key| RetiringKey { key, until: *retire_at });
                self.retiring.extend(retiring);
            }
            KeyEvent::Removed { kid } => {
                let is_it = |key: &mut RingKey| key.jwk.thumbprint() == *kid;
                self.current.take_if(is_it);
                self.next.take_if(is_it);
                self.retiring.retain_mut(|retiring| !is_it(&mut retiring.key));
            }
        }
    }

    /// Returns the keys that checkers are told of.
    pub fn jwks(&self, now: UnixMillis) -> Jwks {
        let retiring = self.retiring.iter().filter(|retiring| retiring.until > now);
        let keys = self.current.iter().chain(&self.next).chain(retiring.map(|r| &r.key));
        keys.map(|key| key.jwk).collect()
    }

    /// Returns the numbers of the keys whose private halves are still needed: those that sign or
    /// will. Any other file can be removed.
    pub fn generations(&self) -> impl Iterator<Item = u32> {
        self.current.iter().chain(&self.next).map(|key| key.generation)
    }

    /// Returns the number of a key that may still be checked.
    pub fn generation_of(&self, kid: Thumbprint) -> Option<u32> {
        self.find(kid).map(|key| key.generation)
    }

    fn find(&self, kid: Thumbprint) -> Option<&RingKey> {
        let retiring = self.retiring.iter().map(|retiring| &retiring.key);
        let mut keys = self.current.iter().chain(&self.next).chain(retiring);
        keys.find(|key| key.jwk.thumbprint() == kid)
    }
}

/// The changes that were decided, to be recorded in one commit and then applied.
pub type Decided = Result<Vec<KeyEvent>, RingError>;

fn promote(next: &RingKey, now: UnixMillis) -> KeyEvent {
    let retire_at = later(now, RETIRE_AFTER);
    KeyEvent::Promoted { kid: next.jwk.thumbprint(), retire_at }
}

/// Adds without end: a key that would retire after the end of time never does.
fn later(moment: UnixMillis, duration: Duration) -> UnixMillis {
    moment.checked_add(duration).unwrap_or(UnixMillis(u64::MAX))
}

#[cfg(test)]
#[path = "ring_tests.rs"]
mod tests;
