//! The authority of one process: it decides on what the ledger says, records, and tells who must stop.
//!
//! Several processes on one machine share a ledger. Whatever one of them decides is decided in its turn
//! to write, on everything that was recorded before: a task that was killed from another process can
//! start, send and mint nothing from that record on, wherever its own process is.

mod decided;
mod desk;
mod keys;
mod kill;
#[cfg(feature = "providers")]
mod leases;
mod live;
mod shown;
mod tokens;
mod view;

pub use desk::{Desk, Stale};
pub use keys::{KeysError, Rotation};
pub use kill::{Cut, Kill, KillError, Pending, Receipt, kill, pending};
#[cfg(feature = "providers")]
pub use leases::{LeaseError, Leases, Use};
pub use live::{Stop, Watch};
pub use shown::{Happened, Notice};
pub use tokens::{Bearer, Issuer, Presented, Request, TokenError, Tokens};
pub use view::{View, ViewError};

use crate::clock::{Clock, UnixMillis};
use crate::event::{
    AskDecided, CallStarted, Event, HostEnd, Owner, TaskEnd, TaskStarted, TokenMinted,
};
use crate::id::{HostId, LeaseId, TaskId};
use crate::ledger::{
    Committed, Decided, Draft, InvalidDraft, Ledger, Pace, ReadError, WriteError, Writer,
};
use crate::process::{Process, Standing};
use crate::state::{NotNow, State, Task};
use crate::token::LEASE;
use decided::decided;
use kill::Killed;
use live::{Live, Watched};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long following has to go well before the ledger counts as heard again.
const HEARD: Duration = Duration::from_millis(200);

/// Why something was not recorded, and so may not be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The state does not allow it.
    #[error(transparent)]
    NotNow(#[from] NotNow),
    /// The ledger cannot take it.
    #[error(transparent)]
    Ledger(#[from] WriteError),
    /// It cannot be written down.
    #[error("it cannot be recorded: {0}")]
    Invalid(#[from] InvalidDraft),
}

/// A process that comes up for one call.
#[derive(Debug, Clone)]
pub struct Run {
    /// The process.
    pub process: Process,
    /// Its task, if it comes up for that as well.
    pub task: Option<TaskStarted>,
    /// Its call.
    pub call: CallStarted,
}

/// What is said when such a process is done.
#[derive(Debug, Clone)]
pub struct RunEnd {
    /// What was decided and not yet recorded.
    pub notes: Vec<AskDecided>,
    /// How its call ended: an [`Event::CallEnded`].
    pub call: Event,
    /// How its task ended, if it came up for that and unless it was ended before.
    pub task: Option<(TaskId, TaskEnd)>,
    /// What it had leased.
    pub leases: Vec<LeaseId>,
}

/// Decides and records for the tasks of this process.
pub struct Authority {
    writer: Writer<Live>,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    watched: Arc<Watched>,
    /// Since when nothing could be heard from the ledger, if that is so.
    deaf: Mutex<Option<Instant>>,
}

impl Authority {
    /// Replays the ledger and starts to write.
    pub fn open(ledger: Arc<dyn Ledger>, clock: Arc<dyn Clock>) -> Result<Self, WriteError> {
        let watched = Arc::new(Watched::default());
        let live = Live::new(Arc::clone(&watched));
        let writer = Writer::spawn(Arc::clone(&ledger), live, Pace::default())?;
        Ok(Self { writer, ledger, clock, watched, deaf: Mutex::default() })
    }

    /// Admits a process with its call, and its task if it comes up for that. It may act once this
    /// returns.
    ///
    /// Processes that are gone without having said so are declared lost on the way: that ends their
    /// tasks, and nothing waits for them any more. So are tasks whose time is over.
    pub async fn start_run(&self, run: Run) -> Result<Watch, Refused> {
        // Watched first: a kill may come right after the commit.
        let watch = self.watched.watch(run.call.task.clone(), run.call.host.clone());
        self.decide(move |state, now| {
            let mut events = tidied(state, now);
            let host = run.call.host.clone();
            events.push(Event::HostStarted { host, process: run.process.clone() });
            match &run.task {
                Some(task) => events.push(state.start_first_task(now, task.clone())?),
                None => state.act(now, &run.call.task)?,
            }
            events.push(Event::CallStarted(run.call.clone()));
            Ok((events, ()))
        })
        .await?;
        Ok(watch)
    }

    /// Admits a task that waits for calls until its deadline.
    pub async fn start_task(&self, task: TaskStarted) -> Result<(), Refused> {
        self.decide(move |state, now| {
            let mut events = tidied(state, now);
            events.push(state.start_task(now, task.clone())?);
            Ok((events, ()))
        })
        .await?;
        Ok(())
    }

    /// Ends a task that is done, with everything below it. What runs in it is told; it is not waited
    /// for. Says whether it was live.
    pub async fn end_task(&self, task: TaskId) -> Result<bool, Refused> {
        let ended = self.decide(move |state, _| {
            let event = state.end(&task, TaskEnd::Done);
            let live = event.is_some();
            Ok((event.into_iter().collect(), live))
        });
        Ok(ended.await?.answer)
    }

    /// Returns a task that may act now, with those above it, the nearest first.
    pub async fn task(&self, task: TaskId) -> Result<(Task, Vec<TaskId>), Refused> {
        let found = self.decide(move |state, now| {
            state.act(now, &task)?;
            let found = state.task(&task).cloned().ok_or_else(|| NotNow::NotLive(task.clone()))?;
            Ok((Vec::new(), (found, state.ancestry(&task))))
        });
        Ok(found.await?.answer)
    }

    /// Returns the tasks that may act now.
    pub async fn live_tasks(&self) -> Result<BTreeSet<TaskId>, Refused> {
        let live = self.decide(|state, now| {
            let live = state.tasks().map(|(id, _)| id).filter(|id| state.is_live(id, now));
            Ok((Vec::new(), live.cloned().collect()))
        });
        Ok(live.await?.answer)
    }

    /// Records that an effect may happen outside, if its task may still act, with the notes that came
    /// before it. It is durable when this returns.
    pub async fn admit(&self, notes: Vec<AskDecided>, ask: AskDecided) -> Result<(), Refused> {
        let answered = self.decide(move |state, now| {
            let allowed = state.act(now, &ask.task);
            let mut events: Vec<Event> = notes.iter().map(decided).collect();
            if allowed.is_ok() {
                events.push(decided(&ask));
            }
            Ok((events, allowed))
        });
        Ok(answered.await?.answer?)
    }

    /// Records decisions about which nothing is to be decided any more.
    pub async fn note(&self, notes: Vec<AskDecided>) -> Result<(), Refused> {
        let events: Vec<Event> = notes.iter().map(decided).collect();
        self.decide(move |_, _| Ok((events.clone(), ()))).await?;
        Ok(())
    }

    /// Records a token that will be signed, with its life cut to its task's, and returns when it ends.
    pub async fn mint(&self, minted: TokenMinted) -> Result<UnixMillis, Refused> {
        let decided = self.decide(move |state, now| {
            let event = state.mint(now, minted.clone())?;
            let Event::TokenMinted(TokenMinted { expires, .. }) = event else {
                return Err(NotNow::Past);
            };
            Ok((vec![event], expires))
        });
        Ok(decided.await?.answer)
    }

    /// Revokes one token, for somebody or else for the owner of its task, and says whether it was good
    /// until now.
    pub async fn revoke_token(&self, jti: String, by: Option<Owner>) -> Result<bool, Refused> {
        let decided = self.decide(move |state, now| {
            let revoked = state.revoke(now, &jti, by.clone())?;
            Ok((revoked.iter().cloned().collect(), revoked.is_some()))
        });
        Ok(decided.await?.answer)
    }

    /// Records the end of a process that came up for one call. What it says is durable then.
    ///
    /// If it has leased credentials, it ends with their revocation ([`Authority::revoke_own`]).
    pub async fn end_run(&self, host: HostId, end: RunEnd) -> Result<(), Refused> {
        self.decide(move |state, _| {
            let mut events: Vec<Event> = end.notes.iter().map(decided).collect();
            events.push(end.call.clone());
            // The end of a task releases what was leased for it.
            let leased = end.leases.iter().filter(|_| end.task.is_none()).cloned();
            let held = leased.filter(|lease| state.is_held(lease));
            events.extend(held.map(|lease| Event::LeaseReleased { lease }));
            events.extend(end.task.as_ref().and_then(|(task, how)| state.end(task, *how)));
            // Until what it has leased is revoked it is still there: others would take that for theirs to
            // revoke, and only this process may know by what.
            if !end.leases.iter().any(|lease| state.lease(lease).is_some()) {
                events.extend(state.end_host(&host, HostEnd::Done));
            }
            Ok((events, ()))
        })
        .await?;
        Ok(())
    }

    /// Takes in what other processes record, until that fails: so kills from elsewhere are heard.
    ///
    /// If it fails again and again for as long as a lease lasts, the tasks of this process are stopped: a
    /// kill would be recorded and not be heard here.
    pub async fn follow(&self) -> WriteError {
        let began = Instant::now();
        let error = match self.ledger.head() {
            Ok(_) => self.writer.follow(self.ledger.subscribe(self.writer.applied() + 1)).await,
            Err(ReadError::Unavailable(cause)) => WriteError::Unavailable(cause),
            Err(error) => WriteError::Untrusted(error),
        };
        let now = Instant::now();
        let mut deaf = self.deaf.lock().unwrap_or_else(PoisonError::into_inner);
        let since = deaf.filter(|_| now - began < HEARD).unwrap_or(now);
        *deaf = Some(since);
        if now - since >= LEASE {
            self.watched.seal(&error);
        }
        error
    }

    /// Looks at the ledger now: another process has asked for it.
    pub fn look(&self) {
        self.ledger.poke();
    }

    /// Kills the tasks that fit, with everything below them.
    async fn kill(&self, kill: Kill) -> Result<Committed<Killed>, Refused> {
        self.decide(move |state, now| {
            let events = state.kill(&kill.selector, &kill.by, kill.why.as_deref());
            Ok((events, Killed::of(state, &kill.selector, now)))
        })
        .await
    }

    /// Records how a call ended, as its process does when it is told to stop.
    #[cfg(all(test, feature = "serve"))]
    pub(crate) async fn note_ended(&self, call: Event) {
        // A test that waits for it sees whether it was recorded.
        let _ = self.decide(move |_, _| Ok((vec![call.clone()], ()))).await;
    }

    /// Records that processes are gone.
    async fn hosts_ended(&self, ended: Vec<(HostId, HostEnd)>) -> Result<(), Refused> {
        self.decide(move |state, _| {
            Ok((ended.iter().filter_map(|(host, how)| state.end_host(host, *how)).collect(), ()))
        })
        .await?;
        Ok(())
    }

    /// Refuses what a task asks for of which it is known here that it was stopped. It spares nobody the
    /// ledger: it is for what was admitted there and has not left yet.
    fn still(&self, task: &TaskId) -> Result<(), Refused> {
        if self.watched.has_stopped(task) {
            return Err(NotNow::NotLive(task.clone()).into());
        }
        Ok(())
    }

    /// Decides in turn, and answers once what was decided is durable.
    async fn decide<T: Send + 'static>(
        &self,
        mut decide: impl FnMut(&State, UnixMillis) -> Result<(Vec<Event>, T), NotNow> + Send + 'static,
    ) -> Result<Committed<T>, Refused> {
        let clock = Arc::clone(&self.clock);
        let committed = self.writer.transact(move |live: &Live| {
            let now = clock.now();
            // A small step back of the clock does not show in the ledger.
            let at = now.max(live.state().now());
            let decided = decide(live.state(), now).map_err(Refused::from);
            let drafted = decided.and_then(|(events, answer)| {
                let drafts = events.iter().map(|event| Draft::of(at, event));
                Ok((drafts.collect::<Result<_, _>>()?, answer))
            });
            match drafted {
                Ok((drafts, answer)) => Decided { drafts, answer: Ok(answer) },
                Err(refused) => Decided { drafts: Vec::new(), answer: Err(refused) },
            }
        });
        let Committed { records, answer } = committed.await?;
        Ok(Committed { records, answer: answer? })
    }
}

/// What ends the processes that are gone and have not said so, and the tasks whose time is over.
fn tidied(state: &State, now: UnixMillis) -> Vec<Event> {
    let gone = state.hosts().filter(|(_, process)| process.standing() == Standing::Gone);
    let lost = gone.map(|(host, _)| Event::HostEnded { host: host.clone(), how: HostEnd::Lost });
    lost.chain(state.end_overdue(now)).collect()
}

#[cfg(test)]
mod tests;
