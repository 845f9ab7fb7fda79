//! The writer's thread: batches, commits, and what happens when a commit fails.

use super::job::{Job, Work};
use super::{Pace, Shared, State, WriteError};
use crate::ledger::{AppendError, Chain, Head, Ledger, ReadError, Record};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::mpsc;

/// How many records are replayed at a time.
const REPLAY: usize = 1024;
/// The size of an ordinary record, bytes.
const RECORD: usize = 512;

/// The state, and how far it has come.
pub(super) struct Core<S> {
    ledger: Arc<dyn Ledger>,
    state: S,
    pace: Pace,
    shared: Arc<Shared>,
    /// The last record that was applied and is durable.
    head: Head,
    /// The state has records that are not durable, or is half way through one.
    astray: bool,
    /// The last record that was in the state when it was saved.
    saved: u64,
    /// How large the state was then, in records of ordinary size.
    weight: u64,
}

type Jobs<S> = VecDeque<Box<dyn Job<S>>>;

/// Why a batch has not been committed.
enum Stop {
    /// Decide again: others were first, or a job was taken out.
    Again,
    /// Nothing was recorded; the next batch may fare better.
    Fail(WriteError),
    /// Nothing can be promised any more.
    Seal(WriteError),
}

impl<S: State> Core<S> {
    /// Brings the state up to the log.
    pub(super) fn start(
        ledger: Arc<dyn Ledger>,
        state: S,
        pace: Pace,
        shared: Arc<Shared>,
    ) -> Result<Self, WriteError> {
        let head = Head::GENESIS;
        let mut core =
            Self { ledger, state, pace, shared, head, astray: true, saved: 0, weight: 0 };
        match core.recover() {
            Ok(()) => {
                core.show();
                Ok(core)
            }
            Err(Stop::Fail(error) | Stop::Seal(error)) => Err(error),
            Err(Stop::Again) => Err(WriteError::Contended),
        }
    }

    /// Works until nobody can hand over anything any more.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Work<S>>) {
        let mut waiting = Vec::new();
        while queue.blocking_recv_many(&mut waiting, self.pace.jobs.max(1)) > 0 {
            let (mut jobs, mut watchers) = (Jobs::new(), Vec::new());
            for work in waiting.drain(..) {
                match work {
                    Work::Decide(job) => jobs.push_back(job),
                    Work::CatchUp(watcher) => watchers.push(watcher),
                }
            }
            self.batches(jobs);
            if !watchers.is_empty() {
                let caught_up = self.catch_up();
                for watcher in watchers {
                    let _ = watcher.send(caught_up.clone());
                }
            }
            self.rest();
        }
    }

    /// Commits all jobs, in as few transactions as their size allows.
    fn batches(&mut self, mut jobs: Jobs<S>) {
        let mut tries = 0;
        while !jobs.is_empty() {
            let (before, head) = (jobs.len(), self.head);
            let stop = match self.sealed() {
                Some(error) => Stop::Fail(error),
                None => match self.batch(&mut jobs) {
                    Ok(()) => {
                        tries = 0;
                        continue;
                    }
                    Err(stop) => stop,
                },
            };
            // A job that was taken out, or others' records, are progress of a kind; only the latter
            // can go on for ever.
            tries = if jobs.len() < before { tries } else { tries + 1 };
            let error = match stop {
                Stop::Again if tries < self.pace.tries => continue,
                Stop::Again => WriteError::Contended,
                Stop::Fail(error) => error,
                Stop::Seal(error) => self.seal(error),
            };
            jobs.drain(..).for_each(|job| job.fail(error.clone()));
            self.mend(head);
        }
    }

    /// Decides as many jobs as fit and commits them. Jobs that were answered are gone from `jobs`.
    fn batch(&mut self, jobs: &mut Jobs<S>) -> Result<(), Stop> {
        self.recover()?;
        let ledger = Arc::clone(&self.ledger);
        let mut turn = ledger.turn()?;
        self.replay(turn.head(), |from| turn.read(from, REPLAY))?;
        let mut tail = self.head.seq + 1;
        let mut places = Vec::new();
        let mut room = self.pace.bytes;
        while room > 0
            && let Some(job) = jobs.get_mut(places.len())
        {
            let first = tail;
            // Deciding only reads the state, so a panic leaves nothing half done.
            let decided = catch_unwind(AssertUnwindSafe(|| job.decide(&self.state)));
            for draft in decided.unwrap_or_default() {
                room = room.saturating_sub(draft.size());
                self.astray = true;
                let record = turn.push(draft)?;
                if let Err(unfit) = self.state.apply(&record) {
                    if let Some(job) = jobs.remove(places.len()) {
                        job.fail(WriteError::Unfit(unfit));
                    }
                    return Err(Stop::Again);
                }
                tail += 1;
            }
            places.push(first..tail);
        }
        self.head = turn.commit()?;
        self.astray = false;
        self.show();
        for (job, records) in jobs.drain(..places.len()).zip(places) {
            job.succeed(records);
        }
        Ok(())
    }

    /// Takes in what others wrote.
    fn catch_up(&mut self) -> Result<Head, WriteError> {
        if let Some(error) = self.sealed() {
            return Err(error);
        }
        let ledger = Arc::clone(&self.ledger);
        let caught_up = self.recover().and_then(|()| {
            let head = ledger.head()?;
            self.replay(head, |from| ledger.read(from, REPLAY))
        });
        match caught_up {
            Ok(()) => {
                self.show();
                Ok(self.head)
            }
            Err(Stop::Again) => Err(WriteError::Contended),
            Err(Stop::Fail(error)) => Err(error),
            Err(Stop::Seal(error)) => Err(self.seal(error)),
        }
    }

    /// Applies what the log has up to `end`.
    fn replay(
        &mut self,
        end: Head,
        mut read: impl FnMut(u64) -> Result<Vec<Record>, ReadError>,
    ) -> Result<(), Stop> {
        while self.head.seq < end.seq {
            let records = read(self.head.seq + 1)?;
            if records.is_empty() {
                return Err(ReadError::RolledBack { seen: end, found: self.head }.into());
            }
            for record in records {
                Chain(self.head).check(&record)?;
                let followed = self.state.apply(&record);
                if let Err(unfit) = followed {
                    self.astray = true;
                    return Err(Stop::Seal(WriteError::Astray { seq: record.seq(), unfit }));
                }
                self.head = record.head();
            }
        }
        if self.head.seq == end.seq && self.head != end {
            return Err(ReadError::RolledBack { seen: self.head, found: end }.into());
        }
        Ok(())
    }

    /// Makes the state anew if it has gone astray: the latest snapshot, and what came after.
    fn recover(&mut self) -> Result<(), Stop> {
        if !self.astray {
            return Ok(());
        }
        let ledger = Arc::clone(&self.ledger);
        let snapshot = ledger.latest_snapshot()?;
        // A snapshot of another version is no loss: the log has everything.
        let taken = snapshot.filter(|snapshot| self.state.reset(Some(&snapshot.bytes)).is_ok());
        self.weight = taken.as_ref().map_or(0, |snapshot| weight(&snapshot.bytes));
        self.head = match taken {
            Some(snapshot) => snapshot.head,
            None => {
                self.state
                    .reset(None)
                    .map_err(|unfit| Stop::Seal(WriteError::Astray { seq: 0, unfit }))?;
                Head::GENESIS
            }
        };
        self.saved = self.head.seq;
        self.replay(ledger.head()?, |from| ledger.read(from, REPLAY))?;
        self.astray = false;
        Ok(())
    }

    /// Makes the state good after a failure, or shows what others wrote before it.
    fn mend(&mut self, shown: Head) {
        if self.sealed().is_some() {
            return;
        }
        match self.recover() {
            Ok(()) if self.head == shown => {}
            Ok(()) => self.show(),
            Err(Stop::Seal(error)) => drop(self.seal(error)),
            // It is tried again before the next decision.
            Err(Stop::Again | Stop::Fail(_)) => {}
        }
    }

    /// Does what nobody waits for.
    fn rest(&mut self) {
        self.ledger.settle();
        // A large state is saved less often: saving it never writes more than the records themselves.
        let due = self.head.seq.saturating_sub(self.saved) >= self.pace.snapshot.max(self.weight);
        if !due || self.astray || self.sealed().is_some() {
            return;
        }
        // If this fails the start is slower, and it is tried again as many records later.
        self.saved = self.head.seq;
        let Some(bytes) = self.state.save() else { return };
        self.weight = weight(&bytes);
        if let Err(error @ AppendError::Unknown(_)) = self.ledger.store_snapshot(self.head, &bytes)
            && let Stop::Seal(error) = Stop::from(error)
        {
            self.seal(error);
        }
    }

    fn show(&mut self) {
        self.state.committed(self.head);
        self.shared.applied.store(self.head.seq, Ordering::Release);
    }

    fn seal(&mut self, error: WriteError) -> WriteError {
        if self.shared.sealed.set(error.to_string().into()).is_ok() {
            self.state.sealed(&error);
        }
        error
    }

    fn sealed(&self) -> Option<WriteError> {
        self.shared.sealed.get().map(|why| WriteError::Sealed(Arc::clone(why)))
    }
}

fn weight(snapshot: &[u8]) -> u64 {
    u64::try_from(snapshot.len() / RECORD).unwrap_or(u64::MAX)
}

impl From<AppendError> for Stop {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Moved { .. } => Self::Again,
            AppendError::Unavailable(cause) => Self::Fail(WriteError::Unavailable(cause)),
            AppendError::Unknown(cause) => Self::Seal(WriteError::Unknown(cause)),
            AppendError::Untrusted(error) => Self::Seal(WriteError::Untrusted(error)),
        }
    }
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable(cause) => Self::Fail(WriteError::Unavailable(cause)),
            error => Self::Seal(WriteError::Untrusted(error)),
        }
    }
}
