//! Bounds that end a guest although the host call it is in could only tell it an error.

use crate::outcome::LimitName;

/// Ends a guest at a bound of the grant.
///
/// A guest that is told `ENOMEM` instead fails in a way of its own, and then nobody reads
/// which bound it was; so this is like memory and tables, where a refused growth is no `-1` either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a limit of the grant was hit in a host call")]
pub(crate) struct OverLimit(pub(crate) LimitName);
