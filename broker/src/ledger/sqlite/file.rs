//! Files and directories that only their owner can read and write.

use crate::ledger::{Cause, OpenError};
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Says that the machine failed at a path.
pub(super) fn failed(path: &Path, error: &std::io::Error) -> OpenError {
    let cause = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Cause::Full,
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => Cause::ReadOnly,
        _ => Cause::Io(error.to_string()),
    };
    OpenError::Unavailable { path: path.to_owned(), cause }
}

/// Opens the directory of a file, making it if it is missing, and gives the file's path in it
/// without symbolic links on the way. The last component is not looked at.
pub(super) fn directory_of(path: &Path) -> Result<(File, PathBuf), OpenError> {
    let refuse = |why| OpenError::NotPrivate { path: path.to_owned(), why };
    let name = path.file_name().ok_or(refuse("it is not the name of a file"))?;
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let resolved = match parent.canonicalize() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(parent);
            made.and_then(|()| parent.canonicalize())
        }
        other => other,
    };
    let resolved = resolved.map_err(|error| failed(parent, &error))?;
    let directory = File::open(&resolved).map_err(|error| failed(&resolved, &error))?;
    let metadata = directory.metadata().map_err(|error| failed(&resolved, &error))?;
    let refuse = |why| OpenError::NotPrivate { path: resolved.clone(), why };
    if !owned(&metadata) {
        return Err(refuse("the directory belongs to another user"));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(refuse("others can write to the directory; `chmod 700` it"));
    }
    let path = resolved.join(name);
    Ok((directory, path))
}

/// Looks at a file without following a symbolic link, and refuses it if others can read it.
pub(super) fn private(path: &Path) -> Result<Option<Metadata>, OpenError> {
    match path.symlink_metadata() {
        Ok(metadata) => check(path, &metadata).map(|()| Some(metadata)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path, &error)),
    }
}

/// Refuses a file that others can read or write.
pub(super) fn check(path: &Path, metadata: &Metadata) -> Result<(), OpenError> {
    let refuse = |why| Err(OpenError::NotPrivate { path: path.to_owned(), why });
    match () {
        () if !metadata.is_file() => refuse("it is not a regular file"),
        () if !owned(metadata) => refuse("it belongs to another user"),
        () if metadata.mode() & 0o077 != 0 => refuse("others can read it; `chmod 600` it"),
        () => Ok(()),
    }
}

/// Makes a file whole before it has its name: `write` gets an empty private file under another one,
/// and of two processes that do this at once, one wins and both find its file.
pub(super) fn appear(
    directory: &File,
    path: &Path,
    write: impl FnOnce(&Path, &mut File) -> Result<(), OpenError>,
) -> Result<(), OpenError> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| failed(path, &std::io::Error::other(error)))?;
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{:016x}.new", u64::from_le_bytes(random)));
    let draft = PathBuf::from(draft);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(0o600);
    let mut file = options.open(&draft).map_err(|error| failed(path, &error))?;
    let made = write(&draft, &mut file).and_then(|()| {
        let linked = file.sync_all().and_then(|()| std::fs::hard_link(&draft, path));
        match linked {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(failed(path, &error)),
            _ => directory.sync_all().map_err(|error| failed(path, &error)),
        }
    });
    let removed = std::fs::remove_file(&draft).map_err(|error| failed(path, &error));
    made.and(removed)
}

fn owned(metadata: &Metadata) -> bool {
    metadata.uid() == rustix::process::geteuid().as_raw()
}
