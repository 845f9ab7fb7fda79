//! What may be recorded next. Pure: time is an argument, and nothing is changed.

use super::{Phase, State, Task};
use crate::clock::UnixMillis;
use crate::event::{Event, HostEnd, LeaseIntended, Owner, TaskEnd, TaskStarted, TokenMinted};
use crate::id::{HostId, LeaseId, TaskId};
use std::collections::BTreeSet;
use std::time::Duration;

/// How deep tasks may be nested. A deeper tree is a loop in somebody's agent.
pub const MAX_DEPTH: u32 = 8;

/// How many tasks may live at once, over all processes. It bounds the state.
pub const MAX_LIVE_TASKS: usize = 100_000;

/// How far the clock may lie behind the last record before it counts as stepped back. Several
/// processes on one machine read one clock, but they do not commit in the order of their readings.
const CLOCK_SLACK: Duration = Duration::from_secs(2);

/// Why something may not be recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotNow {
    /// The task has ended, was killed, or never was.
    #[error("{0} is not live: it has ended, was killed, or never was")]
    NotLive(TaskId),
    /// The child would outlive its parent.
    #[error("a child may not outlive its parent {0}")]
    Outlives(TaskId),
    /// The tree is as deep as it may be.
    #[error("tasks may be nested {MAX_DEPTH} deep and not deeper")]
    TooDeep,
    /// There are as many tasks as there may be.
    #[error("there are {MAX_LIVE_TASKS} live tasks already")]
    TooMany,
    /// The deadline has passed already.
    #[error("the deadline has passed already")]
    Past,
    /// A name that is taken.
    #[error("{0} is taken")]
    Taken(String),
    /// The process is not registered, or was fenced.
    #[error("{0} is not a live host: it has ended or was fenced")]
    NoHost(HostId),
    /// The clock is behind the ledger.
    #[error("the clock is {} ms behind the ledger's last record; set it right", .0.as_millis())]
    SteppedBack(Duration),
}

/// Which tasks a kill is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// One task.
    Task(TaskId),
    /// Every task.
    All,
    /// Every task of one owner.
    Owner(Owner),
    /// Every task with a label.
    Label(String, String),
}

impl Selector {
    /// Says whether a task itself is meant; what lies below it is meant with it.
    pub fn fits(&self, id: &TaskId, task: &Task) -> bool {
        match self {
            Self::Task(wanted) => id == wanted,
            Self::All => true,
            Self::Owner(owner) => task.owner == *owner,
            Self::Label(name, value) => task.labels.get(name) == Some(value),
        }
    }
}

impl State {
    /// Refuses when the clock has stepped back: lifetimes would be longer than they were meant.
    pub fn clock(&self, now: UnixMillis) -> Result<(), NotNow> {
        let behind = self.now.saturating_since(now);
        if behind > CLOCK_SLACK { Err(NotNow::SteppedBack(behind)) } else { Ok(()) }
    }

    /// Decides whether a task may start.
    ///
    /// That its grant is within its parent's is decided where both grants are; here is only what
    /// hangs on time and on the tree.
    pub fn start_task(&self, now: UnixMillis, started: TaskStarted) -> Result<Event, NotNow> {
        if let Some(host) = started.host.as_ref().filter(|host| !self.hosts.contains_key(host)) {
            return Err(NotNow::NoHost(host.clone()));
        }
        self.start_first_task(now, started)
    }

    /// Decides the same for the first task of a process that is registered with it.
    pub fn start_first_task(&self, now: UnixMillis, started: TaskStarted) -> Result<Event, NotNow> {
        self.clock(now)?;
        if self.tasks.contains_key(&started.task) {
            return Err(NotNow::Taken(started.task.to_string()));
        }
        if started.deadline.is_some_and(|deadline| deadline <= now) {
            return Err(NotNow::Past);
        }
        if self.live >= MAX_LIVE_TASKS {
            return Err(NotNow::TooMany);
        }
        if let Some(id) = &started.parent {
            let parent = self.live(id, now)?;
            if parent.depth + 1 > MAX_DEPTH {
                return Err(NotNow::TooDeep);
            }
            let within = match (started.deadline, parent.deadline) {
                (_, None) => true,
                (Some(child), Some(parent)) => child <= parent,
                (None, Some(_)) => false,
            };
            if !within {
                return Err(NotNow::Outlives(id.clone()));
            }
        }
        Ok(Event::TaskStarted(started))
    }

    /// Decides whether a task may act: send, lease, call.
    pub fn act(&self, now: UnixMillis, task: &TaskId) -> Result<(), NotNow> {
        self.clock(now)?;
        self.live(task, now).map(drop)
    }

    /// Decides whether a token may be minted. Its lifetime ends with its task's at the latest.
    pub fn mint(&self, now: UnixMillis, mut minted: TokenMinted) -> Result<Event, NotNow> {
        self.clock(now)?;
        let task = self.live(&minted.task, now)?;
        if self.tokens.contains_key(&minted.jti) {
            return Err(NotNow::Taken(minted.jti));
        }
        if let Some(deadline) = task.deadline {
            minted.expires = minted.expires.min(deadline);
        }
        if minted.expires <= now {
            return Err(NotNow::Past);
        }
        Ok(Event::TokenMinted(minted))
    }

    /// Returns what revokes a token, unless it is good no longer. If nobody is named, the owner of its
    /// task did it: whoever has a token may give it up.
    pub fn revoke(
        &self,
        now: UnixMillis,
        jti: &str,
        by: Option<Owner>,
    ) -> Result<Option<Event>, NotNow> {
        self.clock(now)?;
        let owner = self.tokens.get(jti).and_then(|token| self.tasks.get(&token.task));
        let by = by.or_else(|| owner.map(|task| task.owner.clone()));
        let by = by.filter(|_| self.is_active(jti, now));
        Ok(by.map(|by| Event::TokenRevoked { jti: jti.to_owned(), by }))
    }

    /// Decides whether a credential may be leased upstream.
    pub fn intend(&self, now: UnixMillis, intended: LeaseIntended) -> Result<Event, NotNow> {
        self.act(now, &intended.task)?;
        if self.leases.contains_key(&intended.lease) {
            return Err(NotNow::Taken(intended.lease.to_string()));
        }
        Ok(Event::LeaseIntended(intended))
    }

    /// Returns what kills the tasks that fit: one event for each that is not below another one.
    pub fn kill(&self, selector: &Selector, by: &Owner, why: Option<&str>) -> Vec<Event> {
        let fitting: BTreeSet<&TaskId> = self
            .tasks
            .iter()
            .filter(|(id, task)| task.phase == Phase::Live && selector.fits(id, task))
            .map(|(id, _)| id)
            .collect();
        let kill = |task: &TaskId| Event::TaskKilled {
            task: task.clone(),
            by: by.clone(),
            why: why.map(str::to_owned),
        };
        fitting.iter().filter(|id| !self.is_below(id, &fitting)).map(|id| kill(id)).collect()
    }

    /// Returns what ends a task, unless it has ended already.
    pub fn end(&self, task: &TaskId, how: TaskEnd) -> Option<Event> {
        let live = self.tasks.get(task).is_some_and(|task| task.phase == Phase::Live);
        live.then(|| Event::TaskEnded { task: task.clone(), how })
    }

    /// Returns what ends a process with all its tasks, unless it has ended already.
    pub fn end_host(&self, host: &HostId, how: HostEnd) -> Option<Event> {
        self.hosts.contains_key(host).then(|| Event::HostEnded { host: host.clone(), how })
    }

    /// Returns what ends the tasks that wait for calls and whose time is over. A task that has a process
    /// of its own is ended by that.
    pub fn end_overdue(&self, now: UnixMillis) -> impl Iterator<Item = Event> {
        let waits = |task: &TaskId| self.tasks.get(task).is_some_and(|task| task.host.is_none());
        let overdue = self.overdue(now).into_iter().filter(move |task| waits(task));
        overdue.map(|task| Event::TaskEnded { task, how: TaskEnd::Deadline })
    }

    /// Returns the tasks whose time is over.
    pub fn overdue(&self, now: UnixMillis) -> Vec<TaskId> {
        let over = |task: &Task| {
            task.phase == Phase::Live && task.deadline.is_some_and(|deadline| deadline <= now)
        };
        self.tasks.iter().filter(|(_, task)| over(task)).map(|(id, _)| id.clone()).collect()
    }

    /// Returns the credentials of ended tasks, which must be revoked.
    pub fn to_revoke(&self) -> Vec<LeaseId> {
        let revoking = |phase| matches!(phase, super::LeasePhase::Revoking { .. });
        self.leases
            .iter()
            .filter(|(_, lease)| revoking(lease.phase) && lease.lapses.is_none())
            .map(|(id, _)| id.clone())
            .collect()
    }

    fn live(&self, id: &TaskId, now: UnixMillis) -> Result<&Task, NotNow> {
        match self.tasks.get(id) {
            Some(task) if self.is_live(id, now) => Ok(task),
            _ => Err(NotNow::NotLive(id.clone())),
        }
    }

    fn is_below(&self, id: &TaskId, others: &BTreeSet<&TaskId>) -> bool {
        let parent = |id: &TaskId| self.tasks.get(id).and_then(|task| task.parent.clone());
        let mut above = parent(id);
        while let Some(id) = above {
            if others.contains(&id) {
                return true;
            }
            above = parent(&id);
        }
        false
    }
}
