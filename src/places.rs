//! Where this user's files lie, by the XDG base directory specification.

use crate::cli::{Operator, OwnDirs};
use anyhow::{Context, Result};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;
use writ_broker::codes;
use writ_broker::ledger::{Ledger, Settings, SqliteLedger};
use writ_runtime::cache::{Cache, DEFAULT_BOUND};
use writ_runtime::wire::Fault;

/// The two directories that are ours.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// What can be made again.
    pub(crate) cache: PathBuf,
    /// What cannot: keys, and the ledger.
    pub(crate) state: PathBuf,
}

impl Places {
    /// Finds the directories from the flags and the environment.
    pub(crate) fn find(own: &OwnDirs) -> Result<Self> {
        Ok(Self {
            cache: place(own.cache_dir.as_ref(), "XDG_CACHE_HOME", ".cache")?,
            state: place(own.state_dir.as_ref(), "XDG_STATE_HOME", ".local/state")?,
        })
    }

    /// Finds the directories for one run.
    pub(crate) fn of(operator: &Operator) -> Result<Self> {
        Self::find(&operator.own)
    }

    /// Opens the compile cache. Its key lies in the other directory, so that a cache copied or
    /// restored from elsewhere does not bring its own key along. Where others could write to either,
    /// this run does without.
    pub(crate) fn open_cache(&self) -> Result<Cache> {
        let (compiled, key) = (self.cache.join("compiled"), self.state.join("cache.key"));
        match Cache::open(&compiled, &key, DEFAULT_BOUND) {
            Err(fault) if fault.code == codes::CACHE_DIR => {
                crate::output::cache_unused(&fault.message);
                Ok(Cache::passing(&std::env::temp_dir())?)
            }
            opened => Ok(opened?),
        }
    }

    /// Where the signing keys are.
    pub(crate) fn keys(&self) -> PathBuf {
        self.state.join("keys")
    }

    /// Where the daemon listens for this user.
    pub(crate) fn socket(&self) -> PathBuf {
        self.state.join("writ.sock")
    }

    /// Where the grants of tasks that wait for calls are.
    pub(crate) fn grants(&self) -> PathBuf {
        self.state.join("tasks")
    }

    /// Opens the ledger of this user, making it when it is first needed. It blocks.
    ///
    /// Without it nothing is run: what a task did could not be told, and it could not be killed.
    pub(crate) fn open_ledger(&self) -> Result<Arc<dyn Ledger>, Fault> {
        let refuse = |why: String| Fault::new(codes::LEDGER, why);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.state);
        made.map_err(|error| refuse(format!("{}: {error}", self.state.display())))?;
        // A short run leaves the write-ahead log to the next one, and saves two syncs.
        let settings = Settings { tidy: false, ..Settings::default() };
        let (path, anchor) = (self.state.join("ledger.db"), self.state.join("ledger.anchor"));
        let ledger = SqliteLedger::open(&path, &anchor, settings);
        Ok(Arc::new(ledger.map_err(|error| refuse(error.to_string()))?))
    }
}

fn place(given: Option<&PathBuf>, variable: &str, below_home: &str) -> Result<PathBuf> {
    if let Some(given) = given {
        return Ok(given.clone());
    }
    let absolute = |path: &PathBuf| path.is_absolute();
    if let Some(base) = std::env::var_os(variable).map(PathBuf::from).filter(absolute) {
        return Ok(base.join("writ"));
    }
    let home = std::env::home_dir()
        .filter(absolute)
        .with_context(|| format!("neither {variable} nor HOME is set; set one of them"))?;
    Ok(home.join(below_home).join("writ"))
}
