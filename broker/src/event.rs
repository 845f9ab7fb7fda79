//! What can happen, as the ledger says it. State is what replaying these gives.
//!
//! An event never holds a secret: credentials go by name, tokens by `jti`, arguments by digest.

use crate::clock::UnixMillis;
use crate::id::{CallId, HostId, LeaseId, TaskId};
use crate::keys::{KeyEvent, Purpose};
use crate::process::Process;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One state change or decision.
///
/// The names are part of the format: one is added for a new meaning, and none is ever changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event")]
pub enum Event {
    /// A process that runs tasks came up.
    #[serde(rename = "host.started")]
    HostStarted {
        /// The name by which tasks refer to it.
        host: HostId,
        /// The process.
        process: Process,
    },
    /// It ended, or was found to be gone.
    #[serde(rename = "host.ended")]
    HostEnded {
        /// The process.
        host: HostId,
        /// How.
        how: HostEnd,
    },
    /// A task was admitted.
    #[serde(rename = "task.started")]
    TaskStarted(TaskStarted),
    /// A task and everything below it ended without a kill.
    #[serde(rename = "task.ended")]
    TaskEnded {
        /// The task; its descendants end with it.
        task: TaskId,
        /// How.
        how: TaskEnd,
    },
    /// A task and everything below it was killed.
    #[serde(rename = "task.killed")]
    TaskKilled {
        /// The task; its descendants are killed with it.
        task: TaskId,
        /// Who asked for it.
        by: Owner,
        /// Why, in their words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// A call of a tool began.
    #[serde(rename = "call.started")]
    CallStarted(CallStarted),
    /// A call ended.
    #[serde(rename = "call.ended")]
    CallEnded {
        /// The task.
        task: TaskId,
        /// The call.
        call: CallId,
        /// How: `exited`, `trapped`, `over_limit`, `killed`, `denied`, `error`.
        outcome: String,
        /// The exit code, as `writ run` reports it.
        exit_code: u8,
        /// The limit that was hit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<String>,
    },
    /// An effect outside the sandbox was decided.
    #[serde(rename = "ask.decided")]
    AskDecided(AskDecided),
    /// A credential will be leased upstream, under a name of our choosing.
    #[serde(rename = "lease.intended")]
    LeaseIntended(LeaseIntended),
    /// The credential exists upstream.
    #[serde(rename = "lease.granted")]
    LeaseGranted {
        /// The lease.
        lease: LeaseId,
        /// When it ends by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires: Option<UnixMillis>,
        /// What its provider needs to revoke it; never the secret.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        handle: Option<serde_json::Value>,
    },
    /// An attempt to revoke it failed; it is tried again.
    #[serde(rename = "lease.retrying")]
    LeaseRetrying {
        /// The lease.
        lease: LeaseId,
        /// How many attempts have failed.
        attempts: u32,
        /// What the upstream said, without secrets.
        error: String,
    },
    /// Its call has ended, and nobody needs it any more.
    #[serde(rename = "lease.released")]
    LeaseReleased {
        /// The lease.
        lease: LeaseId,
    },
    /// Nobody can call it back upstream. It ends there by itself, and until then it may be used by
    /// whoever has it.
    #[serde(rename = "lease.lapsing")]
    LeaseLapsing {
        /// The lease.
        lease: LeaseId,
        /// When it ends by itself.
        expires: UnixMillis,
    },
    /// It is gone upstream.
    #[serde(rename = "lease.revoked")]
    LeaseRevoked {
        /// The lease.
        lease: LeaseId,
    },
    /// A token was minted. The record is durable before the signature is made.
    #[serde(rename = "token.minted")]
    TokenMinted(TokenMinted),
    /// The keys of one purpose changed.
    #[serde(rename = "keys.changed")]
    KeysChanged {
        /// What they sign.
        purpose: Purpose,
        /// How they changed.
        #[serde(flatten)]
        change: KeyEvent,
    },
    /// One token was revoked before its time (RFC 7009).
    #[serde(rename = "token.revoked")]
    TokenRevoked {
        /// The token's `jti`.
        jti: String,
        /// Who asked for it.
        by: Owner,
    },
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostEnd {
    /// By itself, with its tasks ended.
    Done,
    /// It was found to be gone; its tasks ended with it.
    Lost,
    /// It did not answer a kill within its lease and was ended by the one who killed.
    Fenced,
}

/// How a task ended without being killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskEnd {
    /// Its work was done.
    Done,
    /// Its time was over.
    Deadline,
    /// Somebody pressed Ctrl-C or sent a signal.
    Interrupted,
    /// Its process is gone.
    Lost,
}

/// On whose behalf something happens.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Owner {
    /// A user of this machine.
    User {
        /// The user's id.
        uid: u32,
    },
    /// A job of a CI system, by a verified identity token.
    Ci {
        /// The issuer.
        issuer: String,
        /// The subject.
        subject: String,
    },
}

/// A task that was admitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskStarted {
    /// The task.
    pub task: TaskId,
    /// The task it was narrowed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<TaskId>,
    /// The process that it lives and dies with; without one it waits for calls until its deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostId>,
    /// On whose behalf.
    pub owner: Owner,
    /// Words by which it can be found and killed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// When it ends at the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<UnixMillis>,
    /// The whole grant, as `writ check --json` shows it.
    pub grant: serde_json::Value,
}

/// A call that began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallStarted {
    /// The task.
    pub task: TaskId,
    /// The call.
    pub call: CallId,
    /// The process that runs it.
    pub host: HostId,
    /// The tool's name, as the caller knows it.
    pub tool: String,
    /// The tool's digest: `sha256:` and hex.
    pub digest: String,
    /// The function; absent for a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
}

/// A decision about one effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskDecided {
    /// The task.
    pub task: TaskId,
    /// The kind of effect: `http`, `tcp`, `file`, `socket`.
    pub what: String,
    /// What was asked for, canonical.
    pub target: String,
    /// Why it was refused; absent when it was allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
}

/// Why an effect was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The code.
    pub code: String,
    /// The reason.
    pub reason: String,
}

/// A credential that will be leased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseIntended {
    /// The task.
    pub task: TaskId,
    /// The process that leases it, and revokes it as long as it is there.
    pub host: HostId,
    /// The lease.
    pub lease: LeaseId,
    /// The credential's name in the grant.
    pub credential: String,
    /// The kind of provider.
    pub kind: String,
    /// What its provider needs to find it upstream, whatever happened since; never a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<serde_json::Value>,
}

/// A token that was minted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenMinted {
    /// The task.
    pub task: TaskId,
    /// The token's name (RFC 7519 §4.1.7).
    pub jti: String,
    /// Who may accept it.
    pub audience: String,
    /// When it expires.
    pub expires: UnixMillis,
    /// The key that signs it.
    pub kid: String,
    /// Its place in the status list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u64>,
}
