//! `[[fs]]`, `--read` and `--write`.

use super::draft::{Dir, Draft};
use super::sink::{At, Sink};
use super::table::Table;
use super::{MOST_ENTRIES, Place};
use crate::codes;
use crate::grant::Access;
use crate::text::nearest;
use std::io;
use std::path::{Component, Path, PathBuf};

pub(super) fn read(
    sink: &mut Sink,
    draft: &mut Draft,
    table: Table<'_, '_>,
    base: &Path,
    place: &Place,
) {
    table.refuse_others(sink, &["guest", "host", "access"], &["quota", "exclude"]);
    let guest = table.required(sink, "guest", "\"/src\"");
    let host = table.required(sink, "host", "\"./src\"");
    let access = table.required(sink, "access", "\"read\"").and_then(|text| access(sink, text));
    if let (Some(guest), Some(host), Some(access)) = (guest, host, access) {
        add(sink, draft, host, guest, access, base, place);
    }
}

fn access(sink: &mut Sink, text: At<&str>) -> Option<Access> {
    match text.value {
        "read" => return Some(Access::Read),
        "write" => return Some(Access::Write),
        _ => {}
    }
    let meant = match text.value {
        "r" | "ro" | "readonly" | "read-only" => Some("read"),
        "w" | "rw" | "readwrite" | "read-write" => Some("write"),
        other => nearest(other, ["read", "write"]),
    };
    let help = meant.map_or("\"write\" includes reading".to_owned(), |word| {
        format!("did you mean \"{word}\"? (\"write\" includes reading)")
    });
    sink.error(codes::BAD_WORD, text.span, "access is \"read\" or \"write\"").help(help);
    None
}

/// Adds one directory; every problem of it is reported.
pub(super) fn add(
    sink: &mut Sink,
    draft: &mut Draft,
    host: At<&str>,
    guest: At<&str>,
    access: Access,
    base: &Path,
    place: &Place,
) {
    let guest = guest_path(sink, guest);
    let resolved = resolve(sink, &host, base);
    let (Some(guest), Some(resolved)) = (guest, resolved) else { return };
    let host = host.map(resolved);
    if !super::nesting::may_be_granted(sink, &host, place) {
        return;
    }
    if draft.dirs.len() >= MOST_ENTRIES {
        let message = format!("a grant has at most {MOST_ENTRIES} directories");
        sink.error(codes::TOO_MANY, host.span, message).help("grant a directory above several");
        return;
    }
    draft.dirs.push(Dir { guest, host, access });
}

/// Checks a guest path and returns it without a trailing slash.
fn guest_path(sink: &mut Sink, text: At<&str>) -> Option<At<String>> {
    let path = text.value.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(text.value);
    let plain = |segment: &str| !matches!(segment, "" | "." | "..");
    let normal =
        path == "/" || path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(plain));
    if normal && path.len() <= 1024 && !path.chars().any(|c| c.is_control() || c == '\\') {
        return Some(text.map(path.to_owned()));
    }
    let message = "a guest path is absolute, without \".\", \"..\", \"//\" or \"\\\"";
    sink.error(codes::GUEST_PATH, text.span, message).help("write it as \"/src\"");
    None
}

/// Finds the directory on this machine and follows every symbolic link, once and for all.
fn resolve(sink: &mut Sink, host: &At<&str>, base: &Path) -> Option<PathBuf> {
    if host.value.is_empty() || host.value.contains('\0') {
        let message = "a host path is not empty and has no null character";
        sink.error(codes::HOST_DIR, host.span, message).help("write it as \"./src\"");
        return None;
    }
    if host.value.starts_with(['~', '$']) {
        let message = "\"~\" and variables are not expanded";
        sink.error(codes::NOT_EXPANDED, host.span, message).help(
            "write the path itself, absolute or relative to the grant file; \"./\" comes first if it really starts so",
        );
        return None;
    }
    let path = base.join(host.value);
    let problem = match path.canonicalize() {
        Ok(resolved) if resolved.to_str().is_none() => {
            "the directory's real path is not valid UTF-8".to_owned()
        }
        Ok(resolved) if resolved.is_dir() => {
            warn_of_detour(sink, host, base, &resolved);
            return Some(resolved);
        }
        Ok(_) => "this is not a directory".to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            "there is no such directory".to_owned()
        }
        Err(error) => format!("the directory cannot be reached: {error}"),
    };
    sink.error(codes::HOST_DIR, host.span, problem).help(format!("looked at {}", path.display()));
    None
}

/// Warns when a path that seems to lead down leads elsewhere, through a symbolic link.
fn warn_of_detour(sink: &mut Sink, host: &At<&str>, base: &Path, resolved: &Path) {
    let down = |c: Component<'_>| matches!(c, Component::Normal(_) | Component::CurDir);
    let seems_below = Path::new(host.value).components().all(down);
    let is_below = base.canonicalize().is_ok_and(|base| resolved.starts_with(base));
    if seems_below && !is_below {
        sink.warning(
            codes::DETOUR,
            host.span,
            "this path leaves its directory through a symbolic link",
        )
        .label(format!("leads to {}", resolved.display()))
        .help("grant the real path if that is meant");
    }
}
