//! Symbolic links that a guest makes or moves must stay inside the granted directory.
//!
//! A guest cannot follow a link out (`RESOLVE_BENEATH`), but a person's tool that runs later in the
//! same directory follows it. So a link a guest leaves behind may climb only as far as the granted
//! directory, and only at its start: a `..` after a name could pass through another link.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Dir, FileType, Mode, OFlags, fstat, openat, readlinkat, symlinkat};
use rustix::io::Errno;

use super::open::{Kind, look};

/// How deep below a granted directory links may be made; each level costs a system call.
const DEEPEST: usize = 256;

/// How many entries are looked at when a directory is moved up. One with more is not moved.
const MOST_ENTRIES: usize = 10_000;

/// Why a link was not made or moved.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LinkError {
    /// It would lead out of the granted directory.
    LeadsOut,
    /// The kernel said no.
    Errno(Errno),
}

impl From<Errno> for LinkError {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

/// Makes a link at `path` below `dir`, if its target stays inside `root` from where it will be.
pub(super) fn make(
    root: impl AsFd,
    dir: impl AsFd,
    target: &str,
    path: &str,
) -> Result<(), LinkError> {
    let (parent, name) = checked_parent(root, dir, target, path)?;
    Ok(symlinkat(target, &parent, name)?)
}

/// Decides on a link that somebody else makes.
pub(super) fn may_make(
    root: impl AsFd,
    dir: impl AsFd,
    target: &str,
    path: &str,
) -> Result<(), LinkError> {
    checked_parent(root, dir, target, path).map(drop)
}

fn checked_parent<'p>(
    root: impl AsFd,
    dir: impl AsFd,
    target: &str,
    path: &'p str,
) -> Result<(OwnedFd, &'p str), LinkError> {
    let (parent, name) = parent(dir, path)?;
    let depth = depth(root, parent.as_fd())?;
    if stays(target, depth) { Ok((parent, name)) } else { Err(LinkError::LeadsOut) }
}

/// A path below an open directory below a granted one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    root: BorrowedFd<'a>,
    dir: BorrowedFd<'a>,
    path: &'a str,
}

impl<'a> Place<'a> {
    /// Names a place.
    pub(super) fn new(root: &'a impl AsFd, dir: &'a impl AsFd, path: &'a str) -> Self {
        Self { root: root.as_fd(), dir: dir.as_fd(), path }
    }

    fn depth_of_parent(self) -> Result<usize, Errno> {
        depth(self.root, parent(self.dir, self.path)?.0.as_fd())
    }
}

/// Decides whether what is at `old` may be moved or linked to `new`, for the links in it.
pub(super) fn may_move(old: Place<'_>, new: Place<'_>) -> Result<(), LinkError> {
    let (fd, kind) = look(old.dir, old.path.trim_end_matches('/'), false)?;
    if kind != Kind::Symlink && kind != Kind::Directory {
        return Ok(());
    }
    let was = old.depth_of_parent()?;
    let will = new.depth_of_parent()?;
    if will >= was {
        return Ok(());
    }
    if kind == Kind::Symlink {
        return link_stays(fd.as_fd(), "", will);
    }
    let mut left = MOST_ENTRIES;
    tree_stays(&openat(&fd, ".", directory(), Mode::empty())?, will + 1, &mut left)
}

/// Decides on every link in a directory that is to be `depth` levels below the root.
fn tree_stays(dir: &OwnedFd, depth: usize, left: &mut usize) -> Result<(), LinkError> {
    if depth > DEEPEST {
        return Err(LinkError::LeadsOut);
    }
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        *left = left.checked_sub(1).ok_or(LinkError::LeadsOut)?;
        match entry.file_type() {
            FileType::Symlink => link_stays(dir.as_fd(), name, depth)?,
            FileType::Directory => {
                let flags = directory() | OFlags::NOFOLLOW;
                tree_stays(&openat(dir, name, flags, Mode::empty())?, depth + 1, left)?;
            }
            FileType::Unknown => return Err(LinkError::LeadsOut),
            _ => {}
        }
    }
    Ok(())
}

fn directory() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC
}

/// Decides on a link that exists. An absolute one leads out wherever it is, so moving it adds nothing.
fn link_stays<P: rustix::path::Arg>(
    dir: BorrowedFd<'_>,
    name: P,
    depth: usize,
) -> Result<(), LinkError> {
    let target = readlinkat(dir, name, Vec::new())?;
    let target = target.to_string_lossy();
    let climbs = target.split('/').filter(|part| *part == "..").count();
    if target.starts_with('/') || climbs <= depth { Ok(()) } else { Err(LinkError::LeadsOut) }
}

/// Tells whether a link's target stays inside, for a link `depth` directories below the root.
pub(super) fn stays(target: &str, depth: usize) -> bool {
    let mut climbed = 0;
    let mut named = false;
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if named => return false,
            ".." => climbed += 1,
            _ => named = true,
        }
    }
    climbed <= depth && !target.starts_with('/')
}

/// Resolves all but the last part of a path.
fn parent(dir: impl AsFd, path: &str) -> Result<(OwnedFd, &str), Errno> {
    let path = path.trim_end_matches('/');
    let (above, name) = path.rsplit_once('/').unwrap_or((".", path));
    if matches!(name, "" | "." | "..") {
        return Err(Errno::INVAL);
    }
    let (parent, kind) = look(dir, above, true)?;
    if kind == Kind::Directory { Ok((parent, name)) } else { Err(Errno::NOTDIR) }
}

/// Counts the directories from `root` down to `dir`, by walking up: neither links nor renames lie.
fn depth(root: impl AsFd, dir: BorrowedFd<'_>) -> Result<usize, Errno> {
    let identity = |fd: BorrowedFd<'_>| fstat(fd).map(|stat| (stat.st_dev, stat.st_ino));
    let root = identity(root.as_fd())?;
    let mut here = rustix::io::dup(dir)?;
    for depth in 0..DEEPEST {
        let current = identity(here.as_fd())?;
        if current == root {
            return Ok(depth);
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        here = openat(&here, "..", flags, Mode::empty())?;
        if identity(here.as_fd())? == current {
            return Err(Errno::XDEV);
        }
    }
    Err(Errno::LOOP)
}
