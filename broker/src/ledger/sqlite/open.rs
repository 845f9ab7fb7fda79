//! Opening: is it there, is it private, is it ours, and is it as new as what was seen?

use super::anchor::Anchor;
use super::file;
use super::link::Link;
use super::queue::Queue;
use super::schema::{self, unavailable};
use super::{Inner, Settings};
use crate::ledger::{Cause, Head, OpenError, ReadError};
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use tokio::sync::watch;

/// Opens a ledger, making it if it is missing and was never seen.
pub(super) fn open(
    path: &Path,
    anchor_path: &Path,
    settings: Settings,
) -> Result<Inner, OpenError> {
    let anchor = Anchor::load(anchor_path)?;
    let seen = anchor.as_ref().map_or(Head::GENESIS, Anchor::seen);
    let connected = Connected::new(path, settings, seen, anchor.is_none())?;
    let anchor = match anchor {
        Some(anchor) => anchor,
        None => Anchor::create(anchor_path, connected.head)?,
    };
    connected.with(anchor)
}

/// Opens whatever is there and forgets what was seen.
pub(super) fn open_any(
    path: &Path,
    anchor_path: &Path,
    settings: Settings,
) -> Result<Inner, OpenError> {
    let connected = Connected::new(path, settings, Head::GENESIS, true)?;
    let anchor = Anchor::dangerous_replace(anchor_path, connected.head)?;
    connected.with(anchor)
}

/// A database that is ours, and not older than what was seen.
struct Connected {
    path: PathBuf,
    directory: File,
    identity: (u64, u64),
    settings: Settings,
    link: Link,
    head: Head,
}

impl Connected {
    fn new(
        path: &Path,
        settings: Settings,
        seen: Head,
        may_create: bool,
    ) -> Result<Self, OpenError> {
        let (directory, path) = file::directory_of(path)?;
        let metadata = match file::private(&path)? {
            Some(metadata) => metadata,
            None if !may_create => return Err(OpenError::Missing { path, seen }),
            None => {
                schema::create(&directory, &path)?;
                let made = file::private(&path)?;
                made.ok_or_else(|| unavailable(&path, Cause::Replaced))?
            }
        };
        let link = Link::open(&path, settings);
        let mut link = link.map_err(|error| schema::refused(&path, &error))?;
        schema::check(&link.connection, &path, settings.patience)?;
        let head = link.head(seen).map_err(|error| match error {
            ReadError::RolledBack { seen, found } => {
                OpenError::RolledBack { path: path.clone(), seen, found }
            }
            ReadError::Unavailable(cause) => unavailable(&path, cause),
            other => unavailable(&path, Cause::Io(other.to_string())),
        })?;
        let identity = (metadata.dev(), metadata.ino());
        Ok(Self { path, directory, identity, settings, link, head })
    }

    fn with(self, anchor: Anchor) -> Result<Inner, OpenError> {
        let inner = Inner {
            identity: self.identity,
            path: self.path,
            settings: self.settings,
            queue: Queue(self.directory),
            writer: Mutex::new(self.link),
            reader: Mutex::new(None),
            tip: Mutex::new(self.head),
            anchor: Mutex::new(anchor),
            changed: watch::Sender::new(()),
        };
        // Between the look at the file and the connection it may have been swapped.
        match inner.present() {
            Ok(()) => Ok(inner),
            Err(cause) => Err(unavailable(&inner.path, cause)),
        }
    }
}
