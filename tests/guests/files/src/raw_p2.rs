//! Paths as the host gets them: the C library in a guest refuses or rewrites some before it asks.

use std::io;

use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags};

use crate::Outcome;

/// Opens a path below a preopened directory, word for word, and reads from it.
pub(crate) fn read(preopen: &str, path: &str) -> Outcome {
    let file = open(preopen, path, OpenFlags::empty(), DescriptorFlags::READ)?;
    let (bytes, _) = file.read(4096, 0).map_err(explain)?;
    Ok(format!("read {} bytes: {}", bytes.len(), String::from_utf8_lossy(&bytes).escape_debug()))
}

/// Creates or opens a path below a preopened directory, word for word, and writes to it.
pub(crate) fn write(preopen: &str, path: &str) -> Outcome {
    let file = open(preopen, path, OpenFlags::CREATE, DescriptorFlags::WRITE)?;
    let written = file.write(b"written", 0).map_err(explain)?;
    Ok(format!("wrote {written} bytes"))
}

fn open(
    preopen: &str,
    path: &str,
    how: OpenFlags,
    flags: DescriptorFlags,
) -> io::Result<Descriptor> {
    let directory = get_directories().into_iter().find(|(_, name)| name == preopen);
    let (directory, _) = directory.ok_or_else(|| io::Error::other("no such preopen"))?;
    directory.open_at(PathFlags::SYMLINK_FOLLOW, path, how, flags).map_err(explain)
}

fn explain(code: ErrorCode) -> io::Error {
    let kind = match code {
        ErrorCode::Access | ErrorCode::NotPermitted => io::ErrorKind::PermissionDenied,
        ErrorCode::NoEntry => io::ErrorKind::NotFound,
        ErrorCode::ReadOnly => io::ErrorKind::ReadOnlyFilesystem,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, code.name())
}
