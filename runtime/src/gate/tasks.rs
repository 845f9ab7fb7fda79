//! Everything that runs on behalf of one link, so that all of it can be ended at once.
//!
//! Each socket of a task (the egress socket, upstream connections, tunnels, DNS queries) is owned by
//! a future that was spawned here. Ending them all is therefore the same as closing every socket.

use hyper::rt::Executor;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::{AbortHandle, JoinSet};

/// The futures of one link. Once closed, it takes no more.
#[derive(Clone, Default)]
pub(super) struct Tasks {
    open: Arc<Mutex<State>>,
    ending: Arc<tokio::sync::Mutex<JoinSet<()>>>,
}

enum State {
    Open(JoinSet<()>),
    /// Aborted, but perhaps not yet dropped by the runtime.
    Closing(Option<JoinSet<()>>),
}

impl Default for State {
    fn default() -> Self {
        Self::Open(JoinSet::new())
    }
}

impl Tasks {
    /// Runs a future until it ends or the link closes; a closed link drops it at once.
    pub(super) fn spawn(
        &self,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> Option<AbortHandle> {
        match &mut *self.open.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Open(set) => {
                while set.try_join_next().is_some() {}
                Some(set.spawn(future))
            }
            State::Closing(_) => None,
        }
    }

    /// Returns how many futures have not ended.
    #[cfg(test)]
    pub(super) fn running(&self) -> usize {
        match &mut *self.open.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Open(set) => {
                while set.try_join_next().is_some() {}
                set.len()
            }
            State::Closing(_) => 0,
        }
    }

    /// Aborts everything.
    pub(super) fn close(&self) {
        let mut state = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Open(set) = &mut *state {
            set.abort_all();
            *state = State::Closing(Some(std::mem::take(set)));
        }
    }

    /// Aborts everything and returns when the runtime has dropped it.
    pub(super) async fn closed(&self) {
        self.close();
        let mut ending = self.ending.lock().await;
        let set = match &mut *self.open.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Closing(set) => set.take(),
            State::Open(_) => None,
        };
        if let Some(set) = set {
            *ending = set;
        }
        while ending.join_next().await.is_some() {}
    }
}

impl<F> Executor<F> for Tasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        drop(self.spawn(future));
    }
}
