//! Paths as the host gets them: the C library in a guest refuses or rewrites some before it asks.

#![expect(unsafe_code, reason = "wasip1 reads and fills buffers behind pointers")]

use std::io;

use wasip1::{Ciovec, Errno, Fd, Iovec, Oflags, Rights};

use crate::Outcome;

/// Opens a path below a preopened directory, word for word, and reads from it.
pub(crate) fn read(preopen: &str, path: &str) -> Outcome {
    let file = open(preopen, path, 0, wasip1::RIGHTS_FD_READ)?;
    let mut bytes = vec![0; 4096];
    let buffer = Iovec { buf: bytes.as_mut_ptr(), buf_len: bytes.len() };
    // SAFETY: the buffer has the length that is passed on.
    let length = unsafe { wasip1::fd_read(file, &[buffer]) }.map_err(explain)?;
    bytes.truncate(length);
    Ok(format!("read {length} bytes: {}", String::from_utf8_lossy(&bytes).escape_debug()))
}

/// Creates or opens a path below a preopened directory, word for word, and writes to it.
pub(crate) fn write(preopen: &str, path: &str) -> Outcome {
    let file = open(preopen, path, wasip1::OFLAGS_CREAT, wasip1::RIGHTS_FD_WRITE)?;
    let buffer = Ciovec { buf: b"written".as_ptr(), buf_len: 7 };
    // SAFETY: the buffer has the length that is passed on.
    let written = unsafe { wasip1::fd_write(file, &[buffer]) }.map_err(explain)?;
    Ok(format!("wrote {written} bytes"))
}

fn open(preopen: &str, path: &str, how: Oflags, rights: Rights) -> io::Result<Fd> {
    let directory = find(preopen).ok_or_else(|| io::Error::other("no such preopen"))?;
    let follow = wasip1::LOOKUPFLAGS_SYMLINK_FOLLOW;
    // SAFETY: the call takes the path by pointer and length, and keeps neither.
    unsafe { wasip1::path_open(directory, follow, path, how, rights, 0, 0) }.map_err(explain)
}

/// Looks through the preopened directories, which stand after the three standard streams.
fn find(preopen: &str) -> Option<Fd> {
    let mut directory = 3;
    loop {
        // SAFETY: a plain number goes in, and a plain value comes out.
        let length = unsafe { wasip1::fd_prestat_get(directory).ok()?.u.dir.pr_name_len };
        let mut name = vec![0; length];
        // SAFETY: the buffer has the length that is passed on, which is the one the host asked for.
        unsafe { wasip1::fd_prestat_dir_name(directory, name.as_mut_ptr(), length) }.ok()?;
        if name == preopen.as_bytes() {
            return Some(directory);
        }
        directory += 1;
    }
}

fn explain(code: Errno) -> io::Error {
    io::Error::from_raw_os_error(code.raw().into())
}
