//! Time as an argument: the instants that decisions take, and the one place that asks the machine.

use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// An instant: milliseconds since 1970-01-01 UTC, without leap seconds.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// Returns the instant that is later by this much, or nothing if there is no such instant.
    ///
    /// Fractions of a millisecond are dropped, so that a deadline never moves later.
    pub fn checked_add(self, by: Duration) -> Option<Self> {
        let by = u64::try_from(by.as_millis()).ok()?;
        self.0.checked_add(by).map(Self)
    }

    /// Returns how much later this is than `earlier`; zero if it is not later.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Returns the present instant.
    fn now(&self) -> UnixMillis;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    /// An instant before 1970 reads as 1970: a guard that saw a later one then refuses it.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine")]
    fn now(&self) -> UnixMillis {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// A clock that only moves when it is told to, for tests.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// Makes a clock that stands at an instant.
    pub fn new(now: UnixMillis) -> Self {
        Self(AtomicU64::new(now.0))
    }

    /// Sets the clock, forwards or backwards.
    pub fn set(&self, now: UnixMillis) {
        self.0.store(now.0, Ordering::SeqCst);
    }

    /// Moves the clock forwards.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.0.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::SeqCst))
    }
}

/// Why an instant cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClockError {
    /// The clock is behind what it showed before, by more than is tolerated: deadlines that have
    /// passed would lie ahead again.
    #[error("the clock stepped back by {} ms; set it right, or wait until it has caught up", by.as_millis())]
    SteppedBack {
        /// By how much.
        by: Duration,
    },
}

/// Remembers the latest instant that was seen and refuses to go back.
#[derive(Debug, Clone, Copy)]
pub struct MonotonicGuard {
    latest: UnixMillis,
    tolerance: Duration,
}

impl MonotonicGuard {
    /// Makes a guard that has seen `latest`, such as the last record of a ledger.
    ///
    /// A step back of up to `tolerance` is taken for the small correction that every clock gets: the
    /// latest instant then stands still until the clock has caught up.
    pub fn new(latest: UnixMillis, tolerance: Duration) -> Self {
        Self { latest, tolerance }
    }

    /// Takes what a clock says and returns an instant that is never before an earlier one.
    pub fn observe(&mut self, now: UnixMillis) -> Result<UnixMillis, ClockError> {
        let by = self.latest.saturating_since(now);
        if by > self.tolerance {
            return Err(ClockError::SteppedBack { by });
        }
        self.latest = self.latest.max(now);
        Ok(self.latest)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_never_moves_later_and_never_wraps() {
        let now = UnixMillis(1_000);
        assert_eq!(now.checked_add(Duration::from_micros(1_999)), Some(UnixMillis(1_001)));
        assert_eq!(UnixMillis(u64::MAX).checked_add(Duration::from_millis(1)), None);
        assert_eq!(now.checked_add(Duration::MAX), None);
        assert_eq!(UnixMillis(5).saturating_since(now), Duration::ZERO);
        assert_eq!(now.saturating_since(UnixMillis(5)), Duration::from_millis(995));
    }

    #[test]
    fn an_instant_is_written_as_a_number() {
        assert_eq!(serde_json::to_string(&UnixMillis(17)).unwrap(), "17");
        assert_eq!(serde_json::from_str::<UnixMillis>("17").unwrap(), UnixMillis(17));
    }

    #[test]
    fn a_clock_that_steps_back_is_refused_with_how_far_it_went() {
        let clock = ManualClock::new(UnixMillis(10_000));
        let mut guard = MonotonicGuard::new(UnixMillis(9_000), Duration::from_millis(50));
        assert_eq!(guard.observe(clock.now()), Ok(UnixMillis(10_000)));

        clock.set(UnixMillis(9_949));
        let by = Duration::from_millis(51);
        assert_eq!(guard.observe(clock.now()), Err(ClockError::SteppedBack { by }));

        clock.advance(Duration::from_millis(1));
        assert_eq!(guard.observe(clock.now()), Ok(UnixMillis(10_000)), "it stands still");
        clock.advance(Duration::from_secs(1));
        assert_eq!(guard.observe(clock.now()), Ok(UnixMillis(10_950)));
    }

    #[test]
    fn the_machine_knows_that_it_is_later_than_this_was_written() {
        assert!(SystemClock.now() > UnixMillis(1_700_000_000_000));
    }
}
