//! The bounds by the names that people use, with the most that each may be.

use super::{Limits, Unit};

/// One bound.
pub struct Field {
    /// The name in a grant file, a flag and an outcome.
    pub name: &'static str,
    /// What it is measured in.
    pub unit: Unit,
    /// The most that a grant can ask for.
    pub max: u64,
    /// What breaks above the maximum.
    pub breaks: &'static str,
    /// Reads it.
    pub get: fn(&Limits) -> u64,
    /// Sets it.
    pub set: fn(&mut Limits, u64),
}

macro_rules! fields {
    ($($name:literal $unit:ident $field:ident max $max:expr, $breaks:literal;)*) => {
        /// Every bound, in the order of [`Limits`].
        pub const FIELDS: &[Field] = &[$(Field {
            name: $name,
            unit: Unit::$unit,
            max: $max,
            breaks: $breaks,
            get: |limits| limits.$field,
            set: |limits, value| limits.$field = value,
        }),*];
    };
}

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const HOUR: u64 = 3_600_000;

fields! {
    "memory" Size memory max 4 * GIB,
        "a 32-bit memory ends there, and the address space of a worker is reserved for it";
    "tables" Count table_elements max 10_000_000,
        "a table element costs the host 8 bytes or more that no memory bound sees";
    "instances" Count instances max 1_000,
        "each instance costs the worker a slot that is reserved whether it is used or not";
    "handles" Count handles max 1_000_000,
        "each handle is host memory that no memory bound sees";
    "wall" Time wall_ms max 24 * HOUR,
        "a call that hangs holds its worker until then";
    "cpu" Time cpu_ms max 24 * HOUR,
        "a guest that spins holds a core until then";
    "stdout" Size stdout max 256 * MIB,
        "captured output is held in the memory of the host";
    "stderr" Size stderr max 256 * MIB,
        "captured output is held in the memory of the host";
    "result" Size result max 8 * MIB,
        "a result crosses from the worker in one piece, and is held several times as JSON";
    "http_requests" Count http_requests max 1_000_000,
        "each request is a record, and an upstream may see them as an attack";
    "bytes_out" Size bytes_out max 64 * GIB,
        "what leaves cannot be taken back";
    "bytes_in" Size bytes_in max 64 * GIB,
        "an endless download would only end with the wall time";
    "header_bytes" Size header_bytes max MIB,
        "headers are held in the memory of the host before they are checked";
    "http_time" Time http_ms max HOUR,
        "a slow upstream holds a connection of the gate until then";
    "hostcall_bytes" Size hostcall_bytes max 128 * MIB,
        "the host copies that much for a single call of the guest";
    "random_bytes" Size random_bytes max 64 * MIB,
        "the host makes that much for a single call of the guest, which cannot be interrupted";
    "disk" Size disk max 1024 * GIB,
        "what a tool writes stays after it has ended";
    "denials" Count denials max 100_000,
        "each denial is a record that is kept, and nobody reads so many";
}

/// Sets standard output and standard error alike.
pub const OUTPUT: &str = "output";

/// Finds a bound by its name; `output` is not among them.
pub fn field(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.name == name)
}

impl Limits {
    /// Returns every bound by name, as a person reads it.
    pub fn describe(&self) -> impl Iterator<Item = (&'static str, String)> + '_ {
        FIELDS.iter().map(|field| (field.name, field.unit.show((field.get)(self))))
    }
}
