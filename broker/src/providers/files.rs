//! Files that hold secrets: opened without surprises, read once, wiped.

use rustix::fs::OFlags;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use zeroize::Zeroizing;

/// Bits of a mode that let others read, write or run.
const OTHERS: u32 = 0o077;
/// Bits of a mode that let others write.
const OTHERS_WRITE: u32 = 0o022;

/// Why a file was not used. The text names the way out, and never what is in the file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// The system said no.
    #[error("{0}")]
    System(#[from] std::io::Error),
    /// The last part of the path is a symbolic link: what it leads to can be changed by whoever owns
    /// the link, and is not what was checked.
    #[error("it is a symbolic link; name the file itself")]
    Link,
    /// A directory, FIFO, device or socket.
    #[error("it is not a regular file")]
    Special,
    /// It belongs to neither this user nor root.
    #[error("it belongs to another user")]
    Owner,
    /// Others can read or change it.
    #[error("others can use it; `chmod 600` it")]
    Mode,
    /// More than what it can hold in earnest.
    #[error("it is larger than {0} bytes")]
    Size(u64),
}

/// Who else may do what with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Privacy {
    /// Nobody else may do anything: it holds a secret.
    Secret,
    /// Others may read it, but not change it: it says where secrets are.
    Trusted,
}

/// Reads a file that nobody else can change; nobody else can read a secret one.
///
/// The checks are made on the open file, so it cannot be exchanged between check and use.
pub(crate) fn read(
    path: &Path,
    privacy: Privacy,
    most: u64,
) -> Result<Zeroizing<Vec<u8>>, FileError> {
    // Without NONBLOCK, opening a FIFO would wait for a writer.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let flags = i32::try_from(flags.bits()).map_err(std::io::Error::other)?;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(|error| {
        let link = error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error());
        if link { FileError::Link } else { FileError::System(error) }
    })?;
    check(&file, privacy, most)?;
    let mut bytes = Zeroizing::new(Vec::new());
    // All of it at once: a buffer that grows would leave copies behind.
    let room = usize::try_from(most + 1).map_err(std::io::Error::other)?;
    bytes.reserve_exact(room);
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() >= room {
        return Err(FileError::Size(most));
    }
    Ok(bytes)
}

fn check(file: &File, privacy: Privacy, most: u64) -> Result<(), FileError> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(FileError::Special);
    }
    if metadata.uid() != 0 && metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(FileError::Owner);
    }
    let forbidden = match privacy {
        Privacy::Secret => OTHERS,
        Privacy::Trusted => OTHERS_WRITE,
    };
    if metadata.mode() & forbidden != 0 {
        return Err(FileError::Mode);
    }
    if metadata.len() > most {
        return Err(FileError::Size(most));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail")]
    use super::*;
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn file(mode: u32, text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, text).unwrap();
        set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        (dir, path)
    }

    #[test]
    fn a_private_file_is_read_to_its_end() {
        let (_dir, path) = file(0o600, "hello");
        assert_eq!(&**read(&path, Privacy::Secret, 5).unwrap(), b"hello");
        assert!(matches!(read(&path, Privacy::Secret, 4), Err(FileError::Size(4))));
    }

    #[test]
    fn what_others_can_use_is_refused() {
        for mode in [0o640, 0o604, 0o660, 0o601] {
            let (_dir, path) = file(mode, "hello");
            assert!(matches!(read(&path, Privacy::Secret, 9), Err(FileError::Mode)), "{mode:o}");
        }
        let (_dir, path) = file(0o644, "hello");
        read(&path, Privacy::Trusted, 9).unwrap();
        let (_dir, path) = file(0o664, "hello");
        assert!(matches!(read(&path, Privacy::Trusted, 9), Err(FileError::Mode)));
    }

    #[test]
    fn links_directories_and_pipes_are_refused_without_waiting() {
        let (dir, path) = file(0o600, "hello");
        let link = dir.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(matches!(read(&link, Privacy::Secret, 9), Err(FileError::Link)));
        assert!(matches!(read(dir.path(), Privacy::Secret, 9), Err(FileError::Special)));
        let pipe = dir.path().join("pipe");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert!(matches!(read(&pipe, Privacy::Secret, 9), Err(FileError::Special)));
    }
}
