//! Directories, by where they are on this machine; what the guest calls them is its own business.

use super::Wider;
use crate::grant::{Access, DirGrant};
use std::collections::HashMap;
use std::path::{Component, Path};

/// What a grant allows where: each directory decides for all below it that no other one names.
///
/// Parsing refuses reading inside writing, since the outer grant would win. Whoever wrote such a
/// parent meant the inner one to be protected, so a child is held to it.
struct Map<'g>(HashMap<&'g Path, Access>);

impl<'g> Map<'g> {
    fn new(dirs: &'g [DirGrant]) -> Self {
        let mut map = HashMap::new();
        for DirGrant { guest: _, host, access } in dirs {
            let kept = map.entry(host.as_path()).or_insert(*access);
            if *access == Access::Write {
                *kept = Access::Write;
            }
        }
        Self(map)
    }

    fn at(&self, path: &Path) -> Option<Access> {
        path.ancestors().find_map(|above| self.0.get(above)).copied()
    }
}

/// Returns the directories of a child that its parent does not have.
///
/// Access changes only at a directory that one of the two grants names, so these are all places
/// that need a look: those of the child, and those of the parent that lie inside them.
pub(super) fn wider(child: &[DirGrant], parent: &[DirGrant]) -> Vec<Wider> {
    let (asked, has) = (Map::new(child), Map::new(parent));
    let at_own = child.iter().filter_map(|dir| beyond(dir, &has));
    let protected = parent.iter().filter(|inner| {
        asked.at(&inner.host) == Some(Access::Write) && has.at(&inner.host) == Some(Access::Read)
    });
    let at_inner = protected.filter_map(|inner| {
        let above = child.iter().filter(|dir| inner.host.starts_with(&dir.host));
        let outer = above.max_by_key(|dir| dir.host.components().count())?;
        if outer.host == inner.host {
            return None; // it was looked at as one of the child's own
        }
        let why = format!("the parent may only read {} in it", inner.host.display());
        Some(Wider::new(spell(outer), why).help("name the directories beside that one"))
    });
    at_own.chain(at_inner).collect()
}

fn beyond(dir: &DirGrant, parent: &Map<'_>) -> Option<Wider> {
    let climbs = dir.host.components().any(|part| part == Component::ParentDir);
    if climbs || !dir.host.is_absolute() {
        // No parsed grant has one. What lies where cannot be said without looking.
        return Some(Wider::new(spell(dir), "the path is not resolved"));
    }
    match (parent.at(&dir.host), dir.access) {
        (Some(Access::Write), _) | (Some(Access::Read), Access::Read) => None,
        (Some(Access::Read), Access::Write) => {
            let wider = Wider::new(spell(dir), "the parent may only read there");
            Some(wider.help("ask for access = \"read\""))
        }
        (None, _) => {
            let wider = Wider::new(spell(dir), "the parent has no directory there or above");
            Some(wider.help("name a directory of the parent's, or one below"))
        }
    }
}

fn spell(dir: &DirGrant) -> String {
    format!("[[fs]] {} {}", dir.access.as_str(), dir.host.display())
}
