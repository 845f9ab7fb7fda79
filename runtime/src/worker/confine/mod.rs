//! The second wall: what a worker gives up before it touches guest bytes.
//!
//! The order matters. Inherited descriptors go first, then the descriptors of the grant come in,
//! then limits, landlock and seccomp close behind them. Each step is reported as what the kernel
//! says it enforces, never as what we asked for.

mod filesystem;
mod limits;
mod syscalls;

use crate::confinement::{Confinement, Layer};
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use writ_broker::Limits;
use writ_broker::grant::Access;

/// What stays reachable for a confined worker.
#[derive(Debug)]
pub struct Keep<'a> {
    /// The granted directories.
    pub directories: &'a [(OwnedFd, Access)],
    /// The directory of compiled artifacts, for reading.
    pub artifacts: Option<BorrowedFd<'a>>,
    /// The bounds that rlimits can enforce.
    pub limits: &'a Limits,
}

/// Ties this process's life to its parent's and drops every descriptor above standard error.
///
/// A parent that died before the tie was made is not looked for: in a container the host itself may
/// be process 1. Its end of the control socket died with it, so this process meets the end of the
/// stream while it waits for its arms or for its first call, and ends before any guest byte.
pub fn isolate() -> Layer {
    use rustix::process::{Signal, set_parent_process_death_signal};
    if set_parent_process_death_signal(Some(Signal::KILL)).is_err() {
        std::process::exit(125);
    }
    close_from(3)
}

#[expect(unsafe_code, reason = "there is no safe call that closes descriptors nobody owns")]
fn close_from(first: u32) -> Layer {
    // SAFETY: this runs first in the process; no Rust value owns a descriptor above 2 yet.
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) };
    if done == 0 { Layer::Full } else { Layer::None }
}

/// Confines this process for the rest of its life and reports what the kernel enforces.
///
/// `descriptors` is what [`isolate`] returned. Must be called while the process has one thread.
/// `threads` starts those that the process will ever have: after landlock, which a thread that runs
/// already would escape, and before the filter, behind which none can be started.
pub fn confine<T>(
    keep: &Keep<'_>,
    descriptors: Layer,
    threads: impl FnOnce() -> std::io::Result<T>,
) -> std::io::Result<(Confinement, T)> {
    let environment = if std::env::vars_os().next().is_none() { Layer::Full } else { Layer::None };
    let rlimits = limits::apply(keep.limits);
    let landlock = filesystem::restrict(keep);
    let threads = threads()?;
    let seccomp = syscalls::restrict();
    let openat2 = openat2_works(keep);
    Ok((Confinement { landlock, seccomp, rlimits, descriptors, environment, openat2 }, threads))
}

/// Asserts that paths will be resolved by the kernel: wasmtime falls back silently to a weaker
/// resolver where a filter hides `openat2`.
fn openat2_works(keep: &Keep<'_>) -> Layer {
    let Some(directory) = keep.directories.first().map(|(fd, _)| fd.as_fd()).or(keep.artifacts)
    else {
        return Layer::Full;
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match openat2(directory, c".", flags, Mode::empty(), ResolveFlags::BENEATH) {
        Ok(_) => Layer::Full,
        Err(_) => Layer::None,
    }
}
