//! Bounds that end a guest although the host call it is in could only tell it an error.

use crate::outcome::LimitName;
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::stdio::stderr;

/// Ends a guest at a bound of the grant.
///
/// A guest that is told `EMFILE` or `ENOMEM` instead fails in a way of its own, and then nobody reads
/// which bound it was; so these are like memory and tables, where a refused growth is no `-1` either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a limit of the grant was hit in a host call")]
pub(crate) struct OverLimit(pub(crate) LimitName);

/// Descriptors that one host call may need at once: directories on the way, and what it opens.
const SPARE: usize = 8;

/// Fails if this process has hardly a descriptor left: the reason of an error that says none.
///
/// Wasmtime tells a guest `io` when the kernel says `EMFILE`. What was open then is open still: a guest
/// has one thread.
pub(super) fn check_descriptors() -> Result<(), OverLimit> {
    let mut spare = Vec::with_capacity(SPARE);
    for _ in 0..SPARE {
        match fcntl_dupfd_cloexec(stderr(), 0) {
            Ok(descriptor) => spare.push(descriptor),
            Err(Errno::MFILE) => return Err(OverLimit(LimitName::Handles)),
            Err(_) => return Ok(()),
        }
    }
    Ok(())
}
