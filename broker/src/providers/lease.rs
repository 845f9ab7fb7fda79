//! What is asked of a provider, and what it gives.

use super::source::Secret;
use crate::clock::UnixMillis;
use crate::id::{LeaseId, TaskId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// What kind of upstream a credential comes from. Our own tokens (`jwt`) come from no upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A static secret of the operator.
    Secret,
    /// A role of a PostgreSQL database, made for one task.
    Postgres,
    /// An access token of an OAuth 2.0 authorization server.
    Oauth,
    /// An installation token of a GitHub App.
    GithubApp,
}

impl Kind {
    /// Every kind, in the order of messages.
    pub const ALL: [Self; 4] = [Self::Secret, Self::Postgres, Self::Oauth, Self::GithubApp];

    /// Returns the word that grants and the operator's file use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Postgres => "postgres",
            Self::Oauth => "oauth",
            Self::GithubApp => "github-app",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One credential for one task.
#[derive(Debug, Clone)]
pub struct LeaseAsk {
    /// The name in the operator's file.
    pub credential: String,
    /// The lease; what is made upstream is named after it.
    pub lease: LeaseId,
    /// The task.
    pub task: TaskId,
    /// When it was asked; the intent is good for half a minute from then.
    pub at: UnixMillis,
    /// How long it should live. An upstream with a fixed life of its own may give another.
    pub ttl: Duration,
    /// Words of scope, separated by spaces; none asks for all that the operator allows.
    pub scope: Option<String>,
    /// What the scope is about, for example repositories; none asks for all that is allowed.
    pub resource: Option<String>,
    /// A token of ours that a token exchange (RFC 8693) shows to the upstream.
    pub subject: Option<Secret>,
}

/// What is about to be made upstream; recorded before it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    /// The kind.
    pub kind: Kind,
    /// The name in the operator's file.
    pub credential: String,
    /// The lease.
    pub lease: LeaseId,
    /// What it will be called upstream, where things have names.
    pub name: String,
    /// From when on nothing can be made under it any more.
    pub until: UnixMillis,
    /// From when it is worthless if nobody could call it back; none if it never is by itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lapses: Option<UnixMillis>,
}

impl Intent {
    /// Returns what can be revoked when nothing more is known than the intent.
    pub fn into_handle(self) -> Handle {
        Handle { expires: self.lapses, intent: self }
    }
}

/// What is needed to revoke; it holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handle {
    /// The intent.
    pub intent: Intent,
    /// When the credential ends by itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires: Option<UnixMillis>,
}

impl Handle {
    /// Reports whether the credential has ended by itself, by any clock that is a minute off at most.
    pub(super) fn is_over(&self, now: UnixMillis) -> bool {
        self.expires.is_some_and(|expires| now.saturating_since(expires) > SKEW)
    }
}

/// How far the clock of an upstream may be behind ours.
const SKEW: Duration = Duration::from_secs(60);

/// A credential that was made.
#[derive(Debug)]
pub struct Leased {
    /// The secret part.
    pub material: Material,
    /// When it ends by itself.
    pub expires: Option<UnixMillis>,
    /// How to end it.
    pub handle: Handle,
}

/// The secret part of a credential, by the slot it fits.
#[derive(Debug, Clone)]
pub enum Material {
    /// A bearer token (RFC 6750).
    Bearer(Secret),
    /// A bare value, for whatever place the grant names.
    Value(Secret),
    /// A user and a password, and where they are good.
    Login {
        /// The user.
        user: String,
        /// The password.
        password: Secret,
        /// The host, or the directory of a Unix socket.
        host: String,
        /// The port.
        port: u16,
        /// The database.
        database: String,
    },
}

/// How a credential ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked {
    /// Upstream was seen without it.
    Gone,
    /// It cannot be called back. It is worthless from this time on, or by no time that is known.
    Lapses(Option<UnixMillis>),
    /// Nothing was made upstream: the operator's own secret lives on, and only the gate had it.
    Withheld,
}
