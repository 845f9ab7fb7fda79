//! The rlimits of a worker: the bounds that hold even if the guest took the worker over.

use crate::confinement::Layer;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use writ_broker::Limits;

/// What the worker itself needs beside the guest's memories: code, stacks, buffers; bytes.
///
/// Too small and an honest guest near its own limit kills its worker instead of getting a clean
/// refusal from the first wall.
const WORKER_OVERHEAD: u64 = 192 * 1024 * 1024;

/// Descriptors that one handle may take: a core module's directory is held twice.
const PER_HANDLE: u64 = 2;

/// Descriptors beside the guest's handles: two sockets, the directories, the runtime's own.
///
/// Too few and a guest meets an I/O error before it meets the bound of its grant.
const OWN_DESCRIPTORS: u64 = 1024;

/// The first thread's stack, bytes; it is the one kind of memory that grows by itself.
const STACK: u64 = 8 * 1024 * 1024;

/// Bytes of one table element: the pool reserves every table in full, and the kernel counts that as
/// data although nobody has touched it.
const ELEMENT: u64 = 8;

/// Sets every limit; `Full` only if the kernel took all of them. A hard limit that is lower already
/// stays.
pub(super) fn apply(limits: &Limits) -> Layer {
    let seconds = limits.cpu_ms.div_ceil(1000) + 1;
    let tables = limits.instances.saturating_mul(limits.table_elements).saturating_mul(ELEMENT);
    let data = limits.memory.saturating_add(tables).saturating_add(WORKER_OVERHEAD);
    let descriptors = limits.handles.saturating_mul(PER_HANDLE).saturating_add(OWN_DESCRIPTORS);
    let wanted = [
        (Resource::Core, 0),
        (Resource::Nofile, descriptors),
        (Resource::Stack, STACK),
        (Resource::Data, data),
        (Resource::Cpu, seconds),
        (Resource::Fsize, limits.disk),
        (Resource::Memlock, 0),
        (Resource::Msgqueue, 0),
    ];
    let set = wanted.iter().filter(|(resource, value)| {
        let value = Some(getrlimit(*resource).maximum.map_or(*value, |hard| hard.min(*value)));
        setrlimit(*resource, Rlimit { current: value, maximum: value }).is_ok()
    });
    match set.count() {
        all if all == wanted.len() => Layer::Full,
        0 => Layer::None,
        _ => Layer::Partial,
    }
}
