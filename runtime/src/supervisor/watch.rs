//! Watching a worker from outside: time that it cannot lie about.

use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;
use std::time::Duration;

/// The shortest sleep between two looks.
const SHORTEST: Duration = Duration::from_millis(2);

/// Returns the CPU time that a process has used, all threads together.
///
/// `None` once the process was reaped.
pub(crate) fn cpu_used(pid: u32) -> Option<Duration> {
    let pid = Pid::from_raw(i32::try_from(pid).ok()?);
    let now = clock_getcpuclockid(pid).ok()?.now().ok()?;
    Some(Duration::from(now))
}

/// Returns when a process has used as much CPU time as it may.
///
/// A guest runs on one thread, so it cannot use up what is left in less than that much wall time,
/// and one look at that moment is enough to know.
pub(crate) async fn cpu_exhausted(pid: u32, limit: Duration) {
    loop {
        let Some(used) = cpu_used(pid) else { return std::future::pending().await };
        let Some(left) = limit.checked_sub(used).filter(|left| !left.is_zero()) else { return };
        tokio::time::sleep(left.max(SHORTEST)).await;
    }
}
