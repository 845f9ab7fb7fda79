//! The guard for components: `wasi:filesystem@0.2`, with wasmtime behind it.

use rustix::fs::OFlags;
use rustix::io::Errno;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::OpenMode;
use wasmtime_wasi::filesystem::{Descriptor, Dir, File, WasiFilesystemCtx, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::filesystem::{preopens, types};
use wasmtime_wasi::p2::{DynOutputStream, FsError, FsResult};
use writ_broker::FileOp;

use super::disk::{CountedStream, OverDisk};
use super::guard::{FilesGuard, Node, Refused};
use super::links::{self, LinkError};
use super::open::{Kind, OpenError, Wish, glance, open};
use crate::outcome::LimitName;
use crate::worker::host::over::{OverLimit, check_descriptors};

mod host;

/// One store's files, borrowed for one call.
pub struct FilesView<'a> {
    /// Wasmtime's own state, which holds the preopens.
    pub ctx: &'a mut WasiFilesystemCtx,
    /// The store's handles.
    pub table: &'a mut ResourceTable,
    /// The decisions.
    pub guard: &'a mut FilesGuard,
}

struct GuardedFiles;

impl HasData for GuardedFiles {
    type Data<'a> = FilesView<'a>;
}

/// Adds `wasi:filesystem` to a linker, guarded. File calls run on the guest's own thread.
pub fn add_to_linker<T: Send + 'static>(
    linker: &mut Linker<T>,
    get: fn(&mut T) -> FilesView<'_>,
) -> wasmtime::Result<()> {
    preopens::add_to_linker::<T, GuardedFiles>(linker, get)?;
    types::add_to_linker::<T, GuardedFiles>(linker, get)
}

impl From<Refused> for FsError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::ReadOnly => types::ErrorCode::ReadOnly.into(),
            Refused::Outside => types::ErrorCode::NotPermitted.into(),
            Refused::Access => types::ErrorCode::Access.into(),
        }
    }
}

impl From<OverDisk> for FsError {
    fn from(over: OverDisk) -> Self {
        Self::trap(over)
    }
}

/// Returns an ordinary error of the kernel's as the guest sees it, if it lives to see it.
fn kernel_error(errno: Errno) -> FsError {
    match errno {
        Errno::MFILE => FsError::trap(OverLimit(LimitName::Handles)),
        errno => types::ErrorCode::from(std::io::Error::from(errno)).into(),
    }
}

/// Ends the guest if what wasmtime says nothing about was a bound.
fn explained(error: FsError) -> FsError {
    match error.downcast_ref() {
        Some(types::ErrorCode::Io) => check_descriptors().map_or_else(FsError::trap, |()| error),
        _ => error,
    }
}

impl FilesView<'_> {
    fn inner(&mut self) -> WasiFilesystemCtxView<'_> {
        WasiFilesystemCtxView { ctx: self.ctx, table: self.table }
    }

    /// Returns a directory and where it is.
    fn dir(&self, fd: &Resource<Descriptor>) -> FsResult<(Dir, Node)> {
        match self.table.get(fd)? {
            Descriptor::Dir(dir) => Ok((dir.clone(), self.guard.node(fd.rep(), dir))),
            Descriptor::File(_) => Err(types::ErrorCode::NotDirectory.into()),
        }
    }

    /// Decides on one path below a directory.
    fn ask(&mut self, op: FileOp, fd: &Resource<Descriptor>, path: &str) -> FsResult<Asked> {
        let (dir, node) = self.dir(fd)?;
        self.guard.ask(op, &node, path, dir.perms)?;
        Ok(Asked { dir, node })
    }

    /// Decides on a change to an open descriptor.
    fn ask_write(&mut self, fd: &Resource<Descriptor>) -> FsResult<()> {
        let perms = match self.table.get(fd)? {
            Descriptor::Dir(dir) => dir.perms,
            Descriptor::File(file) => file.perms,
        };
        Ok(self.guard.ask_write(fd.rep(), perms)?)
    }

    /// Records it if wasmtime or the kernel refused what was allowed.
    fn after<R>(&self, result: FsResult<R>, at: &Asked, path: &str, follow: bool) -> FsResult<R> {
        use types::ErrorCode::{Access, NotPermitted, ReadOnly};
        result.map_err(|error| match error.downcast_ref() {
            Some(NotPermitted | Access | ReadOnly) => {
                self.guard.inner_said(&at.dir.dir, &at.node, path, follow).into()
            }
            _ => explained(error),
        })
    }

    fn open_at(
        &mut self,
        fd: &Resource<Descriptor>,
        path: &str,
        wish: Wish,
    ) -> FsResult<Resource<Descriptor>> {
        let op = if wish.writes() { FileOp::Write } else { FileOp::Read };
        let Asked { dir, node } = self.ask(op, fd, path)?;
        let new = wish.creates() && glance(&dir.dir, path, wish.follow).is_none();
        let (file, kind) =
            open(&dir.dir, path, wish).map_err(|error| self.not_opened(error, &node, path))?;
        if new {
            self.guard.disk().take_entry()?;
        }
        let mode = wish.mode();
        let descriptor = if kind == Kind::Directory {
            Descriptor::Dir(Dir::new(file, dir.perms, mode, true))
        } else {
            Descriptor::File(File::new(file, dir.perms, mode, true))
        };
        let opened = self.table.push(descriptor)?;
        self.guard.insert(opened.rep(), node.below(path));
        Ok(opened)
    }

    fn not_opened(&self, error: OpenError, node: &Node, path: &str) -> FsError {
        match error {
            OpenError::Special(kind) => self.guard.special(node, path, kind).into(),
            OpenError::Errno(errno) => match self.guard.kernel_said(node, path, errno) {
                Some(refused) => refused.into(),
                None => kernel_error(errno),
            },
        }
    }

    fn not_linked(&self, error: LinkError, at: &Asked, path: &str) -> FsError {
        match self.guard.not_linked(&at.node, path, error) {
            Ok(refused) => refused.into(),
            Err(errno) => kernel_error(errno),
        }
    }

    fn symlink_at(&mut self, fd: &Resource<Descriptor>, target: &str, path: &str) -> FsResult<()> {
        let at = self.ask(FileOp::Write, fd, path)?;
        links::make(target, at.place(path)).map_err(|error| self.not_linked(error, &at, path))?;
        Ok(self.guard.disk().take_entry()?)
    }

    /// Lets a stream into a file take from the task's budget.
    fn counted(
        &mut self,
        stream: Resource<DynOutputStream>,
    ) -> FsResult<Resource<DynOutputStream>> {
        let inner = self.table.delete(stream)?;
        let disk = self.guard.disk().clone();
        let counted: DynOutputStream = Box::new(CountedStream { inner, disk });
        Ok(self.table.push(counted)?)
    }

    /// Gives something another name, at `new`; both sides must be writable.
    fn moved(
        &mut self,
        (old_fd, old): (&Resource<Descriptor>, &str),
        (new_fd, new): (&Resource<Descriptor>, &str),
        act: fn(links::Place<'_>, links::Place<'_>) -> Result<(), LinkError>,
    ) -> FsResult<()> {
        let from = self.ask(FileOp::Write, old_fd, old)?;
        let to = self.ask(FileOp::Write, new_fd, new)?;
        act(from.place(old), to.place(new)).map_err(|error| self.not_linked(error, &to, new))
    }
}

/// A directory that a call was allowed on.
struct Asked {
    dir: Dir,
    node: Node,
}

impl Asked {
    fn place<'p>(&'p self, path: &'p str) -> links::Place<'p> {
        links::Place::new(&self.node.root, &self.dir.dir, path)
    }
}

impl Wish {
    /// Reads what a guest asked for, as wasmtime does: what is not to be written is opened to be read.
    fn parse(
        path: types::PathFlags,
        open: types::OpenFlags,
        access: types::DescriptorFlags,
    ) -> Result<Self, types::ErrorCode> {
        use types::{DescriptorFlags as Access, OpenFlags as Open};
        let sync = Access::FILE_INTEGRITY_SYNC
            | Access::DATA_INTEGRITY_SYNC
            | Access::REQUESTED_WRITE_SYNC;
        if access.intersects(sync) {
            return Err(types::ErrorCode::Unsupported);
        }
        let makes = Open::CREATE | Open::EXCLUSIVE | Open::TRUNCATE;
        if open.contains(Open::DIRECTORY) && open.intersects(makes) {
            return Err(types::ErrorCode::Invalid);
        }
        let reads = access.contains(Access::READ) || !access.contains(Access::WRITE);
        let writes =
            access.contains(Access::WRITE) || open.intersects(Open::CREATE | Open::TRUNCATE);
        let mut flags = match (reads, writes) {
            (true, true) => OFlags::RDWR,
            (false, true) => OFlags::WRONLY,
            (_, false) => OFlags::RDONLY,
        };
        let exclusive = open.contains(Open::CREATE | Open::EXCLUSIVE);
        flags.set(OFlags::CREATE, open.contains(Open::CREATE));
        flags.set(OFlags::EXCL, exclusive);
        flags.set(OFlags::TRUNC, open.contains(Open::TRUNCATE) && !exclusive);
        flags.set(OFlags::DIRECTORY, open.contains(Open::DIRECTORY));
        Ok(Self { flags, follow: path.contains(types::PathFlags::SYMLINK_FOLLOW) })
    }

    fn writes(self) -> bool {
        self.flags.intersects(OFlags::WRONLY | OFlags::RDWR)
    }

    fn creates(self) -> bool {
        self.flags.contains(OFlags::CREATE)
    }

    fn mode(self) -> OpenMode {
        if self.flags.contains(OFlags::RDWR) {
            OpenMode::READ | OpenMode::WRITE
        } else if self.flags.contains(OFlags::WRONLY) {
            OpenMode::WRITE
        } else {
            OpenMode::READ
        }
    }
}
