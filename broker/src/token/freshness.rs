//! How long a checker may go on without hearing from the broker.

use crate::clock::UnixMillis;
use std::time::Duration;

/// How long a checker believes what it last heard. A kill waits for it at most this long, so it is
/// also the longest that a fenced kill takes.
pub const LEASE: Duration = Duration::from_secs(2);

/// Whether a checker has heard from the broker lately. One that has not must refuse everything.
///
/// It counts from when a heartbeat was *asked for*, not from when it came: an answer that was
/// under way for a second is a second old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    last_heard: Option<UnixMillis>,
    lease: Duration,
}

impl Freshness {
    /// Starts without having heard anything.
    pub fn new(lease: Duration) -> Self {
        Self { last_heard: None, lease }
    }

    /// Notes a heartbeat that answers what was asked at `asked`. An older one changes nothing.
    pub fn heard(&mut self, asked: UnixMillis) {
        self.last_heard = self.last_heard.max(Some(asked));
    }

    /// Forgets every heartbeat: the stream broke, or a record was missed.
    pub fn lost(&mut self) {
        self.last_heard = None;
    }

    /// Reports whether the lease still runs. A clock that stepped back ends it: how old the last
    /// heartbeat is can then not be known.
    #[must_use]
    pub fn is_fresh(&self, now: UnixMillis) -> bool {
        self.last_heard
            .is_some_and(|heard| heard <= now && now.saturating_since(heard) < self.lease)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEARD: UnixMillis = UnixMillis(10_000);

    fn heard() -> Freshness {
        let mut freshness = Freshness::new(LEASE);
        freshness.heard(HEARD);
        freshness
    }

    #[test]
    fn a_checker_that_heard_nothing_refuses() {
        assert!(!Freshness::new(LEASE).is_fresh(HEARD));
    }

    #[test]
    fn the_lease_ends_on_its_last_millisecond() {
        assert!(heard().is_fresh(HEARD));
        assert!(heard().is_fresh(UnixMillis(11_999)));
        assert!(!heard().is_fresh(UnixMillis(12_000)));
        assert!(!heard().is_fresh(UnixMillis(u64::MAX)));
    }

    #[test]
    fn a_clock_that_stepped_back_ends_the_lease() {
        assert!(!heard().is_fresh(UnixMillis(9_999)));
    }

    #[test]
    fn an_answer_that_comes_late_does_not_shorten_the_lease() {
        let mut freshness = heard();
        freshness.heard(UnixMillis(9_000));
        assert!(freshness.is_fresh(UnixMillis(11_999)));
    }

    #[test]
    fn a_broken_stream_ends_the_lease_at_once() {
        let mut freshness = heard();
        freshness.lost();
        assert!(!freshness.is_fresh(HEARD));
    }
}
