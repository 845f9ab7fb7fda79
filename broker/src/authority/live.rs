//! The state behind the writer, and how those whose tasks end are told.

use crate::event::{Event, Owner};
use crate::id::TaskId;
use crate::ledger::{Head, Record, State as Followed, Unfit, WriteError};
use crate::state::State;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Why a task may act no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// It was killed, itself or with a task above it.
    Killed {
        /// Who asked for it.
        by: Owner,
        /// Why, in their words.
        why: Option<String>,
    },
    /// It ended, or its process was declared gone.
    Ended,
    /// Nothing can be recorded any more, so nothing may be done any more.
    Sealed(String),
}

/// Tells when a task may act no longer. Dropped, nobody is told.
#[derive(Debug)]
pub struct Watch {
    task: TaskId,
    told: watch::Receiver<Option<Stop>>,
    watched: Arc<Watched>,
}

impl Watch {
    /// Waits until the task may act no longer. Dropping the future loses nothing.
    pub async fn stopped(&mut self) -> Stop {
        match self.told.wait_for(Option::is_some).await.map(|stop| stop.clone()) {
            Ok(Some(stop)) => stop,
            Ok(None) | Err(_) => Stop::Sealed("the authority has gone".to_owned()),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.watched.lock().remove(&self.task);
    }
}

/// The tasks of this process.
#[derive(Debug, Default)]
pub(super) struct Watched(Mutex<BTreeMap<TaskId, watch::Sender<Option<Stop>>>>);

impl Watched {
    pub(super) fn watch(self: &Arc<Self>, task: TaskId) -> Watch {
        let (tell, told) = watch::channel(None);
        self.lock().insert(task.clone(), tell);
        Watch { task, told, watched: Arc::clone(self) }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<TaskId, watch::Sender<Option<Stop>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The state that the writer's thread owns.
#[derive(Debug)]
pub(super) struct Live {
    state: State,
    watched: Arc<Watched>,
    /// What has ended in records that are not durable yet.
    ending: Vec<(Vec<TaskId>, Stop)>,
    /// The state was made anew: what ended meanwhile is found by looking.
    anew: bool,
}

impl Live {
    pub(super) fn new(watched: Arc<Watched>) -> Self {
        Self { state: State::default(), watched, ending: Vec::new(), anew: false }
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// What an event ends, and how. Asked before it is applied.
    fn ends(&self, event: &Event) -> Option<(Vec<TaskId>, Stop)> {
        match event {
            Event::TaskKilled { task, by, why } => {
                let stop = Stop::Killed { by: by.clone(), why: why.clone() };
                Some((self.state.subtree(task), stop))
            }
            Event::TaskEnded { task, .. } => Some((self.state.subtree(task), Stop::Ended)),
            Event::HostEnded { host, .. } => {
                let tasks = self.state.tasks().filter(|(_, task)| task.host == *host);
                Some((tasks.map(|(id, _)| id.clone()).collect(), Stop::Ended))
            }
            _ => None,
        }
    }
}

impl Followed for Live {
    fn reset(&mut self, snapshot: Option<&[u8]>) -> Result<(), Unfit> {
        self.state = match snapshot {
            Some(bytes) => {
                serde_json::from_slice(bytes).map_err(|error| Unfit(error.to_string()))?
            }
            None => State::default(),
        };
        self.ending.clear();
        self.anew = true;
        Ok(())
    }

    fn apply(&mut self, record: &Record) -> Result<(), Unfit> {
        let event = record.decode().map_err(|error| Unfit(error.to_string()))?;
        self.ending.extend(self.ends(&event));
        self.state.apply(record.at(), &event);
        Ok(())
    }

    fn committed(&mut self, _: Head) {
        let watched = self.watched.lock();
        // The first that is told counts: it is what ended the task.
        let tell = |tell: &watch::Sender<Option<Stop>>, stop: &Stop| {
            tell.send_if_modified(|told| {
                let first = told.is_none();
                told.get_or_insert_with(|| stop.clone());
                first
            });
        };
        for (tasks, stop) in self.ending.drain(..) {
            for task in tasks {
                if let Some(watcher) = watched.get(&task) {
                    tell(watcher, &stop);
                }
            }
        }
        if std::mem::take(&mut self.anew) {
            let now = self.state.now();
            let ended = watched.iter().filter(|(task, _)| !self.state.is_live(task, now));
            ended.for_each(|(_, watcher)| tell(watcher, &Stop::Ended));
        }
    }

    fn save(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(&self.state).ok()
    }

    fn sealed(&mut self, why: &WriteError) {
        for watcher in self.watched.lock().values() {
            watcher.send_if_modified(|told| {
                let first = told.is_none();
                told.get_or_insert_with(|| Stop::Sealed(why.to_string()));
                first
            });
        }
    }
}
