//! Records of what the worker itself refuses, because it never reaches the gate.

use crate::record::{Record, Recorder, clipped};
use writ_broker::{Code, Refusal};

/// Records one refusal; called once per attempt, by the code that decided.
pub(super) fn refuse(recorder: &dyn Recorder, mut refusal: Refusal) {
    refusal.target = clipped(refusal.target);
    refusal.reason = clipped(refusal.reason);
    refusal.help = refusal.help.map(clipped);
    recorder.record(Record {
        what: refusal.what.clone(),
        target: refusal.target.clone(),
        refusal: Some(refusal),
    });
}

/// Words a refusal that no grant could turn into a yes, so it carries no help.
pub(super) fn never(code: Code, what: &str, target: String, reason: &str) -> Refusal {
    Refusal { code, what: what.to_owned(), target, reason: reason.to_owned(), help: None }
}
