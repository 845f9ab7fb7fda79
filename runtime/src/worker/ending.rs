//! From the error that ended a guest to the outcome that a person reads.

use super::host::OverLimit;
use super::host::files::OverDisk;
use crate::outcome::{LimitName, Outcome};
use crate::record::clipped;
use wasmtime::PoolConcurrencyLimitError;
use wasmtime::component::ResourceTableError;
use wasmtime_wasi::I32Exit;
use wasmtime_wasi_http::FieldMapError;

/// Bounds that wasmtime reports in words only. The version is pinned, and each has a test that
/// runs a guest into it, so a reworded message fails the build rather than a person.
const IN_WORDS: &[(&str, LimitName)] = &[
    ("fuel allocated for hostcalls has been exhausted", LimitName::HostcallBytes),
    ("requested len", LimitName::RandomBytes),
    ("store handle limit exceeded", LimitName::Handles),
];

/// What the pool says, in words only, about a tool that wants more from the start than a bound lets
/// it have. Each has a test of its own as well.
const AT_LOAD: &[(&str, LimitName)] = &[
    ("memory has a minimum byte size", LimitName::Memory),
    ("has a minimum element size", LimitName::Tables),
    ("defined memories count", LimitName::Instances),
    ("defined tables count", LimitName::Instances),
    ("The component transitively contains", LimitName::Instances),
    ("instance allocation for this", LimitName::Instances),
];

/// Says which bound a compiled tool exceeds before it has run, if that is why it cannot be loaded.
pub(crate) fn over_limit_at_load(error: &wasmtime::Error) -> Option<LimitName> {
    let root = error.root_cause().to_string();
    AT_LOAD.iter().find(|(words, _)| root.contains(words)).map(|it| it.1)
}

/// Says how a guest ended that did not return.
pub(crate) fn ending(error: &wasmtime::Error) -> Outcome {
    if let Some(I32Exit(code)) = error.downcast_ref() {
        // Like a shell: what does not fit into a byte is a failure all the same.
        return Outcome::Exited { code: u8::try_from(*code).unwrap_or(u8::MAX) };
    }
    if error.downcast_ref::<PoolConcurrencyLimitError>().is_some() {
        return Outcome::OverLimit { limit: LimitName::Instances };
    }
    if matches!(error.downcast_ref(), Some(ResourceTableError::Full)) {
        return Outcome::OverLimit { limit: LimitName::Handles };
    }
    if let Some(OverLimit(limit)) = error.downcast_ref() {
        return Outcome::OverLimit { limit: *limit };
    }
    if error.downcast_ref::<OverDisk>().is_some() {
        return Outcome::OverLimit { limit: LimitName::Disk };
    }
    if error.downcast_ref::<FieldMapError>().is_some() {
        return Outcome::OverLimit { limit: LimitName::HeaderBytes };
    }
    // The root only: what is wrapped around it names the guest's functions, which the guest chose.
    let root = error.root_cause().to_string();
    match IN_WORDS.iter().find(|(words, _)| root.contains(words)) {
        Some((_, limit)) => Outcome::OverLimit { limit: *limit },
        None => Outcome::Trapped { reason: clipped(reason(error, root)) },
    }
}

/// Why first, then where.
fn reason(error: &wasmtime::Error, root: String) -> String {
    let wrapped = error.chain().count().saturating_sub(1);
    error.chain().take(wrapped).fold(root, |reason, around| format!("{reason}\n{around}"))
}
