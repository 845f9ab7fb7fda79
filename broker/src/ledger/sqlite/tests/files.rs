//! Whose file it is, and what is in it.

use super::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn refusal(bed: &Bed) -> String {
    bed.open().unwrap_err().to_string()
}

#[test]
fn everything_that_is_made_is_its_owners_alone() {
    let bed = Bed::new();
    let ledger = bed.filled(1);
    let state = bed.path();
    let state = state.parent().unwrap();
    assert_eq!(mode(state), 0o700);
    assert_eq!(mode(bed.anchor().parent().unwrap()), 0o700);
    let mut names = Vec::new();
    for entry in fs::read_dir(state).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        names.push(path.file_name().unwrap().to_owned());
    }
    names.sort();
    assert_eq!(names, ["ledger.db", "ledger.db-shm", "ledger.db-wal"]);
    assert_eq!(mode(&bed.anchor()), 0o600);
    drop(ledger);
}

#[test]
fn a_file_or_directory_that_others_can_touch_is_refused_with_a_way_out() {
    let bed = Bed::new();
    drop(bed.filled(1));
    set_mode(&bed.path(), 0o640);
    assert!(refusal(&bed).ends_with("others can read it; `chmod 600` it"));
    set_mode(&bed.path(), 0o600);
    set_mode(bed.path().parent().unwrap(), 0o770);
    assert!(refusal(&bed).ends_with("others can write to the directory; `chmod 700` it"));
    set_mode(bed.path().parent().unwrap(), 0o755);
    set_mode(&bed.anchor(), 0o604);
    assert!(refusal(&bed).ends_with("others can read it; `chmod 600` it"));
    set_mode(&bed.anchor(), 0o600);
    assert_eq!(events(&bed.open().unwrap()), [0]);
}

#[test]
fn a_symbolic_link_is_not_followed_at_the_end_of_the_way() {
    let bed = Bed::new();
    drop(bed.filled(1));
    let aside = bed.directory.path().join("aside.db");
    fs::rename(bed.path(), &aside).unwrap();
    symlink(&aside, bed.path()).unwrap();
    assert!(refusal(&bed).ends_with("it is not a regular file"));
    fs::remove_file(bed.path()).unwrap();
    fs::rename(&aside, bed.path()).unwrap();

    fs::rename(bed.anchor(), &aside).unwrap();
    symlink(&aside, bed.anchor()).unwrap();
    assert!(refusal(&bed).ends_with("it is not a regular file"));
}

#[test]
fn a_symbolic_link_on_the_way_is_the_owners_affair() {
    let bed = Bed::new();
    drop(bed.filled(1));
    let link = bed.directory.path().join("link");
    symlink(bed.path().parent().unwrap(), &link).unwrap();
    let through = link.join("ledger.db");
    let ledger = SqliteLedger::open(&through, &bed.anchor(), Settings::default()).unwrap();
    assert_eq!(events(&ledger), [0]);
}

#[test]
fn a_directory_or_a_pipe_is_no_ledger() {
    let bed = Bed::new();
    fs::create_dir_all(bed.path()).unwrap();
    assert!(refusal(&bed).ends_with("it is not a regular file"));
    fs::remove_dir(bed.path()).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        bed.path(),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    assert!(refusal(&bed).ends_with("it is not a regular file"));
}

#[test]
fn what_another_program_made_is_refused() {
    for content in [&b""[..], b"hello", &[0; 4096], b"SQLite format 3\0 and then nothing"] {
        let bed = Bed::new();
        drop(bed.filled(1));
        fs::write(bed.path(), content).unwrap();
        let error = bed.open().unwrap_err();
        assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    }
    for sql in [
        "PRAGMA application_id = 1",
        "PRAGMA user_version = 0",
        "CREATE TABLE more (a)",
        "CREATE TRIGGER more AFTER INSERT ON record BEGIN DELETE FROM record; END",
        "CREATE VIEW more AS SELECT 1",
        "CREATE INDEX more ON record (hash)",
        "DROP TABLE snapshot",
        "PRAGMA journal_mode = DELETE",
    ] {
        let bed = Bed::new();
        drop(bed.filled(1));
        stranger(&bed).execute_batch(sql).unwrap();
        let error = bed.open().unwrap_err();
        assert!(matches!(error, OpenError::Foreign { .. }), "{sql}: {error}");
    }
}

#[test]
fn a_later_format_is_refused_by_its_number() {
    let bed = Bed::new();
    drop(bed.filled(1));
    stranger(&bed).execute_batch("PRAGMA user_version = 2").unwrap();
    assert!(
        refusal(&bed)
            .ends_with("has format 2, which a later version of writ made; this one reads 1")
    );
}

#[test]
fn a_commit_is_synced_before_it_is_acknowledged() {
    let bed = Bed::new();
    let ledger = bed.filled(1);
    let link = ledger.0.writer();
    let pragma = |name: &str| -> String {
        let value = link.connection.query_row(&format!("PRAGMA {name}"), (), |row| {
            row.get::<_, rusqlite::types::Value>(0)
        });
        format!("{:?}", value.unwrap())
    };
    assert_eq!(pragma("synchronous"), "Integer(2)");
    assert_eq!(pragma("journal_mode"), "Text(\"wal\")");
}

#[test]
fn a_file_that_lost_its_name_is_not_written_any_more() {
    let bed = Bed::new();
    let ledger = bed.filled(2);
    let head = ledger.head().unwrap();
    fs::copy(bed.path(), bed.path().with_extension("copy")).unwrap();
    fs::rename(bed.path().with_extension("copy"), bed.path()).unwrap();
    assert_eq!(ledger.head(), Err(Cause::Replaced.into()));
    assert_eq!(ledger.append(head, &[draft(1)]), Err(Cause::Replaced.into()));
    fs::remove_file(bed.path()).unwrap();
    assert_eq!(ledger.append(head, &[draft(1)]), Err(Cause::Replaced.into()));
}

#[test]
fn the_log_before_the_database_does_not_grow_without_end() {
    let bed = Bed::new();
    let ledger = bed.open().unwrap();
    let drafts: Vec<_> = (0..200).map(draft).collect();
    let mut head = Head::GENESIS;
    for _ in 0..400 {
        head = ledger.append(head, &drafts).unwrap();
    }
    let mut wal = bed.path().into_os_string();
    wal.push("-wal");
    let size = fs::metadata(wal).unwrap().len();
    assert!(size < 8 << 20, "{size} bytes");
    assert!(fs::metadata(bed.path()).unwrap().len() > 10 << 20);
}
