//! Opening a file below a directory without ever opening what is not a file.

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RawMode, ResolveFlags, fcntl_setfl, fstat, openat2, statat,
};
use rustix::io::Errno;
use std::fs::File;

/// How often a path is resolved again when something was renamed meanwhile (`openat2(2)`, EAGAIN).
const TRIES: usize = 4;

/// What a path led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Directory,
    Symlink,
    Fifo,
    Socket,
    Device,
}

impl Kind {
    fn of(fd: impl AsFd) -> Result<Self, Errno> {
        Ok(Self::from_mode(fstat(fd)?.st_mode))
    }

    fn from_mode(mode: RawMode) -> Self {
        match FileType::from_raw_mode(mode) {
            FileType::RegularFile => Self::File,
            FileType::Directory => Self::Directory,
            FileType::Symlink => Self::Symlink,
            FileType::Fifo => Self::Fifo,
            FileType::Socket => Self::Socket,
            _ => Self::Device,
        }
    }

    /// Tells whether it is never opened.
    pub(super) fn is_special(self) -> bool {
        matches!(self, Self::Fifo | Self::Socket | Self::Device)
    }
}

/// Why nothing was opened.
#[derive(Debug)]
pub(super) enum OpenError {
    /// A FIFO, device or socket is there.
    Special(Kind),
    /// The kernel said no.
    Errno(Errno),
}

impl From<Errno> for OpenError {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

/// What the guest asked for, in the kernel's words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    /// Access mode, `O_CREAT`, `O_EXCL`, `O_TRUNC`, `O_DIRECTORY`.
    pub(super) flags: OFlags,
    /// Whether a link at the end of the path is followed.
    pub(super) follow: bool,
}

/// Opens `path` below `dir`.
///
/// It looks first, so that a FIFO or device is not even touched. The file is then opened without
/// blocking and looked at again: one that was exchanged in between is closed, not waited for.
pub(super) fn open(dir: impl AsFd, path: &str, wish: Wish) -> Result<(File, Kind), OpenError> {
    let dir = dir.as_fd();
    // Neither opens what is there: O_EXCL fails on anything, O_DIRECTORY on all but a directory.
    let harmless = wish.flags.contains(OFlags::CREATE | OFlags::EXCL)
        || wish.flags.contains(OFlags::DIRECTORY);
    if !harmless && glance(dir, path, wish.follow).is_some_and(Kind::is_special) {
        let (_, kind) = look(dir, path, wish.follow)?;
        if kind.is_special() {
            return Err(OpenError::Special(kind));
        }
    }
    let flags = wish.flags | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = match beneath(dir, path, flags, wish.follow) {
        // A FIFO without a reader, or a socket, that came after the look.
        Err(Errno::NXIO) => return Err(OpenError::Special(Kind::Fifo)),
        other => other?,
    };
    let kind = Kind::of(&file)?;
    if kind.is_special() {
        return Err(OpenError::Special(kind));
    }
    fcntl_setfl(&file, OFlags::empty())?;
    Ok((File::from(file), kind))
}

/// Guesses in one system call what is at a path.
///
/// It resolves the path without regard to where it leads, which is why its answer goes no further:
/// only a look that stays below `dir` may tell the guest what is there.
pub(super) fn glance(dir: impl AsFd, path: &str, follow: bool) -> Option<Kind> {
    let flags = if follow { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
    let stat = statat(dir, path, flags | AtFlags::NO_AUTOMOUNT).ok()?;
    Some(Kind::from_mode(stat.st_mode))
}

/// Finds what is at a path without opening it.
pub(super) fn look(dir: impl AsFd, path: &str, follow: bool) -> Result<(OwnedFd, Kind), Errno> {
    let fd = beneath(dir, path, OFlags::PATH, follow)?;
    let kind = Kind::of(&fd)?;
    Ok((fd, kind))
}

/// Tells whether resolving a path leaves the directory.
pub(super) fn leads_outside(dir: impl AsFd, path: &str, follow: bool) -> bool {
    matches!(beneath(dir, path, OFlags::PATH, follow), Err(Errno::XDEV))
}

/// Resolves as wasmtime does: below `dir`, and never through `/proc`'s magic links.
fn beneath(dir: impl AsFd, path: &str, flags: OFlags, follow: bool) -> Result<OwnedFd, Errno> {
    let dir = dir.as_fd();
    let mut flags = flags | OFlags::CLOEXEC;
    flags.set(OFlags::NOFOLLOW, !follow);
    let mode = if flags.contains(OFlags::CREATE) { 0o666 } else { 0 };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let mut tries = 0;
    loop {
        match openat2(dir, path, flags, Mode::from_raw_mode(mode), resolve) {
            Err(Errno::AGAIN) if tries < TRIES => tries += 1,
            other => return other,
        }
    }
}
