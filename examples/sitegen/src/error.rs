//! What can go wrong: always a path, and what was tried with it.

use std::path::{Path, PathBuf};
use std::{fmt, io};

/// A failure at a path.
#[derive(Debug)]
pub(crate) struct Error {
    verb: &'static str,
    path: PathBuf,
    cause: io::Error,
}

impl Error {
    /// For `map_err`: remembers what was tried, and where.
    pub(crate) fn at(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self { verb, path: path.to_owned(), cause }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "cannot {} {}: {}", self.verb, self.path.display(), self.cause)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}
