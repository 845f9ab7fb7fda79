//! How long a token lives.

use crate::clock::UnixMillis;
use serde::Serialize;
use std::time::Duration;

/// How long a token lives if nobody says otherwise.
pub const DEFAULT_TTL: Duration = Duration::from_secs(60);

/// The longest life of a token. A checker that is not fenced accepts a killed task's token for no
/// longer than this, so what is promised about a kill depends on it.
pub const LONGEST_TTL: Duration = Duration::from_secs(300);

/// When a token was issued and when it ends, in seconds since the epoch (RFC 7519 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Lifetime {
    #[serde(rename = "iat")]
    issued: u64,
    #[serde(rename = "exp")]
    expires: u64,
}

/// Why there is no such life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LifetimeError {
    /// Longer than five minutes, or shorter than a second.
    #[error("a token lives from 1 s to 300 s; ask for a time between")]
    Ttl,
    /// Less than a second is left until the task's deadline.
    #[error("the task is over within a second, so no token is made for it")]
    TaskOver,
}

impl Lifetime {
    /// Gives a token as much of `ttl` as is left until the task's deadline.
    ///
    /// Both ends are rounded down to seconds, so that no token outlives its task.
    pub fn new(
        now: UnixMillis,
        ttl: Duration,
        deadline: UnixMillis,
    ) -> Result<Self, LifetimeError> {
        if ttl < Duration::from_secs(1) || ttl > LONGEST_TTL {
            return Err(LifetimeError::Ttl);
        }
        let issued = now.0 / 1000;
        // From the rounded start: a life of 300 s must not become one of 301.
        let wished = issued.saturating_add(ttl.as_secs());
        let expires = wished.min(deadline.0 / 1000);
        if expires <= issued {
            return Err(LifetimeError::TaskOver);
        }
        Ok(Self { issued, expires })
    }

    /// Takes what a token says about itself: a life that is no longer than ours may be.
    pub(super) fn claimed(issued: u64, expires: u64) -> Option<Self> {
        let length = expires.checked_sub(issued)?;
        let fits = length > 0 && length <= LONGEST_TTL.as_secs();
        fits.then_some(Self { issued, expires })
    }

    /// Returns when the token was issued, in seconds since the epoch.
    pub fn issued(&self) -> u64 {
        self.issued
    }

    /// Returns when the token ends, in seconds since the epoch.
    pub fn expires(&self) -> u64 {
        self.expires
    }

    /// Returns the moment at which it ends.
    pub fn ends_at(&self) -> UnixMillis {
        UnixMillis(self.expires.saturating_mul(1000))
    }

    /// Returns the moment at which half of it is over, when its successor is due.
    pub fn half_life(&self) -> UnixMillis {
        let half = (self.expires - self.issued).saturating_mul(500);
        UnixMillis(self.issued.saturating_mul(1000).saturating_add(half))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FAR: UnixMillis = UnixMillis(u64::MAX);

    fn lifetime(now: u64, ttl: u64, deadline: u64) -> Result<(u64, u64), LifetimeError> {
        let ttl = Duration::from_millis(ttl);
        let lifetime = Lifetime::new(UnixMillis(now), ttl, UnixMillis(deadline))?;
        Ok((lifetime.issued(), lifetime.expires()))
    }

    #[test]
    fn a_token_lives_from_one_second_to_five_minutes() {
        assert_eq!(lifetime(10_999, 1_000, FAR.0), Ok((10, 11)));
        assert_eq!(lifetime(10_999, 300_000, FAR.0), Ok((10, 310)));
        for ttl in [0, 999, 300_001, u64::MAX] {
            assert_eq!(lifetime(10_000, ttl, FAR.0), Err(LifetimeError::Ttl), "{ttl}");
        }
    }

    #[test]
    fn a_token_ends_with_its_task_at_the_latest() {
        assert_eq!(lifetime(10_000, 60_000, 12_999), Ok((10, 12)));
        for deadline in [0, 9_000, 10_000, 10_999] {
            assert_eq!(lifetime(10_000, 60_000, deadline), Err(LifetimeError::TaskOver));
        }
    }

    #[test]
    fn a_token_is_renewed_when_half_of_it_is_over() {
        let lifetime = Lifetime::new(UnixMillis(10_000), DEFAULT_TTL, FAR).unwrap();
        assert_eq!(lifetime.half_life(), UnixMillis(40_000));
        assert_eq!(lifetime.ends_at(), UnixMillis(70_000));
    }

    proptest! {
        #[test]
        fn no_token_outlives_its_task_or_five_minutes(now: u64, ttl in 0u64..400_000, deadline: u64) {
            if let Ok((issued, expires)) = lifetime(now, ttl, deadline) {
                prop_assert!(issued < expires && expires - issued <= 300);
                prop_assert!(expires * 1000 <= deadline && issued * 1000 <= now);
                prop_assert!(Lifetime::claimed(issued, expires).is_some());
            }
        }
    }
}
