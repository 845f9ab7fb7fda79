//! Takes the decisions of one task to the ledger.

use super::{Credentials, fault};
use crate::output::Denials;
use anyhow::Result;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use writ_broker::authority::{self, Authority};
use writ_broker::event::{AskDecided, Refused};
use writ_broker::id::{LeaseId, TaskId};
use writ_broker::ledger::WriteError;
use writ_broker::{Grant, Refusal};
use writ_runtime::authority::{Authority as GateAuthority, BoxFuture, CredentialAsk};
use writ_runtime::injection::Injection;
use writ_runtime::outcome::LimitName;
use writ_runtime::record::{self, Record};

/// How many notes wait for something to be written with. A guest may cause any number.
const MOST_WAITING: usize = 256;

/// Records for one task.
///
/// What leaves the machine is durable before it does. What stays inside is noted, and becomes durable
/// with whatever is next, and with the end of the call at the latest.
pub(crate) struct Recorder {
    authority: Arc<Authority>,
    task: TaskId,
    denials: Arc<Denials>,
    credentials: Credentials,
    waiting: Mutex<Vec<AskDecided>>,
    /// What is being written; each gives back the notes that it could not write. Nobody else waits for
    /// these, so that a request that its guest gives up is recorded all the same.
    writing: Mutex<JoinSet<Vec<AskDecided>>>,
}

impl Recorder {
    pub(crate) fn new(
        authority: Arc<Authority>,
        task: TaskId,
        denials: Arc<Denials>,
        credentials: Credentials,
    ) -> Self {
        let (waiting, writing) = (Mutex::default(), Mutex::default());
        Self { authority, task, denials, credentials, waiting, writing }
    }

    /// Returns what is not durable, once everything that is being written is.
    pub(crate) async fn take(&self) -> Vec<AskDecided> {
        let mut writing = std::mem::take(&mut *lock(&self.writing));
        let mut left = Vec::new();
        while let Some(unwritten) = writing.join_next().await {
            // What could not be written is tried once more, with the end.
            left.extend(unwritten.unwrap_or_default());
        }
        left.append(&mut lock(&self.waiting));
        left
    }

    /// Takes what waits, with what could not be written before.
    fn waiting(&self, writing: &mut JoinSet<Vec<AskDecided>>) -> Vec<AskDecided> {
        let mut notes = Vec::new();
        while let Some(unwritten) = writing.try_join_next() {
            notes.extend(unwritten.unwrap_or_default());
        }
        notes.append(&mut lock(&self.waiting));
        notes
    }

    /// Writes what waits, beside everything else.
    fn write(&self) {
        let authority = Arc::clone(&self.authority);
        let mut writing = lock(&self.writing);
        let notes = self.waiting(&mut writing);
        writing.spawn(async move { written(&authority, notes).await });
    }

    /// Writes what waits and then what is asked, and gives the decision. It is recorded whether or not
    /// anybody waits for it.
    fn decide(&self, record: Record) -> oneshot::Receiver<Result<(), Refusal>> {
        let (reply, decided) = oneshot::channel();
        let (authority, denials) = (Arc::clone(&self.authority), Arc::clone(&self.denials));
        let task = self.task.clone();
        let mut writing = lock(&self.writing);
        let notes = self.waiting(&mut writing);
        writing.spawn(async move {
            let ask = event(&task, record.clone());
            let refused = match authority.admit(notes.clone(), ask).await {
                Ok(()) => {
                    denials.note(&record);
                    // A guest that has given up is told nothing.
                    let _ = reply.send(Ok(()));
                    return Vec::new();
                }
                Err(refused) => refused,
            };
            let why = fault(&refused);
            let Record { what, target, .. } = record;
            let (code, reason) = (why.code, why.message);
            let refusal = Refusal { code, what, target, reason, help: None };
            let record = recorded(&refusal);
            denials.note(&record);
            let _ = reply.send(Err(refusal));
            // A task that may not act has its notes written; a ledger that failed has written nothing.
            let before = match refused {
                authority::Refused::NotNow(_) => Vec::new(),
                _ => notes,
            };
            let all = before.into_iter().chain([event(&task, record)]).collect();
            written(&authority, all).await
        });
        decided
    }
}

/// Writes notes, and returns them if that failed.
async fn written(authority: &Authority, notes: Vec<AskDecided>) -> Vec<AskDecided> {
    match authority.note(notes.clone()).await {
        Ok(()) => Vec::new(),
        Err(_) => notes,
    }
}

/// What the ledger says of a decision.
fn event(task: &TaskId, Record { what, target, refusal }: Record) -> AskDecided {
    let refused = refusal
        .map(|Refusal { code, reason, .. }| Refused { code: code.as_str().to_owned(), reason });
    AskDecided { task: task.clone(), what, target, refused }
}

/// The record of a refusal.
fn recorded(refusal: &Refusal) -> Record {
    let (what, target) = (refusal.what.clone(), refusal.target.clone());
    Record { what, target, refusal: Some(refusal.clone()) }
}

impl Recorder {
    /// Leases the credentials that the tool itself is to hold.
    pub(crate) async fn exposed(&self, grant: &Grant) -> Result<Vec<(String, String)>> {
        self.credentials.exposed(grant).await
    }

    /// Returns the leases that were made for the call.
    pub(crate) fn leases(&self) -> Vec<LeaseId> {
        self.credentials.leases()
    }

    /// Records a refusal that was decided here.
    fn refuse(&self, refusal: Refusal) -> Refusal {
        record::Recorder::record(self, recorded(&refusal));
        refusal
    }
}

impl record::Recorder for Recorder {
    fn record(&self, record: Record) {
        self.denials.note(&record);
        let event = event(&self.task, record);
        let waiting = {
            let mut waiting = lock(&self.waiting);
            waiting.push(event);
            waiting.len()
        };
        if waiting >= MOST_WAITING {
            self.write();
        }
    }

    fn over_limit(&self, limit: LimitName) {
        self.denials.over_limit(limit);
    }
}

impl GateAuthority for Recorder {
    fn admit(&self, record: Record) -> BoxFuture<'_, Result<(), Refusal>> {
        let decided = self.decide(record.clone());
        Box::pin(async move {
            decided.await.unwrap_or_else(|_| {
                let why = fault(&authority::Refused::Ledger(WriteError::Stopped));
                let Record { what, target, .. } = record;
                let (code, reason) = (why.code, why.message);
                Err(self.refuse(Refusal { code, what, target, reason, help: None }))
            })
        })
    }

    fn credential<'a>(
        &'a self,
        ask: &'a CredentialAsk,
    ) -> BoxFuture<'a, Result<Injection, Refusal>> {
        Box::pin(async move {
            let injected = self.credentials.inject(ask).await;
            injected.map_err(|why| self.refuse(ask.refusal(&why)))
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
