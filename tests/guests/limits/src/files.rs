//! Files, opened and read.

use std::fs::File;
use std::io::Read;

/// Opens the same path so many times and closes it never.
pub(crate) fn open(path: &str, count: u64) -> String {
    for number in 0..count {
        match File::open(path) {
            Ok(file) => std::mem::forget(file),
            Err(error) => return format!("refused after {number} handles: {error}"),
        }
    }
    format!("ok {count} handles are open")
}

/// Reads standard input once, into a buffer of so many bytes.
pub(crate) fn read(bytes: usize) -> String {
    match std::io::stdin().read(&mut vec![0; bytes]) {
        Ok(count) => format!("ok read {count} bytes"),
        Err(error) => format!("refused: {error}"),
    }
}
