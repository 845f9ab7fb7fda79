//! The only way out: every outgoing request and connection is decided, dialled and streamed here.
//!
//! A worker speaks HTTP/2 with prior knowledge (RFC 9113 §3.3) over its egress socket. An ordinary request
//! carries the full target URI; a `CONNECT` (RFC 9113 §8.5) asks for a TCP connection.

use crate::outcome::LimitName;
use crate::record::Recorder;
use std::net::SocketAddr;
use std::sync::Arc;
use writ_broker::Grant;

/// What the operator sets for every task of this process. Nothing of it can come from a grant.
#[derive(Debug, Clone, Default)]
pub struct GateSettings {
    /// PEM files with extra certificate authorities.
    pub extra_ca: Vec<std::path::PathBuf>,
    /// A name server to use instead of the system's.
    pub name_server: Option<SocketAddr>,
    /// Lets names and literals lead to this machine. For tests and local development only.
    pub dangerous_loopback: bool,
}

/// The gate of one process.
#[derive(Debug, Clone)]
pub struct Gate {}

/// One task, as the gate sees it.
pub struct GateTask {
    /// What the task may do.
    pub grant: Arc<Grant>,
    /// Where decisions go.
    pub recorder: Arc<dyn Recorder>,
    /// Called once when a bound of the task is hit; the task will be ended.
    pub over_limit: Box<dyn Fn(LimitName) + Send + Sync>,
}

/// What a task used on the way out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EgressUsage {
    /// HTTP requests and TCP connections that were allowed.
    pub http_requests: u64,
    /// Bytes sent upstream.
    pub bytes_out: u64,
    /// Bytes received from upstream.
    pub bytes_in: u64,
}
