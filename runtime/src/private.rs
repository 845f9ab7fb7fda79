//! Directories and keys that only their owner can write.

use crate::wire::Fault;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, MetadataExt, OpenOptions, OpenOptionsExt};
use rustix::fs::Mode;
use std::fmt::Display;
use std::io::{Read, Write};
use std::path::Path;
use writ_broker::codes;

/// Bytes of a key for HMAC-SHA256: as many as the hash has.
const KEY: usize = 32;

/// Opens a directory that nobody else can write to, making it if it is missing.
pub(crate) fn directory(path: &Path) -> Result<Dir, Fault> {
    let refuse =
        |why: &dyn Display| Fault::new(codes::CACHE_DIR, format!("{}: {why}", path.display()));
    if let Some(parent) = path.parent() {
        Dir::create_ambient_dir_all(parent, ambient_authority()).map_err(|error| refuse(&error))?;
    }
    match rustix::fs::mkdir(path, Mode::RWXU) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(error) => return Err(refuse(&error)),
    }
    let directory =
        Dir::open_ambient_dir(path, ambient_authority()).map_err(|error| refuse(&error))?;
    let metadata = directory.dir_metadata().map_err(|error| refuse(&error))?;
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(refuse(&"it belongs to another user"));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(refuse(&"others can write to it; `chmod 700` it"));
    }
    Ok(directory)
}

/// Reads a key, making it when it is first needed.
pub(crate) fn key(path: &Path) -> Result<[u8; KEY], Fault> {
    let refuse =
        |why: &dyn Display| Fault::new(codes::CACHE_DIR, format!("{}: {why}", path.display()));
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(refuse(&"not the name of a file"));
    };
    let directory = directory(parent)?;
    if !directory.exists(name) {
        make_key(&directory, Path::new(name)).map_err(|error| refuse(&error))?;
    }
    let mut file = directory.open(name).map_err(|error| refuse(&error))?;
    let metadata = file.metadata().map_err(|error| refuse(&error))?;
    if metadata.mode() & 0o077 != 0 {
        return Err(refuse(&"others can read it; remove it, and a new one is made"));
    }
    let mut key = [0; KEY];
    file.read_exact(&mut key).map_err(|_| refuse(&"it is too short; remove it"))?;
    Ok(key)
}

/// Writes a new key under a name of its own and links it into place: of two that start at once, one
/// wins and both use its key.
fn make_key(directory: &Dir, name: &Path) -> std::io::Result<()> {
    let mut key = [0; KEY];
    let mut suffix = [0; 8];
    for bytes in [&mut key[..], &mut suffix[..]] {
        getrandom::fill(bytes).map_err(std::io::Error::other)?;
    }
    let temporary = format!("{}.{:x}", name.display(), u64::from_le_bytes(suffix));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = directory.open_with(&temporary, &options)?;
    file.write_all(&key)?;
    file.sync_all()?;
    let linked = directory.hard_link(&temporary, directory, name);
    directory.remove_file(&temporary)?;
    match linked {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
