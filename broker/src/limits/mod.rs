//! The bounds on what a task may use. Each has a default and none can be switched off.

mod fields;
mod units;

pub use fields::{FIELDS, Field, OUTPUT, field};
pub use units::{AmountError, Unit};

use serde::{Deserialize, Serialize};

/// Every bound of one task. All are at least 1; sizes are bytes, times are milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memories and tables of all instances of the task together, bytes.
    pub memory: u64,
    /// Elements in each table.
    pub table_elements: u64,
    /// Core instances, memories and tables in one call's store, each.
    pub instances: u64,
    /// Component handles and host resources in one call's store.
    pub handles: u64,
    /// Wall time of one call, milliseconds.
    pub wall_ms: u64,
    /// CPU time of the task, milliseconds.
    pub cpu_ms: u64,
    /// Standard output, bytes; more is cut off and marked.
    pub stdout: u64,
    /// Standard error, bytes; more is cut off and marked.
    pub stderr: u64,
    /// The result of a function call as JSON, bytes.
    pub result: u64,
    /// HTTP requests and TCP connections of the task.
    pub http_requests: u64,
    /// Bytes that leave through the gate: request lines, headers and bodies.
    pub bytes_out: u64,
    /// Bytes that come in through the gate: headers and bodies.
    pub bytes_in: u64,
    /// Headers or trailers of one message, bytes.
    pub header_bytes: u64,
    /// One outgoing HTTP exchange from first byte to last, milliseconds.
    pub http_ms: u64,
    /// Data that one host call may copy out of the guest, bytes.
    pub hostcall_bytes: u64,
    /// Random bytes that one host call may ask for.
    pub random_bytes: u64,
    /// Bytes written to files by the task; also the largest size of one file.
    pub disk: u64,
    /// Effects inside the machine that one call may be refused; each is a record.
    pub denials: u64,
}

impl Default for Limits {
    fn default() -> Self {
        const KIB: u64 = 1024;
        const MIB: u64 = 1024 * KIB;
        Self {
            memory: 256 * MIB,
            table_elements: 100_000,
            instances: 64,
            handles: 10_000,
            wall_ms: 30_000,
            cpu_ms: 10_000,
            stdout: MIB,
            stderr: MIB,
            result: 4 * MIB,
            http_requests: 100,
            bytes_out: 16 * MIB,
            bytes_in: 64 * MIB,
            header_bytes: 32 * KIB,
            http_ms: 30_000,
            hostcall_bytes: 16 * MIB,
            random_bytes: MIB,
            disk: 1024 * MIB,
            denials: 10_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_at_least_one_and_below_its_maximum() {
        for field in FIELDS {
            let default = (field.get)(&Limits::default());
            assert!((1..=field.max).contains(&default), "{}", field.name);
        }
    }

    #[test]
    fn each_name_sets_a_field_of_its_own() {
        for field in FIELDS {
            let mut limits = Limits::default();
            (field.set)(&mut limits, 7);
            let changed = FIELDS.iter().filter(|other| (other.get)(&limits) == 7);
            assert_eq!(changed.map(|other| other.name).collect::<Vec<_>>(), [field.name]);
        }
    }
}
