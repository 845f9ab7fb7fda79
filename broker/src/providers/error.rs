//! What can go wrong upstream, named by what to do next.

use std::time::Duration;

/// Why a provider did not do what it was asked. No text in it comes from a secret or from the body
/// of an upstream's answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// Try again: the upstream is away, busy or in the middle of something.
    #[error("{why}; it is tried again")]
    Later {
        /// How long the upstream asks to be left alone.
        after: Option<Duration>,
        /// What happened.
        why: String,
    },
    /// Trying again is of no use until a person has changed something.
    #[error("{why}")]
    Never {
        /// What is wrong and what to change.
        why: String,
    },
    /// The ask goes beyond what the operator allows for this credential; another ask may do.
    #[error("{why}")]
    Beyond {
        /// Which part.
        why: String,
    },
    /// The intent was revoked or used already, or is too old; only a new one can lead to a lease.
    #[error("this lease was used or revoked already, or asked for too long ago; ask for a new one")]
    Gone,
}

impl ProviderError {
    pub(super) fn later(why: impl Into<String>) -> Self {
        Self::Later { after: None, why: why.into() }
    }

    pub(super) fn never(why: impl Into<String>) -> Self {
        Self::Never { why: why.into() }
    }

    pub(super) fn beyond(why: impl Into<String>) -> Self {
        Self::Beyond { why: why.into() }
    }
}
