//! Takes the decisions of one task to the ledger.

use crate::output::Denials;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinSet;
use writ_broker::Refusal;
use writ_broker::authority::Authority;
use writ_broker::event::{AskDecided, Refused};
use writ_broker::id::TaskId;
use writ_runtime::outcome::LimitName;
use writ_runtime::record::{self, Record};

/// How many notes wait for something to be written with. A guest may cause any number.
const MOST_WAITING: usize = 256;

/// Records for one task. What stays inside the machine is noted and becomes durable with whatever is
/// next, and with the end of the call at the latest.
pub(crate) struct Recorder {
    authority: Arc<Authority>,
    task: TaskId,
    denials: Arc<Denials>,
    waiting: Arc<Mutex<Vec<AskDecided>>>,
    writing: Mutex<JoinSet<Option<Vec<AskDecided>>>>,
}

impl Recorder {
    pub(crate) fn new(authority: Arc<Authority>, task: TaskId, denials: Arc<Denials>) -> Self {
        let (waiting, writing) = (Arc::default(), Mutex::default());
        Self { authority, task, denials, waiting, writing }
    }

    /// Returns what is not durable yet, once everything that is being written is.
    pub(crate) async fn take(&self) -> Vec<AskDecided> {
        let mut writing = std::mem::take(&mut *lock(&self.writing));
        let mut left = Vec::new();
        while let Some(failed) = writing.join_next().await {
            // What could not be written is tried once more, with the end.
            left.extend(failed.ok().flatten().unwrap_or_default());
        }
        left.append(&mut lock(&self.waiting));
        left
    }

    fn event(&self, Record { what, target, refusal }: Record) -> AskDecided {
        let refused = refusal
            .map(|Refusal { code, reason, .. }| Refused { code: code.as_str().to_owned(), reason });
        AskDecided { task: self.task.clone(), what, target, refused }
    }

    /// Writes what waits, beside everything else.
    fn write_down(&self) {
        let (authority, waiting) = (Arc::clone(&self.authority), Arc::clone(&self.waiting));
        lock(&self.writing).spawn(async move {
            let notes = std::mem::take(&mut *lock(&waiting));
            match authority.note(notes.clone()).await {
                Ok(()) => None,
                Err(_) => Some(notes),
            }
        });
    }
}

impl record::Recorder for Recorder {
    fn record(&self, record: Record) {
        self.denials.note(&record);
        let mut waiting = lock(&self.waiting);
        waiting.push(self.event(record));
        if waiting.len() == MOST_WAITING {
            drop(waiting);
            self.write_down();
        }
    }

    fn over_limit(&self, limit: LimitName) {
        self.denials.over_limit(limit);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
