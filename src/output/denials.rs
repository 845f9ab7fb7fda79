//! The decisions of one run: each is one structured event, and refusals are kept for the report.

use super::report::words;
use std::sync::{Mutex, MutexGuard, PoisonError};
use writ_broker::Refusal;
use writ_broker::text::printable;
use writ_runtime::outcome::LimitName;
use writ_runtime::record::Record;

/// How many refusals a report lists. A guest may cause any number; the rest is counted.
const MOST_LISTED: usize = 256;

/// Takes the records of one run.
#[derive(Debug)]
pub(crate) struct Denials {
    task: String,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default, Clone)]
pub(crate) struct Kept {
    /// The first refusals, in order.
    pub(crate) listed: Vec<Refusal>,
    /// How many more there were.
    pub(crate) omitted: u64,
}

impl Denials {
    /// Makes an empty list for a task.
    pub(crate) fn new(task: String) -> Self {
        Self { task, kept: Mutex::default() }
    }

    /// Returns what was refused so far.
    pub(crate) fn kept(&self) -> Kept {
        self.lock().clone()
    }

    /// Returns the task's id.
    pub(crate) fn task(&self) -> &str {
        &self.task
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Denials {
    /// Takes note of a decision.
    pub(crate) fn note(&self, record: &Record) {
        let (task, target) = (&*self.task, printable(&record.target));
        let what = &*printable(&record.what);
        let Some(refusal) = &record.refusal else {
            tracing::info!(target: "writ::decision", task, what, %target, decision = "allow");
            return;
        };
        let (code, reason) = (refusal.code.as_str(), printable(&refusal.reason));
        tracing::warn!(
            target: "writ::decision", task, what, %target, decision = "forbid", code, %reason
        );
        let mut kept = self.lock();
        if kept.listed.len() < MOST_LISTED {
            kept.listed.push(refusal.clone());
        } else {
            kept.omitted += 1;
        }
    }

    /// Takes note of a bound that ended the call.
    pub(crate) fn over_limit(&self, limit: LimitName) {
        let limit = words(limit);
        tracing::warn!(target: "writ::decision", task = &*self.task, decision = "over_limit", limit);
    }
}
