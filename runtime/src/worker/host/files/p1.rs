//! The guard for core modules: `wasi_snapshot_preview1`, with wasmtime behind it.
//!
//! Wasmtime's own functions keep the descriptors and do the work. The ones that name a path or change
//! a descriptor are shadowed: each decides first and calls wasmtime's function only if it may. Links are
//! made and things moved by [`links`], which must hold the directory that it decided on.
//! A special file is looked for just before wasmtime opens the path, so a host program that exchanges
//! a file for a FIFO between the two could block the guest; the guest itself cannot make one.

use rustix::io::Errno;
use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::{FsPerms, WasiView};
use writ_broker::FileOp;

use super::disk::{DiskBudget, OverDisk};
use super::guard::{FilesGuard, Node, Refused};
use super::links::{self, LinkError, Place};
use super::open::{Kind, glance, look};
use crate::record::Recorder;

mod linker;

pub use linker::add_to_linker;

/// The first descriptor after standard input, output and error; wasmtime hands out preopens from here.
const FIRST_PREOPEN: u32 = 3;

/// `errno` values of `wasi_snapshot_preview1`.
const ACCES: i32 = 2;
const BADF: i32 = 8;
const DQUOT: i32 = 19;
const IO: i32 = 29;
const MFILE: i32 = 33;
const NOMEM: i32 = 48;
const NOTDIR: i32 = 54;
const ROFS: i32 = 69;
const PERM: i32 = 63;

/// One store's files, borrowed for one call.
pub struct P1View<'a> {
    /// Wasmtime's own state.
    pub wasi: &'a mut WasiP1Ctx,
    /// The decisions.
    pub guard: &'a mut P1Guard,
}

/// One core module's decisions on files, with the directories behind its descriptors.
///
/// Wasmtime does not say which directory a descriptor is, so each open directory has a second handle
/// here; there are no more of them than the store may have handles.
#[derive(Debug)]
pub struct P1Guard {
    files: FilesGuard,
    open: HashMap<u32, Handle>,
}

#[derive(Debug, Clone)]
struct Handle {
    perms: FsPerms,
    directory: Option<Arc<File>>,
}

/// A directory that a call was allowed on.
struct Allowed {
    node: Node,
    dir: Arc<File>,
    perms: FsPerms,
}

impl Allowed {
    fn place<'p>(&'p self, path: &'p str) -> Place<'p> {
        Place::new(&self.node.root, &self.dir, path)
    }
}

impl P1Guard {
    /// Makes the guard of one store from the preopens that `wasi` was built with.
    pub fn new(
        recorder: Arc<dyn Recorder>,
        disk: DiskBudget,
        wasi: &mut WasiP1Ctx,
    ) -> wasmtime::Result<Self> {
        let files = FilesGuard::new(recorder, disk);
        let mut guard = Self { files, open: HashMap::new() };
        let mut view = wasmtime_wasi::filesystem::WasiFilesystemView::filesystem(wasi);
        let preopens = preopens::Host::get_directories(&mut view)?;
        for (fd, (descriptor, path)) in (FIRST_PREOPEN..).zip(preopens) {
            guard.preopen(fd, wasi.ctx().table.delete(descriptor)?, &path);
        }
        Ok(guard)
    }

    /// Returns how many file calls were allowed.
    pub fn allowed(&self) -> u64 {
        self.files.allowed()
    }

    fn preopen(&mut self, fd: u32, descriptor: Descriptor, path: &str) {
        if let Descriptor::Dir(dir) = descriptor {
            self.files.insert(fd, Node { path: path.into(), root: Arc::clone(&dir.dir) });
            let handle = Handle { perms: dir.perms, directory: Some(dir.dir) };
            self.open.insert(fd, handle);
        }
    }

    /// Decides on a path below a descriptor. `None` means that no file is open there, which wasmtime says.
    fn ask(&mut self, op: FileOp, fd: i32, path: &str) -> Result<Option<Allowed>, i32> {
        let fd = fd.cast_unsigned();
        let Some(Handle { perms, directory }) = self.open.get(&fd).cloned() else {
            return Ok(None);
        };
        // What cannot be decided on is not a directory, whatever wasmtime has there.
        let (Some(dir), Some(node)) = (directory, self.files.known_node(fd)) else {
            return Err(NOTDIR);
        };
        self.files.ask(op, &node, path, perms).map_err(errno)?;
        Ok(Some(Allowed { node, dir, perms }))
    }

    /// Decides on a change to an open descriptor.
    fn ask_write(&mut self, fd: i32) -> Result<(), i32> {
        let fd = fd.cast_unsigned();
        match self.open.get(&fd).map(|handle| handle.perms) {
            Some(perms) => self.files.ask_write(fd, perms).map_err(errno),
            None => Ok(()),
        }
    }

    /// Asks for room for a write. Standard output is bounded elsewhere.
    fn ask_room(&self, fd: i32, bytes: u64) -> Result<(), i32> {
        if self.open.contains_key(&fd.cast_unsigned()) {
            self.files.disk().reserve(bytes).map_err(|OverDisk| DQUOT)?;
        }
        Ok(())
    }

    /// Counts what was written. What is too much ends the guest when the call returns.
    fn wrote(&self, fd: i32, bytes: u64) {
        if self.open.contains_key(&fd.cast_unsigned()) {
            let _ = self.files.disk().take(bytes);
        }
    }

    /// Counts something new. What is too much ends the guest when the call returns.
    fn made(&self) {
        let _ = self.files.disk().take_entry();
    }

    /// Fails once the task has written more than it may.
    fn check_disk(&self) -> Result<(), OverDisk> {
        self.files.disk().check()
    }

    /// Looks at what is to be opened; a directory's handle is kept for what is opened below it.
    fn before_open(
        &self,
        at: &Allowed,
        path: &str,
        follow: bool,
    ) -> Result<Option<Arc<File>>, i32> {
        if matches!(glance(&at.dir, path, follow), None | Some(Kind::File | Kind::Symlink)) {
            return Ok(None);
        }
        match look(&at.dir, path, follow) {
            Ok((_, kind)) if kind.is_special() => {
                Err(errno(self.files.special(&at.node, path, kind)))
            }
            Ok((fd, Kind::Directory)) => Ok(Some(Arc::new(File::from(fd)))),
            Ok(_) => Ok(None),
            Err(error) => match self.files.kernel_said(&at.node, path, error) {
                Some(refused) => Err(errno(refused)),
                None => Ok(None),
            },
        }
    }

    fn opened(&mut self, fd: u32, at: &Allowed, path: &str, directory: Option<Arc<File>>) {
        self.files.insert(fd, at.node.below(path));
        self.open.insert(fd, Handle { perms: at.perms, directory });
    }

    fn closed(&mut self, fd: i32) {
        self.files.remove(fd.cast_unsigned());
        self.open.remove(&fd.cast_unsigned());
    }

    fn renumbered(&mut self, from: i32, to: i32) {
        let (from, to) = (from.cast_unsigned(), to.cast_unsigned());
        self.files.rename(from, to);
        match self.open.remove(&from) {
            Some(handle) => drop(self.open.insert(to, handle)),
            None => drop(self.open.remove(&to)),
        }
    }

    /// Gives something another name; both sides must be writable.
    fn moved(
        &mut self,
        old: (i32, &str),
        new: (i32, &str),
        act: fn(Place<'_>, Place<'_>) -> Result<(), LinkError>,
    ) -> Result<(), i32> {
        let from = self.ask(FileOp::Write, old.0, old.1)?.ok_or(BADF)?;
        let to = self.ask(FileOp::Write, new.0, new.1)?.ok_or(BADF)?;
        let moved = act(from.place(old.1), to.place(new.1));
        moved.map_err(|error| self.not_linked(error, &to, new.1))
    }

    fn symlink(&mut self, target: &str, fd: i32, path: &str) -> Result<(), i32> {
        let at = self.ask(FileOp::Write, fd, path)?.ok_or(BADF)?;
        links::make(target, at.place(path)).map_err(|error| self.not_linked(error, &at, path))
    }

    fn not_linked(&self, error: LinkError, at: &Allowed, path: &str) -> i32 {
        self.files.not_linked(&at.node, path, error).map_or_else(kernel_errno, errno)
    }

    /// Records it if wasmtime or the kernel refused what was allowed; returns what the guest sees.
    fn after(&self, result: i32, at: Option<&Allowed>, path: &str, follow: bool) -> i32 {
        match (result, at) {
            (ACCES | PERM | ROFS, Some(at)) => {
                errno(self.files.inner_said(&at.dir, &at.node, path, follow))
            }
            _ => result,
        }
    }
}

fn errno(refused: Refused) -> i32 {
    match refused {
        Refused::ReadOnly => ROFS,
        Refused::Outside => PERM,
        Refused::Access => ACCES,
    }
}

/// Returns what the guest sees of an ordinary error. None is ever a success.
fn kernel_errno(error: Errno) -> i32 {
    match error {
        Errno::BUSY => 10,
        Errno::DQUOT => DQUOT,
        Errno::EXIST => 20,
        Errno::INVAL => 28,
        Errno::ISDIR => 31,
        Errno::LOOP => 32,
        Errno::MFILE => MFILE,
        Errno::MLINK => 34,
        Errno::NAMETOOLONG => 37,
        Errno::NFILE => 41,
        Errno::NOENT => 44,
        Errno::NOMEM => NOMEM,
        Errno::NOSPC => 51,
        Errno::NOTDIR => NOTDIR,
        Errno::NOTEMPTY => 55,
        Errno::XDEV => 75,
        _ => IO,
    }
}

#[cfg(test)]
mod tests;
