//! Which directories can be granted at all, and which can be granted together.

use super::Place;
use super::draft::Dir;
use super::sink::{At, Sink};
use crate::codes;
use crate::grant::Access;
use std::path::{Path, PathBuf};

/// Reports whether a directory may be granted. Reading is refused like writing: the keys in a home,
/// the memory of processes below `/proc` and writ's own keys are lost by being read.
pub(super) fn may_be_granted(sink: &mut Sink, host: &At<PathBuf>, place: &Place) -> bool {
    let path = host.value.as_path();
    if path == Path::new("/") {
        sink.error(codes::TOO_BROAD, host.span, "the root directory cannot be granted")
            .help("grant the directories that the task needs");
    } else if let Some(home) = home_at_or_below(path, place) {
        let message = match home == path {
            true => "a home directory cannot be granted: keys and tokens live in it".to_owned(),
            false => format!("this directory holds home directories, such as {}", home.display()),
        };
        sink.error(codes::TOO_BROAD, host.span, message)
            .help("grant a directory below it, such as the project's");
    } else if ["/proc", "/sys", "/dev"].iter().any(|system| path.starts_with(system)) {
        sink.error(codes::SYSTEM_DIR, host.span, "the kernel's own directories cannot be granted")
            .help("what stands there is processes and devices, not files");
    } else if let Some(own) = own_overlap(path, place) {
        let message = format!("writ's own directory {} cannot be reached by a task", own.display());
        sink.error(codes::OWN_DIR, host.span, message)
            .help("its keys, records and compiled code decide what tasks may do");
    } else {
        return true;
    }
    false
}

fn home_at_or_below(path: &Path, place: &Place) -> Option<PathBuf> {
    let parent = path.parent();
    let by_custom = path == Path::new("/root")
        || [Path::new("/home"), Path::new("/Users")]
            .iter()
            .any(|homes| path == *homes || parent == Some(homes));
    let listed = place.homes.iter().map(|home| real(home)).find(|home| home.starts_with(path));
    listed.or_else(|| by_custom.then(|| path.to_owned()))
}

fn own_overlap(path: &Path, place: &Place) -> Option<PathBuf> {
    let overlaps = |own: &PathBuf| own.starts_with(path) || path.starts_with(own);
    place.own.iter().map(|own| real(own)).find(overlaps)
}

/// Follows symbolic links as far as the path exists: a directory that is yet to be made has a
/// parent that a grant could reach it through.
fn real(path: &Path) -> PathBuf {
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Ok(real), ..) => real,
        (Err(_), Some(parent), Some(name)) => real(parent).join(name),
        _ => path.to_owned(),
    }
}

/// Checks every pair of directories.
pub(super) fn check(sink: &mut Sink, dirs: &[Dir]) {
    for (index, later) in dirs.iter().enumerate() {
        for earlier in &dirs[..index] {
            check_pair(sink, earlier, later);
        }
    }
}

fn check_pair(sink: &mut Sink, earlier: &Dir, later: &Dir) {
    if earlier.guest.value == later.guest.value {
        let message = format!("the guest path {} is granted twice", later.guest.value);
        sink.error(codes::GUEST_TWICE, later.guest.span, message)
            .label("granted again here")
            .also(earlier.guest.span, "first granted here")
            .help("give one of the two another guest path");
    }
    if is_same_directory(&earlier.host.value, &later.host.value) {
        sink.error(codes::HOST_TWICE, later.host.span, "the same directory is granted twice")
            .label(format!("this is {}", later.host.value.display()))
            .also(earlier.host.span, "first granted here")
            .help("keep one of the two; \"write\" includes reading");
        return;
    }
    for (outer, inner) in [(earlier, later), (later, earlier)] {
        if inner.host.value.starts_with(&outer.host.value) {
            check_nested(sink, outer, inner);
        }
    }
}

fn check_nested(sink: &mut Sink, outer: &Dir, inner: &Dir) {
    match (outer.access, inner.access) {
        (Access::Write, Access::Read) => {
            let message = "reading inside a directory that is granted for writing protects nothing";
            sink.error(codes::READ_IN_WRITE, inner.host.span, message)
                .label("everything in here can be changed through the other grant")
                .also(outer.host.span, "granted for writing here")
                .help("grant the outer directory for reading, and the parts that may change for writing");
        }
        (Access::Write, Access::Write) => {
            let message = "this directory lies in another one that is granted for writing";
            sink.warning(codes::WRITE_IN_WRITE, inner.host.span, message)
                .label("can be reached by two guest paths")
                .also(outer.host.span, "granted for writing here")
                .help("one of the two grants is enough");
        }
        // Writing inside reading is the normal build step; reading inside reading changes nothing.
        (Access::Read, _) => {}
    }
}

#[cfg(unix)]
fn is_same_directory(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    // A bind mount has another path and the same identity.
    let identity = |path: &Path| path.metadata().ok().map(|m| (m.dev(), m.ino()));
    a == b || identity(a).is_some_and(|id| identity(b) == Some(id))
}

#[cfg(not(unix))]
fn is_same_directory(a: &Path, b: &Path) -> bool {
    a == b
}
