//! The one writer: decides on a state, appends what was decided, and answers once it is durable.
//!
//! One thread owns the state and takes everything that waits into one transaction. A job decides when
//! its turn comes, on a state in which all earlier jobs have happened already, while no other process
//! can write: what it decided holds when it is committed. If the commit fails nothing has happened, and
//! the state is made anew from the log.

mod core;
mod job;

use super::{Cause, Draft, Head, Ledger, ReadError, Record, Subscription};
use core::Core;
use job::{Work, decision};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot};

/// What replaying the log gives.
///
/// The writer's thread owns it. It changes by records only, so that every process that reads the same
/// log has the same state.
pub trait State: Send + 'static {
    /// Starts over: from a snapshot that [`State::save`] wrote, or from nothing.
    fn reset(&mut self, snapshot: Option<&[u8]>) -> Result<(), Unfit>;

    /// Takes the next record. It may be of a job whose batch is not durable yet: what others see must
    /// not change before [`State::committed`].
    fn apply(&mut self, record: &Record) -> Result<(), Unfit>;

    /// Shows others what was applied: it is durable up to `head`. Called before jobs are answered.
    fn committed(&mut self, head: Head);

    /// Writes the state down, so that a start need not replay everything. Never called in a batch.
    fn save(&self) -> Option<Vec<u8>>;

    /// Takes note that nothing will be recorded any more: whoever promises must stop.
    fn sealed(&mut self, why: &WriteError);
}

/// A record or a snapshot that a state cannot have: of a later version, or impossible where it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it does not fit the state: {0}")]
pub struct Unfit(pub String);

/// What a job decided: what is to be recorded, and the answer once it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided<T> {
    /// Recorded all together, or not at all. May be empty.
    pub drafts: Vec<Draft>,
    /// Given to the caller once the drafts are durable.
    pub answer: T,
}

/// A job's answer, and where its records stand. They are durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed<T> {
    /// The numbers of its records; empty if it recorded nothing.
    pub records: Range<u64>,
    /// The answer.
    pub answer: T,
}

/// Why a job has no answer, by what its caller does next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// Nothing was recorded. It may succeed once the cause is gone.
    #[error("nothing was recorded: {0}")]
    Unavailable(Cause),
    /// Others kept writing first. Nothing was recorded; ask again.
    #[error("nothing was recorded: others kept writing first; try again")]
    Contended,
    /// It may or may not be recorded. The writer has sealed itself.
    #[error("whether it was recorded is unknown: {0}")]
    Unknown(Cause),
    /// The log is not what it was. Nothing was recorded, and the writer has sealed itself.
    #[error(transparent)]
    Untrusted(ReadError),
    /// The log has a record that this version cannot follow. The writer has sealed itself.
    #[error("record {seq} of the ledger cannot be followed: {unfit}")]
    Astray {
        /// Its number.
        seq: u64,
        /// Why.
        unfit: Unfit,
    },
    /// The writer had sealed itself before. Nothing was recorded; start again.
    #[error("the ledger is sealed since {0}; start again")]
    Sealed(Arc<str>),
    /// The job decided something that the state cannot have. Only this job failed.
    #[error("nothing was recorded: {0}")]
    Unfit(Unfit),
    /// The job panicked while deciding. Only this job failed.
    #[error("nothing was recorded: the decision panicked")]
    Panicked,
    /// The writer's thread has ended. It may or may not be recorded.
    #[error("the writer has stopped; start again")]
    Stopped,
}

/// How much a writer takes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How many jobs may wait; more make their callers wait before they are taken.
    pub queue: usize,
    /// How many jobs share a transaction at most.
    pub jobs: usize,
    /// After how many bytes of drafts a transaction takes no further job.
    pub bytes: usize,
    /// After how many records the state is saved, or more if it is large. A start replays at most
    /// about as many, at some 10 µs each.
    pub snapshot: u64,
    /// How often a batch is decided anew because others were first.
    pub tries: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { queue: 1024, jobs: 512, bytes: 4 << 20, snapshot: 64, tries: 8 }
    }
}

/// The appending side of a ledger. Dropped, it finishes what was handed to it and ends its thread.
#[derive(Debug)]
pub struct Writer<S: State> {
    queue: Option<mpsc::Sender<Work<S>>>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread tells everyone.
#[derive(Debug, Default)]
struct Shared {
    /// The number of the last record that is durable and in the state.
    applied: AtomicU64,
    sealed: OnceLock<Arc<str>>,
}

impl<S: State> Writer<S> {
    /// Brings the state up to the log and starts the thread.
    pub fn spawn(ledger: Arc<dyn Ledger>, state: S, pace: Pace) -> Result<Self, WriteError> {
        let shared = Arc::new(Shared::default());
        let core = Core::start(ledger, state, pace, Arc::clone(&shared))?;
        let (queue, waiting) = mpsc::channel(pace.queue);
        let thread = std::thread::Builder::new().name("writ-ledger".to_owned());
        let thread = thread.spawn(move || core.run(waiting));
        let thread = thread.map_err(|error| {
            WriteError::Unavailable(Cause::Io(format!("no thread for the ledger: {error}")))
        })?;
        Ok(Self { queue: Some(queue), shared, thread: Some(thread) })
    }

    /// Decides at its turn, and answers once what was decided is durable.
    ///
    /// `decide` may be called more than once: only its last decision counts, and it should not act. It
    /// is carried out even if the caller stops waiting.
    pub async fn transact<T, F>(&self, decide: F) -> Result<Committed<T>, WriteError>
    where
        T: Send + 'static,
        F: FnMut(&S) -> Decided<T> + Send + 'static,
    {
        let (job, answer) = decision(decide);
        self.hand_over(job).await?;
        answer.await.unwrap_or(Err(WriteError::Stopped))
    }

    /// Decides as [`Writer::transact`] does, for a thread that may wait. Not to be called in a runtime.
    pub fn transact_blocking<T, F>(&self, decide: F) -> Result<Committed<T>, WriteError>
    where
        T: Send + 'static,
        F: FnMut(&S) -> Decided<T> + Send + 'static,
    {
        let (job, answer) = decision(decide);
        self.queue().blocking_send(job).map_err(|_| WriteError::Stopped)?;
        answer.blocking_recv().unwrap_or(Err(WriteError::Stopped))
    }

    /// Appends drafts whatever the state is.
    pub async fn append(&self, drafts: Vec<Draft>) -> Result<Range<u64>, WriteError> {
        let decide = move |_: &S| Decided { drafts: drafts.clone(), answer: () };
        self.transact(decide).await.map(|committed| committed.records)
    }

    /// Takes in what other processes have written, and returns once the state shows it.
    pub async fn catch_up(&self) -> Result<Head, WriteError> {
        let (reply, answer) = oneshot::channel();
        self.hand_over(Work::CatchUp(reply)).await?;
        answer.await.unwrap_or(Err(WriteError::Stopped))
    }

    /// Takes in what other processes write as a subscription tells of it, until that fails.
    pub async fn follow(&self, mut subscription: Subscription) -> WriteError {
        loop {
            match subscription.next().await {
                Ok(records) if records.last().is_some_and(|last| last.seq() > self.applied()) => {
                    if let Err(error) = self.catch_up().await {
                        return error;
                    }
                }
                Ok(_) => {}
                Err(ReadError::Unavailable(cause)) => return WriteError::Unavailable(cause),
                Err(error) => return WriteError::Untrusted(error),
            }
        }
    }

    /// The number of the last record that is durable and in the state.
    pub fn applied(&self) -> u64 {
        self.shared.applied.load(Ordering::Acquire)
    }

    /// Tells why nothing is recorded any more, if that is so.
    pub fn sealed(&self) -> Option<WriteError> {
        self.shared.sealed.get().map(|why| WriteError::Sealed(Arc::clone(why)))
    }

    async fn hand_over(&self, work: Work<S>) -> Result<(), WriteError> {
        self.queue().send(work).await.map_err(|_| WriteError::Stopped)
    }

    fn queue(&self) -> &mpsc::Sender<Work<S>> {
        self.queue.as_ref().expect("the queue is open until the writer is dropped")
    }
}

impl<S: State> Drop for Writer<S> {
    fn drop(&mut self) {
        drop(self.queue.take());
        let Some(thread) = self.thread.take() else { return };
        // The last handle may go in a job, which the thread itself drops.
        if thread.thread().id() != std::thread::current().id() {
            // If it panicked, everybody who waited has been told.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
