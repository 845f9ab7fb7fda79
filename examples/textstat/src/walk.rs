//! Finds the files to count, and says why one cannot be read.

use std::{fs, io};

use crate::bindings::exports::example::textstat::text::Error;

/// Lists a file, or every file below a directory, in order. Symbolic links are not followed.
pub(crate) fn files_below(root: &str) -> Result<Vec<String>, Error> {
    let mut files = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(path) = open.pop() {
        let failed = |error| explain(&path, &error);
        let kind = fs::symlink_metadata(&path).map_err(failed)?.file_type();
        if kind.is_dir() {
            for entry in fs::read_dir(&path).map_err(failed)? {
                let name = entry.map_err(failed)?.file_name();
                open.push(format!("{}/{}", path.trim_end_matches('/'), name.to_string_lossy()));
            }
        } else if kind.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Turns the system's word for a failure into the one of our interface.
pub(crate) fn explain(path: &str, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => Error::NotFound(path.to_owned()),
        io::ErrorKind::PermissionDenied => Error::Denied(path.to_owned()),
        _ => Error::Failed((path.to_owned(), error.to_string())),
    }
}
