//! Which tokens are known to be good, and until when that may be believed.

use crate::clock::UnixMillis;
use crate::token::{Freshness, LEASE};
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many tokens are remembered. Of more, each is asked about.
const MOST: usize = 100_000;

/// What the broker has said, for as long as its stream is up.
#[derive(Default)]
pub(super) struct Known(Mutex<Inner>);

struct Inner {
    fresh: Freshness,
    /// Good tokens by `jti`, with when it was asked.
    good: HashMap<String, UnixMillis>,
    /// Counts what was forgotten. An answer that was asked for before something was forgotten is not
    /// remembered: it may be about that.
    epoch: u64,
    /// Tokens that have ended since the epoch below: an answer that was under way says otherwise.
    gone: HashSet<String>,
    floor: u64,
    /// The last record that was taken in.
    seq: u64,
    /// A heartbeat that was asked for, and the record that must be taken in before it counts.
    owed: Option<(UnixMillis, u64)>,
}

impl Known {
    pub(super) fn is_fresh(&self, now: UnixMillis) -> bool {
        self.lock().fresh.is_fresh(now)
    }

    /// Says whether a token is known to be good.
    pub(super) fn is_good(&self, jti: &str, now: UnixMillis) -> bool {
        let inner = self.lock();
        let recent = |asked: &UnixMillis| *asked <= now && now.saturating_since(*asked) < LEASE;
        inner.fresh.is_fresh(now) && inner.good.get(jti).is_some_and(recent)
    }

    pub(super) fn epoch(&self) -> u64 {
        self.lock().epoch
    }

    /// Hears that a token was good when it was asked about, says whether it still is, and remembers it.
    /// Nothing if what has ended meanwhile is not known: then it has to be asked again.
    pub(super) fn good(&self, jti: &str, asked: UnixMillis, epoch: u64) -> Option<bool> {
        let mut inner = self.lock();
        if epoch < inner.floor {
            return None;
        }
        if inner.gone.contains(jti) {
            return Some(false);
        }
        if inner.epoch != epoch {
            return Some(true);
        }
        if inner.good.len() >= MOST {
            let recent = |then: UnixMillis| asked.saturating_since(then) < LEASE;
            inner.good.retain(|_, then| recent(*then));
        }
        if inner.good.len() < MOST {
            inner.good.insert(jti.to_owned(), asked);
        }
        Some(true)
    }

    /// Forgets everything: the stream is a new one, or broke.
    pub(super) fn forget(&self, seq: u64) {
        let mut inner = self.lock();
        let epoch = inner.epoch + 1;
        *inner = Inner { epoch, floor: epoch, seq, ..Inner::default() };
    }

    /// Forgets tokens that are good no longer.
    pub(super) fn ended<'a>(&self, tokens: impl Iterator<Item = &'a str>) {
        let mut inner = self.lock();
        inner.epoch += 1;
        for jti in tokens {
            inner.good.remove(jti);
            inner.gone.insert(jti.to_owned());
        }
        if inner.gone.len() > MOST {
            inner.gone.clear();
            inner.floor = inner.epoch;
        }
    }

    /// Forgets all tokens: the keys have changed.
    pub(super) fn all_ended(&self) {
        let mut inner = self.lock();
        inner.epoch += 1;
        inner.floor = inner.epoch;
        inner.good.clear();
    }

    /// Notes that everything up to a record was taken in.
    pub(super) fn took_in(&self, seq: u64) {
        let mut inner = self.lock();
        inner.seq = inner.seq.max(seq);
        inner.settle();
    }

    /// Notes that a heartbeat, asked for then, named a record. It counts once that is taken in.
    pub(super) fn answered(&self, asked: UnixMillis, seq: u64) {
        let mut inner = self.lock();
        inner.owed = Some((asked, seq));
        inner.settle();
    }

    /// Returns the last record that was taken in.
    pub(super) fn seq(&self) -> u64 {
        self.lock().seq
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            fresh: Freshness::new(LEASE),
            good: HashMap::new(),
            epoch: 0,
            gone: HashSet::new(),
            floor: 0,
            seq: 0,
            owed: None,
        }
    }
}

impl Inner {
    fn settle(&mut self) {
        if let Some((asked, _)) = self.owed.take_if(|(_, seq)| *seq <= self.seq) {
            self.fresh.heard(asked);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(10_000);

    fn known() -> Known {
        let known = Known::default();
        known.took_in(5);
        known.answered(NOW, 5);
        assert_eq!(known.good("a", NOW, known.epoch()), Some(true));
        known
    }

    #[test]
    fn an_answer_is_believed_for_the_lease_and_not_a_millisecond_longer() {
        assert!(known().is_good("a", UnixMillis(NOW.0 + 1_999)));
        assert!(!known().is_good("a", UnixMillis(NOW.0 + 2_000)));
        assert!(!known().is_good("a", UnixMillis(NOW.0 - 1)), "the clock stepped back");
        assert!(!known().is_good("b", NOW));
    }

    #[test]
    fn nothing_is_believed_before_the_record_of_a_heartbeat_was_taken_in() {
        let known = Known::default();
        known.answered(NOW, 5);
        assert_eq!(known.good("a", NOW, known.epoch()), Some(true));
        assert!(!known.is_good("a", NOW));
        known.took_in(4);
        assert!(!known.is_good("a", NOW));
        known.took_in(5);
        assert!(known.is_good("a", NOW));
    }

    #[test]
    fn an_answer_that_was_under_way_when_something_ended_is_not_remembered() {
        let known = known();
        let before = known.epoch();
        known.ended(["b"].into_iter());
        assert_eq!(known.good("b", NOW, before), Some(false), "it has ended");
        assert_eq!(known.good("c", NOW, before), Some(true));
        assert!(!known.is_good("b", NOW) && !known.is_good("c", NOW) && known.is_good("a", NOW));
        known.ended(["a"].into_iter());
        assert!(!known.is_good("a", NOW));
    }

    #[test]
    fn a_stream_that_breaks_takes_everything_with_it() {
        let known = known();
        let before = known.epoch();
        known.forget(0);
        assert_eq!(known.good("a", NOW, before), None, "it has to be asked again");
        assert!(!known.is_fresh(NOW) && !known.is_good("a", NOW));
        known.took_in(9);
        known.answered(NOW, 9);
        assert!(known.is_fresh(NOW) && !known.is_good("a", NOW));
    }
}
