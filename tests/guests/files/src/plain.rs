//! One call of the file system each.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::time::SystemTime;

use crate::Outcome;

pub(crate) fn read(path: &str) -> Outcome {
    let bytes = fs::read(path)?;
    Ok(format!("read {} bytes: {}", bytes.len(), String::from_utf8_lossy(&bytes).escape_debug()))
}

pub(crate) fn write(path: &str, text: &str) -> Outcome {
    fs::write(path, text)?;
    Ok(format!("wrote {} bytes", text.len()))
}

pub(crate) fn append(path: &str, text: &str) -> Outcome {
    OpenOptions::new().append(true).open(path)?.write_all(text.as_bytes())?;
    Ok(format!("appended {} bytes", text.len()))
}

/// Opens for reading and writing, without creating or truncating.
pub(crate) fn overwrite(path: &str, text: &str) -> Outcome {
    OpenOptions::new().read(true).write(true).open(path)?.write_all(text.as_bytes())?;
    Ok(format!("overwrote {} bytes", text.len()))
}

pub(crate) fn create_new(path: &str) -> Outcome {
    File::create_new(path)?;
    Ok("created".to_owned())
}

pub(crate) fn mkdir(path: &str) -> Outcome {
    fs::create_dir(path)?;
    Ok("made a directory".to_owned())
}

pub(crate) fn rename(from: &str, to: &str) -> Outcome {
    fs::rename(from, to)?;
    Ok("renamed".to_owned())
}

pub(crate) fn link(from: &str, to: &str) -> Outcome {
    fs::hard_link(from, to)?;
    Ok("linked".to_owned())
}

#[expect(deprecated, reason = "what replaces it is not stable for wasi")]
pub(crate) fn symlink(target: &str, link: &str) -> Outcome {
    fs::soft_link(target, link)?;
    Ok("made a symbolic link".to_owned())
}

pub(crate) fn readlink(path: &str) -> Outcome {
    Ok(format!("points to {}", fs::read_link(path)?.display()))
}

pub(crate) fn list(path: &str) -> Outcome {
    let names = fs::read_dir(path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into()));
    let mut names = names.collect::<io::Result<Vec<String>>>()?;
    names.sort();
    Ok(format!("{} entries: {}", names.len(), names.join(" ")))
}

pub(crate) fn stat(path: &str) -> Outcome {
    let meta = fs::symlink_metadata(path)?;
    let kind = match meta.file_type() {
        kind if kind.is_dir() => "directory",
        kind if kind.is_symlink() => "symbolic link",
        kind if kind.is_file() => "file",
        _ => "something else",
    };
    Ok(format!("{kind} of {} bytes", meta.len()))
}

pub(crate) fn remove(path: &str) -> Outcome {
    if fs::symlink_metadata(path)?.is_dir() {
        fs::remove_dir(path)?;
    } else {
        fs::remove_file(path)?;
    }
    Ok("removed".to_owned())
}

pub(crate) fn truncate(path: &str) -> Outcome {
    OpenOptions::new().write(true).open(path)?.set_len(0)?;
    Ok("truncated".to_owned())
}

/// Sets the times of a file that was opened for reading only.
pub(crate) fn touch(path: &str) -> Outcome {
    File::open(path)?.set_modified(SystemTime::UNIX_EPOCH)?;
    Ok("set its time".to_owned())
}
