//! Much of everything: bytes, files, depth.

use std::fs::{self, File};
use std::io::Write;

use crate::Outcome;

/// Writes until so many bytes stand in the file.
pub(crate) fn fill(path: &str, bytes: u64) -> Outcome {
    let chunk = [b'x'; 16384];
    let mut file = File::create(path)?;
    let mut left = bytes;
    while left > 0 {
        let length = left.min(chunk.len() as u64);
        file.write_all(&chunk[..length as usize])?;
        left -= length;
    }
    Ok(format!("wrote {bytes} bytes"))
}

/// Creates so many files.
pub(crate) fn many(path: &str, count: u64) -> Outcome {
    for number in 0..count {
        File::create(format!("{path}/{number}"))?;
    }
    Ok(format!("created {count} files"))
}

/// Creates a chain of directories and opens the innermost by its whole path.
pub(crate) fn deep(path: &str, depth: u64) -> Outcome {
    let mut full = path.to_owned();
    for _ in 0..depth {
        full.push_str("/d");
        fs::create_dir(&full)?;
    }
    fs::read_dir(&full)?;
    Ok(format!("made {depth} directories, path of {} bytes", full.len()))
}
