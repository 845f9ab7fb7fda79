//! What was enforced on a worker, in the words of the report.

use serde::{Deserialize, Serialize};

/// How much of one layer this machine enforces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// Nothing of it.
    #[default]
    None,
    /// Some of it; an older kernel lacks rights that we ask for.
    Partial,
    /// All of it.
    Full,
}

/// The report of one worker: what is enforced on it, made before guest bytes were touched.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Confinement {
    /// File access by landlock: the granted directories and the artifact cache, nothing else.
    ///
    /// It covers opening, making, moving and removing. Whether a path elsewhere exists, its metadata
    /// and where a link leads can still be looked at, and the times of a file that the user owns can
    /// be set: landlock has no right for these calls, and wasmtime's own file code makes them by path.
    pub landlock: Layer,
    /// System calls by seccomp: an allow-list without sockets, exec, ptrace and mounts.
    pub seccomp: Layer,
    /// Memory, CPU time, descriptors, core dumps and file size by rlimits.
    pub rlimits: Layer,
    /// No descriptor but the two sockets and `/dev/null`.
    pub descriptors: Layer,
    /// An empty environment.
    pub environment: Layer,
    /// `openat2` works under the filter, so that paths are resolved beneath the granted directory
    /// by the kernel rather than step by step.
    pub openat2: Layer,
}

impl Confinement {
    /// Returns the weakest layer.
    pub fn weakest(&self) -> Layer {
        [
            self.landlock,
            self.seccomp,
            self.rlimits,
            self.descriptors,
            self.environment,
            self.openat2,
        ]
        .into_iter()
        .min()
        .unwrap_or(Layer::None)
    }
}

/// What to do when a layer is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Requirement {
    /// Go on and report it. The first wall still stands.
    #[default]
    Report,
    /// Refuse to run anything with less than everything.
    Full,
}
