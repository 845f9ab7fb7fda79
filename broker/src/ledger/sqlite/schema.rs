//! What the database looks like, and the refusal of anything else.

use super::cause::{cause, patiently};
use super::file;
use crate::ledger::{Cause, OpenError};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs::File;
use std::path::Path;
use std::time::Duration;

/// The version of the format, in SQLite's `user_version`.
pub const FORMAT: u32 = 1;

/// "writ" in ASCII, in SQLite's `application_id`.
const APPLICATION: u32 = 0x7772_6974;

/// Compared byte for byte when a database is opened: a trigger or a view that somebody added would
/// run with our rights.
const TABLES: [&str; 2] = [
    "CREATE TABLE record (seq INTEGER PRIMARY KEY, hash BLOB NOT NULL, bytes BLOB NOT NULL) STRICT",
    "CREATE TABLE snapshot (seq INTEGER PRIMARY KEY, hash BLOB NOT NULL, sum BLOB NOT NULL, bytes BLOB NOT NULL) STRICT",
];

/// Never creates, never follows a symbolic link, takes no options from the name.
pub(super) fn flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_PRIVATE_CACHE
}

/// Makes an empty ledger under a path that has none. It appears whole.
pub(super) fn create(directory: &File, path: &Path) -> Result<(), OpenError> {
    file::appear(directory, path, |draft, _| {
        initialise(draft)
            .map_err(|error| OpenError::Unavailable { path: path.to_owned(), cause: cause(&error) })
    })
}

/// Nobody else sees the file yet, and it is synced before anybody does: no journal is needed.
fn initialise(path: &Path) -> rusqlite::Result<()> {
    let connection = Connection::open_with_flags(path, flags())?;
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; BEGIN; {}; {}; \
         PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {FORMAT}; COMMIT; \
         PRAGMA journal_mode = WAL;",
        TABLES[0], TABLES[1]
    ))?;
    connection.close().map_err(|(_, error)| error)
}

/// Refuses a database that is not ours.
pub(super) fn check(
    connection: &Connection,
    path: &Path,
    patience: Duration,
) -> Result<(), OpenError> {
    let foreign = |why: &str| OpenError::Foreign { path: path.to_owned(), why: why.to_owned() };
    let failed = |error| refused(path, &error);
    let number = |pragma: &str| {
        patiently(patience, || connection.query_row(pragma, (), |row| row.get::<_, u32>(0)))
    };
    if number("PRAGMA application_id").map_err(failed)? != APPLICATION {
        return Err(foreign("another program made it"));
    }
    match number("PRAGMA user_version").map_err(failed)? {
        FORMAT => {}
        found if found > FORMAT => {
            return Err(OpenError::Newer { path: path.to_owned(), found });
        }
        _ => return Err(foreign("its format has no version")),
    }
    let found = patiently(patience, || tables(connection)).map_err(failed)?;
    if !found.iter().map(Option::as_deref).eq(TABLES.map(Some)) {
        return Err(foreign("something was added to its tables"));
    }
    let mode: String =
        patiently(patience, || connection.query_row("PRAGMA journal_mode", (), |row| row.get(0)))
            .map_err(failed)?;
    if mode != "wal" { Err(foreign("its journal mode was changed")) } else { Ok(()) }
}

fn tables(connection: &Connection) -> rusqlite::Result<Vec<Option<String>>> {
    let mut statement = connection.prepare("SELECT sql FROM sqlite_schema ORDER BY rowid")?;
    let rows = statement.query_map((), |row| row.get(0))?;
    rows.collect()
}

/// Says that SQLite does not take a file.
pub(super) fn refused(path: &Path, error: &rusqlite::Error) -> OpenError {
    let foreign = |why: &str| OpenError::Foreign { path: path.to_owned(), why: why.to_owned() };
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => foreign("it is not a database"),
        Some(ErrorCode::DatabaseCorrupt) => foreign("it is damaged"),
        _ => unavailable(path, cause(error)),
    }
}

/// Says that the engine failed at a path.
pub(super) fn unavailable(path: &Path, cause: Cause) -> OpenError {
    OpenError::Unavailable { path: path.to_owned(), cause }
}
