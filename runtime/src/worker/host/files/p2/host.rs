//! The functions of `wasi:filesystem`, each decided and then done, by us or by wasmtime.

use std::sync::Arc;
use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::bindings::filesystem::{preopens, types};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult};
use writ_broker::FileOp;

use super::{FilesView, Node, Wish, explained, links};

type Fd = Resource<Descriptor>;

impl preopens::Host for FilesView<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Fd, String)>> {
        let directories = preopens::Host::get_directories(&mut self.inner())?;
        for (fd, path) in &directories {
            if let Descriptor::Dir(dir) = self.table.get(fd)? {
                let node = Node { path: path.as_str().into(), root: Arc::clone(&dir.dir) };
                self.guard.insert(fd.rep(), node);
            }
        }
        Ok(directories)
    }
}

impl types::Host for FilesView<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<types::ErrorCode> {
        error.downcast()
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<types::ErrorCode>> {
        types::Host::filesystem_error_code(&mut self.inner(), error)
    }
}

fn follows(flags: types::PathFlags) -> bool {
    flags.contains(types::PathFlags::SYMLINK_FOLLOW)
}

impl types::HostDescriptor for FilesView<'_> {
    async fn open_at(
        &mut self,
        fd: Fd,
        path_flags: types::PathFlags,
        path: String,
        open_flags: types::OpenFlags,
        flags: types::DescriptorFlags,
    ) -> FsResult<Fd> {
        let wish = Wish::parse(path_flags, open_flags, flags)?;
        FilesView::open_at(self, &fd, &path, wish)
    }

    async fn create_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        let at = self.ask(FileOp::Write, &fd, &path)?;
        let done = self.inner().create_directory_at(fd, path.clone()).await;
        self.after(done, &at, &path, false)?;
        Ok(self.guard.disk().take_entry()?)
    }

    async fn remove_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        let at = self.ask(FileOp::Write, &fd, &path)?;
        let done = self.inner().remove_directory_at(fd, path.clone()).await;
        self.after(done, &at, &path, false)
    }

    async fn unlink_file_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        let at = self.ask(FileOp::Write, &fd, &path)?;
        let done = self.inner().unlink_file_at(fd, path.clone()).await;
        self.after(done, &at, &path, false)
    }

    async fn set_times_at(
        &mut self,
        fd: Fd,
        flags: types::PathFlags,
        path: String,
        accessed: types::NewTimestamp,
        modified: types::NewTimestamp,
    ) -> FsResult<()> {
        let at = self.ask(FileOp::Write, &fd, &path)?;
        let done = self.inner().set_times_at(fd, flags, path.clone(), accessed, modified).await;
        self.after(done, &at, &path, follows(flags))
    }

    async fn stat_at(
        &mut self,
        fd: Fd,
        flags: types::PathFlags,
        path: String,
    ) -> FsResult<types::DescriptorStat> {
        let at = self.ask(FileOp::Read, &fd, &path)?;
        let done = self.inner().stat_at(fd, flags, path.clone()).await;
        self.after(done, &at, &path, follows(flags))
    }

    async fn metadata_hash_at(
        &mut self,
        fd: Fd,
        flags: types::PathFlags,
        path: String,
    ) -> FsResult<types::MetadataHashValue> {
        let at = self.ask(FileOp::Read, &fd, &path)?;
        let done = self.inner().metadata_hash_at(fd, flags, path.clone()).await;
        self.after(done, &at, &path, follows(flags))
    }

    /// Wasmtime hides the target of a link that is absolute, which is recorded as leading out.
    async fn readlink_at(&mut self, fd: Fd, path: String) -> FsResult<String> {
        let at = self.ask(FileOp::Read, &fd, &path)?;
        let done = self.inner().readlink_at(fd, path.clone()).await;
        self.after(done, &at, &path, true)
    }

    async fn symlink_at(&mut self, fd: Fd, target: String, path: String) -> FsResult<()> {
        FilesView::symlink_at(self, &fd, &target, &path)
    }

    async fn link_at(
        &mut self,
        old_fd: Fd,
        flags: types::PathFlags,
        old: String,
        new_fd: Fd,
        new: String,
    ) -> FsResult<()> {
        if follows(flags) {
            return Err(types::ErrorCode::Invalid.into());
        }
        self.moved((&old_fd, &old), (&new_fd, &new), links::hard_link)?;
        Ok(self.guard.disk().take_entry()?)
    }

    async fn rename_at(
        &mut self,
        old_fd: Fd,
        old: String,
        new_fd: Fd,
        new: String,
    ) -> FsResult<()> {
        self.moved((&old_fd, &old), (&new_fd, &new), links::rename)
    }

    async fn set_size(&mut self, fd: Fd, size: types::Filesize) -> FsResult<()> {
        self.ask_write(&fd)?;
        self.inner().set_size(fd, size).await
    }

    async fn set_times(
        &mut self,
        fd: Fd,
        accessed: types::NewTimestamp,
        modified: types::NewTimestamp,
    ) -> FsResult<()> {
        self.ask_write(&fd)?;
        self.inner().set_times(fd, accessed, modified).await
    }

    async fn write(
        &mut self,
        fd: Fd,
        bytes: Vec<u8>,
        offset: types::Filesize,
    ) -> FsResult<types::Filesize> {
        self.ask_write(&fd)?;
        self.guard.disk().reserve(bytes.len() as u64)?;
        let written = self.inner().write(fd, bytes, offset).await?;
        self.guard.disk().take(written)?;
        Ok(written)
    }

    fn write_via_stream(
        &mut self,
        fd: Fd,
        offset: types::Filesize,
    ) -> FsResult<Resource<DynOutputStream>> {
        self.ask_write(&fd)?;
        let stream = self.inner().write_via_stream(fd, offset)?;
        self.counted(stream)
    }

    fn append_via_stream(&mut self, fd: Fd) -> FsResult<Resource<DynOutputStream>> {
        self.ask_write(&fd)?;
        let stream = self.inner().append_via_stream(fd)?;
        self.counted(stream)
    }

    fn drop(&mut self, fd: Fd) -> wasmtime::Result<()> {
        self.guard.remove(fd.rep());
        types::HostDescriptor::drop(&mut self.inner(), fd)
    }

    async fn advise(
        &mut self,
        fd: Fd,
        offset: types::Filesize,
        len: types::Filesize,
        advice: types::Advice,
    ) -> FsResult<()> {
        self.inner().advise(fd, offset, len, advice).await
    }

    async fn sync_data(&mut self, fd: Fd) -> FsResult<()> {
        self.inner().sync_data(fd).await
    }

    async fn sync(&mut self, fd: Fd) -> FsResult<()> {
        self.inner().sync(fd).await
    }

    async fn get_flags(&mut self, fd: Fd) -> FsResult<types::DescriptorFlags> {
        self.inner().get_flags(fd).await
    }

    async fn get_type(&mut self, fd: Fd) -> FsResult<types::DescriptorType> {
        self.inner().get_type(fd).await
    }

    async fn read(
        &mut self,
        fd: Fd,
        len: types::Filesize,
        offset: types::Filesize,
    ) -> FsResult<(Vec<u8>, bool)> {
        self.inner().read(fd, len, offset).await
    }

    fn read_via_stream(
        &mut self,
        fd: Fd,
        offset: types::Filesize,
    ) -> FsResult<Resource<DynInputStream>> {
        self.inner().read_via_stream(fd, offset)
    }

    async fn read_directory(&mut self, fd: Fd) -> FsResult<Resource<types::DirectoryEntryStream>> {
        self.inner().read_directory(fd).await.map_err(explained)
    }

    async fn stat(&mut self, fd: Fd) -> FsResult<types::DescriptorStat> {
        self.inner().stat(fd).await
    }

    async fn is_same_object(&mut self, a: Fd, b: Fd) -> wasmtime::Result<bool> {
        self.inner().is_same_object(a, b).await
    }

    async fn metadata_hash(&mut self, fd: Fd) -> FsResult<types::MetadataHashValue> {
        self.inner().metadata_hash(fd).await
    }
}

impl types::HostDirectoryEntryStream for FilesView<'_> {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<types::DirectoryEntryStream>,
    ) -> FsResult<Option<types::DirectoryEntry>> {
        self.inner().read_directory_entry(stream).await
    }

    fn drop(&mut self, stream: Resource<types::DirectoryEntryStream>) -> wasmtime::Result<()> {
        types::HostDirectoryEntryStream::drop(&mut self.inner(), stream)
    }
}
