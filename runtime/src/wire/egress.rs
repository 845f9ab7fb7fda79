//! What the worker and the gate agree on, on the egress socket.

/// The response header by which the gate tells the worker that it, not the upstream, answered.
///
/// Its value is the name of a `wasi:http` error-code case. The gate drops a header of this name
/// that an upstream sent; if it did not, an upstream could forge the gate's answers.
pub const GATE_ERROR: &str = "writ-gate-error";

/// The response header that carries the code of a refusal, for example `D0101`.
pub const GATE_CODE: &str = "writ-gate-code";

/// Header names that start like this are between the two processes only: the gate refuses them in a
/// guest's request and removes them from an upstream's response.
pub const RESERVED_PREFIX: &str = "writ-";

/// How the gate ends a response that has begun: the task's deadline for one exchange passed.
///
/// The code is borrowed: neither end sends it for its own purpose, as they do `CANCEL`.
pub const RESET_TIMEOUT: h2::Reason = h2::Reason::SETTINGS_TIMEOUT;
/// How the gate ends a response that has begun: a byte or header bound of the task was hit.
pub const RESET_OVER_LIMIT: h2::Reason = h2::Reason::ENHANCE_YOUR_CALM;
/// How the gate ends a response that has begun: the upstream broke off or broke the protocol.
pub const RESET_INCOMPLETE: h2::Reason = h2::Reason::INTERNAL_ERROR;

/// Flow-control window of one stream on the egress socket, bytes, for both ends. It bounds what one
/// exchange can hold in the host's memory in each direction.
pub const STREAM_WINDOW: u32 = 1 << 20;
/// Flow-control window of the whole egress socket, bytes, for both ends.
pub const CONNECTION_WINDOW: u32 = 4 << 20;
/// The largest frame either end sends on the egress socket, bytes.
pub const MAX_FRAME: u32 = 1 << 18;
/// Exchanges and tunnels that one worker may have under way.
pub const MAX_STREAMS: u32 = 64;
