//! Symbolic links that a guest makes or moves must stay inside the granted directory.
//!
//! A guest cannot follow a link out (`RESOLVE_BENEATH`), but a person's tool that runs later in the
//! same directory follows it. So a link a guest leaves behind may climb only as far as the granted
//! directory, and only at its start: a `..` after a name could pass through another link.
//!
//! Links are made and things moved here and not by wasmtime: the directory that was measured is the
//! one that is written to, and no error of the measuring can be taken for a yes.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, RenameFlags, fstat, linkat, openat, readlinkat, renameat,
    renameat_with, symlinkat, unlinkat,
};
use rustix::io::Errno;

use super::open::{Kind, look};

/// How deep below a granted directory links may be made; each level costs a system call.
const DEEPEST: usize = 256;

/// How many entries are looked at when a directory is moved up. One with more is not moved.
const MOST_ENTRIES: usize = 10_000;

/// Why a link was not made, or something not moved.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LinkError {
    /// It would lead out of the granted directory, or it cannot be told that it does not.
    LeadsOut,
    /// Nothing can be moved from one of the two granted directories to the other.
    OtherDevice,
    /// The kernel said no.
    Errno(Errno),
}

impl From<Errno> for LinkError {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

/// `EXDEV` is a path that leads out when it comes from a look, and two file systems from here.
fn not_done(errno: Errno) -> LinkError {
    if errno == Errno::XDEV { LinkError::OtherDevice } else { errno.into() }
}

/// A path below an open directory below a granted one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    root: BorrowedFd<'a>,
    dir: BorrowedFd<'a>,
    path: &'a str,
}

/// A place whose directory is held open, so that whatever is renamed it stays that directory.
struct Spot<'a> {
    root: BorrowedFd<'a>,
    parent: OwnedFd,
    name: &'a str,
    /// Whether a slash at the end says that it is a directory.
    slash: bool,
}

impl<'a> Place<'a> {
    /// Names a place.
    pub(super) fn new(root: &'a impl AsFd, dir: &'a impl AsFd, path: &'a str) -> Self {
        Self { root: root.as_fd(), dir: dir.as_fd(), path }
    }

    fn spot(self) -> Result<Spot<'a>, Errno> {
        let (parent, name) = parent(self.dir, self.path)?;
        Ok(Spot { root: self.root, parent, name, slash: self.path.ends_with('/') })
    }
}

impl Spot<'_> {
    /// How deep below the granted directory it is, now.
    fn depth(&self) -> Result<usize, LinkError> {
        depth(self.root, self.parent.as_fd())
    }

    fn remove(&self) {
        // Who took it away meanwhile had to be allowed to move it there.
        let _gone = unlinkat(&self.parent, self.name, AtFlags::empty());
    }
}

/// Makes a link at `at`, if its target stays inside from where it will be.
pub(super) fn make(target: &str, at: Place<'_>) -> Result<(), LinkError> {
    make_while(target, at, || {})
}

/// Another guest of the grant may move a directory above the link between the decision and the act, so
/// the link is measured again and taken away if it is higher up now.
fn make_while(target: &str, at: Place<'_>, meanwhile: impl FnOnce()) -> Result<(), LinkError> {
    let spot = at.spot()?;
    if spot.slash {
        return Err(Errno::NOENT.into());
    }
    link_is_inside(target, spot.depth()?)?;
    meanwhile();
    symlinkat(target, &spot.parent, spot.name).map_err(not_done)?;
    let inside = spot.depth().and_then(|depth| link_is_inside(target, depth));
    if inside.is_err() {
        spot.remove();
    }
    inside
}

fn link_is_inside(target: &str, depth: usize) -> Result<(), LinkError> {
    if stays(target, depth) { Ok(()) } else { Err(LinkError::LeadsOut) }
}

/// Gives what is at `old` a second name, if that is no link that leads out from there.
pub(super) fn hard_link(old: Place<'_>, new: Place<'_>) -> Result<(), LinkError> {
    let (old, new) = (old.spot()?, new.spot()?);
    may_be(&old, &old, &new)?;
    linkat(&old.parent, old.name, &new.parent, new.name, AtFlags::empty()).map_err(not_done)?;
    let inside = may_be(&new, &old, &new);
    if inside.is_err() {
        new.remove();
    }
    inside
}

/// Moves what is at `old`, if no link in it leads out from there.
pub(super) fn rename(old: Place<'_>, new: Place<'_>) -> Result<(), LinkError> {
    rename_while(old, new, || {})
}

/// What was moved is looked through again, like a link that was made, and goes back if it must.
fn rename_while(old: Place<'_>, new: Place<'_>, meanwhile: impl FnOnce()) -> Result<(), LinkError> {
    let (old, new) = (old.spot()?, new.spot()?);
    may_be(&old, &old, &new)?;
    meanwhile();
    renameat(&old.parent, old.name, &new.parent, new.name).map_err(not_done)?;
    let inside = match may_be(&new, &old, &new) {
        // Somebody moved it on, and was allowed to.
        Err(LinkError::Errno(Errno::NOENT)) => Ok(()),
        other => other,
    };
    if inside.is_err() {
        let flags = RenameFlags::NOREPLACE;
        let back = renameat_with(&new.parent, new.name, &old.parent, old.name, flags);
        if back.is_err() {
            // A link is taken away. A directory with links in it that cannot go back stays where it is.
            new.remove();
        }
    }
    inside
}

/// Decides whether what is at `here` may be moved or linked from `old` to `new`, for the links in it.
fn may_be(here: &Spot<'_>, old: &Spot<'_>, new: &Spot<'_>) -> Result<(), LinkError> {
    let (fd, kind) = look(&here.parent, here.name, false)?;
    if (old.slash || new.slash) && kind != Kind::Directory {
        return Err(Errno::NOTDIR.into());
    }
    if kind != Kind::Symlink && kind != Kind::Directory {
        return Ok(());
    }
    let was = old.depth()?;
    let will = new.depth()?;
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
///
/// Below [`DEEPEST`] it gives up, and then nothing may lead anywhere.
fn depth(root: impl AsFd, dir: BorrowedFd<'_>) -> Result<usize, LinkError> {
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
            return Err(Errno::XDEV.into());
        }
    }
    Err(LinkError::LeadsOut)
}

#[cfg(test)]
#[path = "links_tests.rs"]
mod tests;
