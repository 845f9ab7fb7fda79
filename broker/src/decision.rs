//! The answer to an ask, and the words that explain a no.

use crate::codes::Code;
use serde::{Deserialize, Serialize};

/// The answer to one [`Ask`](crate::Ask). It must be looked at, and it is always recorded.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision<T> {
    /// The grant allows it; the value is what the caller needs to act on it.
    Allow(T),
    /// The grant does not allow it.
    Forbid(Refusal),
}

/// A no: for the person with a way out, for the agent without one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The stable code; `writ explain CODE` says more.
    pub code: Code,
    /// The kind of effect: `http`, `tcp`, `file`, `socket`.
    pub what: String,
    /// What was asked for, with control characters still in it: escape it before printing.
    pub target: String,
    /// Why not, lower case, without a final stop, safe to show to an agent.
    pub reason: String,
    /// How the person could grant it; never shown to the agent.
    // No field may be skipped: the worker sends it in a format that does not name its fields.
    pub help: Option<String>,
}
