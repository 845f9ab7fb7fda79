//! Files, read.

use std::io::Read;

/// Reads standard input once, into a buffer of so many bytes.
pub(crate) fn read(bytes: usize) -> String {
    match std::io::stdin().read(&mut vec![0; bytes]) {
        Ok(count) => format!("ok read {count} bytes"),
        Err(error) => format!("refused: {error}"),
    }
}
