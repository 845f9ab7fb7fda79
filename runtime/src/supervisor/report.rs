//! What is reported of a call that has ended.

use super::hearsay;
use crate::confinement::Confinement;
use crate::gate::EgressUsage;
use crate::outcome::{LimitName, Outcome};
use crate::wire::{Fault, Finished};
use serde::Serialize;
use std::time::{Duration, Instant};

/// How a call ended and what it used.
#[derive(Debug, Default)]
pub struct CallReport {
    /// How it ended.
    pub outcome: Outcome,
    /// The result of a function as JSON text.
    pub result: Option<String>,
    /// Streams that were cut off at their limit.
    pub truncated: Vec<LimitName>,
    /// What it used.
    pub usage: Usage,
    /// What was enforced on its worker.
    pub confinement: Confinement,
    /// How long the call took inside the worker, by the worker's own word; zero if it was ended
    /// from outside.
    pub inside: Duration,
    /// When a call that was ended from outside had stopped: its worker runs no instruction any
    /// more and its connections are closed. What follows until the report is reaping.
    pub stopped: Option<Instant>,
}

/// What one call used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Usage {
    /// Wall time, milliseconds.
    pub wall_ms: u64,
    /// CPU time of the worker, milliseconds.
    pub cpu_ms: u64,
    /// The most that the guest's memories and tables held, bytes.
    pub memory_peak_bytes: u64,
    /// HTTP requests and TCP connections that were allowed.
    pub http_requests: u64,
    /// Bytes sent upstream.
    pub bytes_out: u64,
    /// Bytes received from upstream.
    pub bytes_in: u64,
}

impl Usage {
    pub(super) fn of(
        started: Instant,
        cpu: Duration,
        before: EgressUsage,
        after: EgressUsage,
    ) -> Self {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            wall_ms: millis(started.elapsed()),
            cpu_ms: millis(cpu),
            memory_peak_bytes: 0,
            http_requests: after.http_requests - before.http_requests,
            bytes_out: after.bytes_out - before.bytes_out,
            bytes_in: after.bytes_in - before.bytes_in,
        }
    }
}

impl CallReport {
    /// Takes what the worker says of the call's end, as far as it can be true.
    pub(super) fn finish(&mut self, finished: Finished) -> Result<(), Fault> {
        self.result = finished.result.map(|text| hearsay::result(&text)).transpose()?;
        self.outcome = hearsay::outcome(finished.outcome);
        let streams = [LimitName::Stdout, LimitName::Stderr];
        self.truncated =
            streams.into_iter().filter(|stream| finished.truncated.contains(stream)).collect();
        self.usage.memory_peak_bytes = finished.memory_peak;
        self.inside = Duration::from_nanos(finished.inside_ns);
        Ok(())
    }
}
