//! What is so: the hosts, tasks, leases and tokens that the ledger's records add up to.
//!
//! [`State::apply`] replays; the functions in `decide` say what may be recorded next. Both are pure.
//! What has ended is forgotten once nothing hangs on it any more, so that the state of a long-lived
//! ledger stays small.

mod decide;
mod task;
#[cfg(test)]
mod tests;

pub use decide::{MAX_DEPTH, MAX_LIVE_TASKS, NotNow, Selector};
pub use task::{Lease, LeasePhase, Phase, Running, Task, Token};

use crate::clock::UnixMillis;
use crate::event::{CallStarted, Event, HostEnd, LeaseIntended, TaskEnd, TaskStarted, TokenMinted};
use crate::id::{HostId, LeaseId, TaskId};
use crate::keys::{KeyRing, Purpose};
use crate::process::Process;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The sum of all records up to one of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The time of the last record. Time never runs backwards from here.
    now: UnixMillis,
    hosts: BTreeMap<HostId, Process>,
    tasks: BTreeMap<TaskId, Task>,
    /// How many of them are live.
    live: usize,
    leases: BTreeMap<LeaseId, Lease>,
    /// Those that nobody can revoke by when they end, to forget them in order.
    lapsing: BTreeSet<(UnixMillis, LeaseId)>,
    tokens: BTreeMap<String, Token>,
    /// The same tokens by when they expire, to forget them in order.
    expiring: BTreeSet<(UnixMillis, String)>,
    /// The signing keys, by what they sign.
    keys: BTreeMap<Purpose, KeyRing>,
}

impl State {
    /// Adds one record. What refers to nothing known changes nothing: a replay cannot fail.
    pub fn apply(&mut self, at: UnixMillis, event: &Event) {
        self.now = self.now.max(at);
        match event {
            Event::HostStarted { host, process } => {
                self.hosts.insert(host.clone(), process.clone());
            }
            Event::HostEnded { host, how } => self.host_ended(host, *how),
            Event::TaskStarted(started) => self.task_started(started),
            Event::TaskEnded { task, how } => self.end_tree(task, Phase::Ended(*how)),
            Event::TaskKilled { task, .. } => self.end_tree(task, Phase::Killed),
            Event::LeaseIntended(intended) => self.lease_intended(intended),
            Event::LeaseGranted { lease, expires, handle } => {
                if let Some(lease) = self.leases.get_mut(lease) {
                    lease.granted(*expires, handle.clone());
                }
            }
            Event::LeaseRetrying { lease, attempts, .. } => {
                if let Some(lease) = self.leases.get_mut(lease) {
                    lease.phase = LeasePhase::Revoking { attempts: *attempts };
                }
            }
            Event::LeaseReleased { lease } => {
                if let Some(lease) = self.leases.get_mut(lease) {
                    lease.end();
                }
            }
            Event::LeaseLapsing { lease, expires } => self.lease_lapsing(lease, *expires),
            Event::LeaseRevoked { lease } => self.lease_revoked(lease),
            Event::TokenMinted(minted) => self.token_minted(minted),
            Event::KeysChanged { purpose, change } => {
                let ring = self.keys.entry(*purpose).or_insert_with(|| KeyRing::new(*purpose));
                ring.apply(change, at);
            }
            Event::TokenRevoked { jti, .. } => {
                if let Some(token) = self.tokens.get_mut(jti) {
                    token.revoked = true;
                }
            }
            Event::CallStarted(CallStarted { task, call, host, tool, .. }) => {
                if let Some(task) = self.tasks.get_mut(task) {
                    let running = Running { host: host.clone(), tool: tool.clone() };
                    task.calls.insert(call.clone(), running);
                }
            }
            Event::CallEnded { task, call, .. } => {
                if let Some(calls) = self.tasks.get_mut(task).map(|task| &mut task.calls) {
                    calls.remove(call);
                }
                self.forget_if_unused(task);
            }
            Event::AskDecided(_) => {}
        }
        self.forget_expired();
    }

    /// Returns the time of the last record.
    pub fn now(&self) -> UnixMillis {
        self.now
    }

    /// Returns the processes that run tasks.
    pub fn hosts(&self) -> impl Iterator<Item = (&HostId, &Process)> {
        self.hosts.iter()
    }

    /// Returns one of them.
    pub fn host(&self, host: &HostId) -> Option<&Process> {
        self.hosts.get(host)
    }

    /// Returns the keys of one purpose.
    pub fn keys(&self, purpose: Purpose) -> KeyRing {
        self.keys.get(&purpose).cloned().unwrap_or_else(|| KeyRing::new(purpose))
    }

    /// Returns one task, if it is live or something still hangs on it.
    pub fn task(&self, task: &TaskId) -> Option<&Task> {
        self.tasks.get(task)
    }

    /// Returns the tasks that are live or on which something still hangs.
    pub fn tasks(&self) -> impl Iterator<Item = (&TaskId, &Task)> {
        self.tasks.iter()
    }

    /// Returns the credentials that exist upstream, or may.
    pub fn leases(&self) -> impl Iterator<Item = (&LeaseId, &Lease)> {
        self.leases.iter()
    }

    /// Returns one of them.
    pub fn lease(&self, lease: &LeaseId) -> Option<&Lease> {
        self.leases.get(lease)
    }

    /// Says whether a credential is needed still, as far as the ledger knows.
    pub fn is_held(&self, lease: &LeaseId) -> bool {
        let needed =
            |lease: &Lease| matches!(lease.phase, LeasePhase::Intended | LeasePhase::Granted);
        self.leases.get(lease).is_some_and(needed)
    }

    /// Returns one token that has not expired, whether or not it is still good.
    pub fn token(&self, jti: &str) -> Option<&Token> {
        self.tokens.get(jti)
    }

    /// Returns the tokens that have not expired, whether or not they are still good.
    pub fn tokens(&self) -> impl Iterator<Item = (&str, &Token)> {
        self.tokens.iter().map(|(jti, token)| (jti.as_str(), token))
    }

    /// Returns a task and those above it, the nearest first.
    pub fn ancestry(&self, task: &TaskId) -> Vec<TaskId> {
        let mut found = Vec::new();
        let mut next = Some(task.clone());
        while let Some(id) = next.take() {
            next = self.tasks.get(&id).and_then(|task| task.parent.clone());
            found.push(id);
        }
        found
    }

    /// Says whether a token is good at a time: not revoked, not expired, and its task lives.
    pub fn is_active(&self, jti: &str, now: UnixMillis) -> bool {
        self.tokens.get(jti).is_some_and(|token| {
            !token.revoked && now < token.expires && self.is_live(&token.task, now)
        })
    }

    /// Says whether a task may still act at a time.
    pub fn is_live(&self, task: &TaskId, now: UnixMillis) -> bool {
        self.tasks.get(task).is_some_and(|task| {
            task.phase == Phase::Live && task.deadline.is_none_or(|deadline| now < deadline)
        })
    }

    /// Returns a task and everything below it, parents before their children.
    pub fn subtree(&self, task: &TaskId) -> Vec<TaskId> {
        let mut found = Vec::new();
        let mut next = vec![task.clone()];
        while let Some(id) = next.pop() {
            if let Some(task) = self.tasks.get(&id) {
                next.extend(task.children.iter().cloned());
                found.push(id);
            }
        }
        found
    }

    fn host_ended(&mut self, host: &HostId, how: HostEnd) {
        self.hosts.remove(host);
        let how = if how == HostEnd::Done { TaskEnd::Done } else { TaskEnd::Lost };
        let left = |(id, task): (&TaskId, &Task)| {
            let its_own = task.host.as_ref() == Some(host);
            (its_own && task.phase == Phase::Live).then(|| id.clone())
        };
        let left: Vec<_> = self.tasks.iter().filter_map(left).collect();
        for task in left {
            self.end_tree(&task, Phase::Ended(how));
        }
        for lease in self.leases.values_mut().filter(|lease| lease.host == *host) {
            lease.end();
        }
        // Nothing of it runs any more, in tasks of others and in those that were ended before.
        let ran = |(id, task): (&TaskId, &mut Task)| {
            let before = task.calls.len();
            task.calls.retain(|_, call| call.host != *host);
            (task.calls.len() < before).then(|| id.clone())
        };
        let ran: Vec<_> = self.tasks.iter_mut().filter_map(ran).collect();
        ran.iter().for_each(|task| self.forget_if_unused(task));
    }

    fn task_started(&mut self, started: &TaskStarted) {
        let parent = started.parent.as_ref().and_then(|parent| self.tasks.get_mut(parent));
        let depth = match parent {
            Some(parent) => {
                parent.children.insert(started.task.clone());
                parent.depth + 1
            }
            None => 0,
        };
        let task = Task::new(started, depth, self.now);
        if self.tasks.insert(started.task.clone(), task).is_none() {
            self.live += 1;
        }
    }

    /// Ends a task and everything below it. The first end counts; what has ended stays so.
    fn end_tree(&mut self, task: &TaskId, phase: Phase) {
        let tree = self.subtree(task);
        for id in &tree {
            if let Some(task) = self.tasks.get_mut(id)
                && task.phase == Phase::Live
            {
                task.phase = phase;
                self.live -= 1;
            }
        }
        let ended: BTreeSet<&TaskId> = tree.iter().collect();
        for lease in self.leases.values_mut().filter(|lease| ended.contains(&lease.task)) {
            lease.end();
        }
        // Children first: a parent is kept as long as a child is.
        for id in tree.iter().rev() {
            self.forget_if_unused(id);
        }
    }

    fn lease_intended(&mut self, intended: &LeaseIntended) {
        if let Some(task) = self.tasks.get_mut(&intended.task) {
            task.held += 1;
            let mut lease = Lease::new(intended);
            if task.phase != Phase::Live {
                lease.end();
            }
            self.leases.insert(intended.lease.clone(), lease);
        }
    }

    fn lease_revoked(&mut self, lease: &LeaseId) {
        if let Some(ended) = self.leases.remove(lease) {
            if let Some(at) = ended.lapses {
                self.lapsing.remove(&(at, lease.clone()));
            }
            self.release(&ended.task);
        }
    }

    fn lease_lapsing(&mut self, lease: &LeaseId, at: UnixMillis) {
        if let Some(held) = self.leases.get_mut(lease) {
            held.end();
            if let Some(before) = held.lapses.replace(at) {
                self.lapsing.remove(&(before, lease.clone()));
            }
            self.lapsing.insert((at, lease.clone()));
        }
    }

    fn token_minted(&mut self, minted: &TokenMinted) {
        if let Some(task) = self.tasks.get_mut(&minted.task) {
            task.held += 1;
            self.tokens.insert(minted.jti.clone(), Token::new(minted));
            self.expiring.insert((minted.expires, minted.jti.clone()));
        }
    }

    fn forget_expired(&mut self) {
        while let Some((expires, _)) = self.expiring.first()
            && *expires <= self.now
        {
            let Some((_, jti)) = self.expiring.pop_first() else { return };
            if let Some(token) = self.tokens.remove(&jti) {
                self.release(&token.task);
            }
        }
        while let Some((at, lease)) = self.lapsing.first()
            && *at <= self.now
        {
            let lease = lease.clone();
            self.lapsing.pop_first();
            self.lease_revoked(&lease);
        }
    }

    fn release(&mut self, task: &TaskId) {
        if let Some(held) = self.tasks.get_mut(task) {
            held.held = held.held.saturating_sub(1);
            self.forget_if_unused(task);
        }
    }

    /// Forgets a task that has ended and on which nothing hangs, and then perhaps its parent.
    fn forget_if_unused(&mut self, task: &TaskId) {
        let mut next = Some(task.clone());
        while let Some(id) = next.take() {
            if !self.tasks.get(&id).is_some_and(Task::is_unused) {
                return;
            }
            let Some(task) = self.tasks.remove(&id) else { return };
            if let Some(parent_id) = task.parent
                && let Some(parent) = self.tasks.get_mut(&parent_id)
            {
                parent.children.remove(&id);
                next = Some(parent_id);
            }
        }
    }
}
