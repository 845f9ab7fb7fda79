//! The state behind the writer, and how those whose tasks end are told.

use super::shown::{Pending, Shown};
use crate::event::{Event, Owner};
use crate::id::{HostId, TaskId};
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
    /// Nothing can be recorded any more, or no kill would be heard, so nothing may be done any more.
    Sealed(String),
}

/// Tells when a task may act no longer. Dropped, nobody is told.
#[derive(Debug)]
pub struct Watch {
    key: Key,
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
        self.watched.lock().remove(&self.key);
    }
}

/// A task, and the process that runs something in it.
type Key = (TaskId, HostId);

/// The tasks of this process.
#[derive(Debug, Default)]
pub(super) struct Watched(Mutex<BTreeMap<Key, watch::Sender<Option<Stop>>>>);

impl Watched {
    pub(super) fn watch(self: &Arc<Self>, task: TaskId, host: HostId) -> Watch {
        let (tell, told) = watch::channel(None);
        let key = (task, host);
        self.lock().insert(key.clone(), tell);
        Watch { key, told, watched: Arc::clone(self) }
    }

    /// Says whether a task of this process was told that it may act no longer.
    pub(super) fn has_stopped(&self, task: &TaskId) -> bool {
        let watched = self.lock();
        let mut watchers = watched.iter().filter(|((watched, _), _)| watched == task);
        watchers.any(|(_, watcher)| watcher.borrow().is_some())
    }

    /// Tells every task that nothing can be recorded or heard any more.
    pub(super) fn seal(&self, why: &WriteError) {
        let stop = Stop::Sealed(why.to_string());
        self.lock().values().for_each(|watcher| tell(watcher, &stop));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, watch::Sender<Option<Stop>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What has ended: tasks wherever they run, or a process with whatever it runs.
#[derive(Debug)]
enum Ending {
    Tasks(Vec<TaskId>),
    Host(HostId),
}

impl Ending {
    fn concerns(&self, (task, host): &Key) -> bool {
        match self {
            Self::Tasks(tasks) => tasks.contains(task),
            Self::Host(ended) => ended == host,
        }
    }
}

/// Tells one watcher. The first that it is told counts: that is what ended it.
fn tell(watcher: &watch::Sender<Option<Stop>>, stop: &Stop) {
    watcher.send_if_modified(|told| {
        let first = told.is_none();
        told.get_or_insert_with(|| stop.clone());
        first
    });
}

/// The state that the writer's thread owns.
#[derive(Debug)]
pub(super) struct Live {
    state: State,
    watched: Arc<Watched>,
    /// What has ended in records that are not durable yet.
    ending: Vec<(Ending, Stop)>,
    /// The state was made anew: what ended meanwhile is found by looking.
    anew: bool,
    /// Where others read what is durable, if anybody does, and what is not there yet.
    shown: Option<Arc<Shown>>,
    pending: Vec<Pending>,
}

impl Live {
    pub(super) fn new(watched: Arc<Watched>) -> Self {
        Self {
            state: State::default(),
            watched,
            ending: Vec::new(),
            anew: false,
            shown: None,
            pending: Vec::new(),
        }
    }

    /// Also shows what is durable.
    pub(super) fn showing(watched: Arc<Watched>, shown: Arc<Shown>) -> Self {
        Self { shown: Some(shown), ..Self::new(watched) }
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// What an event ends, and how. Asked before it is applied.
    fn ends(&self, event: &Event) -> Option<(Ending, Stop)> {
        match event {
            Event::TaskKilled { task, by, why } => {
                let stop = Stop::Killed { by: by.clone(), why: why.clone() };
                Some((Ending::Tasks(self.state.subtree(task)), stop))
            }
            Event::TaskEnded { task, .. } => {
                Some((Ending::Tasks(self.state.subtree(task)), Stop::Ended))
            }
            Event::HostEnded { host, .. } => Some((Ending::Host(host.clone()), Stop::Ended)),
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
        self.pending.clear();
        self.anew = true;
        Ok(())
    }

    fn apply(&mut self, record: &Record) -> Result<(), Unfit> {
        let event = record.decode().map_err(|error| Unfit(error.to_string()))?;
        self.ending.extend(self.ends(&event));
        self.state.apply(record.at(), &event);
        if self.shown.is_some() {
            self.pending.push(Pending { at: record.at(), seq: record.seq(), event });
        }
        Ok(())
    }

    fn committed(&mut self, head: Head) {
        if let Some(shown) = &self.shown {
            if self.anew {
                self.pending.clear();
                shown.replace(self.state.clone(), head);
            } else {
                shown.advance(&mut self.pending, head);
            }
        }
        let watched = self.watched.lock();
        for (ending, stop) in self.ending.drain(..) {
            let concerned = watched.iter().filter(|(key, _)| ending.concerns(key));
            concerned.for_each(|(_, watcher)| tell(watcher, &stop));
        }
        if std::mem::take(&mut self.anew) {
            let now = self.state.now();
            let lives = |(task, host): &Key| {
                self.state.is_live(task, now) && self.state.host(host).is_some()
            };
            let ended = watched.iter().filter(|(key, _)| !lives(key));
            ended.for_each(|(_, watcher)| tell(watcher, &Stop::Ended));
        }
    }

    fn save(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(&self.state).ok()
    }

    fn sealed(&mut self, why: &WriteError) {
        self.watched.seal(why);
    }
}
