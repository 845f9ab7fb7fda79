//! From a grant file and flags to one grant, with every problem named at its place.

pub(crate) mod amount;
mod credential;
mod dirs;
mod draft;
mod env;
pub(crate) mod file;
mod flags;
pub(crate) mod http;
mod limits;
mod lint;
mod nesting;
mod overlap;
pub(crate) mod sink;
pub(crate) mod table;
mod target;
mod task;

use super::Grant;
use crate::diagnostic::Report;
pub(super) use env::credential_kind;
use sink::Sink;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The largest grant file, bytes. A grant that nobody can read through is no grant.
pub const LARGEST_FILE: usize = 256 * 1024;

/// The most directories, and the most rules of a kind. Every pair of directories is compared, and
/// every request is put to every rule. The directories travel to a worker as descriptors of one
/// message, of which the kernel takes 253.
pub(super) const MOST_ENTRIES: usize = 250;

/// A grant file as the caller read it.
#[derive(Debug, Clone)]
pub struct GrantFile {
    /// The path as messages should show it.
    pub name: String,
    /// The directory that relative host paths start from: the one the file stands in.
    pub dir: PathBuf,
    /// The bytes; reading may stop one after [`LARGEST_FILE`].
    pub bytes: Vec<u8>,
    /// Whether the path is a symbolic link. Who made it may not be allowed to read where it leads, so
    /// no message shows the text.
    pub linked: bool,
}

impl GrantFile {
    /// Reads a grant file; relative host paths in it will start where it stands.
    ///
    /// Reading stops one byte after the largest file, so that parsing sees that it is too large.
    pub fn read(path: &Path) -> io::Result<Self> {
        let dir = std::path::absolute(path)?.parent().map(Path::to_owned).unwrap_or_default();
        let mut bytes = Vec::new();
        let most = LARGEST_FILE as u64 + 4; // a byte order mark and one byte more
        let linked = path.symlink_metadata()?.is_symlink();
        let file = open_at_once(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        file.take(most).read_to_end(&mut bytes)?;
        Ok(Self { name: path.to_string_lossy().into_owned(), dir, bytes, linked })
    }
}

/// Opens without waiting: a FIFO would hold the reader until somebody writes.
fn open_at_once(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    options.open(path)
}

/// What the command line adds. Each text is the value of one flag, unparsed.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--read HOST::GUEST`
    pub read: Vec<String>,
    /// `--write HOST::GUEST`
    pub write: Vec<String>,
    /// `--http '[METHOD[,METHOD]] URL'`
    pub http: Vec<String>,
    /// `--tcp HOST:PORT`
    pub tcp: Vec<String>,
    /// `--env NAME=VALUE`
    pub env: Vec<String>,
    /// `--limit NAME=VALUE`
    pub limit: Vec<String>,
    /// `--ttl TIME`
    pub ttl: Option<String>,
}

/// What the machine is like, as far as a grant must not reach it.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// The directory that host paths of flags start from.
    pub current_dir: PathBuf,
    /// Home directories, in addition to `/root`, `/home/*` and `/Users/*`.
    pub homes: Vec<PathBuf>,
    /// Writ's own directories: state, keys, ledger, compile cache.
    pub own: Vec<PathBuf>,
    /// Whether to warn of what holds but is probably not meant; errors are always named.
    pub lint: bool,
}

/// Everything a grant is made of: at most one file, and flags that add to it.
#[derive(Debug, Clone, Default)]
pub struct GrantSource {
    /// The file.
    pub file: Option<GrantFile>,
    /// The flags.
    pub flags: Flags,
}

/// The outcome of parsing.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// The grant; none if there is any error.
    pub grant: Option<Grant>,
    /// The messages.
    pub report: Report,
}

impl GrantSource {
    /// Parses file and flags to one grant.
    ///
    /// Flags only add: one that repeats or contradicts the file is an error, and a limit or ttl from
    /// a flag may lower what the file says but not raise it. The file was reviewed; a command line
    /// that an agent or a script put together was not.
    pub fn parse(&self, place: &Place) -> Parsed {
        let mut sink = Sink::new(place.lint);
        let mut draft = draft::Draft::default();
        let readable = self
            .file
            .as_ref()
            .is_none_or(|file| file::read(&mut sink, &mut draft, file, place).is_some());
        flags::read(&mut sink, &mut draft, &self.flags, place);
        nesting::check(&mut sink, &draft.dirs);
        overlap::check(&mut sink, &draft);
        // What is missing from a file that cannot be read is not known. And linting looks into
        // directories, so it is done only when asked for.
        if place.lint && readable {
            lint::check(&mut sink, &draft);
        }
        let report = sink.into_report();
        let grant = (!report.has_errors()).then(|| draft.into_grant());
        Parsed { grant, report }
    }
}

#[cfg(test)]
mod tests;
