//! Private keys in files that only their owner can read.

use super::{KeyError, LocalKey, Purpose};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// More than PKCS#8 needs for a P-256 key with its public half (138 bytes).
const LARGEST_FILE: usize = 1024;

/// A directory of private keys: one file for each purpose and generation, in PKCS#8 (DER).
///
/// Only its owner can read it and nothing else in it is a key. Generations are numbered from 1 and
/// the number is in the ledger before the key signs anything, so of two processes that make the
/// same generation at once, one wins and both use its key.
#[derive(Debug)]
pub struct KeyFiles {
    directory: OwnedFd,
    path: PathBuf,
}

/// Why a key file is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The file is gone, and the records name its key: what it signed can be checked, but no more
    /// be signed.
    #[error("{}: the file is missing; restore it, or rotate with `writ keys rotate`", .0.display())]
    Missing(PathBuf),
    /// Others could have read or replaced it.
    #[error("{}: {why}", .path.display())]
    Exposed {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong, and what to do.
        why: &'static str,
    },
    /// The file is there, but no key is in it, or none could be made.
    #[error("{}: {source}", .path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: KeyError,
    },
    /// The file system said no.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Its words.
        source: io::Error,
    },
}

impl KeyFiles {
    /// Opens the directory, making it if it is missing. No key is made or read.
    pub fn open(path: &Path) -> Result<Self, KeyFileError> {
        let io = |source: io::Error| KeyFileError::Io { path: path.to_owned(), source };
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(io)?;
        }
        match rustix::fs::mkdir(path, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(io(error.into())),
        }
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
        let directory =
            rustix::fs::open(path, flags, Mode::empty()).map_err(|error| io(error.into()))?;
        let stat = rustix::fs::fstat(&directory).map_err(|error| io(error.into()))?;
        let exposed = |why| KeyFileError::Exposed { path: path.to_owned(), why };
        if stat.st_uid != rustix::process::geteuid().as_raw() {
            return Err(exposed("the directory of the keys belongs to another user"));
        }
        if stat.st_mode & 0o077 != 0 {
            return Err(exposed("others can look into the directory of the keys; `chmod 700` it"));
        }
        Ok(Self { directory, path: path.to_owned() })
    }

    /// Reads a key that the records name.
    pub fn load(&self, purpose: Purpose, generation: u32) -> Result<LocalKey, KeyFileError> {
        let name = name(purpose, generation);
        let path = self.path.join(&name);
        let der = read_private(&self.directory, Path::new(&name), &path, LARGEST_FILE)?;
        LocalKey::from_pkcs8(&der).map_err(|source| KeyFileError::Key { path, source })
    }

    /// Reads a key, making it when it is first needed.
    pub fn obtain(&self, purpose: Purpose, generation: u32) -> Result<LocalKey, KeyFileError> {
        match self.load(purpose, generation) {
            Err(KeyFileError::Missing(path)) => self.make(&name(purpose, generation), &path)?,
            loaded => return loaded,
        }
        self.load(purpose, generation)
    }

    /// Removes a key for good; nothing happens if it is gone already.
    pub fn remove(&self, purpose: Purpose, generation: u32) -> Result<(), KeyFileError> {
        let name = name(purpose, generation);
        match rustix::fs::unlinkat(&self.directory, &name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => {
                return Err(KeyFileError::Io { path: self.path.join(name), source: error.into() });
            }
        }
        self.sync()
    }

    /// Writes a new key under a name of its own and links it into place: of two that start at once,
    /// one wins and both use its key.
    fn make(&self, name: &str, path: &Path) -> Result<(), KeyFileError> {
        let refuse = |source| KeyFileError::Key { path: path.to_owned(), source };
        let key = LocalKey::generate().map_err(refuse)?;
        let der = key.to_pkcs8().map_err(refuse)?;
        self.link(name, &key, &der)
            .map_err(|source| KeyFileError::Io { path: path.to_owned(), source })?;
        self.sync()
    }

    fn link(&self, name: &str, key: &LocalKey, der: &[u8]) -> io::Result<()> {
        use super::Signer;
        // No two keys have the same thumbprint.
        let temporary = format!("{name}.{}", key.kid());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let mut file = File::from(rustix::fs::openat(&self.directory, &temporary, flags, mode)?);
        let directory = &self.directory;
        let linked = file.write_all(der).and_then(|()| file.sync_all()).and_then(|()| {
            match rustix::fs::linkat(directory, &temporary, directory, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::EXIST) => Ok(()),
                Err(error) => Err(error.into()),
            }
        });
        rustix::fs::unlinkat(directory, &temporary, AtFlags::empty())?;
        linked
    }

    /// Makes a new or removed name durable: a ledger that names a key must not outlive it.
    fn sync(&self) -> Result<(), KeyFileError> {
        rustix::fs::fsync(&self.directory)
            .map_err(|error| KeyFileError::Io { path: self.path.clone(), source: error.into() })
    }
}

/// Reads a file that nobody else can read. `path` is for the messages.
///
/// At most `largest` bytes are read, so a file that is longer comes back cut.
pub(super) fn read_private(
    directory: impl AsFd,
    name: &Path,
    path: &Path,
    largest: usize,
) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let path = || path.to_owned();
    let io = |source| KeyFileError::Io { path: path(), source };
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = match rustix::fs::openat(directory, name, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Err(KeyFileError::Missing(path())),
        Err(Errno::LOOP) => {
            let why = "a secret must not be a symbolic link; put the file itself there";
            return Err(KeyFileError::Exposed { path: path(), why });
        }
        Err(error) => return Err(io(error.into())),
    };
    let stat = rustix::fs::fstat(&file).map_err(|error| io(error.into()))?;
    if let Some(why) = exposure(&stat) {
        return Err(KeyFileError::Exposed { path: path(), why });
    }
    // Room for all of it at once: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(largest));
    file.take(largest as u64).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}

fn name(purpose: Purpose, generation: u32) -> String {
    format!("{}-{generation}.p8", purpose.as_str())
}

/// Says who else could have read or written an open file.
fn exposure(stat: &Stat) -> Option<&'static str> {
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Some("a secret must be a regular file");
    }
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        return Some("the file belongs to another user");
    }
    if stat.st_mode & 0o077 != 0 {
        return Some("others can read the file; replace the secret, and `chmod 600` the new one");
    }
    None
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
