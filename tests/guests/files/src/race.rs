//! A name that is a directory at one moment and a symbolic link out of the grant at the next.
//!
//! `both` does it alone; `swap` and `open_loop` are meant to run at the same time in two guests.

use std::fs;
use std::io;

use crate::Outcome;

/// The name of the file that is looked for in the directory, and beside the link's target.
const FILE: &str = "file";

/// Changes the name and opens it, in turns; fails when it ever reads what is behind the link.
pub(crate) fn both(path: &str, secret: &str, rounds: u64) -> Outcome {
    let mut refused = 0;
    for _ in 0..rounds {
        make_directory(path)?;
        fs::read(format!("{path}/{FILE}"))?;
        remove_directory(path)?;
        make_link(path, secret)?;
        for attempt in [path.to_owned(), format!("{path}/{FILE}"), format!("{path}/../{FILE}")] {
            match fs::read(&attempt) {
                Ok(bytes) => return Err(leaked(&attempt, &bytes)),
                Err(_) => refused += 1,
            }
        }
        fs::remove_file(path)?;
    }
    Ok(format!("{refused} attempts refused"))
}

/// Only changes the name, back and forth.
pub(crate) fn swap(path: &str, secret: &str, rounds: u64) -> Outcome {
    let (directory, link) = (format!("{path}.directory"), format!("{path}.link"));
    make_directory(&directory)?;
    make_link(&link, secret)?;
    for _ in 0..rounds {
        fs::rename(&directory, path)?;
        fs::rename(path, &directory)?;
        fs::rename(&link, path)?;
        fs::rename(path, &link)?;
    }
    remove_directory(&directory)?;
    fs::remove_file(&link)?;
    Ok(format!("swapped {rounds} times"))
}

/// Only opens the name; fails when what it reads is not what `swap` put there.
pub(crate) fn open_loop(path: &str, rounds: u64) -> Outcome {
    let mut had = 0;
    for _ in 0..rounds {
        for attempt in [path.to_owned(), format!("{path}/{FILE}")] {
            match fs::read(&attempt) {
                Ok(bytes) if bytes == b"harmless" => had += 1,
                Ok(bytes) => return Err(leaked(&attempt, &bytes)),
                Err(_) => {}
            }
        }
    }
    Ok(format!("read the harmless file {had} times"))
}

fn make_directory(path: &str) -> io::Result<()> {
    fs::create_dir(path)?;
    fs::write(format!("{path}/{FILE}"), "harmless")
}

fn remove_directory(path: &str) -> io::Result<()> {
    fs::remove_file(format!("{path}/{FILE}"))?;
    fs::remove_dir(path)
}

/// A link out of the grant may be refused when it is made. Then nothing can be opened through it.
#[expect(deprecated, reason = "what replaces it is not stable for wasi")]
fn make_link(path: &str, secret: &str) -> io::Result<()> {
    fs::soft_link(secret, path)
}

fn leaked(path: &str, bytes: &[u8]) -> io::Error {
    io::Error::other(format!("leaked {path}: {}", String::from_utf8_lossy(bytes).escape_debug()))
}
