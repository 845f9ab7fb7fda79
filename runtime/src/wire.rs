//! What the two processes say to each other.

/// The response header by which the gate tells the worker that it, not the upstream, answered.
///
/// Its value is the name of a `wasi:http` error-code case. The gate drops a header of this name
/// that an upstream sent; if it did not, an upstream could forge the gate's answers.
pub const GATE_ERROR: &str = "writ-gate-error";
