//! How a call ended and what it used.

use serde::{Deserialize, Serialize};

/// How one call ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The guest returned. For a function tool the code is 0, or 1 if it returned an error.
    Exited {
        /// The exit code.
        code: u8,
    },
    /// The guest trapped.
    Trapped {
        /// Wasmtime's reason, unescaped.
        reason: String,
    },
    /// A bound of the grant was hit.
    OverLimit {
        /// Which one.
        limit: LimitName,
    },
    /// The task was killed. Also what stands where nothing is known yet.
    #[default]
    Killed,
}

/// The bounds by the names that a person reads and a grant file uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    missing_docs,
    reason = "each is documented on the field of the same name in Limits, and Ttl in Grant"
)]
pub enum LimitName {
    Memory,
    Tables,
    Instances,
    Handles,
    Wall,
    Cpu,
    Stdout,
    Stderr,
    Result,
    HttpRequests,
    BytesOut,
    BytesIn,
    HeaderBytes,
    HttpTime,
    HostcallBytes,
    RandomBytes,
    Disk,
    Denials,
    Ttl,
}
