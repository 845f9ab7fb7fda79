//! One kill: recorded, carried out by every process that runs what was killed, and waited for.
//!
//! The record comes first, and from then on nothing new can start, leave or be minted, because each of
//! these is recorded in the same order. Then every process that runs one of the tasks is asked to look;
//! it ends its guests, cuts their connections and records that their calls have ended. One that does not
//! within its lease is ended from here. If nothing can be recorded, the processes are ended at once.

use super::{Authority, Refused, View, ViewError};
use crate::clock::{Clock, UnixMillis};
use crate::event::{HostEnd, Owner};
use crate::id::{CallId, HostId, LeaseId, TaskId};
use crate::ledger::{Committed, Ledger};
use crate::process::{Process, Standing};
use crate::state::{LeasePhase, Phase, Selector, State, Token};
use crate::token::LEASE;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

/// How often to see whether a process that was asked is still there.
const LOOK: Duration = Duration::from_millis(20);

/// How long a process that was ended may take to be gone, and how often that is looked at.
const GONE: Duration = Duration::from_secs(5);
const GLANCE: Duration = Duration::from_millis(1);

/// Who is to be killed, and what is said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kill {
    /// Which tasks.
    pub selector: Selector,
    /// Who asks for it.
    pub by: Owner,
    /// Why, for the record.
    pub why: Option<String>,
}

/// What a kill has done, and what it could not do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// Whether it is in the ledger. If not, the processes were ended, and their tasks with them, but
    /// a backup of the ledger knows nothing of it.
    pub durable: bool,
    /// Why it is not in the ledger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undurable: Option<String>,
    /// The number of its last record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<u64>,
    /// The tasks that were live until now, with those below them.
    pub tasks: BTreeSet<TaskId>,
    /// How many calls were running in them.
    pub calls: usize,
    /// How many tokens were good until now.
    pub tokens: usize,
    /// What became of the processes that ran the calls.
    pub processes: BTreeMap<HostId, Cut>,
    /// Credentials that still have to be revoked upstream: by the process that leased them, or by the
    /// next one that is told where they come from.
    pub pending: Vec<Pending>,
    /// How long it took, microseconds.
    pub micros: u64,
}

/// How a process stopped what was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// It has recorded that its calls ended, or its own end.
    Acknowledged,
    /// It did not within its lease, or nothing could be recorded: it is gone, by itself or ended
    /// from here.
    Fenced,
    /// It did not within its lease and cannot be ended from here: it runs in another pid namespace.
    /// What it is in the middle of may go on; nothing new can start or leave.
    OutOfReach,
}

/// A credential that is still to be revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pending {
    /// The lease.
    pub lease: LeaseId,
    /// Its task.
    pub task: TaskId,
    /// The credential's name in the grant.
    pub credential: String,
    /// The kind of provider.
    pub kind: String,
}

/// Why there is no receipt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KillError {
    /// Nothing fits.
    #[error("{0} is not live: it has ended, was killed before, or never was")]
    NotLive(TaskId),
    /// What runs is not known.
    #[error(transparent)]
    View(#[from] ViewError),
}

impl Receipt {
    /// Says whether everything that was killed has stopped.
    pub fn is_complete(&self) -> bool {
        self.durable && !self.processes.values().any(|cut| *cut == Cut::OutOfReach)
    }
}

/// Kills. When this returns, nothing that was killed runs any more, but for what the receipt names.
pub async fn kill(
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    kill: Kill,
) -> Result<Receipt, KillError> {
    let started = Instant::now();
    let mut view = View::open(Arc::clone(&ledger))?;
    let authority = Authority::open(ledger, clock).map_err(Refused::from);
    let committed = match &authority {
        Ok(authority) => authority.kill(kill.clone()).await,
        Err(refused) => Err(refused.clone()),
    };
    let (killed, record, undurable) = match committed {
        Ok(Committed { records, answer }) => (answer, Some(records.end.saturating_sub(1)), None),
        Err(refused) => {
            let known = Killed::of(view.state(), &kill.selector, view.state().now());
            (known, None, Some(refused.to_string()))
        }
    };
    let Killed { tasks, tokens, mut calls } = killed;
    if let Selector::Task(task) = &kill.selector
        && tasks.is_empty()
        && calls.0.is_empty()
    {
        return Err(KillError::NotLive(task.clone()));
    }
    let count = calls.count();
    let mut processes = BTreeMap::new();
    if record.is_some() {
        calls.processes().for_each(|(_, process)| process.poke());
        processes = calls.acknowledged(&mut view, started + LEASE).await;
    }
    let ended = calls.end().await;
    let gone = ended.iter().filter(|(_, cut)| **cut != Cut::OutOfReach);
    let gone: Vec<_> = gone.map(|(host, _)| (host.clone(), HostEnd::Fenced)).collect();
    if let Ok(authority) = &authority
        && !gone.is_empty()
    {
        // What cannot be recorded now, the next process to come up finds out for itself.
        let _ = authority.hosts_ended(gone).await;
        // What cannot be read now is pending as far as is known.
        let _ = view.catch_up();
    }
    processes.extend(ended);
    Ok(Receipt {
        durable: record.is_some(),
        undurable,
        record,
        tasks,
        calls: count,
        tokens,
        processes,
        pending: pending(view.state()),
        micros: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
    })
}

/// What a kill finds.
pub(super) struct Killed {
    /// What was live until now.
    tasks: BTreeSet<TaskId>,
    /// How many tokens were good until now.
    tokens: usize,
    /// What runs, also in tasks that were killed before and have not quite stopped.
    calls: Calls,
}

impl Killed {
    /// Looks at the state before the kill.
    pub(super) fn of(state: &State, selector: &Selector, now: UnixMillis) -> Self {
        let meant = state.tasks().filter(|(id, task)| selector.fits(id, task));
        let trees: BTreeSet<TaskId> = meant.flat_map(|(id, _)| state.subtree(id)).collect();
        let in_phase = |phase| {
            let fits = move |id: &&TaskId| state.task(id).is_some_and(|task| task.phase == phase);
            trees.iter().filter(fits)
        };
        let calls = Calls::of(state, in_phase(Phase::Live).chain(in_phase(Phase::Killed)));
        let tasks: BTreeSet<TaskId> = in_phase(Phase::Live).cloned().collect();
        let good = |(jti, token): &(&str, &Token)| {
            tasks.contains(&token.task) && state.is_active(jti, now)
        };
        let tokens = state.tokens().filter(good).count();
        Self { tasks, tokens, calls }
    }
}

/// The calls that have to end, by the process that runs them.
struct Calls(BTreeMap<HostId, (Process, BTreeSet<(TaskId, CallId)>)>);

impl Calls {
    fn of<'a>(state: &State, tasks: impl Iterator<Item = &'a TaskId>) -> Self {
        let mut calls = BTreeMap::new();
        for (id, task) in tasks.filter_map(|id| Some((id, state.task(id)?))) {
            for (call, running) in &task.calls {
                let Some(process) = state.host(&running.host) else { continue };
                let (_, calls) = calls
                    .entry(running.host.clone())
                    .or_insert_with(|| (process.clone(), BTreeSet::new()));
                calls.insert((id.clone(), call.clone()));
            }
        }
        Self(calls)
    }

    fn count(&self) -> usize {
        self.0.values().map(|(_, running)| running.len()).sum()
    }

    fn processes(&self) -> impl Iterator<Item = (&HostId, &Process)> {
        self.0.iter().map(|(host, (process, _))| (host, process))
    }

    /// Waits until every call has ended, its process is gone, or the lease is over. What is left has
    /// not acknowledged, or so it seems from here: a ledger that cannot be read must not stop a kill.
    async fn acknowledged(&mut self, view: &mut View, until: Instant) -> BTreeMap<HostId, Cut> {
        let mut cut = BTreeMap::new();
        loop {
            // Looked at before the ledger: what a process recorded before it was gone is then seen.
            let gone = |(process, _): &(Process, _)| process.standing() == Standing::Gone;
            let over = Instant::now() >= until || self.0.values().all(gone);
            let _ = view.catch_up();
            let state = view.state();
            self.0.retain(|host, (_, running)| {
                running.retain(|(task, call)| {
                    state.task(task).is_some_and(|task| task.calls.contains_key(call))
                });
                if running.is_empty() {
                    cut.insert(host.clone(), Cut::Acknowledged);
                }
                !running.is_empty()
            });
            if over || self.0.is_empty() {
                return cut;
            }
            let look = until.min(Instant::now() + LOOK);
            if let Ok(Err(_)) = timeout_at(look, view.changed()).await {
                sleep_until(look).await;
            }
        }
    }

    /// Ends the processes that are left, each with everything that it runs.
    async fn end(&self) -> BTreeMap<HostId, Cut> {
        let ended: Vec<_> = self.processes().collect();
        let ended = ended.into_iter().map(|(host, process)| {
            let mut all = process.kill_with_children();
            all.push(process.clone());
            (host, all)
        });
        let ended: Vec<_> = ended.collect();
        let until = Instant::now() + GONE;
        let mut cut = BTreeMap::new();
        for (host, processes) in ended {
            let is_alive = |process: &Process| process.standing() == Standing::Alive;
            while processes.iter().any(is_alive) && Instant::now() < until {
                sleep(GLANCE).await;
            }
            let gone = processes.iter().all(|process| process.standing() == Standing::Gone);
            cut.insert(host.clone(), if gone { Cut::Fenced } else { Cut::OutOfReach });
        }
        cut
    }
}

/// The credentials that are still to be revoked.
pub fn pending(state: &State) -> Vec<Pending> {
    let revoking = |phase| matches!(phase, LeasePhase::Revoking { .. });
    let leases = state.leases().filter(|(_, lease)| revoking(lease.phase));
    let pending = leases.map(|(id, lease)| Pending {
        lease: id.clone(),
        task: lease.task.clone(),
        credential: lease.credential.clone(),
        kind: lease.kind.clone(),
    });
    pending.collect()
}
