//! Processes of this machine, named so that a name is never mistaken for another process's.

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::OwnedFd;

/// The signal by which one process asks another to look at the ledger. The kernel ignores it where
/// nobody listens, so it does no harm to a process that does not, or not yet, or not any more.
pub const POKE: Signal = Signal::URG;

/// One process: its id, which is used again after its end, and what makes it unique.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its id, in the namespace below.
    pub pid: u32,
    /// When the kernel started it, clock ticks after boot (`starttime` in proc_pid_stat(5)).
    pub ticks: u64,
    /// The boot of the machine in which it runs (`random/boot_id` in proc_sys_kernel(5)).
    pub boot: String,
    /// The inode of its pid namespace (pid_namespaces(7)): a container has its own ids.
    pub namespace: u64,
}

/// What can be said about a process from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It runs.
    Alive,
    /// It has ended, or the machine was started again since.
    Gone,
    /// It counts its ids elsewhere, so from here it can neither be seen nor ended.
    OutOfSight,
}

impl Process {
    /// Names this process.
    pub fn current() -> io::Result<Self> {
        let pid = std::process::id();
        let boot = read("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
        let namespace = rustix::fs::stat("/proc/self/ns/pid")?.st_ino;
        let started = Stat::of(pid)?.ok_or_else(|| io::Error::other("/proc does not show it"))?;
        Ok(Self { pid, ticks: started.ticks, boot, namespace })
    }

    /// Names another process of this namespace, of which the caller knows that it has not been reaped.
    #[cfg(test)]
    pub(crate) fn of_child(pid: u32) -> io::Result<Self> {
        let stat = Stat::of(pid)?.ok_or_else(|| io::Error::other("/proc does not show it"))?;
        Ok(Self { pid, ticks: stat.ticks, ..Self::current()? })
    }

    /// Says whether it runs. What cannot be read is out of sight, not gone.
    pub fn standing(&self) -> Standing {
        let Ok(here) = Self::current() else { return Standing::OutOfSight };
        if self.boot != here.boot {
            return Standing::Gone;
        }
        if self.namespace != here.namespace {
            return Standing::OutOfSight;
        }
        match Stat::of(self.pid) {
            Ok(Some(stat)) if stat.ticks == self.ticks && !stat.dead => Standing::Alive,
            Ok(Some(_)) => Standing::Gone,
            // It may be hidden (`hidepid` in proc(5)): whether there is one can be asked all the same.
            Ok(None) if self.has_a_process() => Standing::OutOfSight,
            Ok(None) => Standing::Gone,
            Err(_) => Standing::OutOfSight,
        }
    }

    /// Asks it to look at the ledger now, if it runs.
    pub fn poke(&self) {
        // One that is gone or out of sight finds out by itself, or need not.
        let _ = self.signal(POKE);
    }

    /// Ends it with every process that it has started and that still hangs on it, and returns those. It
    /// is stopped first, so that none is missed.
    pub fn kill_with_children(&self) -> Vec<Self> {
        // What fails here shows in how they stand afterwards.
        let _ = self.signal(Signal::STOP);
        let children = self.children();
        for process in children.iter().chain(std::iter::once(self)) {
            let _ = process.kill();
        }
        children
    }

    /// Returns the processes that it has started and that still hang on it.
    fn children(&self) -> Vec<Self> {
        if self.standing() != Standing::Alive {
            return Vec::new();
        }
        let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
        let names = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let of_this = |pid: u32| {
            let stat = Stat::of(pid).ok()??;
            (stat.parent == self.pid).then(|| Self { pid, ticks: stat.ticks, ..self.clone() })
        };
        names.filter_map(of_this).collect()
    }

    /// Ends it, whatever it is doing. What then is so, [`Process::standing`] tells.
    pub fn kill(&self) -> io::Result<()> {
        self.signal(Signal::KILL)
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        let Some(handle) = self.handle()? else { return Ok(()) };
        match pidfd_send_signal(handle, signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Says whether some process has its id now.
    fn has_a_process(&self) -> bool {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        pid.is_some_and(|pid| pidfd_open(pid, PidfdFlags::empty()).is_ok())
    }

    /// Opens a handle that stays with this process, whoever gets its id next.
    fn handle(&self) -> io::Result<Option<OwnedFd>> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let Some(pid) = pid else { return Ok(None) };
        match pidfd_open(pid, PidfdFlags::empty()) {
            // Looked at after opening: the handle is of whatever has the id now.
            Ok(handle) if self.standing() == Standing::Alive => Ok(Some(handle)),
            Ok(_) | Err(Errno::SRCH) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// What `/proc/PID/stat` says.
struct Stat {
    parent: u32,
    ticks: u64,
    /// It is a zombie, or about to be gone.
    dead: bool,
}

impl Stat {
    fn of(pid: u32) -> io::Result<Option<Self>> {
        let text = match read(&format!("/proc/{pid}/stat")) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            // It ended while it was read.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::SRCH) => return Ok(None),
            Err(error) => return Err(error),
        };
        let unreadable = || io::Error::new(io::ErrorKind::InvalidData, "/proc/PID/stat is strange");
        // The second field is the program's name in parentheses and may hold anything.
        let (_, fields) = text.rsplit_once(')').ok_or_else(unreadable)?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let state = fields.first().ok_or_else(unreadable)?;
        let parent = fields.get(1).and_then(|field| field.parse().ok()).ok_or_else(unreadable)?;
        let ticks = fields.get(19).and_then(|field| field.parse().ok()).ok_or_else(unreadable)?;
        Ok(Some(Self { parent, ticks, dead: matches!(*state, "Z" | "X") }))
    }
}

/// Reads a short file of `/proc`, whose names may hold any bytes.
fn read(path: &str) -> io::Result<String> {
    let file = rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut buffer = [0; 1024];
    let count = rustix::io::read(file, &mut buffer)?;
    Ok(String::from_utf8_lossy(&buffer[..count]).into_owned())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn of(pid: u32) -> Process {
        Process::of_child(pid).unwrap()
    }

    #[test]
    fn this_process_is_alive_and_survives_a_poke() {
        let here = Process::current().unwrap();
        assert_eq!(here.standing(), Standing::Alive);
        here.poke();
        assert_eq!(here.standing(), Standing::Alive);
    }

    #[test]
    fn a_process_is_ended_and_stays_gone_before_and_after_it_is_reaped() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let process = of(child.id());
        process.poke();
        assert_eq!(process.standing(), Standing::Alive);
        process.kill().unwrap();
        while process.standing() != Standing::Gone {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert_eq!(process.standing(), Standing::Gone);
        process.kill().unwrap();
    }

    #[test]
    fn a_process_is_ended_with_what_it_has_started() {
        let mut parent = Command::new("sh")
            .args(["-c", "sleep 600 & echo started; wait"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = [0; 8];
        std::io::Read::read_exact(parent.stdout.as_mut().unwrap(), &mut line).unwrap();
        let process = of(parent.id());
        let children = process.kill_with_children();
        assert_eq!(children.len(), 1);
        for ended in children.iter().chain([&process]) {
            while ended.standing() != Standing::Gone {
                std::thread::yield_now();
            }
        }
        parent.wait().unwrap();
    }

    #[test]
    fn another_process_with_the_same_id_is_not_touched() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let right = of(child.id());
        let before = Process { ticks: right.ticks - 1, ..right.clone() };
        let boot = Process { boot: "another".into(), ..right.clone() };
        for wrong in [before, boot] {
            assert_eq!(wrong.standing(), Standing::Gone);
            wrong.kill().unwrap();
        }
        let elsewhere = Process { namespace: right.namespace + 1, ..right.clone() };
        assert_eq!(elsewhere.standing(), Standing::OutOfSight);
        elsewhere.kill().unwrap();
        assert_eq!(right.standing(), Standing::Alive);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
