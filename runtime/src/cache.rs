//! Compiled tools on disk: found by digest, authenticated before they are mapped.
//!
//! An entry is one file, so that it appears at once and whole: the artifact (native code in an ELF
//! file, which ignores what follows it), the tool's description, and a trailer with an HMAC-SHA256
//! over all of it. The key lies outside the cache directory: a cache that was copied from another
//! machine, or restored from a shared one, has no entry that verifies here.

use crate::private;
use crate::wire::Fault;
use crate::worker::REVISION;
use crate::worker::describe::Description;
use aws_lc_rs::hmac;
use cap_std::fs::{Dir, File, MetadataExt, OpenOptions, OpenOptionsExt};
use rustix::fs::{MemfdFlags, Mode, SealFlags};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use writ_broker::codes;

/// The version whose code is cached. A test holds it against `Cargo.lock`; wasmtime itself refuses
/// another version's code as well.
const WASMTIME: &str = "48.0.8";

/// Ends every entry; a new layout gets a new one.
const MAGIC: &[u8; 8] = b"writ-ca1";

/// Magic, length of the description, HMAC.
const TRAILER: usize = 8 + 4 + 32;

/// The largest description that is read back, bytes.
const MAX_DESCRIPTION: u32 = 4 * 1024 * 1024;

/// How large the cache may become before the entries that were not used longest go, bytes.
pub const DEFAULT_BOUND: u64 = 2 * 1024 * 1024 * 1024;

/// Ends the name of an entry that is being written.
const DRAFT: &str = ".new";

/// Longer than any compilation takes, seconds: a draft this old has nobody who writes it.
const HOUR: i64 = 3600;

/// The compile cache of one user.
#[derive(Debug)]
pub struct Cache {
    directory: Dir,
    key: hmac::Key,
    bound: u64,
    /// Whether entries live in memory alone; then nothing can be put into the directory.
    passing: bool,
}

/// A compiled tool that was made here, by us.
#[derive(Debug)]
pub struct Entry {
    /// What the tool is.
    pub description: Description,
    artifact: File,
}

/// What the cache says about a digest.
#[derive(Debug)]
pub enum Lookup {
    /// It is here and it is ours.
    Hit(Box<Entry>),
    /// It is not here.
    Miss,
    /// Something is here that we did not make, or that was damaged. It will be replaced.
    Rejected(&'static str),
}

/// An artifact that is being written.
#[derive(Debug)]
pub struct Draft<'a> {
    cache: &'a Cache,
    name: String,
    /// The name of the file until it is committed; none if it lives in memory.
    temporary: Option<String>,
    file: File,
}

impl Cache {
    /// Opens the cache, making what is missing. `key_file` must lie outside `directory`.
    pub fn open(directory: &Path, key_file: &Path, bound: u64) -> Result<Self, Fault> {
        let key = private::key(key_file)?;
        let directory = private::directory(directory)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        Ok(Self { directory, key, bound, passing: false })
    }

    /// Makes a cache for one run, for when the lasting one cannot be trusted. Its entries are sealed
    /// memory and have no name: `parent` is for temporary files, and a grant may name it.
    pub fn passing(parent: &Path) -> Result<Self, Fault> {
        let mut random = [0; 48];
        getrandom::fill(&mut random).map_err(unusable)?;
        let (name, key) = random.split_at(16);
        let path = parent.join(format!("writ-{}", hex(name)));
        let directory = private::directory(&path)?;
        // A worker is to have a directory that it may read. In one that was removed nothing can be
        // made any more.
        rustix::fs::rmdir(&path).map_err(unusable)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        Ok(Self { directory, key, bound: DEFAULT_BOUND, passing: true })
    }

    /// Looks a tool up and authenticates what it finds.
    pub fn get(&self, digest: [u8; 32]) -> Lookup {
        let name = entry_name(digest);
        let Ok(file) = self.directory.open(&name) else { return Lookup::Miss };
        match self.authenticate(&name, file) {
            Ok(entry) => {
                // Only the order of eviction suffers if this fails.
                let _ = rustix::fs::futimens(&entry.artifact, &now());
                Lookup::Hit(Box::new(entry))
            }
            Err(reason) => Lookup::Rejected(reason),
        }
    }

    /// Starts an entry.
    pub fn draft(&self, digest: [u8; 32]) -> Result<Draft<'_>, Fault> {
        let name = entry_name(digest);
        if self.passing {
            let file = nameless().map_err(unusable)?;
            return Ok(Draft { cache: self, name, temporary: None, file });
        }
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(unusable)?;
        let temporary = format!("{name}.{}{DRAFT}", hex(&random));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        let file = self.directory.open_with(&temporary, &options).map_err(unusable)?;
        Ok(Draft { cache: self, name, temporary: Some(temporary), file })
    }

    /// The directory, for a worker to be allowed to read from.
    pub fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    fn authenticate(&self, name: &str, mut file: File) -> Result<Entry, &'static str> {
        let metadata = file.metadata().map_err(|_| "it cannot be read")?;
        if !metadata.is_file() || metadata.mode() & 0o022 != 0 {
            return Err("it is not a private file");
        }
        let signed = metadata.len().checked_sub(TRAILER as u64).ok_or("it is too short")?;
        let mut context = self.context(name);
        let mut last = Vec::new();
        let mut buffer = vec![0; 256 * 1024];
        let mut left = signed;
        while left > 0 {
            let take = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            file.read_exact(&mut buffer[..take]).map_err(|_| "it cannot be read")?;
            context.update(&buffer[..take]);
            left -= take as u64;
        }
        file.read_to_end(&mut last).map_err(|_| "it cannot be read")?;
        let (head, tag) = last.split_at_checked(12).ok_or("it is too short")?;
        context.update(head);
        let expected = context.sign();
        aws_lc_rs::constant_time::verify_slices_are_equal(expected.as_ref(), tag)
            .map_err(|_| "it was not made here, or it was changed")?;
        let description = read_description(&mut file, signed, head)?;
        Ok(Entry { description, artifact: file })
    }

    /// The name is part of what is authenticated: an entry cannot stand in for another tool's.
    fn context(&self, name: &str) -> hmac::Context {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(MAGIC);
        context.update(name.as_bytes());
        context
    }

    /// Removes what was not used longest until the rest fits, and what a run that was killed left.
    fn prune(&self, keep: &str) -> std::io::Result<()> {
        let mut entries = Vec::new();
        let abandoned = rustix::time::clock_gettime(rustix::time::ClockId::Realtime).tv_sec - HOUR;
        for entry in self.directory.entries()? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            let (time, name) = (metadata.mtime(), entry.file_name());
            if !is_ours(&name.to_string_lossy()) {
                continue;
            }
            if !name.to_string_lossy().ends_with(DRAFT) {
                entries.push((time, metadata.mtime_nsec(), metadata.len(), name));
            } else if time < abandoned {
                self.directory.remove_file(&name)?;
            }
        }
        entries.sort();
        let mut total: u64 = entries.iter().map(|(_, _, size, _)| size).sum();
        for (_, _, size, name) in entries {
            if total <= self.bound {
                break;
            }
            if name != *keep {
                self.directory.remove_file(&name)?;
                total -= size;
            }
        }
        Ok(())
    }
}

impl Entry {
    /// The artifact, for a worker to map.
    pub fn artifact(&self) -> BorrowedFd<'_> {
        self.artifact.as_fd()
    }
}

impl Draft<'_> {
    /// The file that the compiling worker writes to.
    pub fn artifact(&self) -> &File {
        &self.file
    }

    /// Signs what was written and makes it an entry.
    pub fn commit(mut self, description: &Description) -> Result<Entry, Fault> {
        self.write_trailer(description).map_err(unusable)?;
        let Some(temporary) = &self.temporary else {
            let file = seal(&mut self.file).map_err(unusable)?;
            return self.cache.authenticate(&self.name, file).map_err(unusable);
        };
        let directory = &self.cache.directory;
        // Opened before others see it: they may evict it at once.
        let file = directory.open(temporary).map_err(unusable)?;
        directory.rename(temporary, directory, &self.name).map_err(unusable)?;
        // A cache that is too large is no reason to fail a run.
        if let Err(error) = self.cache.prune(&self.name) {
            tracing::warn!(%error, "the compile cache could not be pruned");
        }
        self.cache.authenticate(&self.name, file).map_err(unusable)
    }

    fn write_trailer(&mut self, description: &Description) -> std::io::Result<()> {
        let description = postcard::to_allocvec(description).map_err(std::io::Error::other)?;
        let length = u32::try_from(description.len()).map_err(std::io::Error::other)?;
        self.file.seek(SeekFrom::End(0))?;
        self.file.write_all(&description)?;
        let mut context = self.cache.context(&self.name);
        self.file.rewind()?;
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match self.file.read(&mut buffer)? {
                0 => break,
                count => context.update(&buffer[..count]),
            }
        }
        let mut head = [0; 12];
        head[..8].copy_from_slice(MAGIC);
        head[8..].copy_from_slice(&length.to_le_bytes());
        context.update(&head);
        self.file.write_all(&head)?;
        self.file.write_all(context.sign().as_ref())
    }
}

/// A draft that was not committed leaves nothing behind.
impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // After a commit the name is gone already.
            let _ = self.cache.directory.remove_file(temporary);
        }
    }
}

/// Makes a file that lives in memory and goes with its last descriptor.
fn nameless() -> std::io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = std::fs::File::from(rustix::fs::memfd_create("artifact", flags)?);
    rustix::fs::fchmod(&file, Mode::RUSR | Mode::WUSR)?;
    Ok(File::from_std(file))
}

/// Makes such a file unchangeable, by its writers as well.
fn seal(file: &mut File) -> std::io::Result<File> {
    file.rewind()?;
    let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&*file, seals)?;
    file.try_clone()
}

/// Tells an entry or a draft, of whatever version, from what somebody else put there.
fn is_ours(name: &str) -> bool {
    let (digest, rest) = name.split_at_checked(2 * 32).unwrap_or_default();
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    digest.bytes().all(is_hex) && rest.starts_with('-')
}

fn read_description(
    file: &mut File,
    signed: u64,
    head: &[u8],
) -> Result<Description, &'static str> {
    let unreadable = "its description cannot be read";
    let length = head[8..].try_into().map(u32::from_le_bytes).map_err(|_| unreadable)?;
    if &head[..8] != MAGIC || length > MAX_DESCRIPTION || u64::from(length) > signed {
        return Err(unreadable);
    }
    let mut bytes = vec![0; length as usize];
    file.seek(SeekFrom::Start(signed - u64::from(length))).map_err(|_| unreadable)?;
    file.read_exact(&mut bytes).map_err(|_| unreadable)?;
    postcard::from_bytes(&bytes).map_err(|_| unreadable)
}

/// What a compiled tool depends on beside its bytes is part of its name.
fn entry_name(digest: [u8; 32]) -> String {
    format!("{}-{}-{WASMTIME}-{REVISION}", hex(&digest), std::env::consts::ARCH)
}

fn unusable(error: impl std::fmt::Display) -> Fault {
    Fault::new(codes::CACHE_ENTRY, format!("the compile cache cannot be used: {error}"))
}

fn now() -> rustix::fs::Timestamps {
    let now = rustix::fs::Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW };
    rustix::fs::Timestamps { last_access: now, last_modification: now }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
