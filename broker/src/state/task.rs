//! The things that a state holds.

use crate::clock::UnixMillis;
use crate::event::{LeaseIntended, Owner, TaskEnd, TaskStarted, TokenMinted};
use crate::id::{CallId, HostId, TaskId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Whether a task may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It may, until its deadline.
    Live,
    /// It ended without a kill.
    Ended(TaskEnd),
    /// It was killed.
    Killed,
}

/// A call that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// The process that runs it.
    pub host: HostId,
    /// The tool's name.
    pub tool: String,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// The task it was narrowed from.
    pub parent: Option<TaskId>,
    /// The tasks narrowed from it that are not forgotten.
    pub children: BTreeSet<TaskId>,
    /// How many tasks are above it.
    pub depth: u32,
    /// The process that it lives and dies with.
    pub host: Option<HostId>,
    /// On whose behalf.
    pub owner: Owner,
    /// Words by which it can be found.
    pub labels: BTreeMap<String, String>,
    /// When it was admitted.
    pub started: UnixMillis,
    /// When it ends at the latest.
    pub deadline: Option<UnixMillis>,
    /// What runs in it now.
    pub calls: BTreeMap<CallId, Running>,
    /// Whether it may act.
    pub phase: Phase,
    /// Leases that are not revoked and tokens that have not expired.
    pub held: usize,
}

impl Task {
    pub(super) fn new(started: &TaskStarted, depth: u32, at: UnixMillis) -> Self {
        Self {
            parent: started.parent.clone(),
            children: BTreeSet::new(),
            depth,
            host: started.host.clone(),
            owner: started.owner.clone(),
            labels: started.labels.clone(),
            started: at,
            deadline: started.deadline,
            calls: BTreeMap::new(),
            phase: Phase::Live,
            held: 0,
        }
    }

    pub(super) fn is_unused(&self) -> bool {
        self.phase != Phase::Live
            && self.held == 0
            && self.calls.is_empty()
            && self.children.is_empty()
    }
}

/// Where a credential stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeasePhase {
    /// It may exist upstream.
    Intended,
    /// It exists upstream.
    Granted,
    /// Its task has ended; it is revoked until that has succeeded.
    Revoking {
        /// How many attempts have failed.
        attempts: u32,
    },
}

/// A live credential right of one task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The task.
    pub task: TaskId,
    /// The process that leased it, and revokes it as long as it is there.
    pub host: HostId,
    /// The credential's name in the grant.
    pub credential: String,
    /// The kind of provider.
    pub kind: String,
    /// Where it stands.
    pub phase: LeasePhase,
    /// When it ends by itself.
    pub expires: Option<UnixMillis>,
    /// When it ends, if nobody can revoke it before.
    pub lapses: Option<UnixMillis>,
    /// What its provider chose before anything existed, as JSON text.
    pub intent: Option<String>,
    /// What its provider needs to revoke it, as JSON text.
    pub handle: Option<String>,
}

impl Lease {
    pub(super) fn new(intended: &LeaseIntended) -> Self {
        Self {
            task: intended.task.clone(),
            host: intended.host.clone(),
            credential: intended.credential.clone(),
            kind: intended.kind.clone(),
            phase: LeasePhase::Intended,
            expires: None,
            lapses: None,
            intent: intended.intent.as_ref().map(ToString::to_string),
            handle: None,
        }
    }

    /// A grant that comes after the task's end does not make the lease live again.
    pub(super) fn granted(
        &mut self,
        expires: Option<UnixMillis>,
        handle: Option<serde_json::Value>,
    ) {
        self.expires = expires;
        self.handle = handle.map(|handle| handle.to_string());
        if self.phase == LeasePhase::Intended {
            self.phase = LeasePhase::Granted;
        }
    }

    pub(super) fn end(&mut self) {
        if !matches!(self.phase, LeasePhase::Revoking { .. }) {
            self.phase = LeasePhase::Revoking { attempts: 0 };
        }
    }
}

/// A token that has not expired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The task.
    pub task: TaskId,
    /// Who may accept it.
    pub audience: String,
    /// When it expires.
    pub expires: UnixMillis,
    /// Whether it was revoked by itself; the end of its task ends it as well.
    pub revoked: bool,
    /// Its place in the status list.
    pub status: Option<u64>,
}

impl Token {
    pub(super) fn new(minted: &TokenMinted) -> Self {
        Self {
            task: minted.task.clone(),
            audience: minted.audience.clone(),
            expires: minted.expires,
            revoked: false,
            status: minted.status,
        }
    }
}
