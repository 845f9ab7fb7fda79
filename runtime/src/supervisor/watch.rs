//! Watching a worker from outside: time that it cannot lie about.

use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;
use rustix::fs::{Mode, OFlags};
use std::time::Duration;

/// How often to look, letting others run in between, before sleeping between two looks. A killed
/// process is mostly gone within these; a timer is a millisecond at least.
const GLANCES: u32 = 20;

/// The kernel's mark of a process that is on its way out (`PF_EXITING` in `linux/sched.h`): it runs
/// no instruction of its own any more, though its memory may still be being given back.
const EXITING: u64 = 0x4;

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

/// Returns when a process that was killed runs no instruction any more.
///
/// The first thread is looked at; in a worker it is the one that runs the guest.
pub(crate) async fn no_longer_runs(pid: u32) {
    let mut glances = 0;
    while flags(pid).is_some_and(|flags| flags & EXITING == 0) {
        glances += 1;
        match glances {
            0..GLANCES => tokio::task::yield_now().await,
            _ => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}

/// Reads a process's flags: the ninth field of `/proc/PID/stat` (proc_pid_stat(5)).
fn flags(pid: u32) -> Option<u64> {
    let path = format!("/proc/{pid}/stat");
    let stat = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut buffer = [0; 512];
    let count = rustix::io::read(stat, &mut buffer).ok()?;
    let text = std::str::from_utf8(&buffer[..count]).ok()?;
    // The second field is the program's name in parentheses and may hold anything.
    let (_, fields) = text.rsplit_once(')')?;
    fields.split_whitespace().nth(6)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_runs_is_not_exiting() {
        assert_eq!(flags(std::process::id()).map(|flags| flags & EXITING), Some(0));
    }

    #[test]
    fn a_process_that_is_gone_has_no_flags() {
        assert_eq!(flags(u32::MAX), None);
    }
}
