//! The decision on one file call, by what the guest said; it touches nothing.

use writ_broker::grant::Access;
use writ_broker::{Decision, FileOp, Refusal, codes};

/// Decides on one operation on `relative`, a path below the directory that the guest knows as `base`.
///
/// Allowed calls are counted and not recorded: a build makes hundreds of thousands, none of them
/// leaves the machine, and the grant that allowed them is in the record already. Each refused call is
/// recorded once. Where links lead is the kernel's to say, in the same resolution that opens the
/// file; see [`FilesGuard::kernel_said`](super::FilesGuard).
pub fn decide(op: FileOp, base: &str, relative: &str, access: Access) -> Decision<()> {
    if escapes(relative) {
        return Decision::Forbid(outside(base, relative, "the path leads out of the directory"));
    }
    if op == FileOp::Write && access == Access::Read {
        return Decision::Forbid(Refusal {
            code: codes::READ_ONLY,
            what: "file".to_owned(),
            target: join(base, relative),
            reason: "the directory is granted for reading only".to_owned(),
            help: Some(write_advice(base)),
        });
    }
    Decision::Allow(())
}

/// Words the refusal of a path that leads out of `base`.
pub(super) fn outside(base: &str, relative: &str, reason: &str) -> Refusal {
    Refusal {
        code: codes::OUTSIDE,
        what: "file".to_owned(),
        target: join(base, relative),
        reason: reason.to_owned(),
        help: Some(OUTSIDE_ADVICE.to_owned()),
    }
}

/// The way out for a path that leads out of its directory.
pub(crate) const OUTSIDE_ADVICE: &str = "grant the directory that it leads to";

/// The way out for a write below a directory granted for reading.
pub(crate) fn write_advice(base: &str) -> String {
    format!("grant \"{}\" with access = \"write\"", base.escape_debug())
}

/// Tells whether a path is absolute or climbs above where it starts, read without following links.
fn escapes(relative: &str) -> bool {
    let mut depth = 0_usize;
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." if depth == 0 => return true,
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    relative.starts_with('/')
}

/// Returns the guest path that `relative` stands for below `base`, read without following links.
pub(super) fn join(base: &str, relative: &str) -> String {
    let mut path = String::with_capacity(base.len() + relative.len() + 1);
    let base = if relative.starts_with('/') { "" } else { base };
    for part in base.split('/').chain(relative.split('/')) {
        match part {
            "" | "." => {}
            ".." => path.truncate(path.rfind('/').unwrap_or(0)),
            part => {
                path.push('/');
                path.push_str(part);
            }
        }
    }
    if path.is_empty() { "/".to_owned() } else { path }
}
