//! The grants of tasks that wait for calls: in files that only their owner can read, because a grant
//! may hold values that the ledger may not.

use crate::commands::grants;
use crate::places::Places;
use anyhow::{Context, Result, ensure};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;
use std::time::Duration;
use writ_broker::Grant;
use writ_broker::id::TaskId;

/// Keeps a grant until its task ends.
pub(crate) fn keep(places: &Places, task: &TaskId, grant: &Grant) -> Result<()> {
    let folder = places.grants();
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    made.with_context(|| format!("cannot make {}", folder.display()))?;
    let path = path(places, task);
    let cannot = || format!("cannot write {}", path.display());
    let mut options = OpenOptions::new();
    let mut file =
        options.write(true).create_new(true).mode(0o600).open(&path).with_context(cannot)?;
    file.write_all(grant.to_private_toml().as_bytes()).with_context(cannot)?;
    // The task is in the ledger next, and must not be without its grant there.
    file.sync_all().with_context(cannot)?;
    File::open(&folder).and_then(|folder| folder.sync_all()).with_context(cannot)
}

/// Reads the grant of a task.
///
/// Its directories were resolved when the task started. If one of them has become a link meanwhile, a
/// tool of the task may have made it so, and it may lead anywhere.
pub(crate) fn load(places: &Places, task: &TaskId) -> Result<Grant> {
    let path = path(places, task);
    let text = std::fs::read_to_string(&path);
    let text =
        text.with_context(|| format!("cannot read the grant of {task}: {}", path.display()))?;
    let grant = grants::load_file(&path, places)?;
    ensure!(
        grant.to_private_toml() == text,
        "a directory that was granted to {task} has been replaced since; start a new task"
    );
    Ok(grant)
}

/// How old a grant is at least before it can be forgotten: its task may be about to start.
const FRESH: Duration = Duration::from_secs(60);

/// Forgets the grants of tasks that are not there any more.
pub(crate) fn forget(places: &Places, is_there: impl Fn(&TaskId) -> bool) {
    let Ok(entries) = std::fs::read_dir(places.grants()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let task = name.to_str().and_then(|name| name.strip_suffix(".toml")?.parse().ok());
        let age = entry.metadata().and_then(|metadata| metadata.modified());
        let age = age.ok().and_then(|made| made.elapsed().ok());
        let is_old = age.is_some_and(|age| age >= FRESH);
        if is_old && task.is_some_and(|task| !is_there(&task)) {
            // One that stays is tried again with the next task.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn path(places: &Places, task: &TaskId) -> PathBuf {
    places.grants().join(format!("{task}.toml"))
}
