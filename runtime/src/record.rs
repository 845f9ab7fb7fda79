//! Where decisions go. One record per decision, written by the code that decided.

use crate::outcome::LimitName;
use serde::{Deserialize, Serialize};
use writ_broker::Refusal;

/// One decision as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The kind of effect: `http`, `tcp`, `file`, `socket`.
    pub what: String,
    /// What was asked for, canonical.
    pub target: String,
    /// Why it was refused; absent when it was allowed.
    pub refusal: Option<Refusal>,
}

/// Takes records in the order of the decisions. The ledger stands behind this trait.
pub trait Recorder: Send + Sync {
    /// Records one decision; returns only once the effect may happen.
    fn record(&self, record: Record);

    /// Records that a bound ended a call; called once for the call, by the host.
    fn over_limit(&self, limit: LimitName);
}
