//! The durable state, for many readers at once.

use crate::clock::UnixMillis;
use crate::event::Event;
use crate::ledger::Head;
use crate::state::State;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::broadcast;

/// How many notices a listener may be behind before it has to start over.
const BEHIND: usize = 1024;

/// Something that a checker must know at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The number of the record.
    pub seq: u64,
    /// What happened.
    pub what: Happened,
    /// The tokens that are good no longer, by who may accept them.
    pub tokens: BTreeMap<String, Vec<String>>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Happened {
    /// A task was killed.
    Killed,
    /// A task or its process ended.
    Ended,
    /// A token was revoked.
    Revoked,
    /// Keys were published, promoted or removed.
    Keys,
    /// What happened is not known: whoever remembers something must forget it.
    Anew,
}

/// The state that the writer has made durable.
#[derive(Debug)]
pub(super) struct Shown {
    at: RwLock<(State, Head)>,
    notices: broadcast::Sender<Arc<Notice>>,
}

/// A record that is not durable yet.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) at: UnixMillis,
    pub(super) seq: u64,
    pub(super) event: Event,
}

impl Default for Shown {
    fn default() -> Self {
        let (notices, _) = broadcast::channel(BEHIND);
        Self { at: RwLock::new((State::default(), Head::GENESIS)), notices }
    }
}

impl Shown {
    pub(super) fn read<T>(&self, read: impl FnOnce(&State, Head) -> T) -> T {
        let at = self.at.read().unwrap_or_else(PoisonError::into_inner);
        read(&at.0, at.1)
    }

    pub(super) fn notices(&self) -> broadcast::Receiver<Arc<Notice>> {
        self.notices.subscribe()
    }

    /// Shows what has become durable. The notices are sent before anybody can read the new state:
    /// who reads a head has been sent everything up to it.
    pub(super) fn advance(&self, pending: &mut Vec<Pending>, head: Head) {
        let heard = self.notices.receiver_count() > 0;
        let mut at = self.at.write().unwrap_or_else(PoisonError::into_inner);
        for Pending { at: when, seq, event } in pending.drain(..) {
            let what = happened(&event).filter(|_| heard);
            let good = what.map(|_| good(&at.0)).unwrap_or_default();
            at.0.apply(when, &event);
            let Some(what) = what else { continue };
            let tokens = no_longer(&at.0, good);
            if what == Happened::Keys || !tokens.is_empty() {
                // Who has gone meanwhile needs none.
                let _ = self.notices.send(Arc::new(Notice { seq, what, tokens }));
            }
        }
        at.1 = head;
    }

    /// Shows a state that was made anew.
    pub(super) fn replace(&self, state: State, head: Head) {
        let mut at = self.at.write().unwrap_or_else(PoisonError::into_inner);
        let anew = Notice { seq: head.seq, what: Happened::Anew, tokens: BTreeMap::new() };
        let _ = self.notices.send(Arc::new(anew));
        *at = (state, head);
    }
}

/// Says whether checkers must hear of an event.
fn happened(event: &Event) -> Option<Happened> {
    match event {
        Event::TaskKilled { .. } => Some(Happened::Killed),
        Event::TaskEnded { .. } | Event::HostEnded { .. } => Some(Happened::Ended),
        Event::TokenRevoked { .. } => Some(Happened::Revoked),
        Event::KeysChanged { .. } => Some(Happened::Keys),
        _ => None,
    }
}

/// The tokens that are good now. By comparing, nothing that an event ends is forgotten.
fn good(state: &State) -> Vec<(String, String)> {
    let now = state.now();
    let active = state.tokens().filter(|(jti, _)| state.is_active(jti, now));
    active.map(|(jti, token)| (jti.to_owned(), token.audience.clone())).collect()
}

/// Those of them that are good no longer, by audience.
fn no_longer(state: &State, good: Vec<(String, String)>) -> BTreeMap<String, Vec<String>> {
    let mut tokens: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (jti, audience) in good {
        if !state.is_active(&jti, state.now()) {
            tokens.entry(audience).or_default().push(jti);
        }
    }
    tokens
}
