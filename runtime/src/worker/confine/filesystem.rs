//! Landlock: the granted directories, the artifact cache, and nothing else; no TCP; no signals out.

use super::Keep;
use crate::confinement::Layer;
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use std::os::fd::AsFd;
use writ_broker::grant::Access;

/// The newest rights we ask for: scoped signals and abstract sockets (ABI 6, Linux 6.12).
///
/// A kernel that lacks some of them is reported as `partial`.
const WANTED: ABI = ABI::V6;

/// Restricts this thread and all it starts.
pub(super) fn restrict(keep: &Keep<'_>) -> Layer {
    match try_restrict(keep) {
        Ok(RulesetStatus::FullyEnforced) => Layer::Full,
        Ok(RulesetStatus::PartiallyEnforced) => Layer::Partial,
        Ok(RulesetStatus::NotEnforced) | Err(_) => Layer::None,
    }
}

fn try_restrict(keep: &Keep<'_>) -> Result<RulesetStatus, RulesetError> {
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(WANTED))?
        .handle_access(AccessNet::from_all(WANTED))?
        .scope(Scope::from_all(WANTED))?
        .create()?;
    for (directory, access) in keep.directories {
        ruleset = ruleset.add_rule(PathBeneath::new(directory.as_fd(), rights(*access)))?;
    }
    if let Some(artifacts) = keep.artifacts {
        ruleset = ruleset.add_rule(PathBeneath::new(artifacts, rights(Access::Read)))?;
    }
    Ok(ruleset.restrict_self()?.ruleset)
}

/// Nothing may be executed, and no device, FIFO or socket may be made, whatever the grant.
fn rights(access: Access) -> BitFlags<AccessFs> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    match access {
        Access::Read => read,
        Access::Write => {
            read | AccessFs::WriteFile
                | AccessFs::Truncate
                | AccessFs::RemoveDir
                | AccessFs::RemoveFile
                | AccessFs::MakeDir
                | AccessFs::MakeReg
                | AccessFs::MakeSym
                | AccessFs::Refer
        }
    }
}
