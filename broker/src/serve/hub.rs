//! The checkers that listen, and until when each may believe what it knows.
//!
//! A checker renews its belief by asking ([`Hub::renew`]); the answer names the last record, and only
//! who has taken in that record may believe what it knows, for the lease, counted from when it asked.
//! So a kill need not wait for a checker that has taken in its record, nor for one whose renewals from
//! before that record are a lease ago: it believes nothing any more.

use crate::token::LEASE;
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// How many streams there may be, in all and of one checker.
const MOST: usize = 256;
const MOST_OF_ONE: usize = 32;
/// How many renewals of a lease are told apart. Of more, the oldest counts as if it were the next.
const RENEWALS: usize = 32;

/// Everybody who listens.
#[derive(Default)]
pub(super) struct Hub {
    listeners: Mutex<BTreeMap<String, Listener>>,
    /// Told when somebody has renewed, and when all are to be sent a heartbeat.
    renewed: watch::Sender<u64>,
    nudged: watch::Sender<u64>,
}

struct Listener {
    checker: String,
    open: bool,
    /// The last record that was taken in.
    acked: u64,
    /// When renewals were asked for, and the record that their answers named.
    renewals: VecDeque<(Instant, u64)>,
}

/// What a kill found out about one listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Heard {
    checker: String,
    stream: String,
    outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// It has taken in the kill.
    Acked,
    /// It has not, and its lease is over: it must refuse what it does not ask about.
    Lapsed,
}

/// One open stream. Dropped, it is closed; what its checker believes is over a lease later.
pub(super) struct Stream {
    pub(super) name: String,
    hub: Arc<Hub>,
}

impl Hub {
    /// Opens a stream, if there is room.
    pub(super) fn open(self: &Arc<Self>, checker: &str) -> Option<Stream> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).ok()?;
        let name = crate::base64url::encode(random);
        let mut listeners = self.lock();
        prune(&mut listeners);
        let own = listeners.values().filter(|listener| listener.checker == checker).count();
        if listeners.len() >= MOST || own >= MOST_OF_ONE {
            return None;
        }
        let listener = Listener {
            checker: checker.to_owned(),
            open: true,
            acked: 0,
            renewals: VecDeque::new(),
        };
        listeners.insert(name.clone(), listener);
        Some(Stream { name, hub: Arc::clone(self) })
    }

    /// Says whether a checker has such a stream open.
    pub(super) fn has(&self, checker: &str, stream: &str) -> bool {
        self.lock().get(stream).is_some_and(|listener| listener.is_open(checker))
    }

    /// Notes what a checker has taken in, and that it was answered with `seq` to what it asked then.
    /// False if it has no such stream open any more; then it must not be answered.
    #[must_use]
    pub(super) fn renew(
        &self,
        checker: &str,
        stream: &str,
        acked: u64,
        asked: Instant,
        seq: u64,
    ) -> bool {
        let mut listeners = self.lock();
        let Some(listener) = listeners.get_mut(stream) else { return false };
        if !listener.is_open(checker) {
            return false;
        }
        // Nobody has taken in what is not there.
        listener.acked = listener.acked.max(acked.min(seq));
        if listener.renewals.len() >= RENEWALS
            && let Some((_, oldest)) = listener.renewals.pop_front()
            && let Some((_, next)) = listener.renewals.front_mut()
        {
            *next = oldest.min(*next);
        }
        listener.renewals.push_back((asked, seq));
        drop(listeners);
        self.renewed.send_modify(|count| *count = count.wrapping_add(1));
        true
    }

    /// Waits until no checker believes what it knew before a record, which is at most the lease.
    pub(super) async fn fence(&self, record: u64) -> Vec<Heard> {
        let mut renewed = self.renewed.subscribe();
        self.nudged.send_modify(|count| *count = count.wrapping_add(1));
        let mut heard = BTreeMap::new();
        loop {
            renewed.mark_unchanged();
            let until = self.look(record, &mut heard);
            let Some(until) = until else { return heard.into_values().collect() };
            // Both mean the same: look again. The sender lives as long as the hub.
            let _ = timeout_at(until, renewed.changed()).await;
        }
    }

    /// Tells when a heartbeat is to be sent at once.
    pub(super) fn nudges(&self) -> watch::Receiver<u64> {
        self.nudged.subscribe()
    }

    /// Finds out what became of each listener, and until when to wait for the others.
    fn look(&self, record: u64, heard: &mut BTreeMap<String, Heard>) -> Option<Instant> {
        let now = Instant::now();
        let mut wait: Option<Instant> = None;
        for (name, listener) in &*self.lock() {
            let believes = listener.believes_until(record);
            let outcome = match believes.filter(|until| *until > now) {
                _ if listener.acked >= record => Outcome::Acked,
                Some(until) => {
                    wait = Some(wait.map_or(until, |wait| wait.min(until)));
                    continue;
                }
                None => Outcome::Lapsed,
            };
            let heard = heard.entry(name.clone()).or_insert_with(|| Heard {
                checker: listener.checker.clone(),
                stream: name.clone(),
                outcome,
            });
            heard.outcome = outcome;
        }
        wait
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Listener>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener {
    fn is_open(&self, checker: &str) -> bool {
        self.open && self.checker == checker
    }

    /// Until when it may believe what it knew before a record.
    fn believes_until(&self, record: u64) -> Option<Instant> {
        let before = self.renewals.iter().filter(|(_, seq)| *seq < record);
        before.map(|(asked, _)| *asked + LEASE).max()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut listeners = self.hub.lock();
        if let Some(listener) = listeners.get_mut(&self.name) {
            listener.open = false;
        }
        prune(&mut listeners);
    }
}

/// Forgets the listeners that have gone and believe nothing any more.
fn prune(listeners: &mut BTreeMap<String, Listener>) {
    let now = Instant::now();
    let believes =
        |listener: &Listener| listener.believes_until(u64::MAX).is_some_and(|until| until > now);
    listeners.retain(|_, listener| listener.open || believes(listener));
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail")]
    use super::*;
    use std::time::Duration;

    fn outcomes(heard: Vec<Heard>) -> Vec<Outcome> {
        heard.into_iter().map(|heard| heard.outcome).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_kill_waits_for_nobody_where_nobody_believes_anything() {
        let hub = Arc::new(Hub::default());
        assert_eq!(hub.fence(7).await, []);
        let _stream = hub.open("api").unwrap();
        let started = Instant::now();
        assert_eq!(outcomes(hub.fence(7).await), [Outcome::Lapsed]);
        assert_eq!(started.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_kill_waits_until_a_silent_checker_believes_nothing_any_more() {
        let hub = Arc::new(Hub::default());
        let stream = hub.open("api").unwrap();
        let asked = Instant::now();
        assert!(hub.renew("api", &stream.name, 6, asked, 6));
        tokio::time::advance(Duration::from_millis(500)).await;
        // A stream that breaks does not take back what its checker believes.
        drop(stream);
        assert_eq!(outcomes(hub.fence(7).await), [Outcome::Lapsed]);
        assert_eq!(asked.elapsed(), LEASE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_kill_returns_when_its_record_was_taken_in() {
        let hub = Arc::new(Hub::default());
        let stream = hub.open("api").unwrap();
        let asked = Instant::now();
        assert!(hub.renew("api", &stream.name, 6, asked, 6));
        let fence = {
            let hub = hub.clone();
            tokio::spawn(async move { hub.fence(7).await })
        };
        tokio::time::sleep(Duration::from_millis(3)).await;
        assert!(hub.renew("api", &stream.name, 7, Instant::now(), 7));
        assert_eq!(outcomes(fence.await.unwrap()), [Outcome::Acked]);
        assert!(asked.elapsed() < Duration::from_millis(10));
    }

    #[tokio::test(start_paused = true)]
    async fn who_renews_without_taking_in_the_record_is_not_waited_for_again() {
        let hub = Arc::new(Hub::default());
        let stream = hub.open("api").unwrap();
        let asked = Instant::now();
        assert!(hub.renew("api", &stream.name, 6, asked, 6));
        let renewing = {
            let (hub, name) = (hub.clone(), stream.name.clone());
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    // The answer names the kill, so it renews nothing before that is taken in.
                    assert!(hub.renew("api", &name, 6, Instant::now(), 7));
                }
            })
        };
        assert_eq!(outcomes(hub.fence(7).await), [Outcome::Lapsed]);
        assert_eq!(asked.elapsed(), LEASE);
        renewing.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_checker_acks_for_its_own_open_streams_only_and_nothing_ahead() {
        let hub = Arc::new(Hub::default());
        let stream = hub.open("api").unwrap();
        let now = Instant::now();
        assert!(!hub.renew("other", &stream.name, 9, now, 9));
        assert!(!hub.renew("api", "nothing", 9, now, 9));
        assert!(hub.renew("api", &stream.name, u64::MAX, now, 6));
        assert_eq!(outcomes(hub.fence(7).await), [Outcome::Lapsed], "6 is all there was");
        let name = stream.name.clone();
        drop(stream);
        assert!(!hub.renew("api", &name, 9, Instant::now(), 9));
    }

    #[tokio::test(start_paused = true)]
    async fn room_is_bounded_and_comes_back() {
        let hub = Arc::new(Hub::default());
        let held: Vec<_> = (0..MOST_OF_ONE).map(|_| hub.open("api").unwrap()).collect();
        assert!(hub.open("api").is_none());
        assert!(hub.open("other").is_some());
        drop(held);
        assert!(hub.open("api").is_some());
    }
}
