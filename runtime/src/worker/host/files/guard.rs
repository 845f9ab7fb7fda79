//! What both kinds of guests share: where descriptors are, and how a refusal is recorded.

use rustix::fd::AsFd;
use rustix::io::Errno;
use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;
use wasmtime_wasi::FsPerms;
use wasmtime_wasi::filesystem::Dir;
use writ_broker::grant::Access;
use writ_broker::{Code, Decision, FileOp, codes};

use super::decide::{decide, join, outside};
use super::disk::DiskBudget;
use super::links::LinkError;
use super::open::{Kind, leads_outside};
use crate::record::Recorder;
use crate::worker::host::refuse::{never, refuse};

/// The longest guest path that is kept, bytes. A link to its own directory makes paths of any length,
/// and each would be kept for as long as its descriptor is open.
const LONGEST_PATH: usize = 4096;

/// One store's decisions on files.
///
/// It remembers the guest path of each open descriptor. It has no more entries than the store has
/// handles, because an entry is made after wasmtime accepted the handle.
pub struct FilesGuard {
    recorder: Arc<dyn Recorder>,
    nodes: HashMap<u32, Node>,
    allowed: u64,
    disk: DiskBudget,
}

/// Where one descriptor is.
#[derive(Clone)]
pub(super) struct Node {
    /// The guest path as it was opened.
    pub(super) path: Arc<str>,
    /// The granted directory that it is below.
    pub(super) root: Arc<File>,
}

/// A refusal that was recorded, by what the guest shall see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// A write under a read grant: `read-only`.
    ReadOnly,
    /// A path or link that leads out: `not-permitted`.
    Outside,
    /// A FIFO, device or socket, or the kernel's own no: `access`.
    Access,
}

impl std::fmt::Debug for FilesGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FilesGuard").field("allowed", &self.allowed).finish_non_exhaustive()
    }
}

impl FilesGuard {
    /// Makes the guard of one store.
    pub fn new(recorder: Arc<dyn Recorder>, disk: DiskBudget) -> Self {
        Self { recorder, nodes: HashMap::new(), allowed: 0, disk }
    }

    /// Returns what the task may still write.
    pub(super) fn disk(&self) -> &DiskBudget {
        &self.disk
    }

    /// Returns how many file calls were allowed.
    pub fn allowed(&self) -> u64 {
        self.allowed
    }

    /// Returns how many descriptors it remembers.
    #[cfg(test)]
    pub(super) fn known(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn insert(&mut self, key: u32, node: Node) {
        self.nodes.insert(key, node);
    }

    pub(super) fn remove(&mut self, key: u32) {
        self.nodes.remove(&key);
    }

    /// Returns where a descriptor is; one that was never seen is nowhere, and nothing is below it.
    pub(super) fn node(&self, key: u32, dir: &Dir) -> Node {
        let unknown = || Node { path: Arc::from("(unknown)"), root: Arc::clone(&dir.dir) };
        self.nodes.get(&key).cloned().unwrap_or_else(unknown)
    }

    /// Returns where a descriptor is, if it is known.
    pub(super) fn known_node(&self, key: u32) -> Option<Node> {
        self.nodes.get(&key).cloned()
    }

    /// Gives a descriptor another number, over any that had it.
    pub(super) fn rename(&mut self, from: u32, to: u32) {
        match self.nodes.remove(&from) {
            Some(node) => drop(self.nodes.insert(to, node)),
            None => drop(self.nodes.remove(&to)),
        }
    }

    /// Returns the guest path of a descriptor, for a record.
    pub(super) fn path(&self, key: u32) -> Arc<str> {
        self.nodes.get(&key).map_or_else(|| Arc::from("(unknown)"), |node| Arc::clone(&node.path))
    }

    /// Decides, counts and records.
    pub(super) fn ask(
        &mut self,
        op: FileOp,
        node: &Node,
        relative: &str,
        perms: FsPerms,
    ) -> Result<(), Refused> {
        match decide(op, &node.path, relative, access(perms)) {
            Decision::Allow(()) => {
                self.allowed += 1;
                Ok(())
            }
            Decision::Forbid(refusal) => {
                let seen = if refusal.code == codes::READ_ONLY {
                    Refused::ReadOnly
                } else {
                    Refused::Outside
                };
                refuse(self.recorder.as_ref(), refusal);
                Err(seen)
            }
        }
    }

    /// Decides on a write to an open descriptor.
    pub(super) fn ask_write(&mut self, key: u32, perms: FsPerms) -> Result<(), Refused> {
        if !perms.write_not_permitted() {
            self.allowed += 1;
            return Ok(());
        }
        match decide(FileOp::Write, &self.path(key), "", Access::Read) {
            Decision::Allow(()) => Ok(()),
            Decision::Forbid(refusal) => {
                refuse(self.recorder.as_ref(), refusal);
                Err(Refused::ReadOnly)
            }
        }
    }

    /// Records that a special file was asked for.
    pub(super) fn special(&self, node: &Node, relative: &str, kind: Kind) -> Refused {
        let reason = match kind {
            Kind::Fifo => "the file is a FIFO, which is never opened",
            Kind::Socket => "the file is a socket, which is never opened",
            _ => "the file is a device, which is never opened",
        };
        let target = join(&node.path, relative);
        refuse(self.recorder.as_ref(), never(codes::SPECIAL_FILE, "file", target, reason));
        Refused::Access
    }

    /// Records a link that would lead a host tool out of the granted directory.
    fn link_out(&self, node: &Node, relative: &str) -> Refused {
        let reason = "a link would lead out of the granted directory";
        let target = join(&node.path, relative);
        refuse(self.recorder.as_ref(), never(codes::OUTSIDE, "file", target, reason));
        Refused::Outside
    }

    /// Records why a link was not made or something not moved; an ordinary error comes back.
    pub(super) fn not_linked(
        &self,
        node: &Node,
        relative: &str,
        error: LinkError,
    ) -> Result<Refused, Errno> {
        match error {
            LinkError::LeadsOut => Ok(self.link_out(node, relative)),
            LinkError::OtherDevice => Err(Errno::XDEV),
            LinkError::Errno(errno) => self.kernel_said(node, relative, errno).ok_or(errno),
        }
    }

    /// Records what the kernel refused after the grant allowed it, or returns `None` if the error is
    /// an ordinary one such as a missing file.
    pub(super) fn kernel_said(&self, node: &Node, relative: &str, errno: Errno) -> Option<Refused> {
        match errno {
            Errno::XDEV => Some(self.led_out(node, relative)),
            Errno::ACCESS | Errno::PERM | Errno::ROFS => Some(self.kernel(node, relative)),
            _ => None,
        }
    }

    /// Records a refusal by wasmtime, which does not say whether the path led out or the kernel said no.
    pub(super) fn inner_said(
        &self,
        dir: impl AsFd,
        node: &Node,
        relative: &str,
        follow: bool,
    ) -> Refused {
        if leads_outside(dir, relative, follow) {
            self.led_out(node, relative)
        } else {
            self.kernel(node, relative)
        }
    }

    /// Records a path that the kernel found to lead out of the granted directory.
    pub(super) fn led_out(&self, node: &Node, relative: &str) -> Refused {
        let reason = "a link in the path leads out of the directory";
        refuse(self.recorder.as_ref(), outside(&node.path, relative, reason));
        Refused::Outside
    }

    fn kernel(&self, node: &Node, relative: &str) -> Refused {
        let code: Code = codes::KERNEL;
        let reason = "the grant allows it, but the system's own permissions do not";
        let target = join(&node.path, relative);
        refuse(self.recorder.as_ref(), never(code, "file", target, reason));
        Refused::Access
    }
}

impl Node {
    /// Returns where something opened below this descriptor is.
    pub(super) fn below(&self, relative: &str) -> Self {
        let mut path = join(&self.path, relative);
        if path.len() > LONGEST_PATH {
            path = "(a path that is too long to keep)".to_owned();
        }
        Self { path: path.into(), root: Arc::clone(&self.root) }
    }
}

/// Returns the grant's word for wasmtime's.
pub(super) fn access(perms: FsPerms) -> Access {
    match perms {
        FsPerms::ReadOnly => Access::Read,
        FsPerms::ReadWrite => Access::Write,
    }
}
